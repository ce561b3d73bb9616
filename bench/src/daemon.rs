//! A server that is not ours: started, waited for until it listens, told to end when nobody needs it.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::clock::Watch;

/// How long it may take until it listens.
const START_WAIT: Duration = Duration::from_secs(60);
/// How long it may take to end; then it is killed.
const STOP_WAIT: Duration = Duration::from_secs(20);
/// How often one looks.
const LOOK: Duration = Duration::from_millis(10);

/// Where a server's program may be that is in nobody's path.
const PLACES: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// The program, if it is installed.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(PLACES.map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|p| p.is_file())
}

/// See the module.
pub struct Daemon {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    ending: Signal,
}

/// A port of loopback that nobody has. Somebody else could take it before whoever it is for; that one then does not start.
pub fn free_port() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Daemon {
    /// Starts it, and waits until it listens there. It ends by `ending`; what it says is in `log`.
    pub fn start(mut command: Command, address: SocketAddr, ending: Signal, log: &Path) -> Result<Self> {
        let what = command.get_program().to_string_lossy().into_owned();
        let (out, err) = (fs::File::create(log)?, fs::OpenOptions::new().append(true).open(log)?);
        let child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn().with_context(|| what.clone())?;
        let mut this = Self { child, address, ending };
        let watch = Watch::start();
        while TcpStream::connect(address).is_err() {
            let ended = this.child.try_wait()?;
            let said = || fs::read_to_string(log).unwrap_or_default();
            ensure!(ended.is_none(), "{what} ended: {}", said());
            ensure!(watch.elapsed() < START_WAIT, "{what} does not listen: {}", said());
            thread::sleep(LOOK);
        }
        Ok(this)
    }

    /// Of its first process; others may be its children.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a power cut would, but for the disk's cache.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A first process tells the others to end when it is asked to, not when it is killed.
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
            && matches!(self.child.try_wait(), Ok(None))
        {
            let _ = kill_process(pid, self.ending);
        }
        let watch = Watch::start();
        while matches!(self.child.try_wait(), Ok(None)) {
            if watch.elapsed() > STOP_WAIT {
                let _ = self.child.kill();
            }
            thread::sleep(LOOK);
        }
    }
}
