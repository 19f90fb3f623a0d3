//! Place of a store, as the command line names it.

use std::fmt;
use std::path::{Path, PathBuf};

#[cfg(feature = "postgres")]
use super::postgres::Database;
use super::{FolderFleets, blocking};
use crate::model::PortalId;
use crate::ports::StoreError;

/// Place of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// A folder.
    Folder(PathBuf),
    /// A database that several machines share.
    #[cfg(feature = "postgres")]
    Database(Database),
}

impl StoreLocation {
    /// Returns the portals of which the store holds anything, sorted.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub async fn portals(&self) -> Result<Vec<PortalId>, StoreError> {
        match self {
            Self::Folder(root) => blocking(root, FolderFleets::portals).await,
            #[cfg(feature = "postgres")]
            Self::Database(database) => database.portals().await,
        }
    }

    /// Returns the folder of files that stay on this machine.
    pub fn folder(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder,
            #[cfg(feature = "postgres")]
            Self::Database(_) => Path::new(".recard"),
        }
    }
}

impl From<PathBuf> for StoreLocation {
    fn from(folder: PathBuf) -> Self {
        Self::Folder(folder)
    }
}

impl fmt::Display for StoreLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            #[cfg(feature = "postgres")]
            Self::Database(database) => database.address().fmt(f),
        }
    }
}
