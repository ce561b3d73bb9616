//! Decisions about accounts.

use startalk_protocol::{AccountName, Code, Error, limits, pb::events as pb};

use super::{Account, Role, account, by_name};
use crate::{
    availability,
    command::{Admission, Answer, NewDevice, PasswordBy},
    contacts,
    context::Ctx,
    directory, erasure,
    event::Event,
    governance::{self, Registration},
    groups, kept, later, notify, outbox, quotas,
    store::{New, Read, Tx},
    ways,
};

/// Names that people would take for the system's own.
const RESERVED: &[&str] = &["admin", "administrator", "root", "system", "startalk", "postmaster", "abuse", "all", "everyone"];

/// Whether a name is kept for administrators.
pub fn is_reserved(name: &AccountName) -> bool {
    RESERVED.contains(&name.as_str())
}

/// How a new account is described.
pub(crate) struct NewAccount {
    pub name: AccountName,
    pub display_name: String,
    /// `None`: they come in by a link, or another way in is all they have.
    pub password_hash: Option<String>,
    pub recovery_hashes: Vec<[u8; 32]>,
    pub admission: Admission,
    pub device: Option<NewDevice>,
}

pub(crate) fn create(tx: &mut Tx, ctx: &mut Ctx, new: NewAccount) -> Result<Answer, Error> {
    let (administrator, invitation) = admit(tx, ctx, &new.admission)?;
    let invited_to: Vec<_> = match &new.admission {
        Admission::Invitation(hash) => {
            super::invitation(tx, hash, ctx.now_ms).map(|i| i.groups.iter().map(|g| (i.maker, *g)).collect()).unwrap_or_default()
        }
        _ => Vec::new(),
    };
    directory::check_display_name(&new.display_name, "display_name")?;
    let reserved = is_reserved(&new.name) && !administrator;
    if reserved || by_name(tx, &new.name).is_some() {
        return Err(Error::new(Code::NameTaken).with("name", &new.name));
    }
    quotas::may_be_made(tx)?;
    let numbers = governance::numbers(tx);
    let (account, stream) = (numbers.person + 1, numbers.conversation + 1);
    let body = pb::AccountCreatedBody { name: new.name.to_string(), display_name: new.display_name };
    let facts = pb::AccountCreated { account, stream, administrator, invitation };
    let body = ctx.salted(body);
    tx.emit(New { conversation: stream, event: Event::AccountCreated(facts, Some(body)) });
    if let Some(hash) = new.password_hash {
        put_secret(tx, ctx, account, "password", vec![hash.into_bytes()]);
        put_secret(tx, ctx, account, "recovery", new.recovery_hashes.iter().map(|h| h.to_vec()).collect());
    }
    let device = new.device.map(|device| put_device(tx, ctx, account, device)).transpose()?;
    for (maker, conversation) in invited_to {
        // What has become impossible since the invitation was made keeps nobody out of the domain.
        if let Err(error) = groups::bring_in(tx, ctx, maker, conversation, account)
            && error.code == Code::Internal
        {
            return Err(error);
        }
    }
    Ok(Answer::Account { account, device, administrator })
}

fn admit(tx: &Tx, ctx: &Ctx, admission: &Admission) -> Result<(bool, u64), Error> {
    let realm = governance::realm(tx);
    match admission {
        Admission::Operator { administrator } => Ok((*administrator, 0)),
        Admission::Provider => Ok((false, 0)),
        Admission::Invitation(hash) => {
            let invitation = super::invitation(tx, hash, ctx.now_ms).ok_or(Code::InvitationInvalid)?;
            if realm.registration == Registration::Closed && !invitation.administrator {
                return Err(Error::new(Code::RegistrationClosed).with("domain", ctx.domain));
            }
            Ok((invitation.administrator, invitation.invitation))
        }
        Admission::Open => match realm.registration {
            Registration::Open => Ok((false, 0)),
            Registration::Invitation => Err(Error::new(Code::InvitationNeeded).with("domain", ctx.domain)),
            Registration::Closed => Err(Error::new(Code::RegistrationClosed).with("domain", ctx.domain)),
        },
    }
}

fn live(read: &impl Read, number: u64) -> Result<std::sync::Arc<Account>, Error> {
    account(read, number).filter(|a| a.is_live()).ok_or_else(|| Code::NotSignedIn.into())
}

fn existing(read: &impl Read, number: u64) -> Result<std::sync::Arc<Account>, Error> {
    account(read, number).filter(|a| !a.deleted).ok_or_else(|| Error::new(Code::NoSuchUser).with("user", number))
}

