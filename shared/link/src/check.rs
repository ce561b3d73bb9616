//! Feeds any bytes to a link in each of its states; the fuzzer and the tests run this same function.
//!
//! Fails only by panicking: a link may close, but it always stays within its limits and ends exactly once.

use bytes::Bytes;
use startalk_protocol::{
    DomainName, Error,
    limits::{LINK_DEAD_MS, LINK_FRAME_BYTES_MAX},
    signing::SecretKey,
};

use crate::{Config, Entry, Event, Link, Position, Role, Stand};

/// The state that the bytes find.
#[derive(Clone, Copy, Debug)]
enum State {
    Accepting,
    Dialing,
    Unjudged,
    Ready,
}

/// Feeds `bytes` to fresh links, as a stream in two chunkings and as a datagram.
///
/// # Panics
/// Never, whatever the bytes: that is what is checked.
pub fn check(bytes: &[u8]) {
    for state in [State::Accepting, State::Dialing, State::Unjudged, State::Ready] {
        for chunk in [LINK_FRAME_BYTES_MAX, 7] {
            let mut link = link_in(state);
            let mut ends = 0;
            for part in bytes.chunks(chunk) {
                if link.wants_bytes() {
                    link.receive(part, 1);
                }
                ends += drive(&mut link, !matches!(state, State::Unjudged));
            }
            link.receive_datagram(bytes, 2);
            link.push(1, [Entry::Item(Bytes::from_static(b"item")), Entry::Withheld([1; 32])]);
            ends += drive(&mut link, true);
            link.tick(2 * LINK_DEAD_MS);
            link.receive(bytes, 2 * LINK_DEAD_MS);
            ends += drive(&mut link, true);
            link.tick(4 * LINK_DEAD_MS);
            ends += drive(&mut link, true);
            assert!(link.is_closed() && ends == 1, "a link that hears nothing ends exactly once");
        }
    }
}

fn domain(name: &str) -> DomainName {
    name.parse().expect("a domain")
}

fn config(us: &str, role: Role) -> Config {
    Config {
        domain: domain(us),
        record: Bytes::from_static(b"record"),
        key: SecretKey::from_seed([us.as_bytes()[0]; 32]),
        instance: [us.as_bytes()[0]; 16],
        features: Vec::new(),
        role,
        tls_peer_key: None,
        datagrams: false,
    }
}

/// b.example is what is tried; a.example is the peer that the vectors speak as.
fn link_in(state: State) -> Link {
    let mut link = Link::new(config("b.example", Role::Acceptor), 0);
    match state {
        State::Accepting => {}
        State::Dialing => {
            link = Link::new(config("b.example", Role::Dialer { peer: domain("a.example") }), 0);
            link.open(Position::start([b'b'; 16]), None, Vec::new());
        }
        State::Unjudged | State::Ready => {
            let mut peer = Link::new(config("a.example", Role::Dialer { peer: domain("b.example") }), 0);
            peer.open(Position::start([b'a'; 16]), None, Vec::new());
            link.receive(&peer.transmit().expect("a dialer's hello"), 0);
        }
    }
    if let State::Ready = state {
        drive(&mut link, true);
        assert!(link.is_ready());
    }
    link
}

/// A driver that finds everybody good and records everything; how often the link ended.
fn drive(link: &mut Link, judges: bool) -> usize {
    let mut ends = 0;
    while let Some(event) = link.event() {
        match event {
            Event::Hello { .. } if judges => {
                link.judge(Ok(vec![SecretKey::from_seed([b'a'; 32]).public()]));
                link.open(Position::start([b'b'; 16]), None, Vec::new());
            }
            Event::CompareHistory { received, .. } => link.history(match received {
                Some(position) if position.sequence % 2 == 0 => Stand::At { position, has: 0 },
                _ => Stand::Apart { after: None, went_back: true },
            }),
            Event::Items { first, items, .. } => {
                assert_eq!(items.first().map(|i| i.sequence), Some(first));
                link.recorded(
                    items.last().map_or(0, |i| i.sequence),
                    vec![(first, Error::new(startalk_protocol::Code::Blocked))],
                );
            }
            Event::Closed { .. } => ends += 1,
            _ => {}
        }
    }
    while link.transmit().is_some() {}
    ends
}
