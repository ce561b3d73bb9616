//! Whether what the domain holds lies in the store.

use std::{collections::HashMap, io};

use crate::{Hash, Media, store::blocking};

/// Files asked for at once.
const STEP: u64 = 1024;
/// Of what is missing, so many are named.
const NAMED_MAX: usize = 5;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Examined {
    /// Files that people here have put into the store, each once.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// That do not lie there, or with another size.
    pub missing: u64,
    /// Some of those.
    pub named: Vec<Hash>,
}

impl Media {
    /// Compares what the domain holds with what lies in the store, by hash and size; the bytes are not read.
    ///
    /// # Errors
    /// The store's: it cannot be walked through.
    pub async fn examine(&self) -> io::Result<Examined> {
        // The domain first: what comes into the store later is not missed, and what it forgets meanwhile is looked at again.
        let ledger = self.0.ledger.clone();
        let mut held: HashMap<Hash, u64> = blocking(move || {
            let (mut held, mut next) = (HashMap::new(), Some(0));
            while let Some(number) = next {
                let (files, go_on) = ledger.after(number, STEP);
                held.extend(files.into_iter().filter(|f| f.origin == 0).map(|f| (f.hash, f.size)));
                next = go_on;
            }
            Ok(held)
        })
        .await?;
        let mut examined = Examined { files: held.len() as u64, bytes: held.values().sum(), ..Examined::default() };
        for part in 0..=u8::MAX {
            for found in self.0.store.list(part).await? {
                if held.get(&found.hash) == Some(&found.size) {
                    held.remove(&found.hash);
                }
            }
        }
        let ledger = self.0.ledger.clone();
        let mut missing = blocking(move || Ok(held.into_keys().filter(|h| ledger.is_stored(h)).collect::<Vec<_>>())).await?;
        missing.sort_unstable();
        examined.missing = missing.len() as u64;
        missing.truncate(NAMED_MAX);
        examined.named = missing;
        Ok(examined)
    }
}
