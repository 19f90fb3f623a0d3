//! State of the fleets of a folder.
//!
//! ```text
//! fleets/lock                   held for the time of one change
//! fleets/revisions/DIGEST.json  revisions
//! fleets/NAME.head.json         head of a fleet, with its portals
//! portals/PORTAL/pause.json     pause by command
//! portals/PORTAL/queue.json     row of the work queue
//! ```
//!
//! A change reads the head, changes it in memory and replaces it whole, under the lock. A crash
//! leaves the head before or the one after.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::blocking;
use super::file::{
    MAX_DOCUMENT_BYTES, failed, folder_of, make_folder, read_optional, sync_folder, write_private,
};
use super::held_file::HeldFile;
use super::lock;
use super::paths::{StorePaths, make_root};
use super::queue::{is_failing, retry, state_of_row};
use crate::model::{Digest, PortalId};
use crate::ports::{
    Clock, CommandPause, FleetHead, FleetState, FleetView, LockOwner, NamedHead, PortalState,
    Publication, Published, QueueState, RetriedPortal, RolloutChange, RolloutStep, StoreError,
    Worker, WorkerSign,
};
use crate::records::FormatError;
use crate::records::fleet::{FleetRecord, StoredPortal, decode_pause, encode_pause};
use crate::store::place::{LockState, Place, damaged, misread};

/// Time for which a change waits for the lock. Each is held for milliseconds.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// Interval at which a waiting change asks for the lock.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// End of the names of heads.
const HEAD: &str = ".head.json";

/// Lock of all fleets of a folder, until it is dropped.
#[derive(Debug)]
pub struct FleetsLock {
    _held: HeldFile,
}

/// State of the fleets of a folder.
#[derive(Clone)]
pub struct FolderFleets {
    root: PathBuf,
    clock: Arc<dyn Clock>,
}

impl FolderFleets {
    /// Opens the state of a folder. Nothing is read or written yet.
    pub fn new(root: &Path, clock: Arc<dyn Clock>) -> Self {
        Self { root: root.to_owned(), clock }
    }

    /// Returns the portals with a folder in the store, sorted. A file beside these folders, as
    /// programs that show folders leave, is none.
    ///
    /// # Errors
    ///
    /// If a folder cannot be read, or no portal has its name.
    pub fn portals(root: &Path) -> Result<Vec<PortalId>, StoreError> {
        let folder = root.join("portals");
        let portal = |name: &String| {
            let path = folder.join(name);
            let unknown = || damaged(&path.display().to_string(), "no portal has such a name");
            path.is_dir().then(|| PortalId::of_folder(name).ok_or_else(unknown))
        };
        let mut portals: Vec<PortalId> =
            names(&folder)?.iter().filter_map(portal).collect::<Result<_, _>>()?;
        portals.sort();
        Ok(portals)
    }

    /// Returns what the work queue of the folder keeps of portals, published or not; none of those
    /// that it never had.
    ///
    /// # Errors
    ///
    /// If the folder cannot be read.
    pub async fn queue_states(
        &self,
        portals: &[PortalId],
    ) -> Result<BTreeMap<PortalId, QueueState>, StoreError> {
        let portals = portals.to_owned();
        self.run(move |files, now| {
            let state = |portal: PortalId| {
                let state = state_of_row(files.root, &portal, now)?;
                Some((portal, state))
            };
            Ok(portals.into_iter().filter_map(state).collect())
        })
        .await
    }

    /// Takes the lock of all fleets of the folder, for the change of a file beside theirs.
    ///
    /// # Errors
    ///
    /// If the folder cannot be written, or others hold the lock for too long.
    pub async fn lock(&self) -> Result<FleetsLock, StoreError> {
        self.run(|files, _| Ok(FleetsLock { _held: files.lock()? })).await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let now = self.clock.now();
        blocking(&self.root, move |root| work(&Files { root }, now)).await
    }
}

