//! Laws of the state of fleets, for every implementation.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use recard::manifest::StopRule;
use recard::model::{Digest, PortalId};
use recard::ports::{
    CommandPause, DeclaredPause, FleetHead, FleetState, FleetView, HaltCause, PortalState,
    Publication, Published, PublishedPortal, Publisher, RolloutChange, RolloutState, RolloutStep,
    RolloutWave, RoundClass,
};

/// State under test, whose rounds and clock the laws move.
pub(crate) trait FleetWorld {
    /// The state.
    type State: FleetState;

    /// Returns the state.
    fn state(&self) -> &Self::State;

    /// Notes the end of a round of a portal, as the work queue does.
    fn round(
        &self,
        portal: &PortalId,
        revision: Digest,
        class: RoundClass,
        people: u32,
    ) -> impl Future<Output = ()>;

    /// Parks a portal, as the work queue does.
    fn park(&self, portal: &PortalId) -> impl Future<Output = ()>;

    /// Marks a portal as moved to another store, as a copy does.
    fn move_away(&self, portal: &PortalId) -> impl Future<Output = ()>;

    /// Lets this time pass by the clock of the state.
    fn pass(&self, time: Duration) -> impl Future<Output = ()>;
}

/// Checks all laws. Each has a fleet and portals of its own.
pub(crate) async fn check(world: &impl FleetWorld) {
    of_several_publications_one_succeeds(world).await;
    publication_opens_the_first_wave_and_later_ones_stay_on_the_revision_before(world).await;
    publication_of_the_same_revision_begins_a_halted_rollout_anew(world).await;
    change_is_made_at_its_step_alone_and_once(world).await;
    opened_wave_notes_the_portals_that_are_failing(world).await;
    portal_of_another_fleet_refuses_the_publication(world).await;
    removed_portal_is_of_no_fleet_and_keeps_its_history(world).await;
    withdrawn_revision_is_left_at_once(world).await;
    rollback_passes_no_wave_and_leaves_no_way_to_what_was_withdrawn(world).await;
    pauses_are_set_replaced_and_ended(world).await;
    retry_frees_parked_portals_alone(world).await;
    portal_that_moved_away_is_waited_for_no_longer(world).await;
}

fn digest(text: &str) -> Digest {
    Digest::hash(text.as_bytes())
}

fn name(law: &str, index: usize) -> PortalId {
    PortalId::new(&format!("{law}-{index}.example")).unwrap()
}

/// Publication of the fleet of a law. Portals 0, 1 and so on are of these waves.
pub(crate) fn publication(
    law: &str,
    text: &str,
    waves: &[usize],
    expected: Option<&str>,
) -> Publication {
    let portal = |(index, wave): (usize, &usize)| PublishedPortal {
        portal: name(law, index),
        wave: *wave,
        labels: BTreeMap::from([("number".to_owned(), index.to_string())]),
        every: Duration::from_millis(900_500),
        pause: None,
    };
    let wave = |index: usize| RolloutWave {
        name: format!("wave {index}").into(),
        settle: Duration::from_secs(600),
        opened: None,
    };
    Publication {
        fleet: format!("Fleet «{law}»"),
        revision: digest(text),
        document: text.as_bytes().to_vec(),
        expected: expected.map(digest),
        publisher: Publisher { commit: Some(format!("commit of {text}")), actor: "ci".to_owned() },
        waves: (0..3).map(wave).collect(),
        stop: StopRule { failed: Some(3), failed_percent: None },
        max_people: Some(250),
        portals: waves.iter().enumerate().map(portal).collect(),
        withdrawn: None,
    }
}

async fn publish(world: &impl FleetWorld, publication: &Publication) -> FleetHead {
    match world.state().publish(publication).await.unwrap() {
        Published::Current(head) => *head,
        other => panic!("{other:?}"),
    }
}

async fn view(world: &impl FleetWorld, law: &str) -> FleetView {
    world.state().view(&format!("Fleet «{law}»")).await.unwrap().unwrap()
}

async fn change(world: &impl FleetWorld, law: &str, change: RolloutChange) {
    let at = view(world, law).await.head.step();
    assert!(world.state().change_rollout(&format!("Fleet «{law}»"), at, &change).await.unwrap());
}

fn revisions(view: &FleetView) -> Vec<Option<Digest>> {
    view.portals.iter().map(|portal| portal.revision).collect()
}

