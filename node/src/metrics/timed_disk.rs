//! The journal's folder with a clock beside it: how long the disk takes to make a batch durable. The journal knows no clock.

use std::{io, sync::Arc};

use startalk_journal::{Disk, DiskFile, FolderDisk};

use super::histogram::Histogram;
use crate::clock;

/// A folder whose syncs are timed, in microseconds.
pub struct TimedDisk {
    /// The real one.
    pub folder: FolderDisk,
    /// Of each `fdatasync`.
    pub syncs_us: Arc<Histogram>,
}

struct TimedFile {
    file: Arc<dyn DiskFile>,
    syncs_us: Arc<Histogram>,
}

impl TimedDisk {
    fn timed(&self, file: Arc<dyn DiskFile>) -> Arc<dyn DiskFile> {
        Arc::new(TimedFile { file, syncs_us: self.syncs_us.clone() })
    }
}

impl Disk for TimedDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.folder.list()
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.timed(self.folder.open(name)?))
    }
    fn create(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        Ok(self.timed(self.folder.create(name)?))
    }
    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.folder.rename(from, to)
    }
    fn link(&self, from: &str, to: &str) -> io::Result<()> {
        self.folder.link(from, to)
    }
    fn remove(&self, name: &str) -> io::Result<()> {
        self.folder.remove(name)
    }
    fn sync_dir(&self) -> io::Result<()> {
        self.folder.sync_dir()
    }
    fn free_bytes(&self) -> io::Result<u64> {
        self.folder.free_bytes()
    }
}

impl DiskFile for TimedFile {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(offset, buffer)
    }
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(offset, bytes)
    }
    fn set_size(&self, size: u64) -> io::Result<()> {
        self.file.set_size(size)
    }
    fn sync_data(&self) -> io::Result<()> {
        let began_us = clock::steady_us();
        self.file.sync_data()?;
        self.syncs_us.add(clock::steady_us().saturating_sub(began_us), 1);
        Ok(())
    }
    fn sync_all(&self) -> io::Result<()> {
        self.file.sync_all()
    }
    fn names(&self) -> io::Result<u64> {
        self.file.names()
    }
}
