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
use std::sync::Arc;

use super::medium::{Log, Medium, MediumLock};
use super::place::{LinePart, Place, damaged, misread};
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
    name: String,
    log: Log,
    /// The digests of the stored bytes, by name.
    there: BTreeMap<Name, Digest>,
}

impl Backups {
    /// Opens the backups of a run, or creates the file. A torn last line is cut off.
    pub(super) async fn open(
        medium: &Medium,
        held: &MediumLock,
        run: &RunId,
    ) -> Result<Self, StoreError> {
        let place = Place::Backups(run.clone());
        let name = medium.name(&place);
        let bytes = medium.read(&place).await?.unwrap_or_default();
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
                    return Err(misread(&name, problem, Some(line.number)));
                }
                // Treated like a line with a wrong checksum: its layout is stored again on demand.
                Err(_) => {}
            }
        }
        let log = held.open_log(&place, bytes.get(..kept).unwrap_or_default()).await?;
        Ok(Self { name, log, there })
    }

    /// Adds the missing layouts and syncs them. When this returns, all of them survive a crash.
    pub(super) async fn add(&mut self, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
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
                encode_backup(&backup).map_err(|problem| misread(&self.name, problem, None))?;
            lines.push_str(&checked_line(&json));
            added.insert(name, bytes);
        }
        if !lines.is_empty() {
            self.log.append(lines).await?;
            self.there.extend(added);
        }
        Ok(())
    }
}

/// Returns the names of a run's backups in its undamaged lines.
pub(super) async fn names(medium: &Medium, run: &RunId) -> Result<Vec<Name>, StoreError> {
    Ok(Index::read(medium, run).await?.parts.into_keys().collect())
}

/// Index of a run's backups in their log.
#[derive(Debug)]
pub(super) struct Index {
    run: RunId,
    name: String,
    /// The length of the log when it was read.
    length: u64,
    /// The JSON object of each backup. The last one with a name counts.
    parts: BTreeMap<Name, LinePart>,
    /// The damage of the first line that cannot be read.
    damaged: Option<String>,
}

impl Index {
    async fn read(medium: &Medium, run: &RunId) -> Result<Self, StoreError> {
        let place = Place::Backups(run.clone());
        let length = medium.length(&place).await;
        let bytes = medium.read(&place).await?.unwrap_or_default();
        let name = medium.name(&place);
        let mut index = Self {
            run: run.clone(),
            name: name.clone(),
            length,
            parts: BTreeMap::new(),
            damaged: None,
        };
        for line in find_lines(&bytes).0 {
            match line {
                FoundLine::Whole { at, line } => match backup_name(line.json.as_bytes()) {
                    Ok(name) => {
                        let (begin, end) = (at as u64, (at + line.json.len()) as u64);
                        let part = LinePart { bytes: begin..end, number: line.number };
                        index.parts.insert(name, part);
                    }
                    Err(problem @ FormatError::TooNew { .. }) => {
                        return Err(misread(&name, problem, Some(line.number)));
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
    pub(super) async fn load(
        medium: &Medium,
        run: &RunId,
        there: Option<Arc<Self>>,
    ) -> Result<Arc<Self>, StoreError> {
        let length = medium.length(&Place::Backups(run.clone())).await;
        match there {
            Some(there) if there.run == *run && there.length == length => Ok(there),
            _ => Self::read(medium, run).await.map(Arc::new),
        }
    }

    /// Reads the backup of a target.
    pub(super) async fn backup(
        &self,
        medium: &Medium,
        target: CardKey,
        digest: Digest,
    ) -> Result<Layout, StoreError> {
        let names = [(Some(target), digest), (None, digest)];
        let Some(part) = names.iter().find_map(|name| self.parts.get(name)) else {
            return Err(match &self.damaged {
                Some(problem) => damaged(
                    &self.name,
                    format!("{problem}, and the backup {} is in no other", digest.short()),
                ),
                None => StoreError::Missing(format!("backup {} of {target}", digest.short())),
            });
        };
        let json = medium.read_part(&Place::Backups(self.run.clone()), part).await?;
        let number = part.number;
        let backup =
            decode_backup(&json).map_err(|problem| misread(&self.name, problem, Some(number)))?;
        if backup.layout.digest() != digest {
            let found = backup.layout.digest().short();
            return Err(damaged(
                &self.name,
                format!("line {number}: it holds another layout: {found}"),
            ));
        }
        Ok(backup.layout)
    }
}