async fn of_several_publications_one_succeeds(world: &impl FleetWorld) {
    let law = "race";
    let mut before: Option<String> = None;
    for round in 0..3 {
        let texts: Vec<String> = (0..8).map(|rival| format!("{law} {round} {rival}")).collect();
        let rivals: Vec<Publication> =
            texts.iter().map(|text| publication(law, text, &[0, 1], before.as_deref())).collect();
        let ends = join_all(rivals.iter().map(|rival| world.state().publish(rival))).await;
        let ends: Vec<Published> = ends.into_iter().map(Result::unwrap).collect();
        let won = |end: &Published| matches!(end, Published::Current(_));
        let winners: Vec<usize> = (0..8).filter(|index| won(&ends[*index])).collect();
        assert_eq!(winners.len(), 1, "{ends:?}");
        let winner = &texts[winners[0]];
        for end in ends.iter().filter(|end| !won(end)) {
            assert_eq!(*end, Published::Overtaken(Some(digest(winner))));
        }
        let found = view(world, law).await;
        assert_eq!(found.head.revision, digest(winner));
        assert_eq!(found.head.number, round + 1);
        assert_eq!(found.head.previous, before.as_deref().map(digest));
        for text in &texts {
            let document = world.state().revision(digest(text)).await.unwrap();
            let expected = (text == winner).then(|| text.as_bytes().to_vec());
            assert_eq!(document, expected, "a revision that was not published is not kept");
        }
        // The answer to the winner may have been lost.
        let again = publication(law, winner, &[0, 1], before.as_deref());
        let end = world.state().publish(&again).await.unwrap();
        assert_eq!(end, Published::Current(Box::new(found.head.clone())));
        assert_eq!(view(world, law).await.head, found.head);
        // What lost once does not win later.
        let late = publication(law, "late", &[0, 1], before.as_deref());
        let end = world.state().publish(&late).await.unwrap();
        assert_eq!(end, Published::Overtaken(Some(digest(winner))));
        assert_eq!(view(world, law).await.head, found.head);
        before = Some(winner.clone());
    }
    let heads = world.state().heads().await.unwrap().into_iter();
    let heads: Vec<_> = heads.map(|(name, head)| (name, head.unwrap())).collect();
    let head = (format!("Fleet «{law}»"), view(world, law).await.head);
    assert!(heads.contains(&head) && heads.is_sorted_by_key(|(name, _)| name), "{heads:?}");
    assert_eq!(world.state().view("no such fleet").await.unwrap(), None);
}

async fn publication_opens_the_first_wave_and_later_ones_stay_on_the_revision_before(
    world: &impl FleetWorld,
) {
    let law = "opens";
    let mut first = publication(law, "opens 1", &[0, 1], None);
    let until = Some(Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000));
    first.portals[1].pause = Some(DeclaredPause { until, reason: "moved".to_owned() });
    let head = publish(world, &first).await;
    let found = view(world, law).await;
    assert_eq!(found.head, head);
    assert_eq!((found.head.publisher.clone(), found.head.portals), (first.publisher.clone(), 2));
    assert_eq!(found.head.rollout.stop, first.stop);
    assert_eq!(found.head.rollout.max_people, Some(250));
    let opened: Vec<_> = head.rollout.waves.iter().map(|wave| wave.opened).collect();
    assert_eq!(opened, [Some(head.at), None, None]);
    assert!(head.at <= found.now, "{head:?} {}", found.now);
    let published: Vec<_> = found.portals.iter().map(|one| one.published.clone()).collect();
    assert_eq!(published, first.portals);
    assert_eq!(revisions(&found), [Some(digest("opens 1")), None], "a new portal has none yet");
    change(world, law, RolloutChange::Open(1)).await;
    world.pass(Duration::from_secs(60)).await;
    let head = publish(world, &publication(law, "opens 2", &[1, 0, 1], Some("opens 1"))).await;
    assert_eq!(head.rollout.waves[0].opened, Some(head.at));
    let found = view(world, law).await;
    let expected = [Some(digest("opens 1")), Some(digest("opens 2")), None];
    assert_eq!(revisions(&found), expected);
    assert_eq!(found.portals[1].published.pause, None, "all but manifests holds at once");
    world.pass(Duration::from_secs(60)).await;
    change(world, law, RolloutChange::Open(1)).await;
    let found = view(world, law).await;
    assert_eq!(revisions(&found), [Some(digest("opens 2")); 3]);
    let opened = found.head.rollout.waves[1].opened.unwrap();
    assert!(opened.duration_since(head.at).as_secs() >= 59, "{opened} {}", head.at);
}

