//! What an account is: its devices, secrets, and the positions of the bodies that go when it is deleted.

use serde::{Deserialize, Serialize};
use startalk_protocol::{Code, Error};

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
    /// Those not revoked.
    pub devices: Vec<Device>,
}

impl Account {
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
