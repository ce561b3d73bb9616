//! Discovery: from a domain's name to its signed record, and to what proves that the record is that domain's.
//! federation-spec/04-discovery-and-hubs.md
//!
//! Asks, in this order: configured peers, DNS, `.well-known` at the domain itself, hubs. Every answer is a hint: the
//! record verifies itself, and the proof is judged by [`judge`] alone. Keeps nothing between calls but DNS's cache; pins
//! are the caller's. Every step, failed or not, is named.

mod dns;
mod proof;
mod steps;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use rustls::pki_types::CertificateDer;
use startalk_protocol::{
    DomainName,
    error::Language,
    limits::RECORD_BYTES_MAX,
    trust::{DomainRecord, Endpoint, Fingerprint, Pinned, VerifiedRecord, WELL_KNOWN_PATH, accepts},
};

pub use self::{
    dns::TrustAnchors,
    proof::{Contradiction, Evidence, Proof, RootText, Verdict, judge},
    steps::{Outcome, Source, Step, shown, steps_in_words},
};
use crate::{
    AddressGuard, Names, Verify,
    http::{HttpClient, HttpRequest, PlainHttp, StatusCode, Uri},
    hub::{HubClient, HubError, HubUrl},
    reason::Reason,
};

/// Where records are looked for at one SRV answer.
const SRV_ENDPOINTS_MAX: usize = 4;

/// A peer that the administrator wrote down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The fingerprint of its root key. With it, the configuration is the proof; without it, only the place is known.
    pub root: Option<Fingerprint>,
}

/// How to look.
#[derive(Clone)]
pub struct DiscoveryConfig {
    /// Written down by the administrator; may be at private addresses.
    pub peers: BTreeMap<DomainName, Peer>,
    /// Ask these instead of the machine's own.
    pub name_servers: Option<Vec<SocketAddr>>,
    /// Hubs to ask, in this order; may be at private addresses.
    pub hubs: Vec<HubUrl>,
    /// Certificate authorities trusted besides the public ones, for `.well-known` and hubs.
    pub extra_roots: Vec<CertificateDer<'static>>,
    /// Whether names found in DNS and records may lead to private addresses.
    pub allow_private_addresses: bool,
    /// For each request.
    pub timeout: Duration,
    /// DNSSEC trust anchors; the root zone's if `None`.
    pub trust_anchors: Option<Arc<TrustAnchors>>,
    /// Where `.well-known` is asked; 443 but in tests.
    pub well_known_port: u16,
}

impl Default for DiscoveryConfig {
    fn default() -> Self {
        Self {
            peers: BTreeMap::new(),
            name_servers: None,
            hubs: Vec::new(),
            extra_roots: Vec::new(),
            allow_private_addresses: false,
            timeout: Duration::from_secs(5),
            trust_anchors: None,
            well_known_port: 443,
        }
    }
}

/// A record was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Verified in itself.
    pub record: VerifiedRecord,
    /// Where the domain may be reached: the configured place, DNS's, then the record's own. Every one is a hint: the link
    /// key there must be one of the record's.
    pub endpoints: Vec<Endpoint>,
    /// What proves that the record is this domain's; without it, nobody may be told so.
    pub proof: Option<Proof>,
    /// What was tried.
    pub steps: Vec<Step>,
}

/// No record was found, or none that is not contradicted.
#[derive(Clone, Debug)]
pub struct NotFound {
    /// What was tried.
    pub steps: Vec<Step>,
}

impl NotFound {
    /// Whether something said that it is another key: more than nothing being known.
    pub fn contradicted(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.outcome, Outcome::Contradicted(_)))
    }

    /// `DNS: no SRV record; well-known: connection refused; hub h1: unknown domain`.
    pub fn words(&self, language: Language) -> String {
        steps_in_words(&self.steps, language)
    }
}

/// Finds domains. Cheap to clone.
#[derive(Clone)]
pub struct Discovery(Arc<Inner>);

struct Inner {
    config: DiscoveryConfig,
    dns: dns::Dns,
    /// For what strangers name.
    http: HttpClient,
    hubs: HubClient,
}