async fn publication_of_the_same_revision_begins_a_halted_rollout_anew(world: &impl FleetWorld) {
    let law = "again";
    publish(world, &publication(law, "again 1", &[0, 1], None)).await;
    publish(world, &publication(law, "again 2", &[0, 1], Some("again 1"))).await;
    world.round(&name(law, 0), digest("again 2"), RoundClass::Failed, 0).await;
    let before = view(world, law).await;
    let mut again = publication(law, "again 2", &[0, 1], Some("again 2"));
    again.publisher.commit = Some("a later commit".to_owned());
    again.document = b"again 2, of a later commit".to_vec();
    world.pass(Duration::from_secs(60)).await;
    let head = publish(world, &again).await;
    let expected = FleetHead { publisher: again.publisher.clone(), ..before.head };
    assert_eq!(head, expected, "a rollout that goes on stays as it is");
    assert_eq!(view(world, law).await.portals, before.portals);
    let document = world.state().revision(digest("again 2")).await.unwrap();
    assert_eq!(document, Some(again.document));
    let cause = HaltCause::Command { by: "anna".to_owned(), reason: "calls".to_owned() };
    change(world, law, RolloutChange::Halt(cause.clone())).await;
    let halted = view(world, law).await.head;
    assert!(
        matches!(halted.rollout.state, RolloutState::Halted { cause: ref one, .. } if *one == cause)
    );
    let end = world.state().publish(&publication(law, "again 2", &[0, 1], Some("again 1"))).await;
    assert_eq!(end.unwrap(), Published::Overtaken(Some(digest("again 2"))), "not by chance");
    let mut again = publication(law, "again 2", &[0, 1], Some("again 2"));
    again.document = b"again 2, signed".to_vec();
    let head = publish(world, &again).await;
    assert_eq!((head.number, head.previous), (3, Some(digest("again 1"))));
    assert_eq!(head.rollout.state, RolloutState::Running);
    let document = world.state().revision(digest("again 2")).await.unwrap();
    assert_eq!(document, Some(b"again 2, signed".to_vec()));
    assert!(view(world, law).await.portals[0].failed_before, "noted anew");
}

async fn change_is_made_at_its_step_alone_and_once(world: &impl FleetWorld) {
    let law = "step";
    let fleet = format!("Fleet «{law}»");
    publish(world, &publication(law, "step 1", &[0, 1, 2], None)).await;
    let at = view(world, law).await.head.step();
    let changes = (0..8).map(|_| world.state().change_rollout(&fleet, at, &RolloutChange::Open(1)));
    let made = join_all(changes).await.into_iter().filter(|made| *made.as_ref().unwrap()).count();
    assert_eq!(made, 1);
    let found = view(world, law).await;
    for step in [
        at,
        RolloutStep { publication: at.publication + 1, ..found.head.step() },
        RolloutStep { step: found.head.rollout.step + 1, ..found.head.step() },
    ] {
        let made = world.state().change_rollout(&fleet, step, &RolloutChange::Open(2)).await;
        assert!(!made.unwrap(), "{step:?}");
    }
    assert_eq!(view(world, law).await.head, found.head);
    // A change that was decided on the publication before is none of the next one.
    publish(world, &publication(law, "step 2", &[0, 1, 2], Some("step 1"))).await;
    let stale = world.state().change_rollout(&fleet, found.head.step(), &RolloutChange::Open(2));
    assert!(!stale.await.unwrap());
    assert_eq!(view(world, law).await.head.rollout.open_waves(), 1);
    let missing = world.state().change_rollout("no such fleet", at, &RolloutChange::Complete).await;
    assert!(!missing.unwrap());
}

async fn opened_wave_notes_the_portals_that_are_failing(world: &impl FleetWorld) {
    let law = "failing";
    let all = [0, 0, 1, 1, 1];
    publish(world, &publication(law, "failing 1", &all, None)).await;
    change(world, law, RolloutChange::Open(1)).await;
    let of = digest("failing 1");
    world.round(&name(law, 0), of, RoundClass::Failed, 2).await;
    publish(world, &publication(law, "failing 2", &all, Some("failing 1"))).await;
    world.round(&name(law, 2), of, RoundClass::Failed, 0).await;
    world.round(&name(law, 3), of, RoundClass::Failed, 0).await;
    world.round(&name(law, 3), of, RoundClass::Succeeded, 3).await;
    world.round(&name(law, 3), of, RoundClass::Succeeded, 1).await;
    world.park(&name(law, 4)).await;
    change(world, law, RolloutChange::Open(1)).await;
    let noted = |portal: &PortalState| portal.failed_before;
    let found = view(world, law).await;
    let noted: Vec<bool> = found.portals.iter().map(noted).collect();
    assert_eq!(noted, [true, false, true, false, true]);
    let rounds = found.portals[3].queue.rounds.clone().unwrap();
    assert_eq!((rounds.revision, rounds.class, rounds.people), (of, RoundClass::Succeeded, 3));
    assert_eq!(found.portals[2].queue.failures, 1);
    // The next publication notes anew.
    world.round(&name(law, 0), of, RoundClass::Succeeded, 0).await;
    publish(world, &publication(law, "failing 3", &all, Some("failing 2"))).await;
    assert!(!view(world, law).await.portals[0].failed_before);
}

