//! The domain trusted before: its pin, its last record, and where it was found.
//!
//! The record may have expired; the pin does not. Never decides anything.

use serde::{Deserialize, Serialize};
use startalk_protocol::trust::{Endpoint, Pinned, VerifiedRecord};

use super::hex;

/// What is kept of the domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownHome {
    /// Its name.
    pub domain: String,
    /// The SignedRecord accepted last.
    #[serde(with = "hex")]
    pub record: Vec<u8>,
    first_root_key: [u8; 32],
    root_key: [u8; 32],
    recovery_hash: [u8; 32],
    charter_sequence: u64,
    record_sequence: u64,
    endpoints: Vec<(String, u32)>,
}

impl KnownHome {
    /// What to keep after a connection to one of `endpoints` showed a key of `record`.
    pub fn of(record: &VerifiedRecord, endpoints: &[Endpoint]) -> Self {
        let pinned = Pinned::of(record);
        Self {
            domain: record.domain().to_string(),
            record: record.bytes().to_vec(),
            first_root_key: pinned.first_root_key,
            root_key: pinned.root_key,
            recovery_hash: pinned.recovery_hash,
            charter_sequence: pinned.charter_sequence,
            record_sequence: pinned.record_sequence,
            endpoints: endpoints.iter().map(|e| (e.host.clone(), e.port)).collect(),
        }
    }

    /// What a new record must follow.
    pub fn pinned(&self) -> Pinned {
        Pinned {
            first_root_key: self.first_root_key,
            root_key: self.root_key,
            recovery_hash: self.recovery_hash,
            charter_sequence: self.charter_sequence,
            record_sequence: self.record_sequence,
        }
    }

    /// Where it was found.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.endpoints.iter().map(|(host, port)| Endpoint { host: host.clone(), port: *port }).collect()
    }
}