impl FleetState for FolderFleets {
    async fn heads(&self) -> Result<Vec<NamedHead>, StoreError> {
        self.run(|files, _| {
            let named = |(file, record): NamedRecord| match record {
                Ok(record) => (record.fleet, Ok(record.head)),
                Err(problem) => (file.trim_end_matches(HEAD).to_owned(), Err(problem)),
            };
            let mut heads: Vec<_> = files.heads()?.into_iter().map(named).collect();
            heads.sort_by(|a, b| a.0.cmp(&b.0));
            Ok(heads)
        })
        .await
    }

    async fn publish(&self, publication: &Publication) -> Result<Published, StoreError> {
        let publication = publication.clone();
        self.run(move |files, now| files.publish(&publication, now)).await
    }

    async fn revision(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        self.run(move |files, _| read_optional(&files.revision(digest), MAX_DOCUMENT_BYTES)).await
    }

    async fn view(&self, fleet: &str) -> Result<Option<FleetView>, StoreError> {
        let fleet = fleet.to_owned();
        self.run(move |files, now| files.view(&fleet, now)).await
    }

    async fn change_rollout(
        &self,
        fleet: &str,
        at: RolloutStep,
        change: &RolloutChange,
    ) -> Result<bool, StoreError> {
        let (fleet, change) = (fleet.to_owned(), change.clone());
        self.run(move |files, now| files.change_rollout(&fleet, at, &change, now)).await
    }

    async fn set_pause(
        &self,
        portals: &[PortalId],
        pause: Option<&CommandPause>,
    ) -> Result<(), StoreError> {
        let (portals, pause) = (portals.to_owned(), pause.cloned());
        self.run(move |files, _| {
            // A file that cannot be written leaves no other portal unpaused.
            let set = portals.iter().map(|portal| files.set_pause(portal, pause.as_ref()));
            set.collect::<Vec<_>>().into_iter().collect()
        })
        .await
    }

    async fn pauses(&self) -> Result<BTreeMap<PortalId, CommandPause>, StoreError> {
        self.run(|files, now| files.pauses(now)).await
    }

    async fn pause(&self, portal: &PortalId) -> Result<Option<CommandPause>, StoreError> {
        let portal = portal.clone();
        self.run(move |files, now| Ok(files.read_pause(&portal, now))).await
    }

    async fn retry(&self, portals: &[PortalId]) -> Result<Vec<RetriedPortal>, StoreError> {
        let portals = portals.to_owned();
        self.run(move |files, now| {
            let retried =
                |portal: PortalId| Some((retry(files.root, &portal, now).transpose()?, portal));
            let retried = portals.into_iter().filter_map(retried);
            Ok(retried.map(|(freed, portal)| (portal, freed)).collect())
        })
        .await
    }

    async fn workers(&self) -> Result<Vec<WorkerSign>, StoreError> {
        self.run(|files, _| match lock::state(&files.root.join("worker").join("lock"))? {
            LockState::Held(owner) => Ok(vec![worker_of(&owner)]),
            LockState::Free | LockState::Left(_) | LockState::Unknown(_) => Ok(Vec::new()),
        })
        .await
    }
}

/// Worker that holds the queue of the folder.
fn worker_of(owner: &LockOwner) -> WorkerSign {
    let id = format!("{}/{}", owner.host, owner.process);
    // A lock ends with its process, so that its being held is a sign of life.
    WorkerSign { worker: Worker { id, version: String::new() }, age: Duration::ZERO }
}

/// Head of a fleet, or the reason why it cannot be read, by the name of its file.
type NamedRecord = (String, Result<FleetRecord, StoreError>);

/// Files below the root of a store, for work that blocks.
struct Files<'a> {
    root: &'a Path,
}

