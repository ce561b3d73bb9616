//! Groups on an open link: as a follower we ask for what we lack of the peer's groups; as a home we answer, and tell the
//! peer what is new in ours. federation-spec/07-groups.md §5
//!
//! Owns nothing durable: what we have stands in our replica, and is asked for again on the next link. Decides nothing:
//! what comes in becomes a command. Invariant: of one group, one thing is on its way at a time.

mod home;
mod replica;

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{directory::HERE, groups};
use startalk_link::Link;
use startalk_protocol::{
    Code, Error,
    pb::group::{Beginning, Note, note},
};
use tokio::{sync::oneshot, task::JoinSet};
use tracing::debug;

use crate::{
    config::{GROUP_JOBS_MAX, GROUP_NOTE_LOST_MS, GROUPS},
    shared::{Shared, millis},
    slot::{Question, Slot},
};

/// What was begun outside of the link's task, when it is done.
enum Done {
    /// An answer to the peer; up to where it has the group then.
    Answer { id: u64, answer: Result<Bytes, Error>, has: Option<(u64, u64)> },
    /// News for the peer; up to where it has the group then, if it had what is before them.
    News { conversation: u64, range: Box<Result<startalk_protocol::pb::group::Range, Error>> },
    /// A command about one of our replicas, which stood there before; whether there is more to ask for.
    Taken { conversation: u64, result: Result<(), Error>, more: bool, before: replica::Place },
}

/// What we asked.
enum Asked {
    Follow(u64),
    Begin {
        conversation: u64,
        pages: Vec<Beginning>,
    },
    /// For somebody who waits.
    Question(oneshot::Sender<Result<Bytes, Error>>),
}

/// Groups on one link.
#[derive(Default)]
pub(crate) struct Groups {
    number: u64,
    /// The link is open.
    ready: bool,
    /// Both sides speak of groups.
    active: bool,
    /// Features of both sides that somebody here may ask by.
    features: Vec<String>,
    /// Replicas that may lack something.
    wanted: BTreeSet<u64>,
    /// Replicas of which something was not taken, or not given, for a while: asked for again with the next look.
    again: BTreeSet<u64>,
    /// Replicas of which something is on its way, and where they will stand when it has arrived.
    busy: HashMap<u64, u64>,
    asked: HashMap<u64, Asked>,
    /// Of people here.
    questions: VecDeque<Question>,
    /// Groups of ours with news for the peer.
    news: BTreeSet<u64>,
    /// Groups of ours: up to where the peer has them, if all went well.
    has: HashMap<u64, u64>,
    /// Groups of ours of which news are being read, and such that have changed again meanwhile.
    telling: BTreeSet<u64>,
    later: BTreeSet<u64>,
    /// Groups of ours of which something was told on this link, and when last.
    told: HashMap<u64, u64>,
    /// Groups of the peer's in which somebody here has read on.
    marked: BTreeSet<u64>,
    marks_at_ms: u64,
    look_at_ms: u64,
    jobs: JoinSet<Done>,
}

impl Groups {
    pub(crate) fn new(number: u64) -> Self {
        Self { number, ..Self::default() }
    }

    /// The link is open: everything that we follow there is looked at.
    pub(crate) fn ready(&mut self, shared: &Shared, features: &[String]) {
        self.ready = true;
        self.active = features.iter().any(|f| f == GROUPS);
        self.features = features.to_vec();
        let store = &*shared.config.views.store;
        for conversation in groups::followed_of(store, self.number).iter() {
            if replica::is_wanted(store, self.number, *conversation) {
                self.wanted.insert(*conversation);
                self.marked.insert(*conversation);
            }
        }
    }

    /// The link has ended: groups of which the peer may not have heard everything, or we. The next link begins with them,
    /// and there is one, though nobody may have anything else to say: a note is not acknowledged.
    pub(crate) fn left(self, now_ms: u64) -> BTreeSet<u64> {
        if self.ready && !self.active {
            return BTreeSet::new();
        }
        let since_ms = now_ms.saturating_sub(GROUP_NOTE_LOST_MS);
        let told = self.told.into_iter().filter(|(_, told_ms)| *told_ms >= since_ms).map(|(conversation, _)| conversation);
        let untold = self.news.into_iter().chain(self.telling).chain(self.later);
        told.chain(untold).chain(self.wanted).chain(self.again).chain(self.busy.into_keys()).collect()
    }

