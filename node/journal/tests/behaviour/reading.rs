//! What is appended is read again: by position, in runs, by header, after reopening, from a real folder.

use crate::support::*;
use startalk_journal::fault::{FaultDisk, Faults, SplitMix64};
use startalk_journal::{AppendJournal, Draft};
use startalk_journal::{Body, FolderDisk, Journal, Options, ReadError, ReadJournal, content_hash};
use std::sync::Arc;

#[test]
fn a_record_comes_back_with_all_it_says() {
    let mut journal = create(&FaultDisk::new());
    let mut second = message(2, 40);
    second.previous = 1;
    append(&mut journal, &[message(1, 20), second.clone()]);
    append(&mut journal, &[Draft { body: None, facts: Vec::new(), ..message(3, 0) }]);

    let reader = journal.reader();
    let record = reader.read(2).expect("position 2");
    assert_eq!((record.header.position, record.header.batch, record.header.remaining_in_batch), (2, 1, 0));
    assert_eq!((record.header.kind, record.header.version, record.header.epoch), (7, 1, 1));
    assert_eq!((record.header.conversation, record.header.sequence, record.header.previous), (5, 2, 1));
    assert_eq!(record.header.time_ms, second.time_ms);
    assert_eq!(record.header.facts_hash, content_hash(&second.facts));
    assert_eq!(record.header.body_hash, content_hash(second.body.as_deref().expect("a body")));
    assert_eq!(record.facts, second.facts);
    assert_eq!(record.body, Body::Present(second.body.expect("a body").into()));
    assert_eq!(reader.header(1).expect("position 1").remaining_in_batch, 1);

    let bare = reader.read(3).expect("position 3");
    assert_eq!((bare.body, bare.header.body_hash, bare.header.facts_len), (Body::None, [0; 24], 0));
    assert_eq!(bare.header.chain_tag, reader.head().chain[..8]);
}

#[test]
fn a_position_that_is_not_there_is_refused_and_a_run_beyond_the_head_is_empty() {
    let mut journal = create(&FaultDisk::new());
    append(&mut journal, &[message(1, 20)]);
    let reader = journal.reader();
    for position in [0, 2, u64::MAX] {
        let error = reader.read(position).expect_err("no such position");
        assert!(matches!(error, ReadError::NoSuchPosition { head: 1, .. }), "{error}");
        assert!(matches!(reader.header(position), Err(ReadError::NoSuchPosition { .. })));
    }
    assert_eq!(reader.read_from(2, 10, 10).expect("nothing"), []);
    assert_eq!(reader.read_from(0, 10, 1000).expect("from the first").len(), 1);
}

#[test]
fn a_run_keeps_its_limits_and_goes_across_segments() {
    let mut journal = create(&FaultDisk::new());
    let drafts: Vec<_> = (0..100).map(|n| message(n, 200)).collect();
    drafts.chunks(3).for_each(|batch| append(&mut journal, batch));
    let reader = journal.reader();
    assert_eq!(reader.read_from(1, 1000, 1 << 20).expect("all").len(), 100);
    assert_eq!(reader.read_from(40, 7, 1 << 20).expect("seven").len(), 7);
    assert_eq!(reader.read_from(40, 7, 1).expect("at least one").len(), 1);
    assert_eq!(reader.read_from(40, 0, 0).expect("at least one").len(), 1);
    let record = reader.read(40).expect("position 40");
    let size = record.facts.len() + 200 + 100;
    let some = reader.read_from(40, 1000, 5 * size).expect("five");
    assert!((5..=6).contains(&some.len()), "{} records", some.len());
    for from in 1..=100 {
        let run = reader.read_from(from, 30, 2000).expect("a run");
        assert!(run.len() < 30 && run.iter().map(|r| r.header.position).eq(from..from + run.len() as u64));
    }
}

