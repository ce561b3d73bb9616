//! What an item costs on a link, at both ends: hashing, signing, framing; reading, verifying, hashing.
//!
//! `cargo run --release -p startalk-link --example batch_cost`. One signature is made per batch, so the smaller the
//! batch, the dearer the item.

use std::time::{Duration, Instant};

use bytes::Bytes;
use startalk_link::{Config, Entry, Event, Link, Position, Role};
use startalk_protocol::{DomainName, signing::SecretKey};

const ITEMS: u64 = 32_768;
const ITEM_BYTES: usize = 200;

fn main() {
    println!("{ITEM_BYTES} bytes an item; µs for each item");
    println!("{:>6} {:>8} {:>8}", "batch", "sender", "receiver");
    for batch in [1, 8, 64] {
        let (sender, receiver) = cost(batch);
        let each = |d: Duration| d.as_secs_f64() * 1e6 / ITEMS as f64;
        println!("{batch:>6} {:>8.2} {:>8.2}", each(sender), each(receiver));
    }
}

/// Time at the sender and at the receiver, acks included.
fn cost(batch: u64) -> (Duration, Duration) {
    let (mut sender, mut receiver) = ready();
    let (mut sending, mut receiving) = (Duration::ZERO, Duration::ZERO);
    let mut first = 1;
    while first <= ITEMS {
        let entries: Vec<Entry> = (0..batch).map(|n| item(first + n)).collect();
        sending += timed(|| assert_eq!(sender.push(first, entries), batch));
        let mut wire = Vec::new();
        sending += timed(|| wire.extend(std::iter::from_fn(|| sender.transmit())));
        receiving += timed(|| {
            wire.iter().for_each(|bytes| receiver.receive(bytes, 0));
            while let Some(event) = receiver.event() {
                if let Event::Items { items, .. } = event {
                    receiver.recorded(items.last().expect("never empty").sequence, Vec::new());
                }
            }
        });
        let mut back = Vec::new();
        receiving += timed(|| back.extend(std::iter::from_fn(|| receiver.transmit())));
        sending += timed(|| {
            back.iter().for_each(|bytes| sender.receive(bytes, 0));
            while sender.event().is_some() {}
        });
        first += batch;
    }
    (sending, receiving)
}

fn item(number: u64) -> Entry {
    let mut bytes = vec![7; ITEM_BYTES];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Entry::Item(Bytes::from(bytes))
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads a clock")]
fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn domain(name: &str) -> DomainName {
    name.parse().expect("a domain")
}

fn ready() -> (Link, Link) {
    let keys = [SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32])];
    let config = |us: usize, role: Role| Config {
        domain: domain(["a.example", "b.example"][us]),
        record: Bytes::from_static(b"record"),
        key: keys[us].clone(),
        instance: [0; 16],
        features: Vec::new(),
        role,
        tls_peer_key: Some(keys[1 - us].public()),
        datagrams: false,
    };
    let mut dialer = Link::new(config(0, Role::Dialer { peer: domain("b.example") }), 0);
    let mut acceptor = Link::new(config(1, Role::Acceptor), 0);
    dialer.open(Position::start([1; 16]), None, Vec::new());
    acceptor.receive(&dialer.transmit().expect("a hello"), 0);
    acceptor.judge(Ok(vec![keys[0].public()]));
    acceptor.open(Position::start([2; 16]), None, Vec::new());
    dialer.receive(&acceptor.transmit().expect("a hello"), 0);
    dialer.judge(Ok(vec![keys[1].public()]));
    assert!(dialer.is_ready() && acceptor.is_ready());
    (dialer, acceptor)
}
