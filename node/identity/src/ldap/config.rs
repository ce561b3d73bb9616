//! What is configured of a directory.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use startalk_protocol::limits::DISPLAY_NAME_CHARS_MAX;
use url::Url;

use super::{
    ask::Trouble,
    filter::{Filter, is_filter},
};
use crate::oidc::{ConfigError, is_id, is_loopback};

/// Bytes of a distinguished name, or of an attribute's name.
const DN_BYTES_MAX: usize = 1024;
const ATTRIBUTE_BYTES_MAX: usize = 64;

/// Which attribute says what.
#[derive(Clone, Debug)]
pub struct Attributes {
    /// Who an entry is, for ever: `entryUUID`, `objectGUID`.
    pub id: String,
    /// Before the `@`.
    pub name: String,
    /// Shown to others.
    pub display_name: String,
    /// An e-mail address.
    pub mail: String,
}

/// A directory as the operator describes it.
#[derive(Clone)]
pub struct DirectoryConfig {
    /// Short, for records and commands: `a-z`, digits, `-`.
    pub id: String,
    /// For people.
    pub display_name: String,
    /// `ldap://host` or `ldaps://host`, with a port if it is another than 389 or 636.
    pub url: String,
    /// `ldap://` becomes TLS before anything is said.
    pub start_tls: bool,
    /// `ldap://` without it may leave this machine: passwords go readable over the network.
    pub allow_plain: bool,
    /// Whom to believe to be the directory.
    pub tls: Arc<rustls::ClientConfig>,
    /// Who this node is to it when it looks for people; empty: nobody.
    pub bind_dn: String,
    /// Its password.
    pub bind_password: String,
    /// Below which entry people are.
    pub base: String,
    /// With `{name}` where the name goes.
    pub filter: String,
    /// Of who is imported; `None`: the filter with any name.
    pub import_filter: Option<String>,
    /// Which attribute says what.
    pub attributes: Attributes,
    /// Groups of this domain by groups of the directory that an entry is `memberOf`.
    pub groups: BTreeMap<String, String>,
    /// Whether people whom no account belongs to get one.
    pub register: bool,
    /// For one question.
    pub timeout: Duration,
}