impl Files<'_> {
    fn folder(&self) -> PathBuf {
        self.root.join("fleets")
    }

    fn head(&self, fleet: &str) -> PathBuf {
        self.folder().join(format!("{}{HEAD}", fleet_file_name(fleet)))
    }

    fn revision(&self, digest: Digest) -> PathBuf {
        let name = digest.to_string();
        let name = name.rsplit(':').next().unwrap_or_default();
        self.folder().join("revisions").join(format!("{name}.json"))
    }

    fn pause(&self, portal: &PortalId) -> PathBuf {
        StorePaths::new(self.root, portal).portal().join("pause.json")
    }

    /// Takes the lock of all fleets of the folder.
    fn lock(&self) -> Result<HeldFile, StoreError> {
        make_root(self.root)?;
        make_folder(&self.folder())?;
        let (path, started) = (self.folder().join("lock"), Instant::now());
        loop {
            match HeldFile::take(&path) {
                Err(StoreError::Locked(_)) if started.elapsed() < LOCK_TIMEOUT => {
                    std::thread::sleep(POLL_INTERVAL);
                }
                taken => return taken,
            }
        }
    }

    fn read_head(&self, fleet: &str) -> Result<Option<FleetRecord>, StoreError> {
        read_document(&self.head(fleet), FleetRecord::parse)
    }

    /// Returns the heads by the names of their files.
    fn heads(&self) -> Result<Vec<NamedRecord>, StoreError> {
        let names = names(&self.folder())?.into_iter();
        let heads = names.filter(|name| name.ends_with(HEAD)).filter_map(|name| {
            let head = read_document(&self.folder().join(&name), FleetRecord::parse);
            head.transpose().map(|head| (name, head))
        });
        Ok(heads.collect())
    }

    fn write_head(&self, record: &FleetRecord) -> Result<(), StoreError> {
        let path = self.head(&record.fleet);
        let bytes = record.encode().map_err(|problem| misread_at(&path, problem))?;
        write_private(&path, &bytes)
    }

    fn publish(&self, publication: &Publication, now: Timestamp) -> Result<Published, StoreError> {
        let _held = self.lock()?;
        let before = self.read_head(&publication.fleet)?;
        let head = before.as_ref().map(|record| &record.head);
        if let Some(answer) = Published::without_change(publication, head) {
            return Ok(answer);
        }
        for (_, other) in self.heads()? {
            let other = other?;
            if other.fleet == publication.fleet {
                continue;
            }
            let taken = publication.portals.iter().map(|portal| &portal.portal);
            if let Some(portal) = taken.into_iter().find(|name| other.portals.contains_key(*name)) {
                return Ok(Published::OfAnotherFleet(portal.clone(), other.fleet));
            }
        }
        let path = self.revision(publication.revision);
        make_folder(folder_of(&path))?;
        write_private(&path, &publication.document)?;
        let on = before.iter().flat_map(|record| &record.portals);
        let on = on.map(|(name, portal)| (name.clone(), portal.revision)).collect();
        let head_before = before.as_ref().map(|record| (&record.head, &on));
        let head = FleetHead::new(publication, head_before, now);
        let fleet = publication.fleet.clone();
        let behind = before.as_ref().map(|record| record.head.behind.clone()).unwrap_or_default();
        let mut known = match before {
            Some(before) if before.head.number == head.number => {
                self.write_head(&FleetRecord { head: head.clone(), ..before })?;
                return Ok(Published::Current(Box::new(head)));
            }
            Some(before) => before.portals,
            None => BTreeMap::new(),
        };
        let mut portals = BTreeMap::new();
        for published in &publication.portals {
            let earlier = known.remove(&published.portal);
            let earlier = earlier.and_then(|earlier| earlier.revision);
            let is_withdrawn = earlier.is_some() && earlier == publication.withdrawn;
            let behind = behind.get(&published.portal).filter(|_| is_withdrawn);
            let is_open = published.wave == 0 || (is_withdrawn && behind.is_none());
            let waiting = behind.copied().unwrap_or(earlier);
            let portal = StoredPortal {
                revision: if is_open { Some(publication.revision) } else { waiting },
                failed_before: is_open && is_failing(self.root, &published.portal),
                published: published.clone(),
            };
            portals.insert(published.portal.clone(), portal);
        }
        self.write_head(&FleetRecord { fleet, head: head.clone(), portals })?;
        Ok(Published::Current(Box::new(head)))
    }

    fn change_rollout(
        &self,
        fleet: &str,
        at: RolloutStep,
        change: &RolloutChange,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let _held = self.lock()?;
        let Some(mut record) = self.read_head(fleet)?.filter(|record| record.head.step() == at)
        else {
            return Ok(false);
        };
        record.head.rollout.change(change, now);
        if let RolloutChange::Open(wave) = change {
            for (name, portal) in &mut record.portals {
                if portal.published.wave == *wave {
                    portal.revision = Some(record.head.revision);
                    portal.failed_before = is_failing(self.root, name);
                }
            }
        }
        self.write_head(&record)?;
        Ok(true)
    }

    fn view(&self, fleet: &str, now: Timestamp) -> Result<Option<FleetView>, StoreError> {
        let Some(FleetRecord { fleet: _, head, portals }) = self.read_head(fleet)? else {
            return Ok(None);
        };
        let mut all = Vec::with_capacity(portals.len());
        for (name, portal) in portals {
            let StoredPortal { published, revision, failed_before } = portal;
            all.push(PortalState {
                published,
                revision,
                failed_before,
                pause: self.read_pause(&name, now),
                is_moved: StorePaths::new(self.root, &name).path(&Place::Moved).exists(),
                queue: state_of_row(self.root, &name, now).unwrap_or_default(),
            });
        }
        Ok(Some(FleetView { now, head, portals: all }))
    }

    /// Returns the pause of a portal. One that cannot be read holds.
    fn read_pause(&self, portal: &PortalId, now: Timestamp) -> Option<CommandPause> {
        match read_document(&self.pause(portal), decode_pause) {
            Ok(pause) => pause.map(|(_, pause)| pause),
            Err(problem) => Some(CommandPause {
                until: None,
                at: now,
                by: String::new(),
                reason: problem.to_string(),
            }),
        }
    }

    fn set_pause(&self, portal: &PortalId, pause: Option<&CommandPause>) -> Result<(), StoreError> {
        let path = self.pause(portal);
        match pause {
            Some(pause) => {
                StorePaths::new(self.root, portal).make()?;
                let bytes =
                    encode_pause(portal, pause).map_err(|problem| misread_at(&path, problem))?;
                write_private(&path, &bytes)
            }
            None => match std::fs::remove_file(&path) {
                Ok(()) => sync_folder(folder_of(&path)),
                Err(problem) if problem.kind() == io::ErrorKind::NotFound => Ok(()),
                Err(source) => Err(failed(tr_later!("cannot remove"), &path, source)),
            },
        }
    }

    fn pauses(&self, now: Timestamp) -> Result<BTreeMap<PortalId, CommandPause>, StoreError> {
        let portals = names(&self.root.join("portals"))?.into_iter();
        let portals = portals.filter_map(|name| PortalId::of_folder(&name));
        let paused = |portal: PortalId| self.read_pause(&portal, now).map(|pause| (portal, pause));
        Ok(portals.filter_map(paused).collect())
    }
}

/// Returns the name of the files of a fleet, without their ends. The name of a fleet is free text,
/// and may differ from another one in a sign that files lack.
pub fn fleet_file_name(fleet: &str) -> String {
    let name: String =
        fleet.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{name}-{}", Digest::hash(fleet.as_bytes()).short())
}

fn read_document<T>(
    path: &Path,
    decode: impl FnOnce(&[u8]) -> Result<T, FormatError>,
) -> Result<Option<T>, StoreError> {
    let bytes = read_optional(path, MAX_DOCUMENT_BYTES)?;
    bytes.map(|bytes| decode(&bytes)).transpose().map_err(|problem| misread_at(path, problem))
}

fn misread_at(path: &Path, problem: FormatError) -> StoreError {
    misread(&path.display().to_string(), problem, None)
}

/// Returns the names in a folder; none if it does not exist.
fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let unread = |source| failed(tr_later!("cannot read"), folder, source);
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(problem) if problem.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(unread(source)),
    };
    let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
    names.collect::<Result<_, _>>().map_err(unread)
}