#[test]
fn everything_is_there_after_opening_again_and_again() {
    let disk = FaultDisk::new();
    let mut random = SplitMix64::new(5);
    let mut expected: Vec<Draft> = Vec::new();
    let mut journal = create(&disk);
    for _ in 0..30 {
        for _ in 0..random.below(8) {
            let batch = random_batch(&mut random, journal.head().time_ms, journal.head().position);
            append(&mut journal, &batch);
            expected.extend(batch);
        }
        let head = journal.head();
        drop(journal);
        let (opened, report) = open(&disk);
        assert_eq!((report.head, report.cut, report.seal_undone), (head, None, false));
        assert_same(&opened.reader(), &expected, &never, "opened again");
        assert_sound(&opened, &never, "opened again");
        journal = opened;
    }
    assert!(expected.len() > 100);
}

#[test]
fn readers_see_a_batch_only_after_its_sync() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    append(&mut journal, &[message(1, 20)]);
    let reader = journal.reader();
    disk.set_faults(Faults { fail_sync: Some(1), ..Faults::default() });
    let head = journal.head();
    journal.append(&[message(2, 20)], &head).expect_err("the sync fails");
    assert_eq!(reader.head().position, 1);
    assert!(matches!(reader.read(2), Err(ReadError::NoSuchPosition { .. })));
    assert!(reader.read(1).is_ok(), "what was durable is read after a failure");
}

#[test]
fn an_append_is_one_write_and_one_sync() {
    let disk = FaultDisk::new();
    let mut journal = Journal::create(disk.arc(), ID, Options::default()).expect("an empty disk");
    append(&mut journal, &[message(1, 20)]);
    let before = disk.counts();
    append(&mut journal, &(2..200).map(|n| message(n, 150)).collect::<Vec<_>>());
    let after = disk.counts();
    assert_eq!((after.writes - before.writes, after.syncs - before.syncs), (1, 1));
}

#[test]
fn a_new_epoch_begins_with_the_next_record() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    append(&mut journal, &[message(1, 20)]);
    assert_eq!((journal.begin_epoch(), journal.begin_epoch()), (2, 2), "no record between: the same epoch");
    assert_eq!(journal.head().epoch, 1);
    append(&mut journal, &[message(2, 20)]);
    append(&mut journal, &[message(3, 20)]);
    let (mut journal, report) = open(&disk);
    assert_eq!(report.head.epoch, 2);
    let epochs = [1, 2, 3].map(|position| journal.reader().header(position).expect("a header").epoch);
    assert_eq!(epochs, [1, 2, 2]);
    assert_eq!(journal.begin_epoch(), 3);
}

#[test]
fn a_real_folder_keeps_it_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Arc::new(FolderDisk::new(folder.path().join("journal")).expect("a folder in it"));
    let mut journal = Journal::create(disk.clone(), ID, SMALL).expect("an empty folder");
    let drafts: Vec<_> = (0..150).map(|n| message(n, 100)).collect();
    drafts.chunks(10).for_each(|batch| append(&mut journal, batch));
    assert!(journal.free_bytes().expect("statvfs") > 0);
    journal.erase(&[5, 149]).expect("erasing");
    drop(journal);
    let (journal, report) = Journal::open(disk, SMALL).expect("the same journal");
    assert!(report.segments > 2 && report.cut.is_none());
    let erased = |position| position == 5 || position == 149;
    assert_same(&journal.reader(), &drafts, &erased, "a real folder");
    assert_sound(&journal, &erased, "a real folder");
}

#[test]
fn reading_goes_on_while_the_journal_is_written_and_erased() {
    let mut journal = create(&FaultDisk::new());
    append(&mut journal, &[message(0, 300)]);
    let reader = journal.reader();
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..2)
            .map(|_| {
                let reader = reader.clone();
                scope.spawn(move || {
                    let mut seen = 0;
                    while seen < 300 {
                        let head = reader.head().position;
                        let run = reader.read_from(head.saturating_sub(20), 50, 1 << 20).expect("a run");
                        seen = run.last().map_or(0, |record| record.header.position).max(seen);
                    }
                })
            })
            .collect();
        for n in 1..300 {
            append(&mut journal, &[message(n, 300)]);
            journal.erase(&[n]).expect("erasing");
        }
        readers.into_iter().for_each(|reader| reader.join().expect("a reader that saw only good records"));
    });
}
