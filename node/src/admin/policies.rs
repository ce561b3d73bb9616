//! What holds for everybody, and the domain at a glance.

use serde::{Deserialize, Serialize};
use startalk_domain::{
    Command,
    accounts::{self, Role},
    directory,
    governance::{self, NewPolicy},
    retention,
};
use startalk_protocol::Error;
use utoipa::ToSchema;

use super::{
    Backend, backup,
    doctor::{self, Finding},
    storage::{self, Storage},
};
use crate::clock;

/// Policies as they are, and what the domain is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Policies {
    pub domain: String,
    pub display_name: String,
    /// closed, invitation or open.
    pub registration: String,
    /// Hubs are asked to list it.
    pub listed: bool,
    /// How long authors may recall.
    pub recall_seconds: i64,
    /// How long authors may edit.
    pub edit_seconds: i64,
    /// everybody or administrators.
    pub group_creation: String,
    /// Characters of a new password at least.
    pub password_chars_min: u32,
    /// open, or allowed: only with domains that were allowed.
    pub federation: String,
    /// Days for which messages are kept; 0: for ever.
    pub retention_days: u32,
    /// Of which conversations: all, direct or groups.
    pub retention_of: String,
    /// Accounts at most; 0: no limit.
    pub accounts_max: u64,
    /// Messages that an account may send in a day; 0: no limit.
    pub messages_per_day: u64,
    /// Bytes of what an account says in a day; 0: no limit.
    pub bytes_per_day: u64,
    /// Groups of this domain that an account may own; 0: no limit.
    pub groups_per_account: u64,
    /// Bytes of a file at most.
    pub file_bytes_max: u64,
    /// Bytes of files that an account may hold; 0: no limit.
    pub files_bytes_per_account: u64,
    /// Bytes of copies of other domains' files at most.
    pub cache_bytes_max: u64,
    /// Days for which a copy is kept that nobody opens.
    pub cache_days: u32,
    /// The node may look at pages that its people link to.
    pub link_previews: bool,
    /// A line or two about the domain.
    pub description: String,
    /// #rrggbb, or nothing.
    pub colour: String,
    /// Days after which an account of who does not administer ends; 0: it does not.
    pub trial_days: u32,
    pub records: u64,
    pub epoch: u32,
    pub url: String,
}

/// What is to change; what is left out stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyChange {
    /// closed, invitation or open.
    pub registration: Option<String>,
    pub display_name: Option<String>,
    pub listed: Option<bool>,
    #[schema(minimum = 0)]
    pub recall_seconds: Option<i64>,
    #[schema(minimum = 0)]
    pub edit_seconds: Option<i64>,
    /// everybody or administrators.
    pub group_creation: Option<String>,
    #[schema(minimum = 8, maximum = 128)]
    pub password_chars_min: Option<u32>,
    /// open or allowed.
    pub federation: Option<String>,
    /// Days for which messages are kept; 0: for ever. What is older is erased for good.
    #[schema(maximum = 36600)]
    pub retention_days: Option<u32>,
    /// all, direct or groups.
    pub retention_of: Option<String>,
    /// 0: no limit; so are the next ones.
    pub accounts_max: Option<u64>,
    pub messages_per_day: Option<u64>,
    pub bytes_per_day: Option<u64>,
    pub groups_per_account: Option<u64>,
    /// Bytes of a file at most.
    #[schema(minimum = 1)]
    pub file_bytes_max: Option<u64>,
    /// Bytes of files that an account may hold; 0: no limit.
    pub files_bytes_per_account: Option<u64>,
    /// Bytes of copies of other domains' files at most.
    #[schema(minimum = 1)]
    pub cache_bytes_max: Option<u64>,
    /// Days for which a copy is kept that nobody opens.
    #[schema(minimum = 1)]
    pub cache_days: Option<u32>,
    /// The node may look at pages that its people link to.
    pub link_previews: Option<bool>,
    /// A line or two about the domain.
    pub description: Option<String>,
    /// #rrggbb, or nothing.
    pub colour: Option<String>,
    /// Days after which an account of who does not administer ends; 0: it does not.
    #[schema(maximum = 36600)]
    pub trial_days: Option<u32>,
}

/// What would be erased at once if messages were kept only for so long.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub struct WouldGo {
    /// Messages that are there now.
    pub messages: u64,
    /// There are more; so many were counted.
    pub more: bool,
}

