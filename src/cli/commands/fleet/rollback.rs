//! `recard fleet rollback`: publishes the revision before.
//!
//! Portals on the revision that is withdrawn leave it at once; others wait for their wave. A second
//! rollback would lead to the withdrawn revision, or further back than the store knows, and is
//! refused. Cards that were reset are put back by `recard restore`, never by this command.

use std::time::Instant;

use crate::cli::args::{Expectation, FleetRollbackArgs, GlobalArgs};
use crate::cli::env;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::fleet::{publication, publishing, reports, state};
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::ports::Publisher;
use crate::report::Purpose;

/// Publishes the revision before the current one.
pub(super) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetRollbackArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    reports::check_formats(&arguments.output_args)?;
    let outputs = Outputs::open(ui, Purpose::Show, &arguments.output_args)?;
    let work = roll_back(&outputs, global, arguments);
    outputs.finish(interrupt.unless_cancelled(work).await)
}

async fn roll_back(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &FleetRollbackArgs,
) -> Result<u8, CliError> {
    let started = Instant::now();
    let trusted = publication::trusted_keys(&arguments.trusted_key)?;
    let state = state::open(global);
    let (name, view) = state::find(&state, arguments.name.as_deref()).await?;
    let head = &view.head;
    if let Some(withdrawn) = head.withdrawn {
        // The same command once more is one that names the revision to be withdrawn.
        if arguments.expect == Some(Expectation::Revision(withdrawn)) {
            outputs.ui.note(tr!("the revision {withdrawn} is withdrawn already", withdrawn));
            let awaited = arguments.wait.then_some(head.revision);
            let name = ("rollback", &*name);
            return publishing::finish(outputs, global, &state, name, awaited, started).await;
        }
        return Err(CliError::refused(tr!(
            "the current revision is there by a rollback, which withdrew {withdrawn}; nothing was published",
            withdrawn
        ))
        .hint(tr!(
            "to go further back, or on, publish that fleet, wave by wave: recard fleet publish --expect {}",
            head.revision
        )));
    }
    if let Some(expected) = &arguments.expect
        && *expected != Expectation::Revision(head.revision)
    {
        return Err(publication::overtaken(Some(head.revision)));
    }
    let Some(previous) = head.previous else {
        return Err(CliError::general(tr!("the fleet {name} has no revision before", name)));
    };
    let revision = state::revision(&state, previous).await?;
    if !trusted.is_empty() {
        revision.check_signature(&trusted).map_err(|problem| {
            let problem = publishing::signature_problem(&problem);
            CliError::new(exit::REFUSED, tr!("{previous}: {problem}", previous, problem))
        })?;
    }
    let Some(fleet) = revision.load().fleet else {
        return Err(CliError::general(tr!(
            "this recard cannot read the revision {digest}",
            digest = previous
        )));
    };
    // The commit of the withdrawn revision stays the one that the next must follow, so that its
    // own pipeline does not publish it again.
    let publisher = Publisher { commit: head.publisher.commit.clone(), actor: env::actor() };
    let mut publication = publication::new(&fleet, &revision, Some(head.revision), publisher)?;
    publication.withdrawn = Some(head.revision);
    // It was measured when it was published first, and the way back is not barred by it.
    publication.max_people = None;
    publishing::publish(&state, &publication).await?;
    outputs.ui.note(tr!(
        "the revision {} is withdrawn; to repeat this command safely: --expect {}",
        head.revision.short(),
        head.revision
    ));
    outputs.ui.note(tr!(
        "cards that were reset stay reset; `recard restore RUN` puts them back, portal by portal"
    ));
    let awaited = arguments.wait.then_some(previous);
    publishing::finish(outputs, global, &state, ("rollback", &name), awaited, started).await
}
