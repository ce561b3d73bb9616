//! The domain's keys: made at first start, kept in `keys/` (0600), never shipped, never logged.
//!
//! `root.key` signs charters only and may be taken away (kept offline); `link.<n>.key` sign records and batches and are
//! replaced well before their 90 days; `node.secret` seals devices' cursors; `web.pem` is the self-made certificate;
//! `vapid.key` shows the domain to push services (`push.rs`).
//! The recovery key exists on paper alone: only its hash is kept.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use data_encoding::BASE32_NOPAD;
use parking_lot::RwLock;
use startalk_net::LinkCertificate;
use startalk_protocol::{
    DomainName, Error,
    limits::{LINK_KEY_VALID_MS_MAX, RECORD_VALID_MS_MAX},
    pb::trust::{Endpoint, LinkKey},
    signing::SecretKey,
    trust::{
        Charter, CharterDraft, Navigation, RecordDraft, SignInWay, VerifiedCharter, VerifiedRecord, recovery_hash, sign_charter,
        sign_record,
    },
};

use tokio::sync::{Notify, watch};

use crate::{
    clock,
    folder::{Folder, FolderError, io_error, write_file},
};

/// A link key is replaced when it has less than this left: 30 days.
const LINK_KEY_LEFT_MS_MIN: i64 = 30 * 24 * 3600 * 1000;
/// How long a record promises; it is signed anew every 12 hours.
const RECORD_VALID_MS: i64 = RECORD_VALID_MS_MAX - 3600 * 1000;

/// What the first start tells once.
pub struct FirstStart {
    /// To be kept on paper.
    pub recovery_key: String,
}

/// The keys of a domain.
pub struct Keys {
    folder: PathBuf,
    root: Option<SecretKey>,
    /// The key that seals devices' cursors.
    pub cursor_secret: [u8; 32],
    /// The first root key's public half.
    pub first_root: [u8; 32],
}

impl Keys {
    /// Reads the keys, or makes them at the first start.
    ///
    /// # Errors
    /// The folder's.
    pub fn open(folder: &Folder) -> Result<(Self, Option<FirstStart>), FolderError> {
        let keys = folder.keys();
        let root_path = keys.join("root.key");
        let public_path = keys.join("root.pub");
        if public_path.exists() {
            return Ok((Self::reopen(folder.root())?, None));
        }
        let root = SecretKey::from_seed(clock::random());
        let recovery = SecretKey::from_seed(clock::random());
        let cursor_secret = clock::random();
        write_file(&keys.join("node.secret"), &cursor_secret)?;
        write_file(&keys.join("recovery.hash"), &recovery_hash(&recovery.public()))?;
        write_file(&root_path, &root.seed())?;
        write_file(&public_path, &root.public())?; // last: its presence says that the keys are complete
        let first = FirstStart { recovery_key: in_groups(&recovery.seed()) };
        Ok((Self { folder: keys, cursor_secret, first_root: root.public(), root: Some(root) }, Some(first)))
    }

    /// Reads the keys of a folder that this process has open already.
    ///
    /// # Errors
    /// The disk's.
    pub fn reopen(root: &Path) -> Result<Self, FolderError> {
        let keys = root.join("keys");
        let root_path = keys.join("root.key");
        let root = if root_path.exists() { Some(SecretKey::from_seed(read_32(&root_path)?)) } else { None };
        Ok(Self {
            cursor_secret: read_32(&keys.join("node.secret"))?,
            first_root: read_32(&keys.join("root.pub"))?,
            root,
            folder: keys,
        })
    }

    /// Whether the root key is in the folder, and charters can be signed.
    pub fn has_root(&self) -> bool {
        self.root.is_some()
    }

    /// The charter to use now: the one in the journal, or a new one if a link key has to be replaced (or there is
    /// none). With `replace`, a new link key is made in any case. The second value says whether it is new.
    ///
    /// # Errors
    /// If the root key is needed and not here, or the disk's.
    pub fn charter(
        &self,
        domain: &DomainName,
        known: &[u8],
        replace: bool,
    ) -> anyhow::Result<(VerifiedCharter, SecretKey, bool)> {
        let now = clock::now_ms_signed();
        let known = if known.is_empty() { None } else { Some(Charter::decode_signed(known)?) };
        if let Some(charter) = &known {
            let newest = charter.link_keys().iter().max_by_key(|k| k.not_after_ms);
            if let Some(newest) =
                newest.filter(|k| !replace && (k.not_after_ms - now > LINK_KEY_LEFT_MS_MIN || self.root.is_none()))
                && let Some(secret) = self.link_secret(&newest.key)?
            {
                return Ok((charter.clone(), secret, false));
            }
        }
        let Some(root) = &self.root else {
            anyhow::bail!(
                "keys/root.key is not here, and a new link key has to be signed with it / 需要用 keys/root.key 签署新的链路密钥，但它不在这里"
            );
        };
        let link = SecretKey::from_seed(clock::random());
        let mut link_keys: Vec<LinkKey> = known
            .iter()
            .flat_map(|c| c.link_keys())
            .filter(|k| k.not_after_ms > now)
            .map(|k| LinkKey { key: k.key.to_vec().into(), not_before_ms: k.not_before_ms, not_after_ms: k.not_after_ms })
            .collect();
        link_keys.sort_by_key(|k| std::cmp::Reverse(k.not_after_ms));
        link_keys.truncate(1); // with the new one two are valid at once, and no more may be
        // An hour back, for clocks that are a little behind.
        let not_before_ms = now - 3_600_000;
        let not_after_ms = not_before_ms + LINK_KEY_VALID_MS_MAX;
        link_keys.push(LinkKey { key: link.public().to_vec().into(), not_before_ms, not_after_ms });
        let draft = CharterDraft {
            domain: domain.clone(),
            line: known.as_ref().map(|c| c.line().to_vec()).unwrap_or_default(),
            link_keys,
            recovery_hash: read_32(&self.folder.join("recovery.hash"))?,
            // The time, as with records: a restored backup does not fall behind what others have seen.
            sequence: clock::now_ms().max(known.as_ref().map_or(0, |c| c.sequence() + 1)),
            gone: false,
        };
        let charter = sign_charter(root, draft)?;
        write_file(&self.link_path(&link.public()), &link.seed())?;
        Ok((charter, link, true))
    }

