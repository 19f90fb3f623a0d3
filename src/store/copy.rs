//! Copy of the records of a portal into another store, which is in charge from then on.

use std::sync::Arc;

use thiserror::Error;

use super::audit_log::ReadAuditLog;
use super::medium::{Medium, MediumLock};
use super::place::Place;
use super::{Store, StoreLocation, WriteGuard};
use crate::i18n::Text;
use crate::model::{PortalId, RunId};
use crate::ports::{Archive as _, Clock, LockOwner, StoreError};

/// Number of lines that go to the target at a time.
const LINES_AT_A_TIME: usize = 500;

/// Maximum number of bytes of these lines, unless one alone has more.
const BYTES_AT_A_TIME: usize = 4 << 20;

/// Records that were copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopySummary {
    /// Runs.
    pub runs: usize,
    /// Events of the audit log.
    pub events: usize,
}

/// Reason for which records were not copied.
#[derive(Debug, Error)]
pub enum CopyError {
    /// The target holds records of the portal.
    #[error("{}", tr!("{target} holds records of {portal} already", target = .0, portal = .1))]
    NotEmpty(String, String),
    /// A record of the target differs from that of the source.
    #[error("{}", tr!("{copy} differs from {original} after the copy", copy = .0, original = .1))]
    Differs(String, String),
    /// A store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Store {
    /// Opens the part of a store that belongs to a portal, unless it has moved.
    ///
    /// # Errors
    ///
    /// As [`Store::open`] and [`Store::refuse_moved`].
    pub async fn open_current(
        location: &StoreLocation,
        portal: &PortalId,
    ) -> Result<Self, StoreError> {
        let store = Self::open(location, portal)?;
        store.refuse_moved().await?;
        Ok(store)
    }

    /// Returns the store to which the records have moved, if they have.
    ///
    /// # Errors
    ///
    /// If the mark cannot be read.
    pub async fn moved_to(&self) -> Result<Option<String>, StoreError> {
        let mark = self.medium.read(&Place::Moved).await?;
        Ok(mark.map(|mark| String::from_utf8_lossy(&mark).trim_end().to_owned()))
    }

    /// Refuses a store whose records have moved: its ledger and its list of used plans are old.
    ///
    /// # Errors
    ///
    /// [`StoreError::Moved`] if they have; or if the mark cannot be read.
    pub async fn refuse_moved(&self) -> Result<(), StoreError> {
        match self.moved_to().await? {
            Some(to) => Err(StoreError::Moved { portal: self.portal.clone(), to }),
            None => Ok(()),
        }
    }

    /// Copies all records into another store, compares them, and marks this one as moved. Both
    /// locks are held meanwhile. `name` is the target's place, for the mark.
    ///
    /// # Errors
    ///
    /// If a lock is held, the audit log or a journal of this store is damaged, the target holds
    /// records of the portal, or the copy differs. Then this store stays in charge.
    pub async fn move_to(
        &self,
        target: &Self,
        name: &str,
        owner: &LockOwner,
        clock: &Arc<dyn Clock>,
    ) -> Result<(CopySummary, Vec<Text>), CopyError> {
        let (from, note) = self.lock(owner.clone(), Arc::clone(clock)).await?;
        let mut notes: Vec<Text> = note.into_iter().collect();
        // A lock that was left behind writes to the audit log of the target.
        let used = target.medium.has_records().await?;
        if used {
            return Err(CopyError::NotEmpty(name.to_owned(), self.portal.to_string()));
        }
        let (to, note) = target.lock(owner.clone(), Arc::clone(clock)).await?;
        notes.extend(note);
        let runs = self.run_ids().await?;
        for run in &runs {
            self.journal(run).await?;
        }
        let places = places(&runs);
        for place in &places {
            self.copy(place, &to).await?;
        }
        for place in &places {
            self.compare(place, target).await?;
        }
        let events = ReadAuditLog::read(&target.medium, &target.portal).await?.lines.len();
        if events != self.audit_entries().await?.len() {
            let places = (target.medium.name(&Place::Audit), self.medium.name(&Place::Audit));
            return Err(CopyError::Differs(places.0, places.1));
        }
        from.held.replace(&Place::Moved, format!("{name}\n").into_bytes()).await?;
        Ok((CopySummary { runs: runs.len(), events }, notes))
    }

