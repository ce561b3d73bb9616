//! Reading groups: messages as they are now, what else happened as lines of the system, members' marks. Rights are those
//! of the record's place, checked by whoever asks ([`super::Member::may_read`]).

use std::collections::BTreeMap;

use bytes::Bytes;
use prost::Message as _;
use startalk_journal::ReadJournal;
use startalk_protocol::{
    MessageId, UserId, limits,
    pb::{
        content::{Content, System, content::Kind},
        events as pb,
        group::{self as wire, Submission, submission::Action},
    },
};

use super::{
    Change, Group, Member,
    apply::{body_at, home_time},
    change_of, group, member, members_from, of_reader,
    views::Changes,
    waiting,
};
use crate::{
    context::Ctx,
    conversations::{Message, Reaction, record_of},
    delivery, directory,
    event::{Event, Recorded},
    retention,
    store::{Consistent, Key, Read, Store, Tx},
    timeline,
};

/// Reactors of one kind that a message names.
const REACTORS_NAMED_MAX: usize = 20;

/// A group, to somebody who has to do with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Overview {
    /// Its state.
    pub group: Group,
    /// Its home's name.
    pub home: String,
    /// Who asks, as a member; `None` while they are joining for the first time.
    pub me: Option<Member>,
    /// They are not in, and want to be; `true` if the home has said that they wait to be admitted.
    pub joins: Option<bool>,
    /// The last sequence that is theirs to read.
    pub head: u64,
    /// The first.
    pub first: u64,
    /// Of the last record, milliseconds.
    pub time_ms: u64,
    /// Their marks.
    pub marks: delivery::Marks,
}

impl Overview {
    /// How they stand, as a word of the client protocol.
    pub fn standing(&self) -> &'static str {
        use super::Standing;
        match self.joins {
            Some(true) => return "asked",
            Some(false) => return "joining",
            None => {}
        }
        let Some(me) = &self.me else { return "joining" };
        match me.standing {
            Standing::In if self.group.destroyed => "destroyed",
            Standing::In if self.group.leaving.contains(&me.person) => "leaving",
            Standing::In if self.group.equivocated => "suspect",
            Standing::In if self.group.renewed_as != 0 => "renewed",
            Standing::In => "member",
            Standing::Asked => "asked",
            Standing::Refused => "refused",
            Standing::Left => "left",
            Standing::Removed => "removed",
            Standing::Banned => "banned",
        }
    }
}

/// The group as `account` sees it.
///
/// # Errors
/// `no-such-conversation` for who has nothing to do with it.
pub fn overview(read: &impl Consistent, account: u64, conversation: u64) -> Result<Overview, startalk_protocol::Error> {
    let (group, me) = of_reader(read, conversation, account)?;
    let head = timeline::head(read, conversation);
    let waits = waiting(read, conversation).iter().find(|w| w.joins && w.account == account).map(|w| w.asked);
    let joins = waits.filter(|_| me.as_ref().is_none_or(|m| !m.is_in()));
    let last = me.as_ref().map_or(0, |m| m.last_readable(head.sequence));
    let first = me.as_ref().and_then(|m| m.readable(head.sequence).next()).map_or(0, |r| *r.start());
    let home = directory::domain_of(read, group.home).map(|d| d.to_string()).unwrap_or_default();
    let marks = delivery::group_marks_of(read, conversation, account);
    Ok(Overview { group: (*group).clone(), home, me, joins, head: last, first, time_ms: head.time_ms, marks })
}

/// Sequences of messages in `from..=to` that changed after journal position `after`.
pub fn changed_since(read: &impl Read, conversation: u64, from: u64, to: u64, after: u64) -> Vec<u64> {
    (from / super::CHUNK..=to / super::CHUNK)
        .filter_map(|chunk| read.get::<Changes>(&Key::numbers(super::PREFIX, b'x', &[conversation, chunk])))
        .flat_map(|c| {
            let changed = |(s, c): &(u64, Change)| ((from..=to).contains(s) && c.position > after).then_some(*s);
            c.list.iter().filter_map(changed).collect::<Vec<_>>()
        })
        .collect()
}

