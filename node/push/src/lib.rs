//! Tells people who do not look at the program, by the push services that their browsers and phones name.
//!
//! A consumer of the journal with a place of its own: it may lag and crash, and blocks nobody. Who is told of what is the
//! domain's to decide (`startalk_domain::notify`), and is decided when it is told. It changes the domain only by commands:
//! a subscription that its push service does not know any more is ended. docs/decisions/0017-push.md
//!
//! `queue.rs` is what waits, without sockets and clocks; `deliver.rs` one message; `run.rs` drives both. Invariant: of one
//! device one message is on its way at a time, of all never more than [`AT_ONCE_MAX`].

mod cursor;
mod deliver;
mod figures;
mod payload;
mod queue;
mod run;
mod seal;
mod vapid;

use std::{path::PathBuf, sync::Arc};

use parking_lot::Mutex;
use startalk_domain::{Command, Views};
use startalk_outbound::OutboundClient;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

pub use deliver::check;
pub use figures::Figures;
pub use queue::{Timings, WAITING_MAX};
pub use vapid::{NoKey, VapidKey};

/// Messages on their way at once.
pub const AT_ONCE_MAX: usize = 16;

/// Milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Fills bytes with randomness.
pub type Randomness = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// What pushing is made with.
#[derive(Clone)]
pub struct PushConfig {
    /// For questions; at the journal's head.
    pub views: Views,
    /// To the write loop; what becomes of a command is not waited for.
    pub submit: Arc<dyn Fn(Command) + Send + Sync>,
    /// To push services: the guarded client.
    pub outbound: OutboundClient,
    /// The domain's key.
    pub key: Arc<VapidKey>,
    /// Whether somebody is there at a device of the account.
    pub is_active: Arc<dyn Fn(u64) -> bool + Send + Sync>,
    /// The file of the place in the journal.
    pub cursor: PathBuf,
    /// Milliseconds since 1970.
    pub clock: Clock,
    /// Clocks of places, for the hours in which people are not to be disturbed.
    pub zones: startalk_domain::context::Zones,
    /// Milliseconds that only ever pass.
    pub steady: Clock,
    /// Fills bytes with randomness.
    pub random: Randomness,
    /// When what happens.
    pub timings: Timings,
}

/// The running consumer.
pub struct Push {
    wake: Arc<Notify>,
    stop: watch::Sender<bool>,
    figures: Arc<Mutex<Figures>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Push {
    /// Starts it; to be called in the runtime.
    pub fn start(config: PushConfig) -> Arc<Self> {
        let (stop, stopped) = watch::channel(false);
        let (wake, figures) = (Arc::new(Notify::new()), Arc::default());
        let task = tokio::spawn(run::run(config, wake.clone(), stopped, Arc::clone(&figures)));
        Arc::new(Self { wake, stop, figures, task: Mutex::new(Some(task)) })
    }

    /// Something was committed. To be called by the write loop's thread; it never waits.
    pub fn committed(&self) {
        self.wake.notify_one();
    }

    /// What was done so far.
    pub fn figures(&self) -> Figures {
        self.figures.lock().clone()
    }

    /// Writes its place down, and ends. What is on its way is not waited for: it is told again, and replaces itself.
    pub async fn stop(&self) {
        let _ = self.stop.send(true);
        let task = self.task.lock().take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }
}
