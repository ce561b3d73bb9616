//! Erasing what is older than messages are kept for: looks at the start, once a minute, and at once when policies were changed.
//!
//! On a thread of its own, which gives the write loop one small step after another and lets it breathe between them. What was
//! reached is in the journal: after a kill the next look goes on from there. Without such a policy a look costs nothing.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use startalk_domain::{Answer, Command};
use startalk_sequencer::Handle;

use crate::{admin::submit, clock};

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Between two steps, so that others come in between.
const BREATH: Duration = Duration::from_millis(10);

/// Reasons to look that wait: one is as good as many, and one more finds no room.
const ASKS_WAITING_MAX: usize = 1;

#[derive(PartialEq, Eq)]
enum Ask {
    Look,
    Stop,
}

/// The thread; ends when it is dropped, after the step that it is in.
pub struct Retention {
    ask: SyncSender<Ask>,
    thread: Option<JoinHandle<()>>,
}

impl Retention {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(handle: Handle) -> std::io::Result<Self> {
        let (ask, asked) = sync_channel(ASKS_WAITING_MAX);
        let thread = thread::Builder::new()
            .name("retention".into())
            .spawn(move || while erase_what_is_old(&handle, &asked) && waits(&asked, LOOK_EVERY) {})?;
        Ok(Self { ask, thread: Some(thread) })
    }

    /// What asks for a look at once; does not block.
    pub fn looker(&self) -> impl Fn() + Send + 'static {
        let ask = self.ask.clone();
        move || drop(ask.try_send(Ask::Look))
    }
}

impl Drop for Retention {
    fn drop(&mut self) {
        let _ = self.ask.send(Ask::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether to go on, after so long or when a look is asked for.
fn waits(asked: &Receiver<Ask>, time: Duration) -> bool {
    matches!(asked.recv_timeout(time), Ok(Ask::Look) | Err(RecvTimeoutError::Timeout))
}

/// Until there is nothing more to do now; whether to go on after that.
fn erase_what_is_old(handle: &Handle, asked: &Receiver<Ask>) -> bool {
    loop {
        match submit(handle, Command::Retain { clock_ms: clock::now_ms() }) {
            Ok(Answer::More { .. }) => {}
            Ok(_) => return true,
            Err(error) => {
                tracing::debug!("nothing can be erased now: {error}");
                return true;
            }
        }
        if !waits(asked, BREATH) {
            return false;
        }
    }
}
