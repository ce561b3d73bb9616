//! Reading: messages as they are now. Rights are checked here, by whoever asks: a conversation is its members'.

use bytes::Bytes;
use startalk_journal::ReadJournal;
use startalk_protocol::{
    Code, Error, MessageId, UserId, limits,
    sabotage::{self, Switch},
};

use super::{Change, change_of, of_member, send::record_of};
use crate::{
    context::Ctx,
    directory,
    event::{Event, Recorded},
    groups, kept,
    retention::{self, Kind},
    store::{Consistent, Read, Store, Tx},
    timeline,
};

/// One emoji under a message, and who chose it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reaction {
    /// Which.
    pub emoji: String,
    /// How many.
    pub count: u64,
    /// Numbers of those who chose it.
    pub persons: Vec<u64>,
    /// The first of them by name.
    pub users: Vec<UserId>,
}

/// A message as it is now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// Its number in the conversation.
    pub sequence: u64,
    /// Its name across domains.
    pub id: MessageId,
    /// Number of the person who wrote it.
    pub author: u64,
    /// `None` if the author's account was deleted.
    pub author_id: Option<UserId>,
    /// Arrival here, milliseconds since 1970.
    pub time_ms: u64,
    /// The author's, if it differs; else 0.
    pub sent_ms: i64,
    /// `None` when erased.
    pub content: Option<Bytes>,
    /// Empty: none.
    pub reply_to: Bytes,
    /// 0: never edited.
    pub edited_ms: u64,
    /// Taken back.
    pub recalled: bool,
    /// The other domain's error code; empty: none.
    pub refused: String,
    /// The device here that sent it, and its command number; 0 for messages from other domains.
    pub device: u64,
    pub counter: u64,
    /// In a group: the sequence that it answers; 0: none.
    pub reply_sequence: u64,
    /// In a group.
    pub reactions: Vec<Reaction>,
    /// In a group.
    pub pinned: bool,
    /// What it said is kept no longer, by the domain's policy.
    pub expired: bool,
    /// It was opened, and its time is over.
    pub burnt: bool,
    /// It was opened, and burns then, milliseconds since 1970; 0: not opened, or it does not burn.
    pub burn_at_ms: u64,
    /// Whoever reads it has listened to it.
    pub played: bool,
}

/// A stretch of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// In ascending order; edits and recalls are not among them but in them.
    pub messages: Vec<Message>,
    /// The stretch that was looked at.
    pub first: u64,
    /// Its end.
    pub last: u64,
    /// The conversation's last sequence.
    pub head: u64,
}

/// Messages of `from..=to`, as far as the limits of a page allow: beginning at the newest if `newest_first`.
///
/// # Errors
/// `no-such-conversation` for who does not take part; `internal` if the journal cannot be read: a page without a message
/// would say that there is none.
pub fn page(
    store: &Store,
    journal: &dyn ReadJournal,
    person: u64,
    conversation: u64,
    range: std::ops::RangeInclusive<u64>,
    newest_first: bool,
) -> Result<Page, Error> {
    let snapshot = store.snapshot();
    let reader = reader(&snapshot, conversation, person)?;
    let head = reader.last(timeline::head(&snapshot, conversation).sequence);
    let (mut from, mut to) = ((*range.start()).max(1), (*range.end()).min(head));
    let max = limits::PAGE_MESSAGES_MAX as u64;
    if to >= from && to - from >= max {
        if newest_first { from = to - max + 1 } else { to = from + max - 1 }
    }
    let mut sequences: Vec<(u64, u64)> = (from..=to).zip(timeline::positions(&snapshot, conversation, from, to)).collect();
    drop(snapshot); // the journal is read without holding up the writer
    if newest_first {
        sequences.reverse();
    }
    let (mut messages, mut bytes) = (Vec::with_capacity(sequences.len()), 0);
    let played = kept::played_position(store, person, conversation) != 0;
    let mut reached = if newest_first { to } else { from };
    for (sequence, position) in sequences {
        let readable = position != 0 && reader.may_read(sequence);
        if readable
            && let Some(mut message) = as_it_is_now(store, journal, conversation, &read_record(journal, position)?, &reader)?
        {
            bytes += 100 + message.content.as_ref().map_or(0, Bytes::len);
            if bytes > limits::PAGE_BYTES_MAX && !messages.is_empty() {
                break;
            }
            message.played = played && kept::has_played(store, person, conversation, sequence);
            messages.push(message);
        }
        reached = sequence;
    }
    if newest_first {
        messages.reverse();
        from = reached;
    } else {
        to = reached;
    }
    Ok(Page { messages, first: from, last: to, head })
}

