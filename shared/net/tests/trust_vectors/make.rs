//! What the trust vectors are made from: fixed keys, drafts, and deliberate faults.

use data_encoding::HEXLOWER;
use prost::Message;
use serde_json::{Value, json};
use startalk_protocol::{
    DomainName,
    limits::LINK_KEY_VALID_MS_MAX,
    signing::{Purpose, SecretKey},
    trust::{
        Charter, CharterDraft, DomainRecord, Endpoint, LinkKey, Navigation, Pinned, RecordDraft, Registration, SignedCharter,
        SignedRecord, Succession, Trial, VerifiedCharter, VerifiedRecord, recovery_hash, recovery_step, sign_charter,
        sign_record, succession_step,
    },
};

const NOW: i64 = 1_800_000_000_000;
const HOUR: i64 = 3_600_000;

/// The secret key whose 32 bytes are all `n`. Root keys 1 to 9, link keys from 100, recovery keys from 200.
fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn hex(bytes: &[u8]) -> Value {
    HEXLOWER.encode(bytes).into()
}

fn link_key(n: u8) -> LinkKey {
    LinkKey { key: key(n).public().to_vec().into(), not_before_ms: NOW - HOUR, not_after_ms: NOW - HOUR + LINK_KEY_VALID_MS_MAX }
}

fn example() -> DomainName {
    "example.org".parse().unwrap()
}

fn draft(domain: &DomainName, sequence: u64) -> CharterDraft {
    let recovery_hash = recovery_hash(&key(200).public());
    CharterDraft {
        domain: domain.clone(),
        line: Vec::new(),
        link_keys: vec![link_key(100)],
        recovery_hash,
        sequence,
        gone: false,
    }
}

fn record_draft(sequence: u64) -> RecordDraft {
    RecordDraft {
        endpoints: vec![
            Endpoint { host: "node.example.org".into(), port: 443 },
            Endpoint { host: "2001:db8::1".into(), port: 8443 },
        ],
        sequence,
        not_after_ms: NOW + 24 * HOUR,
        display_name: "Example 示例".into(),
        description: "A domain for vectors.".into(),
        listed: true,
        registration: Registration::Invitation,
        sign_in: Vec::new(),
        navigation: None,
    }
}

/// A charter with a fault: signed as it is, whatever it says.
fn raw_charter(root: &SecretKey, charter: &Charter) -> Vec<u8> {
    let charter = charter.encode_to_vec();
    let signature = root.sign(Purpose::Charter, &charter).to_vec().into();
    SignedCharter { charter: charter.into(), signature }.encode_to_vec()
}

fn opened(charter: &VerifiedCharter) -> Charter {
    Charter::decode(SignedCharter::decode(charter.bytes().clone()).unwrap().charter).unwrap()
}

fn raw_record(link: &SecretKey, record: &DomainRecord) -> Vec<u8> {
    let record = record.encode_to_vec();
    let signature = link.sign(Purpose::Record, &record).to_vec().into();
    SignedRecord { record: record.into(), link_key: link.public().to_vec().into(), signature }.encode_to_vec()
}

fn opened_record(record: &VerifiedRecord) -> DomainRecord {
    DomainRecord::decode(SignedRecord::decode(record.bytes().clone()).unwrap().record).unwrap()
}

/// Every file with its content.
pub fn all() -> Vec<(&'static str, Value)> {
    vec![
        ("valid/names.json", good_names()),
        ("invalid/names.json", bad_names()),
        ("valid/signatures.json", good_signatures()),
        ("invalid/signatures.json", bad_signatures()),
        ("valid/charters.json", good_charters()),
        ("invalid/charters.json", bad_charters()),
        ("valid/records.json", good_records()),
        ("invalid/records.json", bad_records()),
        ("valid/pins.json", good_pins()),
        ("invalid/pins.json", bad_pins()),
    ]
}

