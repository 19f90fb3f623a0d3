use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::manifest::StopRule;
use crate::model::{Digest, PortalId};
use crate::ports::{
    CommandPause, FleetHead, ParkReason, Parked, PublishedPortal, Publisher, QueueState,
    RevisionRounds, Rollout, RolloutWave,
};

fn revision() -> Digest {
    Digest::hash(b"new")
}

/// Fleet with so many portals in each wave. The first wave is open.
pub(super) fn fleet(portals: &[usize], settle: Duration, stop: StopRule) -> FleetView {
    let now: Timestamp = "2026-11-01T09:00:00Z".parse().unwrap();
    let waves = portals.iter().enumerate().map(|(index, _)| RolloutWave {
        name: format!("wave {index}").into(),
        settle,
        opened: None,
    });
    let (waves, state) = (waves.collect(), RolloutState::Running);
    let rollout = Rollout { step: 0, waves, stop, max_people: None, state };
    let head = FleetHead {
        revision: revision(),
        previous: Some(Digest::hash(b"old")),
        withdrawn: None,
        behind: BTreeMap::new(),
        number: 2,
        publisher: Publisher::default(),
        at: now,
        portals: portals.iter().sum::<usize>() as u32,
        rollout,
    };
    let portal = |wave: usize, index: usize| PortalState {
        published: PublishedPortal {
            portal: PortalId::new(&format!("p{wave}-{index}.bitrix24.com")).unwrap(),
            wave,
            labels: BTreeMap::new(),
            every: Duration::from_secs(900),
            pause: None,
        },
        revision: head.previous,
        failed_before: false,
        pause: None,
        is_moved: false,
        queue: QueueState::default(),
    };
    let all = portals.iter().enumerate();
    let portals = all.flat_map(|(wave, number)| (0..*number).map(move |index| portal(wave, index)));
    let mut view = FleetView { now, portals: portals.collect(), head };
    make(&mut view, &RolloutChange::Open(0));
    view
}

/// Makes a change, as every state of fleets does.
pub(super) fn make(view: &mut FleetView, change: &RolloutChange) {
    if let RolloutChange::Open(wave) = change {
        for portal in view.portals.iter_mut().filter(|portal| portal.published.wave == *wave) {
            portal.revision = Some(view.head.revision);
            portal.failed_before = portal.queue.failures > 0 || portal.queue.parked.is_some();
        }
    }
    view.head.rollout.change(change, view.now);
}

pub(super) fn pass(view: &mut FleetView, seconds: u64) {
    view.now += Duration::from_secs(seconds);
}

/// Notes a round of a portal on the revision that it is on. One without a class did not reach it.
pub(super) fn round(
    view: &mut FleetView,
    index: usize,
    class: impl Into<Option<RoundClass>>,
    people: u32,
) {
    let (now, class) = (view.now, class.into());
    let Some(portal) = view.portals.get_mut(index) else { return };
    let Some(revision) = portal.revision else { return };
    portal.queue.failures = match class {
        Some(RoundClass::Succeeded) => 0,
        Some(RoundClass::Failed) | None => portal.queue.failures + 1,
    };
    let Some(class) = class else { return };
    let before = portal.queue.rounds.as_ref();
    portal.queue.rounds = Some(RevisionRounds::with_round(before, revision, class, people, now));
}

pub(super) fn rounds(view: &mut FleetView, wave: usize, people: u32) {
    for index in 0..view.portals.len() {
        if view.portals[index].published.wave == wave {
            round(view, index, RoundClass::Succeeded, people);
        }
    }
}

fn park(view: &mut FleetView, index: usize) {
    let parked = Parked { at: view.now, reason: ParkReason::Deaths(3) };
    view.portals[index].queue.parked = Some(parked);
}

fn pause(view: &mut FleetView, index: usize, until: Option<Timestamp>) {
    let (by, reason) = (String::new(), String::new());
    view.portals[index].pause = Some(CommandPause { until, at: view.now, by, reason });
}

pub(super) const SETTLE: Duration = Duration::from_secs(600);
const TOLERANT: StopRule = StopRule { failed: Some(1), failed_percent: None };

#[test]
fn wave_opens_once_the_one_before_has_settled_and_each_portal_had_a_round() {
    let mut view = fleet(&[2, 2], SETTLE, StopRule::STRICT);
    rounds(&mut view, 0, 3);
    assert_eq!(next_change(&view), None, "it has not settled");
    pass(&mut view, 599);
    assert_eq!(next_change(&view), None);
    pass(&mut view, 1);
    assert_eq!(next_change(&view), Some(RolloutChange::Open(1)));
    make(&mut view, &RolloutChange::Open(1));
    pass(&mut view, 600);
    round(&mut view, 2, RoundClass::Succeeded, 1);
    assert_eq!(next_change(&view), None, "a portal had no round");
    round(&mut view, 3, RoundClass::Succeeded, 1);
    assert_eq!(next_change(&view), Some(RolloutChange::Complete));
    make(&mut view, &RolloutChange::Complete);
    round(&mut view, 3, RoundClass::Failed, 0);
    assert_eq!(next_change(&view), None, "a rollout that is complete changes no more");
}

