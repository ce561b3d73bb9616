//! The store as a bucket that speaks S3, by the crate `object_store`.
//!
//! A file goes there in parts out of what was staged on the disk, one part in memory at a time. Its name appears when it is
//! whole: that is what S3 promises for a completed upload.

use std::{fs::File, io, ops::Range, os::unix::fs::FileExt as _, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _};
use object_store::{
    GetOptions, GetRange, MultipartUpload as _, ObjectStore, ObjectStoreExt as _, PutPayload, aws::AmazonS3Builder,
    path::Path as Key,
};

use crate::{
    Chunks, Hash,
    store::{Found, blocking, from_hex, hex},
};

/// Bytes of a part; what is smaller goes at once. 10,000 parts are the most that S3 takes: 80 GB.
const PART_BYTES: u64 = 8 * 1024 * 1024;

/// Where the bucket is, and who we are there.
#[derive(Clone)]
pub struct S3Config {
    /// `https://host[:port]`; `http://` too, for a server on the same machine.
    pub endpoint: String,
    /// Its name.
    pub bucket: String,
    /// As the server calls it.
    pub region: String,
    /// Public part.
    pub access_key: String,
    /// Secret part.
    pub secret_key: String,
    /// Before every name; may be empty.
    pub prefix: String,
}

impl std::fmt::Debug for S3Config {
    /// Without the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S3Config({} {} {})", self.endpoint, self.bucket, self.prefix)
    }
}

/// The bucket.
pub struct S3 {
    bucket: Arc<dyn ObjectStore>,
    prefix: Key,
}

impl S3 {
    pub fn open(config: &S3Config) -> io::Result<Self> {
        let bucket = AmazonS3Builder::new()
            .with_endpoint(&config.endpoint)
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_access_key_id(&config.access_key)
            .with_secret_access_key(&config.secret_key)
            .with_allow_http(config.endpoint.starts_with("http://"))
            .build()
            .map_err(io::Error::other)?;
        let prefix = Key::parse(config.prefix.trim_matches('/')).map_err(io::Error::other)?;
        Ok(Self { bucket: Arc::new(bucket), prefix })
    }

    fn shelf(&self, part: u8) -> Key {
        self.prefix.clone().join("blobs").join(hex(&[part]))
    }

    fn key(&self, hash: &Hash) -> Key {
        self.shelf(hash[0]).join(hex(hash))
    }

    pub async fn put(&self, hash: &Hash, size: u64, from: &Path) -> io::Result<()> {
        let key = self.key(hash);
        if self.bucket.head(&key).await.is_ok_and(|found| found.size == size) {
            return Ok(());
        }
        let path = from.to_owned();
        let file = Arc::new(blocking(move || File::open(path)).await?);
        if size <= PART_BYTES {
            let whole = part(&file, 0, size).await?;
            return self.bucket.put(&key, PutPayload::from(whole)).await.map(drop).map_err(error);
        }
        let mut upload = self.bucket.put_multipart(&key).await.map_err(error)?;
        let mut at = 0;
        while at < size {
            let bytes = PART_BYTES.min(size - at);
            let sent = match part(&file, at, bytes).await {
                Ok(chunk) => upload.put_part(PutPayload::from(chunk)).await.map_err(error),
                Err(e) => Err(e),
            };
            if let Err(e) = sent {
                // What is left there costs its owner; nobody sees it as a file.
                let _ = upload.abort().await;
                return Err(e);
            }
            at += bytes;
        }
        upload.complete().await.map(drop).map_err(error)
    }

    pub async fn read(&self, hash: &Hash, size: u64, range: Range<u64>) -> io::Result<Chunks> {
        if range.is_empty() {
            return Ok(Box::pin(futures_util::stream::empty()));
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let got = self.bucket.get_opts(&self.key(hash), options).await.map_err(error)?;
        if got.meta.size != size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("expected {size} bytes, found {}", got.meta.size)));
        }
        Ok(got.into_stream().map_err(error).boxed())
    }

    pub async fn delete(&self, hash: &Hash) -> io::Result<()> {
        match self.bucket.delete(&self.key(hash)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(e) => Err(error(e)),
        }
    }

    pub async fn list(&self, part: u8) -> io::Result<Vec<Found>> {
        let found = |meta: object_store::ObjectMeta| {
            let hash = from_hex(meta.location.filename()?)?;
            Some(Found { hash, size: meta.size, put_ms: u64::try_from(meta.last_modified.timestamp_millis()).unwrap_or(0) })
        };
        let all = self.bucket.list(Some(&self.shelf(part)));
        all.try_filter_map(|meta| async move { Ok(found(meta)) }).try_collect().await.map_err(error)
    }
}

async fn part(file: &Arc<File>, at: u64, bytes: u64) -> io::Result<Bytes> {
    let file = file.clone();
    blocking(move || {
        let mut chunk = vec![0; usize::try_from(bytes).expect("a part is small")];
        file.read_exact_at(&mut chunk, at)?;
        Ok(chunk.into())
    })
    .await
}

fn error(error: object_store::Error) -> io::Error {
    let kind = if matches!(error, object_store::Error::NotFound { .. }) { io::ErrorKind::NotFound } else { io::ErrorKind::Other };
    io::Error::new(kind, error)
}
