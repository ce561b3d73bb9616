//! Makes the vectors, all from fixed names, keys and epochs.

use bytes::Bytes;
use serde_json::{Value, json};
use startalk_link::{Config, Entry, HISTORY, Link, Position, Role, batch::signed_bytes, item_hash};
use startalk_protocol::{
    Code, DomainName, Error, framing,
    limits::{LINK_FRAME_BYTES_MAX, LINK_HELLO_BYTES_MAX, LINK_KNOWN_MAX},
    pb::link::{
        Ack, Batch, Close, Ephemeral, Frame, Hello, Ping, Pong, Refused, entry::Entry as WireKind, ephemeral::Kind as What,
        frame::Frame as Kind,
    },
    signing::SecretKey,
};

use crate::hex;

pub const SEED_A: [u8; 32] = [b'a'; 32];
pub const EPOCH_A: [u8; 16] = [b'a'; 16];
pub const EPOCH_B: [u8; 16] = [b'b'; 16];
const ITEMS: [&[u8]; 3] = [b"one", b"two", b"three"];

pub fn domain(name: &str) -> DomainName {
    name.parse().expect("a domain")
}

/// a.example, dialing b.example.
fn dialer() -> Link {
    dialer_with(&["example"])
}

fn dialer_with(features: &[&str]) -> Link {
    Link::new(
        Config {
            domain: domain("a.example"),
            record: Bytes::from_static(b"a signed record"),
            key: SecretKey::from_seed(SEED_A),
            instance: [1; 16],
            features: features.iter().map(|f| (*f).to_owned()).collect(),
            role: Role::Dialer { peer: domain("b.example") },
            tls_peer_key: None,
            datagrams: false,
        },
        0,
    )
}

fn after(items: &[&[u8]]) -> Position {
    items.iter().fold(Position::start(EPOCH_A), |p, i| p.after(&item_hash(i)))
}

fn hello_bytes(sent: Position, received: Option<Position>) -> Bytes {
    hello_with(&["example"], sent, received, Vec::new())
}

fn hello_with(features: &[&str], sent: Position, received: Option<Position>, known: Vec<Position>) -> Bytes {
    let mut link = dialer_with(features);
    link.open(sent, received, known);
    link.transmit().expect("a dialer speaks at once")
}

fn position(position: &Position) -> Value {
    json!({ "epoch": hex(&position.epoch), "sequence": position.sequence, "running": hex(&position.running) })
}

fn frame(kind: Kind) -> Bytes {
    framing::encode(&Frame { frame: Some(kind) })
}

fn inner(bytes: &[u8]) -> Kind {
    framing::decode::<Frame>(&bytes[4..], "frame").expect("made here").frame.expect("made here")
}

pub fn running() -> Value {
    let mut at = Position::start(EPOCH_A);
    let steps: Vec<Value> = ITEMS
        .iter()
        .map(|item| {
            at = at.after(&item_hash(item));
            json!({ "item": hex(item), "item_hash": hex(&item_hash(item)), "sequence": at.sequence, "running": hex(&at.running) })
        })
        .collect();
    json!({ "about": "federation-spec/03-link.md §4: running hashes from 32 zero bytes", "steps": steps })
}

pub fn hello() -> Value {
    let case = |name: &str, features: &[&str], sent: Position, received: Option<Position>, known: Vec<Position>| {
        json!({
            "name": name, "version_min": 1, "version_max": 1, "from": "a.example", "to": "b.example",
            "record": hex(b"a signed record"), "instance": hex(&[1; 16]), "features": features,
            "sent": position(&sent), "received": received.as_ref().map(position),
            "known": known.iter().map(position).collect::<Vec<_>>(),
            "stream": hex(&hello_with(features, sent, received, known)),
        })
    };
    let of_b = Position { sequence: 7, running: [9; 32], ..Position::start(EPOCH_B) };
    let known = vec![
        Position { sequence: 4, running: [8; 32], ..Position::start(EPOCH_B) },
        Position { sequence: 900, running: [7; 32], ..Position::start([b'c'; 16]) },
        Position { sequence: 896, running: [6; 32], ..Position::start([b'c'; 16]) },
    ];
    json!({
        "about": "federation-spec/03-link.md §3: the first frame of a.example to b.example, with its length",
        "cases": [
            case("first contact", &["example"], Position::start(EPOCH_A), None, Vec::new()),
            case("with a history", &["example"], after(&ITEMS), Some(of_b), Vec::new()),
            case("feature `history`: and what it knows beside its cursor", &[HISTORY], after(&ITEMS), Some(of_b), known),
        ],
    })
}

