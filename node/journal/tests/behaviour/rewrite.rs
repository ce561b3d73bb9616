//! Rewriting a mostly erased segment gives its space back and changes nothing that anybody can read.

use crate::support::*;
use startalk_journal::fault::{FaultDisk, Faults};
use startalk_journal::{Body, Draft, FORMAT_VERSION, Journal, Options, ReadError, ReadJournal, RewriteError};

/// A journal of several segments in which the bodies of all positions but every fifth are erased.
fn mostly_erased() -> (FaultDisk, Journal, Vec<Draft>) {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    let drafts: Vec<_> = (0..120).map(|n| message(n, 300)).collect();
    drafts.chunks(3).for_each(|batch| append(&mut journal, batch));
    assert!(journal.reader().settled_segments() > 2);
    journal.erase(&(1..=120).filter(|&p| is_gone(p)).collect::<Vec<_>>()).expect("a good disk");
    (disk, journal, drafts)
}

fn is_gone(position: u64) -> bool {
    !position.is_multiple_of(5)
}

fn rewrite_all(journal: &Journal) -> u64 {
    let reader = journal.reader();
    (1..=reader.settled_segments()).map(|n| reader.rewrite(n, 0, &mut |_, _| {}).expect("a good disk").won).sum()
}

fn assert_as_it_was(journal: &Journal, drafts: &[Draft], what: &str) {
    assert_same(&journal.reader(), drafts, &is_gone, what);
    assert_sound(journal, &is_gone, what);
    for position in 1..=drafts.len() as u64 {
        let record = journal.reader().read(position).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(record.body == Body::Erased, is_gone(position), "{what}: {position}");
        assert_eq!(record.header.body_len, 300, "{what}: the length is known for ever");
    }
}

#[test]
fn space_comes_back_and_nothing_else_changes() {
    let (disk, journal, drafts) = mostly_erased();
    let (head, before) = (journal.head(), disk.used_bytes());
    let headers: Vec<_> = (1..=120).map(|p| journal.reader().header(p).unwrap()).collect();
    let segments = journal.reader().settled_segments();
    let report = journal.verify(&is_gone, &mut |_| {}).unwrap();
    let found: Vec<_> = (1..=segments).map(|n| journal.reader().erased_in(n).unwrap()).collect();
    let erased: u64 = found.iter().map(|found| found.erased).sum();
    assert!(erased * 3 > found.iter().map(|found| found.bytes).sum(), "{found:?}");
    let worth: u64 = found.iter().filter(|found| found.is_mostly()).map(|found| found.erased).sum();
    assert_eq!(report.reclaimable, worth, "what doctor promises");
    let won = rewrite_all(&journal);
    assert_eq!(won, erased, "exactly the erased bodies");
    assert_eq!(disk.used_bytes(), before - won);
    assert_eq!(rewrite_all(&journal), 0, "again: nothing is left to win");
    assert_eq!(journal.verify(&is_gone, &mut |_| {}).unwrap().reclaimable, 0);
    assert_as_it_was(&journal, &drafts, "live");
    let (mut opened, report) = open(&disk);
    assert_eq!((report.head, report.cut), (head, None));
    assert_as_it_was(&opened, &drafts, "opened");
    assert!((1..=120).map(|p| opened.reader().header(p).unwrap()).eq(headers), "headers with hashes and chain tags");
    append(&mut opened, &[message(500, 20)]);
    opened.erase(&[5]).expect("erasing in a rewritten segment");
    opened.erase(&[5, 6]).expect("erasing what has no bytes any more");
    assert_eq!(opened.reader().read(5).unwrap().body, Body::Erased);
}

#[test]
fn what_is_erased_while_it_is_rewritten_stays_erased() {
    let (disk, mut journal, _) = mostly_erased();
    let reader = journal.reader();
    let mut calls = 0;
    reader
        .rewrite(1, 0, &mut |_, _| {
            journal.erase(&[5, 10, 119]).unwrap();
            calls += 1;
        })
        .unwrap();
    assert!(calls > 0);
    let gone = |p: u64| is_gone(p) || [5, 10].contains(&p);
    for journal in [&journal, &open(&disk.crash(1)).0] {
        assert_eq!(journal.reader().read(5).unwrap().body, Body::Erased);
        assert_eq!(journal.reader().read(10).unwrap().body, Body::Erased);
        assert!(matches!(journal.reader().read(15).unwrap().body, Body::Present(_)));
        assert_sound(journal, &gone, "erased late");
    }
}

