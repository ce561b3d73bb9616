//! The accepting side of TLS and QUIC: which certificate, which protocol, who the peer is.
//! federation-spec/03-link.md §1
//!
//! Owns no socket; takes an accepted TCP stream or an incoming QUIC packet through its handshake under limits. Browsers
//! are never asked for a client certificate (they would bother people with a dialogue); Startalk's own protocols are.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustls::{ServerConfig, server::Acceptor};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};

use crate::{
    ALPN_ACME, ALPN_CLIENT, ALPN_CLIENT_HTTP, ALPN_HTTP1, ALPN_HTTP2, ALPN_LINK, ALPN_TETHER, CertResolver,
    certificates::{asks_for, asks_for_challenge, asks_for_startalk},
    provider,
    reason::Reason,
    verify::{AnyLinkKey, peer_key, quic_peer_key},
};

/// A whole handshake must be done in this time.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// QUIC handshakes in progress from which on an address must prove that it is no forged one (Retry).
pub(crate) const HANDSHAKES_BEFORE_RETRY: usize = 64;
/// QUIC handshakes in progress from which on new ones are refused.
pub(crate) const HANDSHAKES_MAX: usize = 512;
/// QUIC connections that nobody has accepted or refused yet.
const QUIC_INCOMING_MAX: usize = 256;
/// Bytes buffered for one of those.
const QUIC_INCOMING_BYTES: u64 = 64 * 1024;
/// Bytes buffered for all of those.
const QUIC_INCOMING_BYTES_TOTAL: u64 = 4 * 1024 * 1024;
/// A link is one stream pair; a few more for what comes later.
const QUIC_STREAMS_MAX: u32 = 4;
/// Bytes in flight on one stream: two of the largest frames.
const QUIC_STREAM_WINDOW: u32 = 2 * 1024 * 1024;
/// Bytes in flight on one connection.
const QUIC_WINDOW: u32 = 4 * 1024 * 1024;
/// Bytes of datagrams (typing, presence) waiting to be read; older ones are dropped.
const QUIC_DATAGRAM_BYTES: usize = 64 * 1024;
/// A connection that is silent for so long is gone.
pub const QUIC_IDLE: Duration = Duration::from_secs(30);
/// Both sides of a link say something at least this often.
pub const QUIC_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// What a connection speaks, from its ALPN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `startalk-link/1`: a link between domains.
    Link,
    /// `startalk/1`: a Startalk client.
    Client,
    /// `startalk-tether/1`: a node that wants connections forwarded to it, at a hub.
    Tether,
    /// `acme-tls/1`: an authority that has seen what it came for in the handshake; nothing is said on it.
    Challenge,
    /// HTTP/2.
    Http2,
    /// HTTP/1.1 (of Startalk's own programs, `startalk-http/1`, too), or no ALPN at all.
    Http1,
}

impl Protocol {
    fn of(alpn: Option<&[u8]>) -> Self {
        match alpn {
            Some(p) if p == ALPN_LINK => Self::Link,
            Some(p) if p == ALPN_CLIENT => Self::Client,
            Some(p) if p == ALPN_TETHER => Self::Tether,
            Some(p) if p == ALPN_ACME => Self::Challenge,
            Some(p) if p == ALPN_HTTP2 => Self::Http2,
            _ => Self::Http1,
        }
    }
}

/// A connection after its handshake.
#[derive(Debug)]
pub struct Accepted<S> {
    /// To read and write.
    pub stream: S,
    /// What it speaks.
    pub protocol: Protocol,
    /// The ed25519 key that the peer proved to hold, if it showed one; not judged yet.
    pub peer_key: Option<[u8; 32]>,
}

/// TLS for accepting. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServerTls {
    startalk: Arc<ServerConfig>,
    web: Arc<ServerConfig>,
    quic: Arc<ServerConfig>,
    challenge: Arc<ServerConfig>,
}

impl ServerTls {
    /// With certificates from `resolver`, which may be replaced at any time. With `http2`, HTTP/2 is offered to browsers.
    ///
    /// # Errors
    /// If rustls refuses the combination, which it has no reason to.
    pub fn new(resolver: &Arc<CertResolver>, http2: bool) -> Result<Self, rustls::Error> {
        Self::speaking(resolver, http2, &[ALPN_LINK, ALPN_CLIENT, ALPN_CLIENT_HTTP], &[ALPN_LINK, ALPN_CLIENT])
    }

