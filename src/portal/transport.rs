//! The one place that sends anything: a POST of JSON to a method of the webhook, and what came back.
//!
//! Promises: the content type is exactly `application/json`, the body is never compressed, no redirect is followed, no
//! referrer is sent, a request leaves at most once for each call, an answer is read up to a bound, and neither an error
//! nor a log line has the address, because the address is the secret.

use std::error::Error;
use std::fmt::Write;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Response, redirect};
use thiserror::Error;
use tokio::time::Instant;

use super::WebhookUrl;
use super::webhook::Channel;

/// How long a connection may take to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection is kept. Front servers close theirs after 15 to 75 seconds without saying so, and a
/// request on a closed connection may or may not have been taken.
const IDLE_TIMEOUT: Duration = Duration::from_secs(12);

/// The largest answer that is read: 32 MiB. Fifty layouts of six hundred fields are below 4.
const LARGEST_ANSWER: usize = 32 * 1024 * 1024;

/// The header by which an emulator says that it is one.
const EMULATOR_HEADER: &str = "x-recard-emulator";

/// An answer, of whatever kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HttpAnswer {
    pub(crate) status: u16,
    pub(crate) content_type: Option<String>,
    pub(crate) body: Vec<u8>,
    pub(crate) sender: Sender,
}

/// Who says that it has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sender {
    Portal,
    Emulator,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum TransportError {
    /// No connection came about: the request surely did not reach the portal.
    #[error("{0}")]
    NotSent(String),
    /// The request may have reached the portal.
    #[error("{0}")]
    Lost(String),
    /// The request may have reached the portal, and the answer took too long.
    #[error("no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
}

/// Why no client could be made.
#[derive(Debug, Error)]
#[error("cannot set up HTTP")]
pub struct ConnectError(#[source] reqwest::Error);

/// Sends requests. The tests of the layers above bring their own.
pub(crate) trait Transport: Send + Sync {
    /// Sends one request, once.
    fn send<'a>(&'a self, method: &'static str, body: Vec<u8>) -> BoxFuture<'a, Result<HttpAnswer, TransportError>>;
}

/// The real one.
pub(crate) struct HttpTransport {
    client: Client,
    webhook: WebhookUrl,
    timeout: Duration,
}

impl HttpTransport {
    /// Prepares connections; sends nothing.
    pub(crate) fn new(webhook: WebhookUrl, timeout: Duration, connections: usize) -> Result<Self, ConnectError> {
        let builder = Client::builder()
            .user_agent(concat!("recard/", env!("CARGO_PKG_VERSION")))
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_max_idle_per_host(connections)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true);
        let builder = match webhook.channel() {
            // Nothing here needs certificates, and loading those of the system takes longer than the first request.
            Channel::PlainLocal => builder.no_proxy().tls_certs_only([]),
            Channel::Local => builder.no_proxy().https_only(true),
            Channel::Remote => builder.https_only(true),
        };
        let client = builder.build().map_err(|error| ConnectError(error.without_url()))?;
        Ok(Self { client, webhook, timeout })
    }

    async fn exchange(&self, method: &'static str, body: Vec<u8>) -> Result<HttpAnswer, TransportError> {
        let Some(address) = self.webhook.address_of(method) else {
            return Err(TransportError::NotSent("the address of the method cannot be built".to_owned()));
        };
        let json = HeaderValue::from_static("application/json");
        let request = self.client.post(address).header(CONTENT_TYPE, json.clone()).header(ACCEPT, json).body(body);
        let answer = request.send().await.map_err(|error| self.error(error))?;
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        let content_type = header(CONTENT_TYPE.as_str());
        let sender = if answer.headers().contains_key(EMULATOR_HEADER) { Sender::Emulator } else { Sender::Portal };
        let body = self.body(answer).await?;
        Ok(HttpAnswer { status, content_type, body, sender })
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, TransportError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.error(error))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(TransportError::Lost(format!("an answer of more than {LARGEST_ANSWER} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Puts an error into words without the address.
    fn error(&self, error: reqwest::Error) -> TransportError {
        let error = error.without_url();
        let (unsent, late) = (error.is_connect() || error.is_builder(), error.is_timeout());
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a text cannot fail.
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        match (unsent, late) {
            (true, _) => TransportError::NotSent(text),
            (false, true) => TransportError::TimedOut(self.timeout),
            (false, false) => TransportError::Lost(text),
        }
    }
}

impl Transport for HttpTransport {
    fn send<'a>(&'a self, method: &'static str, body: Vec<u8>) -> BoxFuture<'a, Result<HttpAnswer, TransportError>> {
        Box::pin(async move {
            let (start, sent) = (Instant::now(), body.len());
            let answer = self.exchange(method, body).await;
            let milliseconds = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
            match &answer {
                Ok(answer) => {
                    let received = answer.body.len();
                    tracing::debug!(method, status = answer.status, milliseconds, sent, received, "answered");
                }
                Err(error) => tracing::debug!(method, milliseconds, sent, %error, "not answered"),
            }
            answer
        })
    }
}
