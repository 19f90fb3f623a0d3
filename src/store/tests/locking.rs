//! Two at once, and owners who died.

use std::time::Duration;

use super::*;
use crate::format::{AuditEvent, decode_lock_owner, encode_lock_owner};

fn other() -> LockOwner {
    LockOwner { process: 4712, actor: "the pipeline".to_owned(), ..samples::owner() }
}

#[test]
fn only_one_holds_the_lock_and_the_other_is_told_who() {
    let world = World::new();
    let (locked, note) = world.lock_as(samples::owner()).unwrap();
    assert_eq!((note, locked.owner()), (None, &samples::owner()));
    let Err(StoreError::Locked(owner)) = world.lock_as(other()) else { panic!("two hold the lock") };
    assert_eq!(owner, samples::owner());
    assert_eq!(world.store.lock_owner().unwrap(), Some(samples::owner()));
    drop(locked);
    assert_eq!(world.store.lock_owner().unwrap(), None);
    assert_eq!(world.lock_as(other()).unwrap().1, None);
}

#[test]
fn two_portals_in_one_store_do_not_wait_for_each_other() {
    let world = World::new();
    let second = Store::open(&world.root(), &PortalId::new("other.bitrix24.com").unwrap()).unwrap();
    let _first = world.locked();
    assert!(second.lock(other(), clock()).is_ok());
}

#[test]
fn a_dead_owner_on_this_host_is_taken_over_with_a_note_that_stays() {
    let world = World::new();
    drop(world.locked());
    put(&world.store.folders.lock(), &encode_lock_owner(&samples::owner()).unwrap());
    let (locked, note) = world.lock_as(other()).unwrap();
    let note = note.unwrap();
    assert_eq!(
        note,
        "unclean end of process 4711 on build, which ran `recard apply` since 2026-11-01T09:00:00Z; its lock was taken over"
    );
    let inside = fs::read(world.store.folders.lock()).unwrap();
    assert_eq!(decode_lock_owner(&inside).unwrap(), other());
    drop(locked);
    let entries = world.store.audit_entries().unwrap();
    assert_eq!(entries.last().unwrap().event, AuditEvent::LockTakenOver(note.english().to_owned()));
    assert_eq!(world.lock_as(other()).unwrap().1, None);
}

#[test]
fn an_owner_on_another_host_is_not_declared_dead_without_a_person() {
    let world = World::new();
    drop(world.locked());
    let far = LockOwner { host: "elsewhere".to_owned(), ..samples::owner() };
    put(&world.store.folders.lock(), &encode_lock_owner(&far).unwrap());
    for _ in 0..2 {
        assert!(matches!(world.lock_as(other()), Err(StoreError::Locked(owner)) if owner == far));
    }
    // Somebody else than the person was shown.
    assert!(matches!(world.store.unlock(&other()), Err(StoreError::Locked(owner)) if owner == far));
    world.store.unlock(&far).unwrap();
    assert_eq!(world.lock_as(other()).unwrap().1, None);
}

#[test]
fn a_lock_that_is_held_cannot_be_unlocked() {
    let world = World::new();
    world.store.unlock(&samples::owner()).unwrap();
    let _locked = world.locked();
    assert!(matches!(world.store.unlock(&samples::owner()), Err(StoreError::Locked(_))));
    assert_eq!(world.store.lock_owner().unwrap(), Some(samples::owner()));
}

#[test]
fn an_owner_who_was_cut_while_writing_the_name_is_taken_over() {
    let world = World::new();
    drop(world.locked());
    let name = encode_lock_owner(&samples::owner()).unwrap();
    for cut in (1..name.len() - 1).step_by(29) {
        put(&world.store.folders.lock(), &name[..cut]);
        let (_locked, note) = world.lock_as(other()).unwrap();
        assert!(note.unwrap().starts_with("unclean end of a process that was cut"), "cut at {cut}");
    }
}

#[test]
fn a_lock_that_another_program_holds_counts_whatever_stands_inside() {
    let world = World::new();
    drop(world.locked());
    let stranger = file::open_private(&world.store.folders.lock()).unwrap();
    stranger.try_lock().unwrap();
    let Err(StoreError::Locked(owner)) = world.lock_as(other()) else { panic!("two hold the lock") };
    assert_eq!(owner.host, "an unknown host");
    drop(stranger);
    assert!(world.lock_as(other()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_waits_gets_the_lock_as_soon_as_it_is_free() {
    let world = World::new();
    let locked = world.locked();
    let waiting = world.store.lock_waiting(other(), clock(), Duration::from_secs(60));
    let freeing = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        drop(locked);
    };
    let begun = tokio::time::Instant::now();
    let (taken, ()) = tokio::join!(waiting, freeing);
    assert_eq!(taken.unwrap().0.owner(), &other());
    assert!(begun.elapsed() < Duration::from_secs(21));
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_told_who_holds_it() {
    let world = World::new();
    let _locked = world.locked();
    let begun = tokio::time::Instant::now();
    let waited = world.store.lock_waiting(other(), clock(), Duration::from_secs(3)).await;
    assert!(matches!(waited, Err(StoreError::Locked(owner)) if owner == samples::owner()));
    assert_eq!(begun.elapsed().as_secs(), 3);
    let none = world.store.lock_waiting(other(), clock(), Duration::ZERO).await;
    assert!(matches!(none, Err(StoreError::Locked(_))));
}
