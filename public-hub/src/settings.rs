//! What the command line and the environment say, and what follows from it: everything is checked before anything starts.
//!
//! `Args` is raw; `Settings` is resolved and good.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context, bail, ensure};
use clap::Parser;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde::Deserialize;
use startalk_net::{DiscoveryConfig, Listen, WebCertificate};

use crate::relay::Limits;

/// startalk-hub: the public hub of Startalk. Answers "where is domain X?", hands clients their navigation, lists domains
/// that asked for it. Keeps everything in memory and nothing on disk.
#[derive(Clone, Debug, Parser)]
#[command(name = "startalk-hub", version)]
pub struct Args {
    /// Settings file (TOML): names, certificate, key, pin, [relay]. What stands here as well goes before it. Read again on
    /// SIGHUP, and when it or the certificate changes
    #[arg(long, env = "STARTALK_HUB_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Where to serve HTTPS: a port (every address), or an address with a port. 0 picks a free port
    #[arg(long, env = "STARTALK_HUB_LISTEN", value_name = "PORT|ADDRESS:PORT")]
    pub listen: Option<Listen>,

    /// Where to serve plain HTTP: loopback only, for a reverse proxy on this machine and for trying things out
    #[arg(long, env = "STARTALK_HUB_HTTP", value_name = "ADDRESS:PORT")]
    pub http: Option<SocketAddr>,

    /// Name or address under which the hub is reached; may be given several times, the first stands in its URL
    #[arg(long = "name", env = "STARTALK_HUB_NAME", value_name = "HOST", value_delimiter = ',')]
    pub names: Vec<String>,

    /// Certificate chain in PEM. Without it a certificate is made at every start, and the hub's URL carries its
    /// fingerprint, which then changes with every start
    #[arg(long, env = "STARTALK_HUB_CERTIFICATE", value_name = "FILE", requires = "key")]
    pub certificate: Option<PathBuf>,

    /// Private key of the certificate in PEM
    #[arg(long, env = "STARTALK_HUB_KEY", value_name = "FILE", requires = "certificate")]
    pub key: Option<PathBuf>,

    /// The certificate is self-made: print its fingerprint in the hub's URL, so that nodes can know it
    #[arg(long, env = "STARTALK_HUB_PIN", requires = "certificate")]
    pub pin: bool,

    /// Write a new self-made certificate to the files of --certificate and --key, and end
    #[arg(long, requires = "certificate")]
    pub make_certificate: bool,

    /// Believe X-Forwarded-For in connections from this machine
    #[arg(long, env = "STARTALK_HUB_BEHIND_PROXY")]
    pub behind_proxy: bool,

    /// Ask these name servers instead of the machine's own when looking for proofs
    #[arg(long = "name-server", env = "STARTALK_HUB_NAME_SERVERS", value_name = "ADDRESS:PORT", value_delimiter = ',')]
    pub name_servers: Vec<SocketAddr>,

    /// Trust the authorities in this PEM file besides the public ones when looking for proofs
    #[arg(long, env = "STARTALK_HUB_EXTRA_ROOTS", value_name = "FILE")]
    pub extra_roots: Option<PathBuf>,

    /// Follow names to private addresses when looking for proofs: for a hub inside a company
    #[arg(long, env = "STARTALK_HUB_ALLOW_PRIVATE")]
    pub allow_private_addresses: bool,

    /// Print where it listens as one line of JSON: {"listening":…,"hub_url":…,"pid":…}
    #[arg(long)]
    pub json: bool,
}

/// What the file may say.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    names: Vec<String>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    pin: bool,
    relay: FileLimits,
}

/// Limits of forwarding; those left out are as they are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct FileLimits {
    tethers: Option<usize>,
    tethers_per_address: Option<usize>,
    connections: Option<usize>,
    connections_per_domain: Option<usize>,
    connections_per_address: Option<usize>,
    mbit_per_second_per_domain: Option<u64>,
}

