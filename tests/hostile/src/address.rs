//! Where a node is.

use std::str::FromStr;

use anyhow::Context as _;
use startalk_protocol::pb::trust::Endpoint;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// TCP and UDP.
    pub port: u16,
}

impl Address {
    /// On this machine.
    pub fn here(port: u16) -> Self {
        Self { host: "127.0.0.1".to_owned(), port }
    }

    /// As a record names it.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint { host: self.host.clone(), port: self.port.into() }
    }
}

impl FromStr for Address {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (host, port) = text.rsplit_once(':').with_context(|| format!("{text}: expected host:port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: port.parse().with_context(|| format!("{text}: expected a port"))? })
    }
}