    fn link_path(&self, public: &[u8; 32]) -> PathBuf {
        self.folder.join(format!("link.{}.key", &BASE32_NOPAD.encode(public).to_ascii_lowercase()[..16]))
    }

    fn link_secret(&self, public: &[u8; 32]) -> Result<Option<SecretKey>, FolderError> {
        let path = self.link_path(public);
        if !path.exists() {
            return Ok(None);
        }
        let secret = SecretKey::from_seed(read_32(&path)?);
        Ok((secret.public() == *public).then_some(secret))
    }

    /// The root key as text, to be kept offline; read without the folder's lock.
    ///
    /// # Errors
    /// If it is not in the folder.
    pub fn read_root(folder: &Path) -> Result<String, FolderError> {
        Ok(in_groups(&read_32(&folder.join("keys/root.key"))?))
    }
}

/// What a domain shows of itself at the moment: its link key and its signed record. Shared, replaced while running.
#[derive(Clone)]
pub struct Identity {
    shown: Arc<RwLock<Shown>>,
    records: watch::Sender<Bytes>,
    wanted: Arc<Notify>,
}

#[derive(Clone)]
struct Shown {
    link: SecretKey,
    certificate: LinkCertificate,
    charter: VerifiedCharter,
    record: VerifiedRecord,
}

/// What a record says besides keys.
#[derive(Clone, Debug)]
pub struct Shows {
    /// Where to connect, best first.
    pub endpoints: Vec<Endpoint>,
    /// For people.
    pub display_name: String,
    /// Asks hubs to list it.
    pub listed: bool,
    /// Who may register.
    pub registration: startalk_protocol::trust::Registration,
    /// How people sign in besides a password.
    pub sign_in: Arc<[SignInWay]>,
    /// A line or two about the domain.
    pub description: String,
    /// What else clients are told.
    pub navigation: Navigation,
}

impl Identity {
    /// Signs the first record.
    ///
    /// # Errors
    /// If the charter and what is shown make no valid record.
    pub fn new(charter: VerifiedCharter, link: SecretKey, shows: &Shows) -> anyhow::Result<Self> {
        let record = signed(&charter, &link, shows)?;
        let certificate = LinkCertificate::new(&link)?;
        let records = watch::Sender::new(record.bytes().clone());
        let shown = Arc::new(RwLock::new(Shown { link, certificate, charter, record }));
        Ok(Self { shown, records, wanted: Arc::default() })
    }

    /// Signs a new record, with other keys if they are given.
    ///
    /// # Errors
    /// As [`Identity::new`].
    pub fn renew(&self, keys: Option<(VerifiedCharter, SecretKey)>, shows: &Shows) -> anyhow::Result<()> {
        let mut shown = self.shown.read().clone();
        if let Some((charter, link)) = keys {
            shown.certificate = LinkCertificate::new(&link)?;
            (shown.charter, shown.link) = (charter, link);
        }
        shown.record = signed(&shown.charter, &shown.link, shows)?;
        self.records.send_replace(shown.record.bytes().clone());
        *self.shown.write() = shown;
        Ok(())
    }

    /// Told when a new record is wanted.
    pub fn wanted(&self) -> Arc<Notify> {
        self.wanted.clone()
    }

    /// Every record from now on.
    pub fn records(&self) -> watch::Receiver<Bytes> {
        self.records.subscribe()
    }

    /// The link key.
    pub fn link_key(&self) -> SecretKey {
        self.shown.read().link.clone()
    }

    /// Its certificate.
    pub fn certificate(&self) -> LinkCertificate {
        self.shown.read().certificate.clone()
    }

    /// The record.
    pub fn record(&self) -> VerifiedRecord {
        self.shown.read().record.clone()
    }
}

fn signed(charter: &VerifiedCharter, link: &SecretKey, shows: &Shows) -> Result<VerifiedRecord, Error> {
    let now = clock::now_ms_signed();
    let draft = RecordDraft {
        endpoints: shows.endpoints.clone(),
        // The time: it grows, also over a restored backup.
        sequence: clock::now_ms(),
        not_after_ms: now + RECORD_VALID_MS,
        display_name: shows.display_name.clone(),
        description: shows.description.clone(),
        listed: shows.listed,
        registration: shows.registration,
        sign_in: shows.sign_in.to_vec(),
        navigation: Some(shows.navigation.clone()),
    };
    sign_record(link, charter, draft, now)
}

fn read_32(path: &Path) -> Result<[u8; 32], FolderError> {
    let bytes = fs::read(path).map_err(|e| io_error(path, e))?;
    bytes.try_into().map_err(|_| io_error(path, std::io::Error::other("expected 32 bytes")))
}

/// Base32 in groups of four, for paper.
fn in_groups(bytes: &[u8; 32]) -> String {
    let text = BASE32_NOPAD.encode(bytes);
    let groups: Vec<&str> = (0..text.len()).step_by(4).map(|i| &text[i..text.len().min(i + 4)]).collect();
    groups.join("-")
}
