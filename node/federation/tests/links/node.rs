//! One node: journal, views, write loop, listeners and federation, as the binary puts them together.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use parking_lot::Mutex;
use startalk_domain::{Answer, Command, context::Random, store::Store};
use startalk_federation::{EphemeralIn, Federation, FederationConfig, Identity, LinkIdentity, PeerStatus, Quota, Timings};
use startalk_journal::{
    Disk, Journal, Options,
    fault::{FaultDisk, SplitMix64},
};
use startalk_net::{
    AddressGuard, CertResolver, Discovery, DiscoveryConfig, LinkCertificate, Listen, Listeners, Names, Protocol, QuicGate,
    ServerTls, WebCertificate, bind, discovery::Peer, install_crypto,
};
use startalk_protocol::{
    DomainName, Error,
    signing::SecretKey,
    trust::{
        CharterDraft, Endpoint, Fingerprint, LinkKey, RecordDraft, Registration, VerifiedRecord, recovery_hash, sign_charter,
        sign_record,
    },
};
use startalk_sequencer::{Handle, Sequencer, views};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const HOUR: i64 = 3_600_000;

#[expect(clippy::disallowed_methods, reason = "the edge: nodes under test run in real time")]
pub fn now_ms() -> u64 {
    u64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// Who a node is and what is strange about it; survives a restart.
#[derive(Clone)]
pub struct Who {
    pub name: DomainName,
    pub root: SecretKey,
    pub link: SecretKey,
    pub port: u16,
    /// Says on links to be this.
    pub claims: DomainName,
    /// Shown in TLS and signing batches, if not the record's own link key.
    pub other_key: Option<SecretKey>,
    pub record_sequence: Arc<AtomicI64>,
    /// Shown instead of its own record.
    pub other_record: Option<Bytes>,
    /// Drops what comes over UDP.
    pub no_udp: bool,
    /// Its charter says that it is no more.
    pub gone: bool,
    /// How far the clock of its federation is ahead, in milliseconds.
    pub ahead_ms: Arc<AtomicI64>,
    pub quota: Quota,
    pub timings: Timings,
    /// Bytes of files by their hashes, as a store would have them.
    pub files: Arc<Mutex<std::collections::BTreeMap<[u8; 32], Vec<u8>>>>,
}

pub fn key(n: u8) -> SecretKey {
    SecretKey::from_seed([n; 32])
}

/// Fast enough for tests, slow enough that nothing depends on it.
pub fn timings() -> Timings {
    let ms = Duration::from_millis;
    Timings {
        backoff_first: ms(40),
        backoff_most: ms(400),
        refused_first: ms(100),
        connect: ms(3000),
        quic_head_start: ms(400),
        probe: ms(700),
        two_copies: ms(1500),
        farewell: ms(300),
        groups_look: ms(200),
        group_marks: ms(50),
        ..Timings::default()
    }
}

impl Who {
    pub fn new(n: u8) -> Self {
        let name = DomainName::of_key(&key(n).public());
        Self {
            claims: name.clone(),
            name,
            root: key(n),
            link: key(n + 100),
            port: free_port(),
            other_key: None,
            record_sequence: Arc::new(AtomicI64::new(1)),
            other_record: None,
            no_udp: false,
            gone: false,
            ahead_ms: Arc::default(),
            quota: Quota::default(),
            timings: timings(),
            files: Arc::default(),
        }
    }

    pub fn record(&self) -> VerifiedRecord {
        self.record_signed_by(&self.link)
    }

    pub fn record_signed_by(&self, link: &SecretKey) -> VerifiedRecord {
        let now = i64::try_from(now_ms()).unwrap();
        let keys = vec![LinkKey { key: link.public().to_vec().into(), not_before_ms: now - HOUR, not_after_ms: now + 24 * HOUR }];
        let charter = CharterDraft {
            domain: self.name.clone(),
            line: Vec::new(),
            link_keys: keys,
            recovery_hash: recovery_hash(&key(250).public()),
            sequence: 1 + u64::from(self.gone),
            gone: self.gone,
        };
        let record = RecordDraft {
            endpoints: vec![Endpoint { host: "127.0.0.1".into(), port: u32::from(self.port) }],
            sequence: u64::try_from(self.record_sequence.load(Ordering::Relaxed)).unwrap(),
            not_after_ms: now + 12 * HOUR,
            display_name: String::new(),
            description: String::new(),
            listed: false,
            registration: Registration::Open,
            sign_in: Vec::new(),
            navigation: None,
        };
        sign_record(link, &sign_charter(&self.root, charter).unwrap(), record, now).unwrap()
    }

    fn shown_record(&self) -> Bytes {
        self.other_record.clone().unwrap_or_else(|| self.record().bytes().clone())
    }
}

impl Identity for Who {
    fn current(&self) -> LinkIdentity {
        let key = self.other_key.clone().unwrap_or_else(|| self.link.clone());
        LinkIdentity { certificate: LinkCertificate::new(&key).unwrap(), key, record: self.shown_record() }
    }
}

/// One that nothing listens on, and that no other test of this process was given.
fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _in = runtime.enter();
    std::iter::repeat_with(|| bind(Listen::Address("127.0.0.1:0".parse().unwrap()), None).unwrap().port)
        .find(|port| GIVEN.lock().insert(*port))
        .unwrap()
}

