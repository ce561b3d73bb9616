//! Accounts that come in from elsewhere: a file, a directory. Each has an id there that never changes, and is found by it.
//!
//! One command for one person, whether they are new or known, so that a list that was carried out half way is carried out by
//! doing it again. Invariant: an id of a source belongs to one account, and an account to one source.

use startalk_protocol::{AccountName, Code, Error, limits, pb::events as pb};

use super::{Account, Role, Source, account, by_external_id, by_name, commands};
use crate::{
    command::Answer,
    context::Ctx,
    directory, erasure,
    event::Event,
    groups,
    store::{New, Read, Tx},
};

/// A person as a source describes them; what is `None` is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Whose rights bring them into groups; the rules put it there.
    pub maker: u64,
    /// Where they come from.
    pub source: Source,
    /// What they are called there, for ever.
    pub external_id: String,
    /// Before the @.
    pub name: AccountName,
    /// Shown to others.
    pub display_name: Option<String>,
    /// What they may.
    pub role: Option<Role>,
    /// Whether they are kept out.
    pub disabled: Option<bool>,
    /// Groups of this domain that they are to be in, by their conversations.
    pub groups: Vec<u64>,
}

/// The account that an arrival is about, if there is one.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn whose(read: &impl Read, new: &Arrival) -> Result<Option<u64>, Error> {
    let name_of = |number: u64| directory::person(read, number).map(|p| p.name.clone()).unwrap_or_default();
    if let Some(known) = by_external_id(read, &new.source, &new.external_id) {
        let is = name_of(known.account);
        let fits = is == new.name.as_str();
        return if fits {
            Ok(Some(known.account))
        } else {
            Err(Error::new(Code::NameStays).with("id", &new.external_id).with("name", is))
        };
    }
    let Some(named) = by_name(read, &new.name) else { return Ok(None) };
    match &named.external {
        Some(other) if other.source == new.source.as_str() => Err(Error::new(Code::NameTaken).with("name", &new.name)),
        Some(other) => Err(Error::new(Code::OfAnotherSource).with("name", &new.name).with("source", &other.source)),
        None if named.ending || !may_become(&new.source, named.role) => Err(Error::new(Code::NameTaken).with("name", &new.name)),
        None => Ok(Some(named.account)),
    }
}

/// Whether an account that was made by itself may become a source's by having its name there. Whoever keeps a directory can
/// open its accounts: it gets none that administers for a name alone.
pub fn may_become(source: &Source, role: Role) -> bool {
    role == Role::Member || !source.is_directory()
}

/// Takes somebody in, or brings up to date what is known of them.
pub(crate) fn arrive(tx: &mut Tx, ctx: &mut Ctx, new: Arrival) -> Result<Answer, Error> {
    check_external_id(&new.external_id)?;
    if new.groups.len() > limits::GROUPS_TO_JOIN_MAX {
        return Err(Error::new(Code::TooMany).with("what", "groups").with("max", limits::GROUPS_TO_JOIN_MAX));
    }
    let (account, administrator) = match whose(tx, &new)? {
        Some(known) => (known, false),
        None => {
            let administrator = new.role == Some(Role::Administrator);
            let made = commands::NewAccount {
                name: new.name.clone(),
                display_name: new.display_name.clone().unwrap_or_default(),
                password_hash: None,
                recovery_hashes: Vec::new(),
                admission: crate::command::Admission::Operator { administrator },
                device: None,
            };
            match commands::create(tx, ctx, made)? {
                Answer::Account { account, administrator, .. } => (account, administrator),
                _ => return Err(Code::Internal.into()),
            }
        }
    };
    set_external_id(tx, ctx, account, &new.source, &new.external_id);
    if new.disabled == Some(false) {
        commands::set_disabled(tx, account, false)?;
    }
    if let Some(name) = &new.display_name {
        commands::set_display_name(tx, ctx, account, name.clone())?;
    }
    if let Some(role) = new.role {
        commands::set_role(tx, account, role)?;
    }
    for conversation in &new.groups {
        groups::bring_in(tx, ctx, new.maker, *conversation, account)?;
    }
    if new.disabled == Some(true) {
        commands::set_disabled(tx, account, true)?;
    }
    Ok(Answer::Account { account, device: None, administrator })
}

/// Whether this can be an id.
///
/// # Errors
/// `bad-value`.
pub fn check_external_id(id: &str) -> Result<(), Error> {
    let long = id.chars().count() > limits::EXTERNAL_ID_CHARS_MAX;
    let good = !id.is_empty() && !long && id.trim() == id && id.chars().all(directory::is_harmless);
    let expected = format!("1 to {} characters of plain text", limits::EXTERNAL_ID_CHARS_MAX);
    if good { Ok(()) } else { Err(Error::new(Code::BadValue).with("field", "external_id").with("expected", expected)) }
}

/// Where an account comes from, if that is not known yet.
pub(crate) fn set_external_id(tx: &mut Tx, ctx: &mut Ctx, number: u64, source: &Source, id: &str) {
    let known: Option<std::sync::Arc<Account>> = account(tx, number);
    let Some(known) = known.filter(|a| a.external.is_none()) else { return };
    let facts = pb::ExternalIdSet { account: number, source: source.as_str().to_owned() };
    let body = ctx.salted(pb::ExternalIdSetBody { external_id: id.to_owned() });
    tx.emit(New { conversation: known.stream, event: Event::ExternalIdSet(facts, Some(body)) });
}

/// Somebody is not among the people of their source any more. Who administers is left alone: a file that lacks a line is to
/// lock nobody out who could set it right.
pub(crate) fn set_absent(tx: &mut Tx, number: u64, source: &Source) -> Result<Answer, Error> {
    let account = account(tx, number).filter(|a| !a.deleted).ok_or_else(|| Error::new(Code::NoSuchUser).with("user", number))?;
    let is_theirs = account.external.as_ref().is_some_and(|e| e.source == source.as_str());
    if !is_theirs || account.role != Role::Member {
        return Err(Code::Forbidden.into());
    }
    if !account.disabled {
        let facts = pb::AccountDisabled { account: number, disabled: true, absent_from: source.as_str().to_owned() };
        tx.emit(New { conversation: account.stream, event: Event::AccountDisabled(facts, None) });
    }
    Ok(Answer::Done)
}

/// A link with which somebody signs in once and chooses a password; the one before it is void.
pub(crate) fn make_sign_in_link(
    tx: &mut Tx,
    ctx: &mut Ctx,
    number: u64,
    token_hash: [u8; 32],
    valid_ms: i64,
) -> Result<Answer, Error> {
    let account = account(tx, number).filter(|a| !a.deleted).ok_or_else(|| Error::new(Code::NoSuchUser).with("user", number))?;
    if !account.is_live() {
        return Err(Error::new(Code::AccountDisabled).with("domain", ctx.domain));
    }
    if !(1..=limits::INVITATION_VALID_MS_MAX).contains(&valid_ms) {
        return Err(Error::new(Code::BadValue).with("field", "valid").with("expected", "a time ahead, within a year"));
    }
    let not_after_ms = i64::try_from(ctx.now_ms).unwrap_or(i64::MAX).saturating_add(valid_ms);
    let facts = pb::SignInLinkMade { account: number, not_after_ms };
    let body = ctx.salted(pb::SignInLinkMadeBody { token_hash: token_hash.to_vec().into() });
    tx.emit(New { conversation: account.stream, event: Event::SignInLinkMade(facts, Some(body)) });
    erasure::erase(tx, account.link.iter().map(|l| l.position).collect(), "superseded");
    Ok(Answer::SignInLink { not_after_ms })
}
