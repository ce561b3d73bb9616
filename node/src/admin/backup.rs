//! Copying a domain away while it runs, and bringing a copy back.
//!
//! A backup is a data folder without views: keys, whole files (of the disk; a bucket is not copied), the journal up to its durable head, and in `BACKUP` where that was: the
//! end of a copy that is damaged looks like a batch that nobody was told of. Bringing it back verifies every record and
//! begins a new epoch, so that no number is ever used twice unnoticed.

use std::{fs, path::Path, sync::Arc};

use anyhow::{Context as _, bail};
use serde::Serialize;
use startalk_domain::{Command, Event, Recorded, administration, command::Tended};
use startalk_journal::{FolderDisk, Journal, Options, ReadJournal, Reader};
use utoipa::ToSchema;

use super::{Backend, Progress};
use crate::{
    blobs,
    folder::{FORMAT, Folder, write_file},
    store, swap,
};

/// Of files of a journal that hold records.
const SEGMENT_ENDING: &str = ".segment";

/// A backup that was made.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Made {
    /// In the node's folder for them, where it can be brought back by this name; null: it is elsewhere, or no more.
    pub name: Option<String>,
    /// Milliseconds since 1970.
    pub time_ms: u64,
    pub records: u64,
    pub bytes: u64,
    /// Whether it was read again when it was made, and is whole; null: the domain, which was brought back from an older one, does not
    /// know.
    pub verified: Option<bool>,
    /// The folder on the node's machine.
    pub place: String,
}

/// Those that the domain remembers, and those in its folder for them, of which a domain that was brought back knows nothing;
/// the newest first.
pub(super) fn list(backend: &Backend) -> Vec<Made> {
    let folder = &backend.backups;
    let name_of = |place: &str| {
        let name = Path::new(place).strip_prefix(folder).ok()?.to_str()?;
        swap::inside(folder, name).is_some().then(|| name.to_owned())
    };
    let made = |b: &administration::Backup| Made {
        name: name_of(&b.place),
        time_ms: b.time_ms,
        records: b.records,
        bytes: b.bytes,
        verified: Some(b.verified),
        place: b.place.clone(),
    };
    let mut all: Vec<Made> = administration::backups(&*backend.views.store).iter().map(made).collect();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(name) = entry.file_name().into_string() else { continue };
        if swap::inside(folder, &name).is_none() || all.iter().any(|b| b.name.as_ref() == Some(&name)) {
            continue;
        }
        let reach = fs::read_to_string(entry.path().join("BACKUP")).ok().and_then(|text| text.parse::<store::Reach>().ok());
        let Some(reach) = reach else { continue };
        let made = fs::metadata(entry.path().join("BACKUP")).and_then(|m| m.modified()).ok();
        let made_ms = made.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()).map_or(0, |d| d.as_millis());
        all.push(Made {
            name: Some(name),
            time_ms: u64::try_from(made_ms).unwrap_or(0),
            records: reach.position,
            bytes: super::storage::bytes_in(&entry.path()),
            verified: None,
            place: entry.path().display().to_string(),
        });
    }
    all.sort_by_key(|b| std::cmp::Reverse(b.time_ms));
    all
}

/// Reads a copy as bringing it back would, without changing anything in it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(backend: &Backend, source: &Path, progress: &Progress) -> anyhow::Result<u64> {
    let scratch = backend.folder.join("checking");
    swap::remove(&scratch)?;
    let checked = check_in(&scratch, source, progress);
    swap::remove(&scratch)?;
    checked
}

/// Opening a journal writes to its last segment, and to what a crash left: those are copied. The others are only read.
fn check_in(scratch: &Path, source: &Path, progress: &Progress) -> anyhow::Result<u64> {
    let target = Folder::create(scratch)?;
    let mut names: Vec<String> = Vec::new();
    for entry in fs::read_dir(source.join("journal"))? {
        names.extend(entry?.file_name().into_string());
    }
    names.sort();
    let is_segment = |name: &str| name.ends_with(SEGMENT_ENDING);
    let last = names.iter().rfind(|name| is_segment(name)).cloned();
    for name in &names {
        let (from, to) = (source.join("journal").join(name), target.journal().join(name));
        if is_segment(name) && Some(name) != last.as_ref() {
            std::os::unix::fs::symlink(fs::canonicalize(&from)?, &to)?;
        } else {
            fs::copy(&from, &to).with_context(|| from.display().to_string())?;
        }
    }
    if let Ok(reach) = fs::read(source.join("BACKUP")) {
        write_file(&target.backup_mark(), &reach)?;
    }
    let (journal, _) = Journal::open(Arc::new(FolderDisk::new(target.journal())?), Options::default())?;
    let records = journal.head().position;
    drop(journal);
    reread(&target, progress)?;
    let damaged = blobs::damaged(&source.join("files"), &**progress)?;
    match damaged.first() {
        None => Ok(records),
        Some(first) => bail!(
            "its records are whole, but {} of its files are damaged, first: {first} / 记录完整，但有 {} 个文件已损坏，首先是：{first}",
            damaged.len(),
            damaged.len()
        ),
    }
}

