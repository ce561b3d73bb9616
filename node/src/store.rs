//! Opening journal and views bottom-up: what cannot be trusted is rebuilt, with progress; what is damaged is named.

use std::{fs, sync::Arc};

use anyhow::{Context as _, bail};
use startalk_domain::{
    Command,
    domain::LAYOUT,
    store::{Store, TreeError},
};
use startalk_journal::{CutBatch, FolderDisk, Head, Journal, OpenError, Options, ReadJournal};
use startalk_protocol::{
    DomainName,
    sabotage::{self, Switch},
};
use startalk_sequencer::{CHECKPOINT_RECORDS, CHECKPOINT_TREE_BYTES_MIN, Sequencer, Work, views};

use crate::{
    checkpoints::{self, Files},
    clock,
    folder::{Folder, write_file},
    metrics::{Histogram, TimedDisk},
    zones,
};

/// What opening found out.
#[derive(Debug, Default)]
pub struct Opened {
    /// The journal was empty: this is the first start.
    pub first: bool,
    /// A torn last batch that nobody was told of.
    pub cut: Option<CutBatch>,
    /// A backup was brought back: keys have to be renewed, for later ones may be known to others.
    pub restored: bool,
    /// Why the views were rebuilt, if they were.
    pub rebuilt: Option<String>,
    /// The position of the checkpoint from which they were rebuilt, if there was one; otherwise from the beginning.
    pub checkpoint: Option<u64>,
    /// Checkpoints that could not be used, and why.
    pub skipped: Vec<String>,
    /// How long each sync of the journal's files takes, microseconds.
    pub syncs_us: Arc<Histogram>,
}

/// Bytes of the chain hash that each header carries.
const CHAIN_TAG_BYTES: usize = 8;

/// Hears (done, total) while views are rebuilt.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// Opens journal and views. `domain` begins the domain if the journal is empty.
///
/// # Errors
/// Damage, named; a later version's records; the disk's.
pub fn open(
    folder: &Folder,
    begin: Option<(&DomainName, [u8; 32])>,
    force_rebuild: bool,
    progress: Progress,
) -> anyhow::Result<(Sequencer<Journal>, DomainName, Opened)> {
    let mut opened = Opened::default();
    let disk = Arc::new(TimedDisk { folder: FolderDisk::new(folder.journal())?, syncs_us: opened.syncs_us.clone() });
    let journal = match Journal::open(disk.clone(), Options::default()) {
        Ok((journal, report)) => {
            opened.cut = report.cut;
            journal
        }
        Err(OpenError::NoJournal) if begin.is_some() => Journal::create(disk, clock::random(), Options::default())?,
        Err(e) => return Err(e.into()),
    };
    opened.first = journal.head().position == 0;
    let reader: Arc<dyn ReadJournal> = Arc::new(journal.reader());
    reaches(folder, &*reader)?;
    let clean = folder.take_clean_mark()?;
    let usable = if force_rebuild { Err("asked for".to_owned()) } else { usable(folder, &*reader, clean)? };
    let store = match usable {
        Ok(store) => store,
        Err(why) => {
            opened.rebuilt = (!opened.first).then_some(why);
            // Asked for: it is the proof that the journal alone gives the views.
            let usable = !force_rebuild && !opened.first;
            from_checkpoint(folder, &*reader, usable, &mut opened)?
        }
    };
    let name = match begin {
        Some((name, _)) if opened.first => name.clone(),
        _ => domain_name(&*reader)?,
    };
    let mut sequencer = Sequencer::open(journal, views(store, reader), name.clone(), progress)?;
    sequencer.set_zones(zones::offset_min);
    let files = Files::open(folder.checkpoints());
    let newest = files.newest();
    sequencer.set_checkpoints(Box::new(files), newest, CHECKPOINT_RECORDS, CHECKPOINT_TREE_BYTES_MIN);
    if let (true, Some((_, root_key))) = (opened.first, begin) {
        run(&mut sequencer, Command::Begin { root_key })?;
    }
    if folder.restored_mark().exists() {
        run(&mut sequencer, Command::BeginEpoch { epoch: 0, reason: "restored".into() })?;
        opened.restored = true;
        fs::remove_file(folder.restored_mark())?;
    }
    Ok((sequencer, name, opened))
}

/// Runs one command by hand, before the write loop has its thread.
///
/// # Errors
/// The command's own, or the loop's.
pub fn run(sequencer: &mut Sequencer<Journal>, command: Command) -> anyhow::Result<startalk_domain::Answer> {
    let (answer, result) = std::sync::mpsc::channel();
    let mut work = Work::default();
    work.push(command, move |r| {
        let _ = answer.send(r);
    });
    while !work.is_empty() {
        sequencer.step(&mut work, clock::now_ms(), &mut clock::System)?;
    }
    Ok(result.recv()??)
}

