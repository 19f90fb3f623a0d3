//! Paths of all files of the store.

use std::path::{Path, PathBuf};

use super::file::{folder_of, make_folder, write_private};
use crate::model::{PortalId, RunId};
use crate::ports::StoreError;
use crate::store::place::Place;

/// Content of the store's `.gitignore`: backups are confidential, and must not get into a
/// repository by accident.
const IGNORE_ALL: &[u8] = b"# Backups of people's card settings. Keep them, but not here.\n*\n";

/// Paths of the files of one portal.
#[derive(Clone, Debug)]
pub(in crate::store) struct StorePaths {
    root: PathBuf,
    portal: PathBuf,
}

impl StorePaths {
    pub(in crate::store) fn new(root: &Path, portal: &PortalId) -> Self {
        Self { root: root.to_owned(), portal: root.join("portals").join(portal.folder_name()) }
    }

    /// Creates the missing folders, down to that of the portal.
    pub(in crate::store) fn make(&self) -> Result<(), StoreError> {
        if !folder_of(&self.portal).is_dir() {
            make_root(&self.root)?;
        }
        make_folder(&self.portal)
    }

    pub(in crate::store) fn portal(&self) -> &Path {
        &self.portal
    }

    pub(in crate::store) fn lock(&self) -> PathBuf {
        self.portal.join("lock")
    }

    pub(in crate::store) fn runs(&self) -> PathBuf {
        self.portal.join("runs")
    }

    /// Returns the file of a record.
    pub(in crate::store) fn path(&self, place: &Place) -> PathBuf {
        let of_run = |run: &RunId, name| self.runs().join(run.as_str()).join(name);
        match place {
            Place::LimiterState => self.portal.join("limiter.json"),
            Place::ReadProof => self.portal.join("read-proof.json"),
            Place::FieldLabels => self.portal.join("field-labels.json"),
            Place::Ledger => self.portal.join("ledger.json"),
            Place::Selection => self.portal.join("selection.json"),
            Place::Audit => self.portal.join("audit.jsonl"),
            Place::UsedPlans => self.portal.join("used-plans.jsonl"),
            Place::Journal(run) => of_run(run, "journal.jsonl"),
            Place::Plan(run) => of_run(run, "plan.json"),
            Place::Report(run) => of_run(run, "report.json"),
            Place::Backups(run) => of_run(run, "backups.jsonl"),
            Place::Collected(run) => of_run(run, "collected.json"),
            Place::Moved => self.portal.join("moved-to"),
        }
    }
}

/// Creates the folder of a store, which keeps itself out of repositories.
pub(super) fn make_root(root: &Path) -> Result<(), StoreError> {
    make_folder(root)?;
    let ignore = root.join(".gitignore");
    if !ignore.exists() {
        write_private(&ignore, IGNORE_ALL)?;
    }
    Ok(())
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
        crate::store::write_whole(&ignore, b"mine\n").unwrap();
        let paths = StorePaths::new(folder.path(), &samples::portal());
        paths.make().unwrap();
        paths.make().unwrap();
        assert_eq!(std::fs::read(&ignore).unwrap(), b"mine\n");
    }
}
