//! Erased bodies are gone and stay gone, the chain does not notice, and a crash in the middle of erasing harms nothing.

use crate::support::*;
use startalk_journal::fault::{FaultDisk, Faults};
use startalk_journal::{Body, Draft, EraseError, Fault, Journal, Options, ReadJournal};
use startalk_journal::{Disk, DiskFile};
use std::io;
use std::sync::{Arc, Barrier};
use std::time::Duration;

fn filled(count: u64, body_len: usize) -> (FaultDisk, Journal, Vec<Draft>) {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    let drafts: Vec<_> = (0..count).map(|n| message(n, body_len)).collect();
    drafts.iter().for_each(|draft| append(&mut journal, std::slice::from_ref(draft)));
    (disk, journal, drafts)
}

#[test]
fn the_body_is_gone_and_everything_else_is_as_before() {
    let (disk, mut journal, drafts) = filled(60, 120);
    let erased = [3, 4, 17, 59];
    let headers = erased.map(|position| journal.reader().header(position).expect("a header"));
    journal.erase(&erased).expect("erasing");
    let is_erased = |position| erased.contains(&position);
    for journal in [journal, open(&disk).0, open(&disk.crash(1)).0] {
        let reader = journal.reader();
        for (position, header) in erased.into_iter().zip(headers) {
            let record = reader.read(position).expect("a record");
            assert_eq!((record.body, record.header), (Body::Erased, header));
            assert_eq!(record.facts, drafts[position as usize - 1].facts);
        }
        assert_same(&reader, &drafts, &is_erased, "erased");
        assert_sound(&journal, &is_erased, "erased");
        assert_eq!(journal.verify(&is_erased, &mut |_| {}).expect("read").erased, 4);
    }
    for name in [FIRST, "0000000000000002.segment"] {
        let file = disk.file(name).expect("a segment");
        for position in erased {
            let body = drafts[position as usize - 1].body.as_ref().expect("a body");
            assert!(!file.windows(body.len()).any(|bytes| bytes == body), "the body of {position} is still in {name}");
        }
    }
}

#[test]
fn erasing_again_or_nothing_or_what_has_no_body_is_fine() {
    let (disk, mut journal, _) = filled(5, 40);
    append(&mut journal, &[Draft { body: None, ..message(5, 0) }]);
    journal.erase(&[]).expect("nothing");
    journal.erase(&[6]).expect("no body");
    assert_eq!(journal.reader().read(6).expect("a record").body, Body::None);
    for _ in 0..3 {
        journal.erase(&[2, 2, 1]).expect("again");
    }
    let (mut journal, _) = open(&disk);
    journal.erase(&[2]).expect("again after opening");
    assert_eq!(journal.reader().read(2).expect("a record").body, Body::Erased);
    assert!(matches!(journal.reader().read(3).expect("a record").body, Body::Present(_)));
}

#[test]
fn a_position_that_is_not_there_erases_nothing() {
    let (_, mut journal, _) = filled(5, 40);
    for position in [0, 6, u64::MAX] {
        let error = journal.erase(&[1, position]).expect_err("no such position");
        assert!(matches!(error, EraseError::NoSuchPosition { head: 5, .. }), "{error}");
    }
    assert!(matches!(journal.reader().read(1).expect("a record").body, Body::Present(_)));
}

#[test]
fn what_was_erased_in_the_last_batch_is_not_taken_for_torn() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    let drafts: Vec<_> = (1..=6).map(|n| message(n, 40)).collect();
    append(&mut journal, &drafts[..3]);
    append(&mut journal, &drafts[3..]);
    // In several steps, with an opening and an erasure elsewhere in between.
    journal.erase(&[5]).expect("in the last batch");
    journal.erase(&[1]).expect("elsewhere");
    let (mut journal, report) = open(&disk);
    assert_eq!((report.cut, report.records), (None, 6));
    journal.erase(&[6]).expect("in the last batch");
    journal.erase(&[2]).expect("elsewhere");
    for seed in 0..20 {
        let (journal, report) = open(&disk.crash(seed));
        assert_eq!((report.cut, report.records), (None, 6), "seed {seed}");
        assert_same(&journal.reader(), &drafts, &|position| [1, 2, 5, 6].contains(&position), "erased");
    }
    // When another batch follows, the list is free again.
    append(&mut journal, &[message(7, 40)]);
    journal.erase(&[3]).expect("elsewhere");
    let (_, report) = open(&disk);
    assert_eq!((report.cut, report.records), (None, 7));
}

