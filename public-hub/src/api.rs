//! The hub's HTTP interface. federation-spec/04-discovery-and-hubs.md §4
//!
//! Turns requests into calls of the directory, and errors into statuses with a code in JSON. Owns no state. Logs no
//! address.

use std::net::{IpAddr, SocketAddr};

use axum::{
    Extension, Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, Request, State as Stateful},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use startalk_net::hub::{Checked, JsonError};
use startalk_protocol::{
    Code, DomainName, Error,
    error::Language,
    limits::RECORD_BYTES_MAX,
    trust::{DomainRecord, NavigationDocument, RECORD_MEDIA_TYPE, VerifiedRecord},
};

use crate::{
    Hub,
    directory::{Entry, Taken},
    limits::{REQUEST_TIMEOUT, SEARCH_CHARS_MAX},
    page,
};

/// Everything that the hub answers. Each request needs [`Asker`] among its extensions.
pub fn router(hub: Hub) -> Router {
    let open = [get(lookup), get(navigation)].map(|m| m.layer(middleware::map_response(anybody_may_read)));
    let [lookup, navigation] = open;
    Router::new()
        .route("/v1/announce", post(announce).layer(DefaultBodyLimit::max(RECORD_BYTES_MAX)))
        .route("/v1/domains/{domain}", lookup)
        .route("/v1/navigation/{domain}", navigation)
        .route("/v1/check/{domain}", get(check))
        .route("/", get(index))
        .route("/check", get(checked))
        .route("/style.css", get(style))
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(metrics))
        .layer(middleware::from_fn_with_state(hub.clone(), not_here))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::map_response(strict))
        .with_state(hub)
}

/// Where a request's connection comes from.
#[derive(Clone, Copy, Debug)]
pub struct Asker(pub SocketAddr);

/// The asker's address: the connection's, or what a proxy on this machine says if the hub was told to believe it.
fn address(hub: &Hub, asker: Asker, headers: &HeaderMap) -> IpAddr {
    let direct = asker.0.ip().to_canonical();
    if hub.0.behind_proxy && direct.is_loopback() {
        let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|v| v.to_str().ok());
        let said = last.and_then(|v| v.rsplit(',').next()).and_then(|v| v.trim().parse().ok());
        return said.unwrap_or(direct);
    }
    direct
}

async fn announce(
    Stateful(hub): Stateful<Hub>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    request: Request,
) -> Result<StatusCode, Refusal> {
    let now_ms = hub.now_ms();
    // Before the body is read: a flood costs a header each.
    hub.0.rates.announce(address(&hub, asker, &headers), now_ms)?;
    let body: Bytes = axum::RequestExt::extract(request)
        .await
        .map_err(|_| Error::new(Code::TooLarge).with("what", "record").with("got", "?").with("max", RECORD_BYTES_MAX))?;
    let record = DomainRecord::decode_signed(&body, now_ms)?;
    match take(&hub, record, now_ms)? {
        Taken::Accepted { .. } => Ok(StatusCode::OK),
        Taken::Pending => Ok(StatusCode::ACCEPTED),
    }
}

/// Takes an announced record into the directory, and has its name proven where that is wanted.
///
/// # Errors
/// As the directory; `slow-down`.
pub(crate) fn take(hub: &Hub, record: VerifiedRecord, now_ms: i64) -> Result<Taken, Error> {
    let domain = record.domain().clone();
    hub.0.rates.domain(&domain, record.charter().first_root_key(), now_ms)?;
    let taken = hub.0.directory.lock().announce(record, now_ms)?;
    if taken != (Taken::Accepted { look_for_proof: false }) {
        hub.0.prover.ask(&domain);
    }
    Ok(taken)
}

fn find(hub: &Hub, asker: Asker, headers: &HeaderMap, domain: &str) -> Result<Entry, Refusal> {
    let now_ms = hub.now_ms();
    hub.0.rates.question(address(hub, asker, headers), now_ms)?;
    let domain: DomainName = domain.parse().map_err(|_| Error::new(Code::Malformed).with("expected", "a domain"))?;
    let unknown = || Error::new(Code::UnknownDomain).with("domain", &domain).with("steps", "");
    Ok(hub.0.directory.lock().lookup(&domain, now_ms).cloned().ok_or_else(unknown)?)
}

async fn lookup(
    Stateful(hub): Stateful<Hub>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Path(domain): Path<String>,
) -> Result<Response, Refusal> {
    let entry = find(&hub, asker, &headers, &domain)?;
    let media = [(header::CONTENT_TYPE, HeaderValue::from_static(RECORD_MEDIA_TYPE))];
    Ok((media, entry.record.bytes().clone()).into_response())
}

async fn navigation(
    Stateful(hub): Stateful<Hub>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Path(domain): Path<String>,
) -> Result<Json<NavigationDocument>, Refusal> {
    let entry = find(&hub, asker, &headers, &domain)?;
    Ok(Json(NavigationDocument::of(&entry.record, entry.proof.map(|(proof, _)| proof.as_str()))))
}

async fn check(
    Stateful(hub): Stateful<Hub>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Path(domain): Path<String>,
) -> Result<Json<Checked>, Refusal> {
    let domain: DomainName = domain.parse().map_err(|_| Error::new(Code::Malformed).with("expected", "a domain"))?;
    let steps = hub.check(&domain, address(&hub, asker, &headers)).await?;
    Ok(Json(Checked { domain: domain.as_str().to_owned(), steps }))
}

#[derive(Deserialize)]
struct AskedToCheck {
    domain: Option<String>,
    lang: Option<String>,
}

