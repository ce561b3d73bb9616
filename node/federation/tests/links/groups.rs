//! A group over three nodes: one home, two followers, over real links. What everybody said is everywhere, in one order,
//! once; also when links are cut and nodes are killed.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
    mpsc,
};

use startalk_domain::{Answer, Command, command::Target, conversations, groups, groups::GroupAct, timeline};
use startalk_protocol::{
    Code, GroupId,
    pb::content::{Content, content::Kind},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    exchange::nodes,
    node::{Node, Who},
    world::*,
};
use startalk_journal::fault::FaultDisk;

/// Somebody in the group, where they are.
struct Seat {
    person: Person,
    conversation: u64,
    counter: u64,
}

impl Seat {
    fn next(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    fn say(&mut self, node: &Node, words: String, acknowledged: &mpsc::Sender<String>) {
        let command = Command::Send {
            actor: self.person.actor,
            to: Target::Conversation(self.conversation),
            counter: self.next(),
            content: text(&words),
            reply_to: None,
            reply_sequence: 0,
            known_id: None,
        };
        let acknowledged = acknowledged.clone();
        node.handle.submit(command, move |answer| {
            if answer.is_ok() {
                let _ = acknowledged.send(words);
            }
        });
    }

    /// What they read: authors and words, without the system's lines.
    fn reads(&self, node: &Node) -> Vec<String> {
        use prost::Message as _;
        let (mut out, mut from) = (Vec::new(), 1);
        loop {
            let account = self.person.actor.account;
            let views = &node.views;
            let Ok(page) = conversations::page(&views.store, &*views.journal, account, self.conversation, from..=u64::MAX, false)
            else {
                return out;
            };
            for message in &page.messages {
                let Some(content) = &message.content else { continue };
                if let Some(Kind::Text(t)) = Content::decode(content.clone()).unwrap().kind {
                    out.push(t.blocks.iter().flat_map(|b| &b.inlines).map(|i| i.text.as_str()).collect());
                }
            }
            if page.last >= page.head || page.last < from {
                return out;
            }
            from = page.last + 1;
        }
    }
}

/// Alice makes a group at a and brings in the others from where they are.
fn gather(nodes: &[Node; 3]) -> ([Seat; 3], String) {
    let [a, b, c] = nodes;
    let people = [person(a, "alice"), person(b, "bob"), person(c, "carol")];
    let members = vec![people[1].id.clone(), people[2].id.clone()];
    let create = Command::CreateGroup { actor: people[0].actor, counter: 1, name: "three".into(), members };
    let Ok(Answer::Sent { conversation, .. }) = a.run(create) else { panic!("no group") };
    let id = groups::group(&*a.views.store, conversation).unwrap().id.clone();
    let mut seats = people.map(|person| Seat { person, conversation, counter: 1 });
    for (node, seat) in [(b, 1), (c, 2)] {
        let seat = &mut seats[seat];
        let account = seat.person.actor.account;
        until("the invitation comes", || !groups::invitations(&*node.views.store, account).is_empty());
        let (actor, counter) = (seat.person.actor, seat.next());
        node.run(Command::DecideGroupInvitation { actor, counter, group: id.parse().unwrap(), accept: true }).unwrap();
        seat.conversation = groups::by_id(&*node.views.store, &id.parse().unwrap()).unwrap();
        let conversation = seat.conversation;
        until("they are in", || groups::is_member(&*node.views.store, conversation, account));
    }
    (seats, id)
}

fn head(node: &Node, conversation: u64) -> (u64, [u8; 32]) {
    let store = &*node.views.store;
    (timeline::head(store, conversation).sequence, groups::log(store, conversation).chain)
}

fn until_same(nodes: &[&Node; 3], seats: &[Seat; 3]) {
    until("all have the whole log", || {
        let home = head(nodes[0], seats[0].conversation);
        (1..3).all(|n| head(nodes[n], seats[n].conversation) == home)
            && (1..3).all(|n| groups::waiting(&*nodes[n].views.store, seats[n].conversation).is_empty())
    });
}

/// Each author's words in order, each once, and the same order for everybody.
fn assert_all(nodes: &[&Node; 3], seats: &[Seat; 3], said: &[Vec<String>; 3]) {
    let all: Vec<Vec<String>> = (0..3).map(|n| seats[n].reads(nodes[n])).collect();
    for (n, read) in all.iter().enumerate() {
        for words in said {
            let of_author: Vec<&String> = read.iter().filter(|w| words.contains(w)).collect();
            assert_eq!(of_author, words.iter().collect::<Vec<_>>(), "in order and once, at {n}");
        }
    }
    // Carol came last: what she reads is the end of what the others read.
    assert!(all[0].ends_with(&all[2]) && all[1].ends_with(&all[2]), "one order");
}

#[test]
fn what_a_full_disk_did_not_take_of_a_group_comes_when_there_is_space_although_nobody_says_anything_else() {
    let nodes = nodes::<3>(|_, _| {});
    let (mut seats, _) = gather(&nodes);
    let [a, b, _] = &nodes;
    let (acked, _acks) = mpsc::channel();
    b.disk.set_capacity(Some(b.disk.used_bytes() + 64 * 1024));
    until("the disk is seen to be full", || b.run(Command::TellTime).is_ok() && full(b, &seats[1]));
    let refused = |s: &startalk_federation::PeerStatus| s.last_error.as_ref().is_some_and(|(e, _)| e.code == Code::DiskFull);
    seats[0].say(a, "while it is full".into(), &acked);
    until_status(b, a, "it is not taken", refused);
    b.disk.set_capacity(None);
    until("it is there", || seats[1].reads(b).iter().any(|w| w == "while it is full"));
}

/// Whether the node takes nothing that adds.
fn full(node: &Node, seat: &Seat) -> bool {
    let to = Target::User(seat.person.id.clone());
    let content = text("note to self");
    let counter = seat.counter + 1;
    let send =
        Command::Send { actor: seat.person.actor, to, counter, content, reply_to: None, reply_sequence: 0, known_id: None };
    node.run(send).is_err_and(|e| e.code == Code::DiskFull)
}

#[test]
fn everybody_reads_what_everybody_said_in_one_order() {
    let nodes = nodes::<3>(|_, _| {});
    let (mut seats, _) = gather(&nodes);
    let (acked, acks) = mpsc::channel();
    let mut said = [const { Vec::new() }; 3];
    for round in 0..200 {
        for n in 0..3 {
            let words = format!("{n} says {round}");
            seats[n].say(&nodes[n], words.clone(), &acked);
            said[n].push(words);
        }
    }
    assert_eq!(acks.into_iter().take(600).count(), 600);
    let nodes = [&nodes[0], &nodes[1], &nodes[2]];
    until_same(&nodes, &seats);
    assert_all(&nodes, &seats, &said);
}

#[test]
fn a_group_survives_cut_links_and_killed_nodes() {
    let [a, b, c] = nodes::<3>(|_, _| {});
    let nodes = [a, b, c];
    let (mut seats, _) = gather(&nodes);
    let [a, mut b, c] = nodes;
    let mut a = a;
    let (acked, acks) = mpsc::channel();
    let mut said = [const { Vec::new() }; 3];
    for round in 0..60 {
        for (n, node) in [&a, &b, &c].into_iter().enumerate() {
            let words = format!("{n} says {round}");
            seats[n].say(node, words.clone(), &acked);
            // Only what was acknowledged counts; a kill takes the others with it.
            let got = acks.recv_timeout(std::time::Duration::from_secs(60)).unwrap();
            assert_eq!(got, words);
            said[n].push(words);
        }
        match round {
            10 | 40 => a.cut(),
            20 => b.cut(),
            30 => {
                let peers = [a.who.clone(), b.who.clone(), c.who.clone()];
                let (who, disk) = b.kill(7);
                b = Node::start(who, disk, &peers);
            }
            50 => {
                let peers = [a.who.clone(), b.who.clone(), c.who.clone()];
                let (who, disk) = a.kill(9);
                a = Node::start(who, disk, &peers);
            }
            _ => {}
        }
    }
    let nodes = [&a, &b, &c];
    until_same(&nodes, &seats);
    assert_all(&nodes, &seats, &said);
}

#[test]
fn marks_of_followers_reach_the_home() {
    let nodes = nodes::<3>(|_, _| {});
    let (mut seats, _) = gather(&nodes);
    let (acked, acks) = mpsc::channel();
    seats[0].say(&nodes[0], "read this".into(), &acked);
    acks.recv().unwrap();
    let sequence = head(&nodes[0], seats[0].conversation).0;
    let (b, bob) = (&nodes[1], &seats[1]);
    until("bob has it", || head(b, bob.conversation).0 >= sequence);
    let account = bob.person.actor.account;
    let mark =
        startalk_domain::command::MarkMove { account, conversation: bob.conversation, delivered: sequence, read: sequence };
    b.run(Command::MoveMarks { marks: vec![mark] }).unwrap();
    until("the home tells another follower", || {
        let (c, carol) = (&nodes[2], &seats[2]);
        let asked = c.block_on(c.federation.readers(carol.conversation, sequence));
        asked.is_ok_and(|(members, of)| (members.len(), of) == (1, 3))
    });
    until("the home knows", || {
        let (readers, of) = groups::readers(&*nodes[0].views.store, seats[0].conversation, sequence).unwrap();
        (readers.len(), of) == (1, 3)
    });
}

#[test]
fn who_leaves_while_the_home_is_away_has_left() {
    let [a, b, c] = nodes::<3>(|_, _| {});
    let nodes = [a, b, c];
    let (mut seats, _) = gather(&nodes);
    let [a, b, c] = nodes;
    let peers = [a.who.clone(), b.who.clone(), c.who.clone()];
    let (who, disk) = a.stop();
    let (actor, conversation, counter) = (seats[1].person.actor, seats[1].conversation, seats[1].next());
    b.run(Command::ActInGroup { actor, conversation, counter, act: GroupAct::Leave }).unwrap();
    let standing = |node: &Node| groups::overview(&node.views.store.snapshot(), actor.account, conversation).unwrap().standing();
    assert_eq!(standing(&b), "leaving");
    let a = Node::start(who, disk, &peers);
    until("the home has recorded it", || standing(&b) == "left");
    let home = groups::group(&*a.views.store, seats[0].conversation).unwrap();
    assert_eq!(home.members, 2);
    until("c knows too", || groups::group(&*c.views.store, seats[2].conversation).unwrap().members == 2);
}

#[test]
fn whoever_asks_to_be_admitted_elsewhere_sees_that_they_wait_and_that_they_were_refused_whoever_was_away() {
    // Nobody looks now and then: what is told is told by a hint, or when a link begins.
    let [a, b] = nodes::<2>(|_, who| who.timings.groups_look = std::time::Duration::from_secs(3600));
    let (alice, bob) = (person(&a, "alice"), person(&b, "bob"));
    let create = Command::CreateGroup { actor: alice.actor, counter: 1, name: "gate".into(), members: vec![] };
    let Ok(Answer::Sent { conversation, .. }) = a.run(create) else { panic!("no group") };
    let act = |a: &Node, counter, act| a.run(Command::ActInGroup { actor: alice.actor, conversation, counter, act }).unwrap();
    let secret_hash = *blake3::hash(b"open").as_bytes();
    act(&a, 2, GroupAct::MakeLink { secret_hash, uses: 0, not_after_ms: 0 });
    act(&a, 3, GroupAct::SetRights(groups::Rights { joining: groups::Joining::WithApproval, ..groups::Rights::default() }));
    let group = groups::group(&*a.views.store, conversation).unwrap().id.parse().unwrap();
    let link = groups::GroupLink { home: a.who.name.clone(), group, secret: "open".into() };
    let join = |b: &Node, counter| {
        b.run(Command::JoinGroup { actor: bob.actor, counter, link: link.clone(), word: String::new() }).unwrap();
    };
    let until_stands = |b: &Node, standing: &str| {
        let there = groups::by_id(&*b.views.store, &link.group).unwrap();
        let now = || groups::overview(&b.views.store.snapshot(), bob.actor.account, there).unwrap().standing();
        until(standing, || now() == standing);
    };
    let refuse = || GroupAct::Admit { user: bob.id.clone(), refuse: true };

    join(&b, 1);
    until_stands(&b, "asked");
    // While the follower is away.
    let (who_b, disk_b) = b.kill(1);
    act(&a, 4, refuse());
    let who_a = a.who.clone();
    let b = Node::start(who_b, disk_b, std::slice::from_ref(&who_a));
    until_stands(&b, "refused");
    // While the home is away.
    join(&b, 2);
    until_stands(&b, "asked");
    let (who_a, disk_a) = a.kill(2);
    let who_b = b.who.clone();
    let a = Node::start(who_a, disk_a, std::slice::from_ref(&who_b));
    act(&a, 5, refuse());
    until_stands(&b, "refused");
    join(&b, 3);
    until_stands(&b, "asked");
    act(&a, 6, GroupAct::Admit { user: bob.id.clone(), refuse: false });
    until_stands(&b, "member");
}

/// A way to a node over which everything passes until it is told to swallow, and then to break.
#[derive(Clone, Default)]
struct Way {
    swallows: Arc<AtomicBool>,
    swallowed: Arc<AtomicUsize>,
    broken: Arc<tokio::sync::Notify>,
}

impl Way {
    async fn lead(self, listener: TcpListener, to: u16) {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
            let way = self.clone();
            tokio::spawn(async move {
                let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
                tokio::select! {
                    () = way.pass(near_in, far_out) => {}
                    () = way.pass(far_in, near_out) => {}
                    () = way.broken.notified() => {}
                }
            });
        }
    }

