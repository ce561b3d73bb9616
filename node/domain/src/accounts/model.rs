//! What an account is: its devices, secrets, and the positions of the bodies that go when it is deleted.

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error, limits};

/// A secret's hash and where the journal has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Position of its record; also its version.
    pub position: u64,
    /// A PHC string for a password, BLAKE3 for recovery codes; used codes are empty.
    pub hashes: Vec<Vec<u8>>,
}

/// A signed-in program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// Its number.
    pub device: u64,
    /// For the list.
    pub name: String,
    /// BLAKE3 of its token.
    pub token_hash: Vec<u8>,
    /// Since when, milliseconds since 1970.
    pub added_ms: u64,
    /// Of its record.
    pub position: u64,
}

/// What an account may beyond its own matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Role {
    /// Nothing.
    #[default]
    Member,
    /// Reads what administrators read, and changes nothing.
    Auditor,
    /// Administers.
    Administrator,
}

impl Role {
    /// As it travels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Auditor => "auditor",
            Self::Administrator => "administrator",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "member" => Ok(Self::Member),
            "auditor" => Ok(Self::Auditor),
            "administrator" => Ok(Self::Administrator),
            _ => Err(Error::new(Code::BadValue).with("field", "role").with("expected", "member, auditor or administrator")),
        }
    }
}

/// Where accounts come from that are not made one by one: `file`, or `ldap:…` with a name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source(String);

impl Source {
    /// Files that an administrator brings in.
    pub fn file() -> Self {
        Self("file".into())
    }

    /// As it is kept.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether its people sign in with passwords that it knows.
    pub fn is_directory(&self) -> bool {
        self.0.strip_prefix("ldap:").is_some_and(|id| !id.is_empty())
    }

    /// The directory that says so, if who says so of an identity is one. The issuers of providers are addresses, and none.
    pub fn directory(issuer: &str) -> Option<Self> {
        issuer.parse().ok().filter(Self::is_directory)
    }
}

impl std::str::FromStr for Source {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b":._-".contains(&b);
        if (1..=limits::SOURCE_BYTES_MAX).contains(&text.len()) && text.bytes().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        let expected = format!("1 to {} of a-z, 0-9, : . _ -", limits::SOURCE_BYTES_MAX);
        Err(Error::new(Code::BadValue).with("field", "source").with("expected", expected))
    }
}

/// What an account is called where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// A [`Source`].
    pub source: String,
    /// Its id there, which never changes; empty when erased.
    pub id: String,
    /// Of its record.
    pub position: u64,
}

/// A link with which somebody signs in once, and chooses a password.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignInLink {
    /// BLAKE3 of its secret; empty when erased.
    pub token_hash: Vec<u8>,
    /// Until when, milliseconds since 1970.
    pub not_after_ms: i64,
    /// Of its record.
    pub position: u64,
}

impl SignInLink {
    /// Whether this secret opens it now.
    pub fn opens(&self, hash: &[u8; 32], now_ms: u64) -> bool {
        self.token_hash[..] == hash[..] && self.not_after_ms > i64::try_from(now_ms).unwrap_or(i64::MAX)
    }
}

/// An account of this domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its number, which is also its person's.
    pub account: u64,
    /// Its stream's conversation number.
    pub stream: u64,
    /// What they may beyond their own matters.
    pub role: Role,
    /// Cannot sign in; gets nothing.
    pub disabled: bool,
    /// Disabled because its source did not name it any more.
    pub absent: bool,
    /// To be deleted when it has left all groups; can do nothing any more.
    pub ending: bool,
    /// Erased; the number stays.
    pub deleted: bool,
    /// Since when, milliseconds since 1970.
    pub created_ms: u64,
    /// Of its first record.
    pub position: u64,
    /// Empty when deleted.
    pub password: Secret,
    /// One per code.
    pub recovery: Secret,
    /// Where it comes from, if it was not made by itself.
    pub external: Option<External>,
    /// Not used yet; void with the next password.
    pub link: Option<SignInLink>,
    /// Those not revoked.
    pub devices: Vec<Device>,
}

impl Account {
    /// Has never signed in: has neither a password nor a device.
    pub fn is_awaited(&self) -> bool {
        self.is_live() && self.password.hashes.is_empty() && self.devices.is_empty()
    }

    /// May sign in and receive.
    pub fn is_live(&self) -> bool {
        !self.disabled && !self.deleted && !self.ending
    }
}

/// A one-time (or few-times) link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Its number.
    pub invitation: u64,
    /// Uses left.
    pub uses: u32,
    /// Until when, milliseconds since 1970.
    pub not_after_ms: i64,
    /// Makes an administrator.
    pub administrator: bool,
    /// Account that made it; 0: the operator.
    pub maker: u64,
    /// Groups of this domain into which its maker brings whoever comes, by their conversations.
    pub groups: Vec<u64>,
    /// BLAKE3 of its secret.
    pub token_hash: Vec<u8>,
    /// Of its record.
    pub position: u64,
}

impl Invitation {
    /// Whether it can still be used.
    pub fn is_good(&self, now_ms: u64) -> bool {
        self.uses > 0 && self.not_after_ms > i64::try_from(now_ms).unwrap_or(i64::MAX)
    }
}
