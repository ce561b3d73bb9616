//! Finding a message by its id without an index: ids of one author grow along a conversation (but for a few breaks), so
//! they are searched by the fences that stand after every 64 sequences, and then within one block.

use startalk_protocol::MessageId;

use super::{Direct, FENCE, Fence, direct, fence_key};
use crate::{
    event::{Event, Recorded},
    store::Read,
    timeline,
};

/// The sequence of the message with this id by this author. `fetch` reads the record at a position.
pub fn locate(
    read: &impl Read,
    fetch: impl Fn(u64) -> Option<Recorded>,
    conversation: u64,
    author: u64,
    id: MessageId,
) -> Option<u64> {
    let direct = direct(read, conversation)?;
    let side = direct.side(author);
    let ids = &direct.ids[side];
    if id.0 > ids.max {
        return None;
    }
    let head = timeline::head(read, conversation).sequence;
    let begins = std::iter::once(1).chain(ids.breaks.iter().copied());
    let ends = ids.breaks.iter().map(|b| b - 1).chain(std::iter::once(head));
    begins.zip(ends).find_map(|(begin, end)| {
        let (from, to) = block_of(read, conversation, side, id, begin, end);
        (from..=to).find(|s| id_at(read, &fetch, conversation, *s, author) == Some(id))
    })
}

/// The stretch of at most two blocks in which the id must stand, within a run of growing ids.
fn block_of(read: &impl Read, conversation: u64, side: usize, id: MessageId, begin: u64, end: u64) -> (u64, u64) {
    // Fences within the run: after the sequences low * FENCE … high * FENCE.
    let (mut low, mut high) = (begin.div_ceil(FENCE), end / FENCE + 1);
    let last = high;
    while low < high {
        let middle = low + (high - low) / 2;
        let fence = read.get::<Fence>(&fence_key(conversation, middle)).map(|f| f.last[side]).unwrap_or_default();
        if fence < id.0 { low = middle + 1 } else { high = middle }
    }
    let to = if low == last { end } else { low * FENCE };
    ((low.saturating_sub(1) * FENCE + 1).max(begin), to.min(end))
}

/// The last message by `author` at or before `sequence`: its id.
pub(super) fn last_by(
    read: &impl Read,
    fetch: impl Fn(u64) -> Option<Recorded>,
    direct: &Direct,
    author: u64,
    sequence: u64,
) -> Option<MessageId> {
    let block = sequence / FENCE;
    let near = (block * FENCE + 1..=sequence).rev().find_map(|s| id_at(read, &fetch, direct.conversation, s, author));
    near.or_else(|| {
        let fence = read.get::<Fence>(&fence_key(direct.conversation, block))?;
        Some(MessageId(fence.last[direct.side(author)])).filter(|id| id.0 != [0; 16])
    })
}

fn id_at(
    read: &impl Read,
    fetch: &impl Fn(u64) -> Option<Recorded>,
    conversation: u64,
    sequence: u64,
    author: u64,
) -> Option<MessageId> {
    match fetch(timeline::position(read, conversation, sequence)?)?.event {
        Event::MessageAdded(f, _) if f.author == author => MessageId::from_slice(&f.id).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use startalk_protocol::pb::events as pb;

    use super::*;
    use crate::store::{New, Store, Tx};

    #[test]
    fn every_message_is_found_and_no_other_whoever_wrote_and_however_often_the_order_broke() {
        for seed in 0..8u64 {
            let store = Store::temporary().unwrap();
            let mut tx = Tx::new(&store, 1, 1);
            let opened = pb::DirectOpened { conversation: 9, a: 1, b: 2, peer: 1, request: false };
            tx.emit(New { conversation: 8, event: Event::DirectOpened(opened, None) });
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut next = move |n: u64| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random % n
            };
            let (mut time, mut said) = ([1000u64, 1000], Vec::new());
            for _ in 0..400 {
                let side = usize::from(next(10) < seed % 10);
                if next(80) == 0 {
                    time[side] -= next(500).min(time[side] - 1); // a restored backup: old ids come again later
                }
                time[side] += 1 + next(5);
                let id = MessageId::new(time[side], 0, [u8::try_from(side).unwrap(); 8]);
                if said.iter().any(|(_, _, known)| *known == id) {
                    continue;
                }
                let author = side as u64 + 1;
                let facts = pb::MessageAdded { id: Bytes::copy_from_slice(&id.0), author, ..Default::default() };
                let sequence = tx.emit(New { conversation: 9, event: Event::MessageAdded(facts, None) }).sequence;
                said.push((sequence, author, id));
            }
            let all = tx.records().to_vec();
            let fetch = |position: u64| all.get(usize::try_from(position).unwrap() - 1).cloned();
            for (sequence, author, id) in &said {
                assert_eq!(locate(&tx, fetch, 9, *author, *id), Some(*sequence), "seed {seed}");
                assert_eq!(locate(&tx, fetch, 9, 3 - *author, *id), None);
                let last = said.iter().rev().find(|s| s.1 == 2 && s.0 <= *sequence).map(|s| s.2);
                assert_eq!(last_by(&tx, fetch, &direct(&tx, 9).unwrap(), 2, *sequence), last);
            }
            for absent in 0..200 {
                let id = MessageId::new(900 + absent * 10, 7, [9; 8]);
                assert_eq!(locate(&tx, fetch, 9, 1, id), None);
            }
        }
    }
}
