//! The records of one segment followed from front to back: checksum, order, chain and content of each.
//!
//! Owns the rules of what may follow what, and the search for records behind a place where the scan stopped. Only reads.
//!
//! Invariant: `Scan::kept` always ends with the last record of a complete batch.

use crate::content::{self, BodyState};
use crate::error::Fault;
use crate::header::{self, MARKER, MARKER_OMITTED, Parsed, Seed};
use crate::record::Head;
use crate::segment::HEADER_BLOCK;
use crate::window::Window;
use std::io;

/// Where one stands between two records.
#[derive(Clone, Copy)]
pub struct Cursor {
    /// The record passed last.
    pub last: Head,
    /// Records of its batch that must follow.
    pub remaining: u32,
}

impl Cursor {
    pub fn after(head: Head) -> Cursor {
        Cursor { last: head, remaining: 0 }
    }

    /// The batch that the next record belongs to.
    pub fn next_batch(&self) -> u64 {
        self.last.batch + u64::from(self.remaining == 0)
    }

    /// Passes the header that begins `bytes`, if it may follow; content is not looked at.
    pub fn pass(&mut self, bytes: &[u8], seed: Seed) -> Result<Parsed, Fault> {
        let parsed = header::parse(bytes, seed)?;
        let found = &parsed.header;
        let last = &self.last;
        if found.position != last.position + 1 {
            return Err(Fault::Position { expected: last.position + 1, found: found.position });
        }
        if found.batch != self.next_batch() {
            return Err(Fault::Batch { expected: self.next_batch(), found: found.batch });
        }
        if self.remaining > 0 && found.remaining_in_batch != self.remaining - 1 {
            return Err(Fault::Remaining { expected: self.remaining - 1, found: found.remaining_in_batch });
        }
        if found.epoch < last.epoch {
            return Err(Fault::Epoch { last: last.epoch, found: found.epoch });
        }
        if found.time_ms < last.time_ms {
            return Err(Fault::Time { last: last.time_ms, found: found.time_ms });
        }
        let chain = header::next_link(&last.chain, &bytes[..parsed.header_len]);
        if chain[..8] != found.chain_tag {
            return Err(Fault::Chain);
        }
        self.remaining = found.remaining_in_batch;
        self.last = Head {
            journal_id: last.journal_id,
            epoch: found.epoch,
            batch: found.batch,
            position: found.position,
            time_ms: found.time_ms,
            chain,
        };
        Ok(parsed)
    }
}

/// The complete batches of an unsealed segment, and what stopped the scan.
pub struct Scan {
    /// Where each record begins, of all good ones.
    offsets: Vec<u32>,
    pub kept: Kept,
    /// As if the last complete batch were not there.
    before_last: Kept,
    pub stop: Stop,
}

/// Where a complete batch ends.
#[derive(Clone, Copy)]
pub struct Kept {
    /// Records of this segment up to there.
    pub count: usize,
    pub end: u32,
    pub last: Head,
    /// Where that batch begins, if it is in this segment.
    pub batch_start: Option<u32>,
    /// It has a body of zeros that nobody is known to have erased.
    pub has_zeros: bool,
}

/// The first place that is not a good record, or the end of a batch that is not complete.
pub struct Stop {
    pub offset: u64,
    /// The position that should follow there.
    pub position: u64,
    /// The batch that it would belong to.
    pub batch: u64,
    /// Good records of that batch in front of it.
    pub good_before: u32,
    pub fault: Fault,
}

/// Follows the records after `before` until something is wrong or ends. `is_erased` knows the erased bodies of the last
/// batch.
pub fn scan(window: &mut Window<'_>, before: Head, seed: Seed, is_erased: &dyn Fn(u64) -> bool) -> io::Result<Scan> {
    let start = HEADER_BLOCK as u32;
    let mut kept = Kept { count: 0, end: start, last: before, batch_start: None, has_zeros: false };
    let mut before_last = kept;
    let mut cursor = Cursor::after(before);
    let mut offset = u64::from(start);
    let mut offsets = Vec::new();
    let mut has_zeros = false;
    let fault = loop {
        let bytes = window.at(offset)?;
        let mut next = cursor;
        // Where batches are appended nothing is left out yet.
        let plain = |parsed: Parsed| if parsed.omitted { Err(Fault::Marker(MARKER_OMITTED)) } else { Ok(parsed) };
        let judged = next.pass(bytes, seed).and_then(plain).and_then(|parsed| Ok((parsed, content::judge(&parsed, bytes)?)));
        let (parsed, state) = match judged {
            Ok(good) => good,
            Err(_) if bytes.is_empty() => break Fault::End,
            Err(fault) => break fault,
        };
        cursor = next;
        has_zeros |= state == BodyState::Erased && !is_erased(cursor.last.position);
        offsets.push(offset as u32);
        offset += parsed.record_len() as u64;
        if cursor.remaining == 0 {
            before_last = kept;
            let (count, end) = (offsets.len(), offset as u32);
            kept = Kept { count, end, last: cursor.last, batch_start: Some(before_last.end), has_zeros };
            has_zeros = false;
        }
    };
    let good_before = (offsets.len() - kept.count) as u32;
    let stop = Stop { offset, position: cursor.last.position + 1, batch: cursor.next_batch(), good_before, fault };
    Ok(Scan { offsets, kept, before_last, stop })
}

