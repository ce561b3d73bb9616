//! The session's task: one connection at a time, its bytes in both directions, the queues, and time.
//!
//! Decides nothing about messages; that is `engine`'s. Invariant: nothing is read from the node while an event waits to
//! be taken, so memory is bounded whatever the node sends.

use std::{
    future::{Future, pending},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Buf, BytesMut};
use startalk_protocol::{
    Code,
    pb::client::{Resume, SignedIn, Welcome, client_frame::Frame},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf},
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until, timeout},
};

use super::{
    Item, Status,
    engine::{Command, Engine},
    now_ms,
};
use crate::{
    ClientError, DialError, Event, Options, State,
    dial::{Dial, Duplex},
    store::KnownHome,
    wire::{self, Connection},
};

/// Commands taken at once.
const COMMANDS_AT_ONCE: usize = 128;
/// For greeting and signing in on an open connection.
const HANDSHAKE: Duration = Duration::from_secs(15);

type Dialling = Pin<Box<dyn Future<Output = (Box<dyn Dial>, Result<Opened, ClientError>)> + Send>>;

struct Opened {
    connection: Connection,
    signed_in: SignedIn,
    home: Option<KnownHome>,
}

/// Where the connection is at.
enum Link {
    Down { retry: Instant },
    Dialling(Dialling),
    Up(Box<Up>),
}

struct Up {
    reader: ReadHalf<Duplex>,
    writer: WriteHalf<Duplex>,
    buffer: BytesMut,
    last_read: Instant,
    pinged: bool,
}

/// The ends of the session's queues.
pub(super) struct Queues {
    pub commands: mpsc::Receiver<Command>,
    pub outbox: mpsc::Receiver<Command>,
    pub events: Option<mpsc::Sender<Item>>,
    pub status: watch::Sender<Status>,
}

pub(super) struct Driver {
    options: Options,
    dial: Option<Box<dyn Dial>>,
    engine: Engine,
    queues: Queues,
    handled: Arc<AtomicU64>,
    failures: u32,
    state: State,
    welcome: Option<Arc<Welcome>>,
    started: (Instant, i64),
    closing: Option<oneshot::Sender<()>>,
}

/// What woke the task.
enum Woken {
    Command(Option<Command>),
    Accept(Command),
    Dialled(Box<dyn Dial>, Box<Result<Opened, ClientError>>),
    Read(std::io::Result<usize>),
    Wrote(std::io::Result<usize>),
    Taken,
    Time,
}

impl Driver {
    pub fn new(options: Options, dial: Box<dyn Dial>, engine: Engine, queues: Queues, handled: Arc<AtomicU64>) -> Self {
        let started = (Instant::now(), now_ms());
        Self {
            options,
            dial: Some(dial),
            engine,
            queues,
            handled,
            failures: 0,
            state: State::Connecting,
            welcome: None,
            started,
            closing: None,
        }
    }

