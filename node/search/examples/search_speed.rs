//! What searching costs: a journal of messages in Chinese and English is made by the real rules and the real write loop, then
//! indexed, then searched by somebody in few conversations and by somebody in ten thousand.
//! `cargo run --release -p startalk-search --example search_speed -- [messages] [accounts] [searches] [texts …]`
//!
//! Prints one line of JSON. Messages are lines of the texts given (Debian has `fortunes` and `fortunes-zh`; npm's
//! `chinese-poetry` has more than a million), shuffled, and said again only when all were. Without any, words are drawn so
//! that some are said all the time and most seldom, as people do.
//!
//! Beside it stands a limit: the same searches by reading every text from one end to the other, all of it in memory, by one
//! core, asking for no rights and ordering nothing.

use std::{
    path::Path,
    sync::{Arc, mpsc},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{
    Actor, Answer, Command,
    command::{Admission, NewDevice, Target},
    context::Random,
    groups::GroupAct,
    store::Store,
};
use startalk_journal::{FolderDisk, Journal, Options};
use startalk_protocol::{
    UserId,
    pb::content::{Block, Content, Inline, Text, content::Kind},
};
use startalk_search::{Question, Search};
use startalk_sequencer::{Sequencer, Work, views};

const COMMON: &str = "的一是了我不人在他有这个上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对小多然于心学么之都好看起发当没成只如事把还用第样道想作种开美总从无情己面最女但现前些所同日手又行意动方期它头经长儿回位分爱老因很给名法间斯知世什两次使身者被高已亲其进此话常与活正感见明问力理尔点文几定本公特做外孩相西果走将月十实向声车全信重三机工物气每并别真打太新比才便夫再书部水像眼等体却加电主界门利海受听表德少克代员许先口由死安写性马光白或住难望教命花结乐色更拉东神记处让母父应直字场平报友关放至张认接告入笑内英军候民岁往何度山觉路带万男边风解叫任金快原吃妈变通师立象数四失满战远格士音轻目条呢";
const ENGLISH: &str = "the be to of and a in that have it for not on with he as you do at this but his by from they we say her she or an will my one all would there their what so up out if about who get which go me when make can like time no just him know take people into year your good some could them see other than then now look only come its over think also back after use two how our work first well way even new want because any these give day most us meeting project review deploy server release budget customer invoice schedule holiday lunch coffee airport ticket report design garden kitchen weather holiday music picture window signal journey mountain river";

struct Weak(u64);

impl Weak {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % n
    }
    /// Small numbers far more often than great ones.
    fn seldom(&mut self, n: usize) -> usize {
        let at = self.below(1 << 20) as f64 / (1 << 20) as f64;
        ((n as f64).powf(at) - 1.0) as usize % n
    }
}

impl Random for Weak {
    fn fill(&mut self, out: &mut [u8]) {
        out.iter_mut().for_each(|byte| *byte = self.below(256) as u8);
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark")]
fn now() -> Instant {
    Instant::now()
}

fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "a benchmark")]
    let now = SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as u64
}

