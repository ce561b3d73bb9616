//! Groups on an open link: as a follower asks for what is lacking of the peer's groups; as a home answers, and tells what
//! is new.
//!
//! Mirrors `node/federation/src/groups` (`Groups`, `home`, `replica`) without its jobs: what is read there beside the
//! link's task is read here at once; what the write loop is asked comes back as a ticket. Owns nothing durable.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{Command, directory::HERE, groups, store::Store, timeline};
use startalk_link::Link;
use startalk_protocol::{
    Code, Error,
    group::sign_head,
    limits,
    pb::group::{self as wire, Answer, Applicants, Ask, Begin, Beginning, Follow, Hint, Marks, Note, Range, answer, ask, note},
    signing::SecretKey,
};

use super::{Ticket, liar, live::World, peer::Peer};

/// What a link can do beyond its version.
pub const FEATURE: &str = "groups";
/// Bytes of news told at once.
const NEWS_BYTES_MAX: usize = 256 * 1024;
const LOOK_MS: u64 = 30_000;
const NOTE_LOST_MS: u64 = limits::LINK_DEAD_MS + limits::LINK_PING_MS;
const MARKS_MS: u64 = 3_000;
const PAGES_MAX: usize = limits::GROUP_MEMBERS_MAX as usize / limits::MEMBERS_PAGE_MAX + 2;

enum Asked {
    Follow(u64),
    Begin { conversation: u64, pages: Vec<Beginning> },
}

/// What the write loop was asked for.
enum Job {
    /// That time, or a new epoch, is told before an answer.
    Time { id: u64, group: String, after: u64 },
    /// To take what came.
    Taken { conversation: u64, more: bool, before: (bool, u64) },
}

/// Groups on one link.
#[derive(Default)]
pub struct Groups {
    number: u64,
    link: u64,
    ready: bool,
    active: bool,
    wanted: BTreeSet<u64>,
    again: BTreeSet<u64>,
    busy: BTreeMap<u64, u64>,
    asked: BTreeMap<u64, Asked>,
    news: BTreeSet<u64>,
    has: BTreeMap<u64, u64>,
    told: BTreeMap<u64, u64>,
    marked: BTreeSet<u64>,
    marks_at_ms: u64,
    look_at_ms: u64,
    jobs: BTreeMap<u64, Job>,
    last_job: u64,
}

impl Groups {
    /// Of a new link.
    pub fn new(number: u64, link: u64) -> Self {
        Self { number, link, ..Self::default() }
    }

    /// The link is open: everything that we follow there is looked at.
    pub fn ready(&mut self, store: &Store, features: &[String]) {
        self.ready = true;
        self.active = features.iter().any(|f| f == FEATURE);
        for conversation in groups::followed_of(store, self.number).iter() {
            if is_wanted(store, self.number, *conversation) {
                self.wanted.insert(*conversation);
                self.marked.insert(*conversation);
            }
        }
    }

    /// The link has ended: what the next begins with.
    pub fn left(self, now_ms: u64) -> BTreeSet<u64> {
        if self.ready && !self.active {
            return BTreeSet::new();
        }
        let since_ms = now_ms.saturating_sub(NOTE_LOST_MS);
        let told = self.told.into_iter().filter(|(_, told_ms)| *told_ms >= since_ms).map(|(conversation, _)| conversation);
        told.chain(self.news).chain(self.wanted).chain(self.again).chain(self.busy.into_keys()).collect()
    }

    /// What others left for this peer.
    pub fn changed(&mut self, store: &Store, peer: &mut Peer) {
        for conversation in std::mem::take(&mut peer.groups) {
            match groups::group(store, conversation).map(|g| g.home) {
                Some(HERE) => _ = self.news.insert(conversation),
                Some(home) if home == self.number => _ = self.wanted.insert(conversation),
                _ => {}
            }
        }
        self.marked.append(&mut peer.group_marks);
    }

