//! Backups: the layouts that a run removes, in one file beside its journal.
//!
//! One line holds one layout, with a checksum as in the journal, and people with the same layout
//! share a line. It is one file and not a folder of files because the sync is the slow part: one
//! sync covers the layouts of several requests. The folder of a run holds everything that a restore
//! needs.
//!
//! One damaged line must not cost the others. The file is read line by line, and a missing layout
//! is reported as damaged if a damaged line could have held it.

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

/// Key of a backup: the digest, and the target if the target has a line of its own.
type Name = (Option<CardKey>, Digest);

/// The right to add backups to a run.
#[derive(Debug)]
pub(super) struct Backups {
    path: PathBuf,
    file: AppendLog,
    /// The digests of the stored bytes, by name.
    there: BTreeMap<Name, Digest>,
}

impl Backups {
    /// Opens the backups of a run, or creates the file. A torn last line is cut off.
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
                // Treated like a line with a wrong checksum: its layout is stored again on demand.
                Err(_) => {}
            }
        }
        let mut file = AppendLog::open(&path, kept)?;
        file.end_line(bytes.get(..kept).unwrap_or_default())?;
        // The file may be new.
        sync_folder(folder_of(&path))?;
        Ok(Self { path, file, there })
    }

    /// Adds the missing layouts and syncs them. When this returns, all of them survive a crash.
    pub(super) fn add(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
        let mut lines = String::new();
        let mut added: BTreeMap<Name, Digest> = BTreeMap::new();
        for (target, layout) in cards {
            let bytes = Digest::hash(layout.as_json().as_bytes());
            let of = |name: Name| added.get(&name).or_else(|| self.there.get(&name)).copied();
            let name = match of((None, layout.digest())) {
                None => (None, layout.digest()),
                Some(same) if same == bytes => continue,
                // The same layout in other bytes, such as another order of keys.
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

/// Returns the names of a run's backups in its undamaged lines.
pub(super) fn names(paths: &StorePaths, run: &RunId) -> Result<Vec<Name>, StoreError> {
    Ok(Index::read(&paths.backups(run), run)?.places.into_keys().collect())
}

/// Index of a run's backups in their file.
#[derive(Debug)]
pub(super) struct Index {
    run: RunId,
    path: PathBuf,
    /// The length of the file when it was read.
    length: u64,
    /// The range of the JSON object of each backup, and its line. The last one with a name counts.
    places: BTreeMap<Name, (Range<u64>, usize)>,
    /// The damage of the first line that cannot be read.
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

    /// Returns the index of a run's backups: the present one, if the file has not changed.
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
