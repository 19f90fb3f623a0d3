//! Concurrent processes, and owners that died.

use std::time::Duration;

use super::folder::{file_id, open_private, this_process};
use super::*;
use crate::records::{AuditEvent, LockRecord, ProcessIdentity, decode_lock, encode_lock};

/// Process id that no system assigns.
const NOBODY: u32 = 4_000_000_000;

fn other() -> LockOwner {
    LockOwner { process: 4712, actor: "the pipeline".to_owned(), ..samples::owner() }
}

/// Returns the content of a lock file that names no process.
fn lock_of(owner: LockOwner) -> Vec<u8> {
    encode_lock(&LockRecord { owner, process: None, file: String::new() }).unwrap()
}

#[test]
fn dead_owner_on_this_host_is_taken_over_with_a_note_that_stays() {
    let world = World::new();
    drop(world.locked());
    let dead = LockOwner { process: NOBODY, ..samples::owner() };
    put(&world.paths().lock(), &lock_of(dead));
    let (locked, note) = world.lock_as(other()).unwrap();
    let note = note.unwrap();
    assert_eq!(
        note,
        "unclean end of process 4000000000 on build, which ran `recard apply` since 2026-11-01T09:00:00Z; its lock was taken over"
    );
    let inside = fs::read(world.paths().lock()).unwrap();
    assert_eq!(decode_lock(&inside).unwrap().owner, other());
    drop(locked);
    let entries = world.store.audit_entries().wait().unwrap();
    assert_eq!(entries.last().unwrap().event, AuditEvent::LockTakenOver(note.english().to_owned()));
    assert_eq!(world.lock_as(other()).unwrap().1, None);
}

#[test]
fn owner_on_another_host_is_not_declared_dead_without_a_person() {
    let world = World::new();
    drop(world.locked());
    let far = LockOwner { host: "elsewhere".to_owned(), ..samples::owner() };
    put(&world.paths().lock(), &lock_of(far.clone()));
    for _ in 0..2 {
        assert!(matches!(world.lock_as(other()), Err(StoreError::Locked(owner)) if owner == far));
    }
    // The person was shown another owner.
    assert!(
        matches!(world.store.unlock(&other()).wait(), Err(StoreError::Locked(owner)) if owner == far)
    );
    world.store.unlock(&far).wait().unwrap();
    assert_eq!(world.lock_as(other()).unwrap().1, None);
}

#[test]
fn lock_file_that_was_removed_or_replaced_is_still_held() {
    let world = World::new();
    let path = world.paths().lock();
    let locked = world.locked();
    let inside = fs::read(&path).unwrap();
    // Another file of the same name: empty, with garbage, and with the owner's own name in it.
    for replaced in [None, Some(&b""[..]), Some(b"garbage"), Some(&inside)] {
        fs::remove_file(&path).unwrap();
        if let Some(bytes) = replaced {
            put(&path, bytes);
        }
        let Err(StoreError::Locked(owner)) = world.lock_as(other()) else {
            panic!("two hold the lock: {replaced:?}")
        };
        assert!(replaced != Some(&inside) || owner == samples::owner(), "{owner:?}");
        assert!(matches!(
            world.store.unlock(&samples::owner()).wait(),
            Ok(()) | Err(StoreError::Locked(_))
        ));
        put(&path, &inside);
    }
    drop(locked);
    assert!(world.lock_as(other()).is_err(), "the name of a process that lives is in the file");
    put(&path, b"");
    assert!(world.lock_as(other()).is_ok());
}

