//! Standard output: whole lines, many in one write, flushed when there is nothing more to say at the moment.
//!
//! One task writes; everybody else hands it text.

use anyhow::anyhow;
use tokio::{
    io::AsyncWriteExt,
    sync::{mpsc, oneshot},
    task::JoinHandle,
};

/// Texts waiting to be written.
const WAITING_MAX: usize = 1024;
/// Bytes put together into one write.
const WRITE_BYTES: usize = 64 * 1024;

struct Chunk {
    text: String,
    written: Option<oneshot::Sender<()>>,
}

/// The way to standard output. Cheap to clone.
#[derive(Clone)]
pub(super) struct Output(mpsc::Sender<Chunk>);

impl Output {
    /// The task ends when the last clone is dropped and everything is written.
    pub fn start() -> (Self, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        (Self(sender), tokio::spawn(write(receiver)))
    }

    /// Hands text over.
    ///
    /// # Errors
    /// If standard output is closed.
    pub async fn write(&self, text: String) -> anyhow::Result<()> {
        self.0.send(Chunk { text, written: None }).await.map_err(|_| anyhow!("standard output is closed"))
    }

    /// The same, and waits until it is written.
    ///
    /// # Errors
    /// If standard output is closed.
    pub async fn written(&self, text: String) -> anyhow::Result<()> {
        let (sender, written) = oneshot::channel();
        let closed = || anyhow!("standard output is closed");
        self.0.send(Chunk { text, written: Some(sender) }).await.map_err(|_| closed())?;
        written.await.map_err(|_| closed())
    }
}

async fn write(mut chunks: mpsc::Receiver<Chunk>) {
    let (mut out, mut buffer, mut waiting) = (tokio::io::stdout(), Vec::new(), Vec::new());
    while let Some(chunk) = chunks.recv().await {
        let mut next = Some(chunk);
        while let Some(Chunk { text, written }) = next {
            buffer.extend_from_slice(text.as_bytes());
            waiting.extend(written);
            next = if buffer.len() < WRITE_BYTES { chunks.try_recv().ok() } else { None };
        }
        if out.write_all(&buffer).await.is_err() || out.flush().await.is_err() {
            return; // Nobody listens; who writes next hears of it.
        }
        buffer.clear();
        for written in waiting.drain(..) {
            let _ = written.send(());
        }
    }
}
