//! Checkpoints of the views as files: written on a thread of their own, each whole under its name or not there.
//!
//! Owns the folder `checkpoints`. At most two are kept; those that may name a person who is gone are removed. Never
//! decides when one is made.
//!
//! Invariant: what is not as it was written, or is of another journal, is named and not used.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, BufReader, BufWriter, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, bail};
use parking_lot::Mutex;
use startalk_domain::{
    domain::LAYOUT,
    store::{
        Store,
        checkpoint::{CheckpointError, Export, Incoming},
    },
};
use startalk_journal::ReadJournal;
use startalk_paced::PacedFile;
use startalk_sequencer::{Checkpoints, FREE_BYTES_MIN};

/// Files kept: the newest, and the one before in case the newest is damaged.
const KEPT: usize = 2;
const ENDING: &str = ".checkpoint";
const UNFINISHED: &str = ".checkpoint.new";

/// The folder of checkpoints, and the thread that writes one.
pub struct Files {
    folder: PathBuf,
    rules: Arc<Mutex<Rules>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread obeys; the lock is held while a file gets its name.
#[derive(Default)]
struct Rules {
    /// None may end before this position.
    forgotten: u64,
    stopping: bool,
}

impl Files {
    /// Takes the folder, and removes what was being written when the process ended.
    pub fn open(folder: PathBuf) -> Self {
        for name in names(&folder).iter().filter(|name| name.ends_with(UNFINISHED)) {
            let _ = fs::remove_file(folder.join(name));
        }
        Self { folder, rules: Arc::default(), thread: None }
    }

    /// Position of the newest, 0 if there is none.
    pub fn newest(&self) -> u64 {
        list(&self.folder).first().map_or(0, |(position, _)| *position)
    }
}

#[cfg(test)]
impl Files {
    /// Waits for the one that is being written.
    pub fn wait(&mut self) {
        self.thread.take().into_iter().for_each(|thread| thread.join().unwrap());
    }
}

impl Checkpoints for Files {
    fn write(&mut self, export: Export) {
        let (folder, rules) = (self.folder.clone(), self.rules.clone());
        let spawned = thread::Builder::new().name("checkpoint".into()).spawn(move || {
            let position = export.position();
            match write(&folder, &export, &rules) {
                Ok(()) => tracing::info!(position, "a checkpoint of the views was written"),
                Err(e) => tracing::info!(position, "no checkpoint of the views: {e:#}"),
            }
        });
        self.thread = spawned.ok();
    }

    fn forget(&mut self, before: u64) {
        let mut rules = self.rules.lock();
        rules.forgotten = rules.forgotten.max(before);
        for (_, path) in list(&self.folder).iter().filter(|(position, _)| *position < before) {
            if let Err(e) = fs::remove_file(path) {
                tracing::warn!("{}: {e}", path.display());
            }
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.rules.lock().stopping = true;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn write(folder: &Path, export: &Export, rules: &Mutex<Rules>) -> anyhow::Result<()> {
    if !folder.is_dir() {
        DirBuilder::new().mode(0o700).create(folder)?;
    }
    let free = rustix::fs::statvfs(folder).map(|s| s.f_bavail * s.f_frsize)?;
    if free < export.bytes() + 2 * FREE_BYTES_MIN {
        bail!("too little free space: {free} bytes");
    }
    let unfinished = folder.join(format!("{:016}{UNFINISHED}", export.position()));
    let written = write_whole(folder, &unfinished, export, rules);
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn write_whole(folder: &Path, unfinished: &Path, export: &Export, rules: &Mutex<Rules>) -> anyhow::Result<()> {
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(unfinished)?;
    let mut out = BufWriter::new(Obedient { file: PacedFile::new(file), rules, position: export.position() });
    export.write(&mut out)?;
    out.flush()?;
    out.get_mut().file.sync_data()?;
    let rules = rules.lock();
    out.get_ref().check(&rules)?;
    fs::rename(unfinished, folder.join(format!("{:016}{ENDING}", export.position())))?;
    File::open(folder)?.sync_all()?;
    for (_, path) in list(folder).iter().skip(KEPT) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// A file that takes no more when the checkpoint is not wanted any more.
struct Obedient<'a> {
    file: PacedFile,
    rules: &'a Mutex<Rules>,
    position: u64,
}

impl Obedient<'_> {
    fn check(&self, rules: &Rules) -> io::Result<()> {
        if rules.stopping || self.position < rules.forgotten {
            return Err(io::Error::other("it is not wanted any more"));
        }
        Ok(())
    }
}

impl Write for Obedient<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check(&self.rules.lock())?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Position and path of each, the newest first.
pub fn list(folder: &Path) -> Vec<(u64, PathBuf)> {
    let position = |name: &String| name.strip_suffix(ENDING)?.parse().ok();
    let mut found: Vec<(u64, PathBuf)> =
        names(folder).iter().filter_map(|name| Some((position(name)?, folder.join(name)))).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
}

/// Fills an empty store from a checkpoint that fits the journal, and returns its position. One that can never be used is
/// removed.
///
/// # Errors
/// Why it cannot be used; the store is to be thrown away.
pub fn load(path: &Path, store: &Store, journal: &dyn ReadJournal) -> anyhow::Result<u64> {
    let loaded = load_whole(path, store, journal);
    let is_passing = |e: &anyhow::Error| matches!(e.downcast_ref(), Some(CheckpointError::Io(_) | CheckpointError::Tree(_)));
    if loaded.as_ref().is_err_and(|e| !is_passing(e)) {
        let _ = fs::remove_file(path);
    }
    loaded.with_context(|| path.file_name().unwrap_or_default().display().to_string())
}

fn load_whole(path: &Path, store: &Store, journal: &dyn ReadJournal) -> anyhow::Result<u64> {
    let incoming = Incoming::open(BufReader::new(File::open(path).map_err(CheckpointError::from)?))?;
    let meta = incoming.meta();
    if meta.layout != LAYOUT {
        bail!("it has layout {}, this version uses {LAYOUT}", meta.layout);
    }
    if meta.position == 0 || meta.position > journal.head().position {
        bail!("it is ahead of the journal");
    }
    if journal.header(meta.position)?.chain_tag != meta.chain_tag {
        bail!("it belongs to another journal");
    }
    Ok(incoming.load(store)?.position)
}