    /// When [`push`](Self::push) is to be called again.
    pub fn due_ms(&self) -> Option<u64> {
        let marks = (self.active && !self.marked.is_empty()).then_some(self.marks_at_ms);
        marks.into_iter().chain(self.active.then_some(self.look_at_ms)).min()
    }

    /// Whether anything is to be said or heard of groups now.
    pub fn is_busy(&self) -> bool {
        let asked = self.wanted.is_empty() && self.again.is_empty();
        let nothing = asked && self.busy.is_empty() && self.news.is_empty() && self.jobs.is_empty();
        !nothing && (self.active || !self.ready)
    }

    /// How it stands, for people to read.
    pub fn shown(&self) -> String {
        format!("wants {:?}, waits for {:?}, has news of {:?}, {} jobs", self.wanted, self.busy, self.news, self.jobs.len())
    }

    /// Asks and tells what there is to ask and tell.
    pub fn push(&mut self, world: &mut World, link: &mut Link) {
        if !self.active {
            return;
        }
        self.look(world);
        self.ask(world, link);
        self.tell(world, link);
        self.tell_marks(world, link);
    }

    fn look(&mut self, world: &World) {
        if world.now_ms < self.look_at_ms {
            return;
        }
        self.look_at_ms = world.now_ms + LOOK_MS;
        self.wanted.append(&mut self.again);
        let store = &*world.views.store;
        let now = i64::try_from(world.wall_ms).expect("a time");
        for conversation in groups::followed_of(store, self.number).iter() {
            let waiting = groups::waiting(store, *conversation);
            let over = waiting.iter().any(|w| w.not_after_ms != 0 && w.not_after_ms < now);
            let joining = !waiting.is_empty() && begins(store, *conversation);
            if over || joining {
                self.wanted.insert(*conversation);
            }
        }
    }

