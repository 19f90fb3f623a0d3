//! Tests of the store on real folders.

mod corruption;
mod locking;
mod runs;
mod salvage;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::folder::{StorePaths, write_private};
use super::*;
use crate::i18n::Text;
use crate::ports::{Clock, LockOwner};
use crate::records::samples;

/// Clock that stands still.
struct Standing;

impl Clock for Standing {
    fn now(&self) -> jiff::Timestamp {
        "2026-11-01T09:00:00Z".parse().unwrap()
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(Standing)
}

/// Store in a temporary folder.
struct World {
    folder: tempfile::TempDir,
    store: Store,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store").into(), &samples::portal()).unwrap();
        Self { folder, store }
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    fn paths(&self) -> StorePaths {
        self.paths_of(&self.store)
    }

    fn paths_of(&self, store: &Store) -> StorePaths {
        StorePaths::new(&self.root(), store.portal())
    }

    fn locked(&self) -> WriteGuard {
        self.lock_as(samples::owner()).unwrap().0
    }

    fn lock_as(&self, owner: LockOwner) -> Result<(WriteGuard, Option<Text>), StoreError> {
        self.store.lock(owner, clock()).wait()
    }
}

/// Waits for the end of a future.
trait Wait: Future + Sized {
    fn wait(self) -> Self::Output {
        // One runtime for all waits of a test: damage is read in many thousands of them.
        thread_local! {
            static RUNTIME: Runtime = Builder::new_current_thread().enable_all().build().unwrap();
        }
        RUNTIME.with(|runtime| runtime.block_on(self))
    }
}

impl<F: Future> Wait for F {}

/// Overwrites a file of the store, as damage or another program would.
fn put(path: &Path, bytes: &[u8]) {
    write_private(path, bytes).unwrap();
}

/// Returns all files under a folder, sorted.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
