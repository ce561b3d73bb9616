//! A hub and nodes in a temporary folder, which is kept when a test does not come to its end.

use std::{path::PathBuf, process::Command};

use anyhow::{Context as _, bail};
use startalk_examples::processes::{self, Process};
use tempfile::TempDir;

use crate::Node;

/// A folder, the programs, and a hub that serves TLS with a certificate of its own making.
pub struct World {
    /// Where everything is.
    pub folder: PathBuf,
    /// Where the programs are.
    pub binaries: PathBuf,
    /// What nodes are configured with.
    pub hub_url: String,
    hub: Option<Process>,
    /// 0 until it was started first.
    pub hub_port: u64,
    temporary: Option<TempDir>,
    well: bool,
}

impl World {
    /// Makes the folder and starts the hub.
    ///
    /// # Errors
    /// If a program cannot be built or started.
    pub fn new() -> anyhow::Result<Self> {
        Self::with(binaries()?)
    }

    /// The same with the programs of a folder, as they are.
    ///
    /// # Errors
    /// If a program cannot be started.
    pub fn with(binaries: PathBuf) -> anyhow::Result<Self> {
        startalk_client::install_crypto();
        let temporary = tempfile::Builder::new().prefix("startalk-e2e-").tempdir()?;
        let folder = temporary.path().to_path_buf();
        let mut world =
            Self { folder, binaries, hub_url: String::new(), hub: None, hub_port: 0, temporary: Some(temporary), well: false };
        let made = world.hub_command().arg("--make-certificate").output()?;
        if !made.status.success() {
            bail!("the hub's certificate: {}", String::from_utf8_lossy(&made.stderr));
        }
        world.start_hub()?;
        Ok(world)
    }

    fn hub_command(&self) -> Command {
        let mut command = Command::new(self.binaries.join("startalk-hub"));
        command.arg("--certificate").arg(self.folder.join("hub.pem")).arg("--key").arg(self.folder.join("hub.key"));
        command.args(["--name", "127.0.0.1"]);
        command
    }

    /// Starts the hub, on the port that it had before.
    ///
    /// # Errors
    /// If it does not get ready.
    pub fn start_hub(&mut self) -> anyhow::Result<()> {
        let mut command = self.hub_command();
        command.args(["--json", "--pin", "--allow-private-addresses", "--listen", &format!("127.0.0.1:{}", self.hub_port)]);
        let hub = Process::spawn(command, &self.folder.join("hub.log"))?;
        let url = hub.text("hub_url")?.to_owned();
        let port = url.split_once("127.0.0.1:").and_then(|(_, rest)| rest.split(['/', '#']).next()?.parse().ok());
        self.hub_port = port.with_context(|| format!("a port in {url}"))?;
        self.hub_url = url;
        self.hub = Some(hub);
        Ok(())
    }

    /// SIGKILL for the hub.
    ///
    /// # Errors
    /// The system's.
    pub fn kill_hub(&mut self) -> anyhow::Result<()> {
        self.hub.take().context("the hub runs")?.kill()
    }

    /// The hub's process.
    ///
    /// # Panics
    /// If it does not run.
    pub fn hub_process(&self) -> u32 {
        self.hub.as_ref().expect("the hub runs").id()
    }

    /// A node that asks the hub; started.
    ///
    /// # Errors
    /// If it does not get ready.
    pub fn node(&self, name: &str) -> anyhow::Result<Node> {
        let mut node = self.unstarted(name, &["--hub", &self.hub_url, "--allow-private-addresses"]);
        node.start()?;
        Ok(node)
    }

    /// A node with these flags; not started.
    pub fn unstarted(&self, name: &str, flags: &[&str]) -> Node {
        Node::new(self.binaries.join("startalk"), self.folder.join(name), flags.iter().map(|f| (*f).to_owned()).collect())
    }
}

impl World {
    /// The test went well: nothing is kept.
    pub fn done(mut self) {
        self.well = true;
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if !self.well || std::env::var_os("STARTALK_E2E_KEEP").is_some() {
            let kept = self.temporary.take().map(TempDir::keep);
            println!("the folders are kept in {}", kept.unwrap_or_default().display());
        }
    }
}

/// The programs, built once for all tests of a process.
fn binaries() -> anyhow::Result<PathBuf> {
    static ONCE: std::sync::OnceLock<Result<PathBuf, String>> = std::sync::OnceLock::new();
    ONCE.get_or_init(|| processes::binaries().map_err(|e| format!("{e:#}"))).clone().map_err(anyhow::Error::msg)
}
