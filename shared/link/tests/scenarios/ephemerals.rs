//! Typing and presence: quick, bounded, and never in the way.

use startalk_link::Event;
use startalk_protocol::{
    limits::LINK_EPHEMERALS_QUEUED_MAX,
    pb::link::{Ephemeral, ephemeral::Kind},
};

use crate::world::{A, B, World};

fn typing(from: &str) -> Ephemeral {
    Ephemeral { from: from.to_owned(), to: "bob".to_owned(), kind: Some(Kind::Typing(true)) }
}

fn arrived(world: &World) -> Vec<String> {
    let from = |e: &Event| if let Event::Ephemeral(e) = e { Some(e.from.clone()) } else { None };
    world.nodes[B].log.iter().filter_map(from).collect()
}

#[test]
fn they_go_as_datagrams_or_on_the_stream() {
    for datagrams in [false, true] {
        let mut world = World::new();
        world.nodes[A].datagrams = datagrams;
        world.meet(A);
        world.link(A).ephemeral(typing("alice"));
        world.settle();
        world.drive(B);
        assert_eq!(arrived(&world), ["alice"], "datagrams: {datagrams}");
    }
}

#[test]
fn the_oldest_is_dropped_when_too_many_wait() {
    let mut world = World::new();
    world.meet(A);
    (0..LINK_EPHEMERALS_QUEUED_MAX + 10).for_each(|i| world.link(A).ephemeral(typing(&format!("u{i}"))));
    world.settle();
    let arrived = arrived(&world);
    assert_eq!((arrived.len(), arrived[0].as_str()), (LINK_EPHEMERALS_QUEUED_MAX, "u10"));
}

#[test]
fn bad_ones_are_dropped_and_close_nothing() {
    let mut world = World::new();
    world.meet(A);
    let long = "x".repeat(600);
    for bad in [
        typing("Not A Name"),
        typing(&long),
        Ephemeral { kind: None, ..typing("alice") },
        Ephemeral { kind: Some(Kind::Presence("y".repeat(17))), ..typing("alice") },
    ] {
        world.link(A).ephemeral(bad);
    }
    let now = world.now_ms;
    world.link(B).receive_datagram(b"\xff\xff", now);
    world.link(B).receive_datagram(&[], now);
    world.settle();
    assert_eq!(arrived(&world), Vec::<String>::new());
    assert!(world.link(A).is_ready() && world.link(B).is_ready());
}

#[test]
fn before_the_link_is_ready_they_are_dropped() {
    let mut world = World::new();
    world.connect(A);
    world.link(A).ephemeral(typing("alice"));
    world.settle();
    assert_eq!(arrived(&world), Vec::<String>::new());
}
