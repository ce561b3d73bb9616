//! Accounts: how they come and go, their passwords, recovery codes, devices and invitations.
//!
//! Owns prefix `a`. Events: AccountCreated, SecretSet, DeviceAdded, DeviceRevoked, AccountDisabled, AccountEnding,
//! AccountDeleted, RoleSet, InvitationMade, InvitationRevoked, RecoveryCodeUsed, ExternalIdSet, SignInLinkMade. Passwords are hashed outside (argon2id takes its time); tokens are random and
//! stored as BLAKE3. Invariant: a superseded secret's body is erased by the event after it.

mod commands;
mod intake;
mod model;

use std::sync::Arc;

use startalk_protocol::{AccountName, limits};

pub use commands::is_reserved;
pub(crate) use commands::{
    NewAccount, WantedInvitation, add_device, create, delete, go_on_ending, make_invitation, put_device, revoke_device,
    revoke_invitation, set_disabled, set_password, set_profile, set_recovery_codes, set_role,
};
pub use intake::{Arrival, check_external_id, may_become};
pub(crate) use intake::{arrive, make_sign_in_link, set_absent, set_external_id, whose};
pub use model::{Account, Device, External, Invitation, Role, Secret, SignInLink, Source};

use crate::{
    command::Actor,
    directory,
    event::{Event, Recorded},
    store::{Key, Read, Tx},
};

const PREFIX: u8 = b'a';
/// Accounts in one chunk of the list.
const CHUNK: usize = 256;

fn account_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'a', &[account])
}

fn token_key(hash: &[u8]) -> Key {
    Key::text(PREFIX, b't', 0, hash)
}

fn invitation_key(invitation: u64) -> Key {
    Key::numbers(PREFIX, b'i', &[invitation])
}

fn invitation_hash_key(hash: &[u8]) -> Key {
    Key::text(PREFIX, b'h', 0, hash)
}

fn list_key(chunk: u64) -> Key {
    Key::numbers(PREFIX, b'l', &[chunk])
}

fn count_key() -> Key {
    Key::numbers(PREFIX, b'c', &[])
}

fn external_key(source: &str, id: &str) -> Key {
    Key::text(PREFIX, b'x', 0, format!("{source}\0{id}").as_bytes())
}

fn ending_key() -> Key {
    Key::numbers(PREFIX, b'z', &[])
}

/// The account with this number.
pub fn account(read: &impl Read, number: u64) -> Option<Arc<Account>> {
    read.get(&account_key(number))
}

/// The account of this name.
pub fn by_name(read: &impl Read, name: &AccountName) -> Option<Arc<Account>> {
    account(read, directory::person_number(read, directory::HERE, name)?)
}

/// The account with this id at this source.
pub fn by_external_id(read: &impl Read, source: &Source, id: &str) -> Option<Arc<Account>> {
    account(read, *read.get::<u64>(&external_key(source.as_str(), id))?)
}

/// Whether who has this device has just proven to be the account's owner by signing in: what stands for a password where there
/// is none.
pub fn has_just_come(account: &Account, device: u64, now_ms: u64) -> bool {
    let came = account.devices.iter().find(|d| d.device == device).map(|d| d.added_ms);
    came.is_some_and(|at| now_ms.saturating_sub(at) <= limits::FRESH_SIGN_IN_MS)
}

/// Whose device a token is; `None` if there is no such token, or its account is not live.
pub fn by_token_hash(read: &impl Read, hash: &[u8; 32]) -> Option<Actor> {
    let (number, device) = *read.get::<(u64, u64)>(&token_key(hash))?;
    account(read, number).filter(|a| a.is_live()).map(|_| Actor { account: number, device })
}

/// Whether this device may act now.
pub fn is_signed_in(read: &impl Read, actor: Actor) -> bool {
    account(read, actor.account).is_some_and(|a| a.is_live() && a.devices.iter().any(|d| d.device == actor.device))
}

/// The invitation with this secret's BLAKE3, if it can still be used.
pub fn invitation(read: &impl Read, hash: &[u8; 32], now_ms: u64) -> Option<Arc<Invitation>> {
    let number = read.get::<u64>(&invitation_hash_key(hash))?;
    read.get::<Invitation>(&invitation_key(*number)).filter(|i| i.is_good(now_ms))
}

/// The account that has been on its way out for the longest time.
pub(crate) fn ending(read: &impl Read) -> Option<u64> {
    read.get::<Vec<u64>>(&ending_key()).and_then(|all| all.first().copied())
}

/// Numbers of all accounts, deleted ones too, in order of creation.
pub fn list(read: &impl Read) -> Vec<u64> {
    let count = read.get::<u64>(&count_key()).map_or(0, |c| *c);
    (0..count.div_ceil(CHUNK as u64))
        .filter_map(|chunk| read.get::<Vec<u64>>(&list_key(chunk)))
        .flat_map(|c| c.to_vec())
        .collect()
}

/// Whether anybody may administer.
pub fn has_administrator(read: &impl Read) -> bool {
    administrators(read).next().is_some()
}

/// Accounts that may administer now.
pub(crate) fn administrators<R: Read>(read: &R) -> impl Iterator<Item = u64> + '_ {
    let all = list(read);
    all.into_iter().filter(|n| account(read, *n).is_some_and(|a| a.role == Role::Administrator && a.is_live()))
}

