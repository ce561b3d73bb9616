//! The bytes of a record's header, written and read; `docs/journal-format.md` is the same in prose.
//!
//! ```text
//! marker 1 | crc32c 4 | kind version facts_len body_len batch remaining position epoch time_ms conversation sequence
//! back (all LEB128) | facts_hash 24 | body_hash 24, only if body_len > 0 | chain_tag 8
//! ```
//!
//! Owns marker, order and bounds of the fields. Never looks at facts or body.
//!
//! Invariant: a header that `parse` accepts is encoded by `put` to the same bytes.

use crate::error::Fault;
use crate::limits::{BATCH_RECORDS_MAX, BODY_BYTES_MAX, FACTS_BYTES_MAX, HEADER_BYTES_MAX, ORDINAL_MAX, SALT_BYTES};
use crate::record::Header;
use crate::varint;

/// First byte of a record: not zero, which is "nothing written here", and never a byte of UTF-8 text.
pub const MARKER: u8 = 0xf7;

/// First byte of a record in a rewritten segment whose erased body is left out. The checksum covers it; the chain goes on
/// as if it were `MARKER`.
pub const MARKER_OMITTED: u8 = 0xf6;

const CRC_END: usize = 5;
const HASH: usize = 24;
const TAG: usize = 8;

/// A header, the bytes it took, and the bytes that the chain covers.
#[derive(Clone, Copy)]
pub struct Parsed {
    pub header: Header,
    pub header_len: usize,
    /// The body was erased, and its bytes are not there.
    pub omitted: bool,
}

impl Parsed {
    /// Bytes of the whole record.
    pub fn record_len(&self) -> usize {
        self.facts_end() + if self.omitted { 0 } else { self.header.body_len as usize }
    }

    /// Where facts end and the body begins, if it is there.
    pub fn facts_end(&self) -> usize {
        self.header_len + self.header.facts_len as usize
    }
}

/// Where the checksums of a journal's records begin: a record of another journal, or one that somebody wrote into a body
/// without knowing the journal's id, has another checksum.
#[derive(Clone, Copy)]
pub struct Seed(u32);

impl Seed {
    pub fn new(journal_id: &[u8; 16]) -> Seed {
        Seed(crc32c::crc32c(journal_id))
    }

    fn checksum(self, header: &[u8]) -> u32 {
        crc32c::crc32c_append(crc32c::crc32c_append(self.0, &header[..1]), &header[CRC_END..])
    }
}

/// The chain before the first record of a journal.
pub fn first_link(journal_id: &[u8; 16]) -> [u8; 32] {
    let mut input = [0; 33];
    input[..17].copy_from_slice(b"startalk journal ");
    input[17..].copy_from_slice(journal_id);
    *blake3::hash(&input).as_bytes()
}

/// The chain at the record whose header (whole, in bytes) follows the record with `chain`.
pub fn next_link(chain: &[u8; 32], header: &[u8]) -> [u8; 32] {
    let covered = &header[CRC_END..header.len() - TAG];
    let mut input = [0; 32 + HEADER_BYTES_MAX];
    let len = 33 + covered.len();
    input[..32].copy_from_slice(chain);
    input[32] = MARKER;
    input[33..len].copy_from_slice(covered);
    *blake3::hash(&input[..len]).as_bytes()
}

/// Appends the header to `out`, filling in its chain tag and checksum; returns the chain at this record.
pub fn put(out: &mut Vec<u8>, header: &Header, chain: &[u8; 32], seed: Seed) -> [u8; 32] {
    let start = out.len();
    out.extend_from_slice(&[MARKER, 0, 0, 0, 0]);
    varint::put(out, header.kind.into());
    varint::put(out, header.version.into());
    varint::put(out, header.facts_len.into());
    varint::put(out, header.body_len.into());
    varint::put(out, header.batch);
    varint::put(out, header.remaining_in_batch.into());
    varint::put(out, header.position);
    varint::put(out, header.epoch.into());
    varint::put(out, header.time_ms);
    varint::put(out, header.conversation);
    varint::put(out, header.sequence);
    varint::put(out, if header.previous == 0 { 0 } else { header.position - header.previous });
    out.extend_from_slice(&header.facts_hash);
    if header.body_len > 0 {
        out.extend_from_slice(&header.body_hash);
    }
    out.extend_from_slice(&[0; TAG]);
    let link = next_link(chain, &out[start..]);
    let tag = out.len() - TAG;
    out[tag..].copy_from_slice(&link[..TAG]);
    let crc = seed.checksum(&out[start..]);
    out[start + 1..start + CRC_END].copy_from_slice(&crc.to_le_bytes());
    debug_assert!(out.len() - start <= HEADER_BYTES_MAX);
    link
}

