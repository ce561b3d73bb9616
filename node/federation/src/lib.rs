//! Drives the links to other domains: who is dialed and when, whom to believe, what goes out of the outboxes, what comes
//! in and becomes commands. federation-spec/03-link.md, docs/design.md §5
//!
//! Owns one task per peer, its backoff, its open link and what `startalk peers` shows; keeps nothing durable itself (how
//! long a peer has been silent is told to the domain). Knows no rule: everything that changes the domain is a
//! [`Command`](startalk_domain::Command) through the sequencer's handle, and everything sent is read from the journal.
//! Never knows a client.
//!
//! Where to begin: [`Federation`] (what the node calls), `peer` (the task of one peer), `live` (one open link), `trust`
//! (whom to believe), `dial` (how a peer is reached).
//!
//! Invariant: one link at a time carries items between two domains, and it is opened with what the views say after
//! everything that came over the one before has had its effect.

#![warn(missing_docs)]

mod ask;
mod backoff;
mod better;
mod config;
mod crossing;
mod dial;
mod federation;
mod files;
mod groups;
mod history;
mod live;
mod newcomers;
mod opening;
mod peer;
mod quota;
mod receiving;
mod second;
mod sending;
mod shared;
mod slot;
mod status;
mod transport;
mod trust;
mod wire;

pub use config::{Clock, EphemeralIn, FederationConfig, FileBytes, FillRandom, Identity, LinkIdentity, Quota, ReadFile, Timings};
pub use federation::Federation;
pub use status::{Direction, PeerStatus, Refusal, State, Transport};
