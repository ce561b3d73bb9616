//! Rewriting a sealed segment without the bytes of its erased bodies, so that disk space comes back.
//!
//! The new file is written beside the old one, whole and synced, before it takes its name; what is erased meanwhile is
//! erased in it before. Headers keep every byte that the chain covers: only the marker says that the body is left out.
//! Works on a reader, on whatever thread: the writer waits for nothing but the renaming.
//!
//! Owns the order of these steps. Never rewrites a segment that is not whole, nor the newest one.
//!
//! Invariant: under the segment's name there is always a durable file with all of its records.

use crate::content::{self, BodyState};
use crate::copy::Watch;
use crate::disk::{Disk, DiskFile, read_vec, wipe};
use crate::erase::{self, Entry};
use crate::error::{Fault, Place, ReadError, RewriteError, is_full};
use crate::header;
use crate::limits::{REWRITE_ERASED_PERCENT, REWRITE_PIECE_BYTES};
use crate::reader::Reader;
use crate::scan::Cursor;
use crate::segment::{
    FOOTER, Footer, HEADER_BLOCK, SegmentHeader, file_name, retired_name, retired_number, seal_bytes, unfinished_name,
};
use crate::shared::Sealed;
use crate::window::Window;
use startalk_paced::Pace;
use std::sync::Arc;

/// What a segment consists of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Erased {
    pub segment: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// Those of erased bodies.
    pub erased: u64,
}

impl Erased {
    /// Whether rewriting is worth its copying.
    pub fn is_mostly(&self) -> bool {
        is_mostly_erased(self.erased, self.bytes)
    }
}

/// What a rewriting did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rewritten {
    /// Bytes by which the file is smaller.
    pub won: u64,
    /// The old file's bytes were overwritten before they were given back. Not so if it has another name somewhere.
    pub wiped: bool,
}

pub(crate) fn is_mostly_erased(erased: u64, of: u64) -> bool {
    erased > 0 && erased * 100 >= of * REWRITE_ERASED_PERCENT
}

/// A segment that is rewritten.
struct Old {
    number: u64,
    sealed: Sealed,
    file: Arc<dyn DiskFile>,
    size: u64,
}

/// The file that takes its place, complete and durable under another name.
struct New {
    file: Arc<dyn DiskFile>,
    offsets: Vec<u32>,
    records_end: u32,
    size: u64,
}

impl Reader {
    /// Sealed segments with another behind them, from 1 to this: those that may be rewritten.
    pub fn settled_segments(&self) -> u64 {
        let state = self.shared.state.read();
        let sealed = state.sealed.len() as u64;
        if state.active.is_some() { sealed } else { sealed.saturating_sub(1) }
    }

    /// Segments in which something was erased since the last call.
    pub fn take_touched(&self) -> Vec<u64> {
        self.shared.take_touched().into_iter().collect()
    }

    /// How much of a settled segment is erased bodies; reads all of it.
    ///
    /// # Errors
    /// `Busy`, `NotSealed`, or what kept it from reading.
    pub fn erased_in(&self, number: u64) -> Result<Erased, RewriteError> {
        let _alone = self.shared.rewriting.try_lock().ok_or(RewriteError::Busy)?;
        self.measure(&self.old(number)?)
    }

