//! Whom a provider or a directory means, and how they would be called here.

use startalk_protocol::{AccountName, Code, Error};

/// Longest text that is taken for a name, in bytes; more is cut in errors anyway.
const NAME_BYTES_MAX: usize = 256;

/// Somebody whom a provider or a directory has named, to us and just now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The id of the provider in the settings.
    pub provider: String,
    /// Who says so: the OpenID issuer, or `ldap:` and a directory's id.
    pub issuer: String,
    /// Whom it means, for ever.
    pub subject: String,
    /// What people know it by: an e-mail address, a name.
    pub label: String,
    /// How they begin if no account is theirs; `None`: the settings say that they do not.
    pub newcomer: Option<Newcomer>,
}

/// How somebody would begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Before the `@`; an error if what the provider says cannot be one.
    pub name: Result<AccountName, Error>,
    /// May be empty.
    pub display_name: String,
}

/// The account name in what a provider calls somebody: the part before an `@`, in lower case.
///
/// # Errors
/// `bad-name`.
pub fn name_of(called: &str) -> Result<AccountName, Error> {
    let called = called.trim();
    let local = called.split('@').next().unwrap_or_default();
    let bad = || Error::new(Code::BadName).with("name", called.chars().take(64).collect::<String>());
    if local.len() > NAME_BYTES_MAX {
        return Err(bad());
    }
    local.parse().map_err(|_| bad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_stands_before_the_at_sign() {
        for (called, name) in [("ann", "ann"), (" Ann.Li@company.example ", "ann.li"), ("A_1", "a_1")] {
            assert_eq!(name_of(called).unwrap().as_str(), name);
        }
        for none in ["", "@company.example", "安", "a b", "-a", &"a".repeat(65), &"a".repeat(5000)] {
            assert_eq!(name_of(none).unwrap_err().code, Code::BadName, "{none}");
        }
    }
}
