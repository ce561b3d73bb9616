//! What the write loop has done since the process started: batches, how long syncs and answers took.
//!
//! Costs two readings of the clock and a few atomics a batch; a message costs the mark that it carries.

use std::collections::VecDeque;

use startalk_sequencer::{Handle, Work};

use super::histogram::Histogram;
use crate::clock;

/// Upper bounds of the batch sizes that are told apart, in records.
const BATCH_BOUNDS: &[u64] = &[1, 4, 16, 64, 256, 1024, 4096];

/// See the module.
#[derive(Debug)]
pub struct LoopFigures {
    /// Records of each batch.
    pub records: Histogram,
    /// From a command's arrival to its answer, microseconds. At most: what came while the loop was busy counts from the
    /// beginning of the round in which it came, however many rounds it waited in its line.
    pub answered_us: Histogram,
}

impl Default for LoopFigures {
    fn default() -> Self {
        Self { records: Histogram::new(BATCH_BOUNDS), answered_us: Histogram::default() }
    }
}

/// One round of the loop: what was taken off the queue together.
#[derive(Debug, Default)]
pub struct Round {
    /// When each that has no answer yet may have come first, in order.
    came_us: VecDeque<u64>,
}

impl Round {
    /// What was just taken; `waited`: something had come before the loop looked, while the round before went on. What comes
    /// from now on has the mark of this round.
    pub fn begin(&mut self, work: &Work, waited: bool, queue: &Handle) {
        let now_us = clock::steady_us();
        queue.mark(now_us);
        self.came_us.clear();
        // Without a mark it came before the first round.
        self.came_us.extend(work.marks().map(|mark| if waited && mark > 0 { mark } else { now_us }));
    }

    /// A batch of it was answered.
    pub fn stepped(&mut self, work: &Work, figures: &LoopFigures) {
        let answered = self.came_us.len().saturating_sub(work.len());
        if answered == 0 {
            return;
        }
        let now_us = clock::steady_us();
        let mut all = self.came_us.drain(..answered).peekable();
        while let Some(came_us) = all.next() {
            let mut alike = 1;
            while all.next_if_eq(&came_us).is_some() {
                alike += 1;
            }
            figures.answered_us.add(now_us.saturating_sub(came_us), alike);
        }
    }
}