/// New views: from the newest checkpoint that can be used, or empty ones.
fn from_checkpoint(folder: &Folder, journal: &dyn ReadJournal, usable: bool, opened: &mut Opened) -> anyhow::Result<Store> {
    let found = if usable { checkpoints::list(&folder.checkpoints()) } else { Vec::new() };
    for (_, path) in found {
        discard(folder)?;
        let store = Store::open(&folder.views())?;
        match checkpoints::load(&path, &store, journal) {
            Ok(position) => {
                opened.checkpoint = Some(position);
                return Ok(store);
            }
            Err(e) => opened.skipped.push(format!("{e:#}")),
        }
    }
    discard(folder)?;
    Ok(Store::open(&folder.views())?)
}

/// The views as they are, or why they cannot be used.
///
/// # Errors
/// Only for want of space: what may be good is not thrown away for that.
fn usable(folder: &Folder, journal: &dyn ReadJournal, clean: bool) -> Result<Result<Store, String>, TreeError> {
    if !folder.views().exists() && journal.head().position > 0 {
        return Ok(Err("they were missing".to_owned()));
    }
    let store = match Store::open(&folder.views()) {
        Ok(store) => store,
        Err(TreeError::Full) => return Err(TreeError::Full),
        Err(e) => return Ok(Err(e.to_string())),
    };
    let meta = store.meta();
    if meta.position == 0 && journal.head().position > 0 {
        // What is left of them, if anything is, must not be applied to twice.
        return Ok(Err("they do not say how far they reach".to_owned()));
    }
    if meta.position > 0 && meta.layout != LAYOUT {
        return Ok(Err(format!("they have layout {}, this version uses {LAYOUT}", meta.layout)));
    }
    if meta.position > journal.head().position {
        return Ok(Err("they are ahead of the journal".into()));
    }
    if meta.position > 0 && journal.header(meta.position).map(|h| h.chain_tag).ok() != Some(meta.chain_tag) {
        return Ok(Err("they belong to another journal".into()));
    }
    if !clean && !sabotage::is(Switch::ViewsNotCompared) {
        // sled may lose pages silently when the machine stops hard.
        if let Err(e) = store.verify() {
            return Ok(Err(e.to_string()));
        }
    }
    Ok(Ok(store))
}

/// Writes into a backup how far its journal reaches.
///
/// # Errors
/// The disk's.
pub fn write_reach(folder: &Folder, head: &Head) -> anyhow::Result<()> {
    let text = format!("{} {}\n", head.position, data_encoding::HEXLOWER.encode(&head.chain[..CHAIN_TAG_BYTES]));
    Ok(write_file(&folder.backup_mark(), text.as_bytes())?)
}

/// How far a copy's journal reached when it was made, as its folder says.
pub struct Reach {
    /// Of its last record.
    pub position: u64,
    tag: String,
}

impl std::str::FromStr for Reach {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<Self> {
        let read = text.trim().split_once(' ').and_then(|(position, tag)| Some((position.parse().ok()?, tag.to_owned())));
        let (position, tag) = read.context("expected a position and a chain tag")?;
        Ok(Self { position, tag })
    }
}

impl Reach {
    /// Whether this journal has that record.
    pub fn is_of(&self, journal: &dyn ReadJournal) -> bool {
        if self.position == 0 {
            return true;
        }
        let ours = if self.position > journal.head().position { None } else { journal.header(self.position).ok() };
        ours.is_some_and(|header| data_encoding::HEXLOWER.encode(&header.chain_tag) == self.tag)
    }
}

/// Whether a journal still has everything that a backup says to hold: opening cuts a damaged end off, as one that nobody
/// was told of.
///
/// # Errors
/// What is missing.
pub fn reaches(folder: &Folder, journal: &dyn ReadJournal) -> anyhow::Result<()> {
    let Ok(text) = fs::read_to_string(folder.backup_mark()) else { return Ok(()) };
    let reach: Reach = text.parse().with_context(|| folder.backup_mark().display().to_string())?;
    if !reach.is_of(journal) {
        let (position, head) = (reach.position, journal.head().position);
        bail!(
            "the copy is damaged: it was made with {position} records, and {head} of them are whole / 备份已损坏：制作时有 {position} 条记录，其中 {head} 条完整"
        );
    }
    Ok(())
}