/// Entries given to a real link, and the batch that it signs.
fn batch_bytes(first: u64, entries: Vec<Entry>) -> Bytes {
    let mut link = dialer();
    let mut peer = Link::new(
        Config {
            domain: domain("b.example"),
            key: SecretKey::from_seed([b'b'; 32]),
            role: Role::Acceptor,
            record: Bytes::from_static(b"record"),
            instance: [2; 16],
            features: Vec::new(),
            tls_peer_key: None,
            datagrams: false,
        },
        0,
    );
    let before = after(&ITEMS[..usize::try_from(first).expect("small") - 1]);
    link.open(before, None, Vec::new());
    peer.open(Position::start(EPOCH_B), (first > 1).then_some(before), Vec::new());
    peer.receive(&link.transmit().expect("a hello"), 0);
    while peer.event().is_some() {}
    peer.judge(Ok(vec![SecretKey::from_seed(SEED_A).public()]));
    link.receive(&peer.transmit().expect("a hello"), 0);
    link.judge(Ok(vec![SecretKey::from_seed([b'b'; 32]).public()]));
    assert_eq!(link.push(first, entries.clone()), entries.len() as u64);
    link.transmit().expect("a batch")
}

pub fn batch() -> Value {
    let case = |name: &str, first: u64, entries: Vec<Entry>| {
        let hashes: Vec<[u8; 32]> = entries.iter().map(Entry::hash).collect();
        let signed = signed_bytes(&domain("a.example"), &domain("b.example"), &EPOCH_A, first, &hashes);
        let stream = batch_bytes(first, entries.clone());
        let Kind::Batch(batch) = inner(&stream) else { panic!("a batch") };
        let entry = |e: &Entry| match e {
            Entry::Item(bytes) | Entry::Submission(bytes, _) => json!({ "item": hex(bytes) }),
            Entry::Withheld(hash) => json!({ "withheld": hex(hash) }),
        };
        json!({
            "name": name, "first_sequence": first, "entries": entries.iter().map(entry).collect::<Vec<_>>(),
            "signed": hex(&signed), "signature": hex(&batch.signature), "stream": hex(&stream),
        })
    };
    let item = |bytes: &'static [u8]| Entry::Item(Bytes::from_static(bytes));
    json!({
        "about": "federation-spec/03-link.md §5: batches of a.example to b.example. The signature is over the context, a zero byte and `signed`",
        "seed": hex(&SEED_A), "link_key": hex(&SecretKey::from_seed(SEED_A).public()), "epoch": hex(&EPOCH_A),
        "context": "startalk link batch v1",
        "cases": [
            case("one item", 1, vec![item(ITEMS[0])]),
            case("three items", 1, ITEMS.iter().map(|i| item(i)).collect()),
            case("the second is withheld", 1, vec![item(ITEMS[0]), Entry::Withheld(item_hash(ITEMS[1])), item(ITEMS[2])]),
            case("after three", 4, vec![item(b"four")]),
        ],
    })
}

fn ack(sequence: u64, refused: Vec<Refused>) -> Kind {
    Kind::Ack(Ack { epoch: EPOCH_B.to_vec().into(), sequence, refused })
}

fn refused(sequence: u64) -> Refused {
    Refused { sequence, error: Some(Error::new(Code::Blocked).with("user", "bob").into()) }
}

pub fn frames() -> Value {
    let case = |name: &str, kind: Kind| json!({ "name": name, "stream": hex(&frame(kind)) });
    let typing = Ephemeral { from: "alice".to_owned(), to: "bob".to_owned(), kind: Some(What::Typing(true)) };
    json!({
        "about": "federation-spec/03-link.md §6–§8: the other frames, each with its length",
        "cases": [
            case("ack of three, the second refused as blocked (user: bob)", ack(3, vec![refused(2)])),
            case("ping 7", Kind::Ping(Ping { nonce: 7 })),
            case("pong 7", Kind::Pong(Pong { nonce: 7 })),
            case("alice types to bob", Kind::Ephemeral(typing)),
            case("close: stopping", Kind::Close(Close { error: Some(Error::new(Code::Stopping).into()) })),
        ],
    })
}

