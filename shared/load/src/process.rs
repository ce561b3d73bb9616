//! A program as a process of its own, until it is stopped or dropped.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{client::Server, clock::Watch};

/// How long a program may take to end when it is told to.
const STOP_WAIT: Duration = Duration::from_secs(60);

/// A running program; ended when it is dropped.
pub struct Process {
    child: Child,
    /// Kept open: a program that can say nothing more might end.
    _out: BufReader<ChildStdout>,
    log: PathBuf,
    /// The line that it said when it was ready.
    pub ready: Value,
    /// How long that took, from starting the process.
    pub ready_after: Duration,
}

impl Process {
    /// Starts it, and waits for the line of JSON that it says when it is ready. What it says on standard error goes to the
    /// end of `log`.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let what = command.get_program().to_string_lossy().into_owned();
        // Whoever measures decides; a setting left in the environment would measure something else.
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|n| n.starts_with("STARTALK_") && n != "STARTALK_LOG") {
                command.env_remove(name);
            }
        }
        let stderr = fs::OpenOptions::new().create(true).append(true).open(log)?;
        let watch = Watch::start();
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr).spawn().with_context(|| what.clone())?;
        let mut out = BufReader::new(child.stdout.take().context("its output is piped")?);
        let mut line = String::new();
        out.read_line(&mut line)?;
        let ready_after = watch.elapsed();
        let ready = serde_json::from_str(&line).unwrap_or_default();
        let this = Self { child, _out: out, log: log.to_path_buf(), ready, ready_after };
        if this.ready.is_null() {
            bail!("{what} did not start: {line}{}", this.last_words());
        }
        Ok(this)
    }

    /// Of the process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A text of its first line.
    pub fn said(&self, field: &str) -> Result<&str> {
        self.ready[field].as_str().with_context(|| format!("its first line has no {field}: {}", self.ready))
    }

    /// Where it listens, and its key.
    pub fn server(&self) -> Result<Server> {
        let address: SocketAddr = self.said("listening")?.parse()?;
        let hex = self.said("link_key")?;
        let bytes: Vec<u8> = (0..hex.len() / 2).map_while(|i| u8::from_str_radix(hex.get(i * 2..i * 2 + 2)?, 16).ok()).collect();
        let key: [u8; 32] = bytes.try_into().map_err(|_| anyhow::anyhow!("expected a key in hex, got {hex}"))?;
        Server::new(address, key)
    }

    /// The end of what it said on standard error.
    pub fn last_words(&self) -> String {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(10)..].iter().map(|l| format!("\n  {l}")).collect()
    }

    /// Asks it to stop, and waits.
    pub fn stop(mut self) -> Result<()> {
        self.signal(Signal::TERM)?;
        let watch = Watch::start();
        while watch.elapsed() < STOP_WAIT {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "it ended with {status}:{}", self.last_words());
                return Ok(());
            }
            thread::sleep(Duration::from_millis(5));
        }
        bail!("it did not stop in {STOP_WAIT:?}:{}", self.last_words())
    }

    /// Ends it as a power cut would, but for the disk's cache.
    pub fn kill(mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait()?;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("a process has a number")?;
        Ok(kill_process(pid, signal)?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
