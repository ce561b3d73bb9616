//! What the journal's bytes are spent on, read from its files as docs/journal-format.md describes them.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, Result};
use prost::Message as _;
use startalk_protocol::pb::events;

use crate::wire::{put_varint, take_varint};

/// Of `MessageAdded`.
const MESSAGE_ADDED: u64 = 51;
/// Before the first record of a segment.
const SEGMENT_HEADER_BYTES: usize = 4096;
const MARKER: u8 = 0xf7;
const HASH_BYTES: usize = 24;
const TAG_BYTES: usize = 8;
const SALT_BYTES: usize = 16;

/// Bytes of records, by part.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    /// How many records.
    pub count: u64,
    /// Of their headers.
    pub header: u64,
    /// What is kept for ever.
    pub facts: u64,
    /// What people wrote, with its salt.
    pub body: u64,
}

impl Parts {
    /// All of them.
    pub fn bytes(&self) -> u64 {
        self.header + self.facts + self.body
    }
}

/// A journal's files.
#[derive(Debug, Default)]
pub struct Usage {
    /// Of all records.
    pub all: Parts,
    /// Of messages.
    pub messages: Parts,
    /// As long as the files are.
    pub file_bytes: u64,
    /// Segments' headers, tables and footers.
    pub frame_bytes: u64,
    /// What the bytes of the last message are: name and number.
    pub example: Vec<(&'static str, usize)>,
}

impl Usage {
    /// Bytes that hold something.
    pub fn in_use(&self) -> u64 {
        self.all.bytes() + self.frame_bytes
    }
}

/// Reads all segments in a journal's folder, whose node is stopped or quiet.
pub fn usage(folder: &Path) -> Result<Usage> {
    let mut usage = Usage::default();
    let mut segments = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        usage.file_bytes += entry.metadata()?.len();
        if entry.path().extension().is_some_and(|e| e == "segment") {
            segments.insert(entry.file_name(), entry.path());
        }
    }
    for path in segments.values() {
        segment(&fs::read(path)?, &mut usage).with_context(|| path.display().to_string())?;
    }
    Ok(usage)
}

fn segment(bytes: &[u8], usage: &mut Usage) -> Result<()> {
    let mut rest = bytes.get(SEGMENT_HEADER_BYTES..).context("expected a header")?;
    while rest.first() == Some(&MARKER) {
        let record = Record::take(&mut rest).context("expected a whole record")?;
        let parts = [&mut usage.all, &mut usage.messages];
        for sum in parts.into_iter().take(if record.kind == MESSAGE_ADDED { 2 } else { 1 }) {
            sum.count += 1;
            sum.header += record.header as u64;
            sum.facts += record.facts.len() as u64;
            sum.body += record.body.len() as u64;
        }
        if record.kind == MESSAGE_ADDED {
            usage.example = record.taken_apart()?;
        }
    }
    let is_sealed = bytes.len() >= 128 && bytes[bytes.len() - 128..].starts_with(b"STSEALED");
    usage.frame_bytes += SEGMENT_HEADER_BYTES as u64 + if is_sealed { rest.len() as u64 } else { 0 };
    Ok(())
}

struct Record<'a> {
    kind: u64,
    header: usize,
    /// Bytes of each number in the header, in order.
    numbers: [usize; 12],
    facts: &'a [u8],
    body: &'a [u8],
}

impl<'a> Record<'a> {
    /// Off the front.
    fn take(rest: &mut &'a [u8]) -> Option<Self> {
        let all = rest.len();
        *rest = rest.get(1 + 4..)?;
        let (mut values, mut numbers) = ([0; 12], [0; 12]);
        for (value, length) in values.iter_mut().zip(&mut numbers) {
            let before = rest.len();
            *value = take_varint(rest)?;
            *length = before - rest.len();
        }
        let [facts_len, body_len] = [values[2], values[3]].map(|n| n as usize);
        *rest = rest.get(HASH_BYTES * if body_len > 0 { 2 } else { 1 } + TAG_BYTES..)?;
        let header = all - rest.len();
        let (facts, after) = rest.split_at_checked(facts_len)?;
        let (body, after) = after.split_at_checked(body_len)?;
        *rest = after;
        Some(Self { kind: values[0], header, numbers, facts, body })
    }

    /// What its bytes are, if it is a message.
    fn taken_apart(&self) -> Result<Vec<(&'static str, usize)>> {
        const NAMES: [&str; 12] = [
            "kind",
            "version",
            "length of facts",
            "length of body",
            "batch",
            "remaining in batch",
            "position",
            "epoch",
            "time",
            "conversation",
            "sequence",
            "distance to the conversation's record before",
        ];
        let facts = events::MessageAdded::decode(self.facts)?;
        let number = |n: u64| if n == 0 { 0 } else { 1 + varint_len(n) };
        let nested = |len: usize| if len == 0 { 0 } else { 1 + varint_len(len as u64) + len };
        let mut parts = vec![("marker and checksum", 5)];
        parts.extend(NAMES.into_iter().zip(self.numbers));
        parts.extend([("hash of facts", HASH_BYTES), ("hash of body", HASH_BYTES), ("chain tag", TAG_BYTES)]);
        parts.extend([
            ("message id", nested(facts.id.len())),
            ("author", number(facts.author)),
            ("device", number(facts.device)),
            ("counter", number(facts.counter)),
            ("author's time, reply", number(facts.sent_ms as u64) + nested(facts.reply_to.len())),
            ("cursor of the link it came by", nested(facts.r#in.map_or(0, |l| l.encoded_len()))),
            ("place on the link it goes by", nested(facts.out.map_or(0, |l| l.encoded_len()))),
            ("salt", SALT_BYTES.min(self.body.len())),
            ("content", self.body.len().saturating_sub(SALT_BYTES)),
        ]);
        parts.retain(|(_, bytes)| *bytes > 0);
        Ok(parts)
    }
}

fn varint_len(n: u64) -> usize {
    let mut out = Vec::new();
    put_varint(&mut out, n);
    out.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of docs/journal-format.md: its first record, and the beginning of its second.
    const EXAMPLE: &str = "f7a2901342010105150101010180d8c1a28c34ac020100851e8cde791dfb51f925223d14bf7103fe1b2b783685e2d6284515c9540f494bc8946496b4e47f97cb338df49e376d749059aefcb484ffd06661637473abababababababababababababababab68656c6c6ff76ab03c32";

    #[test]
    fn the_formats_own_example_is_read() {
        let bytes: Vec<u8> = (0..EXAMPLE.len()).step_by(2).map(|i| u8::from_str_radix(&EXAMPLE[i..i + 2], 16).unwrap()).collect();
        let mut rest = &bytes[..];
        let record = Record::take(&mut rest).unwrap();
        assert_eq!((record.kind, record.facts, &record.body[SALT_BYTES..], rest.len()), (1, &b"facts"[..], &b"hello"[..], 5));
        assert_eq!(record.header, 105 - 5 - 21);
    }
}
