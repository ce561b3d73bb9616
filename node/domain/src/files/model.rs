//! What is known of files.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use startalk_protocol::pb::events as pb;

/// Entries of one view value.
pub(super) const CHUNK: u64 = 256;

/// A picture, as its author's node found it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// Pixels, as shown.
    pub width: u32,
    /// Pixels, as shown.
    pub height: u32,
    /// ThumbHash.
    pub blur: Vec<u8>,
    /// BLAKE3 of a small copy.
    pub thumb: Option<[u8; 32]>,
    /// BLAKE3 of a copy for viewing.
    pub reduced: Option<[u8; 32]>,
}

/// A file that was put into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// BLAKE3 of its bytes.
    pub hash: [u8; 32],
    /// Bytes.
    pub size: u64,
    /// As found in the bytes.
    pub media_type: String,
    /// If it is one.
    pub picture: Option<Picture>,
}

/// A file that the domain knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Here {
    /// Its number.
    pub file: u64,
    /// BLAKE3 of its bytes.
    pub hash: [u8; 32],
    /// Bytes.
    pub size: u64,
    /// As found in the bytes, or as its domain says.
    pub media_type: String,
    /// Number of the domain that it came from; 0: somebody here put it into the store.
    pub origin: u64,
    /// If it is one that was put here.
    pub picture: Option<Picture>,
}

/// What an account holds, in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// How many.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// All files together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sorts {
    /// Put into the store by people here.
    pub stored: Used,
    /// That people of other domains refer to; not all of them are here.
    pub of_others: Used,
}

/// What the views know of a file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Entry {
    /// Zeros: it was forgotten since, and this is replayed.
    pub hash: [u8; 32],
    pub size: u64,
    pub media_type: String,
    pub origin: u64,
    pub picture: Option<Picture>,
    /// Of its FilesMet.
    pub met_at: u64,
    /// The first and the last number of that.
    pub met_with: (u64, u64),
    /// Records that have referred to it.
    pub references: u64,
    /// Whether one of them was somebody's of this domain.
    pub said_here: bool,
    /// Accounts.
    pub holders: Vec<u64>,
    /// Its bytes are to go.
    pub forgotten: bool,
}

impl Entry {
    pub(super) fn of(facts: &pb::FilesMet, size: u64, met: Option<(&pb::MetFile, [u8; 32])>, position: u64) -> Self {
        let copy = |bytes: &Bytes| <[u8; 32]>::try_from(bytes.as_ref()).ok();
        let picture = met.filter(|(met, _)| met.width != 0).map(|(met, _)| Picture {
            width: met.width,
            height: met.height,
            blur: met.blur.to_vec(),
            thumb: copy(&met.thumb),
            reduced: copy(&met.reduced),
        });
        Self {
            hash: met.map_or([0; 32], |m| m.1),
            size,
            media_type: met.map(|m| m.0.media_type.clone()).unwrap_or_default(),
            origin: facts.origin,
            picture,
            met_at: position,
            met_with: (facts.first, (facts.first + facts.sizes.len() as u64).saturating_sub(1)),
            ..Self::default()
        }
    }

    pub(super) fn here(&self, file: u64) -> Here {
        Here {
            file,
            hash: self.hash,
            size: self.size,
            media_type: self.media_type.clone(),
            origin: self.origin,
            picture: self.picture.clone(),
        }
    }
}

/// Positions of records that refer to a file, ascending.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct References {
    pub positions: Vec<u64>,
}

/// (file, since when in milliseconds), ascending.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Holding {
    pub files: Vec<(u64, u64)>,
}
