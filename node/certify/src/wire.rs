//! How the ACME library's requests go out: by the project's HTTP client, with its limits, over TLS alone. Notes when the
//! authority says "later".

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response};
use instant_acme::{BodyWrapper, BytesResponse, Error};
use parking_lot::Mutex;
use startalk_net::{
    RootCertificate, Verify,
    http::{HeaderMap, HttpClient, HttpRequest, header},
};
use startalk_protocol::error::Language;

use crate::{failure::Words, schedule::TOLD_MS_MAX};

/// One attempt's way out.
#[derive(Clone)]
pub(crate) struct Wire {
    pub(crate) http: HttpClient,
    pub(crate) roots: Vec<RootCertificate>,
    pub(crate) now_ms: fn() -> i64,
    /// The latest moment, in milliseconds since 1970, before which the authority does not want to be asked again.
    pub(crate) later: Arc<Mutex<Option<i64>>>,
}

/// There was no answer that ACME has; as an error that passes through the library.
#[derive(Debug)]
pub(crate) struct Unanswered(pub(crate) Words);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.en)
    }
}

impl std::error::Error for Unanswered {}

impl instant_acme::HttpClient for Wire {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let wire = self.clone();
        Box::pin(async move { wire.send(request).await })
    }
}

impl Wire {
    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<BytesResponse, Error> {
        let (parts, body) = request.into_parts();
        let Ok(body) = body.collect().await;
        let request = HttpRequest {
            method: parts.method,
            url: parts.uri,
            at: None,
            verify: Verify::Web { extra_roots: self.roots.clone() },
            headers: parts.headers,
            body: body.to_bytes(),
        };
        let unanswered = |en: String, zh: String| Error::Other(Box::new(Unanswered(Words { en, zh })));
        let answer = self.http.send(request).await;
        let answer = answer.map_err(|e| unanswered(e.words(Language::English), e.words(Language::Chinese)))?;
        let status = answer.status;
        if !status.is_success() {
            if let Some(until) = later_ms(&answer.headers, (self.now_ms)()) {
                let mut later = self.later.lock();
                *later = Some(later.map_or(until, |known| known.max(until)));
            }
            if serde_json::from_slice::<serde_json::Value>(&answer.body).is_err() {
                return Err(unanswered(format!("it answered {status}"), format!("应答为 {status}")));
            }
        }
        let mut response = Response::new(Full::new(answer.body));
        *response.status_mut() = status;
        *response.headers_mut() = answer.headers;
        Ok(BytesResponse::from(response))
    }
}

/// `Retry-After`, as seconds or as a date (RFC 9110 §10.2.3); at most [`TOLD_MS_MAX`] from now.
fn later_ms(headers: &HeaderMap, now_ms: i64) -> Option<i64> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let most = i64::try_from(TOLD_MS_MAX).ok()?;
    let until = match text.parse::<u32>() {
        Ok(seconds) => now_ms.saturating_add(i64::from(seconds) * 1000),
        Err(_) => {
            let date = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
            i64::try_from(date.as_millis()).ok()?
        }
    };
    (until > now_ms).then(|| until.min(now_ms.saturating_add(most)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_is_seconds_or_a_date_and_not_for_ever() {
        let later = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            later_ms(&headers, 784_111_777_000) // Sun, 06 Nov 1994 08:49:37 GMT
        };
        assert_eq!(later("120"), Some(784_111_897_000));
        assert_eq!(later("Sun, 06 Nov 1994 08:50:37 GMT"), Some(784_111_837_000));
        assert_eq!(later("Sun, 06 Nov 1994 08:48:37 GMT"), None, "it is over");
        assert_eq!(later("4294967295"), Some(784_111_777_000 + 7 * 24 * 3600 * 1000));
        assert_eq!(later("soon"), None);
        assert_eq!(later_ms(&HeaderMap::new(), 0), None);
    }
}
