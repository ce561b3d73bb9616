//! Where it is measured: a new folder on the disk that a node would use, gone afterwards. Nothing that is there is touched.

use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use startalk_protocol::error::Language;
use tempfile::TempDir;

use crate::words::say;

/// How much has to be free, and more for each second: what a fast machine writes.
const FREE_BYTES: f64 = 1e9;
const FREE_BYTES_PER_SECOND: f64 = 15e6;

/// A new folder for measuring so many seconds, in `asked`; else beside the data folder if that is the same disk, else in it.
///
/// # Errors
/// If there is none that may be written to, or too little space.
pub fn make(asked: Option<&Path>, data: &Path, seconds: f64, language: Language) -> anyhow::Result<TempDir> {
    let made = match asked {
        Some(folder) => new_in(folder).with_context(|| folder.display().to_string())?,
        None => {
            let candidates = candidates(&std::path::absolute(data)?);
            let names = candidates.iter().map(|c| c.display().to_string()).collect::<Vec<_>>().join(", ");
            let made = candidates.iter().find_map(|folder| new_in(folder).ok());
            made.with_context(|| {
                format!(
                    "{} ({names})",
                    say(language, "name one that may be written to: --folder", "请用 --folder 指定可写的文件夹")
                )
            })?
        }
    };
    let disk = rustix::fs::statvfs(made.path())?;
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let needed = FREE_BYTES + FREE_BYTES_PER_SECOND * seconds;
    if (free as f64) < needed {
        let words = say(language, "GB of free space are needed in", "GB 剩余空间才能测量：");
        anyhow::bail!("{:.1} {words} {}", needed / 1e9, made.path().parent().unwrap_or(made.path()).display());
    }
    Ok(made)
}

fn new_in(folder: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(".startalk-bench-").tempdir_in(folder)
}

/// Folders on the disk of `data`, which may not exist yet, in the order in which to try them.
fn candidates(data: &Path) -> Vec<PathBuf> {
    let device = |path: &Path| fs::metadata(path).ok().map(|m| m.dev());
    let Some(there) = data.ancestors().find(|f| f.is_dir()) else { return Vec::new() };
    if there != data {
        return vec![there.to_path_buf()];
    }
    let beside = data.parent().filter(|parent| device(parent) == device(data));
    beside.into_iter().chain([data]).map(Path::to_path_buf).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_beside_the_data_folder_and_gone_afterwards() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        assert_eq!(candidates(&data.join("not/yet")), [root.path()]);
        fs::create_dir(&data).unwrap();
        assert_eq!(candidates(&data), [root.path().to_path_buf(), data.clone()]);
        // Another disk is mounted there: beside it is not on it.
        assert_eq!(candidates(Path::new("/proc")), [PathBuf::from("/proc")]);
        let made = make(None, &data, 1.0, Language::English).unwrap();
        assert_eq!(made.path().parent(), Some(root.path()));
        drop(made);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
        let nowhere = make(Some(&data.join("nowhere")), &data, 1.0, Language::English).unwrap_err();
        assert!(format!("{nowhere:#}").contains("nowhere"), "{nowhere:#}");
    }
}
