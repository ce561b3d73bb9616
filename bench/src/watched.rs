//! What a program and its children have resident, looked at again and again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use parking_lot::Mutex;

use crate::proc;

/// Between two looks.
const EVERY: Duration = Duration::from_millis(10);

/// Looks until it is dropped.
pub struct Watched {
    seen: Arc<Mutex<Peak>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// The most that was seen, in bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peak {
    /// Of the program itself.
    pub own: u64,
    /// Of its children, together.
    pub children: u64,
    /// Of one child.
    pub child: u64,
}

impl Watched {
    /// Begins.
    pub fn start(pid: u32) -> Self {
        let (seen, over): (Arc<Mutex<Peak>>, Arc<AtomicBool>) = Default::default();
        let (into, until) = (seen.clone(), over.clone());
        let thread = thread::spawn(move || {
            while !until.load(Ordering::Relaxed) {
                let own = proc::resident(pid);
                let children: Vec<u64> = proc::children(pid).into_iter().map(proc::resident).collect();
                let (all, one) = (children.iter().sum(), children.iter().copied().max().unwrap_or(0));
                {
                    let mut peak = into.lock();
                    *peak = Peak { own: peak.own.max(own), children: peak.children.max(all), child: peak.child.max(one) };
                }
                thread::sleep(EVERY);
            }
        });
        Self { seen, over, thread: Some(thread) }
    }

    /// So far.
    pub fn peak(&self) -> Peak {
        *self.seen.lock()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
