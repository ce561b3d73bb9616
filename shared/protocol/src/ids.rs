//! Names and ids that exist only if they are well-formed. federation-spec/02-names-and-trust.md §1
//!
//! A user is `name@domain`. A domain is a DNS name in its ASCII form, or a key name `<26 letters>.startalk.alt`
//! (RFC 9476: never asked of DNS). A message is named across domains by 128 bits made once by the author's node.

use std::{fmt, str::FromStr};

use data_encoding::{BASE32_NOPAD, HEXLOWER};

/// The suffix of key names.
pub const KEY_NAME_SUFFIX: &str = ".startalk.alt";
/// Letters of a key name: 130 bits in base32.
pub const KEY_NAME_LETTERS: usize = 26;

/// Why a text is not the name or id that was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("{0:?} is not an account name: expected 1 to 64 of a-z 0-9 . _ - beginning and ending with a letter or digit")]
    Account(String),
    #[error("{0:?} is not a domain: expected a DNS name of at least two labels, or <26 letters>.startalk.alt")]
    Domain(String),
    #[error("{0:?} is not a user: expected name@domain")]
    User(String),
    #[error("a message id of {0} bytes, expected 16")]
    Message(usize),
    #[error("{0:?} is not a group: expected 26 letters")]
    Group(String),
}

/// The part of a user's id before the `@`. A valid XMPP localpart (RFC 7622), so that gateways stay possible.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountName(Box<str>);

impl AccountName {
    /// A name as it travels: in its one form already. What people type is brought to that form by [`FromStr`].
    ///
    /// # Errors
    /// If it is no name, or in another form.
    pub fn in_form(s: &str) -> Result<Self, NameError> {
        s.parse().and_then(|name: Self| if &*name.0 == s { Ok(name) } else { Err(NameError::Account(shortened(s))) })
    }
}

impl FromStr for AccountName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let lower = s.to_ascii_lowercase();
        let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
        let outer = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = lower.as_bytes();
        let good = bytes.len() <= 64 && outer(bytes.first()) && outer(bytes.last()) && bytes.iter().all(|b| inner(*b));
        if good { Ok(Self(lower.into())) } else { Err(NameError::Account(shortened(s))) }
    }
}

/// A domain: lower-case ASCII, as it travels and is stored.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainName(Box<str>);

impl DomainName {
    /// The key name of a first root key: base32 of the first 130 bits of its BLAKE3.
    pub fn of_key(root_key: &[u8; 32]) -> Self {
        let letters = letters(blake3::hash(root_key).as_bytes());
        Self(format!("{letters}{KEY_NAME_SUFFIX}").into())
    }

    /// Whether the name is made from a key, and so proves itself.
    pub fn is_key_name(&self) -> bool {
        self.0.ends_with(KEY_NAME_SUFFIX)
    }

    /// For people: IDNA decoded, unless scripts are mixed in a label.
    pub fn shown(&self) -> String {
        let (unicode, result) = idna::domain_to_unicode(&self.0);
        if result.is_ok() && unicode.split('.').all(one_script) { unicode } else { self.0.to_string() }
    }
}

/// Latin alone, or no Latin letters at all: enough to keep look-alikes of `apple` in their ASCII form.
fn one_script(label: &str) -> bool {
    label.is_ascii() || !label.chars().any(|c| c.is_ascii_alphabetic())
}

impl FromStr for DomainName {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let bad = || NameError::Domain(shortened(s));
        if s.len() > 253 {
            return Err(bad());
        }
        let ascii = idna::domain_to_ascii_strict(s).map_err(|_| bad())?;
        let label = |l: &str| {
            !l.is_empty()
                && l.len() <= 63
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let labels: Vec<&str> = ascii.split('.').collect();
        let numeric_end = labels.last().is_some_and(|l| l.bytes().all(|b| b.is_ascii_digit()));
        if ascii.len() > 253 || labels.len() < 2 || numeric_end || !labels.iter().all(|l| label(l)) {
            return Err(bad());
        }
        if ascii.ends_with(".alt") {
            let letters = ascii.strip_suffix(KEY_NAME_SUFFIX).ok_or_else(bad)?;
            if !is_letters(letters) {
                return Err(bad());
            }
        }
        Ok(Self(ascii.into()))
    }
}

/// `name@domain`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserId {
    /// Before the `@`.
    pub name: AccountName,
    /// After it.
    pub domain: DomainName,
}

impl FromStr for UserId {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        let (name, domain) = s.split_once('@').ok_or_else(|| NameError::User(shortened(s)))?;
        Ok(Self { name: name.parse()?, domain: domain.parse()? })
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.name, self.domain)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A group's id: base32 of the first 130 bits of the BLAKE3 of its create record. federation-spec/07-groups.md §1
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(Box<str>);

