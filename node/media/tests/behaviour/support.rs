//! A domain as a table, media on a folder, and bytes by a seed.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::StreamExt as _;
use parking_lot::Mutex;
use startalk_domain::{
    files::{Here, NewFile},
    governance::FileLimits,
};
use startalk_media::{
    Description, Hash, Later, Ledger, Media, MediaConfig, NewUpload, Progress, Purpose, StoreConfig, Upload, WorkerProgram,
};
use startalk_outbound::OutboundClient;
use startalk_protocol::{Code, Error};

pub const ALICE: u64 = 1;
pub const BOB: u64 = 2;

/// Rules of a domain are tested in the domain; this only remembers.
#[derive(Default)]
pub struct Table {
    pub files: Mutex<Vec<Here>>,
    pub held: Mutex<HashMap<u64, Vec<u64>>>,
    pub forgotten: Mutex<Vec<u64>>,
    pub pinned: Mutex<Vec<u64>>,
    pub limits: Mutex<FileLimits>,
    /// What the next holds are answered with.
    pub refuses: Mutex<Vec<Error>>,
    pub makes_previews: AtomicBool,
}

impl Table {
    /// A file that is known, as of another domain.
    pub fn of_others(&self, bytes: &[u8], origin: u64) -> Here {
        let mut files = self.files.lock();
        let here = Here {
            file: files.len() as u64 + 1,
            hash: *blake3::hash(bytes).as_bytes(),
            size: bytes.len() as u64,
            media_type: "application/octet-stream".into(),
            origin,
            picture: None,
        };
        files.push(here.clone());
        here
    }

    /// The domain forgets it, and waits for its bytes to go.
    pub fn forget(&self, hash: &Hash) {
        let found: Vec<u64> = self.files.lock().iter().filter(|f| f.hash == *hash).map(|f| f.file).collect();
        self.forgotten.lock().extend(found);
    }
}

#[derive(Clone)]
pub struct Domain(pub Arc<Table>);

impl Ledger for Domain {
    fn may_upload(&self, _: u64, size: u64) -> Result<(), Error> {
        if size <= self.0.limits.lock().file_bytes_max { Ok(()) } else { Err(Code::FileTooLarge.into()) }
    }
    fn hold(&self, account: u64, new: Vec<NewFile>) -> Later<Result<(), Error>> {
        let refused = self.0.refuses.lock().pop();
        let result = refused.map_or(Ok(()), Err);
        if result.is_ok() {
            let (mut files, mut held) = (self.0.files.lock(), self.0.held.lock());
            for n in new {
                let gone = self.0.forgotten.lock().clone();
                let known = files
                    .iter()
                    .find(|f| f.hash == n.hash && f.origin == 0 && f.size != u64::MAX && !gone.contains(&f.file))
                    .map(|f| f.file);
                let number = known.unwrap_or_else(|| {
                    let file = files.len() as u64 + 1;
                    let NewFile { hash, size, media_type, picture } = n;
                    files.push(Here { file, hash, size, media_type, origin: 0, picture });
                    file
                });
                held.entry(account).or_default().push(number);
            }
        }
        Box::pin(async move { result })
    }
    fn through(&self, _: u64, _: u64, _: u64, _: &Hash) -> Result<Here, Error> {
        Err(Code::NoSuchFile.into())
    }
    fn own(&self, account: u64, hash: &Hash) -> Option<Here> {
        let held = self.0.held.lock().get(&account).cloned().unwrap_or_default();
        self.0.files.lock().iter().find(|f| f.hash == *hash && held.contains(&f.file)).cloned()
    }
    fn may_read(&self, account: u64, hash: &Hash) -> Option<Here> {
        self.own(account, hash)
    }
    fn is_stored(&self, hash: &Hash) -> bool {
        let gone = self.0.forgotten.lock().clone();
        self.0.files.lock().iter().any(|f| f.hash == *hash && f.origin == 0 && f.size != u64::MAX && !gone.contains(&f.file))
    }
    fn forgotten(&self) -> Vec<Here> {
        let gone = self.0.forgotten.lock().clone();
        self.0.files.lock().iter().filter(|f| gone.contains(&f.file)).cloned().collect()
    }
    fn gone(&self, files: Vec<u64>) -> Later<Result<(), Error>> {
        self.0.forgotten.lock().retain(|n| !files.contains(n));
        // The number is not used again.
        self.0.files.lock().iter_mut().filter(|f| files.contains(&f.file)).for_each(|f| f.size = u64::MAX);
        Box::pin(async { Ok(()) })
    }
    fn file(&self, number: u64) -> Option<Here> {
        self.0.files.lock().iter().find(|f| f.file == number && f.size != u64::MAX).cloned()
    }
    fn after(&self, number: u64, _: u64) -> (Vec<Here>, Option<u64>) {
        let gone = self.0.forgotten.lock().clone();
        let there = |f: &&Here| f.file > number && f.size != u64::MAX && !gone.contains(&f.file);
        (self.0.files.lock().iter().filter(there).cloned().collect(), None)
    }
    fn is_pinned(&self, number: u64) -> bool {
        self.0.pinned.lock().contains(&number)
    }
    fn domain_of(&self, peer: u64) -> String {
        format!("{peer}.example")
    }
    fn makes_previews(&self) -> bool {
        self.0.makes_previews.load(Ordering::Relaxed)
    }
    fn limits(&self) -> FileLimits {
        *self.0.limits.lock()
    }
}

