//! Accounts, their devices and invitations, as who administers sees them.

use data_encoding::BASE32_NOPAD;
use serde::Serialize;
use startalk_domain::{
    Answer, Command,
    accounts::{self, Account, Role},
    command::{Admission, PasswordBy},
    contacts, directory, governance, groups, quotas, ways,
};
use startalk_gateway::{PasswordCost, secrets};
use startalk_protocol::{AccountName, Code, Error, limits};
use utoipa::ToSchema;

use super::{Backend, Page, Progress, intake, page_of};
use crate::clock;

/// An account.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Person {
    /// name@domain.
    pub user: String,
    pub display_name: String,
    /// member, auditor or administrator.
    pub role: String,
    pub administrator: bool,
    pub disabled: bool,
    /// How many are signed in.
    pub devices: usize,
    /// Milliseconds since 1970.
    pub created_ms: u64,
    pub conversations: usize,
    /// Messages today and bytes of what they say, where there is a quota; 0 where nothing is counted.
    pub messages_today: u64,
    pub bytes_today: u64,
}

/// A signed-in device.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Device {
    pub device: u64,
    pub name: String,
    /// Milliseconds since 1970.
    pub added_ms: u64,
}

/// Whom a provider names, and who may so sign in.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LinkedIdentity {
    pub link: u64,
    /// The provider's id in the node's settings.
    pub provider: String,
    /// What people know it by.
    pub label: String,
    /// Milliseconds since 1970.
    pub since_ms: u64,
}

/// A passkey.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct KnownPasskey {
    pub passkey: u64,
    pub name: String,
    /// Milliseconds since 1970.
    pub added_ms: u64,
    /// When it last let somebody in; null: never.
    pub used_ms: Option<u64>,
    /// It counted backwards once: there may be a copy of it.
    pub suspect: bool,
}

/// An account with its devices and the ways into it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PersonWithDevices {
    pub person: Person,
    pub devices: Vec<Device>,
    /// When one of its devices was last connected, since this process began; null: not.
    pub seen_ms: Option<u64>,
    pub has_password: bool,
    pub identities: Vec<LinkedIdentity>,
    pub passkeys: Vec<KnownPasskey>,
}

/// An account with a password for once, which is shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewPassword {
    pub user: String,
    pub password: String,
}

/// A link with which somebody signs in once and chooses a password; it is shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewLink {
    pub user: String,
    pub display_name: String,
    pub link: String,
    /// Milliseconds since 1970.
    pub not_after_ms: i64,
}

/// An invitation that can still be used.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Invitation {
    pub invitation: u64,
    /// How many more accounts it makes.
    pub uses: u32,
    /// Milliseconds since 1970.
    pub not_after_ms: i64,
    /// It makes administrators.
    pub administrator: bool,
    /// Who made it; null: the operator, or somebody who is gone.
    pub maker: Option<String>,
    /// Names of the groups into which it brings people.
    pub groups: Vec<String>,
}

/// A new invitation with its link, which is shown this once.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct NewInvitation {
    pub invitation: u64,
    pub link: String,
    pub uses: u32,
    /// Milliseconds since 1970.
    pub not_after_ms: i64,
}

fn parse(name: &str) -> Result<AccountName, Error> {
    name.parse().map_err(|_| Error::new(Code::BadName).with("name", name.chars().take(64).collect::<String>()))
}

fn account(backend: &Backend, name: &str) -> Result<u64, Error> {
    let found = accounts::by_name(&*backend.views.store, &parse(name)?);
    found.map(|a| a.account).ok_or_else(|| Error::new(Code::NoSuchUser).with("user", name))
}

/// A password for once, from which people go on to their own: 100 random bits.
fn password() -> String {
    let text = BASE32_NOPAD.encode(&clock::random::<13>()).to_ascii_lowercase();
    format!("{}-{}-{}-{}", &text[..5], &text[5..10], &text[10..15], &text[15..20])
}

/// A password for once that the domain's own policy would take.
fn new_password(backend: &Backend) -> Result<(String, String), Error> {
    let wanted = governance::realm(&*backend.views.store).password_chars_min as usize;
    let mut made = password();
    while made.len() < wanted {
        made = format!("{made}-{}", password());
    }
    let hash = secrets::hash_password(&made, clock::random(), PasswordCost::default())?;
    Ok((made, hash))
}