    /// As [`new`](Self::new), for a hub: tethers, and HTTP. It shows its web certificate to both.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_hub(resolver: &Arc<CertResolver>) -> Result<Self, rustls::Error> {
        Self::speaking(resolver, false, &[ALPN_TETHER], &[ALPN_TETHER])
    }

    fn speaking(resolver: &Arc<CertResolver>, http2: bool, tls: &[&[u8]], quic: &[&[u8]]) -> Result<Self, rustls::Error> {
        let native = |alpn: &[&[u8]]| -> Result<ServerConfig, rustls::Error> {
            let mut config = ServerConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&rustls::version::TLS13])?
                .with_client_cert_verifier(AnyLinkKey::new())
                .with_cert_resolver(resolver.clone());
            config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
            // No resumption: every link shows its key anew, and an idle client keeps no ticket state here.
            config.send_tls13_tickets = 0;
            config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
            Ok(config)
        };
        let web = |alpn: &[&[u8]]| -> Result<ServerConfig, rustls::Error> {
            let mut config = ServerConfig::builder_with_provider(provider())
                .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
                .with_no_client_auth()
                .with_cert_resolver(resolver.clone());
            config.alpn_protocols = alpn.iter().map(|p| p.to_vec()).collect();
            Ok(config)
        };
        Ok(Self {
            startalk: Arc::new(native(tls)?),
            web: Arc::new(web(if http2 { &[ALPN_HTTP2, ALPN_HTTP1] } else { &[ALPN_HTTP1] })?),
            quic: Arc::new(native(quic)?),
            challenge: Arc::new(web(&[ALPN_ACME])?),
        })
    }

    /// Takes one connection through its handshake.
    ///
    /// # Errors
    /// Why there is no connection; after [`HANDSHAKE_TIMEOUT`], [`Reason::TimedOut`].
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> Result<Accepted<TlsStream<S>>, Reason> {
        let handshake = async {
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
            let hello = start.client_hello();
            let ours = asks_for_startalk(&hello) || asks_for(&hello, &[ALPN_TETHER]);
            let config = if asks_for_challenge(&hello) {
                &self.challenge
            } else if ours {
                &self.startalk
            } else {
                &self.web
            };
            start.into_stream(config.clone()).await
        };
        let stream: io::Result<TlsStream<S>> =
            tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await.map_err(|_| Reason::TimedOut)?;
        let stream = stream.map_err(|e| Reason::of_io(&e))?;
        let connection = stream.get_ref().1;
        let (protocol, peer_key) = (Protocol::of(connection.alpn_protocol()), peer_key(connection));
        Ok(Accepted { stream, protocol, peer_key })
    }

    /// The configuration for HTTP alone, for servers that do the handshake themselves.
    pub fn web_config(&self) -> Arc<ServerConfig> {
        self.web.clone()
    }

    /// The configuration of a QUIC endpoint that accepts links and clients, under limits.
    ///
    /// # Errors
    /// If the TLS provider lacks QUIC's first cipher suite, which aws-lc-rs does not.
    pub fn quic(&self) -> io::Result<quinn::ServerConfig> {
        let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(self.quic.clone()).map_err(io::Error::other)?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
        config
            .transport_config(Arc::new(transport()))
            .max_incoming(QUIC_INCOMING_MAX)
            .incoming_buffer_size(QUIC_INCOMING_BYTES)
            .incoming_buffer_size_total(QUIC_INCOMING_BYTES_TOTAL);
        Ok(config)
    }
}

/// The transport settings of every QUIC connection, both sides.
pub fn transport() -> quinn::TransportConfig {
    let mut transport = quinn::TransportConfig::default();
    transport
        .max_concurrent_bidi_streams(QUIC_STREAMS_MAX.into())
        .max_concurrent_uni_streams(0_u32.into())
        .stream_receive_window(QUIC_STREAM_WINDOW.into())
        .receive_window(QUIC_WINDOW.into())
        .send_window(u64::from(QUIC_WINDOW))
        .datagram_receive_buffer_size(Some(QUIC_DATAGRAM_BYTES))
        .datagram_send_buffer_size(QUIC_DATAGRAM_BYTES)
        .keep_alive_interval(Some(QUIC_KEEP_ALIVE))
        .max_idle_timeout(quinn::IdleTimeout::try_from(QUIC_IDLE).ok());
    transport
}

/// Lets QUIC connections in: asks addresses to prove themselves under load, refuses above the limit.
#[derive(Clone, Debug, Default)]
pub struct QuicGate {
    pub(crate) handshakes: Arc<AtomicUsize>,
    retries: Arc<AtomicUsize>,
}

/// A QUIC connection on its way in; counts as a handshake in progress until it is finished or dropped.
pub struct QuicHandshake {
    connecting: quinn::Connecting,
    handshakes: Arc<AtomicUsize>,
}

impl QuicGate {
    /// How many addresses were asked to prove themselves so far.
    pub fn retries(&self) -> usize {
        self.retries.load(Ordering::Relaxed)
    }

    /// The next connection to take through its handshake, each in a task of its own; `None` when the endpoint closed.
    pub async fn next(&self, endpoint: &quinn::Endpoint) -> Option<QuicHandshake> {
        loop {
            let incoming = endpoint.accept().await?;
            let load = self.handshakes.load(Ordering::Relaxed);
            if load >= HANDSHAKES_MAX {
                incoming.refuse();
            } else if load >= HANDSHAKES_BEFORE_RETRY && !incoming.remote_address_validated() && incoming.may_retry() {
                self.retries.fetch_add(1, Ordering::Relaxed);
                let _ = incoming.retry();
            } else if let Ok(connecting) = incoming.accept() {
                self.handshakes.fetch_add(1, Ordering::Relaxed);
                return Some(QuicHandshake { connecting, handshakes: self.handshakes.clone() });
            }
        }
    }
}

impl QuicHandshake {
    /// Finishes the handshake.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn finish(mut self) -> Result<Accepted<quinn::Connection>, Reason> {
        let connection = tokio::time::timeout(HANDSHAKE_TIMEOUT, &mut self.connecting)
            .await
            .map_err(|_| Reason::TimedOut)?
            .map_err(|e| Reason::of_quic(&e))?;
        let data = connection.handshake_data().and_then(|d| d.downcast::<quinn::crypto::rustls::HandshakeData>().ok());
        let protocol = Protocol::of(data.and_then(|d| d.protocol).as_deref());
        let peer_key = quic_peer_key(&connection);
        Ok(Accepted { stream: connection, protocol, peer_key })
    }
}

impl Drop for QuicHandshake {
    fn drop(&mut self) {
        self.handshakes.fetch_sub(1, Ordering::Relaxed);
    }
}
