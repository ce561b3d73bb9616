//! What the domain tells clients of itself, as JSON with the signed record inside: for whoever knows its address and nothing else.

use axum::{
    Extension, Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use startalk_protocol::trust::{DomainRecord, NavigationDocument};

use super::{Client, headers};
use crate::convert;

/// Also for a client that another domain's server gave out: it is public and signed.
pub(super) async fn document(Extension(client): Extension<Client>) -> Response {
    let gateway = &client.gateway;
    let record = (gateway.config.record)();
    // Verified as by anybody else: what would be refused elsewhere is not given out here.
    let Ok(record) = DomainRecord::decode_signed(&record, convert::signed(gateway.now_ms())) else {
        return (StatusCode::SERVICE_UNAVAILABLE, "no record is signed yet\n").into_response();
    };
    let said = [
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60")),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (headers::RESOURCE_POLICY, HeaderValue::from_static("cross-origin")),
    ];
    (said, Json(NavigationDocument::of(&record, None))).into_response()
}
