//! Waiting for conditions.

use std::{future::Future, time::Duration};

use anyhow::bail;

use crate::seed::from_environment;

/// Seconds in which nothing may move before it is given up: far longer than any backoff of a node or a client.
/// `STARTALK_E2E_PATIENCE=<seconds>` for another number.
pub const PATIENCE: u64 = 150;
const STEP: Duration = Duration::from_millis(20);

/// Waits until `look` says that it is so; it is given up when what `look` counts has not changed for [`PATIENCE`].
///
/// # Errors
/// If it was given up, with what it waited for and what was counted.
pub async fn until<F: Future<Output = (bool, u64)>>(what: &str, mut look: impl FnMut() -> F) -> anyhow::Result<()> {
    let patience = Duration::from_secs(from_environment("STARTALK_E2E_PATIENCE", PATIENCE));
    let (mut seen, mut quiet) = (u64::MAX, Duration::ZERO);
    loop {
        let (done, count) = look().await;
        if done {
            return Ok(());
        }
        quiet = if count == seen { quiet + STEP } else { Duration::ZERO };
        seen = count;
        if quiet > patience {
            bail!("waited for {what}: nothing has moved for {} s, at {count}", patience.as_secs());
        }
        tokio::time::sleep(STEP).await;
    }
}