impl Discovery {
    /// Ready to ask; asks nothing yet. A machine without DNS is no error: DNS's steps will say so.
    ///
    /// # Errors
    /// If a resolver for the given name servers cannot be made.
    pub fn new(config: DiscoveryConfig) -> Result<Self, Reason> {
        let names = match &config.name_servers {
            Some(servers) => Names::with_servers(servers)?,
            None => Names::system(),
        };
        let dns = dns::Dns::new(config.name_servers.as_deref(), config.trust_anchors.clone());
        let http = HttpClient {
            names: names.clone(),
            guard: AddressGuard::new(config.allow_private_addresses),
            plain: PlainHttp::Never,
            timeout: config.timeout,
            answer_bytes_max: RECORD_BYTES_MAX,
        };
        let hubs = HubClient::new(names, config.extra_roots.clone(), config.timeout);
        Ok(Self(Arc::new(Inner { config, dns, http, hubs })))
    }

    /// Finds a domain that nothing is known of yet.
    ///
    /// # Errors
    /// What was tried, and why each failed.
    pub async fn find(&self, domain: &DomainName, now_ms: i64) -> Result<Found, NotFound> {
        self.search(domain, None, now_ms).await
    }

    /// Finds the newest record of a domain that is known already: no proof is needed but that it follows the pin.
    ///
    /// # Errors
    /// What was tried, and why each failed.
    pub async fn find_pinned(&self, domain: &DomainName, pinned: &Pinned, now_ms: i64) -> Result<Found, NotFound> {
        self.search(domain, Some(pinned), now_ms).await
    }

    /// Looks for a proof that `record`, which came from elsewhere (a peer that connected, an announcement), is its
    /// domain's. Asks DNS and the domain itself; no hub, as a hub proves nothing.
    ///
    /// # Errors
    /// What was tried, and why each proved nothing.
    pub async fn prove(&self, record: &VerifiedRecord, now_ms: i64) -> Result<Proof, NotFound> {
        let domain = record.domain();
        let peer = self.0.config.peers.get(domain);
        let mut search = Search::new(domain, None, peer.and_then(|p| p.root.clone()), now_ms);
        search.candidates.push(record.clone());
        if !search.judge_again() && !search.candidates.is_empty() && !domain.is_key_name() {
            match self.0.dns.root_text(domain).await {
                Ok(text) => search.text = text,
                Err(outcome) => search.step(Source::DnsText, outcome),
            }
            if !search.judge_again() && !search.candidates.is_empty() {
                let fetched = self.fetch(domain, None, self.0.http.guard).await;
                search.take(Source::WellKnown, fetched);
            }
        }
        match search.best {
            Some((found, proof)) if found.charter().root_key() == record.charter().root_key() => return Ok(proof),
            Some(_) => {
                search.steps.push(Step { source: Source::WellKnown, outcome: Outcome::Contradicted(Contradiction::WellKnown) })
            }
            None => {}
        }
        Err(NotFound { steps: search.steps })
    }

    /// Whether DNS, secured or not, names a root key of this record for its domain: no proof of anything, but as much as a
    /// public certificate authority asks for. `None`: DNS could not be asked.
    pub async fn is_named_by_dns(&self, record: &VerifiedRecord) -> Option<bool> {
        let text = self.0.dns.root_text(record.domain()).await;
        text.ok().map(|text| proof::names(&text, record.charter()))
    }

    /// Which addresses a link to `domain` may go to: every one for a configured peer, whom the administrator vouches for;
    /// for others as configured.
    pub fn guard(&self, domain: &DomainName) -> AddressGuard {
        if self.0.config.peers.contains_key(domain) { AddressGuard::AllowPrivate } else { self.0.http.guard }
    }

    /// How host names are resolved, for connecting to what was found.
    pub fn names(&self) -> &Names {
        &self.0.http.names
    }

    /// For one request or connection.
    pub(crate) fn timeout(&self) -> Duration {
        self.0.config.timeout
    }

    /// Asks what strangers name.
    pub(crate) fn http(&self, guard: AddressGuard, answer_bytes_max: usize) -> HttpClient {
        HttpClient { guard, answer_bytes_max, ..self.0.http.clone() }
    }