/// A folder, and the domain whose files are there; media is opened and closed on it.
pub struct Place {
    pub root: tempfile::TempDir,
    pub table: Arc<Table>,
    pub clock: Arc<AtomicU64>,
    pub store: StoreConfig,
    pub reserve_bytes: u64,
    /// Whether it looks for what belongs to nobody when it starts. One that is dropped goes on with that, beside the next one, which
    /// no process can: the folder is one's alone.
    pub sweeps: bool,
    pub worker: WorkerProgram,
    pub outbound: Option<OutboundClient>,
}

impl Place {
    pub fn new() -> Self {
        let worker = WorkerProgram {
            program: env!("CARGO_BIN_EXE_startalk-media-worker").into(),
            args: Vec::new(),
            patience: Duration::from_secs(60),
        };
        Self {
            root: tempfile::tempdir().unwrap(),
            table: Arc::default(),
            clock: Arc::new(AtomicU64::new(1_800_000_000_000)),
            store: StoreConfig::Disk,
            reserve_bytes: 0,
            sweeps: true,
            worker,
            outbound: None,
        }
    }

    /// One that is opened again, for a test that goes on to bring files then.
    pub fn opened_again() -> Self {
        Self { sweeps: false, ..Self::new() }
    }

    pub fn folder(&self) -> PathBuf {
        self.root.path().join("files")
    }

    pub fn open(&self) -> Media {
        let clock = self.clock.clone();
        let counter = AtomicU64::new(0);
        Media::start(MediaConfig {
            folder: self.folder(),
            store: self.store.clone(),
            ledger: Arc::new(Domain(self.table.clone())),
            worker: self.worker.clone(),
            clock: Arc::new(move || clock.load(Ordering::Relaxed)),
            random: Arc::new(move |out: &mut [u8]| {
                let hash = blake3::hash(&counter.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                out.copy_from_slice(&hash.as_bytes()[..out.len()]);
            }),
            outbound: self.outbound.clone(),
            reserve_bytes: self.reserve_bytes,
            sweeps: self.sweeps,
        })
        .unwrap()
    }

    /// Files in the store's folder.
    pub fn blobs(&self) -> Vec<PathBuf> {
        files_in(&self.folder().join("blobs"))
    }

    /// Files in the folder of uploads.
    pub fn staged(&self) -> Vec<PathBuf> {
        files_in(&self.folder().join("uploads"))
    }
}

pub fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().unwrap().is_dir() { all.extend(files_in(&entry.path())) } else { all.push(entry.path()) }
    }
    all.sort();
    all
}

pub fn new(account: u64, bytes: &[u8], name: &str, purpose: Purpose) -> NewUpload {
    NewUpload { account, size: bytes.len() as u64, name: name.into(), purpose }
}

/// Begins an upload and brings everything.
pub async fn bring(media: &Media, account: u64, bytes: &[u8], name: &str, purpose: Purpose) -> Arc<Upload> {
    let upload = media.begin(new(account, bytes, name, purpose)).await.unwrap();
    if !bytes.is_empty() {
        let mut receiving = media.receive(account, &upload.id, 0).await.unwrap();
        receiving.write(Bytes::copy_from_slice(bytes)).await.unwrap();
        receiving.end().await.unwrap();
    }
    upload
}

pub async fn became(media: &Media, account: u64, id: &str) -> Progress {
    loop {
        let (_, progress) = media.progress(account, id).await.unwrap();
        if progress != Progress::Working {
            return progress;
        }
    }
}

pub async fn ready(media: &Media, account: u64, bytes: &[u8], name: &str, purpose: Purpose) -> Description {
    let upload = bring(media, account, bytes, name, purpose).await;
    match became(media, account, &upload.id).await {
        Progress::Ready(description) => *description,
        other => panic!("expected it to be ready: {other:?}"),
    }
}

pub fn hash_of(hex: &str) -> Hash {
    data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
}

/// All bytes of an own file.
pub async fn read(media: &Media, account: u64, hash: &str) -> Vec<u8> {
    let here = media.own(account, hash_of(hash)).await.unwrap();
    let size = here.size;
    part(media, &here, 0..size).await.unwrap()
}

pub async fn part(media: &Media, here: &Here, range: std::ops::Range<u64>) -> Result<Vec<u8>, Error> {
    let mut chunks = media.open(here, range).await?;
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    Ok(all)
}

/// splitmix64.
pub struct Seeded(pub u64);

impl Seeded {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).unwrap()
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next() as u8).collect()
    }
}
