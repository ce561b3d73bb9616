//! Where each conversation's records stand in the journal: its head, and blocks of 64 positions by sequence.
//!
//! Owns prefix `t`. Reads every numbered event; account streams are conversations too. Bodies are not here: paging
//! reads the journal. Sequences of a conversation are 1, 2, 3 … without gaps; only a replica of a group's log has none of
//! the stretches that its domain has no right to (GroupReplicaBegan), and position 0 in their place.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    event::{Event, Recorded},
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
                *at = at.wrapping_add(gap);
                Some(*at)
            });
            out.extend(all.skip(skip).take(take));
        } else {
            out.extend(std::iter::repeat_n(0, take)); // a stretch that is not here
        }
        sequence = last + 1;
    }
    out
}

/// Position of one sequence.
pub fn position(read: &impl Read, conversation: u64, sequence: u64) -> Option<u64> {
    let position = if sequence == 0 { None } else { positions(read, conversation, sequence, sequence).first().copied() };
    position.filter(|p| *p != 0)
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    if let Event::GroupReplicaBegan(f, _) = &record.event {
        leap(tx, f.conversation, f.base);
    }
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
        write_block(tx, record.conversation, (record.sequence - 1) / BLOCK, &positions);
    }
}

fn write_block(tx: &mut Tx, conversation: u64, block: u64, positions: &[u64]) {
    let gaps = positions.windows(2).map(|w| w[1].wrapping_sub(w[0])).collect();
    tx.put(block_key(conversation, block), Block { first: positions[0], gaps });
}

/// The next record will have the sequence after `base`; what is between is not here.
fn leap(tx: &mut Tx, conversation: u64, base: u64) {
    let mut full = None;
    tx.change(head_key(conversation), |h: &mut Head| {
        if base <= h.sequence {
            return;
        }
        let (block, next) = (h.sequence / BLOCK, base / BLOCK);
        h.sequence = base;
        if next > block && !h.tail.is_empty() {
            let mut tail = std::mem::take(&mut h.tail);
            tail.resize(usize::try_from(BLOCK).expect("64"), 0);
            full = Some((block, tail));
        }
        h.tail.resize(usize::try_from(base % BLOCK).expect("below 64"), 0);
    });
    if let Some((block, positions)) = full {
        write_block(tx, conversation, block, &positions);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;
    use startalk_protocol::pb::events::{GroupReplicaBegan, MessageAdded};

    fn at(position: u64, sequence: u64, event: Event) -> Recorded {
        let conversation = if sequence == 0 { 0 } else { 9 };
        Recorded { position, time_ms: 1, conversation, sequence, previous: 0, event, body_hash: [0; 24] }
    }

    #[test]
    fn what_a_replica_has_no_right_to_leaves_a_hole_wherever_it_begins_and_ends() {
        for (last, base) in [
            (0, 1),
            (0, 63),
            (0, 64),
            (0, 65),
            (10, 20),
            (10, 64),
            (63, 64),
            (64, 65),
            (60, 200),
            (64, 128),
            (100, 128),
            (5, 1000),
        ] {
            let store = Store::temporary().unwrap();
            let mut tx = Tx::new(&store, 1, 1);
            let message = || Event::MessageAdded(MessageAdded::default(), None);
            (1..=last).for_each(|s| apply(&mut tx, &at(s * 10, s, message())));
            let began = GroupReplicaBegan { conversation: 9, base, ..Default::default() };
            apply(&mut tx, &at(5000, 0, Event::GroupReplicaBegan(began, None)));
            assert_eq!(next(&tx, 9).0, base + 1);
            (base + 1..=base + 150).for_each(|s| apply(&mut tx, &at(s * 10, s, message())));
            let expected = |s: u64| if s <= last || s > base { s * 10 } else { 0 };
            let all: Vec<u64> = (1..=base + 150).map(expected).collect();
            assert_eq!(positions(&tx, 9, 1, base + 150), all, "{last} {base}");
            assert_eq!(position(&tx, 9, base), (last == base).then_some(base * 10));
        }
    }

    #[test]
    fn positions_are_found_again_in_blocks_and_in_the_tail() {
        let store = Store::temporary().unwrap();
        let mut tx = Tx::new(&store, 1, 1);
        let position_of = |sequence: u64| sequence * 1000 + sequence * sequence;
        for sequence in 1..=200 {
            let event = Event::MessageAdded(MessageAdded::default(), None);
            apply(&mut tx, &at(position_of(sequence), sequence, event));
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