#[test]
fn an_erasure_cut_short_is_finished_by_the_next_opening() {
    let mut repeated = 0;
    for seed in 0..300 {
        let (disk, mut journal, drafts) = filled(12, 700);
        let ordered = [2, 3, 7, 11];
        disk.set_faults(Faults { power_off: Some(1 + seed % 9), ..Faults::default() });
        let done = journal.erase(&ordered).is_ok();
        let disk = disk.crash(seed);
        let (journal, report) = open(&disk);
        let may = |position| ordered.contains(&position);
        assert_eq!(report.cut, None, "seed {seed}");
        assert_same(&journal.reader(), &drafts, &may, &format!("seed {seed}"));
        let verified = journal.verify(&may, &mut |_| {}).expect("read");
        assert_eq!(verified.damages, [], "seed {seed}");
        if done || report.erasures_repeated > 0 {
            assert_eq!(verified.erasures_unfinished, [0; 0], "seed {seed}");
        }
        repeated += report.erasures_repeated;
    }
    assert!(repeated > 100, "{repeated} erasures repeated");
}

#[test]
fn a_body_whose_erasing_failed_is_read_as_erased_whatever_is_left_of_it() {
    let mut half = 0;
    for write in 1..8 {
        let (disk, mut journal, drafts) = filled(12, 700);
        let ordered = [2, 3, 7, 11];
        disk.set_faults(Faults { fail_write: Some(write), ..Faults::default() });
        if journal.erase(&ordered).is_ok() {
            break;
        }
        let may = |position| ordered.contains(&position);
        assert_same(&journal.reader(), &drafts, &may, &format!("write {write}"));
        let read = ordered.map(|position| journal.reader().read(position).expect("a record").body);
        assert!(read.iter().all(|body| *body == Body::Erased), "write {write}: {read:?}");
        let verified = journal.verify(&may, &mut |_| {}).expect("read");
        half += verified.erasures_unfinished.len(); // on the disk, until the next opening
        disk.restart();
        let (journal, _) = open(&disk);
        assert_same(&journal.reader(), &drafts, &may, &format!("write {write}, opened again"));
        assert_eq!(journal.verify(&may, &mut |_| {}).expect("read").damages, [], "write {write}, opened again");
    }
    assert!(half > 0, "a body was overwritten half way");
}

#[test]
fn a_list_found_in_the_page_cache_only_is_durable_before_bodies_are_overwritten_on_its_word() {
    // Otherwise the next power cut leaves a body of zeros in the last batch, and nothing that says why.
    for seed in 0..40 {
        let (disk, mut journal, drafts) = filled(5, 60);
        disk.set_faults(Faults { fail_sync: Some(1), drop_dirty: true, ..Faults::default() });
        journal.erase(&[5]).expect_err("the sync of the list fails");
        disk.restart();
        let (_, report) = open(&disk);
        assert_eq!(report.erasures_repeated, 1, "the list is readable");
        let (journal, report) = open(&disk.crash(seed));
        assert_eq!((report.cut, report.records), (None, 5), "seed {seed}");
        assert_same(&journal.reader(), &drafts, &|position| position == 5, &format!("seed {seed}"));
    }
}

#[test]
fn more_bodies_than_one_step_takes() {
    let disk = FaultDisk::new();
    let mut journal = Journal::create(disk.arc(), ID, Options::default()).expect("an empty disk");
    let drafts: Vec<_> = (0..3000).map(|n| message(n, 16)).collect();
    drafts.chunks(1000).for_each(|batch| append(&mut journal, batch));
    journal.erase(&(1..=3000).rev().collect::<Vec<_>>()).expect("erasing");
    let (journal, report) = Journal::open(disk.crash(3).arc(), Options::default()).expect("a journal in order");
    assert_eq!((report.cut, report.records), (None, 3000));
    assert_same(&journal.reader(), &drafts, &|_| true, "all erased");
    assert_eq!(journal.verify(&|_| true, &mut |_| {}).expect("read").erased, 3000);
}

