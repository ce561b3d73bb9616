//! One push message to one push service: RFC 8030, and what its answer means.
//!
//! Goes through the guarded client: a browser may name any address as its push service. Knows no conversation. Keys,
//! endpoints and contents are never logged, only the push service's host.

use std::time::Duration;

use bytes::Bytes;
use startalk_domain::notify::Subscription;
use startalk_outbound::{
    HeaderMap, OutboundClient, OutboundError, StatusCode,
    header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER},
};

use crate::{
    seal,
    vapid::{self, VapidKey},
};

/// Bytes of a push service's answer that are read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

/// What is sent, not encrypted yet.
#[derive(Clone, Debug)]
pub struct Message {
    /// The payload.
    pub plain: Vec<u8>,
    /// What its length is made to look like.
    pub padded: usize,
    /// One message of a topic waits at the push service.
    pub topic: String,
    /// How long it waits there for the device, in seconds.
    pub ttl_s: u32,
    /// "low", "normal" or "high": whether a device is woken for it.
    pub urgency: &'static str,
}

/// What a push service said, or that it said nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It has the message.
    Taken,
    /// It has no such subscription.
    Gone,
    /// It takes no message of this size.
    TooLarge,
    /// Not now; in so many milliseconds, if it said so.
    Later(u64, String),
    /// It does not want it, and will not later.
    Refused(u16),
    /// The subscription cannot be used: its key is none, or its URL leads nowhere that may be asked.
    Unusable,
}

/// Sends it. `salt`: random.
pub async fn deliver(
    client: &OutboundClient,
    key: &VapidKey,
    to: &Subscription,
    message: &Message,
    salt: [u8; 16],
    now_ms: u64,
) -> Answered {
    let Ok(body) = seal::seal(&message.plain, message.padded, &to.p256dh, &to.auth, salt) else { return Answered::Unusable };
    let Some(headers) = headers(key, to, message, now_ms) else { return Answered::Unusable };
    match client.post(&to.endpoint, headers, Bytes::from(body), ANSWER_BYTES_MAX).await {
        Ok(answer) => means(answer.status, &answer.headers, now_ms),
        Err(OutboundError::BadUrl) => Answered::Unusable,
        Err(error) => Answered::Later(0, error.to_string()),
    }
}

fn headers(key: &VapidKey, to: &Subscription, message: &Message, now_ms: u64) -> Option<HeaderMap> {
    let value = |text: &str| HeaderValue::from_str(text).ok();
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static("aes128gcm"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(HeaderName::from_static("ttl"), HeaderValue::from(message.ttl_s));
    headers.insert(HeaderName::from_static("urgency"), HeaderValue::from_static(message.urgency));
    headers.insert(HeaderName::from_static("topic"), value(&message.topic)?);
    let mut token = value(&key.authorization(vapid::origin(&to.endpoint), now_ms))?;
    token.set_sensitive(true);
    headers.insert(AUTHORIZATION, token);
    Some(headers)
}

fn means(status: StatusCode, headers: &HeaderMap, now_ms: u64) -> Answered {
    match status.as_u16() {
        200..=299 => Answered::Taken,
        404 | 410 => Answered::Gone,
        413 => Answered::TooLarge,
        // 408: it did not wait for us. 401 and 403: it does not believe our token, which is so while a clock is wrong.
        code @ (401 | 403 | 408 | 429 | 500..=599) => {
            Answered::Later(headers.get(RETRY_AFTER).map_or(0, |v| retry_after(v, now_ms)), format!("status {code}"))
        }
        code => Answered::Refused(code),
    }
}

/// Milliseconds: of a number of seconds, or until a date (RFC 9110 §10.2.3).
fn retry_after(value: &HeaderValue, now_ms: u64) -> u64 {
    let text = value.to_str().unwrap_or_default().trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.saturating_mul(1000);
    }
    let until = httpdate::parse_http_date(text).ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
    let until_ms = until.unwrap_or(Duration::ZERO).as_millis();
    u64::try_from(until_ms).unwrap_or(u64::MAX).saturating_sub(now_ms)
}

/// For fuzzing and mutation tests: judges foreign bytes as an answer's header. Must never panic, whatever the bytes.
pub fn check(bytes: &[u8]) {
    if let Ok(value) = HeaderValue::from_bytes(bytes) {
        let _ = retry_after(&value, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_means_what_rfc_8030_says() {
        let now_ms = 1_800_000_000_000; // Fri, 15 Jan 2027 08:00:00 GMT
        let means = |status: u16, retry: &str| {
            let mut headers = HeaderMap::new();
            if !retry.is_empty() {
                headers.insert(RETRY_AFTER, retry.parse().unwrap());
            }
            means(StatusCode::from_u16(status).unwrap(), &headers, now_ms)
        };
        let later = |ms, status: u16| Answered::Later(ms, format!("status {status}"));
        assert_eq!(means(201, ""), Answered::Taken);
        assert_eq!(means(202, ""), Answered::Taken);
        assert_eq!(means(404, ""), Answered::Gone);
        assert_eq!(means(410, ""), Answered::Gone);
        assert_eq!(means(413, ""), Answered::TooLarge);
        assert_eq!(means(400, ""), Answered::Refused(400));
        assert_eq!(means(307, ""), Answered::Refused(307), "a redirect is not followed with a secret in hand");
        assert_eq!(means(429, "120"), later(120_000, 429));
        assert_eq!(means(503, "Fri, 15 Jan 2027 08:01:00 GMT"), later(60_000, 503));
        assert_eq!(means(503, "Fri, 15 Jan 2027 07:01:00 GMT"), later(0, 503), "that is over");
        assert_eq!(means(500, "soon"), later(0, 500));
        assert_eq!(means(429, "99999999999999999999"), later(0, 429));
        assert_eq!(means(403, ""), later(0, 403));
    }

    #[test]
    fn no_bytes_of_an_answer_make_the_judge_panic() {
        let corpus: [&[u8]; 5] =
            [b"120", b"Fri, 15 Jan 2027 08:01:00 GMT", b"Friday, 15-Jan-27 08:01:00 GMT", b"Fri Jan 15 08:01:00 2027", b"-1"];
        let mut seed = 7_u64;
        let mut below = |n: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % n
        };
        for _ in 0..6000 {
            let mut bytes = corpus[below(corpus.len())].to_vec();
            for _ in 0..=below(4) {
                match below(3) {
                    0 => bytes.insert(below(bytes.len() + 1), below(256) as u8),
                    1 if bytes.len() > 1 => drop(bytes.remove(below(bytes.len()))),
                    _ => {
                        let at = below(bytes.len());
                        bytes[at] = below(256) as u8;
                    }
                }
            }
            check(&bytes);
        }
    }
}