pub fn invalid() -> Value {
    let case = |name: &str, state: &str, stream: &[u8], code: Code| json!({ "name": name, "state": state, "stream": hex(stream), "code": code.as_str() });
    let mut cases = Vec::new();
    let mut hello = |name: &str, change: &dyn Fn(&mut Hello), code| {
        let Kind::Hello(mut hello) = inner(&hello_bytes(Position::start(EPOCH_A), None)) else { panic!("a hello") };
        change(&mut hello);
        cases.push(case(name, "new", &frame(Kind::Hello(hello)), code));
    };
    hello("to another domain", &|h| h.to = "c.example".into(), Code::WrongDomain);
    hello("from ourselves", &|h| h.from = "b.example".into(), Code::WrongDomain);
    hello("a domain not in its one form", &|h| h.from = "A.example".into(), Code::Malformed);
    hello("a later version only", &|h| (h.version_min, h.version_max) = (2, 2), Code::UnsupportedVersion);
    hello("no versions", &|h| (h.version_min, h.version_max) = (0, 0), Code::Malformed);
    hello("no record", &|h| h.record.clear(), Code::Malformed);
    hello("an instance of 15 bytes", &|h| h.instance = vec![1; 15].into(), Code::Malformed);
    hello("versions the wrong way round", &|h| (h.version_min, h.version_max) = (2, 1), Code::Malformed);
    hello("an account for a domain", &|h| h.from = "alice@a.example".into(), Code::Malformed);
    hello("a record of 16385 bytes", &|h| h.record = vec![1; 16_385].into(), Code::TooLarge);
    hello("an epoch of 15 bytes", &|h| h.sent.as_mut().expect("set").epoch = vec![1; 15].into(), Code::Malformed);
    hello("has received in no epoch", &|h| h.received.as_mut().expect("set").sequence = 1, Code::Malformed);
    hello("a feature of 33 letters", &|h| h.features = vec!["x".repeat(33)], Code::Malformed);
    hello("33 features", &|h| h.features = vec!["x".into(); 33], Code::TooMany);
    hello("a feature with a space", &|h| h.features = vec!["a b".into()], Code::Malformed);
    hello("does not say where its outbox ends", &|h| h.sent = None, Code::Malformed);
    hello(
        "a running hash before the first item",
        &|h| h.sent.as_mut().expect("set").running = vec![1; 32].into(),
        Code::Malformed,
    );
    let place =
        startalk_protocol::pb::link::StreamPosition { epoch: EPOCH_B.to_vec().into(), sequence: 1, running: vec![9; 32].into() };
    let historic = |h: &mut Hello, known: Vec<_>| (h.features, h.known) = (vec![HISTORY.to_owned()], known);
    hello("97 known positions", &|h| historic(h, vec![place.clone(); LINK_KNOWN_MAX + 1]), Code::TooMany);
    let nowhere = startalk_protocol::pb::link::StreamPosition { sequence: 0, running: vec![0; 32].into(), ..place.clone() };
    hello("a known position before the first item", &|h| historic(h, vec![nowhere.clone()]), Code::Malformed);
    hello("a known position that is none", &|h| historic(h, vec![Default::default()]), Code::Malformed);
    let length = |n: usize| u32::try_from(n).expect("small").to_be_bytes();
    cases.push(case("announces more than a hello may have", "new", &length(LINK_HELLO_BYTES_MAX + 1), Code::TooLarge));
    cases.push(case("a ping before the hello", "new", &frame(Kind::Ping(Ping { nonce: 1 })), Code::Malformed));
    cases.push(case("an empty frame", "new", &length(0), Code::Malformed));
    cases.push(case("announces more than a frame may have", "ready", &length(LINK_FRAME_BYTES_MAX + 1), Code::TooLarge));
    let again = hello_bytes(Position::start(EPOCH_A), None);
    cases.push(case("a second hello", "ready", &again, Code::Malformed));
    let two = [frame(Kind::Ping(Ping { nonce: 1 })), frame(Kind::Ping(Ping { nonce: 2 }))];
    let mut twice = length(two[0].len() - 4 + two[1].len() - 4).to_vec();
    two.iter().for_each(|f| twice.extend_from_slice(&f[4..]));
    cases.push(case("two fields in one frame", "ready", &twice, Code::Malformed));
    cases.push(case("a frame of no known kind", "ready", &[0, 0, 0, 2, 15 << 3 | 2, 0], Code::Malformed));
    cases.push(case("a question, though no feature was agreed on", "ready", &[0, 0, 0, 4, 8 << 3 | 2, 2, 8, 1], Code::Malformed));
    cases.push(case("a note, though no feature was agreed on", "ready", &[0, 0, 0, 2, 10 << 3 | 2, 0], Code::Malformed));
    let mut batch = |name: &str, change: &dyn Fn(&mut Batch), code| {
        let stream = batch_bytes(4, vec![Entry::Item(Bytes::from_static(b"four")), Entry::Item(Bytes::from_static(b"five"))]);
        let Kind::Batch(mut batch) = inner(&stream) else { panic!("a batch") };
        change(&mut batch);
        cases.push(case(name, "ready", &frame(Kind::Batch(batch)), code));
    };
    batch(
        "signed with a key that is not the domain's",
        &|b| b.link_key = SecretKey::from_seed([9; 32]).public().to_vec().into(),
        Code::WrongKey,
    );
    batch("an item was changed", &|b| b.entries[0].entry = Some(WireKind::Item(Bytes::from_static(b"Four"))), Code::BadSignature);
    batch("two items were exchanged", &|b| b.entries.swap(0, 1), Code::BadSignature);
    batch("an item was left out", &|b| b.entries.truncate(1), Code::BadSignature);
    batch("another first sequence", &|b| b.first_sequence = 5, Code::BadSignature);
    batch("another epoch", &|b| b.epoch = vec![9; 16].into(), Code::Malformed);
    batch("no entries", &|b| b.entries.clear(), Code::Malformed);
    batch("65 entries", &|b| b.entries = vec![b.entries[0].clone(); 65], Code::TooMany);
    batch("an empty item", &|b| b.entries[0].entry = Some(WireKind::Item(Bytes::new())), Code::Malformed);
    batch("a withheld hash of 31 bytes", &|b| b.entries[0].entry = Some(WireKind::Withheld(vec![1; 31].into())), Code::Malformed);
    batch("a signature of 63 bytes", &|b| b.signature = vec![1; 63].into(), Code::Malformed);
    batch("a link key of 31 bytes", &|b| b.link_key = vec![1; 31].into(), Code::Malformed);
    batch("an entry that is neither", &|b| b.entries[0].entry = None, Code::Malformed);
    let signed_again = |first: u64, items: &[&[u8]]| {
        let hashes: Vec<[u8; 32]> = items.iter().map(|i| item_hash(i)).collect();
        let signed = signed_bytes(&domain("a.example"), &domain("b.example"), &EPOCH_A, first, &hashes);
        let Kind::Batch(mut batch) = inner(&batch_bytes(4, vec![Entry::Item(Bytes::from_static(b"four"))])) else { panic!() };
        batch.first_sequence = first;
        batch.entries = items
            .iter()
            .map(|i| startalk_protocol::pb::link::Entry { entry: Some(WireKind::Item(Bytes::copy_from_slice(i))) })
            .collect();
        let key = SecretKey::from_seed(SEED_A);
        batch.signature = key.sign(startalk_protocol::signing::Purpose::LinkBatch, &signed).to_vec().into();
        frame(Kind::Batch(batch))
    };
    cases.push(case("a gap", "ready", &signed_again(5, &[b"five"]), Code::OutOfOrder));
    cases.push(case("half known, half new", "ready", &signed_again(3, &[b"three", b"four"]), Code::OutOfOrder));
    cases.push(case("counts from nought", "ready", &signed_again(0, &[b"zero"]), Code::Malformed));
    cases.push(case("an ack of what was never sent", "ready", &frame(ack(1, Vec::new())), Code::OutOfOrder));
    cases.push(case("a refusal of what is not acknowledged", "ready", &frame(ack(0, vec![refused(1)])), Code::Malformed));
    let mut acked = |name: &str, ack: Ack, code| cases.push(case(name, "ready", &frame(Kind::Ack(ack)), code));
    let none = || Ack { epoch: EPOCH_B.to_vec().into(), ..Ack::default() };
    acked("an ack of another epoch", Ack { epoch: EPOCH_A.to_vec().into(), ..none() }, Code::Malformed);
    acked("an ack of no epoch", Ack::default(), Code::Malformed);
    acked("a refusal of nought", Ack { refused: vec![refused(0)], ..none() }, Code::Malformed);
    acked("65 refusals", Ack { refused: (1..=65).map(refused).collect(), ..none() }, Code::TooMany);
    json!({
        "about": "b.example, accepting, with its outbox empty in epoch 6262…, reads `stream` and closes with `code`. State new: nothing was read before. State ready: it has read `hello.json` case 1, found link_key of `batch.json` to be a.example's only key, said hello, and read `batch.json` case 2",
        "cases": cases,
    })
}

