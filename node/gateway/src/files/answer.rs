//! Errors and small answers, as JSON.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::json;
use startalk_protocol::{Code, Error};

/// Seconds after which it is worth to ask again.
const RETRY_AFTER_S: u32 = 3;

/// `{"error": {"code", "params"}}` with its status.
pub fn error(error: &Error) -> Response {
    let body = json!({ "error": { "code": error.code.as_str(), "params": error.params } });
    let mut answer = json_of(status(error.code), &body);
    if matches!(answer.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
        answer.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER_S.into());
    }
    if error.code == Code::NotSignedIn || error.code == Code::TokenRevoked {
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    answer
}

/// A value with a status.
pub fn json_of(status: StatusCode, value: &impl Serialize) -> Response {
    let Ok(bytes) = serde_json::to_vec(value) else { return StatusCode::INTERNAL_SERVER_ERROR.into_response() };
    (status, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], bytes).into_response()
}

/// A status and no body.
pub fn empty(status: StatusCode) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

fn status(code: Code) -> StatusCode {
    match code {
        Code::NotSignedIn | Code::TokenRevoked => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::NotAllowedHere => StatusCode::FORBIDDEN,
        Code::NoSuchFile | Code::UploadGone => StatusCode::NOT_FOUND,
        Code::WrongOffset => StatusCode::CONFLICT,
        Code::FileTooLarge | Code::TooLarge | Code::OverFileQuota => StatusCode::PAYLOAD_TOO_LARGE,
        Code::NotAPicture => StatusCode::UNPROCESSABLE_ENTITY,
        Code::Busy => StatusCode::LOCKED,
        Code::SlowDown | Code::TooMany => StatusCode::TOO_MANY_REQUESTS,
        Code::IdleTimeout => StatusCode::REQUEST_TIMEOUT,
        Code::FileAway | Code::FileComing | Code::Stopping => StatusCode::SERVICE_UNAVAILABLE,
        Code::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_REQUEST,
    }
}