/// A message of 5 to 60 characters, or of 2 to 20 words.
fn text(random: &mut Weak, common: &[char], english: &[&str]) -> String {
    if random.below(10) < 7 {
        let length = 5 + random.below(8) * random.below(8);
        let mut out = String::new();
        for _ in 0..length {
            match random.below(20) {
                0 => out.push('，'),
                // A rare one.
                1 => out.extend(char::from_u32(0x4e00 + random.below(0x5000) as u32)),
                _ => out.push(common[random.seldom(common.len())]),
            }
        }
        return out;
    }
    let words = (0..2 + random.below(18)).map(|_| match random.below(12) {
        0 => format!("{}{}", english[random.seldom(english.len())], random.below(5_000)),
        _ => english[random.seldom(english.len())].to_owned(),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// Lines of files, as long as messages are.
fn lines(files: impl Iterator<Item = String>) -> Vec<String> {
    let read = |file| String::from_utf8_lossy(&std::fs::read(&file).unwrap_or_else(|e| panic!("{file}: {e}"))).into_owned();
    let all: Vec<String> = files.map(read).collect();
    let trimmed = all.iter().flat_map(|text| text.lines()).map(str::trim);
    let is_good = |line: &&str| (4..=400).contains(&line.len()) && !line.contains(char::is_control);
    trimmed.filter(is_good).map(str::to_owned).collect()
}

fn shuffle(random: &mut Weak, lines: &mut [String]) {
    for at in (1..lines.len()).rev() {
        lines.swap(at, random.below(at as u64 + 1) as usize);
    }
}

fn content(text: &str) -> Bytes {
    let inline = Inline { text: text.to_owned(), ..Inline::default() };
    let block = Block { inlines: vec![inline], ..Block::default() };
    Content { kind: Some(Kind::Text(Text { blocks: vec![block] })), ..Content::default() }.encode_to_vec().into()
}

fn run(sequencer: &mut Sequencer<Journal>, random: &mut Weak, commands: Vec<Command>) -> Vec<Answer> {
    let (answers, come) = mpsc::channel();
    let mut work = Work::default();
    for command in commands {
        let answers = answers.clone();
        work.push(command, move |answer| answers.send(answer.expect("accepted")).expect("waited for"));
    }
    drop(answers);
    while !work.is_empty() {
        sequencer.step(&mut work, now_ms(), random).expect("the disk works");
    }
    come.into_iter().collect()
}

fn resident_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|l| l.starts_with(field)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// CPU of this process until now, in hundredths of a second, as Linux counts it.
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let behind_name = stat.rsplit(')').next().unwrap_or_default();
    behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum()
}

/// Waits until merging is over, as far as a second without CPU says so.
fn quiet() {
    let mut before = u64::MAX;
    while cpu_ticks() != before {
        before = cpu_ticks();
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn folder_bytes(folder: &Path) -> u64 {
    std::fs::read_dir(folder).expect("a folder").flatten().filter_map(|e| e.metadata().ok()).map(|m| m.len()).sum()
}

/// Bytes of the files of each sort, largest first; tantivy's book says what is in which.
fn parts(folder: &Path) -> String {
    let mut by_sort = std::collections::BTreeMap::<String, u64>::new();
    for file in std::fs::read_dir(folder).expect("a folder").flatten() {
        let sort = file.path().extension().map(|e| e.to_string_lossy().into_owned()).unwrap_or_default();
        *by_sort.entry(sort).or_default() += file.metadata().map_or(0, |m| m.len());
    }
    let mut all: Vec<_> = by_sort.into_iter().filter(|(_, bytes)| *bytes > 100_000).collect();
    all.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let told: Vec<String> = all.iter().map(|(sort, bytes)| format!("\"{sort}\":{bytes}")).collect();
    format!("{{{}}}", told.join(","))
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    format!("{{\"p50_ms\":{:.2},\"p95_ms\":{:.2},\"max_ms\":{:.2}}}", at(50), at(95), at(100))
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: u64| arguments.next().map_or(otherwise, |a| a.parse().expect("a number"));
    let (messages, accounts, searches) = (number(1_000_000), number(10_001).max(64), number(300));
    let mut real = lines(arguments);
    let (common, english): (Vec<char>, Vec<&str>) = (COMMON.chars().collect(), ENGLISH.split(' ').collect());
    let folder = tempfile::tempdir().expect("a folder");
    let disk = Arc::new(FolderDisk::new(folder.path().join("journal")).expect("a folder"));
    let journal = Journal::create(disk, [1; 16], Options::default()).expect("a journal");
    let store = Store::open(&folder.path().join("views")).expect("a tree");
    let domain: startalk_protocol::DomainName = "bench.example".parse().expect("a name");
    let views = views(store, Arc::new(journal.reader()));
    let mut sequencer = Sequencer::open(journal, views.clone(), domain.clone(), |_, _| {}).expect("empty");
    let mut random = Weak(1);
    shuffle(&mut random, &mut real);
    let user = |n: u64| UserId { name: format!("u{n}").parse().expect("a name"), domain: domain.clone() };
    run(&mut sequencer, &mut random, vec![Command::Begin { root_key: [1; 32] }]);
    let account = |n: u64| Command::CreateAccount {
        name: user(n).name,
        display_name: String::new(),
        password_hash: String::new(),
        recovery_hashes: Vec::new(),
        admission: Admission::Operator { administrator: false },
        device: Some(NewDevice { name: String::new(), token_hash: *blake3::hash(&n.to_le_bytes()).as_bytes() }),
    };
    let actor = |answer| match answer {
        Answer::Account { account, device: Some(device), .. } => Actor { account, device },
        other => panic!("expected an account, got {other:?}"),
    };
    let mut actors: Vec<Actor> = Vec::new();
    for first in (0..accounts).step_by(500) {
        let commands = (first..accounts.min(first + 500)).map(account).collect();
        actors.extend(run(&mut sequencer, &mut random, commands).into_iter().map(actor));
    }
    let mut counters = vec![0_u64; actors.len()];
    // Account 1 is in one group and a few conversations; account 0 has one with everybody. Groups of 21 hold half of what
    // is said.
    let mut targets: Vec<(Vec<usize>, Target)> = Vec::new();
    for group in 0..(accounts / 20).min(200) {
        let members: Vec<usize> = (0..21).map(|n| (1 + group * 20 + n) as usize % actors.len()).collect();
        let owner = members[0];
        counters[owner] += 1;
        let create =
            Command::CreateGroup { actor: actors[owner], counter: counters[owner], name: format!("组{group}"), members: vec![] };
        let made = run(&mut sequencer, &mut random, vec![create]);
        let [Answer::Sent { conversation, .. }] = made[..] else { panic!("expected a group") };
        let adds = members[1..].iter().map(|m| {
            counters[owner] += 1;
            let act = GroupAct::Add(user(*m as u64));
            Command::ActInGroup { actor: actors[owner], conversation, counter: counters[owner], act }
        });
        let adds = adds.collect();
        run(&mut sequencer, &mut random, adds);
        targets.push((members, Target::Conversation(conversation)));
    }
    let begun = now();
    let (mut all, mut batch) = (String::new(), Vec::new());
    let mut samples = [Vec::new(), Vec::new()];
    for n in 0..messages {
        let said = match real.len() as u64 {
            0 => text(&mut random, &common, &english),
            lines => real[(n % lines) as usize].clone(),
        };
        all.push_str(&said);
        all.push('\n');
        let (from, to) = if n < accounts - 1 {
            ((n + 1) as usize, Target::User(user(0)))
        } else if random.below(2) == 0 {
            let (members, to) = &targets[random.below(targets.len() as u64) as usize];
            (members[random.below(members.len() as u64) as usize], to.clone())
        } else {
            let from = 1 + random.below(accounts - 1);
            (from as usize, Target::User(user(1 + (from + random.below(3)) % (accounts - 1))))
        };
        if n < accounts - 1 && n.is_multiple_of(10) {
            samples[0].push(said.clone());
        } else if n >= accounts - 1 && to == targets[0].1 && samples[1].len() < 5_000 {
            samples[1].push(said.clone());
        }
        counters[from] += 1;
        let (actor, counter, content) = (actors[from], counters[from], content(&said));
        batch.push(Command::Send { actor, to, counter, content, reply_to: None, reply_sequence: 0, known_id: None });
        if batch.len() == 50 || n + 1 == messages {
            run(&mut sequencer, &mut random, std::mem::take(&mut batch));
        }
    }
    let said_in = begun.elapsed();
    let before_kib = resident_kib("RssAnon");
    let (begun, ticks) = (now(), cpu_ticks());
    let index = folder.path().join("search");
    let search = Search::start(views, index.clone()).expect("a thread");
    let mut most_kib = 0;
    while search.progress().0 < search.progress().1 {
        most_kib = most_kib.max(resident_kib("RssAnon"));
        std::thread::sleep(Duration::from_millis(20));
    }
    let indexed_in = begun.elapsed();
    let index_bytes = folder_bytes(&index);
    quiet();
    let index_cpu_us = (cpu_ticks() - ticks) as f64 * 1e4 / messages as f64;

    let mut told = Vec::new();
    let mut asked = Vec::new();
    for (who, asker) in [(0, "ten_thousand_conversations"), (1, "few_conversations")] {
        let (mut times, mut hits) = (Vec::new(), 0);
        for n in 0..searches {
            let sample = &samples[who][random.below(samples[who].len() as u64) as usize];
            let chars: Vec<char> = sample.chars().collect();
            let length = (2 + random.below(3) as usize).min(chars.len());
            let from = random.below((chars.len() - length + 1) as u64) as usize;
            let query = match n % 4 {
                3 => sample.split_whitespace().next().unwrap_or_default().to_owned(),
                _ => chars[from..from + length].iter().collect(),
            };
            asked.push(query.clone());
            let question = Question { query, ..Question::default() };
            let begun = now();
            let found = search.find(actors[who].account, &question).expect("an answer");
            times.push(begun.elapsed());
            hits += usize::from(!found.messages.is_empty());
        }
        told.push(format!("\"{asker}\":{},\"{asker}_found\":{hits}", percentiles(times)));
        eprintln!("{}", told[told.len() - 1]);
    }
    let (mut scans, mut seen) = (Vec::new(), 0);
    for query in &asked {
        let begun = now();
        seen += memchr::memmem::find_iter(all.as_bytes(), query.as_bytes()).count();
        scans.push(begun.elapsed());
    }
    let scan = percentiles(scans);
    eprintln!("\"scan\":{scan}, {seen} times");
    let fresh = {
        let mut times = Vec::new();
        for n in 0..10_u64 {
            counters[1] += 1;
            let words = format!("新鲜 fresh{n}x");
            let (actor, counter, content, to) = (actors[1], counters[1], content(&words), Target::User(user(2)));
            let send = Command::Send { actor, to, counter, content, reply_to: None, reply_sequence: 0, known_id: None };
            let begun = now();
            run(&mut sequencer, &mut random, vec![send]);
            search.committed(sequencer.head().position);
            let question = Question { query: format!("fresh{n}x"), messages: true, ..Question::default() };
            while search.find(actors[2].account, &question).expect("an answer").messages.is_empty() {
                std::thread::sleep(Duration::from_millis(5));
            }
            times.push(begun.elapsed());
        }
        percentiles(times)
    };
    let after_kib = resident_kib("RssAnon");
    // What was merged stays on the disk until nobody writes for a while.
    std::thread::sleep(Duration::from_secs(45));
    let (resting_bytes, parts) = (folder_bytes(&index), parts(&index));
    search.stop();
    let text_bytes = all.len() as u64 - messages;
    println!(
        "{{\"messages\":{messages},\"accounts\":{accounts},\"text_bytes\":{text_bytes},\"index_bytes\":{index_bytes},\"index_resting_bytes\":{resting_bytes},\"index_parts\":{parts},\"said_s\":{:.1},\
         \"indexed_s\":{:.1},\"indexed_per_s\":{:.0},\"index_cpu_us\":{index_cpu_us:.1},{},\"scan\":{scan},\"fresh\":{fresh},\"anonymous_kib\":{{\"before\":{before_kib},\
         \"most_while_indexing\":{most_kib},\"after_searches\":{after_kib}}},\"mapped_kib\":{}}}",
        said_in.as_secs_f64(),
        indexed_in.as_secs_f64(),
        messages as f64 / indexed_in.as_secs_f64(),
        told.join(","),
        resident_kib("RssFile"),
    );
}
