//! A node without sockets: journal on a disk in memory, the write loop in a thread, clients over duplex streams.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use prost::Message as _;
use startalk_domain::{
    Answer, Command, Views,
    command::Admission,
    context::Random,
    governance::{NewPolicy, Registration},
    store::Store,
};
use startalk_gateway::{Gateway, GatewayConfig, Limits, PasswordCost, secrets};
use startalk_journal::{Journal, Options, fault::FaultDisk};
use startalk_net::Rate;
use startalk_protocol::{
    framing,
    pb::{
        client::{self as pb, client_frame::Frame as Asked, server_frame::Frame},
        content::{Block, Content, Inline, Text, content::Kind},
    },
};
use startalk_sequencer::{Handle, Sequencer};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

pub const DOMAIN: &str = "home.example";
pub const PASSWORD: &str = "correct horse";
const WAIT: Duration = Duration::from_secs(10);

pub struct Node {
    pub gateway: Gateway,
    pub handle: Handle,
    pub clock: Arc<AtomicU64>,
    views: Views,
    thread: Option<JoinHandle<()>>,
}

struct Counter(u64);

impl Random for Counter {
    fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let bytes = (self.0 ^ (self.0 >> 31)).to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }
}

pub fn quick_limits() -> Limits {
    Limits {
        tick: Duration::from_millis(20),
        marks_every: Duration::from_millis(40),
        registrations_per_address: Rate::new(10_000, 1),
        ..Limits::default()
    }
}

impl Node {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        Self::on(FaultDisk::new(), change)
    }

    pub fn on(disk: FaultDisk, change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let options = Options { segment_bytes: 4 << 20, ..Options::default() };
        let is_new = disk.used_bytes() == 0;
        let journal = if is_new {
            Journal::create(disk.arc(), [1; 16], options).unwrap()
        } else {
            Journal::open(disk.arc(), options).unwrap().0
        };
        let reader = Arc::new(journal.reader());
        let views = startalk_sequencer::views(Store::temporary().unwrap(), reader);
        let domain: startalk_protocol::DomainName = DOMAIN.parse().unwrap();
        let mut sequencer = Sequencer::open(journal, views.clone(), domain.clone(), |_, _| {}).unwrap();
        sequencer.set_reserve(0);
        let handle = Handle::new();
        let clock = Arc::new(AtomicU64::new(1_800_000_000_000));
        let mut config = GatewayConfig::new(domain, views.clone(), handle.clone(), [7; 32], "https://home.example");
        let time = clock.clone();
        config.clock = Arc::new(move || time.load(Ordering::Relaxed));
        config.passwords = PasswordCost::CHEAP;
        config.limits = quick_limits();
        change(&mut config);
        let gateway = Gateway::new(config);
        let (work, pushes, time) = (handle.clone(), gateway.clone(), clock.clone());
        let thread = std::thread::spawn(move || {
            let mut random = Counter(42);
            while let Some(mut batch) = work.take(Duration::from_millis(50)) {
                while !batch.is_empty() {
                    let records = sequencer.step(&mut batch, time.load(Ordering::Relaxed), &mut random).unwrap();
                    pushes.committed(&records);
                }
            }
        });
        let node = Self { gateway, handle, clock, views, thread: Some(thread) };
        if is_new {
            node.ask(Command::Begin { root_key: [3; 32] });
        }
        node
    }

    /// Returns when everything answered before was pushed, too: the write loop is past it.
    pub fn settled(&self) {
        self.ask(Command::MoveMarks { marks: Vec::new() });
    }

    pub fn epoch(&self) -> u32 {
        startalk_domain::governance::realm(&*self.views.store).epoch
    }

    pub fn try_ask(&self, command: Command) -> Result<Answer, startalk_protocol::Error> {
        let (tx, rx) = std::sync::mpsc::channel();
        self.handle.submit(command, move |result| tx.send(result).unwrap());
        rx.recv_timeout(WAIT).unwrap()
    }

    pub fn ask(&self, command: Command) -> Answer {
        self.try_ask(command).unwrap()
    }

    pub fn registration(&self, registration: Registration) {
        let (registration, display_name) = (Some(registration), Some("Home".into()));
        self.ask(Command::SetPolicy(NewPolicy { registration, display_name, ..NewPolicy::default() }));
    }

    /// An invitation's secret.
    pub fn invitation(&self, uses: u32) -> String {
        let secret = secrets::invitation([uses as u8; 20]);
        let token_hash = secrets::invitation_hash(&secret);
        self.ask(Command::MakeInvitation {
            maker: 0,
            token_hash,
            uses,
            valid_ms: 3_600_000,
            administrator: false,
            groups: vec![],
        });
        secret
    }

    /// An account with [`PASSWORD`] and the recovery code `aaaa-aaaa-aaaa`.
    pub fn account(&self, name: &str) -> u64 {
        let answer = self.ask(Command::CreateAccount {
            name: name.parse().unwrap(),
            display_name: name.to_uppercase(),
            password_hash: secrets::hash_password(PASSWORD, [1; 16], PasswordCost::CHEAP).unwrap(),
            recovery_hashes: vec![secrets::recovery_hash("aaaa-aaaa-aaaa")],
            admission: Admission::Operator { administrator: false },
            device: None,
        });
        match answer {
            Answer::Account { account, .. } => account,
            other => panic!("{other:?}"),
        }
    }

    pub fn connect(&self) -> Client {
        self.connect_from([192, 0, 2, 1].into(), 64 * 1024)
    }

    pub fn connect_from(&self, from: IpAddr, buffer: usize) -> Client {
        let (ours, theirs) = tokio::io::duplex(buffer);
        let gateway = self.gateway.clone();
        tokio::spawn(async move { gateway.serve_frames(theirs, from, startalk_gateway::Transport::Tls).await });
        Client { stream: ours, input: BytesMut::new(), next: 0, pushed: Vec::new(), me: pb::SignedIn::default(), counter: 0 }
    }

    /// Connected, greeted and signed in as a new device.
    pub async fn client(&self, name: &str) -> Client {
        let mut client = self.greeted().await;
        client.sign_in(name, PASSWORD).await.unwrap();
        client
    }

    pub async fn greeted(&self) -> Client {
        let mut client = self.connect();
        client.hello().await;
        client
    }

    /// Connected, resumed.
    pub async fn resumed(&self, token: &Bytes) -> Client {
        let mut client = self.greeted().await;
        client.resume(token).await.unwrap();
        client
    }

    pub fn advance(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking());
        }
    }
}

