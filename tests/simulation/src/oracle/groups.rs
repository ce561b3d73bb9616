//! Groups as one node's journal has them: the log of each, entry by entry, and who was in when, as the log says.
//!
//! Owns no rule of rights: it follows what was recorded. Never asks the views.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{Event, Recorded, groups::Role};
use startalk_protocol::pb::group::{self as wire, Decided, Submission, submission::Action};

use crate::words;

/// One entry of a log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Exactly as it was submitted.
    pub submission: Bytes,
    /// What the home decided.
    pub decided: Bytes,
    /// The node of the author.
    pub origin: usize,
    /// Number of the submission there; 0 from the home.
    pub number: u64,
    /// Of the run, if it is a message whose body was seen.
    pub message: Option<u64>,
    /// Who did it, as far as is known.
    pub author: Option<usize>,
}

/// One group at one node.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Its id.
    pub id: String,
    /// The node that orders it.
    pub home: usize,
    /// Which is this one.
    is_here: bool,
    /// By sequence.
    pub entries: BTreeMap<u64, Entry>,
    /// Home: sequences in which each person of the run was in; the second is 0 while they are.
    pub stints: BTreeMap<usize, Vec<(u64, u64)>>,
    /// Home: over for good since.
    pub destroyed: Option<u64>,
    /// Numbers of submissions of ours that were said to have failed.
    pub failed: BTreeSet<u64>,
    /// The home was seen to tell two stories.
    pub equivocated: bool,
    /// The home was seen to have gone back: the group goes on under another number.
    pub forked: bool,
    members: BTreeMap<u64, usize>,
    /// By member; who is in none of them has no say over others.
    roles: BTreeMap<u64, Role>,
}

impl Group {
    /// Whether this was theirs to read.
    pub fn was_in(&self, person: usize, sequence: u64) -> bool {
        let stints = self.stints.get(&person).map_or(&[][..], Vec::as_slice);
        stints.iter().any(|(joined, left)| sequence >= *joined && (*left == 0 || sequence < *left))
    }

    /// Whether anybody of this node is in.
    pub fn has_members_of(&self, place: usize) -> bool {
        let is_in = |s: &Vec<(u64, u64)>| s.last().is_some_and(|(_, left)| *left == 0);
        self.stints.iter().any(|(person, stints)| crate::people::home_of(*person) == place && is_in(stints))
    }

    fn comes(&mut self, member: u64, person: Option<usize>, sequence: u64) {
        let Some(person) = person.or_else(|| self.members.get(&member).copied()) else { return };
        self.members.insert(member, person);
        let stints = self.stints.entry(person).or_default();
        if stints.last().is_none_or(|(_, left)| *left != 0) {
            stints.push((sequence, 0));
        }
    }

    fn goes(&mut self, member: u64, sequence: u64) {
        let Some(person) = self.members.get(&member) else { return };
        if let Some((_, left)) = self.stints.get_mut(person).and_then(|s| s.last_mut())
            && *left == 0
        {
            *left = sequence;
        }
    }

    fn role(&self, member: u64) -> Role {
        self.roles.get(&member).copied().unwrap_or_default()
    }

    /// Whether the author's role lets them do this; of rights as a new group has them.
    fn may(&self, submission: &Submission) -> bool {
        let mine = self.role(submission.author);
        let is_above = |member: u64| mine > Role::Member && mine > self.role(member);
        match &submission.action {
            Some(Action::SetRole(_) | Action::Destroy(_)) => mine == Role::Owner,
            Some(Action::Remove(r)) => is_above(r.member),
            Some(Action::Mute(m)) => is_above(m.member),
            Some(Action::Ban(b)) if b.member != 0 && !b.lift => is_above(b.member),
            Some(Action::Ban(_) | Action::Admit(_) | Action::Pin(_) | Action::SetText(_)) => mine > Role::Member,
            _ => true,
        }
    }

    fn follow_roles(&mut self, submission: &Submission) {
        match &submission.action {
            Some(Action::Create(_)) => _ = self.roles.insert(1, Role::Owner),
            Some(Action::Leave(_)) => _ = self.roles.remove(&submission.author),
            Some(Action::Remove(r)) => _ = self.roles.remove(&r.member),
            Some(Action::Ban(b)) if b.member != 0 && !b.lift => _ = self.roles.remove(&b.member),
            Some(Action::SetRole(r)) => {
                let role = match r.role() {
                    wire::Role::Owner => Role::Owner,
                    wire::Role::Administrator => Role::Administrator,
                    wire::Role::Member => Role::Member,
                };
                if role == Role::Owner {
                    self.roles.insert(submission.author, Role::Administrator);
                }
                self.roles.insert(r.member, role);
            }
            _ => {}
        }
    }

