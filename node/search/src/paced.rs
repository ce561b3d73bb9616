//! The index's folder, whose files become durable while they are written and not only when they are whole: a segment of
//! megabytes at once would be waited for by the write loop (`startalk-paced`). All else is tantivy's `MmapDirectory`.

use std::{
    fs::OpenOptions,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use startalk_paced::PacedFile;
use tantivy::directory::{
    AntiCallToken, Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, TerminatingWrite, WatchCallback, WatchHandle,
    WritePtr,
    error::{DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError},
};

/// A folder on the disk.
#[derive(Clone, Debug)]
pub struct PacedDirectory {
    inner: MmapDirectory,
    folder: PathBuf,
}

impl PacedDirectory {
    /// Over a folder that exists.
    ///
    /// # Errors
    /// It does not, or cannot be read.
    pub fn open(folder: &Path) -> Result<Self, OpenDirectoryError> {
        Ok(Self { inner: MmapDirectory::open(folder)?, folder: folder.to_owned() })
    }
}

impl Directory for PacedDirectory {
    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let file = OpenOptions::new().write(true).create_new(true).open(self.folder.join(path)).map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => OpenWriteError::FileAlreadyExists(path.to_owned()),
            _ => OpenWriteError::IoError { io_error: Arc::new(e), filepath: path.to_owned() },
        })?;
        Ok(BufWriter::new(Box::new(Paced(PacedFile::new(file)))))
    }

    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.inner.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.inner.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.inner.exists(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.inner.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.inner.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.inner.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.inner.acquire_lock(lock)
    }

    fn watch(&self, watch_callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.inner.watch(watch_callback)
    }
}

/// A file that is being written.
struct Paced(PacedFile);

impl Write for Paced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl TerminatingWrite for Paced {
    fn terminate_ref(&mut self, _: AntiCallToken) -> io::Result<()> {
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_whole_and_are_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let directory = PacedDirectory::open(folder.path()).unwrap();
        let (name, bytes) = (Path::new("segment"), vec![7; 2_000_000]);
        let mut file = directory.open_write(name).unwrap();
        bytes.chunks(1000).for_each(|piece| file.write_all(piece).unwrap());
        file.terminate().unwrap();
        assert!(directory.open_read(name).unwrap().read_bytes().unwrap().as_slice() == bytes);
        let again = directory.open_write(name).err();
        assert!(matches!(again, Some(OpenWriteError::FileAlreadyExists(_))), "{again:?}");
    }
}
