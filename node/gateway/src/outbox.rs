//! What a session has to say and its connection has not taken yet: shared bytes, with a limit on what is pushed.
//!
//! Also what else the connection's task looks at when it wakes: how many commands have no answer, whether to read on,
//! whether the end has come. One lock for all of it, held for a few moves of memory. Invariant: the waker is called
//! after every change that lets the task go on.

use std::{
    collections::VecDeque,
    future::poll_fn,
    task::{Poll, Waker},
};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};
use startalk_protocol::{Code, Error, limits::OUTSTANDING_MAX};

use crate::convert;

/// Unsent bytes from which on no further command is read, no page of history that was asked for, and no further one of a sync.
pub(crate) const BACKLOG_BYTES: usize = 64 * 1024;
/// A queue that grew beyond this many frames is given back when it is empty.
const CAPACITY_KEPT: usize = 8;

/// A frame's bytes, without what its transport puts around them.
struct Queued {
    bytes: Bytes,
    pushed: bool,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Outbox {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    queue: VecDeque<Queued>,
    bytes: usize,
    pushed_bytes: usize,
    outstanding: usize,
    /// A command that changes who the session is: nothing is read until it is answered.
    alone: bool,
    /// The next page of a sync may be made.
    sync_ready: bool,
    ended: bool,
    aborted: bool,
    waker: Option<Waker>,
    /// Of those who wait for room.
    room: Vec<Waker>,
}

/// What the connection's task is to do.
pub(crate) enum Turn {
    /// Frames were added to the buffer.
    Write,
    /// Make the next page of the sync.
    Sync,
    /// Nothing to say; read on, or not.
    Quiet { read: bool },
    /// Everything was said that will ever be.
    Ended,
    /// End now.
    Aborted,
}

impl Outbox {
    /// Adds an answer: always taken, reading stops if there is much. One command fewer is outstanding.
    pub(crate) fn answer(&self, bytes: Bytes) {
        self.change(|i| {
            i.add(bytes, false);
            i.outstanding = i.outstanding.saturating_sub(1);
            i.alone = false;
        });
    }

    /// A page of a sync; the next one may follow.
    pub(crate) fn page(&self, bytes: Bytes) {
        self.change(|i| {
            i.add(bytes, false);
            i.sync_ready = true;
        });
    }

    /// Adds something that happened. False: too much is waiting, and the session has ended as a slow reader.
    pub(crate) fn push(&self, bytes: &Bytes, max: usize) -> bool {
        let mut inner = self.inner.lock();
        if inner.ended || inner.aborted {
            return true;
        }
        let fits = inner.pushed_bytes + bytes.len() <= max;
        if fits {
            inner.add(bytes.clone(), true);
        } else {
            inner.end(Code::SlowReader.into(), true);
        }
        wake(inner);
        fits
    }

    /// The session ends, and says why; what waits is said before, unless the reader is too slow for it.
    pub(crate) fn close(&self, error: Error) {
        self.change(|i| i.end(error, false));
    }

    /// The session ends at once.
    pub(crate) fn abort(&self) {
        self.change(|i| i.aborted = true);
    }

    /// Whether nothing more will be taken.
    pub(crate) fn has_ended(&self) -> bool {
        let inner = self.inner.lock();
        inner.ended || inner.aborted
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.inner.lock().bytes
    }

    /// A command was read. False: it is one too many, which cannot be if the turns are kept.
    pub(crate) fn begin(&self, alone: bool) -> bool {
        let mut inner = self.inner.lock();
        inner.outstanding += 1;
        inner.alone |= alone;
        inner.outstanding <= OUTSTANDING_MAX
    }

    /// Whether a further command may be read now.
    pub(crate) fn may_read(&self) -> bool {
        self.inner.lock().may_read()
    }

    /// Whether an answer that is large may be made now.
    pub(crate) fn has_room(&self) -> bool {
        self.inner.lock().has_room()
    }

