//! Rows of a fleet report, from what became of each portal.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;

use crate::app::PortalRound;
use crate::cli::error::CliError;
use crate::cli::exit;
use crate::i18n::Text;
use crate::manifest::{Fleet, FleetPortal, Pause};
use crate::model::PortalId;
use crate::plan::{Decision, Plan};
use crate::ports::CommandPause;
use crate::records::fleet::{FleetCounts, PortalOutcome, PortalRow};

/// Pauses by command.
pub(in crate::cli) type Pauses = BTreeMap<PortalId, CommandPause>;

/// Placeholder of the portal's own name in causes, so that equal causes are equal.
const PORTAL: &str = "(portal)";

/// Returns a row without a cause.
pub(in crate::cli) fn row(
    fleet: &Fleet,
    portal: &FleetPortal,
    outcome: PortalOutcome,
) -> PortalRow {
    PortalRow {
        portal: portal.name().to_owned(),
        wave: fleet.waves.get(portal.wave).map(|wave| wave.name.to_string()).unwrap_or_default(),
        labels: portal.labels.clone(),
        outcome,
        counts: FleetCounts::default(),
        cause: String::new(),
        shown_cause: String::new(),
        detail: String::new(),
        run: None,
        milliseconds: 0,
        revision: None,
        overdue_seconds: None,
        worker: None,
        last: None,
        new: false,
    }
}

/// Returns the row of a portal that no request is sent to, and why: it is paused, or its own files
/// have a problem.
pub(in crate::cli) fn row_without_round(
    fleet: &Fleet,
    portal: &FleetPortal,
    pauses: &Pauses,
    now: Timestamp,
) -> Option<PortalRow> {
    if let Some(pause) = portal.portal.as_ref().and_then(|name| pauses.get(name))
        && pause.holds(now)
    {
        let mut row = row(fleet, portal, PortalOutcome::Paused);
        set_cause(&mut row, &command_pause(pause));
        return Some(row);
    }
    if let Some(pause) = portal.pause.as_ref().filter(|_| is_paused(portal, now)) {
        let mut row = row(fleet, portal, PortalOutcome::Paused);
        set_cause(&mut row, &declared_pause(pause));
        return Some(row);
    }
    broken(fleet, portal)
}

/// Returns the row of a portal whose own files have a problem.
pub(in crate::cli) fn broken(fleet: &Fleet, portal: &FleetPortal) -> Option<PortalRow> {
    if portal.declaration.is_some() {
        return None;
    }
    let mut row = row(fleet, portal, PortalOutcome::Failed);
    let cause = tr!("its manifests have problems; `recard fleet validate` shows them");
    set_cause(&mut row, &cause);
    let problems = portal.problems.iter().map(ToString::to_string);
    row.detail = problems.collect::<Vec<_>>().join("\n");
    Some(row)
}

/// Returns `true` if the pause of a portal holds.
pub(in crate::cli) fn is_paused(portal: &FleetPortal, now: Timestamp) -> bool {
    let today = now.strftime("%Y-%m-%d").to_string();
    let until = portal.pause.as_ref().map(|pause| pause.until);
    until.is_some_and(|until| until.is_none_or(|until| today < until.to_string()))
}

/// Returns the words of a pause in the fleet: why, and until when. Its history is that of the file.
fn declared_pause(pause: &Pause) -> Text {
    let reason = &pause.reason;
    match pause.until {
        Some(until) => tr!("{reason} (paused in the fleet manifest, until {until})", reason, until),
        None => tr!("{reason} (paused in the fleet manifest)", reason),
    }
}

/// Returns the words for cards that are held, with the reason of the first one.
pub(in crate::cli) fn held_cause(plan: &Plan) -> Option<Text> {
    let held = plan.targets.iter().find(|target| matches!(target.decision, Decision::Hold(_)))?;
    Some(tr!("cards are held: {reason}", reason = Text::from_display(&held.decision)))
}

/// Turns cards that were to be reset into ones that were not: the portal had no run.
pub(in crate::cli) fn without_reset(row: &mut PortalRow) {
    let FleetCounts { people: _, reset, keep, hold } = row.counts;
    row.counts = FleetCounts { people: 0, reset: 0, keep, hold: hold + reset };
}

/// Returns the words of a pause by command: why, by whom, when, and until when.
pub(in crate::cli) fn command_pause(pause: &CommandPause) -> Text {
    let CommandPause { until, at, by, reason } = pause;
    let shown = |time: &Timestamp| time.strftime("%Y-%m-%d %H:%M UTC").to_string();
    let by = if by.is_empty() { "?" } else { by };
    match until {
        Some(until) => tr!(
            "{reason} (paused by {by} at {at}, until {until})",
            reason,
            by,
            at = shown(at),
            until = shown(until)
        ),
        None => tr!("{reason} (paused by {by} at {at})", reason, by, at = shown(at)),
    }
}

/// Sets the cause of a row. The portal's own name is left out of it.
pub(in crate::cli) fn set_cause(row: &mut PortalRow, cause: &Text) {
    // Files are named by the portal with another sign for its colon.
    let file = row.portal.replace(':', "_");
    let without_name = |text: &str| text.replace(&row.portal, PORTAL).replace(&file, PORTAL);
    let (english, shown) = (without_name(cause.english()), without_name(cause.as_str()));
    row.detail = cause.english().to_owned();
    row.shown_cause = if shown == english { String::new() } else { shown };
    row.cause = english;
}

/// Returns a row that tells a failure.
pub(in crate::cli) fn failed(mut row: PortalRow, failure: &CliError) -> PortalRow {
    row.outcome = match failure.code {
        _ if failure.is_unreachable => PortalOutcome::Unreachable,
        exit::LOCKED => PortalOutcome::Locked,
        exit::REFUSED => PortalOutcome::Blocked,
        exit::PLAN_FILE => PortalOutcome::Stale,
        exit::PARTIAL => PortalOutcome::Partial,
        _ => PortalOutcome::Failed,
    };
    set_cause(&mut row, &Text::join(&failure.chain, ": "));
    row
}

/// Returns the row of a round: that of its end, or one that tells why it had none.
pub(in crate::cli) fn ended<T>(
    end: PortalRound<Result<T, CliError>>,
    planned: PortalRow,
    into_row: impl FnOnce(T, PortalRow) -> PortalRow,
) -> PortalRow {
    let with_cause = |cause: &Text| {
        let mut row = PortalRow { outcome: PortalOutcome::Failed, ..planned.clone() };
        set_cause(&mut row, cause);
        row
    };
    match end {
        PortalRound::Ended(Ok(value)) => into_row(value, planned),
        PortalRound::Ended(Err(failure)) => failed(planned, &failure),
        PortalRound::Late => with_cause(&tr!("no end within --portal-deadline")),
        PortalRound::Panicked(text) => {
            with_cause(&tr!("internal error: {text}; please report it", text))
        }
    }
}

/// Returns the milliseconds since a time.
pub(in crate::cli) fn milliseconds(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_millis()).unwrap_or(u32::MAX)
}
