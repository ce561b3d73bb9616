//! One connection, one task: reads frames, hands them to the session, writes what the session has to say.
//!
//! Owns the stream. Keeps no standing buffers: bytes are read onto the stack, only the beginning of an unfinished frame
//! is kept; what is ready to be said is put together, written, and the buffer let go. Invariant: no command is read
//! while there are too many without an answer, or while too much waits to be written.

use std::{
    future::poll_fn,
    mem::MaybeUninit,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker, ready},
};

use startalk_protocol::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{
    dispatch::Phase,
    framing::{Framing, Front},
    gateway::Inner,
    outbox::Turn,
    session::Session,
};

/// Bytes read at once, onto the stack.
const READ_BYTES: usize = 4096;
/// Bytes put into one write, about: one TLS record.
const WRITE_BYTES: usize = 16 * 1024;
/// Bytes of the transport's own answers (to pings) that may wait; who makes us wait with more is cut.
const CONTROL_BYTES_MAX: usize = 32 * 1024;
/// Bytes read and thrown away after the end, so that the last words are not lost by a reset.
const DRAINED_BYTES_MAX: usize = 1024 * 1024;

/// See the module.
pub(crate) struct Connection<S> {
    stream: S,
    framing: Framing,
    session: Arc<Session>,
    gateway: Arc<Inner>,
    phase: Phase,
    /// The beginning of what is not whole yet.
    input: Vec<u8>,
    /// What is being written.
    output: Vec<u8>,
    written: usize,
    unflushed: bool,
    end: Ending,
}

/// How far the end has got.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    No,
    /// The transport's goodbye is in the output.
    Said,
    /// Waits for the other side's end; so many bytes were thrown away.
    Draining(usize),
}

/// The connection is over.
struct Over;

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Over `stream`, for `session`.
    pub(crate) fn new(stream: S, framing: Framing, session: Arc<Session>, gateway: Arc<Inner>) -> Self {
        let (input, output) = (Vec::new(), Vec::new());
        Self {
            stream,
            framing,
            session,
            gateway,
            phase: Phase::default(),
            input,
            output,
            written: 0,
            unflushed: false,
            end: Ending::No,
        }
    }

    /// Runs until the connection ends, from whichever side.
    pub(crate) async fn run(&mut self) {
        let Err(Over) = poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<std::convert::Infallible, Over>> {
        loop {
            if self.poll_write(cx)?.is_pending() {
                // Calls again at the next change; what the other side says is heard meanwhile, as far as there is room.
                if self.session.outbox.watch(cx.waker()) {
                    return Poll::Ready(Err(Over));
                }
                while self.session.outbox.may_read() {
                    ready!(self.poll_read(cx)?);
                }
                return Poll::Pending;
            }
            match self.turn(cx.waker()) {
                Turn::Write => {}
                Turn::Sync => self.gateway.continue_sync(&self.session),
                Turn::Quiet { read: true } => ready!(self.poll_read(cx)?),
                Turn::Quiet { read: false } => return Poll::Pending,
                Turn::Ended => ready!(self.poll_end(cx)?),
                Turn::Aborted => return Poll::Ready(Err(Over)),
            }
        }
    }

    fn turn(&mut self, waker: &Waker) -> Turn {
        let (framing, output) = (&self.framing, &mut self.output);
        self.session.outbox.turn(waker, WRITE_BYTES, |frame| {
            output.reserve(frame.len() + 10);
            framing.put(output, frame);
        })
    }

    /// Ready when nothing is left to write.
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Over>> {
        while self.written < self.output.len() {
            let bytes = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output[self.written..])).map_err(|_| Over)?;
            if bytes == 0 {
                return Poll::Ready(Err(Over));
            }
            self.written += bytes;
            self.unflushed = true;
        }
        (self.output, self.written) = (Vec::new(), 0);
        if self.unflushed {
            ready!(Pin::new(&mut self.stream).poll_flush(cx)).map_err(|_| Over)?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }

    /// Says goodbye, and listens until the other side has gone too; the ticker ends it if that takes long.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Over>> {
        match self.end {
            Ending::No => {
                self.output.extend_from_slice(self.framing.farewell());
                self.end = Ending::Said;
                Poll::Ready(Ok(()))
            }
            Ending::Said => {
                if self.session.outbox.watch(cx.waker()) {
                    return Poll::Ready(Err(Over));
                }
                ready!(Pin::new(&mut self.stream).poll_shutdown(cx)).map_err(|_| Over)?;
                self.end = Ending::Draining(0);
                Poll::Ready(Ok(()))
            }
            Ending::Draining(before) => {
                if self.session.outbox.watch(cx.waker()) {
                    return Poll::Ready(Err(Over));
                }
                let mut space = [MaybeUninit::uninit(); READ_BYTES];
                let mut buffer = ReadBuf::uninit(&mut space);
                ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)).map_err(|_| Over)?;
                let drained = before + buffer.filled().len();
                self.end = Ending::Draining(drained);
                let over = drained == before || drained > DRAINED_BYTES_MAX;
                Poll::Ready(if over { Err(Over) } else { Ok(()) })
            }
        }
    }

    /// Takes what was read before, or reads once. Ready when something was taken.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Over>> {
        if !self.input.is_empty() && self.take_input()? {
            return Poll::Ready(Ok(()));
        }
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)).map_err(|_| Over)?;
        let read = buffer.filled_mut();
        if read.is_empty() {
            return Poll::Ready(Err(Over));
        }
        self.session.silent.store(0, Ordering::Relaxed);
        if self.input.is_empty() {
            let used = self.take(read)?;
            self.input.extend_from_slice(&read[used..]);
        } else {
            self.input.extend_from_slice(read);
            self.take_input()?;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes frames from the kept input. True if it took any.
    fn take_input(&mut self) -> Result<bool, Over> {
        let mut input = std::mem::take(&mut self.input);
        let used = self.take(&mut input)?;
        if used < input.len() {
            input.drain(..used);
            self.input = input;
        }
        Ok(used > 0)
    }

    /// Takes whole frames off the front, as long as commands may be read. How many bytes were used.
    fn take(&mut self, input: &mut [u8]) -> Result<usize, Over> {
        let mut used = 0;
        while used < input.len() && self.session.outbox.may_read() {
            let front = match self.framing.front(&mut input[used..]) {
                Ok(front) => front,
                Err(broken) => {
                    self.gateway.broken(&self.session, 0, Error::from(broken));
                    return Ok(input.len());
                }
            };
            used += match front {
                Front::Incomplete => return Ok(used),
                Front::Frame { at, end } => {
                    self.gateway.on_frame(&self.session, &mut self.phase, &input[used + at.start..used + at.end]);
                    end
                }
                Front::Joined { frame, end } => {
                    self.gateway.on_frame(&self.session, &mut self.phase, &frame);
                    end
                }
                Front::Control { reply, end } if self.output.len() + reply.len() <= CONTROL_BYTES_MAX => {
                    self.output.extend_from_slice(&reply);
                    end
                }
                Front::Control { .. } => return Err(Over),
                Front::Closed { reply } => {
                    // Its goodbye; ours goes out if the stream takes it at once.
                    self.output.extend_from_slice(&reply);
                    let _ = self.poll_write(&mut Context::from_waker(Waker::noop()));
                    return Err(Over);
                }
            };
        }
        Ok(used)
    }
}
