//! Where the peer stands in what we sent, found by hashes: in our present epoch, in a former one, or where both histories
//! parted. federation-spec/03-link.md §4
//!
//! Pure; the driver lends its outbox. Invariant: a place is believed only if our own hash there is the peer's, or if it is
//! the beginning of an epoch of which the peer has something: it had everything before it then.

use startalk_protocol::{
    Error,
    pb::link::StreamPosition,
    sabotage::{self, Switch},
};

use crate::position::Position;

/// The feature of those whose hello says what they know of former epochs.
pub const HISTORY: &str = "history";

/// Which items an epoch numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbering {
    /// The epoch.
    pub epoch: [u8; 16],
    /// Items before its first one, from the first item ever.
    pub before: u64,
    /// Its items.
    pub count: u64,
}

/// Our outbox to a peer, as its driver keeps it.
pub trait History {
    /// Our epochs: the present one, then former ones.
    fn numberings(&self) -> &[Numbering];
    /// Running hashes of an epoch after these sequences, each of 1 to `count`.
    ///
    /// # Errors
    /// The driver's; the link is closed with it.
    fn running_at(&self, numbering: &Numbering, sequences: &[u64]) -> Result<Vec<[u8; 32]>, Error>;
}

/// Where the peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stand {
    /// In our present epoch: what comes after `position` is sent.
    At {
        /// Its place, a sequence of the present epoch.
        position: Position,
        /// Up to this sequence it has what the items do, from a former epoch: they go as hashes.
        has: u64,
    },
    /// At no place of our present epoch: a new one has to begin.
    Apart {
        /// After this item, from the first ever; `None`: a peer that cannot say, so where its last ack was recorded.
        after: Option<u64>,
        /// It has what we do not: our history was cut, or it lies.
        went_back: bool,
    },
}

/// Finds where the peer stands. `received` is its cursor, `known` what else it knows, the newest first; `None` if it does
/// not have the feature [`HISTORY`].
///
/// # Errors
/// The driver's.
pub fn stand(history: &impl History, received: Option<Position>, known: Option<&[Position]>) -> Result<Stand, Error> {
    let all = history.numberings();
    let Some(present) = all.first() else { return Ok(Stand::Apart { after: Some(0), went_back: false }) };
    let cursor = received.filter(|c| c.sequence > 0);
    let evidence: Vec<Position> = cursor.into_iter().chain(known.into_iter().flatten().copied()).collect();
    if let Some(cursor) = cursor.filter(|c| c.epoch == present.epoch) {
        if fit(history, present, &[cursor])?[0] {
            return Ok(Stand::At { position: cursor, has: cursor.sequence });
        }
        let after = if known.is_some() { Some(search(history, all, &evidence)?.0) } else { None };
        return Ok(Stand::Apart { after, went_back: true });
    }
    let (found, proven) = search(history, all, &evidence)?;
    // Who cannot tell what else it knows is believed to have what it acknowledged once.
    let sure = known.is_some() || proven;
    let unknown_epoch = known.is_some() && cursor.is_some_and(|c| all.iter().all(|n| n.epoch != c.epoch));
    let too_late = sure && found < present.before && !sabotage::is(Switch::FormerEpochsForgotten);
    if unknown_epoch || too_late {
        return Ok(Stand::Apart { after: Some(found), went_back: unknown_epoch });
    }
    let has = if sure { found.saturating_sub(present.before).min(present.count) } else { 0 };
    Ok(Stand::At { position: Position::start(present.epoch), has })
}

/// How many items the peer has, from the first ever, and whether a hash proves it.
fn search(history: &impl History, all: &[Numbering], evidence: &[Position]) -> Result<(u64, bool), Error> {
    for of_epoch in evidence.chunk_by(|a, b| a.epoch == b.epoch) {
        let Some(numbering) = all.iter().find(|n| n.epoch == of_epoch[0].epoch) else { continue };
        let fits = fit(history, numbering, of_epoch)?;
        let place = of_epoch.iter().zip(fits).find(|(_, fits)| *fits).map(|(p, _)| p.sequence);
        return Ok((numbering.before + place.unwrap_or(0), place.is_some()));
    }
    Ok((0, false))
}

/// Which of these positions of one epoch are in our history.
fn fit(history: &impl History, numbering: &Numbering, positions: &[Position]) -> Result<Vec<bool>, Error> {
    let inside = |p: &&Position| (1..=numbering.count).contains(&p.sequence);
    let sequences: Vec<u64> = positions.iter().filter(inside).map(|p| p.sequence).collect();
    let mut ours = history.running_at(numbering, &sequences)?.into_iter();
    Ok(positions.iter().map(|p| inside(&p) && ours.next() == Some(p.running)).collect())
}

