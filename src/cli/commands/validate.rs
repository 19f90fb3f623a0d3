//! `recard validate`: are the manifests right, as far as can be told without a portal?

use crate::cli::args::ValidateArguments;
use crate::cli::exit;
use crate::cli::failure::Failure;
use crate::cli::interrupt::Interrupt;
use crate::cli::output::Outputs;
use crate::cli::sources;
use crate::cli::ui::Ui;
use crate::report::{Checked, Purpose, Subject};

/// Checks manifests and says how many there are.
pub(in crate::cli) async fn run(
    ui: &Ui,
    arguments: &ValidateArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let outputs = Outputs::open(ui, Purpose::Validate, &arguments.written)?;
    outputs.finish(validate(&outputs, arguments, interrupt).await)
}

async fn validate(
    outputs: &Outputs<'_>,
    arguments: &ValidateArguments,
    interrupt: &Interrupt,
) -> Result<u8, Failure> {
    let manifest = sources::load(outputs, &arguments.manifests.files, interrupt).await?;
    sources::show(outputs.ui, &manifest.warnings, &manifest.sources);
    outputs.write(Subject::Validation(&Checked {
        portal: Some(manifest.declaration.portal().as_str()),
        documents: Some(manifest.declaration.documents.len()),
        diagnostics: &manifest.warnings,
        sources: &manifest.sources,
    }))?;
    Ok(exit::DONE)
}
