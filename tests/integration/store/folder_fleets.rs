//! State of the fleets of a folder: the laws of every state, and what its files keep.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use recard::model::{Digest, PortalId};
use recard::ports::{FleetState as _, ParkReason, Parked, RevisionRounds, RoundClass, StoreError};
use recard::store::{FolderFleets, FolderQueue, read_queue_row, write_queue_row, write_whole};

use super::fleet_laws::{self, FleetWorld};
use super::folder_queue::SetClock;

struct FolderWorld {
    folder: tempfile::TempDir,
    state: FolderFleets,
    clock: Arc<SetClock>,
}

impl FolderWorld {
    fn new() -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), SetClock::new());
        let state = FolderFleets::new(folder.path(), clock.clone());
        Self { folder, state, clock }
    }
}

impl FleetWorld for FolderWorld {
    type State = FolderFleets;

    fn state(&self) -> &FolderFleets {
        &self.state
    }

    async fn round(&self, portal: &PortalId, revision: Digest, class: RoundClass, people: u32) {
        let mut row = read_queue_row(self.folder.path(), portal).unwrap().unwrap_or_default();
        let at = row.changed;
        row.state.rounds = Some(RevisionRounds::with_round(
            row.state.rounds.as_ref(),
            revision,
            class,
            people,
            at,
        ));
        row.state.failures = if class == RoundClass::Failed { row.state.failures + 1 } else { 0 };
        write_queue_row(self.folder.path(), portal, &row).unwrap();
    }

    async fn park(&self, portal: &PortalId) {
        let mut row = read_queue_row(self.folder.path(), portal).unwrap().unwrap_or_default();
        row.state.parked = Some(Parked { at: row.changed, reason: ParkReason::Deaths(3) });
        write_queue_row(self.folder.path(), portal, &row).unwrap();
    }

    async fn move_away(&self, portal: &PortalId) {
        let folder = self.folder.path().join("portals").join(portal.folder_name());
        std::fs::create_dir_all(&folder).unwrap();
        write_whole(&folder.join("moved-to"), b"elsewhere\n").unwrap();
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(SignedDuration::try_from(time).unwrap());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folder_keeps_the_laws_of_the_state_of_fleets() {
    fleet_laws::check(&FolderWorld::new()).await;
}

#[tokio::test]
async fn folder_names_its_worker_for_as_long_as_it_lives() {
    let world = FolderWorld::new();
    assert_eq!(world.state.workers().await.unwrap(), []);
    let owner = super::folder_queue::owner();
    let queue = FolderQueue::open(world.folder.path(), owner.clone(), world.clock.clone()).await;
    let workers = world.state.workers().await.unwrap();
    let ids: Vec<&str> = workers.iter().map(|sign| sign.worker.id.as_str()).collect();
    assert_eq!(ids, [format!("{}/{}", owner.host, owner.process)]);
    drop(queue.unwrap());
    assert_eq!(world.state.workers().await.unwrap(), []);
}

#[tokio::test]
async fn folder_with_a_damaged_head_is_an_error_and_is_not_overwritten() {
    let world = FolderWorld::new();
    let publication = fleet_laws::publication("damaged", "damaged 1", &[0], None);
    world.state.publish(&publication).await.unwrap();
    let heads = || {
        let entries = std::fs::read_dir(world.folder.path().join("fleets")).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.to_string_lossy().ends_with(".head.json")).collect::<Vec<_>>()
    };
    let [head] = heads().try_into().unwrap();
    let text = std::fs::read_to_string(&head).unwrap();
    write_whole(&head, text.replace("commit of", "c0mmit of").as_bytes()).unwrap();
    for ended in [
        world.state.view(&publication.fleet).await.map(drop),
        world.state.publish(&publication).await.map(drop),
        world.state.heads().await.unwrap().remove(0).1.map(drop),
    ] {
        assert!(matches!(ended, Err(StoreError::Damaged { .. })), "{ended:?}");
    }
    assert!(std::fs::read_to_string(&head).unwrap().contains("c0mmit of"));
    // Nothing is left beside the files that are named.
    assert_eq!(heads().len(), 1);
    let ignored = std::fs::read_to_string(world.folder.path().join(".gitignore")).unwrap();
    assert!(ignored.contains('*'), "the folder keeps itself out of repositories");
}

#[tokio::test]
async fn folder_with_damaged_files_of_a_portal_leaves_the_others_as_they_are() {
    let world = FolderWorld::new();
    let publication = fleet_laws::publication("files", "files 1", &[0, 0], None);
    let [damaged, whole] = [0, 1].map(|index| publication.portals[index].portal.clone());
    for portal in [&damaged, &whole] {
        world.round(portal, publication.revision, RoundClass::Succeeded, 7).await;
    }
    let folder = world.folder.path().join("portals").join(damaged.folder_name());
    for name in ["queue.json", "pause.json"] {
        write_whole(&folder.join(name), b"nonsense").unwrap();
    }
    world.state.publish(&publication).await.unwrap();
    let view = world.state.view(&publication.fleet).await.unwrap().unwrap();
    let newer = PortalId::new("newer.example").unwrap();
    world.round(&newer, publication.revision, RoundClass::Succeeded, 7).await;
    let path = folder.with_file_name(newer.folder_name()).join("queue.json");
    let row = std::fs::read_to_string(&path).unwrap().replace("queue-row/v1", "queue-row/v99");
    write_whole(&path, row.as_bytes()).unwrap();
    let states = world.state.queue_states(std::slice::from_ref(&newer)).await.unwrap();
    assert!(states[&newer].parked.is_some(), "{states:?}");
    let parked = view.portals[0].queue.parked.as_ref().map(|parked| &parked.reason);
    assert!(matches!(parked, Some(ParkReason::UnreadableRow(_))), "{parked:?}");
    let told = |number: usize| {
        let portal = &view.portals[number];
        (portal.is_paused(view.now), portal.queue.failures, portal.failed_before)
    };
    assert_eq!((told(0), told(1)), ((true, 1, true), (false, 0, false)));
    assert_eq!(view.portals[1].queue.rounds.as_ref().unwrap().people, 7);
    let pauses = world.state.pauses().await.unwrap();
    assert!(pauses[&damaged].reason.contains("pause.json is damaged"), "{pauses:?}");
    assert_eq!(pauses.len(), 1);
    world.park(&whole).await;
    let freed = world.state.retry(&[damaged.clone(), whole.clone()]).await.unwrap();
    let [(_, Err(StoreError::Damaged { .. })), (other, Ok(()))] = &freed[..] else { panic!() };
    assert_eq!(*other, whole);
    world.state.set_pause(&[damaged], None).await.unwrap();
    assert!(world.state.pauses().await.unwrap().is_empty());
}
