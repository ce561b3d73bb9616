//! Load on a server: people who write at a given speed over real TLS, each message checked at everybody who hears it, and
//! what it cost the processes that were asked about.
//!
//! For the load generator (`bench`), which measures other servers too, and for `startalk bench`, by which an operator
//! measures their own machine. Knows how to speak to a node and to start one; nothing of a node's inside, and no workload.

pub mod client;
pub mod clock;
pub mod load;
pub mod pacer;
pub mod peer;
pub mod people;
pub mod proc;
pub mod process;
pub mod stopped;
pub mod tally;
pub mod text;
pub mod tongue;
pub mod wire;
