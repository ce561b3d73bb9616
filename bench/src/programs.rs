//! The programs that are measured: found or built, started as processes on folders of their own, stopped and cleared away.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    client::Server,
    clock::Watch,
    limit::{Likeness, Spoil},
};

/// How long a program may take to end when it is told to.
const STOP_WAIT: Duration = Duration::from_secs(60);

/// Where the programs are.
pub struct Programs {
    folder: PathBuf,
    this: PathBuf,
}

impl Programs {
    /// In `folder`; or beside this program, brought up to date first when cargo runs it.
    pub fn find(folder: Option<PathBuf>) -> Result<Self> {
        let this = std::env::current_exe()?;
        let beside = this.parent().context("this program is in no folder")?.to_path_buf();
        if folder.is_none()
            && let Some(cargo) = std::env::var_os("CARGO")
        {
            build(&cargo, &beside)?;
        }
        let found = Self { folder: folder.unwrap_or(beside), this };
        for path in [found.node(), found.hub()] {
            ensure!(path.is_file(), "{} is not there: run this by cargo, or build the workspace first", path.display());
        }
        Ok(found)
    }

    fn node(&self) -> PathBuf {
        self.folder.join("startalk")
    }

    fn hub(&self) -> PathBuf {
        self.folder.join("startalk-hub")
    }

    /// Starts a node on a folder; what is said to it besides is in `more`.
    pub fn start_node(&self, data: &Path, more: &[&str]) -> Result<Process> {
        let mut command = Command::new(self.node());
        command.arg("--data").arg(data).args(["--json", "up", "--listen", "127.0.0.1:0", "--allow-private-addresses"]).args(more);
        Process::start(command, &data.with_extension("log"))
    }

    /// Starts a hub.
    pub fn start_hub(&self, log: &Path) -> Result<Process> {
        let mut command = Command::new(self.hub());
        command.args(["--json", "--http", "127.0.0.1:0"]);
        Process::start(command, log)
    }

    /// Starts a hub that forwards, with the limits in a file.
    pub fn start_relay(&self, limits: &Path, log: &Path) -> Result<Process> {
        let mut command = Command::new(self.hub());
        command.args(["--json", "--listen", "127.0.0.1:0", "--name", "127.0.0.1", "--config"]).arg(limits);
        Process::start(command, log)
    }

    /// Puts accounts and a group of some of them into the folder of a stopped node. The group's conversation there.
    pub fn populate(&self, data: &Path, accounts: usize, members: usize) -> Result<u64> {
        let program = self.folder.join("examples").join("populate");
        let mut command = Command::new(&program);
        command.arg(data).args([accounts.to_string(), members.to_string()]);
        let missing = || format!("{} is not there: run this by cargo, or build it first", program.display());
        let output = command.stdin(Stdio::null()).output().with_context(missing)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said: Value = serde_json::from_slice(&output.stdout)?;
        said["group"].as_u64().context("populate named no group")
    }

    /// The node of this running folder takes files of any size, and as many as come.
    pub fn allow_large_files(&self, data: &Path) -> Result<()> {
        let mut command = Command::new(self.node());
        command.arg("--data").arg(data).args(["policy", "--file-bytes-max", "1099511627776", "--files-bytes-per-account", "0"]);
        let output = command.stdin(Stdio::null()).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// A JPEG of these sides.
    pub fn photo(&self, [width, height]: [u32; 2], to: &Path) -> Result<Vec<u8>> {
        let program = self.folder.join("examples").join("photo");
        let mut command = Command::new(&program);
        command.args([width.to_string(), height.to_string()]).arg(to);
        let missing = || format!("{} is not there: run this by cargo, or build it first", program.display());
        let output = command.stdin(Stdio::null()).output().with_context(missing)?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(fs::read(to)?)
    }

    /// Starts the limit: this program, in another mode.
    pub fn start_limit(&self, folder: &Path, likeness: Likeness) -> Result<Process> {
        let Likeness { record_bytes, content_bytes, group, spoil } = likeness;
        let mut command = Command::new(&self.this);
        command.arg("limit-server").arg("--folder").arg(folder);
        command.args(["--record-bytes", &record_bytes.to_string(), "--content-bytes", &content_bytes.to_string()]);
        if group {
            command.arg("--group");
        }
        if let Some(spoil) = spoil.as_ref().and_then(Spoil::to_possible_value) {
            command.arg("--spoil").arg(spoil.get_name());
        }
        Process::start(command, &folder.join("limit.log"))
    }
}

fn build(cargo: &OsStr, beside: &Path) -> Result<()> {
    let profile = beside.file_name().and_then(OsStr::to_str).context("no profile")?;
    let profile = if profile == "debug" { "dev" } else { profile };
    let target = beside.parent().context("no target folder")?;
    let programs: [&[&str]; 3] = [
        &["-p", "startalk", "-p", "startalk-hub", "--bins"],
        &["-p", "startalk-sequencer", "--example", "populate"],
        &["-p", "startalk-media", "--example", "photo"],
    ];
    for program in programs {
        let mut command = Command::new(cargo);
        command.args(["build", "--quiet", "--profile", profile]).args(program).arg("--target-dir").arg(target);
        ensure!(command.status()?.success(), "cargo build failed");
    }
    Ok(())
}

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
    fn start(mut command: Command, log: &Path) -> Result<Self> {
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
