//! State of fleets in any store.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StoreLocation;
use super::folder::fleets::FolderFleets;
#[cfg(feature = "postgres")]
use super::postgres::PostgresFleets;
use crate::model::{Digest, PortalId};
use crate::ports::{
    Clock, CommandPause, FleetHead, FleetState, FleetView, Publication, Published, RolloutChange,
    RolloutStep, StoreError, WorkerSign,
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

impl FleetState for Fleets {
    async fn heads(&self) -> Result<Vec<(String, FleetHead)>, StoreError> {
        match self {
            Self::Folder(folder) => folder.heads().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.heads().await,
        }
    }

    async fn publish(&self, publication: &Publication) -> Result<Published, StoreError> {
        match self {
            Self::Folder(folder) => folder.publish(publication).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.publish(publication).await,
        }
    }

    async fn revision(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Folder(folder) => folder.revision(digest).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.revision(digest).await,
        }
    }

    async fn view(&self, fleet: &str) -> Result<Option<FleetView>, StoreError> {
        match self {
            Self::Folder(folder) => folder.view(fleet).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.view(fleet).await,
        }
    }

    async fn change_rollout(
        &self,
        fleet: &str,
        at: RolloutStep,
        change: &RolloutChange,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Folder(folder) => folder.change_rollout(fleet, at, change).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.change_rollout(fleet, at, change).await,
        }
    }

    async fn set_pause(
        &self,
        portals: &[PortalId],
        pause: Option<&CommandPause>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Folder(folder) => folder.set_pause(portals, pause).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.set_pause(portals, pause).await,
        }
    }

    async fn pauses(&self) -> Result<BTreeMap<PortalId, CommandPause>, StoreError> {
        match self {
            Self::Folder(folder) => folder.pauses().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.pauses().await,
        }
    }

    async fn retry(&self, portals: &[PortalId]) -> Result<Vec<PortalId>, StoreError> {
        match self {
            Self::Folder(folder) => folder.retry(portals).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.retry(portals).await,
        }
    }

    async fn workers(&self) -> Result<Vec<WorkerSign>, StoreError> {
        match self {
            Self::Folder(folder) => folder.workers().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(database) => database.workers().await,
        }
    }
}
