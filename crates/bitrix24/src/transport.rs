//! Transport: the only code that sends; a POST of JSON to a method of the webhook, and its answer.
//!
//! Guarantees: the content type is exactly `application/json`, the body is never compressed, no
//! redirect is followed, no referrer is sent, a request leaves at most once for each call, an
//! answer is read up to a bound, and no error has the address, because the address is the secret.

use std::error::Error;
use std::fmt::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, ClientBuilder, NoProxy, Proxy, Response, redirect};

use crate::error::{ConnectError, Rejection};
use crate::settings::{ClientSettings, Network};
use crate::tls::trusting_none;
use crate::webhook::{Channel, WebhookUrl};

/// Timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Timeout of an idle connection. Front servers close theirs after 15 to 75 seconds without notice,
/// and a request on a closed connection is indeterminate.
const IDLE_TIMEOUT: Duration = Duration::from_secs(12);

/// Maximum size of an answer that is read: 32 MiB. Fifty layouts of six hundred fields are below 4.
const MAX_RESPONSE_BYTES: usize = 32 * 1024 * 1024;

/// Header by which `bitrix24-emulator` names itself.
const EMULATOR_HEADER: &str = "x-recard-emulator";

/// Response of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpResponse {
    /// The status code.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
    /// The kind of server that sent it.
    pub origin: ResponseOrigin,
}

/// Kind of server that sent a response, by its own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseOrigin {
    /// A portal.
    Portal,
    /// The emulator `bitrix24-emulator`, which says so in a header.
    Emulator,
}

/// Error of a request without a response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The portal certainly did not process the request.
    #[error("{0}")]
    NotSent(String),
    /// No connection is possible: nothing was sent.
    #[error("{1}")]
    Blocked(Rejection, String),
    /// The request may have reached the portal.
    #[error("{0}")]
    Lost(String),
    /// The request may have reached the portal, and the answer took too long.
    #[error("no answer within {} seconds", .0.as_secs())]
    TimedOut(Duration),
}

/// Sender of requests. A test brings its own.
pub trait Transport: Send + Sync {
    /// Sends one request, once.
    fn send<'a>(
        &'a self,
        method: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>>;
}

/// Transport over HTTP.
pub struct HttpTransport {
    client: Client,
    webhook: WebhookUrl,
    timeout: Duration,
}

impl fmt::Debug for HttpTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HttpTransport({})", self.webhook)
    }
}

