//! Files over HTTP: uploads (tus 1.0.0), what became of them, and downloads. docs/client-protocol.md
//!
//! Owns how a request is read and answered, and how much of it there may be at once; what a file is and who may read it is asked
//! of `startalk_media`, which asks the domain. Bodies stream both ways, a chunk at a time, and end when nothing moves.
//! Invariant: nothing is said of a file before the account was found whose device asks.

mod answer;
mod asker;
mod cross;
mod download;
mod places;
mod preview;
mod upload;

use std::time::Duration;

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware,
    response::Response,
    routing::{any, get, post},
};
use startalk_media::Media;
use startalk_net::{Buckets, Rate};
use startalk_protocol::{Code, Error};

use crate::web::Client;

pub use answer::error;
pub use asker::{Seal, by_token};
pub use places::Places;

/// Below which everything here is served.
pub const BASE: &str = "/files";
/// How long a body may stand still, in either direction.
pub const STILL: Duration = Duration::from_secs(60);
/// Uploads that bring bytes at once, of one account.
const UPLOADS_AT_ONCE_MAX: usize = 8;
/// Downloads at once, of one account: a page of an album on several devices.
const DOWNLOADS_AT_ONCE_MAX: usize = 64;
/// Questions whether a file is here: each may read a thousand records.
const HAVE_RATE: Rate = Rate { burst: 100, refill: Duration::from_millis(500) };
/// Pages looked at: each is a request to a server that a person chose.
const PREVIEW_RATE: Rate = Rate { burst: 20, refill: Duration::from_secs(3) };
/// Uploads begun.
const BEGIN_RATE: Rate = Rate { burst: 200, refill: Duration::from_millis(500) };

/// What is counted of each account.
pub struct Counted {
    pub uploads: Places,
    pub downloads: Places,
    pub have: Buckets<u64>,
    pub begun: Buckets<u64>,
    pub previews: Buckets<u64>,
}

impl Default for Counted {
    fn default() -> Self {
        Self {
            uploads: Places::new(UPLOADS_AT_ONCE_MAX),
            downloads: Places::new(DOWNLOADS_AT_ONCE_MAX),
            have: Buckets::new(HAVE_RATE),
            begun: Buckets::new(BEGIN_RATE),
            previews: Buckets::new(PREVIEW_RATE),
        }
    }
}

/// The routes, without the headers that every answer has.
pub fn routes() -> Router {
    Router::new()
        .route("/session", post(asker::session))
        .route("/uploads", any(upload::uploads))
        .route("/uploads/{id}", any(upload::one))
        .route("/have", post(upload::have))
        .route("/preview", post(preview::preview))
        .route("/{device}/own/{hash}/{name}", any(download::own))
        .route("/{device}/{conversation}/{sequence}/{hash}/{name}", any(download::through))
        .route("/export", get(crate::export::export))
        .fallback(nothing)
        .layer(DefaultBodyLimit::max(upload::HAVE_BYTES_MAX))
        .layer(middleware::from_fn(cross::origins))
}

/// Whether a request may take as long as its body takes.
pub fn is_body(request: &axum::http::Request<axum::body::Body>) -> bool {
    let brings = matches!(*request.method(), axum::http::Method::PATCH | axum::http::Method::POST);
    brings && request.uri().path().starts_with("/files/uploads")
}

async fn nothing() -> Response {
    answer::error(&Code::NoSuchFile.into())
}

/// Media, if this node has it.
fn media(client: &Client) -> Result<&Media, Error> {
    let missing = || Error::new(Code::NotAllowedHere).with("what", "files");
    client.gateway.config.media.as_ref().ok_or_else(missing)
}

/// Who asks, as every handler gets it.
type From = Extension<Client>;
