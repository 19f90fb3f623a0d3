//! Connected portal, and the rights to read and to write it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bitrix24::{LimiterLevel, RestClient, Transport};

use super::client::PortalClient;
use super::connect::{ConnectError, LoggingTransport};
use super::estimate::{Estimate, PlannedWork, estimate};
use super::{
    MethodFamily, PortalSettings, RequestMetrics, WebhookUrl, catalog, layout_query, mutations,
    queries,
};
use crate::model::{
    CardCatalog, CardKey, Department, DepartmentId, FieldLabels, Identity, Layout, Person, PortalId,
};
use crate::ports::{
    CardRead, CardSink, CardWrite, CatalogQuery, Lane, PeopleQuery, PortalError, ReadPortal,
    SingleSet, WriteError, WriteEvidence, WritePortal,
};

/// Portal reached over HTTP. Clones share connections, limits and metrics.
#[derive(Clone)]
pub struct HttpPortal {
    client: Arc<PortalClient>,
}

/// The right to read a portal. It has no method that writes:
///
/// ```compile_fail,E0599
/// use recard::ports::WritePortal;
/// async fn reset(reader: &recard::portal::PortalReader, key: recard::model::CardKey) {
///     let _ = reader.write_cards(&[(key, recard::ports::CardWrite::Reset)], recard::ports::Lane::Planned).await;
/// }
/// ```
#[derive(Clone)]
pub struct PortalReader {
    client: Arc<PortalClient>,
}

/// The right to read a portal and to write to it.
#[derive(Clone)]
pub struct PortalWriter {
    client: Arc<PortalClient>,
}

impl HttpPortal {
    /// Prepares a connection; sends nothing. Must be called inside a tokio runtime, whose clock it
    /// uses.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be created.
    pub fn connect(webhook: WebhookUrl, settings: PortalSettings) -> Result<Self, ConnectError> {
        Self::connect_as(webhook.portal(), webhook, settings)
    }

    /// Returns `true` if there is another clone of it, or a right to it.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.client) > 1
    }

    /// Prepares to talk to a portal under a name that stands for it in place of the host of the
    /// webhook.
    pub fn connect_as(
        portal: PortalId,
        webhook: WebhookUrl,
        mut settings: PortalSettings,
    ) -> Result<Self, ConnectError> {
        settings.user_agent = concat!("recard/", env!("CARGO_PKG_VERSION")).to_owned();
        Ok(Self::over(portal, LoggingTransport::new(webhook, &settings)?, &settings))
    }

    /// Creates a portal over a transport, which decides where requests go.
    pub fn over(
        portal: PortalId,
        transport: impl Transport + 'static,
        settings: &PortalSettings,
    ) -> Self {
        let client = RestClient::new(Box::new(transport), settings);
        Self { client: Arc::new(PortalClient::new(portal, client)) }
    }

    /// Returns the right to read.
    pub fn reader(&self) -> PortalReader {
        PortalReader { client: Arc::clone(&self.client) }
    }

    /// Returns the right to read and to write.
    pub fn writer(&self) -> PortalWriter {
        PortalWriter { client: Arc::clone(&self.client) }
    }

    /// Returns the metrics of the requests so far.
    pub fn metrics(&self) -> RequestMetrics {
        self.client.rest().metrics()
    }

    /// Returns the cost of a task, by the present knowledge of the portal.
    pub fn estimate(&self, task: PlannedWork) -> Estimate {
        estimate(self.client.rest(), task)
    }

    /// Returns the state of the rate limiter, to be kept for the next process.
    pub fn level(&self) -> LimiterLevel {
        self.client.rest().level()
    }

    /// Ends all waits at once with [`PortalError::Stopped`] and sends nothing more. Reads in flight
    /// are dropped, and writes in flight finish.
    pub fn cancel(&self, reason: &str) {
        self.client.rest().cancel(reason);
    }

    /// Returns `true` if an answer came from the emulator.
    pub fn is_emulator(&self) -> bool {
        self.client.rest().is_emulator()
    }

    /// Returns the labels of the fields of leads, which come with the answer to
    /// [`identify`](ReadPortal::identify); none if the portal did not tell them.
    pub fn field_labels(&self) -> Option<&FieldLabels> {
        self.client.field_labels.get()
    }

    /// Forces the methods for the cards of leads, before the portal is asked which it knows.
    pub fn force_method_family(&self, family: MethodFamily) {
        let _ = self.client.method_family.set(family);
    }

    /// Returns the methods for the cards of leads.
    pub fn method_family(&self) -> MethodFamily {
        self.client.method_family()
    }

    /// Returns the names of the first 50 departments, which come with the answer to
    /// [`identify`](ReadPortal::identify); none if the portal did not tell them.
    pub fn department_names(&self) -> Option<&BTreeMap<DepartmentId, Box<str>>> {
        self.client.department_names.get()
    }
}

/// Right of this module over a portal.
pub(super) trait PortalRight: Sync {
    fn client(&self) -> &PortalClient;
}

impl PortalRight for PortalReader {
    fn client(&self) -> &PortalClient {
        &self.client
    }
}

impl PortalRight for PortalWriter {
    fn client(&self) -> &PortalClient {
        &self.client
    }
}

impl<R: PortalRight> ReadPortal for R {
    fn portal(&self) -> &PortalId {
        &self.client().portal
    }

    async fn identify(&self) -> Result<Identity, PortalError> {
        queries::identify(self.client()).await
    }

    async fn departments(&self) -> Result<Vec<Department>, PortalError> {
        queries::departments(self.client()).await
    }

    async fn people(&self, query: &PeopleQuery) -> Result<Vec<Person>, PortalError> {
        queries::people(self.client(), query).await
    }

    async fn catalog(&self, query: &CatalogQuery) -> Result<CardCatalog, PortalError> {
        catalog::catalog(self.client(), query).await
    }

    async fn employees(&self) -> Result<u32, PortalError> {
        queries::employees(self.client()).await
    }

    async fn read_cards(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> Result<(), PortalError> {
        queries::read_cards(self.client(), keys, sink).await
    }
}

impl WritePortal for PortalWriter {
    fn targets_per_request(&self, targets: usize) -> usize {
        mutations::targets_per_request(&self.client, targets)
    }

    fn fits_batch(&self, layout: &Layout) -> bool {
        layout_query::fits_batch(layout)
    }

    async fn write_cards(
        &self,
        writes: &[(CardKey, CardWrite<'_>)],
        lane: Lane,
    ) -> Result<Vec<(CardKey, WriteEvidence)>, WriteError> {
        mutations::write_cards(&self.client, writes, lane).await
    }

    async fn set_card(
        &self,
        key: CardKey,
        layout: &Layout,
        lane: Lane,
        proceed: &(dyn Fn(&CardRead) -> bool + Sync),
    ) -> SingleSet {
        mutations::set_card(&self.client, key, layout, lane, proceed).await
    }

    async fn read_back(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> Result<(), PortalError> {
        mutations::read_back(&self.client, keys, sink).await
    }
}

macro_rules! debug_as_portal {
    ($($name:ident)*) => {
        $(impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.client.portal)
            }
        })*
    };
}

debug_as_portal! { HttpPortal PortalReader PortalWriter }