/// The same as a page.
async fn checked(
    Stateful(hub): Stateful<Hub>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Query(asked): Query<AskedToCheck>,
) -> Response {
    let accepts = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    let language = page::language(asked.lang.as_deref(), accepts);
    let text: String = asked.domain.unwrap_or_default().trim().chars().take(SEARCH_CHARS_MAX).collect();
    // People copy what they see: an address of a person or of a page is of its domain.
    let name = text.rsplit('@').next().unwrap_or_default().trim_start_matches("https://").trim_end_matches('/');
    let steps = match name.parse::<DomainName>() {
        Ok(domain) => hub.check(&domain, address(&hub, asker, &headers)).await,
        Err(_) => Err(Error::new(Code::UnknownDomain).with("domain", &text).with("steps", "")),
    };
    let status = match &steps {
        Ok(_) => StatusCode::OK,
        Err(error) => Refusal(error.clone()).into_response().status(),
    };
    (status, html(language), page::checked(&text, &steps, language)).into_response()
}

fn html(language: Language) -> [(header::HeaderName, HeaderValue); 3] {
    [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::VARY, HeaderValue::from_static("accept-language")),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(if language == Language::Chinese { "zh" } else { "en" })),
    ]
}

#[derive(Deserialize)]
struct Asked {
    q: Option<String>,
    lang: Option<String>,
}

async fn index(
    Stateful(hub): Stateful<Hub>,
    Extension(asker): Extension<Asker>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Refusal> {
    let now_ms = hub.now_ms();
    hub.0.rates.question(address(&hub, asker, &headers), now_ms)?;
    let language = page::language(asked.lang.as_deref(), headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()));
    let search: String = asked.q.unwrap_or_default().trim().chars().take(SEARCH_CHARS_MAX).collect();
    let standing = hub.0.relay.standing();
    let tethers = standing.tethers_quic + standing.tethers_tls;
    let page = {
        let directory = hub.0.directory.lock();
        let (entries, count) = directory.listed(&search, now_ms);
        let here = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
        page::render(&entries, count, &search, language, (here, tethers))
    };
    Ok((html(language), page).into_response())
}

/// A name under the hub's leads here only while nobody is tethered under it: no path of it is the hub's.
async fn not_here(Stateful(hub): Stateful<Hub>, headers: HeaderMap, request: Request, next: Next) -> Response {
    let host = headers.get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let host = host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(host, |(host, _)| host);
    if !hub.0.relay.is_an_address(host) {
        return next.run(request).await;
    }
    let language = page::language(None, headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok()));
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::VARY, HeaderValue::from_static("accept-language")),
        (header::RETRY_AFTER, HeaderValue::from_static("30")),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, page::away(language)).into_response()
}

/// For Prometheus, on this machine alone: how busy a hub is is nobody else's business.
async fn metrics(Stateful(hub): Stateful<Hub>, Extension(asker): Extension<Asker>, headers: HeaderMap) -> Response {
    if !asker.0.ip().to_canonical().is_loopback() || headers.contains_key("x-forwarded-for") {
        return StatusCode::NOT_FOUND.into_response();
    }
    let domains = hub.0.directory.lock().len();
    let standing = hub.0.relay.standing();
    let mut out = String::new();
    let mut one = |name: &str, kind: &str, help: &str, values: &[(&str, u64)]| {
        use std::fmt::Write as _;
        let _ = writeln!(out, "# HELP startalk_hub_{name} {help}\n# TYPE startalk_hub_{name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(out, "startalk_hub_{name}{labels} {value}");
        }
    };
    one("domains", "gauge", "Domains whose record is kept.", &[("", domains as u64)]);
    let tethers = [("{over=\"quic\"}", standing.tethers_quic as u64), ("{over=\"tls\"}", standing.tethers_tls as u64)];
    one("tethers", "gauge", "Nodes that are tethered.", &tethers);
    one("forwarded_connections", "gauge", "Connections that are forwarded at the moment.", &[("", standing.open as u64)]);
    let ended = [
        ("{outcome=\"begun\"}", standing.forwarded),
        ("{outcome=\"no-room\"}", standing.refused),
        ("{outcome=\"not-taken\"}", standing.lost),
    ];
    one("forwarded_total", "counter", "Connections for tethered names since the start.", &ended);
    one("forwarded_bytes", "gauge", "Bytes both ways, of tethers that are there.", &[("", standing.bytes)]);
    ([(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4"))], out).into_response()
}

async fn style() -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
    ];
    (headers, page::STYLE).into_response()
}

/// An error as an answer: a status for machines that look at nothing else, and the code for those that do.
struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = match self.0.code {
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::SlowDown => StatusCode::TOO_MANY_REQUESTS,
            Code::UnknownDomain => StatusCode::NOT_FOUND,
            Code::OlderRecord | Code::RootKeyChanged => StatusCode::CONFLICT,
            Code::TooMany if self.0.params.get("what").is_some_and(|w| w == "domains" || w == "bytes of records") => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::BAD_REQUEST,
        };
        let retry = (status == StatusCode::TOO_MANY_REQUESTS)
            .then(|| self.0.params.get("seconds").and_then(|s| HeaderValue::from_str(s).ok()))
            .flatten();
        let body = Json(JsonError { code: self.0.code.as_str().to_owned(), params: self.0.params });
        let mut response = (status, body).into_response();
        if let Some(seconds) = retry {
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Records are public and signed: every web client may read them.
async fn anybody_may_read(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if response.status().is_success() {
        // A refusal is one asker's alone, and "unknown" may change at any moment.
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    }
    response
}

async fn strict(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let csp = "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(csp));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
