//! Copy of the records of a portal into another store, which is in charge from then on.

use std::sync::Arc;

use thiserror::Error;

use super::audit_log::ReadAuditLog;
use super::medium::MediumLock;
use super::place::Place;
use super::{Store, StoreLocation};
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
    /// locks are held meanwhile. `name` is the target's place, for the mark. A copy that was
    /// interrupted goes on.
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
        let runs = self.run_ids().await?;
        let places = places(&runs);
        if !target.holds_part_of(self, &runs, &places).await? {
            return Err(CopyError::NotEmpty(name.to_owned(), self.portal.to_string()));
        }
        // Not that of the store: one that an interrupted copy left behind would write to the audit
        // log of the target.
        let (to, note) = target.medium.lock(owner.clone(), clock).await?;
        notes.extend(note);
        for run in &runs {
            self.journal(run).await?;
        }
        for place in &places {
            self.copy(place, target, &to).await?;
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

    /// Returns `true` if this store holds nothing but what an interrupted copy from another one
    /// left: beginnings of its logs, and documents of it.
    async fn holds_part_of(
        &self,
        source: &Self,
        runs: &[RunId],
        places: &[Place],
    ) -> Result<bool, StoreError> {
        let mine = self.run_ids().await?;
        if self.moved_to().await?.is_some() || !mine.iter().all(|run| runs.contains(run)) {
            return Ok(false);
        }
        let mut has_history = false;
        for place in places {
            let Some(part) = self.medium.read(place).await?.filter(|part| !part.is_empty()) else {
                continue;
            };
            let is_part = match place {
                // Any command of the source writes them anew.
                Place::LimiterState | Place::ReadProof | Place::FieldLabels if has_history => true,
                Place::Ledger => self.ledger().await? == source.ledger().await?,
                _ => {
                    let whole = source.medium.read(place).await?.unwrap_or_default();
                    if place.is_log() { whole.starts_with(&part) } else { whole == part }
                }
            };
            if !is_part {
                return Ok(false);
            }
            has_history |= place.is_log();
        }
        Ok(true)
    }

    /// Copies a record. Of a log, what an interrupted copy did not.
    async fn copy(&self, place: &Place, target: &Self, to: &MediumLock) -> Result<(), StoreError> {
        let Some(mut bytes) = self.medium.read(place).await? else { return Ok(()) };
        if !place.is_log() {
            return to.replace(place, bytes).await;
        }
        whole_lines(&mut bytes);
        let mut there = target.medium.read(place).await?.unwrap_or_default();
        whole_lines(&mut there);
        let rest = bytes.split_off(there.len().min(bytes.len()));
        let text = String::from_utf8(rest).map_err(|_| self.damaged(place, "it is not UTF-8"))?;
        let mut log = match there.is_empty() {
            true => None,
            false => Some(to.open_log(place, &there).await?),
        };
        for chunk in chunks(&text) {
            log = Some(match log {
                None => start(to, place, chunk).await?,
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

/// Returns all records of a portal with these runs. The audit log comes first, so that a copy that
/// was interrupted shows. A journal comes behind what belongs to its run, because a run is there
/// once its journal is.
fn places(runs: &[RunId]) -> Vec<Place> {
    let mut places = vec![
        Place::Audit,
        Place::LimiterState,
        Place::ReadProof,
        Place::FieldLabels,
        Place::Ledger,
        Place::Selection,
        Place::UsedPlans,
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
