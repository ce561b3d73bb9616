//! A restored domain takes the place of another in its data folder: prepared beside it while that one runs, put in place
//! by whoever opens the folder next, finished after a crash. docs/decisions/0024-restore-while-running.md
//!
//! Owns `restoring/` (the new domain, whole or not), `RESTORING` (present: it is whole, and takes its place), `replaced/`
//! (what was replaced, a folder each) and `RESTORE-FAILED`. Knows nothing of what is in a journal.
//!
//! Invariants: without `RESTORING` the folder holds the old domain; with it every opening of the folder goes on where the
//! last one ended, and nobody reads a journal before it is done. Nothing of the old journal and keys is deleted.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::folder::{FORMAT, FolderError, io_error, write_file};

/// Of the old domain: kept, in this order; the journal last, for who has it has the domain.
const KEPT: [&str; 4] = ["BACKUP", "keys", "files", "journal"];
/// What a domain can make anew: deleted with the old one, taken from the new one if it is there.
const DISPOSABLE: [&str; 5] = ["views", "search", "checkpoints", "views.clean", "views.doubted"];
/// In the folder of a replaced domain: how it came to be there.
const TOLD: &str = "REPLACED";

/// What is put in place of what, by whom; also what is told of it afterwards.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The folder in `replaced/` where the old domain goes.
    pub name: String,
    /// The copy that is brought back.
    pub from: String,
    /// Records that it had.
    pub records: u64,
    /// Records of the old domain.
    pub replaced_records: u64,
    /// When it was asked for, milliseconds since 1970.
    pub asked_ms: u64,
    /// name@domain of who asked for it; empty: the operator.
    pub by: String,
    /// Where the node listened, to listen there again.
    pub listened: String,
}

/// A restore that was not carried out: the domain is the old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    pub plan: Plan,
    pub why: String,
}

/// Where the new domain is prepared.
pub fn stage(root: &Path) -> PathBuf {
    root.join("restoring")
}

fn plan_path(root: &Path) -> PathBuf {
    root.join("RESTORING")
}

fn failed_path(root: &Path) -> PathBuf {
    root.join("RESTORE-FAILED")
}

/// Where replaced domains are kept.
pub fn replaced(root: &Path) -> PathBuf {
    root.join("replaced")
}

/// An empty place for the new domain.
///
/// # Errors
/// If a domain waits there to be put in place; the disk's.
pub fn clear_stage(root: &Path) -> io::Result<PathBuf> {
    if plan_path(root).exists() {
        return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another restore waits for the node to start again"));
    }
    let stage = stage(root);
    remove(&stage)?;
    remove(&failed_path(root))?;
    Ok(stage)
}

/// A name by the time, that no replaced domain has yet.
pub fn new_name(root: &Path, now_ms: u64) -> String {
    let at = i64::try_from(now_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok()).unwrap_or_default();
    let name = at.strftime("%Y-%m-%dT%H-%M-%SZ").to_string();
    let mut names = std::iter::once(name.clone()).chain((2_u32..).map(|n| format!("{name}.{n}")));
    names.find(|name| !replaced(root).join(name).exists()).unwrap_or(name)
}

/// The new domain is whole and durable: from here on it takes the old one's place, whatever happens.
///
/// # Errors
/// The disk's; then nothing has changed.
pub fn commit(root: &Path, plan: &Plan) -> Result<(), FolderError> {
    sync_all(&stage(root)).map_err(|e| io_error(&stage(root), e))?;
    write_file(&plan_path(root), &serde_json::to_vec(plan).expect("text and numbers"))
}

/// Goes on with what was committed, or removes what was not. Only by who has the folder's lock.
///
/// # Errors
/// What kept the new domain from its place after the old one had left it; the next opening tries again.
pub fn finish(root: &Path) -> Result<Option<Plan>, FolderError> {
    match go_on(root, &mut Steps::default()) {
        Ok(plan) => Ok(plan),
        Err(error) => Err(io_error(&plan_path(root), error)),
    }
}

/// Counts what is done to the disk, so that a test can end it anywhere.
#[derive(Default)]
struct Steps {
    done: usize,
    #[cfg(test)]
    last: Option<(usize, io::ErrorKind)>,
}

impl Steps {
    fn step(&mut self, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        #[cfg(test)]
        if let Some((last, kind)) = self.last
            && last == self.done
        {
            return Err(io::Error::new(kind, "the process ends here"));
        }
        self.done += 1;
        act()
    }
}