impl DirectoryConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !is_id(&self.id) {
            return Err(ConfigError::new("id", "1 to 32 of a-z, 0-9 and -"));
        }
        if self.display_name.is_empty() || self.display_name.chars().count() > DISPLAY_NAME_CHARS_MAX {
            return Err(ConfigError::new("display_name", "1 to 64 characters"));
        }
        self.check_url()?;
        let is_dn = |dn: &str| dn.len() <= DN_BYTES_MAX && !dn.contains('\0');
        if self.bind_dn.is_empty() != self.bind_password.is_empty() {
            return Err(ConfigError::new("bind_dn", "bind_dn and bind_password_file, or neither of them"));
        }
        if !is_dn(&self.bind_dn) || !is_dn(&self.base) || self.base.is_empty() {
            return Err(ConfigError::new("base", "a distinguished name"));
        }
        if Filter::parse(&self.filter).is_none() {
            return Err(ConfigError::new("filter", "a filter (RFC 4515) with {name} as a value, such as (uid={name})"));
        }
        if self.import_filter.as_deref().is_some_and(|f| !is_filter(f)) {
            return Err(ConfigError::new("import_filter", "a filter (RFC 4515) without {name}"));
        }
        let Attributes { id, name, display_name, mail } = &self.attributes;
        let letters = |a: &str| a.bytes().all(|b| b.is_ascii_alphanumeric() || b";.-".contains(&b));
        if ![id, name, display_name, mail].iter().all(|a| (1..=ATTRIBUTE_BYTES_MAX).contains(&a.len()) && letters(a)) {
            return Err(ConfigError::new("…_attribute", "the name of an attribute"));
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(60)).contains(&self.timeout) {
            return Err(ConfigError::new("timeout_seconds", "1 to 60"));
        }
        Ok(())
    }

    fn check_url(&self) -> Result<(), ConfigError> {
        let expected = "ldaps://host or ldap://host, with a port if need be, and nothing after it";
        let url = Url::parse(&self.url).map_err(|_| ConfigError::new("url", expected))?;
        let bare = url.host_str().is_some_and(|h| !h.is_empty())
            && matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        if !bare || !matches!(url.scheme(), "ldap" | "ldaps") {
            return Err(ConfigError::new("url", expected));
        }
        if url.scheme() == "ldaps" && self.start_tls {
            return Err(ConfigError::new("start_tls", "false: ldaps:// is TLS already"));
        }
        // A scheme that the web does not know has its host as text, whatever it is.
        let here = url.host_str().and_then(|h| Url::parse(&format!("http://{h}/")).ok()).is_some_and(|u| is_loopback(&u));
        if url.scheme() == "ldap" && !self.start_tls && !self.allow_plain && !here {
            let expected = "start_tls, or ldaps://: passwords would go readable over the network (allow_plain lets them)";
            return Err(ConfigError::new("url", expected));
        }
        Ok(())
    }

    pub(super) fn filter(&self) -> Result<Filter, Trouble> {
        Filter::parse(&self.filter).ok_or(Trouble::Odd)
    }

    pub(super) fn import_filter(&self) -> Result<String, Trouble> {
        match &self.import_filter {
            Some(filter) => Ok(filter.clone()),
            None => Ok(self.filter()?.anybody()),
        }
    }

    /// What is asked of an entry.
    pub(super) fn wanted(&self) -> Vec<String> {
        let Attributes { id, name, display_name, mail } = &self.attributes;
        let mut all: Vec<String> = [id, name, display_name, mail].into_iter().cloned().collect();
        all.extend(super::entry::GONE_BY.map(str::to_owned));
        if !self.groups.is_empty() {
            all.push("memberOf".into());
        }
        all
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn company() -> DirectoryConfig {
        let roots = rustls::RootCertStore::empty();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        DirectoryConfig {
            id: "company".into(),
            display_name: "Company".into(),
            url: "ldaps://directory.company.example".into(),
            start_tls: false,
            allow_plain: false,
            tls: Arc::new(tls.with_root_certificates(roots).with_no_client_auth()),
            bind_dn: String::new(),
            bind_password: String::new(),
            base: "dc=company,dc=example".into(),
            filter: "(uid={name})".into(),
            import_filter: None,
            attributes: Attributes { id: "entryUUID".into(), name: "uid".into(), display_name: "cn".into(), mail: "mail".into() },
            groups: BTreeMap::new(),
            register: true,
            timeout: Duration::from_secs(10),
        }
    }

    fn wrong(config: &DirectoryConfig) -> String {
        config.check().map_or_else(|e| e.to_string(), |()| String::new())
    }

    #[test]
    fn a_password_goes_over_no_network_that_reads_it() {
        let at = |url: &str, start_tls: bool, allow_plain: bool| DirectoryConfig {
            url: url.into(),
            start_tls,
            allow_plain,
            ..company()
        };
        for good in ["ldaps://d.example", "ldaps://d.example:1636/", "ldap://127.0.0.1:389", "ldap://[::1]"] {
            assert_eq!(wrong(&at(good, false, false)), "", "{good}");
        }
        for plain in ["ldap://d.example", "ldap://10.0.0.1", "ldap://localhost", "ldap://127.0.0.1.example"] {
            assert!(wrong(&at(plain, false, false)).starts_with("url: expected start_tls"), "{plain}");
            assert_eq!(wrong(&at(plain, true, false)), "", "{plain}");
            assert_eq!(wrong(&at(plain, false, true)), "", "{plain}");
        }
        for bad in
            ["https://d.example", "ldap://", "ldaps://d.example/dc=x", "ldaps://u:p@d.example", "ldapi://%2frun", "d.example"]
        {
            assert!(wrong(&at(bad, false, false)).starts_with("url: expected ldaps://"), "{bad}");
        }
        assert!(wrong(&at("ldaps://d.example", true, false)).starts_with("start_tls"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(wrong(&company()), "");
        assert!(wrong(&DirectoryConfig { id: "Company".into(), ..company() }).starts_with("id:"));
        assert!(wrong(&DirectoryConfig { bind_dn: "cn=x".into(), ..company() }).starts_with("bind_dn:"));
        assert!(wrong(&DirectoryConfig { base: String::new(), ..company() }).starts_with("base:"));
        assert!(wrong(&DirectoryConfig { filter: "(uid=ann)".into(), ..company() }).starts_with("filter:"));
        assert!(wrong(&DirectoryConfig { import_filter: Some("(uid=".into()), ..company() }).starts_with("import_filter:"));
        assert!(wrong(&DirectoryConfig { timeout: Duration::ZERO, ..company() }).starts_with("timeout_seconds:"));
    }
}