    /// Rewrites a settled segment. `leave_free` bytes of the disk stay free at every moment; `progress` hears (bytes done,
    /// bytes in all).
    ///
    /// # Errors
    /// [`RewriteError`]; the segment is as it was, unless renaming failed: then the journal takes no more changes.
    pub fn rewrite(&self, number: u64, leave_free: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<Rewritten, RewriteError> {
        let _alone = self.shared.rewriting.try_lock().ok_or(RewriteError::Busy)?;
        self.check_alive()?;
        // What is erased from now on is noted, and erased in the new file too.
        let watch = self.shared.watch_erasures();
        let old = self.old(number)?;
        let needed = old.size - self.measure(&old)?.erased + leave_free;
        let free = self.shared.disk.free_bytes().map_err(io(number, "asking for free space"))?;
        if free < needed {
            return Err(RewriteError::DiskFull { segment: number, needed, free });
        }
        let new = self.write_beside(&old, needed, progress).inspect_err(|_| self.give_up(number))?;
        self.take_place(&old, &new, &watch)?;
        Ok(Rewritten { won: old.size.saturating_sub(new.size), wiped: self.wipe(&old) })
    }

    fn old(&self, number: u64) -> Result<Old, RewriteError> {
        if number == 0 || number > self.settled_segments() {
            return Err(RewriteError::NotSealed { segment: number });
        }
        let sealed = self.shared.state.read().sealed[number as usize - 1];
        let file = self.shared.file(number).map_err(io(number, "opening a segment"))?;
        let size = file.size().map_err(io(number, "asking for a segment's size"))?;
        Ok(Old { number, sealed, file, size })
    }

    fn check_alive(&self) -> Result<(), RewriteError> {
        match self.shared.stopped() {
            Some(because) => Err(RewriteError::Poisoned { because }),
            None => Ok(()),
        }
    }

    fn measure(&self, old: &Old) -> Result<Erased, RewriteError> {
        let mut window = Window::new(&*old.file, old.sealed.records_end.into());
        let (mut offset, mut erased) = (HEADER_BLOCK as u64, 0);
        while offset < window.limit {
            let bytes = window.at(offset).map_err(io(old.number, "reading records"))?;
            let parsed = header::parse(bytes, self.shared.seed).map_err(|fault| old.damaged(offset, 0, fault))?;
            let body = bytes.get(parsed.facts_end()..parsed.record_len());
            let body = body.ok_or_else(|| old.damaged(offset, 0, Fault::Cut))?;
            erased += if content::is_zero(body) { body.len() as u64 } else { 0 };
            offset += parsed.record_len() as u64;
        }
        Ok(Erased { segment: old.number, bytes: old.size, erased })
    }

    fn write_beside(&self, old: &Old, needed: u64, progress: &mut dyn FnMut(u64, u64)) -> Result<New, RewriteError> {
        let failed = |doing| {
            move |source: std::io::Error| match self.shared.disk.free_bytes() {
                Ok(free) if is_full(&source) => RewriteError::DiskFull { segment: old.number, needed, free },
                _ => RewriteError::Io { doing, segment: old.number, source },
            }
        };
        let block = read_vec(&*old.file, 0, HEADER_BLOCK).map_err(io(old.number, "reading a segment's header"))?;
        let header = SegmentHeader::parse(&block).ok().filter(|header| header.number == old.number);
        let header = header.ok_or_else(|| old.damaged(0, 0, Fault::SegmentHeader("it is not as written")))?;
        let file = self.shared.disk.create(&unfinished_name(old.number)).map_err(failed("making a segment's file"))?;
        let (mut written, mut pace) = (0, Pace::default());
        let mut piece = SegmentHeader { rewritten: true, ..header }.to_block();
        let mut cursor = Cursor::after(header.before);
        let mut offsets = Vec::with_capacity(old.sealed.count as usize);
        let mut window = Window::new(&*old.file, old.sealed.records_end.into());
        let mut offset = HEADER_BLOCK as u64;
        while offset < window.limit {
            let position = cursor.last.position + 1;
            let mut bytes = window.at(offset).map_err(io(old.number, "reading records"))?;
            let parsed = cursor.pass(bytes, self.shared.seed).map_err(|fault| old.damaged(offset, position, fault))?;
            let mut judged = content::judge(&parsed, bytes);
            if judged == Err(Fault::Body) {
                // Perhaps met in the middle of being erased.
                drop(self.shared.erasing.lock());
                window.forget();
                bytes = window.at(offset).map_err(io(old.number, "reading records"))?;
                judged = content::judge(&parsed, bytes);
            }
            let state = judged.map_err(|fault| old.damaged(offset, position, fault))?;
            offsets.push((written + piece.len() as u64) as u32);
            if state == BodyState::Erased {
                let start = piece.len();
                piece.extend_from_slice(&bytes[..parsed.facts_end()]);
                header::omit_body(&mut piece[start..start + parsed.header_len], self.shared.seed);
            } else {
                piece.extend_from_slice(&bytes[..parsed.record_len()]);
            }
            offset += parsed.record_len() as u64;
            if piece.len() >= REWRITE_PIECE_BYTES {
                file.write_at(written, &piece).map_err(failed("writing records"))?;
                written += piece.len() as u64;
                pace.wrote(piece.len(), || file.sync_data()).map_err(failed("syncing records"))?;
                piece.clear();
                progress(offset, old.size);
            }
        }
        let footer = old.footer()?;
        if cursor.last != footer.last || cursor.remaining > 0 || offsets.len() != footer.count as usize {
            return Err(old.damaged(offset, 0, Fault::Footer("it does not fit the records")));
        }
        let records_end = (written + piece.len() as u64) as u32;
        piece.extend_from_slice(&seal_bytes(old.number, &offsets, records_end, &cursor.last));
        file.write_at(written, &piece).map_err(failed("writing records"))?;
        file.sync_all().map_err(failed("syncing a rewritten segment"))?;
        progress(old.size, old.size);
        Ok(New { file, offsets, records_end, size: written + piece.len() as u64 })
    }

    /// The new file gets the name, and readers get the new file. Erasing waits; the old file is not needed any more.
    fn take_place(&self, old: &Old, new: &New, watch: &Watch) -> Result<(), RewriteError> {
        let shared = &self.shared;
        let _nothing_is_being_erased = shared.erasing.lock();
        let ready = self.check_alive().and_then(|()| self.erase_in_new(old, new, &watch.take()));
        ready.inspect_err(|_| self.give_up(old.number))?;
        // So that a start finds the old file, if the process ends before it is overwritten.
        if shared.disk.link(&file_name(old.number), &retired_name(old.number)).is_ok() {
            shared.disk.sync_dir().map_err(io(old.number, "syncing the folder")).inspect_err(|_| self.give_up(old.number))?;
        }
        let placed = {
            let mut state = shared.state.write();
            let named = shared.disk.rename(&unfinished_name(old.number), &file_name(old.number));
            if named.is_ok() {
                state.sealed[old.number as usize - 1].records_end = new.records_end;
                shared.replace_file(old.number, new.file.clone());
            }
            named
        };
        // Until the name is durable, nothing may be erased in the new file only.
        placed.and_then(|()| shared.disk.sync_dir()).map_err(|source| {
            shared.stop(&format!("naming a rewritten segment: {source}"));
            RewriteError::Io { doing: "naming a rewritten segment", segment: old.number, source }
        })
    }

    fn erase_in_new(&self, old: &Old, new: &New, noted: &[Entry]) -> Result<(), RewriteError> {
        let mut any = false;
        for entry in noted.iter().filter(|entry| entry.segment == old.number) {
            let index = (entry.position - old.sealed.position_before - 1) as usize;
            let entry = Entry { offset: new.offsets[index], ..*entry };
            any |= erase::overwrite(&*new.file, &entry, self.shared.seed).map_err(io(old.number, "erasing"))?;
        }
        if any {
            new.file.sync_data().map_err(io(old.number, "syncing what was erased"))?;
        }
        Ok(())
    }

    /// The old file holds copies of what may have to be erased later; nobody would find them then. Only what has no other
    /// name is overwritten: an operator's hard link is not ours.
    fn wipe(&self, old: &Old) -> bool {
        drop(self.shared.reading.write()); // whoever still read it is done
        let (disk, retired) = (&self.shared.disk, retired_name(old.number));
        let ours = u64::from(disk.list().is_ok_and(|names| names.contains(&retired)));
        let alone = old.file.names().is_ok_and(|names| names <= ours);
        let wiped = alone && wipe(&*old.file, 0, old.size).is_ok();
        if ours > 0 && (wiped || !alone) {
            let _ = disk.remove(&retired); // if not, the next start does it
        }
        wiped
    }

    /// Gives the space back; if this fails, the next opening does it.
    fn give_up(&self, number: u64) {
        let _ = discard(&*self.shared.disk, &unfinished_name(number), None);
        let _ = self.shared.disk.remove(&retired_name(number)); // another name of the segment, if it is there
    }
}

/// Overwrites a file that holds copies of bodies, and removes it. Not if it has another name, or is as large as `keep`,
/// which is the segment itself then.
pub(crate) fn discard(disk: &dyn Disk, name: &str, keep: Option<u64>) -> std::io::Result<()> {
    let file = disk.open(name)?;
    let size = file.size()?;
    if file.names()? <= 1 && keep != Some(size) {
        wipe(&*file, 0, size)?;
    }
    disk.remove(name)
}

/// What rewritings left behind that did not come to their end: old files in whose place a new one is. To be called when
/// all segments were found whole.
pub(crate) fn discard_retired(disk: &dyn Disk, names: &[String]) -> std::io::Result<()> {
    for name in names {
        if let Some(number) = retired_number(name) {
            let keep = disk.open(&file_name(number))?.size()?;
            discard(disk, name, Some(keep))?;
        }
    }
    Ok(())
}

impl Old {
    fn footer(&self) -> Result<Footer, RewriteError> {
        let at = self.size.saturating_sub(FOOTER as u64);
        let bytes = read_vec(&*self.file, at, FOOTER).map_err(io(self.number, "reading a footer"))?;
        Footer::parse(&bytes, self.size).map_err(|fault| self.damaged(at, 0, fault))
    }

    fn damaged(&self, offset: u64, position: u64, fault: Fault) -> RewriteError {
        ReadError::Damaged { place: Place { segment: self.number, offset, position }, fault }.into()
    }
}

fn io(segment: u64, doing: &'static str) -> impl Fn(std::io::Error) -> RewriteError {
    move |source| RewriteError::Io { doing, segment, source }
}
