//! A hub on the internet of the stage.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use startalk_e2e::{Space, World};
use startalk_examples::processes::Process;

/// A hub, which is called `host`; with a certificate of its own making, that it keeps.
pub struct Hub {
    pub space: Space,
    pub host: String,
    /// What nodes are told.
    pub url: String,
    port: u16,
    program: PathBuf,
    /// Its files, without their endings.
    files: PathBuf,
    process: Option<Process>,
}

impl Hub {
    /// Started.
    pub fn new(world: &World, space: Space, host: &str, port: u16) -> anyhow::Result<Self> {
        let (program, files) = (world.binaries.join("startalk-hub"), world.folder.join(host.replace('.', "-")));
        let mut hub = Self { space, host: host.to_owned(), url: String::new(), port, program, files, process: None };
        let made = hub.command().arg("--make-certificate").output()?;
        if !made.status.success() {
            bail!("the hub's certificate: {}", String::from_utf8_lossy(&made.stderr));
        }
        hub.start()?;
        Ok(hub)
    }

    fn command(&self) -> std::process::Command {
        let mut command = self.space.command(&self.program);
        command.arg("--certificate").arg(self.files.with_extension("pem"));
        command.arg("--key").arg(self.files.with_extension("key")).args(["--name", &self.host]);
        command
    }

    pub fn start(&mut self) -> anyhow::Result<()> {
        let mut command = self.command();
        command.args(["--json", "--pin", "--listen", &self.port.to_string()]).env("STARTALK_LOG", "debug");
        let process = Process::spawn(command, &self.files.with_extension("log"))?;
        process.text("hub_url")?.clone_into(&mut self.url);
        self.process = Some(process);
        Ok(())
    }

    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the hub runs")?.kill()
    }

    /// Its process; 0: it does not run.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }
}
