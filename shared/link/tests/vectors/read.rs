//! Reads the vectors as another implementation would: with plain hashing, and a link that is given their bytes.

use bytes::Bytes;
use serde_json::Value;
use startalk_link::{Config, Entry, Event, Link, Position, Role};
use startalk_protocol::{
    framing,
    pb::link::Frame,
    signing::{PublicKey, Purpose, SecretKey},
};

use crate::{
    build::{EPOCH_B, domain},
    load, unhex,
};

/// b.example, accepting.
fn acceptor(peer_key: &[u8]) -> (Link, Vec<u8>) {
    let config = Config {
        domain: domain("b.example"),
        record: Bytes::from_static(b"record"),
        key: SecretKey::from_seed([b'b'; 32]),
        instance: [2; 16],
        features: Vec::new(),
        role: Role::Acceptor,
        tls_peer_key: Some(peer_key.try_into().expect("32 bytes")),
        datagrams: false,
    };
    (Link::new(config, 0), peer_key.to_vec())
}

/// Reads bytes and gives back what happened.
fn read((link, key): &mut (Link, Vec<u8>), stream: &[u8], received: Option<Position>) -> Vec<Event> {
    link.receive(stream, 0);
    let mut events = Vec::new();
    while let Some(event) = link.event() {
        if let Event::Hello { .. } = event {
            link.judge(Ok(vec![key[..].try_into().expect("32 bytes")]));
            link.open(Position::start(EPOCH_B), received, Vec::new());
        }
        events.push(event);
    }
    events
}

fn cases_of(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().expect("a list").iter()
}

fn cases(file: &Value) -> &Vec<Value> {
    file["cases"].as_array().expect("cases")
}

#[test]
fn running_hashes_are_plain_blake3() {
    let mut running = vec![0; 32];
    for step in load("running.json")["steps"].as_array().expect("steps") {
        let hash = blake3::hash(&unhex(&step["item"]));
        assert_eq!(hash.as_bytes()[..], unhex(&step["item_hash"]));
        running.extend_from_slice(hash.as_bytes());
        running = blake3::hash(&running).as_bytes().to_vec();
        assert_eq!(running, unhex(&step["running"]));
    }
}

#[test]
fn hellos_are_read_as_they_say() {
    let key = unhex(&load("batch.json")["link_key"]);
    for case in cases(&load("hello.json")) {
        let events = read(&mut acceptor(&key), &unhex(&case["stream"]), None);
        let Some(Event::Hello { from, record, instance, version, features, sent, received }) = events.first() else {
            panic!("{case}: {events:?}");
        };
        assert_eq!((from.as_str(), *version), ("a.example", 1));
        assert_eq!((record.to_vec(), instance.to_vec()), (unhex(&case["record"]), unhex(&case["instance"])));
        let said: Vec<&str> = cases_of(&case["features"]).map(|f| f.as_str().unwrap()).collect();
        assert_eq!(features, &said);
        let asked = events.iter().find_map(|e| if let Event::CompareHistory { known, .. } = e { known.clone() } else { None });
        assert_eq!(asked.is_some(), said.contains(&startalk_link::HISTORY));
        let known: Vec<(u64, Vec<u8>)> = asked.iter().flatten().map(|k| (k.sequence, k.running.to_vec())).collect();
        let expected = cases_of(&case["known"]).map(|k| (k["sequence"].as_u64().unwrap(), unhex(&k["running"])));
        assert_eq!(known, expected.collect::<Vec<_>>());
        assert_eq!(
            (sent.sequence, sent.running.to_vec()),
            (case["sent"]["sequence"].as_u64().unwrap(), unhex(&case["sent"]["running"]))
        );
        assert_eq!(received.map(|r| r.sequence), case["received"]["sequence"].as_u64());
    }
}

