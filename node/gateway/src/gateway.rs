//! The gateway itself: what all sessions share, how connections come in, what happens with time, how it ends.
//!
//! Owns the list of connections and the one ticker. Connections are accepted by the node and handed in here by what they
//! speak. Invariant: whoever is in the registry is in the list of connections.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use startalk_domain::{Answer, Command, Recorded, sync::CursorKey};
use startalk_protocol::{AccountName, Code, Error, UserId, pb::client::server_frame::Frame};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::{Semaphore, oneshot},
};

use crate::{
    away::Away,
    config::GatewayConfig,
    connection::Connection,
    crowd::Crowds,
    fan_out::Names,
    figures::{ErrorCounts, Transport},
    files,
    framing::Framing,
    guard::Guard,
    kept::PlayedMarks,
    marks::Marks,
    passkeys::Ceremonies,
    presence::Presences,
    reading::Reading,
    registry::Registry,
    session::Session,
    web,
    websocket::WebSocket,
};

/// Password hashes computed at once: each takes 19 MiB and a core for a while.
const HASHING_MAX: usize = 2;
/// How long somebody counts as being there after they did something.
const ACTIVE_MS: u64 = 2 * 60 * 1000;
/// Searches at once: each may take a core for a while, and pages of history do not wait for them.
const SEARCHING_MAX: usize = 2;
/// Archives of accounts made at once: each holds a thread while its reader is slow.
const EXPORTING_MAX: usize = 4;
/// How long a session has to say its last words.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How long a stop waits for sessions to end, and for the marks.
const STOP_WAIT: Duration = Duration::from_secs(5);

/// Clients' side of a node. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(pub(crate) Arc<Inner>);

/// What all sessions share.
pub(crate) struct Inner {
    pub config: GatewayConfig,
    pub cursor_key: CursorKey,
    pub registry: Registry,
    pub guard: Guard,
    pub marks: Marks,
    /// What was listened to and is not journaled yet.
    pub played: PlayedMarks,
    pub presences: Presences,
    pub names: Names,
    pub crowds: Crowds,
    /// Who was sent to a provider and has not come back, or has and not said so.
    pub away: Away,
    /// Whose browser was asked for a passkey.
    pub ceremonies: Ceremonies,
    /// Everything up to this position was handed to the sessions that want it.
    pub pushed: AtomicU64,
    /// Of the record that clients were told of last; 0: none yet.
    pub record_sequence: AtomicU64,
    /// Sessions to which something was pushed since they were told a cursor.
    pub dirty: Mutex<Vec<Arc<Session>>>,
    /// When a device was last connected, milliseconds, since this process began.
    pub seen: Mutex<HashMap<u64, u64>>,
    pub hashing: Semaphore,
    pub reading: Reading,
    pub searching: Semaphore,
    /// Archives of accounts.
    pub exporting: Arc<Semaphore>,
    /// What clients were answered with.
    pub errors: Arc<ErrorCounts>,
    /// Requests for files.
    pub files: files::Counted,
    /// Seals the cookies with which browsers load files.
    pub files_seal: files::Seal,
    /// What a password is compared with that nobody has.
    pub nobodys_hash: OnceLock<String>,
    pub router: OnceLock<axum::Router>,
    /// What else is served, below a path.
    pub below: OnceLock<(&'static str, axum::Router)>,
    connections: Mutex<HashMap<u64, Arc<Session>>>,
    next: AtomicU64,
    ticking: AtomicBool,
    stopping: AtomicBool,
}

impl Gateway {
    /// To be made when the views are at the journal's head, before the write loop begins.
    pub fn new(config: GatewayConfig) -> Self {
        let pushed = config.views.journal.head().position;
        let inner = Inner {
            cursor_key: CursorKey::new(config.cursor_secret),
            files_seal: files::Seal::new(&config.cursor_secret),
            guard: Guard::new(&config.limits),
            config,
            registry: Registry::default(),
            marks: Marks::default(),
            played: PlayedMarks::default(),
            presences: Presences::default(),
            names: Names::default(),
            crowds: Crowds::default(),
            away: Away::default(),
            ceremonies: Ceremonies::default(),
            pushed: AtomicU64::new(pushed),
            record_sequence: AtomicU64::new(0),
            dirty: Mutex::default(),
            seen: Mutex::default(),
            hashing: Semaphore::new(HASHING_MAX),
            reading: Reading::default(),
            searching: Semaphore::new(SEARCHING_MAX),
            exporting: Arc::new(Semaphore::new(EXPORTING_MAX)),
            errors: Arc::default(),
            files: files::Counted::default(),
            nobodys_hash: OnceLock::new(),
            router: OnceLock::new(),
            below: OnceLock::new(),
            connections: Mutex::default(),
            next: AtomicU64::new(1),
            ticking: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
        };
        Self(Arc::new(inner))
    }

