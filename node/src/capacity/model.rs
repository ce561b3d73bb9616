//! From what was measured to people: which of a machine's parts carries how many, and which carries the fewest. A pure function.
//!
//! What is assumed about people is in [`Habits`] and is always said beside the answer.

use serde::Serialize;

/// Files that a node has open besides its connections: journal, views, search index, links to other domains, downloads.
const FILES_OF_ITS_OWN: u64 = 512;

/// What the kernel keeps for a connection, which is in no process's memory.
const KERNEL_BYTES_PER_CONNECTION: f64 = 4096.0;

/// What people do, and what is left free for what nobody measured.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Habits {
    /// Written by one person.
    pub messages_per_day: f64,
    /// Of these, so many go to groups.
    pub group_share: f64,
    /// Everybody in such a group, the author too.
    pub group_members: f64,
    /// Of a day's messages, so many come in its busiest hour.
    pub busiest_hour_share: f64,
    /// The busiest minutes, as a multiple of that hour's average.
    pub peak: f64,
    /// Devices of each person that are connected, all at the same time.
    pub connections_per_person: f64,
    /// Of processors, memory and disk: for marks of reading, files, search, other domains, backups, and everything else.
    pub kept_free: f64,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            messages_per_day: 60.0,
            group_share: 0.4,
            group_members: 30.0,
            busiest_hour_share: 0.2,
            peak: 3.0,
            connections_per_person: 2.0,
            kept_free: 0.5,
        }
    }
}

impl Habits {
    /// Messages a second that one person writes in the busiest minutes.
    pub fn messages_per_second(&self) -> f64 {
        self.messages_per_day * self.busiest_hour_share / 3600.0 * self.peak
    }
}

/// What a machine has.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Machine {
    /// Processors that this process may use.
    pub cores: f64,
    /// Bytes that it may use.
    pub memory_bytes: u64,
    /// Files and connections that a node started in the same way may have open.
    pub files_limit: u64,
}

/// Why no more messages went through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stop {
    /// All cores were busy, with the node, with measuring and with whatever else ran.
    Cpu,
    /// One thread of the node was busy all the time, and other cores were not.
    Core,
    /// The node waited for the disk.
    Disk,
    /// What measures was busy all the time, and other cores were not.
    Generator,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct Costs {
    /// The node's CPU, in microseconds, for a one-to-one message: written, made durable, acknowledged and delivered to one device.
    pub message_cpu_us: f64,
    /// The same for each device that a group's message was delivered to, its share of writing the message in it.
    pub delivery_cpu_us: f64,
    /// The node's memory with nobody connected.
    pub idle_bytes: u64,
    /// More memory of the node for each connection.
    pub connection_bytes: f64,
    /// One-to-one messages a second that were acknowledged in time.
    pub held_per_second: f64,
    /// Why not more.
    pub stopped_by: Stop,
}

/// The part that carries the fewest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// All processors.
    Cpu,
    /// One processor: the write loop is one thread.
    Core,
    /// Memory.
    Memory,
    /// The limit of open files.
    Files,
    /// The disk's syncs.
    Disk,
    /// What measured could not write faster: the machine may carry more.
    Generator,
}

/// How many people each part carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Each {
    /// By the CPU that their messages cost, with as many deliveries as their groups and devices have.
    pub cpu: u64,
    /// By the memory of their connections.
    pub memory: u64,
    /// By the number of their connections.
    pub files: u64,
    /// By messages made durable a second, as many as really went through.
    pub messages: u64,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// All parts carry so many.
    pub people: u64,
    /// The part that carries no more.
    pub bound: Bound,
    /// Each part by itself.
    pub by: Each,
}

/// The answer for this machine. What is divided by and is not above 0 counts as very little, not as nothing.
pub fn capacity(machine: &Machine, costs: &Costs, habits: &Habits) -> Capacity {
    let use_of = 1.0 - habits.kept_free;
    let cpu = machine.cores * 1e6 * use_of / above_zero(cpu_us_per_second(costs, habits));
    let memory = (machine.memory_bytes as f64 * use_of - costs.idle_bytes as f64).max(0.0)
        / above_zero(habits.connections_per_person * (costs.connection_bytes + KERNEL_BYTES_PER_CONNECTION));
    let files = machine.files_limit.saturating_sub(FILES_OF_ITS_OWN) as f64 / above_zero(habits.connections_per_person);
    // Beside the generator the processors were shared already; a disk or a thread that was full is to be half empty.
    let held = costs.held_per_second * if costs.stopped_by == Stop::Cpu { 1.0 } else { use_of };
    let messages = held / above_zero(habits.messages_per_second());
    let by = Each { cpu: cpu as u64, memory: memory as u64, files: files as u64, messages: messages as u64 };
    let stopped = match costs.stopped_by {
        Stop::Cpu => Bound::Cpu,
        Stop::Core => Bound::Core,
        Stop::Disk => Bound::Disk,
        Stop::Generator => Bound::Generator,
    };
    let all = [(by.cpu, Bound::Cpu), (by.memory, Bound::Memory), (by.files, Bound::Files), (by.messages, stopped)];
    let (people, bound) = all.into_iter().min_by_key(|(people, _)| *people).unwrap_or((0, Bound::Cpu));
    Capacity { people, bound, by }
}

/// Open files for so many people.
pub fn files_for(people: u64, habits: &Habits) -> u64 {
    FILES_OF_ITS_OWN + (people as f64 * habits.connections_per_person) as u64
}

