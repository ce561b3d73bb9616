//! As a group's home: answers to followers, news for them, and the signature under both.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{Command, groups, store::Read, timeline};
use startalk_link::Link;
use startalk_protocol::{
    Code, Error,
    group::sign_head,
    limits,
    pb::group::{self as wire, Answer, Applicants, Ask, Hint, Marks, Note, Range, answer, ask, note},
};

use super::{Done, Groups};
use crate::{ask::ask as submit, config::GROUP_NEWS_BYTES_MAX, shared::Shared};

impl Groups {
    /// The peer asks; the answer is made beside the link's task.
    pub(crate) fn asked(&mut self, shared: &Arc<Shared>, link: &mut Link, id: u64, what: &Bytes) {
        let malformed = || Error::new(Code::Malformed).with("expected", "a question about a group");
        let Ok(Ask { group, ask: Some(asked) }) = Ask::decode(what.clone()) else {
            return link.answer(id, Err(malformed()));
        };
        if !self.has_room() {
            return link.answer(id, Err(Error::new(Code::SlowDown).with("seconds", 1)));
        }
        let (shared, number) = (shared.clone(), self.number);
        if let ask::Ask::File(range) = asked {
            self.jobs.spawn(async move {
                let answer = crate::files::answer(&shared, number, group, range).await;
                Done::Answer { id, answer, has: None }
            });
            return;
        }
        self.jobs.spawn(async move {
            if let ask::Ask::Follow(follow) = &asked {
                tell_time(&shared, follow.waits_for_ms).await;
                tell_epoch(&shared, number, &group, follow.after).await;
            }
            let made = tokio::task::spawn_blocking(move || make(&shared, number, &group, asked)).await;
            let (answer, has) = match made {
                Ok(Ok((answer, has))) => (Ok(answer.encode_to_vec().into()), has),
                Ok(Err(error)) => (Err(error), None),
                Err(_) => (Err(Code::Internal.into()), None),
            };
            Done::Answer { id, answer, has }
        });
    }

    /// Tells the peer what is new: the entries themselves if it has what is before them, else that there are some.
    pub(super) fn tell(&mut self, shared: &Arc<Shared>, link: &mut Link) {
        while self.has_room()
            && let Some(conversation) = self.news.pop_first()
        {
            let store = &*shared.config.views.store;
            let Some(group) = groups::group(store, conversation) else { continue };
            match self.has.get(&conversation).copied() {
                Some(after) if timeline::head(store, conversation).sequence > after => {
                    let (shared, number) = (shared.clone(), self.number);
                    self.jobs.spawn_blocking(move || {
                        let range = groups::range(&shared.config.views, number, &group.id, after);
                        Done::News { conversation, range: Box::new(range.map(|range| signed(&shared, range))) }
                    });
                    self.has.remove(&conversation); // until it is told, further news wait for this
                    self.telling.insert(conversation);
                }
                Some(_) => {}
                None if self.telling.contains(&conversation) => _ = self.later.insert(conversation),
                // To a domain of which nobody is in this only says that it may ask.
                None if groups::following(store, self.number, &group.id).is_err() => hint(link, &group.id, 0),
                None => {
                    self.told.insert(conversation, shared.steady_ms());
                    hint(link, &group.id, timeline::head(store, conversation).sequence);
                }
            }
        }
    }

    /// What is new was read.
    pub(super) fn have_news(&mut self, shared: &Arc<Shared>, link: &mut Link, conversation: u64, range: Result<Range, Error>) {
        self.telling.remove(&conversation);
        let store = &*shared.config.views.store;
        let Some(group) = groups::group(store, conversation) else { return };
        if self.later.remove(&conversation) {
            self.news.insert(conversation);
        }
        let Ok(range) = range else { return }; // nothing of it is the peer's
        self.told.insert(conversation, shared.steady_ms());
        let (at, end) = (range.at.as_ref().map_or(0, |h| h.sequence), range.end);
        let note = Note { group: group.id.clone(), note: Some(note::Note::Range(range)) }.encode_to_vec();
        if note.len() <= GROUP_NEWS_BYTES_MAX && at >= end && link.note(note.into()) {
            self.has.insert(conversation, at);
        } else {
            hint(link, &group.id, end);
        }
    }
}

fn hint(link: &mut Link, group: &str, sequence: u64) {
    let note = Note { group: group.to_owned(), note: Some(note::Note::Hint(Hint { sequence })) };
    link.note(note.encode_to_vec().into()); // no room: it asks when it next looks
}

