//! The peer's direction of a link: every batch verified and in order, and acks for what is durable here.
//! federation-spec/03-link.md §5, §6
//!
//! An entry is given out once per link and only directly after the one before it; so a driver that stores its cursor
//! with each effect has each effect exactly once.

use std::collections::{BTreeMap, VecDeque};

use startalk_protocol::{
    Code, Error,
    limits::{LINK_ITEMS_OUTSTANDING_MAX, LINK_REFUSED_MAX, LINK_UNRECORDED_BYTES_MAX},
    pb::link::{Ack, Batch, Refused},
};

use crate::{
    batch::{self, Direction, Keys},
    event::{Event, Incoming},
    frame::error_out,
    position::Position,
};

#[derive(Debug)]
pub(crate) struct Receiving {
    direction: Direction,
    /// After the last entry given to the driver.
    head: Position,
    /// Up to here it is durable.
    recorded: u64,
    /// Last sequence and bytes of each batch that is not.
    unrecorded: VecDeque<(u64, usize)>,
    unrecorded_bytes: usize,
    ack_due: bool,
    refused: BTreeMap<u64, Error>,
}

impl Receiving {
    pub(crate) fn new(direction: Direction, head: Position) -> Self {
        Self {
            direction,
            head,
            recorded: head.sequence,
            unrecorded: VecDeque::new(),
            unrecorded_bytes: 0,
            ack_due: false,
            refused: BTreeMap::new(),
        }
    }

    /// Whether the driver has so much unrecorded that nothing more is taken.
    pub(crate) fn is_full(&self) -> bool {
        self.unrecorded_bytes >= LINK_UNRECORDED_BYTES_MAX
    }

    pub(crate) fn batch(&mut self, keys: &Keys, batch: Batch) -> Result<Option<Event>, Error> {
        let batch = batch::check(&self.direction, keys, batch)?;
        if batch.last <= self.head.sequence {
            // Had it all. If it is durable the sender missed our ack; otherwise the ack is still to come.
            self.ack_due |= batch.last <= self.recorded;
            return Ok(None);
        }
        let expected = self.head.sequence + 1;
        if batch.first != expected {
            return Err(Error::new(Code::OutOfOrder).with("got", batch.first).with("expected", expected));
        }
        if batch.last - self.recorded > LINK_ITEMS_OUTSTANDING_MAX {
            let error = Error::new(Code::TooMany).with("what", "items not acknowledged");
            return Err(error.with("max", LINK_ITEMS_OUTSTANDING_MAX));
        }
        let mut bytes = 0;
        let mut items = Vec::with_capacity(batch.entries.len());
        for (entry, hash) in batch.entries {
            self.head = self.head.after(&hash);
            bytes += entry.bytes_len();
            items.push(Incoming { sequence: self.head.sequence, entry, running: self.head.running });
        }
        assert_eq!(self.head.sequence, batch.last, "a batch is as long as it was checked to be");
        self.unrecorded.push_back((batch.last, bytes));
        self.unrecorded_bytes += bytes;
        let (link_key, signature, submissions) = (batch.link_key, batch.signature, batch.submissions);
        Ok(Some(Event::Items { epoch: self.head.epoch, first: expected, items, link_key, signature, submissions }))
    }

    pub(crate) fn recorded(&mut self, up_to: u64, refused: Vec<(u64, Error)>) {
        self.recorded = self.recorded.max(up_to.min(self.head.sequence));
        while let Some((last, bytes)) = self.unrecorded.front().copied()
            && last <= self.recorded
        {
            self.unrecorded_bytes -= bytes;
            self.unrecorded.pop_front();
        }
        self.refused.extend(refused.into_iter().filter(|(sequence, _)| (1..=self.recorded).contains(sequence)));
        self.ack_due = true;
    }

    /// An ack, if one is due. Refusals that do not fit wait for the next one, and so does what comes after them.
    pub(crate) fn transmit(&mut self) -> Option<Ack> {
        if !self.ack_due {
            return None;
        }
        let later = self.refused.keys().nth(LINK_REFUSED_MAX).copied().map(|next| self.refused.split_off(&next));
        let now = std::mem::replace(&mut self.refused, later.unwrap_or_default());
        self.ack_due = !self.refused.is_empty();
        let last_told = now.keys().next_back().copied();
        let refused = |(sequence, error)| Refused { sequence, error: Some(error_out(error)) };
        Some(Ack {
            epoch: self.head.epoch.to_vec().into(),
            sequence: last_told.filter(|_| self.ack_due).unwrap_or(self.recorded),
            refused: now.into_iter().map(refused).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_refusals_go_in_several_acks_and_none_is_overtaken() {
        let domain = |s: &str| s.parse().expect("a domain");
        let direction = Direction { from: domain("a.example"), to: domain("b.example"), epoch: [1; 16] };
        let mut receiving = Receiving::new(direction, Position { sequence: 500, ..Position::start([1; 16]) });
        receiving.recorded(500, (1..=150).map(|n| (n * 2, Error::new(Code::Forbidden))).collect());
        let acks: Vec<(u64, usize)> =
            std::iter::from_fn(|| receiving.transmit()).map(|a| (a.sequence, a.refused.len())).collect();
        assert_eq!(acks, [(128, 64), (256, 64), (500, 22)]);
    }
}
