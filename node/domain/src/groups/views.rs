//! What can be asked about groups, out of the views alone.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error, GroupId};

use super::{
    CHUNK, Change, Group, Log, Member, Waiting, changes_key, followed_key, group_key, id_key, log_key, members_key, persons_key,
    waiting_key,
};
use crate::{
    directory::HERE,
    store::{Consistent, Read},
};

/// Members with consecutive numbers, as one value of the views: another one whenever anything of them is otherwise.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Members {
    /// By their numbers, ascending.
    pub list: Vec<Member>,
}

/// Member numbers by person, ascending.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Persons {
    pub(super) list: Vec<(u64, u64)>,
}

/// Changed messages of one stretch, by sequence, ascending.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Changes {
    pub(super) list: Vec<(u64, Change)>,
}

/// The group with this conversation number.
pub fn group(read: &impl Read, conversation: u64) -> Option<Arc<Group>> {
    read.get(&group_key(conversation))
}

/// The conversation number of a group, if it was ever here.
pub fn by_id(read: &impl Read, id: &GroupId) -> Option<u64> {
    read.get::<u64>(&id_key(id.as_str())).map(|n| *n)
}

/// Where its log stands.
pub fn log(read: &impl Read, conversation: u64) -> Arc<Log> {
    read.get(&log_key(conversation)).unwrap_or_default()
}

/// The member with this number.
pub fn member(read: &impl Read, conversation: u64, number: u64) -> Option<Member> {
    let all = read.get::<Members>(&members_key(conversation, number / CHUNK))?;
    all.list.binary_search_by_key(&number, |m| m.member).ok().map(|at| all.list[at].clone())
}

/// The member number of a person, if they were ever in or asked to be.
pub fn number_of(read: &impl Read, conversation: u64, person: u64) -> Option<u64> {
    let all = read.get::<Persons>(&persons_key(conversation, person / CHUNK))?;
    all.list.binary_search_by_key(&person, |p| p.0).ok().map(|at| all.list[at].1)
}

/// The member who is this person.
pub fn member_of(read: &impl Read, conversation: u64, person: u64) -> Option<Member> {
    member(read, conversation, number_of(read, conversation, person)?)
}

/// Whether this person is in now.
pub fn is_member(read: &impl Read, conversation: u64, person: u64) -> bool {
    member_of(read, conversation, person).is_some_and(|m| m.is_in())
}

/// Members with numbers from `from` on that `want` takes, at most `limit`; and the number to go on from, 0 at the end.
pub fn members_from(
    read: &impl Read,
    conversation: u64,
    from: u64,
    limit: usize,
    want: impl Fn(&Member) -> bool,
) -> (Vec<Member>, u64) {
    let last = group(read, conversation).map_or(0, |g| g.last_member);
    let mut out = Vec::new();
    for chunk in from / CHUNK..=last / CHUNK {
        let Some(all) = read.get::<Members>(&members_key(conversation, chunk)) else { continue };
        for member in all.list.iter().filter(|m| m.member >= from && want(m)) {
            if out.len() == limit {
                return (out, member.member);
            }
            out.push(member.clone());
        }
    }
    (out, 0)
}

/// Members of the group as the views hold them, nothing copied: the first with numbers below 256, and so on.
pub fn member_chunks(read: &impl Read, group: &Group) -> Vec<Arc<Members>> {
    let chunk = |chunk| read.get::<Members>(&members_key(group.conversation, chunk)).unwrap_or_default();
    (0..=group.last_member / CHUNK).map(chunk).collect()
}

/// Which of [`member_chunks`] holds this person, if they were ever in.
pub fn chunk_of(read: &impl Read, conversation: u64, person: u64) -> Option<usize> {
    number_of(read, conversation, person).and_then(|number| usize::try_from(number / CHUNK).ok())
}

/// Accounts here that are in now.
pub fn local_members(read: &impl Read, conversation: u64) -> Vec<u64> {
    let (members, _) = members_from(read, conversation, 0, usize::MAX, |m| m.peer == HERE && m.is_in());
    members.into_iter().map(|m| m.person).collect()
}

/// The group and the member, for whom has or had anything to do with it; nobody else learns that there is one. While one
/// is joining there is no member yet.
///
/// # Errors
/// `no-such-conversation`.
pub fn of_reader(read: &impl Consistent, conversation: u64, person: u64) -> Result<(Arc<Group>, Option<Member>), Error> {
    let none = || Error::from(Code::NoSuchConversation);
    let group = group(read, conversation).ok_or_else(none)?;
    let member = member_of(read, conversation, person).filter(Member::had_to_do);
    let joins = || waiting(read, conversation).iter().any(|w| w.account == person);
    if member.is_some() || joins() { Ok((group, member)) } else { Err(none()) }
}

/// What a message has become.
pub fn change_of(read: &impl Read, conversation: u64, sequence: u64) -> Option<Change> {
    let all = read.get::<Changes>(&changes_key(conversation, sequence))?;
    all.list.binary_search_by_key(&sequence, |c| c.0).ok().map(|at| all.list[at].1.clone())
}

/// What accounts here did that the home has not recorded, oldest first.
pub fn waiting(read: &impl Read, conversation: u64) -> Arc<Vec<Waiting>> {
    read.get(&waiting_key(conversation)).unwrap_or_default()
}

/// The latest time after which something that waits has failed; 0: nothing waits for a time.
pub fn time_wanted(read: &impl Read, conversation: u64) -> i64 {
    waiting(read, conversation).iter().map(|w| w.not_after_ms).max().unwrap_or(0)
}

/// Of those the ones that have to be spoken of on a link: somebody of either is in, or waits to be.
pub fn shared_with(read: &impl Read, peer: u64) -> Vec<u64> {
    let lives = |conversation: &u64| {
        let Some(group) = group(read, *conversation) else { return false };
        let follows = group.peers.iter().any(|p| p.peer == peer && p.members > 0);
        let followed = group.home == peer && (group.here > 0 || group.renewed || !waiting(read, *conversation).is_empty());
        (group.is_home() && follows) || followed
    };
    followed_of(read, peer).iter().copied().filter(lives).collect()
}

/// Conversation numbers of groups that this domain shares with another: those that it keeps replicas of, with the peer as
/// home, and those that it is home of, with members of the peer.
pub fn followed_of(read: &impl Read, peer: u64) -> Arc<Vec<u64>> {
    read.get(&followed_key(peer)).unwrap_or_default()
}
