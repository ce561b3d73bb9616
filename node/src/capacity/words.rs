//! The answer in words, at most 80 columns wide.

use startalk_protocol::error::Language;

use super::{
    Answer,
    measure::{Busy, OneToOne, Rung, failed},
    model::{Bound, Habits, Stop, files_for},
};
use crate::cli::columns;
pub use crate::words::say;

/// Columns before what is said of each thing.
const INDENT: usize = 14;

/// It was ended from outside.
pub fn stopped(language: Language) -> &'static str {
    say(language, "stopped; nothing is left of it", "已中止，没有留下任何东西")
}

/// It could not go on; the reason stands after it.
pub fn broken_off(language: Language) -> &'static str {
    say(language, "the measuring broke off", "测量中断")
}

/// Before the number of faults.
pub fn faults(language: Language) -> &'static str {
    say(language, "messages lost, doubled or out of order", "丢失、重复或乱序的消息")
}

/// What is done now, beside the bar.
pub fn at_speed(rate: f64, language: Language) -> String {
    let rate = grouped(rate as u64);
    match language {
        Language::English => format!("{rate} messages a second"),
        Language::Chinese => format!("每秒 {rate} 条消息"),
    }
}

/// All of it.
pub fn answer(answer: &Answer, language: Language) -> String {
    let zh = language == Language::Chinese;
    let people = about(answer.capacity.people);
    let mut out = if zh {
        format!("这台机器大约可供 {people} 人使用。\n\n")
    } else {
        format!("This machine carries about {people} people.\n\n")
    };
    for line in advice(answer, language) {
        out += &format!("  {line}\n");
    }
    out += say(language, "\nWhat each part would carry\n", "\n各部分可支撑的人数\n");
    out += &parts(answer, language);
    out += say(language, "\nMeasured\n", "\n实测\n");
    for (name, lines) in measured(answer, language) {
        for (at, line) in lines.iter().enumerate() {
            let name = if at == 0 { name } else { "" };
            out += &format!("  {name}{}{line}\n", " ".repeat(INDENT - columns(name)));
        }
    }
    out += say(language, "\nAssumed\n", "\n假定\n");
    for line in assumed(&answer.assumed, language) {
        out += &format!("  {line}\n");
    }
    out
}

fn bound_name(bound: Bound, language: Language) -> &'static str {
    match bound {
        Bound::Cpu => say(language, "processors", "处理器"),
        Bound::Core => say(language, "one processor core", "单个处理器核心"),
        Bound::Memory => say(language, "memory", "内存"),
        Bound::Files => say(language, "open files", "打开文件数"),
        Bound::Disk => say(language, "disk", "磁盘"),
        Bound::Generator => say(language, "this measuring", "测量本身"),
    }
}

/// What is the bound, and what to do about it.
fn advice(answer: &Answer, language: Language) -> Vec<String> {
    let (capacity, machine, habits) = (&answer.capacity, &answer.machine, &answer.assumed);
    let by = &capacity.by;
    let zh = language == Language::Chinese;
    let first = if zh {
        format!("瓶颈：{}。", bound_name(capacity.bound, language))
    } else {
        format!("The bound is: {}.", bound_name(capacity.bound, language))
    };
    let mut lines = vec![first];
    let sync = answer.measured.disk.sync_p99_ms;
    lines.extend(match capacity.bound {
        Bound::Files => {
            let others = by.cpu.min(by.memory).min(by.messages);
            let (limit, next, needed) = (grouped(machine.files_limit), about(others), files_for(rounded(others), habits));
            if zh {
                vec![
                    format!("从这里启动的节点最多打开 {limit} 个文件，每个连接占一个。请在 systemd"),
                    format!("单元中设置 LimitNOFILE=（软件包中为 65536），手动启动则用 ulimit -n。"),
                    format!("其余部分可供 {next} 人使用，为此需要 {needed}。"),
                ]
            } else {
                vec![
                    format!("A node started from here may open {limit} files, and each connection is one."),
                    "Raise LimitNOFILE= in its systemd unit (the package has 65536), or ulimit -n.".to_owned(),
                    format!("The rest would carry {next}, for which it takes {needed}."),
                ]
            }
        }
        Bound::Memory => {
            let each = habits.connections_per_person * (answer.measured.memory.bytes_per_connection + 4096.0) / 1000.0;
            if zh {
                vec![format!("每人的连接占用 {each:.0} kB。增加内存，人数随之增加。")]
            } else {
                vec![format!("Each person's connections take {each:.0} kB. More memory carries more people.")]
            }
        }
        Bound::Cpu if zh => vec!["更多或更快的处理器核心可以支撑更多人。".to_owned()],
        Bound::Cpu => vec!["More cores or faster ones carry more people.".to_owned()],
        Bound::Core if zh => vec!["写入循环只有一个线程，已用满一个核心：需要更快的核心，更多核心无济于事。".to_owned()],
        Bound::Core => vec![
            "The node writes with one thread, which filled its core: a faster core helps,".to_owned(),
            "more of them do not.".to_owned(),
        ],
        Bound::Disk if zh => vec![
            format!("消息写入磁盘后才确认，而一次同步需 {sync:.1} 毫秒（p99）。请把数据文件夹放到"),
            "SSD 上；带断电保护的更好。网络磁盘和 SD 卡较慢。".to_owned(),
        ],
        Bound::Disk => vec![
            format!("A message is acknowledged when it is on the disk, and a sync takes {sync:.1} ms"),
            "(p99). Put the data folder on an SSD, best on one that is safe against power".to_owned(),
            "cuts; network disks and SD cards are slow.".to_owned(),
        ],
        Bound::Generator if zh => vec!["测量程序写得不够快，节点还有余力：这台机器可能支撑更多人。".to_owned()],
        Bound::Generator => vec![
            "What measures could not write faster, and the node had time left: the machine".to_owned(),
            "may carry more.".to_owned(),
        ],
    });
    if answer.measured.others_cpu >= 0.1 {
        let percent = answer.measured.others_cpu * 100.0;
        lines.push(if zh {
            format!("测量期间其他程序用去处理器的 {percent:.0} %：机器空闲时结果会更好。")
        } else {
            format!("Other programs used {percent:.0} % of the processors meanwhile: it carries more without.")
        });
    }
    lines
}

