//! People in groups, and a home with a follower.

use super::{Node, deliver, follow, text, user};
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command,
    command::Target,
    conversations::Message,
    domain::unfinished,
    groups::{self, GroupAct, GroupLink, Joining, Rights},
};
use startalk_protocol::pb::content::{Content, content::Kind};

/// Somebody with a device, and the numbers of their commands.
pub struct Person {
    pub actor: Actor,
    pub counter: u64,
}

impl Person {
    pub fn at(node: &mut Node, name: &str) -> Self {
        Self { actor: node.person(name), counter: 0 }
    }

    pub fn create(&mut self, node: &mut Node, members: &[&str]) -> u64 {
        self.counter += 1;
        let members = members.iter().map(|m| user(m)).collect();
        let create = Command::CreateGroup { actor: self.actor, counter: self.counter, name: "Weekend".into(), members };
        let Answer::Sent { conversation, .. } = node.ok(create) else { panic!() };
        conversation
    }

    pub fn say(&mut self, conversation: u64, words: &str) -> Command {
        self.counter += 1;
        Command::Send {
            actor: self.actor,
            to: Target::Conversation(conversation),
            counter: self.counter,
            content: text(words),
            reply_to: None,
            reply_sequence: 0,
            known_id: None,
        }
    }

    pub fn act(&mut self, conversation: u64, act: GroupAct) -> Command {
        self.counter += 1;
        Command::ActInGroup { actor: self.actor, conversation, counter: self.counter, act }
    }

    pub fn join(&mut self, link: &GroupLink) -> Command {
        self.counter += 1;
        Command::JoinGroup { actor: self.actor, counter: self.counter, link: link.clone(), word: "let me in".into() }
    }

    pub fn accept(&mut self, group: &str) -> Command {
        self.counter += 1;
        let group = group.parse().unwrap();
        Command::DecideGroupInvitation { actor: self.actor, counter: self.counter, group, accept: true }
    }
}

/// What somebody reads: words, and system lines by their code.
pub fn lines(node: &Node, account: u64, conversation: u64) -> Vec<String> {
    let line = |m: &Message| match m.content.clone().map(|c| Content::decode(c).unwrap().kind) {
        Some(Some(Kind::System(s))) => s.code,
        Some(_) => super::plain(m.content.as_ref().unwrap()),
        None => "(gone)".into(),
    };
    node.messages(account, conversation).iter().map(line).collect()
}

pub fn said(node: &Node, account: u64, conversation: u64) -> Vec<String> {
    lines(node, account, conversation).into_iter().filter(|l| !l.starts_with("group-")).collect()
}

pub fn standing(node: &Node, account: u64, conversation: u64) -> &'static str {
    groups::overview(&node.store.snapshot(), account, conversation).unwrap().standing()
}

pub fn id_of(node: &Node, conversation: u64) -> String {
    groups::group(&node.store, conversation).unwrap().id.clone()
}

/// a.example is home, b.example and c.example follow.
pub struct Town {
    pub a: Node,
    pub b: Node,
    pub alice: Person,
    pub bob: Person,
    pub group_a: u64,
    pub group_b: u64,
    pub id: String,
}

/// Two domains that know each other; people of the second can be in groups of the first.
pub fn neighbours() -> (Node, Node) {
    let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
    a.meet(&b);
    b.meet(&a);
    let charter = b.charter();
    b.ok(Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() });
    (a, b)
}

impl Town {
    pub fn new() -> Self {
        let (mut a, mut b) = neighbours();
        let (mut alice, mut bob) = (Person::at(&mut a, "alice"), Person::at(&mut b, "bob"));
        let group_a = alice.create(&mut a, &["bob@b.example"]);
        let id = id_of(&a, group_a);
        a.ok(alice.say(group_a, "before bob"));
        assert_eq!(deliver(&a, &mut b), []);
        assert_eq!(groups::invitations(&b.store, bob.actor.account).len(), 1);
        b.ok(bob.accept(&id));
        let group_b = groups::by_id(&b.store, &id.parse().unwrap()).unwrap();
        assert_eq!(standing(&b, bob.actor.account, group_b), "joining");
        assert_eq!(deliver(&b, &mut a), []);
        follow(&a, &mut b, &id);
        Self { a, b, alice, bob, group_a, group_b, id }
    }

    pub fn exchange(&mut self) -> Vec<(u64, &'static str)> {
        deliver(&self.a, &mut self.b);
        let refused = deliver(&self.b, &mut self.a);
        follow(&self.a, &mut self.b, &self.id);
        refused
    }
}

/// A group of a.example that admits; nobody of b.example is in.
pub struct Gate {
    pub a: Node,
    pub b: Node,
    pub alice: Person,
    pub group_a: u64,
    pub link: GroupLink,
}

impl Gate {
    pub fn new() -> Self {
        let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
        a.meet(&b);
        b.meet(&a);
        let charter = b.charter();
        b.ok(Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() });
        let mut alice = Person::at(&mut a, "alice");
        let group_a = alice.create(&mut a, &[]);
        let secret_hash = *blake3::hash(b"open").as_bytes();
        a.ok(alice.act(group_a, GroupAct::MakeLink { secret_hash, uses: 0, not_after_ms: 0 }));
        a.ok(alice.act(group_a, GroupAct::SetRights(Rights { joining: Joining::WithApproval, ..Rights::default() })));
        let group = id_of(&a, group_a).parse().unwrap();
        let link = GroupLink { home: "a.example".parse().unwrap(), group, secret: "open".into() };
        Self { a, b, alice, group_a, link }
    }

    pub fn group_b(&self) -> u64 {
        groups::by_id(&self.b.store, &self.link.group).unwrap()
    }

    pub fn ask(&mut self, person: &mut Person) {
        self.b.ok(person.join(&self.link));
        assert_eq!(deliver(&self.b, &mut self.a), []);
    }

    pub fn admit(&mut self, name: &str, refuse: bool) {
        self.a.ok(self.alice.act(self.group_a, GroupAct::Admit { user: user(&format!("{name}@b.example")), refuse }));
    }

    pub fn look(&mut self) {
        follow(&self.a, &mut self.b, self.link.group.as_str());
    }

    pub fn standing(&self, person: &Person) -> &'static str {
        standing(&self.b, person.actor.account, self.group_b())
    }
}

/// One step of what was begun, as the write loop gives it to itself; whether there was one.
pub fn go_on(node: &mut Node) -> bool {
    let command = unfinished(&*node.store);
    command.map(|command| node.ok(command)).is_some()
}