/// Invitations from this number down that can still be used, the newest first, and how many numbers were looked at.
pub fn invitations(read: &impl Read, from: u64, limit: usize, scan: usize, now_ms: u64) -> (Vec<Arc<Invitation>>, u64) {
    let (mut found, mut at) = (Vec::new(), from);
    let last = from.saturating_sub(scan as u64);
    while at > last && found.len() < limit {
        found.extend(read.get::<Invitation>(&invitation_key(at)).filter(|i| i.is_good(now_ms)));
        at -= 1;
    }
    (found, at)
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    match &record.event {
        Event::AccountCreated(f, _) => {
            let account = Account {
                account: f.account,
                stream: f.stream,
                role: if f.administrator { Role::Administrator } else { Role::Member },
                created_ms: record.time_ms,
                position: record.position,
                ..Account::default()
            };
            tx.put(account_key(f.account), account);
            let count = tx.get::<u64>(&count_key()).map_or(0, |c| *c);
            tx.change(list_key(count / CHUNK as u64), |l: &mut Vec<u64>| l.push(f.account));
            tx.put(count_key(), count + 1);
            if f.invitation != 0 {
                use_invitation(tx, f.invitation);
            }
        }
        Event::SecretSet(f, body) => {
            let hashes = body.as_ref().map(|b| b.value.hashes.iter().map(|h| h.to_vec()).collect()).unwrap_or_default();
            let secret = Secret { position: record.position, hashes };
            change(tx, f.account, |a| match f.what.as_str() {
                "password" => (a.password, a.link) = (secret, None),
                _ => a.recovery = secret,
            });
        }
        Event::RecoveryCodeUsed(f, _) => change(tx, f.account, |a| {
            if let Some(hash) = a.recovery.hashes.get_mut(f.index as usize) {
                hash.clear();
            }
        }),
        Event::DeviceAdded(f, body) => {
            let body = body.as_ref().map(|b| b.value.clone()).unwrap_or_default();
            let token_hash = body.token_hash.to_vec();
            if !token_hash.is_empty() {
                tx.put(token_key(&token_hash), (f.account, f.device));
            }
            let (added_ms, position) = (record.time_ms, record.position);
            change(tx, f.account, |a| {
                a.devices.push(Device { device: f.device, name: body.name, token_hash, added_ms, position })
            });
        }
        Event::DeviceRevoked(f, _) => {
            let Some(account) = account(tx, f.account) else { return };
            for device in account.devices.iter().filter(|d| d.device == f.device && !d.token_hash.is_empty()) {
                tx.remove(token_key(&device.token_hash));
            }
            change(tx, f.account, |a| a.devices.retain(|d| d.device != f.device));
        }
        Event::AccountDisabled(f, _) => change(tx, f.account, |a| {
            a.disabled = f.disabled;
            a.absent = f.disabled && !f.absent_from.is_empty();
        }),
        Event::ExternalIdSet(f, body) => {
            let id = body.as_ref().map(|b| b.value.external_id.clone()).unwrap_or_default();
            if !id.is_empty() {
                tx.put(external_key(&f.source, &id), f.account);
            }
            let external = External { source: f.source.clone(), id, position: record.position };
            change(tx, f.account, |a| a.external = Some(external));
        }
        Event::SignInLinkMade(f, body) => {
            let token_hash = body.as_ref().map(|b| b.value.token_hash.to_vec()).unwrap_or_default();
            let link = SignInLink { token_hash, not_after_ms: f.not_after_ms, position: record.position };
            change(tx, f.account, |a| a.link = Some(link));
        }
        Event::RoleSet(f, _) => change(tx, f.account, |a| a.role = f.role.parse().unwrap_or_default()),
        Event::InvitationRevoked(f, _) => {
            let Some(invitation) = tx.get::<Invitation>(&invitation_key(f.invitation)) else { return };
            if !invitation.token_hash.is_empty() {
                tx.remove(invitation_hash_key(&invitation.token_hash));
            }
            tx.remove(invitation_key(f.invitation));
        }
        Event::AccountEnding(f, _) => {
            change(tx, f.account, |a| a.ending = true);
            tx.change(ending_key(), |all: &mut Vec<u64>| all.push(f.account));
        }
        Event::AccountDeleted(f, _) => {
            let Some(old) = account(tx, f.account) else { return };
            for device in old.devices.iter().filter(|d| !d.token_hash.is_empty()) {
                tx.remove(token_key(&device.token_hash));
            }
            if let Some(external) = old.external.as_ref().filter(|e| !e.id.is_empty()) {
                tx.remove(external_key(&external.source, &external.id));
            }
            if old.ending {
                tx.change(ending_key(), |all: &mut Vec<u64>| all.retain(|a| *a != f.account));
            }
            let (stream, created_ms, position) = (old.stream, old.created_ms, old.position);
            tx.put(
                account_key(f.account),
                Account { account: f.account, stream, deleted: true, created_ms, position, ..Account::default() },
            );
        }
        Event::InvitationMade(f, body) => {
            let token_hash = body.as_ref().map(|b| b.value.token_hash.to_vec()).unwrap_or_default();
            if !token_hash.is_empty() {
                tx.put(invitation_hash_key(&token_hash), f.invitation);
            }
            let (uses, not_after_ms) = (f.uses, f.not_after_ms);
            let made = Invitation {
                invitation: f.invitation,
                uses,
                not_after_ms,
                administrator: f.administrator,
                maker: f.maker,
                groups: f.groups.clone(),
                token_hash,
                position: record.position,
            };
            tx.put(invitation_key(f.invitation), made);
        }
        _ => {}
    }
}

fn change(tx: &mut Tx, number: u64, change: impl FnOnce(&mut Account)) {
    tx.change(account_key(number), change);
}

fn use_invitation(tx: &mut Tx, number: u64) {
    let Some(invitation) = tx.get::<Invitation>(&invitation_key(number)) else { return };
    let mut left = (*invitation).clone();
    left.uses = left.uses.saturating_sub(1);
    tx.put(invitation_key(number), left);
}
