//! What trust promises, and what it refuses; and mutations of valid bytes, which must never be accepted.

use super::*;
use crate::{
    DomainName,
    limits::{LINK_KEY_VALID_MS_MAX, RECORD_VALID_MS_MAX},
    signing::SecretKey,
};
use prost::Message;

const NOW: i64 = 1_800_000_000_000;
const HOUR: i64 = 3_600_000;

fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

fn link_key(n: u8) -> LinkKey {
    LinkKey { key: key(n).public().to_vec().into(), not_before_ms: NOW - HOUR, not_after_ms: NOW - HOUR + LINK_KEY_VALID_MS_MAX }
}

fn draft(domain: &str, sequence: u64) -> CharterDraft {
    CharterDraft {
        domain: domain.parse().unwrap(),
        line: Vec::new(),
        link_keys: vec![link_key(100)],
        recovery_hash: recovery_hash(&key(200).public()),
        sequence,
        gone: false,
    }
}

fn record_draft(sequence: u64) -> RecordDraft {
    RecordDraft {
        endpoints: vec![Endpoint { host: "node.example.org".into(), port: 443 }],
        sequence,
        not_after_ms: NOW + 24 * HOUR,
        display_name: "示例".into(),
        description: "An example.".into(),
        listed: true,
        registration: Registration::Open,
        sign_in: Vec::new(),
        navigation: None,
    }
}

fn record(root: &SecretKey, draft: CharterDraft, sequence: u64) -> VerifiedRecord {
    sign_record(&key(100), &sign_charter(root, draft).unwrap(), record_draft(sequence), NOW).unwrap()
}

fn code(result: Result<impl std::fmt::Debug, Error>) -> Code {
    result.expect_err("must be refused").code
}

#[test]
fn a_record_says_what_was_signed() {
    let record = record(&key(1), draft("example.org", 3), 9);
    assert_eq!(record.domain().as_str(), "example.org");
    assert_eq!((record.charter().sequence(), record.sequence()), (3, 9));
    assert_eq!(record.charter().root_key(), key(1).public());
    assert_eq!(record.charter().first_root_key(), key(1).public());
    assert_eq!(record.registration(), Registration::Open);
    assert!(record.charter().link_key_valid(&key(100).public(), NOW));
    assert!(!record.charter().link_key_valid(&key(100).public(), NOW - HOUR + LINK_KEY_VALID_MS_MAX));
    assert!(!record.charter().link_key_valid(&key(1).public(), NOW));
    assert_eq!(DomainRecord::decode_signed(record.bytes(), NOW).unwrap(), record);
}

#[test]
fn the_ways_to_sign_in_of_a_record_are_few_and_plain() {
    let way = |kind: &str, id: &str, shown: &str| SignInWay { kind: kind.into(), id: id.into(), display_name: shown.into() };
    let sign = |sign_in: Vec<SignInWay>| {
        let charter = sign_charter(&key(1), draft("example.org", 1)).unwrap();
        sign_record(&key(100), &charter, RecordDraft { sign_in, ..record_draft(1) }, NOW)
    };
    let good = vec![way("oidc", "acme", "公司帐号"), way("passkey", "", ""), way("later", "", "")];
    assert_eq!(sign(good.clone()).unwrap().sign_in(), good);
    assert_eq!(code(sign(vec![way("oidc", "a", "A"); 17])), Code::TooMany);
    for bad in [
        way("", "a", "A"),
        way("two words", "a", "A"),
        way("oidc", "a\n", "A"),
        way("oidc", &"a".repeat(65), "A"),
        way("oidc", "a", "A\u{202e}"),
        way("oidc", "a", &"A".repeat(65)),
    ] {
        assert_eq!(code(sign(vec![bad.clone()])), Code::Malformed, "{bad:?}");
    }
}