/// What somebody may read of a conversation: the one rule, for pages, pushes and searches alike.
pub enum Reader {
    /// All of it.
    Whole,
    /// What was said while this member was in; nothing while they are only joining.
    Member(Option<groups::Member>),
}

impl Reader {
    /// Whether this record is theirs to read.
    pub fn may_read(&self, sequence: u64) -> bool {
        match self {
            Self::Whole => true,
            Self::Member(member) => {
                member.as_ref().is_some_and(|m| m.may_read(sequence) || sabotage::is(Switch::IntervalsNotChecked))
            }
        }
    }

    fn last(&self, head: u64) -> u64 {
        match self {
            Self::Whole => head,
            Self::Member(_) if sabotage::is(Switch::IntervalsNotChecked) => head,
            Self::Member(member) => member.as_ref().map_or(0, |m| m.last_readable(head)),
        }
    }
}

/// What this person may read of the conversation.
///
/// # Errors
/// `no-such-conversation` for who has nothing to do with it.
pub fn reader(read: &impl Consistent, conversation: u64, person: u64) -> Result<Reader, Error> {
    if groups::group(read, conversation).is_some() {
        return Ok(Reader::Member(groups::of_reader(read, conversation, person)?.1));
    }
    of_member(read, conversation, person).map(|_| Reader::Whole)
}

/// Whether there is such a message, and this person may read it.
///
/// # Errors
/// `no-such-conversation`, `no-such-message`.
pub(crate) fn check_readable(read: &impl Consistent, person: u64, conversation: u64, sequence: u64) -> Result<(), Error> {
    let readable = reader(read, conversation, person)?.may_read(sequence);
    let there = readable && timeline::position(read, conversation, sequence).is_some();
    if there { Ok(()) } else { Err(Code::NoSuchMessage.into()) }
}

/// The content of a message that this person may read, for a command; of what was edited, nothing.
///
/// # Errors
/// `no-such-conversation`, `no-such-message`.
pub(crate) fn said_to(tx: &Tx, ctx: &Ctx, person: u64, conversation: u64, sequence: u64) -> Result<Bytes, Error> {
    check_readable(tx, person, conversation, sequence)?;
    let record = record_of(tx, ctx, conversation, sequence).ok_or(Code::NoSuchMessage)?;
    let said = match &record.event {
        Event::MessageAdded(_, Some(body)) => {
            let changed = change_of(tx, conversation, sequence).is_some_and(|c| c.recalled || c.burnt || c.edit != 0);
            let gone = changed || retention::is_gone(tx, Kind::Direct, record.position);
            (!gone).then(|| body.value.0.clone())
        }
        Event::GroupRecorded(..) => groups::said_in(tx, ctx, &record),
        _ => None,
    };
    said.ok_or_else(|| Code::NoSuchMessage.into())
}

/// One message as it is now, to those who are in the conversation now; `None` if the sequence is none of a message.
pub fn single(store: &Store, journal: &dyn ReadJournal, conversation: u64, sequence: u64) -> Option<Message> {
    let position = timeline::position(store, conversation, sequence)?;
    let record = read_record(journal, position).ok()?;
    as_it_is_now(store, journal, conversation, &record, &Reader::Whole).ok().flatten()
}

/// One message as this person may see it.
pub fn single_for(store: &Store, journal: &dyn ReadJournal, person: u64, conversation: u64, sequence: u64) -> Option<Message> {
    let reader = reader(&store.snapshot(), conversation, person).ok().filter(|r| r.may_read(sequence))?;
    let position = timeline::position(store, conversation, sequence)?;
    let record = read_record(journal, position).ok()?;
    let message = as_it_is_now(store, journal, conversation, &record, &reader).ok().flatten()?;
    Some(Message { played: kept::has_played(store, person, conversation, sequence), ..message })
}

