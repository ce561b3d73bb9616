//! A domain node as a process: started, killed, started again on the same folder and port, and asked by the command line.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context as _, bail};
use serde_json::Value;
use startalk_examples::processes::Process;

/// One node's folder, and its process while it runs. Killed when dropped.
pub struct Node {
    /// `startalk`.
    pub program: PathBuf,
    /// The data folder.
    pub data: PathBuf,
    /// Where standard error goes.
    pub log: PathBuf,
    /// 0 until it was started first.
    pub port: u64,
    /// Flags after `up --listen …`.
    pub flags: Vec<String>,
    /// Added to the environment.
    pub environment: Vec<(String, String)>,
    /// A command that the program is started under, with its arguments; the program takes its place by exec.
    pub under: Vec<String>,
    /// The address that it listens at.
    pub listen: String,
    /// The domain's name.
    pub domain: String,
    /// For the first person.
    pub first_link: String,
    process: Option<Process>,
}

impl Node {
    /// A node in a folder; not started.
    pub fn new(program: PathBuf, data: PathBuf, flags: Vec<String>) -> Self {
        let log = data.with_extension("log");
        let (environment, under) = (Vec::new(), Vec::new());
        Self {
            program,
            data,
            log,
            port: 0,
            flags,
            environment,
            under,
            listen: "127.0.0.1".to_owned(),
            domain: String::new(),
            first_link: String::new(),
            process: None,
        }
    }

    /// Another node on another folder, with the same flags; not started.
    pub fn beside(&self, data: PathBuf) -> Self {
        let mut other = Self::new(self.program.clone(), data, self.flags.clone());
        other.environment.clone_from(&self.environment);
        other
    }

    fn command(&self) -> Command {
        let mut words = self.under.iter().map(PathBuf::from).chain([self.program.clone()]);
        let mut command = Command::new(words.next().expect("at least the program"));
        command.args(words).arg("--json").arg("--data").arg(&self.data);
        command
    }

    /// Starts it, on the port that it had before, and waits until it is ready.
    ///
    /// # Errors
    /// What it said if it did not get ready.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let mut command = self.command();
        command.arg("up").args(["--listen", &format!("{}:{}", self.listen, self.port)]).args(&self.flags);
        command.envs(self.environment.iter().cloned());
        let process = Process::spawn(command, &self.log)?;
        self.port = process.told["port"].as_u64().context("port")?;
        process.text("domain")?.clone_into(&mut self.domain);
        if let Ok(link) = process.text("first_link") {
            link.clone_into(&mut self.first_link);
        }
        self.process = Some(process);
        Ok(())
    }

    /// Its process.
    ///
    /// # Panics
    /// If it does not run.
    pub fn process(&mut self) -> &mut Process {
        self.process.as_mut().expect("the node runs")
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// The system's.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the node runs")?.kill()
    }

    /// SIGTERM; waits until it has stopped, cleanly.
    ///
    /// # Errors
    /// If it ended otherwise.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        let mut process = self.process.take().context("the node runs")?;
        let id = i32::try_from(process.id()).ok().and_then(rustix::process::Pid::from_raw).context("a process id")?;
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        let status = process.wait()?;
        if !status.success() {
            bail!("the node stopped with {status}: {}", self.said());
        }
        Ok(())
    }

    /// What it has written to its log.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// A verb of the command line on its folder, whether it runs or not.
    ///
    /// # Errors
    /// If the program cannot be started.
    pub fn verb(&self, arguments: &[&str]) -> anyhow::Result<Output> {
        Ok(self.command().args(arguments).envs(self.environment.iter().cloned()).output()?)
    }

    /// The answer of a verb.
    ///
    /// # Errors
    /// What it said if it failed.
    pub fn ask(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let output = self.verb(arguments)?;
        if !output.status.success() {
            bail!("startalk {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let answer = serde_json::from_slice(&output.stdout);
        answer.with_context(|| format!("startalk {arguments:?} answered {}", String::from_utf8_lossy(&output.stdout)))
    }

    /// What a verb says when it fails.
    ///
    /// # Errors
    /// If it does not fail.
    pub fn refusal(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.verb(arguments)?;
        if output.status.success() {
            bail!("startalk {arguments:?} should have failed, answered {}", String::from_utf8_lossy(&output.stdout));
        }
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// How its link with a domain stands, out of `startalk peers`; null if it has none.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn link(&self, domain: &str) -> anyhow::Result<Value> {
        let all = self.ask(&["peers"])?;
        let links = all["links"].as_array().context("links")?;
        Ok(links.iter().find(|l| l["domain"] == domain).cloned().unwrap_or_default())
    }

    /// The journal's epoch.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub fn epoch(&self) -> anyhow::Result<u64> {
        self.ask(&["policy"])?["epoch"].as_u64().context("epoch")
    }
}

/// Copies a folder as `cp -r` does; sockets are left out.
///
/// # Errors
/// The system's.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else if kind.is_file() {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
