//! A link that is open: frames in, frames out, both directions and the heartbeat together.
//!
//! Control frames are slots, not queues: however often the peer asks, at most one answer of each sort waits.

use bytes::{BufMut, Bytes, BytesMut};
use startalk_protocol::{
    Error,
    pb::link::{Ping, Pong, frame::Frame as Kind},
};

use crate::{
    asks::Asks,
    batch::Keys,
    ephemerals::Ephemerals,
    event::Event,
    frame::{self, malformed},
    heartbeat::{Beat, Heartbeat},
    receiving::Receiving,
    sending::Sending,
};

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) keys: Keys,
    /// Whether both said the feature that questions, answers and notes belong to.
    groups: bool,
    pub(crate) sending: Sending,
    pub(crate) receiving: Receiving,
    pub(crate) ephemerals: Ephemerals,
    pub(crate) asks: Asks,
    pub(crate) heartbeat: Heartbeat,
    ping: Option<u64>,
    pong: Option<u64>,
}

impl Session {
    pub(crate) fn new(keys: Keys, sending: Sending, receiving: Receiving, groups: bool, now_ms: u64) -> Self {
        Self {
            keys,
            groups,
            sending,
            receiving,
            ephemerals: Ephemerals::default(),
            asks: Asks::default(),
            heartbeat: Heartbeat::new(now_ms),
            ping: None,
            pong: None,
        }
    }

    /// One frame of the peer's, but a close.
    pub(crate) fn receive(&mut self, frame: Kind) -> Result<Option<Event>, Error> {
        match frame {
            Kind::Batch(batch) => return self.receiving.batch(&self.keys, batch),
            Kind::Ack(ack) => return self.sending.ack(ack),
            Kind::Ephemeral(ephemeral) => self.ephemerals.received(ephemeral),
            Kind::Ping(ping) => self.pong = Some(ping.nonce),
            Kind::Pong(pong) => self.heartbeat.pong(pong.nonce),
            Kind::Ask(_) | Kind::Answer(_) | Kind::Note(_) if !self.groups => {
                return Err(malformed("no frame of a feature that was not agreed on"));
            }
            Kind::Ask(ask) => return self.asks.asked(ask).map(Some),
            Kind::Answer(answer) => return self.asks.answered(answer).map(Some),
            Kind::Note(note) => return Ok(Some(Event::Noted(note.what))),
            Kind::Hello(_) | Kind::Close(_) => return Err(malformed("one hello")),
        }
        Ok(None)
    }

    /// The next bytes for the stream: first what is short and waited for.
    pub(crate) fn transmit(&mut self, datagrams: bool) -> Option<Bytes> {
        if let Some(nonce) = self.pong.take() {
            return Some(frame::encode(Kind::Pong(Pong { nonce })));
        }
        if let Some(nonce) = self.ping.take() {
            return Some(frame::encode(Kind::Ping(Ping { nonce })));
        }
        if let Some(ack) = self.receiving.transmit() {
            return Some(frame::encode(Kind::Ack(ack)));
        }
        if let Some(batch) = self.sending.transmit() {
            return Some(frame::encode(Kind::Batch(batch)));
        }
        if let Some(kind) = self.asks.transmit() {
            return Some(frame::encode(kind));
        }
        let ephemeral = if datagrams { None } else { self.ephemerals.next_out() }?;
        let mut framed = BytesMut::with_capacity(4 + ephemeral.len());
        framed.put_u32(u32::try_from(ephemeral.len()).expect("an ephemeral is small"));
        framed.put(ephemeral);
        Some(framed.freeze())
    }

    pub(crate) fn probe(&mut self, now_ms: u64) -> u64 {
        let nonce = self.heartbeat.ping(now_ms);
        self.ping = Some(nonce);
        nonce
    }

    /// Whether the peer is still there.
    pub(crate) fn tick(&mut self, now_ms: u64, reading: bool) -> bool {
        match self.heartbeat.tick(now_ms, reading) {
            Beat::Dead => return false,
            Beat::Ping(nonce) => self.ping = Some(nonce),
            Beat::Quiet => {}
        }
        true
    }
}
