//! The index on the disk: its fields, its version, and how far it has read the journal.
//!
//! Owns the folder `search`, which may be deleted at any time. How far it has read is in the commit itself, so that what
//! it holds and what it says it holds cannot differ. No text is kept: what is found is read from the journal.

use std::{fs, path::Path};

use startalk_domain::sync::Cursor;
use tantivy::{
    Index, IndexSettings, TantivyDocument, Term,
    schema::{Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions},
    tokenizer::TextAnalyzer,
};

use crate::{at, cut::Cutter, paced::PacedDirectory};

/// Grows when fields or cutting change; an index of another version is thrown away.
pub const VERSION: u32 = 2;
/// Memory for words that are not on the disk yet. Twelve of these megabytes tantivy takes before the first word, and makes a
/// segment of what fits into the rest: of the least that it allows, 15, that was 4,100 messages, which were then merged again
/// and again.
pub const WRITER_BYTES: usize = 18_000_000;
/// Tries to delete a folder in which somebody still writes, and the time between two.
const REMOVE_TRIES: u32 = 100;
const REMOVE_WAIT: std::time::Duration = std::time::Duration::from_millis(100);
const CLEAN: &str = "CLEAN";
const CUTTER: &str = "startalk";

/// Names of the columns.
pub mod names {
    pub const TIME: &str = "time";
    pub const CONVERSATION: &str = "conversation";
    pub const SEQUENCE: &str = "sequence";
    pub const LATER: &str = "later";
    pub const SUBJECT: &str = "subject";
    pub const AT: &str = "at";
}

/// The fields. A document is a message, or the name of a person or a group.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// The words of a message.
    pub text: Field,
    /// Terms of a name.
    pub name: Field,
    /// Whose name: see [`person`] and [`group`].
    pub subject: Field,
    /// Journal positions of a message's record and of the bodies with its words; put and asked for by `at.rs` alone.
    at: Field,
    /// What each of them shares with its neighbours.
    pub near: Field,
    /// Of a message.
    pub conversation: Field,
    pub sequence: Field,
    /// How much later in the sequence it came to say what it says.
    pub later: Field,
    /// Number of the person.
    pub author: Field,
    /// As [`crate::text::KINDS`].
    pub kind: Field,
    /// Milliseconds since 1970.
    pub time: Field,
}

/// The subject that is a person.
pub fn person(number: u64) -> u64 {
    number << 1
}

/// The subject that is a group.
pub fn group(conversation: u64) -> u64 {
    conversation << 1 | 1
}

/// The fields as tantivy is told them.
pub fn schema() -> (Schema, Fields) {
    let mut b = Schema::builder();
    let words = |option| TextFieldIndexing::default().set_tokenizer(CUTTER).set_index_option(option).set_fieldnorms(false);
    let text = TextOptions::default().set_indexing_options(words(IndexRecordOption::WithFreqsAndPositions));
    let name = TextOptions::default().set_indexing_options(words(IndexRecordOption::Basic));
    let (found, column) = (NumericOptions::default().set_indexed(), NumericOptions::default().set_fast());
    let both = NumericOptions::default().set_indexed().set_fast();
    let fields = Fields {
        text: b.add_text_field("text", text),
        name: b.add_text_field("name", name),
        subject: b.add_u64_field(names::SUBJECT, both.clone()),
        at: b.add_u64_field(names::AT, column.clone()),
        near: b.add_u64_field("near", found.clone()),
        conversation: b.add_u64_field(names::CONVERSATION, both),
        sequence: b.add_u64_field(names::SEQUENCE, column.clone()),
        later: b.add_u64_field(names::LATER, column.clone()),
        author: b.add_u64_field("author", found.clone()),
        kind: b.add_u64_field("kind", found),
        time: b.add_u64_field(names::TIME, column),
    };
    (b.build(), fields)
}

