//! What the write loop has done since the process started: batches, how long syncs and answers took.
//!
//! Costs two readings of the clock and a few atomics a batch, nothing a message.

use startalk_sequencer::Work;

use super::histogram::Histogram;
use crate::clock;

/// Upper bounds of the batch sizes that are told apart, in records.
const BATCH_BOUNDS: &[u64] = &[1, 4, 16, 64, 256, 1024, 4096];

/// See the module.
#[derive(Debug)]
pub struct LoopFigures {
    /// Records of each batch.
    pub records: Histogram,
    /// From a command's arrival to its answer, microseconds. At most: all that came while the loop was busy count as if they
    /// had come at its beginning. But what waits in its own line while others have their turn, because whoever asks has more
    /// waiting than fits into a batch, counts from the round before it is taken: the queue knows no clock.
    pub answered_us: Histogram,
}

impl Default for LoopFigures {
    fn default() -> Self {
        Self { records: Histogram::new(BATCH_BOUNDS), answered_us: Histogram::default() }
    }
}

/// One round of the loop: what was taken off the queue together.
#[derive(Debug)]
pub struct Round {
    /// When the last of it may have come first.
    came_us: u64,
    taken_us: u64,
    waiting: usize,
}

impl Round {
    /// The first: nothing came before.
    pub fn first() -> Self {
        let now_us = clock::steady_us();
        Self { came_us: now_us, taken_us: now_us, waiting: 0 }
    }

    /// What was just taken; `waited`: it had come before the loop looked, while the round before went on.
    pub fn next(&self, work: &Work, waited: bool) -> Self {
        let now_us = clock::steady_us();
        Self { came_us: if waited { self.taken_us } else { now_us }, taken_us: now_us, waiting: work.len() }
    }

    /// A batch of it was answered.
    pub fn stepped(&mut self, work: &Work, figures: &LoopFigures) {
        let answered = self.waiting.saturating_sub(work.len()) as u64;
        self.waiting = work.len();
        if answered > 0 {
            figures.answered_us.add(clock::steady_us().saturating_sub(self.came_us), answered);
        }
    }
}
