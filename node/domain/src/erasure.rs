//! Forgetting: the event that says which bodies go. The write loop overwrites them when the event is durable, and
//! again at start for all that may not have been overwritten.

use startalk_protocol::pb::events as pb;

use crate::{
    event::Event,
    store::{New, Tx},
};

/// Positions in one event at most; a record has at most 64 KiB of facts.
pub const POSITIONS_MAX: usize = 4096;

/// Says that the bodies at these positions are erased.
pub(crate) fn erase(tx: &mut Tx, positions: Vec<u64>, reason: &str) {
    for chunk in positions.chunks(POSITIONS_MAX) {
        let facts = pb::Erased { positions: chunk.to_vec(), reason: reason.into() };
        tx.emit(New { conversation: 0, event: Event::Erased(facts, None) });
    }
}
