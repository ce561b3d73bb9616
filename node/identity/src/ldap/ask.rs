//! One connection to a directory: opened, asked, closed.

use std::{fmt, time::Duration};

use ldap3::{
    DerefAliases, Ldap, LdapConnAsync, LdapConnSettings, LdapError, LdapResult, Scope, SearchEntry, SearchOptions,
    adapters::{Adapter, PagedResults},
};
use startalk_protocol::limits::INTAKE_ROWS_MAX;

use super::{DirectoryConfig, entry::Raw};

/// Entries in one answer: Active Directory gives at most 1,000 (RFC 2696 pages).
const PAGE: i32 = 500;
/// Bytes of all entries of a list together.
const LIST_BYTES_MAX: usize = 64 * 1024 * 1024;

// Result codes of RFC 4511 appendix A.
const SUCCESS: u32 = 0;
const SIZE_LIMIT_EXCEEDED: u32 = 4;
const CONSTRAINT_VIOLATION: u32 = 19;
const NO_SUCH_OBJECT: u32 = 32;
const INVALID_DN: u32 = 34;
const INAPPROPRIATE_AUTHENTICATION: u32 = 48;
const INVALID_CREDENTIALS: u32 = 49;
const UNWILLING: u32 = 53;

/// Why a directory could not be asked. For logs and operators: it may tell of the inside of a network, never of a password.
#[derive(Debug)]
pub(super) enum Trouble {
    /// No answer in time.
    Silent,
    /// An answer that is no LDAP.
    Odd,
    /// More people than this.
    TooMany(usize),
    /// As the library says it.
    Failed(String),
    /// It answers, and refuses: what, and why.
    Refused(&'static str, String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Silent => f.write_str("no answer in time"),
            Self::Odd => f.write_str("an answer that is not LDAP"),
            Self::TooMany(max) => write!(f, "more than {max} entries"),
            Self::Failed(why) => f.write_str(why),
            Self::Refused(what, why) => write!(f, "{what}: {why}"),
        }
    }
}

impl From<LdapError> for Trouble {
    fn from(error: LdapError) -> Self {
        match error {
            LdapError::Timeout { .. } => Self::Silent,
            other => Self::Failed(short(&other.to_string())),
        }
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn refused(what: &'static str, result: &LdapResult) -> Trouble {
    let why = match result.rc {
        SIZE_LIMIT_EXCEEDED => "it gives out fewer entries than there are; raise its limits for bind_dn".to_owned(),
        code if result.text.is_empty() => format!("result code {code}"),
        code => format!("result code {code}, {}", result.text),
    };
    Trouble::Refused(what, short(&why))
}

/// A connection on which this node is known.
pub(super) struct Connection {
    ldap: Ldap,
    patience: Duration,
}

impl Connection {
    /// Connects, with TLS where the settings say so, and says who this node is.
    pub(super) async fn open(config: &DirectoryConfig) -> Result<Self, Trouble> {
        let settings = LdapConnSettings::new()
            .set_conn_timeout(config.timeout)
            .set_starttls(config.start_tls)
            .set_config(config.tls.clone());
        let (connection, ldap) = LdapConnAsync::with_settings(settings, &config.url).await?;
        tokio::spawn(async move {
            if let Err(error) = connection.drive().await {
                tracing::debug!(error = short(&error.to_string()), "a connection to a directory ended");
            }
        });
        let mut own = Self { ldap, patience: config.timeout };
        if !config.bind_dn.is_empty() {
            let result = own.ldap.with_timeout(own.patience).simple_bind(&config.bind_dn, &config.bind_password).await?;
            if result.rc != SUCCESS {
                return Err(refused("bind_dn", &result));
            }
        }
        Ok(own)
    }

    /// Whether this is the entry's password. Passwords that ran out, and entries that are locked, count as wrong ones.
    pub(super) async fn bind(&mut self, dn: &str, password: &str) -> Result<bool, Trouble> {
        let result = self.ldap.with_timeout(self.patience).simple_bind(dn, password).await?;
        match result.rc {
            SUCCESS => Ok(true),
            CONSTRAINT_VIOLATION
            | NO_SUCH_OBJECT
            | INVALID_DN
            | INAPPROPRIATE_AUTHENTICATION
            | INVALID_CREDENTIALS
            | UNWILLING => Ok(false),
            _ => Err(refused("bind", &result)),
        }
    }

    /// At most two entries: one is somebody, and of two it does not matter who else there is.
    pub(super) async fn find(&mut self, config: &DirectoryConfig, filter: &str) -> Result<Vec<Raw>, Trouble> {
        let options = SearchOptions::new().deref(DerefAliases::Never).sizelimit(2);
        self.ldap.with_timeout(self.patience).with_search_options(options);
        let found = self.ldap.search(&config.base, Scope::Subtree, filter, config.wanted()).await?;
        let (entries, result) = (found.0, found.1);
        if !matches!(result.rc, SUCCESS | SIZE_LIMIT_EXCEEDED) {
            return Err(refused("search", &result));
        }
        let entries = entries.into_iter().filter(|e| !e.is_ref() && !e.is_intermediate());
        let mut entries: Vec<Raw> = entries.map(|e| Raw::of(SearchEntry::construct(e))).collect();
        if result.rc == SIZE_LIMIT_EXCEEDED && entries.len() == 1 {
            entries.push(Raw::default()); // there is another one, which it does not give out
        }
        Ok(entries)
    }

    /// All entries, page by page (RFC 2696). Some of them would be worse than none: who is not told would be missing.
    pub(super) async fn all(&mut self, config: &DirectoryConfig, filter: &str) -> Result<Vec<Raw>, Trouble> {
        let options = SearchOptions::new().deref(DerefAliases::Never);
        self.ldap.with_timeout(self.patience).with_search_options(options);
        let pages: Vec<Box<dyn Adapter<'_, String, Vec<String>>>> = vec![Box::new(PagedResults::new(PAGE))];
        let (mut all, mut bytes) = (Vec::new(), 0);
        let mut stream = self.ldap.streaming_search_with(pages, &config.base, Scope::Subtree, filter, config.wanted()).await?;
        while let Some(found) = stream.next().await? {
            if found.is_ref() || found.is_intermediate() {
                continue;
            }
            let raw = Raw::of(SearchEntry::construct(found));
            bytes += raw.bytes();
            all.push(raw);
            if all.len() > INTAKE_ROWS_MAX || bytes > LIST_BYTES_MAX {
                return Err(Trouble::TooMany(INTAKE_ROWS_MAX));
            }
        }
        let result = stream.finish().await;
        if result.rc == SUCCESS { Ok(all) } else { Err(refused("search", &result)) }
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) -> Result<(), Trouble> {
        // Whether it hears that does not matter any more.
        let _ = self.ldap.with_timeout(self.patience).unbind().await;
        Ok(())
    }
}
