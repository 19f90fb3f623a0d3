//! Words of a fleet report for people.

use jiff::Timestamp;

use crate::i18n::Text;
use crate::records::fleet::{
    FleetCounts, FleetReport, FleetViolation, PortalOutcome, RolloutPhase, RolloutReport,
    WaveReport, WorkerReport,
};

/// Returns an outcome in words.
pub(super) fn outcome(outcome: PortalOutcome) -> Text {
    match outcome {
        PortalOutcome::Failed => tr!("failed"),
        PortalOutcome::Partial => tr!("in part"),
        PortalOutcome::Unknown => tr!("not known"),
        PortalOutcome::Blocked => tr!("blocked by a guard"),
        PortalOutcome::Stale => tr!("plan out of date"),
        PortalOutcome::Locked => tr!("locked"),
        PortalOutcome::Parked => tr!("parked"),
        PortalOutcome::Unreachable => tr!("unreachable"),
        PortalOutcome::Changes => tr!("with changes"),
        PortalOutcome::Drifted => tr!("drifted"),
        PortalOutcome::Applied => tr!("applied"),
        PortalOutcome::AppliedBefore => tr!("applied before"),
        PortalOutcome::Unchanged => tr!("without changes"),
        PortalOutcome::Paused => tr!("paused"),
        PortalOutcome::PassedOver => tr!("only looked at"),
        PortalOutcome::NotReached => tr!("not reached"),
        PortalOutcome::NeverSeen => tr!("never seen"),
    }
}

/// Returns the headline of a report.
pub(super) fn headline(report: &FleetReport) -> Text {
    tr!(
        "Fleet {fleet}: {n} portal" | "Fleet {fleet}: {n} portals" % report.portals.len(),
        fleet = report.fleet.as_str()
    )
}

/// Returns the sums of a report.
pub(super) fn sums(report: &FleetReport) -> Text {
    let FleetCounts { people, reset, keep, hold } = report.sums;
    let cards = cards_of(reset, people);
    match report.command.as_str() {
        "apply" => {
            tr!("{cards} reset, {keep} left as they are, {hold} not reset", cards, keep, hold)
        }
        "plan" | "drift" => {
            tr!("{cards} to reset, {keep} as they should be, {hold} held", cards, keep, hold)
        }
        // What a run did not reset is among them.
        _ => tr!(
            "{cards} to reset, {keep} as they should be, {hold} held or not reset",
            cards,
            keep,
            hold
        ),
    }
}

/// Returns numbers of cards and people.
pub(super) fn cards_of(cards: u32, people: u32) -> Text {
    let cards = tr!("{n} card" | "{n} cards" % cards);
    let people = tr!("{n} person" | "{n} people" % people);
    tr!("{cards} of {people}", cards, people)
}

/// Returns the totals of a report, the worst first.
pub(super) fn totals(report: &FleetReport) -> String {
    let total = |found| Some((found, report.totals.get(found)?));
    let totals = PortalOutcome::ALL.iter().filter_map(total);
    let words = totals.map(|(found, number)| format!("{number} {}", outcome(*found)));
    words.collect::<Vec<_>>().join(", ")
}

/// Number of waves of a rollout that are listed.
const MAX_WAVES: usize = 6;

/// Number of workers that are named.
const MAX_WORKERS: usize = 5;

/// Time without a sign of life that is told, in seconds. Workers give one every 30 seconds.
const MAX_SILENCE: u32 = 90;

/// Line about a rollout.
pub(super) struct RolloutLine {
    pub(super) text: Text,
    /// `true` if it needs a person.
    pub(super) is_alarm: bool,
}

