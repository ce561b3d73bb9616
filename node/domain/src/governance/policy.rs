//! What an administrator may set for everybody: its words, its bounds, how it is recorded and learnt again.

use serde::{Deserialize, Serialize};
use startalk_protocol::{
    Code, Error, limits,
    pb::events as pb,
    trust::{Registration, is_colour, is_plain_line},
};

use super::{Realm, realm};
use crate::{
    command::Answer,
    event::Event,
    store::{New, Tx},
};

pub(super) const PASSWORD_CHARS_MIN: u32 = limits::PASSWORD_CHARS_MIN as u32;

/// Who may begin groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum GroupCreation {
    /// Whoever has an account.
    #[default]
    Everybody,
    /// Administrators of the domain.
    Administrators,
}

/// With which domains a domain talks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Openness {
    /// All that were not denied.
    #[default]
    Open,
    /// Only those that were allowed.
    Allowed,
}

/// In which conversations messages are kept only for a time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum RetentionOf {
    /// In all.
    #[default]
    All,
    /// Of two people.
    Direct,
    /// Groups.
    Groups,
}

impl RetentionOf {
    /// Whether conversations of two people are among them.
    pub fn direct(self) -> bool {
        self != Self::Groups
    }

    /// Whether groups are.
    pub fn groups(self) -> bool {
        self != Self::Direct
    }
}

/// What may be used at most; 0: as much as one likes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quotas {
    /// Accounts of the domain.
    pub accounts: u64,
    /// Messages that an account may send in a day.
    pub messages_per_day: u64,
    /// Bytes of what they say.
    pub bytes_per_day: u64,
    /// Groups of this domain that an account may own.
    pub groups_per_account: u64,
}

/// What files may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLimits {
    /// Bytes of one file.
    pub file_bytes_max: u64,
    /// Bytes of all that one account holds; 0: as many as it likes.
    pub bytes_per_account: u64,
    /// Bytes of copies of other domains' files.
    pub cache_bytes_max: u64,
    /// Days for which a copy is kept that nobody opens.
    pub cache_days: u32,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            file_bytes_max: limits::FILE_BYTES_MAX_DEFAULT,
            bytes_per_account: limits::FILES_PER_ACCOUNT_BYTES_DEFAULT,
            cache_bytes_max: limits::CACHE_BYTES_MAX_DEFAULT,
            cache_days: limits::CACHE_DAYS_DEFAULT,
        }
    }
}

macro_rules! words_of_policy {
    ($name:ident, $expected:literal, $($variant:ident $text:literal),*) => {
        impl $name {
            /// As it travels.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self, Error> {
                match text {
                    $($text => Ok(Self::$variant),)*
                    _ => Err(Error::new(Code::BadValue).with("field", stringify!($name)).with("expected", $expected)),
                }
            }
        }
    };
}
words_of_policy!(GroupCreation, "everybody or administrators", Everybody "everybody", Administrators "administrators");
words_of_policy!(RetentionOf, "all, direct or groups", All "all", Direct "direct", Groups "groups");
words_of_policy!(Openness, "open or allowed", Open "open", Allowed "allowed");

/// Policies that are to change; those that are `None` stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct NewPolicy {
    pub registration: Option<Registration>,
    pub display_name: Option<String>,
    pub listed: Option<bool>,
    pub recall_window_ms: Option<i64>,
    pub edit_window_ms: Option<i64>,
    pub group_creation: Option<GroupCreation>,
    pub password_chars_min: Option<u32>,
    pub federation: Option<Openness>,
    pub retention_days: Option<u32>,
    pub retention_of: Option<RetentionOf>,
    pub accounts_max: Option<u64>,
    pub messages_per_day: Option<u64>,
    pub bytes_per_day: Option<u64>,
    pub groups_per_account: Option<u64>,
    pub file_bytes_max: Option<u64>,
    pub files_bytes_per_account: Option<u64>,
    pub cache_bytes_max: Option<u64>,
    pub cache_days: Option<u32>,
    pub link_previews: Option<bool>,
    pub description: Option<String>,
    pub colour: Option<String>,
    pub trial_days: Option<u32>,
}

