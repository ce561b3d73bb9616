//! Items arrive in order, once, within windows and limits.

use bytes::Bytes;
use startalk_link::{Entry, Event, item_hash};
use startalk_protocol::{
    Code,
    limits::{
        LINK_BATCH_BYTES_MAX, LINK_BATCH_ITEMS_MAX, LINK_ITEM_BYTES_MAX, LINK_ITEMS_OUTSTANDING_MAX, LINK_UNRECORDED_BYTES_MAX,
    },
};

use crate::world::{A, B, Rng, World};

fn batches(world: &World, at: usize) -> Vec<usize> {
    let count = |e: &Event| if let Event::Items { items, .. } = e { Some(items.len()) } else { None };
    world.nodes[at].log.iter().filter_map(count).collect()
}

#[test]
fn ten_thousand_items_both_ways_across_reconnects() {
    let mut world = World::new();
    let mut rng = Rng(42);
    let expected: Vec<Vec<String>> = ["a", "b"].iter().map(|n| (0..10_000).map(|i| format!("{n} {i}")).collect()).collect();
    for i in [A, B] {
        expected[i].iter().for_each(|t| world.nodes[i].write(t.clone()));
    }
    let mut connections = 0;
    while world.nodes[A].texts().len() < 10_000 || world.nodes[B].texts().len() < 10_000 {
        connections += 1;
        world.connect(connections % 2);
        for _ in 0..rng.below(40) {
            for i in [A, B] {
                world.flush(i);
                world.deliver(i, rng.below(800) as usize);
            }
        }
    }
    assert_eq!(world.nodes[B].texts(), expected[A]);
    assert_eq!(world.nodes[A].texts(), expected[B]);
    assert!(connections > 10, "{connections}");
}

#[test]
fn the_window_stops_the_sender_until_the_receiver_has_recorded() {
    let mut world = World::new();
    world.nodes[B].syncs_at_once = false;
    (0..5000).for_each(|i| world.nodes[A].write(format!("{i}")));
    world.meet(A);
    assert_eq!(world.nodes[B].volatile.len() as u64, LINK_ITEMS_OUTSTANDING_MAX);
    assert_eq!(world.link(A).can_push(), 0);
    let ends = world.ends.as_mut().unwrap();
    world.nodes[B].sync(Some(&mut ends[B].link));
    world.settle();
    assert_eq!(world.nodes[B].volatile.len() as u64, LINK_ITEMS_OUTSTANDING_MAX);
    assert!(batches(&world, B).iter().all(|n| *n <= LINK_BATCH_ITEMS_MAX));
}

#[test]
fn large_items_go_in_smaller_batches_and_stop_the_reader_by_their_bytes() {
    let mut world = World::new();
    world.nodes[B].syncs_at_once = false;
    let item = |i: usize| format!("{i:06}").repeat(LINK_ITEM_BYTES_MAX / 6);
    (0..60).for_each(|i| world.nodes[A].write(item(i)));
    world.meet(A);
    let unrecorded: usize = world.nodes[B].volatile.iter().map(|_| LINK_ITEM_BYTES_MAX).sum();
    assert!(unrecorded <= LINK_UNRECORDED_BYTES_MAX + LINK_BATCH_BYTES_MAX, "{unrecorded}");
    assert!(batches(&world, B).iter().all(|n| *n == 1), "two of the largest are over the limit of a batch");
    while world.nodes[B].durable.effects.len() < 60 {
        let ends = world.ends.as_mut().unwrap();
        world.nodes[B].sync(Some(&mut ends[B].link));
        world.settle();
    }
    assert_eq!(world.nodes[B].closed(), None);
}

#[test]
fn a_link_takes_no_more_than_it_can_send() {
    let mut world = World::new();
    world.meet(A);
    let item = Entry::Item(Bytes::from(vec![7; LINK_ITEM_BYTES_MAX]));
    let taken = world.link(A).push(1, vec![item.clone(); 100]);
    assert!((5..=7).contains(&taken), "{taken}");
    assert_eq!(world.link(A).push(taken + 1, [item.clone()]), 0);
    assert_eq!(world.link(A).push(1, [item]), 0, "not the next");
    assert_eq!(world.link(A).next_to_push(), Some(taken + 1));
}

