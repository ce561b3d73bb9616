//! A peer that signs wrongly, skips, repeats, floods and lies: it costs only itself.

use bytes::Bytes;
use startalk_link::{Event, batch::signed_bytes, item_hash};
use startalk_protocol::{
    Code, Error, framing,
    limits::{LINK_FRAME_BYTES_MAX, LINK_ITEM_BYTES_MAX, LINK_ITEMS_OUTSTANDING_MAX, LINK_SMALL_FRAME_BYTES_MAX},
    pb::link::{Ack, Batch, Entry, Frame, Ping, Refused, entry::Entry as What, frame::Frame as Kind},
    signing::{Purpose, SecretKey},
};

use crate::{
    node::domain,
    world::{A, B, World},
};

/// A batch of a.example to b.example, signed by `key`.
fn batch_by(key: &SecretKey, first: u64, items: &[&[u8]]) -> Batch {
    let hashes: Vec<[u8; 32]> = items.iter().map(|i| item_hash(i)).collect();
    let bytes = signed_bytes(&domain(b'a'), &domain(b'b'), &[b'a'; 16], first, &hashes);
    Batch {
        submissions: None,
        epoch: vec![b'a'; 16].into(),
        first_sequence: first,
        entries: items.iter().map(|i| Entry { entry: Some(What::Item(Bytes::copy_from_slice(i))) }).collect(),
        link_key: key.public().to_vec().into(),
        signature: key.sign(Purpose::LinkBatch, &bytes).to_vec().into(),
    }
}

fn batch(first: u64, items: &[&[u8]]) -> Batch {
    batch_by(&SecretKey::from_seed([b'a'; 32]), first, items)
}

/// B with an open link, after it has had `one` and `two`, and then these frames.
fn after(frames: impl IntoIterator<Item = Kind>) -> World {
    let mut world = World::new();
    world.meet(A);
    world.link(B).receive(&framing::encode(&Frame { frame: Some(Kind::Batch(batch(1, &[b"one", b"two"]))) }), 1000);
    world.drive(B);
    for frame in frames {
        world.link(B).receive(&framing::encode(&Frame { frame: Some(frame) }), 1000);
        world.drive(B);
    }
    assert_eq!(&world.nodes[B].texts()[..2], ["one", "two"]);
    world
}

fn check(frame: Kind, expected: Code) {
    let mut world = after([frame]);
    assert_eq!(world.nodes[B].closed(), Some((false, expected)));
    assert_eq!(world.nodes[B].texts().len(), 2, "nothing of it had an effect");
    world.flush(B);
    world.deliver(A, usize::MAX);
    assert_eq!(world.nodes[A].closed().map(|c| c.1), Some(expected), "and the peer is told");
}

#[test]
fn the_helper_makes_good_batches() {
    let world = after([Kind::Batch(batch(3, &[b"three"]))]);
    assert_eq!(world.nodes[B].texts(), ["one", "two", "three"]);
    assert_eq!(world.nodes[B].closed(), None);
}

#[test]
fn a_key_that_is_not_the_peers() {
    check(Kind::Batch(batch_by(&SecretKey::from_seed([b'x'; 32]), 3, &[b"three"])), Code::WrongKey);
    check(Kind::Batch(Batch { link_key: vec![1; 31].into(), ..batch(3, &[b"three"]) }), Code::Malformed);
}

#[test]
fn anything_changed_under_the_signature() {
    let good = batch(3, &[b"three", b"four"]);
    let entry = |i: &'static [u8]| Entry { entry: Some(What::Item(Bytes::from_static(i))) };
    let with = |entries: Vec<Entry>| Batch { entries, ..good.clone() };
    check(Kind::Batch(with(vec![entry(b"Three"), entry(b"four")])), Code::BadSignature);
    check(Kind::Batch(with(vec![entry(b"four"), entry(b"three")])), Code::BadSignature);
    check(Kind::Batch(with(vec![entry(b"three")])), Code::BadSignature);
    check(Kind::Batch(Batch { first_sequence: 2, ..good.clone() }), Code::BadSignature);
    let mut signature = good.signature.to_vec();
    signature[10] ^= 1;
    check(Kind::Batch(Batch { signature: signature.into(), ..good.clone() }), Code::BadSignature);
    check(Kind::Batch(Batch { signature: Bytes::new(), ..good }), Code::Malformed);
}

#[test]
fn a_batch_meant_for_another_domain_or_epoch() {
    let key = SecretKey::from_seed([b'a'; 32]);
    let bytes = signed_bytes(&domain(b'a'), &domain(b'c'), &[b'a'; 16], 3, &[item_hash(b"three")]);
    let signature = key.sign(Purpose::LinkBatch, &bytes).to_vec().into();
    check(Kind::Batch(Batch { signature, ..batch(3, &[b"three"]) }), Code::BadSignature);
    check(Kind::Batch(Batch { epoch: vec![9; 16].into(), ..batch(3, &[b"three"]) }), Code::Malformed);
}

#[test]
fn gaps_and_overlaps() {
    check(Kind::Batch(batch(4, &[b"four"])), Code::OutOfOrder);
    check(Kind::Batch(batch(2, &[b"two", b"three"])), Code::OutOfOrder);
    check(Kind::Batch(batch(0, &[b"zero"])), Code::Malformed);
    check(Kind::Batch(batch(u64::MAX, &[b"last"])), Code::Malformed);
    check(Kind::Batch(batch(3, &[])), Code::Malformed);
}

