//! The domain: its keys, and the charters, records, hellos and batches that it signs, good ones and whatever is asked for.
//!
//! Signs anything. Bytes that signatures cover are put together here once more, from the specification, and not by the
//! code that nodes use.

use bytes::Bytes;
use prost::Message as _;
use rand::RngExt as _;
use startalk_link::{Position, batch::signed_bytes, item_hash};
use startalk_protocol::{
    DomainName,
    pb::{
        link::{self as pb, entry::Entry as WireKind},
        trust::{Charter, Endpoint, LinkKey, Record, SignedCharter, SignedRecord, Succession},
    },
    signing::{Purpose, SecretKey},
};

const HOUR_MS: i64 = 3_600_000;
/// First byte of what a step signs (chapter 2 §5).
const STEP: u8 = 1;
/// First byte of what a commitment signs.
const COMMITMENT: u8 = 2;

/// A key of whom nobody else knows.
pub fn key(number: u8) -> SecretKey {
    SecretKey::from_seed([number; 32])
}

/// A key that was never there before.
pub fn new_key() -> SecretKey {
    SecretKey::from_seed(random())
}

/// Bytes that were never there before.
#[expect(clippy::disallowed_methods, reason = "the edge: a stranger is new in every run, also to a node that remembers the last")]
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::rng().fill(&mut bytes[..]);
    bytes
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the edge: records are signed for now")]
pub fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// A domain with a key name, and how far it has come with the node.
#[derive(Clone)]
pub struct Mallory {
    /// Its name.
    pub domain: DomainName,
    /// Signs its charter.
    pub root: SecretKey,
    /// Signs its records and batches, and stands in its certificate.
    pub link: SecretKey,
    /// Named in its charter.
    pub recovery: SecretKey,
    /// Made when the process started, as it says.
    pub instance: [u8; 16],
    /// Where its outbox to the node ends.
    pub sent: Position,
    /// What it says to have of the node's.
    pub received: Option<Position>,
    /// Where it says to be.
    pub endpoints: Vec<Endpoint>,
}

impl Mallory {
    /// The domain with this number: the same in every run.
    pub fn new(number: u8) -> Self {
        Self::of(key(number), key(number.wrapping_add(100)), [number; 16])
    }

    /// A domain that nobody has ever heard of.
    pub fn stranger() -> Self {
        Self::of(new_key(), new_key(), random())
    }

    fn of(root: SecretKey, link: SecretKey, epoch: [u8; 16]) -> Self {
        Self {
            domain: DomainName::of_key(&root.public()),
            root,
            link,
            recovery: key(250),
            instance: [9; 16],
            sent: Position::start(epoch),
            received: None,
            endpoints: vec![Endpoint { host: "127.0.0.1".to_owned(), port: 9 }],
        }
    }

    /// A link key, valid from an hour ago for a day.
    pub fn link_key(key: &SecretKey) -> LinkKey {
        let now = now_ms();
        LinkKey { key: public(key), not_before_ms: now - HOUR_MS, not_after_ms: now + 24 * HOUR_MS }
    }

    /// Its true charter, not signed yet.
    pub fn charter(&self) -> Charter {
        let mut charter = Charter {
            domain: self.domain.to_string(),
            root_key: public(&self.root),
            link_keys: vec![Self::link_key(&self.link)],
            sequence: 1,
            ..Charter::default()
        };
        self.commit(&mut charter);
        charter
    }

    /// Names the recovery key in a charter, with the commitment.
    pub fn commit(&self, charter: &mut Charter) {
        let hash = *blake3::hash(&self.recovery.public()).as_bytes();
        charter.recovery_hash = hash.to_vec().into();
        let bytes = [&[COMMITMENT][..], &hash, self.domain.as_str().as_bytes()].concat();
        charter.recovery_commitment = signature(&self.root, Purpose::Succession, &bytes);
    }

    /// A charter, signed by a root key.
    pub fn sign_charter(root: &SecretKey, charter: &Charter) -> Bytes {
        let charter = charter.encode_to_vec();
        let signature = signature(root, Purpose::Charter, &charter);
        SignedCharter { charter: charter.into(), signature }.encode_to_vec().into()
    }

    /// A record with this charter, not signed yet. Its sequence is the time.
    pub fn record_of(&self, signed_charter: Bytes) -> Record {
        let now = now_ms();
        Record {
            charter: signed_charter,
            endpoints: self.endpoints.clone(),
            sequence: now.unsigned_abs(),
            not_after_ms: now + HOUR_MS,
            display_name: "Mallory".to_owned(),
            registration: "closed".to_owned(),
            sign_in: Vec::new(),
            ..Record::default()
        }
    }

    /// A record, signed by a link key.
    pub fn sign_record(link: &SecretKey, record: &Record) -> Bytes {
        let record = record.encode_to_vec();
        let signature = signature(link, Purpose::Record, &record);
        SignedRecord { record: record.into(), link_key: public(link), signature }.encode_to_vec().into()
    }