impl GroupId {
    /// The id that a create record gives; the bytes are those of a `group.Submission`.
    pub fn of_create(submission: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"startalk group v1\0");
        hasher.update(submission);
        Self(letters(hasher.finalize().as_bytes()).into())
    }
}

impl FromStr for GroupId {
    type Err = NameError;
    fn from_str(s: &str) -> Result<Self, NameError> {
        if is_letters(s) { Ok(Self(s.into())) } else { Err(NameError::Group(shortened(s))) }
    }
}

/// 130 bits in base32.
fn letters(hash: &[u8; 32]) -> String {
    let mut letters = BASE32_NOPAD.encode(&hash[..17]).to_ascii_lowercase();
    letters.truncate(KEY_NAME_LETTERS);
    letters
}

fn is_letters(s: &str) -> bool {
    s.len() == KEY_NAME_LETTERS && s.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
}

macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
text_id!(AccountName);
text_id!(DomainName);
text_id!(GroupId);

/// The name of a message across domains: 16 bytes, made once by the author's node, laid out as a UUID version 7
/// (RFC 9562 §5.7): journal time in milliseconds, a count within it, and 62 random bits. Ids of one node grow.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// From the node's journal time, the count of messages in that millisecond (12 bits are kept) and randomness.
    pub fn new(time_ms: u64, count: u16, random: [u8; 8]) -> Self {
        let mut id = [0; 16];
        id[..6].copy_from_slice(&time_ms.to_be_bytes()[2..]);
        id[6..8].copy_from_slice(&(0x7000 | (count & 0x0fff)).to_be_bytes());
        id[8..].copy_from_slice(&random);
        id[8] = 0x80 | (id[8] & 0x3f);
        Self(id)
    }

    /// The author's node's journal time, in milliseconds since 1970.
    pub fn time_ms(&self) -> u64 {
        let mut time = [0; 8];
        time[2..].copy_from_slice(&self.0[..6]);
        u64::from_be_bytes(time)
    }

    /// # Errors
    /// If there are not 16 bytes.
    pub fn from_slice(bytes: &[u8]) -> Result<Self, NameError> {
        bytes.try_into().map(Self).map_err(|_| NameError::Message(bytes.len()))
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a stranger sent may be long; an error about it is not.
fn shortened(s: &str) -> String {
    s.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<&str>) {
        let got = text.parse::<UserId>().ok().map(|u| u.to_string());
        assert_eq!(got.as_deref(), expected, "{text:?}");
    }

    #[test]
    fn users_are_well_formed_or_do_not_exist() {
        check("alice@example.org", Some("alice@example.org"));
        check("Alice@Example.ORG", Some("alice@example.org"));
        check("a.b_c-1@münchen.example", Some("a.b_c-1@xn--mnchen-3ya.example"));
        check("alice", None);
        check("@example.org", None);
        check("alice@localhost", None);
        check("alice@1.2.3.4", None);
        check(".alice@example.org", None);
        check("al ice@example.org", None);
        check("alice@ex_ample.org", None);
        check("alice@abc.startalk.alt", None);
        check("alice@abcdefghijklmnopqrstuvwxyz.startalk.alt", Some("alice@abcdefghijklmnopqrstuvwxyz.startalk.alt"));
        check("alice@abcdefghijklmnopqrstuvwxyz.other.alt", None);
        check(&format!("{}@example.org", "a".repeat(65)), None);
    }

    #[test]
    fn key_names_have_26_letters_and_parse() {
        let name = DomainName::of_key(&[1; 32]);
        assert!(name.is_key_name());
        assert_eq!(name.as_str().parse::<DomainName>().unwrap(), name);
        assert_ne!(name, DomainName::of_key(&[2; 32]));
    }

    #[test]
    fn mixed_scripts_are_shown_in_ascii() {
        let cyrillic_a: DomainName = "аpple.example".parse().unwrap();
        assert!(cyrillic_a.shown().starts_with("xn--"));
        let chinese: DomainName = "星语.example".parse().unwrap();
        assert_eq!(chinese.shown(), "星语.example");
    }

    #[test]
    fn message_ids_of_one_node_grow() {
        let a = MessageId::new(1000, 0, [0xff; 8]);
        let b = MessageId::new(1000, 1, [0; 8]);
        let c = MessageId::new(1001, 0, [0; 8]);
        assert!(a < b && b < c);
        assert_eq!(c.time_ms(), 1001);
    }
}
