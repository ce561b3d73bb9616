//! The load generator: what a message costs, beside a limit in the same run. docs/performance.md
//!
//! Real programs as processes of their own, real TLS, real disk; this process is the clients. Every message that
//! arrives is checked against what was sent, so that a figure is never of messages lost, doubled or out of order.
//! Nothing here knows how a node works inside, but for the documented bytes of its journal.

pub mod browser;
pub mod client;
pub mod clock;
pub mod daemon;
pub mod http;
pub mod journal;
pub mod limit;
pub mod load;
pub mod nginx;
pub mod pacer;
pub mod peer;
pub mod peers;
pub mod proc;
pub mod programs;
pub mod report;
pub mod tally;
pub mod tethered;
pub mod text;
pub mod tongue;
pub mod watched;
pub mod wire;
pub mod workloads;
