//! Places in a peer's items that are kept beside the cursor, so that a peer whose history was cut finds where it parted.
//!
//! Of each epoch every 16th place near its end, and ever fewer further back (a few for each power of two), so that what is
//! sent again without need is no more than about what was lost. federation-spec/03-link.md §4

use std::sync::Arc;

use startalk_protocol::limits::LINK_KNOWN_MAX;

use super::{Inbox, PREFIX};
use crate::store::{Key, Read, Tx};

/// Between two places near the end: a compromise between writing a list for every item and sending again.
const EVERY: u64 = 16;
/// Places kept for each power of two.
const RUNGS: u64 = 4;

fn known_key(peer: u64) -> Key {
    Key::numbers(PREFIX, b'k', &[peer])
}

/// Places after items of a peer, the oldest first, beside its [`inbox`](super::inbox).
pub fn known(read: &impl Read, peer: u64) -> Arc<Vec<Inbox>> {
    read.get(&known_key(peer)).unwrap_or_default()
}

/// The cursor has moved to `place`.
pub(super) fn moved(tx: &mut Tx, peer: u64, place: &Inbox) {
    if place.sequence.is_multiple_of(EVERY) {
        tx.change(known_key(peer), |all: &mut Vec<Inbox>| {
            all.retain(|old| old.epoch != place.epoch || old.sequence > place.sequence || stays(old.sequence, place.sequence));
            push(all, place);
        });
    }
}

/// The peer begins another epoch; this was its last place in the one before.
pub(super) fn ended(tx: &mut Tx, peer: u64, place: &Inbox) {
    if place.sequence > 0 {
        tx.change(known_key(peer), |all: &mut Vec<Inbox>| push(all, place));
    }
}

fn push(all: &mut Vec<Inbox>, place: &Inbox) {
    if all.last() != Some(place) {
        all.push(place.clone());
    }
    let surplus = all.len().saturating_sub(LINK_KNOWN_MAX);
    all.drain(..surplus);
}

/// Whether an older place stays when a newer one comes: the last few of each power of two do.
fn stays(old: u64, new: u64) -> bool {
    let (old, new) = (old / EVERY, new / EVERY);
    let power = old.trailing_zeros().min(63);
    (new >> power) - (old >> power) < RUNGS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(items: u64) -> Vec<u64> {
        let mut kept: Vec<u64> = Vec::new();
        for place in (1..=items).filter(|n| n.is_multiple_of(EVERY)) {
            kept.retain(|old| stays(*old, place));
            kept.push(place);
        }
        kept
    }

    #[test]
    fn what_is_lost_at_the_end_is_followed_by_a_place_not_much_further_back() {
        for items in [16, 100, 1_000, 12_345, 200_000] {
            let kept = after(items);
            assert!(kept.len() <= 4 * 14, "{} of {items}", kept.len());
            for lost in (0..items).step_by(7) {
                let parted = items - lost;
                let place = kept.iter().rev().find(|k| **k <= parted).copied().unwrap_or(0);
                assert!(parted - place <= lost + 2 * EVERY, "{lost} of {items} lost, {} sent again", parted - place);
            }
        }
    }
}
