//! federation-spec/vectors/items: the files say what this code makes, and the rules do with each item and content what
//! they expect.
//!
//! `STARTALK_WRITE_VECTORS=1` writes them anew, after a deliberate change; a vector that was ever released is never
//! changed, only added to. Each case begins with a domain that knows nobody but its own.

mod harness;
#[path = "item_vectors/make.rs"]
mod make;

use std::path::PathBuf;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use harness::{Node, user};
use prost::Message as _;
use serde_json::Value;
use startalk_domain::{
    Actor, Answer, Command,
    command::{LinkItem, PeerRule, Target},
};
use startalk_protocol::{
    MessageId,
    pb::{
        content::Content,
        link::{Item, Message, item::Kind},
    },
};

const EPOCH: [u8; 16] = [0xaa; 16];

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../federation-spec/vectors/items").join(name)
}

fn read(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(file(name)).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Bytes {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap().into()
}

/// Bytes that repeat are written as what is repeated and how often.
fn joined(parts: &Value) -> Bytes {
    let part = |p: &Value| bytes(&p["hex"]).repeat(usize::try_from(p["times"].as_u64().unwrap()).unwrap());
    parts.as_array().unwrap().iter().flat_map(part).collect()
}

#[test]
fn the_files_are_what_is_made() {
    for (name, made) in make::all() {
        if std::env::var_os("STARTALK_WRITE_VECTORS").is_some() {
            std::fs::write(file(name), serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
        }
        assert_eq!(read(name), made, "{name}");
    }
}

/// b.example with bob, and how far a.example's items have come.
struct Bob {
    node: Node,
    bob: Actor,
    peer: u64,
    sequence: u64,
    conversation: u64,
    counter: u64,
}

impl Bob {
    fn new() -> Self {
        let mut node = Node::new("b.example");
        let bob = node.person("bob");
        let rule = Command::SetPeerRule { domain: "a.example".parse().unwrap(), rule: PeerRule::Unset, forget_key: false };
        let Answer::Peer(peer) = node.ok(rule) else { panic!("a peer's number") };
        node.ok(Command::BeginPeerEpoch { peer, epoch: EPOCH });
        Self { node, bob, peer, sequence: 0, conversation: 0, counter: 0 }
    }

    /// What became of the next item: `effect`, `closed`, or the code with which it was refused.
    fn item(&mut self, item: Option<Bytes>) -> String {
        self.sequence += 1;
        let before = self.node.events().len();
        let item = LinkItem { sequence: self.sequence, running: [0; 32], item, proof: None };
        let answer = self.node.ok(Command::ReceiveItem { peer: self.peer, epoch: EPOCH, item });
        match answer {
            Answer::Item { refused: Some(error) } => error.code.as_str().to_owned(),
            Answer::Item { refused: None } if self.node.events()[before..] == ["LinkItemClosed"] => "closed".to_owned(),
            Answer::Item { refused: None } => "effect".to_owned(),
            other => panic!("{other:?}"),
        }
    }

    fn act(&mut self, step: &Value) {
        let account = self.bob.account;
        let alice = user("alice@a.example");
        match step["bob"].as_str().unwrap() {
            "writes" => {
                self.counter += 1;
                let id = MessageId::from_slice(&bytes(&step["id"])).unwrap();
                let burn_s = u32::try_from(step["burn_s"].as_u64().unwrap_or(0)).unwrap();
                let content = Content { burn_s, ..Content::decode(harness::text("hello")).unwrap() };
                let send = Command::Send {
                    actor: self.bob,
                    to: Target::User(alice),
                    counter: self.counter,
                    content: content.encode_to_vec().into(),
                    reply_to: None,
                    reply_sequence: 0,
                    known_id: Some(id),
                };
                match self.node.ok(send) {
                    Answer::Sent { conversation, .. } => self.conversation = conversation,
                    other => panic!("{other:?}"),
                };
            }
            decided @ ("accepts" | "turns down") => {
                let conversation = *startalk_domain::contacts::conversations(&self.node.store, account).last().unwrap();
                self.node.ok(Command::DecideRequest { account, conversation, accept: decided == "accepts" });
            }
            "blocks alice" => drop(self.node.ok(Command::BlockUser { account, user: alice, blocked: true })),
            "deletes the account" => drop(self.node.ok(Command::DeleteAccount { account })),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn every_item_ends_as_its_vector_says() {
    for vectors in [read("items.json"), read("opened.json")] {
        every_item_of(&vectors);
    }
}

fn every_item_of(vectors: &Value) {
    for case in vectors["cases"].as_array().unwrap() {
        let mut bob = Bob::new();
        assert_eq!(bob.node.now_ms, vectors["now_ms"].as_u64().unwrap());
        for (n, step) in case["steps"].as_array().unwrap().iter().enumerate() {
            if step.get("bob").is_some() {
                bob.act(step);
            } else {
                let item = step["item"].as_str().map(|_| bytes(&step["item"]));
                assert_eq!(bob.item(item), step["becomes"].as_str().unwrap(), "{}: step {}", case["name"], n + 1);
            }
        }
    }
}

/// A content in a message: in an accepted conversation, and in a request.
#[test]
fn every_content_is_judged_as_its_vector_says() {
    for case in read("content.json")["cases"].as_array().unwrap() {
        let content = joined(&case["content"]);
        for (place, accepted) in [("accepted", true), ("request", false)] {
            let mut bob = Bob::new();
            let id = Bytes::copy_from_slice(&make::id(1));
            if accepted {
                bob.act(&serde_json::json!({ "bob": "writes", "id": HEXLOWER.encode(&make::id(9)) }));
            }
            let message = Message { id, content: content.clone(), reply_to: Bytes::new() };
            let kind = Some(Kind::Message(message));
            let item = Item { from: "alice".into(), to: "bob".into(), kind, ..Item::default() };
            let became = bob.item(Some(item.encode_to_vec().into()));
            assert_eq!(became, case[place].as_str().unwrap(), "{}, {place}", case["name"]);
        }
    }
}
