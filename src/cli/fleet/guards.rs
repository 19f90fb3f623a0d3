//! Guards of a fleet over all its portals.

use std::collections::BTreeSet;

use crate::manifest::FleetGuards;
use crate::records::fleet::{FleetViolation, PortalOutcome, PortalRow};

/// A fleet that lost more than one of so many of its portals is refused.
const FIFTH: usize = 5;

/// Measures the rows of a run against the limits of the fleet. A number at most as large as its
/// acknowledgement is meant.
pub(in crate::cli) fn violations(guards: &FleetGuards, rows: &[PortalRow]) -> Vec<FleetViolation> {
    let resets =
        || rows.iter().filter(|row| row.outcome == PortalOutcome::Changes && row.counts.reset > 0);
    let people = resets().map(|row| row.counts.people).fold(0, u32::saturating_add);
    let people = above("maxPeople", people, guards.max_people, guards.acknowledged_people);
    too_many_portals(guards, resets().count()).into_iter().chain(people).collect()
}

/// Measures the number of portals that a run or a revision changes.
pub(in crate::cli) fn too_many_portals(
    guards: &FleetGuards,
    portals: usize,
) -> Option<FleetViolation> {
    above("maxPortals", count(portals), guards.max_portals, guards.acknowledged_portals)
}

fn above(guard: &str, number: u32, limit: u32, meant: Option<u32>) -> Option<FleetViolation> {
    let is_above = number > limit && meant.is_none_or(|meant| number > meant);
    is_above.then(|| FleetViolation { guard: guard.to_owned(), number, limit, acknowledge: number })
}

/// Measures the portals of a fleet against those that it had. The acknowledgement names the exact
/// number of portals of the fleet, so that an old one never covers another loss.
pub(in crate::cli) fn lost_portals(
    guards: &FleetGuards,
    before: &BTreeSet<String>,
    now: &BTreeSet<String>,
) -> Option<FleetViolation> {
    let (lost, acknowledge) = (before.difference(now).count(), count(now.len()));
    let is_meant = guards.acknowledged_fleet == Some(acknowledge);
    (lost * FIFTH > before.len() && !is_meant).then(|| FleetViolation {
        guard: "lostPortals".to_owned(),
        number: count(lost),
        limit: count(before.len() / FIFTH),
        acknowledge,
    })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(numbers: std::ops::Range<u32>) -> BTreeSet<String> {
        numbers.map(|number| format!("p{number}.bitrix24.com")).collect()
    }

    #[test]
    fn fleet_that_lost_more_than_a_fifth_is_refused_until_its_new_number_is_acknowledged() {
        let guards = |fleet| FleetGuards { acknowledged_fleet: fleet, ..FleetGuards::default() };
        for (before, now, lost) in [
            (0..10, 0..10, None),
            (0..10, 0..8, None),
            (0..10, 0..7, Some((3, 2))),
            (0..10, 7..40, Some((7, 2))),
            (0..0, 0..3, None),
            (0..4, 0..4, None),
            (0..4, 0..3, Some((1, 0))),
            (0..4, 0..0, Some((4, 0))),
        ] {
            let (before, now) = (names(before), names(now));
            let found = lost_portals(&guards(None), &before, &now);
            let numbers = found.as_ref().map(|found| (found.number, found.limit));
            assert_eq!(numbers, lost, "{before:?} {now:?}");
            let Some(found) = found else { continue };
            // Exactly that number, and neither the one before nor a larger one.
            let of_now = found.acknowledge;
            assert_eq!(lost_portals(&guards(Some(of_now)), &before, &now), None);
            for other in [of_now + 1, of_now.saturating_sub(1), u32::MAX] {
                let is_refused = lost_portals(&guards(Some(other)), &before, &now).is_some();
                assert_eq!(is_refused, other != of_now, "{other}");
            }
        }
    }
}