    /// Tells everybody connected what was committed. To be called by the write loop's thread after each batch, in the
    /// order of batches; it never waits.
    pub fn committed(&self, records: &Arc<[Recorded]>) {
        self.0.fan_out(records);
    }

    /// Serves a router below a path, with the headers and limits of all pages. Before the first connection, and once.
    pub fn serve_below(&self, path: &'static str, router: axum::Router) {
        let taken = self.0.below.set((path, router)).is_ok();
        debug_assert!(taken && self.0.router.get().is_none(), "the routes are made with the first connection");
    }

    /// A client's connection with length-prefixed frames, until it ends: TLS with ALPN `startalk/1`, or a QUIC stream
    /// (joined from its two halves). The future is all that an idle connection keeps besides its TLS: it is best run by
    /// a task of its own, and not by the one that did the handshake.
    pub fn serve_frames<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        from: IpAddr,
        transport: Transport,
    ) -> impl Future<Output = ()> + use<S> {
        let place = self.0.place(from);
        let mut served = place.map(|place| (self.0.begin(stream, Framing::Length, transport, from, None), place));
        async move {
            if let Some((served, _place)) = &mut served {
                served.connection.run().await;
            }
        }
    }

    /// A browser's connection, until it ends: HTTP, and WebSocket at `/v1/ws`. Without TLS (`tls` false) only loopback is
    /// served; others are sent to the public address.
    pub async fn serve_http<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S, from: IpAddr, tls: bool) {
        let Some(_place) = self.0.place(from) else { return };
        // Boxed, so that its many buffers and states do not stay with what it may become.
        if let Some(web::Opened { stream, foreign }) = Box::pin(web::serve(&self.0, stream, from, tls)).await {
            self.0
                .begin(stream, Framing::WebSocket(WebSocket::default()), Transport::WebSocket, from, foreign)
                .connection
                .run()
                .await;
        }
    }

    /// Somebody of another domain is typing (or not any more) to `to`, an account here.
    pub fn remote_typing(&self, from: &UserId, to: &AccountName, typing: bool) {
        self.0.remote_typing(from, to, typing);
    }

    /// Somebody of another domain is in this state; said to `to`, an account here.
    pub fn remote_presence(&self, from: &UserId, to: &AccountName, state: &str) {
        self.0.remote_presence(from, to, state);
    }

    /// When an account was last connected, milliseconds since 1970; 0: not since this process began.
    pub fn seen_ms(&self, account: u64) -> u64 {
        self.0.seen_ms(account)
    }

    /// Whether the person of this account did something at one of their devices just now, and is still connected there:
    /// they will see what comes.
    pub fn is_active(&self, account: u64) -> bool {
        let now_ms = self.0.now_ms();
        let mut active = false;
        self.0.registry.each(account, |session| {
            let acted_ms = session.acted_ms.load(Ordering::Relaxed);
            active |= acted_ms != 0 && now_ms.saturating_sub(acted_ms) < ACTIVE_MS;
        });
        active
    }

    /// How many connections there are.
    pub fn connections(&self) -> usize {
        self.0.connections.lock().len()
    }

    /// Tells every session that the node stops, journals the marks that wait, and returns when all are gone, or after
    /// five seconds. To be called while the write loop still runs.
    pub async fn stop(&self) {
        self.0.stopping.store(true, Ordering::Release);
        for session in self.0.sessions() {
            session.outbox.close(Code::Stopping.into());
        }
        let all_gone = async {
            self.0.flush_marks_now().await;
            while self.connections() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(STOP_WAIT, all_gone).await.is_err() {
            self.0.sessions().iter().for_each(|s| s.outbox.abort());
        }
    }
}

