//! From host names to addresses: the system's way, or by asking given name servers.
//!
//! Knows nothing of Startalk; never asks DNS for a name under `.alt` (RFC 9476).

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use hickory_resolver::{
    TokioResolver,
    config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts},
    net::runtime::TokioRuntimeProvider,
};

use crate::reason::Reason;

/// Addresses taken from one host name; more are not tried.
const ADDRESSES_MAX: usize = 16;
/// How long one question to one name server may take.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(3);

/// How host names are resolved. Cheap to clone.
#[derive(Clone)]
pub struct Names(Way);

#[derive(Clone)]
enum Way {
    System,
    Servers(Arc<TokioResolver>),
}

impl Names {
    /// As every other program of the machine does: hosts file, mDNS, DNS.
    pub fn system() -> Self {
        Self(Way::System)
    }

    /// By asking these name servers only.
    ///
    /// # Errors
    /// [`Reason::Dns`] if the resolver cannot be made.
    pub fn with_servers(servers: &[SocketAddr]) -> Result<Self, Reason> {
        let builder =
            TokioResolver::builder_with_config(config_of(servers), TokioRuntimeProvider::default()).with_options(options());
        Ok(Self(Way::Servers(Arc::new(builder.build().map_err(|e| Reason::Dns(e.to_string()))?))))
    }

    /// The addresses of `host` (a name, or an address, IPv6 with or without brackets), IPv6 and IPv4 taking turns.
    ///
    /// # Errors
    /// [`Reason::NoAddress`], [`Reason::Dns`], [`Reason::BadAddress`] for a name that DNS must not be asked for.
    pub async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Reason> {
        let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address.to_canonical(), port)]);
        }
        let lower = host.to_ascii_lowercase();
        if lower.trim_end_matches('.').rsplit('.').next() == Some("alt") {
            return Err(Reason::BadAddress);
        }
        let found: Vec<IpAddr> = match &self.0 {
            Way::System => match tokio::net::lookup_host((host, port)).await {
                Ok(found) => found.map(|a| a.ip()).collect(),
                Err(_) => return Err(Reason::NoAddress),
            },
            Way::Servers(resolver) => match resolver.lookup_ip(absolute(host)).await {
                Ok(found) => found.iter().collect(),
                Err(e) if e.is_no_records_found() || e.is_nx_domain() => return Err(Reason::NoAddress),
                Err(e) => return Err(Reason::Dns(e.to_string())),
            },
        };
        let ordered = take_turns(found);
        if ordered.is_empty() {
            Err(Reason::NoAddress)
        } else {
            Ok(ordered.into_iter().map(|a| SocketAddr::new(a, port)).collect())
        }
    }
}

/// With a final dot, so that no search list of the machine is tried.
pub(crate) fn absolute(host: &str) -> String {
    if host.ends_with('.') { host.to_owned() } else { format!("{host}.") }
}

pub(crate) fn config_of(servers: &[SocketAddr]) -> ResolverConfig {
    let server = |address: &SocketAddr| {
        let (mut udp, mut tcp) = (ConnectionConfig::udp(), ConnectionConfig::tcp());
        udp.port = address.port();
        tcp.port = address.port();
        NameServerConfig::new(address.ip(), true, vec![udp, tcp])
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

pub(crate) fn options() -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = QUESTION_TIMEOUT;
    options.attempts = 2;
    options
}

fn take_turns(found: Vec<IpAddr>) -> Vec<IpAddr> {
    let (v6, v4): (Vec<IpAddr>, Vec<IpAddr>) = found.into_iter().map(|a| a.to_canonical()).partition(IpAddr::is_ipv6);
    let mut out: Vec<IpAddr> = Vec::new();
    for i in 0..v6.len().max(v4.len()) {
        for address in [v6.get(i), v4.get(i)].into_iter().flatten() {
            if !out.contains(address) && out.len() < ADDRESSES_MAX {
                out.push(*address);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let parse = |list: &[&str]| -> Vec<IpAddr> { list.iter().map(|a| a.parse().unwrap()).collect() };
        let ordered = take_turns(parse(&["1.1.1.1", "2.2.2.2", "::ffff:1.1.1.1", "2::1"]));
        assert_eq!(ordered, parse(&["2::1", "1.1.1.1", "2.2.2.2"]));
    }

    #[tokio::test]
    async fn key_names_are_never_asked_of_dns() {
        let refused = Names::system().addresses("abcdefghijklmnopqrstuvwxyz.startalk.alt", 1).await;
        assert_eq!(refused, Err(Reason::BadAddress));
        assert_eq!(Names::system().addresses("x.ALT.", 1).await, Err(Reason::BadAddress));
        let literal = Names::system().addresses("[::1]", 1).await;
        assert_eq!(literal, Ok(vec!["[::1]:1".parse().unwrap()]));
    }
}