pub(super) fn would_go(backend: &Backend, days: u32, of: &str) -> Result<WouldGo, Error> {
    let retention::WouldGo { messages, more } = retention::would_go(&backend.views, of.parse()?, days, clock::now_ms())?;
    Ok(WouldGo { messages, more })
}

/// The domain at a glance.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Overview {
    pub domain: String,
    pub display_name: String,
    pub url: String,
    /// Of the program.
    pub version: String,
    /// One more each time the domain was brought back from a copy.
    pub epoch: u32,
    pub people: u64,
    /// How many there may be; 0: no limit.
    pub people_max: u64,
    pub administrators: u64,
    pub disabled: u64,
    pub domains: u64,
    /// Domains with a link now.
    pub connected: u64,
    pub storage: Storage,
    pub last_backup: Option<backup::Made>,
    /// What is seen at once; a check looks closer.
    pub findings: Vec<Finding>,
}

pub(super) fn show(backend: &Backend) -> Policies {
    let realm = governance::realm(&*backend.views.store);
    Policies {
        domain: backend.domain.to_string(),
        display_name: realm.display_name.clone(),
        registration: realm.registration.as_str().to_owned(),
        listed: realm.listed,
        recall_seconds: realm.recall_window_ms / 1000,
        edit_seconds: realm.edit_window_ms / 1000,
        group_creation: realm.group_creation.as_str().to_owned(),
        password_chars_min: realm.password_chars_min,
        federation: realm.federation.as_str().to_owned(),
        retention_days: realm.retention_days,
        retention_of: realm.retention_of.as_str().to_owned(),
        accounts_max: realm.quotas.accounts,
        messages_per_day: realm.quotas.messages_per_day,
        bytes_per_day: realm.quotas.bytes_per_day,
        groups_per_account: realm.quotas.groups_per_account,
        file_bytes_max: realm.files.file_bytes_max,
        files_bytes_per_account: realm.files.bytes_per_account,
        cache_bytes_max: realm.files.cache_bytes_max,
        cache_days: realm.files.cache_days,
        link_previews: realm.link_previews,
        description: realm.description.clone(),
        colour: realm.colour.clone(),
        trial_days: realm.trial_days,
        records: backend.views.journal.head().position,
        epoch: realm.epoch,
        url: backend.public_url.clone(),
    }
}

pub(super) fn change(backend: &Backend, change: PolicyChange) -> Result<Policies, Error> {
    let window = |seconds: Option<i64>| seconds.map(|s| s.saturating_mul(1000));
    let new = NewPolicy {
        registration: change.registration.map(|r| r.parse()).transpose()?,
        display_name: change.display_name,
        listed: change.listed,
        recall_window_ms: window(change.recall_seconds),
        edit_window_ms: window(change.edit_seconds),
        group_creation: change.group_creation.map(|g| g.parse()).transpose()?,
        password_chars_min: change.password_chars_min,
        federation: change.federation.map(|f| f.parse()).transpose()?,
        retention_days: change.retention_days,
        retention_of: change.retention_of.map(|of| of.parse()).transpose()?,
        accounts_max: change.accounts_max,
        messages_per_day: change.messages_per_day,
        bytes_per_day: change.bytes_per_day,
        groups_per_account: change.groups_per_account,
        file_bytes_max: change.file_bytes_max,
        files_bytes_per_account: change.files_bytes_per_account,
        cache_bytes_max: change.cache_bytes_max,
        cache_days: change.cache_days,
        link_previews: change.link_previews,
        description: change.description,
        colour: change.colour,
        trial_days: change.trial_days,
    };
    backend.command(Command::SetPolicy(new))?;
    Ok(show(backend))
}

pub(super) fn overview(backend: &Backend) -> Overview {
    let store = &*backend.views.store;
    let realm = governance::realm(store);
    let (mut people, mut administrators, mut disabled) = (0, 0, 0);
    for account in accounts::list(store).iter().filter_map(|n| accounts::account(store, *n)).filter(|a| !a.deleted) {
        people += 1;
        administrators += u64::from(account.role == Role::Administrator);
        disabled += u64::from(account.disabled);
    }
    Overview {
        domain: backend.domain.to_string(),
        display_name: realm.display_name.clone(),
        url: backend.public_url.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch: realm.epoch,
        people,
        people_max: realm.quotas.accounts,
        administrators,
        disabled,
        domains: directory::peers(store).len() as u64,
        connected: (backend.peers)().iter().filter(|l| l.state == "connected").count() as u64,
        storage: storage::measure(backend),
        last_backup: backup::list(backend).into_iter().next(),
        findings: doctor::glance(backend),
    }
}
