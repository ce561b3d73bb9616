//! Link items: what each kind of event says to another domain. The same bytes come out when an item is decided on and
//! when it is sent, today and after a restart: everything that goes in is in the record or never changes.
//! federation-spec/05-content.md

use bytes::Bytes;
use prost::Message as _;
use startalk_journal::ReadJournal;
use startalk_protocol::{
    Error, MessageId,
    pb::{
        events as pb,
        link::{self, Item, item::Kind},
    },
};

use super::{farewell_name, next, read_record};
use crate::{
    context::Ctx,
    conversations::{self, Direct},
    directory,
    event::{Event, Raw, Recorded, Salted},
    groups,
    store::{New, Read, Tx},
    timeline,
};

fn name(read: &impl Read, person: u64) -> String {
    directory::person(read, person).map(|p| p.name.clone()).unwrap_or_default()
}

fn item(salt: &[u8], from: String, to: String, time_ms: u64, kind: Kind) -> Bytes {
    let time_ms = i64::try_from(time_ms).unwrap_or(i64::MAX);
    Item { salt: Bytes::copy_from_slice(salt), from, to, time_ms, kind: Some(kind) }.encode_to_vec().into()
}

pub(crate) fn message_item(
    read: &impl Read,
    direct: &Direct,
    author: u64,
    id: MessageId,
    body: &Salted<Raw>,
    reply_to: &Bytes,
    time_ms: u64,
) -> Bytes {
    let message = link::Message { id: Bytes::copy_from_slice(&id.0), content: body.value.0.clone(), reply_to: reply_to.clone() };
    item(&body.salt, name(read, author), name(read, direct.b), time_ms, Kind::Message(message))
}

pub(crate) fn edit_item(
    read: &impl Read,
    direct: &Direct,
    author: u64,
    id: MessageId,
    body: &Salted<Raw>,
    time_ms: u64,
) -> Bytes {
    let edit = link::Edit { id: Bytes::copy_from_slice(&id.0), content: body.value.0.clone() };
    item(&body.salt, name(read, author), name(read, direct.b), time_ms, Kind::Edit(edit))
}

pub(crate) fn recall_item(read: &impl Read, direct: &Direct, author: u64, id: MessageId, time_ms: u64) -> Bytes {
    let recall = link::Recall { id: Bytes::copy_from_slice(&id.0) };
    item(&[], name(read, author), name(read, direct.b), time_ms, Kind::Recall(recall))
}

pub(crate) fn opened_item(read: &impl Read, direct: &Direct, reader: u64, id: MessageId, time_ms: u64) -> Bytes {
    let opened = link::Opened { id: Bytes::copy_from_slice(&id.0) };
    item(&[], name(read, reader), name(read, direct.b), time_ms, Kind::Opened(opened))
}

pub(crate) fn marks_item(read: &impl Read, direct: &Direct, person: u64, delivered: &Bytes, seen: &Bytes, time_ms: u64) -> Bytes {
    let marks = link::Marks { delivered: delivered.clone(), read: seen.clone() };
    item(&[], name(read, person), name(read, direct.b), time_ms, Kind::Marks(marks))
}

pub(crate) fn profile_item(
    read: &impl Read,
    person: u64,
    revision: u64,
    body: &Salted<pb::ProfileSetBody>,
    time_ms: u64,
) -> Bytes {
    let pb::ProfileSetBody { display_name, avatar, signature } = body.value.clone();
    let profile = link::Profile { revision, display_name, avatar, signature };
    item(&body.salt, name(read, person), String::new(), time_ms, Kind::Profile(profile))
}

pub(crate) fn account_gone_item(name: &str, time_ms: u64) -> Bytes {
    item(&[], name.to_owned(), String::new(), time_ms, Kind::AccountGone(link::AccountGone {}))
}

pub(crate) fn group_submission_item(
    from: String,
    group: &str,
    submission: &Bytes,
    body: Option<&Salted<pb::GroupSubmittedBody>>,
    time_ms: u64,
) -> Bytes {
    let salt = body.map(|b| b.salt.as_slice()).unwrap_or_default();
    let (group, submission) = (group.to_owned(), submission.clone());
    let written = body.filter(|b| !b.value.written.is_empty());
    let written = written.map(|b| [&b.salt[..], &b.value.written[..]].concat()).unwrap_or_default().into();
    let secret = body.map(|b| b.value.secret.clone()).unwrap_or_default();
    let submission = link::GroupSubmission { group, submission, written, secret };
    item(salt, from, String::new(), time_ms, Kind::GroupSubmission(submission))
}

/// What a group submission is known by; `None` of anything else.
pub(super) fn submission_hash(read: &impl Read, record: &Recorded) -> Option<[u8; 32]> {
    let Event::GroupSubmitted(f, body) = &record.event else { return None };
    let group = groups::group(read, f.conversation)?.id.parse().ok()?;
    let written = body.as_ref().filter(|b| !b.value.written.is_empty());
    let written = written.map(|b| [&b.salt[..], &b.value.written[..]].concat()).unwrap_or_default();
    Some(startalk_protocol::group::submission_hash(&group, &f.submission, &startalk_protocol::group::body_hash(&written)))
}

