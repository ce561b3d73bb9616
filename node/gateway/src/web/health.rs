//! For whoever watches the process: whether it lives, and whether it serves.
//!
//! Says nothing of the domain: both may be asked by anybody.

use axum::{
    Extension, Json,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde_json::json;
use startalk_protocol::{Code, Error};

use super::Client;
use crate::gateway::Inner;

/// It lives: it answers.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// It serves, or why not: a code as everywhere, for programs.
pub(super) async fn ready(Extension(client): Extension<Client>) -> Response {
    match is_ready(&client.gateway) {
        Ok(()) => Json(json!({ "ready": true })).into_response(),
        Err(error) => {
            let said = json!({ "ready": false, "code": error.code.as_str(), "params": error.params });
            (StatusCode::SERVICE_UNAVAILABLE, Json(said)).into_response()
        }
    }
}

fn is_ready(gateway: &Inner) -> Result<(), Error> {
    if gateway.is_stopping() {
        return Err(Code::Stopping.into());
    }
    gateway.config.handle.takes()?;
    (gateway.config.ready)()
}