#[test]
fn wave_with_a_portal_that_had_no_round_waits_four_hours_beyond_its_time_to_settle() {
    let mut view = fleet(&[2, 1], SETTLE, StopRule::STRICT);
    round(&mut view, 0, RoundClass::Succeeded, 1);
    pass(&mut view, 600 + 4 * 3600 - 1);
    assert_eq!(next_change(&view), None);
    pass(&mut view, 1);
    assert_eq!(next_change(&view), Some(RolloutChange::Open(1)));
    // A clock that is set back opens nothing.
    view.now = view.head.at - Duration::from_secs(1);
    assert_eq!(next_change(&view), None);
}

#[test]
fn rollout_does_not_count_a_round_on_the_previous_revision() {
    let mut view = fleet(&[1, 1], Duration::ZERO, StopRule::STRICT);
    view.portals[0].revision = view.head.previous;
    round(&mut view, 0, RoundClass::Failed, 9);
    assert_eq!(next_change(&view), None, "it neither fails the wave nor ends it");
}

#[test]
fn rollout_halts_once_a_wave_has_more_new_failures_than_the_stop_rule_allows() {
    let mut view = fleet(&[3, 3], SETTLE, TOLERANT);
    round(&mut view, 0, RoundClass::Failed, 0);
    assert_eq!(next_change(&view), None);
    round(&mut view, 1, RoundClass::Failed, 0);
    let cause = HaltCause::Failures { wave: "wave 0".into(), failed: 2, of: 3 };
    assert_eq!(next_change(&view), Some(RolloutChange::Halt(cause.clone())));
    make(&mut view, &RolloutChange::Halt(cause));
    rounds(&mut view, 0, 0);
    pass(&mut view, 100_000);
    assert_eq!(next_change(&view), None, "a halted rollout stays halted");
    // A share is one of the portals that count.
    let percent = StopRule { failed: None, failed_percent: Some(50) };
    let mut view = fleet(&[4, 3], SETTLE, percent);
    for index in 0..2 {
        round(&mut view, index, RoundClass::Failed, 0);
    }
    assert_eq!(next_change(&view), None);
    pause(&mut view, 3, None);
    assert!(matches!(next_change(&view), Some(RolloutChange::Halt(_))));
    // A wave that is over goes on to be watched.
    let mut view = fleet(&[1, 1], Duration::ZERO, StopRule::STRICT);
    rounds(&mut view, 0, 0);
    make(&mut view, &RolloutChange::Open(1));
    round(&mut view, 0, RoundClass::Failed, 0);
    assert!(matches!(next_change(&view), Some(RolloutChange::Halt(_))));
}

#[test]
fn portal_that_failed_before_is_paused_parked_or_moved_neither_counts_nor_blocks() {
    for case in 0..5 {
        let mut view = fleet(&[1, 2, 1], Duration::ZERO, StopRule::STRICT);
        rounds(&mut view, 0, 1);
        match case {
            0 => round(&mut view, 1, RoundClass::Failed, 0),
            1 => park(&mut view, 1),
            2 => pause(&mut view, 1, None),
            3 => view.portals[1].is_moved = true,
            _ => {}
        }
        assert_eq!(next_change(&view), Some(RolloutChange::Open(1)));
        make(&mut view, &RolloutChange::Open(1));
        assert_eq!(next_change(&view), None, "the other portal had no round");
        round(&mut view, 2, RoundClass::Succeeded, 1);
        let expected = (case < 4).then_some(RolloutChange::Open(2));
        assert_eq!(next_change(&view), expected, "case {case}");
        // It goes on failing.
        round(&mut view, 1, RoundClass::Failed, 0);
        let is_halted = matches!(next_change(&view), Some(RolloutChange::Halt(_)));
        assert_eq!(is_halted, case == 4, "case {case}: {:?}", next_change(&view));
    }
    // A pause holds to its end.
    let mut view = fleet(&[1, 1], Duration::ZERO, StopRule::STRICT);
    let until = view.now + Duration::from_secs(60);
    pause(&mut view, 0, Some(until));
    assert_eq!(next_change(&view), Some(RolloutChange::Open(1)));
    pass(&mut view, 60);
    assert_eq!(next_change(&view), None);
}