fn put_secret(tx: &mut Tx, ctx: &mut Ctx, number: u64, what: &str, hashes: Vec<Vec<u8>>) {
    let Some(account) = account(tx, number) else { return };
    let old = if what == "password" { &account.password } else { &account.recovery };
    let replaces = old.position;
    let facts = pb::SecretSet { account: number, what: what.into(), replaces };
    let body = ctx.salted(pb::SecretSetBody { hashes: hashes.into_iter().map(Into::into).collect() });
    tx.emit(New { conversation: account.stream, event: Event::SecretSet(facts, Some(body)) });
    let link = account.link.as_ref().filter(|_| what == "password").map_or(0, |l| l.position);
    let superseded: Vec<u64> = [replaces, link].into_iter().filter(|p| *p != 0).collect();
    if !superseded.is_empty() {
        erasure::erase(tx, superseded, "superseded");
    }
}

/// A signed-in device, whichever way it came in.
pub(crate) fn put_device(tx: &mut Tx, ctx: &mut Ctx, number: u64, new: NewDevice) -> Result<u64, Error> {
    let account = live(tx, number)?;
    if account.devices.len() >= limits::DEVICES_MAX {
        return Err(Error::new(Code::TooMany).with("what", "devices").with("max", limits::DEVICES_MAX));
    }
    let good = new.name.len() <= limits::DEVICE_NAME_BYTES_MAX && new.name.chars().all(directory::is_harmless);
    if !good {
        return Err(Error::new(Code::BadValue).with("field", "device_name").with("expected", "at most 128 bytes of plain text"));
    }
    let device = governance::numbers(tx).device + 1;
    let facts = pb::DeviceAdded { account: number, device };
    let body = ctx.salted(pb::DeviceAddedBody { name: new.name, token_hash: new.token_hash.to_vec().into() });
    tx.emit(New { conversation: account.stream, event: Event::DeviceAdded(facts, Some(body)) });
    Ok(device)
}

/// `password_version`: the password was checked when it had this version; changed since, it counts for nothing.
pub(crate) fn add_device(
    tx: &mut Tx,
    ctx: &mut Ctx,
    number: u64,
    password_version: u64,
    new: NewDevice,
) -> Result<Answer, Error> {
    let account = live(tx, number)?;
    if account.password.hashes.is_empty() || account.password.position != password_version {
        return Err(Code::WrongCredentials.into());
    }
    Ok(Answer::Device { device: put_device(tx, ctx, number, new)? })
}

pub(crate) fn revoke_device(tx: &mut Tx, number: u64, device: u64) -> Result<Answer, Error> {
    let account = existing(tx, number)?;
    let Some(old) = account.devices.iter().find(|d| d.device == device) else { return Err(Code::NoSuchDevice.into()) };
    let event = Event::DeviceRevoked(pb::DeviceRevoked { account: number, device }, None);
    let mut erased = vec![old.position];
    erased.extend(notify::subscription(tx, number, device).map(|s| s.position));
    tx.emit(New { conversation: account.stream, event });
    erasure::erase(tx, erased, "revoked");
    Ok(Answer::Done)
}

pub(crate) fn set_password(tx: &mut Tx, ctx: &mut Ctx, number: u64, hash: String, by: PasswordBy) -> Result<Answer, Error> {
    let account = existing(tx, number)?;
    let mut answer = Answer::Done;
    match by {
        PasswordBy::Operator => {}
        PasswordBy::Old { .. } if account.password.hashes.is_empty() => return Err(Code::NoPassword.into()),
        PasswordBy::Old { version } if account.is_live() && account.password.position == version => {}
        PasswordBy::Old { .. } => return Err(Code::WrongCredentials.into()),
        PasswordBy::Link { hash, device } => {
            let opens = account.is_live() && account.link.as_ref().is_some_and(|l| l.opens(&hash, ctx.now_ms));
            if !opens {
                return Err(Code::WrongCredentials.into());
            }
            answer = Answer::Device { device: put_device(tx, ctx, number, device)? };
        }
        PasswordBy::Recovery { hash, device } => {
            let index = account.recovery.hashes.iter().position(|h| h[..] == hash).ok_or(Code::WrongCredentials)?;
            let index = u32::try_from(index).expect("few codes");
            let facts = pb::RecoveryCodeUsed { account: number, index };
            tx.emit(New { conversation: account.stream, event: Event::RecoveryCodeUsed(facts, None) });
            answer = Answer::Device { device: put_device(tx, ctx, number, device)? };
        }
    }
    put_secret(tx, ctx, number, "password", vec![hash.into_bytes()]);
    Ok(answer)
}

