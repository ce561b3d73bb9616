//! Connecting out over TLS and over QUIC: every address of every endpoint, the next one started before the last gave up
//! (after RFC 8305). An attempt counts only when its handshake is done and the peer's key or certificate was accepted.
//!
//! The address guard is asked for each address at the moment of connecting.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use rustls::{ClientConfig, pki_types::ServerName};
use startalk_protocol::{error::Language, trust::Endpoint};
use tokio::{net::TcpStream, task::JoinSet};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{
    AddressGuard, LinkCertificate, Names, Verify,
    reason::{Attempt, ConnectError, Reason},
    server::transport,
    verify::{client_config, peer_key, quic_peer_key},
};

/// The next address is tried when the last one has not answered for so long (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses tried at most.
const ADDRESSES_MAX: usize = 32;

/// What to connect to, and as whom.
#[derive(Clone)]
pub struct Connect<'a> {
    /// Where; all are tried.
    pub endpoints: &'a [Endpoint],
    /// Whom to ask for there (SNI): the domain, also if it is a key name.
    pub server_name: &'a str,
    /// Whom to accept.
    pub verify: Verify,
    /// What to speak.
    pub alpn: &'a [&'a [u8]],
    /// As whom.
    pub certificate: Option<&'a LinkCertificate>,
    /// Which addresses are allowed.
    pub guard: AddressGuard,
    /// How host names are resolved.
    pub names: &'a Names,
    /// For everything together.
    pub timeout: Duration,
}

/// A TLS connection after its handshake.
#[derive(Debug)]
pub struct TlsConnection {
    /// To read and write.
    pub stream: TlsStream<TcpStream>,
    /// The ed25519 key that the peer proved to hold, if it is one.
    pub peer_key: Option<[u8; 32]>,
    /// Where it is.
    pub address: SocketAddr,
}

/// A QUIC connection after its handshake.
#[derive(Debug)]
pub struct QuicConnection {
    /// Open.
    pub connection: quinn::Connection,
    /// The ed25519 key that the peer proved to hold, if it is one.
    pub peer_key: Option<[u8; 32]>,
    /// Where it is.
    pub address: SocketAddr,
}

/// Connects over TLS on TCP.
///
/// # Errors
/// Every attempt with its reason.
pub async fn connect_tls(what: &Connect<'_>) -> Result<TlsConnection, ConnectError> {
    let config = client_config(&what.verify, what.alpn, what.certificate)
        .map_err(|e| ConnectError::of(what.server_name, Reason::of_tls(&e)))?;
    let (config, name) = (Arc::new(config), server_name(what.server_name)?);
    race(what, move |address| tls_attempt(address, name.clone(), config.clone())).await
}

/// Connects over QUIC, from `endpoint` (the listening one, where there is one).
///
/// # Errors
/// Every attempt with its reason.
pub async fn connect_quic(endpoint: &quinn::Endpoint, what: &Connect<'_>) -> Result<QuicConnection, ConnectError> {
    connect_quic_with(endpoint, what, transport()).await
}

/// As [`connect_quic`], with other settings of the connection.
///
/// # Errors
/// Every attempt with its reason.
pub async fn connect_quic_with(
    endpoint: &quinn::Endpoint,
    what: &Connect<'_>,
    transport: quinn::TransportConfig,
) -> Result<QuicConnection, ConnectError> {
    let failed = |reason| ConnectError::of(what.server_name, reason);
    let config = client_config(&what.verify, what.alpn, what.certificate).map_err(|e| failed(Reason::of_tls(&e)))?;
    let crypto = quinn::crypto::rustls::QuicClientConfig::try_from(config).map_err(|e| failed(Reason::Tls(e.to_string())))?;
    let mut config = quinn::ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    let (endpoint, name) = (endpoint.clone(), what.server_name.to_owned());
    race(what, move |address| quic_attempt(endpoint.clone(), address, name.clone(), config.clone())).await
}

/// A connection by one of two ways.
#[derive(Debug)]
pub enum Either {
    /// QUIC got through.
    Quic(QuicConnection),
    /// It did not, or not soon enough.
    Tls(Box<TlsConnection>),
}

/// Why neither way leads there.
#[derive(Clone, Debug)]
pub struct Neither {
    /// Over QUIC.
    pub quic: ConnectError,
    /// Over TLS on TCP.
    pub tls: ConnectError,
}

impl Neither {
    /// `QUIC: … ; TLS: …`.
    pub fn words(&self, language: Language) -> String {
        let between = if language == Language::Chinese { "；" } else { "; " };
        format!("QUIC: {}{between}TLS: {}", self.quic.words(language), self.tls.words(language))
    }

    /// Every attempt by both.
    pub fn attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.quic.attempts.iter().chain(&self.tls.attempts)
    }
}