#[test]
fn portal_that_is_parked_on_the_new_revision_is_a_failure() {
    let mut view = fleet(&[1, 1], Duration::ZERO, StopRule::STRICT);
    park(&mut view, 0);
    let cause = HaltCause::Failures { wave: "wave 0".into(), failed: 1, of: 1 };
    assert_eq!(next_change(&view), Some(RolloutChange::Halt(cause)));
    let mut view = fleet(&[2, 1], Duration::ZERO, TOLERANT);
    park(&mut view, 0);
    round(&mut view, 1, RoundClass::Succeeded, 0);
    assert_eq!(next_change(&view), Some(RolloutChange::Open(1)), "it blocks no wave");
}

#[test]
fn rollout_halts_once_a_wave_resets_over_twice_as_many_people_a_portal_as_the_first() {
    for (first, second, halts) in
        [(3, 6, false), (3, 7, true), (0, 1, false), (0, 2, true), (1, 2, false), (40, 81, true)]
    {
        let mut view = fleet(&[2, 3, 1], Duration::ZERO, StopRule::STRICT);
        rounds(&mut view, 0, first);
        make(&mut view, &RolloutChange::Open(1));
        rounds(&mut view, 1, second);
        let cause = HaltCause::People {
            wave: "wave 1".into(),
            people: 3 * second,
            portals: 3,
            first_people: 2 * first,
            first_portals: 2,
        };
        let expected = match halts {
            true => RolloutChange::Halt(cause),
            false => RolloutChange::Open(2),
        };
        assert_eq!(next_change(&view), Some(expected), "{first} {second}");
    }
    // The largest round counts: later ones correct drift, however often.
    let mut view = fleet(&[1, 1, 1], Duration::ZERO, StopRule::STRICT);
    rounds(&mut view, 0, 1);
    make(&mut view, &RolloutChange::Open(1));
    for people in [0, 2, 1, 2] {
        rounds(&mut view, 1, people);
    }
    assert_eq!(next_change(&view), Some(RolloutChange::Open(2)));
    for people in [3, 0] {
        rounds(&mut view, 1, people);
    }
    assert!(matches!(next_change(&view), Some(RolloutChange::Halt(HaltCause::People { .. }))));
    // A wave that nothing is known of is no measure.
    let mut view = fleet(&[1, 1, 1], Duration::ZERO, StopRule::STRICT);
    pass(&mut view, 4 * 3600);
    make(&mut view, &RolloutChange::Open(1));
    rounds(&mut view, 1, 30);
    assert_eq!(next_change(&view), Some(RolloutChange::Open(2)));
}

#[test]
fn wave_without_a_portal_that_counts_is_over_after_its_time_to_settle() {
    let mut view = fleet(&[1, 0, 1], SETTLE, StopRule::STRICT);
    pause(&mut view, 0, None);
    for wave in [1, 2] {
        assert_eq!(next_change(&view), None);
        pass(&mut view, 600);
        assert_eq!(next_change(&view), Some(RolloutChange::Open(wave)));
        make(&mut view, &RolloutChange::Open(wave));
    }
}

/// Event of a random history.
#[derive(Clone, Debug)]
enum Happening {
    Pass(u64),
    Round(usize, Option<RoundClass>, u32),
    Pause(usize, Option<u64>),
    Unpause(usize),
    Park(usize),
    Retry(usize),
    HaltByCommand,
}

fn happenings() -> impl Strategy<Value = Happening> {
    let portal = 0_usize..8;
    let class = prop_oneof![5 => Just(RoundClass::Succeeded), 1 => Just(RoundClass::Failed)];
    prop_oneof![
        6 => (0_u64..20_000).prop_map(Happening::Pass),
        12 => (portal.clone(), prop::option::weighted(0.85, class), 0_u32..4)
            .prop_map(|(portal, class, people)| Happening::Round(portal, class, people)),
        1 => (portal.clone(), prop::option::of(0_u64..9_000))
            .prop_map(|(portal, time)| Happening::Pause(portal, time)),
        1 => portal.clone().prop_map(Happening::Unpause),
        1 => portal.clone().prop_map(Happening::Park),
        1 => portal.prop_map(Happening::Retry),
        1 => Just(Happening::HaltByCommand),
    ]
}

fn happen(view: &mut FleetView, happening: &Happening) {
    let number = view.portals.len().max(1);
    match happening {
        Happening::Pass(seconds) => pass(view, *seconds),
        Happening::Round(portal, class, people) => round(view, portal % number, *class, *people),
        Happening::Pause(portal, time) => {
            let until = time.map(|time| view.now + Duration::from_secs(time));
            pause(view, portal % number, until);
        }
        Happening::Unpause(portal) => view.portals[portal % number].pause = None,
        Happening::Park(portal) => park(view, portal % number),
        Happening::Retry(portal) => view.portals[portal % number].queue.parked = None,
        Happening::HaltByCommand => {
            if view.head.rollout.state == RolloutState::Running {
                let (by, reason) = ("anna".to_owned(), "test".to_owned());
                make(view, &RolloutChange::Halt(HaltCause::Command { by, reason }));
            }
        }
    }
}

