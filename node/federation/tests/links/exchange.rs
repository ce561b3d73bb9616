//! What two or three nodes have of each other when nothing goes wrong.

use startalk_federation::{State, Transport};
use startalk_journal::fault::FaultDisk;
use startalk_protocol::pb::link::{Ephemeral, ephemeral::Kind};

use crate::{
    node::{Node, Who},
    world::*,
};

/// Nodes that know where the others are.
pub fn nodes<const N: usize>(change: impl Fn(usize, &mut Who)) -> [Node; N] {
    trace();
    let mut who: Vec<Who> = (1..=N as u8).map(Who::new).collect();
    who.iter_mut().enumerate().for_each(|(n, who)| change(n, who));
    std::array::from_fn(|n| Node::start(who[n].clone(), FaultDisk::new(), &who))
}

pub fn pair() -> ([Node; 2], Person, Person) {
    let [a, b] = nodes(|_, _| {});
    let (alice, bob) = (person(&a, "alice"), person(&b, "bob"));
    ([a, b], alice, bob)
}

#[test]
fn messages_go_both_ways_exactly_once() {
    let ([a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    let (acked, acks) = std::sync::mpsc::channel();
    let words = |who: &str| (0..500).map(|n| format!("{who} {n}")).collect::<Vec<_>>();
    for (from_alice, from_bob) in words("alice").into_iter().zip(words("bob")) {
        alice.say_soon(&a, &bob.id, from_alice, &acked);
        bob.say_soon(&b, &alice.id, from_bob, &acked);
    }
    assert_eq!(acks.into_iter().take(1000).count(), 1000);
    until_heard(&b, &alice, "alice 499");
    until_heard(&a, &bob, "bob 499");
    assert_heard(&b, &alice, &["hello"], &words("alice"));
    assert_heard(&a, &bob, &["hi"], &words("bob"));
    until_status(&a, &b, "everything is acknowledged", |s| s.lag == 0 && s.state == State::Connected);
    let status = a.status(&b.who.name).unwrap();
    assert_eq!((status.transport, status.proof.as_str()), (Some(Transport::Quic), "configured"));
    assert!(status.refusals.is_empty() && status.last_contact_ms.is_some());
}

pub fn typing(a: &Node, alice: &Person, b: &Node, bob: &Person) {
    let ephemeral = Ephemeral { from: alice.id.name.to_string(), to: bob.id.name.to_string(), kind: Some(Kind::Typing(true)) };
    a.federation.ephemeral(&b.who.name, ephemeral);
}

#[test]
fn typing_is_heard_while_there_is_a_link_and_dropped_otherwise() {
    let ([a, b], mut alice, mut bob) = pair();
    typing(&a, &alice, &b, &bob);
    befriend(&a, &mut alice, &b, &mut bob);
    assert!(b.ephemerals.lock().is_empty());
    until_status(&a, &b, "linked", |s| s.state == State::Connected);
    until("a datagram gets through", || {
        typing(&a, &alice, &b, &bob);
        !b.ephemerals.lock().is_empty()
    });
    let heard = b.ephemerals.lock()[0].clone();
    assert_eq!((heard.from, heard.to.as_str(), heard.kind), (alice.id, "bob", Kind::Typing(true)));
}

#[test]
fn a_day_of_too_much_is_read_tomorrow() {
    let [a, b] = nodes(|n, who| {
        if n == 1 {
            who.quota.records_per_day = 100;
        }
    });
    let (mut alice, mut bob) = (person(&a, "alice"), person(&b, "bob"));
    befriend(&a, &mut alice, &b, &mut bob);
    let (acked, acks) = std::sync::mpsc::channel();
    (0..3000).for_each(|n| alice.say_soon(&a, &bob.id, format!("number {n}"), &acked));
    assert_eq!(acks.into_iter().take(3000).count(), 3000);
    until_status(&b, &a, "it is shown", |s| s.over_quota_until_ms.is_some());
    let heard = heard(&b, &alice).len();
    assert!((98..3000).contains(&heard), "{heard}");
    assert_eq!(b.status(&a.who.name).unwrap().state, State::Connected, "what we send still goes");
}

#[test]
fn a_clean_stop_tells_the_peer_and_keeps_what_was_acknowledged() {
    let ([a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    (0..20).for_each(|n| alice.say(&a, &bob.id, &format!("number {n}")));
    until_status(&a, &b, "all is acknowledged", |s| s.lag == 0 && s.outbox_head > 20);
    let head = a.status(&b.who.name).unwrap().outbox_head;
    let others = [a.who.clone(), b.who.clone()];
    let (who, disk) = a.stop();
    until("the peer knows at once", || b.status(&who.name).unwrap().state != State::Connected);
    let a = Node::start(who, disk, &others);
    assert_eq!(a.status(&b.who.name).unwrap().acked, head);
    bob.say(&b, &alice.id, "welcome back");
    until_heard(&a, &bob, "welcome back");
}

#[test]
fn three_nodes_talk_and_a_peer_that_is_away_bothers_nobody() {
    let [a, b, c] = nodes(|_, _| {});
    let (mut alice, mut bob, mut carol) = (person(&a, "alice"), person(&b, "bob"), person(&c, "carol"));
    befriend(&a, &mut alice, &b, &mut bob);
    befriend(&b, &mut bob, &c, &mut carol);
    befriend(&c, &mut carol, &a, &mut alice);
    let others = [a.who.clone(), b.who.clone(), c.who.clone()];
    let (who, disk) = c.stop();
    for n in 0..50 {
        alice.say(&a, &carol.id, &format!("number {n}"));
        alice.say(&a, &bob.id, &format!("number {n}"));
        bob.say(&b, &carol.id, &format!("number {n}"));
    }
    until_heard(&b, &alice, "number 49");
    let c = Node::start(who, disk, &others);
    let words: Vec<String> = (0..50).map(|n| format!("number {n}")).collect();
    for author in [&alice, &bob] {
        until_heard(&c, author, "number 49");
    }
    assert_heard(&c, &alice, &["hi"], &words);
    assert_heard(&c, &bob, &["hello"], &words);
}
