//! Silence: a hello that does not come, a link that is idle, a peer that is dead, a disk that is slow.

use startalk_link::Role;
use startalk_protocol::{
    Code,
    limits::{LINK_DEAD_MS, LINK_HELLO_MS_MAX, LINK_ITEM_BYTES_MAX, LINK_OPENING_MS_MAX, LINK_PING_MS},
};

use crate::{
    node::{Node, domain},
    world::{A, B, World},
};

fn check_silence(role: Role, after_ms: u64) {
    let mut node = Node::new(b'b', b'a');
    let mut link = node.link(role, 500);
    assert_eq!(link.deadline(), Some(500 + after_ms));
    link.tick(500 + after_ms - 1);
    assert!(!link.is_closed());
    link.tick(500 + after_ms);
    node.drive(&mut link);
    assert_eq!(node.closed(), Some((false, Code::IdleTimeout)));
    assert_eq!(link.deadline(), None);
}

#[test]
fn who_connects_says_hello_soon() {
    check_silence(Role::Acceptor, LINK_HELLO_MS_MAX);
}

#[test]
fn who_was_dialed_has_a_while_to_judge() {
    check_silence(Role::Dialer { peer: domain(b'a') }, LINK_OPENING_MS_MAX);
}

#[test]
fn half_a_hello_is_no_hello() {
    let mut dialer = Node::new(b'a', b'b').link(Role::Dialer { peer: domain(b'b') }, 0);
    let hello = dialer.transmit().unwrap();
    let mut node = Node::new(b'b', b'a');
    let mut link = node.link(Role::Acceptor, 0);
    link.receive(&hello[..hello.len() - 1], LINK_HELLO_MS_MAX - 1);
    link.tick(LINK_HELLO_MS_MAX);
    node.drive(&mut link);
    assert_eq!(node.closed(), Some((false, Code::IdleTimeout)));
}

#[test]
fn an_idle_link_stays_open_by_pings() {
    let mut world = World::new();
    world.meet(A);
    world.pass(3_600_000, &[A, B]);
    assert!(world.link(A).is_ready() && world.link(B).is_ready());
    let heard = world.link(A).heard_ms().unwrap();
    assert!(heard + LINK_PING_MS >= world.now_ms, "{heard}");
}

#[test]
fn a_dead_peer_is_noticed() {
    let mut world = World::new();
    world.meet(A);
    let start = world.now_ms;
    world.pass(start + LINK_DEAD_MS - 1, &[A]);
    assert!(world.link(A).is_ready());
    world.pass(start + LINK_DEAD_MS, &[A]);
    assert_eq!(world.nodes[A].closed(), Some((false, Code::IdleTimeout)));
}

#[test]
fn a_probe_is_answered() {
    let mut world = World::new();
    world.meet(A);
    world.now_ms += 5000;
    let now = world.now_ms;
    let nonce = world.link(A).probe(now);
    assert!(world.link(A).answered().unwrap() < nonce, "not before the peer has answered this one");
    world.settle();
    assert_eq!(world.link(A).heard_ms(), Some(now));
    assert_eq!(world.link(A).answered(), Some(nonce));
}

#[test]
fn a_slow_disk_stops_the_reading_and_not_the_link() {
    let mut world = World::new();
    world.nodes[B].syncs_at_once = false;
    (0..200).for_each(|i| world.nodes[A].write(format!("{i:06}").repeat(LINK_ITEM_BYTES_MAX / 6)));
    world.meet(A);
    assert!(!world.link(B).wants_bytes());
    world.pass(10 * 60_000, &[A, B]);
    assert!(world.link(A).is_ready() && world.link(B).is_ready());
    while world.nodes[B].durable.effects.len() < 200 {
        let ends = world.ends.as_mut().unwrap();
        world.nodes[B].sync(Some(&mut ends[B].link));
        world.settle();
    }
    assert!(world.link(A).is_ready());
}

#[test]
fn time_never_goes_back() {
    let mut world = World::new();
    world.meet(A);
    world.link(A).tick(20_000);
    let deadline = world.link(A).deadline();
    world.link(A).tick(5);
    assert_eq!(world.link(A).deadline(), deadline);
}