struct Seeded(SplitMix64);

impl Random for Seeded {
    fn fill(&mut self, out: &mut [u8]) {
        out.fill_with(|| self.0.below(256) as u8);
    }
}

/// A node that runs.
pub struct Node {
    pub who: Who,
    pub disk: FaultDisk,
    pub views: startalk_domain::Views,
    pub handle: Handle,
    pub federation: Federation,
    pub ephemerals: Arc<Mutex<Vec<EphemeralIn>>>,
    pub went_back: Arc<AtomicUsize>,
    /// Links over QUIC that were accepted here.
    accepted: Arc<Mutex<Vec<quinn::Connection>>>,
    udp: (quinn::Endpoint, quinn::ServerConfig),
    runtime: Option<tokio::runtime::Runtime>,
    killed: Arc<AtomicBool>,
    writer: Option<JoinHandle<()>>,
}

static SEED: AtomicUsize = AtomicUsize::new(1);

impl Node {
    /// Begins or opens the domain on `disk`, and listens. `peers` are those that it was configured with.
    pub fn start(who: Who, disk: FaultDisk, peers: &[Who]) -> Self {
        let options = Options { segment_bytes: 8 * 1024 * 1024, extent_bytes: 256 * 1024 };
        let mut node = Self::start_on(who, disk.arc(), options, peers);
        node.disk = disk;
        node
    }