    /// Waits until there is room for an answer that is large. False: the session has ended, and nobody waits for one.
    pub(crate) async fn room(&self) -> bool {
        poll_fn(|cx| {
            let mut inner = self.inner.lock();
            if inner.ended || inner.aborted {
                return Poll::Ready(false);
            }
            if inner.has_room() {
                return Poll::Ready(true);
            }
            inner.room.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }

    /// What to do now. Frames are given to `write`, up to about `max` bytes; `waker` is called when there is more to do.
    pub(crate) fn turn(&self, waker: &Waker, max: usize, mut write: impl FnMut(&Bytes)) -> Turn {
        let mut inner = self.inner.lock();
        if inner.aborted {
            return Turn::Aborted;
        }
        let mut taken = 0;
        while let Some(front) = inner.queue.front() {
            let len = front.bytes.len();
            if taken > 0 && taken + len > max {
                break;
            }
            taken += len;
            if let Some(queued) = inner.queue.pop_front() {
                write(&queued.bytes);
                inner.bytes -= len;
                inner.pushed_bytes -= if queued.pushed { len } else { 0 };
            }
        }
        if inner.queue.is_empty() && inner.queue.capacity() > CAPACITY_KEPT {
            inner.queue = VecDeque::new();
        }
        if taken > 0 {
            let room = if inner.has_room() { std::mem::take(&mut inner.room) } else { Vec::new() };
            drop(inner);
            room.into_iter().for_each(Waker::wake);
            return Turn::Write;
        }
        if inner.ended {
            return Turn::Ended;
        }
        if inner.sync_ready {
            inner.sync_ready = false;
            return Turn::Sync;
        }
        inner.watch(waker);
        Turn::Quiet { read: inner.may_read() }
    }

    /// Calls `waker` at the next change, while the connection cannot take more.
    pub(crate) fn watch(&self, waker: &Waker) -> bool {
        let mut inner = self.inner.lock();
        inner.watch(waker);
        inner.aborted
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner.lock();
        change(&mut inner);
        wake(inner);
    }
}

fn wake(mut inner: MutexGuard<'_, Inner>) {
    let waker = inner.waker.take();
    let room = if inner.ended || inner.aborted { std::mem::take(&mut inner.room) } else { Vec::new() };
    drop(inner);
    waker.into_iter().chain(room).for_each(Waker::wake);
}

impl Inner {
    fn add(&mut self, bytes: Bytes, pushed: bool) {
        if self.ended || self.aborted {
            return;
        }
        self.bytes += bytes.len();
        self.pushed_bytes += if pushed { bytes.len() } else { 0 };
        self.queue.push_back(Queued { bytes, pushed });
    }

    fn end(&mut self, error: Error, forget: bool) {
        if self.ended {
            return;
        }
        if forget {
            self.queue = VecDeque::new();
            (self.bytes, self.pushed_bytes) = (0, 0);
        }
        self.add(convert::close(error), false);
        self.ended = true;
    }

    fn may_read(&self) -> bool {
        !self.ended && !self.alone && self.outstanding < OUTSTANDING_MAX && self.has_room()
    }

    fn has_room(&self) -> bool {
        self.bytes < BACKLOG_BYTES
    }

    fn watch(&mut self, waker: &Waker) {
        if !self.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
            self.waker = Some(waker.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use super::*;

    #[test]
    fn pushes_over_the_limit_end_the_session_and_answers_stop_the_reading() {
        let outbox = Outbox::default();
        let frame = Bytes::from(vec![0; 1000]);
        for _ in 0..10 {
            assert!(outbox.push(&frame, 10_000));
        }
        outbox.answer(Bytes::from(vec![0; BACKLOG_BYTES]));
        assert!(!outbox.may_read());
        assert!(!outbox.push(&frame, 10_000), "answers do not count, pushes do");
        assert!(outbox.has_ended());
        let mut said = Vec::new();
        let turn = outbox.turn(Waker::noop(), usize::MAX, |b| said.push(b.clone()));
        assert!(matches!(turn, Turn::Write));
        assert_eq!(said.len(), 1, "only the reason is left");
        assert!(matches!(outbox.turn(Waker::noop(), usize::MAX, |_| ()), Turn::Ended));
    }

    #[tokio::test]
    async fn a_large_answer_waits_until_there_is_room_or_nobody_wants_it() {
        let outbox = Outbox::default();
        assert!(outbox.room().await);
        outbox.answer(Bytes::from(vec![0; BACKLOG_BYTES]));
        let mut context = Context::from_waker(Waker::noop());
        let (mut first, mut second) = (Box::pin(outbox.room()), Box::pin(outbox.room()));
        assert!(first.as_mut().poll(&mut context).is_pending() && second.as_mut().poll(&mut context).is_pending());
        assert!(matches!(outbox.turn(Waker::noop(), usize::MAX, |_| ()), Turn::Write));
        assert!(first.await && second.await, "both are told");
        outbox.answer(Bytes::from(vec![0; BACKLOG_BYTES]));
        let (waits, ends) = tokio::join!(outbox.room(), async { outbox.abort() });
        assert!(!waits, "{ends:?}");
    }

    #[test]
    fn reading_stops_at_the_limit_of_outstanding_commands() {
        let outbox = Outbox::default();
        for _ in 0..OUTSTANDING_MAX {
            assert!(outbox.may_read());
            assert!(outbox.begin(false));
        }
        assert!(!outbox.may_read());
        outbox.answer(Bytes::from_static(b"x"));
        assert!(outbox.may_read());
    }
}
