//! Connected portal, and the rights to read and to write it.

use std::fmt;
use std::sync::Arc;

use super::estimate::{Estimate, PlannedWork};
use super::layout_query;
use super::rate_limiter::LimiterLevel;
use super::rest_client::RestClient;
use super::transport::{ConnectError, HttpTransport};
use super::{PortalSettings, RequestMetrics, WebhookUrl};
use crate::model::{CardKey, Department, Identity, Layout, Person, PortalId};
use crate::ports::{
    CardRead, CardSink, CardWrite, Lane, PeopleQuery, PortalError, ReadPortal, SingleSet,
    WriteError, WriteEvidence, WritePortal,
};

/// Portal reached over HTTP. Clones share connections, limits and metrics.
#[derive(Clone)]
pub struct HttpPortal {
    client: Arc<RestClient>,
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
    client: Arc<RestClient>,
}

/// The right to read a portal and to write to it.
#[derive(Clone)]
pub struct PortalWriter {
    client: Arc<RestClient>,
}

impl HttpPortal {
    /// Prepares a connection; sends nothing. Must be called inside a tokio runtime, whose clock it
    /// uses.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be created.
    pub fn connect(webhook: WebhookUrl, settings: PortalSettings) -> Result<Self, ConnectError> {
        let portal = settings.portal.clone().unwrap_or_else(|| webhook.portal());
        let transport = HttpTransport::new(
            webhook,
            settings.request_timeout,
            settings.connections,
            &settings.network,
        )?;
        Ok(Self { client: Arc::new(RestClient::new(portal, Box::new(transport), &settings)) })
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
        self.client.metrics()
    }

    /// Returns the cost of a task, by the present knowledge of the portal.
    pub fn estimate(&self, task: PlannedWork) -> Estimate {
        self.client.estimate(task)
    }

    /// Returns the state of the rate limiter, to be kept for the next process.
    pub fn level(&self) -> LimiterLevel {
        let now = self.client.admission.now();
        self.client.admission.limiter().level(now)
    }

    /// Ends all waits at once with [`PortalError::Stopped`] and sends nothing more. Reads in flight
    /// are dropped, and writes in flight finish.
    pub fn cancel(&self, reason: &str) {
        self.client.admission.cancel(reason);
    }

    /// Returns `true` if an answer came from the emulator.
    pub fn is_emulator(&self) -> bool {
        self.client.is_emulator()
    }

    #[cfg(test)]
    pub(crate) fn over(
        transport: impl super::transport::Transport + 'static,
        settings: &PortalSettings,
    ) -> Self {
        let portal = PortalId::new("portal.example").unwrap();
        Self { client: Arc::new(RestClient::new(portal, Box::new(transport), settings)) }
    }
}

impl PortalReader {
    pub(super) fn client(&self) -> &RestClient {
        &self.client
    }
}

impl ReadPortal for PortalReader {
    fn portal(&self) -> &PortalId {
        &self.client.portal
    }

    async fn identify(&self) -> Result<Identity, PortalError> {
        self.client.identify().await
    }

    async fn departments(&self) -> Result<Vec<Department>, PortalError> {
        self.client.departments().await
    }

    async fn people(&self, query: &PeopleQuery) -> Result<Vec<Person>, PortalError> {
        self.client.people(query).await
    }

    async fn employees(&self) -> Result<u32, PortalError> {
        self.client.employees().await
    }

    async fn read_cards(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> Result<(), PortalError> {
        self.client.read_cards(keys, sink).await
    }
}

impl ReadPortal for PortalWriter {
    fn portal(&self) -> &PortalId {
        &self.client.portal
    }

    async fn identify(&self) -> Result<Identity, PortalError> {
        self.client.identify().await
    }

    async fn departments(&self) -> Result<Vec<Department>, PortalError> {
        self.client.departments().await
    }

    async fn people(&self, query: &PeopleQuery) -> Result<Vec<Person>, PortalError> {
        self.client.people(query).await
    }

    async fn employees(&self) -> Result<u32, PortalError> {
        self.client.employees().await
    }

    async fn read_cards(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> Result<(), PortalError> {
        self.client.read_cards(keys, sink).await
    }
}

impl WritePortal for PortalWriter {
    fn targets_per_request(&self, remaining: usize) -> usize {
        self.client.targets_per_request(remaining)
    }

    fn fits_batch(&self, key: CardKey, layout: &Layout) -> bool {
        layout_query::fits_batch(key, layout)
    }

    async fn write_cards(
        &self,
        writes: &[(CardKey, CardWrite<'_>)],
        lane: Lane,
    ) -> Result<Vec<(CardKey, WriteEvidence)>, WriteError> {
        self.client.write_cards(writes, lane).await
    }

    async fn set_card(
        &self,
        key: CardKey,
        layout: &Layout,
        lane: Lane,
        proceed: &(dyn Fn(&CardRead) -> bool + Sync),
    ) -> SingleSet {
        self.client.set_card(key, layout, lane, proceed).await
    }

    async fn read_back(
        &self,
        keys: &[CardKey],
        sink: &mut dyn CardSink,
    ) -> Result<(), PortalError> {
        self.client.read_back(keys, sink).await
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
