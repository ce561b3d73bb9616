//! A start that needs space on the disk: a new epoch that a full disk cut in the middle has to be finished before anybody
//! may look, and views that are not there have to be made; so opening waits until there is space, and goes on by itself.
//!
//! Owns the waiting. Knows no journal; the opening is passed in.

use std::{thread, time::Duration};

use startalk_domain::{domain::ReplayError, store::TreeError};
use startalk_journal::AppendError;
use startalk_protocol::{Code, Error, error::Language};
use startalk_sequencer::Fatal;

use crate::words::say;

/// Between two attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// Opens, again and again as long as nothing but space is lacking.
///
/// # Errors
/// Anything else that keeps it from opening.
pub fn wait_for_space<T>(language: Language, open: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    retry(PAUSE, language, open)
}

fn retry<T>(pause: Duration, language: Language, mut open: impl FnMut() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let mut told = false;
    loop {
        match open() {
            Err(error) if is_full(&error) => {
                if !std::mem::replace(&mut told, true) {
                    let words = say(
                        language,
                        "the disk is full, and this start has to write; it goes on by itself when there is space",
                        "磁盘已满，而此次启动需要写入；有空间后会自动继续启动",
                    );
                    tracing::error!("{words}: {error:#}");
                }
                thread::sleep(pause);
            }
            other => return other,
        }
    }
}

fn is_full(error: &anyhow::Error) -> bool {
    let fatal = error.downcast_ref::<Fatal>().is_some_and(|fatal| {
        matches!(fatal, Fatal::Append(AppendError::DiskFull { .. }) | Fatal::Replay(ReplayError::Tree(TreeError::Full)))
    });
    fatal
        || matches!(error.downcast_ref::<TreeError>(), Some(TreeError::Full))
        || error.downcast_ref::<Error>().is_some_and(|e| e.code == Code::DiskFull)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_waits_for_space_and_for_nothing_else() {
        let full = || Fatal::Append(AppendError::DiskFull { needed: 2, free: 1 });
        let damaged = || Fatal::Append(AppendError::Poisoned { because: "a sync failed".to_owned() });
        let mut attempts = 0;
        let opened = retry(Duration::ZERO, Language::English, || {
            attempts += 1;
            match attempts {
                1 => Err(full().into()),
                2 => Err(Error::new(Code::DiskFull).into()),
                3 => Err(TreeError::Full.into()),
                4 => Err(Fatal::from(ReplayError::from(TreeError::Full)).into()),
                _ => Ok(attempts),
            }
        });
        assert_eq!(opened.unwrap(), 5);
        attempts = 0;
        let failed = retry(Duration::ZERO, Language::English, || {
            attempts += 1;
            Err::<(), _>(damaged().into())
        });
        assert_eq!((failed.unwrap_err().to_string().contains("a sync failed"), attempts), (true, 1));
    }
}
