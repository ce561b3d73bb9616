//! The directory: which record each domain announced, and whether the name was proven.
//!
//! Pure: time is passed in, nothing is fetched. Owns the rule which announcement replaces which.
//! Invariant: no entry replaces a proven one that it does not follow; and nothing expired is ever answered.

use std::collections::BTreeMap;

use startalk_net::discovery::Proof;
use startalk_protocol::{
    Code, DomainName, Error,
    trust::{Pinned, VerifiedRecord, accepts},
};

use crate::limits::{DOMAINS_MAX, LISTED_MAX, PROOF_AGE_MS_MAX, RECORD_BYTES_TOTAL_MAX};

/// What is known of one domain.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The newest record.
    pub record: VerifiedRecord,
    /// What proved the name, and when.
    pub proof: Option<(Proof, i64)>,
    /// A record with another root key that came while this one was not proven.
    challenger: Option<VerifiedRecord>,
}

impl Entry {
    fn bytes(&self) -> usize {
        self.record.bytes().len() + self.challenger.as_ref().map_or(0, |c| c.bytes().len())
    }
}

/// What became of an announcement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is what the hub answers from now on.
    Accepted {
        /// A proof of the name should be looked for.
        look_for_proof: bool,
    },
    /// Another root key is answered for this name; which one is right will be looked up.
    Pending,
}

/// Records in memory.
#[derive(Debug, Default)]
pub struct Directory {
    entries: BTreeMap<DomainName, Entry>,
    bytes: usize,
}

impl Directory {
    /// Takes a verified record.
    ///
    /// # Errors
    /// `older-record`; `root-key-changed` if the name is proven for another key; `slow-down` if another challenger is
    /// being looked at; `too-many` if the hub is full.
    pub fn announce(&mut self, record: VerifiedRecord, now_ms: i64) -> Result<Taken, Error> {
        if self.entries.get(record.domain()).is_some_and(|e| e.record.not_after_ms() <= now_ms) {
            self.remove(&record.domain().clone());
        }
        let Some(entry) = self.entries.get(record.domain()) else { return self.insert(record, now_ms) };
        let mut entry = entry.clone();
        let taken = match accepts(&Pinned::of(&entry.record), &record) {
            Ok(()) => {
                entry.record = record;
                let look_for_proof =
                    entry.proof.is_none_or(|(proof, at)| proof != Proof::KeyName && now_ms - at >= PROOF_AGE_MS_MAX);
                Taken::Accepted { look_for_proof }
            }
            Err(e) if e.code == Code::RootKeyChanged && entry.proof.is_none() => {
                match &entry.challenger {
                    Some(other) if other.not_after_ms() > now_ms => {
                        accepts(&Pinned::of(other), &record).map_err(|_| Error::new(Code::SlowDown).with("seconds", 60))?;
                    }
                    _ => {}
                }
                entry.challenger = Some(record);
                Taken::Pending
            }
            Err(e) => return Err(e),
        };
        self.put(entry)?;
        Ok(taken)
    }

    fn insert(&mut self, record: VerifiedRecord, now_ms: i64) -> Result<Taken, Error> {
        if self.entries.len() >= DOMAINS_MAX {
            self.expire(now_ms);
        }
        if self.entries.len() >= DOMAINS_MAX {
            return Err(Error::new(Code::TooMany).with("what", "domains").with("max", DOMAINS_MAX));
        }
        // A key name proves itself, and its record was verified.
        let proof = record.domain().is_key_name().then_some((Proof::KeyName, now_ms));
        self.put(Entry { record, proof, challenger: None })?;
        Ok(Taken::Accepted { look_for_proof: proof.is_none() })
    }

