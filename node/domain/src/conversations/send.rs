//! Saying something: one command, one message.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{Code, Error, MessageId, UserId, limits, pb::events as pb};

use super::{
    Direct, between,
    content::{self, Holds},
    direct, locate, of_member, request,
};
use crate::{
    accounts, availability,
    command::{Actor, Answer, Target},
    contacts::{self, Admission},
    context::Ctx,
    delivery::{self, Numbered},
    directory::{self, HERE},
    event::{Event, Raw, Recorded},
    files, governance, groups, outbox, quotas,
    store::{New, Read, Tx},
    timeline,
};

/// What is to be said.
pub(crate) struct Said {
    pub content: Bytes,
    pub reply_to: Option<MessageId>,
    /// In a group instead; 0: none.
    pub reply_sequence: u64,
    /// The id that the node gave before it went back in time.
    pub known_id: Option<MessageId>,
}

pub(crate) fn send(tx: &mut Tx, ctx: &mut Ctx, actor: Actor, to: &Target, counter: u64, said: Said) -> Result<Answer, Error> {
    check_actor(tx, actor)?;
    if let Target::Conversation(number) = to
        && groups::group(tx, *number).is_some()
    {
        let group = groups::of_reader(tx, *number, actor.account)?.0;
        return groups::send(tx, ctx, actor, &group, counter, said);
    }
    if let Numbered::Executed(position) = delivery::look_up(tx, actor.device, counter)? {
        return same_again(tx, ctx, position, counter, &said.content);
    }
    say(tx, ctx, actor, to, counter, said)
}

/// Says what an account has scheduled, under the entry's number: by no device, so that every device of the account hears of it.
pub(crate) fn send_later(
    tx: &mut Tx,
    ctx: &mut Ctx,
    account: u64,
    to: &Target,
    number: u64,
    said: Said,
) -> Result<Answer, Error> {
    let actor = Actor { account, device: 0 };
    if let Target::Conversation(conversation) = to
        && groups::group(tx, *conversation).is_some()
    {
        let group = groups::of_reader(tx, *conversation, account)?.0;
        return groups::say(tx, ctx, actor, &group, number, said);
    }
    say(tx, ctx, actor, to, number, said)
}

fn say(tx: &mut Tx, ctx: &mut Ctx, actor: Actor, to: &Target, counter: u64, said: Said) -> Result<Answer, Error> {
    let held = content::check(&said.content, content::Kinds::All)?;
    let direct = resolve(tx, ctx, actor.account, to)?;
    may_write(tx, ctx, &direct, actor.account)?;
    if let Some(known) = said.known_id
        && let Some(sequence) = locate(tx, |p| record_at(tx, ctx, p), direct.conversation, actor.account, known)
    {
        let time_ms = known.time_ms();
        return Ok(Answer::Sent { conversation: direct.conversation, sequence, id: known, time_ms });
    }
    if let Some(known) = said.known_id {
        check_known_id(&direct, actor.account, known)?;
    }
    may_shake(&direct, actor.account, &held, ctx.now_ms)?;
    let files = files::to_say(tx, ctx, actor.account, &held.files)?;
    let said_bytes = quotas::counted(tx, ctx, actor.account, 1, &said.content)?;
    let direct = admitted(tx, direct, actor.account, &said.content)?;
    let heard = said.content.clone();
    let id = said.known_id.unwrap_or_else(|| ctx.message_id());
    let body = ctx.salted(Raw(said.content));
    let reply_to = said.reply_to.map_or_else(Bytes::new, |id| Bytes::copy_from_slice(&id.0));
    let out = (direct.peer != HERE).then(|| {
        let item = outbox::message_item(tx, &direct, actor.account, id, &body, &reply_to, ctx.now_ms);
        outbox::next(tx, direct.peer, &item)
    });
    let facts = pb::MessageAdded {
        id: Bytes::copy_from_slice(&id.0),
        author: actor.account,
        device: actor.device,
        counter,
        reply_to,
        sent_ms: 0,
        r#in: None,
        out,
        said_bytes,
        files,
        holds: held.kinds,
    };
    let record = tx.emit(New { conversation: direct.conversation, event: Event::MessageAdded(facts, Some(body)) });
    let answer = Answer::Sent { conversation: direct.conversation, sequence: record.sequence, id, time_ms: record.time_ms };
    if direct.peer != HERE && direct.has_not_spoken(actor.account) {
        outbox::introduce(tx, ctx, actor.account, direct.peer); // after the message: the other side knows the person then
    }
    if direct.peer == HERE {
        availability::answer(tx, ctx, &direct, actor.account, &heard);
    }
    Ok(answer)
}