pub(super) fn add(backend: &Backend, name: &str, display_name: String, role: Role) -> Result<NewPassword, Error> {
    let name = parse(name)?;
    let (password, password_hash) = new_password(backend)?;
    let admission = Admission::Operator { administrator: role == Role::Administrator };
    let recovery_hashes = Vec::new(); // made by the person, after signing in
    let user = format!("{name}@{}", backend.domain);
    let command = Command::CreateAccount { name, display_name, password_hash, recovery_hashes, admission, device: None };
    let Answer::Account { account, .. } = backend.command(command)? else { return Err(Code::Internal.into()) };
    if role == Role::Auditor {
        backend.command(Command::SetRole { account, role })?;
    }
    Ok(NewPassword { user, password })
}

fn person(backend: &Backend, account: &Account) -> Option<Person> {
    let store = &*backend.views.store;
    let person = directory::person(store, account.account)?;
    let now_ms = backend.views.journal.head().time_ms.max(clock::now_ms());
    let today = quotas::today(store, account.account, now_ms);
    Some(Person {
        user: format!("{}@{}", person.name, backend.domain),
        display_name: person.profile.display_name.clone(),
        role: account.role.as_str().to_owned(),
        administrator: account.role == Role::Administrator,
        disabled: account.disabled,
        devices: account.devices.len(),
        created_ms: account.created_ms,
        conversations: contacts::conversations(store, account.account).len(),
        messages_today: today.messages,
        bytes_today: today.bytes,
    })
}

/// People whose name or shown name has `search` in it, from a cursor on.
pub(super) fn page(backend: &Backend, search: &str, cursor: u64, limit: usize) -> Page<Person> {
    let store = &*backend.views.store;
    let search = search.to_lowercase();
    page_of(&accounts::list(store), cursor, limit, |number| {
        let account = accounts::account(store, *number).filter(|a| !a.deleted && !a.ending)?;
        let known = directory::person(store, *number)?;
        let found = known.name.contains(&search) || known.profile.display_name.to_lowercase().contains(&search);
        found.then(|| person(backend, &account)).flatten()
    })
}

/// Everybody, for the command line.
pub(super) fn all(backend: &Backend) -> Vec<Person> {
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        let page = page(backend, "", cursor, limits::ADMIN_PAGE_MAX);
        all.extend(page.items);
        match page.next {
            Some(next) => cursor = next,
            None => return all,
        }
    }
}

pub(super) fn one(backend: &Backend, name: &str) -> Result<PersonWithDevices, Error> {
    let number = account(backend, name)?;
    let missing = || Error::new(Code::NoSuchUser).with("user", name);
    let account = accounts::account(&*backend.views.store, number).ok_or_else(missing)?;
    let device = |d: &accounts::Device| Device { device: d.device, name: d.name.clone(), added_ms: d.added_ms };
    let known = ways::ways(&*backend.views.store, number);
    let identity = |i: &ways::Linked| LinkedIdentity {
        link: i.link,
        provider: i.provider.clone(),
        label: i.label.clone(),
        since_ms: i.since_ms,
    };
    let passkey = |p: &ways::Passkey| KnownPasskey {
        passkey: p.passkey,
        name: p.name.clone(),
        added_ms: p.added_ms,
        used_ms: Some(p.used_ms).filter(|ms| *ms > 0),
        suspect: p.suspect,
    };
    Ok(PersonWithDevices {
        person: person(backend, &account).ok_or_else(missing)?,
        devices: account.devices.iter().map(device).collect(),
        seen_ms: Some((backend.seen)(number)).filter(|ms| *ms > 0),
        has_password: !account.password.hashes.is_empty(),
        identities: known.identities.iter().map(identity).collect(),
        passkeys: known.passkeys.iter().map(passkey).collect(),
    })
}

pub(super) fn sign_out(backend: &Backend, name: &str, device: u64) -> Result<(), Error> {
    backend.command(Command::RevokeDevice { account: account(backend, name)?, device }).map(drop)
}

/// Whom a provider names does not come in any more.
pub(super) fn unlink(backend: &Backend, name: &str, link: u64) -> Result<(), Error> {
    backend.command(Command::UnlinkIdentity { account: account(backend, name)?, link }).map(drop)
}

