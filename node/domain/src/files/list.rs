//! What a conversation holds besides words: the messages with pictures, files, voice or links, the newest first.

use startalk_journal::ReadJournal;
use startalk_protocol::Error;

use super::{CHUNK, list_chunk_key, list_key};
use crate::{
    conversations::{self, Message, content::holds},
    store::{Read, Store, Tx},
};

/// Entries of the list looked at by one question.
const LOOKED_AT_MAX: usize = 2000;

pub(super) fn add(tx: &mut Tx, conversation: u64, sequence: u64, kinds: u32) {
    if kinds & holds::LISTED == 0 {
        return;
    }
    let count = tx.get::<u64>(&list_key(conversation)).map_or(0, |n| *n);
    tx.change(list_chunk_key(conversation, count / CHUNK), |all: &mut Vec<(u64, u32)>| all.push((sequence, kinds)));
    tx.put(list_key(conversation), count + 1);
}

/// Messages of a conversation that hold one of `kinds` (a sum of [`holds`]) with sequences below `before` (0: all), the newest
/// first, at most `limit`; and whether that was all.
///
/// # Errors
/// `no-such-conversation` for who has nothing to do with it.
pub fn listed(
    store: &Store,
    journal: &dyn ReadJournal,
    account: u64,
    conversation: u64,
    kinds: u32,
    before: u64,
    limit: usize,
) -> Result<(Vec<Message>, bool), Error> {
    let reader = conversations::reader(&store.snapshot(), conversation, account)?;
    let count = store.get::<u64>(&list_key(conversation)).map_or(0, |n| *n);
    let (mut found, mut looked_at) = (Vec::new(), 0);
    for chunk in (0..=count / CHUNK).rev() {
        let entries = store.get::<Vec<(u64, u32)>>(&list_chunk_key(conversation, chunk)).unwrap_or_default();
        for (sequence, held) in entries.iter().rev().copied() {
            if held & kinds == 0 || (before != 0 && sequence >= before) || !reader.may_read(sequence) {
                continue;
            }
            if found.len() >= limit || looked_at >= LOOKED_AT_MAX {
                return Ok((found, false));
            }
            looked_at += 1;
            let message = conversations::single_for(store, journal, account, conversation, sequence);
            found.extend(message.filter(|m| m.content.is_some()));
        }
    }
    Ok((found, true))
}
