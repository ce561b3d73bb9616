//! Search: people, groups and messages that somebody may read. A consumer of the journal, with an index of its own that can
//! be deleted at any time.
//!
//! Owns the folder `search` beside the journal. Never decides who may read what: it asks `startalk-domain` while it gathers
//! hits; never keeps text: what is found is read from the journal, as a page of history is. Where to begin: [`Search`];
//! `reading.rs` says what a record means to the index, `keeper.rs` keeps it, `find.rs` asks it.
//!
//! Invariant: nothing about what the asker may not read comes out, and everything that the index says was read from the
//! journal up to its cursor.

mod ask;
mod at;
mod batch;
mod collect;
mod cut;
mod find;
mod fold;
mod index;
mod keeper;
mod names;
mod paced;
mod reading;
mod search;
mod shows;
mod text;

pub use ask::{BYTES_MAX, check};
pub use find::{Found, FoundGroup, FoundMessage, FoundPerson, PAGE_MAX, Place, Question, may_search};
pub use search::Search;
pub use shows::Excerpt;
