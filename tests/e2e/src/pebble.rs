//! An authority: Debian's `pebble`, an ACME server for tests, as a process of the test's own, with the DNS server that comes with
//! it (`pebble-challtestsrv`), which says that every name is 127.0.0.1. Pebble remembers nothing over a restart.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::bail;

use crate::slapd;

/// Connections tried, 20 ms apart, until a server has to be there.
const TRIES: usize = 1500;

/// The authority, and its process while it runs. Killed when dropped.
pub struct Pebble {
    folder: PathBuf,
    /// Of ACME and of its management.
    ports: [u16; 2],
    /// Of DNS and of its management.
    dns_ports: [u16; 2],
    dns: Child,
    process: Option<Child>,
}

impl Pebble {
    /// With DNS, but not started itself.
    ///
    /// # Errors
    /// If it is missing and cannot be installed.
    pub fn new(folder: PathBuf) -> anyhow::Result<Self> {
        slapd::install()?;
        fs::create_dir_all(&folder)?;
        slapd::certificate(&folder)?;
        let mut free = Vec::new();
        for _ in 0..4 {
            free.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?);
        }
        let ports = free.iter().map(|l| Ok(l.local_addr()?.port())).collect::<anyhow::Result<Vec<u16>>>()?;
        drop(free);
        let dns_ports = [ports[2], ports[3]];
        let log = fs::File::create(folder.join("dns.log"))?;
        let dns = Command::new("pebble-challtestsrv")
            .args(["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""])
            .args(["-dns01", &format!("127.0.0.1:{}", dns_ports[0]), "-management", &format!("127.0.0.1:{}", dns_ports[1])])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let own = Self { folder, ports: [ports[0], ports[1]], dns_ports, dns, process: None };
        answers(own.dns_ports[1])?;
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
            r#"{{"pebble": {{"listenAddress": "127.0.0.1:{}", "managementListenAddress": "127.0.0.1:{}",
                "certificate": "{folder}/certificate.pem", "privateKey": "{folder}/key.pem", "httpPort": 1, "tlsPort": {tls_port},
                "ocspResponderURL": "", "externalAccountBindingRequired": false, "certificateValidityPeriod": {life_seconds}}}}}"#,
            self.ports[0], self.ports[1]
        );
        fs::write(self.folder.join("pebble.json"), settings)?;
        let log = fs::OpenOptions::new().create(true).append(true).open(self.folder.join("log"))?;
        let process = Command::new("pebble")
            .arg("-config")
            .arg(self.folder.join("pebble.json"))
            .args(["-dnsserver", &format!("127.0.0.1:{}", self.dns_ports[0])])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .env("PEBBLE_WFE_NONCEREJECT", nonces_rejected.to_string())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.process = Some(process);
        answers(self.ports[0])?;
        answers(self.ports[1])
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
        format!("https://127.0.0.1:{}/dir", self.ports[0])
    }

    /// The root that its own TLS leads to (PEM); not that of the certificates that it signs.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// Where the root of the certificates is that it signs since it was started.
    pub fn signing_root(&self) -> String {
        format!("https://127.0.0.1:{}/roots/0", self.ports[1])
    }

    /// The server of its DNS.
    pub fn name_server(&self) -> String {
        format!("127.0.0.1:{}", self.dns_ports[0])
    }

    /// Where records of its DNS are set.
    pub fn dns(&self) -> String {
        format!("http://127.0.0.1:{}", self.dns_ports[1])
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

fn answers(port: u16) -> anyhow::Result<()> {
    for _ in 0..TRIES {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("nothing answers on port {port}")
}
