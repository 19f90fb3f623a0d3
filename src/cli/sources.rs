//! Search and reading of the manifests on the command line.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::error::CliError;
use super::exit;
use super::file_identity::{DisplayNames, FileIdentity};
use super::output::Outputs;
use super::signals::Interrupt;
use super::ui::Ui;
use super::{next_command, plan_files};
use crate::app;
use crate::diagnostic::{self, Diagnostic, RenderStyle, Severity};
use crate::i18n::Text;
use crate::manifest::{self, Declaration, Document, Loaded, Source};
use crate::records::plan_file::PlanFileContent;
use crate::report::{Subject, ValidationReport};
use crate::store::{read_to_limit, read_whole};

/// Folder of the manifests if none is named.
pub(super) const DEFAULT_FOLDER: &str = "manifests";

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

/// Reads and checks manifests; without a name those of the default folder. All problems are printed
/// here; the failure says only that there were some.
pub(super) async fn load(
    outputs: &Outputs<'_>,
    files: &[PathBuf],
    interrupt: &Interrupt,
) -> Result<LoadedManifests, CliError> {
    let files = files.to_vec();
    let found = interrupt.run_blocking(move || read(&named_or_default(&files)?)).await??;
    check(outputs, without_other_tools(outputs.ui, found)?)
}

/// Checks a manifest whose bytes were read, from a pipe that cannot be read again.
pub(super) fn load_read(
    outputs: &Outputs<'_>,
    path: &Path,
    bytes: Vec<u8>,
) -> Result<LoadedManifests, CliError> {
    check(outputs, vec![source(path, bytes, &mut DisplayNames::default())])
}

/// Returns the named files, or the default folder.
fn named_or_default(files: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    if !files.is_empty() {
        return Ok(files.to_vec());
    }
    let folder = PathBuf::from(DEFAULT_FOLDER);
    if folder.is_dir() {
        return Ok(vec![folder]);
    }
    Err(CliError::general(tr!(
        "no manifest is named, and there is no folder {DEFAULT_FOLDER}",
        DEFAULT_FOLDER
    ))
    .hint(tr!(
        "name a file or a folder after the command, as in `recard plan lead.yaml`; `recard init` writes a first manifest"
    )))
}

/// Checks manifests that were read.
pub(super) fn check(
    outputs: &Outputs<'_>,
    sources: Vec<Source>,
) -> Result<LoadedManifests, CliError> {
    let Loaded { declaration, mut diagnostics } = manifest::load(&sources);
    for found in diagnostics.iter_mut().filter(|found| found.is_error() && found.help.is_none()) {
        let code = found.code;
        found.help = Some(tr!("a wrong and a right example: recard explain {code}", code));
    }
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
    let found = read(&[folder.to_owned()]).ok()?;
    Some(found.into_iter().map(|found| found.source).collect())
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

/// Returns name and file of each manifest, by which a later run finds their selections.
pub(super) fn manifest_files(content: &PlanFileContent) -> Vec<(String, String)> {
    let manifests = content.manifests.iter();
    manifests.map(|manifest| (manifest.name.clone(), selection_file(&manifest.file))).collect()
}

/// File that was read.
struct FoundFile {
    source: Source,
    /// `true` if it was found in a folder, and not named.
    is_in_folder: bool,
}

/// Leaves out the files of folders that belong to other tools, with a note for each. The parser
/// needs the stack of the command's thread.
fn without_other_tools(ui: &Ui, found: Vec<FoundFile>) -> Result<Vec<Source>, CliError> {
    let (mut sources, mut others) = (Vec::new(), Vec::new());
    for FoundFile { source, is_in_folder } in found {
        let other = is_in_folder.then(|| manifest::kind_of_other_tool(&source.bytes)).flatten();
        match other {
            None => sources.push(source),
            Some(kind) => others.push(tr!(
                "left out {}: it is a {kind}, which is not of recard",
                source.name,
                kind
            )),
        }
    }
    if sources.is_empty() && !others.is_empty() {
        return Err(CliError::general(tr!("no file of these folders is a manifest of recard"))
            .hint(Text::join(&others, "; ")));
    }
    others.iter().for_each(|other| ui.note(other));
    Ok(sources)
}

fn read(files: &[PathBuf]) -> Result<Vec<FoundFile>, CliError> {
    let mut found: Vec<FoundFile> = Vec::new();
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
                let source = source(Path::new(STDIN), bytes, &mut displayed);
                found.push(FoundFile { source, is_in_folder: false });
            }
            continue;
        }
        let is_in_folder = path.is_dir();
        for file in find_files_of(std::slice::from_ref(path))? {
            if seen.insert(FileIdentity::from_path(&file)) {
                found.push(FoundFile { source: file_source(&file, &mut displayed)?, is_in_folder });
            }
        }
    }
    Ok(found)
}

/// Returns the files of a command line, as [`load`] finds them. Stdin is left out.
pub(super) fn find_files(files: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
    find_files_of(&named_or_default(files)?)
}

/// Returns the named files, and those in named folders. Stdin is left out.
fn find_files_of(files: &[PathBuf]) -> Result<Vec<PathBuf>, CliError> {
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
            .hint(help_for_missing(path))
    })?;
    if plan_files::is_plan(path, &bytes) {
        return Err(CliError::general(tr!("{} is a plan file, not a manifest", path.display()))
            .hint(tr!(
                "`recard show {}` shows it, and `recard apply {}` executes it",
                next_command::shell_word(path),
                next_command::shell_word(path)
            )));
    }
    Ok(source(path, bytes, displayed))
}

fn source(path: &Path, bytes: Vec<u8>, displayed: &mut DisplayNames) -> Source {
    let bytes = manifest::without_byte_order_marks(bytes);
    Source { name: displayed.name(path).into(), bytes }
}

/// Returns the help for a manifest that cannot be read. In quotes a shell does not expand a
/// pattern.
fn help_for_missing(path: &Path) -> Text {
    if !path.to_string_lossy().contains(['*', '?', '[']) {
        return tr!("name a file or a folder after the command, as in `recard plan lead.yaml`");
    }
    let folder = path.parent().filter(|folder| folder.is_dir());
    let folder = folder.unwrap_or_else(|| Path::new(DEFAULT_FOLDER));
    tr!(
        "recard expands no patterns, and in quotes the shell does not either: leave out the quotes, or name the folder: {}",
        next_command::shell_word(folder)
    )
}
