//! How far it is, on standard error, if that is a terminal. A bar that moves with the time that each step is planned to take.

use std::{io::IsTerminal as _, io::Write as _, sync::Arc, time::Duration};

use parking_lot::Mutex;
use startalk_load::clock::Watch;
use tokio::task::JoinHandle;

/// Cells of the bar.
const CELLS: usize = 24;
/// How often it is drawn.
const EVERY: Duration = Duration::from_millis(200);
/// Back to the beginning of the line, which is cleared.
const AGAIN: &str = "\r\x1b[2K";

struct Step {
    /// Of all planned seconds, so many were over before it.
    before: f64,
    /// Planned for it.
    seconds: f64,
    words: String,
    since: Watch,
}

/// The bar; cleared when it is dropped.
pub struct Meter {
    planned: f64,
    step: Arc<Mutex<Step>>,
    drawing: Option<JoinHandle<()>>,
}

impl Meter {
    /// For so many seconds in all; draws nothing if it is `quiet` or nobody looks. Needs a runtime.
    pub fn start(planned: f64, quiet: bool) -> Self {
        let step = Arc::new(Mutex::new(Step { before: 0.0, seconds: 0.0, words: String::new(), since: Watch::start() }));
        let draws = !quiet && std::io::stderr().is_terminal();
        let drawn = step.clone();
        let drawing = draws.then(|| {
            tokio::spawn(async move {
                loop {
                    let line = drawn.lock().line(planned);
                    let _ = write!(std::io::stderr(), "{AGAIN}{line}");
                    tokio::time::sleep(EVERY).await;
                }
            })
        });
        Self { planned, step, drawing }
    }

    /// The next step, and how long it is planned to take.
    pub fn step(&self, seconds: f64, words: String) {
        let mut step = self.step.lock();
        let before = (step.before + step.seconds).min(self.planned);
        *step = Step { before, seconds, words, since: Watch::start() };
    }

    /// Other words for the same step.
    pub fn say(&self, words: String) {
        self.step.lock().words = words;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(drawing) = self.drawing.take() {
            drawing.abort();
            let _ = write!(std::io::stderr(), "{AGAIN}");
        }
    }
}

impl Step {
    fn line(&self, planned: f64) -> String {
        line((self.before + self.since.elapsed().as_secs_f64().min(self.seconds)) / planned, &self.words)
    }
}

fn line(part: f64, words: &str) -> String {
    let part = part.clamp(0.0, 1.0);
    let filled = (part * CELLS as f64) as usize;
    format!("[{}{}] {:3.0} %  {words}", "█".repeat(filled), "░".repeat(CELLS - filled), part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_as_long_as_it_is_far() {
        assert_eq!(line(0.25, "disk"), format!("[{}{}]  25 %  disk", "█".repeat(6), "░".repeat(18)));
        assert_eq!(line(7.0, ""), format!("[{}] 100 %  ", "█".repeat(24)));
    }
}
