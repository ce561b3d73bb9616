//! What two or three nodes have of each other when nothing goes wrong.

use startalk_journal::fault::FaultDisk;
use startalk_net::Names;
use startalk_federation::{State, Transport};
use startalk_protocol::pb::link::{Ephemeral, ephemeral::Kind};

use crate::{
    node::{Node, Who},
    world::*,
};

/// Nodes that know where the others are.
pub fn nodes<const N: usize>(change: impl Fn(usize, &mut Who)) -> [Node; N] {
    trace();
    let _ = Names::system();
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
