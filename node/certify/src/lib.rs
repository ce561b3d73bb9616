//! Certificates by themselves: a node asks an authority for the certificate that browsers trust, proves that the names are
//! its own, and renews it in time. RFC 8555 (ACME), RFC 8737 (TLS-ALPN-01); docs/decisions/0028-certificates.md
//!
//! Owns when to ask ([`schedule`]), the talk with the authority ([`authority`]), the files with account, certificate and how
//! it stands ([`kept`]), and why it does not go, in words ([`failure`]). Reads no clock and draws no randomness: both are
//! given. Knows no domain, no person, no message.
//!
//! Invariant: a certificate is served only after it was kept; what was served before stays until then.

mod authority;
mod failure;
mod hook;
mod kept;
mod run;
pub mod schedule;
#[cfg(test)]
mod tests;
mod wire;

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use startalk_net::{CertResolver, RootCertificate, http::HttpClient};

pub use failure::Words;
pub use run::{Certify, Standing};
pub use schedule::Pace;

/// Where certificates are asked for if nothing else is said.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
/// Names in one certificate: authorities allow a hundred; a node has few.
pub const NAMES_MAX: usize = 16;

/// How the names are proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// On the node's own TLS port (TLS-ALPN-01): port 443 of every name leads there, directly or through a hub.
    TlsAlpn,
    /// By a record in DNS (DNS-01), which this program sets and removes: `PROGRAM present|cleanup NAME VALUE`.
    Dns(PathBuf),
}

/// Keeps a secret file: whole, and for its owner alone.
pub type Write = Arc<dyn Fn(&Path, &[u8]) -> io::Result<()> + Send + Sync>;

/// What there is to work with.
#[derive(Clone)]
pub struct CertifyConfig {
    /// The authority's directory, `https://…`.
    pub directory: String,
    /// An e-mail address that the authority may write to.
    pub contact: Option<String>,
    /// Host names, 1 to [`NAMES_MAX`].
    pub names: Vec<String>,
    /// How they are proven.
    pub method: Method,
    /// Where account, certificate and standing are kept.
    pub folder: PathBuf,
    /// How.
    pub write: Write,
    /// Who shows the certificate, and the answers to challenges.
    pub resolver: Arc<CertResolver>,
    /// To the authority.
    pub http: HttpClient,
    /// Trusted for its directory besides the web's.
    pub roots: Vec<RootCertificate>,
    /// Milliseconds since 1970.
    pub now_ms: fn() -> i64,
    /// Evenly from all numbers.
    pub random: fn() -> u64,
    /// How often.
    pub pace: Pace,
}