/// Returns the lines about the rollout and about portals that are overdue.
pub(super) fn rollout(report: &FleetReport) -> Vec<RolloutLine> {
    let mut lines = Vec::new();
    let mut add = |text, is_alarm| lines.push(RolloutLine { text, is_alarm });
    if let Some(rollout) = &report.rollout {
        add(published(rollout), false);
        let at = |time: Option<Timestamp>| time.map(shown).unwrap_or_default();
        let since = at(rollout.since);
        match rollout.state {
            RolloutPhase::Running => add(tr!("Rollout under way"), false),
            RolloutPhase::Complete => add(tr!("Rollout complete since {since}", since), false),
            RolloutPhase::Halted => {
                let cause = &rollout.shown_cause;
                let cause = if cause.is_empty() { &rollout.cause } else { cause };
                add(tr!("Rollout halted at {since}: {cause}", since, cause), true);
            }
        }
        let open = rollout.waves.iter().take_while(|wave| wave.opened.is_some()).count();
        let first = (open + 2).saturating_sub(MAX_WAVES);
        for wave in rollout.waves.iter().skip(first).take(MAX_WAVES) {
            add(wave_line(wave), false);
        }
    }
    let mut work = Vec::new();
    if !report.workers.is_empty() {
        let shown = |worker: &WorkerReport| match worker.silent_seconds {
            _ if worker.version.is_empty() => worker.id.clone(),
            silent if silent > MAX_SILENCE => {
                let seconds = tr!("silent for {silent} s", silent);
                format!("{} ({}, {seconds})", worker.id, worker.version)
            }
            _ => format!("{} ({})", worker.id, worker.version),
        };
        let all: Vec<String> = report.workers.iter().map(shown).collect();
        let listed = names(all.iter().map(String::as_str), MAX_WORKERS);
        let text = tr!("{n} worker: {listed}" | "{n} workers: {listed}" % all.len(), listed);
        work.push(text);
    }
    if let portals @ 1.. = report.under_way() {
        let text = tr!("{n} portal is worked on now" | "{n} portals are worked on now" % portals);
        work.push(text);
    }
    if !work.is_empty() {
        add(Text::join(&work, "; "), false);
    }
    match report.overdue() {
        0 => {}
        overdue => add(tr!("{n} portal is overdue" | "{n} portals are overdue" % overdue), true),
    }
    lines
}

fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn published(rollout: &RolloutReport) -> Text {
    let revision = rollout.revision.rsplit(':').next().unwrap_or_default();
    let revision: String = revision.chars().take(12).collect();
    let by = if rollout.actor.is_empty() { "?" } else { &rollout.actor };
    let at = shown(rollout.published);
    match &rollout.commit {
        Some(commit) => {
            let commit: String = commit.chars().take(12).collect();
            tr!(
                "Revision {revision}, published {at} by {by}, commit {commit}",
                revision,
                at,
                by,
                commit
            )
        }
        None => tr!("Revision {revision}, published {at} by {by}", revision, at, by),
    }
}

fn wave_line(wave: &WaveReport) -> Text {
    let WaveReport { name, opened, portals, counted, done, failed, people } = wave;
    match opened {
        None => {
            tr!(
                "wave {name}: not open, {n} portal"
                    | "wave {name}: not open, {n} portals" % *portals,
                name
            )
        }
        Some(_) => tr!(
            "wave {name}: {done} of {counted} portals done, {failed} failed, {n} person reset"
                | "wave {name}: {done} of {counted} portals done, {failed} failed, {n} people reset"
                    % *people,
            name,
            done,
            counted,
            failed
        ),
    }
}

/// Returns why a run stopped before its end, if it did.
pub(super) fn stopped(report: &FleetReport) -> Option<Text> {
    let wave = report.stopped_in.as_ref()?;
    Some(tr!(
        "Stopped in the wave {wave}: too many of its portals failed, or none was reached",
        wave
    ))
}

/// Returns a violation in words.
pub(super) fn violation(violation: &FleetViolation) -> Text {
    let FleetViolation { guard, number, limit, acknowledge: _ } = violation;
    match guard.as_str() {
        "maxPortals" => {
            tr!(
                "blocked by guard maxPortals: {n} portal, limit {limit}"
                    | "blocked by guard maxPortals: {n} portals, limit {limit}" % *number,
                limit
            )
        }
        "lostPortals" => tr!(
            "blocked by guard lostPortals: {n} portal is gone from the fleet, limit {limit}"
                | "blocked by guard lostPortals: {n} portals are gone from the fleet, limit {limit}"
                    % *number,
            limit
        ),
        _ => tr!(
            "blocked by guard maxPeople: {n} person, limit {limit}"
                | "blocked by guard maxPeople: {n} people, limit {limit}" % *number,
            limit
        ),
    }
}

/// Returns the block of the manifest that acknowledges the numbers of a run.
pub(super) fn acknowledgement(report: &FleetReport) -> String {
    let parts = report.violations.iter().map(|found| {
        let key = match found.guard.as_str() {
            "maxPortals" => "portals",
            "lostPortals" => "fleet",
            _ => "people",
        };
        format!("{key}: {}", found.acknowledge)
    });
    format!("guards: {{ acknowledge: {{ {} }} }}", parts.collect::<Vec<_>>().join(", "))
}

/// Returns the names of portals, up to a number of them.
pub(super) fn names<'a>(portals: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    let more = portals.len().saturating_sub(most);
    let mut names = portals.take(most).collect::<Vec<_>>().join(", ");
    if more > 0 {
        names.push_str(&tr!(", and {more} more", more));
    }
    names
}
