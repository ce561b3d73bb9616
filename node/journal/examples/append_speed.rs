//! How fast a real folder takes batches: `cargo run --release -p startalk-journal --example append_speed -- <folder> [seconds]`.
//!
//! Appends batches of 200 records of about 300 bytes, one sync each, into a new journal in the folder (which must be
//! empty or absent), then reads everything back and opens it again. Prints rates; keeps the folder.

use startalk_journal::{AppendJournal, Draft, FolderDisk, Journal, Options, ReadJournal};
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

const BATCH: u64 = 200;
const FACTS: usize = 28;
const BODY: usize = 180;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("usage: append_speed <folder> [seconds]")?;
    let seconds = arguments.next().map_or(Ok(5), |seconds| seconds.parse())?;
    let disk = Arc::new(FolderDisk::new(&folder)?);

    let start = now();
    let mut journal = Journal::create(disk.clone(), [7; 16], Options::default())?;
    println!("created in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);

    let start = now();
    let mut batches = 0;
    let mut slowest = Duration::ZERO;
    while start.elapsed() < Duration::from_secs(seconds) {
        let batch: Vec<Draft> = (0..BATCH).map(|n| draft(batches * BATCH + n)).collect();
        let before = now();
        let head = journal.head();
        journal.append(&batch, &head)?;
        slowest = slowest.max(before.elapsed());
        batches += 1;
    }
    let took = start.elapsed().as_secs_f64();
    let records = batches * BATCH;
    let syncs = batches as f64 / took;
    println!("appended {records} records in {took:.1} s: {:.0}/s, {syncs:.0} syncs/s", records as f64 / took);
    println!("slowest batch {:.1} ms", slowest.as_secs_f64() * 1e3);

    let start = now();
    let report = journal.verify(&|_| false, &mut |_| {})?;
    let took = start.elapsed().as_secs_f64();
    let (bytes, damages) = (report.bytes, report.damages_total);
    println!("{:.1} bytes per record; verified {:.0}/s, {damages} damages", bytes as f64 / records as f64, records as f64 / took);

    let (reader, mut position) = (journal.reader(), 1);
    let start = now();
    while position <= records {
        position += reader.read_from(position, 500, 1 << 20)?.len() as u64;
    }
    println!("read {:.0}/s", records as f64 / start.elapsed().as_secs_f64());

    drop(journal);
    let start = now();
    let (_, report) = Journal::open(disk, Options::default())?;
    println!("opened {} segments in {:.1} ms", report.segments, start.elapsed().as_secs_f64() * 1e3);
    Ok(())
}

fn draft(n: u64) -> Draft {
    let mut body = vec![b'a' + (n % 26) as u8; BODY];
    body[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
    Draft {
        kind: 1,
        version: 1,
        time_ms: 1_790_000_000_000 + n / 1000,
        conversation: n % 1000,
        sequence: n / 1000,
        previous: n.saturating_sub(999),
        facts: vec![3; FACTS],
        body: Some(body),
    }
}

#[expect(clippy::disallowed_methods, reason = "a measuring program reads a clock")]
fn now() -> Instant {
    Instant::now()
}