/// Throws the views away.
///
/// # Errors
/// The disk's.
pub fn discard(folder: &Folder) -> std::io::Result<()> {
    match fs::remove_dir_all(folder.views()) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// The name that the journal's first record gives.
///
/// # Errors
/// If there is none.
fn domain_name(journal: &dyn ReadJournal) -> anyhow::Result<DomainName> {
    let first = startalk_domain::Recorded::read(&journal.read(1)?)?;
    match first.event {
        startalk_domain::Event::DomainBegan(facts, _) => Ok(facts.domain.parse()?),
        other => anyhow::bail!("the journal begins with {}, expected DomainBegan", other.name()),
    }
}

#[cfg(test)]
mod tests {
    use startalk_domain::governance::NewPolicy;

    use super::*;

    fn opened(folder: &Folder) -> (Sequencer<Journal>, Opened) {
        let name: DomainName = "a.example".parse().unwrap();
        let (sequencer, _, opened) = open(folder, Some((&name, [1; 32])), false, &mut |_, _| {}).unwrap();
        (sequencer, opened)
    }

    fn policy(n: i64) -> Command {
        Command::SetPolicy(NewPolicy { recall_window_ms: Some(n), ..NewPolicy::default() })
    }

    fn window(sequencer: &Sequencer<Journal>) -> i64 {
        startalk_domain::governance::realm(&*sequencer.views().store).recall_window_ms
    }

    #[test]
    fn views_that_lost_a_page_are_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(&root.path().join("d")).unwrap();
        let (mut sequencer, _) = opened(&folder);
        run(&mut sequencer, policy(7000)).unwrap();
        sequencer.close().unwrap();
        folder.mark_clean().unwrap();
        let (sequencer, report) = opened(&folder);
        assert!(report.rebuilt.is_none(), "a clean stop is believed");
        drop(sequencer); // no clean mark
        // As sled may after a power cut: one entry is silently gone.
        let tree = sled::open(folder.views()).unwrap();
        let lost = tree.iter().filter_map(Result::ok).map(|(k, _)| k).find(|k| k.starts_with(b"gr")).unwrap();
        tree.remove(lost).unwrap();
        tree.flush().unwrap();
        drop(tree);
        let (sequencer, report) = opened(&folder);
        assert!(report.rebuilt.is_some());
        assert_eq!(window(&sequencer), 7000);
    }

    #[test]
    fn views_of_another_journal_or_none_at_all_are_made_anew() {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(&root.path().join("d")).unwrap();
        let (mut sequencer, report) = opened(&folder);
        assert!(report.first && report.rebuilt.is_none());
        run(&mut sequencer, policy(7000)).unwrap();
        sequencer.close().unwrap();
        folder.mark_clean().unwrap();
        discard(&folder).unwrap();
        let (sequencer, report) = opened(&folder);
        assert_eq!(report.rebuilt.as_deref(), Some("they were missing"));
        assert_eq!(window(&sequencer), 7000);
        drop(sequencer);
        let other = Folder::create(&root.path().join("e")).unwrap();
        let (mut sequencer, _) = opened(&other);
        run(&mut sequencer, policy(9000)).unwrap();
        sequencer.close().unwrap();
        discard(&folder).unwrap();
        fs::rename(other.views(), folder.views()).unwrap();
        let (sequencer, report) = opened(&folder);
        assert_eq!(report.rebuilt.as_deref(), Some("they belong to another journal"));
        assert_eq!(window(&sequencer), 7000);
    }

    /// Writes a checkpoint of the views as they stand.
    fn checkpoint(folder: &Folder, sequencer: &mut Sequencer<Journal>, later_ms: u64) -> u64 {
        sequencer.idle(clock::now_ms() + later_ms); // flushes
        let mut files = Files::open(folder.checkpoints());
        let export = sequencer.views().store.hold().unwrap();
        let position = export.position();
        startalk_sequencer::Checkpoints::write(&mut files, export);
        files.wait();
        assert_eq!(files.newest(), position);
        position
    }

    fn a_home_with_checkpoints(root: &std::path::Path) -> (Folder, Vec<u64>, u64) {
        let folder = Folder::create(root).unwrap();
        let (mut sequencer, _) = opened(&folder);
        let mut positions = Vec::new();
        for n in 0..90 {
            run(&mut sequencer, policy(1000 * (n + 1))).unwrap();
            if n % 25 == 24 {
                positions.push(checkpoint(&folder, &mut sequencer, 60_000 * (n as u64 + 1)));
            }
        }
        assert_eq!(positions.len(), 3);
        let head = sequencer.head().position;
        sequencer.close().unwrap();
        (folder, positions, head)
    }

    /// As sled may after a power cut: an entry is silently gone. No clean mark is there.
    fn lose_a_page(folder: &Folder) {
        let tree = sled::open(folder.views()).unwrap();
        let lost = tree.iter().filter_map(Result::ok).map(|(k, _)| k).find(|k| k.starts_with(b"gr")).unwrap();
        tree.remove(lost).unwrap();
        tree.flush().unwrap();
    }

    #[test]
    fn after_damage_only_what_follows_the_newest_checkpoint_is_applied() {
        let root = tempfile::tempdir().unwrap();
        let (folder, positions, head) = a_home_with_checkpoints(&root.path().join("d"));
        assert_eq!(checkpoints::list(&folder.checkpoints()).len(), 2, "at most two are kept");
        lose_a_page(&folder);
        let (sequencer, report) = opened(&folder);
        assert_eq!((report.checkpoint, report.skipped.len()), (Some(positions[2]), 0));
        assert_eq!(sequencer.applied(), head - positions[2], "records applied with a checkpoint");
        assert_eq!(window(&sequencer), 90_000);
        sequencer.views().store.verify().unwrap();
        sequencer.close().unwrap();
        lose_a_page(&folder);
        fs::remove_dir_all(folder.checkpoints()).unwrap();
        let (sequencer, report) = opened(&folder);
        assert_eq!((report.checkpoint, sequencer.applied()), (None, head), "records applied without one");
        assert_eq!(window(&sequencer), 90_000);
    }

    #[test]
    fn a_damaged_or_foreign_checkpoint_is_named_and_the_one_before_used() {
        let root = tempfile::tempdir().unwrap();
        let (folder, positions, head) = a_home_with_checkpoints(&root.path().join("d"));
        let (other, _, _) = a_home_with_checkpoints(&root.path().join("e"));
        let newest = &checkpoints::list(&folder.checkpoints())[0].1;
        let mut bytes = fs::read(newest).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 4;
        fs::write(newest, &bytes).unwrap();
        fs::copy(&checkpoints::list(&other.checkpoints())[0].1, folder.checkpoints().join("9.checkpoint")).unwrap();
        fs::copy(newest, folder.checkpoints().join("99999.checkpoint.new")).unwrap();
        discard(&folder).unwrap();
        let (sequencer, report) = opened(&folder);
        assert_eq!(report.rebuilt.as_deref(), Some("they were missing"));
        assert_eq!((report.checkpoint, sequencer.applied()), (Some(positions[1]), head - positions[1]));
        assert_eq!(report.skipped.len(), 1, "{:?}", report.skipped);
        assert!(report.skipped[0].contains("damaged"), "{:?}", report.skipped);
        assert_eq!(window(&sequencer), 90_000);
        sequencer.close().unwrap();
        assert!(!newest.exists(), "it can never be used");
        assert!(!folder.checkpoints().join("99999.checkpoint.new").exists());
        fs::remove_file(&checkpoints::list(&folder.checkpoints())[0].1).unwrap();
        discard(&folder).unwrap();
        let (sequencer, report) = opened(&folder);
        assert!(report.skipped[0].contains("belongs to another journal"), "{:?}", report.skipped);
        assert_eq!((report.checkpoint, sequencer.applied()), (None, head));
    }

    #[test]
    fn a_rebuild_asks_no_checkpoint() {
        let root = tempfile::tempdir().unwrap();
        let (folder, _, head) = a_home_with_checkpoints(&root.path().join("d"));
        let (sequencer, _, report) = open(&folder, None, true, &mut |_, _| {}).unwrap();
        assert_eq!((report.checkpoint, sequencer.applied()), (None, head));
        assert_eq!(checkpoints::list(&folder.checkpoints()).len(), 2, "they stay");
    }

    #[test]
    fn a_loading_that_was_cut_short_is_begun_again() {
        let root = tempfile::tempdir().unwrap();
        let (folder, positions, head) = a_home_with_checkpoints(&root.path().join("d"));
        // Entries without a word of how far they reach.
        let tree = sled::open(folder.views()).unwrap();
        tree.remove(b"\0meta").unwrap();
        tree.flush().unwrap();
        drop(tree);
        let (sequencer, report) = opened(&folder);
        assert_eq!(report.rebuilt.as_deref(), Some("they do not say how far they reach"));
        assert_eq!((report.checkpoint, sequencer.applied()), (Some(positions[2]), head - positions[2]));
    }

    #[test]
    fn what_may_name_a_person_who_is_gone_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let (folder, positions, _) = a_home_with_checkpoints(&root.path().join("d"));
        let mut files = Files::open(folder.checkpoints());
        startalk_sequencer::Checkpoints::forget(&mut files, positions[2]);
        assert_eq!(checkpoints::list(&folder.checkpoints()).len(), 1, "those before");
        let (mut sequencer, _) = opened(&folder);
        sequencer.idle(clock::now_ms() + 60_000);
        let export = sequencer.views().store.hold().unwrap();
        startalk_sequencer::Checkpoints::forget(&mut files, u64::MAX);
        startalk_sequencer::Checkpoints::write(&mut files, export);
        files.wait();
        assert!(checkpoints::list(&folder.checkpoints()).is_empty(), "and the one that was being written");
        assert_eq!(fs::read_dir(folder.checkpoints()).unwrap().count(), 0);
    }
}
