//! Lines of Prometheus' text format.

use std::fmt::Write as _;

use startalk_federation::PeerStatus;

use super::histogram::Histogram;

/// Lines of the text format, version 0.0.4.
#[derive(Default)]
pub struct Page(pub String);

impl Page {
    /// What the lines of this name are.
    pub fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP startalk_{name} {help}\n# TYPE startalk_{name} {kind}");
    }

    /// One value.
    pub fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let label = |(name, value): &(&str, &str)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        };
        let labels = labels.iter().map(label).collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "startalk_{name}{labels} {value}");
    }

    /// A gauge of one value.
    pub fn one(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, "gauge", help);
        self.line(name, &[], value);
    }

    /// A gauge with one line for each peer that has such a value.
    pub fn each<V: std::fmt::Display>(
        &mut self,
        name: &str,
        help: &str,
        peers: &[PeerStatus],
        value: impl Fn(&PeerStatus) -> Option<V>,
    ) {
        self.head(name, "gauge", help);
        for peer in peers {
            if let Some(value) = value(peer) {
                self.line(name, &[("domain", peer.domain.as_str())], value);
            }
        }
    }

    /// A counter by one label.
    pub fn counted(&mut self, name: &str, help: &str, label: &str, all: impl IntoIterator<Item = (&'static str, u64)>) {
        self.head(name, "counter", help);
        for (value, count) in all {
            self.line(name, &[(label, value)], count);
        }
    }

    /// A histogram whose sizes are shown as `show` says.
    pub fn histogram(&mut self, name: &str, help: &str, histogram: &Histogram, show: impl Fn(u64) -> String) {
        self.head(name, "histogram", help);
        let (buckets, sum) = histogram.read();
        let mut all = 0;
        for (bound, count) in buckets {
            let bound = bound.map_or_else(|| "+Inf".to_owned(), &show);
            self.line(&format!("{name}_bucket"), &[("le", &bound)], count);
            all = count;
        }
        self.line(&format!("{name}_sum"), &[], show(sum));
        self.line(&format!("{name}_count"), &[], all);
    }
}

/// Whole milliseconds as decimal seconds.
pub fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

/// Whole microseconds as decimal seconds.
pub fn seconds_of_us(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_break_out_and_a_histogram_ends_with_all() {
        let mut page = Page::default();
        page.line("x", &[("domain", "a\"b\\c\nd"), ("y", "z")], seconds(1_234_005));
        assert_eq!(page.0, "startalk_x{domain=\"a\\\"b\\\\c\\nd\",y=\"z\"} 1234.005\n");
        let (mut page, sizes) = (Page::default(), Histogram::new(&[1_000]));
        sizes.add(5_000, 2);
        page.histogram("t_seconds", "T.", &sizes, seconds_of_us);
        let lines: Vec<&str> = page.0.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "startalk_t_seconds_bucket{le=\"0.001000\"} 0",
                "startalk_t_seconds_bucket{le=\"+Inf\"} 2",
                "startalk_t_seconds_sum 0.010000",
                "startalk_t_seconds_count 2"
            ]
        );
    }
}