#[test]
fn a_full_disk_refuses_and_leaves_the_segment_alone() {
    let (disk, journal, drafts) = mostly_erased();
    let (used, old) = (disk.used_bytes(), disk.file(FIRST));
    for (capacity, lie, leave) in [(used + 3000, None, 0), (used + 3000, Some(u64::MAX), 0), (used + 9000, None, 6000)] {
        disk.set_capacity(Some(capacity));
        disk.pretend_free(lie);
        let leave = if lie.is_some() { 0 } else { leave };
        let refused = journal.reader().rewrite(1, leave, &mut |_, _| {});
        assert!(matches!(refused, Err(RewriteError::DiskFull { segment: 1, .. })), "{refused:?}");
        assert_eq!(disk.file(FIRST), old);
        assert_eq!(disk.used_bytes(), used, "what was begun is given back");
        assert!(!journal.is_poisoned());
    }
    disk.pretend_free(None);
    disk.set_capacity(None);
    rewrite_all(&journal);
    assert_as_it_was(&journal, &drafts, "with space again");
}

#[test]
fn damage_is_named_and_not_written_into_a_new_file() {
    let (disk, journal, _) = mostly_erased();
    // The last byte of the body at position 5, which is present.
    let header = journal.reader().header(6).unwrap();
    let bytes = disk.file(FIRST).unwrap();
    let next = bytes.windows(24).position(|w| w == header.facts_hash).unwrap();
    let body = (0..next).rev().find(|&at| bytes[at] == 0xf7).unwrap() - 1;
    disk.flip(FIRST, body, 1);
    let old = disk.file(FIRST);
    let refused = journal.reader().rewrite(1, 0, &mut |_, _| {});
    let Err(RewriteError::Read(ReadError::Damaged { place, .. })) = refused else { panic!("{refused:?}") };
    assert_eq!((place.segment, place.position), (1, 5));
    assert_eq!(disk.file(FIRST), old);
}

#[test]
fn a_rewritten_segment_is_of_the_newer_version_and_others_are_not() {
    let (disk, journal, _) = mostly_erased();
    let version = |name: &str| u32::from_le_bytes(disk.file(name).unwrap()[8..12].try_into().unwrap());
    assert_eq!(version(FIRST), 1, "an older build reads what was not rewritten");
    journal.reader().rewrite(1, 0, &mut |_, _| {}).unwrap();
    assert_eq!((version(FIRST), FORMAT_VERSION), (2, 2), "and refuses what was, by its version");
    assert_eq!(version("0000000000000002.segment"), 1);
}

#[test]
fn a_record_without_its_body_is_damage_where_nothing_was_rewritten() {
    let (disk, journal, _) = mostly_erased();
    journal.reader().rewrite(1, 0, &mut |_, _| {}).unwrap();
    let mut bytes = disk.file(FIRST).unwrap();
    let plain = disk.file("0000000000000002.segment").unwrap();
    // The header block of version 1 in front of records of version 2.
    bytes[8..16].copy_from_slice(&plain[8..16]);
    let crc = crc32c::crc32c(&bytes[..100]);
    bytes[100..104].copy_from_slice(&crc.to_le_bytes());
    disk.put(FIRST, &bytes);
    let (opened, _) = open(&disk);
    assert!(opened.verify(&is_gone, &mut |_| {}).unwrap().damages_total > 0);
}

#[test]
fn the_old_file_is_overwritten_before_its_space_is_given_back() {
    let (disk, journal, drafts) = mostly_erased();
    let reader = journal.reader();
    let old = startalk_journal::Disk::open(&*disk.arc(), FIRST).unwrap();
    assert!(reader.rewrite(1, 0, &mut |_, _| {}).unwrap().wiped);
    let mut bytes = vec![1; old.size().unwrap() as usize];
    old.read_at(0, &mut bytes).unwrap();
    assert!(bytes.iter().all(|&byte| byte == 0), "a copy of a body that nobody would find any more");
    assert_as_it_was(&journal, &drafts, "read after the wiping");
}

/// What a kill leaves at each change of a rewriting in turn: nothing of the erased or of copies of the others but in the
/// segments, once the journal was opened again.
#[test]
fn a_kill_at_any_change_of_a_rewriting_leaves_no_block_that_nobody_finds() {
    let (whole, _, drafts) = mostly_erased();
    let (mut old_found, mut new_found) = (0, 0);
    for change in 1.. {
        let disk = whole.copy();
        let (journal, _) = open(&disk);
        let old = startalk_journal::Disk::open(&*disk.arc(), FIRST).unwrap();
        disk.set_faults(Faults { power_off: Some(change), ..Faults::default() });
        let ended = journal.reader().rewrite(1, 0, &mut |_, _| {}).is_ok() && !disk.is_off();
        disk.restart(); // killed: what was written is there
        let unfinished = startalk_journal::Disk::open(&*disk.arc(), &format!("{FIRST}.new")).ok();
        drop(journal);
        let (opened, _) = open(&disk);
        assert_as_it_was(&opened, &drafts, &format!("killed at change {change}"));
        let segments: Vec<_> = startalk_journal::Disk::list(&*disk.arc()).unwrap();
        assert!(segments.iter().all(|n| !n.ends_with(".old") && !n.ends_with(".new")), "{segments:?}");
        // Files without a name any more are nothing but zeros.
        for (file, found) in [(Some(old), &mut old_found), (unfinished, &mut new_found)] {
            let Some(file) = file.filter(|f| f.names().unwrap() == 0) else { continue };
            let mut bytes = vec![1; file.size().unwrap() as usize];
            file.read_at(0, &mut bytes).unwrap();
            assert!(bytes.iter().all(|&byte| byte == 0), "killed at change {change}");
            *found += 1;
        }
        if ended {
            break;
        }
    }
    assert!(old_found > 1 && new_found > 0, "{old_found} old files, {new_found} unfinished ones");
}

