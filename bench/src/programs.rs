//! The programs that are measured: found or built, started as processes on folders of their own, stopped and cleared away.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use serde_json::Value;
pub use startalk_load::process::Process;

use crate::limit::{Likeness, Spoil};

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
