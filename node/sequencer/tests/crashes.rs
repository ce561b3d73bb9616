//! The write loop over a disk that loses, tears and reorders what was not synced, fails syncs and runs full: whoever was
//! answered finds what he wrote; whoever was not may send again; nothing is doubled. A failing seed replays exactly.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command, Event, Recorded,
    command::{Admission, NewDevice, Target},
    context::Random,
    store::Store,
};
use startalk_journal::{
    AppendError, Body, Journal, Options,
    fault::{FaultDisk, Faults, SplitMix64},
};
use startalk_protocol::{
    Code, Error,
    pb::content::{Block, Content, Inline, Text, content::Kind},
};
use startalk_sequencer::{Fatal, Sequencer, Work, views};

const PEOPLE: u64 = 4;
const OPTIONS: Options = Options { segment_bytes: 256 * 1024, extent_bytes: 32 * 1024 };

struct Seeded(SplitMix64);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        out.copy_from_slice(&self.0.bytes(out.len()));
    }
}

fn content(words: &str) -> Bytes {
    let inline = Inline { text: words.into(), ..Inline::default() };
    let text = Text { blocks: vec![Block { inlines: vec![inline], ..Block::default() }] };
    Content { fallback: String::new(), kind: Some(Kind::Text(text)), ..Content::default() }.encode_to_vec().into()
}

type Result_ = Result<Answer, Error>;
/// Who said something, under which number, to whom.
type Sent = (usize, u64, usize);

/// A node's core on a fault disk, and what people know of it.
struct World {
    disk: FaultDisk,
    sequencer: Sequencer<Journal>,
    random: Seeded,
    now_ms: u64,
    actors: Vec<Actor>,
    counters: Vec<u64>,
    /// (device, counter) → what was answered.
    acknowledged: BTreeMap<(u64, u64), Answer>,
    /// Sent and not answered: to be sent again.
    open: Vec<Sent>,
    answers: Arc<Mutex<Vec<(Sent, Result_)>>>,
}

fn sequencer(disk: &FaultDisk, begin: bool) -> Sequencer<Journal> {
    let journal = if begin {
        Journal::create(disk.arc(), [9; 16], OPTIONS).expect("an empty disk")
    } else {
        Journal::open(disk.arc(), OPTIONS).expect("every crash recovers").0
    };
    let views = views(Store::temporary().unwrap(), Arc::new(journal.reader()));
    let mut sequencer = Sequencer::open(journal, views, "a.example".parse().unwrap(), |_, _| {}).unwrap();
    sequencer.set_reserve(64 * 1024);
    sequencer
}

impl World {
    fn new(seed: u64) -> Self {
        let disk = FaultDisk::new();
        let mut world = Self {
            sequencer: sequencer(&disk, true),
            disk,
            random: Seeded(SplitMix64::new(seed)),
            now_ms: 1_800_000_000_000,
            actors: Vec::new(),
            counters: vec![0; PEOPLE as usize],
            acknowledged: BTreeMap::new(),
            open: Vec::new(),
            answers: Arc::default(),
        };
        world.run(Command::Begin { root_key: [1; 32] }).unwrap();
        for n in 0..PEOPLE {
            let device = NewDevice { name: String::new(), token_hash: [u8::try_from(n).unwrap(); 32] };
            let command = Command::CreateAccount {
                name: format!("p{n}").parse().unwrap(),
                display_name: String::new(),
                password_hash: String::new(),
                recovery_hashes: vec![],
                admission: Admission::Operator { administrator: false },
                device: Some(device),
            };
            match world.run(command).unwrap() {
                Answer::Account { account, device: Some(device), .. } => world.actors.push(Actor { account, device }),
                other => panic!("{other:?}"),
            }
        }
        world
    }

    fn run(&mut self, command: Command) -> Result_ {
        let got = Arc::new(Mutex::new(None));
        let put = got.clone();
        let mut work = Work::default();
        work.push(command, move |answer| *put.lock().unwrap() = Some(answer));
        self.now_ms += 1;
        self.sequencer.step(&mut work, self.now_ms, &mut self.random).unwrap();
        got.lock().unwrap().take().unwrap()
    }

