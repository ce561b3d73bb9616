//! Cut links, killed processes, restored copies, two copies: nothing lost, nothing doubled.

use std::{sync::atomic::Ordering, time::Duration};

use startalk_federation::{Direction, State, Transport};
use startalk_journal::fault::{FaultDisk, SplitMix64};
use startalk_protocol::{Code, pb::link::ephemeral::Kind};

use crate::{
    exchange::{nodes, pair},
    node::{Node, Who, now_ms},
    world::*,
};

fn seed() -> SplitMix64 {
    let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(now_ms);
    println!("SEED={seed}");
    SplitMix64::new(seed)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("number {n}")).collect()
}

#[test]
fn a_peer_that_was_not_there_is_reached_when_it_comes() {
    trace();
    let who = [Who::new(1), Who::new(2)];
    let a = Node::start(who[0].clone(), FaultDisk::new(), &who);
    let (mut alice, b_name) = (person(&a, "alice"), who[1].name.clone());
    alice.say(&a, &format!("bob@{b_name}").parse().unwrap(), "are you there?");
    until("the failure is shown", || {
        a.status(&b_name).is_some_and(|s| matches!(s.state, State::BackingOff { .. }) && s.last_error.is_some())
    });
    let status = a.status(&b_name).unwrap();
    let words = status.last_error.unwrap().0.to_string();
    assert!(words.contains("connection refused"), "every step is named: {words}");
    assert_eq!((status.lag, status.acked), (status.outbox_head, 0));
    let b = Node::start(who[1].clone(), FaultDisk::new(), &who);
    person(&b, "carol");
    until_status(&a, &b, "all is acknowledged", |s| s.lag == 0);
}

