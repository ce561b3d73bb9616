//! Peers that do not answer for long, or are no more: what is remembered, who is told, and how they come back.

use std::{sync::atomic::Ordering, time::Duration};

use startalk_domain::{Command, command::Target, contacts, conversations, directory};
use startalk_federation::State;
use startalk_journal::fault::FaultDisk;
use startalk_protocol::Code;

use crate::{
    exchange::pair,
    node::{Node, Who},
    world::*,
};

/// A month in a second.
fn impatient(n: u8) -> Who {
    let mut who = Who::new(n);
    let ms = Duration::from_millis;
    who.timings.silent_after = ms(100);
    (who.timings.dormant_after, who.timings.dormant_retry) = (ms(300), ms(100));
    (who.timings.dead_after, who.timings.dead_retry) = (ms(1200), Duration::from_secs(3600));
    who
}

/// What has become of what somebody said, in their only conversation.
fn refusals(node: &Node, of: &Person) -> Vec<String> {
    let (store, journal, account) = (&*node.views.store, &*node.views.journal, of.actor.account);
    let conversation = contacts::conversations(store, account)[0];
    let page = conversations::page(store, journal, account, conversation, 1..=u64::MAX, false).unwrap();
    page.messages.into_iter().map(|m| m.refused).collect()
}

fn is_dead(state: State) -> bool {
    matches!(state, State::Dead { .. })
}

#[test]
fn who_is_silent_for_long_is_given_up_also_after_a_restart_and_comes_back_by_any_contact() {
    trace();
    let who = [impatient(1), Who::new(2)];
    let a = Node::start(who[0].clone(), FaultDisk::new(), &who);
    let (mut alice, b_name) = (person(&a, "alice"), who[1].name.clone());
    let bob = format!("bob@{b_name}").parse().unwrap();
    (0..3).for_each(|n| alice.say(&a, &bob, &format!("waits {n}")));
    until("it is tried now and then only", || a.status(&b_name).is_some_and(|s| matches!(s.state, State::Dormant { .. })));
    let since = a.status(&b_name).unwrap().silent_since_ms;
    assert!(since.is_some() && refusals(&a, &alice).iter().all(String::is_empty), "nobody is told yet");
    let (who_a, disk) = a.stop();
    let a = Node::start(who_a, disk, &who);
    assert_eq!(a.status(&b_name).unwrap().silent_since_ms, since, "a restart begins nothing anew");
    until("it is given up", || a.status(&b_name).is_some_and(|s| is_dead(s.state)) && events(&a, "ItemRefused") == 3);
    assert_eq!(refusals(&a, &alice), ["domain-dead"; 3]);
    let (who_a, disk) = a.stop();
    let a = Node::start(who_a, disk, &who);
    until("it still is", || a.status(&b_name).is_some_and(|s| is_dead(s.state) && s.last_error.is_some()));
    // Writing is worth one attempt; when that fails the sender is told at once.
    alice.say(&a, &bob, "and now?");
    until("it is told too", || refusals(&a, &alice) == ["domain-dead"; 4]);

    let b = Node::start(who[1].clone(), FaultDisk::new(), &who);
    let mut bob = person(&b, "bob");
    alice.say(&a, &bob.id, "there you are");
    until_heard(&b, &alice, "there you are");
    assert_heard(&b, &alice, &[], &["there you are".to_owned()]);
    until_status(&a, &b, "it lives", |s| s.state == State::Connected && s.lag == 0 && s.silent_since_ms.is_none());
    assert_eq!(events(&a, "PeerHeard"), 1);
    bob.say(&b, &alice.id, "yes");
    until_heard(&a, &bob, "yes");
    assert_eq!(refusals(&a, &alice)[..5], ["domain-dead", "domain-dead", "domain-dead", "domain-dead", ""]);
}