impl Inner {
    /// The time, milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        (self.config.clock)()
    }

    /// Random bytes.
    pub(crate) fn random<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        (self.config.random)(&mut out);
        out
    }

    /// Asks the domain and waits.
    pub(crate) async fn ask(&self, command: Command) -> Result<Answer, Error> {
        let (reply, answer) = oneshot::channel();
        self.config.handle.submit(command, move |result| {
            let _ = reply.send(result);
        });
        answer.await.unwrap_or_else(|_| Err(Code::Stopping.into()))
    }

    /// Asks the domain; the answer goes into the session's outbox from the write loop.
    pub(crate) fn submit(
        &self,
        session: &Arc<Session>,
        id: u64,
        command: Command,
        frame: impl FnOnce(Answer) -> Frame + Send + 'static,
    ) {
        let session = session.clone();
        self.config.handle.submit(command, move |result| session.answered(id, result.map(frame)));
    }

    /// The bytes could not be followed: the session hears why, and ends.
    pub(crate) fn broken(&self, session: &Arc<Session>, id: u64, error: Error) {
        session.outbox.begin(false);
        session.answered(id, Err(error.clone()));
        session.outbox.close(error);
    }

    /// Puts a new session on the lists.
    fn begin<S: AsyncRead + AsyncWrite + Unpin>(
        self: &Arc<Self>,
        stream: S,
        framing: Framing,
        transport: Transport,
        from: IpAddr,
        foreign: Option<Box<str>>,
    ) -> Served<S> {
        self.start_ticking();
        let session = Session::new(self.next.fetch_add(1, Ordering::Relaxed), from, foreign);
        let session = Arc::new(session.counted(transport, &self.errors));
        self.connections.lock().insert(session.number, session.clone());
        if self.is_stopping() {
            session.outbox.close(Code::Stopping.into());
        }
        let leave = Leave { gateway: self.clone(), session: session.clone() };
        Served { connection: Connection::new(stream, framing, session, self.clone()), _leave: leave }
    }

    fn left(&self, session: &Arc<Session>) {
        session.gone.store(true, Ordering::SeqCst);
        session.outbox.abort();
        *session.sync.lock() = None;
        if let Some(identity) = session.identity() {
            self.seen.lock().insert(identity.actor.device, self.now_ms());
            if self.registry.remove(identity.actor.account, session) {
                self.presences.left(identity.actor.account);
            }
        }
        self.connections.lock().remove(&session.number);
    }

    /// Whether the node is about to end.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// A place among the connections of an address; `None` if it has too many.
    fn place(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        self.guard.connected(from).then(|| Place { gateway: self.clone(), from })
    }

    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        self.connections.lock().values().cloned().collect()
    }

    /// Begins the ticker with the first connection, for only then there certainly is a runtime.
    fn start_ticking(self: &Arc<Self>) {
        if !self.ticking.swap(true, Ordering::Relaxed) {
            tokio::spawn(tick(Arc::downgrade(self), self.config.limits.tick));
            let gateway = self.clone();
            tokio::spawn(async move { gateway.nobodys_hash().await });
        }
    }

    fn on_tick(self: &Arc<Self>, ticks: u64) {
        self.tell_late_groups();
        self.tell_cursors();
        let limits = &self.config.limits;
        let every =
            |period: Duration| u64::try_from(period.as_millis() / limits.tick.as_millis().max(1)).unwrap_or(u64::MAX).max(1);
        if ticks.is_multiple_of(every(limits.marks_every)) {
            self.flush_marks();
        }
        self.tell_who_left(ticks);
        let (idle_ticks, ending_ticks) = (every(limits.idle), every(LAST_WORDS));
        for session in self.connections.lock().values() {
            let silent = session.silent.fetch_add(1, Ordering::Relaxed) + 1;
            if session.outbox.has_ended() {
                if u64::from(session.ending_ticks.fetch_add(1, Ordering::Relaxed)) >= ending_ticks {
                    session.outbox.abort();
                }
            } else if u64::from(silent) > idle_ticks {
                session.outbox.close(Code::IdleTimeout.into());
            }
        }
    }
}

async fn tick(gateway: Weak<Inner>, period: Duration) {
    let mut ticks = 0;
    loop {
        tokio::time::sleep(period).await;
        ticks += 1;
        match gateway.upgrade() {
            Some(gateway) => gateway.on_tick(ticks),
            None => return,
        }
    }
}

/// A connection of an address, counted.
struct Place {
    gateway: Arc<Inner>,
    from: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gateway.guard.disconnected(self.from);
    }
}

/// A connection whose session is on the lists.
struct Served<S> {
    connection: Connection<S>,
    _leave: Leave,
}

/// Takes a session off the lists however its connection ends.
struct Leave {
    gateway: Arc<Inner>,
    session: Arc<Session>,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.gateway.left(&self.session);
    }
}
