//! Fills the data folder of a stopped node with accounts whose devices have known tokens, and with a group of them, for
//! load generators: ten thousand people must not cost ten thousand password hashes.
//! `cargo run -p startalk-sequencer --example populate -- <data folder> <accounts> [<members of a group>]`
//! With `<data folder> talk <name> <name> <messages>` instead, two accounts that are there already have said so many
//! messages to each other, a long conversation for a client to scroll in. With `<data folder> age <days>`, everything that
//! happened in it happened so many days earlier: the journal is written anew with other times, and the views are made
//! from it at the next start.
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

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command, Event, Recorded, accounts,
    command::{Admission, NewDevice, Target},
    context::Random,
    domain::LAYOUT,
    groups::GroupAct,
    store::Store,
};
use startalk_journal::{AppendJournal as _, Body, Draft, FolderDisk, Journal, Options, ReadJournal, Record};
use startalk_protocol::{
    AccountName, DomainName, UserId,
    pb::content::{Block, Content, Inline, Text, content::Kind},
};
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

impl Folder {
    /// A device of an account that is there, signed in for this alone.
    fn device(&mut self, name: &str) -> Actor {
        let account = accounts::by_name(&*self.sequencer.views().store, &name.parse().expect("a name")).expect("an account");
        let device = NewDevice { name: "load".to_owned(), token_hash: *blake3::hash(name.as_bytes()).as_bytes() };
        let add = Command::AddDevice { account: account.account, password_version: account.password.position, device };
        match self.run([add]).as_slice() {
            [Answer::Device { device }] => Actor { account: account.account, device: *device },
            other => panic!("expected a device, got {other:?}"),
        }
    }

    /// Message `n` is line `n` of the conversation; every fortieth is long, for rows of many heights.
    fn talk(&mut self, one: &str, other: &str, domain: &DomainName, messages: u64) -> u64 {
        let actors = [self.device(one), self.device(other)];
        let to = [other, one].map(|n| UserId { name: n.parse().expect("a name"), domain: domain.clone() });
        let send = |n: u64| {
            let who = (n % 2) as usize;
            let text = format!(
                "line {n}{}",
                if n.is_multiple_of(40) { " of a story that goes on for a while".repeat(12) } else { String::new() }
            );
            Command::Send {
                actor: actors[who],
                to: Target::User(to[who].clone()),
                counter: n / 2 + 1,
                content: text_content(&text),
                reply_to: None,
                reply_sequence: 0,
                known_id: None,
            }
        };
        // Each device may have a window of commands without an answer, and batches have a limit of their own.
        let mut conversation = 0;
        for first in (1..=messages).step_by(128) {
            for answer in self.run((first..=messages.min(first + 127)).map(send)) {
                let Answer::Sent { conversation: number, .. } = answer else { panic!("expected a message, got {answer:?}") };
                conversation = number;
            }
        }
        conversation
    }
}

/// Writes the journal anew, everything in it so many days earlier. What was erased in it has no body any more.
fn age(data: &Path, days: u64) -> u64 {
    let earlier_ms = days * 24 * 3600 * 1000;
    let (now, aged) = (data.join("journal"), data.join("journal.aged"));
    let open = |folder: &Path| Arc::new(FolderDisk::new(folder.to_owned()).expect("a journal's folder"));
    let (old, _) = Journal::open(open(&now), Options::default()).expect("a journal: start the node once");
    let (reader, head) = (old.reader(), ReadJournal::head(&old.reader()));
    let mut journal = Journal::create(open(&aged), head.journal_id, Options::default()).expect("creates");
    let mut next = 1;
    while next <= head.position {
        let records = reader.read_from(next, 500, 1 << 20).expect("reads");
        let draft = |record: &Record| Draft {
            kind: record.header.kind,
            version: record.header.version,
            time_ms: record.header.time_ms - earlier_ms,
            conversation: record.header.conversation,
            sequence: record.header.sequence,
            previous: record.header.previous,
            facts: record.facts.to_vec(),
            body: if let Body::Present(body) = &record.body { Some(body.to_vec()) } else { None },
        };
        assert!(records.iter().all(|r| r.header.epoch == 1), "a domain that went back in time keeps its epochs");
        let drafts: Vec<Draft> = records.iter().map(draft).collect();
        let expected = journal.head();
        journal.append(&drafts, &expected).expect("appends");
        next += drafts.len() as u64;
    }
    drop((old, reader, journal));
    fs::remove_dir_all(&now).and_then(|()| fs::rename(&aged, &now)).expect("may write");
    for derived in ["views", "checkpoints", "search"] {
        let _ = fs::remove_dir_all(data.join(derived));
    }
    head.position
}

fn text_content(text: &str) -> Bytes {
    let inline = Inline { text: text.to_owned(), ..Inline::default() };
    let block = Block { inlines: vec![inline], ..Block::default() };
    Content { kind: Some(Kind::Text(Text { blocks: vec![block] })), ..Content::default() }.encode_to_vec().into()
}

/// What the folder is filled with.
enum Wanted {
    Accounts { count: u64, members: u64 },
    Talk { one: String, other: String, messages: u64 },
    Age { days: u64 },
}

impl Wanted {
    fn of(mut words: impl Iterator<Item = String>) -> Self {
        let number = |word: Option<String>| word.map_or(0, |w| w.parse::<u64>().expect("a number"));
        match words.next() {
            Some(talk) if talk == "talk" => {
                let mut name = || words.next().expect("talk <name> <name> <messages>");
                let (one, other) = (name(), name());
                Self::Talk { one, other, messages: number(words.next()) }
            }
            Some(age) if age == "age" => Self::Age { days: number(words.next()) },
            count => Self::Accounts { count: number(count), members: number(words.next()) },
        }
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().expect(
        "populate <data folder> <accounts> [<members>], <data folder> talk <name> <name> <messages>, or <data folder> age <days>",
    );
    let data = Path::new(&data);
    let wanted = Wanted::of(arguments);

    let lock = File::options().write(true).open(data.join("LOCK")).expect("a node's data folder");
    lock.try_lock().expect("the node must be stopped");
    // As a node would: until the views are closed, nobody may take them for whole.
    let clean = data.join("views.clean");
    assert!(clean.exists(), "the node was not stopped cleanly");
    fs::remove_file(&clean).expect("may write");
    if let Wanted::Age { days } = wanted {
        let records = age(data, days);
        println!("{{\"days\":{days},\"records\":{records}}}");
        return;
    }
    let (mut folder, domain) = Folder::open(data);
    let told = match wanted {
        Wanted::Accounts { count, members } => {
            assert!(members <= count, "members are accounts");
            let actors = folder.accounts(count);
            let group = if members > 0 { folder.group(actors[0], members, &domain) } else { 0 };
            format!("\"accounts\":{count},\"members\":{members},\"group\":{group}")
        }
        Wanted::Talk { one, other, messages } => {
            let conversation = folder.talk(&one, &other, &domain, messages);
            format!("\"conversation\":{conversation},\"messages\":{messages}")
        }
        Wanted::Age { .. } => unreachable!("was done before anything was opened"),
    };
    let records = folder.sequencer.head().position;
    folder.sequencer.close().expect("closes");
    File::create(&clean).and_then(|mark| mark.sync_all()).expect("may write");
    println!("{{\"domain\":\"{domain}\",{told},\"records\":{records}}}");
}
