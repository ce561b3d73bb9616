//! As a follower: asks the peer for what our replicas lack, and makes commands of what it says.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{Command, groups, store::Read, timeline};
use startalk_link::Link;
use startalk_protocol::{
    Code, Error, limits,
    pb::group::{Answer, Applicant, Ask, Begin, Beginning, Follow, Range, answer, ask},
};
use tracing::debug;

use super::{Asked, Done, Groups, home};
use crate::{
    ask::ask as submit,
    shared::{Shared, millis},
};

/// Pages of a replica's beginning taken at most: all members of the largest group.
const PAGES_MAX: usize = limits::GROUP_MEMBERS_MAX as usize / limits::MEMBERS_PAGE_MAX + 2;

/// Whether somebody here is in a group of this peer's, or waits for something there.
pub(super) fn is_wanted(read: &impl Read, peer: u64, conversation: u64) -> bool {
    groups::group(read, conversation).is_some_and(|g| {
        g.home == peer && !g.equivocated && (g.begun || g.renewed || !groups::waiting(read, conversation).is_empty())
    })
}

/// Whether the replica has to begin, or to begin again, because nobody here is in.
pub(super) fn begins(read: &impl Read, conversation: u64) -> bool {
    groups::group(read, conversation).is_none_or(|g| !g.begun)
}

/// Where a replica stands: whether it has begun, and its end.
pub(super) type Place = (bool, u64);

/// Where it stands now.
pub(super) fn place(read: &impl Read, conversation: u64) -> Place {
    (!begins(read, conversation), timeline::head(read, conversation).sequence)
}

impl Groups {
    /// Asks for what is wanted and not on its way.
    pub(super) fn ask(&mut self, shared: &Shared, link: &mut Link) {
        let store = &*shared.config.views.store;
        let free: Vec<u64> = self.wanted.iter().copied().filter(|c| !self.busy.contains_key(c)).collect();
        for conversation in free {
            let Some(group) = groups::group(store, conversation).filter(|_| is_wanted(store, self.number, conversation)) else {
                self.wanted.remove(&conversation);
                continue;
            };
            let begins = begins(store, conversation);
            let head = timeline::head(store, conversation).sequence;
            let (question, asked) = if begins {
                (ask::Ask::Begin(Begin { from_member: 0 }), Asked::Begin { conversation, pages: Vec::new() })
            } else {
                let waits_for_ms = groups::time_wanted(store, conversation);
                (ask::Ask::Follow(Follow { after: head, waits_for_ms }), Asked::Follow(conversation))
            };
            let question = Ask { group: group.id.clone(), ask: Some(question) };
            let Some(id) = link.ask(question.encode_to_vec().into()) else { return };
            self.asked.insert(id, asked);
            self.busy.insert(conversation, head);
            self.wanted.remove(&conversation);
        }
    }

    /// The peer answers.
    pub(crate) fn answered(&mut self, shared: &Arc<Shared>, link: &mut Link, id: u64, answer: Result<Bytes, Error>) {
        let Some(asked) = self.asked.remove(&id) else { return };
        let asked = match asked {
            Asked::Question(reply) => return drop(reply.send(answer)), // who asked may have gone
            asked => asked,
        };
        let answer = answer.and_then(|bytes| {
            let malformed = || Error::new(Code::Malformed).with("expected", "an answer about a group");
            Answer::decode(bytes).ok().and_then(|a| a.answer).ok_or_else(malformed)
        });
        match (asked, answer) {
            (Asked::Follow(conversation), Ok(answer::Answer::Range(range))) => {
                let more = range.at.as_ref().is_some_and(|at| at.sequence < range.end) && !range.entries.is_empty();
                self.take(shared, conversation, range, more);
            }
            (Asked::Begin { conversation, mut pages }, Ok(answer::Answer::Beginning(page))) => {
                let next = page.next_member;
                pages.push(page);
                if next == 0 {
                    return self.begin(shared, conversation, pages);
                }
                let group = groups::group(&*shared.config.views.store, conversation).map(|g| g.id.clone());
                let ask = Ask { group: group.unwrap_or_default(), ask: Some(ask::Ask::Begin(Begin { from_member: next })) };
                let id = if pages.len() < PAGES_MAX { link.ask(ask.encode_to_vec().into()) } else { None };
                match id {
                    Some(id) => _ = self.asked.insert(id, Asked::Begin { conversation, pages }),
                    None => _ = self.busy.remove(&conversation),
                }
            }
            (Asked::Begin { conversation, .. }, Ok(answer::Answer::Applicants(told))) => {
                self.learn(shared, conversation, told.applicants);
            }
            // Not ours yet, or not now: a hint or the next link asks again.
            (Asked::Question(_), _) => {}
            (Asked::Follow(conversation) | Asked::Begin { conversation, .. }, answer) => {
                if let Err(error) = &answer {
                    self.failed(conversation, error.code);
                }
                debug!(conversation, answer = ?answer.err().map(|e| e.to_string()), "nothing of a group was given");
                self.busy.remove(&conversation);
            }
        }
    }

