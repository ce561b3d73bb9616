//! Getting a connection: where the domain is, whether it is the domain, and the bytes in both directions.
//!
//! [`Dial`] is the seam: the session knows nothing of sockets and certificates, tests give it pipes. [`NetDial`] is the
//! real one. Rule of trust: what was pinned before; else a proof (see `startalk_net::discovery`); else, only where a
//! person gave the address itself, the first key seen there, which is pinned from then on. A hub's word is never enough.

use std::{
    collections::BTreeSet,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task,
    time::Duration,
};

use startalk_net::{
    ALPN_CLIENT, ALPN_CLIENT_HTTP, AddressGuard, Connect, ConnectError, Discovery, DiscoveryConfig, Names, Verify, connect_quic,
    connect_tls,
    discovery::{Evidence, RootText, Verdict, judge},
    http::{HttpClient, HttpRequest, PlainHttp, StatusCode},
    listen::client_endpoint,
};
use startalk_protocol::{
    Code, DomainName, Error,
    limits::RECORD_BYTES_MAX,
    trust::{DomainRecord, Endpoint, Pinned, VerifiedRecord},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{ClientError, DialError, Home, Options, Server, Transport, store::KnownHome};

/// Where a domain's record is served.
pub const RECORD_URL_PATH: &str = startalk_protocol::trust::WELL_KNOWN_PATH;
/// What is known already is tried for so long before the domain is looked for again.
const KNOWN_TIMEOUT: Duration = Duration::from_secs(4);

/// Ordered bytes in both directions.
pub trait Bytestream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytestream for T {}
/// A boxed [`Bytestream`].
pub type Duplex = Box<dyn Bytestream>;

/// A connection whose key was checked.
pub struct Dialled {
    /// To read and write.
    pub stream: Duplex,
    /// What to keep about the domain for the next time, if there is anything new.
    pub home: Option<KnownHome>,
}

/// Opens connections for HTTP to the node that a [`Dial`] has found, under the same rule of trust.
pub trait DialHttp: Send + Sync {
    /// Opens one; `offline` if no node was found yet.
    fn dial_http(&self, now_ms: i64) -> Pin<Box<dyn Future<Output = Result<Duplex, ClientError>> + Send + '_>>;
}

/// Opens connections to the domain.
pub trait Dial: Send {
    /// The same way for HTTP, if there is one.
    fn http(&self) -> Option<Arc<dyn DialHttp>> {
        None
    }

    /// Opens one; `known` is what was kept from the last time.
    fn dial<'a>(
        &'a mut self,
        known: Option<&'a KnownHome>,
        now_ms: i64,
    ) -> Pin<Box<dyn Future<Output = Result<Dialled, DialError>> + Send + 'a>>;
}

/// Opens connections over the network.
pub struct NetDial {
    options: Options,
    names: Names,
    discovery: Discovery,
    found: Arc<Mutex<Option<Found>>>,
}

/// Where the last connection led.
#[derive(Clone)]
struct Found {
    record: VerifiedRecord,
    endpoints: Vec<Endpoint>,
}

/// HTTP to where the last connection of a session led. Always TLS: on QUIC there is none.
struct NetHttp {
    names: Names,
    timeout: Duration,
    found: Arc<Mutex<Option<Found>>>,
}

impl NetDial {
    /// Ready to dial; asks nothing yet.
    ///
    /// # Errors
    /// If no resolver can be made.
    pub fn new(options: &Options) -> Result<Self, DialError> {
        startalk_net::install_crypto();
        let config = DiscoveryConfig {
            hubs: options.hubs.clone(),
            extra_roots: options.extra_roots.clone(),
            // A home server's name may lead into the home; what is dialled there must show the domain's key anyway.
            allow_private_addresses: true,
            timeout: options.timeout,
            ..DiscoveryConfig::default()
        };
        let discovery = Discovery::new(config).map_err(|reason| {
            DialError::Connect(ConnectError { attempts: vec![startalk_net::Attempt { what: "DNS".to_owned(), reason }] })
        })?;
        Ok(Self { options: options.clone(), names: Names::system(), discovery, found: Arc::default() })
    }