/// Leaves a lock behind, as a process of this identity would, in the file that it had locked or in
/// a copy.
#[cfg(target_os = "linux")]
fn left(world: &World, process: ProcessIdentity, copy: bool) {
    let path = world.paths().lock();
    put(&path, b"");
    let place = file_id(&fs::File::open(&path).unwrap());
    let record = LockRecord { owner: samples::owner(), process: Some(process), file: place };
    let bytes = encode_lock(&record).unwrap();
    if copy {
        // The old file stays until the new one exists, so that they have different inodes.
        put(&path, &bytes);
    } else {
        use std::io::Write as _;
        open_private(&path).unwrap().write_all(&bytes).unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn owner_is_called_dead_only_if_that_is_proved() {
    let world = World::new();
    drop(world.locked());
    let here = this_process();
    let gone = ProcessIdentity { process: NOBODY, ..here.clone() };
    let reused = ProcessIdentity { started: "1".to_owned(), ..here.clone() };
    let elsewhere = |process: &ProcessIdentity| ProcessIdentity {
        boot: "another".to_owned(),
        ..process.clone()
    };
    let contained = |process: &ProcessIdentity| ProcessIdentity {
        namespace: "pid:[1]".to_owned(),
        ..process.clone()
    };
    for (process, copy, is_dead) in [
        (here.clone(), false, false),
        (here.clone(), true, false),
        (gone.clone(), false, true),
        (gone.clone(), true, true),
        (reused, true, true),
        // Another machine with the same host name, or this one before a restart.
        (elsewhere(&here), false, false),
        (elsewhere(&gone), false, false),
        // Another namespace of process ids: the lock of the operating system decides, if the file
        // is the locked one.
        (contained(&gone), false, true),
        (contained(&gone), true, false),
        (ProcessIdentity { process: 7, ..ProcessIdentity::default() }, true, false),
    ] {
        left(&world, process.clone(), copy);
        let taken = world.lock_as(other());
        assert_eq!(taken.is_ok(), is_dead, "{process:?}, copy: {copy}, {taken:?}");
        if !is_dead {
            assert!(matches!(taken, Err(StoreError::Locked(owner)) if owner == samples::owner()));
            let state = world.store.lock_state().wait().unwrap();
            let lives = process == here;
            assert_eq!(state == LockState::Held(samples::owner()), lives, "{state:?}");
            // A person may override this, but for a process that is visibly alive.
            assert_eq!(world.store.unlock(&samples::owner()).wait().is_err(), lives, "{process:?}");
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn lock_file_of_an_earlier_version_is_taken_over_unless_its_number_is_in_use() {
    let world = World::new();
    drop(world.locked());
    for (process, is_dead) in [(NOBODY, true), (std::process::id(), false)] {
        let owner = LockOwner { process, ..samples::owner() };
        put(&world.paths().lock(), &lock_of(owner));
        assert_eq!(world.lock_as(other()).is_ok(), is_dead, "{process}");
    }
}

#[test]
fn lock_names_the_process_that_holds_it() {
    let world = World::new();
    let _locked = world.locked();
    let inside = decode_lock(&fs::read(world.paths().lock()).unwrap()).unwrap();
    assert_eq!((inside.owner, inside.process), (samples::owner(), Some(this_process())));
}

#[test]
fn lock_that_is_held_cannot_be_unlocked() {
    let world = World::new();
    world.store.unlock(&samples::owner()).wait().unwrap();
    let _locked = world.locked();
    assert!(matches!(world.store.unlock(&samples::owner()).wait(), Err(StoreError::Locked(_))));
    assert_eq!(world.store.lock_owner().wait().unwrap(), Some(samples::owner()));
}

#[test]
fn owner_who_was_cut_while_writing_the_name_is_taken_over() {
    let world = World::new();
    drop(world.locked());
    let name = lock_of(samples::owner());
    for cut in (1..name.len() - 1).step_by(29) {
        put(&world.paths().lock(), &name[..cut]);
        let (_locked, note) = world.lock_as(other()).unwrap();
        assert!(note.unwrap().starts_with("unclean end of a process that was cut"), "cut at {cut}");
    }
}

#[test]
fn lock_that_another_program_holds_counts_whatever_stands_inside() {
    let world = World::new();
    drop(world.locked());
    let stranger = open_private(&world.paths().lock()).unwrap();
    stranger.try_lock().unwrap();
    let Err(StoreError::Locked(owner)) = world.lock_as(other()) else {
        panic!("two hold the lock")
    };
    assert_eq!(owner.to_string(), "locked by a process that the lock file does not name");
    drop(stranger);
    assert!(world.lock_as(other()).is_ok());
}

#[tokio::test(start_paused = true)]
async fn waiter_gets_the_lock_as_soon_as_it_is_free() {
    let world = World::new();
    let locked = world.store.lock(samples::owner(), clock()).await.unwrap().0;
    let waiting = world.store.lock_waiting(other(), clock(), Duration::from_secs(60));
    let freeing = async {
        tokio::time::sleep(Duration::from_secs(20)).await;
        drop(locked);
    };
    let begun = tokio::time::Instant::now();
    let (taken, ()) = tokio::join!(waiting, freeing);
    assert!(taken.is_ok());
    assert_eq!(world.store.lock_owner().await.unwrap(), Some(other()));
    assert!(begun.elapsed() < Duration::from_secs(21));
}

#[tokio::test(start_paused = true)]
async fn waiter_that_waits_too_long_is_told_who_holds_the_lock() {
    let world = World::new();
    let _locked = world.store.lock(samples::owner(), clock()).await.unwrap().0;
    let begun = tokio::time::Instant::now();
    let waited = world.store.lock_waiting(other(), clock(), Duration::from_secs(3)).await;
    assert!(matches!(waited, Err(StoreError::Locked(owner)) if owner == samples::owner()));
    assert_eq!(begun.elapsed().as_secs(), 3);
    let none = world.store.lock_waiting(other(), clock(), Duration::ZERO).await;
    assert!(matches!(none, Err(StoreError::Locked(_))));
}
