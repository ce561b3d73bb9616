//! Copies of pictures, made by another process: what decodes strangers' bytes holds nothing of the domain, and can be killed.
//!
//! A process per picture, at most [`AT_ONCE_MAX`] at a time; others wait. It gets the picture as its standard input, and says
//! what it made on its standard output ([`crate::worker`]). What goes wrong there is one answer here: it is no picture.

use std::{fs::File, io, os::unix::process::ExitStatusExt as _, path::PathBuf, process::Stdio, sync::Arc, time::Duration};

use tokio::{io::AsyncReadExt as _, process::Command, sync::Semaphore};

use crate::worker::{Made, PICTURE_BYTES_MAX, Wanted};

/// Processes at once: each may take a core and [`crate::worker::MEMORY_BYTES_MAX`].
const AT_ONCE_MAX: usize = 2;
/// Bytes that one may say: two copies and a little.
const ANSWER_BYTES_MAX: u64 = 24 * 1024 * 1024;

/// How the worker is started: this program again, by a verb of its own.
#[derive(Clone, Debug)]
pub struct WorkerProgram {
    /// The program.
    pub program: PathBuf,
    /// Before what media itself says.
    pub args: Vec<String>,
    /// Until a process has to be done.
    pub patience: Duration,
}

/// Why there are no copies.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotMade {
    /// It is larger than what is looked at: {0} bytes at most.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// In the worker's words, or what became of it.
    #[error("{0}")]
    Because(String),
}

/// Makes copies.
pub struct Images {
    worker: WorkerProgram,
    places: Semaphore,
    /// Held by each picture that waits for a place, or has one.
    wanted: Arc<()>,
}

impl Images {
    pub fn new(worker: WorkerProgram) -> Self {
        Self { worker, places: Semaphore::new(AT_ONCE_MAX), wanted: Arc::default() }
    }

    /// Pictures that wait or are worked on now.
    pub fn wanted(&self) -> u64 {
        Arc::strong_count(&self.wanted) as u64 - 1
    }

    /// What can be made of this picture. Waits for its turn.
    ///
    /// # Errors
    /// [`NotMade`]: it can still be sent as a file. The outer error: the process could not be started.
    pub async fn make(&self, picture: File, size: u64, wanted: Wanted) -> io::Result<Result<Made, NotMade>> {
        if size > PICTURE_BYTES_MAX {
            return Ok(Err(NotMade::TooLarge(PICTURE_BYTES_MAX)));
        }
        let _counts = self.wanted.clone();
        let _place = self.places.acquire().await.map_err(io::Error::other)?;
        let mut child = Command::new(&self.worker.program)
            .args(&self.worker.args)
            .args(wanted.words())
            .env_clear()
            // Otherwise the allocator asks for address space by the gigabyte, of which there is a limit there.
            .env("MIMALLOC_ARENA_RESERVE", "0")
            .current_dir("/")
            .stdin(Stdio::from(picture))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut said = Vec::new();
        let out = child.stdout.take().expect("it is piped");
        let all = async {
            out.take(ANSWER_BYTES_MAX).read_to_end(&mut said).await?;
            child.wait().await
        };
        let ended = match tokio::time::timeout(self.worker.patience, all).await {
            Ok(ended) => ended?,
            Err(_) => {
                child.start_kill()?;
                child.wait().await?;
                return Ok(Err(NotMade::Because(format!("not done after {:?}", self.worker.patience))));
            }
        };
        if let Some(signal) = ended.signal() {
            return Ok(Err(NotMade::Because(format!("its process ended with signal {signal}"))));
        }
        Ok(Made::read(&said).unwrap_or_else(|| Err(format!("its process ended with {ended}"))).map_err(NotMade::Because))
    }
}
