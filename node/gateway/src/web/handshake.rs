//! From an HTTP/1.1 request to a WebSocket (RFC 6455 §4.2). What comes after is a session like any other.
//!
//! A page of another server may open one too, for its client may have accounts here. Nothing is lent to it by that: who a
//! session is, is said in its frames, and no cookie says it. It could try passwords from its visitors' addresses; so
//! attempts are counted by its host too, it makes and recovers no accounts, and a denied domain's page gets nothing.
//! A page without an origin (a file, a frame in a sandbox) or without TLS may not.

use std::sync::atomic::Ordering;

use axum::{
    Extension,
    extract::Request,
    http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header},
    response::{IntoResponse, Response},
};
use startalk_domain::directory;
use startalk_protocol::DomainName;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    Client, Upgrade,
    headers::{foreign, is_same_origin},
};

/// Answers the handshake; the connection's task finds the way on in [`Client`].
pub(super) async fn upgrade(Extension(client): Extension<Client>, mut request: Request) -> Response {
    let headers = request.headers();
    let wanted = request.method() == Method::GET
        && request.version() == Version::HTTP_11
        && has_token(headers, &header::CONNECTION, "upgrade")
        && has_token(headers, &header::UPGRADE, "websocket");
    if !wanted {
        return (StatusCode::UPGRADE_REQUIRED, [(header::UPGRADE, "websocket")], "this is the place of a WebSocket\n")
            .into_response();
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|v| v != "13") {
        return (StatusCode::UPGRADE_REQUIRED, [(header::SEC_WEBSOCKET_VERSION, "13")], "expected version 13\n").into_response();
    }
    let foreign = (!is_same_origin(headers)).then(|| foreign(headers));
    let foreign: Option<Box<str>> = match foreign {
        None => None,
        Some(Some(host)) if !is_denied(&client, host) => Some(host.into()),
        Some(_) => return (StatusCode::FORBIDDEN, "expected a page of this server, or of another over TLS\n").into_response(),
    };
    let Some(key) = headers.get(header::SEC_WEBSOCKET_KEY) else {
        return (StatusCode::BAD_REQUEST, "expected Sec-WebSocket-Key\n").into_response();
    };
    let Ok(accept) = HeaderValue::try_from(derive_accept_key(key.as_bytes())) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    client.is_session.store(true, Ordering::Relaxed);
    *client.upgrade.lock() = Some(Upgrade { on: hyper::upgrade::on(&mut request), foreign });
    let upgrade = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    (StatusCode::SWITCHING_PROTOCOLS, upgrade).into_response()
}

/// Whether the operator wants nothing to do with the domain whose page asks.
pub(crate) fn is_denied(client: &Client, host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let store = &*client.gateway.config.views.store;
    name.parse::<DomainName>().is_ok_and(|domain| domain != client.gateway.config.domain && directory::is_denied(store, &domain))
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    let values = headers.get_all(name).iter().filter_map(|v| v.to_str().ok());
    values.flat_map(|v| v.split(',')).any(|t| t.trim().eq_ignore_ascii_case(token))
}
