//! Backups: the layouts that a run removes, in one file beside its journal.
//!
//! One line holds one layout, guarded like the lines of a journal, and many people who have the
//! same share it. A file and not a folder of them, because what costs time is the sync: it is one
//! for the layouts of several requests, however many they are. And the folder of a run holds all
//! that it takes to undo it.
//!
//! One damaged line is no reason to give up the others. So a file is read line by line, and a
//! layout that is wanted and not found is called damaged if it could have stood in such a line.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::append_log::AppendLog;
use super::file::{MAX_LOG_BYTES, damaged, folder_of, read_optional, read_part, sync_folder};
use super::misread;
use super::paths::StorePaths;
use crate::model::{CardKey, Digest, Layout, RunId};
use crate::ports::StoreError;
use crate::records::{
    Backup, FormatError, FoundLine, backup_name, checked_line, decode_backup, encode_backup,
    find_lines,
};

/// By what a backup is found: the digest, and the target if it has one of its own.
type Name = (Option<CardKey>, Digest);

/// The right to add backups to a run.
#[derive(Debug)]
pub(super) struct Backups {
    path: PathBuf,
    file: AppendLog,
    /// The digests of the bytes of what is there.
    there: BTreeMap<Name, Digest>,
}

impl Backups {
    /// Opens the backups of a run, or makes a file for them. A torn last line is cut off.
    pub(super) fn open(paths: &StorePaths, run: &RunId) -> Result<Self, StoreError> {
        let path = paths.backups(run);
        let bytes = read_optional(&path, MAX_LOG_BYTES)?.unwrap_or_default();
        let (lines, kept) = find_lines(&bytes);
        let mut there = BTreeMap::new();
        for line in lines {
            let FoundLine::Whole { at: _, line } = line else { continue };
            match decode_backup(line.json.as_bytes()) {
                Ok(Backup { target, layout }) => {
                    there.insert(
                        (target, layout.digest()),
                        Digest::hash(layout.as_json().as_bytes()),
                    );
                }
                Err(problem @ FormatError::TooNew { .. }) => {
                    return Err(misread(&path, problem, Some(line.number)));
                }
                // Damaged, like a line that does not fit its checksum: what stood there is kept
                // anew if it is wanted.
                Err(_) => {}
            }
        }
        let mut file = AppendLog::open(&path, kept)?;
        file.end_line(bytes.get(..kept).unwrap_or_default())?;
        // The file may be new.
        sync_folder(folder_of(&path))?;
        Ok(Self { path, file, there })
    }

    /// Adds what is not there yet, and syncs it. When this returns, all of it survives a crash.
    pub(super) fn add(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        let mut lines = String::new();
        let mut added: BTreeMap<Name, Digest> = BTreeMap::new();
        for (target, layout) in cards {
            let bytes = Digest::hash(layout.as_json().as_bytes());
            let of = |name: Name| added.get(&name).or_else(|| self.there.get(&name)).copied();
            let name = match of((None, layout.digest())) {
                None => (None, layout.digest()),
                Some(same) if same == bytes => continue,
                // The same meaning in other bytes, such as another order of keys.
                Some(_) => (Some(*target), layout.digest()),
            };
            if of(name) == Some(bytes) {
                continue;
            }
            let backup = Backup { target: name.0, layout: (*layout).clone() };
            let json =
                encode_backup(&backup).map_err(|problem| misread(&self.path, problem, None))?;
            lines.push_str(&checked_line(&json));
            added.insert(name, bytes);
        }
        if !lines.is_empty() {
            self.file.append(&lines)?;
            self.there.extend(added);
        }
        Ok(())
    }
}

/// The names of a run's backups, as far as its lines are whole.
pub(super) fn names(paths: &StorePaths, run: &RunId) -> Result<Vec<Name>, StoreError> {
    Ok(Index::read(&paths.backups(run), run)?.places.into_keys().collect())
}

/// Where the backups of a run stand in their file.
#[derive(Debug)]
pub(super) struct Index {
    run: RunId,
    path: PathBuf,
    /// How long the file was.
    length: u64,
    /// Where the JSON object of each is, and in which line. The last one with a name counts.
    places: BTreeMap<Name, (Range<u64>, usize)>,
    /// What is wrong with the first line that cannot be read.
    damaged: Option<String>,
}

impl Index {
    fn read(path: &Path, run: &RunId) -> Result<Self, StoreError> {
        let bytes = read_optional(path, MAX_LOG_BYTES)?.unwrap_or_default();
        let mut index = Self {
            run: run.clone(),
            path: path.to_owned(),
            length: bytes.len() as u64,
            places: BTreeMap::new(),
            damaged: None,
        };
        for line in find_lines(&bytes).0 {
            match line {
                FoundLine::Whole { at, line } => match backup_name(line.json.as_bytes()) {
                    Ok(name) => {
                        let (begin, end) = (at as u64, (at + line.json.len()) as u64);
                        index.places.insert(name, (begin..end, line.number));
                    }
                    Err(problem @ FormatError::TooNew { .. }) => {
                        return Err(misread(path, problem, Some(line.number)));
                    }
                    Err(problem) => {
                        index
                            .damaged
                            .get_or_insert_with(|| format!("line {}: {problem}", line.number));
                    }
                },
                FoundLine::Damaged(problem) => {
                    index.damaged.get_or_insert_with(|| problem.to_string());
                }
            }
        }
        Ok(index)
    }

    /// The index of a run's backups: the one that is there, if it is still right.
    pub(super) fn load(
        paths: &StorePaths,
        run: &RunId,
        there: Option<&Arc<Self>>,
    ) -> Result<Arc<Self>, StoreError> {
        let path = paths.backups(run);
        let length = std::fs::metadata(&path).map_or(0, |there| there.len());
        match there {
            Some(there) if there.run == *run && there.length == length => Ok(Arc::clone(there)),
            _ => Self::read(&path, run).map(Arc::new),
        }
    }

    /// Reads the backup of a target.
    pub(super) fn backup(&self, target: CardKey, digest: Digest) -> Result<Layout, StoreError> {
        let names = [(Some(target), digest), (None, digest)];
        let Some((place, number)) = names.iter().find_map(|name| self.places.get(name)) else {
            return Err(match &self.damaged {
                Some(problem) => damaged(
                    &self.path,
                    format!("{problem}, and the backup {} is in no other", digest.short()),
                ),
                None => StoreError::Missing(format!("backup {} of {target}", digest.short())),
            });
        };
        let json = read_part(&self.path, place.clone())?;
        let backup =
            decode_backup(&json).map_err(|problem| misread(&self.path, problem, Some(*number)))?;
        if backup.layout.digest() != digest {
            let found = backup.layout.digest().short();
            return Err(damaged(
                &self.path,
                format!("line {number}: it holds another layout: {found}"),
            ));
        }
        Ok(backup.layout)
    }
}
