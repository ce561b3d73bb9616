//! The data folder: its format, its lock, its paths. One process per folder.
//!
//! Layout: `FORMAT` (a number), `LOCK`, `keys/`, `journal/`, `views/` and `search/` (disposable), `files/` (what media keeps), `views.clean` (present after a clean
//! stop), `views.doubted` (found damaged by a running node), `control.sock`; what `swap.rs` owns. Folder 0700, keys 0600.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use crate::swap::{self, Plan};

/// What this build writes; folders of later formats are refused by name.
pub const FORMAT: u32 = 1;

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Nothing is there.
    #[error("{0} holds no domain; start one with `startalk up --data {0}` / {0} 中没有域，可用 `startalk up --data {0}` 创建")]
    Empty(String),
    /// Another process has it.
    #[error("{0} is in use by a running startalk / {0} 正被运行中的 startalk 使用")]
    InUse(String),
    /// Written by a later version.
    #[error(
        "{folder} has format {found}, and this startalk knows formats up to {FORMAT}: use the later version / {folder} 的格式为 {found}，此版本只认识到 {FORMAT}，请使用更新的版本"
    )]
    Newer { folder: String, found: u32 },
    /// Not a number.
    #[error("{folder}/FORMAT: expected a number, found {found:?}")]
    Format { folder: String, found: String },
    /// The system's own words.
    #[error("{what}: {error}")]
    Io { what: String, error: io::Error },
}

/// An opened, locked data folder.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    /// The restored domain that took its place when this was opened.
    pub swapped: Option<Plan>,
    _lock: File,
}

impl Folder {
    /// Whether a domain was begun there.
    pub fn exists(root: &Path) -> bool {
        root.join("FORMAT").exists()
    }

    /// Makes the folder if it is not there, and locks it.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn create(root: &Path) -> Result<Self, FolderError> {
        for folder in [root.to_path_buf(), root.join("keys"), root.join("journal")] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(|e| io_error(&folder, e))?;
        }
        let lock = lock(root)?;
        let format = root.join("FORMAT");
        if !format.exists() {
            write_file(&format, format!("{FORMAT}\n").as_bytes())?;
        }
        Self::checked(root, lock)
    }

    /// Locks an existing folder.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn open(root: &Path) -> Result<Self, FolderError> {
        if !Self::exists(root) {
            return Err(FolderError::Empty(root.display().to_string()));
        }
        let lock = lock(root)?;
        Self::checked(root, lock)
    }

    fn checked(root: &Path, lock: File) -> Result<Self, FolderError> {
        let path = root.join("FORMAT");
        let text = fs::read_to_string(&path).map_err(|e| io_error(&path, e))?;
        let folder = root.display().to_string();
        let found: u32 = text.trim().parse().map_err(|_| FolderError::Format { folder: folder.clone(), found: text.clone() })?;
        if found > FORMAT {
            return Err(FolderError::Newer { folder, found });
        }
        let swapped = swap::finish(root)?;
        Ok(Self { root: root.to_path_buf(), swapped, _lock: lock })
    }

    /// Where it is.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The journal's folder.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// The views' folder; may be deleted at any stop.
    pub fn views(&self) -> PathBuf {
        self.root.join("views")
    }

    /// The search index; may be deleted at any stop.
    pub fn search(&self) -> PathBuf {
        self.root.join("search")
    }

    /// Bytes of files, uploads under way and copies of other domains' files.
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    /// The keys' folder.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// Checkpoints of the views.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join("checkpoints")
    }

    /// Says that the views were written whole, unless [`doubt_views`] was called; undone by [`Folder::take_clean_mark`].
    ///
    /// # Errors
    /// The disk's.
    pub fn mark_clean(&self) -> Result<(), FolderError> {
        if doubt(&self.root).exists() {
            return Ok(());
        }
        write_file(&self.root.join("views.clean"), b"")
    }

    /// Whether the last stop was clean; from now on it is not.
    ///
    /// # Errors
    /// The disk's.
    pub fn take_clean_mark(&self) -> Result<bool, FolderError> {
        let _ = fs::remove_file(doubt(&self.root));
        let path = self.root.join("views.clean");
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(io_error(&path, e)),
        }
    }

    /// Where the node was last reachable, for verbs that are called while it is stopped.
    pub fn public_url(&self) -> Option<String> {
        fs::read_to_string(self.root.join("URL")).ok()
    }

    /// Writes what [`Folder::public_url`] answers, unless it is there already: a start with a full disk writes nothing.
    ///
    /// # Errors
    /// The disk's; a node goes on without it.
    pub fn keep_public_url(&self, url: &str) -> Result<(), FolderError> {
        if self.public_url().as_deref() == Some(url) { Ok(()) } else { write_file(&self.root.join("URL"), url.as_bytes()) }
    }

    /// In a backup: the head of the journal that was copied.
    pub fn backup_mark(&self) -> PathBuf {
        self.root.join("BACKUP")
    }

    /// A restored folder: the next start begins a new epoch.
    pub fn restored_mark(&self) -> PathBuf {
        self.root.join("RESTORED")
    }
}

/// The views were found to be damaged: however the node stops, the next start looks at them.
///
/// # Errors
/// The disk's.
pub fn doubt_views(root: &Path) -> Result<(), FolderError> {
    write_file(&doubt(root), b"")
}

fn doubt(root: &Path) -> PathBuf {
    root.join("views.doubted")
}

/// The control socket of a folder.
pub fn control_socket(root: &Path) -> PathBuf {
    root.join("control.sock")
}

fn lock(root: &Path) -> Result<File, FolderError> {
    let path = root.join("LOCK");
    let file =
        OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(|e| io_error(&path, e))?;
    file.try_lock().map_err(|_| FolderError::InUse(root.display().to_string()))?;
    Ok(file)
}

/// Writes a secret or small file whole: beside it, synced, renamed. Mode 0600.
///
/// # Errors
/// The disk's.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let beside = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        if let Some(parent) = path.parent() {
            File::open(parent)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(|e| io_error(path, e))
}

/// The system's error with the path that it is about.
pub fn io_error(path: &Path, error: io::Error) -> FolderError {
    FolderError::Io { what: path.display().to_string(), error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_process_per_folder_and_no_later_format() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().join("d");
        assert!(matches!(Folder::open(&root), Err(FolderError::Empty(_))));
        let folder = Folder::create(&root).unwrap();
        assert!(matches!(Folder::open(&root), Err(FolderError::InUse(_))));
        assert!(!folder.take_clean_mark().unwrap());
        folder.mark_clean().unwrap();
        assert!(folder.take_clean_mark().unwrap());
        doubt_views(&root).unwrap();
        folder.mark_clean().unwrap();
        assert!(!folder.take_clean_mark().unwrap(), "a clean stop does not hide what was found");
        folder.mark_clean().unwrap();
        assert!(folder.take_clean_mark().unwrap());
        drop(folder);
        fs::write(root.join("FORMAT"), "2\n").unwrap();
        assert!(matches!(Folder::open(&root), Err(FolderError::Newer { found: 2, .. })));
    }
}
