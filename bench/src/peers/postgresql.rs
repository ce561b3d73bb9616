//! PostgreSQL below a peer: a cluster of its own on a folder of its own. It refuses to run as root, and then runs as the user
//! that its package made.

use std::{
    fs,
    net::SocketAddr,
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::process::Signal;

use crate::{
    daemon::{self, Daemon},
    proc,
};

/// Where Debian has its versions.
const PLACE: &str = "/usr/lib/postgresql";
/// The tables of ejabberd, as its package has them.
const TABLES: &str = "/usr/share/ejabberd/sql/pg.sql";

/// A running PostgreSQL; ended when it is dropped.
pub struct Postgresql {
    programs: PathBuf,
    // Before the folder, which is removed after it has ended.
    daemon: Option<Daemon>,
    folder: tempfile::TempDir,
    address: SocketAddr,
    user: Option<(u32, u32)>,
    log: PathBuf,
}

/// The folder with its programs, of the newest version that is installed.
pub fn find() -> Option<PathBuf> {
    let versions = fs::read_dir(PLACE).ok()?.flatten().map(|v| v.path().join("bin"));
    versions.filter(|bin| bin.join("initdb").is_file()).max()
}

/// As it says itself.
pub fn version() -> Option<String> {
    let output = Command::new(find()?.join("postgres")).arg("--version").output().ok()?;
    String::from_utf8(output.stdout).ok().map(|s| s.trim().to_owned())
}

/// Makes a cluster with a database for ejabberd, beside `folder`, and starts it.
pub fn start(config: &str, folder: &Path) -> Result<Postgresql> {
    let programs = find().context("PostgreSQL is not installed")?;
    let user = if rustix::process::geteuid().is_root() { Some(user("postgres")?) } else { None };
    // Not below the folder of the run, which its user may not look into.
    let place = std::env::temp_dir();
    let own = tempfile::Builder::new().prefix("startalk-bench-postgresql-").tempdir_in(place)?;
    if let Some((uid, gid)) = user {
        chown(own.path(), Some(uid), Some(gid))?;
    }
    let address = daemon::free_port()?;
    let mut this = Postgresql { programs, daemon: None, folder: own, address, user, log: folder.join("postgresql.log") };
    let data = this.data();
    this.run(
        "initdb",
        &["-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-U", "ejabberd", "-D", &data.display().to_string()],
        None,
    )?;
    let config = config.replace("{sql_port}", &address.port().to_string());
    let file = data.join("postgresql.conf");
    let usual = fs::read_to_string(&file)?;
    fs::write(&file, usual + &config)?;
    this.start()?;
    let port = address.port().to_string();
    let to = ["-h", "127.0.0.1", "-p", &port, "-U", "ejabberd"];
    this.run("createdb", &[&to[..], &["ejabberd"]].concat(), None)?;
    this.run("psql", &[&to[..], &["-q", "-v", "ON_ERROR_STOP=1", "ejabberd"]].concat(), Some(Path::new(TABLES)))?;
    Ok(this)
}

fn user(name: &str) -> Result<(u32, u32)> {
    let all = fs::read_to_string("/etc/passwd")?;
    let line =
        all.lines().find(|line| line.split(':').next() == Some(name)).with_context(|| format!("there is no user {name}"))?;
    let number = |at: usize| line.split(':').nth(at).and_then(|n| n.parse().ok());
    number(2).zip(number(3)).context("/etc/passwd: expected a user's numbers")
}

impl Postgresql {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.folder.path());
        if let Some((uid, gid)) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn run(&self, program: &str, args: &[&str], input: Option<&Path>) -> Result<()> {
        let input = input
            .map_or(Ok(Stdio::null()), |file| fs::File::open(file).map(Stdio::from))
            .with_context(|| format!("{input:?}"))?;
        let output = self.command(program).args(args).stdin(input).output().with_context(|| program.to_owned())?;
        if !output.status.success() {
            bail!("{program}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }

    /// Starts it, if it does not run.
    pub fn start(&mut self) -> Result<()> {
        if self.daemon.is_none() {
            let mut command = self.command("postgres");
            command.arg("-D").arg(self.data());
            // It ends clients' connections at once, and then in order.
            self.daemon = Some(Daemon::start(command, self.address, Signal::INT, &self.log)?);
            // It listens before it has read what a kill left in its log.
            let port = self.address.port().to_string();
            let ready =
                || self.run("psql", &["-h", "127.0.0.1", "-p", &port, "-U", "ejabberd", "-c", "select 1", "postgres"], None);
            let tried = (0..600).find(|_| {
                let good = ready().is_ok();
                if !good {
                    std::thread::sleep(std::time::Duration::from_millis(50));
                }
                good
            });
            ensure!(tried.is_some(), "PostgreSQL does not answer: {}", fs::read_to_string(&self.log).unwrap_or_default());
        }
        Ok(())
    }

    /// Ends it as a power cut would, but for the disk's cache.
    pub fn kill(&mut self) -> Result<()> {
        // Its processes see that the first one is gone, and end by themselves.
        let children = self.pid().map(proc::children).unwrap_or_default();
        if let Some(daemon) = self.daemon.take() {
            daemon.kill()?;
        }
        while children.iter().any(|pid| proc::resident(*pid) > 0) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        Ok(())
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Its first process.
    pub fn pid(&self) -> Option<u32> {
        self.daemon.as_ref().map(Daemon::pid)
    }

    /// As much as its files take.
    pub fn disk_bytes(&self) -> Result<u64> {
        Ok(proc::folder_bytes(self.folder.path())?.1)
    }
}
