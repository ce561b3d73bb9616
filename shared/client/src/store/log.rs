//! The records of what was sent: the vocabulary of `sent.log`.
//!
//! Numbers of fields never change their meaning; an unknown record is skipped, so that an older program can go on.

use bytes::Bytes;
use prost::{Message, Oneof};

/// One record.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct SentRecord {
    #[prost(oneof = "record::What", tags = "1, 2, 3, 4")]
    pub what: Option<record::What>,
}

pub(crate) mod record {
    //! The kinds of record.
    use super::{Answered, Forgotten, Oneof, Queued};

    #[derive(Clone, PartialEq, Oneof)]
    pub(crate) enum What {
        #[prost(message, tag = "1")]
        Queued(Queued),
        #[prost(message, tag = "2")]
        Answered(Answered),
        #[prost(message, tag = "3")]
        Forgotten(Forgotten),
        /// Numbers up to this may have been used.
        #[prost(uint64, tag = "4")]
        Counted(u64),
    }
}

/// A command that was accepted: sent under its number until it is answered.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Queued {
    #[prost(uint64, tag = "1")]
    pub counter: u64,
    /// 1 send, 2 edit, 3 recall, 4 a group begun, 5 an act in a group, 6 joining one, 7 deciding an invitation.
    #[prost(uint32, tag = "2")]
    pub kind: u32,
    #[prost(uint64, tag = "3")]
    pub conversation: u64,
    /// The person; empty if only the conversation's number is known.
    #[prost(string, tag = "4")]
    pub to: String,
    #[prost(bytes = "bytes", tag = "5")]
    pub content: Bytes,
    #[prost(bytes = "bytes", tag = "6")]
    pub reply_to: Bytes,
    /// Of a message that is offered again.
    #[prost(bytes = "bytes", tag = "7")]
    pub known_id: Bytes,
    /// Of the message that an edit or recall is about.
    #[prost(uint64, tag = "8")]
    pub target: u64,
    /// When it was accepted, by this device's clock.
    #[prost(int64, tag = "9")]
    pub time_ms: i64,
    /// The device that it was accepted on: the numbers of another mean nothing to the node.
    #[prost(uint64, tag = "10")]
    pub device: u64,
    /// Kinds 4 to 7: the whole command as the wire has it, without its number.
    #[prost(bytes = "bytes", tag = "11")]
    pub command: Bytes,
    /// In a group instead of `reply_to`.
    #[prost(uint64, tag = "12")]
    pub reply_sequence: u64,
    /// The group's id: its number here may change when a node is restored.
    #[prost(string, tag = "13")]
    pub group: String,
}

/// The node did it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Answered {
    #[prost(uint64, tag = "1")]
    pub counter: u64,
    #[prost(uint64, tag = "2")]
    pub conversation: u64,
    #[prost(uint64, tag = "3")]
    pub sequence: u64,
    #[prost(bytes = "bytes", tag = "4")]
    pub id: Bytes,
    #[prost(int64, tag = "5")]
    pub time_ms: i64,
}

/// Failed for good, or replaced by another: neither pending nor to be offered again.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Forgotten {
    #[prost(uint64, tag = "1")]
    pub counter: u64,
}