/// Portals of a wave that count, derived anew.
fn counting(view: &FleetView, wave: usize) -> Vec<&PortalState> {
    let counts = |portal: &&PortalState| {
        portal.published.wave == wave
            && !portal.failed_before
            && portal
                .pause
                .as_ref()
                .is_none_or(|pause| pause.until.is_some_and(|until| until <= view.now))
    };
    view.portals.iter().filter(counts).collect()
}

fn had_round(portal: &PortalState, view: &FleetView) -> bool {
    portal.queue.rounds.as_ref().is_some_and(|rounds| rounds.revision == view.head.revision)
}

fn new_failures(view: &FleetView, wave: usize) -> usize {
    let failed = |portal: &&&PortalState| {
        portal.queue.parked.is_some()
            || (had_round(portal, view)
                && portal.queue.rounds.as_ref().unwrap().class == RoundClass::Failed)
    };
    counting(view, wave).iter().filter(failed).count()
}

/// Checks a change against the laws, at the moment of its making.
fn check(view: &FleetView, change: &RolloutChange, settle: Duration) {
    let rollout = &view.head.rollout;
    assert_eq!(rollout.state, RolloutState::Running, "only a running rollout changes");
    let open = rollout.open_waves();
    let opened: Vec<bool> = rollout.waves.iter().map(|wave| wave.opened.is_some()).collect();
    assert!(opened.iter().skip(open).all(|is_open| !is_open), "{opened:?}");
    let is_worse =
        |wave: usize| rollout.stop.stops(new_failures(view, wave), counting(view, wave).len());
    match change {
        RolloutChange::Open(wave) => assert_eq!(*wave, open, "in their order, one after another"),
        RolloutChange::Complete => assert_eq!(open, rollout.waves.len()),
        RolloutChange::Halt(HaltCause::Failures { .. }) => {
            assert!((0..open).any(is_worse));
            return;
        }
        RolloutChange::Halt(_) => return,
    }
    assert!(!(0..open).any(is_worse), "a wave that is worse than the stop rule opens none");
    let last = rollout.waves[open - 1].opened.unwrap();
    let age = Duration::try_from(view.now.duration_since(last)).unwrap();
    assert!(age >= settle, "{age:?}");
    let is_settled =
        |portal: &&PortalState| had_round(portal, view) || portal.queue.parked.is_some();
    let all = counting(view, open - 1).iter().all(is_settled);
    assert!(all || age >= settle + STRAGGLERS, "{age:?}");
}

proptest! {
    #[test]
    fn rollout_of_any_history_opens_no_wave_too_early_and_none_once_it_is_halted(
        portals in prop::collection::vec(0_usize..4, 1..5),
        settle in prop::sample::select(vec![0, 600, 7_200]),
        (failed, percent) in (prop::option::of(0_u32..3), prop::option::of(0_u32..101)),
        happenings in prop::collection::vec(happenings(), 0..80),
    ) {
        prop_assume!(portals.iter().sum::<usize>() > 0);
        let stop = match (failed, percent) {
            (None, None) => StopRule::STRICT,
            (failed, failed_percent) => StopRule { failed, failed_percent },
        };
        let settle = Duration::from_secs(settle);
        let mut view = fleet(&portals, settle, stop);
        for happening in &happenings {
            happen(&mut view, happening);
            let mut changes = 0;
            while let Some(change) = next_change(&view) {
                check(&view, &change, settle);
                // What does not count changes nothing.
                let mut other = view.clone();
                for portal in &mut other.portals {
                    if portal.failed_before && !had_round(portal, &view) {
                        portal.queue.parked = None;
                        portal.queue.failures = 0;
                    }
                }
                prop_assert_eq!(next_change(&other), Some(change.clone()));
                make(&mut view, &change);
                changes += 1;
                prop_assert!(changes <= portals.len() + 1, "a change is made once");
            }
        }
    }

    #[test]
    fn rollout_without_failures_comes_to_its_end(
        portals in prop::collection::vec(1_usize..4, 1..5),
        silent in prop::collection::vec(any::<bool>(), 12),
    ) {
        let mut view = fleet(&portals, SETTLE, StopRule::STRICT);
        for _ in 0..portals.len() {
            for index in 0..view.portals.len() {
                let is_first = index == 0
                    || view.portals[index - 1].published.wave != view.portals[index].published.wave;
                if is_first || !silent[index % silent.len()] {
                    round(&mut view, index, RoundClass::Succeeded, 1);
                }
            }
            pass(&mut view, 600 + 4 * 3600);
            let change = next_change(&view).unwrap();
            make(&mut view, &change);
        }
        let is_complete = matches!(view.head.rollout.state, RolloutState::Complete { .. });
        prop_assert!(is_complete, "{:?}", view.head.rollout);
    }
}
