//! A domain that is nothing but keys and a record: enough for a hub to forward to it.

use std::sync::Arc;

use anyhow::{Result, anyhow};
use bytes::Bytes;
use startalk_net::{CertResolver, LinkCertificate, ServerTls};
use startalk_protocol::{
    DomainName,
    signing::SecretKey,
    trust::{CharterDraft, LinkKey, RecordDraft, Registration, recovery_hash, sign_charter, sign_record},
};
use tokio::sync::watch;

use crate::clock;

const HOUR_MS: i64 = 3_600_000;

/// See the module.
pub struct Home {
    /// Its key name.
    pub domain: DomainName,
    /// What it shows.
    pub certificate: LinkCertificate,
    records: watch::Sender<Bytes>,
}

impl Home {
    /// The `number`th one.
    pub fn new(number: usize) -> Result<Self> {
        let key = |what: &str| SecretKey::from_seed(*blake3::hash(format!("{what} {number}").as_bytes()).as_bytes());
        let (root, link) = (key("root"), key("link"));
        let domain = DomainName::of_key(&root.public());
        let now_ms = clock::wall_ms();
        let keys = LinkKey {
            key: link.public().to_vec().into(),
            not_before_ms: now_ms - HOUR_MS,
            not_after_ms: now_ms + 80 * 24 * HOUR_MS,
        };
        let charter = CharterDraft {
            domain: domain.clone(),
            line: Vec::new(),
            link_keys: vec![keys],
            recovery_hash: recovery_hash(&key("recovery").public()),
            sequence: 1,
            gone: false,
        };
        let draft = RecordDraft {
            endpoints: Vec::new(),
            sequence: now_ms.unsigned_abs(),
            not_after_ms: now_ms + 24 * HOUR_MS,
            display_name: String::new(),
            description: String::new(),
            listed: false,
            registration: Registration::Closed,
            sign_in: Vec::new(),
            navigation: None,
        };
        let charter = sign_charter(&root, charter).map_err(|e| anyhow!("{e}"))?;
        let record = sign_record(&link, &charter, draft, now_ms).map_err(|e| anyhow!("{e}"))?;
        let (records, _) = watch::channel(record.bytes().clone());
        Ok(Self { domain, certificate: LinkCertificate::new(&link)?, records })
    }

    /// Its record, as long as this lives.
    pub fn records(&self) -> watch::Receiver<Bytes> {
        self.records.subscribe()
    }

    /// By which it is known.
    pub fn link_key(&self) -> [u8; 32] {
        self.certificate.key()
    }

    /// How it takes connections.
    pub fn tls(&self) -> Result<Arc<ServerTls>> {
        Ok(Arc::new(ServerTls::new(&CertResolver::new(Some(&self.certificate), None), false)?))
    }
}
