//! Decisions about other ways into accounts.

use startalk_protocol::{
    Code, Error,
    limits::{
        DISPLAY_NAME_CHARS_MAX, IDENTITIES_MAX, IDENTITY_BYTES_MAX, IDENTITY_LABEL_CHARS_MAX, PASSKEY_BYTES_MAX, PASSKEYS_MAX,
    },
    pb::events as pb,
    sabotage::{self, Switch},
};

use unicode_normalization::UnicodeNormalization as _;

use super::{Identity, NewPasskey, Newcomer, PasskeyUse, by_credential, by_identity, opened_by, ways};
use crate::{
    accounts::{self, Account, Source},
    command::{Admission, Answer, NewDevice},
    context::Ctx,
    directory, erasure,
    event::Event,
    store::{New, Read, Tx},
};

/// What people know an identity by, or a passkey's name.
///
/// # Errors
/// `bad-value` with what is expected.
pub fn check_label(field: &str, text: &str) -> Result<(), Error> {
    if text.chars().count() <= IDENTITY_LABEL_CHARS_MAX && text.chars().all(directory::is_harmless) {
        return Ok(());
    }
    let expected = format!("at most {IDENTITY_LABEL_CHARS_MAX} characters of plain text");
    Err(Error::new(Code::BadValue).with("field", field).with("expected", expected))
}

fn check_identity(identity: &Identity) -> Result<(), Error> {
    for (field, text) in [("issuer", &identity.issuer), ("subject", &identity.subject), ("provider", &identity.provider)] {
        if text.is_empty() || text.len() > IDENTITY_BYTES_MAX {
            let expected = format!("1 to {IDENTITY_BYTES_MAX} bytes");
            return Err(Error::new(Code::BadValue).with("field", field).with("expected", expected));
        }
    }
    check_label("label", &identity.label)
}

/// An account that may be entered now.
fn open(read: &impl Read, ctx: &Ctx, number: u64) -> Result<std::sync::Arc<Account>, Error> {
    let account = accounts::account(read, number).filter(|a| !a.deleted && !a.ending).ok_or(Code::NotSignedIn)?;
    if account.disabled {
        return Err(Error::new(Code::AccountDisabled).with("domain", ctx.domain));
    }
    Ok(account)
}

/// A device for whom a provider or a directory named: of the account that it belongs to, or of a new one where `newcomer` says
/// how.
pub(crate) fn enter_by_identity(
    tx: &mut Tx,
    ctx: &mut Ctx,
    identity: Identity,
    newcomer: Option<Newcomer>,
    device: NewDevice,
) -> Result<Answer, Error> {
    check_identity(&identity)?;
    if let Some(number) = opened_by(tx, &identity.issuer, &identity.subject) {
        let account = open(tx, ctx, number)?;
        let is_linked = by_identity(tx, &identity.issuer, &identity.subject).is_some();
        if !is_linked && ways(tx, number).identities.len() < IDENTITIES_MAX {
            put_identity(tx, ctx, number, identity)?;
        }
        let device = accounts::put_device(tx, ctx, number, device)?;
        let administrator = account.role == accounts::Role::Administrator;
        return Ok(Answer::Account { account: number, device: Some(device), administrator });
    }
    let source = Source::directory(&identity.issuer);
    let (name, label, provider) = (newcomer.as_ref().map(|n| &n.name), &identity.label, &identity.provider);
    // A name that somebody has is no proof of being them.
    let taken = match (&source, name) {
        (Some(_), Some(name)) => Error::new(Code::DirectoryNameTaken).with("name", name).with("provider", provider),
        (None, Some(name)) => Error::new(Code::IdentityNameTaken).with("name", name).with("provider", provider),
        (Some(_), None) => Error::new(Code::DirectoryUnknown).with("provider", provider),
        (None, None) => Error::new(Code::IdentityUnknown),
    };
    let Some(newcomer) = newcomer else { return Err(taken.with("domain", ctx.domain).with("who", label)) };
    // What the provider calls them is theirs to change afterwards: it is made to fit, not refused.
    let harmless = newcomer.display_name.nfc().filter(|c| directory::is_harmless(*c));
    let display_name: String = harmless.take(DISPLAY_NAME_CHARS_MAX).collect();
    let new = accounts::NewAccount {
        name: newcomer.name,
        display_name: display_name.trim().to_owned(),
        password_hash: None,
        recovery_hashes: Vec::new(),
        admission: Admission::Provider,
        device: Some(device),
    };
    if source.is_some() {
        accounts::check_external_id(&identity.subject)?;
    }
    let answer = accounts::create(tx, ctx, new).map_err(|e| if e.code == Code::NameTaken { taken } else { e })?;
    if let Answer::Account { account, .. } = answer {
        if let Some(source) = source {
            // As if they had been imported, so that the next import knows them.
            accounts::set_external_id(tx, ctx, account, &source, &identity.subject);
        }
        put_identity(tx, ctx, account, identity)?;
    }
    Ok(answer)
}

/// By the account's owner, who is signed in and whom the provider has just named.
pub(crate) fn link_identity(tx: &mut Tx, ctx: &mut Ctx, number: u64, identity: Identity) -> Result<Answer, Error> {
    check_identity(&identity)?;
    open(tx, ctx, number)?;
    match by_identity(tx, &identity.issuer, &identity.subject) {
        Some(owner) if owner == number => {}
        Some(_) => return Err(Error::new(Code::IdentityTaken).with("who", &identity.label)),
        None => put_identity(tx, ctx, number, identity)?,
    }
    Ok(Answer::Done)
}

