//! One run: everybody speaks, a window of it is measured, everything on its way is waited for, and all is checked.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Result, bail};
use tokio::{task::JoinSet, time::sleep};

use crate::{
    clock,
    pacer::Pacer,
    peer::{Pace, Peer},
    proc,
    tally::{Faults, Times},
};

/// How long everybody may take to be heard for the first time: a link between domains has to be found and opened.
const FIRST_WAIT: Duration = Duration::from_secs(60);
/// How often the run is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How to speak.
#[derive(Clone, Copy, Debug)]
pub enum Speed {
    /// Each so many at a time, as fast as they are answered.
    Outstanding(usize),
    /// So many a second over all, whatever the server does.
    PerSecond(f64),
}

/// For how long.
#[derive(Clone, Copy, Debug)]
pub enum Length {
    /// A measured time, after everybody was heard and it has run for a while.
    Seconds { warm: f64, measured: f64 },
    /// So many messages over all (rounded up to the same number for each); all of it is measured.
    Messages(u64),
}

/// A number that many tasks add to.
#[derive(Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

const SPEAKING: u8 = 0;
const STOPPING: u8 = 1;
const OVER: u8 = 2;

/// What all peers of a run look at.
pub struct Shared {
    /// Messages.
    pub said: Count,
    /// Acknowledged.
    pub acknowledged: Count,
    /// Heard, counted once for each who heard it.
    pub delivered: Count,
    /// To be heard in the end.
    pub expected: Count,
    state: AtomicU8,
    from: AtomicU64,
    to: AtomicU64,
}

impl Shared {
    fn new() -> Self {
        let (from, to) = (AtomicU64::new(u64::MAX), AtomicU64::new(u64::MAX));
        Self {
            said: Count::default(),
            acknowledged: Count::default(),
            delivered: Count::default(),
            expected: Count::default(),
            state: AtomicU8::new(SPEAKING),
            from,
            to,
        }
    }

    /// Nothing more is to be said.
    pub fn is_stopping(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= STOPPING
    }

    /// Nothing more is to be heard.
    pub fn is_over(&self) -> bool {
        self.state.load(Ordering::Relaxed) >= OVER
    }

    /// Whether what was due then counts.
    pub fn is_measured(&self, due: u64) -> bool {
        due >= self.from.load(Ordering::Relaxed) && due < self.to.load(Ordering::Relaxed)
    }
}

/// What a run came to.
#[derive(Debug)]
pub struct Measured {
    /// Messages delivered in the window, counted once for each who heard it.
    pub messages: u64,
    /// Messages said in the window.
    pub spoken: u64,
    /// The window.
    pub seconds: f64,
    /// CPU time of each process asked about, in the window.
    pub cpu: Vec<Duration>,
    /// CPU time of this process.
    pub own_cpu: Duration,
    /// Bytes that went to the machine's disks, in the window: everybody's.
    pub written: u64,
    /// Bytes that went over loopback, in the window: everybody's.
    pub wire: u64,
    /// From when a message was to be said to its acknowledgement.
    pub acknowledged: Times,
    /// To its arrival.
    pub delivered: Times,
    /// To when it was said: the generator's own part of both.
    pub late: Times,
    /// Messages of the whole run.
    pub said: u64,
    /// What must not happen.
    pub faults: Faults,
}

impl Measured {
    /// Delivered messages a second.
    pub fn per_second(&self) -> f64 {
        self.messages as f64 / self.seconds
    }

    /// Messages said a second; as many as are delivered, but in a group.
    pub fn spoken_per_second(&self) -> f64 {
        self.spoken as f64 / self.seconds
    }

    /// Microseconds of CPU per delivered message, over all processes asked about.
    pub fn cpu_us(&self) -> f64 {
        self.each_us(self.cpu.iter().sum())
    }

    /// The share of each delivered message in a time, microseconds.
    pub fn each_us(&self, time: Duration) -> f64 {
        time.as_secs_f64() * 1e6 / self.messages.max(1) as f64
    }

    /// Of the `n`th of the processes.
    pub fn cpu_us_of(&self, n: usize) -> f64 {
        self.cpu.get(n).map_or(0.0, |time| self.each_us(*time))
    }

    /// The generator's.
    pub fn own_cpu_us(&self) -> f64 {
        self.each_us(self.own_cpu)
    }
}

