//! What people do, allowed or not; one file for each sort.
//!
//! Owns the choice among them. A new sort gets a file, a weight here, and its part of the oracle.

mod accounts;
mod direct;
mod groups;

pub use accounts::let_in;

use crate::world::World;

/// One person does one thing.
pub fn act(world: &mut World) {
    match world.chance.below(100) {
        0..=47 => direct::act(world),
        48..=67 => direct::look_on(world),
        68..=87 => groups::act(world),
        _ => accounts::act(world),
    }
}
