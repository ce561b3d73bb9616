//! Whole nodes in one process: a real sequencer over a journal on a disk that can fail, real QUIC and TLS on loopback.
//! Each has a runtime of its own, so that it can be killed.

mod exchange;
mod files;
mod groups;
mod node;
mod refusals;
mod silence;
mod speed;
mod trouble;
mod went_back;
mod world;