    fn push(&self, work: &mut Work, (from, counter, to): Sent) {
        let command = Command::Send {
            actor: self.actors[from],
            to: Target::User(format!("p{to}@a.example").parse().unwrap()),
            counter,
            content: content(&format!("{from} {counter} {}", "x".repeat((counter % 90) as usize))),
            reply_to: None,
            reply_sequence: 0,
            known_id: None,
        };
        let answers = self.answers.clone();
        work.push(command, move |answer| answers.lock().unwrap().push(((from, counter, to), answer)));
    }

    /// One batch of new messages, and again those that were not answered.
    fn talk(&mut self) -> Result<(), Fatal> {
        let mut work = Work::default();
        for message in self.open.clone() {
            self.push(&mut work, message);
        }
        for _ in 0..self.random.0.below(12) {
            let (from, to) = (self.random.0.below(PEOPLE) as usize, self.random.0.below(PEOPLE) as usize);
            self.counters[from] += 1;
            self.open.push((from, self.counters[from], to));
            self.push(&mut work, (from, self.counters[from], to));
        }
        self.now_ms += self.random.0.below(5);
        let mut result = Ok(());
        while !work.is_empty() && result.is_ok() {
            result = self.sequencer.step(&mut work, self.now_ms, &mut self.random).map(|_| ());
        }
        work.refuse(Code::Stopping);
        for (message, answer) in std::mem::take(&mut *self.answers.lock().unwrap()) {
            let Ok(answer) = answer else { continue };
            let key = (self.actors[message.0].device, message.1);
            let before = self.acknowledged.insert(key, answer.clone());
            assert!(before.is_none_or(|b| b == answer), "the same command has the same answer");
            self.open.retain(|m| *m != message);
        }
        result
    }

    /// What was acknowledged is there, once, where the answer said; sequences have no gaps.
    fn check(&self, seed: u64) {
        let journal = &*self.sequencer.views().journal;
        let head = journal.head().position;
        let (mut found, mut heads) = (BTreeMap::new(), BTreeMap::new());
        for position in 1..=head {
            let record = journal.read(position).unwrap();
            let recorded = Recorded::read(&record).unwrap();
            if recorded.sequence != 0 {
                let last = heads.insert(recorded.conversation, recorded.sequence).unwrap_or(0);
                assert_eq!(recorded.sequence, last + 1, "seed {seed}: a gap at position {position}");
            }
            if let Event::MessageAdded(facts, Some(_)) = &recorded.event {
                assert!(matches!(record.body, Body::Present(_)));
                let at = (recorded.conversation, recorded.sequence, facts.id.clone());
                let before = found.insert((facts.device, facts.counter), at);
                assert!(before.is_none(), "seed {seed}: {}/{} twice", facts.device, facts.counter);
            }
        }
        for (key, answer) in &self.acknowledged {
            let Answer::Sent { conversation, sequence, id, .. } = answer else { panic!("{answer:?}") };
            let expected = (*conversation, *sequence, Bytes::copy_from_slice(&id.0));
            assert_eq!(found.get(key), Some(&expected), "seed {seed}: acknowledged and lost");
        }
    }

    fn restart(&mut self, disk: FaultDisk) {
        self.sequencer = sequencer(&disk, false);
        self.disk = disk;
    }
}

