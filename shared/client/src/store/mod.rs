//! What a session keeps: who it is, which domain it trusts, what it has accepted to send, and how far it has heard.
//!
//! A store is dumb: it keeps records and gives them back in order. What they mean is `outbox`'s and `conversations`'
//! business. Invariant: when `append` has returned, a process that is killed finds the records again.

mod file;
mod hex;
mod home;
mod log;
mod memory;

use std::io;

pub use file::FileStore;
pub use home::KnownHome;
pub(crate) use log::{Answered, Forgotten, Queued, SentRecord, record};
pub use memory::MemoryStore;
use serde::{Deserialize, Serialize};

/// Who this device is. The token is the device's only secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// `name@domain`.
    pub user: String,
    /// The device's number.
    pub device: u64,
    /// 32 bytes.
    #[serde(with = "hex")]
    pub token: Vec<u8>,
    /// The highest command number that may have been used when this was written.
    pub counter: u64,
    /// May administer the domain.
    #[serde(default)]
    pub administrator: bool,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Account({} device {})", self.user, self.device)
    }
}

/// Keeps a session's state.
pub trait Store: Send {
    /// Who this device is; `None` when not signed in.
    fn account(&self) -> Option<Account>;
    /// Signs in, or (`None`) out. Another person, or none, makes everything else but the home be forgotten.
    ///
    /// # Errors
    /// If it could not be written.
    fn set_account(&mut self, account: Option<&Account>) -> io::Result<()>;
    /// The domain trusted before.
    fn home(&self) -> Option<KnownHome>;
    /// Keeps it.
    ///
    /// # Errors
    /// If it could not be written.
    fn set_home(&mut self, home: &KnownHome) -> io::Result<()>;
    /// The records appended since the last rewrite, in order; a torn end is cut off.
    ///
    /// # Errors
    /// If they could not be read.
    fn records(&mut self) -> io::Result<Vec<Vec<u8>>>;
    /// Adds records, all of them or (when the process is killed meanwhile) the first of them.
    ///
    /// # Errors
    /// If they could not be written; then none counts.
    fn append(&mut self, records: &[Vec<u8>]) -> io::Result<()>;
    /// Replaces all records at once.
    ///
    /// # Errors
    /// If they could not be written; then the old ones are there.
    fn rewrite(&mut self, records: &[Vec<u8>]) -> io::Result<()>;
    /// How far the session had heard, as it was kept last.
    fn heard(&self) -> Option<Vec<u8>>;
    /// Replaces it at once.
    ///
    /// # Errors
    /// If it could not be written; then the old one is there.
    fn set_heard(&mut self, heard: &[u8]) -> io::Result<()>;
    /// Makes what was appended survive a power cut too; called now and then.
    ///
    /// # Errors
    /// If the system says so.
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
