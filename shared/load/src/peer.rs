//! One person under load, in a pair or in a group: one connection, one task. It reads what came, says what may be said,
//! writes once.
//!
//! Owns what it said and what it heard of each author, and so everything that can be proved about their conversation.

use std::{
    collections::{BTreeMap, VecDeque},
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use anyhow::{Context as _, Result};
use bytes::BytesMut;
use startalk_protocol::limits::OUTSTANDING_MAX;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;

use crate::{
    client::Client,
    clock,
    load::Shared,
    pacer::Bell,
    tally::{Faults, Seen},
    text::Script,
    tongue::{Heard, Startalk, Tongue},
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

/// All who speak in a conversation, and how to tell their messages; shared by those who hear them.
pub struct Authors(Vec<(usize, Script)>);

impl Authors {
    /// With these numbers.
    pub fn new(numbers: impl IntoIterator<Item = usize>) -> Arc<Self> {
        Arc::new(Self(numbers.into_iter().map(|number| (number, Script::new(number))).collect()))
    }

    /// As [`Authors::new`]; they say nothing but the text.
    pub fn plain(numbers: impl IntoIterator<Item = usize>) -> Arc<Self> {
        Arc::new(Self(numbers.into_iter().map(|number| (number, Script::plain(number))).collect()))
    }

    /// Whose message it is (the place in this list), its number and time.
    pub fn recognise(&self, content: &[u8]) -> Option<(usize, u64, u64)> {
        let found = |(at, (_, script)): (usize, &(usize, Script))| script.recognise(content).map(|(n, due)| (at, n, due));
        self.0.iter().enumerate().find_map(found)
    }
}

/// A person's part in a conversation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// Records up to here came before the load, and are nobody's concern.
    pub base: u64,
    /// How many hear each message of this person, over all connections; `None`: does not speak.
    pub audience: Option<u64>,
    /// The place of an own message comes with its push and not with the answer: the group's home is another domain.
    pub placed_later: bool,
    /// An own message that comes back is its answer.
    pub echoed: bool,
    /// The server counts: its sequence numbers are checked.
    pub counts: bool,
}

/// A connection that is ready for the load, and what came on it and was not looked at.
pub struct Line {
    /// After the TLS handshake.
    pub stream: TlsStream<TcpStream>,
    /// Not looked at.
    pub input: BytesMut,
    /// What is spoken on it.
    pub tongue: Box<dyn Tongue>,
}

/// See the module.
pub struct Peer {
    stream: TlsStream<TcpStream>,
    input: Vec<u8>,
    output: Vec<u8>,
    written: usize,
    tongue: Box<dyn Tongue>,
    me: usize,
    script: Script,
    authors: Arc<Authors>,
    part: Part,
    /// How many messages go to each of those who are written to before the next.
    each: u64,
    said: u64,
    unanswered: VecDeque<(u64, u64)>,
    unknown_answers: u64,
    /// By author.
    heard: Vec<Seen>,
    sequences: Seen,
    last_pushed: u64,
    against_order: u64,
    foreign: u64,
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
        let part = Part { audience: Some(1), counts, ..Part::default() };
        Self::with(client, vec![conversation], me, Authors::new([partner]), part)
    }

    /// Number `me` on a connection that is ready, hearing these authors; if it speaks, in these conversations.
    pub fn with(client: Client, conversations: Vec<u64>, me: usize, authors: Arc<Authors>, part: Part) -> Self {
        let counter = client.counter;
        let (stream, input, id) = client.into_parts();
        let line = Line { stream, input, tongue: Box::new(Startalk::new(id, counter, conversations)) };
        Self::on(line, Script::new(me), me, authors, part)
    }

    /// Number `me`, who says `script`, hearing these authors.
    pub fn on(line: Line, script: Script, me: usize, authors: Arc<Authors>, part: Part) -> Self {
        let Line { stream, input, tongue } = line;
        Self {
            stream,
            input: input.to_vec(),
            output: Vec::new(),
            written: 0,
            tongue,
            me,
            script,
            heard: authors.0.iter().map(|_| Seen::default()).collect(),
            authors,
            part,
            each: u64::MAX,
            said: 0,
            unanswered: VecDeque::new(),
            unknown_answers: 0,
            sequences: Seen::default(),
            last_pushed: 0,
            against_order: 0,
            foreign: 0,
            pace: Pace::Outstanding(0),
            may_say: 0,
            bell: Arc::default(),
            samples: Samples::default(),
        }
    }

    /// It says so many messages to each of those whom it writes to, one after the other, and not all to the first.
    #[must_use]
    pub fn saying_to_each(self, each: u64) -> Self {
        Self { each, ..self }
    }

    /// Whether it says anything.
    pub fn speaks(&self) -> bool {
        self.part.audience.is_some()
    }

    /// Its number, and how much it said.
    pub fn has_said(&self) -> (usize, u64) {
        (self.me, self.said)
    }

    /// Prepares the next run: how to speak, and how much at most.
    pub fn prepare(&mut self, pace: Pace, may_say: u64) {
        (self.pace, self.may_say, self.samples) = (pace, may_say, Samples::default());
        while self.bell.take().is_some() {}
    }

    /// What is wrong, given what everybody said; to be asked of all when nothing is on its way any more.
    pub fn faults(&self, said: &BTreeMap<usize, u64>) -> Faults {
        let (mut heard, mut lost, mut doubled, mut late) = (0, 0, 0, 0);
        for ((author, _), seen) in self.authors.0.iter().zip(&self.heard) {
            // Everybody hears others, and themselves only where the answer did not say the place.
            let to_hear = if *author == self.me && !self.part.placed_later { 0 } else { said.get(author).copied().unwrap_or(0) };
            lost += to_hear.saturating_sub(seen.count());
            doubled += seen.doubled + seen.count().saturating_sub(to_hear);
            late += seen.late;
            heard += seen.count();
        }
        let placed = heard + if self.part.placed_later { 0 } else { self.said };
        let missing = self.sequences.count().abs_diff(placed) + self.sequences.doubled;
        // Sequences count from 1, so that 0 never came.
        let gaps = self.sequences.gaps().saturating_sub(u64::from(self.sequences.count() > 0));
        Faults {
            lost,
            doubled,
            out_of_order: late + self.against_order,
            acks: self.unanswered.len() as u64 + self.unknown_answers,
            foreign: self.foreign,
            sequence: if self.part.counts { missing + gaps } else { 0 },
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

    /// Takes what is whole off the front. How many bytes were used.
    fn hear(&mut self, input: &[u8], now: u64, shared: &Shared) -> Result<usize> {
        let mut used = 0;
        while let Some((bytes, heard)) = self.tongue.take(&input[used..], &mut self.output)? {
            used += bytes;
            match heard {
                Heard::Sent { name, sequence } => {
                    let at = self.unanswered.iter().position(|(n, _)| *n == name);
                    self.on_answer(at, sequence, now, shared);
                }
                Heard::SentUpTo(name) => {
                    while self.unanswered.front().is_some_and(|(n, _)| *n <= name) {
                        self.on_answer(Some(0), 0, now, shared);
                    }
                }
                Heard::Message { sequence, content } => self.on_message(sequence, content, now, shared),
                Heard::Other => {}
            }
        }
        Ok(used)
    }

    /// The answer to the message at this place of those that have none.
    fn on_answer(&mut self, at: Option<usize>, sequence: u64, now: u64, shared: &Shared) {
        let Some((_, due)) = at.and_then(|at| self.unanswered.remove(at)) else {
            self.unknown_answers += 1;
            return;
        };
        shared.acknowledged.add(1);
        if self.part.counts && !self.part.placed_later {
            self.sequences.put(sequence.saturating_sub(self.part.base));
        }
        if shared.is_measured(due) {
            self.samples.acknowledged.push(since(due, now));
        }
    }

    fn on_message(&mut self, sequence: u64, content: &[u8], now: u64, shared: &Shared) {
        if self.part.base > 0 && sequence <= self.part.base {
            return;
        }
        let Some((author, number, due)) = self.authors.recognise(content) else {
            self.foreign += 1;
            return;
        };
        if self.part.echoed && self.authors.0[author].0 == self.me {
            // Its place among those that have no answer: they are in order, and the last is the last that was said.
            let at = number.checked_sub(self.said - self.unanswered.len() as u64);
            return self.on_answer(at.and_then(|at| usize::try_from(at).ok()), 0, now, shared);
        }
        let heard = &mut self.heard[author];
        let before = heard.count();
        heard.put(number);
        shared.delivered.add(heard.count() - before);
        if self.part.counts {
            self.sequences.put(sequence.saturating_sub(self.part.base));
            self.against_order += u64::from(sequence <= self.last_pushed);
            self.last_pushed = sequence;
        }
        if shared.is_measured(due) {
            self.samples.delivered.push(since(due, now));
        }
    }

    /// Says what may be said now.
    fn speak(&mut self, shared: &Shared) {
        let Some(audience) = self.part.audience else { return };
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
            let to = (self.said / self.each) as usize;
            let content = self.script.say(self.said, due);
            self.said += 1;
            let name = self.tongue.put(&mut self.output, to, content);
            self.unanswered.push_back((name, due));
            self.may_say -= 1;
            said += 1;
        }
        if said > 0 {
            self.tongue.end(&mut self.output);
            shared.said.add(said);
            shared.expected.add(said * audience);
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
