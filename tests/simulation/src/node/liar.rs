//! A home that lies: what it tells a follower of a group's log is otherwise than what it has, chained and signed anew.
//!
//! Owns the sorts of lies. What is said in the name of others is [`words::FORGED`], what stands under a head that the home did
//! not sign is [`words::UNSIGNED`]; what a home makes up of its own people is [`words::MADE_UP`], and may be taken. Changes
//! nothing at the home.

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{directory::HERE, groups};
use startalk_protocol::{
    GroupId,
    group::{Place, body_hash_of, chain_after, sign_head, submission_hash},
    pb::group::{Decided, Edit, Entry, Leave, Message, NewEpoch, Range, Submission, entry::Body, submission::Action},
    signing::SecretKey,
};

use super::live::World;
use crate::words;

/// Perhaps makes something else of a stretch that is about to be told. Whether it did.
pub fn spoil(world: &mut World, conversation: u64, range: &mut Range) -> bool {
    let is_next = range.from.as_ref().zip(range.at.as_ref());
    let is_next = is_next.is_some_and(|(from, at)| at.sequence == from.sequence + range.entries.len() as u64);
    if !world.lies || !is_next || !world.chance.one_in(4) {
        return false;
    }
    let store = &*world.views.store;
    let (members, _) = groups::members_from(store, conversation, 0, usize::MAX, groups::Member::is_in);
    let theirs: Vec<u64> = members.iter().filter(|m| m.peer != HERE).map(|m| m.member).collect();
    let ours: Vec<u64> = members.iter().filter(|m| m.peer == HERE).map(|m| m.member).collect();
    let (Some(other), Some(own)) = (world.chance.one_of(&theirs).copied(), world.chance.one_of(&ours).copied()) else {
        return false;
    };
    let by_others: Vec<usize> = (0..range.entries.len()).filter(|at| !range.entries[*at].origin.is_empty()).collect();
    let one_by_others = world.chance.one_of(&by_others).copied();
    let mut key = world.key.clone();
    match (world.chance.below(7), one_by_others) {
        (0, _) => range.entries.push(says(other, words::FORGED)),
        (1, _) => {
            let last = range.at.as_ref().map_or(1, |at| at.sequence).max(1);
            let edit = Action::Edit(Edit { target: world.chance.between(1, last) });
            range.entries.push(entry(own, edit, written(words::FORGED)));
        }
        (2, Some(at)) => range.entries.push(range.entries[at].clone()),
        (3, Some(at)) => range.entries[at].body = written(words::FORGED),
        (4, _) => {
            range.entries.push(says(own, words::UNSIGNED));
            key = SecretKey::from_seed([250; 32]);
        }
        (5, _) => range.entries.push(entry(other, Action::Leave(Leave {}), None)),
        _ => range.entries.push(says(own, words::MADE_UP)),
    }
    chain(range, &key)
}

fn says(author: u64, message: u64) -> Entry {
    let action = Action::Message(Message { id: Bytes::from_static(&[7; 16]), ..Message::default() });
    entry(author, action, written(message))
}

fn written(message: u64) -> Option<Body> {
    let content = words::content(&words::text(message, 0, 3), false);
    Some(Body::Written([&[7; 16][..], &content].concat().into()))
}

/// An entry by somebody of the home, as the home says.
fn entry(author: u64, action: Action, body: Option<Body>) -> Entry {
    let submission = Submission { author, action: Some(action), ..Submission::default() };
    let decided = Decided::default().encode_to_vec().into();
    Entry { submission: submission.encode_to_vec().into(), decided, body, ..Entry::default() }
}

/// Everything fits again, whoever signed it.
fn chain(range: &mut Range, key: &SecretKey) -> bool {
    let Range { from: Some(from), at: Some(at), entries, end, .. } = range else { return false };
    let Ok(id) = from.group.parse::<GroupId>() else { return false };
    let mut chain: [u8; 32] = from.chain.as_ref().try_into().expect("a head of ours");
    let (mut epoch, mut time_ms) = (from.home_epoch, from.time_ms);
    for (sequence, entry) in (from.sequence + 1..).zip(entries.iter_mut()) {
        // A made-up one is of the moment; the others have their own.
        entry.time_ms = if entry.time_ms == 0 { at.time_ms } else { entry.time_ms }.max(time_ms);
        time_ms = entry.time_ms;
        let hash = submission_hash(&id, &entry.submission, &body_hash_of(entry).expect("an entry of ours"));
        let (origin, decided) = (entry.origin.as_str(), entry.decided.as_ref());
        chain = chain_after(&chain, &Place { group: &id, epoch, sequence, time_ms, origin, hash, decided });
        let action = Submission::decode(entry.submission.as_ref()).ok().and_then(|s| s.action);
        epoch += u32::from(matches!(action, Some(Action::NewEpoch(NewEpoch { .. }))));
    }
    at.sequence = from.sequence + entries.len() as u64;
    (at.chain, at.home_epoch, at.time_ms) = (chain.to_vec().into(), epoch, at.time_ms.max(time_ms));
    *end = at.sequence.max(*end);
    sign_head(at, key);
    true
}
