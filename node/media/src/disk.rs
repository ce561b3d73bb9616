//! The store as a folder: `blobs/ab/<hash>`, files that are never written again.
//!
//! A file comes in as a hard link to what was staged, so that the staged one is still there if the process ends before the
//! domain knows of it. A backup links them too. Invariant: a name appears only after its bytes are synced.

use std::{
    fs::{self, File},
    io,
    ops::Range,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::UNIX_EPOCH,
};

use bytes::Bytes;

use crate::{
    Chunks, Hash, keep,
    store::{Found, blocking, from_hex, hex},
};

/// Bytes read at once, of each file that goes out.
const CHUNK_BYTES: u64 = 256 * 1024;

/// The folder.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
}

impl Disk {
    pub fn open(folder: &Path) -> io::Result<Self> {
        keep::make_folder(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    fn path(&self, hash: &Hash) -> PathBuf {
        let name = hex(hash);
        self.folder.join(&name[..2]).join(name)
    }

    pub fn put(&self, hash: &Hash, size: u64, from: &Path) -> io::Result<()> {
        let to = self.path(hash);
        if fs::metadata(&to).is_ok_and(|found| found.len() == size) {
            return Ok(());
        }
        let shelf = to.parent().expect("a blob lies in a folder");
        if !shelf.exists() {
            keep::make_folder(shelf)?;
            keep::sync_parent(shelf)?;
        }
        // Cut short by whatever happened to the disk: what comes now is whole.
        keep::remove(&to)?;
        if fs::hard_link(from, &to).is_err() {
            let beside = to.with_extension("new");
            fs::copy(from, &beside)?;
            File::open(&beside)?.sync_all()?;
            fs::rename(&beside, &to)?;
        }
        keep::sync_parent(&to)
    }

    pub fn open_blob(&self, hash: &Hash, size: u64) -> io::Result<File> {
        let file = File::open(self.path(hash))?;
        let found = file.metadata()?.len();
        if found != size {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("expected {size} bytes, found {found}")));
        }
        Ok(file)
    }

    pub fn delete(&self, hash: &Hash) -> io::Result<()> {
        keep::remove(&self.path(hash))
    }

    pub fn list(&self, part: u8) -> io::Result<Vec<Found>> {
        let shelf = self.folder.join(hex(&[part]));
        let entries = match fs::read_dir(&shelf) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(e),
        };
        let mut all = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Some(hash) = entry.file_name().to_str().and_then(from_hex) else { continue };
            let found = entry.metadata()?;
            let put = found.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            all.push(Found { hash, size: found.len(), put_ms: put.map_or(0, |p| u64::try_from(p.as_millis()).unwrap_or(0)) });
        }
        Ok(all)
    }
}

/// The bytes of a file in a range, a chunk at a time: the next is read when the last was taken.
pub fn chunks(file: File, range: Range<u64>) -> Chunks {
    let file = Arc::new(file);
    Box::pin(futures_util::stream::try_unfold(range.start, move |at| {
        let (file, end) = (file.clone(), range.end);
        async move {
            if at >= end {
                return Ok(None);
            }
            let chunk = blocking(move || {
                let mut chunk = vec![0; usize::try_from(CHUNK_BYTES.min(end - at)).expect("a chunk is small")];
                file.read_exact_at(&mut chunk, at)?;
                Ok(Bytes::from(chunk))
            })
            .await?;
            let next = at + chunk.len() as u64;
            Ok(Some((chunk, next)))
        }
    }))
}
