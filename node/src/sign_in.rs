//! Ways to sign in besides a password of this domain's own, put together: the settings of providers and directories (tables of
//! the settings file), how each is asked, and what the domain's record says of them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde::Deserialize;
use startalk_gateway::CALLBACK_PATH;
use startalk_identity::{
    ldap::{Attributes, Directory, DirectoryConfig},
    oidc::{Provider, ProviderConfig, is_loopback},
    passkey::Passkeys,
};
use startalk_net::{Names, RootCertificate, Verify};
use startalk_outbound::{OutboundClient, OutboundConfig};
use startalk_protocol::{DomainName, limits::SIGN_IN_WAYS_MAX, trust::SignInWay};

use crate::config::roots;

/// Until a provider must have answered one request.
const PATIENCE: Duration = Duration::from_secs(10);

/// `[[oidc]]` of the settings file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawProvider {
    id: String,
    display_name: String,
    issuer: String,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    scopes: Option<Vec<String>>,
    register: bool,
    email_domains: Vec<String>,
    name_claim: Option<String>,
    id_claim: Option<String>,
    allow_private_addresses: bool,
    roots: Option<PathBuf>,
}

/// A provider whose settings were read; the addresses of this node, which it is to be told, are known later.
#[derive(Debug)]
pub struct ProviderSettings {
    raw: RawProvider,
    secret: Option<String>,
    roots: Vec<RootCertificate>,
}

impl RawProvider {
    /// Reads the files that it names.
    ///
    /// # Errors
    /// The files', named.
    pub fn resolve(self) -> anyhow::Result<ProviderSettings> {
        let what = || format!("[[oidc]] {}", self.id);
        let secret = self.client_secret_file.as_deref().map(secret).transpose().with_context(what)?;
        let roots = self.roots.as_deref().map(|path| roots("roots", path)).transpose().with_context(what)?.unwrap_or_default();
        Ok(ProviderSettings { secret, roots, raw: self })
    }
}

fn secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    match text.trim() {
        "" => bail!("{}: expected a secret / 应为密钥", path.display()),
        secret => Ok(secret.to_owned()),
    }
}

/// `[[ldap]]` of the settings file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawDirectory {
    id: String,
    display_name: String,
    url: String,
    start_tls: bool,
    allow_plain: bool,
    roots: Option<PathBuf>,
    bind_dn: String,
    bind_password_file: Option<PathBuf>,
    base: String,
    filter: Option<String>,
    import_filter: Option<String>,
    id_attribute: Option<String>,
    name_attribute: Option<String>,
    display_name_attribute: Option<String>,
    mail_attribute: Option<String>,
    groups: BTreeMap<String, String>,
    register: bool,
    timeout_seconds: Option<u64>,
}

impl RawDirectory {
    /// Reads the files that it names.
    ///
    /// # Errors
    /// What is wrong, with the directory's id.
    pub fn resolve(self) -> anyhow::Result<Arc<Directory>> {
        let what = format!("[[ldap]] {}", self.id);
        self.directory().context(what)
    }

    fn directory(self) -> anyhow::Result<Arc<Directory>> {
        let extra_roots = self.roots.as_deref().map(|path| roots("roots", path)).transpose()?.unwrap_or_default();
        let tls = startalk_net::verify::client_config(&Verify::Web { extra_roots }, &[], None)?;
        let or = |given: Option<String>, usual: &str| given.unwrap_or_else(|| usual.to_owned());
        let config = DirectoryConfig {
            display_name: if self.display_name.is_empty() { self.id.clone() } else { self.display_name },
            id: self.id,
            url: self.url,
            start_tls: self.start_tls,
            allow_plain: self.allow_plain,
            tls: Arc::new(tls),
            bind_dn: self.bind_dn,
            bind_password: self.bind_password_file.as_deref().map(secret).transpose()?.unwrap_or_default(),
            base: self.base,
            filter: or(self.filter, "(&(objectClass=person)(uid={name}))"),
            import_filter: self.import_filter,
            attributes: Attributes {
                id: or(self.id_attribute, "entryUUID"),
                name: or(self.name_attribute, "uid"),
                display_name: or(self.display_name_attribute, "cn"),
                mail: or(self.mail_attribute, "mail"),
            },
            groups: self.groups,
            register: self.register,
            timeout: self.timeout_seconds.map_or(PATIENCE, Duration::from_secs),
        };
        Ok(Arc::new(Directory::new(config)?))
    }
}

