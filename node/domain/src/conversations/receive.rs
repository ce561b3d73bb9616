//! What other domains send: one item, one effect, exactly once. The same rules as for local clients, and on top:
//! a domain speaks for its own people only, first contact waits for a decision, and strangers learn nothing.
//!
//! Whether the person exists, refuses strangers or is unknown is answered alike: the item is recorded and closed.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    AccountName, Code, Error, MessageId, limits,
    pb::{
        events as pb,
        link::{self, item::Kind},
    },
    sabotage::{self, Switch},
};

use super::{
    Direct, between, burn, change, change_of, content, direct, locate, request,
    send::{self, begin, record_at, record_of},
};
use crate::{
    accounts, availability,
    command::{Answer, LinkItem},
    contacts::{self, Admission},
    context::Ctx,
    directory, erasure,
    event::{Event, Raw},
    files, groups, outbox,
    store::{New, Tx},
    timeline,
};

/// What becomes of an item that has no effect.
pub(super) enum Closed {
    /// Nothing is told.
    Silently,
    /// The sender is told.
    Refused(Error),
    /// Its place on the link stands in a record of its own kind; the sender may be told.
    Recorded(Option<Error>),
    /// It has no effect of its own, but somebody new may have been met on the way; the sender may be told.
    AfterAll(Option<Error>),
}

impl From<groups::Came> for Closed {
    fn from(came: groups::Came) -> Self {
        match came {
            groups::Came::Recorded(refused) => Self::Recorded(refused),
            groups::Came::Over(refused) => Self::AfterAll(refused),
        }
    }
}

