//! Real binaries, driven from outside: nodes and hubs as processes on loopback, people who talk through the SDK, and
//! counting at the receiving clients. The tests are in `tests/`, one file for each behaviour.
//!
//! Every wait is for a condition and ends only after nothing has moved for [`wait::PATIENCE`]: what fails a test is a
//! count, a size or an order, never a duration. `STARTALK_BINARIES=<folder>` takes the programs from there instead of
//! having cargo build them; `STARTALK_E2E_KEEP=1` keeps the folders of a test that went well, too.

pub mod dns_hook;
pub mod network;
pub mod node;
pub mod pebble;
pub mod person;
pub mod seed;
pub mod slapd;
pub mod small_disk;
pub mod tally;
pub mod terminal;
pub mod wait;
pub mod world;

pub use dns_hook::DnsHook;
pub use network::{Home, Nat, Network, Space};
pub use node::Node;
pub use pebble::Pebble;
pub use person::Person;
pub use seed::Seed;
pub use small_disk::SmallDisk;
pub use tally::Tally;
pub use terminal::Terminal;
pub use wait::until;
pub use world::World;