#[test]
fn a_byte_at_a_time_is_as_good_as_any() {
    let mut world = World::new();
    world.chunk = 1;
    (0..100).for_each(|i| world.nodes[A].write(format!("{i}")));
    world.meet(B);
    assert_eq!(world.nodes[B].texts().len(), 100);
    assert_eq!(batches(&world, B), [64, 36], "what waits goes under one signature");
}

#[test]
fn an_item_that_was_erased_goes_as_its_hash_and_leaves_the_running_hash_as_it_was() {
    let mut world = World::new();
    (0..10).for_each(|i| world.nodes[A].write(format!("{i}")));
    let before = world.nodes[A].sent();
    world.nodes[A].durable.outbox[4] = Entry::Withheld(item_hash(b"4"));
    assert_eq!(world.nodes[A].sent(), before);
    world.meet(A);
    assert_eq!(world.nodes[B].durable.withheld, 1);
    assert_eq!(world.nodes[B].texts().len(), 9);
    assert_eq!(world.nodes[B].durable.cursor, Some(before));
    // Erased after it was delivered: the histories are still the same.
    world.nodes[A].durable.outbox[7] = Entry::Withheld(item_hash(b"7"));
    world.nodes[A].write("10");
    world.meet(B);
    assert_eq!(world.nodes[B].texts().len(), 10);
    assert_eq!(world.nodes[A].closed(), None);
}

#[test]
fn a_refused_item_is_told_and_does_not_block_those_after_it() {
    let mut world = World::new();
    ["one", "bad two", "three", "bad four", "five"].iter().for_each(|t| world.nodes[A].write(*t));
    world.meet(A);
    assert_eq!(world.nodes[B].texts(), ["one", "three", "five"]);
    assert_eq!(world.nodes[A].durable.told.clone().into_iter().collect::<Vec<_>>(), [(2, Code::Blocked), (4, Code::Blocked)]);
    assert!(world.nodes[A].saw(|e| matches!(e, Event::Acked { up_to: 5, .. })));
}

#[test]
fn only_what_is_durable_is_acknowledged() {
    let mut world = World::new();
    world.nodes[B].syncs_at_once = false;
    (0..200).for_each(|i| world.nodes[A].write(format!("{i}")));
    world.meet(A);
    for up_to in [1, 64, 65, 130, 7] {
        world.link(B).recorded(up_to, Vec::new());
        world.settle();
    }
    let acked = |e: &Event| if let Event::Acked { up_to, .. } = e { Some(*up_to) } else { None };
    assert_eq!(world.nodes[A].log.iter().filter_map(acked).collect::<Vec<_>>(), [1, 64, 65, 130]);
    world.link(B).recorded(1000, Vec::new());
    world.settle();
    assert_eq!(world.nodes[A].log.iter().filter_map(acked).next_back(), Some(200), "never what was not received");
}

#[test]
fn a_refusal_whose_ack_was_lost_is_told_on_the_next_link() {
    let mut world = World::new();
    ["one", "bad two", "three"].iter().for_each(|t| world.nodes[A].write(*t));
    world.connect(A);
    while world.nodes[B].durable.effects.len() < 2 {
        world.flush(A);
        world.deliver(B, usize::MAX);
        if world.nodes[B].durable.effects.is_empty() {
            world.flush(B);
            world.deliver(A, usize::MAX);
        }
    }
    assert!(world.nodes[A].durable.told.is_empty());
    world.meet(A);
    assert_eq!(world.nodes[A].durable.told.len(), 1);
    assert!(world.nodes[A].saw(|e| matches!(e, Event::Ready { send_from: 4, .. })));
}

#[test]
fn an_item_of_ours_that_is_too_large_ends_the_link_loudly() {
    let mut world = World::new();
    world.meet(A);
    world.link(A).push(1, [Entry::Item(Bytes::from(vec![7; LINK_ITEM_BYTES_MAX + 1]))]);
    world.settle();
    assert_eq!(world.nodes[A].closed(), Some((false, Code::TooLarge)));
}
