//! Bringing a backup back while the domain runs: it is copied, read again, opened and given its new epoch in a place of its
//! own; only then does it take the domain's place, at a restart. docs/decisions/0024-restore-while-running.md
//!
//! Owns no state: what is on the disk is `swap.rs`'s.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use serde::Serialize;
use startalk_domain::{
    Command,
    administration::{self, By},
    command::Tended,
    governance,
};
use startalk_protocol::{Code, DomainName, Error};
use startalk_sequencer::FREE_BYTES_MIN;
use utoipa::ToSchema;

use super::{Backend, Progress, backup, failed, storage};
use crate::{
    blobs, clock,
    folder::{FORMAT, Folder, write_file},
    keys::Keys,
    store,
    swap::{self, Plan},
};

/// Parts of the way that progress is told of: copying, reading again, opening.
const PARTS: u64 = 3;
/// In each.
const PART: u64 = 1000;

/// A domain that was replaced, as it is kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Replaced {
    /// When it was replaced: its name, and of its folder.
    pub name: String,
    /// The copy that was brought back instead.
    pub from: String,
    /// Records of that copy.
    pub records: u64,
    /// Its own records.
    pub replaced_records: u64,
    /// When that was asked for, milliseconds since 1970.
    pub asked_ms: u64,
    /// name@domain or a token's name; null: the operator.
    pub by: Option<String>,
    /// What it takes on the disk.
    pub bytes: u64,
    /// The folder on the node's machine.
    pub place: String,
}

/// A restore that was not carried out.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NotRestored {
    pub from: String,
    /// Milliseconds since 1970.
    pub asked_ms: u64,
    /// The system's own words.
    pub why: String,
}

/// What restores have left.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Restores {
    /// The newest first.
    pub replaced: Vec<Replaced>,
    /// The last restore, if it was given up: the domain is the one that it was.
    pub failed: Option<NotRestored>,
}

/// Domains that were replaced, and whether the last restore went well.
pub fn list(backend: &Backend) -> Restores {
    let root = &backend.folder;
    let shown = |plan: Plan| {
        let place = swap::replaced(root).join(&plan.name);
        Replaced {
            bytes: storage::bytes_in(&place),
            place: std::path::absolute(&place).unwrap_or(place).display().to_string(),
            name: plan.name,
            from: plan.from,
            records: plan.records,
            replaced_records: plan.replaced_records,
            asked_ms: plan.asked_ms,
            by: Some(plan.by).filter(|by| !by.is_empty()),
        }
    };
    let failed = swap::failed(root).map(|f| NotRestored { from: f.plan.from, asked_ms: f.plan.asked_ms, why: f.why });
    Restores { replaced: swap::list(root).into_iter().map(shown).collect(), failed }
}

/// Deletes a domain that was replaced.
///
/// # Errors
/// `no-such-thing`, or the disk's.
pub fn delete(backend: &Backend, name: &str) -> Result<(), Error> {
    let place = swap::inside(&swap::replaced(&backend.folder), name).ok_or(Code::NoSuchThing)?;
    swap::remove(&place).map_err(|e| failed(&e.into()))?;
    backend.command(Command::Tend(Tended::ReplacedDeleted)).map(drop)
}

/// A copy in the node's folder for them, or a domain that was replaced.
///
/// # Errors
/// `no-such-thing`.
pub fn named(backend: &Backend, name: &str) -> Result<PathBuf, Error> {
    let found = swap::inside(&backend.backups, name).or_else(|| swap::inside(&swap::replaced(&backend.folder), name));
    Ok(found.filter(|folder| Folder::exists(folder)).ok_or(Code::NoSuchThing)?)
}

/// Prepares the copy in `source` and lets it take the domain's place when the node starts again, which the node does by
/// itself if it runs. `typed` is the domain's name, from whoever wants it.
///
/// # Errors
/// What is wrong with the copy, or is lacking; the domain is what it was then.
pub fn restore(backend: &Backend, source: &Path, typed: &str, progress: &Progress) -> Result<Plan, Error> {
    if typed != backend.domain.as_str() {
        return Err(Error::new(Code::BadValue).with("field", "domain").with("expected", &backend.domain));
    }
    let records = stage(backend, source, progress).inspect_err(|_| drop(swap::clear_stage(&backend.folder)));
    let records = records.map_err(|e| failed(&e))?;
    backend.command(Command::Tend(Tended::RestoreBegun { records }))?;
    let now_ms = clock::now_ms();
    let plan = Plan {
        name: swap::new_name(&backend.folder, now_ms),
        from: source.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
        records,
        replaced_records: backend.views.journal.head().position,
        asked_ms: now_ms,
        by: name_of(backend),
        listened: backend.listened.clone(),
    };
    swap::commit(&backend.folder, &plan).map_err(|e| failed(&e.into()))?;
    if let Some(restart) = &backend.restart {
        restart.notify_one();
    }
    Ok(plan)
}

