//! `recard fleet publish`: makes a fleet the current revision of the store, which workers
//! reconcile.

use std::time::Instant;

use crate::cli::args::{Expectation, FleetPublishArgs, GlobalArgs};
use crate::cli::error::CliError;
use crate::cli::fleet::files::{self, FleetOnDisk};
use crate::cli::fleet::{
    changes, guards, other_fleets, publication, publishing, reports, state, statuses,
};
use crate::cli::output::Outputs;
use crate::cli::signals::Interrupt;
use crate::cli::ui::Ui;
use crate::cli::{env, exit, sources};
use crate::diagnostic::{Diagnostic, Severity};
use crate::ports::{FleetHead, FleetState as _, Publisher};
use crate::records::fleet::FleetRevision;
use crate::report::Purpose;

/// Publishes a fleet.
pub(super) async fn run(
    ui: &Ui,
    global: &GlobalArgs,
    arguments: &FleetPublishArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    reports::check_formats(&arguments.output_args)?;
    let outputs = Outputs::open(ui, Purpose::Show, &arguments.output_args)?;
    let work = publish(&outputs, global, arguments, interrupt);
    outputs.finish(interrupt.unless_cancelled(work).await)
}

async fn publish(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    arguments: &FleetPublishArgs,
    interrupt: &Interrupt,
) -> Result<u8, CliError> {
    let started = Instant::now();
    if arguments.fleet.selector.is_some() {
        return Err(CliError::new(
            exit::USAGE,
            tr!("a revision holds the whole fleet; leave --selector out"),
        ));
    }
    let key = arguments.signing_key.as_deref().map(publication::signing_key).transpose()?;
    let named = arguments.fleet.files();
    let loaded = files::load(outputs, &arguments.fleet, interrupt).await?;
    loaded.check_waves(outputs)?;
    show_problems(outputs, &loaded, arguments.strict)?;
    let found = other_fleets::find(global, &loaded.fleet, Severity::Error).await?;
    if !found.is_empty() {
        let harm = tr!("nothing was published");
        return Err(sources::refuse(outputs, &found, &loaded.sources, &harm));
    }
    let FleetOnDisk { fleet, all, sources } = &loaded;
    let mut revision = FleetRevision::new(fleet, sources, named.len())
        .map_err(|problem| publication::unfit(&problem))?;
    let file = named.first().cloned().unwrap_or_default();
    let (commit, is_dirty) = publication::commit(&file, &revision).await;
    let publisher = Publisher { commit, actor: env::actor() };
    revision.commit.clone_from(&publisher.commit);
    revision.actor.clone_from(&publisher.actor);
    if let Some(key) = &key {
        revision.sign(key);
    }
    let state = state::open(global);
    let view = state.view(&fleet.name).await?;
    let head = view.as_ref().map(|view| &view.head);
    let is_current = head.is_some_and(|head| head.revision == revision.digest);
    if let Some(head) = head.filter(|head| is_current && head.is_halted())
        && arguments.expect != Some(Expectation::Revision(head.revision))
    {
        return Err(CliError::refused(tr!(
            "the rollout of this very revision is halted; nothing was published"
        ))
        .hint(tr!("to start it again: --expect {}", head.revision)));
    }
    // The pipeline of what was withdrawn may run once more, also with the same `--expect`.
    if head.is_some_and(|head| head.withdrawn == Some(revision.digest)) {
        return Err(CliError::refused(tr!(
            "this very revision was withdrawn by a rollback; nothing was published"
        ))
        .hint(tr!("publish a corrected fleet; another `reason` makes this one a new revision")));
    }
    let stored = publication::keep_signature(&state, &mut revision).await?;
    let at =
        publication::PublishedFiles { file: &file, commit: publisher.commit.as_deref(), is_dirty };
    let expected = publication::expected(arguments.expect.as_ref(), head, at).await;
    // The answer to an earlier try may have been lost.
    let is_repeated = |head: &FleetHead| {
        arguments.expect.is_some() && expected.as_ref().ok() == Some(&head.replaced())
    };
    if let Some(head) = head.filter(|head| is_current && (expected.is_err() || is_repeated(head))) {
        if stored == revision.signature {
            outputs.ui.note(tr!("this revision is the current one already"));
        } else {
            // Nothing but the signature changes, and the order of commits least of all.
            let publisher = head.publisher.clone();
            revision.commit.clone_from(&publisher.commit);
            revision.actor.clone_from(&publisher.actor);
            let publication = publication::new(fleet, &revision, Some(head.revision), publisher)?;
            publishing::publish(&state, &publication).await?;
            outputs.ui.note(tr!("this revision is the current one already; it is signed now"));
        }
    } else {
        let expected = expected?;
        let before = reports::known_portals(global, &fleet.name).await?;
        let mut violations: Vec<_> =
            guards::lost_portals(&fleet.guards, &before, all).into_iter().collect();
        if !is_current {
            let changed = changes::number(&state, view.as_ref(), fleet).await;
            violations.extend(guards::too_many_portals(&fleet.guards, changed));
        }
        if !violations.is_empty() {
            let view = view.as_ref();
            let mut report =
                statuses::report(outputs.ui, global, "publish", fleet, view, started).await?;
            report.violations = violations;
            return publishing::refuse(outputs, &report);
        }
        let publication = publication::new(fleet, &revision, expected, publisher)?;
        publishing::publish(&state, &publication).await?;
        outputs.ui.note(tr!("{} is the current revision", revision.digest));
    }
    let name = ("publish", &*fleet.name);
    let awaited = arguments.wait.then_some(revision.digest);
    publishing::finish(outputs, global, &state, name, awaited, started).await
}

/// Shows the problems of single portals, which `--strict` refuses.
fn show_problems(
    outputs: &Outputs<'_>,
    loaded: &FleetOnDisk,
    is_strict: bool,
) -> Result<(), CliError> {
    let problems = loaded.problems();
    if is_strict && problems.iter().any(Diagnostic::is_error) {
        let harm = tr!("nothing was published");
        return Err(sources::refuse(outputs, &problems, &loaded.sources, &harm));
    }
    sources::show(outputs.ui, &problems, &loaded.sources);
    Ok(())
}