/// Makes a whole header say that its body's bytes do not follow.
pub fn omit_body(header: &mut [u8], seed: Seed) {
    header[0] = MARKER_OMITTED;
    let crc = seed.checksum(header);
    header[1..CRC_END].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the header at the start of `input` and checks its checksum; touches no more than `HEADER_BYTES_MAX` bytes.
pub fn parse(input: &[u8], seed: Seed) -> Result<Parsed, Fault> {
    let parsed = parse_unchecked(input)?;
    let stored = u32::from_le_bytes([input[1], input[2], input[3], input[4]]);
    if seed.checksum(&input[..parsed.header_len]) != stored {
        return Err(Fault::HeaderChecksum);
    }
    Ok(parsed)
}

/// As `parse`, without the checksum: for foreign bytes under test.
pub fn parse_unchecked(input: &[u8]) -> Result<Parsed, Fault> {
    let omitted = match input.first() {
        None => return Err(Fault::Cut),
        Some(0) => return Err(Fault::End),
        Some(&MARKER) => false,
        Some(&MARKER_OMITTED) => true,
        Some(&other) => return Err(Fault::Marker(other)),
    };
    let input = &input[..input.len().min(HEADER_BYTES_MAX)];
    let mut rest = input.get(CRC_END..).ok_or(Fault::Cut)?;
    let mut field = |name: &'static str, max: u64| varint::take(&mut rest, max).ok_or(Fault::Field(name));
    let kind = field("kind", u16::MAX.into())? as u16;
    let version = field("version", u8::MAX.into())? as u8;
    let facts_len = field("facts_len", FACTS_BYTES_MAX as u64)? as u32;
    let body_len = field("body_len", BODY_BYTES_MAX as u64)? as u32;
    let batch = field("batch", ORDINAL_MAX)?;
    let remaining_in_batch = field("remaining", BATCH_RECORDS_MAX as u64 - 1)? as u32;
    let position = field("position", ORDINAL_MAX)?;
    let epoch = field("epoch", u32::MAX.into())? as u32;
    let time_ms = field("time_ms", u64::MAX)?;
    let conversation = field("conversation", u64::MAX)?;
    let sequence = field("sequence", u64::MAX)?;
    let back = field("previous", position.saturating_sub(1))?;
    if batch == 0 || position == 0 || epoch == 0 {
        return Err(Fault::Field("an ordinal of zero"));
    }
    if (body_len > 0 || omitted) && (body_len as usize) < SALT_BYTES {
        return Err(Fault::Field("body_len"));
    }
    let facts_hash = take_array::<HASH>(&mut rest)?;
    let body_hash = if body_len > 0 { take_array::<HASH>(&mut rest)? } else { [0; HASH] };
    let chain_tag = take_array::<TAG>(&mut rest)?;
    let previous = if back == 0 { 0 } else { position - back };
    #[rustfmt::skip]
    let header = Header {
        position, batch, remaining_in_batch, epoch, time_ms, kind, version, conversation, sequence, previous,
        facts_hash, body_hash, chain_tag, facts_len, body_len,
    };
    Ok(Parsed { header, header_len: input.len() - rest.len(), omitted })
}

fn take_array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], Fault> {
    let (array, after) = rest.split_first_chunk::<N>().ok_or(Fault::Cut)?;
    *rest = after;
    Ok(*array)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn longest() -> Header {
        Header {
            position: ORDINAL_MAX,
            batch: ORDINAL_MAX,
            remaining_in_batch: BATCH_RECORDS_MAX as u32 - 1,
            epoch: u32::MAX,
            time_ms: u64::MAX,
            kind: u16::MAX,
            version: u8::MAX,
            conversation: u64::MAX,
            sequence: u64::MAX,
            previous: 1,
            facts_hash: [1; 24],
            body_hash: [2; 24],
            chain_tag: [0; 8],
            facts_len: FACTS_BYTES_MAX as u32,
            body_len: BODY_BYTES_MAX as u32,
        }
    }

    #[test]
    fn the_longest_header_fits_its_limit_and_comes_back() {
        let seed = Seed::new(&[3; 16]);
        let mut out = Vec::new();
        let link = put(&mut out, &longest(), &[9; 32], seed);
        assert!(out.len() <= HEADER_BYTES_MAX, "{} bytes", out.len());
        let parsed = parse(&out, seed).map(|parsed| (parsed.header_len, parsed.header));
        let mut expected = longest();
        expected.chain_tag.copy_from_slice(&link[..8]);
        assert_eq!(parsed, Ok((out.len(), expected)));
        assert_eq!(next_link(&[9; 32], &out), link);
    }

    #[test]
    fn a_typical_message_keeps_to_its_budget() {
        // Fifty million records in, in batches of 50, in the 20,000th conversation, whose last message is far back.
        let header = Header {
            position: 50_000_000,
            batch: 1_000_000,
            remaining_in_batch: 49,
            epoch: 3,
            time_ms: 1_790_000_000_000,
            kind: 1,
            version: 1,
            conversation: 20_000,
            sequence: 100_000,
            previous: 50_000_000 - 500_000,
            facts_len: 28,
            body_len: 124,
            ..longest()
        };
        let mut out = Vec::new();
        put(&mut out, &header, &[9; 32], Seed::new(&[3; 16]));
        assert_eq!((out.len(), out.len() + 28 + 124), (89, 241), "header and record; the budget is 250");
    }

    #[test]
    fn every_changed_bit_and_every_cut_is_noticed() {
        let seed = Seed::new(&[3; 16]);
        let mut out = Vec::new();
        put(&mut out, &longest(), &[9; 32], seed);
        for cut in 0..out.len() {
            assert!(parse(&out[..cut], seed).is_err(), "cut at {cut}");
        }
        for bit in 0..out.len() * 8 {
            let mut changed = out.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&changed, seed).is_err(), "bit {bit}");
        }
        assert!(parse(&out, Seed::new(&[4; 16])).is_err(), "of another journal");
    }
}
