//! A batch of drafts made into the bytes of its records: one contiguous buffer, reused from batch to batch.
//!
//! Owns the buffer and the rules that a draft must meet. Never touches the disk; a refused batch leaves no trace.
//!
//! Invariant: what is encoded here is accepted by `scan` after the head it was encoded for.

use crate::content::{content_hash, has_salt};
use crate::error::{AppendError, DraftFault};
use crate::header::{self, Seed};
use crate::limits::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BODY_BYTES_MAX, FACTS_BYTES_MAX};
use crate::record::{Draft, Head, Header};

/// The encoded batch; empty between batches, its memory kept.
#[derive(Default)]
pub struct BatchBuffer {
    pub bytes: Vec<u8>,
    /// Where each record begins in `bytes`.
    pub starts: Vec<u32>,
}

impl BatchBuffer {
    /// Fills the buffer with `drafts` as they follow `head`, in `epoch`; returns the head after them.
    pub fn encode(&mut self, drafts: &[Draft], head: &Head, epoch: u32, seed: Seed) -> Result<Head, AppendError> {
        self.bytes.clear();
        self.starts.clear();
        if drafts.is_empty() {
            return Err(AppendError::EmptyBatch);
        }
        if drafts.len() > BATCH_RECORDS_MAX {
            return Err(too_large(drafts.len(), 0, BATCH_BYTES_MAX));
        }
        let mut after = Head { epoch, batch: head.batch + 1, ..*head };
        for (index, draft) in drafts.iter().enumerate() {
            if draft.time_ms < after.time_ms {
                return Err(AppendError::TimeWentBack { index, time_ms: draft.time_ms, last_ms: after.time_ms });
            }
            after.position += 1;
            check(draft, after.position).map_err(|fault| AppendError::Draft { index, fault })?;
            self.starts.push(self.bytes.len() as u32);
            let header = describe(draft, &after, drafts.len() - 1 - index);
            after.chain = header::put(&mut self.bytes, &header, &after.chain, seed);
            after.time_ms = draft.time_ms;
            self.bytes.extend_from_slice(&draft.facts);
            self.bytes.extend_from_slice(draft.body.as_deref().unwrap_or_default());
            if self.bytes.len() > BATCH_BYTES_MAX {
                return Err(too_large(drafts.len(), self.bytes.len(), BATCH_BYTES_MAX));
            }
        }
        Ok(after)
    }
}

/// The refusal of a batch that has more records than a batch may have, or more bytes than `bytes_max`.
pub fn too_large(records: usize, bytes: usize, bytes_max: usize) -> AppendError {
    AppendError::BatchTooLarge { records, bytes, records_max: BATCH_RECORDS_MAX, bytes_max }
}

fn describe(draft: &Draft, at: &Head, remaining: usize) -> Header {
    let body = draft.body.as_deref().unwrap_or_default();
    Header {
        position: at.position,
        batch: at.batch,
        remaining_in_batch: remaining as u32,
        epoch: at.epoch,
        time_ms: draft.time_ms,
        kind: draft.kind,
        version: draft.version,
        conversation: draft.conversation,
        sequence: draft.sequence,
        previous: draft.previous,
        facts_hash: content_hash(&draft.facts),
        body_hash: if body.is_empty() { [0; 24] } else { content_hash(body) },
        chain_tag: [0; 8],
        facts_len: draft.facts.len() as u32,
        body_len: body.len() as u32,
    }
}

fn check(draft: &Draft, position: u64) -> Result<(), DraftFault> {
    if draft.facts.len() > FACTS_BYTES_MAX {
        return Err(DraftFault::FactsTooLong { found: draft.facts.len(), max: FACTS_BYTES_MAX });
    }
    if draft.previous >= position {
        return Err(DraftFault::Previous { previous: draft.previous });
    }
    match draft.body.as_deref() {
        Some(body) if body.len() > BODY_BYTES_MAX => Err(DraftFault::BodyTooLong { found: body.len(), max: BODY_BYTES_MAX }),
        Some(body) if !has_salt(body) => Err(DraftFault::NoSalt),
        _ => Ok(()),
    }
}
