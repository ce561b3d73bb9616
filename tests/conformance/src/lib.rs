//! Holds a running node to federation-spec, from outside: a hostile domain dials it and is dialed by it, says what it
//! should not say, and a case compares what the node answers with what the specification says that it must.
//! docs/conformance.md
//!
//! A case knows the node by its address, its links and its people's clients only; what needs more ([`case::Needs`]) is
//! skipped where there is no more. Every MUST of the specification names its cases, and every case the sentences that it
//! holds the node to; a test compares the two ([`spec`]). Nothing is measured in seconds: cases wait, and fail on what
//! they hear.

pub mod away;
pub mod case;
pub mod cases;
pub mod device;
pub mod ground;
pub mod run;
pub mod spec;
pub mod witness;

pub use case::Case;
pub use ground::Ground;