pub struct Client {
    pub stream: DuplexStream,
    pub input: BytesMut,
    pub next: u64,
    /// Frames that were not answers to what was waited for.
    pub pushed: Vec<pb::ServerFrame>,
    pub me: pb::SignedIn,
    pub counter: u64,
}

impl Client {
    pub async fn write(&mut self, asked: Asked) -> u64 {
        self.next += 1;
        let frame = framing::encode(&pb::ClientFrame { id: self.next, frame: Some(asked) });
        self.stream.write_all(&frame).await.unwrap();
        self.next
    }

    /// The next frame; `None` at the end of the connection.
    pub async fn read(&mut self) -> Option<pb::ServerFrame> {
        loop {
            if let Some(frame) = framing::take(&mut self.input, 1 << 20).unwrap() {
                return Some(pb::ServerFrame::decode(frame).unwrap());
            }
            let read = tokio::time::timeout(WAIT, self.stream.read_buf(&mut self.input)).await.expect("a frame in time");
            if read.unwrap_or(0) == 0 {
                return None;
            }
        }
    }

    pub async fn answer(&mut self, id: u64) -> Result<Frame, pb::Error> {
        loop {
            let frame = self.read().await.expect("an answer, not the end");
            match frame.frame.clone() {
                Some(Frame::Error(error)) if frame.reply_to == id => return Err(error),
                Some(answer) if frame.reply_to == id => return Ok(answer),
                _ => self.pushed.push(frame),
            }
        }
    }

    pub async fn ask(&mut self, asked: Asked) -> Result<Frame, pb::Error> {
        let id = self.write(asked).await;
        self.answer(id).await
    }

    pub async fn hello(&mut self) -> pb::Welcome {
        match self.ask(Asked::Hello(pb::Hello { version_min: 1, version_max: 9, ..Default::default() })).await {
            Ok(Frame::Welcome(welcome)) => welcome,
            other => panic!("{other:?}"),
        }
    }

