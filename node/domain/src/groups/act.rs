//! Everything that people do in groups besides talking: one closed list, and how each becomes a submission.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    Code, DomainName, Error, GroupId, UserId, limits,
    pb::{
        events as pb,
        group::{self as wire, Decided, Submission, submission::Action},
    },
};

use super::{
    Group, Rights, Role, of_reader,
    record::{Submitted, record},
    rights,
    say::{me, same_again},
    submit::{By, Deed, perform},
};
use crate::{
    accounts,
    command::{Actor, Answer},
    context::Ctx,
    conversations::check_actor,
    delivery::{self, Numbered},
    directory::{self, HERE},
    event::{Event, Raw},
    governance::{self, GroupCreation},
    quotas,
    store::{New, Read, Tx},
};

/// One of a group's texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// What it is called.
    Name,
    /// Shown on top.
    Notice,
    /// What it is about.
    Description,
    /// Reference to a picture.
    Avatar,
}

/// Who is banned, or not any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Banned {
    /// A person, in the group or not.
    User(UserId),
    /// Everybody of a domain who is not in.
    Domain(DomainName),
}

/// What somebody does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum GroupAct {
    /// Brings somebody in; of another domain: has them asked.
    Add(UserId),
    Leave,
    Remove(UserId),
    Ban {
        who: Banned,
        lift: bool,
    },
    /// Owner: hands the group over.
    SetRole {
        user: UserId,
        role: Role,
    },
    /// 0: lets them speak again.
    Mute {
        user: UserId,
        until_ms: i64,
    },
    SetText {
        text: Text,
        value: String,
    },
    SetRights(Rights),
    /// `secret_hash`: BLAKE3 of what the link says. `not_after_ms` 0: for ever; `uses` 0: without limit.
    MakeLink {
        secret_hash: [u8; 32],
        uses: u32,
        not_after_ms: i64,
    },
    RevokeLink(u64),
    Destroy,
    Admit {
        user: UserId,
        refuse: bool,
    },
    React {
        sequence: u64,
        emoji: String,
        remove: bool,
    },
    Pin {
        sequence: u64,
        remove: bool,
    },
}

/// Begins a group: its creator owns it, and brings these people in.
pub(crate) fn create(
    tx: &mut Tx,
    ctx: &mut Ctx,
    actor: Actor,
    counter: u64,
    name: String,
    members: &[UserId],
) -> Result<Answer, Error> {
    check_actor(tx, actor)?;
    if let Numbered::Executed(position) = delivery::look_up(tx, actor.device, counter)? {
        return created_again(tx, ctx, position, counter);
    }
    let is_administrator = accounts::account(tx, actor.account).is_some_and(|a| a.role == accounts::Role::Administrator);
    if governance::realm(tx).group_creation == GroupCreation::Administrators && !is_administrator {
        return Err(Code::Forbidden.into());
    }
    quotas::may_own(tx, actor.account)?;
    if members.len() > limits::GROUP_BEGUN_WITH_MAX {
        return Err(rights::too_many("members", limits::GROUP_BEGUN_WITH_MAX as u64));
    }
    let rights = Some(Rights::default().wire());
    let nonce = Bytes::copy_from_slice(&ctx.random::<16>());
    let create = Action::Create(wire::Create { home: ctx.domain.to_string(), nonce, rights });
    let submission = Submission { action: Some(create), ..Submission::default() };
    let bytes = Bytes::from(submission.encode_to_vec());
    let group = GroupId::of_create(&bytes).to_string();
    let conversation = governance::numbers(tx).conversation + 1;
    let facts = pb::GroupBegan { conversation, group, home: HERE };
    tx.emit(New { conversation: 0, event: Event::GroupBegan(facts, None) });
    let creator = directory::user_id(tx, actor.account).ok_or(Code::Internal)?;
    let person = person(tx, &creator, String::new());
    let facts = pb::GroupRecorded {
        submission: bytes,
        decided: Decided { member: 1, ..Decided::default() }.encode_to_vec().into(),
        person: actor.account,
        peer: HERE,
        device: actor.device,
        counter,
        ..pb::GroupRecorded::default()
    };
    let body = ctx.salted(Raw(person));
    let first = tx.emit(New { conversation, event: Event::GroupRecorded(facts, Some(body)) });
    let answer = Answer::Sent {
        conversation,
        sequence: first.sequence,
        id: startalk_protocol::MessageId([0; 16]),
        time_ms: first.time_ms,
    };
    let name = Action::SetText(wire::SetText { text: wire::Text::Name as i32 }).then_written(name);
    let adds = members.iter().filter(|m| **m != creator).map(|user| (Action::Add(wire::Add {}), Some(person_bytes(tx, user))));
    for (action, written) in std::iter::once(name).chain(adds.collect::<Vec<_>>()) {
        let group = (*super::group(tx, conversation).ok_or(Code::Internal)?).clone();
        let submission = Submission { author: 1, action: Some(action), ..Submission::default() };
        let written = written.map(|w| ctx.salted(Raw(w)));
        match record(tx, ctx, &group, Submitted::here(submission, written, 0, 0)) {
            Err(error) if error.code == Code::AlreadyMember => {} // named twice
            recorded => drop(recorded?),
        }
    }
    Ok(answer)
}

trait ThenWritten {
    fn then_written(self, text: String) -> (Action, Option<Bytes>);
}

impl ThenWritten for Action {
    fn then_written(self, text: String) -> (Action, Option<Bytes>) {
        (self, Some(text.into_bytes().into()))
    }
}