/// What a first contact that waits makes of a message here: writing to a stranger accepts them; a stranger may write a few
/// texts, or the answer that lets them in.
fn admitted(tx: &mut Tx, direct: Direct, author: u64, content: &[u8]) -> Result<Direct, Error> {
    let accepted = Direct { request: false, refused: false, ..direct.clone() };
    if !direct.request && !direct.refused {
        return Ok(accepted);
    }
    let answers = || contacts::openness(tx, direct.a).is_answer(content);
    if direct.a == author || (direct.request && answers()) {
        request::accept(tx, &direct);
        return Ok(accepted);
    }
    if direct.peer != HERE {
        return Ok(direct);
    }
    if direct.refused {
        let user = directory::user_id(tx, direct.a).map_or_else(|| "?".to_owned(), |u| u.to_string());
        return Err(Error::new(Code::Blocked).with("user", user));
    }
    if direct.request_messages >= request::MESSAGES_MAX {
        let what = "messages before the other person has accepted";
        return Err(Error::new(Code::TooMany).with("what", what).with("max", request::MESSAGES_MAX));
    }
    content::check(content, content::Kinds::TextOnly)?;
    Ok(direct)
}

/// Whether the person may make the other look again already.
pub(super) fn may_shake(direct: &Direct, person: u64, held: &Holds, now_ms: u64) -> Result<(), Error> {
    let last = direct.shaken_ms[usize::from(person != direct.a)];
    let too_soon = held.kinds & content::holds::SHAKE != 0 && last != 0 && now_ms < last + limits::SHAKE_GAP_MS;
    if too_soon { Err(Error::new(Code::SlowDown).with("seconds", limits::SHAKE_GAP_MS / 1000)) } else { Ok(()) }
}

/// Says a text in the name of an account that is not there; false: it may not write there now. The message has no device and
/// no number, so every device of the account hears of it.
pub(crate) fn say_automatically(tx: &mut Tx, ctx: &mut Ctx, direct: &Direct, account: u64, text: &str) -> bool {
    let Some(direct) = super::direct(tx, direct.conversation) else { return false };
    if may_write(tx, ctx, &direct, account).is_err() {
        return false;
    }
    let is_first = direct.has_not_spoken(account);
    let id = ctx.message_id();
    if !direct.takes_id(account, id) {
        return false;
    }
    let body = ctx.salted(Raw(content::automatic(text).encode_to_vec().into()));
    let out = (direct.peer != HERE).then(|| {
        let item = outbox::message_item(tx, &direct, account, id, &body, &Bytes::new(), ctx.now_ms);
        outbox::next(tx, direct.peer, &item)
    });
    let facts = pb::MessageAdded { id: Bytes::copy_from_slice(&id.0), author: account, out, ..pb::MessageAdded::default() };
    tx.emit(New { conversation: direct.conversation, event: Event::MessageAdded(facts, Some(body)) });
    if direct.peer != HERE && is_first {
        outbox::introduce(tx, ctx, account, direct.peer);
    }
    true
}

/// An id that the client says it was given once: not one more break in the order than can be searched. It may be of the
/// future: given while the clock was ahead, and lost with an older copy of the disk.
fn check_known_id(direct: &Direct, author: u64, id: MessageId) -> Result<(), Error> {
    if !direct.takes_id(author, id) {
        return Err(Error::new(Code::BadValue).with("field", "known_id").with("expected", "an id that this server gave"));
    }
    Ok(())
}

/// Begins (or finds) the conversation without saying anything.
pub(crate) fn open(tx: &mut Tx, ctx: &mut Ctx, actor: Actor, user: &UserId) -> Result<Answer, Error> {
    check_actor(tx, actor)?;
    Ok(Answer::Conversation(resolve(tx, ctx, actor.account, &Target::User(user.clone()))?.conversation))
}

pub(crate) fn check_actor(read: &impl Read, actor: Actor) -> Result<(), Error> {
    if accounts::is_signed_in(read, actor) { Ok(()) } else { Err(Code::TokenRevoked.into()) }
}

