//! federation-spec/vectors/groups: the bytes that groups hash and sign, from a log of two domains with every form of an
//! entry. They are what this code makes; another implementation checks the whole of `range` by them.
//!
//! `STARTALK_WRITE_VECTORS=1` writes the file anew, after a deliberate change; a vector that was ever released is never
//! changed, only added to.

use bytes::Bytes;
use data_encoding::HEXLOWER;
use prost::Message as _;
use serde_json::{Value, json};
use startalk_protocol::{
    DomainName, GroupId,
    group::{Place, body_hash, chain_after, head_bytes, sign_head, submission_hash, submissions_bytes},
    limits::LINK_KEY_VALID_MS_MAX,
    pb::group::{
        Create, Decided, Entry, Head, Join, Message, NewEpoch, Person, Proof, Range, Recall, Rights, SetText, Submission,
        entry::Body, submission::Action,
    },
    signing::{PublicKey, Purpose, SecretKey},
    trust::{CharterDraft, LinkKey, recovery_hash, sign_charter},
};

const NOW: i64 = 1_800_000_000_000;

fn hex(bytes: &[u8]) -> Value {
    HEXLOWER.encode(bytes).into()
}

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

/// The charter of a domain: root key `n`, link key `n + 100`, recovery key `n + 200`.
fn charter(domain: &str, n: u8) -> Bytes {
    let link_key = LinkKey {
        key: key(n + 100).public().to_vec().into(),
        not_before_ms: NOW - 1000,
        not_after_ms: NOW - 1000 + LINK_KEY_VALID_MS_MAX,
    };
    let draft = CharterDraft {
        domain: domain.parse::<DomainName>().unwrap(),
        line: Vec::new(),
        link_keys: vec![link_key],
        recovery_hash: recovery_hash(&key(n + 200).public()),
        sequence: 1,
        gone: false,
    };
    sign_charter(&key(n), draft).unwrap().bytes().clone()
}

/// A log being made: entries, and what stands beside each in the vector.
struct Log {
    group: GroupId,
    epoch: u32,
    chain: [u8; 32],
    entries: Vec<Entry>,
    told: Vec<Value>,
    hashes: Vec<[u8; 32]>,
}

impl Log {
    fn add(&mut self, submission: &Submission, written: &[u8], origin: &str, decided: &Decided, erased: bool) {
        let (bytes, decided) = (submission.encode_to_vec(), decided.encode_to_vec());
        let body = body_hash(written);
        let hash = submission_hash(&self.group, &bytes, &body);
        let sequence = self.entries.len() as u64 + 1;
        let time_ms = NOW + i64::try_from(sequence).unwrap();
        let place = Place { group: &self.group, epoch: self.epoch, sequence, time_ms, origin, hash, decided: &decided };
        self.chain = chain_after(&self.chain, &place);
        self.told.push(json!({
            "sequence": sequence, "home_epoch": self.epoch, "time_ms": time_ms, "origin": origin, "submission": hex(&bytes), "decided": hex(&decided),
            "written": hex(written), "body_hash": hex(&body), "submission_hash": hex(&hash), "chain": hex(&self.chain),
        }));
        if !origin.is_empty() {
            self.hashes.push(hash);
        }
        let there = if written.is_empty() {
            None
        } else if erased {
            Some(Body::Erased(Bytes::copy_from_slice(&body)))
        } else {
            Some(Body::Written(Bytes::copy_from_slice(written)))
        };
        let proof = u32::from(!origin.is_empty());
        let entry =
            Entry { submission: bytes.into(), decided: decided.into(), origin: origin.into(), time_ms, body: there, proof };
        self.epoch += u32::from(matches!(submission.action, Some(Action::NewEpoch(_))));
        self.entries.push(entry);
    }

    fn head(&self, sequence: u64, chain: &[u8]) -> Head {
        let time_ms = NOW + i64::try_from(sequence).unwrap();
        let epoch = if sequence == 0 { 1 } else { self.epoch };
        let mut head = Head {
            group: self.group.as_str().to_owned(),
            home_epoch: epoch,
            sequence,
            chain: Bytes::copy_from_slice(chain),
            time_ms,
            ..Head::default()
        };
        sign_head(&mut head, &key(101));
        head
    }
}

fn written(body: &[u8]) -> Vec<u8> {
    [&[0xab; 16], body].concat()
}

fn person(name: &str, domain: &str) -> Vec<u8> {
    let person = Person { name: name.into(), domain: domain.into(), display_name: name.to_uppercase(), word: String::new() };
    written(&person.encode_to_vec())
}

fn submission(number: u64, author: u64, action: Action) -> Submission {
    let not_after_ms = if number == 0 { 0 } else { NOW + 1000 };
    Submission { number, not_after_ms, author, action: Some(action) }
}

fn message(id: u8, reply_to: u64) -> Action {
    Action::Message(Message { id: vec![id; 16].into(), reply_to, at_all: false })
}