    fn put(&mut self, entry: Entry) -> Result<(), Error> {
        let before = self.entries.get(entry.record.domain()).map_or(0, Entry::bytes);
        let after = self.bytes - before + entry.bytes();
        if after > RECORD_BYTES_TOTAL_MAX {
            return Err(Error::new(Code::TooMany).with("what", "bytes of records").with("max", RECORD_BYTES_TOTAL_MAX));
        }
        self.bytes = after;
        self.entries.insert(entry.record.domain().clone(), entry);
        Ok(())
    }

    fn remove(&mut self, domain: &DomainName) {
        if let Some(entry) = self.entries.remove(domain) {
            self.bytes -= entry.bytes();
        }
    }

    /// The records whose proof should be looked for: the challenger first.
    pub fn to_prove(&self, domain: &DomainName, now_ms: i64) -> Vec<VerifiedRecord> {
        let Some(entry) = self.entries.get(domain) else { return Vec::new() };
        let challenger = entry.challenger.iter().filter(|_| entry.proof.is_none());
        challenger.chain([&entry.record]).filter(|r| r.not_after_ms() > now_ms).cloned().collect()
    }

    /// `record` was proven to be its domain's: it, or what follows it, is answered and may be listed.
    pub fn proven(&mut self, record: &VerifiedRecord, proof: Proof, now_ms: i64) {
        let Some(mut entry) = self.entries.get(record.domain()).cloned() else { return };
        let challenger = entry.challenger.take();
        if entry.record.charter().root_key() != record.charter().root_key() {
            // Meanwhile another may have come; only the one that was looked at is proven.
            match challenger.filter(|c| c.charter().root_key() == record.charter().root_key()) {
                Some(challenger) => entry.record = challenger,
                None => return,
            }
        }
        entry.proof = Some((proof, now_ms));
        // Not larger than before: it kept one of its two records.
        let _ = self.put(entry);
    }

    /// The looks at `record` found no proof; `contradicted` if something said that it is another key.
    pub fn not_proven(&mut self, record: &VerifiedRecord, contradicted: bool) {
        let Some(mut entry) = self.entries.get(record.domain()).cloned() else { return };
        let root = record.charter().root_key();
        if entry.challenger.as_ref().is_some_and(|c| c.charter().root_key() == root) {
            entry.challenger = None;
        } else if contradicted && entry.record.charter().root_key() == root {
            // It may still be asked for by name, as a hint; it is not listed.
            entry.proof = None;
        }
        let _ = self.put(entry);
    }

    /// What is known of `domain` now.
    pub fn lookup(&self, domain: &DomainName, now_ms: i64) -> Option<&Entry> {
        self.entries.get(domain).filter(|e| e.record.not_after_ms() > now_ms)
    }

    /// The domains that asked to be public and are proven, whose name, address or description contains `search`; and how
    /// many there are.
    pub fn listed(&self, search: &str, now_ms: i64) -> (Vec<&Entry>, usize) {
        let wanted = search.to_lowercase();
        let found = |e: &&Entry| {
            let r = &e.record;
            let public = r.listed() && e.proof.is_some() && !r.charter().gone() && r.not_after_ms() > now_ms;
            let contains = |text: &str| text.to_lowercase().contains(&wanted);
            public
                && (wanted.is_empty()
                    || contains(r.display_name())
                    || contains(r.description())
                    || contains(r.domain().as_str())
                    || contains(&r.domain().shown()))
        };
        let all = self.entries.values().filter(found);
        let mut first = Vec::new();
        let mut count = 0;
        for entry in all {
            count += 1;
            if first.len() < LISTED_MAX {
                first.push(entry);
            }
        }
        (first, count)
    }

    /// Forgets what expired.
    pub fn expire(&mut self, now_ms: i64) {
        let gone: Vec<DomainName> =
            self.entries.values().filter(|e| e.record.not_after_ms() <= now_ms).map(|e| e.record.domain().clone()).collect();
        for domain in gone {
            self.remove(&domain);
        }
    }

