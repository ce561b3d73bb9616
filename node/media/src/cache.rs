//! Copies of other domains' files: fetched when somebody opens one, looked through before anybody gets it, and dropped when
//! they take too much or nobody opens them.
//!
//! On the local disk, whatever the store is: `cache/<file number>`, and `<file number>.part` while it comes, which a later
//! attempt goes on with. Who asks for the same file at once shares one fetch; who waits too long is told that it is coming.
//! Invariants: a file under its plain name has the bytes of its hash; what somebody here has sent on is not dropped.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, OnceLock},
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use parking_lot::Mutex;
use startalk_domain::files::Here;
use startalk_protocol::{Code, Error};
use tokio::sync::{Semaphore, watch};

use crate::{Chunks, Inner, Ledger, disk, figures::Counted, keep, ledger::Later, store::blocking};

/// How long who asks for a file waits for it.
const WAIT: Duration = Duration::from_secs(25);
/// Fetches at once.
const AT_ONCE_MAX: usize = 16;
/// How long a domain may be silent in the middle of a file.
const STILL: Duration = Duration::from_secs(30);
/// Bytes gathered before they are written.
const CHUNK_BYTES: usize = 128 * 1024;
/// The use of a copy is noted at most this often.
const NOTED_EVERY_MS: u64 = 3600 * 1000;
/// Between two looks at what is too old.
const TIDY_EVERY: Duration = Duration::from_secs(3600);
const DAY_MS: u64 = 24 * 3600 * 1000;

/// Bytes as another domain gives them.
pub type Fetched = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send>>;

/// How files of other domains are fetched; made by who knows links.
pub trait Fetch: Send + Sync + 'static {
    /// The bytes of a file from `offset` on. They are not believed: the hash is looked at here.
    fn fetch(&self, file: &Here, offset: u64) -> Later<Result<Fetched, Error>>;
}

/// How far a fetch has come.
#[derive(Clone, Debug)]
enum Coming {
    /// Percent.
    At(u64),
    Here,
    Not(Error),
}

/// The copies.
pub struct Cache {
    folder: PathBuf,
    fetch: OnceLock<Arc<dyn Fetch>>,
    coming: Mutex<HashMap<u64, watch::Receiver<Coming>>>,
    places: Semaphore,
    /// One looks at what all take at a time.
    tidying: tokio::sync::Mutex<()>,
}

impl Cache {
    pub fn open(folder: &Path) -> io::Result<Self> {
        keep::make_folder(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            fetch: OnceLock::new(),
            coming: Mutex::default(),
            places: Semaphore::new(AT_ONCE_MAX),
            tidying: tokio::sync::Mutex::default(),
        })
    }

    /// Who fetches; once, when links are there.
    pub fn fetches_by(&self, fetch: Arc<dyn Fetch>) {
        let _ = self.fetch.set(fetch);
    }

    fn path(&self, file: u64) -> PathBuf {
        self.folder.join(file.to_string())
    }

    fn part(&self, file: u64) -> PathBuf {
        self.folder.join(format!("{file}.part"))
    }

    /// Files that are being fetched, or wait for a place.
    pub fn coming(&self) -> u64 {
        self.coming.lock().len() as u64
    }

    /// Drops a copy.
    pub async fn forget(&self, file: u64) -> io::Result<()> {
        let (whole, part) = (self.path(file), self.part(file));
        blocking(move || keep::remove(&whole).and_then(|()| keep::remove(&part))).await
    }

    /// The whole copy, if it is here. Its use is noted.
    async fn whole(&self, here: &Here, now_ms: u64) -> Option<File> {
        let (path, size) = (self.path(here.file), here.size);
        let opened = blocking(move || {
            let file = File::open(&path)?;
            let found = file.metadata()?;
            if found.len() != size {
                return Err(io::ErrorKind::InvalidData.into());
            }
            if now_ms.saturating_sub(used_ms(&found)) > NOTED_EVERY_MS {
                file.set_modified(UNIX_EPOCH + Duration::from_millis(now_ms))?;
            }
            Ok(file)
        });
        opened.await.ok()
    }
}

