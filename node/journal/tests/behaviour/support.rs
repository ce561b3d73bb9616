//! Drafts, small journals, and the comparison of what was appended with what is read.

use startalk_journal::fault::{FaultDisk, SplitMix64};
use startalk_journal::{AppendJournal, Body, Draft, Journal, OpenReport, Options, ReadJournal, Reader};

pub const ID: [u8; 16] = *b"a journal's name";

/// Segments of 8 KiB of records in extents of 1 KiB: everything that happens rarely happens often.
pub const SMALL: Options = Options { segment_bytes: 12 * 1024, extent_bytes: 1024 };

/// The first segment's file.
pub const FIRST: &str = "0000000000000001.segment";

/// Where records begin in a segment's file.
pub const RECORDS: usize = 4096;

pub fn create(disk: &FaultDisk) -> Journal {
    Journal::create(disk.arc(), ID, SMALL).expect("an empty disk")
}

pub fn open(disk: &FaultDisk) -> (Journal, OpenReport) {
    Journal::open(disk.arc(), SMALL).expect("a journal in order")
}

/// A message of the given size; `n` makes it unlike others.
pub fn message(n: u64, body_len: usize) -> Draft {
    let mut body: Vec<u8> = (0..body_len.max(16)).map(|i| (n as usize + i) as u8).collect();
    body[0] |= 1;
    Draft {
        kind: 7,
        version: 1,
        time_ms: 1_790_000_000_000 + n,
        conversation: 3 + n % 5,
        sequence: n,
        previous: 0,
        facts: format!("facts of {n}, as they are").into_bytes(),
        body: Some(body),
    }
}

pub fn append(journal: &mut Journal, drafts: &[Draft]) {
    let head = journal.head();
    journal.append(drafts, &head).expect("a good batch on a good disk");
}

/// A batch of any shape that fits the small segments, at a time not before `time_ms`.
pub fn random_batch(random: &mut SplitMix64, time_ms: u64, position: u64) -> Vec<Draft> {
    let count = if random.one_in(6) { 1 + random.below(12) } else { 1 + random.below(3) };
    let mut time_ms = time_ms;
    let mut drafts = Vec::new();
    for index in 0..count {
        time_ms += random.below(3);
        let facts_len = random.below(60) as usize;
        let body_len = if random.one_in(8) { random.below(700) } else { random.below(120) } as usize;
        let mut body = random.bytes(16 + body_len);
        body[3] |= 1;
        drafts.push(Draft {
            kind: random.below(300) as u16,
            version: random.below(4) as u8,
            time_ms,
            conversation: random.below(40),
            sequence: random.below(100_000),
            previous: random.below(position + index + 1),
            facts: random.bytes(facts_len),
            body: (!random.one_in(4)).then_some(body),
        });
    }
    drafts
}

/// Everything in the journal must be `expected`, in order; bodies at `erased` (by position) erased, all others present.
pub fn assert_same(reader: &Reader, expected: &[Draft], erased: &dyn Fn(u64) -> bool, what: &str) {
    assert_eq!(reader.head().position, expected.len() as u64, "{what}: records");
    let mut position = 1;
    while position <= expected.len() as u64 {
        let records = reader.read_from(position, 100, 1 << 20).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert!(!records.is_empty(), "{what}: nothing at {position}");
        for record in records {
            let draft = &expected[position as usize - 1];
            assert_eq!(record.header.position, position, "{what}");
            assert_eq!(as_draft(&record, draft, erased(position)), *draft, "{what}: position {position}");
            position += 1;
        }
    }
}

/// The record as the draft it was; an erased body is taken from `draft`, if it may be erased.
fn as_draft(record: &startalk_journal::Record, draft: &Draft, may_be_erased: bool) -> Draft {
    let header = &record.header;
    let body = match &record.body {
        Body::None => None,
        Body::Present(body) => Some(body.to_vec()),
        Body::Erased => may_be_erased.then(|| draft.body.clone()).flatten().or(Some(b"erased".to_vec())),
    };
    Draft {
        kind: header.kind,
        version: header.version,
        time_ms: header.time_ms,
        conversation: header.conversation,
        sequence: header.sequence,
        previous: header.previous,
        facts: record.facts.to_vec(),
        body,
    }
}

pub fn never(_position: u64) -> bool {
    false
}

/// Everything is as it should be, by `verify`.
pub fn assert_sound(journal: &Journal, is_erased: &dyn Fn(u64) -> bool, what: &str) {
    let report = journal.verify(is_erased, &mut |_| {}).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(report.damages, [], "{what}");
    assert_eq!(report.records, journal.head().position, "{what}");
}
