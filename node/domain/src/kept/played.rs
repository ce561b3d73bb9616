//! What an account has listened to: a bit for each message of a conversation, 256 in a value. Marks are only ever set.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error, limits, pb::events as pb};

use super::PREFIX;
use crate::{
    accounts,
    command::Answer,
    conversations,
    event::Event,
    store::{Key, New, Read, Tx},
};

/// Sequences in one value.
const CHUNK: u64 = 256;

/// What an account has listened to in one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlayedMove {
    /// Whose.
    pub account: u64,
    /// Where.
    pub conversation: u64,
    /// Which.
    pub sequences: Vec<u64>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Played {
    bits: [u64; 4],
    /// Of the last record that set one.
    position: u64,
}

impl Played {
    fn has(&self, sequence: u64) -> bool {
        let at = sequence % CHUNK;
        self.bits[usize::try_from(at / 64).expect("below 4")] >> (at % 64) & 1 == 1
    }

    fn set(&mut self, sequence: u64) {
        let at = sequence % CHUNK;
        self.bits[usize::try_from(at / 64).expect("below 4")] |= 1 << (at % 64);
    }
}

fn chunk_key(account: u64, conversation: u64, sequence: u64) -> Key {
    Key::numbers(PREFIX, b'p', &[account, conversation, sequence / CHUNK])
}

fn last_key(account: u64, conversation: u64) -> Key {
    Key::numbers(PREFIX, b'q', &[account, conversation])
}

fn chunk(read: &impl Read, account: u64, conversation: u64, sequence: u64) -> Option<Arc<Played>> {
    read.get(&chunk_key(account, conversation, sequence))
}

/// Whether the account has listened to it.
pub fn has_played(read: &impl Read, account: u64, conversation: u64, sequence: u64) -> bool {
    chunk(read, account, conversation, sequence).is_some_and(|played| played.has(sequence))
}

/// Position of the last record that set a mark there; 0: none.
pub fn played_position(read: &impl Read, account: u64, conversation: u64) -> u64 {
    read.get::<u64>(&last_key(account, conversation)).map_or(0, |p| *p)
}

/// What was listened to after this position, and perhaps some of what was before.
pub fn played_since(read: &impl Read, account: u64, conversation: u64, head: u64, after: u64) -> Vec<u64> {
    if played_position(read, account, conversation) <= after {
        return Vec::new();
    }
    let chunks = (0..=head / CHUNK).filter_map(|c| chunk(read, account, conversation, c * CHUNK).map(|played| (c, played)));
    let changed = chunks.filter(|(_, played)| played.position > after);
    changed.flat_map(|(c, played)| (c * CHUNK..(c + 1) * CHUNK).filter(move |s| played.has(*s))).collect()
}

/// Sets marks; what is not there to be listened to, or was before, is left out.
pub(crate) fn mark_played(tx: &mut Tx, moves: &[PlayedMove]) -> Result<Answer, Error> {
    if moves.iter().map(|m| m.sequences.len()).sum::<usize>() > limits::PLAYED_AT_ONCE_MAX {
        return Err(Error::new(Code::TooMany).with("what", "marks").with("max", limits::PLAYED_AT_ONCE_MAX));
    }
    let mut new = Vec::new();
    for PlayedMove { account, conversation, sequences } in moves {
        let is_new = |s: &u64| {
            !has_played(tx, *account, *conversation, *s) && conversations::check_readable(tx, *account, *conversation, *s).is_ok()
        };
        let mut sequences: Vec<u64> = sequences.iter().copied().filter(is_new).collect();
        sequences.sort_unstable();
        sequences.dedup();
        if !sequences.is_empty() && accounts::account(tx, *account).is_some_and(|a| a.is_live()) {
            new.push(pb::Played { account: *account, conversation: *conversation, sequences });
        }
    }
    if !new.is_empty() {
        tx.emit(New { conversation: 0, event: Event::PlayedMarked(pb::PlayedMarked { played: new }, None) });
    }
    Ok(Answer::Done)
}

pub(super) fn played(tx: &mut Tx, f: &pb::Played, position: u64) {
    for sequence in &f.sequences {
        tx.change(chunk_key(f.account, f.conversation, *sequence), |played: &mut Played| {
            played.set(*sequence);
            played.position = position;
        });
    }
    tx.put(last_key(f.account, f.conversation), position);
}
