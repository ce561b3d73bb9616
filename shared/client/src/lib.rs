//! The Rust SDK: find a domain and check its key, sign in, sync, send exactly once, and hear what happens.
//! docs/client-protocol.md
//!
//! [`Client::connect`] opens a connection on which one signs in or registers; [`Client::start`] makes a [`Session`] of
//! it, which reconnects by itself, and an [`Events`] to hear from. [`Session::resume`] goes on where an earlier process
//! ended. What a session accepted to send is in its [`Store`] before `send` returns; it is sent until it is answered,
//! under the same number, so that it arrives exactly once. Knows no screen and keeps no messages of others.
//!
//! Invariant: a frame goes only to a connection whose key is one of the domain's verified link keys.

pub mod address;
mod client;
pub mod content;
mod conversations;
mod dial;
mod error;
mod event;
pub mod files;
mod lines;
mod options;
mod outbox;
mod session;
pub mod store;
mod wire;

pub use address::{Home, JoinLink, Server};
pub use client::{Client, Recovery};
pub use dial::{Dial, DialHttp, Dialled, Duplex, NetDial, RECORD_URL_PATH};
pub use error::{ClientError, DialError};
pub use event::{CommandKind, Event, State};
pub use options::{Backoff, Options, Transport};
pub use outbox::Outgoing;
pub use session::{Events, Session, Status, Target, new_key};
pub use startalk_net::{
    HubUrl,
    discovery::{Step, steps_in_words},
    install_crypto,
};
pub use startalk_protocol::{
    Code, Error, MessageId, UserId,
    content::{files_of, kind_of, size_words},
    error::Language,
    pb::{client as wire_types, content as wire_content},
};
pub use store::{Account, FileStore, MemoryStore, Store};
