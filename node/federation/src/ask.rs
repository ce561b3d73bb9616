//! Asking the sequencer from a task.
//!
//! The reply comes from the write loop's thread; here it is only handed on.

use startalk_domain::{Answer, Command};
use startalk_protocol::{Code, Error};
use startalk_sequencer::Handle;

/// Submits a command and waits for what became of it.
pub(crate) async fn ask(handle: &Handle, command: Command) -> Result<Answer, Error> {
    let (send, receive) = tokio::sync::oneshot::channel();
    handle.submit(command, move |answer| {
        // Whoever asked may have been dropped.
        let _ = send.send(answer);
    });
    receive.await.unwrap_or(Err(Code::Stopping.into()))
}
