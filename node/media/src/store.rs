//! Where whole files lie, under their hash: a folder, or a bucket that speaks S3.
//!
//! Knows no account and no message. Invariant: under a hash there are the whole bytes of that hash, durable, or nothing.

use std::{io, ops::Range, path::Path, sync::Arc};

use crate::{
    Chunks, Hash,
    disk::Disk,
    s3::{S3, S3Config},
};

/// Which store.
#[derive(Clone, Debug, Default)]
pub enum StoreConfig {
    /// `blobs/` in media's folder.
    #[default]
    Disk,
    /// A bucket.
    S3(S3Config),
}

/// What a walk through the store comes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Under which it lies.
    pub hash: Hash,
    /// In bytes.
    pub size: u64,
    /// When it was put there, milliseconds since 1970; 0: not known.
    pub put_ms: u64,
}

/// A store.
pub enum Store {
    Disk(Arc<Disk>),
    S3(S3),
}

impl Store {
    pub fn open(folder: &Path, config: StoreConfig) -> io::Result<Self> {
        Ok(match config {
            StoreConfig::Disk => Self::Disk(Arc::new(Disk::open(&folder.join("blobs"))?)),
            StoreConfig::S3(config) => Self::S3(S3::open(&config)?),
        })
    }

    /// Puts the file at `from`, which is whole and synced, under its hash. `from` stays; it must not be written again.
    pub async fn put(&self, hash: &Hash, size: u64, from: &Path) -> io::Result<()> {
        match self {
            Self::Disk(disk) => {
                let (disk, hash, from) = (disk.clone(), *hash, from.to_owned());
                blocking(move || disk.put(&hash, size, &from)).await
            }
            Self::S3(s3) => s3.put(hash, size, from).await,
        }
    }

    /// Its bytes in this range.
    pub async fn read(&self, hash: &Hash, size: u64, range: Range<u64>) -> io::Result<Chunks> {
        match self {
            Self::Disk(disk) => {
                let (disk, hash) = (disk.clone(), *hash);
                let file = blocking(move || disk.open_blob(&hash, size)).await?;
                Ok(crate::disk::chunks(file, range))
            }
            Self::S3(s3) => s3.read(hash, size, range).await,
        }
    }

    /// Deletes it, if it is there.
    pub async fn delete(&self, hash: &Hash) -> io::Result<()> {
        match self {
            Self::Disk(disk) => {
                let (disk, hash) = (disk.clone(), *hash);
                blocking(move || disk.delete(&hash)).await
            }
            Self::S3(s3) => s3.delete(hash).await,
        }
    }

    /// Of all that is there, those whose hash begins with this byte.
    pub async fn list(&self, part: u8) -> io::Result<Vec<Found>> {
        match self {
            Self::Disk(disk) => {
                let disk = disk.clone();
                blocking(move || disk.list(part)).await
            }
            Self::S3(s3) => s3.list(part).await,
        }
    }
}

/// Runs what waits for the disk where that holds nobody up.
pub async fn blocking<T: Send + 'static>(job: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(job).await.unwrap_or_else(|panic| Err(io::Error::other(panic)))
}

/// A hash as it stands in names.
pub fn hex(hash: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

/// A hash from a name.
pub fn from_hex(text: &str) -> Option<Hash> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok()
}
