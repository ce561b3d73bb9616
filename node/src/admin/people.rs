//! Accounts and invitations, for the operator.

use data_encoding::BASE32_NOPAD;
use serde_json::{Value, json};
use startalk_domain::{
    Answer, Command, accounts,
    command::{Admission, PasswordBy},
    contacts, directory,
};
use startalk_gateway::{PasswordCost, secrets};
use startalk_protocol::{AccountName, Code, Error};

use super::{Backend, Progress};
use crate::clock;

fn account(backend: &Backend, name: &str) -> Result<u64, Error> {
    let parsed: AccountName = name.parse().map_err(|_| Error::new(Code::BadName).with("name", name))?;
    let found = accounts::by_name(&*backend.views.store, &parsed);
    found.map(|a| a.account).ok_or_else(|| Error::new(Code::NoSuchUser).with("user", name))
}

/// A password for once, from which people go on to their own: 100 random bits.
fn password() -> String {
    let text = BASE32_NOPAD.encode(&clock::random::<13>()).to_ascii_lowercase();
    format!("{}-{}-{}-{}", &text[..5], &text[5..10], &text[10..15], &text[15..20])
}

pub(super) fn add(backend: &Backend, name: &str, display_name: String, administrator: bool) -> Result<Value, Error> {
    let parsed: AccountName = name.parse().map_err(|_| Error::new(Code::BadName).with("name", name))?;
    let password = password();
    let password_hash = secrets::hash_password(&password, clock::random(), PasswordCost::default())?;
    let admission = Admission::Operator { administrator };
    let recovery_hashes = Vec::new(); // made by the person, after signing in
    let name = parsed.clone();
    let command = Command::CreateAccount { name, display_name, password_hash, recovery_hashes, admission, device: None };
    backend.command(command)?;
    Ok(json!({ "user": format!("{parsed}@{}", backend.domain), "password": password }))
}

pub(super) fn list(backend: &Backend) -> Value {
    let store = &*backend.views.store;
    let all: Vec<Value> = accounts::list(store)
        .into_iter()
        .filter_map(|number| {
            let account = accounts::account(store, number).filter(|a| !a.deleted)?;
            let person = directory::person(store, number)?;
            Some(json!({
                "user": format!("{}@{}", person.name, backend.domain), "display_name": person.profile.display_name,
                "administrator": account.administrator, "disabled": account.disabled, "devices": account.devices.len(),
                "created_ms": account.created_ms, "conversations": contacts::conversations(store, number).len(),
            }))
        })
        .collect();
    json!({ "users": all })
}

pub(super) fn disable(backend: &Backend, name: &str, disabled: bool) -> Result<Value, Error> {
    backend.command(Command::SetDisabled { account: account(backend, name)?, disabled })?;
    Ok(json!({}))
}

pub(super) fn delete(backend: &Backend, name: &str, erase_messages: bool, progress: &Progress) -> Result<Value, Error> {
    let account = account(backend, name)?;
    let conversations = contacts::conversations(&*backend.views.store, account);
    backend.command(Command::DeleteAccount { account })?;
    if erase_messages {
        let total = conversations.len() as u64;
        for (done, conversation) in (1..).zip(conversations) {
            let mut from = 1;
            while let Answer::More { from: next, .. } = backend.command(Command::EraseAuthored { account, conversation, from })? {
                from = next;
            }
            progress(done, total);
        }
    }
    Ok(json!({}))
}

pub(super) fn reset_password(backend: &Backend, name: &str) -> Result<Value, Error> {
    let account = account(backend, name)?;
    let password = password();
    let password_hash = secrets::hash_password(&password, clock::random(), PasswordCost::default())?;
    backend.command(Command::SetPassword { account, password_hash, by: PasswordBy::Operator })?;
    Ok(json!({ "password": password }))
}

pub(super) fn invite(backend: &Backend, uses: u32, hours: u32, administrator: bool) -> Result<Value, Error> {
    let secret = secrets::invitation(clock::random());
    let token_hash = secrets::invitation_hash(&secret);
    let valid_ms = i64::from(hours) * 3_600_000;
    match backend.command(Command::MakeInvitation { maker: 0, token_hash, uses, valid_ms, administrator })? {
        Answer::Invitation { not_after_ms, .. } => Ok(
            json!({ "link": secrets::invitation_link(&backend.public_url, &secret), "not_after_ms": not_after_ms, "uses": uses }),
        ),
        _ => Err(Code::Internal.into()),
    }
}
