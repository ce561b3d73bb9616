//! Listening sockets: TCP and UDP on one and the same port, IPv6 and IPv4 together.
//!
//! Owns how sockets are made; what is accepted on them is `server`'s business.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    str::FromStr,
    sync::Arc,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpListener;

use crate::sparing::Sparing;

/// Connections that the system completed and nobody accepted yet.
const BACKLOG: i32 = 1024;
/// Bytes of UDP buffers: at full speed the default overflows and looks like loss on the network.
const UDP_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Ports tried until one is free for TCP and UDP both.
const PORT_ATTEMPTS: usize = 32;

/// Where to listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listen {
    /// On every address of the machine; 0 picks a free port.
    Port(u16),
    /// On one address; `[::]` means every one, IPv4 too.
    Address(SocketAddr),
}

impl Listen {
    /// The same place with another port.
    #[must_use]
    fn with_port(self, port: u16) -> Self {
        match self {
            Self::Port(_) => Self::Port(port),
            Self::Address(address) => Self::Address(SocketAddr::new(address.ip(), port)),
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Port(port) => port,
            Self::Address(address) => address.port(),
        }
    }
}

impl FromStr for Listen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(port) = text.parse() {
            return Ok(Self::Port(port));
        }
        text.parse()
            .map(Self::Address)
            .map_err(|_| format!("{text:?}: expected a port, or an address with a port as in 127.0.0.1:443 or [::]:443"))
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl From<u16> for Listen {
    fn from(port: u16) -> Self {
        Self::Port(port)
    }
}

/// Both listening sockets.
#[derive(Debug)]
pub struct Listeners {
    /// For TLS and HTTP.
    pub tcp: TcpListener,
    /// For links; also used for connecting out, so that both go through the same hole in a router.
    pub quic: quinn::Endpoint,
    /// The port of both.
    pub port: u16,
    /// The address that was bound.
    pub address: SocketAddr,
}

/// Binds TCP and UDP to the same port. Without IPv6 on the machine, [`Listen::Port`] means IPv4 alone. With
/// `quic_server` absent the QUIC endpoint only connects out. Must be called inside a tokio runtime.
///
/// # Errors
/// If the port is taken (the error names the address and which of the two sockets it was) or may not be bound.
pub fn bind(listen: Listen, quic_server: Option<quinn::ServerConfig>) -> io::Result<Listeners> {
    bind_as(listen, quic_server, quinn::EndpointConfig::default())
}

/// As [`bind`]. The same `secret` after a restart: then those who were connected over QUIC before are told at once that
/// their connections are gone (stateless reset, RFC 9000 §10.3), and need not wait until they notice.
///
/// # Errors
/// As [`bind`].
pub fn bind_again(listen: Listen, quic_server: Option<quinn::ServerConfig>, secret: &[u8; 32]) -> io::Result<Listeners> {
    bind_as(listen, quic_server, quic_config(secret))
}

fn quic_config(secret: &[u8; 32]) -> quinn::EndpointConfig {
    let mut config = quinn::EndpointConfig::new(Arc::new(ResetKey(blake3::derive_key("startalk QUIC stateless reset", secret))));
    let ids = blake3::derive_key("startalk QUIC connection ids", secret);
    let ids = u64::from_le_bytes(ids[..8].try_into().expect("8 bytes"));
    config.cid_generator(move || Box::new(quinn_proto::HashedConnectionIdGenerator::from_key(ids)));
    config
}

/// Makes the tokens of stateless resets: the same ones after a restart.
struct ResetKey([u8; 32]);

impl quinn::crypto::HmacKey for ResetKey {
    fn sign(&self, data: &[u8], signature: &mut [u8]) {
        signature.copy_from_slice(blake3::keyed_hash(&self.0, data).as_bytes());
    }

    fn signature_len(&self) -> usize {
        blake3::OUT_LEN
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), quinn::crypto::CryptoError> {
        // In constant time: such is the comparison of these hashes.
        if blake3::keyed_hash(&self.0, data) == *signature { Ok(()) } else { Err(quinn::crypto::CryptoError) }
    }
}