    /// What others left for this peer: groups that changed here.
    pub(crate) fn changed(&mut self, shared: &Shared, slot: &Slot) {
        let store = &*shared.config.views.store;
        for conversation in slot.take_groups() {
            match groups::group(store, conversation).map(|g| g.home) {
                Some(HERE) => _ = self.news.insert(conversation),
                Some(home) if home == self.number => _ = self.wanted.insert(conversation),
                _ => {}
            }
        }
        self.marked.append(&mut slot.take_group_marks());
        self.questions.extend(std::iter::from_fn(|| slot.take_question()));
    }

    /// Asks and tells what there is to ask and tell.
    pub(crate) fn push(&mut self, shared: &Arc<Shared>, link: &mut Link) {
        if !self.active {
            return;
        }
        self.look(shared);
        self.questions.retain_mut(|question| self.features.iter().any(|f| f == question.feature) || question.cannot_be_asked());
        while let Some(question) = self.questions.pop_front() {
            match link.ask(question.what.clone()) {
                Some(id) => _ = self.asked.insert(id, Asked::Question(question.reply)),
                None => {
                    self.questions.push_front(question);
                    break;
                }
            }
        }
        self.ask(shared, link);
        self.tell(shared, link);
        self.tell_marks(shared, link);
    }

    /// When [`push`](Self::push) is to be called again, if that depends on time.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        let marks = (self.active && !self.marked.is_empty()).then_some(self.marks_at_ms);
        marks.into_iter().chain(self.active.then_some(self.look_at_ms)).min()
    }

    /// The peer tells something.
    pub(crate) fn noted(&mut self, shared: &Arc<Shared>, what: &Bytes) {
        let Ok(Note { group, note: Some(note) }) = Note::decode(what.clone()) else { return };
        match note {
            note::Note::Hint(_) => self.hinted(shared, &group),
            note::Note::Range(range) => self.told(shared, &group, range),
            note::Note::Marks(marks) => home::marks(shared, self.number, group, &marks),
        }
    }

    /// Waits until something that was begun is done; for ever if nothing was. Safe to cancel.
    pub(crate) async fn job(&mut self) -> GroupJob {
        match self.jobs.join_next().await {
            Some(Ok(done)) => GroupJob(Some(done)),
            // It panicked, a bug; whatever it was about is asked for again on the next link.
            Some(Err(_)) => GroupJob(None),
            None => std::future::pending().await,
        }
    }

    /// Goes on after a job.
    pub(crate) fn done(&mut self, shared: &Arc<Shared>, slot: &Slot, link: &mut Link, job: GroupJob) {
        match job.0 {
            Some(Done::Answer { id, answer, has }) => {
                if let Some((conversation, sequence)) = has {
                    self.has.insert(conversation, sequence);
                }
                link.answer(id, answer);
            }
            Some(Done::News { conversation, range }) => self.have_news(shared, link, conversation, *range),
            Some(Done::Taken { conversation, result, more, before }) => {
                self.busy.remove(&conversation);
                // A home that gives the same again and again, and says that there is more, is not asked for ever.
                let has_moved = replica::place(&*shared.config.views.store, conversation) != before;
                match result {
                    Ok(()) if more && has_moved => _ = self.wanted.insert(conversation),
                    Ok(()) => {}
                    Err(error) => {
                        debug!(domain = %slot.domain, conversation, "a group's log was not taken: {error}");
                        self.failed(conversation, error.code);
                        slot.status.lock().failed(&slot.domain, error, shared.wall_ms());
                    }
                }
            }
            None => {}
        }
    }

    /// Nothing came of it. What is so only now (a full disk, here or there) is no reason to wait for the home to say something
    /// else; what the home said wrong, or does not give us, is not asked for without end.
    fn failed(&mut self, conversation: u64, code: Code) {
        if matches!(code, Code::DiskFull | Code::SlowDown | Code::Internal) {
            self.again.insert(conversation);
        }
    }

    fn has_room(&self) -> bool {
        self.jobs.len() < GROUP_JOBS_MAX
    }

    /// Now and then: does anything wait whose time is over? And is there a group that nobody has told us of?
    fn look(&mut self, shared: &Shared) {
        let now_ms = shared.steady_ms();
        if now_ms < self.look_at_ms {
            return;
        }
        self.look_at_ms = now_ms + millis(shared.config.timings.groups_look);
        self.wanted.append(&mut self.again);
        let store = &*shared.config.views.store;
        let now = shared.wall_signed();
        for conversation in groups::followed_of(store, self.number).iter() {
            let waiting = groups::waiting(store, *conversation);
            let over = waiting.iter().any(|w| w.not_after_ms != 0 && w.not_after_ms < now);
            let joining = !waiting.is_empty() && replica::begins(store, *conversation);
            if over || joining {
                self.wanted.insert(*conversation);
            }
        }
    }
}

/// Something that was begun outside of the link's task.
pub(crate) struct GroupJob(Option<Done>);
