//! Who is who: names, keys and records of all simulated domains, the same in every run.
//!
//! Owns made-up keys. Every domain is known to every other from the beginning, by configuration.

use std::sync::OnceLock;

use startalk_protocol::{
    DomainName,
    signing::SecretKey,
    trust::{CharterDraft, LinkKey, RecordDraft, Registration, VerifiedRecord, recovery_hash, sign_charter, sign_record},
};

/// Most nodes of one simulation.
pub const NODES_MAX: usize = 12;
/// The true time at the beginning.
pub const BEGIN_MS: u64 = 1_800_000_000_000;
const DAY_MS: i64 = 24 * 3600 * 1000;

/// The name of a node.
pub fn domain(place: usize) -> DomainName {
    format!("{}.example", char::from(b'a' + u8::try_from(place).expect("few nodes"))).parse().expect("a domain")
}

/// The node with this name.
pub fn place_of(domain: &DomainName) -> Option<usize> {
    let letter = *domain.as_str().as_bytes().first()?;
    domain.as_str().ends_with(".example").then(|| usize::from(letter.wrapping_sub(b'a')))
}

/// Its link key.
pub fn key(place: usize) -> SecretKey {
    SecretKey::from_seed([u8::try_from(place).expect("few nodes") + 1; 32])
}

/// Its record.
pub fn record(place: usize) -> VerifiedRecord {
    static RECORDS: OnceLock<Vec<VerifiedRecord>> = OnceLock::new();
    RECORDS.get_or_init(|| (0..NODES_MAX).map(make).collect())[place].clone()
}

fn make(place: usize) -> VerifiedRecord {
    let now_ms = i64::try_from(BEGIN_MS).expect("a time");
    let root = SecretKey::from_seed([u8::try_from(place).expect("few nodes") + 101; 32]);
    let (not_before_ms, not_after_ms) = (now_ms - 20 * DAY_MS, now_ms + 60 * DAY_MS);
    let charter = CharterDraft {
        domain: domain(place),
        line: Vec::new(),
        link_keys: vec![LinkKey { key: key(place).public().to_vec().into(), not_before_ms, not_after_ms }],
        recovery_hash: recovery_hash(&SecretKey::from_seed([99; 32]).public()),
        sequence: 1,
        gone: false,
    };
    let record = RecordDraft {
        endpoints: Vec::new(),
        sequence: 1,
        not_after_ms: now_ms + DAY_MS,
        display_name: String::new(),
        description: String::new(),
        listed: false,
        registration: Registration::Open,
        sign_in: Vec::new(),
        navigation: None,
    };
    let charter = sign_charter(&root, charter).expect("a charter");
    sign_record(&key(place), &charter, record, now_ms).expect("a record")
}

/// Link keys by domain.
pub fn keys() -> &'static [(DomainName, [u8; 32])] {
    static KEYS: OnceLock<Vec<(DomainName, [u8; 32])>> = OnceLock::new();
    KEYS.get_or_init(|| (0..NODES_MAX).map(|place| (domain(place), key(place).public())).collect())
}
