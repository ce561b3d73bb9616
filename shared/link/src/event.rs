//! Everything that a link tells its driver: the closed list of what can happen.
//!
//! The driver takes events until there are none, after every call that gives the link bytes, time or an answer.

use bytes::Bytes;
use startalk_protocol::{DomainName, Error, pb::link::Ephemeral};

use crate::{config::Entry, position::Position};

/// One verified entry that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its number in the peer's epoch.
    pub sequence: u64,
    /// The item, or the hash of one that was erased.
    pub entry: Entry,
    /// Running hash after it: with epoch and sequence, our cursor once it is recorded.
    pub running: [u8; 32],
}

/// A signature over hashes of group submissions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submissions {
    /// What each is known by (`startalk_protocol::group::submission_hash`).
    pub hashes: Vec<[u8; 32]>,
    /// By the batch's link key.
    pub signature: [u8; 64],
}

/// What happened on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The peer says who it is. Check record, charter, pin and policy and call [`Link::judge`](crate::Link::judge);
    /// an acceptor then calls [`Link::open`](crate::Link::open). Until then nothing else is read.
    Hello {
        /// Whom it says to be; for a dialer this is whom we wanted.
        from: DomainName,
        /// Bytes of its `SignedRecord`.
        record: Bytes,
        /// Made when its process started: two at a time show two copies.
        instance: [u8; 16],
        /// The version that both speak.
        version: u32,
        /// What it can do.
        features: Vec<String>,
        /// Where its outbox to us ends.
        sent: Position,
        /// What it has of ours.
        received: Option<Position>,
    },
    /// What the peer says to have of ours. Answer with [`Link::history`](crate::Link::history): where it
    /// [`stand`](crate::stand)s in the journal as it is *now*.
    CompareHistory {
        /// The peer's cursor.
        received: Option<Position>,
        /// What else it has or had, the newest first; `None` if it cannot say.
        known: Option<Vec<Position>>,
    },
    /// The peer began a new epoch; its items come from 1 again, and repeated ones are known by their message ids.
    NewPeerEpoch {
        /// Our cursor in its former epoch.
        was: Position,
        /// Its present epoch.
        epoch: [u8; 16],
    },
    /// Both sides agreed: push items from `send_from`; everything before it is acknowledged. Then tell the peer again
    /// with [`Link::recorded`](crate::Link::recorded) what was refused among its last
    /// [`LINK_ITEMS_OUTSTANDING_MAX`](startalk_protocol::limits::LINK_ITEMS_OUTSTANDING_MAX) items: it may not have
    /// heard it.
    Ready {
        /// The version that both speak.
        version: u32,
        /// What both can do, sorted.
        features: Vec<String>,
        /// Number of the first item that the peer does not have.
        send_from: u64,
        /// Where we stand in the peer's items; the next one comes after it.
        receiving: Position,
    },
    /// What the peer has is no place of our present epoch. Begin a new one for this peer, and for nobody else, before
    /// anything more is written for it. [`Event::Closed`] follows.
    Apart {
        /// What the peer has of ours.
        theirs: Option<Position>,
        /// As in [`Stand::Apart`](crate::Stand::Apart).
        after: Option<u64>,
        /// *Our* history was cut, or the peer lies; otherwise the peer went back behind our present epoch.
        went_back: bool,
    },
    /// What the peer says to have sent is behind what we have of it, or differs. [`Event::Closed`] follows; the peer
    /// comes back with a new epoch.
    PeerWentBack {
        /// Where the peer says its outbox ends.
        theirs: Position,
        /// What we have.
        ours: Position,
    },
    /// One verified batch: consecutive entries that come right after everything before. Record them with their
    /// cursor, in one durable write, then call [`Link::recorded`](crate::Link::recorded).
    Items {
        /// The peer's epoch.
        epoch: [u8; 16],
        /// Number of the first.
        first: u64,
        /// In order.
        items: Vec<Incoming>,
        /// The link key that signed.
        link_key: [u8; 32],
        /// Its signature over [`batch::signed_bytes`](crate::batch::signed_bytes).
        signature: [u8; 64],
        /// The same key's signature over the hashes of the group submissions that are among them, if there are any.
        submissions: Option<Submissions>,
    },
    /// The peer asks; answer with [`Link::answer`](crate::Link::answer). Nothing more is read while many wait.
    Asked {
        /// For the answer.
        id: u64,
        /// What.
        what: Bytes,
    },
    /// The peer answers what was asked.
    Answered {
        /// Of the question.
        id: u64,
        /// What, or why not.
        answer: Result<Bytes, Error>,
    },
    /// The peer tells something.
    Noted(Bytes),
    /// The peer has durably recorded ours up to here. What was refused may be told more than once; it must be durable
    /// here before the entry
    /// [`LINK_ITEMS_OUTSTANDING_MAX`](startalk_protocol::limits::LINK_ITEMS_OUTSTANDING_MAX) after it is pushed, because
    /// the peer tells only what is newer again.
    Acked {
        /// Cumulative.
        up_to: u64,
        /// Numbers of refused items, ascending, with the reasons.
        refused: Vec<(u64, Error)>,
    },
    /// Typing or presence; may be lost, doubled or late.
    Ephemeral(Ephemeral),
    /// The link has ended; the last event. Send what is left to transmit, then close the stream.
    Closed {
        /// Whether the peer said it.
        by_peer: bool,
        /// Why.
        error: Error,
    },
}
