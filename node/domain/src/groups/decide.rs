//! The home's decision about one submission, by its own people or those of another domain: the one place where rights in
//! groups are checked for good.

use prost::Message as _;
use startalk_protocol::{
    AccountName, Code, DomainName, Error, UserId, limits,
    pb::group::{self as wire, Decided, Submission, submission::Action},
    sabotage::{self, Switch},
};

use super::{Group, Joining, Member, Standing, change_of, member, member_of, number_of, read, rights, tend};
use crate::{
    accounts, contacts,
    context::Ctx,
    directory::{self, HERE},
    event::Event,
    store::{Read, Tx},
};

/// What the home decided besides yes.
#[derive(Default)]
pub(super) struct Ruling {
    pub(super) decided: Decided,
    /// Whom it is about, and their domain.
    pub(super) person: u64,
    pub(super) peer: u64,
    /// Their domain is asked to tell them.
    pub(super) invite: Option<AccountName>,
}

/// Judges what somebody of domain `origin` wants to do.
///
/// # Errors
/// Why it is not recorded.
pub(super) fn decide(
    tx: &mut Tx,
    ctx: &mut Ctx,
    group: &Group,
    origin: u64,
    submission: &Submission,
    written: Option<&[u8]>,
    secret: &[u8],
) -> Result<Ruling, Error> {
    let action = submission.action.as_ref().ok_or_else(|| Error::new(Code::Malformed).with("expected", "an act known here"))?;
    rights::check_written(action, written)?;
    let now_ms = i64::try_from(ctx.now_ms).unwrap_or(i64::MAX);
    if submission.not_after_ms != 0 && now_ms > submission.not_after_ms {
        return Err(Error::new(Code::Expired).with("what", "what was submitted"));
    }
    if let Action::Join(_) = action {
        return joins(tx, ctx, group, origin, &person_of(written)?, secret, now_ms);
    }
    if submission.author == 0 && origin == HERE {
        // By the home's administration, which asks for the right to it; nobody else's submission has this author.
        return match action {
            Action::Add(_) => {
                let named = person_of(written)?;
                if named.domain != ctx.domain.as_str() {
                    return Err(Code::Forbidden.into());
                }
                if group.destroyed {
                    return Err(Code::GroupOver.into());
                }
                adds(tx, ctx, group, &Member::default(), &named)
            }
            action => tend::judge(tx, group, action),
        };
    }
    let me = member(tx, group.conversation, submission.author).filter(|m| m.peer == origin).ok_or(Code::NotMember)?;
    if !sabotage::is(Switch::GroupRightsNotChecked) {
        rights::may(tx, group, &me, action, now_ms)?;
    }
    match action {
        Action::Edit(e) if author_of(tx, ctx, group, e.target)? != me.member => Err(Code::Forbidden.into()),
        Action::Recall(r) => {
            let author = author_of(tx, ctx, group, r.target)?;
            let other = member(tx, group.conversation, author);
            if author == me.member || rights::may_take_back(&me, other.as_ref()) {
                Ok(Ruling::default())
            } else {
                Err(Code::Forbidden.into())
            }
        }
        Action::React(r) => reacts(tx, ctx, group, r, written.unwrap_or_default()),
        Action::Pin(p) => author_of(tx, ctx, group, p.target).map(|_| Ruling::default()),
        Action::Add(_) => adds(tx, ctx, group, &me, &person_of(written)?),
        Action::Admit(a) => {
            let other = member(tx, group.conversation, a.member).ok_or_else(rights::no_such_member)?;
            if !a.refuse {
                has_room(group, other.peer)?;
            }
            Ok(Ruling { person: other.person, peer: other.peer, ..Ruling::default() })
        }
        Action::Ban(b) if b.member == 0 => {
            let person = person_of(written)?;
            let domain: DomainName = person.domain.parse().map_err(|_| Code::Internal)?;
            let peer = directory::number_or_meet(tx, ctx, &domain)?;
            let number = match person.name.parse::<AccountName>() {
                Ok(name) => directory::number_or_meet_person(tx, ctx, peer, &name)?,
                Err(_) if peer == HERE => return Err(Error::new(Code::NotAllowedHere).with("what", "banning the group's home")),
                Err(_) => 0,
            };
            if let Some(known) = (number != 0).then(|| member_of(tx, group.conversation, number)).flatten()
                && known.is_in()
            {
                return Err(Error::new(Code::BadValue).with("field", "member").with("expected", "the number of who is in"));
            }
            Ok(Ruling { person: number, peer, ..Ruling::default() })
        }
        _ => Ok(Ruling::default()),
    }
}

fn person_of(written: Option<&[u8]>) -> Result<wire::Person, Error> {
    wire::Person::decode(written.unwrap_or_default()).map_err(|_| Error::new(Code::Malformed).with("expected", "a person"))
}

/// Member number of who wrote the message at this sequence.
pub(super) fn author_of(tx: &Tx, ctx: &Ctx, group: &Group, sequence: u64) -> Result<u64, Error> {
    let record = crate::conversations::record_of(tx, ctx, group.conversation, sequence).ok_or(Code::NoSuchMessage)?;
    let Event::GroupRecorded(f, _) = &record.event else { return Err(Code::NoSuchMessage.into()) };
    let submission = Submission::decode(f.submission.as_ref()).map_err(|_| Code::Internal)?;
    match submission.action {
        Some(Action::Message(_)) => Ok(submission.author),
        _ => Err(Code::NoSuchMessage.into()),
    }
}