/// Copies the domain to an empty folder, reads the copy again, and records that. Returns the number of records.
pub(super) fn backup(backend: &Backend, to: &Path, progress: &Progress) -> anyhow::Result<u64> {
    if to.exists() && fs::read_dir(to)?.next().is_some() {
        bail!("{} is not empty / {} 不是空文件夹", to.display(), to.display());
    }
    let target = Folder::create(to)?;
    let head = backend.reader.copy_to(&FolderDisk::new(target.journal())?, &mut |done, total| progress(done, total))?;
    copy_keys(&backend.folder.join("keys"), &target.keys())?;
    blobs::take_along(&backend.folder.join("files"), &target.files())?;
    store::write_reach(&target, &head)?;
    let whole = reread(&target, progress);
    let tended = Tended::BackedUp {
        records: head.position,
        bytes: super::storage::bytes_in(to),
        verified: whole.is_ok(),
        place: to.display().to_string(),
    };
    backend.command(Command::Tend(tended))?;
    whole.map(|()| head.position)
}

/// Whether a copy holds everything that it says to hold, every record whole.
pub(super) fn reread(target: &Folder, progress: &Progress) -> anyhow::Result<()> {
    let (journal, _) = Journal::open(Arc::new(FolderDisk::new(target.journal())?), Options::default())?;
    store::reaches(target, &journal.reader())?;
    let Verified { damage, .. } = verify(&journal.reader(), progress)?;
    match damage.first() {
        None => Ok(()),
        Some(first) => bail!(
            "the copy is damaged in {} places, first: {first} / 备份有 {} 处损坏，首先是：{first}",
            damage.len(),
            damage.len()
        ),
    }
}

pub(super) fn copy_keys(from: &Path, to: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        write_file(&to.join(entry.file_name()), &fs::read(entry.path())?)?;
    }
    Ok(())
}

/// Verifies the copy in `from` and makes it the data folder `to`, which must not hold a domain. Returns the number of
/// records.
///
/// # Errors
/// What is wrong with the copy, and where; nothing is left in `to` then but what was copied.
pub fn restore(from: &Path, to: &Path, progress: &Progress) -> anyhow::Result<u64> {
    if Folder::exists(to) {
        bail!(
            "{} holds a domain already; give an empty folder with --data, or --replace with its name / {} 中已有域，请用 --data 指定空文件夹，或用 --replace 给出其域名",
            to.display(),
            to.display()
        );
    }
    let source = Folder::open(from)?;
    let target = Folder::create(to)?;
    // From now on every start begins a new epoch first, even if this process ends in the middle.
    write_file(&target.restored_mark(), format!("{FORMAT}\n").as_bytes())?;
    for entry in fs::read_dir(source.journal())? {
        let entry = entry?;
        fs::copy(entry.path(), target.journal().join(entry.file_name())).with_context(|| entry.path().display().to_string())?;
    }
    copy_keys(&source.keys(), &target.keys())?;
    blobs::take_along(&source.files(), &target.files())?;
    let (journal, _) = Journal::open(Arc::new(FolderDisk::new(target.journal())?), Options::default())?;
    store::reaches(&source, &journal.reader())?;
    let records = journal.reader().head().position;
    drop(journal);
    reread(&target, progress).map(|()| records)
}

/// What reading a whole journal showed.
pub struct Verified {
    pub records: u64,
    pub damage: Vec<String>,
    /// Bytes that `startalk compact` would give back.
    pub reclaimable: u64,
}

/// Reads every record of a journal and checks it against its hashes.
///
/// # Errors
/// What kept it from reading.
pub fn verify(reader: &Reader, progress: &Progress) -> anyhow::Result<Verified> {
    let mut erased = std::collections::HashSet::new();
    let (mut position, head) = (0, reader.head().position);
    while position < head {
        let records = reader.read_from(position + 1, 4096, 4 << 20)?;
        let Some(last) = records.last() else { break };
        position = last.header.position;
        for record in &records {
            if let Event::Erased(facts, _) = Recorded::read(record)?.event {
                erased.extend(facts.positions);
            }
        }
    }
    let report = reader.verify(&|p| erased.contains(&p), &mut |p| progress(p.position, p.head))?;
    let damage = report.damages.iter().map(|d| format!("{}: {}", d.place, d.fault)).collect();
    Ok(Verified { records: head, damage, reclaimable: report.reclaimable })
}
