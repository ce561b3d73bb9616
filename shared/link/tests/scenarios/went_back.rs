//! A node that was restored from an older copy is found out by either side, and nothing is lost or doubled.

use startalk_link::{Event, Position};
use startalk_protocol::Code;

use crate::world::{A, B, World};

/// A has sent ten items, and is then what it was after five.
fn restored() -> World {
    let mut world = World::new();
    (0..5).for_each(|i| world.nodes[A].write(format!("{i}")));
    world.meet(A);
    let backup = world.nodes[A].durable.clone();
    (5..10).for_each(|i| world.nodes[A].write(format!("{i}")));
    world.meet(A);
    assert_eq!(world.nodes[B].durable.cursor.unwrap().sequence, 10);
    world.nodes[A].durable = backup;
    world.nodes.iter_mut().for_each(|n| n.log.clear());
    world
}

fn we_went_back(e: &Event) -> bool {
    matches!(e, Event::Apart { went_back: true, .. })
}

fn peer_went_back(e: &Event) -> bool {
    matches!(e, Event::PeerWentBack { .. })
}

/// Both learn it, whoever dials; then the new epoch brings what is new, and what is known has no second effect.
fn check(mut world: World, dialer: usize, behind: bool, expected: &[&str]) {
    world.meet(dialer);
    assert!(world.nodes[A].saw(we_went_back), "{:?}", world.nodes[A].log);
    assert_eq!(world.nodes[A].closed().map(|c| c.1), Some(Code::WentBack));
    assert_eq!(world.nodes[B].saw(peer_went_back), behind, "{:?}", world.nodes[B].log);
    assert_eq!(world.nodes[B].closed().map(|c| c.1), Some(Code::WentBack));
    assert!(!world.nodes[B].saw(we_went_back));
    world.meet(dialer);
    assert!(world.nodes[B].saw(|e| matches!(e, Event::NewPeerEpoch { .. })));
    assert_eq!(world.nodes[B].texts(), expected);
    assert_eq!(world.nodes[B].durable.cursor, Some(world.nodes[A].sent()));
    assert_eq!(world.nodes[A].durable.before, 4, "the last place that both have");
    assert_eq!(world.nodes[B].durable.repeated, 1, "what follows it is sent again, and nothing else");
}

const TEN: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];

#[test]
fn a_history_that_is_shorter_than_what_the_peer_has() {
    check(restored(), A, true, &TEN);
    check(restored(), B, true, &TEN);
}

#[test]
fn a_history_as_long_as_the_peers_but_another() {
    for dialer in [A, B] {
        let mut world = restored();
        (5..10).for_each(|i| world.nodes[A].write(format!("other {i}")));
        let mut expected = TEN.map(str::to_owned).to_vec();
        expected.extend((5..10).map(|i| format!("other {i}")));
        check(world, dialer, true, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn a_history_that_was_cut_and_has_grown_past_the_peers_cursor() {
    for dialer in [A, B] {
        let mut world = restored();
        (5..20).for_each(|i| world.nodes[A].write(format!("other {i}")));
        let mut expected = TEN.map(str::to_owned).to_vec();
        expected.extend((5..20).map(|i| format!("other {i}")));
        check(world, dialer, false, &expected.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

#[test]
fn both_went_back_at_once_and_both_learn_it() {
    let mut world = World::new();
    let write = |world: &mut World, range: std::ops::Range<u32>| {
        for i in range {
            world.nodes[A].write(format!("a{i}"));
            world.nodes[B].write(format!("b{i}"));
        }
    };
    write(&mut world, 0..5);
    world.meet(A);
    // Each keeps the cursor that it had before, but has its outbox cut.
    write(&mut world, 5..9);
    world.meet(A);
    for node in &mut world.nodes {
        node.durable.outbox.truncate(5);
        node.durable.acked = 5;
    }
    world.meet(B);
    assert!(world.nodes.iter().all(|n| n.saw(we_went_back) && n.saw(peer_went_back)));
    write(&mut world, 20..22);
    world.meet(A);
    for node in &world.nodes {
        assert_eq!(node.texts().len(), 11, "{:?}", node.texts());
    }
}

#[test]
fn a_restored_receiver_gets_again_what_it_lost() {
    let mut world = World::new();
    (0..5).for_each(|i| world.nodes[A].write(format!("{i}")));
    world.meet(A);
    let backup = world.nodes[B].durable.clone();
    (5..10).for_each(|i| world.nodes[A].write(format!("{i}")));
    world.meet(A);
    world.nodes[B].durable = backup;
    world.meet(A);
    assert_eq!(world.nodes[B].texts(), TEN);
    assert!(!world.nodes.iter().any(|n| n.saw(|e| we_went_back(e) || peer_went_back(e))));
}

#[test]
fn an_epoch_begun_by_restore_is_no_error() {
    let mut world = restored();
    world.nodes[A].begin_epoch(4);
    world.nodes[A].write("new");
    world.meet(A);
    let new = world.nodes[A].durable.epoch;
    assert!(world.nodes[B].saw(|e| matches!(e, Event::NewPeerEpoch { was, epoch } if was.sequence == 10 && *epoch == new)));
    assert!(!world.nodes[A].saw(|e| matches!(e, Event::Apart { .. })));
    assert_eq!(world.nodes[B].texts().last().map(String::as_str), Some("new"));
    assert_eq!(world.nodes[B].closed(), None);
}

#[test]
fn a_head_that_grew_since_the_hello_is_no_proof() {
    let mut world = World::new();
    world.nodes[A].write("0");
    world.connect(A); // says that its outbox ends at 1
    world.nodes[A].write("1");
    let sent = world.nodes[A].sent();
    world.nodes[B].durable.cursor = Some(sent); // B has two, over a link that ended meanwhile
    world.settle();
    assert!(!world.nodes[A].saw(we_went_back), "the journal is asked as it is now");
}

#[test]
fn a_peer_that_closes_at_once_cannot_hide_that_we_went_back() {
    let mut world = restored();
    world.connect(A);
    world.flush(A);
    world.deliver(B, usize::MAX); // judges, says hello, finds that A went back, closes
    world.flush(B);
    assert!(world.link(B).is_closed());
    world.deliver(A, usize::MAX);
    assert!(world.nodes[A].saw(we_went_back));
    assert_eq!(
        world.nodes[A].log.last().and_then(|e| if let Event::Closed { by_peer, .. } = e { Some(*by_peer) } else { None }),
        Some(false)
    );
}

#[test]
fn a_cursor_in_an_older_epoch_means_from_the_beginning_to_who_cannot_say_more() {
    let mut world = World::new();
    world.nodes[B].features.clear();
    world.nodes[A].write("0");
    world.nodes[B].durable.cursor = Some(Position { sequence: 700, ..Position::start([3; 16]) });
    world.meet(A);
    assert!(world.nodes[A].saw(|e| matches!(e, Event::Ready { send_from: 1, .. })));
    assert_eq!(world.nodes[B].texts(), ["0"]);
}
