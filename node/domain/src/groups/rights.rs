//! What a member may do: judged by the home when it records, and by the author's own domain before it submits, by the
//! same function. Reads views, decides nothing about other persons than the author and the one concerned.

use startalk_protocol::{
    Code, Error, limits,
    pb::group::{self as wire, submission::Action},
};

use super::{Group, Joining, Member, Role, change_of, member};
use crate::{store::Read, timeline};

/// Whether this member may do this now.
///
/// # Errors
/// Why not.
pub(super) fn may(read: &impl Read, group: &Group, me: &Member, action: &Action, now_ms: i64) -> Result<(), Error> {
    if group.destroyed {
        return Err(Code::GroupOver.into());
    }
    if !me.is_in() {
        return Err(Code::NotMember.into());
    }
    let needs = |allowed: bool| if allowed { Ok(()) } else { Err(Error::from(Code::Forbidden)) };
    match action {
        Action::Message(m) => {
            may_speak(group, me, now_ms)?;
            needs(!m.at_all || group.rights.at_all.includes(me.role))?;
            if m.reply_to == 0 { Ok(()) } else { sees(read, group, me, m.reply_to) }
        }
        Action::Edit(e) => {
            may_speak(group, me, now_ms)?;
            changeable(read, group, me, e.target)
        }
        Action::Recall(r) => changeable(read, group, me, r.target),
        Action::React(r) => {
            may_speak(group, me, now_ms)?;
            changeable(read, group, me, r.target)
        }
        Action::Pin(p) => {
            needs(group.rights.pin.includes(me.role))?;
            changeable(read, group, me, p.target)?;
            if !p.remove && group.pins.len() >= limits::GROUP_PINS_MAX && !group.pins.contains(&p.target) {
                return Err(too_many("pins", limits::GROUP_PINS_MAX as u64));
            }
            Ok(())
        }
        Action::Add(_) | Action::MakeLink(_) => {
            needs(group.rights.add.includes(me.role) && (group.rights.joining != Joining::Closed || me.role > Role::Member))?;
            if matches!(action, Action::MakeLink(_)) && group.links.len() >= limits::GROUP_LINKS_MAX {
                return Err(too_many("links", limits::GROUP_LINKS_MAX as u64));
            }
            Ok(())
        }
        Action::RevokeLink(l) => {
            let link = group.links.iter().find(|known| known.link == l.link).ok_or(Code::GroupLinkInvalid)?;
            needs(link.maker == me.member || me.role > Role::Member)
        }
        Action::Admit(a) => {
            needs(me.role > Role::Member)?;
            let other = member(read, group.conversation, a.member).ok_or_else(no_such_member)?;
            if other.standing == super::Standing::Asked { Ok(()) } else { Err(no_such_member()) }
        }
        Action::Leave(_) => {
            if me.role == Role::Owner && group.members > 1 {
                Err(Code::OwnerStays.into())
            } else {
                Ok(())
            }
        }
        Action::Remove(r) => is_below(read, group, me, r.member),
        Action::Mute(m) => is_below(read, group, me, m.member),
        Action::Ban(b) if b.member != 0 && b.lift => needs(me.role > Role::Member),
        Action::Ban(b) if b.member != 0 => is_below(read, group, me, b.member),
        Action::Ban(_) => {
            needs(me.role > Role::Member)?;
            let many = group.banned.len() + group.banned_peers.len() >= limits::GROUP_BANNED_MAX;
            if many { Err(too_many("banned", limits::GROUP_BANNED_MAX as u64)) } else { Ok(()) }
        }
        Action::SetRole(r) => {
            needs(me.role == Role::Owner && r.member != me.member)?;
            let other = member(read, group.conversation, r.member).filter(Member::is_in);
            other.map(|_| ()).ok_or_else(no_such_member)
        }
        Action::SetText(_) => needs(group.rights.texts.includes(me.role)),
        Action::SetRights(_) => needs(me.role > Role::Member),
        Action::Destroy(_) => needs(me.role == Role::Owner),
        Action::Create(_) | Action::Join(_) | Action::NewEpoch(_) => needs(false),
    }
}

fn may_speak(group: &Group, me: &Member, now_ms: i64) -> Result<(), Error> {
    let muted = !group.rights.post.includes(me.role) || me.muted_until_ms > now_ms;
    if muted { Err(Code::Muted.into()) } else { Ok(()) }
}

/// A record that the member may read.
fn sees(read: &impl Read, group: &Group, me: &Member, sequence: u64) -> Result<(), Error> {
    let there = sequence >= 1 && sequence <= timeline::head(read, group.conversation).sequence;
    if there && me.may_read(sequence) { Ok(()) } else { Err(Code::NoSuchMessage.into()) }
}

