//! What a link is told at its beginning, and the entries that it carries.
//!
//! The driver fills this in from the domain's journal and from the transport; nothing of it changes while the link
//! lives.

use bytes::Bytes;
use startalk_protocol::{DomainName, signing::SecretKey};

use crate::position::item_hash;

/// The lowest protocol version spoken here.
pub const VERSION_MIN: u32 = 1;
/// The highest protocol version spoken here.
pub const VERSION_MAX: u32 = 1;

/// The feature that questions, answers and notes belong to.
pub const FEATURE_GROUPS: &str = "groups";

/// The feature that questions for bytes of files belong to.
pub const FEATURE_FILES: &str = "files";

/// Who opened the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// We did, to reach this domain, and say hello at once.
    Dialer {
        /// Whom we want; anybody else is refused.
        peer: DomainName,
    },
    /// The peer did. We say hello only to a peer that was judged.
    Acceptor,
}

/// What a link is told at its beginning.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our domain.
    pub domain: DomainName,
    /// Bytes of our `SignedRecord`.
    pub record: Bytes,
    /// One of our link keys that is valid now; it signs our batches.
    pub key: SecretKey,
    /// 16 random bytes made when the process started.
    pub instance: [u8; 16],
    /// Names of what we can do beyond the version, each of a-z 0-9 and `-`.
    pub features: Vec<String>,
    /// Who opened the connection.
    pub role: Role,
    /// The public key that the peer showed in its TLS certificate; `None` only where there is no TLS (simulators).
    pub tls_peer_key: Option<[u8; 32]>,
    /// Whether the transport has datagrams; ephemerals go in them then.
    pub datagrams: bool,
}

/// One numbered place in a direction of a link.
#[derive(Clone, PartialEq, Eq)]
pub enum Entry {
    /// Bytes of a `link.Item`, at most [`LINK_ITEM_BYTES_MAX`](startalk_protocol::limits::LINK_ITEM_BYTES_MAX).
    Item(Bytes),
    /// The same, for an item that is a group submission: with what the submission is known by, to be signed for others
    /// than the receiver too. What comes in is always an [`Item`](Self::Item).
    Submission(Bytes, [u8; 32]),
    /// The hash of an item that has been erased since.
    Withheld([u8; 32]),
}

impl Entry {
    /// The item's hash.
    pub fn hash(&self) -> [u8; 32] {
        match self {
            Self::Item(bytes) | Self::Submission(bytes, _) => item_hash(bytes),
            Self::Withheld(hash) => *hash,
        }
    }

    pub(crate) fn bytes_len(&self) -> usize {
        match self {
            Self::Item(bytes) | Self::Submission(bytes, _) => bytes.len(),
            Self::Withheld(hash) => hash.len(),
        }
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Item(bytes) => write!(f, "Item({} bytes)", bytes.len()),
            Self::Submission(bytes, _) => write!(f, "Submission({} bytes)", bytes.len()),
            Self::Withheld(_) => f.write_str("Withheld"),
        }
    }
}
