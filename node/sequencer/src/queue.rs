//! How commands come to the write loop: a bounded queue, fair among those who ask, and a way to wake it. No clock, no task; the
//! loop may leave a mark, and each command has that which was there when it came.
//!
//! Whoever asks stands in a line of their own, with limits of its own; lines are served in turn, one command of each. So
//! nobody waits for more than one batch because somebody else asks much. Invariant: within a line the order stays.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Condvar, Mutex};
use startalk_domain::{Answer, Command, Source};
use startalk_protocol::{Code, Error};

use crate::{BATCH_BYTES_MAX, BATCH_COMMANDS_MAX};

/// Commands waiting at most, of everybody. Each connection has few outstanding, so that a fuller queue means that the loop
/// stands.
pub const WAITING_MAX: usize = 65_536;
/// Bytes of commands waiting at most, of everybody, about.
pub const WAITING_BYTES_MAX: usize = 256 * 1024 * 1024;
/// Commands waiting at most of one account, of one domain, or of all strangers: all that 64 devices, or two links, may have
/// outstanding. The node itself is not held to it.
pub const LINE_WAITING_MAX: usize = 4096;
/// Bytes of them, about: twice what one device may have outstanding, four times what a link may.
pub const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Called once with what became of the command, from the write loop: it must not block.
pub type Reply = Box<dyn FnOnce(Result<Answer, Error>) + Send>;

/// A command and whom to answer.
pub struct Submission {
    /// What is asked.
    pub command: Command,
    /// Who asks.
    pub reply: Reply,
    /// [`Handle::mark`] when it came.
    pub mark: u64,
}

/// Commands taken off the queue, in order.
#[derive(Default)]
pub struct Work(VecDeque<Submission>);

impl Work {
    /// Adds one at the end.
    pub fn push(&mut self, command: Command, reply: impl FnOnce(Result<Answer, Error>) + Send + 'static) {
        self.0.push_back(Submission { command, reply: Box::new(reply), mark: 0 });
    }

    pub(crate) fn pop(&mut self) -> Option<Submission> {
        self.0.pop_front()
    }

    pub(crate) fn front_is_epoch(&self) -> bool {
        self.0.front().is_some_and(|s| matches!(s.command, Command::BeginEpoch { .. }))
    }

    /// The mark of each that is left, in order.
    pub fn marks(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|s| s.mark)
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
    mark: AtomicU64,
}

#[derive(Default)]
struct Waiting {
    lines: HashMap<Source, Line>,
    /// Whose turn it is; each line that is not empty once.
    turns: VecDeque<Source>,
    count: usize,
    bytes: usize,
    closed: bool,
}

/// Commands of one source.
#[derive(Default)]
struct Line {
    /// Each with its bytes.
    waiting: VecDeque<(Submission, usize)>,
    bytes: usize,
}

impl Waiting {
    /// Whether a command of `source` would be taken now; why not.
    fn takes(&self, source: Source, bytes: usize) -> Result<(), Error> {
        if self.closed {
            return Err(Code::Stopping.into());
        }
        if !self.has_room(source, bytes) {
            return Err(Error::new(Code::SlowDown).with("seconds", 1));
        }
        Ok(())
    }

    /// Whether there is room for one more of `source`. One alone is always taken, however large.
    fn has_room(&self, source: Source, bytes: usize) -> bool {
        if self.count >= WAITING_MAX || (self.count > 0 && self.bytes + bytes > WAITING_BYTES_MAX) {
            return false;
        }
        let Some(line) = self.lines.get(&source).filter(|_| source != Source::House) else { return true };
        line.waiting.len() < LINE_WAITING_MAX && line.bytes + bytes <= LINE_BYTES_MAX
    }

    fn push(&mut self, source: Source, submission: Submission, bytes: usize) {
        let line = self.lines.entry(source).or_default();
        if line.waiting.is_empty() {
            self.turns.push_back(source);
        }
        line.waiting.push_back((submission, bytes));
        line.bytes += bytes;
        self.count += 1;
        self.bytes += bytes;
    }

    /// The first command of whose turn it is; they stand at the end of the turns then.
    fn pop(&mut self) -> Option<(Submission, usize)> {
        let source = self.turns.pop_front()?;
        let line = self.lines.get_mut(&source)?;
        let (submission, bytes) = line.waiting.pop_front()?;
        line.bytes -= bytes;
        if line.waiting.is_empty() {
            self.lines.remove(&source);
        } else {
            self.turns.push_back(source);
        }
        self.count -= 1;
        self.bytes -= bytes;
        Some((submission, bytes))
    }