#[test]
fn what_a_record_tells_clients_is_bounded() {
    let sign = |navigation: Navigation| {
        let charter = sign_charter(&key(1), draft("example.org", 1)).unwrap();
        sign_record(&key(100), &charter, RecordDraft { navigation: Some(navigation), ..record_draft(1) }, NOW)
    };
    let good = Navigation {
        features: vec!["groups".into(), "later".into()],
        file_bytes_max: 1 << 20,
        message_bytes_max: 4096,
        group_members_max: 100,
        colour: "#1a2b3c".into(),
        icon_hash: vec![7; 32].into(),
        trial: Some(Trial { account_days: 30 }),
    };
    let record = sign(good.clone()).unwrap();
    assert_eq!(record.navigation(), good);
    let document = NavigationDocument::of(&record, Some("dnssec"));
    assert_eq!((document.sequence, document.trial), (1, Some(NavigationTrial { account_days: 30 })));
    assert_eq!(document.icon_hash, "07".repeat(32));
    assert_eq!(sign(Navigation::default()).unwrap().navigation(), Navigation::default());
    let refused = [
        (Navigation { features: vec!["a".into(); 65], ..good.clone() }, Code::TooMany),
        (Navigation { features: vec![String::new()], ..good.clone() }, Code::Malformed),
        (Navigation { features: vec!["two words".into()], ..good.clone() }, Code::Malformed),
        (Navigation { features: vec!["a".repeat(33)], ..good.clone() }, Code::Malformed),
        (Navigation { colour: "#1A2B3C".into(), ..good.clone() }, Code::Malformed),
        (Navigation { colour: "red".into(), ..good.clone() }, Code::Malformed),
        (Navigation { icon_hash: vec![7; 31].into(), ..good.clone() }, Code::Malformed),
        (Navigation { trial: Some(Trial { account_days: 0 }), ..good.clone() }, Code::Malformed),
        (Navigation { trial: Some(Trial { account_days: 36_601 }), ..good }, Code::Malformed),
    ];
    for (navigation, expected) in refused {
        assert_eq!(code(sign(navigation.clone())), expected, "{navigation:?}");
    }
}

#[test]
fn a_record_ends() {
    let record = record(&key(1), draft("example.org", 1), 1);
    assert!(DomainRecord::decode_signed(record.bytes(), NOW + 24 * HOUR - 1).is_ok());
    assert_eq!(code(DomainRecord::decode_signed(record.bytes(), NOW + 24 * HOUR)), Code::Expired);
    assert_eq!(code(DomainRecord::decode_signed(record.bytes(), NOW - 2 * HOUR)), Code::Expired, "link key not valid yet");
    let mut far = record_draft(1);
    far.not_after_ms = NOW + RECORD_VALID_MS_MAX + HOUR;
    let charter = sign_charter(&key(1), draft("example.org", 1)).unwrap();
    assert_eq!(code(sign_record(&key(100), &charter, far, NOW)), Code::BadValue);
}

#[test]
fn only_the_charters_link_keys_sign_records() {
    let charter = sign_charter(&key(1), draft("example.org", 1)).unwrap();
    assert_eq!(code(sign_record(&key(101), &charter, record_draft(1), NOW)), Code::WrongKey);
    let good = record(&key(1), draft("example.org", 1), 1);
    let mut signed = SignedRecord::decode(good.bytes().clone()).unwrap();
    signed.signature = signed.signature.iter().map(|b| b ^ 1).collect();
    assert_eq!(code(DomainRecord::decode_signed(&signed.encode_to_vec(), NOW)), Code::BadSignature);
}

#[test]
fn a_key_name_is_of_its_first_root_key() {
    let name = DomainName::of_key(&key(1).public());
    assert!(sign_charter(&key(1), draft(name.as_str(), 1)).is_ok());
    assert_eq!(code(sign_charter(&key(2), draft(name.as_str(), 1))), Code::WrongKey);
    let mut moved = draft(name.as_str(), 2);
    moved.line = vec![succession_step(&name, &key(1), &key(2).public())];
    assert_eq!(sign_charter(&key(2), moved).unwrap().first_root_key(), key(1).public());
}

#[test]
fn a_stranger_cannot_recover_a_key_name() {
    let name = DomainName::of_key(&key(1).public());
    let theirs = sign_charter(&key(66), draft("evil.example", 1)).unwrap();
    let mut step = recovery_step(&theirs, &key(200), &key(66).public()).unwrap();
    step.from = key(1).public().to_vec().into();
    let mut charter = draft(name.as_str(), 2);
    charter.line = vec![step];
    assert_eq!(code(sign_charter(&key(66), charter)), Code::BadSignature);
}

