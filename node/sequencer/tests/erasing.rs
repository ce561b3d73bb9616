//! What was taken back is gone from the disk, also if the process ends between the event and the overwriting.

use std::sync::Arc;

use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command,
    command::{Admission, NewDevice, Target},
    context::Random,
    store::Store,
};
use startalk_journal::{
    Journal, Options,
    fault::{FaultDisk, Faults},
};
use startalk_protocol::pb::content::{Block, Content, Inline, Text, content::Kind};
use startalk_sequencer::{Sequencer, Work, views};

const SECRET: &str = "the-secret-that-was-recalled";

struct Counting(u8);

impl Random for Counting {
    fn fill(&mut self, out: &mut [u8]) {
        self.0 = self.0.wrapping_add(1).max(1);
        out.fill(self.0);
    }
}

fn open(journal: Journal) -> Sequencer<Journal> {
    let views = views(Store::temporary().unwrap(), Arc::new(journal.reader()));
    Sequencer::open(journal, views, "a.example".parse().unwrap(), |_, _| {}).unwrap()
}

fn try_run(sequencer: &mut Sequencer<Journal>, random: &mut Counting, command: Command) -> Option<Answer> {
    let (put, got) = std::sync::mpsc::channel();
    let mut work = Work::default();
    work.push(command, move |answer| put.send(answer).unwrap());
    sequencer.step(&mut work, 1_800_000_000_000, random).ok()?;
    got.recv().unwrap().ok()
}

fn run(sequencer: &mut Sequencer<Journal>, random: &mut Counting, command: Command) -> Answer {
    try_run(sequencer, random, command).unwrap()
}

fn on_disk(disk: &FaultDisk) -> bool {
    disk.arc().list().unwrap().iter().any(|name| {
        let bytes = disk.file(name).unwrap();
        bytes.windows(SECRET.len()).any(|w| w == SECRET.as_bytes())
    })
}

#[test]
fn what_was_recalled_is_nowhere_on_the_disk() {
    let disk = FaultDisk::new();
    let journal = Journal::create(disk.arc(), [1; 16], Options::default()).unwrap();
    let mut sequencer = open(journal);
    let random = &mut Counting(0);
    run(&mut sequencer, random, Command::Begin { root_key: [1; 32] });
    let device = NewDevice { name: String::new(), token_hash: [1; 32] };
    let create = Command::CreateAccount {
        name: "alice".parse().unwrap(),
        display_name: String::new(),
        password_hash: String::new(),
        recovery_hashes: vec![],
        admission: Admission::Operator { administrator: false },
        device: Some(device),
    };
    let Answer::Account { account, device: Some(device), .. } = run(&mut sequencer, random, create) else { panic!() };
    let actor = Actor { account, device };
    let inline = Inline { text: SECRET.into(), ..Inline::default() };
    let text = Text { blocks: vec![Block { inlines: vec![inline], ..Block::default() }] };
    let content = Content { fallback: String::new(), kind: Some(Kind::Text(text)), ..Content::default() }.encode_to_vec();
    let to = Target::User("alice@a.example".parse().unwrap());
    let send =
        Command::Send { actor, to, counter: 1, content: content.into(), reply_to: None, reply_sequence: 0, known_id: None };
    let Answer::Sent { conversation, sequence, .. } = run(&mut sequencer, random, send) else { panic!() };
    assert!(on_disk(&disk));
    let before = disk.copy();
    run(&mut sequencer, random, Command::Recall { actor, conversation, sequence, counter: 2 });
    assert!(!on_disk(&disk));

    // The power goes off after the event is durable, at each step of the overwriting: the next start finishes it.
    let mut between = 0;
    for step in 1..60 {
        let disk = before.copy();
        let (journal, _) = Journal::open(disk.arc(), Options::default()).unwrap();
        let mut sequencer = open(journal);
        disk.set_faults(Faults { power_off: Some(step), ..Faults::default() });
        let answer = try_run(&mut sequencer, random, Command::Recall { actor, conversation, sequence, counter: 2 });
        drop(sequencer);
        if answer.is_none() || !disk.is_off() {
            continue; // not acknowledged, or done before the power went off
        }
        between += 1;
        for seed in 0..8 {
            let after = disk.crash(seed);
            let (journal, _) = Journal::open(after.arc(), Options::default()).unwrap();
            drop(open(journal));
            assert!(!on_disk(&after), "step {step}, seed {seed}");
        }
    }
    assert!(between > 0, "the power went off between the event and the end of the overwriting");
}
