//! Both sides find where their histories parted: what both have is not sent again, and what one of two restored sides
//! lacks is.

use startalk_link::{Event, Position, Stand, stand};

use crate::{
    node::{KEPT_EVERY, Node},
    world::{A, B, World},
};

fn write(node: &mut Node, range: std::ops::Range<u64>) {
    range.for_each(|n| node.write(n.to_string()));
}

fn numbers(range: std::ops::Range<u64>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

/// How often a link of A ended because B was at no place of its epoch, and whether A is told to have gone back.
fn apart(world: &World) -> Vec<bool> {
    let of = |e: &Event| if let Event::Apart { went_back, .. } = e { Some(*went_back) } else { None };
    world.nodes[A].log.iter().filter_map(of).collect()
}

/// Both meet until nothing moves them apart any more.
fn meet(world: &mut World) {
    for dialer in [A, B, A] {
        world.meet(dialer);
    }
    assert_eq!(world.nodes[B].durable.cursor, Some(world.nodes[A].sent()));
}

#[test]
fn of_a_long_history_only_the_end_is_sent_again() {
    for (backup_at, lost) in [(1000, 1), (1000, 100), (997, 3)] {
        let mut world = World::new();
        write(&mut world.nodes[A], 0..backup_at);
        world.meet(A);
        let backup = world.nodes[A].durable.clone();
        write(&mut world.nodes[A], backup_at..backup_at + lost);
        world.meet(A);
        world.nodes[A].durable = backup;
        write(&mut world.nodes[A], 5000..5010);
        meet(&mut world);
        assert_eq!(apart(&world), [true]);
        assert_eq!(world.nodes[B].texts(), [numbers(0..backup_at + lost), numbers(5000..5010)].concat());
        let repeated = world.nodes[B].durable.repeated;
        assert!(repeated < KEPT_EVERY, "{repeated} of {backup_at} were sent again");
    }
}

#[test]
fn two_restores_on_different_sides_in_a_row_lose_nothing() {
    for dialer in [A, B] {
        let mut world = World::new();
        write(&mut world.nodes[A], 0..42);
        world.meet(A);
        let backup = world.nodes[B].durable.clone();
        write(&mut world.nodes[A], 42..100);
        world.meet(A);
        assert_eq!(world.nodes[A].durable.acked, 100);
        // A is restored, and begins an epoch after what was acknowledged; then B is what it was long before.
        world.nodes[A].begin_epoch(100);
        write(&mut world.nodes[A], 100..103);
        world.nodes[B].durable = backup;
        world.meet(dialer);
        assert_eq!(apart(&world), [false], "nobody has what A does not know");
        meet(&mut world);
        assert_eq!(world.nodes[B].texts(), numbers(0..103));
        assert_eq!(world.nodes[B].durable.repeated, 0, "a cursor of a former epoch is exact");
    }
}

#[test]
fn a_peer_that_heard_of_the_new_epoch_and_no_more_is_still_found() {
    let mut world = World::new();
    write(&mut world.nodes[A], 0..10);
    world.meet(A);
    let backup = world.nodes[B].durable.clone();
    write(&mut world.nodes[A], 10..20);
    world.meet(A);
    world.nodes[A].begin_epoch(20);
    write(&mut world.nodes[A], 20..21);
    world.nodes[B].durable = backup;
    // B hears A's hello, and its own is lost.
    world.connect(A);
    world.flush(A);
    world.deliver(B, usize::MAX);
    let cursor = world.nodes[B].durable.cursor.expect("a cursor");
    assert_eq!((cursor.epoch, cursor.sequence), (world.nodes[A].durable.epoch, 0));
    world.ends = None;
    meet(&mut world);
    assert_eq!(world.nodes[B].texts(), numbers(0..21));
    assert_eq!(world.nodes[B].durable.repeated, 0);
}

#[test]
fn a_peer_that_lost_everything_gets_everything_also_after_a_new_epoch() {
    let mut world = World::new();
    write(&mut world.nodes[A], 0..30);
    world.meet(A);
    world.nodes[A].begin_epoch(30);
    write(&mut world.nodes[A], 30..31);
    world.nodes[B] = Node::new(b'b', b'a');
    meet(&mut world);
    assert_eq!(world.nodes[B].texts(), numbers(0..31));
}

#[test]
fn what_the_peer_has_from_a_former_epoch_goes_as_hashes() {
    let mut world = World::new();
    write(&mut world.nodes[A], 0..32);
    world.meet(A);
    // What was acknowledged was recorded long ago, so the new epoch begins early.
    world.nodes[A].begin_epoch(10);
    write(&mut world.nodes[A], 32..34);
    meet(&mut world);
    assert_eq!(apart(&world), [] as [bool; 0], "no further epoch is needed");
    assert_eq!(world.nodes[B].texts(), numbers(0..34));
    assert_eq!((world.nodes[B].durable.repeated, world.nodes[B].durable.withheld), (0, 22));
}

#[test]
fn who_was_restored_from_before_its_own_epoch_notices_by_the_epochs_name() {
    let mut world = World::new();
    write(&mut world.nodes[A], 0..20);
    world.meet(A);
    let backup = world.nodes[A].durable.clone();
    world.nodes[A].begin_epoch(20);
    write(&mut world.nodes[A], 20..30);
    world.meet(A);
    world.nodes[A].durable = backup;
    world.nodes[A].log.clear();
    write(&mut world.nodes[A], 50..53);
    meet(&mut world);
    assert_eq!(apart(&world), [true]);
    assert_eq!(world.nodes[B].texts(), [numbers(0..30), numbers(50..53)].concat());
    assert_eq!(world.nodes[B].durable.repeated, 0);
}

#[test]
fn a_peer_without_the_feature_is_sent_what_it_did_not_acknowledge() {
    let mut world = World::new();
    world.nodes[B].features.clear();
    write(&mut world.nodes[A], 0..20);
    world.meet(A);
    let backup = world.nodes[A].durable.clone();
    write(&mut world.nodes[A], 20..25);
    world.meet(A);
    world.nodes[A].durable = backup;
    world.nodes[A].durable.acked = 15; // recorded now and then
    meet(&mut world);
    assert_eq!(apart(&world), [true]);
    assert_eq!(world.nodes[B].texts(), numbers(0..25));
    assert_eq!(world.nodes[B].durable.repeated, 5);
    assert_eq!(world.nodes[A].durable.before, 15);
}

#[test]
fn a_peer_that_names_hashes_of_nothing_is_sent_everything_and_stands_still_then() {
    let mut world = World::new();
    write(&mut world.nodes[A], 0..20);
    world.meet(A);
    let lie = Position { epoch: [9; 16], sequence: 700, running: [9; 32] };
    (world.nodes[B].durable.cursor, world.nodes[B].durable.known) = (Some(lie), vec![lie]);
    meet(&mut world);
    assert_eq!((apart(&world), world.nodes[A].durable.before), (vec![true], 0));
    assert_eq!(world.nodes[B].durable.repeated, 20);
    let place = stand(&world.nodes[A].durable.epochs(), world.nodes[B].durable.cursor, Some(&[])).expect("readable");
    assert!(matches!(place, Stand::At { has: 20, .. }));
}
