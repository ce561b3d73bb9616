//! HTTP on a client's connection: the handshake of WebSocket, what other nodes and browsers read, and the pages.
//!
//! Owns the routes, the headers of every answer, and the limits on requests. A connection that became a WebSocket is
//! handed back, and goes on as a session in the same task. Invariant: without TLS nobody but loopback gets a page.

mod callback;
mod client;
mod handshake;
mod headers;
mod health;
mod home;
mod join;
mod navigation;
mod page;
mod stall;
mod words;

use std::{
    net::IpAddr,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use axum::{
    Extension, Router,
    body::Body,
    extract::DefaultBodyLimit,
    http::{HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{any, get},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use parking_lot::Mutex;
use startalk_protocol::trust::{NAVIGATION_PATH, WELL_KNOWN_PATH};
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt;

use crate::{files, gateway::Inner};

pub use callback::PATH as CALLBACK_PATH;
pub use client::{WebClient, WebFile};
pub(crate) use handshake::is_denied;
pub(crate) use headers::{foreign, is_same_origin};
pub(crate) use home::ICON;

/// Until a request's head must be whole; also how long an idle connection is kept.
const HEAD_TIMEOUT: Duration = Duration::from_secs(20);
/// Until a request must be answered; a registration may wait for others' password hashes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes of a request's head.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a request's body: a form.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Requests at once on one HTTP/2 connection.
const STREAMS_MAX: u32 = 16;

/// Where a request comes from, for routers that are served below a path.
#[derive(Clone, Copy, Debug)]
pub struct Asker(pub IpAddr);

/// Who asks, and whom.
#[derive(Clone)]
pub(crate) struct Client {
    pub gateway: Arc<Inner>,
    pub from: IpAddr,
    pub tls: bool,
    /// Where the handshake of a WebSocket leaves the connection.
    upgrade: Arc<Mutex<Option<Upgrade>>>,
    /// It became a session, which has limits of its own.
    is_session: Arc<AtomicBool>,
}

/// A connection on its way to a WebSocket.
pub(crate) struct Upgrade {
    on: OnUpgrade,
    /// The other server whose page asked.
    foreign: Option<Box<str>>,
}

/// A connection that became a WebSocket.
pub(crate) struct Opened {
    pub stream: TokioIo<Upgraded>,
    /// The other server whose page asked for it, as a host or host:port; `None`: a page of this server, or no page.
    pub foreign: Option<Box<str>>,
}

/// Serves a connection until it ends, or until it has become a WebSocket.
pub(crate) async fn serve<S>(gateway: &Arc<Inner>, stream: S, from: IpAddr, tls: bool) -> Option<Opened>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (upgrade, is_session) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
    let client = Client { gateway: gateway.clone(), from, tls, upgrade: upgrade.clone(), is_session: is_session.clone() };
    let router = gateway.router.get_or_init(|| routes(gateway.below.get())).clone();
    let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let (client, router) = (client.clone(), router.clone());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(Asker(from));
            request.extensions_mut().insert(client);
            // Bytes of files come as long as they come; what stands still ends there.
            if files::is_body(&request) {
                return router.oneshot(request).await;
            }
            match tokio::time::timeout(ANSWER_TIMEOUT, router.oneshot(request)).await {
                Ok(answer) => answer,
                Err(_) => Ok(StatusCode::REQUEST_TIMEOUT.into_response()),
            }
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .keep_alive_interval(HEAD_TIMEOUT)
        .keep_alive_timeout(HEAD_TIMEOUT);
    // Boxed, so that its memory goes when the connection becomes a session.
    let connection =
        Box::pin(builder.serve_connection_with_upgrades(TokioIo::new(stall::Stalling::new(stream, is_session)), service));
    if let Err(error) = connection.await {
        tracing::debug!(%from, %error, "an HTTP connection ended");
    }
    let Upgrade { on, foreign } = upgrade.lock().take()?;
    on.await.ok().map(|upgraded| Opened { stream: TokioIo::new(upgraded), foreign })
}

fn routes(below: Option<&(&'static str, Router)>) -> Router {
    let mut all = Router::new();
    if let Some((path, router)) = below {
        all = all.nest(path, router.clone());
    }
    all.nest(files::BASE, files::routes())
        .route("/v1/ws", any(handshake::upgrade))
        .route(callback::PATH, get(callback::come_back))
        .route(WELL_KNOWN_PATH, get(record))
        .route(NAVIGATION_PATH, get(navigation::document))
        .route("/health", get(health::health))
        .route("/healthz", get(health::health))
        .route("/ready", get(health::ready))
        .route("/", get(home::home))
        .route("/join", get(join::open_form).post(join::open_submit))
        .route("/join/{secret}", get(join::form).post(join::submit))
        .route("/style.css", get(home::style))
        .route("/icon.svg", get(home::icon))
        .fallback(home::other)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn(headers::only_safely))
        .layer(middleware::from_fn(headers::strict))
}

/// The domain's signed record, for whoever looks for it: also a client that another domain's server gave out, for it is
/// public and signed.
async fn record(Extension(client): Extension<Client>) -> Response {
    let record = (client.gateway.config.record)();
    if record.is_empty() {
        return (StatusCode::SERVICE_UNAVAILABLE, "no record is signed yet\n").into_response();
    }
    let said = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60")),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (headers::RESOURCE_POLICY, HeaderValue::from_static("cross-origin")),
    ];
    (said, record).into_response()
}
