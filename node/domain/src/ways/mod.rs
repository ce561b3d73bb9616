//! Other ways into an account than its password: identities that providers name, and passkeys.
//!
//! Owns prefix `k`. Events: IdentityLinked, IdentityUnlinked, PasskeyAdded, PasskeyRemoved, PasskeyUsed; AccountDeleted ends
//! them. Whether a provider's word or a passkey's signature is good is checked outside; whose account it opens is decided
//! here, and devices come into being where password sign-in makes them. Invariant: an identity, and a passkey, belongs to
//! one account; an e-mail address or a name alone never links one. An account that came from a directory is entered by the
//! identity with its id there.

mod commands;
mod model;

use std::sync::Arc;

pub use commands::check_label;
pub(crate) use commands::{
    add_passkey, enter_by_identity, enter_by_passkey, link_identity, remove_passkey, suspect_passkey, unlink_identity,
};
pub use model::{Identity, Linked, NewPasskey, Newcomer, Passkey, PasskeyUse, Ways};

use crate::{
    accounts::{self, Source},
    event::{Event, Recorded},
    store::{Key, Read, Tx},
};

const PREFIX: u8 = b'k';

fn ways_key(account: u64) -> Key {
    Key::numbers(PREFIX, b'w', &[account])
}

/// Names in directories and credentials' ids may be long: the key has their hash.
fn identity_key(issuer: &str, subject: &str) -> Key {
    let mut hash = blake3::Hasher::new_derive_key("startalk identity of a provider");
    hash.update(&(issuer.len() as u64).to_be_bytes()).update(issuer.as_bytes()).update(subject.as_bytes());
    Key::text(PREFIX, b'i', 0, hash.finalize().as_bytes())
}

fn passkey_key(credential_id: &[u8]) -> Key {
    let mut hash = blake3::Hasher::new_derive_key("startalk passkey");
    hash.update(credential_id);
    Key::text(PREFIX, b'p', 0, hash.finalize().as_bytes())
}

/// The ways into an account besides its password.
pub fn ways(read: &impl Read, account: u64) -> Arc<Ways> {
    read.get(&ways_key(account)).unwrap_or_default()
}

/// The account that whom a provider names may sign in to.
pub fn by_identity(read: &impl Read, issuer: &str, subject: &str) -> Option<u64> {
    read.get::<u64>(&identity_key(issuer, subject)).map(|a| *a)
}

/// The account that whom a provider or a directory names may enter: linked, or come from that directory with this id.
pub fn opened_by(read: &impl Read, issuer: &str, subject: &str) -> Option<u64> {
    by_identity(read, issuer, subject).or_else(|| {
        let source = Source::directory(issuer)?;
        accounts::by_external_id(read, &source, subject).map(|a| a.account)
    })
}

/// The account that a passkey opens, and the passkey.
pub fn by_credential(read: &impl Read, credential_id: &[u8]) -> Option<(u64, Passkey)> {
    let account = *read.get::<u64>(&passkey_key(credential_id))?;
    let passkey = ways(read, account).passkeys.iter().find(|p| p.credential_id == credential_id).cloned()?;
    Some((account, passkey))
}

/// Positions of all bodies that the module keeps of an account.
pub(crate) fn bodies(read: &impl Read, account: u64) -> Vec<u64> {
    let ways = ways(read, account);
    ways.identities.iter().map(|i| i.position).chain(ways.passkeys.iter().map(|p| p.position)).collect()
}

pub(crate) fn apply(tx: &mut Tx, record: &Recorded) {
    let (since_ms, position) = (record.time_ms, record.position);
    match &record.event {
        Event::IdentityLinked(f, body) => {
            let body = body.as_ref().map(|b| b.value.clone()).unwrap_or_default();
            if !body.issuer.is_empty() {
                tx.put(identity_key(&body.issuer, &body.subject), f.account);
            }
            let (link, provider) = (f.link, f.provider.clone());
            let new =
                Linked { link, provider, issuer: body.issuer, subject: body.subject, label: body.label, since_ms, position };
            change(tx, f.account, |ways| {
                ways.last = ways.last.max(link);
                ways.identities.push(new);
            });
        }
        Event::IdentityUnlinked(f, _) => {
            for old in ways(tx, f.account).identities.iter().filter(|i| i.link == f.link) {
                tx.remove(identity_key(&old.issuer, &old.subject));
            }
            change(tx, f.account, |ways| ways.identities.retain(|i| i.link != f.link));
        }
        Event::PasskeyAdded(f, body) => {
            let body = body.as_ref().map(|b| b.value.clone()).unwrap_or_default();
            let credential_id = body.credential_id.to_vec();
            if !credential_id.is_empty() {
                tx.put(passkey_key(&credential_id), f.account);
            }
            let new = Passkey {
                passkey: f.passkey,
                name: body.name,
                credential_id,
                credential: body.credential.to_vec(),
                counter: 0,
                added_ms: since_ms,
                used_ms: 0,
                suspect: false,
                position,
            };
            change(tx, f.account, |ways| {
                ways.last = ways.last.max(f.passkey);
                ways.passkeys.push(new);
            });
        }
        Event::PasskeyRemoved(f, _) => {
            for old in ways(tx, f.account).passkeys.iter().filter(|p| p.passkey == f.passkey) {
                tx.remove(passkey_key(&old.credential_id));
            }
            change(tx, f.account, |ways| ways.passkeys.retain(|p| p.passkey != f.passkey));
        }
        Event::PasskeyUsed(f, _) => change(tx, f.account, |ways| {
            for passkey in ways.passkeys.iter_mut().filter(|p| p.passkey == f.passkey) {
                passkey.counter = f.counter;
                passkey.suspect |= f.suspect;
                if !f.suspect {
                    passkey.used_ms = since_ms;
                }
            }
        }),
        Event::AccountDeleted(f, _) => {
            let Some(old) = tx.get::<Ways>(&ways_key(f.account)) else { return };
            old.identities.iter().for_each(|i| tx.remove(identity_key(&i.issuer, &i.subject)));
            old.passkeys.iter().for_each(|p| tx.remove(passkey_key(&p.credential_id)));
            tx.remove(ways_key(f.account));
        }
        _ => {}
    }
}

fn change(tx: &mut Tx, account: u64, change: impl FnOnce(&mut Ways)) {
    tx.change(ways_key(account), change);
}