#[test]
fn a_replay_has_no_effect_and_is_acknowledged_again() {
    let mut world = after([]);
    world.flush(B);
    world.deliver(A, usize::MAX); // as far as A goes, B acks what it never sent
    let mut world = after([Kind::Batch(batch(1, &[b"one", b"two"])), Kind::Batch(batch(2, &[b"two"]))]);
    assert_eq!(world.nodes[B].texts(), ["one", "two"]);
    assert_eq!(world.nodes[B].closed(), None);
    let mut acks = Vec::new();
    while let Some(bytes) = world.link(B).transmit() {
        let frame: Frame = framing::decode(&bytes[4..], "frame").unwrap();
        if let Some(Kind::Ack(ack)) = frame.frame {
            acks.push(ack.sequence);
        }
    }
    assert_eq!(acks, [2], "acks are coalesced");
    world.link(B).receive(&framing::encode(&Frame { frame: Some(Kind::Batch(batch(2, &[b"two"]))) }), 1000);
    assert!(world.link(B).transmit().is_some(), "and again");
    world.drive(B);
    assert_eq!(world.nodes[B].texts(), ["one", "two"]);
}

#[test]
fn things_over_their_limits() {
    check(Kind::Batch(batch(3, &[&vec![1; LINK_ITEM_BYTES_MAX + 1]])), Code::TooLarge);
    check(Kind::Batch(batch(3, &vec![&b"x"[..]; 65])), Code::TooMany);
    check(Kind::Batch(batch(3, &[b""])), Code::Malformed);
    let withheld = Entry { entry: Some(What::Withheld(vec![1; 31].into())) };
    check(Kind::Batch(Batch { entries: vec![withheld], ..batch(3, &[b"x"]) }), Code::Malformed);
    let error = Error::new(Code::Forbidden).with("x", "y".repeat(LINK_SMALL_FRAME_BYTES_MAX));
    let refused = vec![Refused { sequence: 1, error: Some(error.into()) }];
    check(Kind::Ack(Ack { epoch: vec![b'b'; 16].into(), sequence: 0, refused }), Code::TooLarge);
}

#[test]
fn a_frame_that_announces_too_much_is_refused_before_it_comes() {
    let mut world = after([]);
    world.link(B).receive(&u32::try_from(LINK_FRAME_BYTES_MAX + 1).unwrap().to_be_bytes(), 1000);
    world.drive(B);
    assert_eq!(world.nodes[B].closed(), Some((false, Code::TooLarge)));
}

#[test]
fn acks_of_what_was_never_sent() {
    let ack = |sequence, refused| Kind::Ack(Ack { epoch: vec![b'b'; 16].into(), sequence, refused });
    check(ack(1, Vec::new()), Code::OutOfOrder);
    check(Kind::Ack(Ack { epoch: vec![b'x'; 16].into(), sequence: 0, refused: Vec::new() }), Code::Malformed);
    let refused = Refused { sequence: 1, error: Some(Error::new(Code::Blocked).into()) };
    check(ack(0, vec![refused]), Code::Malformed);
    check(ack(0, vec![Refused { sequence: 0, error: None }]), Code::Malformed);
}

#[test]
fn more_than_the_window() {
    let mut world = World::new();
    world.nodes[B].syncs_at_once = false;
    world.meet(A);
    let items = vec![&b"x"[..]; 64];
    for n in 0..=LINK_ITEMS_OUTSTANDING_MAX / 64 {
        let frame = Frame { frame: Some(Kind::Batch(batch(1 + n * 64, &items))) };
        world.link(B).receive(&framing::encode(&frame), 1000);
    }
    world.drive(B);
    assert_eq!(world.nodes[B].closed(), Some((false, Code::TooMany)));
    assert_eq!(world.nodes[B].volatile.len() as u64, LINK_ITEMS_OUTSTANDING_MAX);
}

#[test]
fn a_flood_of_pings_has_one_answer() {
    let mut world = after((0..1000).map(|nonce| Kind::Ping(Ping { nonce })));
    let mut pongs = 0;
    while let Some(bytes) = world.link(B).transmit() {
        let frame: Frame = framing::decode(&bytes[4..], "frame").unwrap();
        pongs += u32::from(matches!(frame.frame, Some(Kind::Pong(pong)) if pong.nonce == 999));
    }
    assert_eq!(pongs, 1);
}

#[test]
fn a_peer_that_sends_before_it_was_judged_is_not_read() {
    let mut world = World::new();
    world.connect(A);
    let hello = world.link(A).transmit().unwrap();
    world.link(B).receive(&hello, 1000);
    let flood = vec![0; 64 * 1024];
    let mut read = 0;
    while world.link(B).wants_bytes() {
        world.link(B).receive(&flood, 1000);
        read += flood.len();
    }
    assert!(read <= flood.len(), "{read}");
    (0..40).for_each(|_| world.link(B).receive(&flood, 1000)); // a driver that does not ask
    assert!(world.link(B).is_closed());
    assert!(matches!(world.link(B).event(), Some(Event::Hello { .. })));
    assert!(matches!(world.link(B).event(), Some(Event::Closed { by_peer: false, error }) if error.code == Code::TooLarge));
    assert_eq!(world.link(B).event(), None);
}
