//! What a peer's cursor brings about: a new epoch of the link with it, and with nobody else.

use std::sync::atomic::Ordering;

use startalk_domain::{Command, command::LinkItem, directory, governance, outbox};
use startalk_federation::State;
use startalk_protocol::{Code, limits::LINK_RESTARTS_MAX};

use crate::{exchange::nodes, node::Node, world::*};

/// The epoch of the outbox of `node` to `to`.
fn epoch(node: &Node, to: &Node) -> [u8; 16] {
    let number = directory::peer_number(&*node.views.store, &to.who.name).unwrap();
    outbox::outbox(&*node.views.store, number).epoch
}

/// `liar` says from now on to have one item more of `of` than it has.
fn lie(liar: &Node, of: &Node) {
    let peer = directory::peer_number(&*liar.views.store, &of.who.name).unwrap();
    let inbox = outbox::inbox(&*liar.views.store, peer);
    let item = LinkItem { sequence: inbox.sequence + 1, running: [0xee; 32], item: None };
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