    async fn connected(&mut self, known: Option<&KnownHome>, now_ms: i64) -> Result<Dialled, DialError> {
        if let Some(known) = known
            && self.still_meant(known)
            && let Ok(record) = DomainRecord::decode_signed(&known.record, now_ms)
            && let Ok(stream) = self.open(&record, &known.endpoints(), KNOWN_TIMEOUT, now_ms).await
        {
            self.keep(&record, &known.endpoints());
            return Ok(Dialled { stream, home: None });
        }
        let (record, endpoints) = self.locate(known, now_ms).await?;
        let stream = self.open(&record, &endpoints, self.options.timeout, now_ms).await?;
        self.keep(&record, &endpoints);
        Ok(Dialled { stream, home: Some(KnownHome::of(&record, &endpoints)) })
    }

    fn keep(&self, record: &VerifiedRecord, endpoints: &[Endpoint]) {
        let found = Found { record: record.clone(), endpoints: endpoints.to_vec() };
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
    }

    /// Whether the known place is one that a person means now: a server that they give goes before it.
    fn still_meant(&self, known: &KnownHome) -> bool {
        let given = match &self.options.home {
            Home::Server(server) => std::slice::from_ref(server),
            Home::Domain { servers, .. } => servers.as_slice(),
        };
        let first = known.endpoints().into_iter().next();
        given.is_empty() || given.iter().any(|s| Some(&s.endpoint) == first.as_ref())
    }

    /// The domain's record and the places to try.
    async fn locate(&self, known: Option<&KnownHome>, now_ms: i64) -> Result<(VerifiedRecord, Vec<Endpoint>), DialError> {
        let pinned = known.map(KnownHome::pinned);
        let pinned = pinned.as_ref();
        let (domain, servers) = match &self.options.home {
            Home::Server(server) => return self.at_server(server, None, pinned, now_ms).await,
            Home::Domain { domain, servers } => (domain, servers),
        };
        let mut failed = None;
        for server in servers {
            match self.at_server(server, Some(domain), pinned, now_ms).await {
                Ok(located) => return Ok(located),
                Err(e) => failed = Some(e),
            }
        }
        let found = match pinned {
            Some(pinned) => self.discovery.find_pinned(domain, pinned, now_ms).await,
            None => self.discovery.find(domain, now_ms).await,
        };
        let error = match found {
            Ok(found) if found.proof.is_some() => return Ok((found.record, found.endpoints)),
            Ok(_) => DialError::Refused(Error::new(Code::NotProven).with("domain", domain)),
            // What a person wrote down is the more telling of the two.
            Err(e) => failed.unwrap_or_else(|| e.into()),
        };
        // Where it was before: what it shows there must follow what is pinned.
        for endpoint in known.map(KnownHome::endpoints).into_iter().flatten() {
            let answer = self.at_server(&Server { endpoint, root: None }, Some(domain), pinned, now_ms).await;
            // Somebody is there and is not who was known: that is what people must hear.
            if matches!(answer, Ok(_) | Err(DialError::Refused(_))) {
                return answer;
            }
        }
        Err(error)
    }

    /// The record as a given place serves it; the place itself is tried first.
    async fn at_server(
        &self,
        server: &Server,
        domain: Option<&DomainName>,
        pinned: Option<&Pinned>,
        now_ms: i64,
    ) -> Result<(VerifiedRecord, Vec<Endpoint>), DialError> {
        let record = self.fetch(server, domain, now_ms).await?;
        if let Some(domain) = domain
            && record.domain() != domain
        {
            return Err(DialError::Refused(Error::new(Code::WrongDomain).with("domain", record.domain()).with("asked", domain)));
        }
        let evidence =
            Evidence { pinned, configured_root: server.root.as_ref(), text: &RootText::Absent, from_well_known: false };
        match judge(&record, &evidence) {
            // Nothing speaks against it, and a person gave the address: trusted on first use.
            Verdict::Proven(_) | Verdict::Unproven => {}
            Verdict::Contradicted(_) => {
                return Err(DialError::Refused(Error::new(Code::WrongKey).with("what", server).with("domain", record.domain())));
            }
            Verdict::DoesNotFollow(e) => return Err(DialError::Refused(e)),
        }
        let mut endpoints = vec![server.endpoint.clone()];
        endpoints.extend(record.endpoints().iter().filter(|e| **e != server.endpoint).cloned());
        Ok((record, endpoints))
    }

