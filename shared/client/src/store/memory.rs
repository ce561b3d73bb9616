//! A store that ends with the process: for bots that begin anew, and for tests.
//!
//! Cloning shares it, so that a test can look at it and "restart" a session on it.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Account, KnownHome, Store};

/// Keeps everything in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    account: Option<Account>,
    home: Option<KnownHome>,
    records: Vec<Vec<u8>>,
    heard: Option<Vec<u8>>,
}

impl MemoryStore {
    fn with<T>(&self, f: impl FnOnce(&mut Kept) -> T) -> T {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn account(&self) -> Option<Account> {
        self.with(|k| k.account.clone())
    }

    fn set_account(&mut self, account: Option<&Account>) -> io::Result<()> {
        self.with(|k| {
            if k.account.is_some() && k.account.as_ref().map(|a| &a.user) != account.map(|a| &a.user) {
                *k = Kept { home: k.home.take(), ..Kept::default() };
            }
            k.account = account.cloned();
        });
        Ok(())
    }

    fn home(&self) -> Option<KnownHome> {
        self.with(|k| k.home.clone())
    }

    fn set_home(&mut self, home: &KnownHome) -> io::Result<()> {
        self.with(|k| k.home = Some(home.clone()));
        Ok(())
    }

    fn records(&mut self) -> io::Result<Vec<Vec<u8>>> {
        Ok(self.with(|k| k.records.clone()))
    }

    fn append(&mut self, records: &[Vec<u8>]) -> io::Result<()> {
        self.with(|k| k.records.extend_from_slice(records));
        Ok(())
    }

    fn rewrite(&mut self, records: &[Vec<u8>]) -> io::Result<()> {
        self.with(|k| k.records = records.to_vec());
        Ok(())
    }

    fn heard(&self) -> Option<Vec<u8>> {
        self.with(|k| k.heard.clone())
    }

    fn set_heard(&mut self, heard: &[u8]) -> io::Result<()> {
        self.with(|k| k.heard = Some(heard.to_vec()));
        Ok(())
    }
}