fn rounds() -> u64 {
    std::env::var("STARTALK_CRASH_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60)
}

#[test]
fn nothing_acknowledged_is_lost_or_doubled_over_power_cuts_and_kills() {
    for seed in 0..rounds() {
        let mut world = World::new(seed);
        for crash in 0..4 {
            world.disk.set_faults(Faults { power_off: Some(1 + world.random.0.below(60)), ..Faults::default() });
            let mut batches = 0;
            while world.talk().is_ok() && !world.disk.is_off() {
                batches += 1;
                assert!(batches < 1000, "the power goes off some time");
            }
            let disk = if world.random.0.one_in(3) {
                world.disk.restart(); // killed: the page cache lives
                world.disk.clone()
            } else {
                world.disk.crash(seed * 10 + crash)
            };
            world.restart(disk);
            world.check(seed);
            world.talk().unwrap();
            world.check(seed);
        }
        assert!(world.acknowledged.len() > 10, "seed {seed} did something");
    }
}

#[test]
fn a_failed_sync_ends_the_loop_and_nobody_is_answered() {
    for seed in 0..40 {
        let mut world = World::new(seed);
        world.talk().unwrap();
        world.disk.set_faults(Faults { fail_sync: Some(1), drop_dirty: true, ..Faults::default() });
        let before = world.acknowledged.len();
        while world.talk().is_ok() {
            // until a batch is not empty
        }
        assert_eq!(world.acknowledged.len(), before, "whose batch was not synced was not answered");
        assert!(world.talk().is_err(), "and the loop does not go on");
        let disk = world.disk.crash(seed);
        world.restart(disk);
        world.check(seed);
        world.talk().unwrap();
        world.check(seed);
    }
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_there_is_space() {
    let mut world = World::new(5);
    world.talk().unwrap();
    world.disk.set_capacity(Some(world.disk.used_bytes() + 80 * 1024));
    let mut refused = 0;
    for _ in 0..2000 {
        let before = world.acknowledged.len();
        world.talk().unwrap();
        world.now_ms += 1000;
        if world.acknowledged.len() == before && !world.open.is_empty() {
            refused += 1;
            world.open.truncate(40);
        }
        if refused > 5 {
            break;
        }
    }
    assert!(refused > 5, "the disk ran full");
    world.check(5);
    world.disk.set_capacity(None);
    world.now_ms += 2000;
    world.open.clear(); // refused for good: people send anew
    world.talk().unwrap();
    let before = world.acknowledged.len();
    while world.acknowledged.len() == before {
        world.talk().unwrap();
    }
    world.check(5);
}

#[test]
fn without_room_the_views_stay_in_memory_and_are_written_when_there_is_some() {
    let mut world = World::new(7);
    let reach = |world: &World| (world.sequencer.views().store.meta().position, world.sequencer.head().position);
    let flush = |world: &mut World| {
        world.now_ms += 60_000;
        world.talk().unwrap();
        world.sequencer.idle(world.now_ms + 60_000);
    };
    let written = |world: &mut World| {
        flush(world);
        // A flush that a batch has begun runs on a thread of its own.
        for _ in 0..10_000 {
            if reach(world).0 == reach(world).1 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
            world.sequencer.idle(world.now_ms);
        }
        assert_eq!(reach(world).0, reach(world).1, "with room they are written");
        reach(world).0
    };
    let before_that = written(&mut world);
    world.disk.pretend_free(Some(1 << 20)); // enough for messages
    let before = world.acknowledged.len();
    while world.acknowledged.len() < before + 20 {
        flush(&mut world);
    }
    let (now, head) = reach(&world);
    assert!(now == before_that && head > now + 20, "{now} {head}");

    // A start answers all the same, from what it has applied in memory.
    world.disk.restart();
    world.restart(world.disk.clone());
    assert_eq!(reach(&world), (0, head), "the harness begins with an empty tree");
    world.check(7);
    world.talk().unwrap();

    world.disk.pretend_free(None);
    written(&mut world);
    world.check(7);
}

#[test]
fn a_clock_that_was_put_back_does_not_keep_the_disk_full() {
    let mut world = World::new(6);
    world.now_ms += 3_600_000; // wrong by an hour
    while world.acknowledged.len() < 20 {
        world.talk().unwrap();
    }
    world.disk.set_capacity(Some(world.disk.used_bytes() + 1000));
    world.now_ms += 2000;
    while world.open.is_empty() {
        world.talk().unwrap();
    }
    world.disk.set_capacity(None);
    world.now_ms -= 3_600_000;
    let before = world.acknowledged.len();
    world.talk().unwrap();
    assert!(world.acknowledged.len() > before, "journal time stands still for an hour; the look at the disk does not");
}

/// More domains than there are records in a batch.
const DOMAINS: u64 = 4200;

/// Names of outboxes, by what they are called after.
fn epochs(world: &World) -> BTreeMap<[u8; 16], u64> {
    let mut all = BTreeMap::new();
    for peer in 1..=DOMAINS {
        *all.entry(startalk_domain::outbox::outbox(&*world.sequencer.views().store, peer).epoch).or_default() += 1;
    }
    all
}

fn with_many_domains() -> World {
    let mut world = World::new(1);
    let actor = world.actors[0];
    for chunk in 0..DOMAINS.div_ceil(500) {
        let mut work = Work::default();
        for n in chunk * 500..DOMAINS.min(chunk * 500 + 500) {
            let user = format!("x@d{n}.example").parse().unwrap();
            work.push(Command::OpenDirect { actor, user }, |answer| drop(answer.unwrap()));
        }
        while !work.is_empty() {
            world.now_ms += 1;
            world.sequencer.step(&mut work, world.now_ms, &mut world.random).unwrap();
        }
    }
    assert_eq!(startalk_domain::governance::numbers(&*world.sequencer.views().store).peer, DOMAINS);
    world
}

#[test]
fn a_new_epoch_is_of_all_outboxes_at_once_however_many_there_are_and_whenever_the_power_fails() {
    let mut world = with_many_domains();
    let before = epochs(&world);
    let (disk, head) = (world.disk.copy(), world.sequencer.head().position);
    world.run(Command::BeginEpoch { epoch: 0, reason: "a test".into() }).unwrap();
    let after = epochs(&world);
    assert_eq!((after.len(), after.keys().any(|e| before.contains_key(e))), (1, false), "all have the new one");
    let written = world.sequencer.head().position - head;
    assert!(written > DOMAINS, "{written} records");

    // The same again, and the power fails at every fourth change of the disk that there is in between.
    let mut halves = 0;
    for change in (1..).step_by(4) {
        let disk = disk.copy();
        world.restart(disk);
        let power_off = Some(world.disk.counts().changes + change);
        world.disk.set_faults(Faults { power_off, ..Faults::default() });
        let mut work = Work::default();
        work.push(Command::BeginEpoch { epoch: 0, reason: "a test".into() }, |_| {});
        let ended = world.sequencer.step(&mut work, world.now_ms, &mut world.random).is_ok();
        let seen = epochs(&world);
        assert_eq!(seen.len(), 1, "nobody sees a half of it");
        assert!(ended || seen == before, "nobody sees what may not be durable");
        if ended {
            break;
        }
        let disk = world.disk.crash(change);
        world.restart(disk);
        let now = epochs(&world);
        assert_eq!(now.len(), 1, "cut at change {change}");
        halves += u64::from(now != before);
    }
    assert!(halves > 0, "the power failed in the middle");
}

#[test]
fn a_disk_that_fills_in_the_middle_of_a_new_epoch_refuses_everything_and_the_epoch_goes_on_when_there_is_space() {
    let mut world = with_many_domains();
    let before = epochs(&world);
    let original = world.disk.copy();
    let mut halves = 0;
    for room in (0..).map(|n| n * 200 * 1024) {
        let disk = original.copy();
        world.restart(disk);
        world.acknowledged.clear();
        world.open.clear();
        let head = world.sequencer.head().position;
        world.disk.set_capacity(Some(world.disk.used_bytes() + room));
        let begun = world.run(Command::BeginEpoch { epoch: 0, reason: "a test".into() });
        if begun.is_ok() {
            break; // there was space for all of it
        }
        assert_eq!(begun.unwrap_err().code, Code::DiskFull);
        if world.sequencer.head().position == head {
            continue; // there was none at all
        }
        halves += 1;
        let middle = world.sequencer.head().position;
        let refused = world.run(Command::TellTime).unwrap_err();
        assert_eq!((refused.code, world.sequencer.head().position), (Code::DiskFull, middle), "nothing comes in between");
        world.sequencer.idle(world.now_ms + 3_600_000);
        assert_eq!(epochs(&world), before, "nobody sees a half of it");
        // A start in between has to wait too.
        let full = world.disk.copy();
        full.set_capacity(Some(full.used_bytes()));
        let journal = Journal::open(full.arc(), OPTIONS).unwrap().0;
        let views = views(Store::temporary().unwrap(), Arc::new(journal.reader()));
        let opened = Sequencer::open(journal, views, "a.example".parse().unwrap(), |_, _| {}).map(|_| ());
        assert!(matches!(opened, Err(Fatal::Append(AppendError::DiskFull { .. }))), "{opened:?}");

        world.disk.set_capacity(None);
        assert!(world.sequencer.is_unfinished(), "the loop comes again although nobody asks");
        let records = world.sequencer.step(&mut Work::default(), world.now_ms, &mut world.random).unwrap();
        assert_eq!(records[0].position, head + 1, "all of it is seen at once");
        assert_eq!(records.last().unwrap().position, world.sequencer.head().position);
        let after = epochs(&world);
        assert_eq!((after.len(), after.keys().any(|e| before.contains_key(e))), (1, false), "all have the new one");
        world.now_ms += 2000;
        world.talk().unwrap();
        world.check(1);
        let disk = world.disk.copy();
        world.restart(disk);
        assert_eq!(epochs(&world), after, "and it is what the journal says");
    }
    assert!(halves > 0, "the disk was full in the middle");
}
