//! Who administers, and what they may: the operator everything, an account by its role, a token by its scopes.
//!
//! Owns no state. Rights are asked for here alone, for what is read (by whoever serves it) and for what is changed (by
//! [`super::decide`]) alike.

use std::str::FromStr;

use startalk_protocol::{
    Code, Error,
    sabotage::{self, Switch},
};

use super::tokens;
use crate::{
    accounts::{self, Role},
    command::Actor,
    store::Read,
};

/// Whose act it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Whoever may open the data folder; also the node by its settings.
    Operator,
    /// A signed-in device.
    Account(Actor),
    /// A program with a token, by its number.
    Token(u64),
}

/// What an act is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Area {
    /// Accounts, devices and invitations of people.
    People,
    /// Other domains.
    Domains,
    /// What holds for everybody.
    Policies,
    /// Everything else: storage, backups, keys, tokens, the record of acts, and who else may administer.
    Node,
}

macro_rules! scopes {
    ($($name:ident $bit:literal $text:literal $what:literal;)*) => {
        impl Scopes {
            $(#[doc = $what] pub const $name: Self = Self($bit);)*
            /// Every scope with its name.
            pub const NAMES: &'static [(&'static str, Self)] = &[$(($text, Self::$name),)*];
        }
    };
}

/// What a token may, as a sum of bits that never change their meaning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u32);

scopes! {
    READ 1 "read" "Read everything.";
    PEOPLE 2 "people" "Read and change people, but not who else may administer.";
    DOMAINS 4 "domains" "Read and change how other domains are dealt with.";
    POLICIES 8 "policies" "Read and change policies.";
    ALL 16 "all" "Everything.";
}

impl Scopes {
    /// From the journal; bits of later versions stay, and mean nothing here.
    pub fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// For the journal.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Their names.
    pub fn names(self) -> Vec<&'static str> {
        Self::NAMES.iter().filter(|(_, scope)| self.has(*scope)).map(|(name, _)| *name).collect()
    }

    fn has(self, scope: Self) -> bool {
        self.0 & scope.0 != 0
    }

    fn allow(self, area: Area, changes: bool) -> bool {
        let own = match area {
            Area::People => Self::PEOPLE,
            Area::Domains => Self::DOMAINS,
            Area::Policies => Self::POLICIES,
            Area::Node => Self::ALL,
        };
        self.has(Self::ALL) || self.has(own) || (!changes && self.has(Self::READ))
    }
}

impl FromStr for Scopes {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, scope)| *scope);
        found.ok_or_else(|| {
            let all: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
            Error::new(Code::BadValue).with("field", "scopes").with("expected", all.join(", "))
        })
    }
}

/// Whether they may read (or change) something of this area now.
///
/// # Errors
/// `not-signed-in` if they are nobody (any more), `forbidden` if it is not theirs.
pub fn may(read: &impl Read, by: By, area: Area, changes: bool, now_ms: u64) -> Result<(), Error> {
    if sabotage::is(Switch::AdministrationNotChecked) {
        return Ok(());
    }
    let allowed = match by {
        By::Operator => true,
        By::Account(actor) => {
            if !accounts::is_signed_in(read, actor) {
                return Err(Code::NotSignedIn.into());
            }
            match accounts::account(read, actor.account).map(|a| a.role).unwrap_or_default() {
                Role::Administrator => true,
                Role::Auditor => !changes,
                Role::Member => false,
            }
        }
        By::Token(number) => {
            let token = tokens::valid(read, number, now_ms).ok_or(Code::NotSignedIn)?;
            Scopes::of_bits(token.scopes).allow(area, changes)
        }
    };
    if allowed { Ok(()) } else { Err(Code::Forbidden.into()) }
}
