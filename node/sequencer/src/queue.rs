//! How commands come to the write loop: a bounded queue and a way to wake it. No clock, no task.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use parking_lot::{Condvar, Mutex};
use startalk_domain::{Answer, Command};
use startalk_protocol::{Code, Error};

/// Commands waiting at most. Each connection has few outstanding, so that a fuller queue means that the loop stands.
pub const WAITING_MAX: usize = 65_536;

/// Called once with what became of the command, from the write loop: it must not block.
pub type Reply = Box<dyn FnOnce(Result<Answer, Error>) + Send>;

/// A command and whom to answer.
pub struct Submission {
    /// What is asked.
    pub command: Command,
    /// Who asks.
    pub reply: Reply,
}

/// Commands taken off the queue, in order.
#[derive(Default)]
pub struct Work(VecDeque<Submission>);

impl Work {
    /// Adds one at the end.
    pub fn push(&mut self, command: Command, reply: impl FnOnce(Result<Answer, Error>) + Send + 'static) {
        self.0.push_back(Submission { command, reply: Box::new(reply) });
    }

    pub(crate) fn pop(&mut self) -> Option<Submission> {
        self.0.pop_front()
    }

    pub(crate) fn front_is_epoch(&self) -> bool {
        self.0.front().is_some_and(|s| matches!(s.command, Command::BeginEpoch { .. }))
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Refuses everything that is left.
    pub fn refuse(&mut self, code: Code) {
        for submission in self.0.drain(..) {
            (submission.reply)(Err(code.into()));
        }
    }
}

#[derive(Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    wake: Condvar,
}

#[derive(Default)]
struct Waiting {
    work: Work,
    closed: bool,
}

impl Waiting {
    fn takes(&self) -> Result<(), Error> {
        if self.closed {
            return Err(Code::Stopping.into());
        }
        if self.work.len() >= WAITING_MAX {
            return Err(Error::new(Code::SlowDown).with("seconds", 1));
        }
        Ok(())
    }
}

/// The way to the write loop; cheap to clone.
#[derive(Clone, Default)]
pub struct Handle(Arc<Inner>);

impl Handle {
    /// A queue that nobody works on yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks. The reply comes from the write loop, or at once if the queue is full or closed.
    pub fn submit(&self, command: Command, reply: impl FnOnce(Result<Answer, Error>) + Send + 'static) {
        let mut waiting = self.0.waiting.lock();
        if let Err(error) = waiting.takes() {
            drop(waiting);
            return reply(Err(error));
        }
        let sleeping = waiting.work.is_empty();
        waiting.work.push(command, reply);
        drop(waiting);
        if sleeping {
            self.0.wake.notify_one();
        }
    }

    /// Everything waiting, after at most `timeout`; `None` when the queue is closed and empty.
    pub fn take(&self, timeout: Duration) -> Option<Work> {
        let mut waiting = self.0.waiting.lock();
        if waiting.work.is_empty() && !waiting.closed {
            self.0.wake.wait_for(&mut waiting, timeout);
        }
        if waiting.work.is_empty() && waiting.closed {
            return None;
        }
        Some(std::mem::take(&mut waiting.work))
    }

    /// No further command is taken; those waiting are still worked on.
    pub fn close(&self) {
        self.0.waiting.lock().closed = true;
        self.0.wake.notify_all();
    }

    /// Whether a further command would be taken now; why not.
    ///
    /// # Errors
    /// What the command would be answered with.
    pub fn takes(&self) -> Result<(), Error> {
        self.0.waiting.lock().takes()
    }

    /// How many commands wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.lock().work.len()
    }
}
