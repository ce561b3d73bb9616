//! A session: one signed-in device, whether or not there is a connection at the moment.
//!
//! [`Session`] is the handle (cheap to clone), [`Events`] what one hears; a task of their own between them owns store,
//! connection and all state. Take events in a task of their own or between requests: while nobody takes them, nothing
//! more is read from the node, so answers do not come either. `send`, `edit` and `recall` wait for no connection.

mod clock;
mod driver;
mod engine;
mod forward;
mod handle;
mod hear;
mod went_back;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

pub use driver::new_key;
pub(crate) use driver::random;
pub use handle::{Session, Target};
use startalk_protocol::pb::client::Welcome;
use tokio::sync::{mpsc, watch};

use crate::{
    Account, ClientError, Event, Options, State,
    dial::Dial,
    files::Transfers,
    outbox::Outbox,
    session::{
        driver::{Driver, Queues},
        engine::Engine,
    },
    store::Store,
    wire::Connection,
};

/// Commands waiting for the session's task.
const COMMANDS_MAX: usize = 256;
/// Events waiting to be taken; past it nothing more is read from the node.
const EVENTS_MAX: usize = 1024;

/// How the session is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The connection.
    pub state: State,
    /// Commands accepted and not answered.
    pub pending: usize,
    /// Everything missed has been told.
    pub synced: bool,
    /// Not signed in any more, or closed.
    pub ended: bool,
    /// What the node said of its domain when it was reached last.
    pub welcome: Option<Arc<Welcome>>,
}

/// What the session's task hands out.
#[expect(clippy::large_enum_variant, reason = "nearly all are events; a box for each would cost more")]
pub(crate) enum Item {
    Event(Event),
    /// When the taker comes back for more after this, what was heard up to here may be kept as heard.
    Checkpoint(u64),
}

/// What happens, in order.
pub struct Events {
    items: mpsc::Receiver<Item>,
    /// A checkpoint among what was given out last.
    given: Option<u64>,
    taken: Arc<AtomicU64>,
}

impl Events {
    /// The next event; `None` when the session is over. Coming back for the next says that the one before was handled:
    /// what was not handled when the process ends is told again by the next one.
    pub async fn next(&mut self) -> Option<Event> {
        self.handled();
        loop {
            match self.items.recv().await? {
                Item::Event(event) => return Some(event),
                Item::Checkpoint(number) => {
                    self.given = Some(number);
                    self.handled();
                }
            }
        }
    }

    /// Waits for events and appends those that are there, at most `max`; false when the session is over. Coming back
    /// says that all of them were handled.
    pub async fn next_batch(&mut self, batch: &mut Vec<Event>, max: usize) -> bool {
        self.handled();
        let Some(first) = self.next().await else { return false };
        batch.push(first);
        while batch.len() < max {
            match self.items.try_recv() {
                Ok(Item::Event(event)) => batch.push(event),
                Ok(Item::Checkpoint(number)) => self.given = Some(number),
                Err(_) => break,
            }
        }
        true
    }

    fn handled(&mut self) {
        if let Some(number) = self.given.take() {
            self.taken.store(number, Ordering::Release);
        }
    }
}

/// Everything that a session begins with.
pub(crate) struct Start {
    pub options: Options,
    pub dial: Box<dyn Dial>,
    pub store: Box<dyn Store>,
    pub account: Account,
    pub new_device: bool,
    pub connection: Option<Connection>,
}

impl Start {
    pub fn run(mut self) -> Result<(Session, Events), ClientError> {
        let outbox =
            Outbox::load(&mut *self.store, self.account.device, self.account.counter).map_err(|e| ClientError::store(&e))?;
        let engine = Engine::new(&self.options, self.store, self.account.clone(), outbox, self.new_device);
        let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
        let (outbox, outbox_queue) = mpsc::channel(COMMANDS_MAX);
        let (events, items) = mpsc::channel(EVENTS_MAX);
        let status = Status { state: State::Connecting, pending: engine.pending(), synced: false, ended: false, welcome: None };
        let (status, watched) = watch::channel(status);
        let taken = Arc::new(AtomicU64::new(0));
        let files = Transfers::new(self.dial.http(), &self.options, &self.account);
        let queues = Queues { commands: command_queue, outbox: outbox_queue, events: Some(events), status };
        let driver = Driver::new(self.options, self.dial, engine, queues, taken.clone());
        tokio::spawn(driver.run(self.connection));
        Ok((Session::new(commands, outbox, watched, self.account, files), Events { items, given: None, taken }))
    }
}

/// Milliseconds since 1970.
#[expect(clippy::disallowed_methods, reason = "the edge: the session's driver reads the clock and passes time in")]
pub(crate) fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
