//! The link between two domains, as a state machine without sockets. federation-spec/03-link.md
//!
//! One [`Link`] is one connection: bytes, time and the driver's commands go in; bytes, deadlines and [`Event`]s come
//! out. It has no clock, no randomness, no files and no tasks; node, simulator and conformance suite drive the same
//! code. Who the peer is, is judged by the driver; what is durable, is known by the driver; the link holds what the
//! two domains must agree on: order, signatures, running hashes, windows, limits.
//!
//! The driver's loop: after every call take [`Link::event`] until there is none, answer, write everything that
//! [`Link::transmit`] and [`Link::datagram`] give, wait until [`Link::deadline`], read the stream only while
//! [`Link::wants_bytes`]. When the stream ends or breaks, what had arrived is still answered until no event is left:
//! the news that we went back may be in it. Then the link is dropped.

#![warn(missing_docs)]

mod asks;
pub mod batch;
mod check;
mod config;
mod ephemerals;
mod event;
mod frame;
mod heartbeat;
mod hello;
mod link;
mod opening;
mod position;
mod receiving;
mod second_link;
mod sending;
mod session;
mod stand;

pub use check::check;
pub use config::{Config, Entry, FEATURE_FILES, FEATURE_GROUPS, Role, VERSION_MAX, VERSION_MIN};
pub use event::{Event, Incoming, Submissions};
pub use link::Link;
pub use position::{Position, item_hash, running_after};
pub use second_link::{Other, Second, second_link};
pub use stand::{HISTORY, History, Numbering, Stand, stand};