pub(crate) fn set_recovery_codes(tx: &mut Tx, ctx: &mut Ctx, number: u64, hashes: &[[u8; 32]]) -> Result<Answer, Error> {
    existing(tx, number)?;
    put_secret(tx, ctx, number, "recovery", hashes.iter().map(|h| h.to_vec()).collect());
    Ok(Answer::Done)
}

/// An error if this account is the only one that may administer.
fn check_not_last(read: &impl Read, number: u64) -> Result<(), Error> {
    let mut all = super::administrators(read);
    let is_last = all.next() == Some(number) && all.next().is_none();
    if is_last { Err(Code::LastAdministrator.into()) } else { Ok(()) }
}

pub(crate) fn set_role(tx: &mut Tx, number: u64, role: Role) -> Result<Answer, Error> {
    let account = existing(tx, number)?;
    if account.role != role {
        check_not_last(tx, number)?;
        let facts =
            pb::RoleSet { account: number, role: if role == Role::Member { String::new() } else { role.as_str().into() } };
        tx.emit(New { conversation: account.stream, event: Event::RoleSet(facts, None) });
    }
    Ok(Answer::Done)
}

pub(crate) fn set_disabled(tx: &mut Tx, number: u64, disabled: bool) -> Result<Answer, Error> {
    let account = existing(tx, number)?;
    if account.disabled != disabled {
        check_not_last(tx, number)?;
        let event = Event::AccountDisabled(pb::AccountDisabled { account: number, disabled, absent_from: String::new() }, None);
        tx.emit(New { conversation: account.stream, event });
    }
    Ok(Answer::Done)
}

/// Erases name, profile, secrets and devices; messages by [`crate::conversations::erase_authored`] afterwards.
pub(crate) fn delete(tx: &mut Tx, ctx: &mut Ctx, number: u64) -> Result<Answer, Error> {
    if existing(tx, number)?.ending {
        return Ok(Answer::Done);
    }
    check_not_last(tx, number)?;
    if groups::depart(tx, ctx, number) {
        return end(tx, ctx, number);
    }
    tx.emit(New { conversation: 0, event: Event::AccountEnding(pb::AccountEnding { account: number }, None) });
    Ok(Answer::Done)
}

/// Leaves further groups, and deletes the account after the last.
pub(crate) fn go_on_ending(tx: &mut Tx, ctx: &mut Ctx, number: u64) -> Result<Answer, Error> {
    if account(tx, number).is_some_and(|a| a.ending) && groups::depart(tx, ctx, number) {
        return end(tx, ctx, number);
    }
    Ok(Answer::Done)
}

/// What it submitted to groups elsewhere names it until it was sent, as the farewell does.
fn end(tx: &mut Tx, ctx: &mut Ctx, number: u64) -> Result<Answer, Error> {
    let old = existing(tx, number)?;
    let mut bodies = vec![old.position, old.password.position, old.recovery.position];
    bodies.extend(old.devices.iter().map(|d| d.position));
    bodies.extend(old.external.iter().map(|e| e.position));
    bodies.extend(old.link.iter().map(|l| l.position));
    if let Some(person) = directory::person(tx, number) {
        bodies.extend(person.profile_bodies());
    }
    bodies.retain(|p| *p != 0);
    bodies.extend(groups::named_at(tx, number));
    bodies.extend(notify::bodies(tx, number));
    bodies.extend(contacts::bodies(tx, number));
    bodies.extend(availability::bodies(tx, number));
    bodies.extend(ways::bodies(tx, number));
    bodies.extend(later::bodies(tx, number));
    bodies.extend(kept::bodies(tx, number));
    let name = directory::person(tx, number).map(|p| p.name.clone()).unwrap_or_default();
    let item = outbox::account_gone_item(&name, ctx.now_ms);
    let out: Vec<_> = contacts::peers_of(tx, number).into_iter().map(|peer| outbox::next(tx, peer, &item)).collect();
    let homes = groups::homes_to_tell(tx, number);
    let farewell = (!out.is_empty() || !homes.is_empty()).then(|| ctx.salted(pb::AccountDeletedBody { name }));
    let facts = pb::AccountDeleted { account: number, out, homes };
    tx.emit(New { conversation: old.stream, event: Event::AccountDeleted(facts, farewell) });
    erasure::erase(tx, bodies, "account deleted");
    Ok(Answer::Done)
}

/// An invitation as it is wanted.
pub(crate) struct WantedInvitation {
    pub maker: u64,
    pub token_hash: [u8; 32],
    pub uses: u32,
    pub valid_ms: i64,
    pub administrator: bool,
    pub groups: Vec<u64>,
}

