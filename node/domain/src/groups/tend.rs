//! What the administration of a domain does to a group that the domain keeps: hands it over, removes or adds people of its
//! own, names it, ends it. Entries of the home itself (author 0), so that everybody in the group sees whose act it was.
//!
//! Owns the closed list. It says nothing, reads nothing that was said, and touches nobody of another domain.

use bytes::Bytes;
use startalk_protocol::{
    Code, Error, UserId,
    pb::group::{self as wire, Submission, submission::Action},
};

use super::{
    Group, Member, Role, Standing,
    act::number_of,
    decide::Ruling,
    group, member,
    record::{Submitted, record},
    rights,
};
use crate::{
    command::Answer,
    context::Ctx,
    directory::HERE,
    event::Raw,
    store::{Read, Tx},
};

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupTended {
    /// Another member owns it; who owned it administers it.
    HandedOver(UserId),
    /// Somebody of this domain is in.
    Added(UserId),
    /// Somebody of this domain is out.
    Removed(UserId),
    /// It has this name.
    Named(String),
    /// It is over. The reason is its last notice.
    Destroyed {
        /// For everybody in it.
        reason: String,
    },
}

/// Does it.
///
/// # Errors
/// `no-such-thing`, `group-not-yours` for a group of another domain's, `group-over`, `owner-stays` for who owns it, or why the
/// group does not take somebody.
pub(crate) fn tend(tx: &mut Tx, ctx: &mut Ctx, conversation: u64, tended: GroupTended) -> Result<Answer, Error> {
    let known = group(tx, conversation).filter(|g| g.begun).ok_or(Code::NoSuchThing)?;
    if !known.is_home() {
        return Err(super::not_yours(tx, conversation));
    }
    for (action, written) in entries(tx, &known, tended)? {
        let known = (*group(tx, conversation).ok_or(Code::Internal)?).clone();
        let submission = Submission { action: Some(action), ..Submission::default() };
        let written = written.map(|w| ctx.salted(Raw(w)));
        record(tx, ctx, &known, Submitted::here(submission, written, 0, 0))?;
    }
    Ok(Answer::Done)
}

fn entries(read: &impl Read, group: &Group, tended: GroupTended) -> Result<Vec<(Action, Option<Bytes>)>, Error> {
    let of = |user: &UserId| number_of(read, group, user).ok_or_else(rights::no_such_member);
    let text =
        |text: wire::Text, written: String| (Action::SetText(wire::SetText { text: text as i32 }), Some(Bytes::from(written)));
    Ok(match tended {
        GroupTended::HandedOver(user) => {
            vec![(Action::SetRole(wire::SetRole { member: of(&user)?, role: Role::Owner.number() }), None)]
        }
        GroupTended::Added(user) => {
            vec![(Action::Add(wire::Add {}), Some(super::act::person(read, &user, String::new())))]
        }
        GroupTended::Removed(user) => vec![(Action::Remove(wire::Remove { member: of(&user)? }), None)],
        GroupTended::Named(name) => vec![text(wire::Text::Name, name)],
        GroupTended::Destroyed { reason } if reason.is_empty() => vec![(Action::Destroy(wire::Destroy {}), None)],
        GroupTended::Destroyed { reason } => {
            vec![text(wire::Text::Notice, reason), (Action::Destroy(wire::Destroy {}), None)]
        }
    })
}

/// Judges an entry of the home itself.
///
/// # Errors
/// Why it is not recorded.
pub(super) fn judge(read: &impl Read, group: &Group, action: &Action) -> Result<Ruling, Error> {
    if group.destroyed {
        return Err(Code::GroupOver.into());
    }
    let inside = |number: u64| -> Result<Member, Error> {
        let found = member(read, group.conversation, number).filter(|m| m.standing == Standing::In);
        found.ok_or_else(rights::no_such_member)
    };
    match action {
        Action::SetRole(r) if Role::of(r.role) == Role::Owner => {
            let heir = inside(r.member)?;
            if heir.role == Role::Owner { Err(rights::no_such_member()) } else { Ok(Ruling::default()) }
        }
        Action::Remove(r) => match inside(r.member)? {
            owner if owner.role == Role::Owner => Err(Code::OwnerStays.into()),
            other if other.peer != HERE => Err(Code::Forbidden.into()),
            _ => Ok(Ruling::default()),
        },
        Action::SetText(t) if matches!(t.text(), wire::Text::Name | wire::Text::Notice) => Ok(Ruling::default()),
        Action::Destroy(_) => Ok(Ruling::default()),
        _ => Err(Code::Forbidden.into()),
    }
}
