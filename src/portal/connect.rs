//! Connection to a portal over HTTP, with a log line for every request.

use bitrix24::{HttpResponse, HttpTransport, Transport, TransportError};
use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::time::Instant;

use super::{PortalSettings, WebhookUrl};

/// Error of a client that cannot be set up.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// No trusted certificates are known.
    #[error("{}", tr!("no root certificates are found on this machine"))]
    NoRoots,
    /// The trusted files hold no readable certificate.
    #[error("{}", tr!("the file holds no certificate that can be read"))]
    BadRoots,
    /// The address of the proxy is none.
    #[error("{}", tr!("the address of the proxy cannot be used; it looks like http://proxy.example:3128"))]
    BadProxy,
    /// Anything else.
    #[error("{}", tr!("cannot set up HTTP"))]
    Http(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl From<bitrix24::ConnectError> for ConnectError {
    fn from(error: bitrix24::ConnectError) -> Self {
        match error {
            bitrix24::ConnectError::NoRoots => Self::NoRoots,
            bitrix24::ConnectError::BadRoots => Self::BadRoots,
            bitrix24::ConnectError::BadProxy => Self::BadProxy,
            bitrix24::ConnectError::Http(error) => Self::Http(Box::new(error)),
        }
    }
}

/// Transport that logs every request. No line has the address, which is the secret.
pub(super) struct LoggingTransport(HttpTransport);

impl LoggingTransport {
    /// Prepares the connection to a portal; sends nothing.
    pub(super) fn new(
        webhook: WebhookUrl,
        settings: &PortalSettings,
    ) -> Result<Self, ConnectError> {
        Ok(Self(HttpTransport::new(webhook.into_inner(), settings)?))
    }
}

impl Transport for LoggingTransport {
    fn send<'a>(
        &'a self,
        method: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(async move {
            let (start, sent) = (Instant::now(), body.len());
            let answer = self.0.send(method, body).await;
            let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            match &answer {
                Ok(answer) => {
                    let (status, received) = (answer.status, answer.body.len());
                    tracing::debug!(method, status, milliseconds, sent, received, "answered");
                }
                Err(error) => tracing::debug!(method, milliseconds, sent, %error, "not answered"),
            }
            answer
        })
    }
}
