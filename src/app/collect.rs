//! Use case: choose the old backups that may be deleted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::Error;
use crate::engine;
use crate::model::{CardKey, Digest, RunId};
use crate::ports::Archive as _;
use crate::store::{DeletableBackups, RunEnd, Store};

/// Returns the backups of a portal that may be deleted, by run: those of closed runs that began
/// before a time and are not among the newest `keep`, but for the newest backup of each card.
///
/// # Errors
///
/// If a journal or the backups cannot be read.
pub async fn deletable_backups(
    store: &Store,
    before: Timestamp,
    keep: usize,
) -> Result<BTreeMap<RunId, DeletableBackups>, Error> {
    // A run id begins with the time of its start.
    let before = before.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut seen: BTreeSet<CardKey> = BTreeSet::new();
    let mut deletable = BTreeMap::new();
    for (age, run) in store.run_ids().await?.into_iter().rev().enumerate() {
        let mut newest: BTreeSet<Digest> = BTreeSet::new();
        let needed = engine::needed_backups(&store.journal(&run).await?)?;
        for (key, digest) in needed {
            if seen.insert(key) {
                newest.insert(digest);
            }
        }
        let is_closed = matches!(store.summary(&run).await?.end, RunEnd::Closed(_));
        if age < keep || !is_closed || run.as_str() >= before.as_str() {
            continue;
        }
        let backups = store.deletable_backups(&run, &newest).await?;
        if backups.count() > 0 {
            deletable.insert(run, backups);
        }
    }
    Ok(deletable)
}
