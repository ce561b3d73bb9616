//! What the other ways into an account are made of.

use serde::{Deserialize, Serialize};
use startalk_protocol::AccountName;

/// Whom a provider or a directory names, checked by whoever asked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The provider's id in the settings.
    pub provider: String,
    /// Who says so: the OpenID issuer, or `ldap:` and a directory's id.
    pub issuer: String,
    /// Whom it means, for ever.
    pub subject: String,
    /// What people know it by.
    pub label: String,
}

/// How somebody whom no account belongs to would begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Before the `@`.
    pub name: AccountName,
    /// May be empty.
    pub display_name: String,
}

/// An identity that may sign in to an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linked {
    /// Its number among the account's ways.
    pub link: u64,
    /// The provider's id in the settings.
    pub provider: String,
    /// Who says so.
    pub issuer: String,
    /// Whom it means.
    pub subject: String,
    /// What people know it by.
    pub label: String,
    /// Since when, milliseconds since 1970.
    pub since_ms: u64,
    /// Of its record.
    pub position: u64,
}

/// A passkey to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPasskey {
    /// As the authenticator named it.
    pub credential_id: Vec<u8>,
    /// As whoever checks signatures keeps it.
    pub credential: Vec<u8>,
    /// For the list.
    pub name: String,
}

/// A passkey of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Its number among the account's ways.
    pub passkey: u64,
    /// For the list.
    pub name: String,
    /// As the authenticator named it.
    pub credential_id: Vec<u8>,
    /// As it was when it was added.
    pub credential: Vec<u8>,
    /// As it was last; 0 before the first use, and always for those that do not count.
    pub counter: u32,
    /// Since when, milliseconds since 1970.
    pub added_ms: u64,
    /// When it last let somebody in; 0: never.
    pub used_ms: u64,
    /// It counted backwards once: there may be a copy of it.
    pub suspect: bool,
    /// Of its record.
    pub position: u64,
}

/// A passkey proved itself, when it was this record's and had this count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasskeyUse {
    /// Whose.
    pub account: u64,
    /// Which.
    pub passkey: u64,
    /// Its count when it was checked.
    pub counter_before: u32,
    /// Its count now.
    pub counter: u32,
}

/// The ways into an account besides its password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ways {
    /// The last number that was given to one.
    pub last: u64,
    /// Whom providers name.
    pub identities: Vec<Linked>,
    /// Passkeys.
    pub passkeys: Vec<Passkey>,
}

impl Ways {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.identities.len() + self.passkeys.len()
    }
}
