//! How often and when something is tried again.

use std::time::Duration;

use super::{Tell, Transfer, http::Trouble};
use crate::{Backoff, ClientError, session::random};

/// Attempts in a row in which nothing moved.
const FAILURES_MAX: u32 = 12;
/// Between questions for a file that is on its way from another domain.
const COMING: Duration = Duration::from_secs(1);

pub(super) struct Tries {
    backoff: Backoff,
    failures: u32,
    /// The furthest that it has got.
    furthest: u64,
}

impl Tries {
    pub fn new(backoff: Backoff) -> Self {
        Self { backoff, failures: 0, furthest: 0 }
    }

    /// Something is there: attempts are counted anew when it is more than ever before.
    pub fn got_to(&mut self, done: u64) {
        if done > self.furthest {
            (self.furthest, self.failures) = (done, 0);
        }
    }

    /// Waits for the next attempt.
    ///
    /// # Errors
    /// If there is to be none.
    pub async fn wait(&mut self, trouble: Trouble, tell: Tell<'_>) -> Result<(), ClientError> {
        let (wait, error) = match trouble {
            Trouble::Over(error) => return Err(error),
            Trouble::Coming(error) => (COMING, error),
            Trouble::Again(error) => {
                self.failures += 1;
                if self.failures >= FAILURES_MAX {
                    return Err(error);
                }
                (self.backoff.wait(self.failures, random()), error)
            }
        };
        tell(Transfer::Waiting { ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX), error });
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
