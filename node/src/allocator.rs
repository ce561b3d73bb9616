//! The allocator, and that it gives back what is free.
//!
//! With glibc's a message costs twice the CPU. mimalloc is built without huge pages, of which an idle node holds many and uses
//! little of each. Version 3 keeps what is free for a second before it goes back to the system, and a node then holds twice
//! what it needs, under load and at rest; with ten milliseconds, as in version 2, it does not, and a message costs the same.
//! docs/performance.md has the figures.

use startalk_protocol::error::Language;

use crate::{again, words::say};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For how many milliseconds memory that is free is kept, as mimalloc reads it when a program begins.
const KEPT: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "10");

/// Starts the program again with memory that is given back, unless it, or an operator, has said already for how long it is
/// kept. To be called first of all.
///
/// The allocator reads this before `main`; to be told later it has only what is `unsafe`.
pub(crate) fn gives_back(language: Language) {
    let (name, _) = KEPT;
    if std::env::var_os(name).is_none() {
        let error = again::start(&[KEPT]);
        let words = say(language, "the node runs, but keeps more memory than it needs", "节点可以运行，但会占用比所需更多的内存");
        tracing::warn!(%error, name, "{words}");
    }
}