pub(crate) fn set_policy(tx: &mut Tx, new: NewPolicy) -> Result<Answer, Error> {
    let now = realm(tx);
    check_policy(&new)?;
    let facts = facts_of(&Realm {
        registration: new.registration.unwrap_or(now.registration),
        recall_window_ms: new.recall_window_ms.unwrap_or(now.recall_window_ms),
        edit_window_ms: new.edit_window_ms.unwrap_or(now.edit_window_ms),
        display_name: new.display_name.unwrap_or_else(|| now.display_name.clone()),
        listed: new.listed.unwrap_or(now.listed),
        group_creation: new.group_creation.unwrap_or(now.group_creation),
        password_chars_min: new.password_chars_min.unwrap_or(now.password_chars_min),
        federation: new.federation.unwrap_or(now.federation),
        retention_days: new.retention_days.unwrap_or(now.retention_days),
        retention_of: new.retention_of.unwrap_or(now.retention_of),
        quotas: Quotas {
            accounts: new.accounts_max.unwrap_or(now.quotas.accounts),
            messages_per_day: new.messages_per_day.unwrap_or(now.quotas.messages_per_day),
            bytes_per_day: new.bytes_per_day.unwrap_or(now.quotas.bytes_per_day),
            groups_per_account: new.groups_per_account.unwrap_or(now.quotas.groups_per_account),
        },
        files: FileLimits {
            file_bytes_max: new.file_bytes_max.unwrap_or(now.files.file_bytes_max),
            bytes_per_account: new.files_bytes_per_account.unwrap_or(now.files.bytes_per_account),
            cache_bytes_max: new.cache_bytes_max.unwrap_or(now.files.cache_bytes_max),
            cache_days: new.cache_days.unwrap_or(now.files.cache_days),
        },
        link_previews: new.link_previews.unwrap_or(now.link_previews),
        description: new.description.unwrap_or_else(|| now.description.clone()),
        colour: new.colour.unwrap_or_else(|| now.colour.clone()),
        trial_days: new.trial_days.unwrap_or(now.trial_days),
        ..Realm::default()
    });
    if facts != facts_of(&now) {
        tx.emit(New { conversation: 0, event: Event::PolicySet(facts, None) });
    }
    Ok(Answer::Done)
}

fn check_policy(new: &NewPolicy) -> Result<(), Error> {
    let bad = |field: &str, expected: String| Err(Error::new(Code::BadValue).with("field", field).with("expected", expected));
    if let Some(name) = &new.display_name {
        crate::directory::check_display_name(name, "display_name")?;
    }
    for (field, window) in [("recall_window", new.recall_window_ms), ("edit_window", new.edit_window_ms)] {
        if window.is_some_and(|w| !(0..=limits::WINDOW_MS_MAX).contains(&w)) {
            return bad(field, format!("0 to {} milliseconds", limits::WINDOW_MS_MAX));
        }
    }
    let allowed = PASSWORD_CHARS_MIN..=limits::PASSWORD_CHARS_MIN_MAX;
    if new.password_chars_min.is_some_and(|n| !allowed.contains(&n)) {
        return bad("password_chars_min", format!("{} to {}", allowed.start(), allowed.end()));
    }
    if new.retention_days.is_some_and(|days| days > limits::RETENTION_DAYS_MAX) {
        return bad("retention_days", format!("0 to {}", limits::RETENTION_DAYS_MAX));
    }
    let quotas = [
        ("accounts_max", new.accounts_max),
        ("messages_per_day", new.messages_per_day),
        ("bytes_per_day", new.bytes_per_day),
        ("groups_per_account", new.groups_per_account),
    ];
    if let Some((field, _)) = quotas.iter().find(|(_, quota)| quota.is_some_and(|n| n > limits::QUOTA_MAX)) {
        return bad(field, format!("0 to {}", limits::QUOTA_MAX));
    }
    let bytes = 1..=limits::FILE_BYTES_LIMIT;
    for (field, value) in [("file_bytes_max", new.file_bytes_max), ("cache_bytes_max", new.cache_bytes_max)] {
        if value.is_some_and(|n| !bytes.contains(&n)) {
            return bad(field, format!("1 to {}", limits::FILE_BYTES_LIMIT));
        }
    }
    if new.files_bytes_per_account.is_some_and(|n| n > limits::FILE_BYTES_LIMIT) {
        return bad("files_bytes_per_account", format!("0 to {}", limits::FILE_BYTES_LIMIT));
    }
    if new.cache_days.is_some_and(|days| !(1..=limits::CACHE_DAYS_MAX).contains(&days)) {
        return bad("cache_days", format!("1 to {}", limits::CACHE_DAYS_MAX));
    }
    if new.description.as_ref().is_some_and(|d| d.len() > limits::DOMAIN_DESCRIPTION_BYTES_MAX || !is_plain_line(d)) {
        return bad("description", format!("at most {} bytes without control characters", limits::DOMAIN_DESCRIPTION_BYTES_MAX));
    }
    if new.colour.as_ref().is_some_and(|c| !is_colour(c)) {
        return bad("colour", "#rrggbb in lower case, or nothing".into());
    }
    if new.trial_days.is_some_and(|days| days > limits::TRIAL_DAYS_MAX) {
        return bad("trial_days", format!("0 to {}", limits::TRIAL_DAYS_MAX));
    }
    Ok(())
}