fn reacts(tx: &Tx, ctx: &Ctx, group: &Group, react: &wire::React, emoji: &[u8]) -> Result<Ruling, Error> {
    author_of(tx, ctx, group, react.target)?;
    let known = change_of(tx, group.conversation, react.target).map(|c| c.reactions).unwrap_or_default();
    let is_new = !known.iter().any(|k| k.0.as_bytes() == emoji);
    if !react.remove && is_new && known.len() >= limits::REACTION_KINDS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "reactions").with("max", limits::REACTION_KINDS_MAX));
    }
    Ok(Ruling::default())
}

/// Whether one more of this domain fits.
fn has_room(group: &Group, peer: u64) -> Result<(), Error> {
    let too_many = |what: &str, max: u64| Err(Error::new(Code::TooMany).with("what", what).with("max", max));
    let domains = group.peers.iter().filter(|p| p.members > 0 || p.peer == peer).count();
    let is_new = peer != HERE && !group.peers.iter().any(|p| p.peer == peer && p.members > 0);
    if group.members >= limits::GROUP_MEMBERS_MAX || group.last_member >= limits::GROUP_MEMBER_NUMBER_MAX {
        return too_many("members", limits::GROUP_MEMBERS_MAX);
    }
    if is_new && domains >= limits::GROUP_DOMAINS_MAX {
        return too_many("domains", limits::GROUP_DOMAINS_MAX as u64);
    }
    Ok(())
}

fn is_banned(group: &Group, person: u64, peer: u64) -> bool {
    group.banned.binary_search(&person).is_ok() || (peer != HERE && group.banned_peers.binary_search(&peer).is_ok())
}

/// The number that somebody who comes in has in the group.
fn number_for(read: &impl Read, group: &Group, person: u64) -> u64 {
    number_of(read, group.conversation, person).unwrap_or(group.last_member + 1)
}

fn adds(tx: &mut Tx, ctx: &mut Ctx, group: &Group, me: &Member, named: &wire::Person) -> Result<Ruling, Error> {
    let user: UserId = format!("{}@{}", named.name, named.domain).parse().map_err(|_| Code::Internal)?;
    let peer = directory::number_or_meet(tx, ctx, &user.domain)?;
    let person = directory::number_or_meet_person(tx, ctx, peer, &user.name)?;
    if is_banned(group, person, peer) {
        return Err(Error::new(Code::BannedFromGroup).with("user", &user));
    }
    if member_of(tx, group.conversation, person).is_some_and(|m| m.is_in()) {
        return Err(Error::new(Code::AlreadyMember).with("user", &user));
    }
    has_room(group, peer)?;
    if peer != HERE {
        let decided = Decided { invited: true, ..Decided::default() };
        return Ok(Ruling { decided, person, peer, invite: Some(user.name) });
    }
    if !accounts::account(tx, person).is_some_and(|a| a.is_live()) {
        return Err(Error::new(Code::NoSuchUser).with("user", &user));
    }
    if contacts::blocks(tx, person, me.person, me.peer) {
        return Err(Error::new(Code::Blocked).with("user", &user));
    }
    let decided = Decided { member: number_for(tx, group, person), ..Decided::default() };
    Ok(Ruling { decided, person, peer, invite: None })
}

fn joins(
    tx: &mut Tx,
    ctx: &mut Ctx,
    group: &Group,
    origin: u64,
    named: &wire::Person,
    secret: &[u8],
    now_ms: i64,
) -> Result<Ruling, Error> {
    if group.destroyed {
        return Err(Code::GroupOver.into());
    }
    let user: UserId = format!("{}@{}", named.name, named.domain).parse().map_err(|_| Code::Internal)?;
    if directory::number_or_meet(tx, ctx, &user.domain)? != origin {
        return Err(Error::new(Code::WrongDomain).with("domain", &user.domain).with("asked", "the author's domain"));
    }
    let person = directory::number_or_meet_person(tx, ctx, origin, &user.name)?;
    if is_banned(group, person, origin) {
        return Err(Error::new(Code::BannedFromGroup).with("user", &user));
    }
    let known = member_of(tx, group.conversation, person);
    if known.as_ref().is_some_and(|m| m.is_in() || m.standing == Standing::Asked) {
        return Err(Error::new(Code::AlreadyMember).with("user", &user));
    }
    has_room(group, origin)?;
    let mut decided = Decided { member: number_for(tx, group, person), ..Decided::default() };
    if !group.invited.contains(&person) {
        let hash = blake3::hash(secret);
        let valid = |l: &&super::Link| {
            let fresh = (l.uses == 0 || l.used < l.uses) && (l.not_after_ms == 0 || now_ms <= l.not_after_ms);
            fresh && l.secret_hash == hash.as_bytes()
        };
        let link = group.links.iter().find(valid).filter(|_| group.rights.joining != Joining::Closed);
        decided.link = link.ok_or(Code::GroupLinkInvalid)?.link;
        decided.asked = group.rights.joining == Joining::WithApproval;
        if decided.asked && group.asked >= limits::GROUP_ASKED_MAX {
            return Err(Error::new(Code::TooMany).with("what", "people waiting").with("max", limits::GROUP_ASKED_MAX));
        }
    }
    Ok(Ruling { decided, person, peer: origin, invite: None })
}

/// Positions of everything that an entry makes superfluous; to be looked up before it is applied.
pub(super) fn superseded(tx: &Tx, ctx: &Ctx, group: &Group, action: &Action) -> Vec<u64> {
    let mut all = match action {
        Action::Recall(r) => read::bodies(tx, ctx, group.conversation, r.target),
        Action::SetText(t) => vec![group.texts_at[t.text as usize % 4]],
        Action::RevokeLink(l) => group.links.iter().filter(|k| k.link == l.link).map(|k| k.position).collect(),
        _ => Vec::new(),
    };
    // A replica begins with all texts in one record: it goes with the last of them.
    all.retain(|p| *p != 0 && group.texts_at.iter().filter(|t| *t == p).count() <= 1);
    all
}
