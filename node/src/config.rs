//! Settings of `startalk up`: flags, environment and an optional file say the same things; all is checked before
//! anything starts, and a wrong value is named with what was expected.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use clap::Args;
use serde::Deserialize;
use startalk_identity::ldap::Directory;
use startalk_media::StoreConfig;
use startalk_net::{HubUrl, Listen, RootCertificate, discovery::Peer};
use startalk_protocol::{
    DomainName,
    pb::trust::Endpoint,
    trust::{Fingerprint, Registration, host_is_plausible},
};

use crate::{
    acme::{self, Acme},
    media::RawFiles,
    sign_in::{ProviderSettings, RawDirectory, RawProvider},
};

/// Ports tried in this order when none is asked for.
const PORTS: [u16; 2] = [443, 8443];

/// As given; each can stand in the file (`key = value`, with `_`), in the environment, or as a flag; the later wins.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    /// Settings file (TOML) / 设置文件（TOML）
    #[arg(long, env = "STARTALK_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// The domain's DNS name; without one it gets a key name / 域名；不填则使用密钥名
    #[arg(long, env = "STARTALK_DOMAIN", value_name = "NAME")]
    pub domain: Option<String>,
    /// Port, or address:port, for TCP and UDP; default 443, else 8443 / TCP 与 UDP 的端口或 地址:端口
    #[arg(long, env = "STARTALK_LISTEN", value_name = "PORT")]
    pub listen: Option<String>,
    /// host:port under which others reach this node; may be repeated / 他人访问本节点的 主机:端口，可重复
    #[arg(long, env = "STARTALK_PUBLIC", value_name = "HOST:PORT", value_delimiter = ',')]
    pub public: Vec<String>,
    /// A hub to announce to and to ask; may be repeated / 要公告和查询的枢纽，可重复
    #[arg(long = "hub", env = "STARTALK_HUBS", value_name = "URL", value_delimiter = ',')]
    pub hubs: Vec<String>,
    /// A hub through which this node is reached, if it cannot be reached directly; may be repeated / 无法被直接访问时，经由此枢纽转发，可重复
    #[arg(long, env = "STARTALK_VIA", value_name = "URL", value_delimiter = ',')]
    pub via: Vec<String>,
    /// Where a domain is: name=host:port[#root key fingerprint]; may be repeated / 指定某个域的位置，可重复
    #[arg(long = "peer", env = "STARTALK_PEERS", value_name = "DOMAIN=HOST:PORT", value_delimiter = ',')]
    pub peers: Vec<String>,
    /// DNS servers instead of the system's; may be repeated / 代替系统的 DNS 服务器，可重复
    #[arg(long = "name-server", env = "STARTALK_NAME_SERVERS", value_name = "ADDRESS:PORT", value_delimiter = ',')]
    pub name_servers: Vec<String>,
    /// Certificate chain (PEM) for browsers / 浏览器用的证书链（PEM）
    #[arg(long, env = "STARTALK_CERT", value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Its private key (PEM) / 证书私钥（PEM）
    #[arg(long, env = "STARTALK_KEY", value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Get the certificate from an authority, and renew it (ACME); agrees to the authority's terms / 自动向证书机构申请并续期证书（ACME），即表示同意其条款
    #[arg(long, env = "STARTALK_ACME", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub acme: Option<bool>,
    /// The authority's directory; default: Let's Encrypt / 证书机构的目录地址，默认 Let's Encrypt
    #[arg(long, env = "STARTALK_ACME_DIRECTORY", value_name = "URL")]
    pub acme_directory: Option<String>,
    /// An e-mail address that the authority may write to / 证书机构可联系的邮箱
    #[arg(long, env = "STARTALK_ACME_CONTACT", value_name = "E-MAIL")]
    pub acme_contact: Option<String>,
    /// Names for the certificate besides the domain's; may be repeated / 证书中除本域外的其他主机名，可重复
    #[arg(long = "acme-name", env = "STARTALK_ACME_NAMES", value_name = "HOST", value_delimiter = ',')]
    pub acme_names: Vec<String>,
    /// Root certificates (PEM) to trust besides the web's, for the authority's directory / 访问证书机构时另行信任的根证书（PEM）
    #[arg(long, env = "STARTALK_ACME_ROOTS", value_name = "FILE")]
    pub acme_roots: Option<PathBuf>,
    /// Prove names by DNS: PROGRAM present|cleanup NAME VALUE / 通过 DNS 验证主机名：PROGRAM present|cleanup 名称 值
    #[arg(long, env = "STARTALK_ACME_DNS_HOOK", value_name = "PROGRAM")]
    pub acme_dns_hook: Option<PathBuf>,
    /// closed, invitation or open / 注册方式：closed、invitation 或 open
    #[arg(long, env = "STARTALK_REGISTRATION", value_name = "POLICY")]
    pub registration: Option<String>,
    /// A domain for trying: whoever likes makes an account, which ends after 30 days / 试用域：任何人可注册，帐号 30 天后到期
    #[arg(long, env = "STARTALK_TRIAL", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub trial: Option<bool>,
    /// The domain's name for people / 给人看的域名称
    #[arg(long, env = "STARTALK_DISPLAY_NAME", value_name = "TEXT")]
    pub display_name: Option<String>,
    /// Ask hubs to list the domain / 请枢纽公开列出本域
    #[arg(long, env = "STARTALK_LISTED", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub listed: Option<bool>,
    /// Where backups go that administrators make; default: backups in the data folder / 管理员所做备份的存放处
    #[arg(long, env = "STARTALK_BACKUPS", value_name = "FOLDER")]
    pub backups: Option<PathBuf>,
    /// Let links go to private and loopback addresses (home networks, tests) / 允许连接私有与环回地址
    #[arg(long, env = "STARTALK_ALLOW_PRIVATE_ADDRESSES", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub allow_private_addresses: Option<bool>,
    /// Let pushes go to private and loopback addresses: a push service of one's own / 允许向私有与环回地址推送（自建推送服务）
    #[arg(long, env = "STARTALK_PUSH_ALLOW_PRIVATE_ADDRESSES", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub push_allow_private_addresses: Option<bool>,
    /// Root certificates (PEM) to trust besides the web's, for push services of one's own / 推送服务另行信任的根证书（PEM）
    #[arg(long, env = "STARTALK_PUSH_ROOTS", value_name = "FILE")]
    pub push_roots: Option<PathBuf>,
    /// Let previews of links go to private and loopback addresses: pages of one's own company / 允许为内网页面生成链接预览
    #[arg(long, env = "STARTALK_PREVIEW_ALLOW_PRIVATE_ADDRESSES", value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    pub preview_allow_private_addresses: Option<bool>,
    /// Root certificates (PEM) to trust besides the web's, for previews of links / 链接预览另行信任的根证书（PEM）
    #[arg(long, env = "STARTALK_PREVIEW_ROOTS", value_name = "FILE")]
    pub preview_roots: Option<PathBuf>,
    /// OpenID Connect providers; in the file alone.
    #[arg(skip)]
    pub oidc: Vec<RawProvider>,
    /// Directories; in the file alone.
    #[arg(skip)]
    pub ldap: Vec<RawDirectory>,
    /// Where files lie; in the file alone.
    #[arg(skip)]
    pub files: RawFiles,
}

