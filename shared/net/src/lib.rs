//! TLS and QUIC endpoints, certificates, the guarded HTTPS client, discovery of domains, and the client side of hubs.
//! federation-spec/03-link.md §1 (transport) and 04-discovery-and-hubs.md
//!
//! Owns every socket, certificate and resolver that Startalk programs use. It knows trust records, and nothing of what
//! travels inside a connection: no frame, no message. An ed25519 key that a peer proved to hold is handed up as 32
//! bytes and judged by whoever knows the charter.
//!
//! Invariant: a returned peer key was proven by a verified TLS 1.3 handshake signature.

pub mod buckets;
pub mod certificates;
pub mod connect;
pub mod discovery;
pub mod doorstep;
pub mod guard;
pub mod http;
pub mod hub;
pub mod link_stream;
pub mod listen;
pub mod names;
pub mod prefixed;
pub mod reason;
pub mod server;
mod sparing;
#[cfg(test)]
mod tests;
pub mod verify;
pub mod walk;

pub use buckets::{BUCKETS_MAX, Buckets, Rate};
pub use certificates::{
    AnsweredChallenge, CertResolver, CertificateError, CertificateRequest, CertificateSays, ChallengeCertificate,
    LinkCertificate, RootCertificate, WebCertificate, roots_from_pem,
};
pub use connect::{
    Connect, Either, Neither, QuicConnection, TlsConnection, connect_either, connect_quic, connect_quic_with, connect_tls,
};
pub use discovery::{Discovery, DiscoveryConfig, Found, NotFound};
pub use doorstep::{Doorstep, Step, network};
pub use guard::AddressGuard;
pub use hub::{HubClient, HubUrl};
pub use link_stream::LinkStream;
pub use listen::{Listen, Listeners, bind, bind_again, bind_tcp, client_endpoint};
pub use names::Names;
pub use prefixed::Prefixed;
pub use reason::{Attempt, ConnectError, Reason};
pub use server::{Accepted, Protocol, QuicGate, ServerTls};
pub use verify::{Verify, peer_key, quic_peer_key};

/// ALPN of Startalk clients on TLS and QUIC.
pub const ALPN_CLIENT: &[u8] = b"startalk/1";
/// ALPN of links between domains.
pub const ALPN_LINK: &[u8] = b"startalk-link/1";
/// ALPN of HTTP/1.1 for Startalk's own programs: the other side shows its link certificate, so that it is known by the same key
/// as on [`ALPN_CLIENT`]. TLS only.
pub const ALPN_CLIENT_HTTP: &[u8] = b"startalk-http/1";
/// ALPN between a node that cannot be reached and a hub that forwards to it, on QUIC and TLS.
pub const ALPN_TETHER: &[u8] = b"startalk-tether/1";
/// ALPN by which an authority proves that a host name is a server's. RFC 8737
pub const ALPN_ACME: &[u8] = b"acme-tls/1";
/// ALPN of HTTP/1.1, and so of WebSocket.
pub const ALPN_HTTP1: &[u8] = b"http/1.1";
/// ALPN of HTTP/2.
pub const ALPN_HTTP2: &[u8] = b"h2";

/// Installs aws-lc-rs as the process's TLS provider. Call it first in every `main` and test helper; again is harmless.
///
/// Our own configurations name their provider anyway; this is for libraries that ask for the process's.
pub fn install_crypto() {
    // An error says that one is installed already; it cannot be another one, as no other is in the tree.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

pub(crate) fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    static PROVIDER: std::sync::OnceLock<std::sync::Arc<rustls::crypto::CryptoProvider>> = std::sync::OnceLock::new();
    PROVIDER.get_or_init(|| std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider())).clone()
}