    /// Its true record, with this sequence.
    pub fn record(&self, sequence: u64) -> Bytes {
        self.record_with(|_| {}, |record| record.sequence = sequence)
    }

    /// Its true record of now.
    pub fn record_now(&self) -> Bytes {
        self.record_with(|_| {}, |_| {})
    }

    /// A record in which charter and record were changed before they were signed, with its own keys.
    pub fn record_with(&self, change: impl FnOnce(&mut Charter), change_record: impl FnOnce(&mut Record)) -> Bytes {
        let mut charter = self.charter();
        change(&mut charter);
        let mut record = self.record_of(Self::sign_charter(&self.root, &charter));
        change_record(&mut record);
        Self::sign_record(&self.link, &record)
    }

    /// A record with this sequence and a charter that was changed, signed by one of its link keys.
    pub fn record_by(&self, link: &SecretKey, change: impl FnOnce(&mut Charter), sequence: u64) -> Bytes {
        let mut charter = self.charter();
        change(&mut charter);
        let record = Record { sequence, ..self.record_of(Self::sign_charter(&self.root, &charter)) };
        Self::sign_record(link, &record)
    }

    /// A step from one root key to another, as the root key makes it.
    pub fn step(&self, from: &SecretKey, to: &SecretKey) -> Succession {
        let signature = signature(from, Purpose::Succession, &self.step_bytes(from, to));
        Succession { from: public(from), to: public(to), signature, ..Succession::default() }
    }

    /// A step as the recovery key makes it; `commitment` is that of the charter that stood before.
    pub fn recovery_step(&self, from: &SecretKey, to: &SecretKey, recovery: &SecretKey, commitment: Bytes) -> Succession {
        let signature = signature(recovery, Purpose::Succession, &self.step_bytes(from, to));
        Succession { from: public(from), to: public(to), signature, recovery: public(recovery), commitment }
    }

    fn step_bytes(&self, from: &SecretKey, to: &SecretKey) -> Vec<u8> {
        [&[STEP][..], &from.public(), &to.public(), self.domain.as_str().as_bytes()].concat()
    }

    /// A hello of its own, with everything as it should be.
    pub fn hello(&self, to: &DomainName, record: Bytes) -> pb::Hello {
        pb::Hello {
            version_min: 1,
            version_max: 1,
            from: self.domain.to_string(),
            to: to.to_string(),
            record,
            instance: self.instance.to_vec().into(),
            features: Vec::new(),
            sent: Some(position(&self.sent)),
            received: self.received.as_ref().map(position),
            ..pb::Hello::default()
        }
    }

    /// A batch of items as it should be.
    pub fn batch(&self, to: &DomainName, first: u64, items: &[Bytes]) -> pb::Batch {
        self.batch_of(to, first, items.iter().cloned().map(WireKind::Item).collect())
    }

    /// A batch of entries as it should be.
    pub fn batch_of(&self, to: &DomainName, first: u64, entries: Vec<WireKind>) -> pb::Batch {
        let hashes: Vec<[u8; 32]> = entries.iter().map(hash_of).collect();
        let signed = signed_bytes(&self.domain, to, &self.sent.epoch, first, &hashes);
        pb::Batch {
            epoch: self.sent.epoch.to_vec().into(),
            first_sequence: first,
            entries: entries.into_iter().map(|entry| pb::Entry { entry: Some(entry) }).collect(),
            link_key: public(&self.link),
            signature: signature(&self.link, Purpose::LinkBatch, &signed),
            ..pb::Batch::default()
        }
    }

    /// From now on it says to have one more item in its outbox.
    pub fn wrote(&mut self, item: &[u8]) {
        self.sent = self.sent.after(&item_hash(item));
    }

    /// It begins a new epoch, as after a restore.
    pub fn begin_epoch(&mut self) {
        self.sent = Position::start(random());
    }
}

/// The hash that an entry counts with.
pub fn hash_of(entry: &WireKind) -> [u8; 32] {
    match entry {
        WireKind::Item(item) => item_hash(item),
        WireKind::Withheld(hash) => hash.as_ref().try_into().unwrap_or([0; 32]),
    }
}

/// A position as it travels.
pub fn position(position: &Position) -> pb::StreamPosition {
    pb::StreamPosition {
        epoch: position.epoch.to_vec().into(),
        sequence: position.sequence,
        running: position.running.to_vec().into(),
    }
}

/// The BLAKE3 of a key: a fingerprint of it at full length.
pub fn hash(key: &[u8; 32]) -> [u8; 32] {
    *blake3::hash(key).as_bytes()
}

/// The public half, as messages carry it.
pub fn public(key: &SecretKey) -> Bytes {
    key.public().to_vec().into()
}

/// A signature, as messages carry it.
pub fn signature(key: &SecretKey, purpose: Purpose, bytes: &[u8]) -> Bytes {
    key.sign(purpose, bytes).to_vec().into()
}