    /// Whom a browser accepts, and the authorities that the administrator trusts besides.
    pub(crate) fn verify_web(&self) -> Verify {
        Verify::Web { extra_roots: self.0.config.extra_roots.clone() }
    }

    /// The way hubs are asked, for announcing.
    pub fn hubs(&self) -> &HubClient {
        &self.0.hubs
    }

    async fn search(&self, domain: &DomainName, pinned: Option<&Pinned>, now_ms: i64) -> Result<Found, NotFound> {
        let config = &self.0.config;
        let peer = config.peers.get(domain);
        let mut search = Search::new(domain, pinned, peer.and_then(|p| p.root.clone()), now_ms);
        if let Some(peer) = peer {
            let source = Source::Configured(peer.endpoint.clone());
            search.endpoints.push(peer.endpoint.clone());
            let fetched = self.fetch(domain, Some(&peer.endpoint), AddressGuard::AllowPrivate).await;
            if search.take(source, fetched) {
                return search.finish();
            }
        }
        if domain.is_key_name() {
            search.step(Source::Dns, Outcome::KeyName);
        } else if self.ask_dns_and_the_domain(&mut search).await {
            return search.finish();
        }
        for hub in &config.hubs {
            let answer = match self.0.hubs.lookup(hub, domain).await {
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => Err(Outcome::UnknownDomain),
                Err(HubError::Http(e)) => Err(Outcome::NoAnswer(e)),
                Err(HubError::Status(status)) => Err(Outcome::Status(status)),
                Err(HubError::Refused(e)) => Err(Outcome::Refused(e)),
            };
            if search.take(Source::Hub(hub.name().to_owned()), answer) {
                return search.finish();
            }
        }
        search.finish()
    }

    async fn ask_dns_and_the_domain(&self, search: &mut Search<'_>) -> bool {
        let guard = self.0.http.guard;
        let (srv, text) = tokio::join!(self.0.dns.srv(search.domain), self.0.dns.root_text(search.domain));
        let endpoints = match srv {
            Ok(endpoints) => endpoints,
            Err(outcome) => {
                search.step(Source::Dns, outcome);
                Vec::new()
            }
        };
        match text {
            Ok(text) => search.text = text,
            Err(outcome) => search.step(Source::DnsText, outcome),
        }
        if search.judge_again() {
            return true;
        }
        for endpoint in endpoints.into_iter().take(SRV_ENDPOINTS_MAX) {
            let fetched = self.fetch(search.domain, Some(&endpoint), guard).await;
            search.endpoints.push(endpoint.clone());
            if search.take(Source::DnsEndpoint(endpoint), fetched) {
                return true;
            }
        }
        let fetched = self.fetch(search.domain, None, guard).await;
        search.take(Source::WellKnown, fetched)
    }

    /// The record as the domain itself serves it: at `endpoint`, where any certificate will do (the record verifies
    /// itself), or at the domain's own address, where only publicly trusted TLS will (that is a proof).
    async fn fetch(&self, domain: &DomainName, endpoint: Option<&Endpoint>, guard: AddressGuard) -> Result<Bytes, Outcome> {
        let config = &self.0.config;
        let port = if endpoint.is_none() && config.well_known_port != 443 {
            format!(":{}", config.well_known_port)
        } else {
            String::new()
        };
        let url: Uri = format!("https://{domain}{port}{WELL_KNOWN_PATH}")
            .parse()
            .map_err(|_| Outcome::NoAnswer(crate::http::HttpError::BadUrl))?;
        let verify = match endpoint {
            Some(_) => Verify::AnyCertificate,
            None => Verify::Web { extra_roots: config.extra_roots.clone() },
        };
        let client = HttpClient { guard, ..self.0.http.clone() };
        let answer = client
            .send(HttpRequest { verify, at: endpoint.cloned(), ..HttpRequest::get(url) })
            .await
            .map_err(Outcome::NoAnswer)?;
        if answer.status == StatusCode::OK { Ok(answer.body) } else { Err(Outcome::Status(answer.status.as_u16())) }
    }
}

