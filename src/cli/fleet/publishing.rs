//! Publishing of a revision, and its rollout until it is over.

use std::time::{Duration, Instant};

use super::{publication, reports, state, statuses};
use crate::cli::args::GlobalArgs;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::cli::output::Outputs;
use crate::cli::ui::Ui;
use crate::i18n::Text;
use crate::model::Digest;
use crate::ports::{FleetState as _, Publication, Published, RolloutState};
use crate::records::fleet::{FleetReport, SignatureError};
use crate::store::Fleets;

/// Interval at which a waiting command asks for the state.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Publishes a revision.
pub(in crate::cli) async fn publish(
    state: &Fleets,
    publication: &Publication,
) -> Result<(), CliError> {
    match state.publish(publication).await? {
        Published::Current(_) => Ok(()),
        Published::Overtaken(current) => Err(publication::overtaken(current)),
        Published::OfAnotherFleet(portal, fleet) => Err(CliError::general(tr!(
            "the portal {portal} is of the fleet {fleet}; nothing was published",
            portal,
            fleet
        ))
        .hint(tr!("publish that fleet without the portal first"))),
    }
}

/// Makes the report of a published fleet, as its current revision has it.
pub(in crate::cli) async fn report(
    ui: &Ui,
    global: &GlobalArgs,
    state: &Fleets,
    command: &str,
    fleet: &str,
    started: Instant,
) -> Result<FleetReport, CliError> {
    let (_, view) = state::find(state, Some(fleet)).await?;
    let revision = state::revision(state, view.head.revision).await?;
    let Some(fleet) = revision.load().fleet else {
        let digest = revision.digest;
        return Err(CliError::general(tr!(
            "this recard cannot read the revision {digest}",
            digest
        )));
    };
    statuses::report(ui, global, command, &fleet, Some(&view), started).await
}

/// Adds to a failure that the command took effect, and only its report is missing.
pub(in crate::cli) fn without_report(problem: CliError) -> CliError {
    problem.hint(tr!(
        "only the report is missing: the change took effect, and `recard fleet status` shows it"
    ))
}

/// Ends a command that has published: waits for the rollout of a revision if that is wanted, writes
/// the report, and returns the exit code.
pub(in crate::cli) async fn finish(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    state: &Fleets,
    (command, fleet): (&str, &str),
    awaited: Option<Digest>,
    started: Instant,
) -> Result<u8, CliError> {
    let code = match awaited {
        Some(revision) => wait(outputs, global, state, (fleet, revision), started).await?,
        None => exit::DONE,
    };
    let report = report(outputs.ui, global, state, command, fleet, started).await;
    let report = report.map_err(without_report)?;
    outputs.write_fleet(&report)?;
    Ok(code)
}

/// Waits until the rollout of a revision is over.
async fn wait(
    outputs: &Outputs<'_>,
    global: &GlobalArgs,
    state: &Fleets,
    (fleet, revision): (&str, Digest),
    started: Instant,
) -> Result<u8, CliError> {
    let (mut number, mut open) = (None, 0);
    loop {
        let (_, view) = state::find(state, Some(fleet)).await?;
        let rollout = &view.head.rollout;
        let is_same = *number.get_or_insert(view.head.number) == view.head.number;
        if !is_same || view.head.revision != revision {
            outputs.ui.warn(tr!("another revision was published meanwhile"));
            return Ok(exit::PARTIAL);
        }
        for wave in rollout.waves.iter().take(rollout.open_waves()).skip(open) {
            outputs.ui.note(tr!("the wave {} is open", wave.name));
        }
        open = rollout.open_waves();
        match &rollout.state {
            RolloutState::Complete { .. } => return Ok(exit::DONE),
            RolloutState::Halted { .. } => return Ok(exit::PARTIAL),
            RolloutState::Running => {}
        }
        if global.deadline.is_some_and(|deadline| started.elapsed() >= deadline) {
            outputs.ui.warn(tr!("the rollout is not over within --deadline"));
            return Ok(exit::PARTIAL);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Returns the words of a revision that is not signed by a trusted key.
pub(in crate::cli) fn signature_problem(problem: &SignatureError) -> Text {
    match problem {
        SignatureError::Missing => tr!("the revision is not signed"),
        SignatureError::NotTrusted(key) => {
            tr!("the revision is signed with the key {key}, which is not trusted", key)
        }
        SignatureError::Wrong => tr!("the signature does not fit the revision"),
    }
}

/// Writes the report of a fleet that was not published for a guard.
pub(in crate::cli) fn refuse(outputs: &Outputs<'_>, report: &FleetReport) -> Result<u8, CliError> {
    outputs.write_fleet(report)?;
    Ok(reports::exit_code(report, exit::DONE, true))
}
