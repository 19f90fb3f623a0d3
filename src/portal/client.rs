//! State that every reader and writer of one portal shares.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use bitrix24::{BatchCommand, BatchExecutor, Paginator, RestClient};

use super::address::{MethodFamily, Operation, card_command};
use super::layout_cache::LayoutCache;
use crate::model::{CardKey, DepartmentId, FieldLabels, PortalId};

/// Client of one portal with the layouts that were read from it.
pub(super) struct PortalClient {
    pub(super) portal: PortalId,
    pub(super) lists: Paginator,
    pub(super) layout_cache: LayoutCache,
    /// Labels of the fields of leads, once the portal has told them.
    pub(super) field_labels: OnceLock<FieldLabels>,
    /// Methods for the cards of leads: those that were forced, or that the portal knows.
    pub(super) method_family: OnceLock<MethodFamily>,
    /// Names of the first departments, once the portal has told them.
    pub(super) department_names: OnceLock<BTreeMap<DepartmentId, Box<str>>>,
}

impl PortalClient {
    /// Makes the client of a portal over a REST client.
    pub(super) fn new(portal: PortalId, client: RestClient) -> Self {
        Self {
            portal,
            lists: Paginator::new(BatchExecutor::new(client)),
            layout_cache: LayoutCache::default(),
            field_labels: OnceLock::new(),
            department_names: OnceLock::new(),
            method_family: OnceLock::new(),
        }
    }

    /// Returns the methods for the cards of leads: those of leads until the portal was asked.
    pub(super) fn method_family(&self) -> MethodFamily {
        self.method_family.get().copied().unwrap_or_default()
    }

    /// Returns the command for one card; `None` if the card has no address.
    pub(super) fn card_command(&self, operation: Operation, key: CardKey) -> Option<BatchCommand> {
        card_command(operation, key, self.method_family())
    }

    /// Returns the executor of batches.
    pub(super) fn batches(&self) -> &BatchExecutor {
        self.lists.batches()
    }

    /// Returns the REST client.
    pub(super) fn rest(&self) -> &RestClient {
        self.batches().client()
    }
}
