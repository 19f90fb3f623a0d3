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

/// Files on the disk.
struct Disk;

impl FleetFiles for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, Text> {
        read_whole(path, manifest::MAX_FILE_BYTES as u64)
            .map_err(|problem| tr!("cannot read {}: {problem}", path.display(), problem))
    }

    fn names(&self, folder: &Path) -> Result<Vec<String>, Text> {
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
    /// Returns the problems of all portals, each once.
    pub(in crate::cli) fn problems(&self) -> Vec<Diagnostic> {
        let mut all: Vec<Diagnostic> = Vec::new();
        for portal in &self.fleet.portals {
            for problem in &portal.problems {
                if !all.contains(problem) {
                    all.push(problem.clone());
                }
            }
        }
        all
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
            return Err(CliError::general(tr!("no portal has the labels that --selector wants"))
                .hint(tr!("an empty selection is more often a mistake than a wish")));
        }
    }
    Ok(FleetOnDisk { fleet, all, sources })
}

fn read(files: &[PathBuf]) -> Result<LoadedFleet, CliError> {
    let mut sources = Vec::new();
    for file in files {
        let bytes = Disk.read(file).map_err(|problem| {
            CliError::general(problem)
                .hint(tr!("name a fleet behind the command, as in `recard fleet plan fleet.yaml`"))
        })?;
        let bytes = manifest::without_byte_order_marks(bytes);
        sources.push(Source { name: file.display().to_string().into(), bytes });
    }
    Ok(manifest::load_fleet(&sources, &Disk))
}
