//! Downloads: a file through a message, or one's own; whole or a range (RFC 9110 §14), with types that do no harm.
//!
//! What a browser may show is a closed list (`startalk_media::sniff`); everything else is saved, as bytes of no type. The page
//! that a browser makes of a file is in a sandbox, with nothing allowed. Invariant: the right to read is asked for anew by each
//! request, also if the bytes did not change.

use std::ops::Range;

use axum::{
    body::Body,
    extract::{Extension, Path, Request},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header, request::Parts},
    response::Response,
};
use futures_util::StreamExt as _;
use startalk_domain::files::Here;
use startalk_media::{
    Hash, metadata,
    range::{self, Part},
    sniff,
};
use startalk_protocol::{Code, Error};

use super::{From, answer, asker::of_device, media};
use crate::web::Client;

const CACHING: HeaderValue = HeaderValue::from_static("private, no-cache");
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; img-src 'self'; media-src 'self'; sandbox");
const CONTENT_SECURITY_POLICY: HeaderName = HeaderName::from_static("content-security-policy");
/// In file names of `filename*` nothing else stands for itself (RFC 8187).
const PLAIN: &str = "!#$&+-.^_`|~";

/// `/files/<device>/<conversation>/<sequence>/<hash>/<name>`.
pub async fn through(
    Extension(client): From,
    Path((device, conversation, sequence, hash_text, name)): Path<(String, String, String, String, String)>,
    request: Request,
) -> Response {
    let (asked, _) = request.into_parts();
    let found = async {
        let actor = of_device(&client, &asked.headers, number(&device)?)?;
        let (conversation, sequence) = (number(&conversation)?, number(&sequence)?);
        let hash = hash(&hash_text).ok_or(Code::NoSuchFile)?;
        Ok((actor.account, media(&client)?.through(actor.account, conversation, sequence, hash).await?))
    };
    match found.await {
        Ok((account, here)) => give(&client, account, &here, &name, &asked).await,
        Err(error) => answer::error(&error),
    }
}

/// `/files/<device>/own/<hash>/<name>`.
pub async fn own(
    Extension(client): From,
    Path((device, hash_text, name)): Path<(String, String, String)>,
    request: Request,
) -> Response {
    let (asked, _) = request.into_parts();
    let found = async {
        let actor = of_device(&client, &asked.headers, number(&device)?)?;
        let hash = hash(&hash_text).ok_or(Code::NoSuchFile)?;
        Ok((actor.account, media(&client)?.own(actor.account, hash).await?))
    };
    match found.await {
        Ok((account, here)) => give(&client, account, &here, &name, &asked).await,
        Err(error) => answer::error(&error),
    }
}

/// A hash as it stands in addresses: 64 hexadecimal digits.
pub fn hash(text: &str) -> Option<Hash> {
    data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok()
}

fn number(text: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| Code::NoSuchFile.into())
}

async fn give(client: &Client, account: u64, here: &Here, name: &str, request: &Parts) -> Response {
    if !matches!(request.method, Method::GET | Method::HEAD) {
        return answer::empty(StatusCode::METHOD_NOT_ALLOWED);
    }
    let asked = &request.headers;
    let tag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&here.hash));
    let mut answer = match part(asked, here, &tag) {
        Asked::NotModified => answer::empty(StatusCode::NOT_MODIFIED),
        Asked::Part(Part::Beyond) => {
            let mut answer = answer::empty(StatusCode::RANGE_NOT_SATISFIABLE);
            set(&mut answer, header::CONTENT_RANGE, &format!("bytes */{}", here.size));
            answer
        }
        Asked::Part(part) => {
            let (status, range) = match part {
                Part::Of(range) => (StatusCode::PARTIAL_CONTENT, range),
                _ => (StatusCode::OK, 0..here.size),
            };
            match bytes(client, account, here, range.clone(), request.method == Method::HEAD).await {
                Err(error) => return answer::error(&error),
                Ok(body) => {
                    let mut answer = Response::new(body);
                    *answer.status_mut() = status;
                    if status == StatusCode::PARTIAL_CONTENT {
                        let said = format!("bytes {}-{}/{}", range.start, range.end - 1, here.size);
                        set(&mut answer, header::CONTENT_RANGE, &said);
                    }
                    answer.headers_mut().insert(header::CONTENT_LENGTH, (range.end - range.start).into());
                    answer
                }
            }
        }
    };
    let is_shown = sniff::is_shown(&here.media_type);
    let saved =
        !is_shown || request.uri.query().is_some_and(|q| q.split('&').any(|w| w == "download" || w.starts_with("download=")));
    let said = answer.headers_mut();
    said.insert(header::CONTENT_TYPE, kind(&here.media_type, is_shown));
    said.insert(header::CACHE_CONTROL, CACHING);
    said.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    said.insert(CONTENT_SECURITY_POLICY, POLICY);
    set(&mut answer, header::ETAG, &tag);
    set(&mut answer, header::CONTENT_DISPOSITION, &disposition(saved, name));
    answer
}

