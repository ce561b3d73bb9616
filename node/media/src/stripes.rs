//! Locks on hashes: a fixed number, each for many of them. Who finishes an upload holds those of its files from before their
//! bytes are put into the store until the domain knows them; who deletes bytes holds theirs while it asks and deletes.

use tokio::sync::{Mutex, MutexGuard};

use crate::Hash;

/// Locks; by the first byte of a hash.
const STRIPES: usize = 64;

/// The locks.
pub struct Stripes([Mutex<()>; STRIPES]);

impl Default for Stripes {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Mutex::default()))
    }
}

impl Stripes {
    /// Waits for the locks of all these hashes, in one order for everybody.
    pub async fn lock(&self, hashes: &[Hash]) -> Vec<MutexGuard<'_, ()>> {
        let mut wanted: Vec<usize> = hashes.iter().map(|hash| usize::from(hash[0]) % STRIPES).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let mut held = Vec::with_capacity(wanted.len());
        for stripe in wanted {
            held.push(self.0[stripe].lock().await);
        }
        held
    }
}
