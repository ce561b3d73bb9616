//! Who may open a link, and what both sides agree on.

use startalk_link::{Event, Link, Role};
use startalk_protocol::{
    Code, Error, framing,
    limits::LINK_HELLO_BYTES_MAX,
    pb::link::{Close, Frame, Hello, Ping, frame::Frame as Kind},
    signing::SecretKey,
};

use crate::{
    node::{Node, domain},
    world::{A, B, World},
};

/// A good hello of a.example to b.example.
fn hello() -> Hello {
    let mut dialer = Node::new(b'a', b'b').link(Role::Dialer { peer: domain(b'b') }, 0);
    let bytes = dialer.transmit().expect("a dialer speaks at once");
    let frame: Frame = framing::decode(&bytes[4..], "frame").unwrap();
    let Some(Kind::Hello(hello)) = frame.frame else { panic!("a hello first") };
    hello
}

/// What b.example, accepting, makes of one first frame.
fn check(frame: Kind, expected: Code) {
    let mut node = Node::new(b'b', b'a');
    let mut link = node.link(Role::Acceptor, 0);
    link.receive(&framing::encode(&Frame { frame: Some(frame) }), 0);
    node.drive(&mut link);
    assert_eq!(node.closed().map(|c| c.1), Some(expected));
    assert!(!node.saw(|e| matches!(e, Event::Hello { .. })), "nothing of a bad hello is used");
}

fn check_hello(change: impl Fn(&mut Hello), expected: Code) {
    let mut hello = hello();
    change(&mut hello);
    check(Kind::Hello(hello), expected);
}

#[test]
fn both_sides_agree_on_version_features_and_where_to_go_on() {
    let mut world = World::new();
    world.nodes[A].features = ["x", "ephemeral", "b"].map(str::to_owned).to_vec();
    world.nodes[B].features = ["ephemeral", "x", "c"].map(str::to_owned).to_vec();
    world.meet(A);
    for node in &world.nodes {
        let features = vec!["ephemeral".to_owned(), "x".to_owned()];
        assert!(
            node.saw(|e| matches!(e, Event::Ready { version: 1, features: f, send_from: 1, .. } if *f == features)),
            "{:?}",
            node.log
        );
    }
    assert_eq!(world.link(A).peer(), Some(&domain(b'b')));
}

#[test]
fn an_acceptor_says_nothing_before_it_has_judged() {
    let node = Node::new(b'b', b'a');
    let mut link = node.link(Role::Acceptor, 0);
    assert_eq!(link.transmit(), None);
    link.receive(&framing::encode(&Frame { frame: Some(Kind::Hello(hello())) }), 0);
    assert!(matches!(link.event(), Some(Event::Hello { .. })));
    link.open(node.sent(), None, Vec::new());
    assert_eq!(link.transmit(), None);
    link.judge(node.verdict.clone());
    assert!(link.transmit().is_some());
}

#[test]
fn a_refused_domain_hears_why_and_sees_no_cursor() {
    let mut world = World::new();
    world.nodes[B].verdict = Err(Error::new(Code::DomainDenied).with("domain", "a.example"));
    world.meet(A);
    assert_eq!(world.nodes[A].closed(), Some((true, Code::DomainDenied)));
    assert_eq!(world.nodes[B].closed(), Some((false, Code::DomainDenied)));
    assert!(!world.nodes[A].saw(|e| matches!(e, Event::Hello { .. })));
}

#[test]
fn the_key_that_tls_showed_must_be_among_the_peers_keys() {
    let mut world = World::new();
    world.nodes[B].tls_peer_key = Some(SecretKey::from_seed([9; 32]).public());
    world.meet(A);
    assert_eq!(world.nodes[A].closed(), Some((true, Code::WrongKey)));
    let mut world = World::new();
    world.nodes[A].verdict = Ok(Vec::new());
    world.meet(A);
    assert_eq!(world.nodes[A].closed(), Some((false, Code::WrongKey)));
}

