//! Finding a message by its id without an index: ids of one author grow along a conversation, so they can be searched.

use startalk_protocol::MessageId;

use super::direct;
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
    let head = timeline::head(read, conversation).sequence;
    let id_at = |sequence: u64| match fetch(timeline::position(read, conversation, sequence)?)?.event {
        Event::MessageAdded(f, _) if f.author == author => MessageId::from_slice(&f.id).ok(),
        _ => None,
    };
    if direct.disordered[side] {
        // After a restored backup: rare, and then everything is looked at, newest first.
        return (1..=head).rev().find(|s| id_at(*s) == Some(id));
    }
    if id.0 > direct.last_ids[side] {
        return None;
    }
    let (mut low, mut high) = (1, head);
    while low <= high {
        let middle = low + (high - low) / 2;
        match (middle..=high).find_map(|s| id_at(s).map(|found| (s, found))) {
            Some((sequence, found)) if found == id => return Some(sequence),
            Some((sequence, found)) if found < id => low = sequence + 1,
            _ => high = middle - 1,
        }
    }
    None
}