    async fn pass(&self, mut from: tokio::net::tcp::OwnedReadHalf, mut to: tokio::net::tcp::OwnedWriteHalf) {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut buffer).await {
            if self.swallows.load(Ordering::SeqCst) {
                self.swallowed.fetch_add(read, Ordering::SeqCst);
            } else if to.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    }
}

#[test]
fn news_that_are_lost_with_a_link_are_told_with_the_next_though_nobody_has_anything_to_send() {
    trace();
    let [who_a, who_b] = [Who::new(1), Who::new(2)];
    let (far, way) = (Who::new(3), Way::default());
    let mut by_way = who_b.clone();
    by_way.port = far.port;
    let mut nowhere = who_a.clone();
    nowhere.port = 9; // only a finds b
    let a = Node::start(who_a, FaultDisk::new(), &[by_way]);
    let b = Node::start(who_b.clone(), FaultDisk::new(), &[nowhere]);
    let listener = a.block_on(TcpListener::bind(("127.0.0.1", far.port))).unwrap();
    a.spawn(way.clone().lead(listener, who_b.port));
    let (alice, bob) = (person(&a, "alice"), person(&b, "bob"));
    let create = Command::CreateGroup { actor: alice.actor, counter: 1, name: "two".into(), members: vec![bob.id.clone()] };
    let Ok(Answer::Sent { conversation, .. }) = a.run(create) else { panic!("no group") };
    let id: GroupId = groups::group(&*a.views.store, conversation).unwrap().id.parse().unwrap();
    until("the invitation comes", || !groups::invitations(&*b.views.store, bob.actor.account).is_empty());
    b.run(Command::DecideGroupInvitation { actor: bob.actor, counter: 1, group: id.clone(), accept: true }).unwrap();
    let at_b = groups::by_id(&*b.views.store, &id).unwrap();
    let same = || head(&b, at_b) == head(&a, conversation);
    until("bob is in and has everything", || groups::is_member(&*b.views.store, at_b, bob.actor.account) && same());
    until_status(&a, &b, "nothing is to be sent", |s| s.lag == 0);

    way.swallows.store(true, Ordering::SeqCst);
    let (acked, acks) = mpsc::channel();
    let mut seat = Seat { person: alice, conversation, counter: 1 };
    seat.say(&a, "lost on the way ".repeat(20), &acked);
    acks.recv().unwrap();
    until("it is on its way", || way.swallowed.load(Ordering::SeqCst) > 300);
    assert!(!same());
    way.swallows.store(false, Ordering::SeqCst);
    way.broken.notify_waiters();
    until("bob has it too", same);
}
