//! Directories (LDAP, RFC 4511): who somebody is by a bind with their password, and who all is there.
//!
//! Owns what is asked of a directory and what its answers mean; the bytes are `ldap3`'s. One connection for one question: a
//! directory that was away is asked anew, and nobody's bind is left on a connection that somebody else uses. Referrals are not
//! followed: a password goes to the configured server and nowhere else. Invariant: a person is the one entry that the filter
//! finds, and was bound as with a password that is not empty (RFC 4513 §5.1.2).

mod ask;
mod config;
mod entry;
mod filter;

use std::{sync::Arc, time::Duration};

use startalk_protocol::{Code, Error, limits::IDENTITY_LABEL_CHARS_MAX};
use tokio::sync::Semaphore;

use crate::{Newcomer, Person, name_of};
use ask::{Connection, Trouble};
pub use config::{Attributes, DirectoryConfig};
use entry::Raw;
pub use entry::{Listed, Unread};

/// Questions to one directory at once; further ones wait, within the time that they have.
const AT_ONCE_MAX: usize = 16;
/// How long listing everybody may take.
const LIST_TIME: Duration = Duration::from_secs(300);

/// A directory as it is configured.
pub struct Directory {
    config: Arc<DirectoryConfig>,
    at_once: Arc<Semaphore>,
}

impl std::fmt::Debug for Directory {
    /// Without its secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory").field("id", &self.config.id).field("url", &self.config.url).finish_non_exhaustive()
    }
}

impl Directory {
    /// With checked settings.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(config: DirectoryConfig) -> Result<Self, crate::oidc::ConfigError> {
        config.check()?;
        Ok(Self { config: Arc::new(config), at_once: Arc::new(Semaphore::new(AT_ONCE_MAX)) })
    }

    /// Its id in the settings.
    pub fn id(&self) -> &str {
        &self.config.id
    }

    /// Its name for people.
    pub fn display_name(&self) -> &str {
        &self.config.display_name
    }

    /// Where people come from who come from it; also who says so of an identity.
    pub fn source(&self) -> String {
        format!("ldap:{}", self.config.id)
    }

    /// Who it is, if the directory has one entry of this name and takes this password for it.
    ///
    /// # Errors
    /// `directory-away` if it cannot be asked; why is in the log and not for strangers.
    pub async fn sign_in(&self, name: &str, password: &str) -> Result<Option<Person>, Error> {
        if password.is_empty() {
            return Ok(None); // a directory takes a bind without a password for one of nobody, and says that it is good
        }
        let (config, name, password) = (self.config.clone(), name.to_owned(), password.to_owned());
        let found = self.asking(config.timeout, async move { find_and_bind(&config, &name, &password).await }).await;
        match found {
            Ok(found) => Ok(found.map(|entry| self.person(entry))),
            Err(trouble) => {
                tracing::warn!(directory = self.id(), %trouble, "the directory could not be asked for somebody who signs in");
                Err(Error::new(Code::DirectoryAway).with("provider", self.display_name()))
            }
        }
    }

    /// Everybody, by their ids.
    ///
    /// # Errors
    /// `unreachable` with why; `too-many` if they are more than an import takes.
    pub async fn list(&self) -> Result<Vec<Listed>, Error> {
        let config = self.config.clone();
        let all = self.asking(LIST_TIME, async move { list(&config).await }).await;
        all.map_err(|trouble| self.unreachable(&trouble))
    }

    /// Whether it answers, and takes who this node is.
    ///
    /// # Errors
    /// `unreachable` with why.
    pub async fn probe(&self) -> Result<(), Error> {
        let config = self.config.clone();
        let probed = self.asking(config.timeout, async move { Connection::open(&config).await?.close().await }).await;
        probed.map_err(|trouble| self.unreachable(&trouble))
    }

    fn unreachable(&self, trouble: &Trouble) -> Error {
        if let Trouble::TooMany(max) = trouble {
            return Error::new(Code::TooMany).with("what", &self.config.base).with("max", max);
        }
        Error::new(Code::Unreachable).with("what", self.display_name()).with("why", trouble)
    }

    /// In a task of its own: the library panics at answers that are no LDAP.
    async fn asking<T: Send + 'static>(
        &self,
        within: Duration,
        question: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<T, Trouble> {
        let at_once = self.at_once.clone();
        let task = tokio::spawn(async move {
            tokio::time::timeout(within, async {
                let _permit = at_once.acquire().await.map_err(|_| Trouble::Odd)?;
                question.await
            })
            .await
        });
        match task.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(Trouble::Silent),
            Err(_) => Err(Trouble::Odd),
        }
    }

    fn person(&self, entry: Listed) -> Person {
        let known = [&entry.mail, &entry.display_name, &entry.name].into_iter().find(|t| !t.is_empty());
        let label = known.map(|t| t.chars().filter(|c| !c.is_control()).take(IDENTITY_LABEL_CHARS_MAX).collect());
        let newcomer =
            self.config.register.then(|| Newcomer { name: name_of(&entry.name), display_name: entry.display_name.clone() });
        Person {
            provider: self.config.id.clone(),
            issuer: self.source(),
            subject: entry.id,
            label: label.unwrap_or_default(),
            newcomer,
        }
    }
}

async fn find_and_bind(config: &DirectoryConfig, name: &str, password: &str) -> Result<Option<Listed>, Trouble> {
    let mut connection = Connection::open(config).await?;
    let mut found = connection.find(config, &config.filter()?.fill(name)).await?;
    let entry = match (found.pop(), found.is_empty()) {
        (Some(entry), true) => entry,
        (None, _) => return connection.close().await.map(|()| None),
        (Some(_), false) => {
            tracing::warn!(directory = config.id, "several entries have the name that somebody signs in with: nobody is let in");
            return connection.close().await.map(|()| None);
        }
    };
    // Who is nobody's entry would be bound as nobody.
    if entry.dn.is_empty() || !connection.bind(&entry.dn, password).await? {
        return connection.close().await.map(|()| None);
    }
    connection.close().await?;
    match entry::listed(&entry, config) {
        Ok(listed) if listed.gone => Ok(None),
        Ok(listed) => Ok(Some(listed)),
        Err(why) => {
            tracing::warn!(directory = config.id, dn = entry.dn, %why, "an entry cannot be somebody here");
            Ok(None)
        }
    }
}

async fn list(config: &DirectoryConfig) -> Result<Vec<Listed>, Trouble> {
    let mut connection = Connection::open(config).await?;
    let found = connection.all(config, &config.import_filter()?).await?;
    connection.close().await?;
    let one = |raw: &Raw| {
        entry::listed(raw, config).unwrap_or_else(|error| Listed { dn: raw.dn.clone(), error: Some(error), ..Listed::default() })
    };
    let mut all: Vec<Listed> = found.iter().map(one).collect();
    // A directory keeps no order, and what was looked at must be found again.
    all.sort_by(|a, b| (&a.id, &a.dn).cmp(&(&b.id, &b.dn)));
    Ok(all)
}

/// Reads bytes as settings and as answers of a directory, and checks what must hold.
pub fn check(bytes: &[u8]) {
    filter::check(bytes);
    entry::check(bytes);
}
