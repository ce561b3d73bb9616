//! The allocator, and that it gives back what is free.
//!
//! With glibc's a message costs twice the CPU. mimalloc is built without huge pages, of which an idle node holds many and uses
//! little of each. Version 3 keeps what is free for a second before it goes back to the system, and a node then holds twice
//! what it needs, under load and at rest; with ten milliseconds, as in version 2, it does not, and a message costs the same.
//! docs/performance.md has the figures.

use std::{hint::black_box, time::Duration};

use startalk_protocol::error::Language;

use crate::{again, words::say};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// For how many milliseconds memory that is free is kept, as mimalloc reads it when a program begins.
const KEPT: (&str, &str) = ("MIMALLOC_PURGE_DELAY", "10");

/// How often the allocator is made to look at what is free, and by how many bytes: so many that no page of a thread has room for
/// them. They are never written to, so the system never gives any.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const LOOK_BYTES: usize = 4 << 20;

/// Goes on for ever: what is free for longer than it is to be kept goes back also where nobody frees anything any more. The
/// allocator looks only when much is freed; a node that had just made its search index and was then left alone kept up to
/// two fifths more than it needed.
pub(crate) async fn looks_again() {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        drop(black_box(Vec::<u8>::with_capacity(LOOK_BYTES)));
    }
}

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
