//! One connection between two domains: the whole state machine as its driver sees it.
//!
//! Owns the order of things and nothing durable. Never reads a clock, draws randomness or blocks. After it is closed
//! it takes nothing in and gives nothing out but its farewell.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use startalk_protocol::{
    Code, DomainName, Error,
    limits::{LINK_EVENTS_QUEUED_MAX, LINK_FRAME_BYTES_MAX, LINK_HELLO_BYTES_MAX},
    pb::link::{Close, Ephemeral, frame::Frame as Kind},
};

use crate::{
    config::{Config, Entry, Role},
    event::Event,
    frame::{self, error_in, error_out, malformed},
    hello::{self, Positions},
    opening::{Opening, Step, checked_keys},
    position::Position,
    session::Session,
    stand::Stand,
};

/// One connection between two domains.
#[derive(Debug)]
pub struct Link {
    config: Config,
    now_ms: u64,
    peer: Option<DomainName>,
    stage: Stage,
    buffer: BytesMut,
    events: VecDeque<Event>,
    hello_out: Option<Bytes>,
    close_out: Option<Bytes>,
}

#[derive(Debug)]
enum Stage {
    Opening(Box<Opening>),
    Ready(Box<Session>),
    Closed,
}

impl Link {
    /// A link over a connection that has just been made.
    pub fn new(config: Config, now_ms: u64) -> Self {
        let peer = match &config.role {
            Role::Dialer { peer } => Some(peer.clone()),
            Role::Acceptor => None,
        };
        Self {
            config,
            now_ms,
            peer,
            stage: Stage::Opening(Box::new(Opening::new(now_ms))),
            buffer: BytesMut::new(),
            events: VecDeque::new(),
            hello_out: None,
            close_out: None,
        }
    }

    // What the transport brings and takes.

    /// Bytes of the stream, cut anyhow; at most [`LINK_FRAME_BYTES_MAX`] at a time, and only while
    /// [`wants_bytes`](Self::wants_bytes).
    pub fn receive(&mut self, bytes: &[u8], now_ms: u64) {
        self.set_now(now_ms);
        if let Stage::Closed = self.stage {
            return;
        }
        if let Stage::Ready(session) = &mut self.stage
            && !bytes.is_empty()
        {
            session.heartbeat.heard(self.now_ms);
        }
        self.buffer.extend_from_slice(bytes);
        self.take_frames();
        let max = 2 * LINK_FRAME_BYTES_MAX;
        if self.buffer.len() > max {
            let error = Error::new(Code::TooLarge).with("what", "What was sent before it was wanted");
            self.close(error.with("got", self.buffer.len()).with("max", max));
        }
    }

    /// Whether the stream should be read now. It is not while the driver has much to judge, record or take.
    pub fn wants_bytes(&self) -> bool {
        match &self.stage {
            Stage::Opening(opening) => opening.peer_hello().is_none() || self.buffer.len() < LINK_HELLO_BYTES_MAX,
            Stage::Ready(session) => !self.is_held(session) || self.buffer.len() < LINK_FRAME_BYTES_MAX,
            Stage::Closed => false,
        }
    }

    /// One datagram; never an error.
    pub fn receive_datagram(&mut self, bytes: &[u8], now_ms: u64) {
        self.set_now(now_ms);
        if let Stage::Ready(session) = &mut self.stage {
            session.ephemerals.received_datagram(bytes);
        }
    }

    /// The next bytes for the stream. Waiting entries are signed here, up to 64 at a time: who pushes a few more
    /// before asking saves signatures.
    pub fn transmit(&mut self) -> Option<Bytes> {
        if let Some(hello) = self.hello_out.take() {
            return Some(hello);
        }
        if let Stage::Ready(session) = &mut self.stage {
            let bytes = session.transmit(self.config.datagrams)?;
            session.heartbeat.spoke(self.now_ms);
            return Some(bytes);
        }
        self.close_out.take()
    }

    /// The next datagram; none if the transport has no datagrams.
    pub fn datagram(&mut self) -> Option<Bytes> {
        match &mut self.stage {
            Stage::Ready(session) if self.config.datagrams => session.ephemerals.next_out(),
            _ => None,
        }
    }