/// As [`sees`], and it was not taken back.
fn changeable(read: &impl Read, group: &Group, me: &Member, sequence: u64) -> Result<(), Error> {
    sees(read, group, me, sequence)?;
    let recalled = change_of(read, group.conversation, sequence).is_some_and(|c| c.recalled_by != 0);
    if recalled { Err(Code::Recalled.into()) } else { Ok(()) }
}

/// Somebody who is in, over whom this member has a say.
fn is_below(read: &impl Read, group: &Group, me: &Member, number: u64) -> Result<(), Error> {
    let other = member(read, group.conversation, number).filter(Member::is_in).ok_or_else(no_such_member)?;
    if me.role > Role::Member && other.role < me.role { Ok(()) } else { Err(Code::Forbidden.into()) }
}

pub(super) fn no_such_member() -> Error {
    Error::new(Code::BadValue).with("field", "user").with("expected", "a member of the group")
}

pub(super) fn too_many(what: &str, max: u64) -> Error {
    Error::new(Code::TooMany).with("what", what).with("max", max)
}

/// Whether this message by `author` is another's to take back: by administrators, of those below them.
pub(super) fn may_take_back(me: &Member, author: Option<&Member>) -> bool {
    me.role > Role::Member && author.is_none_or(|a| !a.is_in() || a.role < me.role)
}

/// The form of what is written, by action.
///
/// # Errors
/// What was expected.
pub(super) fn check_written(action: &Action, written: Option<&[u8]>) -> Result<(), Error> {
    use crate::conversations::content;
    let bad = |field: &str, expected: String| Err(Error::new(Code::BadValue).with("field", field).with("expected", expected));
    let text = |max: usize, field: &str| match written.map(std::str::from_utf8) {
        Some(Ok(text)) if text.len() <= max && text.chars().all(|c| c == '\n' || crate::directory::is_harmless(c)) => Ok(()),
        _ => bad(field, format!("at most {max} bytes of plain text")),
    };
    match (action, written) {
        (Action::Message(_) | Action::Edit(_), Some(written)) => content::check_in_group(written).map(drop),
        (Action::React(_), Some([])) => bad("emoji", "one emoji".to_owned()),
        (Action::React(_), Some(_)) => text(limits::REACTION_BYTES_MAX, "emoji"),
        (Action::SetText(t), Some(written)) => match t.text() {
            wire::Text::Name => {
                let name = std::str::from_utf8(written).unwrap_or("\0");
                let long = name.chars().count() > limits::GROUP_NAME_CHARS_MAX || name.trim().is_empty();
                if long { bad("name", format!("1 to {} characters", limits::GROUP_NAME_CHARS_MAX)) } else { text(1024, "name") }
            }
            wire::Text::Notice => text(limits::GROUP_NOTICE_BYTES_MAX, "notice"),
            wire::Text::Description => text(limits::GROUP_DESCRIPTION_BYTES_MAX, "description"),
            wire::Text::Avatar => text(limits::AVATAR_BYTES_MAX, "avatar"),
        },
        (Action::MakeLink(_), Some(hash)) if hash.len() == 32 => Ok(()),
        (Action::Create(_) | Action::Add(_) | Action::Join(_), Some(person)) => check_person(person, true),
        (Action::Ban(b), Some(person)) if b.member == 0 => check_person(person, false),
        (Action::Ban(b), None) if b.member != 0 => Ok(()),
        (
            Action::Recall(_)
            | Action::Pin(_)
            | Action::Admit(_)
            | Action::Leave(_)
            | Action::Remove(_)
            | Action::SetRole(_)
            | Action::Mute(_)
            | Action::SetRights(_)
            | Action::RevokeLink(_)
            | Action::Destroy(_)
            | Action::NewEpoch(_),
            None,
        ) => Ok(()),
        _ => Err(Error::new(Code::Malformed).with("expected", "what this act writes, or nothing")),
    }
}

fn check_person(bytes: &[u8], named: bool) -> Result<(), Error> {
    use prost::Message as _;
    let bad = || Error::new(Code::Malformed).with("expected", "a person");
    let person = wire::Person::decode(bytes).map_err(|_| bad())?;
    person.domain.parse::<startalk_protocol::DomainName>().map_err(|_| bad())?;
    if named || !person.name.is_empty() {
        person.name.parse::<startalk_protocol::AccountName>().map_err(|_| bad())?;
    }
    crate::directory::check_display_name(&person.display_name, "display_name")?;
    let word = person.word.len() <= limits::GROUP_WORD_BYTES_MAX && person.word.chars().all(crate::directory::is_harmless);
    if word { Ok(()) } else { Err(Error::new(Code::BadValue).with("field", "word").with("expected", "a line of plain text")) }
}