/// A passkey is good for nothing any more.
pub(super) fn remove_passkey(backend: &Backend, name: &str, passkey: u64) -> Result<(), Error> {
    backend.command(Command::RemovePasskey { account: account(backend, name)?, passkey }).map(drop)
}

pub(super) fn set_role(backend: &Backend, name: &str, role: Role) -> Result<(), Error> {
    backend.command(Command::SetRole { account: account(backend, name)?, role }).map(drop)
}

pub(super) fn disable(backend: &Backend, name: &str, disabled: bool) -> Result<(), Error> {
    backend.command(Command::SetDisabled { account: account(backend, name)?, disabled }).map(drop)
}

/// Ends an account. What is to be called then to erase what it wrote, which takes its time.
pub(super) fn delete(backend: &Backend, name: &str) -> Result<impl FnOnce(&Progress) -> Result<(), Error> + use<>, Error> {
    let account = account(backend, name)?;
    let conversations = contacts::conversations(&*backend.views.store, account);
    backend.command(Command::DeleteAccount { account })?;
    let backend = backend.clone();
    Ok(move |progress: &Progress| {
        let total = conversations.len() as u64;
        for (done, conversation) in (1..).zip(conversations) {
            let mut from = 1;
            // Part of an act that is recorded, and none of its own.
            let erase = |from| Command::EraseAuthored { account, conversation, from };
            while let Answer::More { from: next, .. } = super::submit(&backend.handle, erase(from))? {
                from = next;
            }
            progress(done, total);
        }
        Ok(())
    })
}

pub(super) fn reset_password(backend: &Backend, name: &str) -> Result<NewPassword, Error> {
    let account = account(backend, name)?;
    let (password, password_hash) = new_password(backend)?;
    backend.command(Command::SetPassword { account, password_hash, by: PasswordBy::Operator })?;
    Ok(NewPassword { user: format!("{name}@{}", backend.domain), password })
}

/// A link with which somebody signs in once and chooses a password.
pub(super) fn sign_in_link(backend: &Backend, name: &str, days: u32) -> Result<NewLink, Error> {
    intake::check_days(days)?;
    intake::link(backend, account(backend, name)?, days)
}

/// A link for new people; `into`: ids of groups that they are brought into.
pub(super) fn invite(
    backend: &Backend,
    uses: u32,
    hours: u32,
    administrator: bool,
    into: &[String],
) -> Result<NewInvitation, Error> {
    let no_group = |group: &String| Error::new(Code::NoSuchGroup).with("group", group.chars().take(64).collect::<String>());
    let conversation = |group: &String| {
        let id = group.parse().ok().and_then(|id| groups::by_id(&*backend.views.store, &id));
        id.ok_or_else(|| no_group(group))
    };
    let groups = into.iter().map(conversation).collect::<Result<Vec<_>, _>>()?;
    let secret = secrets::invitation(clock::random());
    let token_hash = secrets::invitation_hash(&secret);
    let valid_ms = i64::from(hours) * 3_600_000;
    match backend.command(Command::MakeInvitation { maker: 0, token_hash, uses, valid_ms, administrator, groups })? {
        Answer::Invitation { invitation, not_after_ms } => {
            let link = secrets::invitation_link(&backend.public_url, &secret);
            Ok(NewInvitation { invitation, link, uses, not_after_ms })
        }
        _ => Err(Code::Internal.into()),
    }
}

/// Invitations that can still be used, the newest first; the cursor counts down.
pub(super) fn invitations(backend: &Backend, cursor: u64, limit: usize) -> Page<Invitation> {
    let store = &*backend.views.store;
    let from = if cursor == 0 { governance::numbers(store).invitation } else { cursor };
    let (found, at) = accounts::invitations(store, from, limit, limits::ADMIN_SCAN_MAX, clock::now_ms());
    let items = found.iter().map(|i| Invitation {
        invitation: i.invitation,
        uses: i.uses,
        not_after_ms: i.not_after_ms,
        administrator: i.administrator,
        maker: super::user(backend, i.maker),
        groups: i.groups.iter().filter_map(|g| groups::group(store, *g)).map(|g| g.name.clone()).collect(),
    });
    Page { items: items.collect(), next: (at > 0).then_some(at) }
}

pub(super) fn revoke_invitation(backend: &Backend, invitation: u64) -> Result<(), Error> {
    backend.command(Command::RevokeInvitation { invitation }).map(drop)
}