#[test]
fn a_failed_renaming_or_sync_of_it_stops_the_journal() {
    let (disk, _, _) = mostly_erased();
    let mut syncs = 0;
    // Each sync in turn fails; before the renaming it is only this rewriting that fails.
    let (mut stopped, mut went_on) = (0, 0);
    loop {
        syncs += 1;
        let disk = disk.copy();
        let (mut journal, _) = open(&disk);
        disk.set_faults(Faults { fail_sync: Some(syncs), ..Faults::default() });
        if journal.reader().rewrite(1, 0, &mut |_, _| {}).is_ok() {
            break;
        }
        disk.set_faults(Faults::default());
        let head = journal.head();
        let appended = startalk_journal::AppendJournal::append(&mut journal, &[message(900, 30)], &head);
        assert_eq!(appended.is_err(), journal.is_poisoned());
        stopped += u32::from(appended.is_err());
        went_on += u32::from(appended.is_ok());
        for seed in 0..20 {
            let (opened, _) = open(&disk.crash(seed));
            assert!(opened.head().position >= 120);
            assert_sound(&opened, &is_gone, "after a failed sync");
        }
    }
    assert_eq!((stopped, went_on), (1, 2), "the sync of the new name; those of the file and of the old file's second name");
}

#[test]
fn the_newest_segments_are_left_alone() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    append(&mut journal, &[message(1, 100)]);
    let active = journal.reader().rewrite(1, 0, &mut |_, _| {});
    assert!(matches!(active, Err(RewriteError::NotSealed { segment: 1 })));
    assert!(matches!(journal.reader().rewrite(0, 0, &mut |_, _| {}), Err(RewriteError::NotSealed { segment: 0 })));
    assert!(matches!(journal.reader().rewrite(99, 0, &mut |_, _| {}), Err(RewriteError::NotSealed { segment: 99 })));
}

#[test]
fn a_copy_and_a_rewriting_wait_for_each_other() {
    let (_, journal, drafts) = mostly_erased();
    let copy = FaultDisk::new();
    let reader = journal.reader();
    let mut refused = 0;
    reader
        .copy_to(&*copy.arc(), &mut |_, _| {
            refused += u32::from(matches!(journal.reader().rewrite(1, 0, &mut |_, _| {}), Err(RewriteError::Busy)));
        })
        .unwrap();
    assert!(refused > 0);
    rewrite_all(&journal);
    let again = FaultDisk::new();
    reader.copy_to(&*again.arc(), &mut |_, _| {}).unwrap();
    for copy in [copy, again] {
        assert_as_it_was(&Journal::open(copy.arc(), SMALL).unwrap().0, &drafts, "a copy");
    }
}

/// Readers, an eraser and a rewriter at once: nobody sees anything but a body as it was, or an erased one that may be.
#[test]
fn readers_never_notice() {
    let disk = FaultDisk::new();
    let mut journal = Journal::create(disk.arc(), ID, Options { segment_bytes: 16 * 1024, extent_bytes: 4096 }).unwrap();
    let drafts: Vec<_> = (0..400).map(|n| message(n, 200)).collect();
    drafts.chunks(4).for_each(|batch| append(&mut journal, batch));
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (reader, drafts, done) = (journal.reader(), &drafts, &done);
            scope.spawn(move || {
                let mut rounds = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) || rounds == 0 {
                    assert_same(&reader, drafts, &is_gone, "read meanwhile");
                    rounds += 1;
                }
            });
        }
        for step in 0..40 {
            let positions: Vec<u64> = (step * 10 + 1..=step * 10 + 10).filter(|&p| is_gone(p)).collect();
            journal.erase(&positions).unwrap();
            let reader = journal.reader();
            for segment in 1..=reader.settled_segments() {
                reader.rewrite(segment, 0, &mut |_, _| {}).unwrap();
            }
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    let gone = |p| is_gone(p);
    assert_sound(&journal, &gone, "at the end");
    assert_eq!(journal.reader().take_touched().len() as u64, journal.reader().settled_segments() + 1);
}