enum Asked {
    NotModified,
    Part(Part),
}

/// What the conditions of the request leave of it.
fn part(asked: &HeaderMap, here: &Here, tag: &str) -> Asked {
    let text = |name: &HeaderName| asked.get(name).and_then(|v| v.to_str().ok());
    let has = |list: &str| list.split(',').map(|t| t.trim().trim_start_matches("W/")).any(|t| t == tag || t == "*");
    if text(&header::IF_NONE_MATCH).is_some_and(has) {
        return Asked::NotModified;
    }
    let Some(wanted) = text(&header::RANGE) else { return Asked::Part(Part::Whole) };
    // A date is never of this very state.
    if text(&header::IF_RANGE).is_some_and(|only_if| only_if.trim() != tag) {
        return Asked::Part(Part::Whole);
    }
    Asked::Part(range::parse(wanted, here.size))
}

async fn bytes(client: &Client, account: u64, here: &Here, range: Range<u64>, head: bool) -> Result<Body, Error> {
    if head {
        return Ok(Body::empty());
    }
    let place = client.gateway.files.downloads.take(account)?;
    let chunks = media(client)?.open(here, range).await?;
    Ok(Body::from_stream(chunks.map(move |chunk| {
        let _until_the_end = &place;
        chunk
    })))
}

fn kind(media_type: &str, is_shown: bool) -> HeaderValue {
    let kind = match media_type {
        _ if !is_shown => sniff::UNKNOWN,
        "text/plain" => "text/plain; charset=utf-8",
        other => other,
    };
    HeaderValue::from_str(kind).unwrap_or(HeaderValue::from_static(sniff::UNKNOWN))
}

fn disposition(saved: bool, name: &str) -> String {
    let name = metadata::clean_name(name);
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || " .-_()".contains(c) { c } else { '_' }).collect();
    let mut coded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(char::from(byte)) {
            coded.push(char::from(byte));
        } else {
            coded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("{}; filename=\"{plain}\"; filename*=UTF-8''{coded}", if saved { "attachment" } else { "inline" })
}

fn set(answer: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_headers_are_quoted_for_old_and_new_programs() {
        assert_eq!(
            disposition(true, "年报 \"2\".pdf"),
            "attachment; filename=\"__ _2_.pdf\"; filename*=UTF-8''%E5%B9%B4%E6%8A%A5%20%222%22.pdf"
        );
        assert_eq!(disposition(false, "a.png"), "inline; filename=\"a.png\"; filename*=UTF-8''a.png");
    }

    #[test]
    fn what_could_run_has_no_type() {
        for kind_of in ["text/html", "image/svg+xml", "text/xml", "application/pdf", "application/javascript"] {
            assert_eq!(kind(kind_of, sniff::is_shown(kind_of)), sniff::UNKNOWN, "{kind_of}");
        }
        assert_eq!(kind("text/plain", true), "text/plain; charset=utf-8");
    }
}