#[test]
fn cut_links_lose_and_double_nothing() {
    let mut random = seed();
    let ([a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    let (acked, acks) = std::sync::mpsc::channel();
    let words = texts(2000);
    let mut cuts = 0;
    for (n, word) in words.iter().enumerate() {
        alice.say_soon(&a, &bob.id, word.clone(), &acked);
        bob.say_soon(&b, &alice.id, word.clone(), &acked);
        if n % 200 == 100 {
            // In the middle of what is on its way.
            std::thread::sleep(Duration::from_millis(random.below(30)));
            a.cut();
            b.cut();
            cuts += 1;
        }
        while n >= 500 && acks.try_recv().is_err() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    until_heard(&b, &alice, "number 1999");
    until_heard(&a, &bob, "number 1999");
    assert_heard(&b, &alice, &["hello"], &words);
    assert_heard(&a, &bob, &["hi"], &words);
    assert_eq!((cuts, a.went_back.load(Ordering::Relaxed) + b.went_back.load(Ordering::Relaxed)), (10, 0));
}

#[test]
fn a_killed_receiver_has_everything_once() {
    let mut random = seed();
    let ([a, mut b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    let (acked, acks) = std::sync::mpsc::channel();
    let words = texts(2000);
    let others = [a.who.clone(), b.who.clone()];
    for (n, word) in words.iter().enumerate() {
        alice.say_soon(&a, &bob.id, word.clone(), &acked);
        if n % 500 == 250 {
            until("some have arrived", || heard(&b, &alice).len() > n / 2);
            let (who, disk) = b.kill(random.next_u64());
            b = Node::start(who, disk, &others);
        }
    }
    assert_eq!(acks.into_iter().take(2000).count(), 2000);
    until_heard(&b, &alice, "number 1999");
    assert_heard(&b, &alice, &["hello"], &words);
    until_status(&a, &b, "all is acknowledged", |s| s.lag == 0);
    assert_eq!(a.went_back.load(Ordering::Relaxed) + b.went_back.load(Ordering::Relaxed), 0, "only durable things were told");
    assert!(a.status(&b.who.name).unwrap().two_copies_ms.is_none());
}

#[test]
fn what_a_killed_sender_acknowledged_arrives_once() {
    let mut random = seed();
    let ([mut a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    let others = [a.who.clone(), b.who.clone()];
    let (acked, acks) = std::sync::mpsc::channel();
    for (n, word) in texts(2000).into_iter().enumerate() {
        alice.say_soon(&a, &bob.id, word, &acked);
        if n % 500 == 250 {
            until("some have arrived", || heard(&b, &alice).len() > n / 3);
            let (who, disk) = a.kill(random.next_u64());
            a = Node::start(who, disk, &others);
        }
    }
    alice.say(&a, &bob.id, "the end");
    until_heard(&b, &alice, "the end");
    drop(acked);
    let heard = heard(&b, &alice);
    let places: Vec<usize> = acks
        .into_iter()
        .map(|word| {
            let all: Vec<usize> = heard.iter().enumerate().filter(|(_, h)| **h == word).map(|(n, _)| n).collect();
            assert_eq!(all.len(), 1, "{word} was acknowledged");
            all[0]
        })
        .collect();
    assert!(places.is_sorted(), "in the order in which they were acknowledged");
    assert!(places.len() > 500, "{}", places.len());
    assert_eq!(a.went_back.load(Ordering::Relaxed) + b.went_back.load(Ordering::Relaxed), 0);
}

#[test]
fn a_restored_copy_begins_a_new_epoch_and_loses_and_doubles_nothing() {
    let ([a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    (0..40).for_each(|n| alice.say(&a, &bob.id, &format!("early {n}")));
    until_heard(&b, &alice, "early 39");
    let others = [a.who.clone(), b.who.clone()];
    let (who, disk) = a.stop();
    let copy = disk.copy();
    let a = Node::start(who, disk, &others);
    (0..60).for_each(|n| alice.say(&a, &bob.id, &format!("late {n}")));
    (0..30).for_each(|n| bob.say(&b, &alice.id, &format!("answer {n}")));
    until_heard(&b, &alice, "late 59");
    until_heard(&a, &bob, "answer 29");
    until_status(&a, &b, "all is acknowledged", |s| s.lag == 0);
    let to_b = |a: &Node| startalk_domain::outbox::outbox(&*a.views.store, 1).epoch;
    let epoch = to_b(&a);
    let (who, _) = a.stop();
    let a = Node::start(who, copy, &others);
    assert!(heard(&a, &bob).iter().all(|w| w != "answer 29"), "the copy is older");
    (0..3).for_each(|n| alice.say(&a, &bob.id, &format!("after {n}")));
    until_heard(&b, &alice, "after 2");
    let list = |word: &str, n: usize| (0..n).map(|n| format!("{word} {n}")).collect::<Vec<_>>();
    assert_heard(&b, &alice, &["hello"], &[list("early", 40), list("late", 60), list("after", 3)].concat());
    until_heard(&a, &bob, "answer 29");
    assert_heard(&a, &bob, &["hi"], &list("answer", 30));
    assert_eq!(a.went_back.load(Ordering::Relaxed), 1);
    assert_ne!(to_b(&a), epoch, "the peer showed it");
    until_status(&b, &a, "it is shown", |s| s.went_back_ms.is_some());
    bob.say(&b, &alice.id, "go on");
    until_heard(&a, &bob, "go on");
    until_status(&a, &b, "all is acknowledged", |s| s.lag == 0 && s.state == State::Connected);
}

#[test]
fn of_two_copies_both_are_refused_until_one_is_stopped() {
    let ([a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    until_status(&b, &a, "linked", |s| s.state == State::Connected);
    let mut who = a.who.clone();
    who.port = Who::new(9).port;
    let copy = Node::start(who, a.disk.copy(), &[a.who.clone(), b.who.clone()]);
    copy.federation.reconnect(&b.who.name).unwrap();
    until_status(&b, &a, "two copies are seen", |s| s.two_copies_ms.is_some() && s.state != State::Connected);
    for one in [&a, &copy] {
        until_status(one, &b, "it is told", |s| refused(s, Code::TwoCopies) && s.two_copies_ms.is_some());
    }
    drop(copy);
    alice.say(&a, &bob.id, "only me now");
    until_heard(&b, &alice, "only me now");
    assert_heard(&b, &alice, &["hello"], &["only me now".to_owned()]);
}

/// Who sees two copies keeps both away for a while; who is told of them does not answer in kind, or two domains of which
/// each has seen the other twice would tell each other so for ever.
#[test]
fn who_is_told_of_two_copies_refuses_no_link() {
    let [a, b] = nodes(|n, who| {
        if n == 0 {
            who.timings.two_copies = Duration::from_secs(3600);
        }
    });
    let (mut alice, mut bob) = (person(&a, "alice"), person(&b, "bob"));
    befriend(&a, &mut alice, &b, &mut bob);
    until_status(&b, &a, "linked", |s| s.state == State::Connected);
    let mut who = a.who.clone();
    who.port = Who::new(9).port;
    let copy = Node::start(who, a.disk.copy(), &[a.who.clone(), b.who.clone()]);
    copy.federation.reconnect(&b.who.name).unwrap();
    until_status(&a, &b, "it is told", |s| refused(s, Code::TwoCopies));
    drop(copy);
    bob.say(&b, &alice.id, "one of you is left");
    until_heard(&a, &bob, "one of you is left");
}

#[test]
fn both_dial_at_once_and_one_link_stays() {
    for round in 0..8 {
        let ([a, b], mut alice, mut bob) = pair();
        alice.say(&a, &bob.id, "hello");
        bob.say(&b, &alice.id, "hi");
        until_heard(&b, &alice, "hello");
        until_heard(&a, &bob, "hi");
        a.cut();
        b.cut();
        let words = texts(50);
        let (acked, _acks) = std::sync::mpsc::channel();
        for word in &words {
            alice.say_soon(&a, &bob.id, word.clone(), &acked);
            bob.say_soon(&b, &alice.id, word.clone(), &acked);
        }
        until_heard(&b, &alice, "number 49");
        until_heard(&a, &bob, "number 49");
        assert_heard(&b, &alice, &["hello"], &words);
        assert_heard(&a, &bob, &["hi"], &words);
        until("one link, of two directions", || {
            let directions = [(&a, &b), (&b, &a)].map(|(one, other)| one.status(&other.who.name).unwrap().direction);
            directions == [Some(Direction::Dialed), Some(Direction::Accepted)]
                || directions == [Some(Direction::Accepted), Some(Direction::Dialed)]
        });
        for (one, other) in [(&a, &b), (&b, &a)] {
            assert!(one.status(&other.who.name).unwrap().refusals.is_empty(), "round {round}: losing is no refusal");
        }
    }
}

#[test]
fn where_udp_does_not_pass_tls_does() {
    let [a, b] = nodes(|_, who| who.no_udp = true);
    let (mut alice, mut bob) = (person(&a, "alice"), person(&b, "bob"));
    befriend(&a, &mut alice, &b, &mut bob);
    let words = texts(300);
    words.iter().for_each(|word| alice.say(&a, &bob.id, word));
    until_heard(&b, &alice, "number 299");
    assert_heard(&b, &alice, &["hello"], &words);
    for (one, other) in [(&a, &b), (&b, &a)] {
        until_status(one, other, "linked over TLS", |s| s.transport == Some(Transport::Tls));
    }
    crate::exchange::typing(&a, &alice, &b, &bob);
    until("typing passes on the stream too", || !b.ephemerals.lock().is_empty());
    assert_eq!(b.ephemerals.lock()[0].kind, Kind::Typing(true));
}

#[test]
fn a_link_over_tls_goes_over_to_quic_when_udp_passes() {
    let [a, b] = nodes(|_, who| {
        who.no_udp = true;
        who.timings.quic_again = Duration::from_millis(200);
    });
    let (mut alice, mut bob) = (person(&a, "alice"), person(&b, "bob"));
    befriend(&a, &mut alice, &b, &mut bob);
    let words = texts(400);
    for (n, word) in words.iter().enumerate() {
        alice.say(&a, &bob.id, word);
        bob.say(&b, &alice.id, word);
        if n == 100 {
            for (one, other) in [(&a, &b), (&b, &a)] {
                until_status(one, other, "linked over TLS", |s| s.transport == Some(Transport::Tls));
            }
            a.lets_udp_pass();
            b.lets_udp_pass();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    for (one, other) in [(&a, &b), (&b, &a)] {
        until_status(one, other, "linked over QUIC", |s| s.transport == Some(Transport::Quic));
    }
    until_heard(&b, &alice, "number 399");
    until_heard(&a, &bob, "number 399");
    assert_heard(&b, &alice, &["hello"], &words);
    assert_heard(&a, &bob, &["hi"], &words);
}

#[test]
fn links_that_are_made_anew_lose_and_double_nothing() {
    let [a, b] = nodes(|_, who| who.timings.link_age = Duration::from_millis(150));
    let (mut alice, mut bob) = (person(&a, "alice"), person(&b, "bob"));
    befriend(&a, &mut alice, &b, &mut bob);
    let words = texts(400);
    for word in &words {
        alice.say(&a, &bob.id, word);
        bob.say(&b, &alice.id, word);
        std::thread::sleep(Duration::from_millis(2));
    }
    until_heard(&b, &alice, "number 399");
    until_heard(&a, &bob, "number 399");
    assert_heard(&b, &alice, &["hello"], &words);
    assert_heard(&a, &bob, &["hi"], &words);
    for (one, other) in [(&a, &b), (&b, &a)] {
        assert!(one.status(&other.who.name).unwrap().refusals.is_empty());
    }
}
