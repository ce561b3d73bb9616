//! Bringing somebody of this domain into a group by what a member left behind: an invitation to the domain that names the
//! group, or a list of people that they had read. It is that member's act, judged as if they did it now.
//!
//! Only at the home: a group elsewhere would have to be asked, and its answer comes when the newcomer is long in.

use startalk_protocol::{
    Error,
    pb::group::{self as wire, Submission, submission::Action},
};

use super::{
    group, member_of,
    record::{Submitted, record},
    rights,
};
use crate::{
    accounts,
    command::Answer,
    context::Ctx,
    directory,
    event::Raw,
    store::{Read, Tx},
};

/// Whether this account may bring people of its domain into this group, without asking another domain.
pub fn may_bring_in(read: &impl Read, account: u64, conversation: u64, now_ms: u64) -> bool {
    let Some(group) = group(read, conversation).filter(|g| g.is_home()) else { return false };
    let Some(me) = member_of(read, conversation, account) else { return false };
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    accounts::account(read, account).is_some_and(|a| a.is_live())
        && rights::may(read, &group, &me, &Action::Add(wire::Add {}), now_ms).is_ok()
}

/// Brings somebody in; who is in already stays.
///
/// # Errors
/// `group-not-yours`, or why the group does not take them.
pub(crate) fn bring_in(tx: &mut Tx, ctx: &mut Ctx, by: u64, conversation: u64, person: u64) -> Result<Answer, Error> {
    if super::is_member(tx, conversation, person) {
        return Ok(Answer::Done);
    }
    if !may_bring_in(tx, by, conversation, ctx.now_ms) {
        return Err(not_yours(tx, conversation));
    }
    let group = (*group(tx, conversation).ok_or_else(|| not_yours(tx, conversation))?).clone();
    let me = member_of(tx, conversation, by).ok_or_else(|| not_yours(tx, conversation))?;
    let user = directory::user_id(tx, person).ok_or_else(rights::no_such_member)?;
    let submission = Submission { author: me.member, action: Some(Action::Add(wire::Add {})), ..Submission::default() };
    let person = super::act::person(tx, &user, String::new());
    let written = ctx.salted(Raw(person));
    record(tx, ctx, &group, Submitted::here(submission, Some(written), 0, 0))?;
    Ok(Answer::Done)
}

/// Nobody is told more of a group that they are not in than what they named it by.
pub(crate) fn not_yours(read: &impl Read, conversation: u64) -> Error {
    let id = group(read, conversation).map_or_else(|| conversation.to_string(), |g| g.id.clone());
    Error::new(startalk_protocol::Code::GroupNotYours).with("group", id)
}