fn put_identity(tx: &mut Tx, ctx: &mut Ctx, number: u64, identity: Identity) -> Result<(), Error> {
    let (account, ways) = (open(tx, ctx, number)?, ways(tx, number));
    if ways.identities.len() >= IDENTITIES_MAX {
        return Err(Error::new(Code::TooMany).with("what", "identities").with("max", IDENTITIES_MAX));
    }
    let Identity { provider, issuer, subject, label } = identity;
    let facts = pb::IdentityLinked { account: number, link: ways.last + 1, provider };
    let body = ctx.salted(pb::IdentityLinkedBody { issuer, subject, label });
    tx.emit(New { conversation: account.stream, event: Event::IdentityLinked(facts, Some(body)) });
    Ok(())
}

/// An error if the account could not be entered any more without one of its ways.
fn check_not_last(read: &impl Read, account: &Account) -> Result<(), Error> {
    let is_last = account.password.hashes.is_empty() && ways(read, account.account).count() <= 1;
    if is_last { Err(Code::LastWayIn.into()) } else { Ok(()) }
}

pub(crate) fn unlink_identity(tx: &mut Tx, ctx: &Ctx, number: u64, link: u64) -> Result<Answer, Error> {
    let account = open(tx, ctx, number)?;
    let all = ways(tx, number);
    let found = all.identities.iter().find(|i| i.link == link).ok_or(Code::NoSuchThing)?;
    let position = found.position;
    let is_home = |e: &accounts::External| e.source == found.issuer && e.id == found.subject;
    if account.external.as_ref().is_some_and(is_home) {
        return Err(Code::Forbidden.into()); // the account is the directory's: it would let them in all the same
    }
    check_not_last(tx, &account)?;
    let event = Event::IdentityUnlinked(pb::IdentityUnlinked { account: number, link }, None);
    tx.emit(New { conversation: account.stream, event });
    erasure::erase(tx, vec![position], "unlinked");
    Ok(Answer::Done)
}

pub(crate) fn add_passkey(tx: &mut Tx, ctx: &mut Ctx, number: u64, new: NewPasskey) -> Result<Answer, Error> {
    let (account, ways) = (open(tx, ctx, number)?, ways(tx, number));
    check_label("name", &new.name)?;
    if new.credential_id.is_empty() || new.credential_id.len() + new.credential.len() > PASSKEY_BYTES_MAX {
        let expected = format!("a credential of at most {PASSKEY_BYTES_MAX} bytes");
        return Err(Error::new(Code::BadValue).with("field", "credential").with("expected", expected));
    }
    if by_credential(tx, &new.credential_id).is_some() {
        return Err(Code::PasskeyRefused.into());
    }
    if ways.passkeys.len() >= PASSKEYS_MAX {
        return Err(Error::new(Code::TooMany).with("what", "passkeys").with("max", PASSKEYS_MAX));
    }
    let facts = pb::PasskeyAdded { account: number, passkey: ways.last + 1 };
    let body = pb::PasskeyAddedBody {
        credential_id: new.credential_id.into(),
        credential: new.credential.into(),
        name: new.name.trim().to_owned(),
    };
    let body = ctx.salted(body);
    tx.emit(New { conversation: account.stream, event: Event::PasskeyAdded(facts, Some(body)) });
    Ok(Answer::Done)
}

pub(crate) fn remove_passkey(tx: &mut Tx, ctx: &Ctx, number: u64, passkey: u64) -> Result<Answer, Error> {
    let account = open(tx, ctx, number)?;
    let found = ways(tx, number).passkeys.iter().find(|p| p.passkey == passkey).map(|p| p.position);
    let position = found.ok_or(Code::NoSuchThing)?;
    check_not_last(tx, &account)?;
    let event = Event::PasskeyRemoved(pb::PasskeyRemoved { account: number, passkey }, None);
    tx.emit(New { conversation: account.stream, event });
    erasure::erase(tx, vec![position], "removed");
    Ok(Answer::Done)
}

/// A device for who showed a passkey. It was checked with a count that must still be its own: of two uses at once that say
/// the same count, one is a copy's.
pub(crate) fn enter_by_passkey(tx: &mut Tx, ctx: &mut Ctx, used: PasskeyUse, device: NewDevice) -> Result<Answer, Error> {
    let account = open(tx, ctx, used.account)?;
    let passkey = ways(tx, used.account).passkeys.iter().find(|p| p.passkey == used.passkey).cloned();
    let passkey = passkey.ok_or(Code::PasskeyRefused)?;
    let counts = used.counter > 0 || passkey.counter > 0;
    let went_back = passkey.counter != used.counter_before || (counts && used.counter <= passkey.counter);
    if went_back && !sabotage::is(Switch::PasskeysCountBackwards) {
        return Err(Code::PasskeyRefused.into());
    }
    let facts = pb::PasskeyUsed { account: used.account, passkey: used.passkey, counter: used.counter, suspect: false };
    tx.emit(New { conversation: account.stream, event: Event::PasskeyUsed(facts, None) });
    let device = accounts::put_device(tx, ctx, used.account, device)?;
    let administrator = account.role == accounts::Role::Administrator;
    Ok(Answer::Account { account: used.account, device: Some(device), administrator })
}

/// It counted backwards: nobody is let in, and its owner is told in the list.
pub(crate) fn suspect_passkey(tx: &mut Tx, ctx: &Ctx, number: u64, passkey: u64) -> Result<Answer, Error> {
    let account = open(tx, ctx, number)?;
    let found = ways(tx, number).passkeys.iter().find(|p| p.passkey == passkey).cloned().ok_or(Code::NoSuchThing)?;
    if !found.suspect {
        let facts = pb::PasskeyUsed { account: number, passkey, counter: found.counter, suspect: true };
        tx.emit(New { conversation: account.stream, event: Event::PasskeyUsed(facts, None) });
    }
    Ok(Answer::Done)
}