impl Scan {
    /// Takes the last complete batch for one that was torn exactly between a header and its body.
    pub fn drop_last_batch(&mut self) -> Kept {
        std::mem::replace(&mut self.kept, self.before_last)
    }

    /// Where each record of the complete batches begins.
    pub fn offsets(&self) -> &[u32] {
        &self.offsets[..self.kept.count]
    }
}

/// What lies behind the place where a scan stopped.
#[derive(Default)]
pub struct Beyond {
    /// A record of a batch later than the one that the scan stopped in: place and batch.
    pub later: Option<(u64, u64)>,
    /// Records of the batch that the scan stopped in.
    pub same_batch: u32,
    /// Anything but zeros.
    pub anything: bool,
}

/// Looks for records behind `stop`. A batch is only written after the one before was synced: so a record of a later
/// batch – its checksummed header is proof enough – shows that the batch in which the scan stopped was acknowledged.
pub fn beyond(window: &mut Window<'_>, stop: &Stop, seed: Seed) -> io::Result<Beyond> {
    let mut found = Beyond::default();
    let mut offset = stop.offset;
    while offset < window.limit {
        let ordinals = window.limit - stop.offset;
        let bytes = window.at(offset)?;
        let skip = bytes.iter().position(|&byte| byte != 0).unwrap_or(bytes.len());
        found.anything |= skip < bytes.len();
        let Some(marker) = bytes.iter().position(|&byte| byte == MARKER) else {
            offset += bytes.len() as u64;
            continue;
        };
        if marker > 0 {
            offset += marker as u64;
            continue;
        }
        let Ok(parsed) = header::parse(bytes, seed) else {
            offset += 1;
            continue;
        };
        // More batches or records than bytes cannot lie between: whatever this is, it is not of this journal.
        let batches = parsed.header.batch.saturating_sub(stop.batch);
        let records = parsed.header.position.saturating_sub(stop.position);
        if batches > 0 && batches <= ordinals && records > 0 && records <= ordinals {
            found.later = Some((offset, parsed.header.batch));
            return Ok(found);
        }
        found.same_batch += u32::from(parsed.header.batch == stop.batch);
        offset += parsed.record_len() as u64;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Header;

    const SEED: [u8; 16] = [5; 16];

    /// A header with a right checksum and chain that follows `last`, but for `change`.
    fn after(last: &Head, change: impl FnOnce(&mut Header)) -> Vec<u8> {
        let mut header = Header {
            position: last.position + 1,
            batch: last.batch + 1,
            remaining_in_batch: 2,
            epoch: last.epoch,
            time_ms: last.time_ms,
            kind: 1,
            version: 1,
            conversation: 1,
            sequence: 1,
            previous: 0,
            facts_hash: [1; 24],
            body_hash: [0; 24],
            chain_tag: [0; 8],
            facts_len: 4,
            body_len: 0,
        };
        change(&mut header);
        let mut bytes = Vec::new();
        header::put(&mut bytes, &header, &last.chain, Seed::new(&SEED));
        bytes
    }

    fn pass(cursor: &mut Cursor, bytes: &[u8]) -> Result<(), Fault> {
        cursor.pass(bytes, Seed::new(&SEED)).map(|_| ())
    }

    #[test]
    fn only_what_may_follow_is_passed() {
        let last = Head { journal_id: SEED, epoch: 3, batch: 7, position: 20, time_ms: 1000, chain: [9; 32] };
        let refused = |change: fn(&mut Header)| pass(&mut Cursor::after(last), &after(&last, change)).err();
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|header| header.epoch = 4), None);
        assert_eq!(refused(|header| header.time_ms = 1001), None);
        assert_eq!(refused(|header| header.position = 22), Some(Fault::Position { expected: 21, found: 22 }));
        assert_eq!(refused(|header| header.batch = 7), Some(Fault::Batch { expected: 8, found: 7 }));
        assert_eq!(refused(|header| header.batch = 9), Some(Fault::Batch { expected: 8, found: 9 }));
        assert_eq!(refused(|header| header.epoch = 2), Some(Fault::Epoch { last: 3, found: 2 }));
        assert_eq!(refused(|header| header.time_ms = 999), Some(Fault::Time { last: 1000, found: 999 }));
        let other = Head { chain: [8; 32], ..last };
        assert_eq!(pass(&mut Cursor::after(last), &after(&other, |_| {})), Err(Fault::Chain));
    }

    #[test]
    fn within_a_batch_the_count_goes_down_by_one() {
        let last = Head { journal_id: SEED, epoch: 3, batch: 7, position: 20, time_ms: 1000, chain: [9; 32] };
        let mut cursor = Cursor::after(last);
        assert_eq!(pass(&mut cursor, &after(&last, |_| {})), Ok(()));
        for found in [0, 2, 3] {
            let next = after(&cursor.last, |header| (header.batch, header.remaining_in_batch) = (8, found));
            let fault = Fault::Remaining { expected: 1, found };
            assert_eq!(pass(&mut cursor.clone(), &next), Err(fault));
        }
        let next_batch = after(&cursor.last, |_| {});
        assert_eq!(pass(&mut cursor.clone(), &next_batch), Err(Fault::Batch { expected: 8, found: 9 }));
        let next = after(&cursor.last, |header| (header.batch, header.remaining_in_batch) = (8, 1));
        assert_eq!(pass(&mut cursor, &next), Ok(()));
        assert_eq!((cursor.remaining, cursor.last.position), (1, 22));
    }
}