/// All of them, for the gateway and for the record.
pub struct Ways {
    /// In the order of the settings.
    pub providers: Vec<Arc<Provider>>,
    /// If browsers can have passkeys for the domain.
    pub passkeys: Option<Arc<Passkeys>>,
    /// As the record names them.
    pub told: Arc<[SignInWay]>,
}

impl Ways {
    /// As the settings say.
    ///
    /// # Errors
    /// What of the settings is wrong, with the provider's id.
    pub fn new(
        settings: &[ProviderSettings],
        directories: &[Arc<Directory>],
        names: &Names,
        domain: &DomainName,
        public_url: &str,
        display_name: &str,
    ) -> anyhow::Result<Self> {
        let mut providers: Vec<Arc<Provider>> = Vec::new();
        for one in settings {
            let what = || format!("[[oidc]] {}", one.raw.id);
            if providers.iter().any(|p| p.id() == one.raw.id) {
                bail!("{}: expected an id of its own / 每个 id 只能出现一次", what());
            }
            providers.push(Arc::new(one.provider(names, public_url).with_context(what)?));
        }
        for (n, one) in directories.iter().enumerate() {
            // Whom a provider and a directory name are kept apart, but people see one name for each.
            if providers.iter().any(|p| p.id() == one.id()) || directories[..n].iter().any(|d| d.id() == one.id()) {
                bail!("[[ldap]] {}: expected an id of its own / 每个 id 只能出现一次", one.id());
            }
        }
        let passkeys = Passkeys::new(domain, public_url, display_name).map(Arc::new);
        let way = |kind: &str, id: &str, shown: &str| SignInWay { kind: kind.into(), id: id.into(), display_name: shown.into() };
        let mut told: Vec<SignInWay> = providers.iter().map(|p| way("oidc", p.id(), p.display_name())).collect();
        told.extend(directories.iter().map(|d| way("ldap", d.id(), d.display_name())));
        told.extend(passkeys.is_some().then(|| way("passkey", "", "")));
        if told.len() > SIGN_IN_WAYS_MAX {
            bail!("[[oidc]], [[ldap]]: expected at most {SIGN_IN_WAYS_MAX} ways to sign in / 登录方式最多 {SIGN_IN_WAYS_MAX} 种");
        }
        Ok(Self { providers, passkeys, told: told.into() })
    }
}

impl ProviderSettings {
    fn provider(&self, names: &Names, public_url: &str) -> anyhow::Result<Provider> {
        let Self { raw, secret, roots } = self;
        let at_home = url::Url::parse(&raw.issuer).is_ok_and(|issuer| is_loopback(&issuer));
        let outbound = OutboundClient::new(OutboundConfig {
            allow_private_addresses: raw.allow_private_addresses,
            // An issuer with `http:` is refused unless it is on this machine.
            allow_plain_http: at_home && raw.issuer.starts_with("http:"),
            verify: Verify::Web { extra_roots: roots.clone() },
            names: names.clone(),
            timeout: PATIENCE,
        });
        let config = ProviderConfig {
            id: raw.id.clone(),
            display_name: if raw.display_name.is_empty() { raw.id.clone() } else { raw.display_name.clone() },
            issuer: raw.issuer.clone(),
            client_id: raw.client_id.clone(),
            client_secret: secret.clone(),
            scopes: raw.scopes.clone().unwrap_or_else(|| vec!["profile".into(), "email".into()]),
            register: raw.register,
            email_domains: raw.email_domains.clone(),
            name_claim: raw.name_claim.clone().unwrap_or_else(|| "preferred_username".into()),
            id_claim: raw.id_claim.clone().unwrap_or_else(|| "sub".into()),
            outbound,
        };
        Ok(Provider::new(config, &format!("{public_url}{CALLBACK_PATH}"))?)
    }
}
