//! The load generator: what a message costs, beside a limit in the same run. docs/performance.md
//!
//! Real programs as processes of their own, real TLS, real disk; this process is the clients. Every message that
//! arrives is checked against what was sent, so that a figure is never of messages lost, doubled or out of order.
//! Nothing here knows how a node works inside, but for the documented bytes of its journal.

pub mod browser;
pub mod daemon;
pub mod http;
pub mod journal;
pub mod limit;
pub mod nginx;
pub mod peers;
pub mod programs;
pub mod quic;
pub mod report;
pub mod tethered;
pub mod watched;
pub mod workloads;

pub use startalk_load::{client, clock, load, pacer, peer, proc, tally, text, tongue, wire};