/// The policies of a realm as they are recorded; what is as it always was is left out.
fn facts_of(realm: &Realm) -> pb::PolicySet {
    let (files, usual) = (realm.files, FileLimits::default());
    let unless_usual = |value: u64, usual: u64| if value == usual { 0 } else { value };
    let unless_default = |is_default: bool, text: &str| if is_default { String::new() } else { text.to_owned() };
    pb::PolicySet {
        registration: realm.registration.as_str().into(),
        recall_window_ms: realm.recall_window_ms,
        edit_window_ms: realm.edit_window_ms,
        display_name: realm.display_name.clone(),
        listed: realm.listed,
        group_creation: unless_default(realm.group_creation == GroupCreation::default(), realm.group_creation.as_str()),
        password_chars_min: if realm.password_chars_min == PASSWORD_CHARS_MIN { 0 } else { realm.password_chars_min },
        federation: unless_default(realm.federation == Openness::default(), realm.federation.as_str()),
        retention_days: realm.retention_days,
        retention_of: unless_default(realm.retention_of == RetentionOf::default(), realm.retention_of.as_str()),
        accounts_max: realm.quotas.accounts,
        messages_per_day: realm.quotas.messages_per_day,
        bytes_per_day: realm.quotas.bytes_per_day,
        groups_per_account: realm.quotas.groups_per_account,
        file_bytes_max: unless_usual(files.file_bytes_max, usual.file_bytes_max),
        files_bytes_per_account: match files.bytes_per_account {
            0 => u64::MAX,
            bytes => unless_usual(bytes, usual.bytes_per_account),
        },
        cache_bytes_max: unless_usual(files.cache_bytes_max, usual.cache_bytes_max),
        cache_days: if files.cache_days == usual.cache_days { 0 } else { files.cache_days },
        link_previews: realm.link_previews,
        description: realm.description.clone(),
        colour: realm.colour.clone(),
        trial_days: realm.trial_days,
    }
}

/// The policies of a realm by name, for saying what was changed.
pub(crate) fn policies(realm: &Realm) -> Vec<(&'static str, String)> {
    vec![
        ("registration", realm.registration.as_str().to_owned()),
        ("recall_seconds", (realm.recall_window_ms / 1000).to_string()),
        ("edit_seconds", (realm.edit_window_ms / 1000).to_string()),
        ("display_name", realm.display_name.clone()),
        ("listed", realm.listed.to_string()),
        ("group_creation", realm.group_creation.as_str().to_owned()),
        ("password_chars_min", realm.password_chars_min.to_string()),
        ("federation", realm.federation.as_str().to_owned()),
        ("retention_days", realm.retention_days.to_string()),
        ("retention_of", realm.retention_of.as_str().to_owned()),
        ("accounts_max", realm.quotas.accounts.to_string()),
        ("messages_per_day", realm.quotas.messages_per_day.to_string()),
        ("bytes_per_day", realm.quotas.bytes_per_day.to_string()),
        ("groups_per_account", realm.quotas.groups_per_account.to_string()),
        ("file_bytes_max", realm.files.file_bytes_max.to_string()),
        ("files_bytes_per_account", realm.files.bytes_per_account.to_string()),
        ("cache_bytes_max", realm.files.cache_bytes_max.to_string()),
        ("cache_days", realm.files.cache_days.to_string()),
        ("link_previews", realm.link_previews.to_string()),
        ("description", realm.description.clone()),
        ("colour", realm.colour.clone()),
        ("trial_days", realm.trial_days.to_string()),
    ]
}

/// The policies of a record; a word of a later version counts as the one that allows less.
pub(super) fn learn(realm: &mut Realm, f: &pb::PolicySet) {
    let r = realm;
    r.registration = f.registration.parse().unwrap_or(Registration::Closed);
    r.recall_window_ms = f.recall_window_ms;
    r.edit_window_ms = f.edit_window_ms;
    r.display_name.clone_from(&f.display_name);
    r.listed = f.listed;
    r.group_creation = if f.group_creation.is_empty() {
        GroupCreation::default()
    } else {
        f.group_creation.parse().unwrap_or(GroupCreation::Administrators)
    };
    r.password_chars_min = f.password_chars_min.max(PASSWORD_CHARS_MIN);
    r.federation = if f.federation.is_empty() { Openness::default() } else { f.federation.parse().unwrap_or(Openness::Allowed) };
    (r.retention_days, r.retention_of) = match f.retention_of.as_str() {
        "" => (f.retention_days, RetentionOf::All),
        of => of.parse().map_or((0, RetentionOf::All), |of| (f.retention_days, of)), // what is erased does not come back
    };
    r.quotas = Quotas {
        accounts: f.accounts_max,
        messages_per_day: f.messages_per_day,
        bytes_per_day: f.bytes_per_day,
        groups_per_account: f.groups_per_account,
    };
    let usual = FileLimits::default();
    let or_usual = |value: u64, usual: u64| if value == 0 { usual } else { value };
    r.files = FileLimits {
        file_bytes_max: or_usual(f.file_bytes_max, usual.file_bytes_max),
        bytes_per_account: match f.files_bytes_per_account {
            u64::MAX => 0,
            bytes => or_usual(bytes, usual.bytes_per_account),
        },
        cache_bytes_max: or_usual(f.cache_bytes_max, usual.cache_bytes_max),
        cache_days: if f.cache_days == 0 { usual.cache_days } else { f.cache_days },
    };
    r.link_previews = f.link_previews;
    r.description.clone_from(&f.description);
    r.colour.clone_from(&f.colour);
    r.trial_days = f.trial_days;
}