    fn record(&mut self, record: &Recorded, origin: usize, persons: &BTreeMap<u64, usize>) {
        let Event::GroupRecorded(f, body) = &record.event else { return };
        let (sequence, submission) = (record.sequence, Submission::decode(f.submission.clone()).expect("a submission"));
        let decided = Decided::decode(f.decided.clone()).expect("what was decided");
        let person = persons.get(&f.person).copied();
        let written = body.as_ref().map(|b| &b.value.0);
        let is_message = matches!(submission.action, Some(Action::Message(_)));
        let message = written.filter(|_| is_message).map(|w| words::message_of(&words::words(w)));
        match &submission.action {
            Some(Action::Create(_)) => self.comes(1, person, sequence),
            Some(Action::Add(_)) if !decided.invited => self.comes(decided.member, person, sequence),
            Some(Action::Join(_)) if !decided.asked => self.comes(decided.member, person, sequence),
            Some(Action::Join(_)) => _ = person.map(|p| self.members.insert(decided.member, p)),
            Some(Action::Admit(a)) if !a.refuse => self.comes(a.member, None, sequence),
            Some(Action::Leave(_)) => self.goes(submission.author, sequence),
            Some(Action::Remove(r)) => self.goes(r.member, sequence),
            Some(Action::Ban(b)) if b.member != 0 && !b.lift => self.goes(b.member, sequence),
            Some(Action::Destroy(_)) => self.destroyed = Some(sequence),
            _ => {}
        }
        // Elsewhere only what was recorded since somebody was in is known.
        if self.is_here {
            let at = format!("group {} sequence {sequence}", self.id);
            assert!(self.may(&submission), "{at}: recorded although its author may not: {:?}", submission.action);
            self.follow_roles(&submission);
        }
        let author = self.members.get(&submission.author).copied();
        let (submission, number) = (f.submission.clone(), submission.number);
        self.entries.insert(sequence, Entry { submission, decided: f.decided.clone(), origin, number, message, author });
    }
}

/// All groups of one node.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// By conversation.
    pub all: BTreeMap<u64, Group>,
    /// Ways in that were found: by group, what lets one in.
    pub recorded: u64,
}

impl Groups {
    /// One more record of the node at `place`.
    pub fn apply(&mut self, record: &Recorded, place: usize, persons: &BTreeMap<u64, usize>, peers: &BTreeMap<u64, usize>) {
        let node_of = |peer: u64| if peer == 0 { Some(place) } else { peers.get(&peer).copied() };
        match &record.event {
            Event::GroupBegan(f, _) => {
                let home = node_of(f.home).expect("a known home");
                let new = Group { id: f.group.clone(), home, is_here: home == place, ..Group::default() };
                assert!(self.all.insert(f.conversation, new).is_none(), "a number is given once");
            }
            Event::GroupRecorded(f, _) => {
                self.recorded += 1;
                let group = self.all.get_mut(&record.conversation).expect("a group that began");
                // At a replica the origin may be a domain that is not known by number.
                let named = f.origin_domain.parse().ok().and_then(|d| crate::node::place_of(&d));
                let origin = named.unwrap_or(if f.origin == 0 { place } else { node_of(f.origin).unwrap_or(group.home) });
                group.record(record, origin, persons);
            }
            Event::GroupSubmissionEnded(f, _) if !f.code.is_empty() => {
                let group = self.all.get_mut(&f.conversation).expect("a group that began");
                group.failed.insert(f.number);
            }
            // The home was restored: what is here stays, and the group goes on under another number.
            Event::GroupForked(f, _) => {
                let old = self.all.get_mut(&f.conversation).expect("a group that began");
                old.forked = true;
                let renewed = Group { id: old.id.clone(), home: old.home, ..Group::default() };
                self.all.insert(f.renewed, renewed);
            }
            Event::GroupEquivocated(f, _) => {
                self.all.get_mut(&f.conversation).expect("a group that began").equivocated = true;
            }
            _ => {}
        }
    }
}
