//! What happens by itself at a time: sends the command that does what is due, and sleeps until the next thing is.
//!
//! On a thread of its own, which looks again when something was committed that is due earlier, and at least once a minute: a
//! clock that was set, or a machine that slept, is noticed then. What is due is in the views, and is done by a command in one
//! batch with the end of its entry; so a kill loses nothing and does nothing twice.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use startalk_domain::{Answer, Command, Event, Recorded, Views, later};
use startalk_sequencer::Handle;

use crate::{admin::submit, clock};

/// The longest sleep, however far away the next thing is.
const SLEEP_MAX: Duration = Duration::from_secs(60);
/// After what was due could not be done: the disk is nearly full, or the node is stopping.
const AFTER_TROUBLE: Duration = Duration::from_secs(5);

/// Reasons to look that wait: one is as good as many, and one more finds no room.
const ASKS_WAITING_MAX: usize = 1;

#[derive(PartialEq, Eq)]
enum Ask {
    Look,
    Stop,
}

/// The thread; ends when it is dropped.
pub struct Timers {
    ask: SyncSender<Ask>,
    thread: Option<JoinHandle<()>>,
}

impl Timers {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(handle: Handle, views: Views) -> std::io::Result<Self> {
        let (ask, asked) = sync_channel(ASKS_WAITING_MAX);
        let thread =
            thread::Builder::new().name("timers".into()).spawn(move || while sleeps(&asked, work(&handle, &views)) {})?;
        Ok(Self { ask, thread: Some(thread) })
    }

    /// What is told of every batch; does not block.
    pub fn committed(&self) -> impl Fn(&[Recorded]) + Send + 'static {
        let ask = self.ask.clone();
        move |records| {
            let puts =
                |event: &Event| matches!(event, Event::MessageScheduled(..) | Event::ReminderSet(..) | Event::MessageOpened(..));
            if records.iter().any(|r| puts(&r.event)) {
                drop(ask.try_send(Ask::Look));
            }
        }
    }
}

impl Drop for Timers {
    fn drop(&mut self) {
        let _ = self.ask.send(Ask::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Whether to go on, after so long or when there is something new.
fn sleeps(asked: &Receiver<Ask>, time: Duration) -> bool {
    let goes_on = matches!(asked.recv_timeout(time), Ok(Ask::Look) | Err(RecvTimeoutError::Timeout));
    goes_on && asked.try_iter().all(|ask| ask == Ask::Look)
}

/// Does what is due; how long to sleep then.
fn work(handle: &Handle, views: &Views) -> Duration {
    loop {
        let now_ms = clock::now_ms();
        match later::next_ms(&*views.store) {
            None => return SLEEP_MAX,
            Some(at_ms) if at_ms > now_ms => return Duration::from_millis(at_ms - now_ms).min(SLEEP_MAX),
            Some(_) => {}
        }
        match submit(handle, Command::WorkDue { clock_ms: now_ms }) {
            Ok(Answer::More { .. }) => {}
            Ok(_) if later::next_ms(&*views.store).is_none_or(|at_ms| at_ms > now_ms) => {}
            Ok(_) => return AFTER_TROUBLE,
            Err(error) => {
                tracing::debug!("what is due waits: {error}");
                return AFTER_TROUBLE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sleep_ends_with_something_new_and_the_thread_with_a_stop() {
        let (ask, asked) = sync_channel(2);
        ask.send(Ask::Look).unwrap();
        ask.send(Ask::Look).unwrap();
        assert!(sleeps(&asked, Duration::from_secs(3600)), "both were one reason to look");
        assert!(asked.try_recv().is_err());
        ask.send(Ask::Look).unwrap();
        ask.send(Ask::Stop).unwrap();
        assert!(!sleeps(&asked, Duration::from_secs(3600)));
        assert!(sleeps(&asked, Duration::ZERO), "its time is over");
        drop(ask);
        assert!(!sleeps(&asked, Duration::from_secs(3600)));
    }
}
