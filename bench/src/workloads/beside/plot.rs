//! A picture of one figure: a bar for each system, by the logarithm, for the systems are a hundred times apart. It is SVG that is
//! readable on light and on dark pages.

use std::fmt::Write as _;

use super::findings::{Middle, short};

const ROW: usize = 30;
const TOP: usize = 46;
const NAMES: f64 = 170.0;
const BARS: f64 = 380.0;
const WIDTH: usize = 660;

/// The picture. `bars`: name and value; the first one is ours.
pub fn bars(title: &str, unit: &str, bars: &[(&str, Middle)]) -> String {
    let least = bars.iter().map(|(_, m)| m.least).filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
    let most = bars.iter().map(|(_, m)| m.most).fold(0.0, f64::max);
    // From the power of ten below the least to the one above the greatest.
    let (from, to) = if least.is_finite() { (least.log10().floor(), most.log10().ceil()) } else { (0.0, 1.0) };
    let place = |value: f64| if value <= 0.0 { 0.0 } else { (value.log10() - from) / (to - from).max(1.0) * BARS };
    let height = TOP + bars.len() * ROW + 28;
    let mut svg = String::new();
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\
         <title>{title}</title><style>text{{fill:#222}}line{{stroke:#999}}.other{{fill:#9aa7b5}}.ours{{fill:#2f7d5d}}\
         @media(prefers-color-scheme:dark){{text{{fill:#ddd}}line{{stroke:#666}}}}</style>\
         <text x=\"10\" y=\"22\" font-size=\"15\" font-weight=\"bold\">{title}</text>"
    );
    let bottom = TOP + bars.len() * ROW;
    for power in 0..=((to - from).max(1.0) as u32) {
        let value = 10_f64.powf(from + f64::from(power));
        let x = NAMES + place(value);
        let label = if value >= 1000.0 { format!("{:.0}k", value / 1000.0) } else { format!("{value}") };
        let _ = write!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{}\" y2=\"{bottom}\" stroke-dasharray=\"2 3\"/>\
             <text x=\"{x:.1}\" y=\"{}\" font-size=\"11\" text-anchor=\"middle\">{label} {unit}</text>",
            TOP - 8,
            bottom + 18
        );
    }
    for (n, (name, middle)) in bars.iter().enumerate() {
        let (y, length) = (TOP + n * ROW, place(middle.value).max(1.0));
        let class = if n == 0 { "ours" } else { "other" };
        let _ = write!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{name}</text>\
             <rect class=\"{class}\" x=\"{NAMES}\" y=\"{y}\" width=\"{length:.1}\" height=\"20\" rx=\"2\"/>\
             <line x1=\"{:.1}\" x2=\"{:.1}\" y1=\"{}\" y2=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{}\">{} {unit}</text>",
            NAMES - 8.0,
            y + 15,
            NAMES + place(middle.least),
            NAMES + place(middle.most),
            y + 10,
            y + 10,
            NAMES + length.max(place(middle.most)) + 6.0,
            y + 15,
            short(middle.value),
        );
    }
    svg + "</svg>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_times_as_much_is_one_step_further() {
        let middle = |value| Middle { value, least: value, most: value };
        let svg = bars("CPU", "µs", &[("ours", middle(10.0)), ("other", middle(100.0)), ("slow", middle(1000.0))]);
        let widths: Vec<f64> = svg.split("width=\"").skip(1).filter_map(|rest| rest.split('"').next()?.parse().ok()).collect();
        assert_eq!(widths, [1.0, 190.0, 380.0]);
        assert!(svg.contains("1000 µs") && svg.ends_with("</svg>\n"));
    }
}
