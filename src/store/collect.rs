//! Deletion of old backups, which only a store in a database knows.

use std::collections::BTreeSet;

use super::place::Place;
use super::{Store, WriteGuard};
use crate::model::{Digest, RunId};
use crate::ports::StoreError;
use crate::records::{
    CollectedBackups, FoundLine, backup_name, decode_collected, encode_collected, find_lines,
};

/// Lines of a run's backups that may be deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeletableBackups {
    /// The lines, whole.
    lines: Vec<String>,
}

impl DeletableBackups {
    /// Returns the number of layouts.
    pub fn count(&self) -> usize {
        self.lines.len()
    }

    /// Returns the number of bytes.
    pub fn bytes(&self) -> usize {
        self.lines.iter().map(String::len).sum()
    }
}

impl Store {
    /// Returns the mark of a run whose old backups were deleted.
    ///
    /// # Errors
    ///
    /// If it cannot be read or is damaged.
    pub async fn collected(&self, run: &RunId) -> Result<Option<CollectedBackups>, StoreError> {
        self.document(&Place::Collected(run.clone()), decode_collected).await
    }

    /// Returns the error for a backup that is not there.
    pub(super) async fn missing_backup(&self, run: &RunId, what: String) -> StoreError {
        match self.collected(run).await {
            Ok(Some(CollectedBackups { at })) => {
                let at = at.strftime("%Y-%m-%dT%H:%M:%SZ");
                StoreError::Missing(format!(
                    "{what} any more: `recard store gc` deleted it at {at}"
                ))
            }
            Ok(None) => StoreError::Missing(what),
            Err(problem) => problem,
        }
    }

    /// Returns the backups of a run but those with these digests. Damaged lines are never among
    /// them.
    pub async fn deletable_backups(
        &self,
        run: &RunId,
        kept: &BTreeSet<Digest>,
    ) -> Result<DeletableBackups, StoreError> {
        let bytes = self.medium.read(&Place::Backups(run.clone())).await?.unwrap_or_default();
        let mut lines = Vec::new();
        for line in find_lines(&bytes).0 {
            let FoundLine::Whole { at, line } = line else { continue };
            match backup_name(line.json.as_bytes()) {
                Ok((_, digest)) if !kept.contains(&digest) => {
                    // The checksum stands in front of the object.
                    let mut begin = bytes.get(..at).unwrap_or_default().iter();
                    let begin = begin.rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
                    let whole = bytes.get(begin..at + line.json.len()).unwrap_or_default();
                    lines.push(String::from_utf8_lossy(whole).into_owned());
                }
                _ => {}
            }
        }
        Ok(DeletableBackups { lines })
    }
}

impl WriteGuard {
    /// Deletes backups of a run, and marks the run: without the mark they would count as lost, and
    /// with it a backup that is lost later would count as deleted.
    ///
    /// # Errors
    ///
    /// If the store is a folder, which keeps everything, or refuses. Then nothing has changed.
    pub async fn delete_backups(
        &mut self,
        run: &RunId,
        backups: &DeletableBackups,
    ) -> Result<(), StoreError> {
        let mark = encode_collected(CollectedBackups { at: self.clock.now() });
        let place = Place::Collected(run.clone());
        let mark = mark.map_err(|problem| self.store().misread(&place, problem))?;
        self.held.delete_lines(run, &backups.lines, &mark).await
    }
}
