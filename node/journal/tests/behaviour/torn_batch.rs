//! The last batch torn at every byte: it is cut as a whole, reported, and its positions are given again.

use crate::support::*;
use startalk_journal::fault::{FaultDisk, SECTOR};
use startalk_journal::{CutBatch, Draft, Head};

/// A journal of two batches, its file before and after the last one, and where that one begins.
struct Torn {
    disk: FaultDisk,
    head: Head,
    start: usize,
    batch: Vec<u8>,
    drafts: Vec<Draft>,
}

fn torn() -> Torn {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    append(&mut journal, &[message(1, 30)]);
    append(&mut journal, &[message(2, 30), message(3, 50)]);
    let head = journal.head();
    let before = disk.file(FIRST).expect("a segment");
    append(&mut journal, &[message(4, 40), Draft { body: None, ..message(5, 0) }, message(6, 25)]);
    let after = disk.file(FIRST).expect("a segment");
    let differs = |index: &usize| before.get(*index).copied().unwrap_or(0) != after[*index];
    let start = (0..after.len()).find(differs).expect("the batch");
    let end = (0..after.len()).rev().find(|&index| after[index] != 0).expect("the batch") + 1;
    let drafts = [1, 2, 3].map(|n| message(n, [30, 30, 50][n as usize - 1])).to_vec();
    Torn { disk, head, start, batch: after[start..end].to_vec(), drafts }
}

/// Opens with `bytes` in place of the last batch, expects it to be cut (with `records` whole records, if given), and goes on.
fn cuts(torn: &Torn, bytes: &[u8], records: Option<u32>, what: &str) {
    let disk = torn.disk.copy();
    let mut file = disk.file(FIRST).expect("a segment");
    file[torn.start..torn.start + bytes.len()].copy_from_slice(bytes);
    disk.put(FIRST, &file);
    let (mut journal, report) = open(&disk);
    assert_eq!(report.head, torn.head, "{what}");
    let cut = report.cut.unwrap_or_else(|| panic!("{what}: the cut is not reported"));
    assert_eq!(cut, CutBatch { batch: 3, position: 4, records_found: records.unwrap_or(cut.records_found) }, "{what}");
    assert_same(&journal.reader(), &torn.drafts, &never, what);
    assert_eq!(open(&disk.crash(1)).1.cut, None, "{what}: cut once, and nothing of it is left");

    append(&mut journal, &[message(9, 20)]);
    let (journal, report) = open(&disk.crash(0));
    assert_eq!((report.head, report.cut), (journal.head(), None), "{what}");
    let drafts = [&torn.drafts[..], &[message(9, 20)]].concat();
    assert_same(&journal.reader(), &drafts, &never, what);
}

#[test]
fn at_every_byte_from_its_end() {
    let torn = torn();
    let whole = torn.batch.len();
    for cut in 1..whole {
        let mut bytes = torn.batch.clone();
        bytes[cut..].fill(0);
        cuts(&torn, &bytes, None, &format!("the first {cut} of {whole} bytes"));
    }
}

#[test]
fn at_every_byte_from_its_beginning() {
    let torn = torn();
    for cut in 1..torn.batch.len() {
        let mut bytes = torn.batch.clone();
        bytes[..cut].fill(0);
        cuts(&torn, &bytes, None, &format!("without the first {cut} bytes"));
    }
}

#[test]
fn nothing_of_it_or_all_of_it_is_no_cut() {
    let torn = torn();
    let (journal, report) = open(&torn.disk.copy());
    assert_eq!((report.cut, journal.head().position), (None, 6));

    let disk = torn.disk.copy();
    let mut file = disk.file(FIRST).expect("a segment");
    file[torn.start..].fill(0);
    disk.put(FIRST, &file);
    assert_eq!(open(&disk).1.cut, None);
    assert_eq!(open(&disk).1.head, torn.head);
}

#[test]
fn a_body_that_was_lost_is_not_taken_for_an_erased_one() {
    let torn = torn();
    let body = message(4, 40).body.expect("a body");
    let at = torn.batch.windows(body.len()).position(|bytes| bytes == body).expect("the body");
    let mut bytes = torn.batch.clone();
    bytes[at..at + body.len()].fill(0);
    cuts(&torn, &bytes, Some(3), "a body of zeros in a batch that is whole");
}

#[test]
fn what_was_found_of_it_is_reported() {
    let torn = torn();
    let facts = message(5, 0).facts;
    let at = torn.batch.windows(facts.len()).position(|bytes| bytes == facts).expect("the facts");
    let mut bytes = torn.batch.clone();
    bytes[at] ^= 1;
    cuts(&torn, &bytes, Some(3), "all headers are whole");
    let mut bytes = torn.batch.clone();
    bytes[at..].fill(0);
    cuts(&torn, &bytes, Some(2), "two headers are whole");
}

#[test]
fn a_record_written_into_a_body_by_a_stranger_is_not_taken_for_a_later_batch() {
    // A stranger with a journal of his own makes a record of batch 4, and sends its bytes as a message.
    let theirs = FaultDisk::new();
    let mut journal = startalk_journal::Journal::create(theirs.arc(), *b"another journal!", SMALL).expect("created");
    (1..=4).for_each(|n| append(&mut journal, &[message(n, 20), message(n, 20)]));
    let file = theirs.file(FIRST).expect("a segment");
    let mut body = vec![9; 16];
    body.extend_from_slice(&file[RECORDS..RECORDS + 1200]);

    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    append(&mut journal, &[message(1, 30)]);
    append(&mut journal, &[Draft { body: Some(body), ..message(2, 0) }]);
    let mut file = disk.file(FIRST).expect("a segment");
    let second = RECORDS + 30 + 110;
    let sector = second.next_multiple_of(SECTOR);
    file[second..sector].fill(0);
    disk.put(FIRST, &file);
    let (journal, report) = open(&disk);
    assert!(report.cut.is_some(), "a torn batch, whatever was in it: {report:?}");
    assert!(journal.head().position < 2);
}