/// CPU in microseconds a second that one person costs in the busiest minutes.
fn cpu_us_per_second(costs: &Costs, habits: &Habits) -> f64 {
    let devices = habits.connections_per_person;
    // Measured with one device each: the partner's others and the author's others are deliveries besides.
    let direct = costs.message_cpu_us + (2.0 * devices - 2.0).max(0.0) * costs.delivery_cpu_us;
    let group = (habits.group_members * devices - 1.0).max(1.0) * costs.delivery_cpu_us;
    habits.messages_per_second() * ((1.0 - habits.group_share) * direct + habits.group_share * group)
}

fn above_zero(value: f64) -> f64 {
    value.max(1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Easy to reckon with: everybody writes a message a second, to one person, from one device; nothing is kept free.
    const PLAIN: Habits = Habits {
        messages_per_day: 3600.0,
        group_share: 0.0,
        group_members: 10.0,
        busiest_hour_share: 1.0,
        peak: 1.0,
        connections_per_person: 1.0,
        kept_free: 0.0,
    };
    /// More than enough of everything.
    const LARGE: Machine = Machine { cores: 1000.0, memory_bytes: 1 << 50, files_limit: 1 << 40 };
    const COSTS: Costs = Costs {
        message_cpu_us: 100.0,
        delivery_cpu_us: 10.0,
        idle_bytes: 40_000_000,
        connection_bytes: 12_288.0,
        held_per_second: 1e9,
        stopped_by: Stop::Cpu,
    };

    #[test]
    fn processors_carry_as_many_as_their_messages_cost() {
        // 2 cores are 2,000,000 µs a second, a person costs 100 of them.
        let got = capacity(&Machine { cores: 2.0, ..LARGE }, &COSTS, &PLAIN);
        assert_eq!((got.people, got.bound, got.by.cpu), (20_000, Bound::Cpu, 20_000));
        // A second device of both: two deliveries more, 120 µs. Half of the cores kept free: 1,000,000 µs.
        let habits = Habits { connections_per_person: 2.0, kept_free: 0.5, ..PLAIN };
        assert_eq!(capacity(&Machine { cores: 2.0, ..LARGE }, &COSTS, &habits).people, 8_333);
        // All to groups of ten with one device each: nine deliveries, 90 µs; three times as much in the busiest minutes.
        let habits = Habits { group_share: 1.0, peak: 3.0, ..PLAIN };
        assert_eq!(capacity(&Machine { cores: 2.0, ..LARGE }, &COSTS, &habits).people, 7_407);
    }

    #[test]
    fn memory_carries_as_many_as_there_is_space_for_connections() {
        // 1,040 MB without what the node has by itself, and 12 KiB + 4 KiB for each.
        let machine = Machine { memory_bytes: 1_040_000_000, ..LARGE };
        let got = capacity(&machine, &COSTS, &PLAIN);
        assert_eq!((got.people, got.bound), (61_035, Bound::Memory));
        let got = capacity(&machine, &COSTS, &Habits { connections_per_person: 2.0, kept_free: 0.5, ..PLAIN });
        assert_eq!((got.people, got.bound), (14_648, Bound::Memory));
        let got = capacity(&Machine { memory_bytes: 30_000_000, ..LARGE }, &COSTS, &PLAIN);
        assert_eq!((got.people, got.bound), (0, Bound::Memory));
    }

    #[test]
    fn open_files_carry_as_many_as_there_are_besides_the_nodes_own() {
        let habits = Habits { connections_per_person: 2.0, ..PLAIN };
        let got = capacity(&Machine { files_limit: 1024, ..LARGE }, &COSTS, &habits);
        assert_eq!((got.people, got.bound), (256, Bound::Files));
        assert_eq!(files_for(256, &habits), 1024);
        assert_eq!(capacity(&Machine { files_limit: 100, ..LARGE }, &COSTS, &habits).people, 0);
    }

    #[test]
    fn what_went_through_is_all_that_is_promised() {
        // 300 messages a second, one of each person. A disk that was full is to be half empty.
        let of = |stopped_by, kept_free| {
            let costs = Costs { held_per_second: 300.0, stopped_by, ..COSTS };
            let got = capacity(&LARGE, &costs, &Habits { kept_free, ..PLAIN });
            (got.people, got.bound)
        };
        assert_eq!(of(Stop::Disk, 0.5), (150, Bound::Disk));
        assert_eq!(of(Stop::Core, 0.5), (150, Bound::Core));
        assert_eq!(of(Stop::Generator, 0.0), (300, Bound::Generator));
        // The generator had its part of the processors: that was kept free already.
        assert_eq!(of(Stop::Cpu, 0.5), (300, Bound::Cpu));
        assert_eq!(capacity(&LARGE, &Costs { held_per_second: 0.0, ..COSTS }, &PLAIN).people, 0);
    }

    #[test]
    fn nothing_measured_is_no_division_by_zero() {
        let costs = Costs { message_cpu_us: 0.0, delivery_cpu_us: 0.0, connection_bytes: 0.0, ..COSTS };
        let got = capacity(&Machine { cores: 2.0, ..LARGE }, &costs, &Habits::default());
        assert_eq!(got.people, got.by.cpu.min(got.by.memory).min(got.by.files).min(got.by.messages));
        // A person of the usual habits writes a message every 100 seconds in the busiest minutes.
        assert!((Habits::default().messages_per_second() - 0.01).abs() < 1e-9);
    }
}
