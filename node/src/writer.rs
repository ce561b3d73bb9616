//! The thread of the write loop: takes commands, steps the sequencer, tells the consumers. The process ends, loudly,
//! when the journal cannot go on.

use std::{
    sync::Arc,
    thread::{self, JoinHandle},
    time::Duration,
};

use startalk_domain::Recorded;
use startalk_journal::Journal;
use startalk_sequencer::{Handle, Sequencer};

use crate::{
    clock,
    metrics::{LoopFigures, Round},
};

/// How long the loop sleeps at most when nothing comes, to flush the views in time.
const IDLE: Duration = Duration::from_millis(500);

/// Hears of every batch, after it is durable and visible; must not block.
pub type OnCommit = Box<dyn Fn(&Arc<[Recorded]>) + Send>;

/// The running write loop.
pub struct Writer {
    handle: Handle,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        mut sequencer: Sequencer<Journal>,
        handle: Handle,
        figures: Arc<LoopFigures>,
        on_commit: OnCommit,
    ) -> std::io::Result<Self> {
        let queue = handle.clone();
        let thread = thread::Builder::new().name("sequencer".into()).spawn(move || {
            let (mut pause, mut round) = (IDLE, Round::default());
            loop {
                let waited = queue.waiting() > 0;
                let Some(mut work) = queue.take(pause) else { break };
                round.begin(&work, waited, &queue);
                if work.is_empty() {
                    sequencer.idle(clock::now_ms());
                }
                let mut goes_on = sequencer.is_unfinished();
                pause = IDLE;
                while goes_on || !work.is_empty() {
                    goes_on = false;
                    let stepped = sequencer.step(&mut work, clock::now_ms(), &mut clock::System);
                    round.stepped(&work, &figures);
                    match stepped {
                        Ok(records) if !records.is_empty() => {
                            figures.records.add(records.len() as u64, 1);
                            on_commit(&records);
                            // What was begun does not wait for somebody to come; it does for a disk that is full.
                            if sequencer.is_unfinished() {
                                pause = Duration::ZERO;
                            }
                        }
                        Ok(_) => {}
                        Err(fatal) => {
                            queue.close();
                            work.refuse(startalk_protocol::Code::Stopping);
                            tracing::error!(%fatal, "the write loop cannot go on; the process ends, nothing acknowledged is lost");
                            eprintln!("startalk: {fatal}");
                            std::process::exit(70);
                        }
                    }
                }
            }
            sequencer.close().map_err(Into::into)
        })?;
        Ok(Self { handle, thread })
    }

    /// Takes no further command, works off what waits, writes the views.
    ///
    /// # Errors
    /// If the views could not be written; the next start will check and rebuild them.
    pub fn stop(self) -> anyhow::Result<()> {
        self.handle.close();
        self.thread.join().map_err(|_| anyhow::anyhow!("the write loop panicked"))?
    }
}
