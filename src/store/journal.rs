//! Reading of journals.

use super::medium::Medium;
use super::place::{Place, damaged, misread};
use crate::model::RunId;
use crate::ports::{JournalRecord, StoreError};
use crate::records::{LineError, check_line, decode_record, numbered_record, read_lines};

/// Journal of a run, as bytes.
pub(super) struct Journal {
    name: String,
    bytes: Vec<u8>,
}

impl Journal {
    pub(super) async fn read(medium: &Medium, run: &RunId) -> Result<Self, StoreError> {
        let bytes = read_bytes(medium, run).await?;
        Ok(Self { name: medium.name(&Place::Journal(run.clone())), bytes })
    }

    /// Returns the records, one at a time: together they are much longer than their summary. The
    /// last is an error, if there is one. A torn last line is left out; the first line cannot be
    /// torn, since a journal is created atomically with it.
    pub(super) fn records(&self) -> impl Iterator<Item = Result<JournalRecord, StoreError>> {
        let mut parts = (1..).zip(self.bytes.split_inclusive(|byte| *byte == b'\n'));
        let mut is_ended = false;
        let empty = self.bytes.is_empty().then(|| Err(self.without_line()));
        empty.into_iter().chain(std::iter::from_fn(move || {
            let (number, part) = parts.next().filter(|_| !is_ended)?;
            let record = self.record(number, part).transpose();
            is_ended = !matches!(record, Some(Ok(_)));
            record
        }))
    }

    fn without_line(&self) -> StoreError {
        damaged(&self.name, "it has no whole line")
    }

    fn record(&self, number: usize, part: &[u8]) -> Result<Option<JournalRecord>, StoreError> {
        let found =
            read_lines(part).map_err(|_| damaged(&self.name, LineError { number }.to_string()))?;
        let Some(line) = found.lines.first() else {
            return if number == 1 { Err(self.without_line()) } else { Ok(None) };
        };
        let record = decode_record(u32::try_from(number).unwrap_or(u32::MAX), line.json);
        let record = record.map_err(|problem| misread(&self.name, problem, Some(number)))?;
        if matches!(record, JournalRecord::Opened(_)) == (number == 1) {
            Ok(Some(record))
        } else {
            Err(damaged(&self.name, "the head of the run does not stand in the first line alone"))
        }
    }
}

/// Reads the bytes of a journal.
///
/// # Errors
///
/// [`StoreError::Missing`] if there is no such run, [`StoreError::Damaged`] if the run has lost its
/// journal, [`StoreError::Unreadable`] if the file system refuses.
pub(super) async fn read_bytes(medium: &Medium, run: &RunId) -> Result<Vec<u8>, StoreError> {
    let place = Place::Journal(run.clone());
    match medium.read(&place).await {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) if medium.run_ids().await?.contains(run) => {
            Err(damaged(&medium.name(&place), "it is missing"))
        }
        Ok(None) => Err(StoreError::Missing(format!("journal of the run {run}"))),
        Err(source @ StoreError::Io { .. }) => {
            Err(StoreError::Unreadable { run: run.clone(), source: Box::new(source) })
        }
        Err(problem) => Err(problem),
    }
}

/// Returns `true` if the last line of a journal closes the run. Reads the end of the journal only;
/// after `false` the whole journal has to be read.
pub(super) async fn surely_closed(medium: &Medium, run: &RunId) -> Result<bool, StoreError> {
    let bytes = match medium.read_end(&Place::Journal(run.clone())).await {
        Err(StoreError::Io { .. }) => return Ok(false),
        read => read?,
    };
    let last =
        bytes.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next());
    let record = last.and_then(check_line).map(numbered_record);
    Ok(matches!(record, Some(Ok((_, JournalRecord::Closed { .. })))))
}
