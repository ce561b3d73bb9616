//! Erasing bodies: overwritten with zeros, in steps that a crash cannot leave half done.
//!
//! A body torn in the middle of being overwritten would look like damage on the next opening. So a step first writes down
//! what it is about to overwrite (the file `erasing`, allocated when the journal is made, so that erasing works on a full
//! disk), and opening repeats the step found there before it looks at any record.
//!
//! The file has two slots, written in turn, so that a list torn while it is written leaves the one before:
//!
//! ```text
//! magic 8 | journal id 16 | generation u64 | count u32 | crc32c of all else u32
//! | count × { position u64 | segment u64 | offset u32 }
//! ```
//!
//! The list has a second use. On opening, a body of zeros in the last batch is taken for one that a power cut lost – unless
//! the list names it. So what is erased in the last batch stays in the list until another batch follows.
//!
//! Owns that file. Never erases what is not durable, never changes a header or facts.
//!
//! Invariant: bodies are overwritten only while a durable list names them.

use crate::disk::{Disk, DiskFile, write_zeros};
use crate::error::EraseError;
use crate::header::{self, Seed};
use crate::journal::Journal;
use crate::limits::{ERASE_ENTRIES_MAX, ERASE_STEP_MAX, HEADER_BYTES_MAX, ORDINAL_MAX};
use crate::record::ReadJournal;
use std::io;
use std::sync::Arc;

const NAME: &str = "erasing";
const MAGIC: [u8; 8] = *b"STERASE\n";
const LIST_HEADER: usize = 40;
const ENTRY: usize = 20;
const SLOT: usize = (LIST_HEADER + ENTRY * ERASE_ENTRIES_MAX).next_multiple_of(4096);

/// One body that is about to be overwritten: its record, and where the record begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry {
    pub position: u64,
    pub segment: u64,
    pub offset: u32,
}

/// The file in which a step is written down.
pub struct ErasingList {
    file: Arc<dyn DiskFile>,
    /// Of the list written last; it is in the slot with the same parity.
    generation: u64,
    /// Entries of the last batch, if it still is the last: `(batch, entries)`.
    kept: (u64, Vec<Entry>),
}

impl ErasingList {
    /// Makes an empty list; durable once the folder is synced.
    pub fn create(disk: &dyn Disk) -> io::Result<ErasingList> {
        let file = disk.create(NAME)?;
        write_zeros(&*file, 0, 2 * SLOT as u64)?;
        file.sync_all()?;
        Ok(ErasingList { file, generation: 0, kept: (0, Vec::new()) })
    }

    /// Opens the list, or makes it where a crash or a copy lost it, and gives what it names, by segment.
    pub fn open(disk: &dyn Disk, names: &[String], journal_id: &[u8; 16]) -> io::Result<(ErasingList, Vec<Entry>)> {
        if !names.iter().any(|name| name == NAME) {
            let list = ErasingList::create(disk)?;
            disk.sync_dir()?;
            return Ok((list, Vec::new()));
        }
        let file = disk.open(NAME)?;
        let mut bytes = vec![0; (2 * SLOT).min(file.size()? as usize)];
        file.read_at(0, &mut bytes)?;
        let mut list = ErasingList { file, generation: 0, kept: (0, Vec::new()) };
        let mut entries = Vec::new();
        for slot in bytes.chunks(SLOT) {
            if let Some((generation, mut named)) = parse_list(slot, journal_id) {
                list.generation = list.generation.max(generation);
                entries.append(&mut named);
            }
        }
        if !entries.is_empty() {
            // It may be in the page cache only, and bodies will be overwritten on its word.
            list.file.write_at(0, &bytes)?;
            list.file.sync_data()?;
        }
        entries.sort_unstable_by_key(|entry| (entry.segment, entry.position));
        entries.dedup();
        Ok((list, entries))
    }

