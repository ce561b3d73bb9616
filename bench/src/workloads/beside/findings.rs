//! Figures of all systems side by side: each the middle of its rounds, with the least and the greatest.

use serde_json::{Value, json};

use super::{FAIR, system::System};
use crate::load::Measured;

/// What is told in a line although it is not the first figure, for no time is worth anything beside it.
const TOLD: [&str; 2] = ["missing", "lost"];

/// A figure of one workload, of all systems.
pub struct Row {
    /// What was done.
    pub workload: String,
    /// What was counted.
    pub figure: &'static str,
    /// In what.
    pub unit: &'static str,
    /// By system, in the order of [`Findings::systems`]; of each round.
    pub values: Vec<Vec<f64>>,
}

/// The middle of some rounds, and how far they were apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Middle {
    /// The median.
    pub value: f64,
    /// The least.
    pub least: f64,
    /// The greatest.
    pub most: f64,
}

/// See the module.
pub struct Findings {
    /// Name, version, what it keeps.
    pub systems: Vec<[String; 3]>,
    /// In the order in which they were found.
    pub rows: Vec<Row>,
}

impl Findings {
    /// None yet, of these.
    pub fn new(systems: &[System]) -> Self {
        let of = |s: &System| [s.name().to_owned(), s.version(), s.stores().to_owned()];
        Self { systems: systems.iter().map(of).collect(), rows: Vec::new() }
    }

    /// One more value.
    pub fn put(&mut self, workload: &str, figure: &'static str, unit: &'static str, system: &System, value: f64) {
        let Some(column) = self.systems.iter().position(|[name, ..]| name == system.name()) else { return };
        let at = self.rows.iter().position(|r| r.workload == workload && r.figure == figure).unwrap_or_else(|| {
            self.rows.push(Row { workload: workload.to_owned(), figure, unit, values: vec![Vec::new(); self.systems.len()] });
            self.rows.len() - 1
        });
        self.rows[at].values[column].push(value);
    }

    /// What a delivered message took when everybody spoke as fast as they were answered.
    pub fn cost(&mut self, workload: &str, system: &System, run: &Measured) {
        let messages = run.messages.max(1) as f64;
        self.put(workload, "cpu_us", "µs", system, run.cpu_us());
        self.put(workload, "per_second", "/s", system, run.per_second());
        self.put(workload, "disk_bytes", "B", system, run.written as f64 / messages);
        self.put(workload, "wire_bytes", "B", system, run.wire as f64 / messages);
    }

    /// How long messages took at half of that speed.
    pub fn times(&mut self, workload: &str, system: &System, run: &Measured) {
        self.put(workload, "acknowledged_p50", "ms", system, run.acknowledged.p50);
        self.put(workload, "acknowledged_p99", "ms", system, run.acknowledged.p99);
        self.put(workload, "delivered_p50", "ms", system, run.delivered.p50);
        self.put(workload, "delivered_p99", "ms", system, run.delivered.p99);
    }

    /// One line for each workload: its first figure, of all systems; how many times ours the fair peer's is. And what was lost.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut last = "";
        for row in &self.rows {
            if row.workload == last && !TOLD.contains(&row.figure) {
                continue;
            }
            last = &row.workload;
            let mut line = format!("{} {}", row.workload, row.figure);
            let of = |name: &str| {
                let column = self.systems.iter().position(|[n, ..]| n == name)?;
                middle(&row.values[column]).map(|m| m.value)
            };
            // Ours, the fair peer, then the others.
            let first = ["startalk", FAIR];
            let others = self.systems.iter().map(|[name, ..]| &name[..]).filter(|name| !first.contains(name));
            for name in first.into_iter().chain(others) {
                if let Some(value) = of(name) {
                    line += &format!(" {name}={}", if row.unit.is_empty() { format!("{value:.0}") } else { short(value) });
                }
            }
            if let (Some(ours), Some(theirs)) = (of("startalk"), of(FAIR))
                && !TOLD.contains(&row.figure)
                && ours > 0.0
            {
                line += &format!(" ratio={}", short(theirs / ours));
            }
            lines.push(line);
        }
        lines
    }

    /// Everything.
    pub fn json(&self) -> Value {
        let rows = self.rows.iter().map(|r| {
            let by: serde_json::Map<String, Value> = self
                .systems
                .iter()
                .zip(&r.values)
                .filter(|(_, v)| !v.is_empty())
                .map(|([name, ..], v)| (name.clone(), json!(v)))
                .collect();
            json!({ "workload": r.workload, "figure": r.figure, "unit": r.unit, "values": by })
        });
        json!({ "systems": self.systems, "rows": rows.collect::<Vec<_>>() })
    }
}

/// The median of the rounds; `None` of none.
pub fn middle(values: &[f64]) -> Option<Middle> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let value = *sorted.get(sorted.len().saturating_sub(1) / 2)?;
    Some(Middle { value, least: *sorted.first()?, most: *sorted.last()? })
}

/// Three digits that say something.
pub fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_middle_and_how_many_times_ours_the_fair_peer_is() {
        let systems = [["startalk"; 3], ["limit"; 3], [FAIR; 3]].map(|s| s.map(str::to_owned)).to_vec();
        let values = vec![vec![30.0, 10.0, 20.0], Vec::new(), vec![1000.0, 4000.0]];
        let row = |figure, values| Row { workload: "one-to-one".to_owned(), figure, unit: "µs", values };
        let findings =
            Findings { systems, rows: vec![row("cpu_us", values), row("per_second", vec![vec![1.0], vec![], vec![]])] };
        assert_eq!(findings.lines(), ["one-to-one cpu_us startalk=20.0 ejabberd-postgresql=1000 ratio=50.0"]);
        let systems = [["startalk"; 3], [FAIR; 3]].map(|s| s.map(str::to_owned)).to_vec();
        let row = |figure, unit, values| Row { workload: "recovery".to_owned(), figure, unit, values };
        let rows = vec![
            row("ms", "ms", vec![vec![10.0], vec![20.0]]),
            row("absent", "", vec![vec![0.0]; 2]),
            row("lost", "", vec![vec![0.0], vec![7.0]]),
        ];
        let told = Findings { systems, rows }.lines();
        assert_eq!(
            told,
            ["recovery ms startalk=10.0 ejabberd-postgresql=20.0 ratio=2.00", "recovery lost startalk=0 ejabberd-postgresql=7"]
        );
        assert_eq!(middle(&[3.0, 1.0, 2.0]), Some(Middle { value: 2.0, least: 1.0, most: 3.0 }));
        assert_eq!(middle(&[]), None);
    }
}
