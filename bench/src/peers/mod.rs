//! Servers that are not ours, as `bench/peers.toml` sets them up, and clients that speak to them.

pub mod mqtt;
pub mod postgresql;
pub mod stanza;
pub mod xmpp;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::Signal;
use serde::Deserialize;

use crate::{
    client::Server,
    daemon::{self, Daemon},
    proc,
};

/// The one domain of a peer.
pub const DOMAIN: &str = "localhost";
/// The program that says a peer's version, and what to ask it.
const VERSIONS: [(&str, &[&str]); 3] = [
    ("mosquitto", &["dpkg-query", "-W", "mosquitto"]),
    ("prosody", &["dpkg-query", "-W", "prosody"]),
    ("ejabberd", &["dpkg-query", "-W", "ejabberd"]),
];

/// What a peer speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Speaks {
    /// XMPP over direct TLS.
    Xmpp,
    /// MQTT 5 over TLS.
    Mqtt,
}

/// A peer in `bench/peers.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Its protocol.
    pub speaks: Speaks,
    /// What it keeps, in words.
    pub stores: String,
    /// How it is started.
    command: Vec<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    config: Config,
    /// What is put into the blanks `{federation.NAME}` of the configuration when it serves one of two domains that are linked; they
    /// are left empty otherwise. None: it is not measured so.
    federation: Option<BTreeMap<String, String>>,
    /// Members of the largest group that it is measured with; none: any.
    pub members_max: Option<usize>,
    /// `postgresql.conf`, if it stands on PostgreSQL.
    postgresql: Option<String>,
}

/// Which of two linked domains a peer serves. The domain's name is an address of loopback, so that the other finds it without DNS.
#[derive(Clone, Debug)]
pub struct Place {
    /// Such as `127.0.0.2`, where it also listens for the other.
    pub domain: &'static str,
    /// The port of both for each other, if a peer lets one choose it.
    pub s2s_port: u16,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    name: String,
    text: String,
}

/// All peers of a file, by name.
pub fn read(file: &Path) -> Result<BTreeMap<String, Setup>> {
    let text = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    toml::from_str(&text).with_context(|| format!("{}", file.display()))
}

/// The file beside this crate, unless another is named.
pub fn usual_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers.toml")
}

impl Setup {
    /// Whether it has an archive of messages.
    pub fn has_archive(&self) -> bool {
        self.postgresql.is_some()
    }

    /// Whether its programs are installed.
    pub fn is_installed(&self) -> bool {
        self.command.first().and_then(|program| daemon::find(program)).is_some()
            && (self.postgresql.is_none() || postgresql::find().is_some())
    }

    /// The versions of what it is made of, as the system's packages say.
    pub fn version(&self, name: &str) -> String {
        let said = |what: &[&str]| {
            let output = Command::new(what.first()?).args(what.get(1..)?).output().ok().filter(|o| o.status.success())?;
            String::from_utf8(output.stdout).ok().map(|s| s.trim().replace('\t', " "))
        };
        let own = VERSIONS.iter().find(|(program, _)| name.starts_with(program)).and_then(|(_, ask)| said(ask));
        let below = self.postgresql.is_some().then(|| postgresql::version().unwrap_or_default());
        own.into_iter().chain(below).collect::<Vec<_>>().join(", ")
    }

    /// Whether it can serve one of two linked domains.
    pub fn can_federate(&self) -> bool {
        self.federation.is_some()
    }

    /// Starts it on an empty folder, for [`DOMAIN`] alone.
    pub fn start(&self, folder: &Path) -> Result<Peer> {
        self.start_at(folder, None)
    }

