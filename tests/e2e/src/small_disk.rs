//! A small disk of its own: a tmpfs in a mount namespace that the test makes, reached through `/proc/<pid>/root`, so that
//! nothing has to be mounted for the machine and nothing remains of it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::Context as _;

/// Bytes of one write when the disk is filled.
const CHUNK_BYTES: usize = 1 << 20;

/// The disk; gone when dropped.
pub struct SmallDisk {
    /// Its root.
    pub path: PathBuf,
    holder: Child,
}

impl SmallDisk {
    /// Makes one of so many bytes, mounted (for its namespace alone) at the empty folder `at`. `Err` holds why the kernel
    /// refuses.
    pub fn new(at: &Path, bytes: u64) -> Result<Self, String> {
        let mut refused = Vec::new();
        for flags in ["-m", "-Urm"] {
            match Self::with(flags, at, bytes) {
                Ok(disk) => return Ok(disk),
                Err(error) => refused.push(format!("unshare {flags}: {error:#}")),
            }
        }
        Err(refused.join("; "))
    }

    fn with(flags: &str, at: &Path, bytes: u64) -> anyhow::Result<Self> {
        fs::create_dir_all(at)?;
        // It ends when its standard input does: with this process, however that ends.
        let script = "mount -t tmpfs -o size=$1,mode=700 tmpfs \"$2\" && echo ready && exec cat";
        let mut command = Command::new("unshare");
        command.args([flags, "sh", "-c", script, "sh", &bytes.to_string()]).arg(at);
        let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut line = String::new();
        BufReader::new(holder.stdout.take().context("its output")?).read_line(&mut line)?;
        if line.trim() != "ready" {
            let output = holder.wait_with_output()?;
            anyhow::bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let inside = at.strip_prefix("/").context("an absolute path")?;
        let path = PathBuf::from(format!("/proc/{}/root", holder.id())).join(inside);
        let disk = Self { path, holder };
        anyhow::ensure!(disk.free()? <= bytes, "{} is not the small disk", disk.path.display());
        Ok(disk)
    }

    /// Bytes free.
    ///
    /// # Errors
    /// The system's.
    pub fn free(&self) -> anyhow::Result<u64> {
        let space = rustix::fs::statvfs(&self.path)?;
        Ok(space.f_bavail * space.f_frsize)
    }

    /// Fills it until so many bytes are free.
    ///
    /// # Errors
    /// If it cannot be written for another reason than that it is full.
    pub fn fill(&self, free: u64) -> anyhow::Result<()> {
        let mut filler = fs::OpenOptions::new().create(true).append(true).open(self.path.join("filler"))?;
        let chunk = vec![7; CHUNK_BYTES];
        loop {
            let left = self.free()?.saturating_sub(free);
            let bytes = usize::try_from(left)?.min(CHUNK_BYTES);
            match filler.write(&chunk[..bytes]) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == std::io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Does `work` while whatever becomes free is taken by somebody else at once.
    ///
    /// # Errors
    /// Those of `work`, and of [`SmallDisk::fill`].
    pub fn full_while<T>(&self, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        self.fill(0)?;
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let filler = scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    self.fill(0)?;
                    std::thread::yield_now();
                }
                anyhow::Ok(())
            });
            let outcome = work();
            done.store(true, Ordering::Relaxed);
            filler.join().map_err(|_| anyhow::anyhow!("the disk's filler panicked"))??;
            outcome
        })
    }

    /// Makes space again.
    ///
    /// # Errors
    /// The system's.
    pub fn clear(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.path.join("filler"))?)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