#[test]
fn a_peer_that_is_silent_for_long_is_reached_when_somebody_asks() {
    trace();
    let mut who = [impatient(1), Who::new(2)];
    who[0].timings.dormant_retry = Duration::from_secs(3600);
    who[0].timings.dead_after = Duration::from_secs(3600);
    let a = Node::start(who[0].clone(), FaultDisk::new(), &who);
    let (mut alice, b_name) = (person(&a, "alice"), who[1].name.clone());
    alice.say(&a, &format!("bob@{b_name}").parse().unwrap(), "are you there?");
    let hour = |s: State| matches!(s, State::Dormant { next_attempt_ms } if next_attempt_ms > crate::node::now_ms() + 600_000);
    until("it is left alone for an hour", || a.status(&b_name).is_some_and(|s| hour(s.state)));
    let b = Node::start(who[1].clone(), FaultDisk::new(), &who);
    person(&b, "bob");
    a.federation.reconnect(&b_name).unwrap();
    until_status(&a, &b, "it is reached", |s| s.lag == 0);
    let unknown = a.federation.reconnect(&Who::new(5).name).unwrap_err();
    assert_eq!(unknown.code, Code::UnknownDomain);
}

#[test]
fn a_clock_that_is_put_right_makes_nothing_wait_for_as_long_as_it_was_wrong() {
    trace();
    let who = [Who::new(1), Who::new(2)];
    let ahead_ms = 6 * 3_600_000;
    who[0].ahead_ms.store(ahead_ms, Ordering::Relaxed);
    let a = Node::start(who[0].clone(), FaultDisk::new(), &who);
    let (mut alice, b_name) = (person(&a, "alice"), who[1].name.clone());
    alice.say(&a, &format!("bob@{b_name}").parse().unwrap(), "are you there?");
    let next = || match a.status(&b_name).map(|s| s.state) {
        Some(State::BackingOff { next_attempt_ms }) => Some(next_attempt_ms),
        _ => None,
    };
    let early = crate::node::now_ms() + ahead_ms.unsigned_abs() - 60_000;
    until("it has failed, by a clock that is ahead", || next().is_some_and(|at| at > early));
    who[0].ahead_ms.store(0, Ordering::Relaxed);
    until("what is shown is right again", || next().is_some_and(|at| at < early));
    let b = Node::start(who[1].clone(), FaultDisk::new(), &who);
    person(&b, "bob");
    until_heard(&b, &alice, "are you there?");
    // A link that was opened while the clock was ahead lives on when it is put right, and the other way round.
    for ahead_ms in [ahead_ms, 0, -1_800_000, 0] {
        who[0].ahead_ms.store(ahead_ms, Ordering::Relaxed);
        let words = format!("{ahead_ms} ahead");
        alice.say(&a, &format!("bob@{b_name}").parse().unwrap(), &words);
        until_heard(&b, &alice, &words);
        b.cut();
    }
}

#[test]
fn a_domain_that_says_to_be_no_more_is_believed() {
    let ([a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    until_status(&a, &b, "all is acknowledged", |s| s.lag == 0);
    let others = [a.who.clone(), b.who.clone()];
    let (mut who, disk) = b.stop();
    alice.say(&a, &bob.id, "waits");
    who.gone = true;
    let b = Node::start(who, disk, &others);
    a.federation.reconnect(&b.who.name).unwrap();
    until_status(&a, &b, "it is shown", |s| s.state == State::Gone);
    until("the sender is told", || refusals(&a, &alice).iter().any(|r| r == "domain-gone"));
    assert!(heard(&b, &alice).iter().all(|words| words != "waits"));
    let number = directory::peer_number(&*a.views.store, &b.who.name).unwrap();
    let person = directory::person_number(&*a.views.store, number, &bob.id.name).unwrap();
    assert!(directory::is_gone(&*a.views.store, person), "and so are its people");
    let command = Command::Send {
        actor: alice.actor,
        to: Target::User(bob.id.clone()),
        counter: 99,
        content: text("?"),
        reply_to: None,
        reply_sequence: 0,
        known_id: None,
    };
    assert_eq!(a.run(command).unwrap_err().code, Code::DomainGone);
}
