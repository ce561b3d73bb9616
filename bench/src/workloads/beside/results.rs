//! `RESULTS.md`: what was found, with pictures, for people.

use std::{fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, Result};

use super::{
    FAIR,
    findings::{Findings, Row, middle, short},
    plot,
};
use crate::{proc, tally::Times, workloads::Settings};

/// What the figures of a table are, in words.
fn words(figure: &str) -> &str {
    match figure {
        "cpu_us" => "CPU each",
        "later_us" => "CPU each afterwards, until it is quiet",
        "index_us" => "of both for the search index, at least",
        "cpu_ms" => "CPU of each who came back",
        "per_second" => "a second",
        "disk_bytes" => "written to the disk, each",
        "wire_bytes" => "over loopback, each",
        "acknowledged_p50" => "acknowledged, middle",
        "acknowledged_p99" => "acknowledged, p99",
        "delivered_p50" => "delivered, middle",
        "delivered_p99" => "delivered, p99",
        "cpu_ms_s" => "CPU in each second",
        "back_p50" => "a device is back, middle",
        "back_p99" => "a device is back, p99",
        "page_p50" => "a page, middle",
        "page_p99" => "a page, p99",
        "kb" => "memory of each",
        "mb_before" => "memory with a fifth of them",
        "seconds" => "until all have everything",
        "p99" => "p99",
        "ms" => "until somebody is in",
        "everybody_ms" => "until all are back and have everything",
        "acknowledged" => "acknowledged before the kill",
        "absent" => "could not come back",
        "missing" => "of these missing for whom they were written to",
        "lost" => "of these lost",
        other => other,
    }
}

/// Writes it to `file`, and the pictures into the folder `results` beside it.
pub fn write(findings: &Findings, settings: &Settings, sync: &Times, file: &Path) -> Result<()> {
    let pictures = file.parent().context("RESULTS.md is in a folder")?.join("results");
    fs::create_dir_all(&pictures)?;
    let mut text = format!(
        "# Results\n\nWritten by `bench/run`; [peers.toml](peers.toml) has how the peers are set up, and whoever can improve a peer's \
         figure edits it. [docs/performance.md](../docs/performance.md) says what the workloads do.\n\n\
         * Machine: {}, shared by server and load generator. 4 KiB are written and synced in {} (p50), {} ms (p99).\n\
         * Each value is the middle of {} round(s), least and most in brackets. CPU and memory are of all processes of a server, PostgreSQL's too; \
         everything is over TLS 1.3; 100 bytes of text in a message.\n\
         * Costs are from the run as fast as answers come ({} outstanding for each who speaks); times are from the run at half of that speed, \
         each system's own, from when a message was to be said.\n\
         * Every message was checked at its receiver: none lost, none twice, none out of order, or there would be no results; \
         in `recovery` that is asked of Startalk alone, and counted of the others.\n\n",
        proc::machine(),
        short(sync.p50),
        short(sync.p99),
        settings.repeats,
        settings.outstanding,
    );
    text += "| system | version | stores |\n| --- | --- | --- |\n";
    for [name, version, stores] in &findings.systems {
        let _ = writeln!(text, "| {name} | {version} | {stores} |");
    }
    text += "\nWhat `stores no messages` or `nothing` loses everything on its way when it is killed; its figures are a bound for what a server \
             that keeps messages may cost, not a peer's. `limit` is a program of ours with the same sockets and the same bytes on the disk, that \
             does nothing else. mosquitto has neither people nor groups: to it a group is a topic. XMPP servers acknowledge by XEP-0198, once for \
             the messages of one write; in a group by the message that comes back to its author. To the disk goes what the machine's disks counted, \
             everybody's. Over loopback goes ejabberd's talk with PostgreSQL as well, and acknowledgements \
             of TCP.\n";
    let mut last = "";
    for row in &findings.rows {
        if row.workload != last {
            last = &row.workload;
            let picture = format!("{last}.svg");
            fs::write(
                pictures.join(&picture),
                plot::bars(&format!("{last}: {}", words(row.figure)), row.unit, &columns(findings, row)),
            )?;
            let _ = write!(text, "\n## {last}\n\n![{last}](results/{picture})\n\n| |");
            let present = present(findings, last);
            present.iter().for_each(|at| text += &format!(" {} |", findings.systems[*at][0]));
            text += "\n| --- |";
            present.iter().for_each(|_| text += " --- |");
            text.push('\n');
        }
        let unit = if row.unit.is_empty() { String::new() } else { format!(", {}", row.unit) };
        let _ = write!(text, "| {}{unit} |", words(row.figure));
        for at in present(findings, last) {
            match middle(&row.values[at]) {
                Some(m) if row.values[at].len() > 1 => {
                    let _ = write!(text, " {} ({}–{}) |", short(m.value), short(m.least), short(m.most));
                }
                Some(m) => text += &format!(" {} |", short(m.value)),
                None => text += " |",
            }
        }
        text.push('\n');
    }
    let _ = write!(
        text,
        "\n## In lines\n\nThe ratio is {FAIR}'s figure divided by ours.\n\n```\n{}\n```\n",
        findings.lines().join("\n")
    );
    fs::write(file, text).with_context(|| format!("{}", file.display()))
}

/// Systems that have a figure of this workload.
fn present(findings: &Findings, workload: &str) -> Vec<usize> {
    let has = |at: &usize| findings.rows.iter().any(|r| r.workload == workload && !r.values[*at].is_empty());
    (0..findings.systems.len()).filter(has).collect()
}

fn columns<'a>(findings: &'a Findings, row: &Row) -> Vec<(&'a str, super::findings::Middle)> {
    let all = findings.systems.iter().zip(&row.values);
    all.filter_map(|([name, ..], values)| middle(values).map(|m| (&name[..], m))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_the_systems_that_took_part() {
        let systems = [["startalk"; 3], [FAIR; 3], ["mosquitto"; 3]].map(|s| s.map(str::to_owned)).to_vec();
        let row = |workload: &str, figure, values| Row { workload: workload.to_owned(), figure, unit: "µs", values };
        let rows = vec![
            row("one-to-one", "cpu_us", vec![vec![1.0, 2.0, 3.0], vec![100.0], vec![10.0]]),
            row("history", "cpu_us", vec![vec![1.0], vec![100.0], vec![]]),
        ];
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("RESULTS.md");
        let settings = Settings { repeats: 3, outstanding: 4, ..Settings::default() };
        write(&Findings { systems, rows }, &settings, &Times::default(), &file).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains("| CPU each, µs | 2.00 (1.00–3.00) | 100 | 10.0 |"), "{text}");
        assert!(text.contains("| CPU each, µs | 1.00 | 100 |\n"), "{text}");
        assert!(folder.path().join("results/history.svg").is_file());
    }
}