async fn portal_of_another_fleet_refuses_the_publication(world: &impl FleetWorld) {
    publish(world, &publication("one", "one", &[0, 0], None)).await;
    let mut other = publication("other", "other", &[0, 0], None);
    other.portals[1].portal = name("one", 1);
    let end = world.state().publish(&other).await.unwrap();
    assert_eq!(end, Published::OfAnotherFleet(name("one", 1), "Fleet «one»".to_owned()));
    assert_eq!(world.state().view("Fleet «other»").await.unwrap(), None);
    // Once the first fleet has given it up, it can be of the other one.
    publish(world, &publication("one", "one smaller", &[0], Some("one"))).await;
    publish(world, &other).await;
}

async fn removed_portal_is_of_no_fleet_and_keeps_its_history(world: &impl FleetWorld) {
    let law = "removed";
    publish(world, &publication(law, "removed 1", &[0, 0], None)).await;
    world.round(&name(law, 1), digest("removed 1"), RoundClass::Failed, 0).await;
    publish(world, &publication(law, "removed 2", &[0], Some("removed 1"))).await;
    assert_eq!(view(world, law).await.portals.len(), 1);
    publish(world, &publication(law, "removed 3", &[0, 1], Some("removed 2"))).await;
    let found = view(world, law).await;
    assert_eq!(revisions(&found), [Some(digest("removed 3")), None], "it is as a new one");
    assert_eq!(found.portals[1].queue.failures, 1);
}

async fn withdrawn_revision_is_left_at_once(world: &impl FleetWorld) {
    let law = "withdrawn";
    let all = [0, 1, 2];
    publish(world, &publication(law, "withdrawn 1", &all, None)).await;
    change(world, law, RolloutChange::Open(1)).await;
    change(world, law, RolloutChange::Open(2)).await;
    publish(world, &publication(law, "withdrawn 2", &all, Some("withdrawn 1"))).await;
    change(world, law, RolloutChange::Open(1)).await;
    let [one, two] = ["withdrawn 1", "withdrawn 2"].map(|text| Some(digest(text)));
    assert_eq!(revisions(&view(world, law).await), [two, two, one]);
    let mut back = publication(law, "withdrawn 3", &all, Some("withdrawn 2"));
    back.withdrawn = two;
    publish(world, &back).await;
    let three = Some(digest("withdrawn 3"));
    let found = view(world, law).await;
    assert_eq!(revisions(&found), [three, three, one]);
    assert_eq!(found.head.rollout.open_waves(), 1);
}

async fn rollback_passes_no_wave_and_leaves_no_way_to_what_was_withdrawn(world: &impl FleetWorld) {
    let law = "back";
    let all = [0, 1, 2];
    let open = async |waves: &[usize]| {
        for wave in waves {
            change(world, law, RolloutChange::Open(*wave)).await;
        }
    };
    let publish_over = async |text: &str, before: Option<&str>, withdrawn: Option<&str>| {
        let mut next = publication(law, text, &all, before);
        next.withdrawn = withdrawn.map(digest);
        publish(world, &next).await
    };
    let [one, two, three, four] = ["b1", "b2", "b3", "b4"].map(|text| Some(digest(text)));
    publish_over("b1", None, None).await;
    open(&[1]).await;
    // The next one went further than the first ever did.
    publish_over("b2", Some("b1"), None).await;
    open(&[1, 2]).await;
    let head = publish_over("b1", Some("b2"), Some("b2")).await;
    assert_eq!((head.previous, head.withdrawn), (None, two));
    let found = view(world, law).await;
    assert_eq!((revisions(&found), &found.head), (vec![one, one, None], &head));
    // The same once more changes nothing but who published it.
    assert_eq!(publish_over("b1", Some("b1"), None).await, head);
    open(&[1, 2]).await;
    // Each goes back to what it was on: two never had the second wave of the third revision.
    let head = publish_over("b3", Some("b1"), None).await;
    assert_eq!((head.previous, head.withdrawn), (one, None));
    open(&[1]).await;
    publish_over("b4", Some("b3"), None).await;
    open(&[1, 2]).await;
    assert_eq!(revisions(&view(world, law).await), [four; 3]);
    let head = publish_over("b3", Some("b4"), Some("b4")).await;
    assert_eq!((head.previous, head.withdrawn), (None, four));
    assert_eq!(revisions(&view(world, law).await), [three, three, one]);
    // A halted rollout that begins anew is still the one of a rollback.
    let cause = HaltCause::Command { by: "anna".to_owned(), reason: "calls".to_owned() };
    change(world, law, RolloutChange::Halt(cause)).await;
    let head = publish_over("b3", Some("b3"), None).await;
    assert_eq!((head.previous, head.withdrawn), (None, four));
    open(&[1, 2]).await;
    assert_eq!(revisions(&view(world, law).await), [three; 3]);
}

