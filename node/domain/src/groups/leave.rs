//! Going for good: an account that is deleted leaves every group that it is in, and hands over those that it owns.

use startalk_protocol::{
    Error,
    pb::group::{self as wire, submission::Action},
};

use super::{
    Member, Role, group, member_of, members_from,
    submit::{By, Deed, perform},
};
use crate::{command::Actor, contacts, context::Ctx, store::Tx};

/// The account leaves everything; the bodies that name it there, to be erased.
pub(crate) fn depart(tx: &mut Tx, ctx: &mut Ctx, account: u64) -> Result<Vec<u64>, Error> {
    let mut named_at: Vec<u64> = super::invitations(tx, account).iter().map(|i| i.position).collect();
    for conversation in contacts::conversations(tx, account) {
        let Some(me) = member_of(tx, conversation, account) else { continue };
        named_at.extend_from_slice(&me.named_at);
        // Who is in more groups than one command can leave, leaves the others when what they wrote there is erased.
        if tx.records_of_command().len() > DEPART_RECORDS_MAX {
            continue;
        }
        leave(tx, ctx, account, conversation)?;
    }
    Ok(named_at)
}

/// Records of one command after which no further group is left by it.
const DEPART_RECORDS_MAX: usize = crate::domain::COMMAND_RECORDS_MAX / 2;

/// Leaves one group, and hands it over if it was theirs.
pub(super) fn leave(tx: &mut Tx, ctx: &mut Ctx, account: u64, conversation: u64) -> Result<(), Error> {
    let Some(known) = group(tx, conversation) else { return Ok(()) };
    let Some(me) = member_of(tx, conversation, account) else { return Ok(()) };
    if !me.is_in() || known.destroyed || known.leaving.contains(&account) {
        return Ok(());
    }
    let by = By { actor: Actor { account, device: 0 }, counter: 0 };
    if me.role == Role::Owner
        && let Some(heir) = heir(tx, conversation, &me)
    {
        let hand_over = Action::SetRole(wire::SetRole { member: heir.member, role: Role::Owner.number() });
        perform(tx, ctx, &(*known).clone(), Some(&me), by, Deed::new(hand_over, None))?;
    }
    let Some(known) = group(tx, conversation) else { return Ok(()) };
    let me = member_of(tx, conversation, account).unwrap_or(me);
    // A replica does not see yet that the owner has handed the group over.
    let leave = Deed { in_any_case: true, ..Deed::new(Action::Leave(wire::Leave {}), None) };
    perform(tx, ctx, &known, Some(&me), by, leave)?;
    Ok(())
}

/// Who owns the group next: the administrator, or else the member, who was in first.
fn heir(tx: &Tx, conversation: u64, owner: &Member) -> Option<Member> {
    let (all, _) = members_from(tx, conversation, 0, usize::MAX, |m| m.is_in() && m.member != owner.member);
    let first = |role: Role| all.iter().find(|m| m.role == role).cloned();
    first(Role::Administrator).or_else(|| first(Role::Member))
}
