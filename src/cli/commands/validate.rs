//! `recard validate`: are the manifests right, as far as can be told without a portal?

use crate::cli::args::Manifests;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::sources;
use crate::cli::ui::Ui;
use crate::report::Counted;

/// Checks manifests and says how many there are.
pub(in crate::cli) fn run(ui: &Ui, arguments: &Manifests) -> Result<u8, Failure> {
    let manifest = sources::load(ui, &arguments.files)?;
    sources::show(ui, &manifest.warnings, &manifest.sources);
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let documents = Counted(count(manifest.declaration.documents.len()), "manifest", "manifests");
    let warnings = Counted(count(manifest.warnings.len()), "warning", "warnings");
    let portal = manifest.declaration.portal();
    ui.result(format_args!("{documents} for the portal {portal}: valid, {warnings}\n"))?;
    Ok(exit::DONE)
}
