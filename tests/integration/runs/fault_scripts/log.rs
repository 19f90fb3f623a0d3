//! In-memory log that checks the order, can be read like a store, and can end a run in the middle.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use recard::model::{CardKey, Digest, Generation, Layout, LedgerEntry, RunId};
use recard::ports::{Archive, JournalRecord, RunLog, StoreError};
use tokio::sync::Notify;

#[derive(Default)]
pub struct Disk {
    pub backups: BTreeMap<(CardKey, Digest), Layout>,
    pub records: Vec<JournalRecord>,
}

/// The log; a clone writes to the same disk.
#[derive(Clone)]
pub struct Log {
    run: RunId,
    disk: Arc<Mutex<Disk>>,
    /// Tells when so many records were appended.
    cut: Option<(usize, Arc<Notify>)>,
}

impl Log {
    pub fn open(number: u32, header: JournalRecord, cut: Option<(usize, Arc<Notify>)>) -> Self {
        let disk = Disk { records: vec![header], ..Disk::default() };
        Self {
            run: RunId::new("20261101T090000Z", number).unwrap(),
            disk: Arc::new(Mutex::new(disk)),
            cut,
        }
    }

    pub fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap()
    }

    /// The process that goes on with the run is another one.
    pub fn reopened(&self) -> Self {
        Self { cut: None, ..self.clone() }
    }
}

impl RunLog for Log {
    fn run(&self) -> &RunId {
        &self.run
    }

    async fn save_backups(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        self.disk()
            .backups
            .extend(cards.iter().map(|(key, layout)| ((*key, layout.digest()), (*layout).clone())));
        Ok(())
    }

    async fn append(&mut self, records: &[JournalRecord]) -> Result<(), StoreError> {
        let mut disk = self.disk();
        for record in records {
            let intended: Vec<(CardKey, Digest)> = match record {
                JournalRecord::Intent { targets } => {
                    targets.iter().map(|(key, digest)| (*key, digest.unwrap())).collect()
                }
                JournalRecord::SetIntent { target, digest, .. } => vec![(*target, *digest)],
                _ => Vec::new(),
            };
            for card in intended {
                assert!(disk.backups.contains_key(&card), "{card:?} is written without a backup");
            }
        }
        disk.records.extend(records.iter().cloned());
        if let Some((after, notify)) = &self.cut
            && disk.records.len() > *after
        {
            notify.notify_one();
        }
        Ok(())
    }

    async fn record_reset(
        &mut self,
        _: &[(Generation, CardKey, LedgerEntry)],
    ) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Archive for Log {
    async fn journal(&self, _: &RunId) -> Result<Vec<JournalRecord>, StoreError> {
        Ok(self.disk().records.clone())
    }

    async fn backup(
        &self,
        _: &RunId,
        target: CardKey,
        digest: Digest,
    ) -> Result<Layout, StoreError> {
        let missing = || StoreError::Missing(format!("backup of {target}"));
        self.disk().backups.get(&(target, digest)).cloned().ok_or_else(missing)
    }
}
