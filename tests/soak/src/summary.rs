//! What came of a run, in lines and in JSON.

use serde_json::{Value, json};

use crate::{
    run::Outcome,
    sample::{History, mib},
};

impl Outcome {
    /// A table in lines.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("{:<12} {:>6}", "trouble", "times")];
        lines.extend(self.troubles.iter().map(|(name, times)| format!("{name:<12} {times:>6}")));
        lines.extend(self.skipped.iter().map(|skipped| format!("skipped: {skipped}")));
        lines
            .push(format!("{:<12} {:>10} {:>10} {:>10} {:>10}  per cycle", "program", "MiB first", "MiB last", "files", "files"));
        for history in &self.histories {
            let (Some(first), Some(last)) = (history.samples.first(), history.samples.last()) else { continue };
            let slope =
                history.slope().map_or_else(|| "too few to say".to_owned(), |slope| format!("{:+.0} KiB", slope / 1024.0));
            let (name, before, after) = (history.name, mib(first.own), mib(last.own));
            lines.push(format!("{name:<12} {before:>10} {after:>10} {:>10} {:>10}  {slope}", first.files, last.files));
        }
        let (cycles, messages) = (self.cycles, self.messages);
        lines.push(format!("seed {}: {cycles} cycles, {messages} messages, {} faults", self.seed, self.faults.len()));
        lines.extend(self.faults.iter().map(|fault| format!("FAULT: {fault}")));
        lines
    }

    /// For a program.
    pub fn json(&self) -> Value {
        let programs: serde_json::Map<String, Value> =
            self.histories.iter().map(|history: &History| (history.name.to_owned(), history.json())).collect();
        json!({
            "seed": self.seed,
            "cycles": self.cycles,
            "troubles": self.troubles,
            "skipped": self.skipped,
            "messages": self.messages,
            "programs": programs,
            "faults": self.faults,
        })
    }
}