#[test]
fn the_line_must_connect_and_be_signed() {
    let name: DomainName = "example.org".parse().unwrap();
    let with = |line| CharterDraft { line, ..draft("example.org", 2) };
    let step = |from: u8, to: u8| succession_step(&name, &key(from), &key(to).public());
    assert!(sign_charter(&key(3), with(vec![step(1, 2), step(2, 3)])).is_ok());
    assert_eq!(code(sign_charter(&key(3), with(vec![step(1, 2)]))), Code::WrongKey, "does not end at the signer");
    assert_eq!(code(sign_charter(&key(4), with(vec![step(1, 2), step(3, 4)]))), Code::WrongKey, "a gap");
    assert_eq!(code(sign_charter(&key(1), with(vec![step(1, 2), step(2, 1)]))), Code::Malformed, "a circle");
    let mut forged = step(1, 2);
    forged.signature = step(3, 2).signature;
    assert_eq!(code(sign_charter(&key(2), with(vec![forged]))), Code::BadSignature);
    let other: DomainName = "example.net".parse().unwrap();
    let elsewhere = succession_step(&other, &key(1), &key(2).public());
    assert_eq!(code(sign_charter(&key(2), with(vec![elsewhere]))), Code::BadSignature, "made for another domain");
}

#[test]
fn link_keys_are_limited() {
    let keys = |link_keys| code(sign_charter(&key(1), CharterDraft { link_keys, ..draft("example.org", 1) }));
    let long = LinkKey { not_after_ms: NOW + LINK_KEY_VALID_MS_MAX, ..link_key(100) };
    assert_eq!(keys(vec![long]), Code::BadValue);
    assert_eq!(keys(vec![link_key(100), link_key(100)]), Code::BadValue);
    assert_eq!(keys(vec![link_key(1)]), Code::BadValue, "the root key");
    assert_eq!(keys((100..103).map(link_key).collect()), Code::BadValue, "three at once");
    assert_eq!(keys((100..109).map(link_key).collect()), Code::TooMany);
    assert_eq!(keys(vec![LinkKey { not_before_ms: i64::MIN, ..link_key(100) }]), Code::BadValue);
}

#[test]
fn contents_are_limited() {
    let charter = sign_charter(&key(1), draft("example.org", 1)).unwrap();
    let check = |change: &dyn Fn(&mut RecordDraft), expected: Option<Code>| {
        let mut draft = record_draft(1);
        change(&mut draft);
        assert_eq!(sign_record(&key(100), &charter, draft, NOW).err().map(|e| e.code), expected);
    };
    let host = |host: &str, port| vec![Endpoint { host: host.into(), port }];
    check(&|d| d.endpoints = host("2001:db8::1", 1), None);
    check(&|d| d.endpoints = host("localhost", 65_535), None);
    check(&|d| d.endpoints = host("node.example.org", 0), Some(Code::Malformed));
    check(&|d| d.endpoints = host("node.example.org", 65_536), Some(Code::Malformed));
    check(&|d| d.endpoints = host("Node.example.org", 1), Some(Code::Malformed));
    check(&|d| d.endpoints = host("node/../x", 1), Some(Code::Malformed));
    check(&|d| d.endpoints = host("0.0.0.0", 1), Some(Code::Malformed));
    check(&|d| d.endpoints = host("1.2.3", 1), Some(Code::Malformed));
    check(&|d| d.endpoints = host("a.startalk.alt", 1), Some(Code::Malformed));
    check(&|d| d.endpoints = vec![Endpoint { host: "a.example".into(), port: 1 }; 17], Some(Code::TooMany));
    check(&|d| d.display_name = "x".repeat(65), Some(Code::Malformed));
    check(&|d| d.display_name = "a\u{202e}b".into(), Some(Code::Malformed));
    check(&|d| d.description = "x".repeat(513), Some(Code::TooLarge));
    assert_eq!(code(DomainRecord::decode_signed(&vec![0; 16 * 1024 + 1], NOW)), Code::TooLarge);
}

#[test]
fn what_is_pinned_never_goes_back() {
    let pinned = Pinned::of(&record(&key(1), draft("example.org", 5), 50));
    let accept = |charter, sequence| accepts(&pinned, &record(&key(1), draft("example.org", charter), sequence));
    assert!(accept(5, 50).is_ok());
    assert!(accept(6, 51).is_ok());
    assert_eq!(code(accept(4, 51)), Code::OlderRecord);
    assert_eq!(code(accept(5, 49)), Code::OlderRecord);
}

