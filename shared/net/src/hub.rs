//! The client side of public hubs: announcing a record and asking for one. federation-spec/04-discovery-and-hubs.md §4
//!
//! Knows the URL forms and the two requests. What a hub answers is a hint, verified and judged by the caller; it is
//! never proof of anything.

use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

use bytes::Bytes;
use data_encoding::HEXLOWER_PERMISSIVE;
use rustls::pki_types::CertificateDer;
use startalk_protocol::{
    Code, DomainName, Error,
    error::Language,
    limits::RECORD_BYTES_MAX,
    trust::{Endpoint, RECORD_MEDIA_TYPE},
};

use crate::{
    AddressGuard, Names, Verify,
    http::{HttpClient, HttpError, HttpRequest, PlainHttp, StatusCode, Uri, header},
    walk::Passed,
};

/// For a look at a server: the hub waits for connections itself, some of which do not come.
const CHECK_TIMEOUT: Duration = Duration::from_secs(25);
/// Some twenty steps in two languages.
const CHECK_BYTES_MAX: usize = 64 * 1024;

/// Where a hub is and how it is known: `https://hub.example`, `https://host:port#<64 hex digits>` (BLAKE3 of its
/// certificate, for a self-made one), or `http://127.0.0.1:port` (this machine only).
#[derive(Clone, PartialEq, Eq)]
pub struct HubUrl {
    base: Uri,
    certificate: Option<[u8; 32]>,
}

impl HubUrl {
    /// Short, for messages: host and port.
    pub fn name(&self) -> &str {
        self.base.authority().map_or("", |a| a.as_str())
    }

    /// From its parts, as a hub prints it about itself.
    ///
    /// # Errors
    /// As [`FromStr`].
    pub fn new(base: &str, certificate: Option<[u8; 32]>) -> Result<Self, Error> {
        let mut hub: Self = base.parse()?;
        hub.certificate = hub.certificate.or(certificate);
        Ok(hub)
    }

    /// Its host, without brackets.
    pub fn host(&self) -> &str {
        let host = self.base.host().unwrap_or_default();
        host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host)
    }

    /// Where it listens.
    pub fn endpoint(&self) -> Endpoint {
        let usual = if self.is_plain() { 80 } else { 443 };
        Endpoint { host: self.host().to_owned(), port: self.base.port_u16().unwrap_or(usual).into() }
    }

    /// Whether it is spoken to without TLS.
    pub fn is_plain(&self) -> bool {
        self.base.scheme_str() == Some("http")
    }

    /// How it is known; `extra_roots` are trusted besides the public web's.
    pub fn verify(&self, extra_roots: &[CertificateDer<'static>]) -> Verify {
        match self.certificate {
            Some(hash) => Verify::CertificateHash(hash),
            None => Verify::Web { extra_roots: extra_roots.to_vec() },
        }
    }

    fn at(&self, path: &str) -> Result<Uri, HttpError> {
        format!("{}://{}{path}", self.base.scheme_str().unwrap_or("https"), self.name()).parse().map_err(|_| HttpError::BadUrl)
    }
}

impl FromStr for HubUrl {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || {
            let expected = "https://host[:port], https://host:port#<64 hex digits>, or http://127.0.0.1:port";
            Error::new(Code::BadValue).with("field", "hub").with("expected", expected)
        };
        let (url, fragment) = text.split_once('#').map_or((text, None), |(u, f)| (u, Some(f)));
        let base: Uri = url.strip_suffix('/').unwrap_or(url).parse().map_err(|_| bad())?;
        let host = base.host().filter(|h| !h.is_empty()).ok_or_else(bad)?;
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        let loopback = bare.parse::<std::net::IpAddr>().is_ok_and(|a| a.is_loopback());
        let plain_path =
            base.path_and_query().is_none_or(|p| p == "/") && !base.authority().is_some_and(|a| a.as_str().contains('@'));
        let certificate = match fragment {
            None => None,
            Some(hex) => {
                let hash = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(|_| bad())?;
                Some(hash.try_into().map_err(|_| bad())?)
            }
        };
        match base.scheme_str() {
            Some("https") if plain_path => Ok(Self { base, certificate }),
            Some("http") if plain_path && loopback && certificate.is_none() => Ok(Self { base, certificate }),
            _ => Err(bad()),
        }
    }
}

impl fmt::Display for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.base.scheme_str().unwrap_or("https"), self.name())?;
        match &self.certificate {
            Some(hash) => write!(f, "#{}", data_encoding::HEXLOWER.encode(hash)),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for HubUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where browsers find a domain under a hub that forwards: a name made of its first root key; none under a hub that is an
/// address. federation-spec/09-relaying.md §9.2
pub fn address_under(hub: &Endpoint, first_root_key: &[u8; 32]) -> Option<Endpoint> {
    if hub.host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let of_key = DomainName::of_key(first_root_key);
    let label = of_key.as_str().split('.').next().unwrap_or_default();
    Some(Endpoint { host: format!("{label}.{}", hub.host), port: hub.port })
}

/// Why a hub did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    /// No answer.
    #[error("{0}")]
    Http(#[from] HttpError),
    /// The hub says no, and why.
    #[error("{0}")]
    Refused(Error),
    /// An answer that is none of a hub's.
    #[error("HTTP {0}")]
    Status(u16),
}

impl HubError {
    /// In words.
    pub fn words(&self, language: Language) -> String {
        match self {
            Self::Http(e) => e.words(language),
            Self::Refused(e) => e.words(language),
            Self::Status(_) => self.to_string(),
        }
    }
}

/// What a hub did with an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// It answers with this record from now on.
    Accepted,
    /// It knows another record of that name, and will decide when it has looked for a proof itself.
    Pending,
}