fn go_on(root: &Path, steps: &mut Steps) -> io::Result<Option<Plan>> {
    let stage = stage(root);
    let text = match fs::read(plan_path(root)) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            steps.step(|| remove(&stage))?;
            return Ok(None);
        }
        Err(e) => return Err(e),
    };
    let plan: Plan = serde_json::from_slice(&text)?;
    let kept = replaced(root).join(&plan.name);
    if let Err(error) = swap(root, &stage, &kept, steps) {
        if error.kind() == io::ErrorKind::Interrupted || kept.join("journal").exists() {
            return Err(error);
        }
        give_up(root, &kept, &plan, &error)?;
        return Ok(None);
    }
    steps.step(|| write(&kept.join(TOLD), &text))?;
    steps.step(|| write(&kept.join("FORMAT"), format!("{FORMAT}\n").as_bytes()))?;
    steps.step(|| remove(&failed_path(root)))?;
    steps.step(|| fs::remove_file(plan_path(root)))?;
    steps.step(|| sync(root))?;
    steps.step(|| remove(&stage))?;
    Ok(Some(plan))
}

fn swap(root: &Path, stage: &Path, kept: &Path, steps: &mut Steps) -> io::Result<()> {
    steps.step(|| DirBuilder::new().recursive(true).mode(0o700).create(kept))?;
    if !stage.join("journal").exists() && !kept.join("journal").exists() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "what was prepared is not there"));
    }
    for name in DISPOSABLE {
        // As long as the journal has not moved these are the old domain's.
        if stage.join("journal").exists() && !kept.join("journal").exists() {
            steps.step(|| remove(&root.join(name)))?;
        }
    }
    for name in KEPT {
        let (old, new, away) = (root.join(name), stage.join(name), kept.join(name));
        if old.exists() && !away.exists() && (new.exists() || name == "BACKUP") {
            steps.step(|| fs::rename(&old, &away))?;
            steps.step(|| sync(kept))?;
        }
        if new.exists() && name != "BACKUP" {
            // Opening the folder makes an empty one where there is none.
            if old.is_dir() {
                steps.step(|| fs::remove_dir(&old))?;
            }
            steps.step(|| fs::rename(&new, &old))?;
            steps.step(|| sync(root))?;
        }
    }
    for name in DISPOSABLE {
        let (old, new) = (root.join(name), stage.join(name));
        if new.exists() {
            steps.step(|| remove(&old))?;
            steps.step(|| fs::rename(&new, &old))?;
        }
    }
    steps.step(|| sync(root))
}

/// The old journal is still in its place and cannot be moved: the domain stays the old one.
fn give_up(root: &Path, kept: &Path, plan: &Plan, why: &io::Error) -> io::Result<()> {
    let (keys, away) = (root.join("keys"), kept.join("keys"));
    if away.exists() {
        // The new keys are in their place, or nothing is.
        if stage(root).join("keys").exists() {
            fs::remove_dir(&keys).or_else(missing)?
        } else {
            remove(&keys)?
        }
        fs::rename(&away, &keys)?;
    }
    let (files, away) = (root.join("files"), kept.join("files"));
    if away.exists() {
        remove(&files)?;
        fs::rename(&away, &files)?;
    }
    if kept.join("BACKUP").exists() {
        fs::rename(kept.join("BACKUP"), root.join("BACKUP"))?;
    }
    let failed = Failed { plan: plan.clone(), why: why.to_string() };
    write(&failed_path(root), &serde_json::to_vec(&failed)?)?;
    fs::remove_file(plan_path(root))?;
    sync(root)?;
    // Nothing is in it, and nobody will miss what was prepared.
    let _ = fs::remove_dir(kept);
    remove(&stage(root))
}

fn missing(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// Domains that were replaced, the newest first: their names, and how they came to be there.
pub fn list(root: &Path) -> Vec<Plan> {
    let entries = fs::read_dir(replaced(root)).into_iter().flatten().flatten();
    let mut all: Vec<Plan> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let told = serde_json::from_slice::<Plan>(&fs::read(entry.path().join(TOLD)).ok()?).ok()?;
            Some(Plan { name, ..told })
        })
        .collect();
    all.sort_by(|a, b| (b.asked_ms, &b.name).cmp(&(a.asked_ms, &a.name)));
    all
}

/// The restore that was given up last, unless another went well since.
pub fn failed(root: &Path) -> Option<Failed> {
    serde_json::from_slice(&fs::read(failed_path(root)).ok()?).ok()
}

/// A folder in `folder` by a name that came from outside: only one that is there, never a path.
pub fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let plain =
        !name.is_empty() && !name.starts_with('.') && name.chars().all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c));
    let path = folder.join(name);
    // A link would lead out of it.
    let is_folder = fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir());
    (plain && is_folder).then_some(path)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_file(path, bytes).map_err(|e| match e {
        FolderError::Io { error, .. } => error,
        other => io::Error::other(other.to_string()),
    })
}

/// Removes a file or folder, if it is there.
pub fn remove(path: &Path) -> io::Result<()> {
    let done = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(e) => Err(e),
    };
    done.or_else(missing)
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Everything below a folder, and the folder.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.metadata()?.is_dir() {
            sync_all(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    sync(folder)
}

#[cfg(test)]
mod tests;