impl Raw {
    fn over(self, file: Self) -> Self {
        fn list(flags: Vec<String>, file: Vec<String>) -> Vec<String> {
            if flags.is_empty() { file } else { flags }
        }
        Self {
            config: self.config,
            domain: self.domain.or(file.domain),
            listen: self.listen.or(file.listen),
            public: list(self.public, file.public),
            hubs: list(self.hubs, file.hubs),
            via: list(self.via, file.via),
            peers: list(self.peers, file.peers),
            name_servers: list(self.name_servers, file.name_servers),
            cert: self.cert.or(file.cert),
            key: self.key.or(file.key),
            acme: self.acme.or(file.acme),
            acme_directory: self.acme_directory.or(file.acme_directory),
            acme_contact: self.acme_contact.or(file.acme_contact),
            acme_names: list(self.acme_names, file.acme_names),
            acme_roots: self.acme_roots.or(file.acme_roots),
            acme_dns_hook: self.acme_dns_hook.or(file.acme_dns_hook),
            registration: self.registration.or(file.registration),
            trial: self.trial.or(file.trial),
            display_name: self.display_name.or(file.display_name),
            listed: self.listed.or(file.listed),
            backups: self.backups.or(file.backups),
            allow_private_addresses: self.allow_private_addresses.or(file.allow_private_addresses),
            push_allow_private_addresses: self.push_allow_private_addresses.or(file.push_allow_private_addresses),
            push_roots: self.push_roots.or(file.push_roots),
            preview_allow_private_addresses: self.preview_allow_private_addresses.or(file.preview_allow_private_addresses),
            preview_roots: self.preview_roots.or(file.preview_roots),
            oidc: file.oidc,
            ldap: file.ldap,
            files: file.files,
        }
    }