#[test]
fn a_root_key_changes_only_with_proof() {
    let name: DomainName = "example.org".parse().unwrap();
    let first = record(&key(1), draft("example.org", 5), 50);
    let pinned = Pinned::of(&first);
    assert_eq!(code(accepts(&pinned, &record(&key(2), draft("example.org", 6), 51))), Code::RootKeyChanged);

    let followed = CharterDraft { line: vec![succession_step(&name, &key(1), &key(2).public())], ..draft("example.org", 6) };
    let second = record(&key(2), followed.clone(), 51);
    assert!(accepts(&pinned, &second).is_ok());
    assert_eq!(code(accepts(&Pinned::of(&second), &first)), Code::RootKeyChanged, "never back");
    let same_number = record(&key(2), CharterDraft { sequence: 5, ..followed }, 51);
    assert_eq!(code(accepts(&pinned, &same_number)), Code::RootKeyChanged);

    let step = recovery_step(first.charter(), &key(200), &key(3).public()).unwrap();
    let recovered = record(&key(3), CharterDraft { line: vec![step], ..draft("example.org", 6) }, 51);
    assert!(accepts(&pinned, &recovered).is_ok());
    let replaced = Pinned { recovery_hash: recovery_hash(&key(201).public()), ..pinned };
    assert_eq!(code(accepts(&replaced, &recovered)), Code::RootKeyChanged, "an old recovery key is worth nothing");
    assert_eq!(code(recovery_step(first.charter(), &key(201), &key(3).public())), Code::WrongKey);
}

#[test]
fn fingerprints_are_read_in_both_spellings() {
    let key = key(1).public();
    let short = Fingerprint::of_key(&key);
    assert!(format!("{short}.startalk.alt").parse::<DomainName>().unwrap() == DomainName::of_key(&key));
    let long: Fingerprint = blake3::hash(&key).to_hex().to_uppercase().parse().unwrap();
    assert!(short.matches(&key) && long.matches(&key) && !short.matches(&[0; 32]) && !long.matches(&[0; 32]));
    for bad in ["", "abc", "0000000000000000000000000a", &"g".repeat(64)] {
        assert!(bad.parse::<Fingerprint>().is_err(), "{bad}");
    }
}

/// SplitMix64: seeded, so that a failure can be repeated.
struct Random(u64);
impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }
}

#[test]
fn no_mutation_of_valid_bytes_panics_or_says_something_else() {
    let name = DomainName::of_key(&key(1).public());
    let before = sign_charter(&key(1), draft(name.as_str(), 1)).unwrap();
    let line =
        vec![recovery_step(&before, &key(200), &key(2).public()).unwrap(), succession_step(&name, &key(2), &key(3).public())];
    let good = record(&key(3), CharterDraft { line, ..draft(name.as_str(), 7) }, 8);
    for seed in 0..8_000 {
        let mut random = Random(seed);
        let of_charter = seed % 4 == 0;
        let mut bytes = if of_charter { good.charter().bytes().to_vec() } else { good.bytes().to_vec() };
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len());
            match random.below(4) {
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes[at] = random.next().to_le_bytes()[0],
                2 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, random.next().to_le_bytes()[0]),
            }
        }
        check(&bytes);
        if let (true, Ok(other)) = (of_charter, Charter::decode_signed(&bytes)) {
            let (a, b) = (
                SignedCharter::decode(other.bytes().clone()).unwrap(),
                SignedCharter::decode(good.charter().bytes().clone()).unwrap(),
            );
            assert_eq!(a.charter, b.charter, "seed {seed}: what was signed is what is said");
        }
        if let Ok(other) = DomainRecord::decode_signed(&bytes, NOW) {
            assert_eq!(other.charter().bytes(), good.charter().bytes(), "seed {seed}");
            let (a, b) =
                (SignedRecord::decode(other.bytes().clone()).unwrap(), SignedRecord::decode(good.bytes().clone()).unwrap());
            assert_eq!(a.record, b.record, "seed {seed}: what was signed is what is said");
        }
    }
}
