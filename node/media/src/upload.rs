//! Uploads that were begun: what they are, how far they have come, and when they end.
//!
//! Each is two files in `uploads/`: `<id>.part` with the bytes and `<id>.json` with what is known. Of an upload nobody writes to
//! only a few kilobytes are in memory. Invariant: an offset that was told never goes back while the machine runs; after a loss
//! of power it is what the last answered request had reached.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error};
use tokio::sync::{Notify, watch};

use crate::{
    Description, Inner, Media, Purpose, finish, keep,
    receive::Writer,
    store::{blocking, hex},
};

/// How long an upload lives, and what it became is told: a day.
pub const LIFE_MS: u64 = 24 * 3600 * 1000;
/// Uploads of an account that are not finished: an album, and some that were given up.
pub const UNFINISHED_MAX: usize = 64;
/// Uploads of an account that are told of, finished ones too.
pub const TOLD_MAX: usize = 4096;
/// Between two looks at what has expired.
const EXPIRE_EVERY: Duration = Duration::from_secs(600);
/// How long a question waits while copies are made.
const WAIT: Duration = Duration::from_secs(20);

/// What is to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUpload {
    /// Whose it is.
    pub account: u64,
    /// In bytes.
    pub size: u64,
    /// Fit to be shown.
    pub name: String,
    /// Which copies are made.
    pub purpose: Purpose,
}

/// What is kept of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Meta {
    pub account: u64,
    pub size: u64,
    pub name: String,
    pub purpose: Purpose,
    pub begun_ms: u64,
    /// Bytes that are synced.
    pub synced: u64,
    /// The machine's start during which that was written: until the next one the whole file can be believed.
    pub boot: String,
    pub ready: Option<Description>,
}

/// Where an upload stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Bytes are missing.
    Receiving,
    /// All are here; copies are being made.
    Working,
    /// The account holds it.
    Ready(Box<Description>),
    /// It did not become a file.
    Failed(Error),
}

/// One upload.
pub struct Upload {
    pub id: String,
    pub account: u64,
    pub size: u64,
    pub name: String,
    pub purpose: Purpose,
    pub begun_ms: u64,
    pub part: PathBuf,
    told: PathBuf,
    pub writer: Mutex<Writer>,
    /// As the writer has it; asked without waiting for the disk.
    offset: AtomicU64,
    /// Whose turn it is to write.
    pub turn: Arc<tokio::sync::Mutex<()>>,
    /// Counts who asked for the turn: who has it gives it up to the newest.
    pub asked: AtomicU64,
    pub newer: Notify,
    pub progress: watch::Sender<Progress>,
}

impl Upload {
    fn new(folder: &Path, id: String, meta: Meta, trusted: u64) -> Self {
        let progress = meta.ready.map_or(Progress::Receiving, |ready| Progress::Ready(Box::new(ready)));
        Self {
            part: folder.join(format!("{id}.part")),
            told: folder.join(format!("{id}.json")),
            id,
            account: meta.account,
            size: meta.size,
            name: meta.name,
            purpose: meta.purpose,
            begun_ms: meta.begun_ms,
            writer: Mutex::new(Writer::at(trusted)),
            offset: AtomicU64::new(trusted),
            turn: Arc::default(),
            asked: AtomicU64::new(0),
            newer: Notify::new(),
            progress: watch::Sender::new(progress),
        }
    }

    /// Bytes that are here.
    pub fn offset(&self) -> u64 {
        if self.is_finished() { self.size } else { self.offset.load(Ordering::Acquire) }
    }

    /// Bytes that are here now.
    pub(crate) fn reached(&self, offset: u64) {
        self.offset.store(offset, Ordering::Release);
    }

    /// When it ends, milliseconds since 1970.
    pub fn expires_ms(&self) -> u64 {
        self.begun_ms + LIFE_MS
    }

    fn is_finished(&self) -> bool {
        matches!(*self.progress.borrow(), Progress::Ready(_))
    }

    /// Writes down how far it has come, and what it became.
    pub fn keep(&self, synced: u64, ready: Option<Description>) -> io::Result<()> {
        let meta = Meta {
            account: self.account,
            size: self.size,
            name: self.name.clone(),
            purpose: self.purpose,
            begun_ms: self.begun_ms,
            synced,
            boot: boot(),
            ready,
        };
        keep::write(&self.told, &serde_json::to_vec(&meta)?)
    }

    fn delete(&self) -> io::Result<()> {
        keep::remove(&self.told)?;
        keep::remove(&self.part)
    }
}

/// Every upload that is known.
pub struct Uploads {
    pub folder: PathBuf,
    all: Mutex<HashMap<String, Arc<Upload>>>,
}