    async fn copy(&self, place: &Place, to: &WriteGuard) -> Result<(), StoreError> {
        let Some(mut bytes) = self.medium.read(place).await? else { return Ok(()) };
        if !place.is_log() {
            return to.held.replace(place, bytes).await;
        }
        whole_lines(&mut bytes);
        let text = String::from_utf8(bytes).map_err(|_| self.damaged(place, "it is not UTF-8"))?;
        let mut log = None;
        for chunk in chunks(&text) {
            log = Some(match log {
                None => start(&to.held, place, chunk).await?,
                Some(mut log) => {
                    super::medium::Log::append(&mut log, chunk).await?;
                    log
                }
            });
        }
        Ok(())
    }

    /// Compares a record with its copy.
    async fn compare(&self, place: &Place, target: &Self) -> Result<(), CopyError> {
        let is_same = if *place == Place::Ledger {
            // People may have edited the file.
            self.ledger().await? == target.ledger().await?
        } else {
            let mut original = self.medium.read(place).await?;
            if place.is_log() {
                original.as_mut().map(whole_lines);
            }
            original.filter(|bytes| !bytes.is_empty()) == target.medium.read(place).await?
        };
        match is_same {
            true => Ok(()),
            false => Err(CopyError::Differs(target.medium.name(place), self.medium.name(place))),
        }
    }
}

impl Medium {
    /// Returns `true` if there is a run, an event or a document of the portal.
    async fn has_records(&self) -> Result<bool, StoreError> {
        if !self.run_ids().await?.is_empty() {
            return Ok(true);
        }
        for place in &places(&[]) {
            if self.read(place).await?.is_some_and(|bytes| !bytes.is_empty()) {
                return Ok(true);
            }
        }
        Ok(self.read(&Place::Moved).await?.is_some())
    }
}

/// Begins a log with its first lines.
async fn start(
    held: &MediumLock,
    place: &Place,
    lines: String,
) -> Result<super::medium::Log, StoreError> {
    if matches!(place, Place::Journal(_)) {
        return held.create_log(place, lines).await;
    }
    let mut log = held.open_log(place, &[]).await?;
    log.append(lines).await?;
    Ok(log)
}

/// Returns all records of a portal with these runs. A journal comes behind what belongs to its
/// run, because a run is there once its journal is.
fn places(runs: &[RunId]) -> Vec<Place> {
    let mut places = vec![
        Place::LimiterState,
        Place::ReadProof,
        Place::FieldLabels,
        Place::Ledger,
        Place::Selection,
        Place::UsedPlans,
        Place::Audit,
    ];
    for run in runs {
        places.extend([
            Place::Plan(run.clone()),
            Place::Backups(run.clone()),
            Place::Report(run.clone()),
            Place::Collected(run.clone()),
            Place::Journal(run.clone()),
        ]);
    }
    places
}

/// Leaves out a torn line at the end.
fn whole_lines(bytes: &mut Vec<u8>) {
    let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes.truncate(end);
}

/// Cuts a text into pieces of whole lines.
fn chunks(text: &str) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let mut lines = 0;
    for line in text.split_inclusive('\n') {
        let fits =
            |chunk: &String| lines < LINES_AT_A_TIME && chunk.len() + line.len() <= BYTES_AT_A_TIME;
        match chunks.last_mut().filter(|chunk| fits(chunk)) {
            Some(chunk) => chunk.push_str(line),
            None => {
                chunks.push(line.to_owned());
                lines = 0;
            }
        }
        lines += 1;
    }
    chunks
}