/// Runs a load over people who know whom they hear, and gives them back for the next. What is on its way after the last
/// word has as long as `patience`.
pub async fn run(
    mut peers: Vec<Peer>,
    speed: Speed,
    length: Length,
    patience: Duration,
    pids: &[u32],
) -> Result<(Vec<Peer>, Measured)> {
    let shared = Arc::new(Shared::new());
    let pace = if let Speed::Outstanding(most) = speed { Pace::Outstanding(most) } else { Pace::Bell };
    let speakers = peers.iter().filter(|p| p.speaks()).count() as u64;
    let may_say = if let Length::Messages(all) = length { all.div_ceil(speakers) } else { u64::MAX };
    peers.iter_mut().for_each(|p| p.prepare(pace, may_say));
    let bells: Vec<_> = peers.iter().map(|p| p.bell.clone()).collect();
    let to_ring: Vec<_> = peers.iter().filter(|p| p.speaks()).map(|p| p.bell.clone()).collect();
    let count = peers.len() as u64;
    let begin = Snapshot::take(&shared, pids)?;
    if let Length::Messages(_) = length {
        shared.from.store(0, Ordering::Relaxed);
    }
    let mut tasks = JoinSet::new();
    for (number, mut peer) in peers.into_iter().enumerate() {
        let shared = shared.clone();
        tasks.spawn(async move {
            let result = poll_fn(|cx| peer.poll(cx, &shared)).await;
            (number, peer, result)
        });
    }
    let pacer = if let Speed::PerSecond(rate) = speed { Some(Pacer::start(to_ring, rate)?) } else { None };
    let mut run = Run { shared: &shared, tasks: &mut tasks };
    let window = match length {
        Length::Messages(_) => {
            run.until(FIRST_WAIT * 10, |s| s.said.get() == speakers * may_say).await?;
            None
        }
        Length::Seconds { warm, measured } => {
            run.until(FIRST_WAIT, |s| s.delivered.get() >= count).await?;
            run.pass(warm).await?;
            let from = Snapshot::take(&shared, pids)?;
            shared.from.store(from.micros, Ordering::Relaxed);
            run.pass(measured).await?;
            let to = Snapshot::take(&shared, pids)?;
            shared.to.store(to.micros, Ordering::Relaxed);
            Some((from, to))
        }
    };
    drop(pacer);
    shared.state.store(STOPPING, Ordering::Relaxed);
    let complete = |s: &Shared| s.acknowledged.get() == s.said.get() && s.delivered.get() == s.expected.get();
    let drained = run.until(patience, complete).await;
    let end = Snapshot::take(&shared, pids)?;
    match drained {
        // What would come twice comes now.
        Ok(()) => sleep(Duration::from_millis(100)).await,
        // A connection broke: its words say more than the count of what is missing.
        Err(error) if tasks.len() < bells.len() => return Err(error),
        Err(_) => {}
    }
    shared.state.store(OVER, Ordering::Relaxed);
    bells.iter().for_each(|b| b.ring());
    let mut done = tasks.join_all().await;
    done.sort_by_key(|(number, ..)| *number);
    let mut peers = Vec::with_capacity(done.len());
    for (number, peer, result) in done {
        result.map_err(|e| e.context(format!("client {number}")))?;
        peers.push(peer);
    }
    let (from, to) = window.unwrap_or((begin, end));
    let measured = Measured {
        messages: to.delivered - from.delivered,
        spoken: to.said - from.said,
        seconds: (to.micros - from.micros) as f64 / 1e6,
        cpu: to.cpu.iter().zip(&from.cpu).map(|(to, from)| *to - *from).collect(),
        own_cpu: to.own_cpu - from.own_cpu,
        written: to.written.saturating_sub(from.written),
        wire: to.wire.saturating_sub(from.wire),
        acknowledged: times(&mut peers, |p| &mut p.samples.acknowledged),
        delivered: times(&mut peers, |p| &mut p.samples.delivered),
        late: times(&mut peers, |p| &mut p.samples.late),
        said: shared.said.get(),
        faults: faults(&peers),
    };
    Ok((peers, measured))
}

fn times(peers: &mut [Peer], of: impl Fn(&mut Peer) -> &mut Vec<u32>) -> Times {
    Times::of(peers.iter_mut().flat_map(|p| std::mem::take(of(p))).collect())
}

fn faults(peers: &[Peer]) -> Faults {
    let said: BTreeMap<usize, u64> = peers.iter().map(Peer::has_said).collect();
    let mut faults = Faults::default();
    peers.iter().for_each(|peer| faults.add(&peer.faults(&said)));
    faults
}

struct Snapshot {
    micros: u64,
    said: u64,
    delivered: u64,
    cpu: Vec<Duration>,
    own_cpu: Duration,
    written: u64,
    wire: u64,
}

impl Snapshot {
    fn take(shared: &Shared, pids: &[u32]) -> Result<Self> {
        let cpu = pids.iter().map(|pid| proc::cpu_of_all(&[*pid])).collect::<Result<_>>()?;
        let (written, wire) = (proc::written(), proc::on_the_wire());
        let own_cpu = proc::cpu(std::process::id())?;
        Ok(Self {
            micros: clock::micros(),
            said: shared.said.get(),
            delivered: shared.delivered.get(),
            cpu,
            own_cpu,
            written,
            wire,
        })
    }
}

struct Run<'a> {
    shared: &'a Shared,
    tasks: &'a mut JoinSet<(usize, Peer, Result<()>)>,
}

impl Run<'_> {
    /// Waits for something; an error if it does not come, or if a connection breaks.
    async fn until(&mut self, most: Duration, done: impl Fn(&Shared) -> bool) -> Result<()> {
        let begun = clock::micros();
        while !done(self.shared) {
            self.broken()?;
            if u128::from(clock::micros() - begun) > most.as_micros() {
                let Shared { said, acknowledged, delivered, expected, .. } = self.shared;
                let (said, acknowledged) = (said.get(), acknowledged.get());
                bail!(
                    "after {most:?}: {said} said, {acknowledged} acknowledged, {} of {} delivered",
                    delivered.get(),
                    expected.get()
                );
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    async fn pass(&mut self, seconds: f64) -> Result<()> {
        sleep(Duration::from_secs_f64(seconds)).await;
        self.broken()
    }

    fn broken(&mut self) -> Result<()> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(Ok((number, _, Err(error)))) => Err(error.context(format!("client {number}"))),
            Some(Ok((number, _, Ok(())))) => bail!("client {number} ended early"),
            Some(Err(error)) => Err(error.into()),
        }
    }
}
