//! Whom a record of a group concerns: for those who tell connected people what happened. Judges no right and keeps nothing.

use prost::Message as _;
use startalk_protocol::pb::{
    events as pb,
    group::{Role as WireRole, Submission, submission::Action},
};

use super::member;
use crate::store::Read;

/// What a record of a group's log means to its readers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// It is a message, or a line by the system.
    pub shown: bool,
    /// The message that is otherwise than before; 0: none.
    pub target: u64,
    /// Persons to whom the group itself is otherwise: who came, went, or may do something else.
    pub persons: Vec<u64>,
    /// The group is otherwise to everybody in it.
    pub everybody: bool,
}

/// Whom this record concerns, once it is in the views.
pub fn told(read: &impl Read, conversation: u64, f: &pb::GroupRecorded) -> Told {
    let Ok(submission) = Submission::decode(f.submission.as_ref()) else { return Told::default() };
    let person = |number: u64| member(read, conversation, number).map_or(0, |m| m.person);
    let author = || person(submission.author);
    let line = Told { shown: true, ..Told::default() };
    let crowd = |persons: Vec<u64>| Told { persons, everybody: true, ..line.clone() };
    let some = |persons: Vec<u64>| Told { persons, ..line.clone() };
    let changes = |target: u64| Told { target, ..Told::default() };
    let mut told = match &submission.action {
        Some(Action::Edit(e)) => changes(e.target),
        Some(Action::Recall(r)) => changes(r.target),
        Some(Action::React(r)) => changes(r.target),
        Some(Action::Pin(p)) => Told { target: p.target, ..line },
        Some(Action::Create(_) | Action::Add(_) | Action::Join(_)) => crowd(vec![f.person]),
        Some(Action::Admit(a)) => crowd(vec![person(a.member)]),
        Some(Action::Leave(_)) => crowd(vec![author()]),
        Some(Action::Remove(r)) => crowd(vec![person(r.member)]),
        Some(Action::Ban(b)) => crowd(vec![person(b.member)]),
        Some(Action::SetRole(r)) if r.role == WireRole::Owner as i32 => some(vec![person(r.member), author()]),
        Some(Action::SetRole(r)) => some(vec![person(r.member)]),
        Some(Action::Mute(m)) => some(vec![person(m.member)]),
        Some(Action::SetText(_) | Action::SetRights(_) | Action::Destroy(_)) => crowd(Vec::new()),
        Some(Action::Message(_) | Action::MakeLink(_) | Action::RevokeLink(_) | Action::NewEpoch(_)) | None => line,
    };
    told.persons.retain(|p| *p != 0);
    told
}
