//! What is configured of a provider, and what it makes of the claims.

use std::sync::LazyLock;

use startalk_outbound::OutboundClient;
use startalk_protocol::{
    Code, Error,
    limits::{DISPLAY_NAME_CHARS_MAX, IDENTITY_BYTES_MAX, IDENTITY_LABEL_CHARS_MAX},
};
use url::{Host, Url};

use super::claims::Said;
use crate::{Newcomer, Person, name_of};

/// Characters of a provider's id.
const ID_CHARS_MAX: usize = 32;

/// What of the settings is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: expected {expected}")]
pub struct ConfigError {
    field: &'static str,
    expected: &'static str,
}

impl ConfigError {
    pub(crate) fn new(field: &'static str, expected: &'static str) -> Self {
        Self { field, expected }
    }
}

/// A provider as the operator describes it.
#[derive(Clone)]
pub struct ProviderConfig {
    /// Short, for addresses and records: `a-z`, digits, `-`.
    pub id: String,
    /// For people.
    pub display_name: String,
    /// Its issuer, exactly as it calls itself.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// `None`: a public client, with PKCE alone.
    pub client_secret: Option<String>,
    /// Asked for besides `openid`.
    pub scopes: Vec<String>,
    /// Whether people whom no account belongs to get one.
    pub register: bool,
    /// Only people with a verified e-mail address of these domains come in; empty: everybody whom it names.
    pub email_domains: Vec<String>,
    /// The claim that a new account's name is made of.
    pub name_claim: String,
    /// The claim that says for ever who somebody is.
    pub id_claim: String,
    /// All requests go by it.
    pub outbound: OutboundClient,
}

/// Whether a word can be the id of a provider or a directory.
pub(crate) fn is_id(id: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether a URL leads to this machine by an address that nothing else answers for.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        _ => false,
    }
}

impl ProviderConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !is_id(&self.id) {
            return Err(ConfigError::new("id", "1 to 32 of a-z, 0-9 and -"));
        }
        if self.display_name.is_empty() || self.display_name.chars().count() > DISPLAY_NAME_CHARS_MAX {
            return Err(ConfigError::new("display_name", "1 to 64 characters"));
        }
        let issuer = "https://… without ? and #, or http:// with a loopback address";
        let url = Url::parse(&self.issuer).map_err(|_| ConfigError::new("issuer", issuer))?;
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
        if !is_safe || url.query().is_some() || url.fragment().is_some() || self.issuer.len() > IDENTITY_BYTES_MAX {
            return Err(ConfigError::new("issuer", issuer));
        }
        if self.client_id.is_empty() {
            return Err(ConfigError::new("client_id", "what the provider calls this domain"));
        }
        Ok(())
    }

    /// Whether the ID token does not say all that matters: many providers say it at the userinfo endpoint alone.
    pub(super) fn wants_more(&self, said: &Said) -> bool {
        let wanted = [self.name_claim.as_str(), self.id_claim.as_str(), "email", "name"];
        wanted.iter().any(|claim| said.text(claim).is_none())
            || (!self.email_domains.is_empty() && said.verified_email().is_none())
    }

    /// Who it is, if such people may come in.
    pub(super) fn person(&self, said: Said) -> Result<Person, Error> {
        let known = said.text("email").or(said.text("preferred_username")).or(said.text("name")).or(said.text("sub"));
        let label: String =
            known.unwrap_or_default().chars().filter(|c| !c.is_control()).take(IDENTITY_LABEL_CHARS_MAX).collect();
        let refused = || Error::new(Code::IdentityRefused).with("who", &label).with("provider", &self.display_name);
        if !self.email_domains.is_empty() {
            let domain = said.verified_email().and_then(|e| e.rsplit_once('@')).map(|(_, d)| d);
            if !domain.is_some_and(|d| self.email_domains.iter().any(|allowed| allowed.eq_ignore_ascii_case(d))) {
                return Err(refused());
            }
        }
        let subject = said.text(&self.id_claim).filter(|s| s.len() <= IDENTITY_BYTES_MAX).ok_or_else(refused)?.to_owned();
        let newcomer = self.register.then(|| Newcomer {
            name: name_of(said.text(&self.name_claim).unwrap_or_default()),
            display_name: said.text("name").unwrap_or_default().to_owned(),
        });
        Ok(Person { provider: self.id.clone(), issuer: self.issuer.clone(), subject, label, newcomer })
    }
}

/// Reads bytes as the claims of a verified token, and checks what comes of them.
pub fn check(bytes: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<serde_json::Value>(bytes) else { return };
    static COMPANY: LazyLock<ProviderConfig> = LazyLock::new(|| ProviderConfig {
        id: "p".into(),
        display_name: "P".into(),
        issuer: "https://p.example".into(),
        client_id: "c".into(),
        client_secret: None,
        scopes: Vec::new(),
        register: true,
        email_domains: vec!["company.example".into()],
        name_claim: "preferred_username".into(),
        id_claim: "sub".into(),
        outbound: OutboundClient::new(startalk_outbound::OutboundConfig::default()),
    });
    let company = &*COMPANY;
    let open = ProviderConfig { email_domains: Vec::new(), ..company.clone() };
    let said = Said::of(&claims);
    if let Ok(person) = company.person(said.clone()) {
        assert!(said.verified_email().is_some_and(|e| e.to_ascii_lowercase().ends_with("@company.example")));
        assert_eq!(open.person(said.clone()), Ok(person));
    }
    if let Ok(person) = open.person(said) {
        assert!(!person.subject.is_empty() && person.subject.len() <= IDENTITY_BYTES_MAX);
        assert!(person.label.chars().count() <= IDENTITY_LABEL_CHARS_MAX && !person.label.chars().any(char::is_control));
        assert!(person.newcomer.is_some());
    }
}