    fn ask(&mut self, world: &World, link: &mut Link) {
        let store = &*world.views.store;
        let free: Vec<u64> = self.wanted.iter().copied().filter(|c| !self.busy.contains_key(c)).collect();
        for conversation in free {
            let Some(group) = groups::group(store, conversation).filter(|_| is_wanted(store, self.number, conversation)) else {
                self.wanted.remove(&conversation);
                continue;
            };
            let head = timeline::head(store, conversation).sequence;
            let (question, asked) = if begins(store, conversation) {
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

    /// The peer asks.
    pub fn asked(&mut self, world: &mut World, link: &mut Link, id: u64, what: &Bytes) {
        let malformed = || Error::new(Code::Malformed).with("expected", "a question about a group");
        let Ok(Ask { group, ask: Some(asked) }) = Ask::decode(what.clone()) else {
            return link.answer(id, Err(malformed()));
        };
        if let ask::Ask::Follow(follow) = &asked {
            let told_ms = i64::try_from(world.views.journal.head().time_ms).expect("a time");
            let now_ms = i64::try_from(world.wall_ms).expect("a time");
            if follow.waits_for_ms != 0 && told_ms <= follow.waits_for_ms && now_ms > follow.waits_for_ms {
                let job = self.job(Job::Time { id, group, after: follow.after });
                return self.submit(world, Command::TellTime, job);
            }
            let store = &*world.views.store;
            let conversation = group.parse().ok().and_then(|id| groups::by_id(store, &id));
            if conversation.is_some_and(|c| timeline::head(store, c).sequence < follow.after) {
                let job = self.job(Job::Time { id, group: group.clone(), after: follow.after });
                let command = Command::GroupBehind { peer: self.number, group, after: follow.after };
                return self.submit(world, command, job);
            }
        }
        self.answer(world, link, id, &group, asked);
    }

    fn answer(&mut self, world: &mut World, link: &mut Link, id: u64, group: &str, asked: ask::Ask) {
        let answer = match make(world, self.number, group, asked) {
            Ok((mut answer, mut has)) => {
                // Who lies does not take it for told: what is so comes as well.
                if let (Some((conversation, _)), Some(answer::Answer::Range(range))) = (has, &mut answer.answer)
                    && liar::spoil(world, conversation, range)
                {
                    has = None;
                }
                if let Some((conversation, sequence)) = has {
                    self.has.insert(conversation, sequence);
                }
                Ok(answer.encode_to_vec().into())
            }
            Err(error) => Err(error),
        };
        link.answer(id, answer);
    }

    /// The peer answers.
    pub fn answered(&mut self, world: &mut World, link: &mut Link, id: u64, answer: Result<Bytes, Error>) {
        let Some(asked) = self.asked.remove(&id) else { return };
        let answer = answer.map(|bytes| Answer::decode(bytes).expect("a peer of ours answers").answer);
        match (asked, answer) {
            (Asked::Follow(conversation), Ok(Some(answer::Answer::Range(range)))) => {
                let more = range.at.as_ref().is_some_and(|at| at.sequence < range.end) && !range.entries.is_empty();
                self.take(world, conversation, range, more);
            }
            (Asked::Begin { conversation, mut pages }, Ok(Some(answer::Answer::Beginning(page)))) => {
                let next = page.next_member;
                pages.push(page);
                let Some(group) = groups::group(&*world.views.store, conversation).map(|g| g.id.clone()) else { return };
                if next == 0 {
                    let peer = self.number;
                    let last = pages.len() - 1;
                    for (index, page) in pages.into_iter().enumerate() {
                        let (group, page) = (group.clone(), Box::new(page));
                        let applicants = page.applicants.clone();
                        if !applicants.is_empty() {
                            world.submit(Command::LearnApplicants { peer, group: group.clone(), applicants }, Ticket::Nobody);
                        }
                        let command = match index {
                            0 => Command::BeginReplica { peer, group, page },
                            _ => Command::LearnMembers { peer, group, page },
                        };
                        if index < last {
                            world.submit(command, Ticket::Nobody);
                        } else {
                            let job = self.job(Job::Taken {
                                conversation,
                                more: true,
                                before: place(&world.views.store, conversation),
                            });
                            self.submit(world, command, job);
                        }
                    }
                    return;
                }
                let ask = Ask { group, ask: Some(ask::Ask::Begin(Begin { from_member: next })) };
                let id = if pages.len() < PAGES_MAX { link.ask(ask.encode_to_vec().into()) } else { None };
                match id {
                    Some(id) => _ = self.asked.insert(id, Asked::Begin { conversation, pages }),
                    None => _ = self.busy.remove(&conversation),
                }
            }
            (Asked::Begin { conversation, .. }, Ok(Some(answer::Answer::Applicants(told)))) => {
                let Some(group) = groups::group(&*world.views.store, conversation).map(|g| g.id.clone()) else { return };
                let before = place(&world.views.store, conversation);
                let job = self.job(Job::Taken { conversation, more: false, before });
                let applicants = told.applicants;
                self.submit(world, Command::LearnApplicants { peer: self.number, group, applicants }, job);
            }
            (Asked::Follow(conversation) | Asked::Begin { conversation, .. }, answer) => {
                if let Err(error) = answer {
                    self.failed(conversation, error.code);
                }
                self.busy.remove(&conversation);
            }
        }
    }

    fn take(&mut self, world: &mut World, conversation: u64, range: Range, more: bool) {
        let Some(group) = groups::group(&*world.views.store, conversation).map(|g| g.id.clone()) else { return };
        self.busy.insert(conversation, range.at.as_ref().map_or(0, |at| at.sequence));
        let job = self.job(Job::Taken { conversation, more, before: place(&world.views.store, conversation) });
        self.submit(world, Command::FollowGroup { peer: self.number, group, range: Box::new(range) }, job);
    }

    /// The peer tells something.
    pub fn noted(&mut self, world: &mut World, what: &Bytes) {
        let Ok(Note { group, note: Some(note) }) = Note::decode(what.clone()) else { return };
        match note {
            note::Note::Hint(_) => self.hinted(world, &group),
            note::Note::Range(range) => self.told(world, &group, range),
            note::Note::Marks(marks) => {
                let marks = marks.readers.iter().map(|r| (r.member, r.read)).collect();
                world.submit(Command::MoveGroupMarks { peer: self.number, group, marks }, Ticket::Nobody);
            }
        }
    }

    fn hinted(&mut self, world: &World, group: &str) {
        let store = &*world.views.store;
        let conversation = group.parse().ok().and_then(|id| groups::by_id(store, &id));
        if let Some(conversation) = conversation.filter(|c| is_wanted(store, self.number, *c)) {
            self.wanted.insert(conversation);
        }
    }

    fn told(&mut self, world: &mut World, group: &str, range: Range) {
        let store = &*world.views.store;
        let Some(conversation) = group.parse().ok().and_then(|id| groups::by_id(store, &id)) else { return };
        let from = range.from.as_ref().map_or(u64::MAX, |h| h.sequence);
        let begun = groups::group(store, conversation).is_some_and(|g| g.begun);
        let free = !self.busy.contains_key(&conversation) && from == timeline::head(store, conversation).sequence;
        if begun && free && is_wanted(store, self.number, conversation) {
            self.take(world, conversation, range, false);
        } else {
            self.hinted(world, group);
        }
    }

    fn tell(&mut self, world: &World, link: &mut Link) {
        let store = &*world.views.store;
        while let Some(conversation) = self.news.pop_first() {
            let Some(group) = groups::group(store, conversation) else { continue };
            let head = timeline::head(store, conversation).sequence;
            self.told.insert(conversation, world.now_ms);
            match self.has.get(&conversation).copied() {
                Some(after) if head > after => {
                    self.has.remove(&conversation);
                    let Ok(range) = groups::range(world.views, self.number, &group.id, after) else { continue };
                    let range = signed(world.key, range);
                    let (at, end) = (range.at.as_ref().map_or(0, |h| h.sequence), range.end);
                    let note = Note { group: group.id.clone(), note: Some(note::Note::Range(range)) }.encode_to_vec();
                    if note.len() <= NEWS_BYTES_MAX && at >= end && link.note(note.into()) {
                        self.has.insert(conversation, at);
                    } else {
                        hint(link, &group.id, end);
                    }
                }
                Some(_) => {}
                None if groups::following(store, self.number, &group.id).is_err() => hint(link, &group.id, 0),
                None => hint(link, &group.id, head),
            }
        }
    }

    fn tell_marks(&mut self, world: &World, link: &mut Link) {
        if self.marked.is_empty() || world.now_ms < self.marks_at_ms {
            return;
        }
        self.marks_at_ms = world.now_ms + MARKS_MS;
        let store = &*world.views.store;
        while let Some(conversation) = self.marked.pop_first() {
            let ours = groups::group(store, conversation).is_some_and(|g| g.home == self.number && g.begun);
            let Some(note) = ours.then(|| own_marks(store, conversation)).flatten() else { continue };
            if !link.note(note.encode_to_vec().into()) {
                self.marked.insert(conversation);
                return;
            }
        }
    }

    fn failed(&mut self, conversation: u64, code: Code) {
        if matches!(code, Code::DiskFull | Code::SlowDown | Code::Internal) {
            self.again.insert(conversation);
        }
    }

    fn job(&mut self, job: Job) -> u64 {
        self.last_job += 1;
        self.jobs.insert(self.last_job, job);
        self.last_job
    }

    fn submit(&self, world: &mut World, command: Command, job: u64) {
        world.submit(command, Ticket::Group { peer: self.number, link: self.link, job });
    }

    /// The write loop has done what was asked.
    pub fn done(&mut self, world: &mut World, link: &mut Link, job: u64, result: Result<(), Code>) {
        match self.jobs.remove(&job) {
            Some(Job::Time { id, group, after }) => {
                self.answer(world, link, id, &group, ask::Ask::Follow(Follow { after, waits_for_ms: 0 }));
            }
            Some(Job::Taken { conversation, more, before }) => {
                self.busy.remove(&conversation);
                match result {
                    Ok(()) if more && place(&world.views.store, conversation) != before => _ = self.wanted.insert(conversation),
                    Ok(()) => {}
                    Err(code) => self.failed(conversation, code),
                }
            }
            None => {}
        }
    }
}

fn is_wanted(store: &Store, peer: u64, conversation: u64) -> bool {
    groups::group(store, conversation).is_some_and(|g| {
        g.home == peer && !g.equivocated && (g.begun || g.renewed || !groups::waiting(store, conversation).is_empty())
    })
}

fn begins(store: &Store, conversation: u64) -> bool {
    groups::group(store, conversation).is_none_or(|g| !g.begun)
}

fn place(store: &Store, conversation: u64) -> (bool, u64) {
    (!begins(store, conversation), timeline::head(store, conversation).sequence)
}

fn hint(link: &mut Link, group: &str, sequence: u64) {
    let note = Note { group: group.to_owned(), note: Some(note::Note::Hint(Hint { sequence })) };
    link.note(note.encode_to_vec().into());
}

fn signed(key: &SecretKey, mut range: Range) -> Range {
    range.from.iter_mut().chain(range.at.iter_mut()).for_each(|head| sign_head(head, key));
    range
}

type Made = (Answer, Option<(u64, u64)>);

fn make(world: &World, number: u64, group: &str, asked: ask::Ask) -> Result<Made, Error> {
    let (views, store) = (world.views, &*world.views.store);
    let (answer, has) = match asked {
        ask::Ask::Follow(follow) => {
            let range = signed(world.key, groups::range(views, number, group, follow.after)?);
            let at = range.at.as_ref().map_or(0, |h| h.sequence);
            let conversation = group.parse().ok().and_then(|id| groups::by_id(store, &id));
            (answer::Answer::Range(range), conversation.map(|c| (c, at)))
        }
        ask::Ask::Begin(begin) => {
            let mut beginning = match groups::beginning(views, number, group, begin.from_member) {
                Ok(beginning) => beginning,
                Err(error) => {
                    let applicants = groups::applicants(store, number, group);
                    let told = (!applicants.is_empty()).then_some(answer::Answer::Applicants(Applicants { applicants }));
                    return told.map(|told| (Answer { answer: Some(told) }, None)).ok_or(error);
                }
            };
            if let Some(base) = &mut beginning.base {
                sign_head(base, world.key);
            }
            (answer::Answer::Beginning(beginning), None)
        }
        ask::Ask::File(_) => return Err(Code::NoSuchFile.into()), // no bytes in virtual time: nodes here do not speak of files
        ask::Ask::ReadBy(read_by) => {
            (answer::Answer::Readers(groups::readers_told(store, number, group, read_by.sequence)?), None)
        }
    };
    Ok((Answer { answer: Some(answer) }, has))
}

fn own_marks(store: &Store, conversation: u64) -> Option<Note> {
    let group = groups::group(store, conversation).filter(|g| g.members <= limits::GROUP_READERS_MAX)?;
    let own = |m: &groups::Member| m.is_in() && m.peer == HERE;
    let (members, _) = groups::members_from(store, conversation, 0, usize::MAX, own);
    let reader = |m: &groups::Member| {
        let read = startalk_domain::delivery::group_marks_of(store, conversation, m.person).read;
        (read > 0).then_some(wire::Reader { member: m.member, read })
    };
    let readers: Vec<wire::Reader> = members.iter().filter_map(reader).collect();
    (!readers.is_empty()).then(|| Note { group: group.id.clone(), note: Some(note::Note::Marks(Marks { readers })) })
}
