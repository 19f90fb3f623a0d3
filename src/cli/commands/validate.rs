//! `recard validate`: checks of manifests without a portal.

use crate::cli::args::ValidateArgs;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::sources;
use crate::cli::ui::Ui;
use crate::report::{Purpose, Subject, ValidationReport};

/// Checks manifests and prints their number.
pub(in crate::cli) async fn run(
    ui: &Ui,
    arguments: &ValidateArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs = Outputs::open(ui, Purpose::Validate, &arguments.output_args)?;
    outputs.finish(validate(&outputs, arguments, interrupt).await)
}

async fn validate(
    outputs: &Outputs<'_>,
    arguments: &ValidateArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let manifest = sources::load(outputs, &arguments.manifests.files(), interrupt).await?;
    sources::show(outputs.ui, &manifest.warnings, &manifest.sources);
    outputs.write(Subject::Validation(&ValidationReport {
        portal: Some(manifest.declaration.portal().as_str()),
        documents: Some(manifest.declaration.documents.len()),
        diagnostics: &manifest.warnings,
        sources: &manifest.sources,
    }))?;
    Ok(exit::DONE)
}