async fn pauses_are_set_replaced_and_ended(world: &impl FleetWorld) {
    let law = "pause";
    publish(world, &publication(law, "pause 1", &[0, 0], None)).await;
    let now = view(world, law).await.now;
    let (alone, until) = (name("of-no-fleet", 1), Some(now + SignedDuration::from_secs(600)));
    let pause = |until, reason: &str| CommandPause {
        until,
        at: now,
        by: "anna".to_owned(),
        reason: reason.to_owned(),
    };
    let state = world.state();
    let both = [name(law, 0), alone.clone()];
    state.set_pause(&both, Some(&pause(None, "moved"))).await.unwrap();
    let all = state.pauses().await.unwrap();
    assert!(both.iter().all(|portal| all.get(portal) == Some(&pause(None, "moved"))), "{all:?}");
    state.set_pause(&both[..1], Some(&pause(until, "shorter"))).await.unwrap();
    publish(world, &publication(law, "pause 2", &[0, 0], Some("pause 1"))).await;
    let found = view(world, law).await;
    assert_eq!(found.portals[0].pause, Some(pause(until, "shorter")));
    assert!(found.portals[0].is_paused(found.now) && !found.portals[1].is_paused(found.now));
    world.pass(Duration::from_secs(600)).await;
    let found = view(world, law).await;
    assert!(!found.portals[0].is_paused(found.now), "{found:?}");
    // Those without a pause are passed over.
    state.set_pause(&[name(law, 0), name(law, 1), alone.clone()], None).await.unwrap();
    assert_eq!(view(world, law).await.portals[0].pause, None);
    assert!(!state.pauses().await.unwrap().contains_key(&alone));
}

async fn retry_frees_parked_portals_alone(world: &impl FleetWorld) {
    let law = "retry";
    publish(world, &publication(law, "retry 1", &[0, 0, 0], None)).await;
    world.round(&name(law, 0), digest("retry 1"), RoundClass::Failed, 0).await;
    world.park(&name(law, 1)).await;
    let before = view(world, law).await;
    assert!(before.portals[1].queue.parked.is_some());
    assert_eq!(before.portals[1].overdue(before.now), None, "a parked portal is not waited for");
    let all = [name(law, 0), name(law, 1), name(law, 2), name("of-no-fleet", 2)];
    let [(freed, Ok(()))] = &world.state().retry(&all).await.unwrap()[..] else { panic!() };
    assert_eq!(*freed, name(law, 1));
    let found = view(world, law).await;
    assert_eq!((&found.portals[1].queue.parked, found.portals[1].queue.attempts), (&None, 0));
    assert!(found.portals[1].overdue(found.now).is_some(), "it is due at once");
    assert_eq!(found.portals[0].queue, before.portals[0].queue);
    assert!(world.state().retry(&all).await.unwrap().is_empty());
}

async fn portal_that_moved_away_is_waited_for_no_longer(world: &impl FleetWorld) {
    let law = "moved";
    publish(world, &publication(law, "moved 1", &[0, 0], None)).await;
    world.move_away(&name(law, 0)).await;
    let found = view(world, law).await;
    let waited = |portal: &PortalState| (portal.is_moved, portal.is_left_alone(found.now));
    assert_eq!(
        found.portals.iter().map(waited).collect::<Vec<_>>(),
        [(true, true), (false, false)]
    );
    assert_eq!(found.portals[0].overdue(found.now), None);
}
