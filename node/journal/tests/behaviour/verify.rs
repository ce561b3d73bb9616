//! `verify` finds a flipped bit anywhere in what is durable, names the place, and goes on behind it.

use crate::support::*;
use startalk_journal::fault::FaultDisk;
use startalk_journal::{Fault, Journal, VerifyProgress};

fn filled(count: u64) -> (FaultDisk, Journal) {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    (0..count).for_each(|n| append(&mut journal, &[message(n, 300)]));
    (disk, journal)
}

#[test]
fn a_flipped_bit_anywhere_in_a_sealed_segment() {
    let (disk, journal) = filled(24);
    let file = disk.file(FIRST).expect("a segment");
    assert!(disk.file("0000000000000002.segment").is_some());
    let records = RECORDS..file.len();
    for offset in (0..128).chain((128..RECORDS).step_by(61)).chain(records.step_by(2)) {
        let mask = 1 << (offset % 8);
        disk.flip(FIRST, offset, mask);
        let report = journal.verify(&never, &mut |_| {}).expect("a disk that reads");
        assert_ne!(report.damages_total, 0, "byte {offset} of {}", file.len());
        assert!(report.damages.iter().all(|damage| damage.place.segment == 1), "byte {offset}: {:?}", report.damages);
        disk.flip(FIRST, offset, mask);
    }
    assert_sound(&journal, &never, "all flipped back");
}

#[test]
fn several_damages_in_several_segments_are_all_named() {
    let (disk, journal) = filled(120);
    // A body in segments 1 and 3, a header in segment 2: content goes on record by record, headers with the next segment.
    for (name, offset) in [(FIRST, RECORDS + 200), (FIRST, RECORDS + 3000), ("0000000000000003.segment", RECORDS + 250)] {
        disk.flip(name, offset, 4);
    }
    disk.flip("0000000000000002.segment", RECORDS + 3, 4);
    let report = journal.verify(&never, &mut |_| {}).expect("a disk that reads");
    let found: Vec<_> = report.damages.iter().map(|damage| (damage.place.segment, damage.fault)).collect();
    assert_eq!(found, [(1, Fault::Body), (1, Fault::Body), (2, Fault::HeaderChecksum), (3, Fault::Body)]);
}

#[test]
fn what_was_ordered_to_be_erased_and_is_still_there_is_listed() {
    let (_, mut journal) = filled(24);
    journal.erase(&[3, 20]).expect("erasing");
    let ordered = |position| [3, 5, 20, 21].contains(&position);
    let report = journal.verify(&ordered, &mut |_| {}).expect("a disk that reads");
    assert_eq!((report.damages_total, report.erased), (0, 2));
    assert_eq!(report.erasures_unfinished, [5, 21]);
    journal.erase(&report.erasures_unfinished).expect("erasing");
    assert_eq!(journal.verify(&ordered, &mut |_| {}).expect("read").erasures_unfinished, [0; 0]);
}

#[test]
fn it_says_how_far_it_has_come() {
    let (_, journal) = filled(24);
    let mut seen = Vec::new();
    let report = journal.verify(&never, &mut |progress| seen.push(progress)).expect("a disk that reads");
    assert_eq!(seen.last(), Some(&VerifyProgress { position: 24, head: 24 }));
    assert_eq!(report.records, 24);
    assert!(report.bytes > 24 * 300);
}

#[test]
fn an_empty_journal_and_one_that_is_just_sealed_are_sound() {
    let (_, journal) = filled(0);
    assert_sound(&journal, &never, "empty");
    for count in 1..40 {
        let (disk, journal) = filled(count);
        assert_sound(&journal, &never, "filled");
        assert_sound(&open(&disk).0, &never, "opened");
    }
}

/// Changes the table of the first segment and makes its checksums right again.
fn with_another_table(file: &[u8], records: usize) -> Vec<u8> {
    let mut file = file.to_vec();
    let footer = file.len() - 128;
    let table = footer - 4 * records;
    file[table + 4] ^= 1;
    let crc = crc32c::crc32c(&file[table..footer]);
    file[footer + 100..footer + 104].copy_from_slice(&crc.to_le_bytes());
    let crc = crc32c::crc32c(&file[footer..footer + 124]);
    file[footer + 124..].copy_from_slice(&crc.to_le_bytes());
    file
}

#[test]
fn a_table_is_checked_against_the_records_and_without_them() {
    let (disk, mut journal) = filled(24);
    let file = disk.file(FIRST).expect("a segment");
    let records = u32::from_le_bytes(*file[file.len() - 88..].first_chunk().expect("the count")) as usize;
    drop(journal);

    disk.put(FIRST, &with_another_table(&file, records));
    journal = open(&disk).0;
    let report = journal.verify(&never, &mut |_| {}).expect("a disk that reads");
    assert_eq!(report.damages.iter().map(|damage| damage.fault).collect::<Vec<_>>(), [Fault::Table]);

    disk.put(FIRST, &file);
    disk.flip(FIRST, RECORDS + 3, 1);
    disk.flip(FIRST, file.len() - 128 - 3, 1);
    journal = open(&disk).0;
    let report = journal.verify(&never, &mut |_| {}).expect("a disk that reads");
    let found: Vec<_> = report.damages.iter().map(|damage| damage.fault).collect();
    assert_eq!(found, [Fault::HeaderChecksum, Fault::Table]);
}