#[test]
fn a_dialer_refuses_anybody_but_whom_it_wanted() {
    let mut dialer = Node::new(b'c', b'a');
    let mut link: Link = dialer.link(Role::Dialer { peer: domain(b'b') }, 0);
    let answer = Hello { from: "a.example".to_owned(), to: "c.example".to_owned(), ..hello() };
    link.receive(&framing::encode(&Frame { frame: Some(Kind::Hello(answer)) }), 0);
    dialer.drive(&mut link);
    assert_eq!(dialer.closed(), Some((false, Code::WrongDomain)));
}

#[test]
fn a_hello_is_good_in_every_field_or_refused() {
    check_hello(|h| h.to = "c.example".to_owned(), Code::WrongDomain);
    check_hello(|h| h.from = "b.example".to_owned(), Code::WrongDomain);
    check_hello(|h| h.from = "A.example".to_owned(), Code::Malformed);
    check_hello(|h| h.from = String::new(), Code::Malformed);
    check_hello(|h| h.version_min = 0, Code::Malformed);
    check_hello(|h| (h.version_min, h.version_max) = (2, 1), Code::Malformed);
    check_hello(|h| (h.version_min, h.version_max) = (2, 7), Code::UnsupportedVersion);
    check_hello(|h| h.record = vec![1; 16 * 1024 + 1].into(), Code::TooLarge);
    check_hello(|h| h.record.clear(), Code::Malformed);
    check_hello(|h| h.instance = vec![1; 15].into(), Code::Malformed);
    check_hello(|h| h.features = vec!["x".to_owned(); 33], Code::TooMany);
    check_hello(|h| h.features = vec!["UPPER".to_owned()], Code::Malformed);
    check_hello(|h| h.features = vec!["x".repeat(33)], Code::Malformed);
    check_hello(|h| h.sent = None, Code::Malformed);
    check_hello(|h| h.sent.as_mut().unwrap().epoch = vec![1; 17].into(), Code::Malformed);
    check_hello(|h| h.received.as_mut().unwrap().sequence = 5, Code::Malformed);
}

#[test]
fn a_later_version_that_still_speaks_ours_is_welcome() {
    let mut node = Node::new(b'b', b'a');
    let mut link = node.link(Role::Acceptor, 0);
    link.receive(&framing::encode(&Frame { frame: Some(Kind::Hello(Hello { version_max: 9, ..hello() })) }), 0);
    node.drive(&mut link);
    assert!(node.saw(|e| matches!(e, Event::Ready { version: 1, .. })));
}

#[test]
fn only_a_hello_or_a_close_comes_first() {
    check(Kind::Ping(Ping { nonce: 1 }), Code::Malformed);
    check(Kind::Close(Close { error: Some(Error::new(Code::Stopping).into()) }), Code::Stopping);
    check(Kind::Close(Close { error: None }), Code::Internal);
}

#[test]
fn a_second_hello_closes() {
    let mut world = World::new();
    world.meet(A);
    world.link(B).receive(&framing::encode(&Frame { frame: Some(Kind::Hello(hello())) }), 1000);
    world.settle();
    assert_eq!(world.nodes[A].closed(), Some((true, Code::Malformed)));
}

#[test]
fn a_first_frame_too_large_for_a_hello_is_refused_by_its_length() {
    let mut node = Node::new(b'b', b'a');
    let mut link = node.link(Role::Acceptor, 0);
    link.receive(&u32::try_from(LINK_HELLO_BYTES_MAX + 1).unwrap().to_be_bytes(), 0);
    node.drive(&mut link);
    assert_eq!(node.closed(), Some((false, Code::TooLarge)));
}

#[test]
fn keys_may_change_while_a_link_is_open() {
    let mut world = World::new();
    world.meet(A);
    world.link(B).judge(Ok(vec![SecretKey::from_seed([9; 32]).public()]));
    world.settle();
    assert_eq!(world.nodes[A].closed(), Some((true, Code::WrongKey)), "the TLS key is none of the peer's any more");
}