/// One search in progress.
struct Search<'a> {
    domain: &'a DomainName,
    pinned: Option<&'a Pinned>,
    configured_root: Option<Fingerprint>,
    now_ms: i64,
    text: RootText,
    endpoints: Vec<Endpoint>,
    candidates: Vec<VerifiedRecord>,
    best: Option<(VerifiedRecord, Proof)>,
    steps: Vec<Step>,
}

impl<'a> Search<'a> {
    fn new(domain: &'a DomainName, pinned: Option<&'a Pinned>, configured_root: Option<Fingerprint>, now_ms: i64) -> Self {
        let text = RootText::Absent;
        Self {
            domain,
            pinned,
            configured_root,
            now_ms,
            text,
            endpoints: Vec::new(),
            candidates: Vec::new(),
            best: None,
            steps: Vec::new(),
        }
    }

    fn step(&mut self, source: Source, outcome: Outcome) {
        self.steps.push(Step { source, outcome });
    }

    /// Judges what a source answered; true if the search is over.
    fn take(&mut self, source: Source, answer: Result<Bytes, Outcome>) -> bool {
        let outcome = match answer.and_then(|bytes| self.verify(&bytes)) {
            Err(outcome) => outcome,
            Ok(record) => {
                let verdict = self.judge(&record, source == Source::WellKnown);
                match verdict {
                    Verdict::Proven(proof) => {
                        self.best = Some((record, proof));
                        Outcome::Found(Some(proof))
                    }
                    Verdict::Unproven => {
                        self.candidates.push(record);
                        Outcome::Found(None)
                    }
                    Verdict::Contradicted(by) => Outcome::Contradicted(by),
                    Verdict::DoesNotFollow(error) => Outcome::Refused(error),
                }
            }
        };
        self.step(source, outcome);
        self.best.is_some()
    }

    fn verify(&self, bytes: &[u8]) -> Result<VerifiedRecord, Outcome> {
        let record = DomainRecord::decode_signed(bytes, self.now_ms).map_err(Outcome::Refused)?;
        if record.domain() == self.domain { Ok(record) } else { Err(Outcome::OtherDomain(record.domain().clone())) }
    }

    fn judge(&self, record: &VerifiedRecord, from_well_known: bool) -> Verdict {
        judge(
            record,
            &Evidence { pinned: self.pinned, configured_root: self.configured_root.as_ref(), text: &self.text, from_well_known },
        )
    }

    /// What was found before DNS's text record was known may be proven or contradicted by it.
    fn judge_again(&mut self) -> bool {
        let source = if self.configured_root.is_some() { Source::Configuration } else { Source::DnsText };
        for record in std::mem::take(&mut self.candidates) {
            match self.judge(&record, false) {
                Verdict::Proven(proof) => self.best = Some((record, proof)),
                Verdict::Unproven => self.candidates.push(record),
                Verdict::Contradicted(by) => self.step(source.clone(), Outcome::Contradicted(by)),
                Verdict::DoesNotFollow(error) => self.step(source.clone(), Outcome::Refused(error)),
            }
        }
        self.best.is_some()
    }

    fn finish(mut self) -> Result<Found, NotFound> {
        let (record, proof) = match self.best.take() {
            Some((mut record, proof)) => {
                // A candidate that follows what was proven is as good, and may be newer.
                for candidate in self.candidates {
                    if accepts(&Pinned::of(&record), &candidate).is_ok() {
                        record = candidate;
                    }
                }
                (record, Some(proof))
            }
            None => match self.candidates.into_iter().next() {
                Some(record) => (record, None),
                None => return Err(NotFound { steps: self.steps }),
            },
        };
        let mut endpoints = self.endpoints;
        endpoints.extend(record.endpoints().iter().cloned());
        let mut unique: Vec<Endpoint> = Vec::with_capacity(endpoints.len());
        for endpoint in endpoints {
            if !unique.contains(&endpoint) {
                unique.push(endpoint);
            }
        }
        Ok(Found { record, endpoints: unique, proof, steps: self.steps })
    }
}
