//! What is measured: each workload starts its programs on folders of its own and reports.

pub mod beside;
pub mod disk;
pub mod files;
pub mod follower;
pub mod group;
pub mod group_domains;
pub mod growth;
pub mod idle;
pub mod limit;
pub mod one_to_one;
pub mod pictures;
pub mod reconnect;
pub mod relay;
pub mod setup;
pub mod start;
pub mod two_domains;
pub mod uploads;

use std::{path::PathBuf, time::Duration};

use crate::{limit::Spoil, load::Length, programs::Programs};

/// What the command line says.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Pairs of people who write to each other.
    pub pairs: usize,
    /// Messages that each has on the way.
    pub outstanding: usize,
    /// Measured seconds of each run.
    pub seconds: f64,
    /// So many messages instead, over all.
    pub messages: Option<u64>,
    /// Messages a second where the speed is given; half of what is possible otherwise.
    pub rate: Option<f64>,
    /// Idle connections.
    pub connections: usize,
    /// Seconds of idling before memory is looked at.
    pub idle_seconds: f64,
    /// Messages in the folder that is started again.
    pub history: u64,
    /// Times that a start is repeated.
    pub starts: usize,
    /// Members of each group, all of them connected.
    pub members: Vec<usize>,
    /// How many of them speak.
    pub senders: Vec<usize>,
    /// Messages that a follower was away for.
    pub missed: u64,
    /// Clients that come back at once.
    pub returning: usize,
    /// Messages that each of them has not heard.
    pub unread: u64,
    /// Bytes of the large file.
    pub file_bytes: u64,
    /// How often it goes up and down, of each version of HTTP, to each server.
    pub rounds: usize,
    /// Pictures of which copies are made.
    pub pictures: usize,
    /// Uploads at once.
    pub uploads: usize,
    /// Bytes of each of those.
    pub upload_bytes: u64,
    /// How long what is on its way may take after the last word.
    pub patience: Duration,
    /// Rounds of what is measured beside others.
    pub repeats: usize,
    /// Messages that gather in the end.
    pub stored: u64,
    /// Where `RESULTS.md` is written.
    pub results: Option<PathBuf>,
    /// Which systems; none: all.
    pub systems: Vec<String>,
    /// How the peers are set up; `bench/peers.toml` otherwise.
    pub peers: Option<PathBuf>,
    /// Which workloads of `beside`; none: all.
    pub only: Vec<String>,
    /// The node's folder is removed while it is dead, which `recovery` must notice.
    pub forget: bool,
    /// A fault for the limit.
    pub spoil: Option<Spoil>,
}

/// Seconds that a load runs before it is measured, at most half as long as it is measured.
const WARM_SECONDS: f64 = 2.0;

impl Settings {
    /// Whether this workload of `beside` is wanted.
    pub fn measures(&self, workload: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|w| w == workload)
    }

    /// The speed of runs whose speed is given.
    pub fn rate_words(&self) -> &'static str {
        if self.rate.is_some() { "given speed" } else { "half of that" }
    }

    /// How long a run is.
    pub fn length(&self) -> Length {
        self.part_of_length(1.0)
    }

    /// How long a run of a group is: half as long, for there are many of them, and each second has as many deliveries.
    pub fn group_length(&self) -> Length {
        self.part_of_length(0.5)
    }

    fn part_of_length(&self, part: f64) -> Length {
        match self.messages {
            Some(messages) => Length::Messages(messages),
            None => Length::Seconds { warm: WARM_SECONDS.min(self.seconds / 2.0) * part, measured: self.seconds * part },
        }
    }
}

/// What every workload is given.
pub struct Bench {
    /// The programs.
    pub programs: Programs,
    /// Where folders are made.
    pub folder: tempfile::TempDir,
    /// What to do.
    pub settings: Settings,
}