fn good_names() -> Value {
    let name = |kind: &str, text: &str, canonical: &str| json!({ "kind": kind, "text": text, "canonical": canonical });
    let key_name = "abcdefghijklmnopqrstuvwx27.startalk.alt";
    let root = key(1).public();
    json!([
        name("domain", "example.org", "example.org"),
        name("domain", "Example.ORG", "example.org"),
        name("domain", "münchen.example", "xn--mnchen-3ya.example"),
        name("domain", "星语.example", DomainName::as_str(&"星语.example".parse().unwrap())),
        name("domain", key_name, key_name),
        name("user", "alice@example.org", "alice@example.org"),
        name("user", "A.b_c-1@example.org", "a.b_c-1@example.org"),
        name("root-key", &HEXLOWER.encode(&root), DomainName::of_key(&root).as_str()),
    ])
}

fn bad_names() -> Value {
    let name = |kind: &str, text: &str| json!({ "kind": kind, "text": text });
    json!([
        name("domain", ""),
        name("domain", "localhost"),
        name("domain", "example.org."),
        name("domain", "ex_ample.org"),
        name("domain", "-a.example"),
        name("domain", "192.0.2.1"),
        name("domain", "example.1"),
        name("domain", "abc.startalk.alt"),
        name("domain", "abcdefghijklmnopqrstuvwx18.startalk.alt"),
        name("domain", "abcdefghijklmnopqrstuvwxyz.other.alt"),
        name("domain", &format!("{}.example", "a".repeat(64))),
        name("domain", "xn--a.example"),
        name("domain", "xn--example-.org"),
        name("user", "alice"),
        name("user", "@example.org"),
        name("user", ".alice@example.org"),
        name("user", "alice-@example.org"),
        name("user", "al ice@example.org"),
        name("user", "älice@example.org"),
        name("user", &format!("{}@example.org", "a".repeat(65))),
    ])
}