    /// Milliseconds since 1970 by a clock that does not jump.
    fn now(&self) -> i64 {
        let elapsed = Instant::now().duration_since(self.started.0).as_millis();
        self.started.1.saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX))
    }

    fn instant(&self, at_ms: i64) -> Instant {
        self.started.0 + Duration::from_millis(u64::try_from(at_ms - self.started.1).unwrap_or(0))
    }

    pub async fn run(mut self, connection: Option<Connection>) {
        let mut link = match connection {
            Some(connection) => self.up(connection, 0),
            None => self.dialling(),
        };
        while let next = self.work()
            && !self.engine.ended()
            && self.closing.is_none()
        {
            match self.wait(&mut link, next).await {
                Woken::Command(None) => break,
                woken => link = self.woken(link, woken),
            }
        }
        self.finish(link).await;
    }

    /// Everything that needs no waiting. Returns when there is something to do next.
    fn work(&mut self) -> Option<Instant> {
        self.engine.transmit();
        self.engine.flush();
        let next = self.engine.tick(self.now(), self.handled.load(Ordering::Acquire));
        self.engine.transmit();
        // Before the events: who has heard of something finds it in the status too.
        self.queues.status.send_if_modified(|status| {
            let now = Status {
                state: self.state.clone(),
                pending: self.engine.pending(),
                synced: self.engine.synced(),
                ended: false,
                welcome: self.welcome.clone(),
            };
            let changed = *status != now;
            *status = now;
            changed
        });
        self.hand_out();
        next.map(|at| self.instant(at))
    }

    fn hand_out(&mut self) {
        while let Some(item) = self.engine.next_event() {
            let Some(events) = &self.queues.events else {
                if let Item::Checkpoint(number) = item {
                    self.handled.store(number, Ordering::Release);
                }
                continue;
            };
            match events.try_send(item) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(item)) => {
                    self.engine.untold(item);
                    break;
                }
                // Nobody listens; the session goes on for what is to be sent.
                Err(mpsc::error::TrySendError::Closed(_)) => self.queues.events = None,
            }
        }
    }

    async fn wait(&mut self, link: &mut Link, next: Option<Instant>) -> Woken {
        let (accepts, blocked) = (self.engine.accepts(), self.engine.has_events());
        let events = self.queues.events.as_ref().filter(|_| blocked);
        let taken = async {
            match events {
                // Only waits for room; the item itself goes through `hand_out`.
                Some(events) => drop(events.reserve().await),
                None => pending().await,
            }
        };
        let mut wake = next;
        let mut at = |at: Instant| wake = Some(wake.map_or(at, |w| w.min(at)));
        let silence = self.options.silence;
        let (mut dialling, mut reader, mut writer) = (None, None, None);
        match link {
            Link::Down { retry } => at(*retry),
            Link::Dialling(future) => dialling = Some(future),
            Link::Up(up) => {
                at(up.last_read + if up.pinged { silence * 2 } else { silence });
                reader = (!blocked).then_some((&mut up.reader, &mut up.buffer));
                writer = Some(&mut up.writer);
            }
        }
        let out = self.engine.out();
        let has_out = !out.is_empty();
        tokio::select! {
            command = self.queues.commands.recv() => Woken::Command(command),
            Some(command) = self.queues.outbox.recv(), if accepts => Woken::Accept(command),
            (dial, opened) = async { match dialling { Some(future) => future.await, None => pending().await } } => Woken::Dialled(dial, Box::new(opened)),
            read = async { match reader { Some((reader, buffer)) => reader.read_buf(buffer).await, None => pending().await } } => Woken::Read(read),
            wrote = async { match writer { Some(writer) if has_out => writer.write(out).await, _ => pending().await } } => Woken::Wrote(wrote),
            () = taken => Woken::Taken,
            () = async { match wake { Some(at) => sleep_until(at).await, None => pending().await } } => Woken::Time,
        }
    }

    fn woken(&mut self, link: Link, woken: Woken) -> Link {
        match woken {
            Woken::Command(command) => command.into_iter().for_each(|c| self.command(c)),
            Woken::Accept(command) => {
                self.command(command);
                for _ in 0..COMMANDS_AT_ONCE {
                    if !self.engine.accepts() {
                        break;
                    }
                    let Ok(command) = self.queues.outbox.try_recv() else { break };
                    self.command(command);
                }
            }
            Woken::Dialled(dial, opened) => {
                self.dial = Some(dial);
                return self.dialled(*opened);
            }
            Woken::Read(read) => return self.read(link, read),
            Woken::Wrote(Ok(0)) => {
                return self.lost(ClientError::Dial(DialError::Closed("nothing more can be written".to_owned())));
            }
            Woken::Wrote(Ok(written)) => self.engine.out().advance(written),
            Woken::Wrote(Err(e)) => return self.lost(wire::broken(&e)),
            Woken::Taken => {}
            Woken::Time => return self.time(link),
        }
        link
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Close(reply) => self.closing = Some(reply),
            command => {
                let now = self.now();
                self.engine.command(command, now);
            }
        }
    }

    fn dialled(&mut self, opened: Result<Opened, ClientError>) -> Link {
        match opened {
            Ok(Opened { connection, signed_in, home }) => {
                if let Some(home) = home {
                    self.engine.keep_home(&home);
                }
                self.up(connection, signed_in.counter)
            }
            Err(error) => self.lost(error),
        }
    }

    fn up(&mut self, connection: Connection, counter: u64) -> Link {
        let Connection { stream, buffer, next_id, welcome } = connection;
        self.engine.connected(next_id, &welcome, counter);
        self.failures = 0;
        self.welcome = Some(Arc::new(welcome));
        self.set_state(State::Online);
        let (reader, writer) = tokio::io::split(stream);
        let mut up = Up { reader, writer, buffer, last_read: Instant::now(), pinged: false };
        match self.frames(&mut up) {
            Ok(()) => Link::Up(Box::new(up)),
            Err(error) => self.lost(error),
        }
    }

    fn read(&mut self, link: Link, read: std::io::Result<usize>) -> Link {
        let Link::Up(mut up) = link else { return link };
        match read {
            Ok(0) => return self.lost(ClientError::Dial(DialError::Closed("end of stream".to_owned()))),
            Err(e) => return self.lost(wire::broken(&e)),
            Ok(_) => {}
        }
        (up.last_read, up.pinged) = (Instant::now(), false);
        match self.frames(&mut up) {
            Ok(()) => Link::Up(up),
            Err(error) => self.lost(error),
        }
    }

    fn frames(&mut self, up: &mut Up) -> Result<(), ClientError> {
        let now = self.now();
        while let Some(frame) = wire::take(&mut up.buffer)? {
            self.engine.frame(frame, now)?;
        }
        Ok(())
    }

    fn time(&mut self, mut link: Link) -> Link {
        let (now, silence) = (Instant::now(), self.options.silence);
        match &mut link {
            Link::Down { retry } if now >= *retry => return self.dialling(),
            // While events wait to be taken nothing is read, and the node's silence says nothing.
            Link::Up(up) if self.engine.has_events() => up.last_read = now,
            Link::Up(up) if up.pinged && now >= up.last_read + silence * 2 => {
                return self.lost(ClientError::Refused(Code::IdleTimeout.into()));
            }
            Link::Up(up) if !up.pinged && now >= up.last_read + silence => {
                up.pinged = true;
                self.engine.ping();
            }
            _ => {}
        }
        link
    }

    /// The connection ended, or did not begin.
    fn lost(&mut self, error: ClientError) -> Link {
        self.engine.disconnected(self.now());
        if let ClientError::Refused(e) = &error
            && matches!(e.code, Code::TokenRevoked | Code::NotSignedIn | Code::WrongCredentials)
        {
            self.engine.end(Some(Event::SignedOut(Some(e.clone()))));
            return Link::Down { retry: Instant::now() + self.options.backoff.max };
        }
        self.failures = self.failures.saturating_add(1);
        let wait = self.options.backoff.wait(self.failures, random());
        let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.set_state(State::RetryIn { ms, error });
        Link::Down { retry: Instant::now() + wait }
    }

    fn dialling(&mut self) -> Link {
        let Some(mut dial) = self.dial.take() else { return Link::Down { retry: Instant::now() + self.options.backoff.max } };
        self.set_state(State::Connecting);
        let (known, now, token) = (self.engine.home(), self.now(), self.engine.account().token.clone());
        let (client, language) = (self.options.client.clone(), self.options.language.clone());
        Link::Dialling(Box::pin(async move {
            let opened = open(&mut *dial, known, now, token, &client, &language).await;
            (dial, opened)
        }))
    }

    fn set_state(&mut self, state: State) {
        if self.state != state || state == State::Connecting {
            self.engine.told_state(state.clone());
            self.state = state;
        }
    }

    async fn finish(mut self, link: Link) {
        self.hand_out();
        if let Link::Up(mut up) = link {
            let out = self.engine.out().split();
            let bye = async {
                let _ = up.writer.write_all(&out).await;
                let _ = up.writer.shutdown().await;
            };
            let _ = timeout(Duration::from_secs(1), bye).await;
        }
        self.engine.finish(self.handled.load(Ordering::Acquire));
        let state = State::RetryIn { ms: u64::MAX, error: ClientError::Ended };
        let pending = self.engine.pending();
        self.queues.status.send_replace(Status { state, pending, synced: false, ended: true, welcome: self.welcome });
        let rest: Vec<Item> = std::iter::from_fn(|| self.engine.next_event()).collect();
        // The store is free for the next session before anybody hears that this one is over.
        drop(self.engine);
        if let Some(reply) = self.closing {
            let _ = reply.send(());
        }
        if let Some(events) = self.queues.events {
            for item in rest {
                if events.send(item).await.is_err() {
                    break;
                }
            }
        }
    }
}

async fn open(
    dial: &mut dyn Dial,
    known: Option<KnownHome>,
    now: i64,
    token: Vec<u8>,
    client: &str,
    language: &str,
) -> Result<Opened, ClientError> {
    let dialled = dial.dial(known.as_ref(), now).await?;
    let handshake = async {
        let mut connection = Connection::greet(dialled.stream, client, language).await?;
        let signed_in = connection.enter(Frame::Resume(Resume { token: token.into() })).await?;
        Ok(Opened { connection, signed_in, home: dialled.home })
    };
    timeout(HANDSHAKE, handshake)
        .await
        .unwrap_or_else(|_| Err(ClientError::Dial(DialError::Closed("no answer in time".to_owned()))))
}

/// Sixteen random bytes: what is asked for with them again is the same.
#[expect(clippy::disallowed_methods, reason = "the edge: a name that nobody else chooses")]
pub fn new_key() -> bytes::Bytes {
    use rand::RngExt;
    rand::rng().random::<[u8; 16]>().to_vec().into()
}

#[expect(clippy::disallowed_methods, reason = "the edge: jitter between attempts")]
pub(crate) fn random() -> f64 {
    use rand::RngExt;
    rand::rng().random()
}
