//! Pages of other servers (Fetch, CORS): the client that a server gives out may have accounts here, as for WebSocket
//! (`web/handshake.rs`). They show tokens; cookies are not theirs. A denied domain's page gets nothing.

use axum::{
    Extension,
    extract::Request,
    http::{HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};
use startalk_protocol::Code;

use super::answer;
use crate::web::{Client, foreign, is_denied, is_same_origin};

const METHODS: HeaderValue = HeaderValue::from_static("GET, HEAD, POST, PATCH, DELETE, OPTIONS");
const ASKED: HeaderValue = HeaderValue::from_static(
    "authorization, content-type, range, if-range, if-none-match, tus-resumable, upload-length, upload-metadata, upload-offset",
);
const SHOWN: HeaderValue = HeaderValue::from_static(
    "location, etag, accept-ranges, content-range, content-length, content-disposition, retry-after, tus-resumable, tus-version, \
     tus-extension, tus-max-size, upload-offset, upload-length, upload-expires, upload-metadata",
);
/// Seconds for which a browser remembers what it may ask.
const REMEMBERED: HeaderValue = HeaderValue::from_static("7200");

/// Answers preflights, and says on every answer who may read it.
pub async fn origins(Extension(client): Extension<Client>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let Some(origin) = headers.get(header::ORIGIN).cloned().filter(|_| !is_same_origin(headers)) else {
        return next.run(request).await;
    };
    if foreign(headers).is_none_or(|host| is_denied(&client, host)) {
        return answer::error(&Code::Forbidden.into());
    }
    let preflight = request.method() == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut answer = if preflight { answer::empty(StatusCode::NO_CONTENT) } else { next.run(request).await };
    let said = answer.headers_mut();
    if preflight {
        said.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        said.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ASKED);
        said.insert(header::ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    }
    said.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    said.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN);
    said.append(header::VARY, HeaderValue::from_static("Origin"));
    answer
}
