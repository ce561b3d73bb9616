//! The journal as its consumers read it: everything that happened after a place they remember, oldest first.
//!
//! A consumer keeps its place outside the views; reading is at least once, so what it does must bear being done again.
//! Never says what a record means. Invariant: a place goes on only in the journal that it was made in; a lost or
//! foreign one is noticed, and the consumer begins where its kind does: at the head if it acts outside, at zero if it
//! only indexes.

use std::{fmt, str::FromStr};

use startalk_journal::ReadError;

use crate::{
    domain::{ReplayError, Views},
    event::Recorded,
};

/// Bytes of a chain tag.
const TAG_BYTES: usize = 8;

/// Everything up to `position` was dealt with, in the journal that has this chain tag there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Ordinal in the journal; 0: before the first record.
    pub position: u64,
    /// Of the record there; zeros at 0.
    pub chain_tag: [u8; TAG_BYTES],
}

impl fmt::Display for Place {
    /// `<position> <tag>`, as it is kept in a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:016x}", self.position, u64::from_be_bytes(self.chain_tag))
    }
}

/// The text is no place: expected `<position> <16 hexadecimal digits>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place in a journal: expected `<position> <16 hexadecimal digits>`")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (position, tag) = text.trim().split_once(' ').filter(|(_, tag)| tag.len() == 2 * TAG_BYTES).ok_or(NoPlace)?;
        let tag = u64::from_str_radix(tag, 16).map_err(|_| NoPlace)?;
        Ok(Self { position: position.parse().map_err(|_| NoPlace)?, chain_tag: tag.to_be_bytes() })
    }
}

/// The place of `position`.
///
/// # Errors
/// If the journal cannot be read there.
pub fn place(views: &Views, position: u64) -> Result<Place, ReadError> {
    let chain_tag = if position == 0 { [0; TAG_BYTES] } else { views.journal.header(position)?.chain_tag };
    Ok(Place { position, chain_tag })
}

/// The position after which to go on; `None` if the place is none of this journal, which went back behind it or is another.
pub fn resume(views: &Views, kept: Place) -> Option<u64> {
    (kept.position <= head(views) && place(views, kept.position).ok()? == kept).then_some(kept.position)
}

/// The position of the newest record.
pub fn head(views: &Views) -> u64 {
    views.journal.head().position
}

/// What happened after `position`, oldest first: at most `records_max` and about `bytes_max`, at least one if there is
/// one.
///
/// # Errors
/// If the journal cannot be read, or is of a later version.
pub fn after(views: &Views, position: u64, records_max: usize, bytes_max: usize) -> Result<Vec<Recorded>, ReplayError> {
    let records = views.journal.read_from(position + 1, records_max, bytes_max)?;
    records.iter().map(|record| Recorded::read(record).map_err(Into::into)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_as_it_was_written_and_nothing_else_is_one() {
        let place = Place { position: 12, chain_tag: [0, 1, 2, 3, 4, 5, 6, 255] };
        assert_eq!(place.to_string(), "12 00010203040506ff");
        assert_eq!(place.to_string().parse(), Ok(place));
        for text in ["", "12", "12 ", "x 00010203040506ff", "12 00010203040506f", "12 00010203040506fg", "-1 00010203040506ff"] {
            assert_eq!(text.parse::<Place>(), Err(NoPlace), "{text:?}");
        }
    }
}