fn log() -> Value {
    let create = Create { home: "home.example".into(), nonce: vec![0x17; 16].into(), rights: Some(Rights::default()) };
    let create = submission(0, 1, Action::Create(create));
    let group = GroupId::of_create(&create.encode_to_vec());
    let mut log = Log { group, epoch: 1, chain: [0; 32], entries: Vec::new(), told: Vec::new(), hashes: Vec::new() };
    let (away, nothing) = ("away.example", Decided::default());
    let member = |member| Decided { member, ..Decided::default() };
    log.add(&create, &person("alice", "home.example"), "", &member(1), false);
    log.add(&submission(0, 1, Action::SetText(SetText { text: 0 })), &written("群".as_bytes()), "", &nothing, false);
    log.add(&submission(1, 0, Action::Join(Join {})), &person("bob", away), away, &member(2), false);
    log.add(&submission(2, 2, message(1, 0)), &written(b"said by bob"), away, &nothing, true);
    log.add(&submission(0, 1, message(2, 4)), &written(b"said by alice"), "", &nothing, false);
    log.add(&submission(3, 2, Action::Recall(Recall { target: 4 })), &[], away, &nothing, false);
    log.add(&submission(0, 1, Action::NewEpoch(NewEpoch {})), &[], "", &nothing, false);
    log.add(&submission(0, 1, message(3, 0)), &written(b"in the second epoch"), "", &nothing, false);
    let signed = submissions_bytes(log.hashes.iter());
    let signature = key(102).sign(Purpose::GroupSubmissions, &signed);
    let proof = Proof {
        domain: away.into(),
        link_key: key(102).public().to_vec().into(),
        hashes: log.hashes.iter().map(|h| Bytes::copy_from_slice(h)).collect(),
        signature: signature.to_vec().into(),
    };
    let (from, at) = (log.head(0, &[0; 32]), log.head(log.entries.len() as u64, &log.chain));
    let head = |head: &Head| json!({ "head": hex(&head.encode_to_vec()), "signed": hex(&head_bytes(head).unwrap()), "signature": hex(&head.signature) });
    let heads = json!([head(&from), head(&at)]);
    let range = Range {
        from: Some(from),
        entries: log.entries.clone(),
        proofs: vec![proof],
        charters: vec![charter(away, 2)],
        at: Some(at),
        end: log.entries.len() as u64,
    };
    json!({
        "about": "federation-spec/07-groups.md: the whole log of a group of home.example with a member of away.example, from its first entry. Link keys are those of 32 bytes 101 (home) and 102 (away). `range` is bytes of a group.Range with all of it; in it the body of entry 4 was erased",
        "group": log.group.as_str(), "home": "home.example", "home_charter": hex(&charter("home.example", 1)),
        "entries": log.told,
        "heads": heads,
        "submissions": { "context": "startalk group submissions v1", "link_key": hex(&key(102).public()), "signed": hex(&signed), "signature": hex(&signature) },
        "range": hex(&range.encode_to_vec()),
    })
}

#[test]
fn the_bytes_of_groups_are_what_the_file_says() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../federation-spec/vectors/groups/log.json");
    let made = log();
    if std::env::var_os("STARTALK_WRITE_VECTORS").is_some() {
        std::fs::write(path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let read: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(read, made);
}

/// As another implementation would: plain hashing of concatenated bytes, and nothing of `startalk_protocol::group`.
#[test]
fn hashes_and_signatures_are_plain() {
    let file = log();
    let bytes = |v: &Value| HEXLOWER.decode(v.as_str().unwrap().as_bytes()).unwrap();
    let group = file["group"].as_str().unwrap().as_bytes();
    let length = |b: &[u8]| u32::try_from(b.len()).unwrap().to_be_bytes();
    let mut chain = vec![0; 32];
    for e in file["entries"].as_array().unwrap() {
        let (submission, written, decided) = (bytes(&e["submission"]), bytes(&e["written"]), bytes(&e["decided"]));
        let body = if written.is_empty() { [0; 24].to_vec() } else { blake3::hash(&written).as_bytes()[..24].to_vec() };
        let of = [b"startalk group submission v1\0", group, &length(&submission), &submission, &body].concat();
        let hash = blake3::hash(&of);
        assert_eq!(hash.as_bytes()[..], bytes(&e["submission_hash"]));
        let (epoch, sequence) = (e["home_epoch"].as_u64().unwrap(), e["sequence"].as_u64().unwrap());
        let origin = e["origin"].as_str().unwrap().as_bytes();
        let place = [
            b"startalk group chain v1\0",
            &chain[..],
            group,
            &u32::try_from(epoch).unwrap().to_be_bytes(),
            &sequence.to_be_bytes(),
            &e["time_ms"].as_i64().unwrap().to_be_bytes(),
            &length(origin),
            origin,
            hash.as_bytes(),
            &length(&decided),
            &decided,
        ];
        chain = blake3::hash(&place.concat()).as_bytes().to_vec();
        assert_eq!(chain, bytes(&e["chain"]));
    }
    let home = PublicKey::from_bytes(&key(101).public()).unwrap();
    for head in file["heads"].as_array().unwrap() {
        assert!(home.verify(Purpose::GroupHead, &bytes(&head["signed"]), &bytes(&head["signature"])));
    }
    let away = PublicKey::from_bytes(&bytes(&file["submissions"]["link_key"])).unwrap();
    let (signed, signature) = (bytes(&file["submissions"]["signed"]), bytes(&file["submissions"]["signature"]));
    assert!(away.verify(Purpose::GroupSubmissions, &signed, &signature));
}
