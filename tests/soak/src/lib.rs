//! Endurance: two nodes and a hub as processes under mixed load, while they are killed, cut off, filled up, flooded and not
//! listened to; at the end of every cycle everything that was acknowledged is there once, and memory and files are flat.
//!
//! docs/overload.md says what must hold. Chance comes out of a seed. What fails a run is a count, a size or an order, never a
//! duration.

pub mod device;
pub mod ground;
pub mod relay;
pub mod run;
pub mod sample;
mod summary;
pub mod trouble;
pub mod voice;

pub use run::{Options, Outcome, run};
pub use trouble::Trouble;
