//! State that every reader and writer of one portal shares.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use bitrix24::{BatchCommand, BatchExecutor, Paginator, RestClient};

use super::address::{CardAddress, MethodFamily, Operation, card_command};
use super::layout_cache::LayoutCache;
use crate::model::{CardKey, CardKind, DepartmentId, EntityType, FieldLabels, PortalId};

/// Client of one portal with the layouts that were read from it.
pub(super) struct PortalClient {
    pub(super) portal: PortalId,
    pub(super) lists: Paginator,
    pub(super) layout_cache: LayoutCache,
    /// Labels of the fields of leads, once the portal has told them.
    pub(super) field_labels: OnceLock<FieldLabels>,
    /// Methods for the cards of leads: those that were forced, or that the portal knows.
    pub(super) method_family: OnceLock<MethodFamily>,
    /// Ids of the pipelines of each type that the portal was asked about; none where it refused.
    listed: Mutex<BTreeMap<EntityType, BTreeSet<u32>>>,
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
            listed: Mutex::default(),
        }
    }

    /// Returns the methods for the cards of leads: those of leads until the portal was asked.
    pub(super) fn method_family(&self) -> MethodFamily {
        self.method_family.get().copied().unwrap_or_default()
    }

    /// Returns the command for one card; `None` if the card has no address, or a pipeline that the
    /// portal does not list for its type: releases before July 2025 take it for a row of nobody,
    /// and answer `true` (`CARDS.md`, section 4).
    pub(super) fn card_command(&self, operation: Operation, key: CardKey) -> Option<BatchCommand> {
        card_command(operation, key, self.method_family()).filter(|_| self.is_listed(key.kind))
    }

    /// Returns `true` if a request can name the cards of a kind.
    pub(super) fn has_address(&self, kind: CardKind) -> bool {
        CardAddress::from_kind(kind, self.method_family()).is_some() && self.is_listed(kind)
    }

    /// Returns `true` if a kind of card has no pipeline, or one that the portal lists for its type.
    pub(super) fn is_listed(&self, kind: CardKind) -> bool {
        kind.pipeline().is_none_or(|pipeline| {
            let listed = self.listed();
            listed.get(&kind.entity_type()).is_some_and(|ids| ids.contains(&pipeline))
        })
    }

    /// Returns the ids of the pipelines that the portal lists, by type.
    pub(super) fn listed(&self) -> MutexGuard<'_, BTreeMap<EntityType, BTreeSet<u32>>> {
        // Every change is one insertion, so that a panic elsewhere leaves a valid map.
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
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
