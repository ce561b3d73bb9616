//! The append-only journal of a domain: everything durable that happens is a record here, and all else is derived from it.
//!
//! Owns the segment files in its folder, their bytes for ever (`docs/journal-format.md`), what is cut after a crash, and
//! the overwriting of bodies that must be forgotten. Never knows what a kind, a conversation or a body means; never reads
//! a clock, makes randomness or runs a task.
//!
//! Invariant: what `append` returned `Ok` for is found again by every later `open`, in order, unchanged but for erased
//! bodies – or the open fails and names the place.
//!
//! Where to begin: [`Journal`] (create, open, append, erase), [`Reader`] (reading, `verify`), [`Disk`] (what it needs of a
//! filesystem), [`fault::FaultDisk`] (a disk for tests that loses, tears and refuses).

mod append;
mod check;
mod content;
mod copy;
mod disk;
mod encode;
mod erase;
mod error;
pub mod fault;
mod folder;
mod header;
mod journal;
pub mod limits;
mod open;
mod reader;
mod record;
mod repair;
mod rewrite;
mod scan;
mod seal;
mod segment;
mod shared;
mod varint;
mod verify;
mod window;

pub use check::check;
pub use content::content_hash;
pub use disk::{Disk, DiskFile};
pub use error::{AppendError, CreateError, DraftFault, EraseError, Fault, OpenError, Place, ReadError, RewriteError, is_full};
pub use folder::FolderDisk;
pub use journal::{Journal, Options};
pub use open::{CutBatch, OpenReport};
pub use reader::Reader;
pub use record::{AppendJournal, Body, Draft, Head, Header, ReadJournal, Record};
pub use rewrite::{Erased, Rewritten};
pub use segment::FORMAT_VERSION;
pub use verify::{Damage, VerifyProgress, VerifyReport};
