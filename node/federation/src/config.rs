//! What federation is given: identity, views, clock, and every number of its own, with its reason.
//!
//! The numbers are constants of the program; they are values here only so that tests need not wait for minutes.

use std::{pin::Pin, sync::Arc, time::Duration};

use bytes::Bytes;
use startalk_domain::{Views, files::Here};
use startalk_net::{AddressGuard, Discovery, LinkCertificate, Names};
use startalk_protocol::{
    AccountName, DomainName, Error, UserId,
    limits::{LINK_DEAD_MS, LINK_PING_MS, LINK_PROBE_MS},
    pb::link::ephemeral::Kind,
    signing::SecretKey,
};
use startalk_sequencer::Handle;

/// Milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Fills a buffer with random bytes.
pub type FillRandom = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// How this domain shows itself on a link.
#[derive(Clone)]
pub struct LinkIdentity {
    /// A link key of ours that is valid now.
    pub key: SecretKey,
    /// The certificate of the same key.
    pub certificate: LinkCertificate,
    /// Bytes of our `SignedRecord`, valid now.
    pub record: Bytes,
}

/// Where the present identity comes from; asked at every new link, so keys and records may be replaced at any time.
pub trait Identity: Send + Sync {
    /// The identity as it is now.
    fn current(&self) -> LinkIdentity;
    /// A peer has seen a later record than ours, so another copy of us runs or ran: ours is to be signed anew. Must not
    /// block.
    fn outdated(&self) {}
}

/// What a link can do beyond its version: questions and notes about groups, and submissions to them.
pub const GROUPS: &str = startalk_link::FEATURE_GROUPS;

/// What a link can do beyond its version: questions for bytes of files.
pub const FILES: &str = startalk_link::FEATURE_FILES;
/// The name of the feature with which a domain says that messages burn there, and that it takes `opened` items
/// (federation-spec/05-content-and-items.md). Nothing is kept from a peer without it: it refuses such an item by itself.
pub const BURN: &str = "burn";

/// Reads a stretch of a file that is here, or can be had: from this byte on, at most so many.
pub type ReadFile = Arc<dyn Fn(Here, u64, usize) -> FileBytes + Send + Sync>;
/// What comes of that.
pub type FileBytes = Pin<Box<dyn Future<Output = Result<Bytes, Error>> + Send>>;

/// Typing or presence from a person of another domain.
#[derive(Clone, Debug, PartialEq)]
pub struct EphemeralIn {
    /// Who; the domain is proven.
    pub from: UserId,
    /// For whom here.
    pub to: AccountName,
    /// What.
    pub kind: Kind,
}

/// What one peer may send in a day; past it the node stops reading its link until the next.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Items.
    pub records_per_day: u64,
    /// Bytes of items.
    pub bytes_per_day: u64,
}

impl Default for Quota {
    /// A busy company's day many times over; what a hostile domain can put on the disk before somebody looks.
    fn default() -> Self {
        Self { records_per_day: 5_000_000, bytes_per_day: 4 << 30 }
    }
}

/// When what happens.
#[derive(Clone, Debug)]
pub struct Timings {
    /// Wait after the first failure; doubles with each further one.
    pub backoff_first: Duration,
    /// The longest wait.
    pub backoff_most: Duration,
    /// The first wait after a refusal that will not go away by itself (a wrong key, a denied domain).
    pub refused_first: Duration,
    /// Tried in vain for so long, a peer's silence is written to the journal.
    pub silent_after: Duration,
    /// Tried in vain for so long, a peer is dialed every `dormant_retry` only.
    pub dormant_after: Duration,
    /// See `dormant_after`.
    pub dormant_retry: Duration,
    /// Tried in vain for so long, what waits for a peer is given up, and it is dialed every `dead_retry` only.
    pub dead_after: Duration,
    /// See `dead_after`.
    pub dead_retry: Duration,
    /// For connecting over one transport, all addresses together.
    pub connect: Duration,
    /// TLS over TCP is tried beside QUIC when QUIC has not answered for so long.
    pub quic_head_start: Duration,
    /// While a link runs over TLS on TCP, QUIC is tried this often.
    pub quic_again: Duration,
    /// How long an open link has to answer when its domain comes again.
    pub probe: Duration,
    /// How long a few items wait for more, to go under one signature.
    pub linger: Duration,
    /// Between two acks written to the journal.
    pub ack_every: Duration,
    /// Quiet after which an ack that covers everything is written, if the last one is old enough.
    pub ack_idle: Duration,
    /// How long a closed link has to deliver why.
    pub farewell: Duration,
    /// After two copies of a domain were seen, all links with it are refused for so long.
    pub two_copies: Duration,
    /// A link is made anew after so long, so that keys and records are compared again.
    pub link_age: Duration,
    /// A link that lasted so long was good: the next failure begins the backoff anew.
    pub steady: Duration,
    /// Between two looks at groups of which something waits.
    pub groups_look: Duration,
    /// How far people have read in groups elsewhere is told so often at most.
    pub group_marks: Duration,
    /// A link without traffic for so long is closed when there are more than [`LINKS_IDLE_MAX`].
    pub idle: Duration,
}

