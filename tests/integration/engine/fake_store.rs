//! In-memory journals, backups and ledger, which survive a killed process.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use recard::model::*;
use recard::ports::*;

use super::fake_portal::user;
use super::fuse::{Cut, Fuse};

/// State that survives a killed process.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) journals: BTreeMap<RunId, Vec<JournalRecord>>,
    pub(super) backups: BTreeMap<Digest, Layout>,
    pub(super) ledger: Ledger,
}

#[derive(Clone)]
pub(super) struct InMemoryLog {
    run: RunId,
    disk: Arc<Mutex<Disk>>,
    fuse: Fuse,
    cut: Cut,
    /// The records that were appended last without a sync: they are lost when everything ends.
    noted: Vec<JournalRecord>,
}

impl InMemoryLog {
    /// Opens a journal with its header; the header itself does not count as a step.
    pub(super) fn open(
        disk: &Arc<Mutex<Disk>>,
        number: u32,
        purpose: RunPurpose,
        targets: Vec<PlannedCard>,
    ) -> Self {
        let run = RunId::new("20261101T090000Z", number).unwrap();
        let header = RunHeader {
            purpose,
            portal: PortalId::new("company.bitrix24.com").unwrap(),
            caller: user(1),
            actor: String::new(),
            manifest: None,
            commit: None,
            ledger: None,
            reasons: Vec::new(),
            trust: None,
            targets,
        };
        disk.lock().unwrap().journals.insert(run.clone(), vec![JournalRecord::Opened(header)]);
        Self {
            run,
            disk: Arc::clone(disk),
            fuse: Fuse::default(),
            cut: Cut::Before,
            noted: Vec::new(),
        }
    }

    /// Reopens the log of a run.
    pub(super) fn again(disk: &Arc<Mutex<Disk>>, run: &RunId) -> Self {
        Self {
            run: run.clone(),
            disk: Arc::clone(disk),
            fuse: Fuse::default(),
            cut: Cut::Before,
            noted: Vec::new(),
        }
    }

    pub(super) fn cut(self, fuse: &Fuse, cut: Cut) -> Self {
        Self { fuse: fuse.clone(), cut, ..self }
    }

    pub(super) fn shared_disk(&self) -> Arc<Mutex<Disk>> {
        Arc::clone(&self.disk)
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    pub(super) fn records(&self) -> Vec<JournalRecord> {
        self.disk().journals[&self.run].clone()
    }

    fn write(&self, act: impl FnOnce(&mut Disk)) -> Result<(), StoreError> {
        self.fuse.step(self.cut, || act(&mut self.disk())).ok_or_else(|| StoreError::Io {
            doing: "cannot write",
            path: "store".into(),
            source: std::io::Error::other("the process died"),
        })
    }
}

impl RunLog for InMemoryLog {
    fn run(&self) -> &RunId {
        &self.run
    }

    async fn save_backups(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        self.write(|disk| {
            disk.backups
                .extend(cards.iter().map(|(_, layout)| (layout.digest(), (*layout).clone())))
        })
    }

    async fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        let noted = std::mem::take(&mut self.noted);
        self.write(|disk| {
            let journal = disk.journals.entry(self.run.clone()).or_default();
            journal.extend(noted.into_iter().chain(records.iter().cloned()));
        })
    }

    async fn append_unsynced(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        // A part of the unsynced records may have reached the disk anyway.
        let noted = std::mem::replace(&mut self.noted, records.to_vec());
        self.write(|disk| disk.journals.entry(self.run.clone()).or_default().extend(noted))
    }

    async fn sync(&mut self) -> Result<(), StoreError> {
        self.append(&[]).await
    }

    async fn record_reset(
        &mut self,
        entries: &[(Generation, CardKey, LedgerEntry)],
    ) -> Result<(), StoreError> {
        self.write(|disk| {
            for (generation, key, entry) in entries {
                disk.ledger.record_reset(generation.clone(), *key, *entry);
            }
        })
    }
}

impl Archive for InMemoryLog {
    async fn journal(&self, run: &RunId) -> Result<Vec<JournalRecord>, StoreError> {
        self.disk()
            .journals
            .get(run)
            .cloned()
            .ok_or_else(|| StoreError::Missing(format!("run {run}")))
    }

    async fn backup(
        &self,
        _run: &RunId,
        target: CardKey,
        digest: Digest,
    ) -> Result<Layout, StoreError> {
        self.disk()
            .backups
            .get(&digest)
            .cloned()
            .ok_or_else(|| StoreError::Missing(format!("backup of {target}")))
    }
}
