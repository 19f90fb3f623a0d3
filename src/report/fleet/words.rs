//! Words of a fleet report for people.

use crate::i18n::Text;
use crate::records::fleet::{FleetReport, FleetViolation, PortalOutcome};

/// Returns an outcome in words.
pub(super) fn outcome(outcome: PortalOutcome) -> Text {
    match outcome {
        PortalOutcome::Failed => tr!("failed"),
        PortalOutcome::Partial => tr!("in part"),
        PortalOutcome::Unknown => tr!("not known"),
        PortalOutcome::Blocked => tr!("blocked by a guard"),
        PortalOutcome::Stale => tr!("plan out of date"),
        PortalOutcome::Locked => tr!("locked"),
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
    let sums = &report.sums;
    match report.command.as_str() {
        "apply" => tr!(
            "{reset} cards of {people} people reset, {keep} left as they are, {hold} not reset",
            reset = sums.reset,
            people = sums.people,
            keep = sums.keep,
            hold = sums.hold
        ),
        _ => tr!(
            "{reset} cards of {people} people to reset, {keep} as they should be, {hold} held",
            reset = sums.reset,
            people = sums.people,
            keep = sums.keep,
            hold = sums.hold
        ),
    }
}

/// Returns the totals of a report, the worst first.
pub(super) fn totals(report: &FleetReport) -> String {
    let totals = PortalOutcome::ALL.iter().filter_map(|one| Some((one, report.totals.get(one)?)));
    let words = totals.map(|(one, number)| format!("{number} {}", outcome(*one)));
    words.collect::<Vec<_>>().join(", ")
}

/// Returns a violation in words.
pub(super) fn violation(violation: &FleetViolation) -> Text {
    let FleetViolation { guard, number, limit, acknowledge: _ } = violation;
    match guard.as_str() {
        "maxPortals" => {
            tr!("blocked by guard maxPortals: {number} portals, limit {limit}", number, limit)
        }
        "lostPortals" => tr!(
            "blocked by guard lostPortals: {number} portals are gone from the fleet, limit {limit}",
            number,
            limit
        ),
        _ => tr!("blocked by guard maxPeople: {number} people, limit {limit}", number, limit),
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