/// The positions of a hello; `None` if one of them is no place after an item.
pub(crate) fn known_from_wire(wire: &[StreamPosition]) -> Option<Vec<Position>> {
    let position = |p: &StreamPosition| Position::from_wire(p).ok().flatten().filter(|p| p.sequence > 0);
    wire.iter().map(position).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Item hashes are their numbers from the first ever.
    struct Model(Vec<Numbering>);

    fn running(numbering: &Numbering, sequence: u64) -> [u8; 32] {
        (numbering.before + 1..=numbering.before + sequence)
            .fold([0; 32], |running, n| crate::running_after(&running, &crate::item_hash(&n.to_be_bytes())))
    }

    impl History for Model {
        fn numberings(&self) -> &[Numbering] {
            &self.0
        }
        fn running_at(&self, numbering: &Numbering, sequences: &[u64]) -> Result<Vec<[u8; 32]>, Error> {
            assert!(sequences.iter().all(|s| (1..=numbering.count).contains(s)));
            Ok(sequences.iter().map(|s| running(numbering, *s)).collect())
        }
    }

    const ONE: Numbering = Numbering { epoch: [1; 16], before: 0, count: 100 };
    const TWO: Numbering = Numbering { epoch: [2; 16], before: 90, count: 30 };

    fn at(numbering: &Numbering, sequence: u64) -> Position {
        Position { epoch: numbering.epoch, sequence, running: running(numbering, sequence) }
    }

    fn lost(epoch: u8, sequence: u64) -> Position {
        Position { epoch: [epoch; 16], sequence, running: [9; 32] }
    }

    fn check(received: Option<Position>, known: Option<&[Position]>, expected: Stand) {
        assert_eq!(stand(&Model(vec![TWO, ONE]), received, known).unwrap(), expected, "{received:?} {known:?}");
    }

    fn begins(has: u64) -> Stand {
        Stand::At { position: Position::start(TWO.epoch), has }
    }

    fn apart(after: Option<u64>, went_back: bool) -> Stand {
        Stand::Apart { after, went_back }
    }

    #[test]
    fn a_cursor_of_the_present_epoch_goes_on_or_proves_a_cut() {
        check(Some(at(&TWO, 30)), Some(&[]), Stand::At { position: at(&TWO, 30), has: 30 });
        check(Some(lost(2, 30)), Some(&[lost(2, 28), at(&TWO, 24), at(&TWO, 16)]), apart(Some(114), true));
        check(Some(lost(2, 31)), Some(&[]), apart(Some(90), true));
        check(Some(lost(2, 31)), None, apart(None, true));
    }

    #[test]
    fn a_cursor_of_a_former_epoch_is_found_there() {
        check(Some(at(&ONE, 95)), Some(&[]), begins(5));
        check(Some(at(&ONE, 90)), None, begins(0));
        check(Some(at(&ONE, 40)), Some(&[]), apart(Some(40), false));
        check(Some(at(&ONE, 40)), None, apart(Some(40), false));
        check(Some(lost(1, 130)), Some(&[lost(1, 96), at(&ONE, 64)]), apart(Some(64), false));
        check(Some(lost(1, 130)), Some(&[lost(1, 96), at(&ONE, 92)]), begins(2));
        check(Some(lost(1, 130)), None, begins(0));
    }

    #[test]
    fn what_came_before_the_present_epoch_counts_as_long_as_nothing_of_it_came() {
        check(Some(Position::start(TWO.epoch)), Some(&[at(&ONE, 93)]), begins(3));
        check(Some(Position::start(TWO.epoch)), Some(&[at(&ONE, 40)]), apart(Some(40), false));
        check(Some(Position::start(TWO.epoch)), Some(&[]), apart(Some(0), false));
        check(Some(Position::start(TWO.epoch)), None, begins(0));
        check(None, Some(&[]), apart(Some(0), false));
        check(None, None, begins(0));
    }

    #[test]
    fn an_epoch_that_we_do_not_know_shows_a_cut_to_who_can_say_what_came_before() {
        check(Some(lost(3, 7)), Some(&[lost(3, 4), at(&TWO, 12)]), apart(Some(102), true));
        check(Some(lost(3, 7)), Some(&[]), apart(Some(0), true));
        check(Some(lost(3, 7)), None, begins(0));
    }
}
