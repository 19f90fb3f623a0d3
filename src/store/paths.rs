//! Paths of all files of the store.

use std::path::{Path, PathBuf};

use super::file::{folder_of, make_folder, write_private};
use crate::model::{PortalId, RunId};
use crate::ports::StoreError;

/// Content of the store's `.gitignore`: backups are confidential, and must not get into a
/// repository by accident.
const IGNORE_ALL: &[u8] = b"# Backups of people's card settings. Keep them, but not here.\n*\n";

/// Paths of the files of one portal.
#[derive(Clone, Debug)]
pub(super) struct StorePaths {
    root: PathBuf,
    portal: PathBuf,
}

impl StorePaths {
    pub(super) fn new(root: &Path, portal: &PortalId) -> Self {
        Self { root: root.to_owned(), portal: root.join("portals").join(portal.folder_name()) }
    }

    /// Creates the missing folders, down to that of the portal.
    pub(super) fn make(&self) -> Result<(), StoreError> {
        let portals = folder_of(&self.portal);
        if !portals.is_dir() {
            make_folder(&self.root)?;
            let ignore = self.root.join(".gitignore");
            if !ignore.exists() {
                write_private(&ignore, IGNORE_ALL)?;
            }
        }
        make_folder(&self.portal)
    }

    pub(super) fn portal(&self) -> &Path {
        &self.portal
    }

    pub(super) fn lock(&self) -> PathBuf {
        self.portal.join("lock")
    }

    pub(super) fn limiter_state(&self) -> PathBuf {
        self.portal.join("limiter.json")
    }

    pub(super) fn read_proof(&self) -> PathBuf {
        self.portal.join("read-proof.json")
    }

    pub(super) fn field_labels(&self) -> PathBuf {
        self.portal.join("field-labels.json")
    }

    pub(super) fn ledger(&self) -> PathBuf {
        self.portal.join("ledger.json")
    }

    pub(super) fn selection(&self) -> PathBuf {
        self.portal.join("selection.json")
    }

    pub(super) fn audit(&self) -> PathBuf {
        self.portal.join("audit.jsonl")
    }

    pub(super) fn used_plans(&self) -> PathBuf {
        self.portal.join("used-plans.jsonl")
    }

    pub(super) fn runs(&self) -> PathBuf {
        self.portal.join("runs")
    }

    pub(super) fn run(&self, run: &RunId) -> PathBuf {
        self.runs().join(run.as_str())
    }

    pub(super) fn journal(&self, run: &RunId) -> PathBuf {
        self.run(run).join("journal.jsonl")
    }

    pub(super) fn plan(&self, run: &RunId) -> PathBuf {
        self.run(run).join("plan.json")
    }

    pub(super) fn report(&self, run: &RunId) -> PathBuf {
        self.run(run).join("report.json")
    }

    pub(super) fn backups(&self, run: &RunId) -> PathBuf {
        self.run(run).join("backups.jsonl")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::samples;

    #[test]
    fn new_store_keeps_itself_out_of_the_repository_around_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("deep").join("store");
        StorePaths::new(&root, &samples::portal()).make().unwrap();
        let ignore = std::fs::read_to_string(root.join(".gitignore")).unwrap();
        assert!(ignore.lines().any(|line| line == "*"));
        assert!(root.join("portals/company.bitrix24.com").is_dir());
    }

    #[test]
    fn ignore_file_of_somebody_else_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let ignore = folder.path().join(".gitignore");
        super::super::write_whole(&ignore, b"mine\n").unwrap();
        let paths = StorePaths::new(folder.path(), &samples::portal());
        paths.make().unwrap();
        paths.make().unwrap();
        assert_eq!(std::fs::read(&ignore).unwrap(), b"mine\n");
    }
}
