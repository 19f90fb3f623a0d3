//! Read-only HTTP server for `/healthz`, `/readyz` and `/metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::error::CliError;
use super::ui::Ui;
use crate::diagnostic::mask;
use crate::report::Exposition;

/// Content type of metrics for a reader that asks for it.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Content type of metrics for any other reader.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Response with a text.
pub(super) struct TextResponse {
    /// The status.
    pub(super) status: StatusCode,
    /// The content type.
    pub(super) content_type: &'static str,
    /// The text.
    pub(super) text: String,
}

impl TextResponse {
    /// Creates a response of plain text.
    pub(super) fn plain(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, content_type: "text/plain; charset=utf-8", text: text.into() }
    }

    /// Creates a response with metrics, in the format that the reader accepts.
    pub(super) fn metrics(accepted: &str, text: impl FnOnce(Exposition) -> String) -> Self {
        let (content_type, exposition) = match accepted.contains("application/openmetrics-text") {
            true => (OPEN_METRICS, Exposition::OpenMetrics),
            false => (PROMETHEUS_TEXT, Exposition::Text),
        };
        Self { status: StatusCode::OK, content_type, text: text(exposition) }
    }

    /// Creates the response for a path that does not exist.
    pub(super) fn not_found() -> Self {
        Self::plain(StatusCode::NOT_FOUND, "there are /healthz, /readyz and /metrics\n")
    }
}

/// Function from a path, and from what the reader accepts, to the response.
pub(super) type Routes = Arc<dyn Fn(&str, &str) -> TextResponse + Send + Sync>;

/// Running server. It ends on drop.
pub(super) struct HttpServer {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl HttpServer {
    /// Listens on an address; port 0 takes a free one.
    pub(super) async fn bind(address: SocketAddr, routes: Routes) -> Result<Self, CliError> {
        let cannot = |problem: std::io::Error| {
            CliError::general(tr!("cannot listen on {address}: {problem}", address, problem))
                .hint(tr!("choose another one with --listen"))
        };
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        Ok(Self { address, serving: tokio::spawn(serve(listener, routes)) })
    }

    /// Listens on an address, and tells it.
    pub(super) async fn start(
        ui: &Ui,
        address: SocketAddr,
        routes: Routes,
    ) -> Result<Self, CliError> {
        let server = Self::bind(address, routes).await?;
        ui.note(tr!("listening on http://{}: /healthz, /readyz, /metrics", server.address));
        Ok(server)
    }
}

/// Refuses an address that other machines can reach, unless that is wanted.
pub(super) fn check_local(address: Option<SocketAddr>, allow_remote: bool) -> Result<(), CliError> {
    match address {
        Some(address) if !address.ip().is_loopback() && !allow_remote => {
            Err(CliError::general(tr!("{address} can be reached from other machines", address)).hint(tr!(
                "add --allow-remote if that is wanted: the numbers tell how many people's cards are reset, and when"
            )))
        }
        _ => Ok(()),
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, routes: Routes) {
    loop {
        // A failed accept is not fatal; most likely there are too many connections.
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let routes = Arc::clone(&routes);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let response = respond(&routes, &request);
                async move { Ok::<_, Infallible>(response) }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            // A reader that goes away is not an error.
            let _ = connection.await;
        });
    }
}

fn respond(routes: &Routes, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let accepted = request.headers().get(header::ACCEPT);
    let accepted = accepted.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let page = match *request.method() {
        Method::GET | Method::HEAD => routes(request.uri().path(), accepted),
        _ => TextResponse::plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from(mask(&page.text).into_owned())));
    *response.status_mut() = page.status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(page.content_type));
    response
}
