//! State of fleets in any store.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StoreLocation;
use super::folder::fleets::FolderFleets;
#[cfg(feature = "postgres")]
use super::postgres::PostgresFleets;
use crate::model::{Digest, PortalId};
use crate::ports::{
    Clock, CommandPause, FleetState, FleetView, NamedHead, Publication, Published, QueueState,
    RetriedPortal, RolloutChange, RolloutStep, StoreError, WorkerSign,
};

/// State of the fleets of a store.
#[derive(Clone)]
pub enum Fleets {
    /// In a folder.
    Folder(FolderFleets),
    /// In a database.
    #[cfg(feature = "postgres")]
    Postgres(PostgresFleets),
}

impl Fleets {
    /// Opens the state of a store. Nothing is read or written yet.
    pub fn open(location: &StoreLocation, clock: Arc<dyn Clock>) -> Self {
        match location {
            StoreLocation::Folder(root) => Self::Folder(FolderFleets::new(root, clock)),
            #[cfg(feature = "postgres")]
            StoreLocation::Database(database) => {
                Self::Postgres(PostgresFleets::new(database.clone()))
            }
        }
    }
}

impl Fleets {
    /// Keeps the rows of portals in the report over a fleet in a database; `records` writes them.
    /// The files of a folder hold them already.
    ///
    /// # Errors
    ///
    /// If the database could not be asked.
    pub async fn keep_rows(&self, rows: &[(PortalId, String)]) -> Result<(), StoreError> {
        let _ = rows;
        match self {
            Self::Folder(_) => Ok(()),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.keep_rows(rows).await,
        }
    }

    /// Returns what the work queue of a folder keeps of portals. That of a database has published
    /// portals alone, which their view shows.
    ///
    /// # Errors
    ///
    /// If the file of a row cannot be read.
    pub async fn queue_states(
        &self,
        portals: &[PortalId],
    ) -> Result<BTreeMap<PortalId, QueueState>, StoreError> {
        match self {
            Self::Folder(folder) => folder.queue_states(portals).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => Ok(BTreeMap::new()),
        }
    }

    /// Returns the rows of portals that a database keeps.
    ///
    /// # Errors
    ///
    /// If the database could not be asked.
    pub async fn kept_rows(
        &self,
        portals: &[PortalId],
    ) -> Result<BTreeMap<PortalId, String>, StoreError> {
        let _ = portals;
        match self {
            Self::Folder(_) => Ok(BTreeMap::new()),
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.kept_rows(portals).await,
        }
    }
}

impl FleetState for Fleets {
    async fn heads(&self) -> Result<Vec<NamedHead>, StoreError> {
        either!(self, medium => medium.heads().await)
    }

    async fn publish(&self, publication: &Publication) -> Result<Published, StoreError> {
        either!(self, medium => medium.publish(publication).await)
    }

    async fn revision(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        either!(self, medium => medium.revision(digest).await)
    }

    async fn view(&self, fleet: &str) -> Result<Option<FleetView>, StoreError> {
        either!(self, medium => medium.view(fleet).await)
    }

    async fn change_rollout(
        &self,
        fleet: &str,
        at: RolloutStep,
        change: &RolloutChange,
    ) -> Result<bool, StoreError> {
        either!(self, medium => medium.change_rollout(fleet, at, change).await)
    }

    async fn set_pause(
        &self,
        portals: &[PortalId],
        pause: Option<&CommandPause>,
    ) -> Result<(), StoreError> {
        either!(self, medium => medium.set_pause(portals, pause).await)
    }

    async fn pauses(&self) -> Result<BTreeMap<PortalId, CommandPause>, StoreError> {
        either!(self, medium => medium.pauses().await)
    }

    async fn pause(&self, portal: &PortalId) -> Result<Option<CommandPause>, StoreError> {
        either!(self, medium => medium.pause(portal).await)
    }

    async fn retry(&self, portals: &[PortalId]) -> Result<Vec<RetriedPortal>, StoreError> {
        either!(self, medium => medium.retry(portals).await)
    }

    async fn workers(&self) -> Result<Vec<WorkerSign>, StoreError> {
        either!(self, medium => medium.workers().await)
    }
}
