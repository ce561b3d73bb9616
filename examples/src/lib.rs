//! What the example programs share: real processes started and stopped, people who sign in, and texts to send.

pub mod people;
pub mod processes;
pub mod texts;
