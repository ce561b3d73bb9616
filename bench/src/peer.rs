//! One side of a pair under load: one connection, one task. It reads what came, says what may be said, writes once.
//!
//! Owns what it said and what it heard of its partner, and so everything that can be proved about their conversation.

use std::{
    collections::VecDeque,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use anyhow::{Context as _, Result, bail, ensure};
use startalk_protocol::{
    framing::{self, LENGTH_BYTES},
    limits::{CLIENT_FRAME_BYTES_MAX, OUTSTANDING_MAX},
    pb::client::{ServerFrame, server_frame::Frame},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::{
    client::{Client, words},
    clock,
    load::Shared,
    pacer::Bell,
    tally::{Faults, Seen},
    text::Script,
    wire::{self, Heard},
};

/// Bytes read at once, onto the stack.
const READ_BYTES: usize = 16 * 1024;

/// How a peer decides to speak.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As soon as fewer than so many are unanswered.
    Outstanding(usize),
    /// When the bell says so.
    Bell,
}

/// Times in microseconds of what was said within the measured window.
#[derive(Default)]
pub struct Samples {
    /// From when it was to be said to its acknowledgement.
    pub acknowledged: Vec<u32>,
    /// From when it was to be said to its arrival at the partner; kept by the partner.
    pub delivered: Vec<u32>,
    /// From when it was to be said to when it was: the generator's own part.
    pub late: Vec<u32>,
}

/// See the module.
pub struct Peer {
    stream: TlsStream<TcpStream>,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    script: Script,
    partner: Script,
    conversation: u64,
    id: u64,
    said: u64,
    unanswered: VecDeque<(u64, u64)>,
    unknown_answers: u64,
    heard: Seen,
    sequences: Seen,
    last_pushed: u64,
    against_order: u64,
    foreign: u64,
    /// The server counts: its sequence numbers are checked.
    counts: bool,
    pace: Pace,
    may_say: u64,
    /// To wake the task, and what is due.
    pub bell: Arc<Bell>,
    /// Of the last run.
    pub samples: Samples,
}

impl Peer {
    /// Author number `me` on a connection that is ready, writing to number `partner`.
    pub fn new(client: Client, conversation: u64, me: usize, partner: usize, counts: bool) -> Self {
        let (stream, input, id) = client.into_parts();
        Self {
            stream,
            input: input.to_vec(),
            output: Vec::new(),
            written: 0,
            script: Script::new(me),
            partner: Script::new(partner),
            conversation,
            id,
            said: 0,
            unanswered: VecDeque::new(),
            unknown_answers: 0,
            heard: Seen::default(),
            sequences: Seen::default(),
            last_pushed: 0,
            against_order: 0,
            foreign: 0,
            counts,
            pace: Pace::Outstanding(0),
            may_say: 0,
            bell: Arc::default(),
            samples: Samples::default(),
        }
    }

    /// Prepares the next run: how to speak, and how much at most.
    pub fn prepare(&mut self, pace: Pace, may_say: u64) {
        (self.pace, self.may_say, self.samples) = (pace, may_say, Samples::default());
        while self.bell.take().is_some() {}
    }

    /// What is wrong, given what the partner said; to be asked of both sides when nothing is on its way any more.
    pub fn faults(&self, partner: &Self) -> Faults {
        let missing = self.sequences.count().abs_diff(self.said + self.heard.count()) + self.sequences.doubled;
        // Sequences count from 1, so that 0 never came.
        let gaps = self.sequences.gaps().saturating_sub(u64::from(self.sequences.count() > 0));
        Faults {
            lost: partner.said.saturating_sub(self.heard.count()),
            doubled: self.heard.doubled,
            out_of_order: self.heard.late + self.against_order,
            acks: self.unanswered.len() as u64 + self.unknown_answers,
            foreign: self.foreign,
            sequence: if self.counts { missing + gaps } else { 0 },
        }
    }

    /// Speaks and listens until the run is over.
    pub fn poll(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<Result<()>> {
        self.bell.listen(cx.waker());
        while let Poll::Ready(read) = self.poll_read(cx, shared) {
            read?;
        }
        if shared.is_over() {
            return Poll::Ready(Ok(()));
        }
        if !shared.is_stopping() {
            self.speak(shared);
        }
        ready!(self.poll_write(cx))?;
        Poll::Pending
    }

    fn poll_read(&mut self, cx: &mut Context<'_>, shared: &Shared) -> Poll<Result<()>> {
        let mut space = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut space);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)).context("reading")?;
        let read = buffer.filled();
        if read.is_empty() {
            return Poll::Ready(Err(anyhow::anyhow!("the server closed the connection")));
        }
        let now = clock::micros();
        if self.input.is_empty() {
            let used = self.hear(read, now, shared)?;
            self.input.extend_from_slice(&read[used..]);
        } else {
            let mut input = std::mem::take(&mut self.input);
            input.extend_from_slice(read);
            let used = self.hear(&input, now, shared)?;
            input.drain(..used);
            self.input = input;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes whole frames off the front. How many bytes were used.
    fn hear(&mut self, input: &[u8], now: u64, shared: &Shared) -> Result<usize> {
        let mut used = 0;
        while let Some(length) = input[used..].first_chunk::<LENGTH_BYTES>() {
            let length = u32::from_be_bytes(*length) as usize;
            ensure!(length <= 2 * CLIENT_FRAME_BYTES_MAX, "a frame of {length} bytes");
            let begin = used + LENGTH_BYTES;
            let Some(frame) = input.get(begin..begin + length) else { break };
            used = begin + length;
            match wire::read(frame) {
                Heard::Sent { reply_to, sequence } => self.on_answer(reply_to, sequence, now, shared),
                Heard::Message { sequence, content } => self.on_message(sequence, content, now, shared),
                Heard::Other => {}
                Heard::Refused => bail!("{}", refusal(frame)),
                Heard::Broken => bail!("a frame that is none: {frame:02x?}"),
            }
        }
        Ok(used)
    }

    fn on_answer(&mut self, reply_to: u64, sequence: u64, now: u64, shared: &Shared) {
        let Some(at) = self.unanswered.iter().position(|(id, _)| *id == reply_to) else {
            self.unknown_answers += 1;
            return;
        };
        let (_, due) = self.unanswered.remove(at).unwrap_or_default();
        shared.acknowledged.add(1);
        if self.counts {
            self.sequences.put(sequence);
        }
        if shared.is_measured(due) {
            self.samples.acknowledged.push(since(due, now));
        }
    }

    fn on_message(&mut self, sequence: u64, content: &[u8], now: u64, shared: &Shared) {
        let Some((number, due)) = self.partner.recognise(content) else {
            self.foreign += 1;
            return;
        };
        let before = self.heard.count();
        self.heard.put(number);
        shared.delivered.add(self.heard.count() - before);
        if self.counts {
            self.sequences.put(sequence);
            self.against_order += u64::from(sequence <= self.last_pushed);
            self.last_pushed = sequence;
        }
        if shared.is_measured(due) {
            self.samples.delivered.push(since(due, now));
        }
    }

    /// Says what may be said now.
    fn speak(&mut self, shared: &Shared) {
        let most = if let Pace::Outstanding(most) = self.pace { most } else { OUTSTANDING_MAX };
        let mut said = 0;
        while self.may_say > 0 && self.unanswered.len() < most {
            let now = clock::micros();
            let due = match self.pace {
                Pace::Outstanding(_) => now,
                Pace::Bell => match self.bell.take() {
                    Some(due) => due,
                    None => break,
                },
            };
            if shared.is_measured(due) {
                self.samples.late.push(since(due, now));
            }
            self.id += 1;
            let content = self.script.say(self.said, due);
            self.said += 1; // commands of a device are numbered from 1, its messages here from 0
            wire::put_send(&mut self.output, self.id, self.conversation, self.said, content);
            self.unanswered.push_back((self.id, due));
            self.may_say -= 1;
            said += 1;
        }
        if said > 0 {
            shared.said.add(said);
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.output.is_empty() {
            return Poll::Ready(Ok(()));
        }
        while self.written < self.output.len() {
            self.written += ready!(Pin::new(&mut self.stream).poll_write(cx, &self.output[self.written..])).context("writing")?;
        }
        ready!(Pin::new(&mut self.stream).poll_flush(cx)).context("writing")?;
        self.output.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }
}

fn since(due: u64, now: u64) -> u32 {
    u32::try_from(now.saturating_sub(due)).unwrap_or(u32::MAX)
}

fn refusal(frame: &[u8]) -> String {
    let error = match framing::decode::<ServerFrame>(frame, "server frame").map(|f| f.frame) {
        Ok(Some(Frame::Error(error))) => Some(error),
        Ok(Some(Frame::Close(close))) => close.error,
        _ => None,
    };
    error.map_or_else(|| "refused".to_owned(), |e| format!("refused: {}", words(e)))
}
