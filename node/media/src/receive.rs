//! Bytes of an upload on their way to the disk: hashed while they stream, a chunk in memory at a time.
//!
//! Who writes has the upload's turn; who comes later takes it over, for the earlier one may be a connection that is dead and
//! does not know it. Invariant: bytes are appended at the offset that the client named, or not at all.

use std::{
    fs::OpenOptions,
    io::{self, Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use startalk_paced::PacedFile;
use startalk_protocol::{Code, Error};
use tokio::sync::OwnedMutexGuard;

use crate::{
    Hash, Inner, Media, finish, keep,
    upload::{Progress, Upload, disk},
};

/// Bytes gathered before they are written: all that an upload holds in memory.
const CHUNK_BYTES: usize = 128 * 1024;

/// The file that grows, and the hash of what is in it. Used where it may wait for the disk.
pub struct Writer {
    offset: u64,
    /// Open while somebody writes.
    file: Option<PacedFile>,
    /// Of the first `offset` bytes; boxed, for most uploads rest. `None`: this process has not seen them.
    hasher: Option<Box<blake3::Hasher>>,
    /// Of the whole, when all is there.
    hash: Option<Hash>,
}

impl Writer {
    pub fn at(offset: u64) -> Self {
        Self { offset, file: None, hasher: None, hash: None }
    }

    /// Opens the file at its end and, if this process has not seen its bytes, reads them again.
    fn open(&mut self, path: &Path) -> io::Result<(&mut PacedFile, &mut blake3::Hasher)> {
        if self.file.is_none() {
            let mut file = OpenOptions::new().read(true).write(true).open(path)?;
            // Behind it may be what was written of a chunk that failed, or what a loss of power has left.
            file.set_len(self.offset)?;
            if self.hasher.is_none() {
                let mut hasher = Box::new(blake3::Hasher::new());
                let read = io::copy(&mut file, &mut hasher)?;
                if read != self.offset {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the staged file is shorter than it was"));
                }
                self.hasher = Some(hasher);
            }
            file.seek(SeekFrom::End(0))?;
            self.file = Some(PacedFile::new(file));
        }
        Ok((self.file.as_mut().expect("it was opened"), self.hasher.as_mut().expect("it was read")))
    }

    /// Appends at `offset`.
    fn append(&mut self, path: &Path, offset: u64, chunk: &[u8]) -> Result<(), Error> {
        if self.offset != offset {
            return Err(wrong_offset(self.offset));
        }
        let (file, hasher) = self.open(path).map_err(disk)?;
        if let Err(error) = file.write_all(chunk) {
            self.file = None;
            return Err(disk(error));
        }
        hasher.update(chunk);
        self.offset += chunk.len() as u64;
        Ok(())
    }

    /// What was written survives a loss of power. The file is closed: nobody writes for now.
    fn rest(&mut self) -> io::Result<()> {
        self.file.take().map_or(Ok(()), |mut file| file.sync_data())
    }

    /// Of all bytes, which are synced.
    pub fn hash(&mut self, path: &Path) -> io::Result<Hash> {
        if let Some(hash) = self.hash {
            return Ok(hash);
        }
        let (file, hasher) = self.open(path)?;
        file.sync_data()?;
        let hash = *hasher.finalize().as_bytes();
        (self.file, self.hasher, self.hash) = (None, None, Some(hash));
        Ok(hash)
    }
}

/// A request that brings bytes.
pub struct Receiving {
    inner: Arc<Inner>,
    upload: Arc<Upload>,
    _turn: OwnedMutexGuard<()>,
    asked: u64,
    /// Where the next chunk goes.
    offset: u64,
    chunk: Vec<u8>,
}

impl Media {
    /// Takes the turn to write at `offset`.
    ///
    /// # Errors
    /// `upload-gone`, `wrong-offset`, `disk-full`.
    pub async fn receive(&self, account: u64, id: &str, offset: u64) -> Result<Receiving, Error> {
        let upload = self.upload(account, id)?;
        let asked = upload.asked.fetch_add(1, Ordering::Relaxed) + 1;
        upload.newer.notify_waiters();
        let turn = upload.turn.clone().lock_owned().await;
        let at = upload.offset();
        if at != offset || *upload.progress.borrow() != Progress::Receiving {
            return Err(wrong_offset(at));
        }
        let receiving = Receiving { inner: self.0.clone(), upload, _turn: turn, asked, offset, chunk: Vec::new() };
        receiving.has_space()?;
        Ok(receiving)
    }
}

impl Receiving {
    /// Returns when another request wants the turn: this one is to end then.
    pub async fn superseded(&self) {
        loop {
            let newer = self.upload.newer.notified();
            if self.upload.asked.load(Ordering::Relaxed) != self.asked {
                return;
            }
            newer.await;
        }
    }

    /// Bytes that may still come.
    pub fn missing(&self) -> u64 {
        self.upload.size - self.offset - self.chunk.len() as u64
    }

    /// Takes bytes; they are on the disk some time later.
    ///
    /// # Errors
    /// `too-large` if more come than the upload has; `disk-full`.
    pub async fn write(&mut self, mut bytes: Bytes) -> Result<(), Error> {
        if bytes.len() as u64 > self.missing() {
            return Err(Error::new(Code::TooLarge).with("what", "PATCH").with("got", bytes.len()).with("max", self.missing()));
        }
        while !bytes.is_empty() {
            if self.chunk.capacity() == 0 {
                self.chunk.reserve_exact(CHUNK_BYTES);
            }
            let taken = bytes.split_to(bytes.len().min(CHUNK_BYTES - self.chunk.len()));
            self.chunk.extend_from_slice(&taken);
            if self.chunk.len() == CHUNK_BYTES {
                self.flush(false).await?;
            }
        }
        Ok(())
    }

    /// What was taken is on the disk, and survives the end of the process and a loss of power. The new offset.
    ///
    /// # Errors
    /// The disk's; what arrived before stays.
    pub async fn end(mut self) -> Result<u64, Error> {
        self.flush(true).await?;
        finish::begin_if_whole(&self.inner, &self.upload);
        Ok(self.offset)
    }

    async fn flush(&mut self, sync: bool) -> Result<(), Error> {
        if !self.chunk.is_empty() {
            self.has_space()?;
        }
        let (upload, offset, chunk) = (self.upload.clone(), self.offset, std::mem::take(&mut self.chunk));
        let job = tokio::task::spawn_blocking(move || {
            let mut writer = upload.writer.lock();
            if !chunk.is_empty() {
                writer.append(&upload.part, offset, &chunk)?;
                upload.reached(writer.offset);
            }
            if sync {
                writer.rest().and_then(|()| upload.keep(writer.offset, None)).map_err(disk)?;
            }
            Ok::<_, Error>((writer.offset, chunk))
        });
        let (offset, mut chunk) = job.await.unwrap_or_else(|_| Err(Code::Internal.into()))?;
        chunk.clear();
        (self.offset, self.chunk) = (offset, chunk);
        Ok(())
    }

    fn has_space(&self) -> Result<(), Error> {
        let needed = self.inner.reserve_bytes.saturating_add(CHUNK_BYTES as u64);
        if keep::free(&self.inner.folder) < needed { Err(Code::DiskFull.into()) } else { Ok(()) }
    }
}

fn wrong_offset(expected: u64) -> Error {
    Error::new(Code::WrongOffset).with("expected", expected)
}
