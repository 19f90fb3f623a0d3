//! Search and reading of the manifests on the command line.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::error::CliError;
use super::exit;
use super::file_identity::{DisplayNames, FileIdentity};
use super::output::Outputs;
use super::signals::Interrupt;
use super::ui::Ui;
use crate::app;
use crate::diagnostic::{self, Diagnostic, RenderStyle, Severity};
use crate::i18n::Text;
use crate::manifest::{self, Declaration, Document, Loaded, Source};
use crate::report::{Subject, ValidationReport};
use crate::store::{read_to_limit, read_whole};

/// Name of a manifest from stdin.
const STDIN: &str = "<stdin>";

/// Manifests of a run, with their texts for later diagnostics.
pub(super) struct LoadedManifests {
    /// The declaration.
    pub(super) declaration: Declaration,
    /// The texts.
    pub(super) sources: Vec<Source>,
    /// The warnings.
    pub(super) warnings: Vec<Diagnostic>,
}

impl LoadedManifests {
    /// Returns the position at which the portal is named.
    pub(super) fn pin_place(&self) -> String {
        self.declaration.portal_place().to_string()
    }

    /// Returns name and file of each document, by which a later run finds their selections.
    pub(super) fn files(&self) -> Vec<(String, String)> {
        let file =
            |document: &Document| (document.name.to_string(), selection_file(&document.place.file));
        self.declaration.documents.iter().map(file).collect()
    }

    /// Returns the manifests for a use case; `files` are those of [`LoadedManifests::files`].
    pub(super) fn set<'a>(&'a self, files: &'a [(String, String)]) -> app::ManifestSet<'a> {
        app::ManifestSet { declaration: &self.declaration, files }
    }
}

/// Reads and checks manifests. All problems are printed here; the failure says only that there were
/// some.
pub(super) async fn load(
    outputs: &Outputs<'_>,
    files: &[PathBuf],
    interrupt: &Interrupt,
) -> Result<LoadedManifests, CliError> {
    let files = files.to_vec();
    let sources = interrupt.run_blocking(move || read(&files)).await??;
    check(outputs, sources)
}

/// Checks manifests that were read.
pub(super) fn check(
    outputs: &Outputs<'_>,
    sources: Vec<Source>,
) -> Result<LoadedManifests, CliError> {
    let Loaded { declaration, diagnostics } = manifest::load(&sources);
    let errors = diagnostics.iter().filter(|found| found.severity == Severity::Error).count();
    match declaration {
        Some(declaration) if errors == 0 => {
            Ok(LoadedManifests { declaration, sources, warnings: diagnostics })
        }
        _ => Err(refuse(outputs, &diagnostics, &sources, &tr!("nothing was sent to a portal"))),
    }
}

/// Prints problems with their lines.
pub(super) fn show(ui: &Ui, diagnostics: &[Diagnostic], sources: &[Source]) {
    if !diagnostics.is_empty() {
        let style = if ui.colors_stderr() { RenderStyle::Ansi } else { RenderStyle::Plain };
        ui.diagnostics(&diagnostic::render(diagnostics, sources, style));
    }
}

/// Prints problems that stop the command, and writes them into its outputs; `harm` names the action
/// that was not done.
pub(super) fn refuse(
    outputs: &Outputs<'_>,
    found: &[Diagnostic],
    sources: &[Source],
    harm: &Text,
) -> CliError {
    show(outputs.ui, found, sources);
    let checked = ValidationReport { portal: None, documents: None, diagnostics: found, sources };
    outputs.write_after_stderr(Subject::Validation(&checked));
    let errors = found.iter().filter(|found| found.severity == Severity::Error).count();
    CliError::new(exit::ERROR, {
        tr!(
            "{n} problem in the manifests; {harm}"
                | "{n} problems in the manifests; {harm}" % errors,
            harm
        )
    })
}

