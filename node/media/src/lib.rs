//! Files: how their bytes come in, where they lie, how they go out, and what is made of pictures.
//! docs/decisions/0025-files.md and 0026-media.md
//!
//! Owns the folder `files/` of the data folder, or a bucket of an object store instead of its `blobs/`. It never says who may
//! read what: it asks the domain ([`Ledger`]) before every answer. Nothing of a file is held in memory but the chunk that
//! moves. Pictures are decoded in a process of their own ([`worker`]), never here.
//!
//! Invariants: bytes are durable in the store before the domain hears of the file; bytes of the store are deleted only while
//! the domain says that nobody put them there, under a lock that finishing an upload takes too.

mod cache;
mod describe;
mod disk;
mod examine;
mod figures;
mod finish;
mod garbage;
mod images;
mod keep;
mod ledger;
pub mod metadata;
mod preview;
pub mod range;
mod receive;
mod s3;
pub mod sniff;
mod store;
mod stripes;
mod upload;
pub mod worker;

use std::{path::PathBuf, sync::Arc};

use bytes::Bytes;
use futures_util::Stream;
use startalk_domain::files::Here;
use startalk_outbound::OutboundClient;
use startalk_protocol::{Code, Error};
use tokio::sync::Notify;

pub use cache::{Fetch, Fetched};
pub use describe::{Description, FileShown, PictureShown};
pub use examine::Examined;
pub use figures::Figures;
pub use images::WorkerProgram;
pub use ledger::{Domain, Later, Ledger, Submit};
pub use metadata::Purpose;
pub use preview::Card;
pub use receive::Receiving;
pub use s3::S3Config;
pub use store::{Found, StoreConfig};
pub use upload::{NewUpload, Progress, Upload};

/// BLAKE3 of a file's bytes.
pub type Hash = [u8; 32];
/// Milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Fills bytes with randomness fit for secrets.
pub type Randomness = Arc<dyn Fn(&mut [u8]) + Send + Sync>;
/// A file's bytes on their way out.
pub type Chunks = std::pin::Pin<Box<dyn Stream<Item = std::io::Result<Bytes>> + Send>>;

/// What media is made with.
pub struct MediaConfig {
    /// `files/` of the data folder; made if it is not there.
    pub folder: PathBuf,
    /// Where whole files lie.
    pub store: StoreConfig,
    /// The domain.
    pub ledger: Arc<dyn Ledger>,
    /// What decodes pictures.
    pub worker: WorkerProgram,
    /// The time.
    pub clock: Clock,
    /// For names of uploads.
    pub random: Randomness,
    /// Opens pages that people link to; `None`: none are opened.
    pub outbound: Option<OutboundClient>,
    /// Bytes of the disk that uploads leave free, for the journal.
    pub reserve_bytes: u64,
    /// Whether what lies in the store and the domain does not know is deleted at the start. Not where another domain may need it: one
    /// that was replaced, in the same bucket.
    pub sweeps: bool,
}

/// Files of a domain. Cheap to clone.
#[derive(Clone)]
pub struct Media(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub folder: PathBuf,
    pub store: store::Store,
    pub ledger: Arc<dyn Ledger>,
    pub images: images::Images,
    pub uploads: upload::Uploads,
    pub cache: cache::Cache,
    /// The domain may have forgotten files.
    pub forgotten: Arc<Notify>,
    pub stripes: stripes::Stripes,
    pub clock: Clock,
    pub random: Randomness,
    pub outbound: Option<OutboundClient>,
    pub reserve_bytes: u64,
    pub counted: figures::Counted,
}

impl Media {
    /// Opens the folder and goes on with what was being uploaded; to be called in the runtime.
    ///
    /// # Errors
    /// The disk's, or what is wrong with the store's settings.
    pub fn start(config: MediaConfig) -> std::io::Result<Self> {
        let MediaConfig { folder, store, ledger, worker, clock, random, outbound, reserve_bytes, sweeps } = config;
        keep::make_folder(&folder)?;
        let store = store::Store::open(&folder, store)?;
        let uploads = upload::Uploads::open(&folder.join("uploads"), clock())?;
        let images = images::Images::new(worker);
        let cache = cache::Cache::open(&folder.join("cache"))?;
        let inner = Inner {
            folder,
            store,
            ledger,
            images,
            uploads,
            cache,
            forgotten: Arc::default(),
            stripes: stripes::Stripes::default(),
            clock,
            random,
            outbound,
            reserve_bytes,
            counted: figures::Counted::default(),
        };
        let media = Self(Arc::new(inner));
        for upload in media.0.uploads.all() {
            finish::begin_if_whole(&media.0, &upload);
        }
        tokio::spawn(upload::expire(Arc::downgrade(&media.0)));
        tokio::spawn(cache::run(Arc::downgrade(&media.0)));
        tokio::spawn(garbage::run(Arc::downgrade(&media.0), sweeps));
        Ok(media)
    }

    /// What this account may read through a message.
    ///
    /// # Errors
    /// `no-such-file`, whatever the reason.
    pub async fn through(&self, account: u64, conversation: u64, sequence: u64, hash: Hash) -> Result<Here, Error> {
        self.ask(move |ledger| ledger.through(account, conversation, sequence, &hash)).await
    }

    /// What this account holds itself.
    ///
    /// # Errors
    /// `no-such-file`.
    pub async fn own(&self, account: u64, hash: Hash) -> Result<Here, Error> {
        self.ask(move |ledger| ledger.own(account, &hash).ok_or_else(|| Code::NoSuchFile.into())).await
    }

    /// The description of a file that this account may read already, so that it need not be uploaded.
    ///
    /// # Errors
    /// `no-such-file`: it may not, or the size is another.
    pub async fn have(&self, account: u64, hash: Hash, size: u64, name: &str) -> Result<Description, Error> {
        let name = metadata::clean_name(name);
        self.ask(move |ledger| {
            let here = ledger.may_read(account, &hash).filter(|here| here.size == size).ok_or(Code::NoSuchFile)?;
            Ok(Description::of_here(&here, &name, |copy| ledger.may_read(account, copy)))
        })
        .await
    }

    /// The bytes of a file, from `range.start` to before `range.end`.
    ///
    /// # Errors
    /// `file-away`: it is of another domain and cannot be fetched; `internal`: its bytes are lost.
    pub async fn open(&self, here: &Here, range: std::ops::Range<u64>) -> Result<Chunks, Error> {
        debug_assert!(range.start <= range.end && range.end <= here.size, "checked by who asks");
        if here.origin != 0 {
            return self.0.cached(here, range).await;
        }
        self.0.store.read(&here.hash, here.size, range).await.map_err(|error| {
            tracing::error!(file = here.file, %error, "the bytes of a file cannot be read");
            Code::Internal.into()
        })
    }

    /// Who fetches files of other domains; once, when links are there.
    pub fn fetches_by(&self, fetch: Arc<dyn Fetch>) {
        self.0.cache.fetches_by(fetch);
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&dyn Ledger) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let ledger = self.0.ledger.clone();
        tokio::task::spawn_blocking(move || question(&*ledger)).await.unwrap_or_else(|_| Err(Code::Internal.into()))
    }
}

/// Foreign bytes into every parser of this crate. For tests and fuzzing: it must return.
pub fn check(bytes: &[u8]) {
    metadata::check(bytes);
    range::check(bytes);
    sniff::check(bytes);
}

/// Foreign bytes as a picture into what the worker runs. For tests and fuzzing: it must return.
pub fn check_picture(bytes: &[u8]) {
    let _ = worker::make(bytes, worker::Wanted { reduced_always: true });
}
