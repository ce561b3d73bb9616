//! Damage in what was acknowledged is an error that names the place, and never a quiet cut.

use crate::support::*;
use startalk_journal::fault::FaultDisk;
use startalk_journal::{Fault, Journal, OpenError, Place, ReadError, ReadJournal};

fn damaged(disk: &FaultDisk, what: &str) -> (Place, Fault, Option<Fault>) {
    match Journal::open(disk.arc(), SMALL) {
        Err(OpenError::Damaged { place, fault, later }) => (place, fault, later),
        Err(other) => panic!("{what}: another error: {other}"),
        Ok((_, report)) => panic!("{what}: opened: {report:?}"),
    }
}

#[test]
fn every_byte_of_a_batch_with_a_later_one_behind_it() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    let mut ends = vec![RECORDS];
    for n in 1..=3 {
        append(&mut journal, &[message(2 * n, 20 + n as usize), message(2 * n + 1, 30)]);
        let file = disk.file(FIRST).expect("a segment");
        ends.push(file.iter().rposition(|&byte| byte != 0).expect("records") + 1);
    }
    let starts = starts_of_records(&journal, &disk);
    for offset in ends[0]..ends[2] {
        let copy = disk.copy();
        copy.flip(FIRST, offset, 1 << (offset % 8));
        let what = format!("byte {offset}");
        let (place, _, later) = damaged(&copy, &what);
        let record = starts.partition_point(|&start| start <= offset);
        let expected = Place { segment: 1, offset: starts[record - 1] as u64, position: record as u64 };
        assert_eq!(place, expected, "{what}");
        assert!(matches!(later, Some(Fault::LaterBatch { .. })), "{what}");
    }
}

/// Where each record of the first segment begins.
fn starts_of_records(journal: &Journal, disk: &FaultDisk) -> Vec<usize> {
    let file = disk.file(FIRST).expect("a segment");
    let mut starts = vec![RECORDS];
    for position in 1..=journal.head().position {
        let header = journal.reader().header(position).expect("a header");
        let start = starts[position as usize - 1];
        assert_eq!(file[start], 0xf7, "the marker of {position}");
        let tag = file[start..].windows(8).position(|bytes| bytes == header.chain_tag).expect("the tag") + start;
        starts.push(tag + 8 + header.facts_len as usize + header.body_len as usize);
    }
    starts
}

#[test]
fn a_whole_batch_of_zeros_with_a_later_one_behind_it() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    (1..=3).for_each(|n| append(&mut journal, &[message(n, 20)]));
    let starts = starts_of_records(&journal, &disk);
    let mut file = disk.file(FIRST).expect("a segment");
    file[starts[1]..starts[2]].fill(0);
    disk.put(FIRST, &file);
    let (place, fault, later) = damaged(&disk, "zeros");
    assert_eq!((place.position, fault), (2, Fault::End));
    assert_eq!(later, Some(Fault::LaterBatch { batch: 3, offset: starts[2] as u64 }));
    let words = Journal::open(disk.arc(), SMALL).err().expect("damaged").to_string();
    let expected = format!("segment 1 at byte {} (position 2)", starts[1]);
    assert!(words.contains(&expected) && words.contains("batch 3"), "{words}");
}

#[test]
fn two_records_of_one_journal_exchanged_break_the_chain() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    (1..=4).for_each(|n| append(&mut journal, &[message(n, 20)]));
    let starts = starts_of_records(&journal, &disk);
    let mut file = disk.file(FIRST).expect("a segment");
    let (second, third) = (file[starts[1]..starts[2]].to_vec(), file[starts[2]..starts[3]].to_vec());
    file[starts[1]..starts[3]].copy_from_slice(&[third, second].concat());
    disk.put(FIRST, &file);
    let (place, fault, _) = damaged(&disk, "exchanged");
    assert_eq!((place.position, fault), (2, Fault::Position { expected: 2, found: 3 }));
}

