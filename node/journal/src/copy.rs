//! A copy of what is durable, made while the journal is written: for backups.
//!
//! Owns nothing. Never changes the journal; what is appended meanwhile is not in the copy. Invariant: the copy opens as a
//! journal with the head that is returned.

use std::io;

use crate::{
    disk::{Disk, DiskFile},
    erase::ErasingList,
    reader::Reader,
    record::Head,
    segment::file_name,
};

/// Bytes copied at once.
const PIECE: usize = 1024 * 1024;

impl Reader {
    /// Copies every durable record to `to`, which must be empty. `progress` hears (bytes done, bytes in all).
    ///
    /// A body that is being erased at this moment may be in the copy still; whoever opens it erases again what was
    /// ordered to be erased.
    ///
    /// # Errors
    /// Either disk's.
    pub fn copy_to(&self, to: &dyn Disk, progress: &mut dyn FnMut(u64, u64)) -> io::Result<Head> {
        if !to.list()?.is_empty() {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "the folder for the copy is not empty"));
        }
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
        let total = parts.iter().map(|p| p.2).sum();
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
        ErasingList::create(to)?;
        to.sync_dir()?;
        Ok(head)
    }
}

fn copy_file(from: &dyn DiskFile, to: &dyn DiskFile, size: u64, copied: &mut dyn FnMut(u64)) -> io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let mut at = 0;
    while at < size {
        let piece = usize::try_from((size - at).min(PIECE as u64)).expect("at most a piece");
        from.read_at(at, &mut buffer[..piece])?;
        to.write_at(at, &buffer[..piece])?;
        at += piece as u64;
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
        let mut journal = Journal::create(disk.arc(), [3; 16], Options { segment_bytes: 64 * 1024, extent_bytes: 16 * 1024 }).unwrap();
        let append = |journal: &mut Journal, n: u64| {
            let facts = vec![7; 300];
            let draft =
                Draft { kind: 1, version: 1, time_ms: n, conversation: 0, sequence: 0, previous: 0, facts, body: Some(vec![1; 200]) };
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