fn bind_as(listen: Listen, quic_server: Option<quinn::ServerConfig>, config: quinn::EndpointConfig) -> io::Result<Listeners> {
    let mut last = None;
    for _ in 0..PORT_ATTEMPTS {
        let tcp = socket(listen, Type::STREAM)?;
        let address = local(&tcp)?;
        match socket(listen.with_port(address.port()), Type::DGRAM) {
            Ok(udp) => {
                let tcp = TcpListener::from_std(tcp.into())?;
                let quic = endpoint(config, quic_server, udp)?;
                return Ok(Listeners { tcp, quic, port: address.port(), address });
            }
            // The free port that TCP got may be in use on UDP: take another one.
            Err(e) if listen.port() == 0 => last = Some(e),
            Err(e) => return Err(e),
        }
    }
    Err(last.unwrap_or_else(|| io::Error::other("no free port")))
}

/// Binds TCP alone, for programs without QUIC. Must be called inside a tokio runtime.
///
/// # Errors
/// If the port is taken or may not be bound; the error names the address.
pub fn bind_tcp(listen: Listen) -> io::Result<(TcpListener, SocketAddr)> {
    let tcp = socket(listen, Type::STREAM)?;
    let address = local(&tcp)?;
    Ok((TcpListener::from_std(tcp.into())?, address))
}

/// A QUIC endpoint that only connects out, from any free port.
///
/// # Errors
/// If the system gives no UDP socket.
pub fn client_endpoint() -> io::Result<quinn::Endpoint> {
    let udp = socket(Listen::Port(0), Type::DGRAM)?;
    endpoint(quinn::EndpointConfig::default(), None, udp)
}

fn endpoint(config: quinn::EndpointConfig, server: Option<quinn::ServerConfig>, udp: Socket) -> io::Result<quinn::Endpoint> {
    let runtime = quinn::default_runtime().ok_or_else(|| io::Error::other("no tokio runtime"))?;
    let socket = Sparing(runtime.wrap_udp_socket(udp.into())?);
    quinn::Endpoint::new_with_abstract_socket(config, server, Arc::new(socket), runtime)
}

fn socket(listen: Listen, kind: Type) -> io::Result<Socket> {
    match listen {
        Listen::Address(address) => bound(address, kind),
        Listen::Port(port) => match bound(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port), kind) {
            // Only where there is no IPv6: a port that is taken stays an error.
            Err(e) if e.kind() != io::ErrorKind::AddrInUse && e.kind() != io::ErrorKind::PermissionDenied => {
                bound(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port), kind)
            }
            other => other,
        },
    }
}

fn bound(address: SocketAddr, kind: Type) -> io::Result<Socket> {
    let named = |e: io::Error| {
        let what = if kind == Type::STREAM { "TCP" } else { "UDP" };
        io::Error::new(e.kind(), format!("{what} {address}: {e}"))
    };
    let protocol = if kind == Type::STREAM { Protocol::TCP } else { Protocol::UDP };
    let socket = Socket::new(Domain::for_address(address), kind, Some(protocol)).map_err(named)?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false).map_err(named)?;
    }
    socket.set_nonblocking(true).map_err(named)?;
    if kind == Type::STREAM {
        // On Unix: listen again although old connections linger. On Windows it would mean to share the port.
        #[cfg(unix)]
        socket.set_reuse_address(true).map_err(named)?;
        socket.bind(&address.into()).map_err(named)?;
        socket.listen(BACKLOG).map_err(named)?;
    } else {
        // The system may cap these; a smaller buffer is slower, not wrong.
        let _ = socket.set_recv_buffer_size(UDP_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(UDP_BUFFER_BYTES);
        socket.bind(&address.into()).map_err(named)?;
    }
    Ok(socket)
}

fn local(socket: &Socket) -> io::Result<SocketAddr> {
    socket.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an IP socket"))
}
