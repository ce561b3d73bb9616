//! Who is not let in, and how that is shown on both sides.

use std::sync::atomic::Ordering;

use prost::Message as _;
use startalk_domain::{Command, command::PeerRule};
use startalk_federation::State;
use startalk_journal::fault::FaultDisk;
use startalk_protocol::{Code, signing::Purpose, trust::SignedRecord};

use crate::{
    exchange::pair,
    node::{Node, Who, key},
    world::*,
};

/// `evil` writes to somebody at a good node; what that node shows of the domain that `evil` claims to be.
fn check(evil: Who, good: Who, expected: Code) {
    trace();
    let others = [evil.clone(), good.clone()];
    let b = Node::start(good, FaultDisk::new(), &others);
    let bob = person(&b, "bob");
    let a = Node::start(evil, FaultDisk::new(), &others);
    let mut mallory = person(&a, "mallory");
    mallory.say(&a, &bob.id, "believe me");
    until_status(&b, &a, "the refusal is shown", |s| refused(s, expected));
    until_status(&a, &b, "it is told", |s| s.last_error.as_ref().is_some_and(|(e, _)| e.code == expected));
    let status = b.status(&a.who.claims).unwrap();
    assert_ne!(status.state, State::Connected);
    let refusal = &status.refusals[0];
    assert!(refusal.count >= 1 && refusal.first_ms <= refusal.last_ms);
    assert!(arrived(&b).is_empty());
    assert_eq!(status.number, None, "a domain that was never believed has no number");
    let lag = a.status(&b.who.name).unwrap().lag;
    assert!(lag > 0, "nothing was taken");
}

#[test]
fn a_link_key_that_is_not_in_the_charter() {
    let evil = Who { other_key: Some(key(77)), ..Who::new(1) };
    check(evil, Who::new(2), Code::WrongKey);
}

#[test]
fn a_record_signed_by_a_key_that_is_not_in_the_charter() {
    let evil = Who::new(1);
    let good = SignedRecord::decode(evil.record().bytes().clone()).unwrap();
    let signature = key(77).sign(Purpose::Record, &good.record).to_vec().into();
    let forged = SignedRecord { link_key: key(77).public().to_vec().into(), signature, ..good };
    check(Who { other_record: Some(forged.encode_to_vec().into()), ..evil }, Who::new(2), Code::WrongKey);
}

#[test]
fn a_record_whose_signature_is_wrong() {
    let evil = Who::new(1);
    let good = SignedRecord::decode(evil.record().bytes().clone()).unwrap();
    let forged = SignedRecord { signature: good.signature.iter().map(|b| b ^ 1).collect(), ..good };
    check(Who { other_record: Some(forged.encode_to_vec().into()), ..evil }, Who::new(2), Code::BadSignature);
}

#[test]
fn another_domain_with_ones_own_record() {
    let evil = Who { claims: Who::new(3).name, ..Who::new(1) };
    check(evil, Who::new(2), Code::WrongDomain);
}

#[test]
fn what_was_refused_under_a_name_stays_told_when_its_owner_comes() {
    trace();
    let victim = Who::new(3);
    let evil = Who { claims: victim.name.clone(), ..Who::new(1) };
    let good = Who::new(2);
    let others = [evil.clone(), good.clone(), victim.clone()];
    let b = Node::start(good, FaultDisk::new(), &others);
    let bob = person(&b, "bob");
    let a = Node::start(evil, FaultDisk::new(), &others);
    person(&a, "mallory").say(&a, &bob.id, "believe me");
    until_status(&b, &a, "the refusal is shown", |s| refused(s, Code::WrongDomain) && s.number.is_none());
    let (who, _) = a.stop();
    let before = b.status(&who.claims).unwrap().refusals[0].clone();
    let c = Node::start(victim, FaultDisk::new(), &others);
    person(&c, "carol").say(&c, &bob.id, "it is me");
    until_status(&b, &c, "the true one is linked", |s| s.state == State::Connected);
    let now = b.status(&c.who.name).unwrap();
    assert!(now.number.is_some());
    let kept = now.refusals.iter().find(|r| r.error.code == Code::WrongDomain).expect("still told");
    assert_eq!((kept.first_ms, kept.count >= before.count), (before.first_ms, true));
}

#[test]
fn another_domain_with_its_record_and_without_its_key() {
    let victim = Who::new(3);
    let evil = Who { claims: victim.name.clone(), other_record: Some(victim.record().bytes().clone()), ..Who::new(1) };
    check(evil, Who::new(2), Code::WrongKey);
}

