//! Passwords that are not this domain's own: directories are asked, in the order of the settings, and what they say is entered
//! by as any other identity.
//!
//! Owns no rule and no protocol. Invariant: how a name fails does not tell whether somebody has it. Every name that can be one
//! is asked for, whether an account has it or not, and wrong ones are answered at whole seconds: searching and binding take
//! different times, of which the answer is to say nothing.

use std::time::Duration;

use startalk_identity::Person;
use startalk_protocol::{AccountName, Code, Error, limits::PASSWORD_BYTES_MAX};

use crate::gateway::Inner;

/// Wrong passwords are answered so many milliseconds after they came, or twice as many, and so on.
const BEAT_MS: u64 = 1000;

impl Inner {
    /// Whom a directory knows by this name and password.
    pub(crate) async fn ask_directories(
        &self,
        name: Option<&AccountName>,
        password: &str,
        begun_ms: u64,
    ) -> Result<Person, Error> {
        let mut away = None;
        if let Some(name) = name.filter(|_| password.len() <= PASSWORD_BYTES_MAX) {
            for directory in &self.config.directories {
                match directory.sign_in(name.as_str(), password).await {
                    Ok(Some(person)) => return Ok(person),
                    Ok(None) => {}
                    Err(error) => away = Some(error),
                }
            }
        }
        tokio::time::sleep(rest_of_beat(begun_ms, self.now_ms())).await;
        Err(away.unwrap_or_else(|| Code::WrongCredentials.into()))
    }
}

/// Until the next whole beat since `begun_ms`.
fn rest_of_beat(begun_ms: u64, now_ms: u64) -> Duration {
    Duration::from_millis(BEAT_MS - now_ms.saturating_sub(begun_ms) % BEAT_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_passwords_are_answered_at_whole_beats() {
        for (begun, now, rest) in [(5, 5, 1000), (5, 6, 999), (5, 1004, 1), (5, 1005, 1000), (5, 2500, 505), (9, 5, 1000)] {
            assert_eq!(rest_of_beat(begun, now), Duration::from_millis(rest), "{begun} {now}");
        }
    }
}