impl Inner {
    /// The bytes of another domain's file.
    ///
    /// # Errors
    /// `file-away`, `file-coming`, `disk-full`.
    pub(crate) async fn cached(self: &Arc<Self>, here: &Here, range: std::ops::Range<u64>) -> Result<Chunks, Error> {
        if let Some(file) = self.cache.whole(here, (self.clock)()).await {
            return Ok(disk::chunks(file, range));
        }
        let mut heard = self.come(here)?;
        let ended = async { heard.wait_for(|coming| !matches!(coming, Coming::At(_))).await.map(|coming| coming.clone()) };
        let coming = match tokio::time::timeout(WAIT, ended).await {
            Ok(Ok(coming)) => coming,
            Ok(Err(_)) => Coming::Not(Code::Internal.into()),
            Err(_) => heard.borrow().clone(),
        };
        match coming {
            Coming::At(percent) => Err(Error::new(Code::FileComing).with("percent", percent)),
            // Whatever kept it from coming, people are told whose it is.
            Coming::Not(error) if matches!(error.code, Code::FileAway | Code::Unreachable | Code::NotAllowedHere) => {
                Err(Error::new(Code::FileAway).with("domain", self.ledger.domain_of(here.origin)))
            }
            Coming::Not(error) => Err(error),
            Coming::Here => {
                let file = self.cache.whole(here, (self.clock)()).await.ok_or(Code::FileAway)?;
                Ok(disk::chunks(file, range))
            }
        }
    }

    /// The fetch of this file, begun if nobody has.
    fn come(self: &Arc<Self>, here: &Here) -> Result<watch::Receiver<Coming>, Error> {
        let Some(fetch) = self.cache.fetch.get().cloned() else { return Err(Code::FileAway.into()) };
        let mut all = self.cache.coming.lock();
        if let Some(under_way) = all.get(&here.file) {
            return Ok(under_way.clone());
        }
        let (tell, heard) = watch::channel(Coming::At(0));
        all.insert(here.file, heard.clone());
        drop(all);
        let (inner, here) = (self.clone(), here.clone());
        tokio::spawn(async move {
            let became = match get(&inner, &*fetch, &here, &tell).await {
                Ok(()) => {
                    Counted::add(&inner.counted.fetched);
                    Coming::Here
                }
                Err(error) => {
                    Counted::add(&inner.counted.not_fetched);
                    tracing::info!(file = here.file, %error, "a file of another domain could not be fetched");
                    Coming::Not(error)
                }
            };
            inner.cache.coming.lock().remove(&here.file);
            tell.send_replace(became);
        });
        Ok(heard)
    }
}

async fn get(inner: &Arc<Inner>, fetch: &dyn Fetch, here: &Here, tell: &watch::Sender<Coming>) -> Result<(), Error> {
    let limits = inner.ledger.limits();
    let away = || Error::from(Code::FileAway);
    let is_too_large = here.size > limits.cache_bytes_max && !inner.ledger.is_pinned(here.file);
    if is_too_large {
        return Err(Error::new(Code::FileTooLarge)
            .with("max", limits.cache_bytes_max)
            .with("max_mib", limits.cache_bytes_max >> 20));
    }
    let _place = inner.cache.places.acquire().await.map_err(|_| away())?;
    tidy(inner, here.size).await.map_err(crate::upload::disk)?;
    if keep::free(&inner.cache.folder) < inner.reserve_bytes.saturating_add(here.size) {
        return Err(Code::DiskFull.into());
    }
    let now = UNIX_EPOCH + Duration::from_millis((inner.clock)());
    let part = inner.cache.part(here.file);
    let opened = part.clone();
    let size = here.size;
    // What came before is kept, and read again for its hash.
    let (mut file, mut hasher, mut offset) = blocking(move || {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&opened)?;
        if file.metadata()?.len() > size {
            file.set_len(0)?;
        }
        let mut hasher = Box::new(blake3::Hasher::new());
        let offset = io::copy(&mut file, &mut hasher)?;
        file.seek(SeekFrom::End(0))?;
        Ok((file, hasher, offset))
    })
    .await
    .map_err(crate::upload::disk)?;
    if offset < size {
        let mut coming = tokio::time::timeout(STILL, fetch.fetch(here, offset)).await.map_err(|_| away())??;
        let mut chunk: Vec<u8> = Vec::with_capacity(CHUNK_BYTES);
        let cut = loop {
            let next = match tokio::time::timeout(STILL, coming.next()).await {
                Err(_) | Ok(None) => break (offset + (chunk.len() as u64) < size).then(away),
                Ok(Some(Err(error))) => break Some(error),
                Ok(Some(Ok(bytes))) => bytes,
            };
            if next.len() as u64 > size - offset - chunk.len() as u64 {
                drop(file);
                inner.cache.forget(here.file).await.map_err(crate::upload::disk)?;
                return Err(away());
            }
            chunk.extend_from_slice(&next);
            if chunk.len() >= CHUNK_BYTES {
                (file, hasher, offset, chunk) = written(file, hasher, offset, chunk).await?;
                tell.send_replace(Coming::At(offset * 100 / size.max(1)));
            }
        };
        // What came until a cut stays for the next attempt.
        (file, hasher, offset, _) = written(file, hasher, offset, chunk).await?;
        if let Some(error) = cut {
            blocking(move || file.set_modified(now)).await.map_err(crate::upload::disk)?;
            return Err(error);
        }
    }
    debug_assert_eq!(offset, size, "everything came, and no more");
    if hasher.finalize() != here.hash {
        tracing::warn!(file = here.file, origin = here.origin, "another domain gave other bytes than its message says");
        drop(file);
        inner.cache.forget(here.file).await.map_err(crate::upload::disk)?;
        return Err(away());
    }
    let whole = inner.cache.path(here.file);
    blocking(move || {
        file.sync_data()?;
        file.set_modified(now)?;
        fs::rename(&part, &whole)
    })
    .await
    .map_err(crate::upload::disk)?;
    // It may have been forgotten while it came.
    if inner.ledger.file(here.file).is_none() {
        inner.cache.forget(here.file).await.map_err(crate::upload::disk)?;
        return Err(Code::NoSuchFile.into());
    }
    Ok(())
}

