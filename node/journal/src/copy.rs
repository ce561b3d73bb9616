//! A copy of what is durable, made while the journal is written and erased: for backups.
//!
//! Owns nothing. Never changes the journal, and never keeps the writer waiting for more than the last step; what is
//! appended meanwhile is not in the copy.
//!
//! Invariant: the copy opens as a journal with the head that is returned, and what was erased before it was finished is
//! erased in it.

use crate::disk::{Disk, DiskFile};
use crate::erase::{self, Entry, ErasingList};
use crate::reader::Reader;
use crate::record::Head;
use crate::segment::file_name;
use startalk_paced::Pace;
use std::io;
use std::sync::Arc;

/// Bytes copied at once.
const PIECE: usize = 1024 * 1024;

impl Reader {
    /// Copies every durable record to `to`, which must be empty. `progress` hears (bytes done, bytes in all).
    ///
    /// # Errors
    /// Either disk's.
    pub fn copy_to(&self, to: &dyn Disk, progress: &mut dyn FnMut(u64, u64)) -> io::Result<Head> {
        if !to.list()?.is_empty() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the folder for the copy is not empty"));
        }
        // No segment is replaced while it is copied.
        let _not_rewritten = self.shared.rewriting.lock();
        // A body erased while it is copied could be torn in the copy, half of it read before and half after. So what is
        // erased from now on is noted, and erased in the copy at the end.
        let watch = self.shared.watch_erasures();
        let (head, sealed, active) = {
            let state = self.shared.state.read();
            let active = state.active.as_ref().map(|a| (a.number, a.file.clone(), u64::from(a.end)));
            (state.head, state.sealed.len() as u64, active)
        };
        let mut parts = Vec::new();
        for number in 1..=sealed {
            let size = self.shared.file(number)?.size()?;
            parts.push((number, None, size));
        }
        parts.extend(active.map(|(number, file, end)| (number, Some(file), end)));
        let total = parts.iter().map(|part| part.2).sum();
        let mut done = 0;
        for (number, file, size) in parts {
            // Sealed segments are opened one after the other: there may be more of them than files may be open.
            let from = match file {
                Some(file) => file,
                None => self.shared.file(number)?,
            };
            copy_file(&*from, &*to.create(&file_name(number))?, size, &mut |bytes| {
                done += bytes;
                progress(done, total);
            })?;
        }
        // Most of it before the writer is kept waiting.
        self.erase_in_copy(to, &head, &watch.take())?;
        let _nothing_is_being_erased = self.shared.erasing.lock();
        self.erase_in_copy(to, &head, &watch.take())?;
        let mut list = ErasingList::create(to)?;
        let erased = self.erased_in_batch_of(&head)?;
        if !erased.is_empty() {
            list.write(&erased, &head.journal_id)?;
        }
        to.sync_dir()?;
        Ok(head)
    }

    fn erase_in_copy(&self, to: &dyn Disk, head: &Head, entries: &[Entry]) -> io::Result<()> {
        for segment in entries.chunk_by(|a, b| a.segment == b.segment) {
            let copied: Vec<_> = segment.iter().filter(|entry| entry.position <= head.position).collect();
            if copied.is_empty() {
                continue;
            }
            let file = to.open(&file_name(segment[0].segment))?;
            for entry in copied {
                erase::overwrite(&*file, entry, self.shared.seed)?;
            }
            file.sync_all()?;
        }
        Ok(())
    }

    /// What is erased in the batch that ends at `head`: the copy's opening takes it for lost unless its list says so.
    fn erased_in_batch_of(&self, head: &Head) -> io::Result<Vec<Entry>> {
        let mut erased = Vec::new();
        for position in (1..=head.position).rev() {
            let (parsed, segment, offset) = self.find_header(position).map_err(io::Error::other)?;
            let header = parsed.header;
            if header.batch != head.batch {
                break;
            }
            if header.body_len > 0 && !parsed.omitted && self.is_erased(position).map_err(io::Error::other)? {
                erased.push(Entry { position, segment, offset });
            }
        }
        Ok(erased)
    }
}

/// The erasures since it was made; forgotten when it is dropped.
pub(crate) struct Watch {
    pub shared: Arc<crate::shared::Shared>,
    pub id: u64,
}

impl Watch {
    /// What was noted since the last call, in the order of segments.
    pub fn take(&self) -> Vec<Entry> {
        let mut entries = self.shared.take_watched(self.id);
        entries.sort_unstable_by_key(|entry| (entry.segment, entry.position));
        entries
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.forget_watch(self.id);
    }
}

fn copy_file(from: &dyn DiskFile, to: &dyn DiskFile, size: u64, copied: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let (mut at, mut pace) = (0, Pace::default());
    while at < size {
        let piece = usize::try_from((size - at).min(PIECE as u64)).expect("at most a piece");
        from.read_at(at, &mut buffer[..piece])?;
        to.write_at(at, &buffer[..piece])?;
        at += piece as u64;
        pace.wrote(piece, || to.sync_data())?;
        copied(piece as u64);
    }
    to.sync_all()
}

#[cfg(test)]
mod tests {
    use crate::{AppendJournal, Draft, Journal, Options, ReadJournal, fault::FaultDisk};

    #[test]
    fn a_copy_opens_with_the_head_it_was_made_at() {
        let disk = FaultDisk::new();
        let mut journal =
            Journal::create(disk.arc(), [3; 16], Options { segment_bytes: 64 * 1024, extent_bytes: 16 * 1024 }).unwrap();
        let append = |journal: &mut Journal, n: u64| {
            let facts = vec![7; 300];
            let draft = Draft {
                kind: 1,
                version: 1,
                time_ms: n,
                conversation: 0,
                sequence: 0,
                previous: 0,
                facts,
                body: Some(vec![1; 200]),
            };
            let head = journal.head();
            journal.append(&[draft], &head).unwrap();
        };
        for n in 0..500 {
            append(&mut journal, n);
        }
        let copy = FaultDisk::new();
        let reader = journal.reader();
        let expected = journal.head();
        let mut calls = 0;
        let head = reader
            .copy_to(&*copy.arc(), &mut |_, _| {
                append(&mut journal, 1000); // written while it is copied
                calls += 1;
            })
            .unwrap();
        assert!(calls > 3, "several segments");
        assert_eq!(head, expected);
        let (opened, report) = Journal::open(copy.arc(), Options::default()).unwrap();
        assert_eq!(opened.head(), expected);
        assert!(report.cut.is_none());
        for position in 1..=500 {
            assert_eq!(opened.reader().read(position).unwrap(), reader.read(position).unwrap());
        }
        assert!(reader.copy_to(&*copy.arc(), &mut |_, _| {}).is_err(), "only into an empty folder");
    }
}