    /// Starts it on an empty folder.
    pub fn start_at(&self, folder: &Path, place: Option<&Place>) -> Result<Peer> {
        let (domain, s2s_port) = place.map_or((DOMAIN, 0), |place| (place.domain, place.s2s_port));
        fs::create_dir_all(folder)?;
        let signing_key = rcgen::KeyPair::generate()?;
        let mut wanted = rcgen::CertificateParams::new([DOMAIN.to_owned(), domain.to_owned()])?;
        // What rcgen means by "always" is more than ejabberd can count.
        wanted.not_before = rcgen::date_time_ymd(2020, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(2040, 1, 1);
        let (certificate, key) = (wanted.self_signed(&signing_key)?.pem(), signing_key.serialize_pem());
        fs::write(folder.join("certificate.pem"), &certificate)?;
        fs::write(folder.join("key.pem"), &key)?;
        fs::write(folder.join("both.pem"), certificate + &key)?;
        let address = daemon::free_port()?;
        let below = self.postgresql.as_ref().map(|config| postgresql::start(config, folder)).transpose()?;
        let sql_port = below.as_ref().map_or(0, postgresql::Postgresql::port);
        let path = |name: &str| folder.join(name).display().to_string();
        let fill = |text: &str| {
            let known = [
                ("{folder}", folder.display().to_string()),
                ("{port}", address.port().to_string()),
                ("{sql_port}", sql_port.to_string()),
                ("{domain}", domain.to_owned()),
                ("{s2s_port}", s2s_port.to_string()),
                ("{certificate}", path("certificate.pem")),
                ("{key}", path("key.pem")),
                ("{both}", path("both.pem")),
            ];
            known.into_iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, &value))
        };
        let blanks = self.federation.iter().flatten();
        let config = blanks.fold(self.config.text.clone(), |text, (name, value)| {
            text.replace(&format!("{{federation.{name}}}"), if place.is_some() { value } else { "" })
        });
        fs::write(folder.join(&self.config.name), fill(&config))?;
        let mut peer = Peer {
            command: Vec::new(),
            environment: Vec::new(),
            folder: folder.to_owned(),
            domain,
            daemon: None,
            below,
            address,
        };
        peer.command = self.command.iter().map(|part| fill(part)).collect();
        peer.environment = self.environment.iter().map(|(name, value)| (name.clone(), fill(value))).collect();
        peer.start()?;
        Ok(peer)
    }
}

/// A running peer; ended when it is dropped.
pub struct Peer {
    command: Vec<String>,
    environment: Vec<(String, String)>,
    folder: PathBuf,
    domain: &'static str,
    address: std::net::SocketAddr,
    // Dropped in this order: what stands on it ends first.
    daemon: Option<Daemon>,
    below: Option<postgresql::Postgresql>,
}

impl Peer {
    /// Starts it (again) on what is in its folder.
    pub fn start(&mut self) -> Result<()> {
        if let Some(below) = &mut self.below {
            below.start()?;
        }
        let program = self.command.first().context("peers.toml: a command has a program")?;
        let found = daemon::find(program).with_context(|| format!("{program} is not installed"))?;
        let mut command = Command::new(found);
        command
            .args(&self.command[1..])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.folder);
        self.daemon = Some(Daemon::start(command, self.address, Signal::TERM, &self.folder.join("out.log"))?);
        Ok(())
    }

    /// Ends all of it as a power cut would, but for the disk's cache.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(daemon) = self.daemon.take() {
            daemon.kill()?;
        }
        self.below.as_mut().map_or(Ok(()), postgresql::Postgresql::kill)
    }

    /// How to connect to it.
    pub fn server(&self) -> Result<Server> {
        Server::of_others(self.address, self.domain)
    }

    /// Its first processes; others are their children.
    pub fn pids(&self) -> Vec<u32> {
        let below = self.below.as_ref().and_then(postgresql::Postgresql::pid);
        self.daemon.as_ref().map(Daemon::pid).into_iter().chain(below).collect()
    }

    /// The folder, to look at its size: as much as its files take.
    pub fn disk_bytes(&self) -> Result<u64> {
        let below = self.below.as_ref().map_or(Ok(0), postgresql::Postgresql::disk_bytes)?;
        Ok(proc::folder_bytes(&self.folder)?.1 + below)
    }

    /// Fails with what it said, if it has ended.
    pub fn check(&self) -> Result<()> {
        let said = || fs::read_to_string(self.folder.join("out.log")).unwrap_or_default();
        ensure!(self.daemon.as_ref().is_some_and(|d| proc::cpu(d.pid()).is_ok()), "it ended: {}", said());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_strangers_edit_can_be_read() {
        let all = read(&usual_file()).unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["ejabberd", "ejabberd-postgresql", "mosquitto", "prosody"]);
        assert!(all["ejabberd-postgresql"].postgresql.is_some() && all["prosody"].postgresql.is_none());
        assert!(
            toml::from_str::<BTreeMap<String, Setup>>(
                "[a]\nspeaks = 'xmpp'\nstores = 'x'\ncommand = []\nconfig = {name='', text=''}\nspeed = 1"
            )
            .is_err()
        );
    }
}