impl From<Error> for Closed {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Code> for Closed {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

/// Takes the next item of a peer. Its cursor is in the record of its effect, so that it happens exactly once.
pub(crate) fn receive(tx: &mut Tx, ctx: &mut Ctx, peer: u64, epoch: [u8; 16], item: &LinkItem) -> Result<Answer, Error> {
    let cursor = outbox::inbox(tx, peer);
    if cursor.epoch != epoch || item.sequence > cursor.sequence + 1 {
        return Err(Error::new(Code::OutOfOrder).with("got", item.sequence).with("expected", cursor.sequence + 1));
    }
    if item.sequence <= cursor.sequence && !sabotage::is(Switch::ItemsTwice) {
        return Ok(Answer::Item { refused: None }); // had already
    }
    let link_in = pb::LinkIn {
        peer,
        epoch: Bytes::copy_from_slice(&epoch),
        sequence: item.sequence,
        running: Bytes::copy_from_slice(&item.running),
    };
    let before = tx.next_position();
    let closed = match effect(tx, ctx, peer, item, &link_in) {
        Ok(()) => return Ok(Answer::Item { refused: None }),
        Err(closed) => closed,
    };
    let recorded = matches!(closed, Closed::Recorded(_) | Closed::AfterAll(_));
    assert!(recorded || before == tx.next_position(), "an item without effect writes nothing but its end");
    let (code, refused) = match closed {
        Closed::Recorded(refused) => return Ok(Answer::Item { refused }),
        Closed::Silently | Closed::AfterAll(None) => (String::new(), None),
        Closed::Refused(error) | Closed::AfterAll(Some(error)) => (error.code.as_str().to_owned(), Some(error)),
    };
    let event = Event::LinkItemClosed(pb::LinkItemClosed { r#in: Some(link_in), code }, None);
    tx.emit(New { conversation: 0, event });
    Ok(Answer::Item { refused })
}

fn effect(tx: &mut Tx, ctx: &mut Ctx, peer: u64, item: &LinkItem, link_in: &pb::LinkIn) -> Result<(), Closed> {
    let Some(bytes) = &item.item else { return Err(Closed::Silently) };
    if sabotage::is(Switch::ItemsForgotten) && item.sequence.is_multiple_of(16) {
        return Err(Closed::Silently);
    }
    let proof = item.proof.as_deref();
    let item = link::Item::decode(bytes.clone()).map_err(|_| Error::new(Code::Malformed).with("expected", "a link item"))?;
    let from = account(&item.from).ok_or_else(|| Error::new(Code::BadName).with("name", &item.from))?;
    let origin = Origin { peer, from, to: item.to, time_ms: item.time_ms, link_in };
    match item.kind {
        Some(Kind::Message(m)) => message(tx, ctx, &origin, m),
        Some(Kind::Edit(e)) => edit(tx, ctx, &origin, &e),
        Some(Kind::Recall(r)) => recall(tx, ctx, &origin, &r),
        Some(Kind::Marks(m)) => marks(tx, ctx, &origin, &m),
        Some(Kind::Profile(p)) => profile(tx, ctx, &origin, p),
        Some(Kind::AccountGone(_)) => gone(tx, &origin),
        Some(Kind::Opened(o)) => burn::opened_elsewhere(tx, ctx, &origin, &o),
        Some(Kind::GroupSubmission(s)) => Err(groups::submission(tx, ctx, peer, &origin.from, link_in, s, proof).into()),
        Some(Kind::GroupInvite(i)) => Err(groups::invite(tx, ctx, peer, &origin.from, &origin.to, link_in, &i).into()),
        None => Err(Error::new(Code::Malformed).with("expected", "a kind of item known here").into()),
    }
}

pub(super) struct Origin<'a> {
    peer: u64,
    from: AccountName,
    to: String,
    pub(super) time_ms: i64,
    pub(super) link_in: &'a pb::LinkIn,
}

fn message(tx: &mut Tx, ctx: &mut Ctx, origin: &Origin, message: link::Message) -> Result<(), Closed> {
    let id = message_id(&message.id)?;
    let to = account(&origin.to);
    let account = to.as_ref().and_then(|to| accounts::by_name(tx, to)).filter(|a| a.is_live()).map(|a| a.account);
    let known = directory::person_number(tx, origin.peer, &origin.from);
    let existing = account.zip(known).and_then(|(a, from)| between(tx, a, from)).and_then(|c| direct(tx, c));
    let accepted = existing.as_ref().is_some_and(|d| !d.request && !d.refused);
    // Judged before anything depends on whether the person exists: a stranger is answered alike.
    let kinds = if accepted { content::Kinds::All } else { content::Kinds::TextOnly };
    let held = content::check(&message.content, kinds)?;
    if !message.reply_to.is_empty() {
        message_id(&message.reply_to)?;
    }
    // The time in the id is not judged: a clock that is wrong, the author's or ours, must not cost anybody a message.
    let account = account.ok_or(Closed::Silently)?;
    let blocked = contacts::blocks(tx, account, known.unwrap_or(0), origin.peer);
    if blocked && accepted {
        return Err(Error::new(Code::Blocked).with("user", format!("{}@{}", origin.to, ctx.domain)).into());
    }
    let waits = existing.as_ref().is_some_and(|d| d.request_messages >= request::MESSAGES_MAX || d.refused);
    let full = existing.is_none() && contacts::open_requests(tx, account, origin.peer) >= limits::REQUESTS_PER_DOMAIN_MAX as u64;
    let openness = contacts::openness(tx, account);
    let answers = openness.is_answer(&message.content);
    let admission = openness.admits(origin.peer);
    let turned_away = existing.is_none() && admission == Admission::Refused;
    if blocked || (waits && !accepted) || full || turned_away {
        return Err(Closed::Silently);
    }
    let searchable = |from| existing.as_ref().is_none_or(|d: &std::sync::Arc<Direct>| d.takes_id(from, id));
    if !known.is_none_or(searchable) {
        return Err(Error::new(Code::BadValue).with("field", "id").with("expected", "an id in its order").into());
    }
    if let (Some(existing), Some(from)) = (&existing, known)
        && locate(tx, |p| record_at(tx, ctx, p), existing.conversation, from, id).is_some()
        && !sabotage::is(Switch::ItemsTwice)
    {
        return Err(Closed::Silently); // sent again after the other side went back: had already
    }
    if let (Some(existing), Some(from)) = (&existing, known) {
        send::may_shake(existing, from, &held, ctx.now_ms)?;
    }
    let from = directory::number_or_meet_person(tx, ctx, origin.peer, &origin.from)?;
    let direct = match existing {
        Some(direct) => (*direct).clone(),
        None => begin(tx, account, from, origin.peer, admission == Admission::Request && !answers),
    };
    if direct.request && answers {
        request::accept(tx, &direct);
    }
    let now = i64::try_from(ctx.now_ms).unwrap_or(i64::MAX);
    let sent_ms = origin.time_ms.clamp(1, now);
    let facts = pb::MessageAdded {
        id: message.id,
        author: from,
        device: 0,
        counter: 0,
        reply_to: message.reply_to,
        sent_ms: if sent_ms == now { 0 } else { sent_ms },
        r#in: Some(origin.link_in.clone()),
        files: files::met(tx, ctx, origin.peer, &held.files),
        holds: held.kinds,
        ..pb::MessageAdded::default()
    };
    let heard = message.content.clone();
    let body = ctx.salted(Raw(message.content));
    tx.emit(New { conversation: direct.conversation, event: Event::MessageAdded(facts, Some(body)) });
    if let Some(direct) = super::direct(tx, direct.conversation) {
        availability::answer(tx, ctx, &direct, from, &heard);
    }
    Ok(())
}

/// A message by the sender in the conversation with the one addressed: (conversation, sequence, position).
fn theirs(tx: &Tx, ctx: &Ctx, origin: &Origin, id: &Bytes) -> Result<(Direct, u64, u64), Closed> {
    let id = message_id(id)?;
    let (direct, author) = conversation(tx, origin)?;
    let sequence = locate(tx, |p| record_at(tx, ctx, p), direct.conversation, author, id).ok_or(Closed::Silently)?;
    let record = record_of(tx, ctx, direct.conversation, sequence).ok_or(Code::Internal)?;
    if !change::is_message_by(&record, author)
        || change_of(tx, direct.conversation, sequence).is_some_and(|c| c.recalled || c.burnt)
    {
        return Err(Closed::Silently);
    }
    Ok((direct, sequence, record.position))
}

/// The conversation between the sender and the one addressed, and the sender's number.
pub(super) fn conversation(tx: &Tx, origin: &Origin) -> Result<(Direct, u64), Closed> {
    let to = account(&origin.to).ok_or(Closed::Silently)?;
    let account = directory::person_number(tx, directory::HERE, &to).ok_or(Closed::Silently)?;
    let from = directory::person_number(tx, origin.peer, &origin.from).ok_or(Closed::Silently)?;
    let number = between(tx, account, from).ok_or(Closed::Silently)?;
    Ok(((*direct(tx, number).ok_or(Code::Internal)?).clone(), from))
}

fn edit(tx: &mut Tx, ctx: &mut Ctx, origin: &Origin, edit: &link::Edit) -> Result<(), Closed> {
    let (direct, target, position) = theirs(tx, ctx, origin, &edit.id)?;
    if contacts::blocks(tx, direct.a, direct.b, direct.peer) {
        return Err(Closed::Silently);
    }
    let kinds = if direct.request { content::Kinds::TextOnly } else { content::Kinds::All };
    content::check(&edit.content, kinds)?;
    burn::check_same(&record_at(tx, ctx, position).ok_or(Code::Internal)?, &edit.content)?;
    let body = ctx.salted(Raw(edit.content.clone()));
    let facts =
        pb::MessageEdited { target, author: direct.b, r#in: Some(origin.link_in.clone()), ..pb::MessageEdited::default() };
    tx.emit(New { conversation: direct.conversation, event: Event::MessageEdited(facts, Some(body)) });
    Ok(())
}

fn recall(tx: &mut Tx, ctx: &mut Ctx, origin: &Origin, recall: &link::Recall) -> Result<(), Closed> {
    let (direct, target, position) = theirs(tx, ctx, origin, &recall.id)?;
    let facts =
        pb::MessageRecalled { target, author: direct.b, device: 0, counter: 0, r#in: Some(origin.link_in.clone()), out: None };
    tx.emit(New { conversation: direct.conversation, event: Event::MessageRecalled(facts, None) });
    erasure::erase(tx, change::bodies(tx, direct.conversation, target, position), "recalled");
    Ok(())
}

/// How far the sender has got with the messages of the one addressed.
fn marks(tx: &mut Tx, ctx: &mut Ctx, origin: &Origin, marks: &link::Marks) -> Result<(), Closed> {
    // Their form is judged before it matters whether there is a conversation.
    let id = |bytes: &Bytes| if bytes.is_empty() { Ok(None) } else { message_id(bytes).map(Some) };
    let (read, delivered) = (id(&marks.read)?, id(&marks.delivered)?);
    let (direct, from) = conversation(tx, origin)?;
    let sequence = |id: Option<MessageId>| {
        id.and_then(|id| locate(tx, |p| record_at(tx, ctx, p), direct.conversation, direct.a, id)).unwrap_or(0)
    };
    let (read, delivered) = (sequence(read), sequence(delivered));
    let mark = pb::Mark { conversation: direct.conversation, person: from, delivered: delivered.max(read), read, group: false };
    let now = crate::delivery::marks_of(tx, direct.conversation, from);
    if mark.delivered <= now.delivered && mark.read <= now.read {
        return Err(Closed::Silently);
    }
    assert!(mark.delivered <= timeline::head(tx, direct.conversation).sequence, "a located message is in the conversation");
    let facts = pb::MarksMoved { marks: vec![mark], r#in: Some(origin.link_in.clone()) };
    tx.emit(New { conversation: direct.conversation, event: Event::MarksMoved(facts, None) });
    Ok(())
}

fn profile(tx: &mut Tx, ctx: &mut Ctx, origin: &Origin, profile: link::Profile) -> Result<(), Closed> {
    let person = directory::person_number(tx, origin.peer, &origin.from).ok_or(Closed::Silently)?;
    directory::check_profile(&profile.display_name, &profile.avatar, &profile.signature)?;
    let old = directory::person(tx, person).map(|p| p.profile.clone()).unwrap_or_default();
    if old.position != 0 && profile.revision <= old.revision {
        return Err(Closed::Silently);
    }
    let link::Profile { revision, display_name, avatar, signature } = profile;
    let body = ctx.salted(pb::ProfileSetBody { display_name, avatar, signature });
    let facts = pb::ProfileSet { person, revision, replaces: old.position, r#in: Some(origin.link_in.clone()), out: Vec::new() };
    tx.emit(New { conversation: 0, event: Event::ProfileSet(facts, Some(body)) });
    if old.position != 0 {
        erasure::erase(tx, vec![old.position], "superseded");
    }
    Ok(())
}

fn gone(tx: &mut Tx, origin: &Origin) -> Result<(), Closed> {
    let person = directory::person_number(tx, origin.peer, &origin.from).ok_or(Closed::Silently)?;
    let known = directory::person(tx, person).ok_or(Code::Internal)?;
    let mut bodies = vec![known.met_at, known.profile.position];
    bodies.retain(|p| *p != 0);
    for conversation in contacts::conversations(tx, person) {
        bodies.extend(groups::member_of(tx, conversation, person).map(|m| m.named_at).unwrap_or_default());
    }
    let facts = pb::PersonGone { person, r#in: Some(origin.link_in.clone()) };
    tx.emit(New { conversation: 0, event: Event::PersonGone(facts, None) });
    erasure::erase(tx, bodies, "account gone");
    Ok(())
}

/// What travels is in its one form already; what would have to be brought to it is no name.
fn account(text: &str) -> Option<AccountName> {
    text.parse().ok().filter(|name: &AccountName| name.as_str() == text)
}

pub(super) fn message_id(bytes: &Bytes) -> Result<MessageId, Closed> {
    Ok(MessageId::from_slice(bytes).map_err(|_| Error::new(Code::Malformed).with("expected", "a message id of 16 bytes"))?)
}
