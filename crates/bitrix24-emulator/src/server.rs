//! HTTP server of the emulator: one address for the portal, another for the admin API.
//!
//! It uses hyper directly and no framework, because a fault may end a connection without an answer,
//! and because the body must not be read before the rules of the portal apply.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Bytes, Frame, Incoming as IncomingBody};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::admin_api;
use crate::handler;
use crate::portals::Portals;
use crate::reply::{JSON, Reply, ResponseParts};
use crate::request::IncomingRequest;

/// Body that may break off.
type ResponseBody = BoxBody<Bytes, std::io::Error>;

/// Maximum size of a body; a portal's front server refuses larger ones too.
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

/// Endpoint of a connection.
#[derive(Clone)]
pub(super) enum Endpoint {
    /// The portal, with TLS or without.
    Rest(Option<TlsAcceptor>),
    /// The admin API, with its access rule.
    Control(AdminAccess),
}

/// Access rule of the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AdminAccess {
    /// Programs on this machine.
    ThisMachine,
    /// All clients.
    Anybody,
}

/// Serves connections until the stop.
pub(super) async fn serve(
    listener: TcpListener,
    portals: Arc<Portals>,
    endpoint: Endpoint,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        let Ok((stream, source)) = accepted else { continue };
        let _ = stream.set_nodelay(true);
        let (portals, endpoint, mut stop) = (Arc::clone(&portals), endpoint.clone(), stop.clone());
        tokio::spawn(async move {
            let connection = async {
                match endpoint {
                    Endpoint::Rest(Some(acceptor)) => {
                        // A client that does not trust the certificate, or speaks no TLS, is gone.
                        if let Ok(stream) = acceptor.accept(stream).await {
                            connection(stream, portals, None, source).await;
                        }
                    }
                    Endpoint::Rest(None) => connection(stream, portals, None, source).await,
                    Endpoint::Control(access) => {
                        connection(stream, portals, Some(access), source).await;
                    }
                }
            };
            tokio::select! {
                () = connection => {}
                _ = stop.changed() => {}
            }
        });
    }
}

/// Serves one connection: that of the portal, or with an access rule that of the admin API.
async fn connection<S>(
    stream: S,
    portals: Arc<Portals>,
    access: Option<AdminAccess>,
    source: SocketAddr,
) where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let service = service_fn(move |request| answer(Arc::clone(&portals), access, source, request));
    // A client that goes away, and a requested cut, are not errors here.
    let _ = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    portals: Arc<Portals>,
    access: Option<AdminAccess>,
    source: SocketAddr,
    request: Request<IncomingBody>,
) -> Result<Response<ResponseBody>, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = http_body_util::Limited::new(body, MAX_BODY_BYTES)
        .collect()
        .await
        .map_err(|problem| std::io::Error::other(problem.to_string()))?
        .to_bytes();
    if let Some(access) = access {
        let (status, text) =
            if access == AdminAccess::ThisMachine && admin_api::comes_from_a_page(&head.headers) {
                (403, r#"{"error":"not for pages in a browser"}"#.to_owned())
            } else {
                admin_api::answer_for(&portals, &head.method, head.uri.path(), &body)
            };
        return Ok(response(status, JSON, full(text), None));
    }
    let host = head.headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(portal) = portals.find(host) else {
        return Ok(response(404, JSON, full(r#"{"error":"no such portal"}"#.to_owned()), None));
    };
    let content_type = head.headers.get(header::CONTENT_TYPE);
    let incoming = IncomingRequest {
        verb: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().unwrap_or_default().to_owned(),
        content_type: content_type
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()),
        // Compressed bodies are not unpacked: the bytes are read as they came.
        body: body.to_vec(),
    };
    match handler::answer(portal, &source.ip().to_string(), incoming).await {
        Reply::Answer(ResponseParts { status, content_type, body, location }) => {
            Ok(with_cors(response(status, content_type, full(body), location)))
        }
        Reply::Truncated(ResponseParts { status, content_type, body, .. }) => {
            let half = body.len() / 2;
            let half = (half..body.len()).find(|index| body.is_char_boundary(*index)).unwrap_or(0);
            let beginning = Bytes::from(body.get(..half).unwrap_or_default().to_owned());
            let broken = async {
                // The beginning is sent before this is polled again.
                tokio::task::yield_now().await;
                Err(std::io::Error::other("cut by a fault"))
            };
            let beginning = futures_util::stream::iter([Ok(Frame::data(beginning))]);
            let stream = StreamBody::new(futures_util::StreamExt::chain(
                beginning,
                futures_util::stream::once(broken),
            ));
            Ok(with_cors(response(status, content_type, stream.boxed(), None)))
        }
        // An error here ends the connection before any byte of an answer.
        Reply::Cut => Err(std::io::Error::other("cut by a fault")),
    }
}

/// Adds the CORS header: the portal lets pages of any site call it.
fn with_cors(mut response: Response<ResponseBody>) -> Response<ResponseBody> {
    let anybody = header::HeaderValue::from_static("*");
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, anybody);
    response
}

fn full(text: String) -> ResponseBody {
    Full::new(Bytes::from(text)).map_err(|never: Infallible| match never {}).boxed()
}

fn response(
    status: u16,
    content_type: &'static str,
    body: ResponseBody,
    location: Option<&'static str>,
) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert("x-recard-emulator", header::HeaderValue::from_static("1"));
    if let Some(location) = location {
        headers.insert(header::LOCATION, header::HeaderValue::from_static(location));
    }
    response
}
