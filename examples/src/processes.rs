//! Startalk's programs as processes of their own, on loopback, in temporary folders. Each says where it listens in one
//! line of JSON; each is ended when its handle is dropped.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, bail};
use serde_json::Value;

/// Finds `startalk` and `startalk-hub` beside the running program, and has cargo build them so that they are not older than
/// the sources; or takes them as they are from the folder that `STARTALK_BINARIES` names.
///
/// # Errors
/// If they are not there and cannot be built.
pub fn binaries() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("STARTALK_BINARIES") {
        return Ok(folder.into());
    }
    build(&["--bin", "startalk", "--bin", "startalk-hub"])?;
    let folder = folder()?;
    for name in ["startalk", "startalk-hub"] {
        if !folder.join(name).exists() {
            bail!("{} is not there; run `cargo build` first", folder.join(name).display());
        }
    }
    Ok(folder)
}

/// Has cargo build what these of its flags select, if it is cargo who runs us and nobody named a folder. It takes a moment
/// when nothing changed.
///
/// # Errors
/// If it cannot be built.
pub fn build(what: &[&str]) -> anyhow::Result<()> {
    let (Some(cargo), None) = (std::env::var_os("CARGO"), std::env::var_os("STARTALK_BINARIES")) else { return Ok(()) };
    let mut build = Command::new(cargo);
    // Of the whole workspace, and an example among it: any other choice has other features in the libraries below, and each
    // such set is a build of nearly everything.
    build.args(["build", "--quiet", "--workspace", "--example", "two_domains"]).args(what).stdout(Stdio::null());
    if folder()?.ends_with("release") {
        build.arg("--release");
    }
    if build.status()?.success() { Ok(()) } else { bail!("cargo could not build {}", what.join(" ")) }
}

/// Where cargo puts programs in this profile.
fn folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let beside = own.parent().context("the running program lies in a folder")?;
    // Examples and tests lie one folder deeper than programs.
    let deeper = ["examples", "deps"].iter().any(|name| beside.ends_with(name));
    Ok(if deeper { beside.parent().context("target/<profile>/examples")? } else { beside }.to_path_buf())
}

/// A running program.
pub struct Process {
    child: Child,
    /// What it said when it was ready.
    pub told: Value,
}

impl Process {
    /// Starts a program and waits until it has told where it listens.
    ///
    /// # Errors
    /// If it cannot be started or ends before.
    pub fn start(program: &Path, arguments: &[String], log: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(program);
        command.args(arguments);
        Self::spawn(command, log)
    }

    /// The same for a command with an environment of its own; what it says besides goes to the end of `log`.
    ///
    /// # Errors
    /// If it cannot be started or ends before.
    pub fn spawn(mut command: Command, log: &Path) -> anyhow::Result<Self> {
        let program = PathBuf::from(command.get_program());
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn().with_context(|| program.display().to_string())?;
        let mut line = String::new();
        let out = child.stdout.take().context("its output")?;
        BufReader::new(out).read_line(&mut line)?;
        match serde_json::from_str(&line) {
            Ok(told) => Ok(Self { child, told }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                let said = std::fs::read_to_string(log).unwrap_or_default();
                bail!("{} did not get ready: {line}{said}", program.display())
            }
        }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// One of the texts that it told.
    ///
    /// # Errors
    /// If it did not tell it.
    pub fn text(&self, field: &str) -> anyhow::Result<&str> {
        self.told[field].as_str().with_context(|| format!("{field} in {}", self.told))
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// The system's.
    pub fn wait(&mut self) -> anyhow::Result<std::process::ExitStatus> {
        Ok(self.child.wait()?)
    }

    /// Ends it at once, as a power cut would (SIGKILL), and waits until it is gone.
    ///
    /// # Errors
    /// The system's.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A domain node on loopback. `port` 0 takes a free one.
///
/// # Errors
/// If it does not get ready.
pub fn node(binaries: &Path, folder: &Path, name: &str, port: u64, hub: &str) -> anyhow::Result<Process> {
    let arguments = [
        "--json".into(),
        "--data".into(),
        folder.join(name).display().to_string(),
        "up".into(),
        "--listen".into(),
        format!("127.0.0.1:{port}"),
        "--hub".into(),
        hub.to_owned(),
        "--allow-private-addresses".into(),
    ];
    Process::start(&binaries.join("startalk"), &arguments, &folder.join(format!("{name}.log")))
}

/// A public hub on loopback.
///
/// # Errors
/// If it does not get ready.
pub fn hub(binaries: &Path, folder: &Path) -> anyhow::Result<Process> {
    let arguments = ["--json".into(), "--http".into(), "127.0.0.1:0".into(), "--allow-private-addresses".into()];
    Process::start(&binaries.join("startalk-hub"), &arguments, &folder.join("hub.log"))
}
