//! What is due when: entries in the order of their times, in chunks, so that the next one is found without looking at the rest.
//!
//! A time is what the clock is expected to say; journal time may stand ahead of the clock, and is not what is waited for.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::PREFIX;
use crate::store::{Key, Read, Tx};

/// Entries in one chunk at most.
const CHUNK: usize = 256;

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum What {
    /// A scheduled message is to be said.
    Scheduled { account: u64, number: u64 },
    /// Somebody is to be reminded.
    Reminder { account: u64, number: u64 },
    /// A message that was opened is to burn.
    Burn { conversation: u64, sequence: u64 },
}

/// Something to be done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Due {
    /// Milliseconds since 1970.
    pub at_ms: u64,
    /// What.
    pub what: What,
}

/// The chunks in order: the least entry that each may hold (that of the first says nothing), and its number.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Root {
    chunks: Vec<(Due, u64)>,
    next: u64,
}

impl Root {
    /// Which chunk an entry belongs to.
    fn place(&self, due: &Due) -> usize {
        self.chunks.partition_point(|(least, _)| least <= due).saturating_sub(1)
    }
}

fn root_key() -> Key {
    Key::numbers(PREFIX, b't', &[])
}

fn chunk_key(number: u64) -> Key {
    Key::numbers(PREFIX, b'u', &[number])
}

fn root(read: &impl Read) -> Arc<Root> {
    read.get(&root_key()).unwrap_or_default()
}

fn chunk(read: &impl Read, number: u64) -> Arc<Vec<Due>> {
    read.get(&chunk_key(number)).unwrap_or_default()
}

/// When the next thing is due, milliseconds since 1970.
pub fn next_ms(read: &impl Read) -> Option<u64> {
    let (_, number) = *root(read).chunks.first()?;
    chunk(read, number).first().map(|due| due.at_ms)
}

/// What is due by then and wanted, the earliest first, at most so many.
pub(super) fn due(read: &impl Read, by_ms: u64, wanted: impl Fn(&What) -> bool, limit: usize) -> Vec<Due> {
    let root = root(read);
    let entries = root.chunks.iter().flat_map(|(_, number)| chunk(read, *number).to_vec());
    entries.take_while(|due| due.at_ms <= by_ms).filter(|due| wanted(&due.what)).take(limit).collect()
}

/// Adds an entry.
pub(super) fn put(tx: &mut Tx, due: Due) {
    let mut root = (*root(tx)).clone();
    if root.chunks.is_empty() {
        root.chunks.push((due, root.next));
        root.next += 1;
        tx.put(root_key(), root.clone());
    }
    let place = root.place(&due);
    let number = root.chunks[place].1;
    let mut entries = chunk(tx, number).to_vec();
    let Err(at) = entries.binary_search(&due) else { return };
    entries.insert(at, due);
    if entries.len() > CHUNK {
        let later = entries.split_off(CHUNK / 2);
        root.chunks.insert(place + 1, (later[0], root.next));
        tx.put(chunk_key(root.next), later);
        root.next += 1;
        tx.put(root_key(), root);
    }
    tx.put(chunk_key(number), entries);
}

/// Takes an entry away, if it is there.
pub(super) fn remove(tx: &mut Tx, due: &Due) {
    let root = root(tx);
    let place = root.place(due);
    let Some((_, number)) = root.chunks.get(place).copied() else { return };
    let mut entries = chunk(tx, number).to_vec();
    let Ok(at) = entries.binary_search(due) else { return };
    entries.remove(at);
    if entries.is_empty() {
        let mut root = (*root).clone();
        root.chunks.remove(place);
        tx.remove(chunk_key(number));
        tx.put(root_key(), root);
    } else {
        tx.put(chunk_key(number), entries);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::Store;

    #[test]
    fn entries_come_in_their_order_however_they_were_put_and_taken() {
        let store = Store::temporary().unwrap();
        let mut tx = Tx::new(&store, 1, 1);
        let (mut random, mut there) = (7u64, BTreeSet::new());
        for step in 0..6_000u64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let what = match random >> 62 {
                0 => What::Scheduled { account: random >> 40 & 3, number: step % 50 },
                1 => What::Reminder { account: random >> 40 & 3, number: step % 50 },
                _ => What::Burn { conversation: random >> 40 & 3, sequence: step % 50 },
            };
            let due = Due { at_ms: (random >> 20) % 500, what };
            if step < 4_000 && random >> 60 & 1 == 0 {
                put(&mut tx, due);
                there.insert(due);
            } else if let Some(gone) = there.range(due..).next().copied() {
                remove(&mut tx, &gone);
                there.remove(&gone);
            }
            remove(&mut tx, &Due { at_ms: 501, ..due });
            assert_eq!(next_ms(&tx), there.first().map(|d| d.at_ms));
        }
        for by_ms in [0, 100, 499] {
            let expected: Vec<Due> = there.iter().filter(|d| d.at_ms <= by_ms).copied().collect();
            assert_eq!(super::due(&tx, by_ms, |_| true, usize::MAX), expected);
            let burning = |w: &What| matches!(w, What::Burn { .. });
            let expected: Vec<Due> = expected.into_iter().filter(|d| burning(&d.what)).take(7).collect();
            assert_eq!(super::due(&tx, by_ms, burning, 7), expected);
        }
        assert!(root(&tx).chunks.iter().all(|(_, n)| (1..=CHUNK).contains(&chunk(&tx, *n).len())));
        there.iter().for_each(|due| remove(&mut tx, due));
        assert!(next_ms(&tx).is_none() && root(&tx).chunks.is_empty());
    }
}