#[test]
fn a_domain_that_nothing_proves() {
    let mut evil = Who::new(1);
    evil.name = "unproven.example".parse().unwrap();
    evil.claims = evil.name.clone();
    // The good one knows no place to ask: neither configuration, nor DNS, nor the web.
    trace();
    let b = Node::start(Who::new(2), FaultDisk::new(), &[]);
    let bob = person(&b, "bob");
    let a = Node::start(evil, FaultDisk::new(), std::slice::from_ref(&b.who));
    person(&a, "mallory").say(&a, &bob.id, "believe me");
    until_status(&b, &a, "the refusal is shown", |s| refused(s, Code::NotProven));
    until_status(&a, &b, "it is told", |s| {
        refused(s, Code::NotProven) && matches!(s.state, State::Refused { .. } | State::Dialing)
    });
    let words = b.status(&a.who.name).unwrap().refusals[0].error.params["steps"].clone();
    assert!(words.contains("well-known"), "every step is named: {words}");
    assert!(arrived(&b).is_empty());
}

#[test]
fn an_older_record_than_one_already_known() {
    let ([a, b], mut alice, mut bob) = pair();
    let (who, disk) = {
        a.who.record_sequence.store(7, Ordering::Relaxed);
        befriend(&a, &mut alice, &b, &mut bob);
        a.stop()
    };
    who.record_sequence.store(6, Ordering::Relaxed);
    let a = Node::start(who, disk, std::slice::from_ref(&b.who));
    alice.say(&a, &bob.id, "as before");
    until_status(&b, &a, "the refusal is shown", |s| refused(s, Code::OlderRecord));
    until_status(&a, &b, "it is told", |s| refused(s, Code::OlderRecord));
    bob.say(&b, &alice.id, "are you there?");
    until_status(&b, &a, "it is not dialed either", |s| s.lag > 0 && !matches!(s.state, State::Connected | State::Idle));
    a.who.record_sequence.store(8, Ordering::Relaxed);
    until_heard(&b, &alice, "as before");
    until_heard(&a, &bob, "are you there?");
}

#[test]
fn the_domain_at_the_address_has_another_root_key() {
    let ([a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    let (mut who, _) = a.stop();
    // Somebody else took the name's place: a new domain under the old name cannot be a key name, so it lies about it.
    let impostor = Who::new(4);
    (who.link, who.other_record) = (impostor.link.clone(), Some(impostor.record().bytes().clone()));
    let a = Node::start(who, FaultDisk::new(), std::slice::from_ref(&b.who));
    bob.say(&b, &alice.id, "is that you?");
    until_status(&b, &a, "it is not believed", |s| s.last_error.is_some() && s.lag > 0 && s.state != State::Connected);
    person(&a, "alice").say(&a, &bob.id, "it is me");
    until_status(&b, &a, "the refusal is shown", |s| refused(s, Code::WrongDomain));
    assert_heard(&b, &alice, &["hello"], &[]);
}

#[test]
fn a_denied_domain() {
    let ([a, b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    let rule = |rule| Command::SetPeerRule { domain: a.who.name.clone(), rule, forget_key: false };
    b.run(rule(PeerRule::Deny)).unwrap();
    until_status(&b, &a, "the link ends", |s| s.state == State::Denied && s.direction.is_none());
    alice.say(&a, &bob.id, "let me in");
    until_status(&a, &b, "it is told", |s| refused(s, Code::DomainDenied));
    until_status(&b, &a, "it is shown", |s| refused(s, Code::DomainDenied));
    b.run(rule(PeerRule::Allow)).unwrap();
    until_heard(&b, &alice, "let me in");
}

#[test]
fn what_one_person_does_not_accept_is_told_and_blocks_nothing() {
    let ([a, mut b], mut alice, mut bob) = pair();
    befriend(&a, &mut alice, &b, &mut bob);
    let mut carol = person(&b, "carol");
    befriend(&a, &mut alice, &b, &mut carol);
    b.run(Command::BlockUser { account: bob.actor.account, user: alice.id.clone(), blocked: true }).unwrap();
    alice.say(&a, &bob.id, "can you hear me?");
    alice.say(&a, &carol.id, "and you?");
    until_heard(&b, &alice, "and you?");
    until("the author's node knows", || events(&a, "ItemRefused") == 1);
    // A peer that does not know whether it was heard says it again with the next link; it counts once.
    let others = [a.who.clone(), b.who.clone()];
    let (who, disk) = b.stop();
    b = Node::start(who, disk, &others);
    let lately = startalk_domain::outbox::refused_lately(&*b.views.store, &*b.views.journal, 1000).unwrap();
    assert_eq!(lately.iter().map(|(_, _, code)| code.as_str()).collect::<Vec<_>>(), ["blocked"]);
    carol.say(&b, &alice.id, "once more");
    until_heard(&a, &carol, "once more");
    alice.say(&a, &bob.id, "and now?");
    until("the author's node knows of the second", || events(&a, "ItemRefused") == 2);
}
