use super::tests::{SETTLE, fleet, make, pass, rounds};
use super::*;
use crate::manifest::StopRule;

#[test]
fn rollout_that_reset_more_people_than_the_fleet_allows_opens_no_further_wave() {
    for (limit, halts) in [(None, false), (Some(12), false), (Some(11), true), (Some(0), true)] {
        let mut view = fleet(&[2, 2, 2], SETTLE, StopRule::STRICT);
        view.head.rollout.max_people = limit;
        // Six people in each wave, of which the first is within all but the last limit.
        rounds(&mut view, 0, 3);
        pass(&mut view, 600);
        if limit != Some(0) {
            assert_eq!(next_change(&view), Some(RolloutChange::Open(1)), "{limit:?}");
            make(&mut view, &RolloutChange::Open(1));
            rounds(&mut view, 1, 3);
            pass(&mut view, 600);
        }
        let people = if limit == Some(0) { 6 } else { 12 };
        let wanted = match limit.filter(|_| halts) {
            Some(limit) => RolloutChange::Halt(HaltCause::TooManyPeople { people, limit }),
            None => RolloutChange::Open(2),
        };
        assert_eq!(next_change(&view), Some(wanted), "{limit:?}");
    }
}
