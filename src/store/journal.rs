//! Reading of journals.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::bounded_read::open_file;
use super::file::{damaged, failed, open_optional};
use super::misread;
use super::paths::StorePaths;
use crate::model::RunId;
use crate::ports::{JournalRecord, StoreError};
use crate::records::{LineError, check_line, decode_record, numbered_record, read_lines};

/// Number of bytes at the end of a journal that show if its run is closed: a `closed` line has some
/// 120 bytes.
const LAST_BYTES: u64 = 1024;

/// Reads a journal. A torn last line is left out. The first line cannot be torn, since a journal is
/// created atomically with it.
pub(super) fn read(paths: &StorePaths, run: &RunId) -> Result<Vec<JournalRecord>, StoreError> {
    Records::open(paths, run)?.collect()
}

/// Iterator over the records of a journal, because a journal is much longer than its summary. It
/// ends after an error.
#[derive(Debug)]
pub(super) struct Records {
    path: PathBuf,
    file: BufReader<File>,
    /// The number of the last line, from 1.
    number: usize,
    end: ReadState,
}

/// State of the iterator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadState {
    Ahead,
    Reached,
}

impl Records {
    pub(super) fn open(paths: &StorePaths, run: &RunId) -> Result<Self, StoreError> {
        let path = paths.journal(run);
        let file = open_optional(&path)?
            .ok_or_else(|| StoreError::Missing(format!("journal of the run {run}")))?;
        Ok(Self { path, file, number: 0, end: ReadState::Ahead })
    }

    fn read(&mut self) -> Result<Option<JournalRecord>, StoreError> {
        let mut part = Vec::new();
        let read = self.file.read_until(b'\n', &mut part);
        read.map_err(|source| failed(tr_later!("cannot read"), &self.path, source))?;
        self.number += usize::from(!part.is_empty());
        let number = self.number;
        let found =
            read_lines(&part).map_err(|_| damaged(&self.path, LineError { number }.to_string()))?;
        let Some(line) = found.lines.first() else {
            let has_none_before = number == usize::from(!part.is_empty());
            return if has_none_before {
                Err(damaged(&self.path, "it has no whole line"))
            } else {
                Ok(None)
            };
        };
        let record = decode_record(u32::try_from(number).unwrap_or(u32::MAX), line.json);
        let record = record.map_err(|problem| misread(&self.path, problem, Some(number)))?;
        if matches!(record, JournalRecord::Opened(_)) == (number == 1) {
            Ok(Some(record))
        } else {
            Err(damaged(&self.path, "the head of the run does not stand in the first line alone"))
        }
    }
}

impl Iterator for Records {
    type Item = Result<JournalRecord, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.end == ReadState::Reached {
            return None;
        }
        let next = self.read().transpose();
        if !matches!(next, Some(Ok(_))) {
            self.end = ReadState::Reached;
        }
        next
    }
}

/// Returns `true` if the last line of a journal closes the run. Reads the end of the file only;
/// after `false` the whole journal has to be read.
pub(super) fn surely_closed(path: &Path) -> Result<bool, StoreError> {
    let read = || {
        let mut file = open_file(path, File::options().read(true))?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LAST_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(LAST_BYTES).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes: Vec<u8> = read().map_err(|source| failed(tr_later!("cannot read"), path, source))?;
    let last =
        bytes.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next());
    let record = last.and_then(check_line).map(numbered_record);
    Ok(matches!(record, Some(Ok((_, JournalRecord::Closed { .. })))))
}
