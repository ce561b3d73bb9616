//! What stands on every answer, and who gets one at all.
//!
//! Pages load nothing but this server's own style; no script, no frame, no foreign form. The referrer policy is
//! `same-origin`, for links hold secrets; `no-referrer` would make browsers say `Origin: null` with our own forms.

use axum::{
    Extension,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::Client;

const STRICT: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("permissions-policy", "camera=(), microphone=(), geolocation=()"),
];

/// Puts the strict headers on every answer; what does not say otherwise is not kept by caches.
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
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
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
pub(super) fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    if let Some(site) = text(&HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin" || site == "none"; // none: the person did it, by a reload
    }
    let Some(origin) = text(&header::ORIGIN) else { return true };
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    authority.is_some() && authority == text(&header::HOST)
}