/// A follower waits to know that this time is over: if it is, the journal says so before the answer.
async fn tell_time(shared: &Shared, waits_for_ms: i64) {
    let told_ms = i64::try_from(shared.config.views.journal.head().time_ms).unwrap_or(i64::MAX);
    if waits_for_ms != 0 && told_ms <= waits_for_ms && shared.wall_signed() > waits_for_ms {
        let _ = submit(&shared.config.handle, Command::TellTime).await; // if not, it asks again
    }
}

/// A follower has more than we do: if we went back in time, the log says so before the answer.
async fn tell_epoch(shared: &Shared, peer: u64, group: &str, after: u64) {
    let store = &*shared.config.views.store;
    let conversation = group.parse().ok().and_then(|id| groups::by_id(store, &id));
    if conversation.is_some_and(|c| timeline::head(store, c).sequence < after) {
        let command = Command::GroupBehind { peer, group: group.to_owned(), after };
        let _ = submit(&shared.config.handle, command).await; // if not, it asks again
    }
}

type Made = (Answer, Option<(u64, u64)>);

fn make(shared: &Shared, number: u64, group: &str, asked: ask::Ask) -> Result<Made, Error> {
    let views = &shared.config.views;
    let conversation = |store: &_| group.parse().ok().and_then(|id| groups::by_id(store, &id));
    let (answer, has) = match asked {
        ask::Ask::Follow(follow) => {
            let range = signed(shared, groups::range(views, number, group, follow.after)?);
            let at = range.at.as_ref().map_or(0, |h| h.sequence);
            (answer::Answer::Range(range), conversation(&*views.store).map(|c| (c, at)))
        }
        ask::Ask::Begin(begin) => {
            let mut beginning = match groups::beginning(views, number, group, begin.from_member) {
                Ok(beginning) => beginning,
                Err(error) => {
                    // Nobody of the peer is in; somebody may have asked to be.
                    let applicants = groups::applicants(&*views.store, number, group);
                    let told = (!applicants.is_empty()).then_some(answer::Answer::Applicants(Applicants { applicants }));
                    return told.map(|told| (Answer { answer: Some(told) }, None)).ok_or(error);
                }
            };
            if let Some(base) = &mut beginning.base {
                sign_head(base, &shared.config.identity.current().key);
            }
            (answer::Answer::Beginning(beginning), None)
        }
        ask::Ask::File(_) => return Err(Code::Internal.into()), // answered above
        ask::Ask::ReadBy(read_by) => {
            (answer::Answer::Readers(groups::readers_told(&*views.store, number, group, read_by.sequence)?), None)
        }
    };
    Ok((Answer { answer: Some(answer) }, has))
}

fn signed(shared: &Shared, mut range: Range) -> Range {
    let key = shared.config.identity.current().key;
    range.from.iter_mut().chain(range.at.iter_mut()).for_each(|head| sign_head(head, &key));
    range
}

/// Members of the peer's have read on in a group of ours.
pub(super) fn marks(shared: &Shared, peer: u64, group: String, marks: &Marks) {
    let marks: Vec<(u64, u64)> =
        marks.readers.iter().take(usize::try_from(limits::GROUP_READERS_MAX).expect("500")).map(|r| (r.member, r.read)).collect();
    // If it is not recorded, the next mark says it again.
    shared.config.handle.submit(Command::MoveGroupMarks { peer, group, marks }, |_| {});
}

/// How far people here have read in a group of the peer's, to be told.
pub(super) fn own_marks(read: &impl Read, conversation: u64) -> Option<Note> {
    let group = groups::group(read, conversation).filter(|g| g.members <= limits::GROUP_READERS_MAX)?;
    let own = |m: &groups::Member| m.is_in() && m.peer == startalk_domain::directory::HERE;
    let (members, _) = groups::members_from(read, conversation, 0, usize::MAX, own);
    let reader = |m: &groups::Member| {
        let read = startalk_domain::delivery::group_marks_of(read, conversation, m.person).read;
        (read > 0).then_some(wire::Reader { member: m.member, read })
    };
    let readers: Vec<wire::Reader> = members.iter().filter_map(reader).collect();
    (!readers.is_empty()).then(|| Note { group: group.id.clone(), note: Some(note::Note::Marks(Marks { readers })) })
}