    fn signed_in(&mut self, result: Result<Frame, pb::Error>) -> Result<(), pb::Error> {
        match result? {
            Frame::SignedIn(me) => {
                self.counter = me.counter;
                self.me = me;
                Ok(())
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn sign_in(&mut self, name: &str, password: &str) -> Result<(), pb::Error> {
        let request = pb::SignIn { name: name.into(), password: password.into(), device_name: "test".into() };
        let result = self.ask(Asked::SignIn(request)).await;
        self.signed_in(result)
    }

    pub async fn resume(&mut self, token: &Bytes) -> Result<(), pb::Error> {
        let result = self.ask(Asked::Resume(pb::Resume { token: token.clone() })).await;
        self.signed_in(result)
    }

    pub async fn register(&mut self, name: &str, invitation: &str) -> Result<(), pb::Error> {
        let request = pb::Register {
            name: name.into(),
            password: PASSWORD.into(),
            device_name: "test".into(),
            display_name: name.into(),
            invitation: invitation.into(),
        };
        let result = self.ask(Asked::Register(request)).await;
        self.signed_in(result)
    }

    /// All pages of a sync.
    pub async fn sync(&mut self, cursor: &Bytes) -> Vec<pb::SyncPage> {
        let id = self.write(Asked::Sync(pb::Sync { cursor: cursor.clone() })).await;
        let mut pages = Vec::new();
        loop {
            match self.answer(id).await.unwrap() {
                Frame::SyncPage(page) => pages.push(page),
                other => panic!("{other:?}"),
            }
            if pages.last().unwrap().last {
                return pages;
            }
        }
    }

    pub fn said(&mut self, to: &str, text: &str) -> pb::Send {
        self.counter += 1;
        pb::Send { to: to.into(), counter: self.counter, content: content(text), ..Default::default() }
    }

    pub async fn send(&mut self, to: &str, text: &str) -> Result<pb::Sent, pb::Error> {
        let send = self.said(to, text);
        self.send_frame(send).await
    }

    pub async fn send_frame(&mut self, send: pb::Send) -> Result<pb::Sent, pb::Error> {
        match self.ask(Asked::Send(send)).await? {
            Frame::Sent(sent) => Ok(sent),
            other => panic!("{other:?}"),
        }
    }

    /// The next frame for which `pick` gives something, among those set aside first.
    pub async fn expect<T>(&mut self, what: &str, mut pick: impl FnMut(&Frame) -> Option<T>) -> T {
        let mut aside = std::mem::take(&mut self.pushed).into_iter();
        for frame in aside.by_ref() {
            if let Some(found) = frame.frame.as_ref().and_then(&mut pick) {
                self.pushed.extend(aside);
                return found;
            }
            self.pushed.push(frame);
        }
        loop {
            let frame = self.read().await.unwrap_or_else(|| panic!("the end came before {what}"));
            if let Some(found) = frame.frame.as_ref().and_then(&mut pick) {
                return found;
            }
            self.pushed.push(frame);
        }
    }

    pub async fn message(&mut self) -> (u64, pb::Message) {
        self.expect("a message", |frame| match frame {
            Frame::Pushed(pb::Pushed { conversation, what: Some(pb::pushed::What::Message(m)), .. }) => {
                Some((*conversation, m.clone()))
            }
            _ => None,
        })
        .await
    }

    pub async fn changed(&mut self) -> pb::Message {
        self.expect("a change", |frame| match frame {
            Frame::Pushed(pb::Pushed { what: Some(pb::pushed::What::Changed(m)), .. }) => Some(m.clone()),
            _ => None,
        })
        .await
    }

    /// The code with which the session ends.
    pub async fn closed(&mut self) -> String {
        let code = self
            .expect("a close", |frame| match frame {
                Frame::Close(close) => Some(close.error.clone().unwrap().code),
                _ => None,
            })
            .await;
        assert!(self.read().await.is_none(), "nothing after a close");
        code
    }

    /// Nothing but cursors and presence comes for a while.
    pub async fn quiet(&mut self) {
        let until = tokio::time::Instant::now() + Duration::from_millis(150);
        self.pushed.retain(|f| !matches!(f.frame, Some(Frame::Cursor(_))));
        while let Ok(frame) = tokio::time::timeout_at(until, self.read()).await {
            let frame = frame.expect("not the end");
            let expected = matches!(frame.frame, Some(Frame::Cursor(_) | Frame::Presence(_)));
            assert!(expected, "{frame:?}");
        }
    }
}

pub fn content(text: &str) -> Bytes {
    let inline = Inline { text: text.into(), ..Default::default() };
    let block = Block { inlines: vec![inline], ..Default::default() };
    Content { fallback: String::new(), kind: Some(Kind::Text(Text { blocks: vec![block] })), ..Content::default() }
        .encode_to_vec()
        .into()
}

pub fn text(content: &Bytes) -> String {
    match Content::decode(content.clone()).unwrap().kind {
        Some(Kind::Text(text)) => text.blocks.iter().flat_map(|b| &b.inlines).map(|i| i.text.as_str()).collect(),
        _ => String::new(),
    }
}

pub fn code<T>(result: Result<T, pb::Error>) -> String {
    match result {
        Ok(_) => "ok".into(),
        Err(error) => error.code,
    }
}
