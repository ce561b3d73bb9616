//! A copy is a journal by itself, whatever is appended and erased while it is made.

use crate::support::*;
use startalk_journal::fault::{FaultDisk, SplitMix64};
use startalk_journal::{Body, Journal, Options, ReadJournal};

#[test]
fn with_erased_bodies_in_the_last_batch() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    let drafts = [1, 2, 3].map(|n| message(n, 60));
    append(&mut journal, &drafts);
    journal.erase(&[2]).expect("erasing");
    let copy = FaultDisk::new();
    let head = journal.reader().copy_to(&copy, &mut |_, _| {}).expect("copied");
    let (copied, report) = open(&copy.crash(1));
    assert_eq!((report.head, report.cut), (head, None));
    assert_same(&copied.reader(), &drafts, &|position| position == 2, "the copy");
}

#[test]
fn while_it_is_appended_to_and_erased() {
    for seed in 0..60 {
        let mut random = SplitMix64::new(seed);
        let disk = FaultDisk::new();
        let mut journal = create(&disk);
        let drafts: Vec<_> = (0..40).map(|n| message(n, 400)).collect();
        drafts.chunks(2).for_each(|batch| append(&mut journal, batch));
        let reader = journal.reader();
        let copy = FaultDisk::new();
        let mut erased = Vec::new();
        let head = reader
            .copy_to(&copy, &mut |_, _| {
                let position = if random.one_in(3) { journal.head().position } else { 1 + random.below(40) };
                journal.erase(&[position]).expect("erasing");
                append(&mut journal, &[message(100, 50)]);
                erased.push(position);
            })
            .expect("copied");
        assert_eq!(head.position, 40);
        let (copied, report) = open(&copy.crash(seed));
        assert_eq!((report.head, report.cut), (head, None), "seed {seed}");
        let is_erased = |position| erased.contains(&position);
        assert_same(&copied.reader(), &drafts, &is_erased, &format!("seed {seed}"));
        assert_sound(&copied, &is_erased, &format!("seed {seed}"));
        for &position in erased.iter().filter(|&&position| position <= 40) {
            assert_eq!(copied.reader().read(position).expect("a record").body, Body::Erased, "seed {seed}");
        }
    }
}

#[test]
fn a_body_erased_between_two_pieces_of_it_is_not_torn_in_the_copy() {
    let disk = FaultDisk::new();
    let mut journal = Journal::create(disk.arc(), ID, Options::default()).expect("created");
    let drafts: Vec<_> = (0..5).map(|n| message(n, 900_000)).collect();
    drafts.iter().for_each(|draft| append(&mut journal, std::slice::from_ref(draft)));
    let copy = FaultDisk::new();
    let mut pieces = 0;
    let reader = journal.reader();
    reader
        .copy_to(&copy, &mut |_, _| {
            pieces = (pieces + 1).min(4);
            // The pieces are 1 MiB: this body has been read by half.
            journal.erase(&[pieces + 1]).expect("erasing");
        })
        .expect("copied");
    let (copied, report) = Journal::open(copy.arc(), Options::default()).expect("a journal in order");
    assert_eq!((report.records, report.cut), (5, None));
    let is_erased = |position| (2..=pieces + 1).contains(&position);
    assert_same(&copied.reader(), &drafts, &is_erased, "the copy");
    assert_eq!(copied.verify(&is_erased, &mut |_| {}).expect("read").erased, 4);
}
