//! Files of a fleet, and the fleet that they make.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::args::FleetFilesArgs;
use crate::cli::error::CliError;
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::sources;
use crate::diagnostic::{Diagnostic, Source};
use crate::i18n::Text;
use crate::manifest::{self, Fleet, FleetFiles, FleetPortal, LoadedFleet};
use crate::store::read_whole;

/// Files on the disk, below the folders that the files of a fleet may name.
///
/// A fleet is a foreign text: with any path in it, whoever may propose a change could have a file
/// of the machine printed into a log, or stored in a revision.
struct Disk {
    roots: Vec<PathBuf>,
}

impl Disk {
    /// Opens the files that fleets may name: those of their git repositories, or without one those
    /// below their folders.
    fn around(fleets: &[PathBuf]) -> Self {
        let root = |file: &PathBuf| {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new(".")).canonicalize().ok()?;
            let repository = folder.ancestors().find(|ancestor| ancestor.join(GIT).exists());
            Some(repository.unwrap_or(&folder).to_owned())
        };
        Self { roots: fleets.iter().filter_map(root).collect() }
    }

    /// Refuses a path that leads out of the roots, also by a symbolic link, or into the data of
    /// git.
    fn check(&self, path: &Path) -> Result<(), Text> {
        let cannot = |problem| tr!("cannot read {}: {problem}", path.display(), problem);
        let real = path.canonicalize().map_err(cannot)?;
        let below = self.roots.iter().find_map(|root| real.strip_prefix(root).ok());
        match below {
            Some(below) if !below.iter().any(|part| part.eq_ignore_ascii_case(GIT)) => Ok(()),
            Some(_) | None => Err(tr!(
                "{} lies outside of the git repository of the fleet, or without one of its folder; it was not read",
                path.display()
            )),
        }
    }
}

/// Folder of the data of git, or a file in its place.
const GIT: &str = ".git";

impl FleetFiles for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Text> {
        self.check(path)?;
        read_file(path)
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, Text> {
        self.check(folder)?;
        let cannot =
            |problem| tr!("cannot read the folder {}: {problem}", folder.display(), problem);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(cannot)? {
            names.push(entry.map_err(cannot)?.file_name().to_string_lossy().into_owned());
        }
        names.retain(|name| !name.starts_with('.'));
        names.sort();
        Ok(names)
    }
}

/// Fleet of a command, with the texts of its files.
pub(in crate::cli) struct FleetOnDisk {
    /// The fleet, with the selected portals alone.
    pub(in crate::cli) fleet: Fleet,
    /// The names of all portals of the fleet, selected or not.
    pub(in crate::cli) all: BTreeSet<String>,
    /// The texts.
    pub(in crate::cli) sources: Vec<Source>,
}

impl FleetOnDisk {
    /// Returns the problems of all portals, each once, and then those of waves that may have lost
    /// their portals to them.
    pub(in crate::cli) fn problems(&self) -> Vec<Diagnostic> {
        let mut all = self.fleet.problems_of_portals();
        for problem in &self.fleet.lost_waves {
            if !all.contains(problem) {
                all.push(problem.clone());
            }
        }
        all
    }

    /// Refuses a fleet of which a wave takes no portal while files of portals are broken.
    pub(in crate::cli) fn check_waves(&self, outputs: &Outputs<'_>) -> Result<(), CliError> {
        if self.fleet.lost_waves.is_empty() {
            return Ok(());
        }
        let harm = tr!(
            "a wave without a portal may have lost it to a broken file, and the next one would begin at once; nothing was written"
        );
        Err(sources::refuse(outputs, &self.problems(), &self.sources, &harm))
    }
}

/// Reads a fleet, and keeps the portals that the command selects. Problems of the fleet's own files
/// are printed here; the failure says only that there were some.
pub(in crate::cli) async fn load(
    outputs: &Outputs<'_>,
    arguments: &FleetFilesArgs,
    interrupt: &Interrupt,
) -> Result<FleetOnDisk, CliError> {
    let files = arguments.files();
    let loaded = interrupt.run_blocking(move || read(&files)).await??;
    let LoadedFleet { fleet, diagnostics, sources } = loaded;
    let Some(fleet) = fleet else {
        let harm = tr!("nothing was sent to a portal");
        return Err(sources::refuse(outputs, &diagnostics, &sources, &harm));
    };
    sources::show(outputs.ui, &diagnostics, &sources);
    selected(arguments, fleet, sources)
}

/// Reads a fleet once more, without a word about problems.
pub(in crate::cli) async fn load_again(
    arguments: &FleetFilesArgs,
    interrupt: &Interrupt,
) -> Result<FleetOnDisk, CliError> {
    let files = arguments.files();
    let loaded = interrupt.run_blocking(move || read(&files)).await??;
    let Some(fleet) = loaded.fleet else {
        return Err(CliError::general(tr!("the files of the fleet have problems"))
            .hint(tr!("`recard fleet validate` shows them")));
    };
    selected(arguments, fleet, loaded.sources)
}

fn selected(
    arguments: &FleetFilesArgs,
    mut fleet: Fleet,
    sources: Vec<Source>,
) -> Result<FleetOnDisk, CliError> {
    let all = fleet.portals.iter().map(|portal| portal.name().to_owned()).collect();
    if let Some(selector) = &arguments.selector {
        fleet.portals.retain(|portal: &FleetPortal| selector.matches(&portal.labels));
        if fleet.portals.is_empty() {
            return Err(nothing_selected());
        }
    }
    Ok(FleetOnDisk { fleet, all, sources })
}

fn read_file(path: &Path) -> Result<Vec<u8>, Text> {
    read_whole(path, manifest::MAX_FILE_BYTES as u64)
        .map_err(|problem| tr!("cannot read {}: {problem}", path.display(), problem))
}

/// Returns the error of a selector that fits no portal.
pub(in crate::cli) fn nothing_selected() -> CliError {
    CliError::general(tr!("no portal has the labels that --selector wants"))
        .hint(tr!("an empty selection is more often a mistake than a wish"))
}

fn read(files: &[PathBuf]) -> Result<LoadedFleet, CliError> {
    let mut sources = Vec::new();
    for file in files {
        let bytes = read_file(file).map_err(|problem| {
            CliError::general(problem)
                .hint(tr!("name a fleet after the command, as in `recard fleet plan fleet.yaml`"))
        })?;
        let bytes = manifest::without_byte_order_marks(bytes);
        sources.push(Source { name: file.display().to_string().into(), bytes });
    }
    Ok(manifest::load_fleet(&sources, &Disk::around(files)))
}