/// What a link takes without closing, and which items take effect.
pub fn tolerated() -> Value {
    let case = |name: &str, state: &str, takes: &[u64], stream: &[u8]| json!({ "name": name, "state": state, "takes": takes, "stream": hex(stream) });
    let hello = |name: &str, change: &dyn Fn(&mut Hello)| {
        let Kind::Hello(mut hello) = inner(&hello_bytes(Position::start(EPOCH_A), None)) else { panic!("a hello") };
        change(&mut hello);
        case(name, "new", &[], &frame(Kind::Hello(hello)))
    };
    let ephemeral = |name: &str, from: &str, kind: Option<What>| {
        case(name, "ready", &[], &frame(Kind::Ephemeral(Ephemeral { from: from.into(), to: "bob".into(), kind })))
    };
    let typing = || Some(What::Typing(true));
    let four = || batch_bytes(4, vec![Entry::Item(Bytes::from_static(b"four"))]);
    // Field 99 behind the others, inside the only field of the frame.
    let mut later = four()[4..].to_vec();
    let tail = [0x9a, 0x06, 0x01, 0x2a];
    let (length, at) = (later.len() - 3 + tail.len(), 1);
    later.splice(at..at + 2, [u8::try_from(length & 127 | 128).expect("small"), u8::try_from(length >> 7).expect("small")]);
    later.extend(tail);
    let mut unknown = u32::try_from(later.len()).expect("small").to_be_bytes().to_vec();
    unknown.extend(later);
    let again = batch_bytes(1, ITEMS.iter().map(|i| Entry::Item(Bytes::from_static(i))).collect());
    let several = [frame(Kind::Ping(Ping { nonce: 1 })), four(), frame(Kind::Pong(Pong { nonce: 2 }))].concat();
    json!({
        "about": "as in `invalid.json`, but the link stays open; `takes` are the sequences of the items that `stream` brings and that were not there before",
        "cases": [
            hello("received is absent", &|h| h.received = None),
            hello("speaks later versions too", &|h| h.version_max = 9),
            hello("32 features", &|h| h.features = (0..32).map(|n| format!("x{n}")).collect()),
            hello("a feature twice", &|h| h.features = vec!["x".into(), "x".into()]),
            case("the same batch again", "ready", &[], &again),
            case("a batch with a field that is not known", "ready", &[4], &unknown),
            case("a ping, a batch, and a pong that nobody waits for", "ready", &[4], &several),
            case("a ping of nought", "ready", &[], &frame(Kind::Ping(Ping::default()))),
            case("an ack of nothing", "ready", &[], &frame(ack(0, Vec::new()))),
            ephemeral("typing", "alice", typing()),
            ephemeral("typing by no account", "Alice", typing()),
            ephemeral("an ephemeral of no kind", "alice", None),
            ephemeral("an ephemeral that is too large", &"a".repeat(600), typing()),
            ephemeral("a presence of 17 bytes", "alice", Some(What::Presence("x".repeat(17)))),
        ],
    })
}
