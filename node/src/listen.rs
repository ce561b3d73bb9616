//! The accept loops: one port, and what a connection speaks decides who serves it.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use startalk_federation::Federation;
use startalk_gateway::{Gateway, Transport};
use startalk_net::{Doorstep, Protocol, QuicGate, ServerTls, Step};
use startalk_protocol::pb::trust::Endpoint;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
};

/// How long a connection may take to send its first byte.
const FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a client's connection over QUIC may take to open its stream.
const FIRST_STREAM_TIMEOUT: Duration = Duration::from_secs(10);
/// The first byte of a TLS handshake (RFC 8446 §5.1); anything else is taken for plain HTTP.
const TLS_HANDSHAKE: u8 = 22;

/// Who serves connections.
#[derive(Clone)]
pub struct Servers {
    /// Clients.
    pub gateway: Gateway,
    /// Links.
    pub federation: Federation,
    /// Handshakes.
    pub tls: ServerTls,
    /// Where they stand until they have shown what they want.
    pub door: Doorstep,
}

impl Servers {
    /// Accepts TCP connections until the task is dropped.
    pub async fn accept_tcp(self, listener: TcpListener) {
        loop {
            match listener.accept().await {
                Ok((tcp, from)) => {
                    // Too many that only stand there, in all or of one network: closed, and whoever is somebody tries again.
                    let Some(step) = self.door.enter(from.ip()) else { continue };
                    let servers = self.clone();
                    tokio::spawn(async move { servers.serve_tcp(tcp, from, step).await });
                }
                Err(error) => {
                    // Out of files, mostly: others will end, and then it goes on.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
    }

    /// What a handshake or HTTP needs for its states is kept in boxes and gone with them: of an idle client only its
    /// own small task stays.
    async fn serve_tcp(self, tcp: TcpStream, from: SocketAddr, step: Step) {
        let from = from.ip().to_canonical();
        let mut first = [0];
        match tokio::time::timeout(FIRST_BYTE_TIMEOUT, tcp.peek(&mut first)).await {
            Ok(Ok(1)) => {}
            _ => return,
        }
        if tcp.set_nodelay(true).is_err() {
            return;
        }
        if first[0] != TLS_HANDSHAKE {
            drop(step); // HTTP has limits of its own
            return Box::pin(self.gateway.serve_http(tcp, from, false)).await;
        }
        self.serve_tls(tcp, from, Some(step)).await;
    }

    /// A connection that begins with a TLS handshake; `from` is where its other end is. What a hub forwards has stood at its door.
    pub async fn serve_tls<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(
        self,
        stream: S,
        from: IpAddr,
        step: Option<Step>,
    ) {
        let accepted = match Box::pin(self.tls.accept(stream)).await {
            Ok(accepted) => accepted,
            Err(reason) => return tracing::debug!(%from, ?reason, "a TLS handshake failed"),
        };
        drop(step);
        match accepted.protocol {
            Protocol::Link => Box::pin(self.federation.accept_tls(accepted, from)).await,
            Protocol::Client => drop(tokio::spawn(self.gateway.serve_frames(accepted.stream, from, Transport::Tls))),
            Protocol::Http1 | Protocol::Http2 => Box::pin(self.gateway.serve_http(accepted.stream, from, true)).await,
            Protocol::Challenge => {} // it was the handshake that the authority came for
            Protocol::Tether => {}    // which nodes do not offer
        }
    }

    /// Accepts QUIC connections until the endpoint closes.
    pub async fn accept_quic(self, endpoint: quinn::Endpoint) {
        let gate = QuicGate::default();
        while let Some(handshake) = gate.next(&endpoint).await {
            let servers = self.clone();
            tokio::spawn(async move {
                let Ok(accepted) = handshake.finish().await else { return };
                let from = accepted.stream.remote_address().ip().to_canonical();
                match accepted.protocol {
                    Protocol::Link => Box::pin(servers.federation.accept(accepted)).await,
                    Protocol::Client => {
                        // Kept alive by ourselves, so it would stand there for good.
                        let Some(step) = servers.door.enter(from) else { return };
                        let stream = tokio::time::timeout(FIRST_STREAM_TIMEOUT, accepted.stream.accept_bi()).await;
                        let Ok(Ok((send, receive))) = stream else { return };
                        drop(step);
                        drop(tokio::spawn(servers.gateway.serve_frames(tokio::io::join(receive, send), from, Transport::Quic)));
                    }
                    Protocol::Http1 | Protocol::Http2 | Protocol::Tether | Protocol::Challenge => {}
                }
            });
        }
    }
}

/// Where others reach a node that listens at `address` and was told nothing: the address itself, or, for every address,
/// those by which this machine would go out.
pub fn endpoints_of(address: SocketAddr) -> Vec<Endpoint> {
    let endpoint = |ip: std::net::IpAddr| Endpoint { host: ip.to_string(), port: address.port().into() };
    if !address.ip().is_unspecified() {
        return vec![endpoint(address.ip())];
    }
    // Connecting a UDP socket sends nothing; it asks the system which of our addresses it would use.
    let toward = ["192.0.2.1:9", "[2001:db8::1]:9"];
    let mut found: Vec<Endpoint> = toward
        .into_iter()
        .filter_map(|target| {
            let any = if target.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
            let socket = std::net::UdpSocket::bind(any).ok()?;
            socket.connect(target).ok()?;
            socket.local_addr().ok().map(|a| endpoint(a.ip()))
        })
        .collect();
    if found.is_empty() {
        found.push(endpoint(std::net::Ipv4Addr::LOCALHOST.into()));
    }
    found
}