    /// About what goes into one batch.
    fn take(&mut self) -> Work {
        let (mut work, mut taken) = (Work::default(), 0);
        while work.len() < BATCH_COMMANDS_MAX && taken < BATCH_BYTES_MAX {
            let Some((submission, bytes)) = self.pop() else { break };
            work.0.push_back(submission);
            taken += bytes;
        }
        work
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

    /// Asks. The reply comes from the write loop, or at once if the queue is closed, or full for whoever asks.
    pub fn submit(&self, command: Command, reply: impl FnOnce(Result<Answer, Error>) + Send + 'static) {
        let (source, bytes) = (command.source(), command.bytes());
        let mut waiting = self.0.waiting.lock();
        if let Err(error) = waiting.takes(source, bytes) {
            drop(waiting);
            return reply(Err(error));
        }
        let sleeping = waiting.count == 0;
        let mark = self.0.mark.load(Ordering::Relaxed);
        waiting.push(source, Submission { command, reply: Box::new(reply), mark }, bytes);
        drop(waiting);
        if sleeping {
            self.0.wake.notify_one();
        }
    }

    /// About a batch of what waits, everybody in turn, after at most `timeout`; `None` when the queue is closed and empty.
    pub fn take(&self, timeout: Duration) -> Option<Work> {
        let mut waiting = self.0.waiting.lock();
        if waiting.count == 0 && !waiting.closed {
            self.0.wake.wait_for(&mut waiting, timeout);
        }
        if waiting.count == 0 && waiting.closed {
            return None;
        }
        Some(waiting.take())
    }

    /// What comes from now on has this mark.
    pub fn mark(&self, mark: u64) {
        self.0.mark.store(mark, Ordering::Relaxed);
    }

    /// No further command is taken; those waiting are still worked on.
    pub fn close(&self) {
        self.0.waiting.lock().closed = true;
        self.0.wake.notify_all();
    }

    /// Whether a further command, of the node itself, would be taken now; why not.
    ///
    /// # Errors
    /// What the command would be answered with.
    pub fn takes(&self) -> Result<(), Error> {
        self.0.waiting.lock().takes(Source::House, 0)
    }

    /// How many commands wait.
    pub fn waiting(&self) -> usize {
        self.0.waiting.lock().count
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use bytes::Bytes;
    use startalk_domain::{Actor, command::Target};

    use super::*;

    fn says(account: u64, counter: u64, bytes: usize) -> Command {
        let (actor, content) = (Actor { account, device: 1 }, Bytes::from(vec![0; bytes]));
        let to = Target::Conversation(1);
        Command::Send { actor, to, counter, content, reply_to: None, reply_sequence: 0, known_id: None }
    }

    fn taken(work: &mut Work) -> Vec<(u64, u64)> {
        let mut all = Vec::new();
        while let Some(submission) = work.pop() {
            match submission.command {
                Command::Send { actor, counter, .. } => all.push((actor.account, counter)),
                other => panic!("{other:?}"),
            }
        }
        all
    }

    #[test]
    fn who_asks_once_does_not_wait_behind_all_that_somebody_else_asks() {
        let handle = Handle::new();
        for counter in 1..=LINE_WAITING_MAX as u64 {
            handle.submit(says(1, counter, 10), |_| ());
        }
        handle.submit(says(2, 1, 10), |_| ());
        handle.submit(says(2, 2, 10), |_| ());
        let first = taken(&mut handle.take(Duration::ZERO).unwrap());
        assert_eq!(first[..5], [(1, 1), (2, 1), (1, 2), (2, 2), (1, 3)]);
        assert_eq!(first.len(), BATCH_COMMANDS_MAX, "about a batch, so that who comes now is in the next one");
        let mut counters: Vec<u64> = first.iter().filter(|(account, _)| *account == 1).map(|(_, counter)| *counter).collect();
        while handle.waiting() > 0 {
            counters.extend(taken(&mut handle.take(Duration::ZERO).unwrap()).into_iter().map(|(_, counter)| counter));
        }
        assert!(counters.is_sorted() && counters.len() == LINE_WAITING_MAX, "each line in its order, and all of it");
    }

    #[test]
    fn what_waits_in_its_line_keeps_the_mark_with_which_it_came() {
        let handle = Handle::new();
        handle.mark(7);
        for counter in 0..=BATCH_COMMANDS_MAX as u64 {
            handle.submit(says(1, counter, 10), |_| ());
        }
        handle.mark(8);
        handle.submit(says(2, 1, 10), |_| ());
        let first: Vec<u64> = handle.take(Duration::ZERO).unwrap().marks().collect();
        assert_eq!(first[..3], [7, 8, 7]);
        handle.mark(9);
        let second: Vec<u64> = handle.take(Duration::ZERO).unwrap().marks().collect();
        assert_eq!(second, [7, 7], "two rounds after it came");
    }

    #[test]
    fn a_line_that_is_full_is_told_to_slow_down_and_the_others_are_not() {
        let handle = Handle::new();
        let shed = Arc::new(AtomicUsize::default());
        let count = |account| {
            let shed = shed.clone();
            move |answer: Result<Answer, Error>| {
                let error = answer.unwrap_err();
                assert_eq!((error.code, account), (Code::SlowDown, 1), "{error:?}");
                shed.fetch_add(1, Ordering::Relaxed);
            }
        };
        for counter in 0..LINE_WAITING_MAX as u64 + 3 {
            handle.submit(says(1, counter, 1), count(1));
        }
        assert_eq!(shed.load(Ordering::Relaxed), 3, "too many");
        handle.submit(says(2, 1, 1), count(2));
        handle.submit(Command::TellTime, |_| panic!("the house is not held to a line's limit"));
        assert_eq!(handle.waiting(), LINE_WAITING_MAX + 2);

        let handle = Handle::new();
        handle.submit(says(1, 1, LINE_BYTES_MAX), |_| ());
        handle.submit(says(1, 2, 1), count(1));
        assert_eq!(shed.load(Ordering::Relaxed), 4, "too large");
        assert_eq!(handle.waiting(), 1, "one alone is taken, however large");
        drop(taken(&mut handle.take(Duration::ZERO).unwrap()));
        handle.submit(says(1, 2, 1), |_| panic!("there is room again"));
        assert_eq!(handle.waiting(), 1);
    }
}