fn resolve(tx: &mut Tx, ctx: &mut Ctx, account: u64, to: &Target) -> Result<Direct, Error> {
    let user = match to {
        Target::Conversation(number) => return of_member(tx, *number, account).map(|d| (*d).clone()),
        Target::User(user) => user,
    };
    let peer = directory::number_or_meet(tx, ctx, &user.domain)?;
    let other = directory::number_or_meet_person(tx, ctx, peer, &user.name)?;
    if let Some(number) = between(tx, account, other) {
        return Ok((*direct(tx, number).ok_or(Code::Internal)?).clone());
    }
    if peer == HERE && !accounts::account(tx, other).is_some_and(|a| a.is_live()) {
        return Err(Error::new(Code::NoSuchUser).with("user", user));
    }
    if peer != HERE || other == account {
        return Ok(begin(tx, account, other, peer, false));
    }
    match contacts::openness(tx, other).admits(HERE) {
        Admission::Open => Ok(begin(tx, account, other, HERE, false)),
        Admission::Request => Ok(begin(tx, other, account, HERE, true)),
        Admission::Refused => Err(Error::new(Code::NotAccepting).with("user", user)),
    }
}

/// Opens a conversation between `a`, an account here, and `b`.
pub(super) fn begin(tx: &mut Tx, a: u64, b: u64, peer: u64, request: bool) -> Direct {
    let conversation = governance::numbers(tx).conversation + 1;
    let facts = pb::DirectOpened { conversation, a, b, peer, request };
    let stream = accounts::account(tx, a).map_or(0, |a| a.stream);
    tx.emit(New { conversation: stream, event: Event::DirectOpened(facts, None) });
    Direct { conversation, a, b, peer, request, ..Direct::default() }
}

/// Whether `account` may say something there now.
pub(super) fn may_write(tx: &Tx, ctx: &Ctx, direct: &Direct, account: u64) -> Result<(), Error> {
    let other = direct.other(account);
    let name = || directory::user_id(tx, other).map_or_else(|| "?".to_owned(), |u| u.to_string());
    let person = directory::person(tx, other).ok_or(Code::Internal)?;
    if person.gone {
        return Err(Error::new(Code::NoSuchUser).with("user", name()));
    }
    if direct.peer == HERE {
        if !accounts::account(tx, other).is_some_and(|a| a.is_live()) {
            return Err(Error::new(Code::NoSuchUser).with("user", name()));
        }
        if other != account && contacts::blocks(tx, other, account, HERE) {
            return Err(Error::new(Code::Blocked).with("user", name()));
        }
    } else {
        let domain = directory::domain_of(tx, direct.peer).ok_or(Code::Internal)?;
        directory::number_or_refuse(tx, ctx, &domain)?;
        if directory::is_gone(tx, other) {
            return Err(Error::new(Code::DomainGone).with("domain", domain));
        }
    }
    if contacts::blocks(tx, account, other, direct.peer) {
        return Err(Error::new(Code::NotAllowedHere).with("what", "writing to somebody whom you have blocked"));
    }
    Ok(())
}

/// The command was executed before: the same answer, if it is the same command.
fn same_again(tx: &Tx, ctx: &Ctx, position: u64, counter: u64, content: &Bytes) -> Result<Answer, Error> {
    let conflict = || Error::new(Code::Conflict).with("counter", counter);
    let record = record_at(tx, ctx, position).ok_or(Code::Internal)?;
    let Event::MessageAdded(facts, body) = &record.event else { return Err(conflict()) };
    // An erased body cannot be compared any more; then the number alone decides.
    if body.as_ref().is_some_and(|b| b.value.0 != *content) {
        return Err(conflict());
    }
    let id = MessageId::from_slice(&facts.id).map_err(|_| Code::Internal)?;
    Ok(Answer::Sent { conversation: record.conversation, sequence: record.sequence, id, time_ms: record.time_ms })
}

/// A record of the journal, or of the batch being made.
pub(crate) fn record_at(tx: &Tx, ctx: &Ctx, position: u64) -> Option<Recorded> {
    if let Some(first) = tx.records().first().map(|r| r.position)
        && position >= first
    {
        return tx.records().get(usize::try_from(position - first).ok()?).cloned();
    }
    Recorded::read(&ctx.journal.read(position).ok()?).ok()
}

/// Where the record with this sequence stands, and what it is.
pub(crate) fn record_of(tx: &Tx, ctx: &Ctx, conversation: u64, sequence: u64) -> Option<Recorded> {
    record_at(tx, ctx, timeline::position(tx, conversation, sequence)?)
}