#[test]
fn a_list_of_another_journal_or_another_copy_erases_nothing() {
    let (disk, mut journal, _) = filled(6, 60);
    let empty_list = disk.file("erasing").expect("the list");
    // The list as it stands while position 4 is overwritten.
    disk.set_faults(Faults { fail_sync: Some(2), ..Faults::default() });
    journal.erase(&[4]).expect_err("the second sync fails");
    let list = disk.file("erasing").expect("the list");
    assert_ne!(list, empty_list);

    let (other, journal, drafts) = filled(6, 60);
    drop(journal);
    other.put("erasing", &list);
    let (journal, report) = open(&other);
    assert_eq!(report.erasures_repeated, 1, "the same journal: the list counts");
    assert_eq!(journal.reader().read(4).expect("a record").body, Body::Erased);

    let foreign = FaultDisk::new();
    let mut journal = Journal::create(foreign.arc(), [9; 16], SMALL).expect("created");
    drafts.iter().for_each(|draft| append(&mut journal, std::slice::from_ref(draft)));
    foreign.put("erasing", &list);
    let (journal, report) = open(&foreign);
    assert_eq!(report.erasures_repeated, 0);
    assert_same(&journal.reader(), &drafts, &never, "another journal");

    let (shorter, journal, drafts) = filled(3, 60);
    drop(journal);
    shorter.put("erasing", &list);
    let (journal, report) = open(&shorter);
    assert_eq!(report.erasures_repeated, 0, "that record is not there");
    assert_same(&journal.reader(), &drafts, &never, "an older copy");

    // The same journal with another past: where the list's record 4 was, record 3 may begin.
    for body_len in 60..400 {
        let other_past = FaultDisk::new();
        let mut journal = create(&other_past);
        let drafts = [message(0, body_len), message(1, 60), message(2, 60)];
        drafts.iter().for_each(|draft| append(&mut journal, std::slice::from_ref(draft)));
        other_past.put("erasing", &list);
        let (journal, report) = open(&other_past);
        assert_eq!(report.erasures_repeated, 0, "{body_len}");
        assert_same(&journal.reader(), &drafts, &never, "another past");
    }
}

/// A fault disk on which erasing takes its time in the middle of a body, and says so.
struct SlowlyErasing {
    disk: FaultDisk,
    half_way: Arc<Barrier>,
}

struct SlowFile {
    file: Arc<dyn DiskFile>,
    half_way: Arc<Barrier>,
}

/// Bytes of the body that is erased slowly.
const SLOW: usize = 777;

impl Disk for SlowlyErasing {
    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(SlowFile { file: self.disk.open(name)?, half_way: self.half_way.clone() }))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(SlowFile { file: self.disk.create(name)?, half_way: self.half_way.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.disk.link(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.disk.sync_dir()
    }

    fn free_bytes(&self) -> io::Result<u64> {
        self.disk.free_bytes()
    }
}

impl DiskFile for SlowFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() == SLOW && bytes[0] == 0 {
            self.file.write_at(offset, &bytes[..SLOW / 2])?;
            self.half_way.wait();
            std::thread::sleep(Duration::from_millis(50));
        }
        self.file.write_at(offset, bytes)
    }

    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    fn names(&self) -> io::Result<u64> {
        self.file.names()
    }
}

#[test]
fn a_reader_that_meets_a_body_half_way_waits_and_finds_it_erased() {
    let half_way = Arc::new(Barrier::new(3));
    let disk = SlowlyErasing { disk: FaultDisk::new(), half_way: half_way.clone() };
    let mut journal = Journal::create(Arc::new(disk), ID, SMALL).expect("created");
    append(&mut journal, &[message(1, SLOW)]);
    append(&mut journal, &[message(2, 30)]);
    let (reader, verifier) = (journal.reader(), journal.reader());
    std::thread::scope(|scope| {
        let read = scope.spawn(|| {
            half_way.wait();
            reader.read(1).expect("not damage").body
        });
        let verified = scope.spawn(|| {
            half_way.wait();
            verifier.verify(&|position| position == 1, &mut |_| {}).expect("read")
        });
        journal.erase(&[1]).expect("erasing");
        assert_eq!(read.join().expect("no panic"), Body::Erased);
        let verified = verified.join().expect("no panic");
        assert_eq!((verified.damages_total, verified.erased), (0, 1));
    });
}

#[test]
fn an_erased_body_that_nobody_ordered_is_damage() {
    let (_, mut journal, _) = filled(6, 60);
    journal.erase(&[2]).expect("erasing");
    let report = journal.verify(&never, &mut |_| {}).expect("read");
    assert_eq!(report.damages.len(), 1);
    assert_eq!((report.damages[0].place.position, report.damages[0].fault), (2, Fault::ErasedWithoutOrder));
}
