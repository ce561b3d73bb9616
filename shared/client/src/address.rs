//! Where to go: a domain, a server by its address, or a link that somebody gave.
//!
//! Parses what people type; resolves nothing.

use std::{fmt, str::FromStr};

use startalk_protocol::{
    DomainName, UserId,
    trust::{Endpoint, Fingerprint, host_is_plausible},
};

use crate::ClientError;

/// The port of a server whose port was not said.
pub const DEFAULT_PORT: u16 = 443;

/// A server's address, perhaps with the fingerprint of its domain's root key: `host:port` or `host:port#fingerprint`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Where.
    pub endpoint: Endpoint,
    /// Of the domain's first root key; with it, nothing needs to be believed.
    pub root: Option<Fingerprint>,
}

impl FromStr for Server {
    type Err = ClientError;
    fn from_str(text: &str) -> Result<Self, ClientError> {
        let bad = || ClientError::Input("host:port, perhaps with #fingerprint".to_owned());
        let (place, root) = match text.split_once('#') {
            None => (text, None),
            Some((place, root)) => (place, Some(root.parse().map_err(|_| bad())?)),
        };
        let (host, port) = match place.strip_prefix('[').and_then(|p| p.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(bad)?)),
            None if place.matches(':').count() > 1 => (place, None),
            None => place.split_once(':').map_or((place, None), |(h, p)| (h, Some(p))),
        };
        let port = port.map_or(Ok(DEFAULT_PORT), |p| p.parse().map_err(|_| bad()))?;
        let host = host.to_ascii_lowercase();
        if port == 0 || !host_is_plausible(&host) {
            return Err(bad());
        }
        Ok(Self { endpoint: Endpoint { host, port: port.into() }, root })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { host, port } = &self.endpoint;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")?
        } else {
            write!(f, "{host}:{port}")?
        }
        self.root.as_ref().map_or(Ok(()), |root| write!(f, "#{root}"))
    }
}

/// Whom to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Home {
    /// A domain, found by discovery; at the given places first, if there are any.
    Domain {
        /// Its name.
        domain: DomainName,
        /// Where it is said to be.
        servers: Vec<Server>,
    },
    /// Whatever domain is at this place. Unless the fingerprint is given too, its key is trusted on first use.
    Server(Server),
}

impl Home {
    /// The domain of a user, wherever discovery finds it.
    pub fn of(user: &UserId) -> Self {
        Self::Domain { domain: user.domain.clone(), servers: Vec::new() }
    }
}

/// A link that lets one in: `https://host[:port]/…#secret`. The secret stands in the fragment, which browsers do not
/// send; `key=`, `domain=` and `invite=` may stand in it too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinLink {
    /// Where.
    pub server: Server,
    /// The domain, if the link says it.
    pub domain: Option<DomainName>,
    /// What [`crate::Client::register`] takes as invitation.
    pub invitation: String,
}

impl JoinLink {
    /// Whom to connect to.
    pub fn home(&self) -> Home {
        match &self.domain {
            Some(domain) => Home::Domain { domain: domain.clone(), servers: vec![self.server.clone()] },
            None => Home::Server(self.server.clone()),
        }
    }
}

impl FromStr for JoinLink {
    type Err = ClientError;
    fn from_str(text: &str) -> Result<Self, ClientError> {
        let bad = || ClientError::Input("a link https://host/…#secret".to_owned());
        let rest = ["https://", "http://", "startalk://"].iter().find_map(|s| text.trim().strip_prefix(s)).ok_or_else(bad)?;
        let (rest, fragment) = rest.split_once('#').map_or((rest, ""), |(r, f)| (r, f));
        let (rest, query) = rest.split_once('?').map_or((rest, ""), |(r, q)| (r, q));
        let (authority, path) = rest.split_once('/').map_or((rest, ""), |(a, p)| (a, p));
        let mut link = Self { server: authority.parse().map_err(|_| bad())?, domain: None, invitation: String::new() };
        for part in query.split('&').chain(fragment.trim_start_matches('/').split(['&', '?'])) {
            match part.split_once('=') {
                Some(("key" | "root" | "fingerprint", value)) => link.server.root = Some(value.parse().map_err(|_| bad())?),
                Some(("domain", value)) => link.domain = Some(value.parse().map_err(|_| bad())?),
                Some(("invite" | "invitation" | "token" | "secret" | "join" | "t", value)) => {
                    value.clone_into(&mut link.invitation)
                }
                Some(_) => {}
                None if !part.is_empty() && link.invitation.is_empty() => {
                    link.invitation = part.rsplit('/').next().unwrap_or(part).to_owned();
                }
                None => {}
            }
        }
        if link.invitation.is_empty() {
            path.rsplit('/').find(|p| p.len() >= 16).unwrap_or_default().clone_into(&mut link.invitation);
        }
        if link.invitation.is_empty() { Err(bad()) } else { Ok(link) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_read_as_people_write_them() {
        let shown = |t: &str| t.parse::<Server>().ok().map(|s| s.to_string());
        assert_eq!(shown("Chat.example:8443").as_deref(), Some("chat.example:8443"));
        assert_eq!(shown("chat.example").as_deref(), Some("chat.example:443"));
        assert_eq!(shown("[::1]:8443").as_deref(), Some("[::1]:8443"));
        assert_eq!(shown("::1").as_deref(), Some("[::1]:443"));
        assert_eq!(shown("127.0.0.1:1#abcdefghijklmnopqrstuvwxyz").as_deref(), Some("127.0.0.1:1#abcdefghijklmnopqrstuvwxyz"));
        for bad in ["", "a b:1", "host:0", "host:x", "host:1#xyz", "a:b:c#"] {
            assert_eq!(shown(bad), None, "{bad}");
        }
    }

    #[test]
    fn links_carry_a_secret_and_perhaps_a_key() {
        let link: JoinLink = "https://192.168.1.7:8443/join#abcdefgh12345678".parse().unwrap();
        assert_eq!((link.server.to_string().as_str(), link.invitation.as_str()), ("192.168.1.7:8443", "abcdefgh12345678"));
        let link: JoinLink =
            "https://chat.example/#invite=S3cret&key=abcdefghijklmnopqrstuvwxyz&domain=home.example".parse().unwrap();
        assert_eq!((link.invitation.as_str(), link.server.root.is_some()), ("S3cret", true));
        assert!(matches!(link.home(), Home::Domain { domain, .. } if domain.as_str() == "home.example"));
        let link: JoinLink = "https://chat.example/join/abcdefgh12345678".parse().unwrap();
        assert_eq!(link.invitation, "abcdefgh12345678");
        assert!("https://chat.example/".parse::<JoinLink>().is_err());
        assert!("chat.example#x".parse::<JoinLink>().is_err());
    }
}