impl Default for Timings {
    fn default() -> Self {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        Self {
            backoff_first: Duration::from_secs(1),
            backoff_most: minutes(5),
            refused_first: minutes(1),
            silent_after: minutes(60),
            dormant_after: minutes(24 * 60),
            dormant_retry: minutes(60),
            dead_after: minutes(30 * 24 * 60),
            dead_retry: minutes(6 * 60),
            connect: Duration::from_secs(10),
            quic_head_start: Duration::from_secs(2),
            quic_again: minutes(10),
            probe: Duration::from_millis(LINK_PROBE_MS),
            linger: Duration::from_millis(1),
            ack_every: minutes(1),
            ack_idle: Duration::from_secs(5),
            farewell: Duration::from_secs(1),
            two_copies: minutes(2),
            link_age: minutes(12 * 60),
            steady: Duration::from_secs(10),
            groups_look: Duration::from_secs(30),
            group_marks: Duration::from_secs(3),
            idle: minutes(5),
        }
    }
}

/// Links above which idle ones are closed: each keeps some tens of kilobytes in QUIC and TLS.
pub const LINKS_IDLE_MAX: usize = 1024;
/// Incoming connections that have not said who they are, or are being judged.
pub const OPENINGS_MAX: usize = 128;
/// Incoming first contacts for which DNS and the web are asked at the same time.
pub const PROOFS_MAX: usize = 16;
/// Bytes gathered into one write on a link.
pub const WRITE_BYTES_MAX: usize = 256 * 1024;
/// Items read from the journal at once.
pub const READ_ITEMS_MAX: u64 = 256;
/// Bytes of items read from the journal at once, about.
pub const READ_BYTES_MAX: usize = 512 * 1024;
/// So many items waiting are a backlog: they are read on a thread that may block.
pub const BACKLOG_ITEMS: u64 = 512;
/// Reads and commands about groups that one link has going at the same time.
pub const GROUP_JOBS_MAX: usize = 64;
/// Bytes of new entries that are told at once; of more the peer is told that there are some, and asks.
pub const GROUP_NEWS_BYTES_MAX: usize = 256 * 1024;
/// Sorts of refusals kept for each peer.
pub const REFUSALS_MAX: usize = 16;
/// Domains kept that claimed to be somebody and were not believed.
pub const STRANGERS_MAX: usize = 64;
/// Ephemerals to one peer waiting for its task.
pub const EPHEMERALS_WAITING_MAX: usize = 256;
/// Questions of people here to one peer waiting for its link.
pub const QUESTIONS_WAITING_MAX: usize = 64;
/// How long somebody waits for another domain's answer to their question.
pub const QUESTION_WAIT: Duration = Duration::from_secs(10);
/// Ephemerals taken from one peer in a second; the others are dropped.
pub const EPHEMERALS_PER_SECOND: u64 = 200;
/// Links of one domain waiting to be looked at; each is one that was judged.
pub const INCOMING_MAX: usize = 4;
/// A note about a group that was given to a link may be lost with it, if that ends within this: some more than it takes to
/// notice that nobody answers any more.
pub const GROUP_NOTE_LOST_MS: u64 = LINK_DEAD_MS + LINK_PING_MS;
/// Records at the journal's end looked through at start for refusals that the peer may not have heard.
pub const REFUSED_LOOK_BACK: u64 = 16 * 1024;

/// Everything that federation needs from the node.
pub struct FederationConfig {
    /// This domain.
    pub domain: DomainName,
    /// For reading.
    pub views: Views,
    /// For changing anything.
    pub handle: Handle,
    /// Who we are on links.
    pub identity: Arc<dyn Identity>,
    /// 16 random bytes made when the process started.
    pub instance: [u8; 16],
    /// Finds domains.
    pub discovery: Discovery,
    /// The node's own QUIC endpoint, also for connecting out.
    pub endpoint: quinn::Endpoint,
    /// How host names are resolved.
    pub names: Names,
    /// Which addresses may be connected to; what the administrator configured is always allowed.
    pub guard: AddressGuard,
    /// The time as the machine has it, which may be put forward and back: for what is written, shown, or compared with what
    /// others wrote.
    pub clock: Clock,
    /// Milliseconds that only ever pass, from no moment in particular: for every wait.
    pub steady: Clock,
    /// Randomness, for jitter.
    pub random: FillRandom,
    /// When what happens.
    pub timings: Timings,
    /// What a peer may send.
    pub quota: Quota,
    /// Takes what comes in and may be lost; must not block.
    pub on_ephemeral: Arc<dyn Fn(EphemeralIn) + Send + Sync>,
    /// Bytes of files, for peers that have a right to them.
    pub read_file: ReadFile,
    /// A peer says to have what we do not, and the outbox to it has begun a new epoch; must not block.
    pub on_went_back: Arc<dyn Fn(&DomainName) + Send + Sync>,
}
