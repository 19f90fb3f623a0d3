//! `recard fleet validate`: checks of a fleet and of the manifests of all its portals.

use crate::cli::args::FleetValidateArgs;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::fleet::files;
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::sources;
use crate::cli::ui::Ui;
use crate::diagnostic::Diagnostic;
use crate::report::{Purpose, Subject, ValidationReport};

/// Checks the fleet, and prints the number of its portals.
pub(super) async fn run(
    ui: &Ui,
    arguments: &FleetValidateArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let outputs = Outputs::open(ui, Purpose::Validate, &arguments.output_args)?;
    let outcome = async {
        let loaded = files::load(&outputs, &arguments.fleet, interrupt).await?;
        let problems = loaded.problems();
        if problems.iter().any(Diagnostic::is_error) {
            let harm = tr!("nothing was sent to a portal");
            return Err(sources::refuse(&outputs, &problems, &loaded.sources, &harm));
        }
        sources::show(ui, &problems, &loaded.sources);
        let documents = |portal: &crate::manifest::FleetPortal| {
            portal.declaration.as_ref().map_or(0, |declared| declared.documents.len())
        };
        let portals = &loaded.fleet.portals;
        ui.note(tr!(
            "{n} portal in the fleet {name}" | "{n} portals in the fleet {name}" % portals.len(),
            name = loaded.fleet.name
        ));
        outputs.write(Subject::Validation(&ValidationReport {
            portal: None,
            documents: Some(portals.iter().map(documents).sum()),
            diagnostics: &problems,
            sources: &loaded.sources,
        }))?;
        Ok(exit::DONE)
    };
    outputs.finish(outcome.await)
}