    /// As `start`, on any disk; this node cannot be killed.
    pub fn start_on(who: Who, disk: Arc<dyn Disk>, options: Options, peers: &[Who]) -> Self {
        install_crypto();
        let fresh = disk.list().unwrap().is_empty();
        let journal =
            if fresh { Journal::create(disk, [1; 16], options).unwrap() } else { Journal::open(disk, options).unwrap().0 };
        let views = views(Store::temporary().unwrap(), Arc::new(journal.reader()));
        let mut sequencer = Sequencer::open(journal, views.clone(), who.name.clone(), |_, _| {}).unwrap();
        let seed = SEED.fetch_add(1, Ordering::Relaxed) as u64 * 7919 + now_ms();
        let mut random = Seeded(SplitMix64::new(seed));
        if views.store.meta().position == 0 && sequencer.head().position == 0 {
            let mut work = startalk_sequencer::Work::default();
            work.push(Command::Begin { root_key: who.root.public() }, |answer| drop(answer.unwrap()));
            sequencer.step(&mut work, now_ms(), &mut random).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let inside = runtime.enter();
        let web = WebCertificate::self_made(vec!["127.0.0.1".into()], i64::try_from(now_ms()).unwrap()).unwrap();
        let resolver = CertResolver::new(Some(&who.current().certificate), Some(&web));
        let tls = ServerTls::new(&resolver, false).unwrap();
        let quic = (!who.no_udp).then(|| tls.quic().unwrap());
        let listeners = (0..200)
            .find_map(|_| {
                let address: SocketAddr = ([127, 0, 0, 1], who.port).into();
                bind(Listen::Address(address), quic.clone()).map_err(|_| std::thread::sleep(Duration::from_millis(50))).ok()
            })
            .expect("the port is free again");
        let handle = Handle::new();
        let (ephemerals, went_back) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let (heard, went) = (ephemerals.clone(), went_back.clone());
        let files = who.files.clone();
        let (ahead_ms, begun) = (who.ahead_ms.clone(), tokio::time::Instant::now());
        let jitter = Mutex::new(SplitMix64::new(seed));
        let federation = Federation::new(FederationConfig {
            domain: who.claims.clone(),
            views: views.clone(),
            handle: handle.clone(),
            identity: Arc::new(who.clone()),
            instance: blake3::hash(&seed.to_le_bytes()).as_bytes()[..16].try_into().unwrap(),
            discovery: discovery(peers),
            endpoint: listeners.quic.clone(),
            names: Names::system(),
            guard: AddressGuard::AllowPrivate,
            clock: Arc::new(move || now_ms().saturating_add_signed(ahead_ms.load(Ordering::Relaxed))),
            steady: Arc::new(move || (1 << 40) + u64::try_from(begun.elapsed().as_millis()).unwrap()),
            random: Arc::new(move |out| out.fill_with(|| jitter.lock().below(256) as u8)),
            timings: who.timings.clone(),
            quota: who.quota,
            on_ephemeral: Arc::new(move |e| heard.lock().push(e)),
            read_file: Arc::new(move |here, offset, length| {
                let offset = usize::try_from(offset).unwrap();
                let stored = files.lock().get(&here.hash).cloned();
                Box::pin(async move {
                    let stored = stored.ok_or(startalk_protocol::Code::NoSuchFile)?;
                    Ok(Bytes::copy_from_slice(&stored[offset..stored.len().min(offset + length)]))
                })
            }),
            on_went_back: Arc::new(move |_| {
                went.fetch_add(1, Ordering::Relaxed);
            }),
        });
        let once: OnceLock<Federation> = OnceLock::new();
        assert!(once.set(federation.clone()).is_ok());
        let killed = Arc::new(AtomicBool::new(false));
        let (queue, dead) = (handle.clone(), killed.clone());
        let writer = std::thread::spawn(move || {
            while let Some(mut work) = queue.take(Duration::from_millis(20)) {
                while !work.is_empty() {
                    if dead.load(Ordering::Relaxed) {
                        return;
                    }
                    let Ok(records) = sequencer.step(&mut work, now_ms(), &mut random) else { return };
                    once.get().unwrap().committed(&records);
                }
                if dead.load(Ordering::Relaxed) {
                    return;
                }
                sequencer.idle(now_ms());
            }
        });
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let udp = (listeners.quic.clone(), tls.quic().unwrap());
        listen(&federation, &who, listeners, tls, accepted.clone());
        drop(inside);
        Self {
            who,
            disk: FaultDisk::new(),
            views,
            handle,
            federation,
            ephemerals,
            went_back,
            accepted,
            udp,
            runtime: Some(runtime),
            killed,
            writer: Some(writer),
        }
    }

    /// From now on, also if it did not before.
    pub fn lets_udp_pass(&self) {
        self.udp.0.set_server_config(Some(self.udp.1.clone()));
    }

    /// Asks and waits.
    pub fn run(&self, command: Command) -> Result<Answer, Error> {
        let (send, receive) = std::sync::mpsc::channel();
        self.handle.submit(command, move |answer| drop(send.send(answer)));
        receive.recv_timeout(Duration::from_secs(30)).expect("the write loop answers")
    }

    /// Waits for something on this node's runtime.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.as_ref().unwrap().block_on(future)
    }

