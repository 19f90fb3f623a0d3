//! Backups: one file for a layout, whoever had it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::file::{damaged, folder_of, make_folder, place_private, read_if_there, sync_folder};
use super::folders::Folders;
use super::misread;
use crate::format::{FormatError, decode_backup, encode_backup};
use crate::model::{CardKey, Digest, Layout, RunId};
use crate::port::StoreError;

/// Writes backups that are not there yet, and syncs everything once at the end.
pub(super) fn write(folders: &Folders, run: &RunId, cards: &[(CardKey, &Layout)]) -> Result<(), StoreError> {
    let mut touched: BTreeSet<PathBuf> = BTreeSet::new();
    for (target, layout) in cards {
        let shared = folders.backup(layout.digest());
        let path = match whats_there(&shared)? {
            // The same meaning in other bytes, such as another order of keys: this run keeps its own.
            There::Layout(other) if other.as_json() != layout.as_json() => {
                folders.own_backup(run, *target, layout.digest())
            }
            There::Layout(_) | There::Nothing | There::Damaged => shared,
        };
        let folder = folder_of(&path).to_owned();
        make_folder(&folder)?;
        match whats_there(&path)? {
            There::Layout(same) if same.as_json() == layout.as_json() => {}
            // A damaged file is of no use to anybody, and here is what should stand in it.
            There::Layout(_) | There::Nothing | There::Damaged => {
                let bytes = encode_backup(layout).map_err(|problem| misread(&path, problem, None))?;
                place_private(&path, &bytes)?;
            }
        }
        // Also where the file was there already: whoever wrote it may have been cut before the folder was synced.
        touched.insert(folder);
    }
    touched.iter().try_for_each(|folder| sync_folder(folder))
}

/// Reads the backup of a target in a run.
pub(super) fn read(folders: &Folders, run: &RunId, target: CardKey, digest: Digest) -> Result<Layout, StoreError> {
    for path in [folders.own_backup(run, target, digest), folders.backup(digest)] {
        let Some(bytes) = read_if_there(&path)? else { continue };
        let layout = decode_backup(&bytes).map_err(|problem| misread(&path, problem, None))?;
        if layout.digest() != digest {
            return Err(damaged(&path, format!("it holds another layout: {}", layout.digest().short())));
        }
        return Ok(layout);
    }
    Err(StoreError::Missing(format!("backup {} of {target}", digest.short())))
}

/// What stands in the place of a backup.
enum There {
    Nothing,
    Layout(Layout),
    Damaged,
}

fn whats_there(path: &Path) -> Result<There, StoreError> {
    let Some(bytes) = read_if_there(path)? else { return Ok(There::Nothing) };
    match decode_backup(&bytes) {
        Ok(layout) => Ok(There::Layout(layout)),
        // Not ours to replace: a newer recard will read it.
        Err(problem @ FormatError::TooNew { .. }) => Err(misread(path, problem, None)),
        Err(_) => Ok(There::Damaged),
    }
}
