//! The one client for what people and strangers make the node fetch: link previews, webhooks, push, remote media.
//! docs/design.md §8
//!
//! Owns the rules on top of `startalk_net::http`: private addresses refused at connect time, few ports, no credentials
//! in URLs, limits on bytes, time, redirects and requests at once. Knows no message. What is configured by the
//! administrator (hubs, peers) does not come through here.
//!
//! Invariant: every address that a request, or any redirect of it, goes to was allowed by the guard.

pub mod page;
mod redirect;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
pub use startalk_net::http::{HeaderMap, HttpError, Method, StatusCode, Uri, header};
use startalk_net::{
    AddressGuard, Names, Verify,
    http::{HttpAnswer, HttpClient, HttpRequest, PlainHttp},
};
use tokio::sync::Semaphore;

/// Redirects followed for a GET.
pub const REDIRECTS_MAX: usize = 3;
/// Requests in progress at once; more wait, within their own timeout.
pub const REQUESTS_AT_ONCE_MAX: usize = 32;
/// Bytes of a URL.
pub const URL_BYTES_MAX: usize = 2048;
/// Bytes of an answer, whatever the caller asks for.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The rules, from the node's configuration.
#[derive(Clone)]
pub struct OutboundConfig {
    /// For companies whose previews and webhooks lead inside, and for tests.
    pub allow_private_addresses: bool,
    /// Whether `http://` is allowed too.
    pub allow_plain_http: bool,
    /// Whom to trust; the public web by default.
    pub verify: Verify,
    /// How host names are resolved.
    pub names: Names,
    /// For one request with all its redirects, waiting included.
    pub timeout: Duration,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            allow_private_addresses: false,
            allow_plain_http: false,
            verify: Verify::web(),
            names: Names::system(),
            timeout: Duration::from_secs(10),
        }
    }
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// Not a URL that may be fetched: expected `https://host…` without credentials, at most 2,048 bytes, on port 443 or
    /// from 1024 on (80 where plain HTTP is allowed).
    #[error("not a URL that may be fetched")]
    BadUrl,
    /// More than [`REDIRECTS_MAX`], or from `https` to `http`.
    #[error("redirected too often, or to where no encryption is")]
    Redirected,
    /// No answer; a private address is among the reasons.
    #[error("{0}")]
    Http(#[from] HttpError),
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where it came from in the end, after redirects.
    pub url: Uri,
    /// 200, 404 …
    pub status: StatusCode,
    /// As they came.
    pub headers: HeaderMap,
    /// Whole.
    pub body: Bytes,
}

/// Fetches and posts, under the rules. Cheap to clone; one per node.
#[derive(Clone)]
pub struct OutboundClient {
    http: HttpClient,
    verify: Verify,
    at_once: Arc<Semaphore>,
}

impl OutboundClient {
    /// Under these rules.
    pub fn new(config: OutboundConfig) -> Self {
        let http = HttpClient {
            names: config.names,
            guard: AddressGuard::new(config.allow_private_addresses),
            plain: if config.allow_plain_http { PlainHttp::Allowed } else { PlainHttp::Never },
            timeout: config.timeout,
            answer_bytes_max: 0,
        };
        Self { http, verify: config.verify, at_once: Arc::new(Semaphore::new(REQUESTS_AT_ONCE_MAX)) }
    }

    /// Gets `url`, following up to [`REDIRECTS_MAX`] redirects, each judged like the first.
    ///
    /// # Errors
    /// Why nothing came back. A status of any kind is an answer.
    pub async fn get(&self, url: &str, headers: HeaderMap, bytes_max: usize) -> Result<Fetched, OutboundError> {
        self.within(async {
            let (mut url, mut headers) = (self.allowed(url)?, headers);
            for _ in 0..=REDIRECTS_MAX {
                let request =
                    HttpRequest { headers: headers.clone(), verify: self.verify.clone(), ..HttpRequest::get(url.clone()) };
                let answer = self.limited(bytes_max).send(request).await?;
                match redirect::target(&url, &answer) {
                    None => return Ok(fetched(url, answer)),
                    Some(next) => {
                        let next = self.allowed(&next)?;
                        if url.scheme_str() == Some("https") && next.scheme_str() != Some("https") {
                            return Err(OutboundError::Redirected);
                        }
                        if url.authority() != next.authority() {
                            // What was meant for one host is not told to another.
                            headers.remove(header::AUTHORIZATION);
                            headers.remove(header::COOKIE);
                        }
                        url = next;
                    }
                }
            }
            Err(OutboundError::Redirected)
        })
        .await
    }

    /// Posts `body` to `url`; redirects are not followed.
    ///
    /// # Errors
    /// Why nothing came back. A status of any kind is an answer.
    pub async fn post(&self, url: &str, headers: HeaderMap, body: Bytes, bytes_max: usize) -> Result<Fetched, OutboundError> {
        self.within(async {
            let url = self.allowed(url)?;
            let request = HttpRequest { headers, verify: self.verify.clone(), ..HttpRequest::post(url.clone(), body) };
            Ok(fetched(url, self.limited(bytes_max).send(request).await?))
        })
        .await
    }

    async fn within<T>(&self, work: impl Future<Output = Result<T, OutboundError>>) -> Result<T, OutboundError> {
        let limited = async {
            // The semaphore is never closed; were it, refusing is right.
            let _permit = self.at_once.acquire().await.map_err(|_| HttpError::TimedOut)?;
            work.await
        };
        tokio::time::timeout(self.http.timeout, limited).await.unwrap_or(Err(HttpError::TimedOut.into()))
    }

    fn limited(&self, bytes_max: usize) -> HttpClient {
        HttpClient { answer_bytes_max: bytes_max.min(ANSWER_BYTES_MAX), ..self.http.clone() }
    }

    fn allowed(&self, url: &str) -> Result<Uri, OutboundError> {
        if url.len() > URL_BYTES_MAX {
            return Err(OutboundError::BadUrl);
        }
        // A fragment is the reader's business, and no server is told it.
        let url: Uri = url.split('#').next().unwrap_or_default().parse().map_err(|_| OutboundError::BadUrl)?;
        let plain = self.http.plain == PlainHttp::Allowed;
        let scheme = match url.scheme_str() {
            Some("https") => true,
            Some("http") => plain,
            _ => false,
        };
        let port = match url.port_u16() {
            None | Some(443 | 1024..) => true,
            Some(80) => plain,
            Some(_) => false,
        };
        let credentials = url.authority().is_none_or(|a| a.as_str().contains('@'));
        if scheme && port && !credentials { Ok(url) } else { Err(OutboundError::BadUrl) }
    }
}

fn fetched(url: Uri, answer: HttpAnswer) -> Fetched {
    Fetched { url, status: answer.status, headers: answer.headers, body: answer.body }
}