fn parts(answer: &Answer, language: Language) -> String {
    let (by, bound) = (&answer.capacity.by, answer.capacity.bound);
    let written = match answer.measured.one_to_one.stopped_by {
        Stop::Cpu => Bound::Cpu,
        Stop::Core => Bound::Core,
        Stop::Disk => Bound::Disk,
        Stop::Generator => Bound::Generator,
    };
    let mut rows = [
        (by.files, say(language, "open files", "打开文件数"), bound == Bound::Files),
        (by.memory, say(language, "memory", "内存"), bound == Bound::Memory),
        (by.messages, say(language, "messages", "消息写入"), bound == written && by.messages == answer.capacity.people),
        (by.cpu, say(language, "processors", "处理器"), bound == Bound::Cpu && by.cpu == answer.capacity.people),
    ];
    rows.sort_by_key(|(people, ..)| *people);
    let here = say(language, "  ← the bound", "  ← 瓶颈");
    let row = |(people, name, is_bound): &(u64, &str, bool)| {
        let space = " ".repeat(INDENT - columns(name));
        format!("  {name}{space}{:>12}{}\n", about(*people), if *is_bound { here } else { "" })
    };
    rows.iter().map(row).collect()
}

fn measured(answer: &Answer, language: Language) -> Vec<(&'static str, Vec<String>)> {
    let zh = language == Language::Chinese;
    let m = &answer.measured;
    let (disk, memory, one, group, sign) = (&m.disk, &m.memory, &m.one_to_one, &m.group, &m.sign_in);
    let n = |value: f64| grouped(value as u64);
    let whole = one.messages.said + group.messages.said;
    let delivered = one.messages.to_deliver + group.messages.to_deliver;
    let (people, minutes) = (about(answer.capacity.people), answer.capacity.people as f64 / sign.per_second.max(1e-9) / 60.0);
    let (kb, mb) = (memory.bytes_per_connection / 1000.0, memory.idle_bytes as f64 / 1e6);
    let (cores, gb) = (answer.machine.cores, answer.machine.memory_bytes as f64 / 1e9);
    let place = vec![
        if zh { format!("{cores:.0} 核，{gb:.0} GB 内存") } else { format!("{cores:.0} cores, {gb:.0} GB of memory") },
        if zh {
            format!("文件夹 {}，用时 {:.0} 秒", answer.folder, answer.seconds)
        } else {
            format!("in {}, for {:.0} s", answer.folder, answer.seconds)
        },
    ];
    let mut all = vec![
        (say(language, "machine", "机器"), place),
        (
            say(language, "disk", "磁盘"),
            vec![if zh {
                format!("一次同步 {:.2} 毫秒（p50）、{:.2} 毫秒（p99）", disk.sync_p50_ms, disk.sync_p99_ms)
            } else {
                format!("a sync takes {:.2} ms (p50), {:.2} ms (p99)", disk.sync_p50_ms, disk.sync_p99_ms)
            }],
        ),
    ];
    let stopped = stopped_words(one, language);
    all.push((
        say(language, "messages", "消息"),
        if zh {
            vec![
                format!(
                    "每秒 {} 条落盘；确认 {:.1} 毫秒（p50）、{:.1} 毫秒（p99）",
                    n(one.held_per_second),
                    one.p50_ms,
                    one.p99_ms
                ),
                stopped,
                format!("每条占节点处理器 {:.0} 微秒（测量程序另占 {:.0} 微秒）", one.cpu_us, one.generator_cpu_us),
            ]
        } else {
            vec![
                format!(
                    "{} a second, durable; answered in {:.1} ms (p50), {:.1} (p99)",
                    n(one.held_per_second),
                    one.p50_ms,
                    one.p99_ms
                ),
                stopped,
                format!("each takes the node {:.0} µs of CPU (and {:.0} for measuring)", one.cpu_us, one.generator_cpu_us),
            ]
        },
    ));
    all.push((
        say(language, "groups", "群"),
        vec![if zh {
            format!(
                "{} 人的群：每秒送达 {} 次，每次占处理器 {:.1} 微秒",
                group.members,
                n(group.deliveries_per_second),
                group.cpu_us
            )
        } else {
            format!(
                "of {}: {} deliveries a second, {:.1} µs of CPU each",
                group.members,
                n(group.deliveries_per_second),
                group.cpu_us
            )
        }],
    ));
    all.push((
        say(language, "memory", "内存"),
        vec![if zh {
            format!("无人连接时 {mb:.0} MB，每个连接 {kb:.1} kB（实测 {} 个）", grouped(memory.connections as u64))
        } else {
            format!("{mb:.0} MB with nobody, {kb:.1} kB a connection (of {})", grouped(memory.connections as u64))
        }],
    ));
    all.push((
        say(language, "passwords", "密码登录"),
        vec![if zh {
            format!("每秒 {:.1} 次：{people} 人都用密码登录需 {}", sign.per_second, long(minutes, language))
        } else {
            format!("{:.1} sign-ins a second: all {people} by password take {}", sign.per_second, long(minutes, language))
        }],
    ));
    if answer.measured.one_to_one.messages.faults + answer.measured.group.messages.faults == 0 {
        let (whole, delivered) = (grouped(whole), grouped(delivered));
        all.push((
            say(language, "checked", "核对"),
            if zh {
                vec![format!("{whole} 条消息全部确认；"), format!("{delivered} 次送达，无一丢失、重复或乱序")]
            } else {
                vec![format!("{whole} messages, all acknowledged;"), format!("{delivered} deliveries, each once and in order")]
            },
        ));
    }
    all
}