pub(crate) fn group_invite_item(group: &str, body: &Salted<pb::GroupInviteSentBody>, time_ms: u64) -> Bytes {
    let pb::GroupInviteSentBody { to, name, inviter } = body.value.clone();
    let invite = link::GroupInvite { group: group.to_owned(), name, inviter };
    item(&body.salt, group.to_owned(), to, time_ms, Kind::GroupInvite(invite))
}

/// After the first message to somebody of another domain: what the author shows of themselves. The record has a copy of
/// it, with a salt of its own, which is erased when the profile changes or goes.
pub(crate) fn introduce(tx: &mut Tx, ctx: &mut Ctx, author: u64, peer: u64) {
    let Some(person) = directory::person(tx, author) else { return };
    let profile = &person.profile;
    if profile.display_name.is_empty() && profile.position == 0 {
        return; // nothing to show
    }
    let revision = profile.revision;
    let body = ctx.salted(pb::ProfileSetBody {
        display_name: profile.display_name.clone(),
        avatar: profile.avatar.clone(),
        signature: profile.signature.clone(),
    });
    let item = profile_item(tx, author, revision, &body, ctx.now_ms);
    let out = Some(next(tx, peer, &item));
    let facts = pb::ProfileSent { person: author, out, revision };
    tx.emit(New { conversation: 0, event: Event::ProfileSent(facts, Some(body)) });
}

/// The item that a record is for a peer; `None` if it cannot be made any more, because something of it was erased.
///
/// # Errors
/// `internal` if the journal cannot be read now: that is no reason to withhold the item for ever.
pub(super) fn encode(read: &impl Read, journal: &dyn ReadJournal, record: &Recorded, peer: u64) -> Result<Option<Bytes>, Error> {
    let target = match &record.event {
        Event::MessageEdited(f, _) => id_of(read, journal, record.conversation, f.target)?,
        Event::MessageRecalled(f, _) => id_of(read, journal, record.conversation, f.target)?,
        Event::MessageOpened(f, _) => id_of(read, journal, record.conversation, f.target)?,
        _ => None,
    };
    let from = match &record.event {
        Event::GroupSubmitted(f, _) if directory::person(read, f.account).is_none_or(|p| p.name.is_empty()) => {
            farewell_name(read, journal, f.account)?
        }
        Event::GroupSubmitted(f, _) => name(read, f.account),
        _ => String::new(),
    };
    Ok(made(read, record, peer, target, from))
}

/// The id of the message with this sequence, if it is one.
fn id_of(read: &impl Read, journal: &dyn ReadJournal, conversation: u64, sequence: u64) -> Result<Option<MessageId>, Error> {
    let Some(position) = timeline::position(read, conversation, sequence) else { return Ok(None) };
    Ok(match read_record(journal, position)?.event {
        Event::MessageAdded(f, _) => MessageId::from_slice(&f.id).ok(),
        _ => None,
    })
}

/// `target`: the id of the message that is changed; `from`: who submits to a group.
fn made(read: &impl Read, record: &Recorded, peer: u64, target: Option<MessageId>, from: String) -> Option<Bytes> {
    let direct = || conversations::direct(read, record.conversation).filter(|d| d.peer == peer);
    let time_ms = record.time_ms;
    match &record.event {
        Event::MessageAdded(f, Some(body)) => {
            let id = MessageId::from_slice(&f.id).ok()?;
            Some(message_item(read, &*direct()?, f.author, id, body, &f.reply_to, time_ms))
        }
        Event::MessageEdited(f, Some(body)) => Some(edit_item(read, &*direct()?, f.author, target?, body, time_ms)),
        Event::MessageRecalled(f, _) => Some(recall_item(read, &*direct()?, f.author, target?, time_ms)),
        Event::MessageOpened(f, _) => Some(opened_item(read, &*direct()?, f.reader, target?, time_ms)),
        Event::MarksSent(f, _) => Some(marks_item(read, &*direct()?, f.mark?.person, &f.delivered, &f.read, time_ms)),
        Event::ProfileSet(f, Some(body)) => Some(profile_item(read, f.person, f.revision, body, time_ms)),
        Event::AccountDeleted(_, Some(body)) => Some(account_gone_item(&body.value.name, time_ms)),
        Event::GroupSubmitted(f, body) => {
            let group = groups::group(read, f.conversation)?;
            Some(group_submission_item(from, &group.id, &f.submission, body.as_ref(), time_ms))
        }
        Event::GroupInviteSent(f, Some(body)) => Some(group_invite_item(&groups::group(read, f.conversation)?.id, body, time_ms)),
        Event::ProfileSent(f, Some(body)) => Some(profile_item(read, f.person, f.revision, body, time_ms)),
        _ => None,
    }
}
