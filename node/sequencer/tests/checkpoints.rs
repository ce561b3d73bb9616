//! When checkpoints of the views are begun, what they hold back, and when they must go.

use std::sync::{Arc, Mutex};

use startalk_domain::{
    Command,
    command::Admission,
    context::Random,
    governance::NewPolicy,
    store::{
        Store,
        checkpoint::{Export, Incoming},
    },
};
use startalk_journal::{Journal, Options, ReadJournal as _, fault::FaultDisk};
use startalk_sequencer::{Checkpoints, Sequencer, Work, views};

#[derive(Default)]
struct Seen {
    exports: Vec<Export>,
    forgotten: Vec<u64>,
}

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Seen>>);

impl Checkpoints for Kept {
    fn write(&mut self, export: Export) {
        self.0.lock().unwrap().exports.push(export);
    }
    fn forget(&mut self, before: u64) {
        self.0.lock().unwrap().forgotten.push(before);
    }
}

struct Counting(u8);

impl Random for Counting {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 = self.0.wrapping_add(1);
        out.fill(self.0 | 1);
    }
}

fn sequencer(disk: &FaultDisk, store: Store, begin: bool) -> Sequencer<Journal> {
    let journal = if begin {
        Journal::create(disk.arc(), [9; 16], Options::default()).unwrap()
    } else {
        Journal::open(disk.arc(), Options::default()).unwrap().0
    };
    let views = views(store, Arc::new(journal.reader()));
    let mut sequencer = Sequencer::open(journal, views, "a.example".parse().unwrap(), |_, _| {}).unwrap();
    sequencer.set_reserve(0);
    if begin {
        run(&mut sequencer, Command::Begin { root_key: [1; 32] }, 1000);
    }
    sequencer
}

fn run(sequencer: &mut Sequencer<Journal>, command: Command, now_ms: u64) {
    let mut work = Work::default();
    let (answer, result) = std::sync::mpsc::channel();
    work.push(command, move |r| answer.send(r).unwrap());
    sequencer.step(&mut work, now_ms, &mut Counting(0)).unwrap();
    result.recv().unwrap().unwrap();
}

fn policy(sequencer: &mut Sequencer<Journal>, n: u64) {
    let new = NewPolicy { recall_window_ms: Some(n as i64), ..NewPolicy::default() };
    run(sequencer, Command::SetPolicy(new), 2000 + n);
}

#[test]
fn one_is_begun_every_so_many_records_and_flushes_wait_for_it() {
    let disk = FaultDisk::new();
    let mut sequencer = sequencer(&disk, Store::temporary().unwrap(), true);
    let kept = Kept::default();
    sequencer.set_checkpoints(Box::new(kept.clone()), 0, 50, 0);
    (0..20).for_each(|n| policy(&mut sequencer, n));
    sequencer.idle(100_000);
    assert!(kept.0.lock().unwrap().exports.is_empty(), "too few records");
    (20..60).for_each(|n| policy(&mut sequencer, n));
    sequencer.idle(200_000);
    let begun = sequencer.head().position;
    assert_eq!(kept.0.lock().unwrap().exports.len(), 1);
    (60..200).for_each(|n| policy(&mut sequencer, n));
    sequencer.idle(300_000);
    let store = sequencer.views().store.clone();
    assert_eq!(store.meta().position, begun, "the tree stands still");
    assert!(store.unflushed() > 0, "and what was written is visible all the same");
    let export = kept.0.lock().unwrap().exports.pop().unwrap();
    let mut bytes = Vec::new();
    export.write(&mut bytes).unwrap();
    drop(export);
    let loaded = Store::temporary().unwrap();
    assert_eq!(Incoming::open(&bytes[..]).unwrap().load(&loaded).unwrap().position, begun);
    sequencer.idle(400_000);
    assert_eq!(store.meta().position, sequencer.head().position, "the flush that waited");
    assert_eq!(kept.0.lock().unwrap().exports.len(), 1, "and the next one, for many records have passed");
    sequencer.close().unwrap();
    assert_eq!(store.meta().position, store_head(&disk), "a stop waits for none");
}

fn store_head(disk: &FaultDisk) -> u64 {
    Journal::open(disk.copy().arc(), Options::default()).unwrap().0.reader().head().position
}

#[test]
fn a_small_tree_or_a_recent_one_is_enough() {
    let disk = FaultDisk::new();
    let mut sequencer = sequencer(&disk, Store::temporary().unwrap(), true);
    let kept = Kept::default();
    sequencer.set_checkpoints(Box::new(kept.clone()), 0, 1, u64::MAX);
    policy(&mut sequencer, 1);
    sequencer.idle(100_000);
    sequencer.set_checkpoints(Box::new(kept.clone()), 1000, 1, 0);
    policy(&mut sequencer, 2);
    sequencer.idle(200_000);
    assert!(kept.0.lock().unwrap().exports.is_empty());
}

#[test]
fn a_person_who_goes_takes_older_checkpoints_along_also_after_a_crash() {
    let disk = FaultDisk::new();
    let mut first = sequencer(&disk, Store::temporary().unwrap(), true);
    let kept = Kept::default();
    first.set_checkpoints(Box::new(kept.clone()), 0, 1000, 0);
    let account = Command::CreateAccount {
        name: "p".parse().unwrap(),
        display_name: String::new(),
        password_hash: "hash".into(),
        recovery_hashes: Vec::new(),
        admission: Admission::Operator { administrator: false },
        device: None,
    };
    run(&mut first, account, 3000);
    assert!(kept.0.lock().unwrap().forgotten.is_empty());
    run(&mut first, Command::DeleteAccount { account: 1 }, 4000);
    let forgotten = kept.0.lock().unwrap().forgotten.clone();
    assert_eq!(forgotten.len(), 1);
    drop(first);
    // The views did not reach the tree: what has to be forgotten is found in the journal.
    let kept = Kept::default();
    let mut again = sequencer(&disk, Store::temporary().unwrap(), false);
    again.set_checkpoints(Box::new(kept.clone()), 0, 1000, 0);
    assert_eq!(kept.0.lock().unwrap().forgotten, forgotten);
}