#[test]
fn batches_verify_and_are_read_as_they_say() {
    let (file, hellos, running) = (load("batch.json"), load("hello.json"), load("running.json"));
    let key = unhex(&file["link_key"]);
    assert_eq!(SecretKey::from_seed(unhex(&file["seed"]).try_into().unwrap()).public()[..], key);
    for case in cases(&file) {
        let first = case["first_sequence"].as_u64().unwrap();
        let public = PublicKey::from_bytes(&key).unwrap();
        assert!(public.verify(Purpose::LinkBatch, &unhex(&case["signed"]), &unhex(&case["signature"])), "{case}");
        let mut expected = [&9u16.to_be_bytes()[..], b"a.example", &9u16.to_be_bytes(), b"b.example"].concat();
        expected.extend(unhex(&file["epoch"]));
        expected.extend(first.to_be_bytes());
        let entries = case["entries"].as_array().unwrap();
        expected.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
        for entry in entries {
            let item = entry.get("item").map(|i| blake3::hash(&unhex(i)).as_bytes().to_vec());
            expected.extend(item.unwrap_or_else(|| unhex(&entry["withheld"])));
        }
        assert_eq!(expected, unhex(&case["signed"]), "{case}");

        let mut link = acceptor(&key);
        let before = (first > 1).then(|| Position {
            epoch: unhex(&file["epoch"]).try_into().unwrap(),
            sequence: first - 1,
            running: unhex(&running["steps"][first as usize - 2]["running"]).try_into().unwrap(),
        });
        let hello = usize::from(first > 1);
        let mut opener = unhex(&cases(&hellos)[hello]["stream"]);
        if hello == 1 {
            // That hello has a cursor of ours that this node does not know; only its `sent` matters here.
            opener = without_received(&opener);
        }
        read(&mut link, &opener, before);
        let events = read(&mut link, &unhex(&case["stream"]), None);
        let [Event::Items { first: got, items, .. }] = &events[..] else { panic!("{case}: {events:?}") };
        assert_eq!(*got, first);
        for (incoming, entry) in items.iter().zip(entries) {
            match &incoming.entry {
                Entry::Item(bytes) | Entry::Submission(bytes, _) => assert_eq!(bytes[..], unhex(&entry["item"])),
                Entry::Withheld(hash) => assert_eq!(hash[..], unhex(&entry["withheld"])),
            }
        }
        if let Some(step) = running["steps"].get(items.last().unwrap().sequence as usize - 1) {
            assert_eq!(items.last().unwrap().running[..], unhex(&step["running"]), "withheld or not");
        }
    }
}

fn without_received(stream: &[u8]) -> Vec<u8> {
    use startalk_protocol::pb::link::frame::Frame as Kind;
    let mut frame: Frame = framing::decode(&stream[4..], "frame").unwrap();
    if let Some(Kind::Hello(hello)) = &mut frame.frame {
        hello.received = None;
    }
    framing::encode(&frame).to_vec()
}

#[test]
fn the_other_frames_are_taken() {
    for case in cases(&load("frames.json")) {
        let stream = unhex(&case["stream"]);
        assert_eq!(u32::from_be_bytes(stream[..4].try_into().unwrap()) as usize, stream.len() - 4);
        framing::decode::<Frame>(&stream[4..], "frame").unwrap();
    }
}

/// A link in the state that a vector begins in.
fn begun(state: &Value, hellos: &Value, batches: &Value) -> (Link, Vec<u8>) {
    let mut link = acceptor(&unhex(&batches["link_key"]));
    if state == "ready" {
        read(&mut link, &unhex(&cases(hellos)[0]["stream"]), None);
        let events = read(&mut link, &unhex(&cases(batches)[1]["stream"]), None);
        assert!(matches!(events[..], [Event::Items { .. }]), "{events:?}");
    }
    link
}

#[test]
fn tolerated_streams_do_not_close_and_bring_what_they_say() {
    let (hellos, batches) = (load("hello.json"), load("batch.json"));
    for case in cases(&load("tolerated.json")) {
        let mut link = begun(&case["state"], &hellos, &batches);
        let events = read(&mut link, &unhex(&case["stream"]), None);
        assert!(!events.iter().any(|e| matches!(e, Event::Closed { .. })) && !link.0.is_closed(), "{case}: {events:?}");
        let items = events.iter().filter_map(|e| if let Event::Items { items, .. } = e { Some(items) } else { None });
        let takes: Vec<u64> = items.flatten().map(|i| i.sequence).collect();
        let expected: Vec<u64> = case["takes"].as_array().unwrap().iter().map(|n| n.as_u64().unwrap()).collect();
        assert_eq!(takes, expected, "{case}: {events:?}");
    }
}

#[test]
fn invalid_streams_close_with_the_code_that_they_name() {
    let (hellos, batches) = (load("hello.json"), load("batch.json"));
    let file = load("invalid.json");
    assert!(cases(&file).len() >= 30);
    for case in cases(&file) {
        let mut link = begun(&case["state"], &hellos, &batches);
        let events = read(&mut link, &unhex(&case["stream"]), None);
        let [Event::Closed { by_peer: false, error }] = &events[..] else { panic!("{case}: {events:?}") };
        assert_eq!(error.code.as_str(), case["code"], "{case}");
    }
}
