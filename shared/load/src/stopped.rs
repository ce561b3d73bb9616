//! When somebody wants a measurement to end before it does.

use std::io;

use tokio::signal::unix::{SignalKind, signal};

/// Until somebody wants it to end: Ctrl-C, a stop, a terminal that is closed. From the first poll on these do not end the process any more.
///
/// # Errors
/// The system's, if it lets nobody wait for signals.
pub async fn stopped() -> io::Result<()> {
    let [mut a, mut b, mut c] =
        [signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    tokio::select! {
        _ = a.recv() => {}
        _ = b.recv() => {}
        _ = c.recv() => {}
    }
    Ok(())
}
