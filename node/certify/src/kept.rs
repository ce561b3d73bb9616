//! The three files: `acme-account.json` (the account's key, secret), `acme.pem` (chain and key, secret), and `acme.json` (for whom
//! and where it was asked, how it went last, when it goes on). The third may be lost: then it is asked again.

use std::path::PathBuf;

use instant_acme::AccountCredentials;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use startalk_net::WebCertificate;

use crate::{
    CertifyConfig, Write,
    failure::{Failure, Words},
};

/// How it stands, over restarts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Note {
    /// Of which authority the certificate is.
    pub(crate) certificate_of: String,
    /// Which authority was asked last; what follows is about it.
    pub(crate) directory: String,
    /// When it was tried last.
    pub(crate) tried_ms: Option<i64>,
    /// In a row, up to now.
    pub(crate) failures: u32,
    /// Why.
    pub(crate) trouble: Option<Words>,
    /// When it is tried again.
    pub(crate) next_ms: Option<i64>,
    /// The authority itself said when.
    pub(crate) told: bool,
}

/// Where they are.
pub(crate) struct Kept {
    folder: PathBuf,
    write: Write,
}

impl Kept {
    pub(crate) fn new(config: &CertifyConfig) -> Self {
        Self { folder: config.folder.clone(), write: config.write.clone() }
    }

    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        (self.write)(&self.folder.join(name), bytes).map_err(|e| Failure::Disk(e.to_string()))
    }

    /// The account at this authority.
    pub(crate) fn account(&self, directory: &str) -> Option<Value> {
        let bytes = std::fs::read(self.folder.join("acme-account.json")).ok()?;
        let known: Value = serde_json::from_slice(&bytes).ok()?;
        (known["directory"] == directory).then_some(known)
    }

    pub(crate) fn keep_account(&self, credentials: &AccountCredentials) -> Result<(), Failure> {
        let bytes = serde_json::to_vec(credentials).map_err(|e| Failure::Disk(e.to_string()))?;
        self.keep("acme-account.json", &bytes)
    }

    pub(crate) fn forget_account(&self) {
        // If it stays, the next attempt finds it unknown again, and says so.
        let _ = std::fs::remove_file(self.folder.join("acme-account.json"));
    }

    /// The certificate, if there is one that can be used.
    pub(crate) fn certificate(&self) -> Option<WebCertificate> {
        let pem = std::fs::read_to_string(self.folder.join("acme.pem")).ok()?;
        WebCertificate::from_pem(&pem, &pem).ok()
    }

    pub(crate) fn keep_certificate(&self, chain: &str, key: &str) -> Result<(), Failure> {
        self.keep("acme.pem", format!("{}\n{key}", chain.trim_end()).as_bytes())
    }

    pub(crate) fn note(&self) -> Note {
        let read = std::fs::read(self.folder.join("acme.json")).ok();
        read.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    pub(crate) fn keep_note(&self, note: &Note) -> Result<(), Failure> {
        let bytes = serde_json::to_vec_pretty(note).map_err(|e| Failure::Disk(e.to_string()))?;
        self.keep("acme.json", &bytes)
    }
}