/// Asks hubs. Cheap to clone.
#[derive(Clone)]
pub struct HubClient {
    http: HttpClient,
    extra_roots: Vec<CertificateDer<'static>>,
}

impl HubClient {
    /// `extra_roots` are trusted for hubs besides the public web's. Hubs are configured by the administrator, so they
    /// may be at private addresses.
    pub fn new(names: Names, extra_roots: Vec<CertificateDer<'static>>, timeout: Duration) -> Self {
        let (guard, plain) = (AddressGuard::AllowPrivate, PlainHttp::Loopback);
        Self { http: HttpClient { names, guard, plain, timeout, answer_bytes_max: RECORD_BYTES_MAX }, extra_roots }
    }

    /// Tells `hub` a SignedRecord.
    ///
    /// # Errors
    /// No answer, or the hub's reason.
    pub async fn announce(&self, hub: &HubUrl, record: Bytes) -> Result<Announced, HubError> {
        let mut request = HttpRequest { verify: self.verify(hub), ..HttpRequest::post(hub.at("/v1/announce")?, record) };
        request.headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(RECORD_MEDIA_TYPE));
        let answer = self.http.send(request).await?;
        match answer.status {
            StatusCode::OK => Ok(Announced::Accepted),
            StatusCode::ACCEPTED => Ok(Announced::Pending),
            status => Err(refusal(status, &answer.body)),
        }
    }

    /// Asks `hub` for the SignedRecord of `domain`; `None` if it knows none. The bytes are not verified yet.
    ///
    /// # Errors
    /// No answer, or the hub's reason.
    pub async fn lookup(&self, hub: &HubUrl, domain: &DomainName) -> Result<Option<Bytes>, HubError> {
        let request = HttpRequest { verify: self.verify(hub), ..HttpRequest::get(hub.at(&format!("/v1/domains/{domain}"))?) };
        let answer = self.http.send(request).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.body)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(refusal(status, &answer.body)),
        }
    }

    /// Has `hub` look at `domain` from outside, step by step.
    ///
    /// # Errors
    /// No answer, or the hub's reason: `unknown-domain` if it does not announce itself there.
    pub async fn check(&self, hub: &HubUrl, domain: &DomainName) -> Result<Vec<Passed>, HubError> {
        let request = HttpRequest { verify: self.verify(hub), ..HttpRequest::get(hub.at(&format!("/v1/check/{domain}"))?) };
        let http = HttpClient { timeout: CHECK_TIMEOUT, answer_bytes_max: CHECK_BYTES_MAX, ..self.http.clone() };
        let answer = http.send(request).await?;
        if answer.status != StatusCode::OK {
            return Err(refusal(answer.status, &answer.body));
        }
        let checked: Checked = serde_json::from_slice(&answer.body)
            .map_err(|e| HubError::Http(HttpError::Broken(format!("expected the steps of a check: {e}"))))?;
        Ok(checked.steps)
    }

    fn verify(&self, hub: &HubUrl) -> Verify {
        hub.verify(&self.extra_roots)
    }
}

/// What a hub has seen of a domain from outside, as it writes it.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub struct Checked {
    /// ASCII form.
    pub domain: String,
    /// One after another.
    pub steps: Vec<Passed>,
}

/// An error as hubs write it.
#[derive(serde::Deserialize, serde::Serialize)]
pub struct JsonError {
    /// A [`Code`].
    pub code: String,
    /// Its parameters.
    pub params: BTreeMap<String, String>,
}

fn refusal(status: StatusCode, body: &[u8]) -> HubError {
    match serde_json::from_slice::<JsonError>(body) {
        Ok(error) => HubError::Refused(Error::from_wire(&error.code, error.params)),
        Err(_) => HubError::Status(status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_urls_have_three_forms() {
        let hash = "ab".repeat(32);
        for good in [
            "https://hub.example",
            "https://hub.example:8443",
            &format!("https://10.0.0.1:8443#{hash}"),
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
        ] {
            assert_eq!(good.parse::<HubUrl>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "hub.example",
            "http://hub.example",
            "http://localhost:1",
            "http://10.0.0.1:1",
            "https://hub.example/path",
            "https://a@hub.example",
            "https://hub.example#abc",
            "ftp://hub.example",
        ] {
            assert!(bad.parse::<HubUrl>().is_err(), "{bad}");
        }
    }
}
