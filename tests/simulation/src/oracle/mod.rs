//! What should be: an independent account of everything durable, and of what people were told.
//!
//! `model` follows one node's records; `ledger` follows what people did and heard. Neither reads a view.

mod groups;
mod ledger;
mod model;

pub use groups::{Entry, Group, Groups};
pub use ledger::{Heard, Ledger};
pub use model::{Conversation, Model};
