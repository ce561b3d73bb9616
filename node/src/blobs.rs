//! Whole files of one data folder in another: how backups take them along and restores bring them back.
//!
//! They lie under their hashes and never change, so on one disk a second name will do (a hard link): a backup of them takes no
//! space and no time. Knows only names: what a file is, and whether anybody needs it, is not asked. A bucket is not copied.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::Path,
};

/// Below `files/`.
const BLOBS: &str = "blobs";
/// Hexadecimal digits of a hash.
const NAME_LEN: usize = 64;

/// Takes every whole file of the folder `from` (a `files/`) along into the folder `to`, and returns how many those were. `to` has the
/// folder afterwards, even if there are none.
///
/// # Errors
/// The disk's; what was taken until then stays.
pub fn take_along(from: &Path, to: &Path) -> io::Result<u64> {
    let (from, to) = (from.join(BLOBS), to.join(BLOBS));
    let make = |folder: &Path| DirBuilder::new().recursive(true).mode(0o700).create(folder);
    make(&to)?;
    let mut count = 0;
    for part in read(&from)? {
        let (part_from, part_to) = (from.join(&part), to.join(&part));
        if !part_from.is_dir() {
            continue;
        }
        make(&part_to)?;
        for name in read(&part_from)?.into_iter().filter(|name| is_hash(name)) {
            one(&part_from.join(&name), &part_to.join(&name))?;
            count += 1;
        }
        File::open(&part_to)?.sync_all()?;
    }
    File::open(&to)?.sync_all()?;
    Ok(count)
}

/// Reads every whole file of the folder `files` again, and returns the names of those whose bytes are others. `progress` hears how
/// many were read, of how many.
///
/// # Errors
/// The disk's.
pub fn damaged(files: &Path, progress: &dyn Fn(u64, u64)) -> io::Result<Vec<String>> {
    let blobs = files.join(BLOBS);
    let mut all = Vec::new();
    for part in read(&blobs)? {
        let part = blobs.join(part);
        all.extend(read(&part)?.into_iter().filter(|name| is_hash(name)).map(|name| (part.join(&name), name)));
    }
    let (mut damaged, total) = (Vec::new(), all.len() as u64);
    for (done, (path, name)) in all.into_iter().enumerate() {
        progress(done as u64, total);
        // The whole file goes by, a piece at a time.
        let hash = blake3::Hasher::new().update_reader(File::open(&path)?)?.finalize();
        if hash.to_hex().as_str() != name {
            damaged.push(name);
        }
    }
    damaged.sort_unstable();
    Ok(damaged)
}

/// Bytes that this would take on the disk of the folder `near`, which is there: none where second names will do.
///
/// # Errors
/// The disk's.
pub fn needed_bytes(from: &Path, near: &Path) -> io::Result<u64> {
    let blobs = from.join(BLOBS);
    if !blobs.exists() || fs::metadata(&blobs)?.dev() == fs::metadata(near)?.dev() {
        return Ok(0);
    }
    let mut bytes = 0;
    for part in read(&blobs)? {
        let part = blobs.join(part);
        let sizes = read(&part)?.into_iter().filter_map(|name| fs::metadata(part.join(name)).ok()).map(|m| m.len());
        bytes += sizes.sum::<u64>();
    }
    Ok(bytes)
}

/// Names in a folder; none if it is not there.
fn read(folder: &Path) -> io::Result<Vec<String>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn is_hash(name: &str) -> bool {
    name.len() == NAME_LEN && name.bytes().all(|b| b.is_ascii_hexdigit())
}

fn one(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // It was forgotten meanwhile: nothing refers to it any more.
        Err(error) if error.kind() == io::ErrorKind::NotFound && !from.exists() => Ok(()),
        // Another disk, or one that knows no second names.
        Err(_) => {
            fs::copy(from, to)?;
            File::open(to)?.sync_all()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_files_are_taken_along_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        let name = "ab".repeat(32);
        fs::create_dir_all(from.join("blobs/ab")).unwrap();
        fs::create_dir_all(from.join("uploads")).unwrap();
        fs::write(from.join("blobs/ab").join(&name), b"bytes").unwrap();
        fs::write(from.join("blobs/ab/half.new"), b"half").unwrap();
        assert_eq!(take_along(&from, &to).unwrap(), 1);
        assert_eq!(take_along(&from, &to).unwrap(), 1, "again: what is there stays");
        assert_eq!(fs::read(to.join("blobs/ab").join(&name)).unwrap(), b"bytes");
        assert_eq!(damaged(&to, &|_, _| {}).unwrap(), std::slice::from_ref(&name), "these bytes have another hash");
        assert!(!to.join("uploads").exists() && !to.join("blobs/ab/half.new").exists());
        fs::remove_file(from.join("blobs/ab").join(&name)).unwrap();
        assert!(to.join("blobs/ab").join(&name).exists(), "what is forgotten here stays there");
        assert_eq!(needed_bytes(&from, place.path()).unwrap(), 0, "on one disk it takes nothing");
        assert_eq!(take_along(&place.path().join("nothing"), &place.path().join("empty")).unwrap(), 0);
        assert!(place.path().join("empty/blobs").is_dir());
    }
}
