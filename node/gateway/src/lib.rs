//! Clients' connections: the only crate that knows `client.proto` and HTTP. No rule lives here: what may be done is
//! decided by `node/domain`, and what happened comes back as committed records.
//!
//! Owns the sessions (one task, one outbox each), who is connected, what waits for a moment before it is journaled
//! (marks) or is never journaled (typing, presence), and the few pages that a browser gets from a node. It owns no
//! socket: the node accepts connections and hands them in by protocol. docs/client-protocol.md
//!
//! Invariant: a session that was told a cursor has been handed everything up to that position before.

mod account;
mod away;
mod config;
mod connection;
mod conversation;
mod convert;
mod crowd;
mod directories;
mod dispatch;
pub mod edge;
mod enter;
mod ephemera;
mod export;
mod fan_out;
mod figures;
mod files;
mod framing;
mod gateway;
mod groups;
mod guard;
mod holdings;
mod kept;
mod later;
mod marks;
mod navigation;
mod notify;
mod outbox;
mod own;
mod passkeys;
mod presence;
mod reading;
mod registry;
mod search;
pub mod secrets;
mod session;
mod sync;
mod ways;
mod web;
mod websocket;

pub use config::{GatewayConfig, Limits, PasswordCost, RemoteEphemera, Silence};
pub use export::SignExport;
pub use figures::{Figures, Transport};
pub use framing::check;
pub use gateway::Gateway;
pub use groups::{ReadersAsked, RemoteReaders};
pub use navigation::navigation;
pub use web::{Asker, CALLBACK_PATH, WebClient, WebFile};