impl Uploads {
    /// What an earlier process left: unfinished uploads go on, the remains of others are removed.
    pub fn open(folder: &Path, now_ms: u64) -> io::Result<Self> {
        keep::make_folder(folder)?;
        let mut all = HashMap::new();
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let Some(id) = path.file_name().and_then(|n| n.to_str()).and_then(|n| n.strip_suffix(".json")) else { continue };
            let Ok(meta) = serde_json::from_slice::<Meta>(&fs::read(&path)?) else { continue };
            let found = fs::metadata(folder.join(format!("{id}.part"))).map(|m| m.len());
            let trusted = match &found {
                Ok(length) if meta.boot == boot() => *length,
                Ok(length) => meta.synced.min(*length),
                Err(_) => 0,
            };
            let usable = meta.ready.is_some() || found.is_ok();
            if usable && meta.begun_ms + LIFE_MS > now_ms {
                all.insert(id.to_owned(), Arc::new(Upload::new(folder, id.to_owned(), meta, trusted)));
            }
        }
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let known = path.file_stem().and_then(|s| s.to_str()).and_then(|id| all.get(id));
            let ending = path.extension().and_then(|e| e.to_str());
            let wanted = known.is_some_and(|upload| ending == Some("json") || (ending == Some("part") && !upload.is_finished()));
            if !wanted {
                keep::remove(&path)?;
            }
        }
        Ok(Self { folder: folder.to_owned(), all: Mutex::new(all) })
    }

    /// All.
    pub fn all(&self) -> Vec<Arc<Upload>> {
        self.all.lock().values().cloned().collect()
    }

    fn of(&self, account: u64, id: &str) -> Result<Arc<Upload>, Error> {
        self.all.lock().get(id).filter(|u| u.account == account).cloned().ok_or_else(|| Code::UploadGone.into())
    }

    /// Bytes that unfinished uploads still lack: they are spoken for.
    fn outstanding(&self) -> u64 {
        self.all().iter().filter(|u| !u.is_finished()).map(|u| u.size.saturating_sub(u.offset())).sum()
    }
}

impl Media {
    /// Begins an upload; its id.
    ///
    /// # Errors
    /// `file-too-large`, `over-file-quota`, `too-many`, `disk-full`.
    pub async fn begin(&self, new: NewUpload) -> Result<Arc<Upload>, Error> {
        let (account, size) = (new.account, new.size);
        let mine: Vec<_> = self.0.uploads.all().into_iter().filter(|u| u.account == account).collect();
        if mine.iter().filter(|u| !u.is_finished()).count() >= UNFINISHED_MAX || mine.len() >= TOLD_MAX {
            return Err(Error::new(Code::TooMany).with("what", "uploads").with("max", UNFINISHED_MAX));
        }
        self.ask(move |ledger| ledger.may_upload(account, size)).await?;
        let needed = self.0.reserve_bytes.saturating_add(self.0.uploads.outstanding()).saturating_add(size);
        if keep::free(&self.0.folder) < needed {
            return Err(Code::DiskFull.into());
        }
        let mut random = [0; 16];
        (self.0.random)(&mut random);
        let meta = Meta {
            account,
            size,
            name: new.name,
            purpose: new.purpose,
            begun_ms: (self.0.clock)(),
            synced: 0,
            boot: boot(),
            ready: None,
        };
        let upload = Arc::new(Upload::new(&self.0.uploads.folder, hex(&random), meta, 0));
        let made = upload.clone();
        blocking(move || {
            keep::new_file(&made.part)?;
            made.keep(0, None)
        })
        .await
        .map_err(disk)?;
        self.0.uploads.all.lock().insert(upload.id.clone(), upload.clone());
        finish::begin_if_whole(&self.0, &upload);
        Ok(upload)
    }

    /// An upload of this account.
    ///
    /// # Errors
    /// `upload-gone`.
    pub fn upload(&self, account: u64, id: &str) -> Result<Arc<Upload>, Error> {
        self.0.uploads.of(account, id)
    }

    /// Where an upload stands. If copies are being made it waits for them, up to 20 seconds.
    ///
    /// # Errors
    /// `upload-gone`.
    pub async fn progress(&self, account: u64, id: &str) -> Result<(Arc<Upload>, Progress), Error> {
        let upload = self.0.uploads.of(account, id)?;
        // What failed for lack of space or of an answer is tried again by asking.
        finish::begin_if_whole(&self.0, &upload);
        let mut heard = upload.progress.subscribe();
        let _ = tokio::time::timeout(WAIT, heard.wait_for(|progress| !matches!(progress, Progress::Working))).await;
        let progress = heard.borrow().clone();
        Ok((upload, progress))
    }

    /// Ends an upload, or forgets what it became.
    ///
    /// # Errors
    /// `upload-gone`, or `busy` while copies are made.
    pub async fn terminate(&self, account: u64, id: &str) -> Result<(), Error> {
        let upload = self.0.uploads.of(account, id)?;
        if *upload.progress.borrow() == Progress::Working {
            return Err(Code::Busy.into());
        }
        self.0.uploads.all.lock().remove(id);
        // Whoever writes stops.
        upload.asked.fetch_add(1, Ordering::Relaxed);
        upload.newer.notify_waiters();
        blocking(move || upload.delete()).await.map_err(disk)
    }
}

/// Removes what is too old, as long as media lives.
pub async fn expire(inner: Weak<Inner>) {
    loop {
        tokio::time::sleep(EXPIRE_EVERY).await;
        let Some(inner) = inner.upgrade() else { return };
        let now_ms = (inner.clock)();
        let old: Vec<_> = inner.uploads.all().into_iter().filter(|u| u.expires_ms() <= now_ms).collect();
        for upload in old {
            let _ = Media(inner.clone()).terminate(upload.account, &upload.id).await;
        }
    }
}

/// An error of the disk as it is told: a full one by its name.
pub fn disk(error: io::Error) -> Error {
    if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
        return Code::DiskFull.into();
    }
    tracing::error!(%error, "an upload could not be written");
    Code::Internal.into()
}

/// Of this start of the machine; empty where it cannot be asked, and then nothing unsynced is believed after a restart.
fn boot() -> String {
    let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    if id.trim().is_empty() { format!("process {}", std::process::id()) } else { id.trim().to_owned() }
}