    /// The next thing that happened.
    pub fn event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            self.take_frames();
        }
        self.events.pop_front().or_else(|| match &mut self.stage {
            Stage::Ready(session) => session.ephemerals.next_in().map(Event::Ephemeral),
            _ => None,
        })
    }

    /// When [`tick`](Self::tick) is to be called at the latest. May come earlier after any call.
    pub fn deadline(&self) -> Option<u64> {
        match &self.stage {
            Stage::Opening(opening) => Some(opening.deadline_ms(&self.config.role)),
            Stage::Ready(session) => Some(session.heartbeat.deadline_ms()),
            Stage::Closed => None,
        }
    }

    /// Time has passed.
    pub fn tick(&mut self, now_ms: u64) {
        self.set_now(now_ms);
        let reading = self.wants_bytes();
        let alive = match &mut self.stage {
            Stage::Opening(opening) => self.now_ms < opening.deadline_ms(&self.config.role),
            Stage::Ready(session) => session.tick(self.now_ms, reading),
            Stage::Closed => true,
        };
        if !alive {
            self.close(Error::new(Code::IdleTimeout));
        }
    }

    // What the driver decides.

    /// Who it is, is known: where our outbox to the peer ends, what we durably have of the peer's, and what else we know
    /// of it, the newest first (said if [`HISTORY`](crate::HISTORY) is among our features). To be read
    /// when no other link with this peer carries items. Our hello goes out: a dialer's at once, an acceptor's when
    /// the peer is judged.
    pub fn open(&mut self, sent: Position, received: Option<Position>, known: Vec<Position>) {
        if let Stage::Opening(opening) = &mut self.stage {
            opening.open(Positions { sent, received, known });
            self.go_on();
        }
    }

    /// The driver's answer to [`Event::Hello`]: the link keys of the peer that are valid now, or why it is refused.
    /// May be called again while the link is open, when the peer's keys have changed.
    pub fn judge(&mut self, verdict: Result<Vec<[u8; 32]>, Error>) {
        let keys = match verdict {
            Ok(keys) => keys,
            Err(error) => return self.close(error),
        };
        let outcome = match (&mut self.stage, &self.peer) {
            (Stage::Opening(opening), _) => opening.judged(&self.config, &keys),
            (Stage::Ready(session), Some(peer)) => checked_keys(&self.config, peer, &keys).map(|k| session.keys = k),
            _ => Ok(()),
        };
        match outcome {
            Ok(()) => self.go_on(),
            Err(error) => self.close(error),
        }
    }

    /// The driver's answer to [`Event::CompareHistory`].
    pub fn history(&mut self, stand: Stand) {
        if let Stage::Opening(opening) = &mut self.stage {
            opening.answered(stand);
            self.go_on();
        }
    }

    /// How many more entries the link takes now.
    pub fn can_push(&self) -> u64 {
        self.session().map_or(0, |s| s.sending.can_push())
    }

    /// The number of the entry that comes next; `None` unless the link is open.
    pub fn next_to_push(&self) -> Option<u64> {
        self.pushed().map(|p| p.sequence + 1)
    }

    /// After the last entry that was pushed: the driver asserts that its outbox has the same running hash there.
    pub fn pushed(&self) -> Option<Position> {
        self.session().map(|s| s.sending.pushed())
    }

    /// Gives consecutive entries to send, durable here, the first of them [`next_to_push`](Self::next_to_push).
    /// Says how many were taken; the others are to be given again later. None, if the first is another.
    pub fn push(&mut self, first_sequence: u64, entries: impl IntoIterator<Item = Entry>) -> u64 {
        let Stage::Ready(session) = &mut self.stage else { return 0 };
        if first_sequence != session.sending.pushed().sequence + 1 {
            return 0;
        }
        match session.sending.push(entries) {
            Ok(taken) => taken,
            Err(error) => {
                self.close(error);
                0
            }
        }
    }

    /// Everything of the peer's up to here is durable, and these were refused. An ack goes out, even if it says
    /// nothing new.
    pub fn recorded(&mut self, up_to: u64, refused: Vec<(u64, Error)>) {
        if let Stage::Ready(session) = &mut self.stage {
            session.receiving.recorded(up_to, refused);
            self.take_frames();
        }
    }

    /// Sends something that may be lost. Dropped if the link is not open or it is too large.
    pub fn ephemeral(&mut self, ephemeral: Ephemeral) {
        if let Stage::Ready(session) = &mut self.stage {
            session.ephemerals.send(ephemeral);
        }
    }

    /// Asks the peer something; the number that [`Event::Answered`] will have. `None` if the link is not open, or too many
    /// questions have no answer. Only where both sides said the feature that the question belongs to.
    pub fn ask(&mut self, what: Bytes) -> Option<u64> {
        if let Stage::Ready(session) = &mut self.stage { session.asks.ask(what) } else { None }
    }

    /// Answers [`Event::Asked`].
    pub fn answer(&mut self, id: u64, answer: Result<Bytes, Error>) {
        if let Stage::Ready(session) = &mut self.stage {
            session.asks.answer(id, answer);
            self.take_frames();
        }
    }

    /// Tells the peer something that may be lost; whether there was room for it.
    pub fn note(&mut self, what: Bytes) -> bool {
        if let Stage::Ready(session) = &mut self.stage { session.asks.note(what) } else { false }
    }

    /// Pings now. The peer is still there when [`answered`](Self::answered) reaches the number returned; 0, which is
    /// never reached anew, if the link is not open.
    pub fn probe(&mut self, now_ms: u64) -> u64 {
        self.set_now(now_ms);
        match &mut self.stage {
            Stage::Ready(session) => session.probe(self.now_ms),
            _ => 0,
        }
    }

    /// Ends the link and tells the peer why. What was not acknowledged goes over the next link.
    pub fn close(&mut self, error: Error) {
        if let Stage::Closed = self.stage {
            return;
        }
        self.close_out = Some(frame::encode(Kind::Close(Close { error: Some(error_out(error.clone())) })));
        self.end(false, error);
    }

    // What is known.

    /// The peer, as soon as it is known; a claim until it was judged.
    pub fn peer(&self) -> Option<&DomainName> {
        self.peer.as_ref()
    }

    /// Whether both sides agreed and the link is not closed.
    pub fn is_ready(&self) -> bool {
        self.session().is_some()
    }

    /// Whether it has ended. When [`transmit`](Self::transmit) is empty too, the stream can be closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// When the last bytes came over the open link.
    pub fn heard_ms(&self) -> Option<u64> {
        self.session().map(|s| s.heartbeat.heard_ms())
    }

    /// The last ping that the peer answered. Unlike [`heard_ms`](Self::heard_ms) it cannot move by what a peer that is
    /// dead by now had sent before.
    pub fn answered(&self) -> Option<u64> {
        self.session().map(|s| s.heartbeat.answered())
    }

    fn session(&self) -> Option<&Session> {
        if let Stage::Ready(session) = &self.stage { Some(session) } else { None }
    }

    fn set_now(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    fn is_held(&self, session: &Session) -> bool {
        session.receiving.is_full() || session.asks.is_full() || self.events.len() >= LINK_EVENTS_QUEUED_MAX
    }

    fn take_frames(&mut self) {
        loop {
            let taken = match &self.stage {
                Stage::Opening(opening) if opening.peer_hello().is_none() => frame::take(&mut self.buffer, LINK_HELLO_BYTES_MAX),
                Stage::Ready(session) if !self.is_held(session) => frame::take(&mut self.buffer, LINK_FRAME_BYTES_MAX),
                _ => return,
            };
            match taken.and_then(|frame| frame.map(|f| self.frame(f)).transpose()) {
                Ok(Some(())) => {}
                Ok(None) => break,
                Err(error) => self.close(error),
            }
        }
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new(); // an idle link keeps no buffer
        }
    }

    fn frame(&mut self, frame: Kind) -> Result<(), Error> {
        if let Kind::Close(close) = frame {
            let error = close.error.map_or_else(|| Error::new(Code::Internal), error_in);
            self.end(true, error);
            return Ok(());
        }
        match &mut self.stage {
            Stage::Opening(opening) => {
                let Kind::Hello(hello) = frame else { return Err(malformed("a hello first")) };
                let hello = hello::read(hello, &self.config)?;
                self.peer = Some(hello.from.clone());
                self.events.push_back(hello.event());
                opening.heard_hello(hello);
            }
            Stage::Ready(session) => self.events.extend(session.receive(frame)?),
            Stage::Closed => {}
        }
        Ok(())
    }

    fn go_on(&mut self) {
        let Stage::Opening(opening) = &mut self.stage else { return };
        if let Some(hello) = opening.hello_due(&self.config) {
            self.hello_out = Some(frame::encode(Kind::Hello(hello)));
        }
        match opening.step(&self.config, self.now_ms, &mut self.events) {
            Step::Wait => {}
            Step::Close(error) => self.close(error),
            Step::Ready(session) => {
                self.stage = Stage::Ready(session);
                self.take_frames();
            }
        }
    }

    fn end(&mut self, by_peer: bool, error: Error) {
        self.stage = Stage::Closed;
        self.buffer = BytesMut::new();
        self.events.push_back(Event::Closed { by_peer, error });
        if by_peer {
            self.hello_out = None;
        }
    }
}
