//! What every Startalk program shares: names and ids, limits, errors with their words in Chinese and English,
//! signatures, and the protobuf messages of all wires and of the journal.
//!
//! Owns no state and does no I/O. A value of a type from [`ids`] is always well-formed.

pub mod content;
pub mod error;
pub mod framing;
pub mod group;
pub mod ids;
pub mod limits;
pub mod original;
pub mod sabotage;
pub mod signing;
pub mod trust;

pub use error::{Code, Error};
pub use ids::{AccountName, DomainName, GroupId, MessageId, UserId};

/// The generated protobuf messages; `shared/protocol/proto` has their meaning.
pub mod pb {
    #![allow(missing_docs, clippy::all)]
    pub mod content {
        include!(concat!(env!("OUT_DIR"), "/startalk.content.rs"));
    }
    pub mod trust {
        include!(concat!(env!("OUT_DIR"), "/startalk.trust.rs"));
    }
    pub mod link {
        include!(concat!(env!("OUT_DIR"), "/startalk.link.rs"));
    }
    pub mod client {
        include!(concat!(env!("OUT_DIR"), "/startalk.client.rs"));
    }
    pub mod events {
        include!(concat!(env!("OUT_DIR"), "/startalk.events.rs"));
    }
    pub mod group {
        include!(concat!(env!("OUT_DIR"), "/startalk.group.rs"));
    }
    pub mod tether {
        include!(concat!(env!("OUT_DIR"), "/startalk.tether.rs"));
    }
}
