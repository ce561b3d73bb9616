//! Our direction of a link: what was given to send, what the window allows, and what the peer has acknowledged.
//! federation-spec/03-link.md §5, §6
//!
//! Owns only what the transport has not taken yet. Everything else is in the driver's outbox, and comes again after
//! the peer's cursor on the next link.

use std::collections::VecDeque;

use startalk_protocol::{
    Code, Error,
    limits::{
        LINK_BATCH_BYTES_MAX, LINK_BATCH_ITEMS_MAX, LINK_ITEM_BYTES_MAX, LINK_ITEMS_OUTSTANDING_MAX, LINK_REFUSED_MAX,
        LINK_UNSENT_BYTES_MAX,
    },
    pb::link::{Ack, Batch},
    signing::SecretKey,
};

use crate::{
    batch::{self, Direction},
    config::Entry,
    event::Event,
    frame::{error_in, malformed},
    position::Position,
};

#[derive(Debug)]
pub(crate) struct Sending {
    direction: Direction,
    key: SecretKey,
    acked: u64,
    /// After the last entry that was pushed.
    pushed: Position,
    unsent: VecDeque<(Entry, [u8; 32])>,
    unsent_bytes: usize,
}

impl Sending {
    /// `from` is what the peer has: the next entry to push comes after it.
    pub(crate) fn new(direction: Direction, key: SecretKey, from: Position) -> Self {
        Self { direction, key, acked: from.sequence, pushed: from, unsent: VecDeque::new(), unsent_bytes: 0 }
    }

    pub(crate) fn pushed(&self) -> Position {
        self.pushed
    }

    /// How many more entries may be pushed now.
    pub(crate) fn can_push(&self) -> u64 {
        if self.unsent_bytes >= LINK_UNSENT_BYTES_MAX {
            return 0;
        }
        LINK_ITEMS_OUTSTANDING_MAX - (self.pushed.sequence - self.acked)
    }

    /// Takes entries while there is room; says how many.
    pub(crate) fn push(&mut self, entries: impl IntoIterator<Item = Entry>) -> Result<u64, Error> {
        let mut taken = 0;
        let mut entries = entries.into_iter();
        while self.can_push() > 0
            && let Some(entry) = entries.next()
        {
            let length = entry.bytes_len();
            if length > LINK_ITEM_BYTES_MAX {
                let error = Error::new(Code::TooLarge).with("what", "An item of ours").with("got", length);
                return Err(error.with("max", LINK_ITEM_BYTES_MAX));
            }
            let hash = entry.hash();
            self.pushed = self.pushed.after(&hash);
            self.unsent_bytes += length;
            self.unsent.push_back((entry, hash));
            taken += 1;
        }
        Ok(taken)
    }

    fn sent(&self) -> u64 {
        self.pushed.sequence - self.unsent.len() as u64
    }

    /// Signs what is waiting, as one batch.
    pub(crate) fn transmit(&mut self) -> Option<Batch> {
        let first = self.sent() + 1;
        let (mut count, mut bytes) = (0, 0);
        for (entry, _) in self.unsent.iter().take(LINK_BATCH_ITEMS_MAX) {
            if count > 0 && bytes + entry.bytes_len() > LINK_BATCH_BYTES_MAX {
                break;
            }
            bytes += entry.bytes_len();
            count += 1;
        }
        if count == 0 {
            return None;
        }
        self.unsent_bytes -= bytes;
        let entries = self.unsent.drain(..count).collect();
        Some(batch::make(&self.direction, &self.key, first, entries))
    }

    /// The peer's ack; an event if it says something new.
    pub(crate) fn ack(&mut self, ack: Ack) -> Result<Option<Event>, Error> {
        if ack.epoch != self.direction.epoch[..] {
            return Err(malformed("an ack of the epoch of the hello"));
        }
        if ack.sequence > self.sent() {
            return Err(Error::new(Code::OutOfOrder).with("got", ack.sequence).with("expected", self.sent()));
        }
        if ack.refused.len() > LINK_REFUSED_MAX {
            return Err(Error::new(Code::TooMany).with("what", "refusals in an ack").with("max", LINK_REFUSED_MAX));
        }
        let mut refused = Vec::with_capacity(ack.refused.len());
        let mut before = 0;
        for one in ack.refused {
            if one.sequence <= before || one.sequence > ack.sequence {
                return Err(malformed("refused items in order and acknowledged"));
            }
            before = one.sequence;
            refused.push((one.sequence, error_in(one.error.ok_or_else(|| malformed("a reason for refusing"))?)));
        }
        let news = ack.sequence > self.acked || !refused.is_empty();
        self.acked = self.acked.max(ack.sequence);
        Ok(news.then_some(Event::Acked { up_to: self.acked, refused }))
    }
}