    /// Reads the file if one is named, and checks everything.
    ///
    /// # Errors
    /// The first wrong value, with what was expected.
    pub fn resolve(self) -> anyhow::Result<Settings> {
        let file = match &self.config {
            Some(path) => read_file(path)?,
            None => Self::default(),
        };
        self.over(file).check()
    }

    fn check(self) -> anyhow::Result<Settings> {
        let acme = acme::resolve(&self)?;
        let domain = self.domain.map(|d| d.parse::<DomainName>().with_context(|| format!("--domain {d}"))).transpose()?;
        if domain.as_ref().is_some_and(DomainName::is_key_name) {
            bail!(
                "--domain: a key name is made from the domain's own key; leave --domain out / 密钥名由域自己的密钥生成，请不要填写 --domain"
            );
        }
        let listen = match self.listen {
            Some(text) => vec![text.parse::<Listen>().map_err(|e| anyhow::anyhow!("--listen {e}"))?],
            None => PORTS.into_iter().map(Listen::Port).collect(),
        };
        let certificate = match (self.cert, self.key) {
            (Some(cert), Some(key)) => {
                let read = |path: &Path| std::fs::read_to_string(path).with_context(|| path.display().to_string());
                Some((read(&cert)?, read(&key)?))
            }
            (None, None) => None,
            _ => bail!("--cert and --key go together / --cert 与 --key 必须同时给出"),
        };
        let via = each(&self.via, "--via", hub_with_tls)?;
        let mut hubs = each(&self.hubs, "--hub", |t| Ok(t.parse::<HubUrl>()?))?;
        for hub in &via {
            if !hubs.contains(hub) {
                hubs.push(hub.clone());
            }
        }
        Ok(Settings {
            domain,
            listen,
            public: each(&self.public, "--public", endpoint)?,
            hubs,
            via,
            peers: each(&self.peers, "--peer", peer)?,
            name_servers: each(&self.name_servers, "--name-server", |t| {
                t.parse::<SocketAddr>().context("expected address:port / 应为 地址:端口")
            })?,
            certificate,
            acme,
            registration: self
                .registration
                .map(|r| r.parse().map_err(|e| anyhow::anyhow!("--registration {r}: {e}")))
                .transpose()?,
            trial: self.trial.unwrap_or(false),
            display_name: self.display_name,
            listed: self.listed,
            backups: self.backups.map(|b| std::path::absolute(&b).unwrap_or(b)),
            allow_private_addresses: self.allow_private_addresses.unwrap_or(false),
            push_allow_private_addresses: self.push_allow_private_addresses.unwrap_or(false),
            push_roots: self.push_roots.as_deref().map(|path| roots("--push-roots", path)).transpose()?.unwrap_or_default(),
            preview_allow_private_addresses: self.preview_allow_private_addresses.unwrap_or(false),
            preview_roots: self
                .preview_roots
                .as_deref()
                .map(|path| roots("--preview-roots", path))
                .transpose()?
                .unwrap_or_default(),
            providers: self.oidc.into_iter().map(RawProvider::resolve).collect::<anyhow::Result<_>>()?,
            files: self.files.resolve()?,
            directories: self.ldap.into_iter().map(RawDirectory::resolve).collect::<anyhow::Result<_>>()?,
        })
    }
}

/// Checked.
#[derive(Debug)]
pub struct Settings {
    /// `None`: a key name.
    pub domain: Option<DomainName>,
    /// Tried in order.
    pub listen: Vec<Listen>,
    /// Empty: found out from the listening address.
    pub public: Vec<Endpoint>,
    /// Where to announce and ask; those of `via` among them.
    pub hubs: Vec<HubUrl>,
    /// Through which the node is reached.
    pub via: Vec<HubUrl>,
    /// Configured domains.
    pub peers: Vec<(DomainName, Peer)>,
    /// Empty: the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Chain and key, PEM.
    pub certificate: Option<(String, String)>,
    /// `None`: certificates are not asked for.
    pub acme: Option<Acme>,
    /// `None`: as it is.
    pub registration: Option<Registration>,
    /// It is a domain for trying.
    pub trial: bool,
    /// `None`: as it is.
    pub display_name: Option<String>,
    /// `None`: as it is.
    pub listed: Option<bool>,
    /// `None`: in the data folder.
    pub backups: Option<PathBuf>,
    /// Links may go to private addresses.
    pub allow_private_addresses: bool,
    /// Pushes may go there.
    pub push_allow_private_addresses: bool,
    /// Trusted besides the web's, for pushes.
    pub push_roots: Vec<RootCertificate>,
    /// Previews of links may go there.
    pub preview_allow_private_addresses: bool,
    /// Trusted besides the web's, for previews.
    pub preview_roots: Vec<RootCertificate>,
    /// By which people sign in.
    pub providers: Vec<ProviderSettings>,
    /// Where whole files lie.
    pub files: StoreConfig,
    /// That know passwords of people, and list them.
    pub directories: Vec<Arc<Directory>>,
}

