//! Scenarios of the link: two state machines in virtual time, with drivers that keep what they must, and crash.

mod crashes;
mod ephemerals;
mod handshake;
mod hostile;
mod node;
mod parted;
mod timing;
mod transfer;
mod went_back;
mod world;