/// Sequences of what is pinned, as far as `me` may read it.
pub fn pins(group: &Group, me: &Member) -> Vec<u64> {
    group.pins.iter().copied().filter(|s| me.may_read(*s)).collect()
}

/// Who has read this message, of how many; `None` in groups where nobody is told. Members of other domains count as far
/// as their own domains have told us.
pub fn readers(read: &impl Read, conversation: u64, sequence: u64) -> Option<(Vec<u64>, u64)> {
    let group = group(read, conversation).filter(|g| g.members <= limits::GROUP_READERS_MAX)?;
    let (members, _) = members_from(read, conversation, 0, usize::MAX, |m| m.is_in() && m.may_read(sequence));
    let has_read = |m: &Member| delivery::group_marks_of(read, conversation, m.person).read >= sequence;
    let persons = members.iter().filter(|m| has_read(m)).map(|m| m.person).collect();
    Some((persons, group.members))
}

/// Positions of everything that a message ever said.
pub(super) fn bodies(tx: &Tx, ctx: &Ctx, conversation: u64, sequence: u64) -> Vec<u64> {
    let Some(record) = record_of(tx, ctx, conversation, sequence) else { return Vec::new() };
    let Event::GroupRecorded(f, _) = &record.event else { return Vec::new() };
    let mut all = vec![body_at(&record, f)];
    if let Some(change) = change_of(tx, conversation, sequence) {
        all.extend(change.edits_at);
        all.extend(change.reactions_at);
    }
    all
}

/// Positions of the bodies of reactions to a message; `None` if nobody ever chose one.
pub(crate) fn reactions_at(read: &impl Read, conversation: u64, sequence: u64) -> Option<Vec<u64>> {
    let change = change_of(read, conversation, sequence)?;
    (!change.reactions.is_empty() || !change.reactions_at.is_empty()).then_some(change.reactions_at)
}

/// The entry at this record as people see it; `None` if it only changes others.
///
/// `reader`: what they may see of it; `None`: all, for who is in now.
pub fn from_record(store: &Store, journal: &dyn ReadJournal, record: &Recorded, reader: Option<&Member>) -> Option<Message> {
    let Event::GroupRecorded(f, body) = &record.event else { return None };
    let submission = Submission::decode(f.submission.as_ref()).ok()?;
    let conversation = record.conversation;
    let author = match &submission.action {
        Some(Action::Create(_) | Action::Join(_)) => f.person,
        // A number that was nobody's when the home recorded this may have been given to somebody of another domain since.
        _ => member(store, conversation, submission.author).filter(|m| m.peer == f.origin).map_or(0, |m| m.person),
    };
    let (device, counter) = if f.origin == directory::HERE { (f.device, f.counter) } else { (0, 0) };
    let mut message = Message {
        sequence: record.sequence,
        author,
        author_id: directory::user_id(store, author),
        time_ms: home_time(record, f).unsigned_abs(),
        device,
        counter,
        ..Message::default()
    };
    let written = || match f.submitted_at {
        0 => body.as_ref().map(|b| b.value.0.clone()),
        at => written_at(journal, at),
    };
    match &submission.action {
        Some(Action::Message(m)) => {
            message.id = MessageId::from_slice(&m.id).ok()?;
            message.reply_sequence = m.reply_to;
            let gone = |position: u64| retention::is_gone(store, retention::Kind::Group, position);
            (message.content, message.expired) = if gone(record.position) { (None, true) } else { (written(), false) };
            let change = change_of(store, conversation, record.sequence).unwrap_or_default();
            // What the message became while the reader was away is no more theirs than what else was said then.
            let seen = |sequence: u64| reader.is_none_or(|m| m.may_read(sequence));
            if let Some((_, position, time_ms)) = change.edits.iter().rev().find(|e| seen(e.0)) {
                message.expired = gone(*position);
                message.content = if message.expired { None } else { edited(journal, *position) };
                message.edited_ms = *time_ms;
            }
            if change.recalled_by != 0 {
                (message.content, message.recalled, message.expired) = (None, true, false);
            }
            if !message.expired {
                message.reactions = change.reactions.iter().map(|r| reaction(store, conversation, r)).collect();
            }
            message.pinned = group(store, conversation).is_some_and(|g| g.pins.contains(&record.sequence));
        }
        Some(Action::Edit(_) | Action::Recall(_) | Action::React(_)) => return None,
        action => message.content = Some(line(store, conversation, f, action.as_ref(), written().unwrap_or_default())),
    }
    Some(message)
}

