//! What a gateway is made with, and its limits. Every number has a default that is right for a small server.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use startalk_domain::{
    Views,
    context::{Zones, utc_only},
};
use startalk_identity::{ldap::Directory, oidc::Provider, passkey::Passkeys};
use startalk_media::Media;
use startalk_net::Rate;
use startalk_protocol::{AccountName, DomainName, Error, UserId};
use startalk_search::Search;
use startalk_sequencer::Handle;

use crate::{edge, export::SignExport, groups::RemoteReaders, web::WebClient};

/// Milliseconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Fills bytes with randomness fit for secrets.
pub type Randomness = Arc<dyn Fn(&mut [u8]) + Send + Sync>;

/// What a gateway is made with.
#[derive(Clone)]
pub struct GatewayConfig {
    /// This domain.
    pub domain: DomainName,
    /// For questions; brought up to the journal's head already.
    pub views: Views,
    /// The way to the write loop.
    pub handle: Handle,
    /// Seals the devices' cursors. Kept with the node's secrets: with another one every device syncs anew.
    pub cursor_secret: [u8; 32],
    /// How people reach this node's pages, such as `https://chat.example`; no slash at the end.
    pub public_url: String,
    /// On what comes from outside.
    pub limits: Limits,
    /// What a guess at a password costs.
    pub passwords: PasswordCost,
    /// The time.
    pub clock: Clock,
    /// Clocks of places, for weekly hours.
    pub zones: Zones,
    /// For tokens, codes and salts.
    pub random: Randomness,
    /// Where typing and presence go that concern people of other domains.
    pub remote: Arc<dyn RemoteEphemera>,
    /// This domain's signed record as it is now: the bytes of `trust.SignedRecord`.
    pub record: Arc<dyn Fn() -> Bytes + Send + Sync>,
    /// What keeps the node from serving, beside what is known here: for who watches it.
    pub ready: Arc<dyn Fn() -> Result<(), Error> + Send + Sync>,
    /// Who has read a message of a group whose home is another domain; `None`: only what is known here is told.
    pub remote_readers: Option<RemoteReaders>,
    /// The key with which this node shows itself to push services, as browsers are told it; empty: it does not push.
    pub push_key: Bytes,
    /// Files; `None`: they are refused.
    pub media: Option<Media>,
    /// Answers searches; `None`: they are refused.
    pub search: Option<Arc<Search>>,
    /// Providers by which people sign in, in the order in which they are shown.
    pub providers: Vec<Arc<Provider>>,
    /// Directories that are asked about passwords that are not this domain's own, in this order.
    pub directories: Vec<Arc<Directory>>,
    /// Lets in who shows a passkey; `None`: browsers cannot have one for this domain.
    pub passkeys: Option<Arc<Passkeys>>,
    /// Signs archives of accounts; `None`: there are none.
    pub sign_export: Option<SignExport>,
    /// The web client; `None`: browsers get pages without script.
    pub web: Option<Arc<WebClient>>,
}

impl GatewayConfig {
    /// With the system's clock and randomness, default limits, nobody to tell in other domains, and no record yet.
    pub fn new(domain: DomainName, views: Views, handle: Handle, cursor_secret: [u8; 32], public_url: impl Into<String>) -> Self {
        Self {
            domain,
            views,
            handle,
            cursor_secret,
            public_url: public_url.into().trim_end_matches('/').to_owned(),
            limits: Limits::default(),
            passwords: PasswordCost::default(),
            clock: edge::clock(),
            zones: utc_only,
            random: edge::randomness(),
            remote: Arc::new(Silence),
            record: Arc::new(Bytes::new),
            ready: Arc::new(|| Ok(())),
            remote_readers: None,
            push_key: Bytes::new(),
            media: None,
            search: None,
            providers: Vec::new(),
            directories: Vec::new(),
            passkeys: None,
            sign_export: None,
            web: None,
        }
    }
}

/// Typing and presence on their way to other domains; the node gives them to federation. Must not block.
pub trait RemoteEphemera: Send + Sync {
    /// `from`, an account here, is typing (or not any more) to `to`.
    fn typing(&self, from: &AccountName, to: &UserId, typing: bool);
    /// `from`, an account here, is in this state.
    fn presence(&self, from: &AccountName, to: &UserId, state: &str);
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence;

impl RemoteEphemera for Silence {
    fn typing(&self, _: &AccountName, _: &UserId, _: bool) {}
    fn presence(&self, _: &AccountName, _: &UserId, _: &str) {}
}

/// Limits on connections and on attempts. An address is an IPv4 address or the first 64 bits of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts to sign in from one address.
    pub sign_ins_per_address: Rate,
    /// Attempts to sign in to one account that failed, from anywhere.
    pub sign_ins_per_account: Rate,
    /// Attempts to sign in by the page of one other server that failed, from anywhere.
    pub sign_ins_per_foreign_host: Rate,
    /// Accounts made from one address.
    pub registrations_per_address: Rate,
    /// Accounts that people make by themselves in a domain for trying, all together.
    pub trial_registrations_together: Rate,
    /// Attempts with a recovery code from one address.
    pub recoveries_per_address: Rate,
    /// Attempts with a recovery code for one account.
    pub recoveries_per_account: Rate,
    /// Connections of one address; loopback is not counted, for a proxy may stand there.
    pub connections_per_address: usize,
    /// Connections of one account.
    pub sessions_per_account: usize,
    /// Bytes pushed to a session and not taken by its connection; past it the session ends with `slow-reader`.
    pub outbox_bytes: usize,
    /// Silence after which a connection ends; clients ping every two minutes.
    pub idle: Duration,
    /// How often cursors are told, at most, and everything timed is looked at.
    pub tick: Duration,
    /// How often marks are journaled, at most.
    pub marks_every: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            sign_ins_per_address: Rate::new(30, 6),
            sign_ins_per_account: Rate::new(10, 30),
            sign_ins_per_foreign_host: Rate::new(30, 10),
            registrations_per_address: Rate::new(10, 60),
            trial_registrations_together: Rate::new(100, 20),
            recoveries_per_address: Rate::new(10, 60),
            recoveries_per_account: Rate::new(5, 600),
            connections_per_address: 1024,
            sessions_per_account: 128,
            outbox_bytes: 256 * 1024,
            idle: Duration::from_secs(300),
            tick: Duration::from_secs(1),
            marks_every: Duration::from_secs(2),
        }
    }
}

/// Parameters of argon2id for new hashes; old ones carry their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes.
    pub passes: u32,
}

impl Default for PasswordCost {
    /// 19 MiB, 2 passes: OWASP's recommendation.
    fn default() -> Self {
        Self { memory_kib: 19 * 1024, passes: 2 }
    }
}

impl PasswordCost {
    /// Protects nothing; for tests and load generators only.
    pub const CHEAP: Self = Self { memory_kib: 8, passes: 1 };
}