/// Connects over QUIC; over TLS on TCP beside it when it takes longer than `head_start`, and after it when it fails.
///
/// # Errors
/// Both ways' attempts, with their reasons.
pub async fn connect_either(
    endpoint: &quinn::Endpoint,
    what: &Connect<'_>,
    transport: quinn::TransportConfig,
    head_start: Duration,
) -> Result<Either, Box<Neither>> {
    let mut over_quic = pin!(connect_quic_with(endpoint, what, transport));
    let mut quic_failed = match tokio::time::timeout(head_start, &mut over_quic).await {
        Ok(Ok(connection)) => return Ok(Either::Quic(connection)),
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    let mut over_tls = pin!(connect_tls(what));
    let mut tls_failed = None;
    loop {
        tokio::select! {
            result = &mut over_quic, if quic_failed.is_none() => match result {
                Ok(connection) => return Ok(Either::Quic(connection)),
                Err(error) => quic_failed = Some(error),
            },
            result = &mut over_tls, if tls_failed.is_none() => match result {
                Ok(connection) => return Ok(Either::Tls(Box::new(connection))),
                Err(error) => tls_failed = Some(error),
            },
        }
        if let (Some(quic), Some(tls)) = (&quic_failed, &tls_failed) {
            return Err(Box::new(Neither { quic: quic.clone(), tls: tls.clone() }));
        }
    }
}

/// Connects over TCP alone, for what is encrypted otherwise or is on this machine.
///
/// # Errors
/// Every attempt with its reason.
pub(crate) async fn connect_tcp(what: &Connect<'_>) -> Result<TcpStream, ConnectError> {
    race(what, |address| async move { TcpStream::connect(address).await.map_err(|e| Reason::of_io(&e)) }).await
}

fn server_name(name: &str) -> Result<ServerName<'static>, ConnectError> {
    let bare = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    ServerName::try_from(bare.to_owned()).map_err(|_| ConnectError::of(name, Reason::BadAddress))
}

async fn tls_attempt(address: SocketAddr, name: ServerName<'static>, config: Arc<ClientConfig>) -> Result<TlsConnection, Reason> {
    let tcp = TcpStream::connect(address).await.map_err(|e| Reason::of_io(&e))?;
    tcp.set_nodelay(true).map_err(|e| Reason::of_io(&e))?;
    let stream = TlsConnector::from(config).connect(name, tcp).await.map_err(|e| Reason::of_io(&e))?;
    let peer_key = peer_key(stream.get_ref().1);
    Ok(TlsConnection { stream, peer_key, address })
}

async fn quic_attempt(
    endpoint: quinn::Endpoint,
    address: SocketAddr,
    name: String,
    config: quinn::ClientConfig,
) -> Result<QuicConnection, Reason> {
    let connecting = endpoint.connect_with(config, address, &name).map_err(|e| match e {
        quinn::ConnectError::InvalidRemoteAddress(_) => Reason::NoRoute,
        quinn::ConnectError::InvalidServerName(_) => Reason::BadAddress,
        other => Reason::Other(other.to_string()),
    })?;
    let connection = connecting.await.map_err(|e| Reason::of_quic(&e))?;
    let peer_key = quic_peer_key(&connection);
    Ok(QuicConnection { connection, peer_key, address })
}

/// Resolves, guards, and races the attempts; the first that succeeds wins, and the others are dropped.
async fn race<T, F, A>(what: &Connect<'_>, attempt: A) -> Result<T, ConnectError>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Reason>> + Send + 'static,
    A: Fn(SocketAddr) -> F,
{
    let mut failed: Vec<Attempt> = Vec::new();
    let mut running: JoinSet<(SocketAddr, Result<T, Reason>)> = JoinSet::new();
    let mut tried: Vec<SocketAddr> = Vec::new();
    let race = async {
        let mut waiting = addresses(what, &mut failed).await.into_iter();
        loop {
            let started = waiting.next().map(|address| {
                tried.push(address);
                let attempt = attempt(address);
                running.spawn(async move { (address, attempt.await) });
            });
            let next = match started {
                Some(()) if waiting.len() > 0 => tokio::time::timeout(STAGGER, running.join_next()).await,
                _ => Ok(running.join_next().await),
            };
            match next {
                Err(_stagger) => {}
                Ok(Some(Ok((_, Ok(won))))) => return Some(won),
                Ok(Some(Ok((address, Err(reason))))) => {
                    tried.retain(|a| *a != address);
                    failed.push(Attempt::at(address, reason));
                }
                Ok(Some(Err(join))) => {
                    failed.push(Attempt { what: what.server_name.to_owned(), reason: Reason::Other(join.to_string()) })
                }
                Ok(None) => return None,
            }
        }
    };
    match tokio::time::timeout(what.timeout, race).await {
        Ok(Some(won)) => Ok(won),
        Ok(None) => Err(ConnectError { attempts: failed }),
        Err(_) => {
            if tried.is_empty() && failed.is_empty() {
                failed.push(Attempt { what: what.server_name.to_owned(), reason: Reason::TimedOut });
            }
            failed.extend(tried.into_iter().map(|address| Attempt::at(address, Reason::TimedOut)));
            Err(ConnectError { attempts: failed })
        }
    }
}

/// All addresses of all endpoints that may be connected to; the others become failed attempts.
async fn addresses(what: &Connect<'_>, failed: &mut Vec<Attempt>) -> Vec<SocketAddr> {
    let mut out: Vec<SocketAddr> = Vec::new();
    for endpoint in what.endpoints {
        let name = || format!("{}:{}", endpoint.host, endpoint.port);
        let Some(port) = u16::try_from(endpoint.port).ok().filter(|p| *p != 0) else {
            failed.push(Attempt { what: name(), reason: Reason::BadAddress });
            continue;
        };
        match what.names.addresses(&endpoint.host, port).await {
            Err(reason) => failed.push(Attempt { what: name(), reason }),
            Ok(found) => {
                for address in found {
                    if !what.guard.allows(address.ip()) {
                        failed.push(Attempt::at(address, Reason::PrivateAddress));
                    } else if !out.contains(&address) && out.len() < ADDRESSES_MAX {
                        out.push(address);
                    }
                }
            }
        }
    }
    out
}
