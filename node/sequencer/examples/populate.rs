//! Fills the data folder of a stopped node with accounts whose devices have known tokens, and with a group of them, for
//! load generators: ten thousand people must not cost ten thousand password hashes.
//! `cargo run -p startalk-sequencer --example populate -- <data folder> <accounts> [<members of a group>]`
//!
//! Everything goes in as commands through the real rules and the real write loop, so that what is measured afterwards is a
//! folder like any other. Account `n` is called `u0000` and so on, and its only device has the token that [`token`] says:
//! nobody who values a folder runs this on it. Prints one line of JSON. The node has to have been started once, which
//! made its keys and began its domain, and stopped.

use std::{
    fs::{self, File},
    path::Path,
    sync::{Arc, mpsc},
    time::SystemTime,
};

use startalk_domain::{
    Actor, Answer, Command, Event, Recorded,
    command::{Admission, NewDevice},
    context::Random,
    domain::LAYOUT,
    groups::GroupAct,
    store::Store,
};
use startalk_journal::{FolderDisk, Journal, Options, ReadJournal};
use startalk_protocol::{AccountName, DomainName, UserId};
use startalk_sequencer::{Sequencer, Work, views};

/// 32 bytes, as a device's token has.
fn token(number: u64) -> String {
    format!("token of account {number:015}")
}

fn name(number: u64) -> AccountName {
    format!("u{number:04}").parse().expect("a name")
}

/// Ids and salts are nobody's secret here, but two folders must not have the same group.
struct Weak(u64);

impl Random for Weak {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.0 >> 33) as u8;
        }
    }
}

fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a program of its own is an edge: it reads the clock itself")]
    let now = SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

struct Folder {
    sequencer: Sequencer<Journal>,
    random: Weak,
}

impl Folder {
    fn open(data: &Path) -> (Self, DomainName) {
        let disk = Arc::new(FolderDisk::new(data.join("journal")).expect("a journal's folder"));
        let (journal, _) = Journal::open(disk, Options::default()).expect("a journal: start the node once");
        let reader = Arc::new(journal.reader());
        let first = Recorded::read(&reader.read(1).expect("a first record")).expect("a known record");
        let Event::DomainBegan(facts, _) = first.event else { panic!("the journal does not begin with its domain") };
        let domain: DomainName = facts.domain.parse().expect("a domain's name");
        let store = Store::open(&data.join("views")).expect("views");
        assert_eq!(store.meta().layout, LAYOUT, "the views are of another version: start the node once");
        let sequencer = Sequencer::open(journal, views(store, reader), domain.clone(), |_, _| {}).expect("opens");
        (Self { sequencer, random: Weak(now_ms()) }, domain)
    }

    /// Runs commands, many in a batch. Answers in order.
    fn run(&mut self, commands: impl IntoIterator<Item = Command>) -> Vec<Answer> {
        let (answers, come) = mpsc::channel();
        let mut work = Work::default();
        for command in commands {
            let answers = answers.clone();
            work.push(command, move |answer| answers.send(answer.expect("accepted")).expect("waited for"));
        }
        drop(answers);
        while !work.is_empty() {
            self.sequencer.step(&mut work, now_ms(), &mut self.random).expect("the disk works");
        }
        come.into_iter().collect()
    }

    fn accounts(&mut self, count: u64) -> Vec<Actor> {
        let account = |number| Command::CreateAccount {
            name: name(number),
            display_name: String::new(),
            password_hash: String::new(), // nothing is equal to it
            recovery_hashes: Vec::new(),
            admission: Admission::Operator { administrator: false },
            device: Some(NewDevice { name: "load".to_owned(), token_hash: *blake3::hash(token(number).as_bytes()).as_bytes() }),
        };
        let made = self.run((0..count).map(account));
        let actor = |answer| match answer {
            Answer::Account { account, device: Some(device), .. } => Actor { account, device },
            other => panic!("expected an account with a device, got {other:?}"),
        };
        made.into_iter().map(actor).collect()
    }

    /// The first account's, with the following ones in it.
    fn group(&mut self, owner: Actor, members: u64, domain: &DomainName) -> u64 {
        let create = Command::CreateGroup { actor: owner, counter: 1, name: "Load".to_owned(), members: Vec::new() };
        let conversation = match self.run([create]).as_slice() {
            [Answer::Sent { conversation, .. }] => *conversation,
            other => panic!("expected a group, got {other:?}"),
        };
        let add = |number| {
            let act = GroupAct::Add(UserId { name: name(number), domain: domain.clone() });
            Command::ActInGroup { actor: owner, conversation, counter: number + 1, act }
        };
        self.run((1..members).map(add));
        conversation
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().expect("populate <data folder> <accounts> [<members>]");
    let data = Path::new(&data);
    let mut number = || arguments.next().map_or(0, |a| a.parse::<u64>().expect("a number"));
    let (count, members) = (number(), number());
    assert!(members <= count, "members are accounts");

    let lock = File::options().write(true).open(data.join("LOCK")).expect("a node's data folder");
    lock.try_lock().expect("the node must be stopped");
    // As a node would: until the views are closed, nobody may take them for whole.
    let clean = data.join("views.clean");
    assert!(clean.exists(), "the node was not stopped cleanly");
    fs::remove_file(&clean).expect("may write");
    let (mut folder, domain) = Folder::open(data);
    let actors = folder.accounts(count);
    let group = if members > 0 { folder.group(actors[0], members, &domain) } else { 0 };
    let records = folder.sequencer.head().position;
    folder.sequencer.close().expect("closes");
    File::create(&clean).and_then(|mark| mark.sync_all()).expect("may write");
    println!("{{\"domain\":\"{domain}\",\"accounts\":{count},\"members\":{members},\"group\":{group},\"records\":{records}}}");
}
