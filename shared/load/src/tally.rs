//! Counting: what came once, twice, late or never; and how long things took.

use serde_json::{Value, json};

/// Which of the numbers 0, 1, 2 … came, and in which order.
#[derive(Default)]
pub struct Seen {
    words: Vec<u64>,
    count: u64,
    /// One more than the greatest that came.
    next: u64,
    /// Came again.
    pub doubled: u64,
    /// Came after a greater one.
    pub late: u64,
}

impl Seen {
    /// Counts `number`.
    pub fn put(&mut self, number: u64) {
        let (word, bit) = ((number / 64) as usize, 1 << (number % 64));
        if word >= self.words.len() {
            self.words.resize(word + 64, 0);
        }
        if self.words[word] & bit != 0 {
            self.doubled += 1;
            return;
        }
        self.words[word] |= bit;
        self.count += 1;
        if number < self.next {
            self.late += 1;
        } else {
            self.next = number + 1;
        }
    }

    /// How many different ones came.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many of those below the greatest did not.
    pub fn gaps(&self) -> u64 {
        self.next - self.count
    }
}

/// What must not happen, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Sent and never delivered, although everything else had come.
    pub lost: u64,
    /// Delivered again.
    pub doubled: u64,
    /// Delivered after a later one of the same author, or pushed against the conversation's order.
    pub out_of_order: u64,
    /// Sent and never acknowledged, or acknowledged without having been sent.
    pub acks: u64,
    /// Not what anybody here said.
    pub foreign: u64,
    /// Missing numbers in a conversation's sequence, or one number for two messages.
    pub sequence: u64,
}

impl Faults {
    /// Both together.
    pub fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.out_of_order += other.out_of_order;
        self.acks += other.acks;
        self.foreign += other.foreign;
        self.sequence += other.sequence;
    }

    /// Whether nothing happened.
    pub fn none(&self) -> bool {
        *self == Self::default()
    }

    /// For `--json`.
    pub fn json(&self) -> Value {
        json!({
            "lost": self.lost, "doubled": self.doubled, "out_of_order": self.out_of_order, "acks": self.acks,
            "foreign": self.foreign, "sequence": self.sequence,
        })
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { lost, doubled, out_of_order, acks, foreign, sequence } = self;
        write!(f, "lost={lost} doubled={doubled} out_of_order={out_of_order} acks={acks} foreign={foreign} sequence={sequence}")
    }
}

/// Times, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// How many were measured.
    pub count: usize,
    /// Half of them are below.
    pub p50: f64,
    /// Nine in ten.
    pub p90: f64,
    /// 99 in 100.
    pub p99: f64,
    /// 999 in 1000.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

impl Times {
    /// Of these microseconds.
    pub fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        let last = micros.len().saturating_sub(1);
        let at = |part: f64| micros.get((part * last as f64).round() as usize).map_or(0.0, |us| f64::from(*us) / 1000.0);
        Self { count: micros.len(), p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1.0) }
    }

    /// For `--json`.
    pub fn json(&self) -> Value {
        json!({ "count": self.count, "p50_ms": self.p50, "p90_ms": self.p90, "p99_ms": self.p99, "p999_ms": self.p999, "max_ms": self.max })
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { p50, p90, p99, p999, max, .. } = self;
        write!(f, "p50 {p50:.2}  p90 {p90:.2}  p99 {p99:.2}  p99.9 {p999:.2}  max {max:.2} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_late_and_never_are_told_apart() {
        let mut seen = Seen::default();
        [0, 1, 3, 3, 2, 700, 0].into_iter().for_each(|n| seen.put(n));
        assert_eq!((seen.count(), seen.doubled, seen.late, seen.gaps()), (5, 2, 1, 696));
    }

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let times = Times::of((1..=1000).rev().map(|n| n * 1000).collect());
        assert_eq!((times.count, times.p50, times.p90, times.p99, times.max), (1000, 501.0, 900.0, 990.0, 1000.0));
        assert_eq!(Times::of(Vec::new()).p99, 0.0);
    }
}