fn stopped_words(one: &OneToOne, language: Language) -> String {
    let Some(rung) = failed(&one.speeds) else { return String::new() };
    let Rung { asked_per_second, busy: Busy { machine, .. }, p99_ms, .. } = rung;
    let (rate, percent) = (grouped(*asked_per_second as u64), machine * 100.0);
    let why = match one.stopped_by {
        Stop::Cpu => say(language, "the processors were full", "处理器已用满"),
        Stop::Core => say(language, "one core was full", "一个核心已用满"),
        Stop::Disk => say(language, "the disk was too slow", "磁盘跟不上"),
        Stop::Generator => say(language, "measuring was too slow", "测量程序跟不上"),
    };
    match language {
        Language::English => format!("at {rate} {why} ({percent:.0} % busy, p99 {p99_ms:.0} ms)"),
        Language::Chinese => format!("每秒 {rate} 条时{why}（处理器 {percent:.0} %，p99 {p99_ms:.0} 毫秒）"),
    }
}

fn assumed(habits: &Habits, language: Language) -> Vec<String> {
    let Habits { messages_per_day, group_members, peak, connections_per_person, .. } = habits;
    let percent = |share: f64| share * 100.0;
    let (groups, hour, free) = (percent(habits.group_share), percent(habits.busiest_hour_share), percent(habits.kept_free));
    match language {
        Language::English => vec![
            format!("Everybody is connected at the same time, with {connections_per_person:.0} devices each."),
            format!("Each writes {messages_per_day:.0} messages a day, {groups:.0} % of them to groups of {group_members:.0}."),
            format!("{hour:.0} % of a day's messages come in its busiest hour, in its busiest minutes"),
            format!("{peak:.0} times as many as on its average."),
            format!("{free:.0} % of processors, memory and disk are kept free: for marks of reading,"),
            "files, search, other domains and backups, which were not measured.".to_owned(),
            "Beyond the messages and connections that were measured, it is calculated.".to_owned(),
        ],
        Language::Chinese => vec![
            format!("所有人同时在线，每人 {connections_per_person:.0} 台设备。"),
            format!("每人每天写 {messages_per_day:.0} 条消息，其中 {groups:.0} % 发到 {group_members:.0} 人的群。"),
            format!("一天中 {hour:.0} % 的消息集中在最忙的一小时，其中最忙的几分钟是该小时平均的 {peak:.0} 倍。"),
            format!("处理器、内存和磁盘各留出 {free:.0} %，用于未测量的部分：已读标记、文件、搜索、"),
            "其他域和备份。".to_owned(),
            "超出实测消息数和连接数的部分由计算得出。".to_owned(),
        ],
    }
}