    /// Domains kept, expired ones too until they are forgotten.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it knows nobody.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use startalk_protocol::{
        signing::SecretKey,
        trust::{CharterDraft, LinkKey, RecordDraft, Registration, recovery_hash, sign_charter, sign_record},
    };

    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const HOUR: i64 = 3_600_000;

    fn record(root: u8, sequence: u64) -> VerifiedRecord {
        let key = |n: u8| SecretKey::from_seed([n; 32]);
        let charter = CharterDraft {
            domain: "example.org".parse().unwrap(),
            line: Vec::new(),
            link_keys: vec![LinkKey {
                key: key(100).public().to_vec().into(),
                not_before_ms: NOW,
                not_after_ms: NOW + 24 * HOUR,
            }],
            recovery_hash: recovery_hash(&key(200).public()),
            sequence: 1,
            gone: false,
        };
        let draft = RecordDraft {
            endpoints: Vec::new(),
            sequence,
            not_after_ms: NOW + HOUR,
            display_name: "Example".into(),
            description: String::new(),
            listed: true,
            registration: Registration::Closed,
            sign_in: Vec::new(),
            navigation: None,
        };
        sign_record(&key(100), &sign_charter(&key(root), charter).unwrap(), draft, NOW).unwrap()
    }

    #[test]
    fn the_first_stays_until_another_is_proven() {
        let mut directory = Directory::default();
        let domain = "example.org".parse().unwrap();
        let root = |d: &Directory| d.lookup(&domain, NOW).unwrap().record.charter().root_key();
        assert_eq!(directory.announce(record(1, 1), NOW), Ok(Taken::Accepted { look_for_proof: true }));
        assert_eq!(directory.announce(record(2, 1), NOW), Ok(Taken::Pending));
        assert_eq!(directory.announce(record(3, 1), NOW).unwrap_err().code, Code::SlowDown, "one challenger at a time");
        assert_eq!(root(&directory), record(1, 1).charter().root_key());
        assert_eq!(directory.to_prove(&domain, NOW), [record(2, 1), record(1, 1)]);
        directory.not_proven(&record(2, 1), false);
        assert_eq!(directory.to_prove(&domain, NOW), [record(1, 1)]);
        directory.announce(record(3, 1), NOW).unwrap();
        directory.proven(&record(3, 1), Proof::WellKnown, NOW);
        assert_eq!(root(&directory), record(3, 1).charter().root_key());
        assert_eq!(directory.announce(record(1, 9), NOW).unwrap_err().code, Code::RootKeyChanged);
    }

    #[test]
    fn a_proof_is_kept_looked_at_again_and_lost() {
        let mut directory = Directory::default();
        directory.announce(record(1, 1), NOW).unwrap();
        assert_eq!(directory.listed("", NOW).1, 0);
        directory.proven(&record(1, 1), Proof::DnsSec, NOW - PROOF_AGE_MS_MAX + 1);
        assert_eq!(directory.listed("EXAMPLE", NOW).1, 1);
        assert_eq!(directory.announce(record(1, 2), NOW), Ok(Taken::Accepted { look_for_proof: false }));
        assert_eq!(directory.announce(record(1, 2), NOW + 1), Ok(Taken::Accepted { look_for_proof: true }));
        directory.not_proven(&record(1, 2), false);
        assert_eq!(directory.listed("", NOW).1, 1, "a silent network is no contradiction");
        directory.not_proven(&record(1, 2), true);
        assert_eq!(directory.listed("", NOW).1, 0);
    }

    #[test]
    fn what_expired_is_counted_no_more() {
        let mut directory = Directory::default();
        directory.announce(record(1, 1), NOW).unwrap();
        directory.announce(record(2, 1), NOW).unwrap();
        assert_eq!(directory.bytes, record(1, 1).bytes().len() + record(2, 1).bytes().len());
        directory.announce(record(1, 2), NOW).unwrap();
        directory.expire(NOW + HOUR);
        assert_eq!((directory.len(), directory.bytes), (0, 0));
    }
}
