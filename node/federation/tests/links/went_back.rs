//! What a peer's cursor brings about: a new epoch of the link with it, and with nobody else.

use std::sync::atomic::Ordering;

use startalk_domain::{Command, command::LinkItem, directory, governance, outbox};
use startalk_federation::State;
use startalk_journal::fault::FaultDisk;
use startalk_protocol::{Code, limits::LINK_RESTARTS_MAX};

use crate::{
    exchange::{nodes, pair},
    node::{Node, Who},
    world::*,
};

/// The epoch of the outbox of `node` to `to`.
fn epoch(node: &Node, to: &Node) -> [u8; 16] {
    let number = directory::peer_number(&*node.views.store, &to.who.name).unwrap();
    outbox::outbox(&*node.views.store, number).epoch
}

/// `liar` says from now on to have one item more of `of` than it has.
fn lie(liar: &Node, of: &Node) {
    let peer = directory::peer_number(&*liar.views.store, &of.who.name).unwrap();
    let inbox = outbox::inbox(&*liar.views.store, peer);
    let item = LinkItem { sequence: inbox.sequence + 1, running: [0xee; 32], item: None, proof: None };
    liar.run(Command::ReceiveItem { peer, epoch: inbox.epoch, item }).unwrap();
}

#[test]
fn a_peer_that_lies_is_sent_to_again_and_nobody_else_and_only_a_few_times_a_day() {
    let [a, b, c] = nodes(|_, _| {});
    let (mut alice, mut bob, mut carol) = (person(&a, "alice"), person(&b, "bob"), person(&c, "carol"));
    befriend(&a, &mut alice, &b, &mut bob);
    befriend(&a, &mut alice, &c, &mut carol);
    let (domain, to_c) = (governance::realm(&*a.views.store).link_epoch, epoch(&a, &c));
    let mut to_b = epoch(&a, &b);
    for n in 1..=LINK_RESTARTS_MAX {
        until_status(&a, &b, "linked", |s| s.state == State::Connected && s.lag == 0);
        lie(&b, &a);
        a.federation.reconnect(&b.who.name).unwrap();
        a.cut();
        b.cut();
        alice.say(&a, &bob.id, &format!("after lie {n}"));
        until_heard(&b, &alice, &format!("after lie {n}"));
        assert_ne!(epoch(&a, &b), to_b, "a new epoch for who says so");
        to_b = epoch(&a, &b);
        assert_eq!(a.went_back.load(Ordering::Relaxed), n, "the administrator is told");
    }
    let words: Vec<String> = (1..=LINK_RESTARTS_MAX).map(|n| format!("after lie {n}")).collect();
    assert_heard(&b, &alice, &["hello"], &words);
    assert_eq!((epoch(&a, &c), governance::realm(&*a.views.store).link_epoch), (to_c, domain), "and for nobody else");
    assert_eq!(events(&a, "EpochBegan"), 0);

    until_status(&a, &b, "linked", |s| s.state == State::Connected && s.lag == 0);
    lie(&b, &a);
    a.cut();
    b.cut();
    alice.say(&a, &bob.id, "once too often");
    until_status(&a, &b, "it is refused", |s| matches!(s.state, State::Refused { .. }) && refused(s, Code::TooMany));
    let status = a.status(&b.who.name).unwrap();
    assert!(status.restarted_ms.is_some() && status.lag > 0, "{status:?}");
    assert_eq!((epoch(&a, &b), a.went_back.load(Ordering::Relaxed)), (to_b, LINK_RESTARTS_MAX));
    alice.say(&a, &carol.id, "all is well here");
    until_heard(&c, &alice, "all is well here");
}

/// The same node, later, on another disk.
fn on(node: Node, disk: Option<FaultDisk>, others: &[Who]) -> (Node, FaultDisk) {
    let (who, was) = node.stop();
    let copy = was.copy();
    (Node::start(who, disk.unwrap_or(was), others), copy)
}

fn list(word: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{word} {n}")).collect()
}

#[test]
fn two_restores_on_different_sides_in_a_row_lose_and_double_nothing() {
    let ([a, b], mut alice, mut bob) = pair();
    let others = [a.who.clone(), b.who.clone()];
    befriend(&a, &mut alice, &b, &mut bob);
    list("early", 40).iter().for_each(|words| alice.say(&a, &bob.id, words));
    until_heard(&b, &alice, "early 39");
    let (b, older) = on(b, None, &others);
    list("late", 60).iter().for_each(|words| alice.say(&a, &bob.id, words));
    until_heard(&b, &alice, "late 59");
    until_status(&a, &b, "all is acknowledged", |s| s.lag == 0);
    // A is restored with the program, which begins an epoch after what was acknowledged; B is put back by hand.
    let (who, _) = b.stop();
    let (a, _) = on(a, None, &others);
    a.run(Command::BeginEpoch { epoch: 0, reason: "restored".into() }).unwrap();
    let b = Node::start(who, older, &others);
    assert!(!heard(&b, &alice).iter().any(|w| w == "late 0"), "the copy is older");
    alice.say(&a, &bob.id, "after");
    until_heard(&b, &alice, "after");
    assert_heard(&b, &alice, &["hello"], &[list("early", 40), list("late", 60), vec!["after".into()]].concat());
    assert_eq!(a.went_back.load(Ordering::Relaxed), 0, "nobody has what A does not know");
}

#[test]
fn of_a_long_history_only_what_follows_the_parting_is_sent_again() {
    let ([a, b], mut alice, mut bob) = pair();
    let others = [a.who.clone(), b.who.clone()];
    befriend(&a, &mut alice, &b, &mut bob);
    list("early", 500).iter().for_each(|words| alice.say(&a, &bob.id, words));
    until_heard(&b, &alice, "early 499");
    // A copy of the running node's disk knows of no ack: all five hundred would be sent again.
    let older = a.disk.copy();
    list("late", 20).iter().for_each(|words| alice.say(&a, &bob.id, words));
    until_heard(&b, &alice, "late 19");
    let closed = events(&b, "LinkItemClosed");
    let (a, _) = on(a, Some(older), &others);
    list("after", 3).iter().for_each(|words| alice.say(&a, &bob.id, words));
    until_heard(&b, &alice, "after 2");
    assert_heard(&b, &alice, &["hello"], &[list("early", 500), list("late", 20), list("after", 3)].concat());
    assert_eq!(a.went_back.load(Ordering::Relaxed), 1);
    let again = events(&b, "LinkItemClosed") - closed;
    assert!(again <= 20 + 2 * 16, "{again} were sent again although 20 were lost");
}