impl Fields {
    /// Says at which positions a message is and has its words; [`at::At`] finds it by each.
    pub fn put_at(&self, document: &mut TantivyDocument, positions: &[u64]) {
        for (n, position) in positions.iter().enumerate() {
            document.add_u64(self.at, *position);
            let near = at::near(*position);
            if positions[..n].iter().all(|p| at::near(*p) != near) {
                document.add_u64(self.near, near);
            }
        }
    }

    /// The term that a name is deleted by.
    pub fn subject(&self, subject: u64) -> Term {
        Term::from_field_u64(self.subject, subject)
    }
}

/// An index and its fields.
#[derive(Clone)]
pub struct Opened {
    pub index: Index,
    pub fields: Fields,
}

/// Opens what is there, or begins an empty index. `None` in the cursor's place: it is new.
///
/// # Errors
/// It cannot be read, or is of another version: to be deleted and begun anew.
pub fn open(folder: &Path) -> tantivy::Result<(Opened, Option<Cursor>)> {
    let (schema, fields) = schema();
    let damaged = |why: &str| tantivy::TantivyError::InvalidArgument(why.to_owned());
    if !folder.join("meta.json").exists() {
        let _ = remove(folder);
        fs::create_dir_all(folder)?;
        let index = Index::create(PacedDirectory::open(folder)?, schema, IndexSettings::default())?;
        register(&index);
        return Ok((Opened { index, fields }, None));
    }
    let clean = fs::remove_file(folder.join(CLEAN)).is_ok();
    let index = Index::open(PacedDirectory::open(folder)?)?;
    if index.schema() != schema {
        return Err(damaged("it has other fields"));
    }
    register(&index);
    if !clean && !index.validate_checksum()?.is_empty() {
        return Err(damaged("a checksum differs"));
    }
    let payload = index.load_metas()?.payload;
    let cursor = match payload {
        Some(payload) => Some(cursor_of(&payload).ok_or_else(|| damaged("it is of another version"))?),
        None => None,
    };
    Ok((Opened { index, fields }, cursor))
}

/// Tells the index how text is cut.
pub fn register(index: &Index) {
    index.tokenizers().register(CUTTER, TextAnalyzer::builder(Cutter).build());
}

/// Deletes the index. Threads that were merging files of it when the writer was dropped may still write some: so it is tried
/// a few times.
///
/// # Errors
/// The disk's.
pub fn remove(folder: &Path) -> std::io::Result<()> {
    let mut tries = 0;
    loop {
        match fs::remove_dir_all(folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) if tries < REMOVE_TRIES => tries += 1,
            done => return done,
        }
        std::thread::sleep(REMOVE_WAIT);
    }
}

/// Says that the index was closed in order.
pub fn mark_clean(folder: &Path) {
    if folder.join("meta.json").exists() {
        let _ = fs::write(folder.join(CLEAN), b"");
    }
}

/// What a commit says of how far it has read.
pub fn payload(cursor: &Cursor) -> String {
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    format!("{VERSION} {} {} {} {}", hex(&cursor.journal), cursor.epoch, cursor.position, hex(&cursor.chain_tag))
}

fn cursor_of(payload: &str) -> Option<Cursor> {
    let parts: Vec<&str> = payload.split(' ').collect();
    let [version, journal, epoch, position, chain_tag] = parts[..] else { return None };
    let bytes = |hex: &str| data_encoding::HEXLOWER.decode(hex.as_bytes()).ok();
    (version.parse() == Ok(VERSION)).then_some(())?;
    Some(Cursor {
        journal: bytes(journal)?.try_into().ok()?,
        epoch: epoch.parse().ok()?,
        position: position.parse().ok()?,
        chain_tag: bytes(chain_tag)?.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_says_how_far_it_has_read_and_in_which_version() {
        let cursor = Cursor { journal: [7; 16], epoch: 3, position: 99, chain_tag: [5; 8] };
        assert_eq!(cursor_of(&payload(&cursor)), Some(cursor));
        assert_eq!(cursor_of(&payload(&cursor).replacen(&VERSION.to_string(), "1", 1)), None);
        assert_eq!(cursor_of(""), None);
    }
}