/// The word with which somebody asked to be admitted; empty if there is none, or none any more.
pub fn word_of(journal: &dyn ReadJournal, member: &Member) -> String {
    let last = member.named_at.last().and_then(|at| Recorded::read(&journal.read(*at).ok()?).ok());
    let written = match last.map(|record| record.event) {
        Some(Event::GroupRecorded(_, body)) => body.map(|b| b.value.0),
        Some(Event::GroupSubmitted(_, body)) => body.map(|b| b.value.written),
        _ => None,
    };
    written.and_then(|w| wire::Person::decode(w.as_ref()).ok()).map(|p| p.word).unwrap_or_default()
}

/// What our submission at this position says.
fn written_at(journal: &dyn ReadJournal, position: u64) -> Option<Bytes> {
    match Recorded::read(&journal.read(position).ok()?).ok()?.event {
        Event::GroupSubmitted(_, body) => body.map(|b| b.value.written),
        _ => None,
    }
}

fn edited(journal: &dyn ReadJournal, position: u64) -> Option<Bytes> {
    match Recorded::read(&journal.read(position).ok()?).ok()?.event {
        Event::GroupRecorded(f, _) if f.submitted_at != 0 => written_at(journal, f.submitted_at),
        Event::GroupRecorded(_, body) => body.map(|b| b.value.0),
        _ => None,
    }
}

fn reaction(read: &impl Read, conversation: u64, (emoji, members): &(String, Vec<u64>)) -> Reaction {
    let persons = members.iter().filter_map(|m| member(read, conversation, *m)).map(|m| m.person);
    let count = members.len() as u64;
    let persons: Vec<u64> = persons.collect();
    let users = persons.iter().take(REACTORS_NAMED_MAX).filter_map(|p| directory::user_id(read, *p)).collect();
    Reaction { emoji: emoji.clone(), count, persons, users }
}

