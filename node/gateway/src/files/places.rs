//! How many requests of one account go on at once.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use startalk_protocol::{Code, Error};

/// Places, by account.
pub struct Places {
    max: usize,
    taken: Arc<Mutex<HashMap<u64, usize>>>,
}

/// One of them, until it is dropped.
pub struct Place {
    account: u64,
    taken: Arc<Mutex<HashMap<u64, usize>>>,
}

impl Places {
    /// So many for each account.
    pub fn new(max: usize) -> Self {
        Self { max, taken: Arc::default() }
    }

    /// A place.
    ///
    /// # Errors
    /// `too-many`.
    pub fn take(&self, account: u64) -> Result<Place, Error> {
        let mut taken = self.taken.lock();
        let mine = taken.entry(account).or_default();
        if *mine >= self.max {
            return Err(Error::new(Code::TooMany).with("what", "requests for files").with("max", self.max));
        }
        *mine += 1;
        Ok(Place { account, taken: self.taken.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        if let Some(mine) = taken.get_mut(&self.account) {
            *mine -= 1;
            if *mine == 0 {
                taken.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_free_again_when_it_is_left_and_others_have_their_own() {
        let places = Places::new(1);
        let mine = places.take(1).unwrap();
        assert_eq!(places.take(1).err().map(|e| e.code), Some(Code::TooMany));
        assert!(places.take(2).is_ok());
        drop(mine);
        assert!(places.take(1).is_ok());
        assert!(places.taken.lock().is_empty(), "nobody who left is remembered");
    }
}
