//! All rules of a domain. Commands come in, by local clients and remote domains alike; events come out; views are
//! derived from events. No async, no sockets, no clock, no randomness of its own.
//!
//! The way of a command: [`domain::handle`] decides in a [`store::Tx`]; the sequencer appends the records to the
//! journal and then commits the changes; whoever asks reads [`store::Store`]. Each module owns one key prefix and says
//! so on top of its `mod.rs`: governance `g`, directory `d`, accounts `a`, contacts `b`, timeline `t`, conversations
//! `c`, groups `p`, notify `n`, delivery `w`, outbox `o`, administration `m`, availability `v`, ways `k`, retention `r`, trial `y`,
//! quotas `q`, files `f`, later `l`, kept `e`. `apply` of a module
//! reads only its own keys.
//!
//! Invariant: views are a function of the journal; rebuilt, they are the same.

pub mod accounts;
pub mod administration;
pub mod availability;
pub mod command;
pub mod contacts;
pub mod context;
pub mod conversations;
pub mod delivery;
pub mod directory;
pub mod domain;
pub mod erasure;
pub mod event;
pub mod feed;
pub mod files;
pub mod governance;
pub mod groups;
pub mod kept;
pub mod later;
pub mod notify;
pub mod outbox;
pub mod quotas;
pub mod retention;
pub mod source;
pub mod store;
pub mod sync;
pub mod timeline;
pub mod trial;
pub mod ways;

pub use command::{Actor, Answer, Command};
pub use domain::{Decided, Views, handle, replay};
pub use event::{Event, Recorded};
pub use kept::stickers;
pub use source::Source;