#[test]
fn a_journal_continued_from_another_past_breaks_the_chain() {
    // Two journals that part at record 2; the second one's records 3 and 4 are put behind the first one's record 2.
    let make = |second: u64| {
        let disk = FaultDisk::new();
        let mut journal = create(&disk);
        append(&mut journal, &[message(1, 20)]);
        append(&mut journal, &[message(second, 20)]);
        append(&mut journal, &[startalk_journal::Draft { time_ms: message(50, 0).time_ms, ..message(3, 20) }]);
        append(&mut journal, &[message(60, 20)]);
        let starts = starts_of_records(&journal, &disk);
        (disk, starts)
    };
    let ((ours, starts), (theirs, their_starts)) = (make(20), make(21));
    assert_eq!(starts, their_starts);
    let mut file = ours.file(FIRST).expect("a segment");
    file[starts[2]..].copy_from_slice(&theirs.file(FIRST).expect("a segment")[starts[2]..]);
    ours.put(FIRST, &file);
    let (place, fault, _) = damaged(&ours, "another past");
    assert_eq!((place.position, fault), (3, Fault::Chain));
}

fn with_segments() -> (FaultDisk, Journal) {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    (0..80).for_each(|n| append(&mut journal, &[message(n, 200)]));
    (disk, journal)
}

const SECOND: &str = "0000000000000002.segment";

#[test]
fn every_byte_of_the_header_block_and_of_a_footer() {
    let (disk, _) = with_segments();
    let size = disk.file(SECOND).expect("a second segment").len();
    for offset in (0..RECORDS).chain(size - 128..size) {
        let copy = disk.copy();
        copy.flip(SECOND, offset, 0x10);
        let (place, fault, _) = damaged(&copy, &format!("byte {offset}"));
        assert_eq!((place.segment, place.position), (2, 0));
        assert!(matches!(fault, Fault::SegmentHeader(_) | Fault::Footer(_)), "byte {offset}: {fault}");
    }
}

#[test]
fn a_missing_or_foreign_segment_is_named() {
    let (disk, journal) = with_segments();
    let last = journal.head().position;
    drop(journal);
    let opened = |disk: &FaultDisk| Journal::open(disk.arc(), SMALL).err().expect("not in order");

    let copy = disk.copy();
    startalk_journal::Disk::remove(&copy, SECOND).expect("removed");
    assert!(matches!(opened(&copy), OpenError::SegmentMissing { segment: 2 }));

    let copy = disk.copy();
    startalk_journal::Disk::remove(&copy, FIRST).expect("removed");
    assert!(matches!(opened(&copy), OpenError::SegmentMissing { segment: 1 }));

    let other = FaultDisk::new();
    let mut journal = Journal::create(other.arc(), [8; 16], SMALL).expect("created");
    (0..80).for_each(|n| append(&mut journal, &[message(n, 200)]));
    assert_eq!(journal.head().position, last);
    let copy = disk.copy();
    copy.put(SECOND, &other.file(SECOND).expect("a segment"));
    assert!(matches!(opened(&copy), OpenError::Damaged { place: Place { segment: 2, .. }, .. }));

    let copy = disk.copy();
    copy.put(SECOND, &disk.file(FIRST).expect("a segment"));
    assert!(matches!(opened(&copy), OpenError::Damaged { place: Place { segment: 2, .. }, .. }));
}

#[test]
fn damage_behind_the_opening_is_met_by_the_reader() {
    let (disk, journal) = with_segments();
    let reader = journal.reader();
    let file = disk.file(FIRST).expect("a segment");
    for offset in RECORDS..RECORDS + 1000 {
        disk.flip(FIRST, offset, 0x40);
        let met = (1..=4).find_map(|position| reader.read(position).err());
        assert!(matches!(met, Some(ReadError::Damaged { place: Place { segment: 1, .. }, .. })), "byte {offset}");
        disk.flip(FIRST, offset, 0x40);
    }
    for offset in file.len() - 128 - 4 * 5..file.len() - 128 {
        disk.flip(FIRST, offset, 0x40);
        let met = (1..=40).find_map(|position| reader.read(position).err());
        assert!(matches!(met, Some(ReadError::Damaged { .. })), "byte {offset} of the table");
        disk.flip(FIRST, offset, 0x40);
    }
}
