//! Where each conversation's records stand in the journal: its head, and blocks of 64 positions by sequence.
//!
//! Owns prefix `t`. Reads every numbered event; account streams are conversations too. Bodies are not here: paging
//! reads the journal. Invariant: sequences of a conversation are 1, 2, 3 … without gaps.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    event::Recorded,
    store::{Key, Read, Tx},
};

const PREFIX: u8 = b't';
/// Positions in one block.
const BLOCK: u64 = 64;

/// A conversation's newest end.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Head {
    /// The last sequence given.
    pub sequence: u64,
    /// Position of its last record, numbered or not.
    pub position: u64,
    /// Journal time of the last numbered record, milliseconds.
    pub time_ms: u64,
    /// Positions of the unfinished block's sequences.
    tail: Vec<u64>,
}

/// A full block: the first position, and the distances of the others from the one before.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Block {
    first: u64,
    gaps: Vec<u64>,
}

fn head_key(conversation: u64) -> Key {
    Key::numbers(PREFIX, b'h', &[conversation])
}

fn block_key(conversation: u64, block: u64) -> Key {
    Key::numbers(PREFIX, b'b', &[conversation, block])
}

/// The newest end of a conversation; all zero if nothing was said.
pub fn head(read: &impl Read, conversation: u64) -> Arc<Head> {
    read.get(&head_key(conversation)).unwrap_or_default()
}

/// Sequence of the next numbered record, and position of the record before it.
pub(crate) fn next(read: &impl Read, conversation: u64) -> (u64, u64) {
    if conversation == 0 {
        return (0, 0);
    }
    let head = head(read, conversation);
    (head.sequence + 1, head.position)
}

/// Positions of the sequences `from..=to`, as far as they exist; each block is read once.
pub fn positions(read: &impl Read, conversation: u64, from: u64, to: u64) -> Vec<u64> {
    let head = head(read, conversation);
    let (from, to) = (from.max(1), to.min(head.sequence));
    let mut out = Vec::new();
    let mut sequence = from;
    while sequence <= to {
        let block = (sequence - 1) / BLOCK;
        let (first, last) = (block * BLOCK + 1, (block + 1) * BLOCK);
        let skip = usize::try_from(sequence - first).expect("below 64");
        let take = usize::try_from(to.min(last) - sequence + 1).expect("at most 64");
        if last > head.sequence {
            out.extend(head.tail.iter().skip(skip).take(take));
        } else if let Some(full) = read.get::<Block>(&block_key(conversation, block)) {
            let all = std::iter::once(0).chain(full.gaps.iter().copied()).scan(full.first, |at, gap| {
                *at += gap;
                Some(*at)
            });
            out.extend(all.skip(skip).take(take));
        }
        sequence = last + 1;
    }
    out
}

/// Position of one sequence.
pub fn position(read: &impl Read, conversation: u64, sequence: u64) -> Option<u64> {
    if sequence == 0 { None } else { positions(read, conversation, sequence, sequence).first().copied() }
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    if record.conversation == 0 {
        return;
    }
    let mut full = None;
    tx.change(head_key(record.conversation), |h: &mut Head| {
        h.position = record.position;
        if record.sequence == 0 {
            return;
        }
        h.sequence = record.sequence;
        h.time_ms = record.time_ms;
        h.tail.push(record.position);
        if h.tail.len() as u64 == BLOCK {
            full = Some(std::mem::take(&mut h.tail));
        }
    });
    if let Some(positions) = full {
        let gaps = positions.windows(2).map(|w| w[1] - w[0]).collect();
        tx.put(block_key(record.conversation, (record.sequence - 1) / BLOCK), Block { first: positions[0], gaps });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{event::Event, store::Store};
    use startalk_protocol::pb::events::MessageAdded;

    #[test]
    fn positions_are_found_again_in_blocks_and_in_the_tail() {
        let store = Store::temporary().unwrap();
        let mut tx = Tx::new(&store, 1, 1);
        let position_of = |sequence: u64| sequence * 1000 + sequence * sequence;
        for sequence in 1..=200 {
            let event = Event::MessageAdded(MessageAdded::default(), None);
            apply(
                &mut tx,
                &Recorded { position: position_of(sequence), time_ms: 1, conversation: 9, sequence, previous: 0, event },
            );
        }
        for (from, to) in [(1, 200), (1, 1), (64, 65), (63, 130), (192, 193), (150, 500), (201, 300)] {
            let expected: Vec<u64> = (from..=to.min(200)).map(position_of).collect();
            assert_eq!(positions(&tx, 9, from, to), expected, "{from}..={to}");
        }
        assert_eq!(position(&tx, 9, 0), None);
        assert_eq!(position(&tx, 9, 201), None);
        assert_eq!(next(&tx, 9), (201, position_of(200)));
    }
}
