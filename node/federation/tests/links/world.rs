//! People on nodes, what they say, and what has arrived; and waiting until something is so.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use bytes::Bytes;
use startalk_domain::{
    Actor, Answer, Command, Event, Recorded,
    command::{Admission, NewDevice, Target},
    directory,
};
use startalk_federation::PeerStatus;
use startalk_protocol::{
    UserId,
    pb::content::{Block, Content, Inline, Text, content::Kind},
};

use crate::node::Node;

/// How long anything may take on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until `what` is so.
#[expect(clippy::disallowed_methods, reason = "the edge: tests wait in real time")]
pub fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn trace() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

pub fn text(words: &str) -> Bytes {
    use prost::Message as _;
    let inline = Inline { text: words.into(), ..Inline::default() };
    let text = Text { blocks: vec![Block { inlines: vec![inline], ..Block::default() }] };
    Content { fallback: String::new(), kind: Some(Kind::Text(text)), ..Content::default() }.encode_to_vec().into()
}

fn plain(content: &Bytes) -> String {
    use prost::Message as _;
    match Content::decode(content.clone()).unwrap().kind {
        Some(Kind::Text(t)) => t.blocks.iter().flat_map(|b| &b.inlines).map(|i| i.text.as_str()).collect(),
        other => format!("{other:?}"),
    }
}

/// Somebody with a device.
#[derive(Clone, Debug)]
pub struct Person {
    pub actor: Actor,
    pub id: UserId,
    counter: u64,
}

pub fn person(node: &Node, name: &str) -> Person {
    let device = NewDevice { name: "test".into(), token_hash: *blake3::hash(name.as_bytes()).as_bytes() };
    let create = Command::CreateAccount {
        name: name.parse().unwrap(),
        display_name: name.to_uppercase(),
        password_hash: "$argon2id$".into(),
        recovery_hashes: vec![[1; 32]],
        admission: Admission::Operator { administrator: false },
        device: Some(device),
    };
    let Ok(Answer::Account { account, device: Some(device), .. }) = node.run(create) else { panic!("no account") };
    let id = UserId { name: name.parse().unwrap(), domain: node.who.name.clone() };
    Person { actor: Actor { account, device }, id, counter: 0 }
}

impl Person {
    fn command(&mut self, to: &UserId, words: &str) -> Command {
        self.sends(to, text(words))
    }

    /// The command that says this.
    pub fn sends(&mut self, to: &UserId, content: Bytes) -> Command {
        self.counter += 1;
        let to = Target::User(to.clone());
        Command::Send { actor: self.actor, to, counter: self.counter, content, reply_to: None, reply_sequence: 0, known_id: None }
    }

    /// Says it and waits until it is durable.
    pub fn say(&mut self, node: &Node, to: &UserId, words: &str) {
        let command = self.command(to, words);
        node.run(command).unwrap_or_else(|e| panic!("{words}: {e}"));
    }

    /// Says it without waiting; `acknowledged` hears what was.
    pub fn say_soon(&mut self, node: &Node, to: &UserId, words: String, acknowledged: &std::sync::mpsc::Sender<String>) {
        let (command, acknowledged) = (self.command(to, &words), acknowledged.clone());
        node.handle.submit(command, move |answer| {
            if answer.is_ok() {
                let _ = acknowledged.send(words);
            }
        });
    }
}

/// The texts that came from other domains, by author, in the order of arrival.
pub fn arrived(node: &Node) -> BTreeMap<String, Vec<String>> {
    let mut out: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut next = 1;
    loop {
        let records = node.views.journal.read_from(next, 4096, 16 << 20).unwrap();
        let Some(last) = records.last() else { return out };
        next = last.header.position + 1;
        for record in records {
            if let Event::MessageAdded(facts, Some(body)) = Recorded::read(&record).unwrap().event
                && facts.r#in.is_some()
            {
                let author = directory::person(&*node.views.store, facts.author).unwrap().name.clone();
                out.entry(author).or_default().push(plain(&body.value.0));
            }
        }
    }
}

/// What `author` said here from elsewhere.
pub fn heard(node: &Node, author: &Person) -> Vec<String> {
    arrived(node).remove(author.id.name.as_str()).unwrap_or_default()
}

pub fn until_heard(node: &Node, author: &Person, words: &str) {
    until(&format!("{} hears {words:?}", node.who.name), || heard(node, author).iter().any(|w| w == words));
}

/// Two people who have accepted each other.
pub fn befriend(a: &Node, alice: &mut Person, b: &Node, bob: &mut Person) {
    alice.say(a, &bob.id, "hello");
    until_heard(b, alice, "hello");
    bob.say(b, &alice.id, "hi");
    until_heard(a, bob, "hi");
}

/// Exactly these, in this order.
pub fn assert_heard(node: &Node, author: &Person, before: &[&str], expected: &[String]) {
    let heard = heard(node, author);
    let all: Vec<&str> = before.iter().copied().chain(expected.iter().map(String::as_str)).collect();
    let differs = heard.iter().zip(&all).position(|(h, a)| h != a);
    assert!(differs.is_none() && heard.len() == all.len(), "{} of {}, differs at {differs:?}", heard.len(), all.len());
}

pub fn until_status(node: &Node, of: &Node, what: &str, is_so: impl Fn(&PeerStatus) -> bool) {
    let mut last = None;
    #[expect(clippy::disallowed_methods, reason = "the edge: tests wait in real time")]
    let start = Instant::now();
    loop {
        last = node.status(&of.who.claims).or(last);
        if last.as_ref().is_some_and(&is_so) {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}: {last:#?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a refusal of this sort is shown.
pub fn refused(status: &PeerStatus, code: startalk_protocol::Code) -> bool {
    status.refusals.iter().any(|r| r.error.code == code)
}

/// How many events of this name are in the journal.
pub fn events(node: &Node, name: &str) -> usize {
    let records = node.views.journal.read_from(1, 4096, 16 << 20).unwrap();
    records.iter().filter(|r| Recorded::read(r).unwrap().event.name() == name).count()
}
