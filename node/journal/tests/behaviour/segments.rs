//! Segments roll and are sealed; a crash at any point of that is put in order; opening reads footers only.

use crate::support::*;
use startalk_journal::fault::{FaultDisk, Faults};
use startalk_journal::limits::OPEN_FILES_MAX;
use startalk_journal::{AppendJournal, Disk, Draft, Journal, Options, ReadJournal};

fn filled(count: u64) -> (FaultDisk, Journal, Vec<Draft>) {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    let drafts: Vec<_> = (0..count).map(|n| message(n, 150)).collect();
    drafts.chunks(2).for_each(|batch| append(&mut journal, batch));
    (disk, journal, drafts)
}

#[test]
fn every_record_is_found_whatever_segment_it_is_in() {
    let (disk, journal, drafts) = filled(300);
    let names = disk.list().expect("a listing");
    assert!(names.len() > 8, "{names:?}");
    for name in names.iter().filter(|name| name.ends_with(".segment")) {
        assert!(disk.file(name).expect("a segment").len() <= SMALL.segment_bytes as usize);
    }
    for position in 1..=300 {
        assert_eq!(journal.reader().read(position).expect("a record").facts, drafts[position as usize - 1].facts);
    }
    let (journal, report) = open(&disk);
    assert_eq!((report.segments as usize, report.records), (names.len() - 1, 300));
    assert_same(&journal.reader(), &drafts, &never, "opened");
    assert_sound(&journal, &never, "opened");
}

#[test]
fn opening_reads_no_records_of_sealed_segments() {
    let (disk, journal, _) = filled(600);
    drop(journal);
    let before = disk.counts();
    let (_, report) = open(&disk);
    let reads = disk.counts().reads - before.reads;
    assert!(report.segments > 15);
    assert!(reads <= 2 * report.segments + 8, "{reads} reads for {} segments", report.segments);
}

#[test]
fn a_batch_that_does_not_fit_begins_the_next_segment_and_is_not_split() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    for n in 0..60 {
        append(&mut journal, &(0..9).map(|i| message(10 * n + i, 90)).collect::<Vec<_>>());
    }
    let reader = journal.reader();
    let mut firsts = 0;
    for position in 1..=journal.head().position {
        let header = reader.header(position).expect("a header");
        firsts += u64::from(header.remaining_in_batch == 8);
        assert_eq!(header.batch, (position - 1) / 9 + 1);
    }
    assert_eq!(firsts, 60);
    assert_sound(&journal, &never, "whole batches");
    assert!(open(&disk).1.segments > 3);
}

#[test]
fn a_sealing_cut_short_at_every_byte_is_undone_or_done() {
    // The journal just before and just after the sealing of its first segment.
    let (disk, mut journal, mut drafts) = filled(2);
    let (unsealed, sealed) = loop {
        let before = disk.copy();
        let draft = message(drafts.len() as u64, 150);
        append(&mut journal, std::slice::from_ref(&draft));
        if disk.list().expect("a listing").len() > 2 {
            break (before.file(FIRST).expect("a segment"), disk.file(FIRST).expect("a segment"));
        }
        drafts.push(draft);
    };
    let end = sealed.iter().zip(unsealed.iter().chain(std::iter::repeat(&0))).position(|(a, b)| a != b);
    let end = end.expect("a table");
    for cut in 0..=sealed.len() - end {
        for torn_from_behind in [false, true] {
            let what = format!("{cut} bytes of the seal, from behind: {torn_from_behind}");
            let mut file = sealed.clone();
            let torn = if torn_from_behind { end..sealed.len() - cut } else { end + cut..sealed.len() };
            file[torn].fill(0);
            if cut % 2 == 0 {
                file.resize(file.len() + 700, 0);
            }
            let disk = FaultDisk::new();
            disk.put(FIRST, &file);
            let (mut journal, report) = open(&disk);
            assert_eq!((report.cut, report.records), (None, drafts.len() as u64), "{what}");
            append(&mut journal, &[message(1000, 150)]);
            let (journal, _) = open(&disk.crash(cut as u64));
            assert_same(&journal.reader(), &[&drafts[..], &[message(1000, 150)]].concat(), &never, &what);
            assert_sound(&journal, &never, &what);
        }
    }
}

#[test]
fn a_damaged_table_of_the_newest_segment_is_made_again_from_its_records() {
    let (disk, mut journal, mut drafts) = filled(2);
    let sealed = loop {
        let draft = message(drafts.len() as u64, 150);
        append(&mut journal, std::slice::from_ref(&draft));
        if disk.list().expect("a listing").len() > 2 {
            break disk.file(FIRST).expect("a segment");
        }
        drafts.push(draft);
    };
    for offset in sealed.len() - 128 - 4 * drafts.len()..sealed.len() {
        let disk = FaultDisk::new();
        disk.put(FIRST, &sealed);
        disk.flip(FIRST, offset, 1);
        let (mut journal, report) = open(&disk);
        assert_eq!(report.records, drafts.len() as u64, "byte {offset}");
        append(&mut journal, &[message(1000, 2000)]);
        assert_same(&journal.reader(), &[&drafts[..], &[message(1000, 2000)]].concat(), &never, &format!("byte {offset}"));
        assert_sound(&open(&disk).0, &never, &format!("byte {offset}"));
    }
}