/// What happened, as a line by the system: a code with parameters; words are made where it is shown.
fn line(read: &impl Read, conversation: u64, f: &pb::GroupRecorded, action: Option<&Action>, written: Bytes) -> Bytes {
    let user = |person: u64| directory::user_id(read, person).map(|u: UserId| u.to_string()).unwrap_or_default();
    let of = |number: u64| user(member(read, conversation, number).map_or(0, |m| m.person));
    let text = String::from_utf8_lossy(&written).into_owned();
    let decided = wire::Decided::decode(f.decided.as_ref()).unwrap_or_default();
    let (code, params): (&str, Vec<(&str, String)>) = match action {
        Some(Action::Create(_)) => ("group-created", vec![]),
        Some(Action::Add(_)) if decided.invited => ("group-invited", vec![("who", user(f.person))]),
        Some(Action::Add(_)) => ("group-added", vec![("who", user(f.person))]),
        Some(Action::Join(_)) if decided.asked => ("group-asked", vec![]),
        Some(Action::Join(_)) => ("group-joined", vec![]),
        Some(Action::Admit(a)) if a.refuse => ("group-not-admitted", vec![("who", of(a.member))]),
        Some(Action::Admit(a)) => ("group-admitted", vec![("who", of(a.member))]),
        Some(Action::Leave(_)) => ("group-left", vec![]),
        Some(Action::Remove(r)) => ("group-removed", vec![("who", of(r.member))]),
        Some(Action::Ban(b)) => {
            let domain = || format!("@{}", directory::domain_of(read, f.peer).map(|d| d.to_string()).unwrap_or_default());
            let who = match (b.member, f.person) {
                (0, 0) => domain(),
                (0, person) => user(person),
                (number, _) => of(number),
            };
            (if b.lift { "group-unbanned" } else { "group-banned" }, vec![("who", who)])
        }
        Some(Action::SetRole(r)) => {
            let role = match super::Role::of(r.role) {
                super::Role::Owner => "owner",
                super::Role::Administrator => "administrator",
                super::Role::Member => "member",
            };
            ("group-role", vec![("who", of(r.member)), ("role", role.to_owned())])
        }
        Some(Action::Mute(m)) if m.until_ms == 0 => ("group-unmuted", vec![("who", of(m.member))]),
        Some(Action::Mute(m)) => ("group-muted", vec![("who", of(m.member)), ("until_ms", m.until_ms.to_string())]),
        Some(Action::SetText(t)) => match t.text() {
            wire::Text::Name => ("group-name", vec![("text", text)]),
            wire::Text::Notice => ("group-notice", vec![("text", text)]),
            wire::Text::Description => ("group-description", vec![("text", text)]),
            wire::Text::Avatar => ("group-avatar", vec![]),
        },
        Some(Action::SetRights(_)) => ("group-rights", vec![]),
        Some(Action::MakeLink(_)) => ("group-link-made", vec![]),
        Some(Action::RevokeLink(_)) => ("group-link-revoked", vec![]),
        Some(Action::Destroy(_)) => ("group-destroyed", vec![]),
        Some(Action::Pin(p)) => {
            (if p.remove { "group-unpinned" } else { "group-pinned" }, vec![("sequence", p.target.to_string())])
        }
        Some(Action::NewEpoch(_)) => ("group-restored", vec![]),
        _ => ("group-unknown", vec![]),
    };
    let by_home = by_home(f, action);
    let (code, mut params) = (if by_home { by_domain(code) } else { code }, params);
    if by_home {
        let home = group(read, conversation).and_then(|g| directory::domain_of(read, g.home));
        params.push(("domain", home.map(|d| d.to_string()).unwrap_or_default()));
    }
    let params: BTreeMap<String, String> = params.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
    let system = System { code: code.to_owned(), params };
    Content { fallback: String::new(), kind: Some(Kind::System(system)), ..Content::default() }.encode_to_vec().into()
}

/// Whether the administration of the group's home did it: nobody's act, who is no newcomer.
fn by_home(f: &pb::GroupRecorded, action: Option<&Action>) -> bool {
    let author = Submission::decode(f.submission.as_ref()).map_or(0, |s| s.author);
    let tended =
        matches!(action, Some(Action::Add(_) | Action::Remove(_) | Action::SetRole(_) | Action::SetText(_) | Action::Destroy(_)));
    author == 0 && tended
}

fn by_domain(code: &'static str) -> &'static str {
    match code {
        "group-added" => "group-added-by-domain",
        "group-removed" => "group-removed-by-domain",
        "group-role" => "group-role-by-domain",
        "group-name" => "group-name-by-domain",
        "group-notice" => "group-notice-by-domain",
        "group-destroyed" => "group-destroyed-by-domain",
        other => other,
    }
}

/// Messages of an account that wait for the group's home: sequence 0, oldest first.
pub fn waiting_messages(store: &Store, journal: &dyn ReadJournal, conversation: u64, account: u64) -> Vec<Message> {
    let all = waiting(store, conversation);
    let own = all.iter().filter(|w| w.account == account);
    own.filter_map(|w| waiting_message(store, journal, w.position)).take(limits::PAGE_MESSAGES_MAX).collect()
}

/// The message in our submission at this position; `None` if it is none.
pub fn waiting_message(store: &Store, journal: &dyn ReadJournal, position: u64) -> Option<Message> {
    let record = Recorded::read(&journal.read(position).ok()?).ok()?;
    let Event::GroupSubmitted(f, body) = &record.event else { return None };
    let Some(Action::Message(m)) = Submission::decode(f.submission.as_ref()).ok()?.action else { return None };
    Some(Message {
        id: MessageId::from_slice(&m.id).ok()?,
        author: f.account,
        author_id: directory::user_id(store, f.account),
        time_ms: record.time_ms,
        content: body.as_ref().map(|b| b.value.written.clone()),
        reply_sequence: m.reply_to,
        device: f.device,
        counter: f.counter,
        ..Message::default()
    })
}
