//! A domain that keeps to no rule, for tests that attack a running node: it has keys, charter, record and an outbox of its
//! own, dials and accepts over QUIC and TLS, says what it is told to say, and hears what the node answers.
//!
//! Everything is made by hand from the wire's own messages, so that each part can be good or spoiled; nothing here checks
//! what it sends. What the node sends is checked ([`Line`]): signatures, numbers, and that errors keep to their limits.
//! Knows no test.

pub mod address;
pub mod connection;
pub mod dns;
pub mod groups;
pub mod http;
pub mod items;
pub mod line;
pub mod mallory;
pub mod station;

pub use address::Address;
pub use connection::{Connection, Over};
pub use dns::NameServer;
pub use line::Line;
pub use mallory::{Mallory, key, now_ms, position};
pub use station::Station;