/// A message as who is in the conversation now sees it, and where the words that it says now are.
pub struct Latest {
    /// As it is now.
    pub message: Message,
    /// Of the record that says so: its own, or that of its newest edit, which is in the same sequence in a group.
    pub said_at: u64,
    /// Positions of its record and of the bodies with its words; when one is erased, so are its words.
    pub positions: Vec<u64>,
}

/// The message at `sequence` as it is now; `None` if the sequence is none of a message. A record `at_hand` is not read again.
///
/// # Errors
/// `internal` if the journal cannot be read.
pub fn latest(
    store: &Store,
    journal: &dyn ReadJournal,
    conversation: u64,
    sequence: u64,
    at_hand: Option<&Recorded>,
) -> Result<Option<Latest>, Error> {
    let Some(position) = timeline::position(store, conversation, sequence) else { return Ok(None) };
    let read;
    let record = match at_hand.filter(|record| record.position == position) {
        Some(record) => record,
        None => {
            read = read_record(journal, position)?;
            &read
        }
    };
    let Some(message) = as_it_is_now(store, journal, conversation, record, &Reader::Whole)? else { return Ok(None) };
    let (mut said_at, mut positions) = (sequence, vec![position]);
    if let Event::GroupRecorded(f, _) = &record.event {
        if let Some(change) = groups::change_of(store, conversation, sequence) {
            said_at = change.edits.last().map_or(sequence, |e| e.0);
            positions.extend(change.edits.last().map(|e| e.1));
            positions.extend(change.edits_at.last());
        }
        positions.extend((f.submitted_at != 0).then_some(f.submitted_at));
    } else if let Some(change) = change_of(store, conversation, sequence) {
        positions.extend((change.edit != 0).then_some(change.edit));
    }
    positions.dedup();
    Ok(Some(Latest { message, said_at, positions }))
}

fn as_it_is_now(
    store: &Store,
    journal: &dyn ReadJournal,
    conversation: u64,
    record: &Recorded,
    reader: &Reader,
) -> Result<Option<Message>, Error> {
    if let Event::GroupRecorded(..) = record.event {
        let member = if let Reader::Member(member) = reader { member.as_ref() } else { None };
        return Ok(groups::from_record(store, journal, record, member));
    }
    let change = change_of(store, conversation, record.sequence);
    let shown = |c: &&Change| c.edit != 0 && !c.recalled && !c.burnt && !retention::is_gone(store, Kind::Direct, c.edit);
    let edit = change.as_ref().filter(shown).map(|c| read_record(journal, c.edit)).transpose()?;
    let edited = edit.and_then(|record| match record.event {
        Event::MessageEdited(_, body) => body.map(|b| b.value.0),
        _ => None,
    });
    Ok(from_record(store, record, change, edited))
}

fn read_record(journal: &dyn ReadJournal, position: u64) -> Result<Recorded, Error> {
    let record = journal.read(position).map_err(|_| Code::Internal)?;
    Recorded::read(&record).map_err(|_| Code::Internal.into())
}

/// A message's record as people see it.
pub(crate) fn from_record(read: &impl Read, record: &Recorded, change: Option<Change>, edited: Option<Bytes>) -> Option<Message> {
    let Event::MessageAdded(f, body) = &record.event else { return None };
    let change = change.unwrap_or_default();
    let gone = |position: u64| retention::is_gone(read, Kind::Direct, position);
    let written = body.as_ref().map(|b| b.value.0.clone()).filter(|_| !gone(record.position));
    let burnt = change.burnt && !sabotage::is(Switch::BurntShownAgain);
    let content = if change.recalled || burnt { None } else { edited.or(written) };
    let expired = content.is_none() && !change.recalled && !burnt && gone(record.position.max(change.edit));
    Some(Message {
        sequence: record.sequence,
        id: MessageId::from_slice(&f.id).ok()?,
        author: f.author,
        author_id: directory::user_id(read, f.author),
        time_ms: record.time_ms,
        sent_ms: f.sent_ms,
        content,
        expired,
        reply_to: f.reply_to.clone(),
        edited_ms: change.edited_ms,
        recalled: change.recalled,
        refused: change.refused,
        burnt,
        burn_at_ms: change.burn_at_ms,
        device: f.device,
        counter: f.counter,
        ..Message::default()
    })
}
