//! A write or a sync that failed is never tried again: the journal takes nothing more, and the next opening finds out.

use crate::support::*;
use startalk_journal::fault::{FaultDisk, Faults};
use startalk_journal::{AppendError, AppendJournal, EraseError, ReadJournal};

/// Every append, in any part of its work, that meets `faults` poisons; afterwards nothing touches the disk.
fn poisons(faults: Faults, at: u64, what: &str) {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    (0..at).for_each(|n| append(&mut journal, &[message(n, 200)]));
    let head = journal.head();
    disk.set_faults(faults);
    let error = journal.append(&[message(at, 200)], &head).expect_err(what);
    assert!(matches!(error, AppendError::Poisoned { .. }), "{what}: {error}");
    assert!(journal.is_poisoned());
    let counts = disk.counts();
    for _ in 0..3 {
        let again = journal.append(&[message(at, 200)], &head).expect_err(what);
        assert_eq!(again.to_string(), error.to_string(), "{what}: the first reason stays");
        assert!(matches!(journal.erase(&[1]), Err(EraseError::Poisoned { .. })), "{what}");
    }
    assert_eq!(disk.counts(), counts, "{what}: nothing is retried");
    assert_eq!(journal.reader().head(), head, "{what}");
    if at > 0 {
        journal.reader().read(at).expect("what was durable is still read");
    }

    disk.restart();
    let (journal, _) = open(&disk);
    assert!([at, at + 1].contains(&journal.head().position), "{what}");
    assert_sound(&journal, &never, what);
}

#[test]
fn a_failed_sync() {
    for at in 0..30 {
        for drop_dirty in [false, true] {
            let faults = Faults { fail_sync: Some(1), drop_dirty, ..Faults::default() };
            poisons(faults, at, &format!("sync after {at} batches, dirty data dropped: {drop_dirty}"));
        }
    }
}

#[test]
fn a_failed_write() {
    for at in 0..30 {
        poisons(Faults { fail_write: Some(1), ..Faults::default() }, at, &format!("write after {at} batches"));
    }
}

#[test]
fn what_an_opening_found_in_the_page_cache_only_is_made_durable_by_it() {
    // The kernel says that the sync failed and marks the pages clean; the process is killed; the pages are still readable.
    // An opening that believed them, and only synced, would acknowledge what the next power cut takes away.
    for seed in 0..50 {
        let disk = FaultDisk::new();
        let mut journal = create(&disk);
        append(&mut journal, &[message(1, 100)]);
        disk.set_faults(Faults { fail_sync: Some(1), drop_dirty: true, ..Faults::default() });
        let head = journal.head();
        journal.append(&[message(2, 100), message(3, 100)], &head).expect_err("the sync fails");
        disk.restart();
        let (journal, report) = open(&disk);
        assert_eq!((report.cut, journal.head().position), (None, 3), "the pages are readable");
        let (journal, _) = open(&disk.crash(seed));
        assert_eq!(journal.head().position, 3, "seed {seed}");
        assert_same(&journal.reader(), &[1, 2, 3].map(|n| message(n, 100)), &never, "after the power cut");
    }
}

#[test]
fn a_seal_that_is_in_the_page_cache_only_is_made_durable_by_an_opening() {
    for seed in 0..50 {
        let disk = FaultDisk::new();
        let mut journal = create(&disk);
        let mut count = 0;
        let sealed = loop {
            let copy = disk.copy();
            append(&mut journal, &[message(count, 200)]);
            if disk.file("0000000000000002.segment").is_some() {
                break copy;
            }
            count += 1;
        };
        let (mut journal, _) = open(&sealed);
        let head = journal.head();
        // The first sync extends the segment for its seal, the second seals it.
        sealed.set_faults(Faults { fail_sync: Some(2), drop_dirty: true, ..Faults::default() });
        journal.append(&[message(count, 200)], &head).expect_err("the sync of the seal fails");
        sealed.restart();
        let (mut journal, report) = open(&sealed);
        assert_eq!(report.head, head);
        append(&mut journal, &[message(count, 200)]);
        let (journal, _) = open(&sealed.crash(seed));
        assert_eq!(journal.head().position, count + 1, "seed {seed}");
        assert_sound(&journal, &never, "after the power cut");
    }
}

#[test]
fn a_failed_erasure_poisons_too() {
    for nth in 1..=2 {
        let disk = FaultDisk::new();
        let mut journal = create(&disk);
        (1..=4).for_each(|n| append(&mut journal, &[message(n, 100)]));
        disk.set_faults(Faults { fail_sync: Some(nth), ..Faults::default() });
        assert!(matches!(journal.erase(&[2]), Err(EraseError::Poisoned { .. })), "sync {nth}");
        let head = journal.head();
        assert!(matches!(journal.append(&[message(5, 100)], &head), Err(AppendError::Poisoned { .. })));
    }
}

#[test]
fn nothing_of_a_batch_is_written_before_its_extent_is_durable() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    let mut failed = 0;
    for n in 0..20 {
        let copy = disk.copy();
        let (mut again, _) = open(&copy);
        // An opening gives the extent back, so this append makes a new one.
        let (head, size) = (again.head(), copy.file(FIRST).map_or(0, |file| file.len()));
        let before = copy.used_bytes();
        copy.set_faults(Faults { fail_sync: Some(1), ..Faults::default() });
        again.append(&[message(n, 200)], &head).expect_err("the sync of the extent fails");
        if copy.used_bytes() > before {
            let file = copy.file(FIRST).expect("a segment");
            failed += 1;
            assert!(file[size..].iter().all(|&byte| byte == 0), "after {n} batches");
        }
        append(&mut journal, &[message(n, 200)]);
    }
    assert!(failed > 10);
}