/// Returns the manifests of a folder; `None` if it has none, or cannot be read.
pub(super) fn in_folder(folder: &Path) -> Option<Vec<Source>> {
    read(&[folder.to_owned()]).ok()
}

/// Returns the normalized file of a manifest, as selections store it. Empty for a manifest from
/// stdin.
pub(super) fn selection_file(file: &str) -> String {
    if file == STDIN {
        return String::new();
    }
    let parts = Path::new(file).components().filter(|part| *part != Component::CurDir);
    parts.collect::<PathBuf>().display().to_string()
}

fn read(files: &[PathBuf]) -> Result<Vec<Source>, CliError> {
    let mut sources: Vec<Source> = Vec::new();
    // A file that is named twice, or by two links, counts once.
    let mut seen = BTreeSet::new();
    let mut displayed = DisplayNames::default();
    for path in files {
        if path.as_os_str() == "-" {
            if seen.insert(FileIdentity::from_stdin()) {
                let bytes = read_to_limit(std::io::stdin(), manifest::MAX_FILE_BYTES as u64)
                    .map_err(|problem| {
                        CliError::general(tr!(
                            "cannot read the manifest from stdin: {problem}",
                            problem
                        ))
                    })?;
                sources.push(Source {
                    name: displayed.name(Path::new(STDIN)).into(),
                    bytes: manifest::without_byte_order_marks(bytes),
                });
            }
            continue;
        }
        for file in find_files(std::slice::from_ref(path))? {
            if seen.insert(FileIdentity::from_path(&file)) {
                sources.push(file_source(&file, &mut displayed)?);
            }
        }
    }
    Ok(sources)
}

/// Returns the named files, and those in named folders. Stdin is left out.
pub(super) fn find_files(files: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    let mut all = Vec::new();
    for path in files.iter().filter(|path| path.as_os_str() != "-") {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        folder(path, &mut inside, &mut BTreeSet::new())?;
        if inside.is_empty() {
            return Err(CliError::general(tr!(
                "the folder {} holds no .yaml or .yml file",
                path.display()
            )));
        }
        all.extend(inside);
    }
    Ok(all)
}

/// Walks through a folder. A folder behind several links is walked through once.
fn folder(
    path: &Path,
    found: &mut Vec<PathBuf>,
    seen: &mut BTreeSet<FileIdentity>,
) -> Result<(), CliError> {
    if !seen.insert(FileIdentity::from_path(path)) {
        return Ok(());
    }
    let cannot = |problem| {
        CliError::general(tr!("cannot read the folder {}: {problem}", path.display(), problem))
    };
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(path).map_err(cannot)? {
        entries.push(entry.map_err(cannot)?.path());
    }
    entries.sort();
    for entry in entries {
        if let Some(name) = entry.file_name() {
            diagnostic::register_secrets(&name.to_string_lossy());
        }
        let hidden =
            entry.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        let yaml = entry.extension().is_some_and(|extension| {
            extension.eq_ignore_ascii_case("yaml") || extension.eq_ignore_ascii_case("yml")
        });
        if hidden {
            continue;
        }
        if entry.is_dir() {
            folder(&entry, found, seen)?;
        } else if yaml {
            // A pipe may be named explicitly; a pipe in a folder is not a manifest.
            if entry.exists() && !entry.is_file() {
                return Err(CliError::general(tr!(
                    "cannot read the manifest {}: it is not a regular file",
                    entry.display()
                )));
            }
            found.push(entry);
        }
    }
    Ok(())
}

fn file_source(path: &Path, displayed: &mut DisplayNames) -> Result<Source, CliError> {
    let bytes = read_whole(path, manifest::MAX_FILE_BYTES as u64).map_err(|problem| {
        CliError::general(tr!("cannot read the manifest {}: {problem}", path.display(), problem))
            .hint(tr!("name a file or a folder with -f"))
    })?;
    let bytes = manifest::without_byte_order_marks(bytes);
    Ok(Source { name: displayed.name(path).into(), bytes })
}