#[test]
fn a_segment_that_was_not_finished_is_removed() {
    let (disk, journal, drafts) = filled(4);
    drop(journal);
    disk.put("0000000000000002.segment.new", &[1; 5000]);
    disk.put("notes of a stranger", b"not ours");
    let (journal, _) = open(&disk);
    let names = disk.list().expect("a listing");
    assert_eq!(names, [FIRST, "erasing", "notes of a stranger"]);
    assert_same(&journal.reader(), &drafts, &never, "opened");
}

#[test]
fn a_journal_lost_its_power_between_sealing_and_the_next_segment() {
    for seed in 0..40 {
        let (disk, mut journal, mut drafts) = filled(2);
        loop {
            let draft = message(drafts.len() as u64, 150);
            let head = journal.head();
            // Within the first five changes after the sealing began: its write, size, sync, and the new file's beginning.
            let names = disk.list().expect("a listing").len();
            let copy = disk.copy();
            append(&mut journal, std::slice::from_ref(&draft));
            if disk.list().expect("a listing").len() > names {
                let (mut journal, _) = open(&copy);
                copy.set_faults(Faults { power_off: Some(1 + seed % 14), ..Faults::default() });
                let failed = journal.append(std::slice::from_ref(&draft), &head);
                let (journal, report) = open(&copy.crash(seed));
                assert_eq!(report.cut.filter(|cut| cut.records_found > 1), None);
                let kept = journal.head().position as usize;
                drafts.push(draft);
                assert!(kept == drafts.len() || (failed.is_err() && kept == drafts.len() - 1), "seed {seed}: {kept}");
                assert_same(&journal.reader(), &drafts[..kept], &never, &format!("seed {seed}"));
                break;
            }
            drafts.push(draft);
        }
    }
}

#[test]
fn the_sizes_may_be_others_the_next_time() {
    let (disk, mut journal, mut drafts) = filled(50);
    for (segment_bytes, extent_bytes) in [(64 * 1024, 8192), (8192, 512), (20_000, 3000), (12 * 1024, 12 * 1024)] {
        drop(journal);
        let options = Options { segment_bytes, extent_bytes };
        journal = Journal::open(disk.arc(), options).expect("a journal in order").0;
        for _ in 0..40 {
            let draft = message(drafts.len() as u64, 150);
            append(&mut journal, std::slice::from_ref(&draft));
            drafts.push(draft);
        }
        assert_same(&journal.reader(), &drafts, &never, "other sizes");
        assert_sound(&journal, &never, "other sizes");
    }
}

#[test]
fn room_is_made_by_the_syncs_that_batches_need_anyway() {
    let disk = FaultDisk::new();
    let mut journal =
        Journal::create(disk.arc(), ID, Options { segment_bytes: 64 * 1024, extent_bytes: 8 * 1024 }).expect("created");
    let size = || disk.file(FIRST).expect("the segment").len();
    let (mut largest_step, mut before) = (0, size());
    for n in 0..120 {
        let syncs = disk.counts().syncs;
        append(&mut journal, &[message(n, 100)]);
        assert_eq!(disk.counts().syncs - syncs, 1, "message {n}, in a file of {} bytes", size());
        largest_step = largest_step.max(size() - before);
        before = size();
    }
    assert!(largest_step <= 1024, "an extent at once is {largest_step} bytes for a sync to wait for");
    assert_sound(&open(&disk.copy()).0, &never, "opened");

    // No room ahead is no error as long as a batch has its own.
    disk.set_capacity(Some(disk.used_bytes()));
    let mut is_taken = |n: &u64| {
        let head = journal.head();
        journal.append(&[message(*n, 100)], &head).is_ok()
    };
    let more = (120..).take_while(|n| is_taken(n)).count();
    assert!((15..25).contains(&more), "{more} messages in half an extent");
    assert_eq!(size(), before);
}

#[test]
fn a_large_batch_makes_no_more_room_than_an_extent() {
    let (disk, extent) = (FaultDisk::new(), 8 * 1024);
    let mut journal =
        Journal::create(disk.arc(), ID, Options { segment_bytes: 256 * 1024, extent_bytes: extent }).expect("created");
    let size = || disk.file(FIRST).expect("the segment").len();
    let records = |journal: &Journal| {
        size() - disk.file(FIRST).expect("the segment").iter().rev().take_while(|b| **b == 0).count()
            + journal.head().position as usize * 4
    };
    for n in 0..6 {
        let batch: Vec<_> = (0..100).map(|k| message(n * 100 + k, 100)).collect();
        append(&mut journal, &batch);
        let ahead = size() - records(&journal);
        assert!(ahead <= 2 * extent as usize, "{ahead} bytes of zeros are ahead after a batch of 100 messages");
    }
}

#[test]
fn only_a_few_files_stay_open() {
    let (disk, journal, _) = filled(5000);
    let reader = journal.reader();
    let before = disk.counts().opens;
    (0..3).for_each(|_| drop(reader.read(1).expect("a record")));
    assert!(disk.counts().opens - before <= 1, "a file that is open is used again");
    for position in (1..=5000).rev().step_by(10) {
        reader.read(position).expect("a record");
    }
    let segments = disk.list().expect("a listing").len() as u64 - 1;
    let open_now = disk.open_files();
    assert!(segments > 100 && open_now <= OPEN_FILES_MAX as u64 + 3, "{open_now} files of {segments}");
}
