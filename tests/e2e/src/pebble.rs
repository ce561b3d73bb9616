//! An authority: Debian's `pebble`, an ACME server for tests, as a process of the test's own, with the DNS server that comes with
//! it (`pebble-challtestsrv`), which says that every name is 127.0.0.1. Pebble remembers nothing over a restart. It runs on
//! loopback, or on a machine of a network of its own.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use serde_json::json;

use crate::{Space, slapd};

/// Connections tried, 20 ms apart, until a server has to be there.
const TRIES: usize = 1500;
/// Tries to start, since another program may have taken a port.
const STARTS: usize = 5;

/// The authority, and its process while it runs. Killed when dropped.
pub struct Pebble {
    folder: PathBuf,
    /// Its machine, and how that is reached.
    place: Place,
    /// Of ACME and of its management.
    ports: [u16; 2],
    /// Of DNS and of its management.
    dns_ports: [u16; 2],
    dns: Child,
    process: Option<Child>,
    /// Its ports until it has them itself.
    reserved: Vec<TcpListener>,
}

/// Where it runs.
struct Place {
    /// `None`: here.
    space: Option<Space>,
    address: Ipv4Addr,
}

impl Place {
    fn command(&self, program: &str) -> Command {
        self.space.as_ref().map_or_else(|| Command::new(program), |space| space.command(program))
    }

    /// Waits until a server answers, as long as its process is there.
    fn answers(&self, port: u16, server: &mut Child) -> anyhow::Result<()> {
        let address = self.address;
        for _ in 0..TRIES {
            if let Some(status) = server.try_wait()? {
                bail!("the server for port {port} ended with {status}");
            }
            let is_there = match &self.space {
                None => TcpStream::connect((address, port)).is_ok(),
                Some(space) => {
                    let mut look = space.command("bash");
                    look.args(["-c", &format!("exec 3<>/dev/tcp/{address}/{port}")]).stderr(Stdio::null());
                    look.status()?.success()
                }
            };
            if is_there {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("nothing answers on port {port}")
    }
}

impl Pebble {
    /// With DNS, but not started itself.
    ///
    /// # Errors
    /// If it is missing and cannot be installed.
    pub fn new(folder: PathBuf) -> anyhow::Result<Self> {
        Self::at(folder, Place { space: None, address: Ipv4Addr::LOCALHOST })
    }

    /// The same on a machine that has this address.
    ///
    /// # Errors
    /// If it is missing and cannot be installed.
    pub fn on(folder: PathBuf, space: &Space, address: Ipv4Addr) -> anyhow::Result<Self> {
        Self::at(folder, Place { space: Some(space.clone()), address })
    }

    fn at(folder: PathBuf, place: Place) -> anyhow::Result<Self> {
        slapd::install()?;
        fs::create_dir_all(&folder)?;
        slapd::certificate(&folder, place.address)?;
        let mut free = Vec::new();
        for _ in 0..4 {
            free.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
        }
        let ports = free.iter().map(|l| Ok(l.local_addr()?.port())).collect::<anyhow::Result<Vec<u16>>>()?;
        let reserved: Vec<TcpListener> = free.drain(..2).collect();
        drop(free);
        let dns_ports = [ports[2], ports[3]];
        let log = fs::File::create(folder.join("dns.log"))?;
        let at = |port: u16| format!("{}:{port}", place.address);
        let dns = place
            .command("pebble-challtestsrv")
            .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""])
            .args(["-dns01", &at(dns_ports[0]), "-management", &at(dns_ports[1])])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut own = Self { folder, place, ports: [ports[0], ports[1]], dns_ports, dns, process: None, reserved };
        own.place.answers(own.dns_ports[1], &mut own.dns)?;
        Ok(own)
    }

    /// Starts it, and waits until it answers. It connects to `tls_port` to prove names, its certificates are valid for
    /// `life_seconds`, and of good nonces it rejects so many in a hundred.
    ///
    /// # Errors
    /// If it does not.
    pub fn start(&mut self, tls_port: u64, life_seconds: u64, nonces_rejected: u64) -> anyhow::Result<()> {
        let folder = self.folder.display();
        let settings = format!(
            r#"{{"pebble": {{"listenAddress": "{}", "managementListenAddress": "{}",
                "certificate": "{folder}/certificate.pem", "privateKey": "{folder}/key.pem", "httpPort": 1, "tlsPort": {tls_port},
                "ocspResponderURL": "", "externalAccountBindingRequired": false, "certificateValidityPeriod": {life_seconds}}}}}"#,
            self.at_port(self.ports[0]),
            self.at_port(self.ports[1])
        );
        fs::write(self.folder.join("pebble.json"), settings)?;
        let mut last = Ok(());
        for _ in 0..STARTS {
            // Held up to now; whoever takes one in between has it for a connection of theirs, and soon no more.
            self.reserved.clear();
            let mut process = self.spawn(nonces_rejected)?;
            last = self.ports.iter().try_for_each(|port| self.place.answers(*port, &mut process));
            // Somebody else may have answered on its port.
            if process.try_wait()?.is_none() {
                self.process = Some(process);
                return last;
            }
        }
        let log = self.folder.join("log");
        last.with_context(|| format!("see {}", log.display()))?;
        bail!("pebble does not start, its ports are taken; see {}", log.display())
    }

    /// Starts the program with the settings that were written.
    fn spawn(&self, nonces_rejected: u64) -> anyhow::Result<Child> {
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"))?;
        Ok(self
            .place
            .command("pebble")
            .arg("-config")
            .arg(self.folder.join("pebble.json"))
            .args(["-dnsserver", &self.name_server()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .env("PEBBLE_WFE_NONCEREJECT", nonces_rejected.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?)
    }

    /// Ends it, and everything that it remembers.
    ///
    /// # Errors
    /// The system's.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        if let Some(mut process) = self.process.take() {
            process.kill()?;
            process.wait()?;
        }
        Ok(())
    }

    /// Its directory.
    pub fn directory(&self) -> String {
        format!("https://{}/dir", self.at_port(self.ports[0]))
    }

    /// The root that its own TLS leads to (PEM); not that of the certificates that it signs.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// Where the root of the certificates is that it signs since it was started.
    pub fn signing_root(&self) -> String {
        format!("https://{}/roots/0", self.at_port(self.ports[1]))
    }

    /// The server of its DNS.
    pub fn name_server(&self) -> String {
        self.at_port(self.dns_ports[0])
    }

    /// Where records of its DNS are set.
    pub fn dns(&self) -> String {
        format!("http://{}", self.at_port(self.dns_ports[1]))
    }

    /// Sets a text record in its DNS; for one on loopback.
    ///
    /// # Errors
    /// If its DNS does not take it.
    pub fn set_text(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let body = json!({ "host": format!("{name}."), "value": value }).to_string();
        let mut stream = TcpStream::connect((self.place.address, self.dns_ports[1]))?;
        let length = body.len();
        write!(stream, "POST /set-txt HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        ensure!(answer.split(' ').nth(1) == Some("200"), "{answer}");
        Ok(())
    }

    fn at_port(&self, port: u16) -> String {
        format!("{}:{port}", self.place.address)
    }

    /// What it has said.
    pub fn said(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.stop();
        let _ = self.dns.kill();
        let _ = self.dns.wait();
    }
}