/// Certificates of a file that a setting names.
pub fn roots(setting: &str, path: &Path) -> anyhow::Result<Vec<RootCertificate>> {
    let read = || -> anyhow::Result<Vec<RootCertificate>> {
        let all = startalk_net::roots_from_pem(&std::fs::read(path)?)?;
        if all.is_empty() {
            bail!("expected certificates in PEM / 应为 PEM 格式的证书");
        }
        Ok(all)
    };
    read().with_context(|| format!("{setting} {}", path.display()))
}

fn read_file(path: &Path) -> anyhow::Result<Raw> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

fn each<T>(texts: &[String], flag: &str, parse: impl Fn(&str) -> anyhow::Result<T>) -> anyhow::Result<Vec<T>> {
    texts.iter().map(|t| parse(t).with_context(|| format!("{flag} {t}"))).collect()
}

fn hub_with_tls(text: &str) -> anyhow::Result<HubUrl> {
    let hub: HubUrl = text.parse()?;
    if hub.is_plain() {
        bail!("expected an https:// address: nothing is forwarded without TLS / 应为 https:// 地址：不经 TLS 不予转发");
    }
    Ok(hub)
}

/// `host:port`, with IPv6 addresses in brackets.
fn endpoint(text: &str) -> anyhow::Result<Endpoint> {
    let expected = "expected host:port / 应为 主机:端口";
    let (host, port) = text.rsplit_once(':').context(expected)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port: u16 = port.parse().context(expected)?;
    if !host_is_plausible(host) || port == 0 {
        bail!(expected);
    }
    Ok(Endpoint { host: host.to_owned(), port: port.into() })
}

fn peer(text: &str) -> anyhow::Result<(DomainName, Peer)> {
    let expected = "expected domain=host:port or domain=host:port#fingerprint / 应为 域=主机:端口 或 域=主机:端口#指纹";
    let (domain, rest) = text.split_once('=').context(expected)?;
    let (address, root) = match rest.split_once('#') {
        Some((address, print)) => (address, Some(print.parse::<Fingerprint>().map_err(|e| anyhow::anyhow!("{e:?}"))?)),
        None => (rest, None),
    };
    Ok((domain.parse()?, Peer { endpoint: endpoint(address)?, root }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(raw: Raw, part: &str) {
        let error = format!("{:#}", raw.resolve().expect_err("should be refused"));
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn a_wrong_value_is_named_with_what_was_expected() {
        refused(Raw { domain: Some("local".into()), ..Raw::default() }, "--domain local");
        refused(Raw { listen: Some("many".into()), ..Raw::default() }, "expected a port");
        refused(Raw { public: vec!["host".into()], ..Raw::default() }, "--public host: expected host:port");
        refused(Raw { hubs: vec!["ftp://x".into()], ..Raw::default() }, "--hub ftp://x");
        refused(
            Raw { via: vec!["http://127.0.0.1:8080".into()], ..Raw::default() },
            "--via http://127.0.0.1:8080: expected an https://",
        );
        refused(Raw { peers: vec!["a.example".into()], ..Raw::default() }, "expected domain=host:port");
        refused(Raw { registration: Some("maybe".into()), ..Raw::default() }, "--registration maybe");
        refused(Raw { name_servers: vec!["dns".into()], ..Raw::default() }, "expected address:port");
        refused(Raw { config: Some("/nonexistent.toml".into()), ..Raw::default() }, "/nonexistent.toml");
    }

    #[test]
    fn a_file_says_the_same_and_flags_win() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("startalk.toml");
        std::fs::write(
            &path,
            "domain = \"a.example\"\nlisten = \"9000\"\nlisted = true\npublic = [\"a.example:9000\", \"[2001:db8::1]:9000\"]\n",
        )
        .unwrap();
        let settings = Raw { config: Some(path.clone()), listen: Some("9001".into()), ..Raw::default() }.resolve().unwrap();
        assert_eq!(settings.listen, [Listen::Port(9001)]);
        assert_eq!(settings.domain.unwrap().as_str(), "a.example");
        assert_eq!(settings.public[1].host, "2001:db8::1");
        std::fs::write(&path, "domian = \"a.example\"\n").unwrap();
        refused(Raw { config: Some(path), ..Raw::default() }, "domian");
    }
}
