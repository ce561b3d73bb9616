//! Uploads: tus 1.0.0 with creation, creation-with-upload, termination and expiration; and the description of what came of one.
//!
//! What a request brought before it was cut stays; the next one takes the turn over, even if the node has not noticed the cut.

use std::time::{Duration, UNIX_EPOCH};

use axum::{
    Extension,
    body::{Body, Bytes},
    extract::{Path, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use futures_util::StreamExt as _;
use serde::Deserialize;
use serde_json::{Value, json};
use startalk_domain::command::Actor;
use startalk_media::{Description, Media, NewUpload, Progress, metadata};
use startalk_protocol::{Code, Error};

use super::{From, STILL, answer, asker::by_token, media};
use crate::web::Client;

/// Bytes of a question whether a file is here.
pub const HAVE_BYTES_MAX: usize = 4096;
const VERSION: HeaderValue = HeaderValue::from_static("1.0.0");
const EXTENSIONS: HeaderValue = HeaderValue::from_static("creation,creation-with-upload,termination,expiration");
const BYTES_FOLLOW: &str = "application/offset+octet-stream";
const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const TUS_VERSION: HeaderName = HeaderName::from_static("tus-version");
const TUS_EXTENSION: HeaderName = HeaderName::from_static("tus-extension");
const UPLOAD_LENGTH: HeaderName = HeaderName::from_static("upload-length");
const UPLOAD_OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const UPLOAD_EXPIRES: HeaderName = HeaderName::from_static("upload-expires");
const UPLOAD_METADATA: HeaderName = HeaderName::from_static("upload-metadata");

/// `/files/uploads`.
pub async fn uploads(Extension(client): From, request: Request) -> Response {
    match *request.method() {
        Method::OPTIONS => with_version(abilities()),
        Method::POST => tus(begin(&client, request).await),
        _ => answer::empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// `/files/uploads/<id>`.
pub async fn one(Extension(client): From, Path(id): Path<String>, request: Request) -> Response {
    match *request.method() {
        Method::OPTIONS => with_version(abilities()),
        Method::GET => describe(&client, &id, request.headers()).await.unwrap_or_else(|e| answer::error(&e)),
        Method::HEAD => tus(head(&client, &id, request.headers())),
        Method::PATCH => tus(go_on(&client, &id, request).await),
        Method::DELETE => tus(terminate(&client, &id, request.headers()).await),
        _ => answer::empty(StatusCode::METHOD_NOT_ALLOWED),
    }
}

#[derive(Deserialize)]
struct Have {
    hash: String,
    size: u64,
    name: String,
}

/// `/files/have`.
pub async fn have(Extension(client): From, headers: HeaderMap, body: Bytes) -> Response {
    let found = async {
        let actor = by_token(&client, &headers)?;
        client.gateway.files.have.take(actor.account, client.gateway.now_ms())?;
        let expected = || Error::new(Code::Malformed).with("expected", "JSON with hash, size and name");
        let have: Have = serde_json::from_slice(&body).map_err(|_| expected())?;
        let hash = super::download::hash(&have.hash).ok_or_else(expected)?;
        media(&client)?.have(actor.account, hash, have.size, &have.name).await
    };
    match found.await {
        Ok(found) => answer::json_of(StatusCode::OK, &ready(&found, found.file.size)),
        Err(error) => answer::error(&error),
    }
}

fn abilities() -> Response {
    let mut answer = answer::empty(StatusCode::NO_CONTENT);
    answer.headers_mut().insert(TUS_VERSION, VERSION);
    answer.headers_mut().insert(TUS_EXTENSION, EXTENSIONS);
    answer
}

fn with_version(mut answer: Response) -> Response {
    answer.headers_mut().insert(TUS_RESUMABLE, VERSION);
    answer
}

fn tus(answered: Result<Response, Error>) -> Response {
    with_version(answered.unwrap_or_else(|error| {
        let mut answer = answer::error(&error);
        if error.code == Code::UnsupportedVersion {
            *answer.status_mut() = StatusCode::PRECONDITION_FAILED;
            answer.headers_mut().insert(TUS_VERSION, VERSION);
        }
        answer
    }))
}

/// Who asks in this version of tus; `Err` with an answer of its own if it is another version.
fn asker(client: &Client, headers: &HeaderMap) -> Result<Actor, Error> {
    if headers.get(TUS_RESUMABLE).is_some_and(|v| v != VERSION) {
        return Err(Error::new(Code::UnsupportedVersion).with("min", "1.0.0").with("max", "1.0.0"));
    }
    by_token(client, headers)
}

async fn begin(client: &Client, request: Request) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    let actor = asker(client, &head.headers)?;
    let media = media(client)?;
    client.gateway.files.begun.take(actor.account, client.gateway.now_ms())?;
    let size = number(&head.headers, &UPLOAD_LENGTH)?;
    let said = head.headers.get(&UPLOAD_METADATA).map(|v| v.to_str()).transpose();
    let said = said.map_err(|_| Error::new(Code::Malformed).with("expected", "Upload-Metadata in ASCII"))?;
    let metadata::Metadata { name, purpose } = metadata::parse(said.unwrap_or_default())?;
    let upload = media.begin(NewUpload { account: actor.account, size, name, purpose }).await?;
    let mut answer = answer::empty(StatusCode::CREATED);
    let place = format!("{}/uploads/{}", super::BASE, upload.id);
    answer.headers_mut().insert(header::LOCATION, HeaderValue::try_from(place).map_err(|_| Code::Internal)?);
    answer.headers_mut().insert(UPLOAD_EXPIRES, expires(upload.expires_ms()));
    if head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == BYTES_FOLLOW) {
        // The upload is begun whatever becomes of the bytes: what is missing comes by PATCH.
        let offset = receive(client, media, actor, &upload.id, 0, body).await.unwrap_or_else(|_| upload.offset());
        answer.headers_mut().insert(UPLOAD_OFFSET, offset.into());
    }
    Ok(answer)
}

fn head(client: &Client, id: &str, headers: &HeaderMap) -> Result<Response, Error> {
    let actor = asker(client, headers)?;
    let upload = media(client)?.upload(actor.account, id)?;
    let mut answer = answer::empty(StatusCode::OK);
    let said = answer.headers_mut();
    said.insert(UPLOAD_OFFSET, upload.offset().into());
    said.insert(UPLOAD_LENGTH, upload.size.into());
    said.insert(UPLOAD_EXPIRES, expires(upload.expires_ms()));
    if let Ok(metadata) = metadata::header(&upload.name, upload.purpose).try_into() {
        said.insert(UPLOAD_METADATA, metadata);
    }
    Ok(answer)
}

async fn go_on(client: &Client, id: &str, request: Request) -> Result<Response, Error> {
    let (head, body) = request.into_parts();
    let actor = asker(client, &head.headers)?;
    if head.headers.get(header::CONTENT_TYPE).is_none_or(|kind| kind != BYTES_FOLLOW) {
        return Ok(answer::empty(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    let offset = number(&head.headers, &UPLOAD_OFFSET)?;
    let media = media(client)?;
    let offset = receive(client, media, actor, id, offset, body).await?;
    let mut answer = answer::empty(StatusCode::NO_CONTENT);
    answer.headers_mut().insert(UPLOAD_OFFSET, offset.into());
    answer.headers_mut().insert(UPLOAD_EXPIRES, expires(media.upload(actor.account, id)?.expires_ms()));
    Ok(answer)
}

/// Takes a body in, until it ends, stands still, or another request wants the turn; where the upload stands then.
async fn receive(client: &Client, media: &Media, actor: Actor, id: &str, offset: u64, body: Body) -> Result<u64, Error> {
    let _place = client.gateway.files.uploads.take(actor.account)?;
    let mut receiving = media.receive(actor.account, id, offset).await?;
    let mut body = body.into_data_stream();
    let cut: Option<Error> = loop {
        let next = tokio::select! {
            biased;
            () = receiving.superseded() => break Some(Code::Busy.into()),
            next = tokio::time::timeout(STILL, body.next()) => next,
        };
        match next {
            Ok(Some(Ok(bytes))) => {
                if let Err(error) = receiving.write(bytes).await {
                    break Some(error);
                }
            }
            Ok(None) => break None,
            Ok(Some(Err(_))) | Err(_) => break Some(Code::IdleTimeout.into()),
        }
    };
    let ended = receiving.end().await;
    cut.map_or(ended, Err)
}

async fn terminate(client: &Client, id: &str, headers: &HeaderMap) -> Result<Response, Error> {
    let actor = asker(client, headers)?;
    media(client)?.terminate(actor.account, id).await?;
    Ok(answer::empty(StatusCode::NO_CONTENT))
}

async fn describe(client: &Client, id: &str, headers: &HeaderMap) -> Result<Response, Error> {
    let actor = by_token(client, headers)?;
    let (upload, progress) = media(client)?.progress(actor.account, id).await?;
    let told = match &progress {
        Progress::Receiving => json!({ "state": "receiving", "offset": upload.offset() }),
        Progress::Working => json!({ "state": "working", "offset": upload.offset() }),
        Progress::Ready(description) => ready(description, upload.size),
        Progress::Failed(error) => json!({
            "state": "failed",
            "offset": upload.offset(),
            "error": { "code": error.code.as_str(), "params": error.params },
        }),
    };
    Ok(answer::json_of(StatusCode::OK, &told))
}

fn ready(description: &Description, offset: u64) -> Value {
    let mut told = json!({ "state": "ready", "offset": offset, "file": description.file });
    if let Some(picture) = &description.picture {
        told["picture"] = json!(picture);
    }
    told
}

fn number(headers: &HeaderMap, name: &HeaderName) -> Result<u64, Error> {
    let text = headers.get(name).and_then(|v| v.to_str().ok()).filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
    let expected = || Error::new(Code::Malformed).with("expected", format!("{name} as a number"));
    text.and_then(|t| t.parse().ok()).ok_or_else(expected)
}

fn expires(at_ms: u64) -> HeaderValue {
    let text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(at_ms));
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"))
}
