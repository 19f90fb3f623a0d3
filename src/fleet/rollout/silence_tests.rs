use super::tests::{SETTLE, fleet, pass, round};
use super::*;
use crate::manifest::StopRule;

#[test]
fn wave_of_which_no_portal_had_a_round_opens_no_next_one() {
    let mut view = fleet(&[2, 1], SETTLE, StopRule::STRICT);
    round(&mut view, 0, None, 0);
    // No worker was there for a weekend.
    pass(&mut view, 3 * 24 * 3600);
    assert_eq!(next_change(&view), None);
    round(&mut view, 0, RoundClass::Succeeded, 1);
    assert_eq!(next_change(&view), Some(RolloutChange::Open(1)));
}

#[test]
fn portal_that_is_offline_halts_no_rollout_and_is_waited_for() {
    let mut view = fleet(&[2, 1, 1], SETTLE, StopRule::STRICT);
    round(&mut view, 0, RoundClass::Succeeded, 1);
    round(&mut view, 1, None, 0);
    pass(&mut view, 600 + 4 * 3600 - 1);
    let wave = progress(&view).remove(0);
    assert_eq!((wave.counted, wave.done, wave.failed, wave.rounds), (2, 1, 0, 1));
    assert_eq!(next_change(&view), None, "it neither fails the wave nor ends it");
    pass(&mut view, 1);
    assert_eq!(next_change(&view), Some(RolloutChange::Open(1)), "it is waited for no longer");
    round(&mut view, 1, RoundClass::Failed, 0);
    round(&mut view, 1, None, 0);
    assert!(matches!(next_change(&view), Some(RolloutChange::Halt(_))));
}
