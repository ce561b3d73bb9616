//! What stands on every answer, and who gets one at all.
//!
//! Pages load nothing but this server's own style; no script, no frame, no foreign form. The web client's files say their
//! own policy (`client.rs`), which is as strict. The referrer policy is
//! `same-origin`, for links hold secrets; `no-referrer` would make browsers say `Origin: null` with our own forms.

use axum::{
    Extension,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::Client;

/// Who may load an answer (Fetch §3.7); what is for everybody says so itself.
pub(super) const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// Bytes of the host of an origin: a DNS name has 253, a port 6.
const HOST_BYTES_MAX: usize = 260;

/// What an answer may say otherwise.
const USUAL: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("cross-origin-resource-policy", "same-origin"),
    // What holds an account's links and codes.
    ("cache-control", "no-store"),
];
/// What is on every answer.
const STRICT: &[(&str, &str)] = &[
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(self), geolocation=(self), payment=(), usb=(), serial=(), hid=(), midi=()"),
];

/// Puts the strict headers on every answer, and the usual ones where it does not say otherwise.
pub(super) async fn strict(mut request: Request, next: Next) -> Response {
    // HTTP/2 says the host in the address alone.
    if let Some(host) = request.uri().authority().and_then(|a| HeaderValue::from_str(a.as_str()).ok()) {
        request.headers_mut().entry(header::HOST).or_insert(host);
    }
    let mut answer = next.run(request).await;
    let headers = answer.headers_mut();
    for (name, value) in STRICT {
        headers.insert(*name, HeaderValue::from_static(value));
    }
    for (name, value) in USUAL {
        headers.entry(*name).or_insert(HeaderValue::from_static(value));
    }
    answer
}

/// Without TLS only loopback is served (a proxy on this machine); others are sent to the public address.
pub(super) async fn only_safely(Extension(client): Extension<Client>, request: Request, next: Next) -> Response {
    if client.tls || client.from.to_canonical().is_loopback() {
        return next.run(request).await;
    }
    let public = &client.gateway.config.public_url;
    let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
    if public.starts_with("https://") && path.starts_with('/') {
        return Redirect::permanent(&format!("{public}{path}")).into_response();
    }
    (StatusCode::FORBIDDEN, "this server answers over TLS only\n").into_response()
}

/// Whether a page of this server asks, or no page at all: browsers always say which, for forms and for WebSocket.
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    if let Some(site) = text(&HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin" || site == "none"; // none: the person did it, by a reload
    }
    let Some(origin) = text(&header::ORIGIN) else { return true };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == text(&header::HOST)
}

/// The server whose page asks, `host` or `host:port`, if it is not this one and is reached over TLS. The client that a
/// server gives out may have accounts of other domains; what anybody else's page could do is in `handshake.rs`.
pub(crate) fn foreign(headers: &HeaderMap) -> Option<&str> {
    let host = headers.get(header::ORIGIN)?.to_str().ok()?.strip_prefix("https://")?;
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
    (!host.is_empty() && host.len() <= HOST_BYTES_MAX && host.chars().all(is_host)).then_some(host)
}