impl HttpTransport {
    /// Prepares connections; sends nothing.
    pub fn new(webhook: WebhookUrl, settings: &ClientSettings) -> Result<Self, ConnectError> {
        let ClientSettings { request_timeout: timeout, connections, network, .. } = settings;
        let (timeout, connections) = (*timeout, *connections);
        let builder = Client::builder()
            .user_agent(&settings.user_agent)
            .redirect(redirect::Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .timeout(timeout)
            .connect_timeout(CONNECT_TIMEOUT.min(timeout))
            .pool_max_idle_per_host(connections)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tcp_nodelay(true)
            .no_proxy();
        let builder = match webhook.channel() {
            // No certificates are needed here, and loading those of the system takes longer than
            // the first request.
            Channel::PlainLocal => builder.tls_backend_preconfigured(trusting_none()?),
            Channel::Local => with_roots(builder, network)?,
            Channel::Remote => with_proxy(with_roots(builder, network)?, network)?,
        };
        let builder = match webhook.name_of_this_machine() {
            // The port is that of the URL.
            Some(name) => builder.resolve(name, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
            None => builder,
        };
        let client = builder.build().map_err(|error| ConnectError::Http(error.without_url()))?;
        Ok(Self { client, webhook, timeout })
    }

    async fn exchange(
        &self,
        method: &'static str,
        body: Vec<u8>,
    ) -> Result<HttpResponse, TransportError> {
        let Some(address) = self.webhook.method_url(method) else {
            return Err(TransportError::NotSent(
                "the address of the method cannot be built".to_owned(),
            ));
        };
        let json = HeaderValue::from_static("application/json");
        let request = self
            .client
            .post(address)
            .header(CONTENT_TYPE, json.clone())
            .header(ACCEPT, json)
            .body(body);
        let answer = request.send().await.map_err(|error| self.error(error))?;
        let header = |name: &str| {
            answer.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let status = answer.status().as_u16();
        let content_type = header(CONTENT_TYPE.as_str());
        let origin = if answer.headers().contains_key(EMULATOR_HEADER) {
            ResponseOrigin::Emulator
        } else {
            ResponseOrigin::Portal
        };
        let body = self.body(answer).await?;
        Ok(HttpResponse { status, content_type, body, origin })
    }

    async fn body(&self, mut answer: Response) -> Result<Vec<u8>, TransportError> {
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.error(error))? {
            if body.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(TransportError::Lost(format!(
                    "an answer of more than {MAX_RESPONSE_BYTES} bytes"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// Converts an error to text without the URL.
    fn error(&self, error: reqwest::Error) -> TransportError {
        let error = error.without_url();
        let (unsent, late) = (is_unprocessed(&error), error.is_timeout());
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            // Writing to a string cannot fail.
            let _ = write!(text, ": {cause}");
            source = cause.source();
        }
        if let Some(rejection) = blocking_rejection(&error) {
            return TransportError::Blocked(rejection, text);
        }
        match (unsent, late) {
            (true, _) => TransportError::NotSent(text),
            (false, true) => TransportError::TimedOut(self.timeout),
            (false, false) => TransportError::Lost(text),
        }
    }
}

/// Returns `true` if the server certainly did not process the request: no connection was made; the
/// connection was closed before the request was written to it (`Canceled` in hyper); or an HTTP/2
/// server refused the stream, or named a lower last stream when it went away (RFC 9113, sections
/// 5.1.1, 6.8 and 8.7).
fn is_unprocessed(error: &reqwest::Error) -> bool {
    if error.is_connect() || error.is_builder() {
        return true;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
            return error.is_remote() && (refused || error.is_go_away());
        }
        cause = error.source();
    }
    false
}

/// Trusts the certificates of the settings, over HTTPS alone.
fn with_roots(builder: ClientBuilder, network: &Network) -> Result<ClientBuilder, ConnectError> {
    let mut tls = network.roots.config()?;
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(builder.https_only(true).tls_backend_preconfigured(tls))
}

fn with_proxy(builder: ClientBuilder, network: &Network) -> Result<ClientBuilder, ConnectError> {
    let Some(address) = &network.proxy else { return Ok(builder) };
    // The error would repeat the URL, which may hold a password.
    let proxy = Proxy::https(address).map_err(|_| ConnectError::BadProxy)?;
    Ok(builder.proxy(proxy.no_proxy(NoProxy::from_string(&network.no_proxy))))
}

/// Returns the obstacle on the way to the portal, if a retry cannot help. The errors of tunnels
/// have no public type: their words are those of hyper-util, and tests check them.
fn blocking_rejection(error: &reqwest::Error) -> Option<Rejection> {
    let mut source = error.source();
    while let Some(cause) = source {
        if let Some(words) = cause.to_string().strip_prefix("tunnel error: ") {
            return match words {
                "unsuccessful" | "proxy authorization required" => Some(Rejection::ProxyRefuses),
                "failed to create underlying connection" => Some(Rejection::ProxyUnreachable),
                _ => None,
            };
        }
        if let Some(rustls::Error::InvalidCertificate(_)) = tls_error(cause) {
            return Some(Rejection::Certificate);
        }
        source = cause.source();
    }
    None
}

/// Returns the TLS error within an I/O error, which may be wrapped more than once and leaves it out
/// of its sources.
fn tls_error<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e rustls::Error> {
    match error.downcast_ref::<std::io::Error>() {
        Some(outer) => tls_error(outer.get_ref()?),
        None => error.downcast_ref(),
    }
}

impl Transport for HttpTransport {
    fn send<'a>(
        &'a self,
        method: &'static str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<HttpResponse, TransportError>> {
        Box::pin(self.exchange(method, body))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// Builds one HTTP/2 frame.
    fn frame(kind: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0], &stream.to_be_bytes(), payload].concat()
    }

    /// Sends one request to an HTTP/2 server that answers its stream with these frames and hangs
    /// up, and returns the error.
    async fn error_of(frames: Vec<u8>) -> reqwest::Error {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serve = async {
            let (mut socket, _) = listener.accept().await.unwrap();
            socket.write_all(&frame(4, 0, &[])).await.unwrap();
            let mut seen = Vec::new();
            let mut buffer = [0; 4096];
            // A frame of headers has kind 1; the preface of 24 bytes comes first.
            let headers = |seen: &[u8]| {
                let mut rest = seen.get(24..).unwrap_or_default();
                while let [a, b, c, kind, _, _, _, _, _, tail @ ..] = rest {
                    let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
                    if *kind == 1 && tail.len() >= length {
                        return true;
                    }
                    rest = tail.get(length..).unwrap_or_default();
                }
                false
            };
            while !headers(&seen) {
                let count = socket.read(&mut buffer).await.unwrap();
                seen.extend_from_slice(&buffer[..count]);
            }
            socket.write_all(&frames).await.unwrap();
            socket.shutdown().await.unwrap();
            while socket.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
        };
        let client = Client::builder()
            .http2_prior_knowledge()
            .retry(reqwest::retry::never())
            .no_proxy()
            .build()
            .unwrap();
        let request = client.post(format!("http://127.0.0.1:{port}/")).body("{}").send();
        let (answer, ()) = tokio::join!(request, serve);
        answer.unwrap_err()
    }

    #[tokio::test]
    async fn http2_request_that_the_server_did_not_process_is_told_from_one_that_it_may_have() {
        let reset = |code: u32| frame(3, 1, &code.to_be_bytes());
        let go_away =
            |last: u32, code: u32| frame(7, 0, &[last.to_be_bytes(), code.to_be_bytes()].concat());
        let (refused_stream, internal_error, no_error, calm) = (7, 2, 0, 11);
        for (frames, unprocessed) in [
            (reset(refused_stream), true),
            (reset(internal_error), false),
            (go_away(0, no_error), true),
            (go_away(0, calm), true),
            (go_away(1, no_error), false),
            (go_away(1, internal_error), false),
            (Vec::new(), false),
        ] {
            let error = error_of(frames.clone()).await;
            assert_eq!(is_unprocessed(&error), unprocessed, "{frames:?}: {error:?}");
        }
    }
}
