//! Documents on their way to tantivy's thread, many at once, in order with what is deleted before and after them.
//!
//! Handed over one by one, each would wake that thread.

use tantivy::{IndexWriter, TantivyDocument, Term, indexer::UserOperation, query::Query};

/// Documents handed over at once at most, and about as many bytes of text as may be in them: tantivy looks at its memory only
/// between two of these.
const AT_ONCE: usize = 64;
const BYTES_AT_ONCE: usize = 128 * 1024;

/// What waits to be handed over. To be flushed: what is dropped with it is in no index.
pub struct Batch<'a> {
    writer: &'a IndexWriter,
    waiting: Vec<UserOperation>,
    bytes: usize,
}

impl<'a> Batch<'a> {
    /// Nothing yet.
    pub fn new(writer: &'a IndexWriter) -> Self {
        Self { writer, waiting: Vec::with_capacity(AT_ONCE), bytes: 0 }
    }

    /// Adds this one, which has so many bytes of text, behind all that came before.
    ///
    /// # Errors
    /// tantivy's.
    pub fn add(&mut self, document: TantivyDocument, bytes: usize) -> tantivy::Result<()> {
        self.waiting.push(UserOperation::Add(document));
        self.bytes += bytes;
        if self.waiting.len() < AT_ONCE && self.bytes < BYTES_AT_ONCE { Ok(()) } else { self.flush() }
    }

    /// Deletes what was added before and has this term.
    pub fn delete_term(&mut self, term: Term) {
        self.waiting.push(UserOperation::Delete(term));
    }

    /// Deletes what was added before and is found so.
    ///
    /// # Errors
    /// tantivy's.
    pub fn delete(&mut self, found: impl Query) -> tantivy::Result<()> {
        self.flush()?;
        self.writer.delete_query(Box::new(found)).map(drop)
    }

    /// Hands over what waits.
    ///
    /// # Errors
    /// tantivy's.
    pub fn flush(&mut self) -> tantivy::Result<()> {
        self.bytes = 0;
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.writer.run(self.waiting.drain(..)).map(drop)
    }
}