impl FileLimits {
    fn resolve(&self) -> anyhow::Result<Limits> {
        let usual = Limits::default();
        let limits = Limits {
            tethers: self.tethers.unwrap_or(usual.tethers),
            tethers_per_address: self.tethers_per_address.unwrap_or(usual.tethers_per_address),
            connections: self.connections.unwrap_or(usual.connections),
            connections_per_domain: self.connections_per_domain.unwrap_or(usual.connections_per_domain),
            connections_per_address: self.connections_per_address.unwrap_or(usual.connections_per_address),
            bytes_per_second: self.mbit_per_second_per_domain.map_or(usual.bytes_per_second, |m| m.saturating_mul(125_000)),
        };
        let most = 1_000_000;
        ensure!(limits.tethers <= most && limits.connections <= most, "[relay]: expected at most {most} tethers and connections");
        Ok(limits)
    }
}

/// Checked and resolved.
#[derive(Debug)]
pub struct Settings {
    /// How much is forwarded.
    pub relay: Limits,
    /// Names and addresses of the hub.
    pub names: Vec<String>,
    /// HTTPS, with its certificate.
    pub https: Option<(Listen, WebCertificate)>,
    /// Plain HTTP.
    pub http: Option<SocketAddr>,
    /// The first of the names, if any were given.
    pub name: Option<String>,
    /// Whether the URL needs the fingerprint.
    pub fingerprint: bool,
    /// How proofs are looked for.
    pub discovery: DiscoveryConfigDebug,
}

/// A [`DiscoveryConfig`] that can stand in a debug print.
pub struct DiscoveryConfigDebug(pub DiscoveryConfig);

impl std::fmt::Debug for DiscoveryConfigDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DiscoveryConfig(…)")
    }
}

impl Args {
    /// Checks everything.
    ///
    /// # Errors
    /// In words, what is wrong with which option.
    pub fn resolve(&self, now_ms: i64) -> anyhow::Result<Settings> {
        let file = self.config.as_deref().map(read_file).transpose()?.unwrap_or_default();
        let mut whole = self.clone();
        if whole.names.is_empty() {
            whole.names = file.names;
        }
        if whole.certificate.is_none() {
            (whole.certificate, whole.key, whole.pin) = (file.certificate, file.key, whole.pin || file.pin);
            ensure!(whole.certificate.is_some() == whole.key.is_some(), "certificate and key go together");
        }
        whole.check(file.relay.resolve()?, now_ms)
    }

    /// The files that are read again when they change.
    pub fn watched(&self) -> Vec<PathBuf> {
        let file = self.config.as_deref().and_then(|f| read_file(f).ok()).unwrap_or_default();
        [self.config.clone(), self.certificate.clone(), self.key.clone(), file.certificate, file.key]
            .into_iter()
            .flatten()
            .collect()
    }

    fn check(&self, relay: Limits, now_ms: i64) -> anyhow::Result<Settings> {
        ensure!(
            self.listen.is_some() || self.http.is_some(),
            "nowhere to listen: give --listen (HTTPS) or --http (plain, loopback only)"
        );
        if let Some(http) = self.http {
            ensure!(
                http.ip().is_loopback(),
                "--http {http}: plain HTTP is for loopback addresses only, as in 127.0.0.1:8080; use --listen for HTTPS"
            );
        }
        let https = match self.listen {
            None => None,
            Some(listen) => Some((listen, self.web_certificate(listen, now_ms)?)),
        };
        let extra_roots = match &self.extra_roots {
            None => Vec::new(),
            Some(file) => CertificateDer::pem_file_iter(file)
                .and_then(Iterator::collect)
                .with_context(|| format!("--extra-roots {}: expected certificates in PEM", file.display()))?,
        };
        let discovery = DiscoveryConfig {
            name_servers: (!self.name_servers.is_empty()).then(|| self.name_servers.clone()),
            extra_roots,
            allow_private_addresses: self.allow_private_addresses,
            ..DiscoveryConfig::default()
        };
        let (name, fingerprint) = (self.names.first().cloned(), self.certificate.is_none() || self.pin);
        let names = self.names.clone();
        Ok(Settings { relay, names, https, http: self.http, name, fingerprint, discovery: DiscoveryConfigDebug(discovery) })
    }

