//! Going for good: an account that is deleted leaves every group that it is in, and hands over those that it owns.

use startalk_protocol::{
    Error,
    pb::group::{self as wire, submission::Action},
};

use super::{
    Member, Role, group, member_of, members_from,
    submit::{By, Deed, perform},
};
use crate::{command::Actor, contacts, context::Ctx, outbox, store::Tx};

/// Leaves as many groups as one command can, and says whether those were all. A group that cannot be left is passed over:
/// it must not keep the account from going.
pub(crate) fn depart(tx: &mut Tx, ctx: &mut Ctx, account: u64) -> bool {
    for conversation in contacts::conversations(tx, account) {
        if tx.records_of_command().len() > DEPART_RECORDS_MAX {
            return false;
        }
        let _ = leave(tx, ctx, account, conversation);
    }
    true
}

/// The bodies that name the account in groups and invitations, to be erased.
pub(crate) fn named_at(tx: &Tx, account: u64) -> Vec<u64> {
    let invited = super::invitations(tx, account);
    let members = contacts::conversations(tx, account).into_iter().filter_map(|c| member_of(tx, c, account));
    invited.iter().map(|i| i.position).chain(members.flat_map(|m| m.named_at)).collect()
}

/// Homes of groups elsewhere that have not recorded all that the account did there.
pub(crate) fn homes_to_tell(tx: &Tx, account: u64) -> Vec<u64> {
    let waits = |c: &u64| super::waiting(tx, *c).iter().any(|w| w.account == account);
    let groups = contacts::conversations(tx, account).into_iter().filter(waits);
    let mut homes: Vec<u64> = groups.filter_map(|c| group(tx, c)).map(|g| g.home).collect();
    homes.sort_unstable();
    homes.dedup();
    homes.retain(|home| outbox::waits(tx, *home));
    homes
}

/// Records of one command after which no further group is left by it.
const DEPART_RECORDS_MAX: usize = crate::domain::COMMAND_RECORDS_MAX / 2;

/// Leaves one group, and hands it over if it was theirs.
fn leave(tx: &mut Tx, ctx: &mut Ctx, account: u64, conversation: u64) -> Result<(), Error> {
    let Some(known) = group(tx, conversation) else { return Ok(()) };
    let Some(me) = member_of(tx, conversation, account) else { return Ok(()) };
    if !me.is_in() || known.destroyed || known.leaving.contains(&account) {
        return Ok(());
    }
    if known.renewed_as != 0 {
        return leave_renewed(tx, ctx, account, &me, known.renewed_as);
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

/// Leaves where a group goes on whose home has lost what stands here: of this part nobody hears any more, and what was
/// submitted in it would wait for ever.
fn leave_renewed(tx: &mut Tx, ctx: &mut Ctx, account: u64, me: &Member, conversation: u64) -> Result<(), Error> {
    if member_of(tx, conversation, account).is_some() {
        return leave(tx, ctx, account, conversation);
    }
    // Who is in there is not known yet; the number that the home gave is the same, or it knows nobody by it.
    let Some(known) = group(tx, conversation).filter(|g| !g.leaving.contains(&account)) else { return Ok(()) };
    let leave = Deed { in_any_case: true, ..Deed::new(Action::Leave(wire::Leave {}), None) };
    perform(tx, ctx, &known, Some(me), By { actor: Actor { account, device: 0 }, counter: 0 }, leave)?;
    Ok(())
}

/// Who owns the group next: the administrator, or else the member, who was in first.
fn heir(tx: &Tx, conversation: u64, owner: &Member) -> Option<Member> {
    let (all, _) = members_from(tx, conversation, 0, usize::MAX, |m| m.is_in() && m.member != owner.member);
    let first = |role: Role| all.iter().find(|m| m.role == role).cloned();
    first(Role::Administrator).or_else(|| first(Role::Member))
}
