//! What the journal promises, tried on a disk that loses, tears and refuses. One file per behaviour.
//!
//! Everything follows from seeds; a failing one is in the message and is a bug report.

mod check;
mod copy;
mod crash;
mod damage;
mod disk_full;
mod erase;
mod fault_disk;
mod format;
mod poison;
mod reading;
mod refusals;
mod rewrite;
mod segments;
mod support;
mod torn_batch;
mod verify;