type Written = (File, Box<blake3::Hasher>, u64, Vec<u8>);

async fn written(mut file: File, mut hasher: Box<blake3::Hasher>, offset: u64, mut chunk: Vec<u8>) -> Result<Written, Error> {
    blocking(move || {
        file.write_all(&chunk)?;
        hasher.update(&chunk);
        let offset = offset + chunk.len() as u64;
        chunk.clear();
        Ok((file, hasher, offset, chunk))
    })
    .await
    .map_err(crate::upload::disk)
}

/// A copy, or a part of one, as the disk has it.
struct Copy {
    path: PathBuf,
    bytes: u64,
    used_ms: u64,
}

/// Drops what is too old, and then what was used least lately until `coming` bytes more fit in. What somebody here has sent on
/// stays, and does not count.
async fn tidy(inner: &Arc<Inner>, coming: u64) -> io::Result<()> {
    let _alone = inner.cache.tidying.lock().await;
    let (folder, ledger, now_ms) = (inner.cache.folder.clone(), inner.ledger.clone(), (inner.clock)());
    let under_way: Vec<u64> = inner.cache.coming.lock().keys().copied().collect();
    blocking(move || {
        let limits = ledger.limits();
        let mut copies = copies(&folder, &*ledger, &under_way)?;
        let oldest_ms = now_ms.saturating_sub(u64::from(limits.cache_days) * DAY_MS);
        copies.sort_unstable_by_key(|c| c.used_ms);
        let mut bytes: u64 = copies.iter().map(|c| c.bytes).sum();
        for copy in copies {
            if copy.used_ms >= oldest_ms && bytes.saturating_add(coming) <= limits.cache_bytes_max {
                break;
            }
            keep::remove(&copy.path)?;
            bytes -= copy.bytes;
        }
        Ok(())
    })
    .await
}

/// All that may be dropped; what the domain does not know any more is dropped at once.
fn copies(folder: &Path, ledger: &dyn Ledger, under_way: &[u64]) -> io::Result<Vec<Copy>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (path, found) = (entry.path(), entry.metadata()?);
        let number = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.parse::<u64>().ok());
        let Some(number) = number.filter(|n| ledger.file(*n).is_some_and(|f| f.origin != 0)) else {
            keep::remove(&path)?;
            continue;
        };
        if under_way.contains(&number) || ledger.is_pinned(number) {
            continue;
        }
        all.push(Copy { path, bytes: found.len(), used_ms: used_ms(&found) });
    }
    Ok(all)
}

/// When a copy was used last, about: milliseconds since 1970.
fn used_ms(found: &fs::Metadata) -> u64 {
    let used = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    used.map_or(0, |u| u64::try_from(u.as_millis()).unwrap_or(0))
}

/// Drops what is too old, as long as media lives.
pub async fn run(inner: std::sync::Weak<Inner>) {
    loop {
        {
            let Some(inner) = inner.upgrade() else { return };
            if let Err(error) = tidy(&inner, 0).await {
                tracing::warn!(%error, "copies of other domains' files could not be looked at");
            }
        }
        tokio::time::sleep(TIDY_EVERY).await;
    }
}
