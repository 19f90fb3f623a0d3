//! State of the published fleets of a store: which fleet is meant, and its rollout in reports.

use std::sync::Arc;

use crate::cli::args::GlobalArgs;
use crate::cli::clock::SystemClock;
use crate::cli::error::CliError;
use crate::fleet::rollout;
use crate::i18n::Text;
use crate::model::Digest;
use crate::ports::{FleetState as _, FleetView, HaltCause, RolloutState};
use crate::records::fleet::{FleetRevision, RolloutPhase, RolloutReport, WaveReport};
use crate::store::Fleets;

/// Opens the state of the fleets of a store.
pub(in crate::cli) fn open(global: &GlobalArgs) -> Fleets {
    Fleets::open(&global.store, Arc::new(SystemClock))
}

/// Returns the published fleet of a name, or the only one of the store.
pub(in crate::cli) async fn find(
    state: &Fleets,
    name: Option<&str>,
) -> Result<(String, FleetView), CliError> {
    let mut heads = state.heads().await?;
    if name.is_none()
        && let [(_, Err(_))] = heads.as_slice()
        && let Some((_, Err(problem))) = heads.pop()
    {
        // The name is that of its file.
        return Err(problem.into());
    }
    let known: Vec<String> = heads.into_iter().map(|(name, _)| name).collect();
    let name = match (name, known.as_slice()) {
        (Some(name), _) => name,
        (None, [only]) => only.as_str(),
        (None, []) => {
            return Err(CliError::general(tr!("no fleet is published in the store"))
                .hint(tr!("`recard fleet publish` does that; --store names the store")));
        }
        (None, several) => {
            let several = several.join(", ");
            return Err(CliError::general(tr!("the store has several fleets: {several}", several))
                .hint(tr!("name one of them: --fleet NAME")));
        }
    };
    match state.view(name).await? {
        Some(view) => Ok((name.to_owned(), view)),
        None => Err(CliError::general(tr!("the fleet {name} is not published", name))
            .hint(tr!("there are: {listed}", listed = known.join(", ")))),
    }
}

/// Returns a revision of the store.
pub(in crate::cli) async fn revision(
    state: &Fleets,
    digest: Digest,
) -> Result<FleetRevision, CliError> {
    let Some(bytes) = state.revision(digest).await? else {
        return Err(CliError::general(tr!("the store has no revision {digest}", digest)));
    };
    let damaged = |problem: &dyn std::fmt::Display| {
        CliError::general(tr!("the revision {digest} is damaged: {problem}", digest, problem))
    };
    match FleetRevision::parse(&bytes) {
        Ok(revision) if revision.digest == digest => Ok(revision),
        Ok(revision) => Err(damaged(&tr!("it is the revision {}", revision.digest))),
        Err(problem) => Err(damaged(&problem)),
    }
}

/// Returns the rollout of a fleet for its report.
pub(in crate::cli) fn rollout_report(view: &FleetView) -> RolloutReport {
    let head = &view.head;
    let (state, since, cause) = match &head.rollout.state {
        RolloutState::Running => (RolloutPhase::Running, None, None),
        RolloutState::Complete { at } => (RolloutPhase::Complete, Some(*at), None),
        RolloutState::Halted { at, cause } => {
            (RolloutPhase::Halted, Some(*at), Some(halt_cause(cause)))
        }
    };
    let waves = rollout::progress(view).into_iter().map(|wave| WaveReport {
        name: wave.name.to_string(),
        opened: wave.opened,
        portals: wave.portals,
        counted: wave.counted,
        done: wave.done,
        failed: wave.failed,
        people: wave.people,
    });
    RolloutReport {
        revision: head.revision.to_string(),
        previous: head.previous.map(|digest| digest.to_string()),
        number: head.number,
        published: head.at,
        commit: head.publisher.commit.clone(),
        actor: head.publisher.actor.clone(),
        state,
        since,
        cause: cause.as_ref().map(|cause| cause.english().to_owned()).unwrap_or_default(),
        shown_cause: cause.map(|cause| cause.as_str().to_owned()).unwrap_or_default(),
        waves: waves.collect(),
    }
}

/// Returns the words of the cause of a halt.
pub(in crate::cli) fn halt_cause(cause: &HaltCause) -> Text {
    match cause {
        HaltCause::Failures { wave, failed, of } => tr!(
            "{failed} of {of} portals of the wave {wave} failed on the revision, more than `stop` allows",
            failed,
            of,
            wave
        ),
        HaltCause::People { wave, people, portals, first_people, first_portals } => tr!(
            "the wave {wave} resets {people} on {portals}, over twice as many a portal as the first: {first_people} on {first_portals}",
            wave,
            people = tr!("{n} person" | "{n} people" % *people),
            portals = tr!("{n} portal" | "{n} portals" % *portals),
            first_people,
            first_portals
        ),
        HaltCause::TooManyPeople { people, limit } => tr!(
            "{people} people had cards reset on the revision; guard maxPeople of the fleet, limit {limit}",
            people,
            limit
        ),
        HaltCause::Command { by, reason } => {
            let by = if by.is_empty() { "?" } else { by };
            tr!("{reason} (halted by {by})", reason, by)
        }
    }
}