fn created_again(tx: &Tx, ctx: &Ctx, position: u64, counter: u64) -> Result<Answer, Error> {
    let record = crate::conversations::record_at(tx, ctx, position).ok_or(Code::Internal)?;
    let is_create = |f: &pb::GroupRecorded| {
        Submission::decode(f.submission.as_ref()).is_ok_and(|s| matches!(s.action, Some(Action::Create(_))))
    };
    match &record.event {
        Event::GroupRecorded(f, _) if is_create(f) => Ok(Answer::Sent {
            conversation: record.conversation,
            sequence: record.sequence,
            id: startalk_protocol::MessageId([0; 16]),
            time_ms: record.time_ms,
        }),
        _ => Err(Error::new(Code::Conflict).with("counter", counter)),
    }
}

/// How a person is named in what is written.
pub(super) fn person(read: &impl Read, user: &UserId, word: String) -> Bytes {
    let number = directory::peer_number(read, &user.domain)
        .or_else(|| (directory::domain_of(read, HERE).as_ref() == Some(&user.domain)).then_some(HERE))
        .and_then(|peer| directory::person_number(read, peer, &user.name));
    let display_name =
        number.and_then(|n| directory::person(read, n)).map(|p| p.profile.display_name.clone()).unwrap_or_default();
    let (name, domain) = (user.name.to_string(), user.domain.to_string());
    wire::Person { name, domain, display_name, word }.encode_to_vec().into()
}

fn person_bytes(read: &impl Read, user: &UserId) -> Bytes {
    person(read, user, String::new())
}

/// One act of somebody here.
pub(crate) fn act(
    tx: &mut Tx,
    ctx: &mut Ctx,
    actor: Actor,
    conversation: u64,
    counter: u64,
    act: GroupAct,
) -> Result<Answer, Error> {
    check_actor(tx, actor)?;
    let group = (*of_reader(tx, conversation, actor.account)?.0).clone();
    let by = By { actor, counter };
    let known = delivery::look_up(tx, actor.device, counter)?;
    let (action, written) = submission_of(tx, &group, act)?;
    if let Numbered::Executed(position) = known {
        return same_again(tx, ctx, position, by, conversation, &action, written.as_deref());
    }
    let me = me(tx, &group, actor)?;
    if let (Action::SetRole(role), true) = (&action, group.is_home())
        && Role::of(role.role) == Role::Owner
        && let Some(next) = super::member(tx, conversation, role.member).filter(|m| m.peer == HERE && m.role != Role::Owner)
    {
        quotas::may_own(tx, next.person)?;
    }
    perform(tx, ctx, &group, Some(&me), by, Deed::new(action, written))
}

fn submission_of(read: &impl Read, group: &Group, act: GroupAct) -> Result<(Action, Option<Bytes>), Error> {
    let number = |user: &UserId| number_of(read, group, user).ok_or_else(rights::no_such_member);
    Ok(match act {
        GroupAct::Add(user) => (Action::Add(wire::Add {}), Some(person_bytes(read, &user))),
        GroupAct::Leave => (Action::Leave(wire::Leave {}), None),
        GroupAct::Remove(user) => (Action::Remove(wire::Remove { member: number(&user)? }), None),
        GroupAct::Ban { who, lift } => ban(read, group, who, lift),
        GroupAct::SetRole { user, role } => {
            (Action::SetRole(wire::SetRole { member: number(&user)?, role: role.number() }), None)
        }
        GroupAct::Mute { user, until_ms } => (Action::Mute(wire::Mute { member: number(&user)?, until_ms }), None),
        GroupAct::SetText { text, value } => {
            let text = match text {
                Text::Name => wire::Text::Name,
                Text::Notice => wire::Text::Notice,
                Text::Description => wire::Text::Description,
                Text::Avatar => wire::Text::Avatar,
            };
            Action::SetText(wire::SetText { text: text as i32 }).then_written(value)
        }
        GroupAct::SetRights(rights) => (Action::SetRights(wire::SetRights { rights: Some(rights.wire()) }), None),
        GroupAct::MakeLink { secret_hash, uses, not_after_ms } => {
            (Action::MakeLink(wire::MakeLink { uses, not_after_ms }), Some(Bytes::copy_from_slice(&secret_hash)))
        }
        GroupAct::RevokeLink(link) => (Action::RevokeLink(wire::RevokeLink { link }), None),
        GroupAct::Destroy => (Action::Destroy(wire::Destroy {}), None),
        GroupAct::Admit { user, refuse } => (Action::Admit(wire::Admit { member: number(&user)?, refuse }), None),
        GroupAct::React { sequence, emoji, remove } => {
            Action::React(wire::React { target: sequence, remove }).then_written(emoji)
        }
        GroupAct::Pin { sequence, remove } => (Action::Pin(wire::Pin { target: sequence, remove }), None),
    })
}

pub(super) fn number_of(read: &impl Read, group: &Group, user: &UserId) -> Option<u64> {
    let here = directory::domain_of(read, HERE);
    let peer = if here.as_ref() == Some(&user.domain) { HERE } else { directory::peer_number(read, &user.domain)? };
    super::number_of(read, group.conversation, directory::person_number(read, peer, &user.name)?)
}

fn ban(read: &impl Read, group: &Group, who: Banned, lift: bool) -> (Action, Option<Bytes>) {
    match who {
        Banned::User(user) => {
            let member = number_of(read, group, &user);
            let known = member.and_then(|m| super::member(read, group.conversation, m));
            let by_number = known.is_some_and(|m| m.is_in() || lift);
            let member = member.filter(|_| by_number).unwrap_or(0);
            let written = (member == 0).then(|| person_bytes(read, &user));
            (Action::Ban(wire::Ban { member, lift }), written)
        }
        Banned::Domain(domain) => {
            let person = wire::Person { domain: domain.to_string(), ..wire::Person::default() };
            (Action::Ban(wire::Ban { member: 0, lift }), Some(person.encode_to_vec().into()))
        }
    }
}
