//! What was found, in lines for people and as one JSON object: figures beside their targets, misses named.

use serde_json::{Map, Value, json};

use crate::{load::Measured, proc, tally::Faults};

/// A figure that has to stay below (or above) a target.
#[derive(Clone, Debug)]
pub struct Figure {
    name: &'static str,
    value: f64,
    target: f64,
    unit: &'static str,
    at_least: bool,
}

impl Figure {
    /// At most `target`.
    pub fn at_most(name: &'static str, value: f64, target: f64, unit: &'static str) -> Self {
        Self { name, value, target, unit, at_least: false }
    }

    /// At least `target`.
    pub fn at_least(name: &'static str, value: f64, target: f64, unit: &'static str) -> Self {
        Self { name, value, target, unit, at_least: true }
    }

    fn hit(&self) -> bool {
        if self.at_least { self.value >= self.target } else { self.value <= self.target }
    }
}

/// See the module.
pub struct Report {
    json: bool,
    figures: Vec<Figure>,
    closing: Vec<String>,
    all: Map<String, Value>,
    bad: bool,
}

impl Report {
    /// With `json`, nothing is printed before the end.
    pub fn new(json: bool) -> Self {
        let mut this = Self { json, figures: Vec::new(), closing: Vec::new(), all: Map::new(), bad: false };
        this.line(format!("machine: {}, load average {:.2} before", proc::machine(), proc::load_average()));
        this.put("machine", json!({ "machine": proc::machine(), "load_average": proc::load_average() }));
        this
    }

    /// A line for people, as soon as it is known.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            println!("{}", text.as_ref());
        }
    }

    /// For `--json`.
    pub fn put(&mut self, name: &str, value: Value) {
        self.all.insert(name.to_owned(), value);
    }

    /// Compared with its target at the end.
    pub fn figure(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// A line at the end, for programs.
    pub fn closing(&mut self, line: String) {
        self.closing.push(line);
    }

    /// What a run came to; what must not happen makes the whole report a failure.
    pub fn run(&mut self, name: &str, run: &Measured) {
        let Measured { messages, spoken, seconds, acknowledged, delivered, late, said, faults, .. } = run;
        self.line(format!(
            "{name}: {messages} delivered in {seconds:.2} s: {:.0}/s, {:.1} µs CPU each (generator {:.1})",
            run.per_second(),
            run.cpu_us(),
            run.own_cpu_us()
        ));
        self.line(format!("  acknowledged  {acknowledged}"));
        self.line(format!("  delivered     {delivered}"));
        self.line(format!("  said late by  {late}"));
        self.line(format!("  {said} said in all: {faults}"));
        self.bad |= !faults.none();
        let cpu: Vec<f64> = run.cpu.iter().map(|c| c.as_secs_f64() * 1e6 / (*messages).max(1) as f64).collect();
        self.put(name, json!({
            "messages": messages, "spoken": spoken, "seconds": seconds, "per_second": run.per_second(), "cpu_us": run.cpu_us(), "cpu_us_each": cpu,
            "generator_cpu_us": run.own_cpu_us(), "acknowledged": acknowledged.json(), "delivered": delivered.json(),
            "late": late.json(), "said": said, "faults": faults.json(),
        }));
    }

    /// What must not happen, outside of a run.
    pub fn faults(&mut self, faults: &Faults) {
        self.line(format!("  {faults}"));
        self.bad |= !faults.none();
    }

    /// Whether nothing happened until now that must not.
    pub fn is_good(&self) -> bool {
        !self.bad
    }

    /// Prints the end. False if something happened that must not.
    pub fn finish(mut self) -> bool {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|f| json!({ "name": f.name, "value": f.value, "target": f.target, "unit": f.unit, "hit": f.hit() }))
            .collect();
        if self.json {
            self.put("figures", Value::Array(figures));
            self.put("good", json!(!self.bad));
            println!("{}", Value::Object(self.all));
        } else {
            println!();
            for figure in &self.figures {
                let Figure { name, value, target, unit, at_least } = figure;
                let (word, sign) = (if figure.hit() { "hit " } else { "MISS" }, if *at_least { "≥" } else { "≤" });
                println!("{word} {name}: {} {unit} (target {sign} {} {unit})", short(*value), short(*target));
            }
            self.closing.iter().for_each(|line| println!("{line}"));
            if self.bad {
                println!("FAILED: messages were lost, doubled, out of order or wrong");
            }
        }
        !self.bad
    }
}

fn short(value: f64) -> String {
    if value >= 100.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// Bytes as MB.
pub fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