/// What a step signs, and a commitment: written out here once more, so that the vectors do not follow the code.
fn tagged(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![tag];
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

fn signature(about: &str, signer: &SecretKey, purpose: Purpose, bytes: &[u8]) -> Value {
    let context = std::str::from_utf8(purpose.context()).unwrap();
    json!({ "about": about, "key": hex(&signer.public()), "context": context, "bytes": hex(bytes), "signature": hex(&signer.sign(purpose, bytes)) })
}

fn good_signatures() -> Value {
    let domain = example();
    let name = domain.as_str().as_bytes();
    let hash = recovery_hash(&key(200).public());
    let step = tagged(1, &[&key(1).public(), &key(2).public(), name]);
    let made: Succession = succession_step(&domain, &key(1), &key(2).public());
    assert_eq!(made.signature[..], key(1).sign(Purpose::Succession, &step), "the bytes of a step");
    let commitment = tagged(2, &[&hash, name]);
    let charter = sign_charter(&key(1), draft(&domain, 1)).unwrap();
    assert_eq!(charter.recovery_commitment()[..], key(1).sign(Purpose::Succession, &commitment), "the bytes of a commitment");
    json!([
        signature("a charter's context", &key(1), Purpose::Charter, b"charter"),
        signature("a record's context", &key(100), Purpose::Record, b"record"),
        signature("a step from root key 1 to root key 2 of example.org", &key(1), Purpose::Succession, &step),
        signature("root key 1 names the recovery key of example.org", &key(1), Purpose::Succession, &commitment),
        mixed("a key beside the main subgroup, of no small order: the cofactorless equation holds", "636861727465722034", HOLDS),
    ])
}

/// A key that is a point of the main subgroup and one of order 8 added. Made once by hand, as no library makes such.
const MIXED: &str = "99555efe5dbf5b50b6fb4d8c38ee05c4ea8a97011c08e11366e8c8c00e8ce5d5";
const HOLDS: &str = concat!(
    "3e54c441927f9f0ee5e13e34f0b0404c5043651a8f4b7ef087a1c42262a85d0a",
    "e47aa83aca925eb51899d54b8167186e58169220b59d15326f77ee26cbb31a02"
);
const HOLDS_TIMES_EIGHT: &str = concat!(
    "3e54c441927f9f0ee5e13e34f0b0404c5043651a8f4b7ef087a1c42262a85d0a",
    "cdd9556c912f61aca890733dc60fa8223ce6bf4a705a32d7fd2f3891247daa06"
);
/// Whose signatures hold with the neutral element as `R`, written in both ways.
const USUAL: &str = "88aa55e6afeed8960a3191de78600347db8acd0a3795412f275f049b86260488";
const NEUTRAL_R: &str = concat!(
    "0100000000000000000000000000000000000000000000000000000000000000",
    "85efe91cbd3676816487ec88fdb16e4fa2ba97c5e2907a6a6546d2b1df42d30e"
);
const NEUTRAL_R_UNREDUCED: &str = concat!(
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "da7d5e4443092777eae404ed86286544d5d4b1c5c73db3e209ee0f5fda1ec70a"
);

fn by_hand(about: &str, key: &str, bytes: &str, signature: &str) -> Value {
    json!({ "about": about, "key": key, "context": "startalk charter v1", "bytes": bytes, "signature": signature })
}

fn mixed(about: &str, bytes: &str, signature: &str) -> Value {
    by_hand(about, MIXED, bytes, signature)
}

fn bad_signatures() -> Value {
    let good = key(1).sign(Purpose::Charter, b"charter");
    let vector = |about: &str, key: &[u8], bytes: &[u8], signature: &[u8]| json!({ "about": about, "key": hex(key), "context": "startalk charter v1", "bytes": hex(bytes), "signature": hex(signature) });
    // The order of the group, little-endian: S + L verifies where S is not checked to be canonical.
    let order = HEXLOWER.decode(b"edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010").unwrap();
    let mut malleated = good;
    let mut carry = 0_u16;
    for (byte, add) in malleated[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    // The neutral element as key and as R, with S = 0: a signature on everything where small orders are accepted.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut on_everything = [0; 64];
    on_everything[0] = 1;
    vec![
        vector("another text", &key(1).public(), b"charteR", &good),
        vector("another key", &key(2).public(), b"charter", &good),
        vector("another purpose", &key(1).public(), b"charter", &key(1).sign(Purpose::Record, b"charter")),
        vector("63 bytes", &key(1).public(), b"charter", &good[..63]),
        vector("S not canonical", &key(1).public(), b"charter", &malleated),
        vector("a key of small order", &neutral, b"charter", &on_everything),
        mixed("only eight times the equation holds", "636861727465722030", HOLDS_TIMES_EIGHT),
        by_hand("R of small order", USUAL, "63686172746572", NEUTRAL_R),
        by_hand("R of small order, y not reduced", USUAL, "63686172746572", NEUTRAL_R_UNREDUCED),
    ]
    .into()
}

fn recovered(domain: &DomainName) -> CharterDraft {
    let before = sign_charter(&key(1), draft(domain, 1)).unwrap();
    let step = recovery_step(&before, &key(200), &key(2).public()).unwrap();
    CharterDraft { line: vec![step], recovery_hash: recovery_hash(&key(201).public()), ..draft(domain, 2) }
}

fn followed(domain: &DomainName) -> CharterDraft {
    let line = vec![succession_step(domain, &key(1), &key(2).public()), succession_step(domain, &key(2), &key(3).public())];
    CharterDraft { line, ..draft(domain, 3) }
}

fn good_charters() -> Value {
    let of_key = DomainName::of_key(&key(1).public());
    let two = vec![link_key(100), LinkKey { not_before_ms: NOW + 1000 * HOUR, not_after_ms: NOW + 2000 * HOUR, ..link_key(101) }];
    let from_to =
        |n, from: i64, to: i64| LinkKey { not_before_ms: NOW + from * HOUR, not_after_ms: NOW + to * HOUR, ..link_key(n) };
    let chained = vec![from_to(100, 0, 100), from_to(101, 50, 150), from_to(102, 100, 200)];
    let vector = |about: &str, root: u8, draft: CharterDraft| {
        let charter = sign_charter(&key(root), draft).unwrap();
        json!({ "about": about, "bytes": hex(charter.bytes()), "says": super::said(&charter) })
    };
    json!([
        vector("a DNS name, its first root key", 1, draft(&example(), 1)),
        vector("a key name", 1, draft(&of_key, 1)),
        vector("a third link key begins when the first ends", 1, CharterDraft { link_keys: chained, ..draft(&example(), 2) }),
        vector("two link keys that overlap", 1, CharterDraft { link_keys: two, ..draft(&example(), 2) }),
        vector("two steps", 3, followed(&example())),
        vector("a key name after two steps", 3, followed(&of_key)),
        vector("recovered, with a new recovery key", 2, recovered(&of_key)),
        vector("gone, without link keys", 1, CharterDraft { gone: true, link_keys: Vec::new(), ..draft(&example(), 9) }),
    ])
}

fn bad_charters() -> Value {
    let of_key = DomainName::of_key(&key(1).public());
    let good = opened(&sign_charter(&key(1), draft(&example(), 1)).unwrap());
    let vector = |about: &str, error: &str, bytes: Vec<u8>| json!({ "about": about, "error": error, "bytes": hex(&bytes) });
    let with = |about: &str, error: &str, root: u8, change: &dyn Fn(&mut Charter)| {
        let mut charter = good.clone();
        change(&mut charter);
        vector(about, error, raw_charter(&key(root), &charter))
    };
    let lined = |about: &str, error: &str, base: CharterDraft, root: u8, change: &dyn Fn(&mut Charter)| {
        let mut charter = opened(&sign_charter(&key(root), base).unwrap());
        change(&mut charter);
        vector(about, error, raw_charter(&key(root), &charter))
    };
    let set_keys = |keys: Vec<LinkKey>| move |c: &mut Charter| c.link_keys.clone_from(&keys);
    let stranger = {
        // A stranger's own recovery key, named by the stranger: the first root key never named it.
        let theirs = sign_charter(&key(6), draft(&of_key_of(6), 1)).unwrap();
        let mut step = recovery_step(&theirs, &key(200), &key(6).public()).unwrap();
        step.from = key(1).public().to_vec().into();
        let mut charter = opened(&theirs);
        charter.domain = of_key.as_str().to_owned();
        charter.line = vec![step];
        charter.recovery_commitment =
            key(6).sign(Purpose::Succession, &tagged(2, &[&charter.recovery_hash, of_key.as_str().as_bytes()])).to_vec().into();
        charter
    };
    vec![
        vector("no protobuf", "malformed", vec![0xff; 8]),
        vector("nothing", "malformed", Vec::new()),
        vector("signed by another key", "bad-signature", raw_charter(&key(2), &good)),
        with("a domain in capitals", "malformed", 1, &|c| c.domain = "Example.org".into()),
        with("a domain of one label", "malformed", 1, &|c| c.domain = "localhost".into()),
        with("a recovery hash of 31 bytes", "malformed", 1, &|c| c.recovery_hash.truncate(31)),
        with("no recovery commitment", "bad-signature", 1, &|c| c.recovery_commitment.clear()),
        with("a commitment to another recovery key", "bad-signature", 1, &|c| {
            c.recovery_hash = recovery_hash(&key(201).public()).to_vec().into()
        }),
        with("a commitment for another domain", "bad-signature", 1, &|c| c.domain = "example.net".into()),
        with("a link key for 90 days and a millisecond", "bad-value", 1, &|c| c.link_keys[0].not_after_ms += 1),
        with("a link key that ends as it begins", "bad-value", 1, &|c| {
            c.link_keys[0].not_after_ms = c.link_keys[0].not_before_ms
        }),
        with("the root key as link key", "bad-value", 1, &set_keys(vec![link_key(1)])),
        with("a link key twice", "bad-value", 1, &set_keys(vec![link_key(100), link_key(100)])),
        with("three link keys at once", "bad-value", 1, &set_keys((100..103).map(link_key).collect())),
        with("nine link keys", "too-many", 1, &set_keys((100..109).map(link_key).collect())),
        with("a link key of 33 bytes", "malformed", 1, &|c| c.link_keys[0].key = vec![1; 33].into()),
        lined("a step missing", "wrong-key", followed(&example()), 3, &|c| drop(c.line.remove(1))),
        lined("the first step missing: a line that begins later, under a key name", "wrong-key", followed(&of_key), 3, &|c| {
            drop(c.line.remove(0))
        }),
        lined("a step that another key signed", "bad-signature", followed(&example()), 3, &|c| {
            let other = c.line[1].signature.clone();
            c.line[0].signature = other;
        }),
        lined("a step made for another domain", "bad-signature", followed(&example()), 3, &|c| {
            c.line[0] = succession_step(&"example.net".parse().unwrap(), &key(1), &key(2).public());
        }),
        lined("a line that returns to a key", "malformed", followed(&example()), 3, &|c| {
            c.line.truncate(1);
            c.line.push(succession_step(&example(), &key(2), &key(1).public()));
            c.line.push(succession_step(&example(), &key(1), &key(3).public()));
        }),
        lined("a recovery without the commitment of the lost key", "bad-signature", recovered(&of_key), 2, &|c| {
            c.line[0].commitment.clear()
        }),
        lined("a commitment in a step without recovery", "malformed", followed(&example()), 3, &|c| {
            c.line[0].commitment = vec![1].into()
        }),
        vector("a stranger recovers a key name with a recovery key of his own", "bad-signature", raw_charter(&key(6), &stranger)),
        with("a key name of another key", "wrong-key", 1, &|c| {
            let other = of_key_of(2);
            c.recovery_commitment =
                key(1).sign(Purpose::Succession, &tagged(2, &[&c.recovery_hash, other.as_str().as_bytes()])).to_vec().into();
            c.domain = other.as_str().to_owned();
        }),
    ]
    .into()
}

fn of_key_of(n: u8) -> DomainName {
    DomainName::of_key(&key(n).public())
}

fn charter() -> VerifiedCharter {
    sign_charter(&key(1), draft(&example(), 1)).unwrap()
}

/// What clients are told, as a vector says it.
pub fn navigation(n: &Navigation) -> Value {
    json!({
        "features": n.features, "file_bytes_max": n.file_bytes_max, "message_bytes_max": n.message_bytes_max,
        "group_members_max": n.group_members_max, "colour": n.colour, "icon_hash": hex(&n.icon_hash),
        "trial_account_days": n.trial.map_or(0, |t| t.account_days),
    })
}

fn told_to_clients() -> Navigation {
    Navigation {
        features: vec!["direct".into(), "groups".into()],
        file_bytes_max: 209_715_200,
        message_bytes_max: 131_072,
        group_members_max: 10_000,
        colour: "#4f46e5".into(),
        icon_hash: vec![9; 32].into(),
        trial: Some(Trial { account_days: 30 }),
    }
}

fn good_records() -> Value {
    let full = Endpoint { host: "2001:db8:0:0:0:0:0:1".into(), port: 1 };
    let vector = |about: &str, now_ms: i64, draft: RecordDraft| {
        let record = sign_record(&key(100), &charter(), draft, NOW).unwrap();
        let endpoints: Vec<Value> = record.endpoints().iter().map(|e| json!({ "host": e.host, "port": e.port })).collect();
        json!({ "about": about, "now_ms": now_ms, "bytes": hex(record.bytes()), "says": {
            "domain": record.domain().as_str(), "endpoints": endpoints, "sequence": record.sequence(), "not_after_ms": record.not_after_ms(),
            "display_name": record.display_name(), "description": record.description(), "listed": record.listed(),
            "registration": record.registration().as_str(), "navigation": navigation(&record.navigation()),
        } })
    };
    json!([
        vector("an ordinary record", NOW, record_draft(7)),
        vector("an IPv6 address at full length", NOW, RecordDraft { endpoints: vec![full], ..record_draft(7) }),
        vector("with what clients are told", NOW, RecordDraft { navigation: Some(told_to_clients()), ..record_draft(7) }),
        vector("in its last millisecond", NOW + 24 * HOUR - 1, record_draft(7)),
        vector(
            "48 hours and the allowed difference of clocks ahead",
            NOW,
            RecordDraft { not_after_ms: NOW + 48 * HOUR + 5 * 60_000, ..record_draft(7) }
        ),
        vector(
            "the link key begins in five minutes",
            NOW - HOUR - 5 * 60_000,
            RecordDraft { not_after_ms: NOW + HOUR, ..record_draft(7) }
        ),
        vector(
            "without endpoints and words",
            NOW,
            RecordDraft {
                endpoints: Vec::new(),
                display_name: String::new(),
                description: String::new(),
                listed: false,
                registration: Registration::Closed,
                sign_in: Vec::new(),
                navigation: None,
                ..record_draft(1)
            }
        ),
    ])
}

fn bad_records() -> Value {
    let good = sign_record(&key(100), &charter(), record_draft(7), NOW).unwrap();
    let vector = |about: &str, error: &str, now_ms: i64, bytes: Vec<u8>| json!({ "about": about, "error": error, "now_ms": now_ms, "bytes": hex(&bytes) });
    let with = |about: &str, error: &str, change: &dyn Fn(&mut DomainRecord)| {
        let mut record = opened_record(&good);
        change(&mut record);
        vector(about, error, NOW, raw_record(&key(100), &record))
    };
    let host = |about: &str, host: &str, port: u32| {
        with(about, "malformed", &|r| r.endpoints = vec![Endpoint { host: host.into(), port }])
    };
    let mut forged = SignedRecord::decode(good.bytes().clone()).unwrap();
    forged.signature = forged.signature.iter().map(|b| b ^ 1).collect();
    vec![
        vector("nothing", "malformed", NOW, Vec::new()),
        vector("a wrong signature", "bad-signature", NOW, forged.encode_to_vec()),
        vector("signed by a key that is not in the charter", "wrong-key", NOW, raw_record(&key(101), &opened_record(&good))),
        vector("signed by the root key", "wrong-key", NOW, raw_record(&key(1), &opened_record(&good))),
        vector("its time is over", "expired", NOW + 24 * HOUR, good.bytes().to_vec()),
        vector("the link key's time is over", "expired", NOW - HOUR + LINK_KEY_VALID_MS_MAX, good.bytes().to_vec()),
        vector("the link key begins in more than five minutes", "expired", NOW - HOUR - 5 * 60_000 - 1, good.bytes().to_vec()),
        with("a colour that is a word", "malformed", &|r| {
            r.navigation = Some(Navigation { colour: "red".into(), ..told_to_clients() });
        }),
        with("an icon hash of 31 bytes", "malformed", &|r| {
            r.navigation = Some(Navigation { icon_hash: vec![9; 31].into(), ..told_to_clients() });
        }),
        with("65 features", "too-many", &|r| {
            r.navigation = Some(Navigation { features: vec!["groups".into(); 65], ..told_to_clients() });
        }),
        with("a trial of no days", "malformed", &|r| {
            r.navigation = Some(Navigation { trial: Some(Trial { account_days: 0 }), ..told_to_clients() });
        }),
        with("promises more than 48 hours", "bad-value", &|r| r.not_after_ms = NOW + 48 * HOUR + 5 * 60_000 + 1),
        with("a charter that does not verify", "bad-signature", &|r| {
            let mut charter = SignedCharter::decode(r.charter.clone()).unwrap();
            charter.signature = charter.signature.iter().map(|b| b ^ 1).collect();
            r.charter = charter.encode_to_vec().into();
        }),
        with("seventeen endpoints", "too-many", &|r| r.endpoints = vec![Endpoint { host: "a.example".into(), port: 1 }; 17]),
        with("a registration that does not exist", "malformed", &|r| r.registration = "maybe".into()),
        with("no registration", "malformed", &|r| r.registration.clear()),
        with("a display name of 65 characters", "malformed", &|r| r.display_name = "x".repeat(65)),
        with("a display name that turns text around", "malformed", &|r| r.display_name = "a\u{202e}b".into()),
        with("a description of two lines", "malformed", &|r| r.description = "a\nb".into()),
        with("a description of 513 bytes", "too-large", &|r| r.description = "x".repeat(513)),
        host("port 0", "a.example", 0),
        host("port 65536", "a.example", 65_536),
        host("a host in capitals", "A.example", 1),
        host("a key name as host", &format!("{}.startalk.alt", "a".repeat(26)), 1),
        host("an address of no host", "0.0.0.0", 1),
        host("a group's address", "ff02::1", 1),
        host("an address with a leading zero", "192.0.2.01", 1),
        host("an address with a zone", "fe80::1%eth0", 1),
        host("half an address", "192.0.2", 1),
        host("brackets", "[2001:db8::1]", 1),
        host("a URL", "https://a.example", 1),
        host("an empty host", "", 1),
    ]
    .into()
}

fn record_of(root: u8, draft: CharterDraft, sequence: u64) -> VerifiedRecord {
    sign_record(&key(100), &sign_charter(&key(root), draft).unwrap(), record_draft(sequence), NOW).unwrap()
}

fn pin_vector(about: &str, pinned: &Pinned, record: &VerifiedRecord, error: Option<&str>) -> Value {
    let mut vector = json!({
        "about": about, "now_ms": NOW, "record": hex(record.bytes()),
        "pinned": {
            "first_root_key": hex(&pinned.first_root_key), "root_key": hex(&pinned.root_key), "recovery_hash": hex(&pinned.recovery_hash),
            "charter_sequence": pinned.charter_sequence, "record_sequence": pinned.record_sequence,
        },
    });
    if let Some(error) = error {
        vector["error"] = error.into();
    }
    vector
}

fn good_pins() -> Value {
    let pinned = Pinned::of(&record_of(1, draft(&example(), 1), 7));
    let vector = |about: &str, record: VerifiedRecord| pin_vector(about, &pinned, &record, None);
    json!([
        vector("the same again", record_of(1, draft(&example(), 1), 7)),
        vector("a newer record", record_of(1, draft(&example(), 1), 8)),
        vector("a newer charter, with the sequence of the record unchanged", record_of(1, draft(&example(), 2), 7)),
        vector("two steps further", record_of(3, followed(&example()), 7)),
        vector("recovered with the recovery key that is pinned", record_of(2, recovered(&example()), 7)),
    ])
}

fn bad_pins() -> Value {
    let pinned = Pinned::of(&record_of(1, draft(&example(), 2), 7));
    let vector =
        |about: &str, error: &str, pinned: &Pinned, record: VerifiedRecord| pin_vector(about, pinned, &record, Some(error));
    let other_recovery =
        Pinned { recovery_hash: recovery_hash(&key(201).public()), ..Pinned::of(&record_of(1, draft(&example(), 1), 7)) };
    vec![
        vector("an older charter", "older-record", &pinned, record_of(1, draft(&example(), 1), 8)),
        vector("an older record", "older-record", &pinned, record_of(1, draft(&example(), 2), 6)),
        vector("another root key", "root-key-changed", &pinned, record_of(2, draft(&example(), 3), 8)),
        vector(
            "recovered with a recovery key that was replaced",
            "root-key-changed",
            &other_recovery,
            record_of(2, recovered(&example()), 8),
        ),
        vector(
            "another root key under the same sequence of the charter",
            "root-key-changed",
            &pinned,
            record_of(2, CharterDraft { sequence: 2, ..recovered(&example()) }, 8),
        ),
        vector(
            "a later root key under a lower sequence of the charter",
            "older-record",
            &Pinned { charter_sequence: 3, ..pinned.clone() },
            record_of(2, recovered(&example()), 8),
        ),
        vector(
            "back to the key before",
            "root-key-changed",
            &Pinned::of(&record_of(3, followed(&example()), 7)),
            record_of(1, draft(&example(), 4), 8),
        ),
    ]
    .into()
}