fn long(minutes: f64, language: Language) -> String {
    let (amount, en, zh) = match minutes {
        m if m < 1.0 => (m * 60.0, "s", "秒"),
        m if m < 120.0 => (m, "min", "分钟"),
        m => (m / 60.0, "h", "小时"),
    };
    format!("{amount:.0} {}", say(language, en, zh))
}

/// To two digits, down: more would be a promise that nobody can keep.
fn rounded(people: u64) -> u64 {
    let unit = 10_u64.pow(people.max(1).ilog10().saturating_sub(1));
    people / unit * unit
}

fn about(people: u64) -> String {
    grouped(rounded(people))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        capacity::{
            measure::{Counts, Disk, Group, Measurements, Memory, SignIns},
            model::{Capacity, Each, Machine},
        },
        cli::columns,
    };

    fn answer_with(bound: Bound, stopped_by: Stop, others_cpu: f64) -> Answer {
        let rung = |rate: f64, held| Rung {
            asked_per_second: rate,
            per_second: rate,
            p99_ms: 1234.5,
            p50_ms: 999.0,
            cpu_us: 1234.0,
            generator_cpu_us: 1234.0,
            busy: Busy { machine: 1.0, thread: 0.9, disk: 0.9 },
            held,
        };
        let messages = Counts { said: 12_345_678, to_deliver: 123_456_789, faults: 0 };
        let one_to_one = OneToOne {
            in_time_ms: 100.0,
            held_per_second: 128_000.0,
            p50_ms: 12.3,
            p99_ms: 99.9,
            cpu_us: 1234.0,
            generator_cpu_us: 1234.0,
            stopped_by,
            speeds: vec![rung(128_000.0, true), rung(256_000.0, false)],
            messages,
        };
        let by = Each { cpu: 12_345_678, memory: 7_654_321, files: 1_234_567, messages: 999 };
        Answer {
            capacity: Capacity { people: 999, bound, by },
            machine: Machine { cores: 128.0, memory_bytes: 1_000_000_000_000, files_limit: 1_048_576 },
            system: String::new(),
            folder: "/var/lib".into(),
            measured: Measurements {
                disk: Disk { sync_p50_ms: 123.45, sync_p99_ms: 1234.56 },
                memory: Memory { idle_bytes: 31_000_000, connections: 1000, bytes_per_connection: 12_288.0 },
                one_to_one,
                group: Group {
                    members: 30,
                    deliveries_per_second: 1_234_567.0,
                    cpu_us: 123.4,
                    p50_ms: 1.0,
                    p99_ms: 2.0,
                    messages,
                },
                sign_in: SignIns { count: 100, per_second: 123.4 },
                others_cpu,
            },
            assumed: Habits::default(),
            seconds: 3600.0,
        }
    }

    #[test]
    fn every_bound_is_explained_in_both_languages_within_80_columns() {
        for (bound, stop) in [
            (Bound::Cpu, Stop::Cpu),
            (Bound::Core, Stop::Core),
            (Bound::Memory, Stop::Cpu),
            (Bound::Files, Stop::Cpu),
            (Bound::Disk, Stop::Disk),
            (Bound::Generator, Stop::Generator),
        ] {
            for language in [Language::English, Language::Chinese] {
                let said = answer_with(bound, stop, 0.5);
                let lines = advice(&said, language);
                assert!(lines.len() >= 3 && lines[0].contains(bound_name(bound, language)), "{lines:?}");
                let text = answer(&said, language);
                let wide: Vec<&str> = text.lines().filter(|line| columns(line) > 80).collect();
                assert!(wide.is_empty(), "wider than 80 columns: {wide:#?}");
                assert_eq!(
                    advice(&answer_with(bound, stop, 0.0), language).len(),
                    lines.len() - 1,
                    "others are named if they took part"
                );
            }
        }
    }

    #[test]
    fn numbers_are_said_as_exactly_as_they_are_known() {
        assert_eq!([0, 7, 99, 100, 12_345, 1_999_999].map(about), ["0", "7", "99", "100", "12,000", "1,900,000"]);
        assert_eq!([0.5, 30.0, 119.0, 600.0].map(|m| long(m, Language::English)), ["30 s", "30 min", "119 min", "10 h"]);
    }
}