    async fn fetch(&self, server: &Server, domain: Option<&DomainName>, now_ms: i64) -> Result<VerifiedRecord, DialError> {
        let place = Server { root: None, ..server.clone() }.to_string();
        let failed = |why| DialError::Record { at: place.clone(), why };
        let host = domain.map_or_else(|| place.clone(), |d| d.as_str().to_owned());
        let url =
            format!("https://{host}{RECORD_URL_PATH}").parse().map_err(|_| failed(startalk_net::http::HttpError::BadUrl))?;
        let client = HttpClient {
            names: self.names.clone(),
            guard: AddressGuard::AllowPrivate,
            plain: PlainHttp::Never,
            timeout: self.options.timeout,
            answer_bytes_max: RECORD_BYTES_MAX,
        };
        let request = HttpRequest { verify: Verify::AnyCertificate, at: Some(server.endpoint.clone()), ..HttpRequest::get(url) };
        let answer = client.send(request).await.map_err(failed)?;
        if answer.status != StatusCode::OK {
            return Err(DialError::Status { at: place, status: answer.status.as_u16() });
        }
        DomainRecord::decode_signed(&answer.body, now_ms).map_err(DialError::Refused)
    }

    /// A connection to one of the places, which must show a link key of the record's charter.
    async fn open(
        &self,
        record: &VerifiedRecord,
        endpoints: &[Endpoint],
        timeout: Duration,
        now_ms: i64,
    ) -> Result<Duplex, DialError> {
        let what = pinned(record, endpoints, &[ALPN_CLIENT], &self.names, timeout, now_ms);
        match self.options.transport {
            Transport::Tls => over_tls(&what).await,
            Transport::Quic => over_quic(&what).await,
            Transport::QuicThenTls => match over_quic(&what).await {
                Ok(stream) => Ok(stream),
                Err(_) => over_tls(&what).await,
            },
        }
    }
}

/// A connection to one of the places that shows a link key of the record's charter.
fn pinned<'a>(
    record: &'a VerifiedRecord,
    endpoints: &'a [Endpoint],
    alpn: &'a [&'a [u8]],
    names: &'a Names,
    timeout: Duration,
    now_ms: i64,
) -> Connect<'a> {
    let keys: BTreeSet<[u8; 32]> = record.charter().link_keys().iter().filter(|k| k.valid(now_ms)).map(|k| k.key).collect();
    Connect {
        endpoints,
        server_name: record.domain().as_str(),
        verify: Verify::Pinned(keys),
        alpn,
        certificate: None,
        guard: AddressGuard::AllowPrivate,
        names,
        timeout,
    }
}

impl DialHttp for NetHttp {
    fn dial_http(&self, now_ms: i64) -> Pin<Box<dyn Future<Output = Result<Duplex, ClientError>> + Send + '_>> {
        Box::pin(async move {
            let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let Found { record, endpoints } = found.ok_or(ClientError::Offline)?;
            let what = pinned(&record, &endpoints, &[ALPN_CLIENT_HTTP], &self.names, self.timeout, now_ms);
            Ok(over_tls(&what).await?)
        })
    }
}

impl Dial for NetDial {
    fn http(&self) -> Option<Arc<dyn DialHttp>> {
        let http = NetHttp { names: self.names.clone(), timeout: self.options.timeout, found: self.found.clone() };
        Some(Arc::new(http))
    }

    fn dial<'a>(
        &'a mut self,
        known: Option<&'a KnownHome>,
        now_ms: i64,
    ) -> Pin<Box<dyn Future<Output = Result<Dialled, DialError>> + Send + 'a>> {
        Box::pin(self.connected(known, now_ms))
    }
}

async fn over_tls(what: &Connect<'_>) -> Result<Duplex, DialError> {
    let connection = connect_tls(what).await.map_err(DialError::Connect)?;
    Ok(Box::new(connection.stream))
}

async fn over_quic(what: &Connect<'_>) -> Result<Duplex, DialError> {
    let closed = |e: &dyn std::fmt::Display| DialError::Closed(e.to_string());
    let endpoint = client_endpoint().map_err(|e| closed(&e))?;
    let connected = connect_quic(&endpoint, what).await.map_err(DialError::Connect)?;
    let (send, receive) = connected.connection.open_bi().await.map_err(|e| closed(&e))?;
    Ok(Box::new(QuicDuplex { stream: tokio::io::join(receive, send), _connection: connected.connection, _endpoint: endpoint }))
}

/// A stream pair that keeps its connection and socket alive.
struct QuicDuplex {
    stream: tokio::io::Join<quinn::RecvStream, quinn::SendStream>,
    _connection: quinn::Connection,
    _endpoint: quinn::Endpoint,
}

impl AsyncRead for QuicDuplex {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>, buf: &mut ReadBuf<'_>) -> task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for QuicDuplex {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>, buf: &[u8]) -> task::Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> task::Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
