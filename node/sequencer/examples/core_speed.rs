//! What the core costs without sockets: 100 pairs, each message durable before it is answered.
//! `cargo run --release -p startalk-sequencer --example core_speed -- [messages] [in flight]`

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command,
    command::{Admission, NewDevice, Target},
    context::Random,
    store::Store,
};
use startalk_journal::{FolderDisk, Journal, Options};
use startalk_protocol::pb::content::{Block, Content, Inline, Text, content::Kind};
use startalk_sequencer::{Sequencer, Work, views};

struct Weak(u64);

impl Random for Weak {
    fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = (self.0 >> 33) as u8;
        }
    }
}

fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a benchmark")]
    let now = SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().expect("utime") + fields[12].parse::<u64>().expect("stime");
    Duration::from_millis(ticks * 10)
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|a| a.parse().expect("a number"));
    let total: u64 = arguments.next().unwrap_or(500_000);
    let in_flight: u64 = arguments.next().unwrap_or(400);
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Arc::new(FolderDisk::new(folder.path().join("journal")).expect("a folder"));
    let journal = Journal::create(disk, [1; 16], Options::default()).expect("a journal");
    let store = Store::open(&folder.path().join("views")).expect("a tree");
    let views = views(store, Arc::new(journal.reader()));
    let mut sequencer = Sequencer::open(journal, views, "bench.example".parse().expect("a name"), |_, _| {}).expect("empty");
    let mut random = Weak(1);
    let mut work = Work::default();
    work.push(Command::Begin { root_key: [1; 32] }, |_| {});
    let actors: Arc<parking_lot::Mutex<Vec<Actor>>> = Arc::default();
    for n in 0..200u64 {
        let actors = actors.clone();
        let device = NewDevice { name: String::new(), token_hash: *blake3::hash(&n.to_le_bytes()).as_bytes() };
        let command = Command::CreateAccount {
            name: format!("u{n}").parse().expect("a name"),
            display_name: String::new(),
            password_hash: String::new(),
            recovery_hashes: Vec::new(),
            admission: Admission::Operator { administrator: false },
            device: Some(device),
        };
        work.push(command, move |answer| {
            if let Ok(Answer::Account { account, device: Some(device), .. }) = answer {
                actors.lock().push(Actor { account, device });
            }
        });
    }
    while !work.is_empty() {
        sequencer.step(&mut work, now_ms(), &mut random).expect("works");
    }
    let actors = actors.lock().clone();
    let inline = Inline { text: "x".repeat(100), ..Inline::default() };
    let text = Text { blocks: vec![Block { inlines: vec![inline], ..Block::default() }] };
    let content: Bytes =
        Content { fallback: String::new(), kind: Some(Kind::Text(text)), ..Content::default() }.encode_to_vec().into();
    let answered = Arc::new(AtomicU64::new(0));
    let (mut sent, mut batches) = (0u64, 0u64);
    let mut counters = vec![0; 200];
    #[expect(clippy::disallowed_methods, reason = "a benchmark")]
    let (begun, cpu_before) = (Instant::now(), cpu());
    while answered.load(Ordering::Relaxed) < total {
        while sent < total && sent - answered.load(Ordering::Relaxed) < in_flight {
            let from = (sent % 200) as usize;
            counters[from] += 1;
            let to = Target::User(format!("u{}@bench.example", from ^ 1).parse().expect("a user"));
            let (content, answered) = (content.clone(), answered.clone());
            let command = Command::Send {
                actor: actors[from],
                to,
                counter: counters[from],
                content,
                reply_to: None,
                reply_sequence: 0,
                known_id: None,
            };
            work.push(command, move |answer| {
                answer.expect("accepted");
                answered.fetch_add(1, Ordering::Relaxed);
            });
            sent += 1;
        }
        sequencer.step(&mut work, now_ms(), &mut random).expect("works");
        batches += 1;
    }
    let (wall, cpu) = (begun.elapsed(), cpu() - cpu_before);
    let position = sequencer.head().position;
    let tree = sequencer.views().store.clone();
    sequencer.close().expect("closes");
    let journal_bytes: u64 = std::fs::read_dir(folder.path().join("journal"))
        .expect("a folder")
        .map(|e| e.expect("an entry").metadata().expect("a file").len())
        .sum();
    println!(
        "messages {total} in {wall:.1?}: {:.0}/s, {:.1} µs CPU each, {:.0} in a batch",
        total as f64 / wall.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / total as f64,
        total as f64 / batches as f64
    );
    println!(
        "records {position}, journal files {:.0} B a message, views {:.0} B a message",
        journal_bytes as f64 / total as f64,
        tree.disk_bytes() as f64 / total as f64
    );
}
