//! Deleting bytes: of files that the domain has forgotten, and of what lies in the store and belongs to nobody.
//!
//! The domain says which files are to go until it is told that they are gone, so nothing is lost with a crash; no place in the
//! journal is needed. Invariant: bytes are deleted only while the domain says that nobody put them there, under the lock that
//! finishing an upload takes.

use std::{sync::Arc, time::Duration};

use startalk_domain::files::Here;

use crate::{Hash, Inner, Media};

/// How many files are told as gone at once.
const STEP: usize = 500;
/// The domain is asked this often even if nothing was heard of it.
const IDLE: Duration = Duration::from_secs(600);
/// After an error, and between two looks at least: what was forgotten is not urgent.
const PAUSE: Duration = Duration::from_secs(1);

impl Media {
    /// Something was committed that may have forgotten files. It never waits.
    pub fn wake(&self) {
        self.0.forgotten.notify_one();
    }

    /// Deletes what the domain has forgotten, and tells it; the number of files.
    ///
    /// # Errors
    /// The store's, or that the domain could not be told; it is tried again.
    pub async fn collect(&self) -> std::io::Result<usize> {
        let mut count = 0;
        loop {
            let ledger = self.0.ledger.clone();
            let mut files = crate::store::blocking(move || Ok(ledger.forgotten())).await?;
            files.truncate(STEP);
            if files.is_empty() {
                return Ok(count);
            }
            for file in &files {
                self.0.delete_file(file).await?;
            }
            count += files.len();
            let told = self.0.ledger.gone(files.iter().map(|f| f.file).collect()).await;
            told.map_err(std::io::Error::other)?;
        }
    }

    /// Deletes what lies in the store and nobody put there: what an upload left that the journal never heard of, and after a
    /// restore what came later. The number of files and their bytes.
    ///
    /// # Errors
    /// The store's.
    pub async fn sweep(&self) -> std::io::Result<(usize, u64)> {
        let (mut count, mut bytes) = (0, 0);
        for part in 0..=u8::MAX {
            for found in self.0.store.list(part).await? {
                if self.0.delete_bytes(&found.hash).await? {
                    (count, bytes) = (count + 1, bytes + found.size);
                }
            }
        }
        Ok((count, bytes))
    }
}

impl Inner {
    async fn delete_file(&self, file: &Here) -> std::io::Result<()> {
        if file.origin == 0 { self.delete_bytes(&file.hash).await.map(drop) } else { self.cache.forget(file.file).await }
    }

    /// Whether they were deleted: nobody put them there.
    async fn delete_bytes(&self, hash: &Hash) -> std::io::Result<bool> {
        let _lock = self.stripes.lock(&[*hash]).await;
        if self.ledger.is_stored(hash) {
            return Ok(false);
        }
        self.store.delete(hash).await.map(|()| true)
    }
}

/// Sweeps once, if it is to, and then deletes what is forgotten, as long as media lives.
pub async fn run(inner: std::sync::Weak<Inner>, sweeps: bool) {
    let Some(media) = inner.upgrade().map(Media) else { return };
    let swept = if sweeps { media.sweep().await } else { Ok((0, 0)) };
    match swept {
        Ok((0, _)) => {}
        Ok((files, bytes)) => tracing::info!(files, bytes, "bytes of files were deleted that nothing refers to"),
        Err(error) => tracing::warn!(%error, "the store of files could not be walked through"),
    }
    let forgotten: Arc<_> = media.0.forgotten.clone();
    drop(media);
    loop {
        {
            let Some(media) = inner.upgrade().map(Media) else { return };
            if let Err(error) = media.collect().await {
                tracing::warn!(%error, "the bytes of forgotten files could not be deleted; it is tried again");
            }
        }
        tokio::time::sleep(PAUSE).await;
        let _ = tokio::time::timeout(IDLE, forgotten.notified()).await;
    }
}