    fn web_certificate(&self, listen: Listen, now_ms: i64) -> anyhow::Result<WebCertificate> {
        let (Some(chain), Some(key)) = (&self.certificate, &self.key) else { return self.self_made(Some(listen), now_ms) };
        let read = |file: &PathBuf| std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()));
        WebCertificate::from_pem(&read(chain)?, &read(key)?).with_context(|| format!("{} and {}", chain.display(), key.display()))
    }

    /// A new certificate for all names that the hub may be reached by.
    ///
    /// # Errors
    /// If one of them is no name.
    pub fn self_made(&self, listen: Option<Listen>, now_ms: i64) -> anyhow::Result<WebCertificate> {
        let mut names = self.names.clone();
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        if let Some(Listen::Address(address)) = listen {
            names.push(address.ip().to_string());
        }
        let mut unique: Vec<String> = Vec::new();
        for name in names {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        WebCertificate::self_made(unique, now_ms).context("--name: expected host names or addresses")
    }

    /// Writes a new certificate and key where --certificate and --key say; never over a file that is there.
    ///
    /// # Errors
    /// If a file exists or cannot be written.
    pub fn make_certificate(&self, now_ms: i64) -> anyhow::Result<()> {
        let (Some(chain), Some(key)) = (&self.certificate, &self.key) else {
            bail!("--make-certificate needs --certificate and --key")
        };
        let made = self.self_made(None, now_ms)?;
        let (chain_pem, key_pem) = made.pem().context("a self-made certificate has its PEM")?;
        write_new(key, key_pem, true)?;
        write_new(chain, chain_pem, false)
    }
}

fn read_file(path: &std::path::Path) -> anyhow::Result<File> {
    let read = || -> anyhow::Result<File> { Ok(toml::from_str(&std::fs::read_to_string(path)?)?) };
    read().with_context(|| format!("--config {}", path.display()))
}

fn write_new(file: &PathBuf, text: &str, secret: bool) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if secret {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    #[cfg(not(unix))]
    let _ = secret;
    let mut opened = options.open(file).with_context(|| format!("writing {}: it must not exist yet", file.display()))?;
    opened.write_all(text.as_bytes()).with_context(|| format!("writing {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str], expected: &str) {
        let args = Args::try_parse_from([&["startalk-hub"], args].concat()).unwrap();
        let result = args.resolve(1_800_000_000_000).map(|_| ());
        let words = result.map_or_else(|e| format!("{e:#}"), |()| "good".to_owned());
        assert!(words.contains(expected), "{words}");
    }

    #[test]
    fn everything_is_checked_before_anything_starts() {
        startalk_net::install_crypto();
        check(&[], "nowhere to listen");
        check(&["--http", "0.0.0.0:80"], "loopback");
        check(&["--http", "127.0.0.1:0"], "good");
        check(&["--listen", "0"], "good");
        check(&["--listen", "0", "--name", "hub.example", "--name", "192.0.2.1"], "good");
        check(&["--listen", "0", "--certificate", "no.pem", "--key", "no.pem"], "reading no.pem");
        check(&["--http", "127.0.0.1:0", "--extra-roots", "no.pem"], "--extra-roots no.pem");
        assert!(Args::try_parse_from(["startalk-hub", "--listen", "0", "--certificate", "only.pem"]).is_err());
        check(&["--listen", "0", "--config", "no.toml"], "--config no.toml");
    }

    #[test]
    fn a_file_says_what_may_change_while_the_hub_runs() {
        startalk_net::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hub.toml");
        let resolve = |text: &str, more: &[&str]| {
            std::fs::write(&file, text).unwrap();
            let all = [&["startalk-hub", "--listen", "0", "--config", file.to_str().unwrap()], more].concat();
            Args::try_parse_from(all).unwrap().resolve(1_800_000_000_000)
        };
        let said = resolve("names = [\"hub.example\"]\n[relay]\ntethers = 7\nmbit_per_second_per_domain = 8\n", &[]).unwrap();
        assert_eq!((said.names[0].as_str(), said.relay.tethers, said.relay.bytes_per_second), ("hub.example", 7, 1_000_000));
        assert_eq!(said.relay.connections, Limits::default().connections);
        assert_eq!(resolve("names = [\"a.example\"]", &["--name", "b.example"]).unwrap().names, ["b.example"]);
        for (wrong, words) in
            [("nmaes = []", "nmaes"), ("certificate = \"a.pem\"", "go together"), ("[relay]\ntethers = 9999999", "at most")]
        {
            let error = format!("{:#}", resolve(wrong, &[]).unwrap_err());
            assert!(error.contains(words), "{error}");
        }
    }
}
