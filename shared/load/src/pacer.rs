//! Telling each client when to speak, for loads that do not wait for answers: messages are due at even times, to clients
//! in a shuffled order, whether or not the server keeps up. Latency is counted from the due time, so that a server that
//! stalls is charged for everything that would have been said meanwhile.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::Waker,
    thread,
    time::Duration,
};

use parking_lot::Mutex;

use crate::clock;

/// The pacer looks up at most so often: each look may wake a task.
const STEP: Duration = Duration::from_micros(200);

/// How a client's task is woken, and what is due for it.
#[derive(Default)]
pub struct Bell {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    due: VecDeque<u64>,
    waker: Option<Waker>,
}

impl Bell {
    /// The task to wake.
    pub fn listen(&self, waker: &Waker) {
        let mut inner = self.inner.lock();
        if !inner.waker.as_ref().is_some_and(|w| w.will_wake(waker)) {
            inner.waker = Some(waker.clone());
        }
    }

    /// Wakes it.
    pub fn ring(&self) {
        let waker = self.inner.lock().waker.clone();
        waker.inspect(Waker::wake_by_ref);
    }

    /// The time at which the next message was due, if one was.
    pub fn take(&self) -> Option<u64> {
        self.inner.lock().due.pop_front()
    }

    fn put(&self, micros: u64) {
        self.inner.lock().due.push_back(micros);
    }
}

/// Rings bells until it is dropped.
pub struct Pacer {
    stop: Arc<AtomicBool>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Pacer {
    /// `per_second` messages over all.
    pub fn start(bells: Vec<Arc<Bell>>, per_second: f64) -> std::io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let until = stop.clone();
        let thread = thread::Builder::new().name("pacer".to_owned()).spawn(move || run(&bells, per_second, &until))?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Pacer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(bells: &[Arc<Bell>], per_second: f64, stop: &AtomicBool) {
    let order = shuffled(bells.len());
    let (begun, apart) = (clock::micros(), 1e6 / per_second);
    let mut next = 0_u64;
    let mut rung: Vec<usize> = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let now = clock::micros();
        loop {
            let due = begun + (next as f64 * apart) as u64;
            if due > now {
                break;
            }
            let who = order[(next % order.len() as u64) as usize];
            bells[who].put(due);
            rung.push(who);
            next += 1;
        }
        rung.drain(..).for_each(|who| bells[who].ring());
        let wait = (begun + (next as f64 * apart) as u64).saturating_sub(clock::micros());
        thread::sleep(Duration::from_micros(wait).clamp(STEP, Duration::from_millis(20)));
    }
}

/// 0, 1, 2 … in an order without a pattern, the same every time.
fn shuffled(count: usize) -> Vec<usize> {
    let mut all: Vec<usize> = (0..count).collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for at in (1..count).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        all.swap(at, ((state >> 33) % (at as u64 + 1)) as usize);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_gets_a_turn_in_a_shuffled_order() {
        let mut order = shuffled(100);
        assert!(order.windows(2).filter(|w| w[0] < w[1]).count() < 70);
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_due_is_told_although_nobody_takes_it() {
        let bells: Vec<Arc<Bell>> = (0..3).map(|_| Arc::default()).collect();
        let pacer = Pacer::start(bells.clone(), 10_000.0).unwrap();
        while bells.iter().any(|b| b.inner.lock().due.len() < 20) {
            thread::yield_now();
        }
        drop(pacer);
        let due: Vec<u64> = std::iter::from_fn(|| bells[0].take()).collect();
        assert!(due.windows(2).all(|w| (299..=301).contains(&(w[1] - w[0]))), "{due:?}");
    }
}
