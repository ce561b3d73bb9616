//! What a replica does not take from its home, although the home has signed and chained it: acts in the name of others,
//! acts that come again, people who never asked to be in, numbers of members that are others', and more than a group may
//! hold. federation-spec/07-groups.md §5
//!
//! Reads views, changes nothing. Invariant: what a home that keeps to chapter 7 has recorded is never among it.

use startalk_protocol::{
    Code, Error, limits,
    pb::group::{Decided, Submission, submission::Action},
    sabotage::{self, Switch},
};

use super::{Group, Member, Standing, decide::author_of, member, number_of, receive, waiting};
use crate::{context::Ctx, directory::HERE, store::Tx};

/// An entry that is to be taken.
pub(super) struct Told<'a> {
    pub(super) submission: &'a Submission,
    pub(super) decided: &'a Decided,
    /// The author's domain.
    pub(super) origin: u64,
    /// Whom it is about; 0: nobody, or somebody without a name.
    pub(super) person: u64,
    /// Their domain.
    pub(super) peer: u64,
}

/// Whether the replica, as it stands before this entry, may take it.
///
/// # Errors
/// Why not.
pub(super) fn check(tx: &Tx, ctx: &Ctx, group: &Group, told: &Told) -> Result<(), Error> {
    let Told { submission, decided, origin, .. } = *told;
    let forged = || Error::new(Code::BadSignature).with("what", "an act in a group");
    if !sabotage::is(Switch::AuthorsNotChecked) {
        let author = member(tx, group.conversation, submission.author).filter(|m| m.person != 0);
        if author.is_some_and(|a| a.peer != origin) {
            return Err(forged());
        }
        if origin != group.home && submission.number <= receive::top(tx, group.conversation, origin) {
            return Err(Error::new(Code::Conflict).with("counter", submission.number));
        }
    }
    match &submission.action {
        Some(Action::Create(_)) => Err(malformed("an entry that is not the first")),
        Some(Action::Add(_)) if decided.invited => Ok(()),
        Some(Action::Add(_)) if told.person != 0 && told.peer != group.home => {
            Err(malformed("that people of other domains are asked"))
        }
        Some(Action::Add(_) | Action::Join(_)) => comes_in(tx, group, decided.member, told.person),
        Some(Action::Admit(a)) => admitted(tx, group, a.member, a.refuse),
        Some(Action::Edit(e)) if author_of(tx, ctx, group, e.target).is_ok_and(|author| author != submission.author) => {
            Err(forged())
        }
        Some(Action::Remove(r)) => number(r.member),
        Some(Action::SetRole(r)) => number(r.member),
        Some(Action::Mute(m)) => number(m.member),
        Some(Action::Ban(b)) if b.member != 0 => number(b.member),
        Some(Action::Leave(_)) => number(submission.author),
        Some(Action::Pin(p)) if !p.remove && !group.pins.contains(&p.target) => {
            room("pins", group.pins.len(), limits::GROUP_PINS_MAX)
        }
        Some(Action::MakeLink(_)) => room("links", group.links.len(), limits::GROUP_LINKS_MAX),
        _ => Ok(()),
    }
}

/// A member's number, as a home gives them: what is kept of members is looked through up to the highest.
///
/// # Errors
/// `malformed`.
pub(super) fn number(member: u64) -> Result<(), Error> {
    let good = (1..=limits::GROUP_MEMBER_NUMBER_MAX).contains(&member);
    if good { Ok(()) } else { Err(malformed("the number of a member")) }
}

/// A number is one person's for ever, and a person has one.
fn comes_in(tx: &Tx, group: &Group, given: u64, person: u64) -> Result<(), Error> {
    number(given)?;
    members(group)?;
    let known = member(tx, group.conversation, given);
    let others = known.as_ref().is_some_and(|m| m.is_in() || (m.person != 0 && person != 0 && m.person != person));
    let second = person != 0 && number_of(tx, group.conversation, person).is_some_and(|n| n != given);
    if others || second { Err(malformed("a number for each member")) } else { Ok(()) }
}

/// Who is of this domain is admitted, or not, when they asked.
fn admitted(tx: &Tx, group: &Group, admitted: u64, refuse: bool) -> Result<(), Error> {
    number(admitted)?;
    let known = member(tx, group.conversation, admitted);
    let waits = |m: &Member| waiting(tx, group.conversation).iter().any(|w| w.account == m.person);
    let asked = |m: &Member| m.standing == Standing::Asked || (refuse && m.standing == Standing::Refused) || waits(m);
    let ours = known.as_ref().filter(|m| m.peer == HERE && m.person != 0);
    if known.as_ref().is_some_and(Member::is_in) || ours.is_some_and(|m| !asked(m)) {
        return Err(malformed("that who is admitted has asked"));
    }
    if refuse { Ok(()) } else { members(group) }
}

fn members(group: &Group) -> Result<(), Error> {
    room("members", usize::try_from(group.members).unwrap_or(usize::MAX), limits::GROUP_MEMBERS_MAX as usize)
}

fn room(what: &str, now: usize, max: usize) -> Result<(), Error> {
    if now < max { Ok(()) } else { Err(Error::new(Code::TooMany).with("what", what).with("max", max)) }
}

fn malformed(expected: &str) -> Error {
    Error::new(Code::Malformed).with("expected", expected)
}