pub(crate) fn make_invitation(tx: &mut Tx, ctx: &mut Ctx, wanted: WantedInvitation) -> Result<Answer, Error> {
    let WantedInvitation { maker, token_hash, uses, valid_ms, administrator, groups: into } = wanted;
    let allowed = maker == 0
        || live(tx, maker)?.role == Role::Administrator
        || (!administrator && governance::realm(tx).registration != Registration::Closed);
    if !allowed {
        return Err(Code::Forbidden.into());
    }
    if uses == 0 || uses > limits::INVITATION_USES_MAX {
        return Err(Error::new(Code::BadValue)
            .with("field", "uses")
            .with("expected", format!("1 to {}", limits::INVITATION_USES_MAX)));
    }
    if !(1..=limits::INVITATION_VALID_MS_MAX).contains(&valid_ms) {
        return Err(Error::new(Code::BadValue).with("field", "valid").with("expected", "a time ahead, within a year"));
    }
    if into.len() > limits::GROUPS_TO_JOIN_MAX {
        return Err(Error::new(Code::TooMany).with("what", "groups").with("max", limits::GROUPS_TO_JOIN_MAX));
    }
    if let Some(other) = into.iter().find(|g| !groups::may_bring_in(tx, maker, **g, ctx.now_ms)) {
        return Err(groups::not_yours(tx, *other));
    }
    let invitation = governance::numbers(tx).invitation + 1;
    let not_after_ms = i64::try_from(ctx.now_ms).unwrap_or(i64::MAX).saturating_add(valid_ms);
    let facts = pb::InvitationMade { invitation, uses, not_after_ms, administrator, maker, groups: into };
    let body = ctx.salted(pb::InvitationMadeBody { token_hash: token_hash.to_vec().into() });
    tx.emit(New { conversation: 0, event: Event::InvitationMade(facts, Some(body)) });
    Ok(Answer::Invitation { invitation, not_after_ms })
}

/// Its secret's hash is erased; who comes with it is told what is told of one that was used up.
pub(crate) fn revoke_invitation(tx: &mut Tx, ctx: &Ctx, number: u64) -> Result<Answer, Error> {
    let (found, _) = super::invitations(tx, number, 1, 1, ctx.now_ms);
    let position = found.first().ok_or(Code::NoSuchThing)?.position;
    let event = Event::InvitationRevoked(pb::InvitationRevoked { invitation: number }, None);
    tx.emit(New { conversation: 0, event });
    erasure::erase(tx, vec![position], "revoked");
    Ok(Answer::Done)
}

pub(crate) fn set_profile(
    tx: &mut Tx,
    ctx: &mut Ctx,
    number: u64,
    display_name: String,
    avatar: String,
    signature: String,
) -> Result<Answer, Error> {
    live(tx, number)?;
    directory::check_profile(&display_name, &avatar, &signature)?;
    put_profile(tx, ctx, number, display_name, avatar, signature)
}

/// What others see somebody called, by who administers.
pub(crate) fn set_display_name(tx: &mut Tx, ctx: &mut Ctx, number: u64, display_name: String) -> Result<Answer, Error> {
    let profile = directory::person(tx, number).unwrap_or_default().profile.clone();
    directory::check_display_name(&display_name, "display_name")?;
    put_profile(tx, ctx, number, display_name, profile.avatar, profile.signature)
}

fn put_profile(
    tx: &mut Tx,
    ctx: &mut Ctx,
    number: u64,
    display_name: String,
    avatar: String,
    signature: String,
) -> Result<Answer, Error> {
    let account = existing(tx, number)?;
    let person = directory::person(tx, number).unwrap_or_default();
    let old = &person.profile;
    if (&old.display_name, &old.avatar, &old.signature) == (&display_name, &avatar, &signature) {
        return Ok(Answer::Done);
    }
    let body = ctx.salted(pb::ProfileSetBody { display_name, avatar, signature });
    let revision = old.revision + 1;
    let mut out = Vec::new();
    for peer in contacts::peers_of(tx, number) {
        let item = outbox::profile_item(tx, number, revision, &body, ctx.now_ms);
        out.push(outbox::next(tx, peer, &item));
    }
    let facts = pb::ProfileSet { person: number, revision, replaces: old.position, r#in: None, out };
    tx.emit(New { conversation: account.stream, event: Event::ProfileSet(facts, Some(body)) });
    erasure::erase(tx, person.profile_bodies(), "superseded");
    Ok(Answer::Done)
}
