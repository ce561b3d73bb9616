//! What media asks the domain, and the two things that it tells it.
//!
//! A trait, so that tests can stand for a domain. Never a rule: [`Domain`] asks `startalk_domain::files`.

use std::{pin::Pin, sync::Arc};

use startalk_domain::{
    Answer, Command, Views, directory,
    files::{self, Here, NewFile},
    governance::{self, FileLimits},
};
use startalk_protocol::Error;

use crate::Hash;

/// An answer that takes a batch of the journal.
pub type Later<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The domain, as media sees it. The functions without a future may read the disk.
pub trait Ledger: Send + Sync + 'static {
    /// Whether this account may upload so many bytes now.
    ///
    /// # Errors
    /// `file-too-large`, `over-file-quota`.
    fn may_upload(&self, account: u64, size: u64) -> Result<(), Error>;
    /// Files that are in the store are this account's; those that others name come first.
    fn hold(&self, account: u64, files: Vec<NewFile>) -> Later<Result<(), Error>>;
    /// The file, if this message refers to it and the account may read the message now.
    ///
    /// # Errors
    /// `no-such-file`, whatever the reason.
    fn through(&self, account: u64, conversation: u64, sequence: u64, hash: &Hash) -> Result<Here, Error>;
    /// The file, if the account holds it.
    fn own(&self, account: u64, hash: &Hash) -> Option<Here>;
    /// The file, if the account holds it or a message refers to it that the account may read.
    fn may_read(&self, account: u64, hash: &Hash) -> Option<Here>;
    /// Whether somebody here put these bytes into the store.
    fn is_stored(&self, hash: &Hash) -> bool;
    /// Files whose bytes are to go.
    fn forgotten(&self) -> Vec<Here>;
    /// Their bytes are gone.
    fn gone(&self, files: Vec<u64>) -> Later<Result<(), Error>>;
    /// What is known of this file, if it is still known.
    fn file(&self, number: u64) -> Option<Here>;
    /// Files after this number, and where to go on.
    fn after(&self, number: u64, limit: u64) -> (Vec<Here>, Option<u64>);
    /// Whether a copy of another domain's file is to stay although nobody opens it.
    fn is_pinned(&self, number: u64) -> bool;
    /// The name of another domain, by its number.
    fn domain_of(&self, peer: u64) -> String;
    /// Whether pages that people link to are looked at.
    fn makes_previews(&self) -> bool;
    /// What files may take.
    fn limits(&self) -> FileLimits;
}

/// How commands reach the write loop.
pub type Submit = Arc<dyn Fn(Command) -> Later<Result<Answer, Error>> + Send + Sync>;

/// The domain itself.
pub struct Domain {
    /// For questions.
    pub views: Views,
    /// For what is told.
    pub submit: Submit,
}

impl Domain {
    fn tell(&self, command: Command) -> Later<Result<(), Error>> {
        let answer = (self.submit)(command);
        Box::pin(async move { answer.await.map(drop) })
    }
}

impl Ledger for Domain {
    fn may_upload(&self, account: u64, size: u64) -> Result<(), Error> {
        files::may_upload(&*self.views.store, account, size)
    }
    fn hold(&self, account: u64, files: Vec<NewFile>) -> Later<Result<(), Error>> {
        self.tell(Command::HoldFiles { account, files })
    }
    fn through(&self, account: u64, conversation: u64, sequence: u64, hash: &Hash) -> Result<Here, Error> {
        files::through(&self.views.store, &*self.views.journal, account, conversation, sequence, hash)
    }
    fn own(&self, account: u64, hash: &Hash) -> Option<Here> {
        files::own(&*self.views.store, account, hash)
    }
    fn may_read(&self, account: u64, hash: &Hash) -> Option<Here> {
        files::may_read(&self.views.store, &*self.views.journal, account, hash)
    }
    fn is_stored(&self, hash: &Hash) -> bool {
        files::is_stored(&*self.views.store, hash)
    }
    fn forgotten(&self) -> Vec<Here> {
        files::forgotten(&*self.views.store)
    }
    fn gone(&self, files: Vec<u64>) -> Later<Result<(), Error>> {
        self.tell(Command::FilesGone { files })
    }
    fn file(&self, number: u64) -> Option<Here> {
        files::file(&*self.views.store, number)
    }
    fn after(&self, number: u64, limit: u64) -> (Vec<Here>, Option<u64>) {
        files::after(&*self.views.store, number, limit)
    }
    fn is_pinned(&self, number: u64) -> bool {
        files::is_pinned(&*self.views.store, number)
    }
    fn domain_of(&self, peer: u64) -> String {
        directory::domain_of(&*self.views.store, peer).map(|d| d.to_string()).unwrap_or_default()
    }
    fn makes_previews(&self) -> bool {
        governance::realm(&*self.views.store).link_previews
    }
    fn limits(&self) -> FileLimits {
        governance::realm(&*self.views.store).files
    }
}