    /// Runs beside the node, until it ends.
    pub fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.as_ref().unwrap().spawn(future);
    }

    pub fn status(&self, of: &DomainName) -> Option<PeerStatus> {
        self.federation.peers().into_iter().find(|p| p.domain == *of)
    }

    /// Breaks every link that was accepted here; what is on its way is lost.
    pub fn cut(&self) {
        self.accepted.lock().drain(..).for_each(|connection| connection.close(1_u32.into(), b"cut"));
    }

    /// Ends cleanly; the disk is as it was left.
    pub fn stop(mut self) -> (Who, FaultDisk) {
        let runtime = self.runtime.take().unwrap();
        runtime.block_on(self.federation.stop());
        self.handle.close();
        self.writer.take().unwrap().join().unwrap();
        runtime.shutdown_timeout(Duration::from_secs(2));
        (self.who.clone(), self.disk.clone())
    }

    /// The power goes off: what was not synced is as `seed` has it.
    pub fn kill(mut self, seed: u64) -> (Who, FaultDisk) {
        let faults = startalk_journal::fault::Faults { power_off: Some(1 + seed % 5), ..Default::default() };
        self.disk.set_faults(faults);
        self.killed.store(true, Ordering::Relaxed);
        self.runtime.take().unwrap().shutdown_timeout(Duration::from_secs(2));
        self.writer.take().unwrap().join().unwrap();
        (self.who.clone(), self.disk.crash(seed))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.killed.store(true, Ordering::Relaxed);
        self.handle.close();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn discovery(peers: &[Who]) -> Discovery {
    let peer = |who: &Who| {
        let endpoint = Endpoint { host: "127.0.0.1".into(), port: u32::from(who.port) };
        (who.name.clone(), Peer { endpoint, root: Some(Fingerprint::of_key(&who.root.public())) })
    };
    let config = DiscoveryConfig {
        peers: peers.iter().map(peer).collect::<BTreeMap<_, _>>(),
        name_servers: Some(vec!["127.0.0.1:9".parse().unwrap()]),
        timeout: Duration::from_secs(3),
        well_known_port: 1,
        ..DiscoveryConfig::default()
    };
    Discovery::new(config).unwrap()
}

fn listen(federation: &Federation, who: &Who, listeners: Listeners, tls: ServerTls, seen: Arc<Mutex<Vec<quinn::Connection>>>) {
    let Listeners { tcp, quic: endpoint, .. } = listeners;
    let links = federation.clone();
    tokio::spawn(async move {
        let gate = QuicGate::default();
        while let Some(handshake) = gate.next(&endpoint).await {
            let (links, seen) = (links.clone(), seen.clone());
            tokio::spawn(async move {
                if let Ok(accepted) = handshake.finish().await {
                    seen.lock().push(accepted.stream.clone());
                    links.accept(accepted).await;
                }
            });
        }
    });
    let (links, who) = (federation.clone(), who.clone());
    tokio::spawn(async move {
        while let Ok((stream, from)) = tcp.accept().await {
            let (links, tls, who) = (links.clone(), tls.clone(), who.clone());
            tokio::spawn(async move {
                let Ok(mut accepted) = tls.accept(stream).await else { return };
                if accepted.protocol == Protocol::Link {
                    return links.accept_tls(accepted, from.ip()).await;
                }
                let mut request = [0; 4096];
                let _ = accepted.stream.read(&mut request).await;
                let record = who.shown_record();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", record.len());
                let _ = accepted.stream.write_all(&[head.as_bytes(), &record].concat()).await;
                let _ = accepted.stream.shutdown().await;
            });
        }
    });
}
