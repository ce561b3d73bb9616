//! The newest segment put in order after whatever ended the process: torn batch, unfinished sealing, writes that are only
//! in the page cache.
//!
//! Owns the writes of an opening. Never cuts where a record of a later batch follows, and never touches a record that is
//! kept but to write it again as it is.
//!
//! Invariant: everything here can be interrupted and is done again, with the same result, by the next opening.

use crate::disk::read_vec;
use crate::error::{Fault, OpenError, Place};
use crate::header::{self, Seed};
use crate::limits::HEADER_BYTES_MAX;
use crate::open::{CutBatch, Segment, Settled, damaged, io};
use crate::record::Head;
use crate::scan::{Beyond, Kept, Scan, beyond, scan};
use crate::segment::{Footer, HEADER_BLOCK, seal_bytes};
use crate::shared::{Active, Sealed};
use crate::window::Window;

/// Puts the newest segment, which follows `before`, in order. `is_erased` knows the erased bodies of the last batch.
pub fn settle(segment: &Segment, before: Head, seed: Seed, is_erased: &dyn Fn(u64) -> bool) -> Result<Settled, OpenError> {
    // A footer or table that is not whole is not trusted here: this may be a sealing that was cut short.
    if let Ok(footer) = segment.footer()
        && let Ok(table) = segment.table(&footer)
    {
        return settle_sealed(segment, footer, &table, seed);
    }
    if segment.header.rewritten {
        // It was whole before it got its name: nothing here can have been cut short.
        return Err(damaged(segment.number, segment.size, 0, Fault::Footer("a rewritten segment without a whole one")));
    }
    let reading = || io("reading the newest segment");
    let mut window = Window::new(&*segment.file, segment.size);
    let mut found = scan(&mut window, before, seed, is_erased).map_err(reading())?;
    let tail = beyond(&mut window, &found.stop, seed).map_err(reading())?;
    if let Some((offset, batch)) = tail.later {
        let place = Place { segment: segment.number, offset: found.stop.offset, position: found.stop.position };
        let later = Some(Fault::LaterBatch { batch, offset });
        return Err(OpenError::Damaged { place, fault: found.stop.fault, later });
    }
    let seal_undone = tail.anything && is_torn_seal(&mut window, segment.number, &found).map_err(reading())?;
    let cut = if seal_undone { None } else { cut_batch(&mut found, &tail) };
    let Kept { end, last, batch_start, .. } = found.kept;
    write_again(segment, batch_start.unwrap_or(end).into(), end.into())?;
    let offsets = found.offsets().to_vec();
    let active = Active { number: segment.number, before, file: segment.file.clone(), offsets, end };
    Ok(Settled { head: last, sealed: None, active: Some(active), cut, seal_undone })
}

/// Decides what is no acknowledged batch, and leaves it out of what is kept.
fn cut_batch(found: &mut Scan, tail: &Beyond) -> Option<CutBatch> {
    let stop = &found.stop;
    let (batch, mut records_found) = (stop.batch, stop.good_before + tail.same_batch);
    if records_found == 0 && !tail.anything {
        // Nothing was written behind the last complete batch. So it may be the torn one: if a body of it is zeros, the
        // body was lost, and not erased – the erased ones of this batch would be in the erasing list. Once anything
        // follows it, it is known to have been synced.
        if !found.kept.has_zeros {
            return None;
        }
        let dropped = found.drop_last_batch();
        records_found = (dropped.count - found.kept.count) as u32;
        return Some(CutBatch { batch: dropped.last.batch, position: found.kept.last.position + 1, records_found });
    }
    Some(CutBatch { batch, position: found.kept.last.position + 1, records_found })
}

/// Whether all that follows the last batch is a part of the table and footer that sealing would have written there.
fn is_torn_seal(window: &mut Window<'_>, number: u64, found: &Scan) -> std::io::Result<bool> {
    let end = found.kept.end;
    if found.stop.offset != u64::from(end) || found.offsets().is_empty() {
        return Ok(false);
    }
    let seal = seal_bytes(number, found.offsets(), end, &found.kept.last);
    let mut offset = u64::from(end);
    let mut expected = seal.iter().copied().chain(std::iter::repeat(0));
    while offset < window.limit {
        let bytes = window.at(offset)?;
        if !bytes.iter().zip(&mut expected).all(|(&byte, sealed)| byte == 0 || byte == sealed) {
            return Ok(false);
        }
        offset += bytes.len() as u64;
    }
    Ok(true)
}

/// A sealing that was complete but for its last sync, or a sealed segment whose successor was not made: the last batch, the
/// table and the footer are written once more.
fn settle_sealed(segment: &Segment, footer: Footer, table: &[u32], seed: Seed) -> Result<Settled, OpenError> {
    let mut start = footer.records_end;
    for (back, &offset) in table.iter().rev().enumerate() {
        let position = footer.last.position - back as u64;
        let len = (segment.size - u64::from(offset)).min(HEADER_BYTES_MAX as u64) as usize;
        let bytes = read_vec(&*segment.file, offset.into(), len).map_err(io("reading the last batch"))?;
        let parsed = header::parse(&bytes, seed);
        let parsed = parsed.map_err(|fault| damaged(segment.number, offset.into(), position, fault))?;
        if parsed.header.position != position {
            let fault = Fault::Position { expected: position, found: parsed.header.position };
            return Err(damaged(segment.number, offset.into(), position, fault));
        }
        if parsed.header.batch != footer.last.batch {
            break;
        }
        start = offset;
    }
    write_again(segment, start.into(), segment.size)?;
    Ok(Settled { head: footer.last, sealed: Some(Sealed::from(footer)), active: None, cut: None, seal_undone: false })
}

/// Writes `[from, to)` as it is once more, cuts what follows, and syncs both. What is cut is not written over with zeros:
/// the next extent does that, and the space can be used by others until then.
fn write_again(segment: &Segment, from: u64, to: u64) -> Result<(), OpenError> {
    debug_assert!(from >= HEADER_BLOCK as u64 && from <= to);
    let bytes = read_vec(&*segment.file, from, (to - from) as usize).map_err(io("reading the last batch"))?;
    if !bytes.is_empty() {
        segment.file.write_at(from, &bytes).map_err(io("writing the last batch again"))?;
    }
    // Also where nothing is to be cut: that the file ends here may itself be known to the page cache only.
    segment.file.set_size(to).map_err(io("cutting the newest segment"))?;
    segment.file.sync_all().map_err(io("syncing the newest segment"))
}