    pub fn write(&mut self, entries: &[Entry], journal_id: &[u8; 16]) -> io::Result<()> {
        self.generation += 1;
        let slot = self.generation % 2 * SLOT as u64;
        self.file.write_at(slot, &list_bytes(entries, self.generation, journal_id))?;
        self.file.sync_data()
    }

    /// Not synced: a step that is repeated without need does no harm.
    fn clear(&self) -> io::Result<()> {
        self.file.write_at(0, &[0; LIST_HEADER])?;
        self.file.write_at(SLOT as u64, &[0; LIST_HEADER])
    }
}

fn list_bytes(entries: &[Entry], generation: u64, journal_id: &[u8; 16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(LIST_HEADER + ENTRY * entries.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(journal_id);
    out.extend_from_slice(&generation.to_le_bytes());
    out.extend_from_slice(&(entries.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    for entry in entries {
        out.extend_from_slice(&entry.position.to_le_bytes());
        out.extend_from_slice(&entry.segment.to_le_bytes());
        out.extend_from_slice(&entry.offset.to_le_bytes());
    }
    let crc = list_crc(&out);
    out[LIST_HEADER - 4..LIST_HEADER].copy_from_slice(&crc.to_le_bytes());
    out
}

fn list_crc(list: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&list[..LIST_HEADER - 4]), &list[LIST_HEADER..])
}

/// Generation and entries of a whole list of this journal; `None` if it is empty, torn (then no body was touched) or
/// another's.
pub fn parse_list(bytes: &[u8], journal_id: &[u8; 16]) -> Option<(u64, Vec<Entry>)> {
    let header = bytes.first_chunk::<LIST_HEADER>()?;
    let generation = u64::from_le_bytes(*header[24..].first_chunk()?);
    let count = u32::from_le_bytes(*header[32..].first_chunk()?) as usize;
    if header[..8] != MAGIC || header[8..24] != *journal_id || count > ERASE_ENTRIES_MAX || generation > ORDINAL_MAX {
        return None;
    }
    let list = bytes.get(..LIST_HEADER + ENTRY * count)?;
    if list_crc(list).to_le_bytes() != header[LIST_HEADER - 4..] {
        return None;
    }
    let (entries, _) = list[LIST_HEADER..].as_chunks::<ENTRY>();
    let entry = |bytes: &[u8; ENTRY]| {
        Some(Entry {
            position: u64::from_le_bytes(*bytes.first_chunk()?),
            segment: u64::from_le_bytes(*bytes[8..].first_chunk()?),
            offset: u32::from_le_bytes(*bytes[16..].first_chunk()?),
        })
    };
    let entries = entries.iter().map(entry).collect::<Option<_>>()?;
    Some((generation, entries))
}

/// Overwrites the body of the record that `entry` names; `false` if that record is not there (a list from another copy of
/// the folder, or from before the segment was rewritten) or has no bytes of a body any more. Not synced.
pub fn overwrite(file: &dyn DiskFile, entry: &Entry, seed: Seed) -> io::Result<bool> {
    let size = file.size()?;
    if u64::from(entry.offset) >= size {
        return Ok(false);
    }
    let mut bytes = [0; HEADER_BYTES_MAX];
    let len = size.saturating_sub(entry.offset.into()).min(HEADER_BYTES_MAX as u64) as usize;
    file.read_at(entry.offset.into(), &mut bytes[..len])?;
    let Ok(parsed) = header::parse(&bytes[..len], seed) else {
        return Ok(false);
    };
    let end = u64::from(entry.offset) + parsed.record_len() as u64;
    if parsed.header.position != entry.position || end > size || parsed.omitted {
        return Ok(false);
    }
    write_zeros(file, end - u64::from(parsed.header.body_len), end)?;
    Ok(true)
}

impl Journal {
    /// Overwrites the bodies of the records at `positions` with zeros; durable when it returns `Ok`. Records without a
    /// body and bodies already erased are passed over. The order to erase must be durable in the journal before.
    pub fn erase(&mut self, positions: &[u64]) -> Result<(), EraseError> {
        if let Some(because) = self.shared.stopped() {
            return Err(EraseError::Poisoned { because });
        }
        let head = self.head().position;
        if let Some(&position) = positions.iter().find(|&&position| position == 0 || position > head) {
            return Err(EraseError::NoSuchPosition { position, head });
        }
        let mut sorted = positions.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        for step in sorted.chunks(ERASE_STEP_MAX) {
            self.erase_step(step, &sorted)?;
        }
        Ok(())
    }

    /// `all`: what the order is about, this step and the others.
    fn erase_step(&mut self, positions: &[u64], all: &[u64]) -> Result<(), EraseError> {
        // From here on no segment is replaced: the places found are those that are overwritten.
        let shared = self.shared.clone();
        let _readers_wait = shared.erasing.lock();
        let reader = self.reader();
        let mut entries = Vec::with_capacity(positions.len());
        let mut in_last_batch = Vec::new();
        let last_batch = self.head().batch;
        for &position in positions {
            let (parsed, segment, offset) = reader.find_header(position)?;
            let header = parsed.header;
            let entry = Entry { position, segment, offset };
            if header.body_len > 0 && !parsed.omitted {
                entries.push(entry);
                in_last_batch.extend((header.batch == last_batch).then_some(entry));
            }
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.keep(last_batch, in_last_batch);
        shared.note_erasures(&entries);
        let step = self.write_step(&entries).inspect_err(|_| shared.note_unerased(all));
        step.map_err(|(doing, error)| EraseError::Poisoned { because: self.poison(doing, &error) })
    }

    fn write_step(&mut self, entries: &[Entry]) -> Result<(), (&'static str, io::Error)> {
        let failed = |doing| move |error| (doing, error);
        let journal_id = self.head().journal_id;
        let kept = &self.erasing.kept.1;
        let nothing_kept = kept.is_empty();
        let earlier = kept.iter().filter(|kept| !entries.contains(kept));
        let list: Vec<Entry> = earlier.chain(entries).copied().collect();
        self.erasing.write(&list, &journal_id).map_err(failed("writing down what is erased"))?;
        for segment in entries.chunk_by(|a, b| a.segment == b.segment) {
            let file = self.file_of(segment[0].segment).map_err(failed("opening a segment"))?;
            for entry in segment {
                overwrite(&*file, entry, self.shared.seed).map_err(failed("erasing"))?;
            }
            file.sync_data().map_err(failed("syncing what was erased"))?;
        }
        if nothing_kept {
            self.erasing.clear().map_err(failed("clearing the erasing list"))?;
        }
        Ok(())
    }

    /// Remembers what is erased in the last batch.
    fn keep(&mut self, batch: u64, entries: Vec<Entry>) {
        let kept = &mut self.erasing.kept;
        if kept.0 != batch {
            *kept = (batch, Vec::new());
        }
        for entry in entries {
            if !kept.1.contains(&entry) {
                kept.1.push(entry);
            }
        }
    }

    /// Takes over the list that opening found and repeated: only what lies in the last batch is still needed.
    pub(crate) fn forget_erased(&mut self, entries: Vec<Entry>) -> io::Result<()> {
        let head = self.head();
        let reader = self.reader();
        let in_last_batch = |entry: &Entry| reader.header(entry.position).is_ok_and(|header| header.batch == head.batch);
        let needed: Vec<Entry> = entries.iter().copied().filter(in_last_batch).collect();
        if needed.is_empty() && !entries.is_empty() {
            self.erasing.clear()?;
        }
        self.keep(head.batch, needed);
        Ok(())
    }

    fn file_of(&self, segment: u64) -> io::Result<Arc<dyn DiskFile>> {
        let state = self.shared.state.read();
        match &state.active {
            Some(active) if active.number == segment => Ok(active.file.clone()),
            _ => self.shared.file(segment),
        }
    }
}