    fn begin(&mut self, shared: &Arc<Shared>, conversation: u64, mut pages: Vec<Beginning>) {
        let Some(group) = groups::group(&*shared.config.views.store, conversation).map(|g| g.id.clone()) else { return };
        let (shared, peer) = (shared.clone(), self.number);
        let before = place(&*shared.config.views.store, conversation);
        self.jobs.spawn(async move {
            let mut result = Ok(());
            let applicants = pages.first_mut().map(|page| std::mem::take(&mut page.applicants)).unwrap_or_default();
            if !applicants.is_empty() {
                let command = Command::LearnApplicants { peer, group: group.clone(), applicants };
                result = submit(&shared.config.handle, command).await.map(|_| ());
            }
            for (index, page) in pages.into_iter().enumerate() {
                let (group, page) = (group.clone(), Box::new(page));
                let command = match index {
                    0 => Command::BeginReplica { peer, group, page },
                    _ => Command::LearnMembers { peer, group, page },
                };
                result = result.and(submit(&shared.config.handle, command).await.map(|_| ()));
            }
            Done::Taken { conversation, result, more: true, before }
        });
    }

    /// How it stands with those here who asked to be admitted.
    fn learn(&mut self, shared: &Arc<Shared>, conversation: u64, applicants: Vec<Applicant>) {
        let Some(group) = groups::group(&*shared.config.views.store, conversation).map(|g| g.id.clone()) else { return };
        let (shared, peer) = (shared.clone(), self.number);
        let before = place(&*shared.config.views.store, conversation);
        self.jobs.spawn(async move {
            let command = Command::LearnApplicants { peer, group, applicants };
            let result = submit(&shared.config.handle, command).await.map(|_| ());
            Done::Taken { conversation, result, more: false, before }
        });
    }

    fn take(&mut self, shared: &Arc<Shared>, conversation: u64, range: Range, more: bool) {
        let Some(group) = groups::group(&*shared.config.views.store, conversation).map(|g| g.id.clone()) else { return };
        self.busy.insert(conversation, range.at.as_ref().map_or(0, |at| at.sequence));
        let (shared, peer) = (shared.clone(), self.number);
        let before = place(&*shared.config.views.store, conversation);
        self.jobs.spawn(async move {
            let command = Command::FollowGroup { peer, group, range: Box::new(range) };
            let result = submit(&shared.config.handle, command).await.map(|_| ());
            Done::Taken { conversation, result, more, before }
        });
    }

    /// The peer's log of this group has grown.
    pub(super) fn hinted(&mut self, shared: &Shared, group: &str) {
        let store = &*shared.config.views.store;
        let conversation = group.parse().ok().and_then(|id| groups::by_id(store, &id));
        if let Some(conversation) = conversation.filter(|c| is_wanted(store, self.number, *c)) {
            self.wanted.insert(conversation);
        }
    }

    /// New entries. Taken if they come right after what we have, or will have when what is on its way has arrived.
    pub(super) fn told(&mut self, shared: &Arc<Shared>, group: &str, range: Range) {
        let store = &*shared.config.views.store;
        let Some(conversation) = group.parse().ok().and_then(|id| groups::by_id(store, &id)) else { return };
        let from = range.from.as_ref().map_or(u64::MAX, |h| h.sequence);
        let begun = groups::group(store, conversation).is_some_and(|g| g.begun);
        let free = !self.busy.contains_key(&conversation) && from == timeline::head(store, conversation).sequence;
        if begun && free && self.has_room() && is_wanted(store, self.number, conversation) {
            self.take(shared, conversation, range, false);
        } else {
            self.hinted(shared, group);
        }
    }

    /// How far people here have read in the peer's groups; the latest, not too often.
    pub(super) fn tell_marks(&mut self, shared: &Shared, link: &mut Link) {
        let now_ms = shared.steady_ms();
        if self.marked.is_empty() || now_ms < self.marks_at_ms {
            return;
        }
        self.marks_at_ms = now_ms + millis(shared.config.timings.group_marks);
        let store = &*shared.config.views.store;
        while let Some(conversation) = self.marked.pop_first() {
            let ours = groups::group(store, conversation).is_some_and(|g| g.home == self.number && g.begun);
            let Some(note) = ours.then(|| home::own_marks(store, conversation)).flatten() else { continue };
            if !link.note(note.encode_to_vec().into()) {
                self.marked.insert(conversation);
                return;
            }
        }
    }
}