fn name_of(backend: &Backend) -> String {
    match backend.by {
        By::Operator => None,
        By::Account(actor) => super::user(backend, actor.account),
        By::Token(number) => {
            administration::tokens(&*backend.views.store).iter().find(|t| t.token == number).map(|t| t.name.clone())
        }
    }
    .unwrap_or_default()
}

/// Copies, reads, opens; the number of the copy's own records.
fn stage(backend: &Backend, source: &Path, progress: &Progress) -> anyhow::Result<u64> {
    let root = &backend.folder;
    let size = storage::bytes_in(&source.join("journal"));
    let files = blobs::needed_bytes(&source.join("files"), root)?;
    let (needed, free) = (needed_bytes(size) + files, storage::free(root));
    if free < needed {
        bail!(
            "{} MB are needed and {} MB are free / 需要 {} MB，剩余 {} MB",
            needed / 1_000_000,
            free / 1_000_000,
            needed / 1_000_000,
            free / 1_000_000
        );
    }
    let part = |number: u64| -> Progress {
        let progress = progress.clone();
        Arc::new(move |done, total| progress(number * PART + (done * PART).checked_div(total).unwrap_or(PART), PARTS * PART))
    };
    let target = Folder::create(&swap::clear_stage(root)?)?;
    copy(source, &target, size, &part(0))?;
    merge_keys(&source.join("keys"), &root.join("keys"), &target.keys())?;
    blobs::take_along(&source.join("files"), &target.files())?;
    backup::reread(&target, &part(1))?;
    let records = open(backend, &target, &part(2))?;
    fs::remove_file(target.backup_mark()).or_else(|e| if e.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(e) })?;
    Ok(records)
}

/// What has to be free for a journal of this size: a copy, views of the same size at most, and what stays free.
pub fn needed_bytes(journal: u64) -> u64 {
    2 * journal + FREE_BYTES_MIN
}

fn copy(source: &Path, target: &Folder, size: u64, progress: &Progress) -> anyhow::Result<()> {
    // Before anything of it is there: whoever opens it begins a new epoch first.
    write_file(&target.restored_mark(), format!("{FORMAT}\n").as_bytes())?;
    if let Ok(reach) = fs::read(source.join("BACKUP")) {
        write_file(&target.backup_mark(), &reach)?;
    }
    let mut done = 0;
    for entry in fs::read_dir(source.join("journal"))? {
        let entry = entry?;
        done += fs::copy(entry.path(), target.journal().join(entry.file_name()))
            .with_context(|| entry.path().display().to_string())?;
        progress(done, size.max(done));
    }
    Ok(())
}

/// The keys that the domain has now: others have seen what they signed, and a root key that was taken away stays away. Of
/// the copy's only link keys that are here no more.
fn merge_keys(copied: &Path, now: &Path, to: &Path) -> anyhow::Result<()> {
    let root = |keys: &Path| fs::read(keys.join("root.pub")).with_context(|| keys.display().to_string());
    if root(copied)? != root(now)? {
        bail!("this copy is of another domain / 这是另一个域的备份");
    }
    for entry in fs::read_dir(copied)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("link.") {
            write_file(&to.join(entry.file_name()), &fs::read(entry.path())?)?;
        }
    }
    backup::copy_keys(now, to)
}

/// Opens the copy, which gives it its views and a new epoch; the newest charter; and who asked for it.
fn open(backend: &Backend, target: &Folder, progress: &Progress) -> anyhow::Result<u64> {
    let head = startalk_journal::Journal::open(
        Arc::new(startalk_journal::FolderDisk::new(target.journal())?),
        startalk_journal::Options::default(),
    )?
    .0
    .head()
    .position;
    let (mut sequencer, domain, _) = store::open(target, None, false, &mut |done, total| progress(done, total))?;
    same_domain(&domain, &backend.domain)?;
    // Devices know an epoch by its number: one that they have seen is never used for another history.
    let seen = governance::realm(&*backend.views.store).epoch;
    while governance::realm(&*sequencer.views().store).epoch <= seen {
        store::run(&mut sequencer, Command::BeginEpoch { epoch: 0, reason: "restored".into() })?;
    }
    // Others may know a later charter than the copy has: theirs is not to be older than what they have seen.
    let known = governance::realm(&*backend.views.store).charter.clone();
    let keys = Keys::reopen(target.root())?;
    let (charter, _, _) = keys.charter(&domain, &known, keys.has_root())?;
    if *charter.bytes() != governance::realm(&*sequencer.views().store).charter {
        let sign = Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() };
        store::run(&mut sequencer, sign)?;
    }
    let replaced_records = backend.views.journal.head().position;
    store::run(&mut sequencer, Command::Tend(Tended::Restored { records: head, replaced_records, asked_by: backend.by }))?;
    sequencer.close()?;
    target.mark_clean()?;
    Ok(head)
}

fn same_domain(copied: &DomainName, ours: &DomainName) -> anyhow::Result<()> {
    if copied == ours { Ok(()) } else { bail!("the copy is of {copied}, not of {ours} / 备份属于 {copied}，而非 {ours}") }
}
