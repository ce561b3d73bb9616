//! What the domain takes on its disk.

use std::{fs, path::Path};

use serde::Serialize;
use utoipa::ToSchema;

use super::Backend;

/// Bytes on the disk.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Storage {
    pub journal_bytes: u64,
    pub views_bytes: u64,
    pub checkpoints_bytes: u64,
    /// Files that people here have sent, as far as they lie on this disk, and uploads under way.
    pub files_bytes: u64,
    /// Copies of other domains' files.
    pub cache_bytes: u64,
    /// Backups in the folder where the API puts them.
    pub backups_bytes: u64,
    /// What the disk still takes.
    pub free_bytes: u64,
    /// Below this nothing new is taken.
    pub reserve_bytes: u64,
    /// Records in the journal.
    pub records: u64,
}

pub(super) fn measure(backend: &Backend) -> Storage {
    let folder = |name: &str| bytes_in(&backend.folder.join(name));
    Storage {
        journal_bytes: folder("journal"),
        views_bytes: folder("views"),
        checkpoints_bytes: folder("checkpoints"),
        files_bytes: folder("files/blobs") + folder("files/uploads"),
        cache_bytes: folder("files/cache"),
        backups_bytes: bytes_in(&backend.backups),
        free_bytes: free(&backend.folder),
        reserve_bytes: startalk_sequencer::FREE_BYTES_MIN,
        records: backend.views.journal.head().position,
    }
}

/// Bytes free where this folder is.
pub(super) fn free(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map(|s| s.f_bavail * s.f_frsize).unwrap_or(0)
}

/// Bytes of all files below a folder; what cannot be read counts nothing.
pub(super) fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_in(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}
