//! A node of one process: real frames over pipes, rules just large enough, and faults drawn from a seed.
//!
//! Checks on the node's side what a client must keep to: the same number always with the same bytes, at most 64 without
//! an answer, nothing before signing in. What it finds is in `violations`.

use std::{
    collections::{BTreeMap, HashMap},
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use startalk_client::{Account, Backoff, Dial, DialError, Dialled, Event, Events, Home, MemoryStore, Options, Session, Store};
use startalk_protocol::{
    framing,
    pb::client::{
        self as pb, ClientFrame, Conversation, ConversationPage, Member, Message, Page, Pushed, Sent, ServerFrame, SignedIn,
        SyncPage, Welcome, client_frame::Frame as Ask, pushed::What, server_frame::Frame as Answer,
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};

/// xorshift*: a test's own randomness.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) % n.max(1)
    }

    /// True so often in a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }
}

/// How the node misbehaves; each per thousand frames.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The connection breaks before a command is carried out.
    pub cut_before: u64,
    /// The connection breaks after a command was carried out and before it is answered.
    pub cut_after: u64,
    /// The connection breaks in the middle of a frame to the client.
    pub cut_inside: u64,
    /// An answer waits for a later one.
    pub late: u64,
    /// A push comes twice.
    pub repeat: u64,
    /// Nobody answers the phone.
    pub refuse_dial: u64,
    /// A command is refused with an error that says: later.
    pub stopping: u64,
    /// Cursors are told at a sync only.
    pub few_cursors: bool,
}

#[derive(Clone, Debug)]
pub enum Record {
    Said {
        id: Bytes,
        author: String,
        content: Bytes,
        device: u64,
        counter: u64,
        recalled: bool,
    },
    /// An edit, a recall, a mark: a sequence without a message.
    Other,
}

#[derive(Clone, Debug)]
pub struct Talk {
    pub number: u64,
    pub peer: String,
    pub records: Vec<Record>,
}

impl Talk {
    fn message(&self, sequence: u64) -> Option<Message> {
        match self.records.get(usize::try_from(sequence).unwrap() - 1)? {
            Record::Other => None,
            Record::Said { id, author, content, device, counter, recalled } => Some(Message {
                sequence,
                id: id.clone(),
                author: author.clone(),
                time_ms: 1000 + sequence as i64,
                content: if *recalled { Bytes::new() } else { content.clone() },
                recalled: *recalled,
                device: *device,
                counter: *counter,
                ..Message::default()
            }),
        }
    }

    fn head(&self) -> u64 {
        self.records.len() as u64
    }

    fn overview(&self) -> Conversation {
        if self.peer == GROUP {
            let group = pb::Group { group: GROUP.to_owned(), standing: "member".to_owned(), first: 1, ..pb::Group::default() };
            let group = Some(group);
            return Conversation { conversation: self.number, group, head: self.head(), time_ms: 1, ..Conversation::default() };
        }
        let peer = Some(Member { user: self.peer.clone(), ..Member::default() });
        Conversation { conversation: self.number, peer, head: self.head(), time_ms: 1, ..Conversation::default() }
    }

    fn between(&self, from: u64, to: u64) -> Vec<Message> {
        (from.max(1)..=to.min(self.head())).filter_map(|s| self.message(s)).collect()
    }
}

/// What a backup would hold.
#[derive(Clone, Debug, Default)]
pub struct Journal {
    pub epoch: u64,
    /// One entry per record, ever: which conversation.
    pub log: Vec<u64>,
    pub talks: Vec<Talk>,
    /// By command number: the command's bytes and its answer.
    pub executed: BTreeMap<u64, (Bytes, Sent)>,
    pub marks: HashMap<u64, (u64, u64)>,
    next_id: u64,
}

/// The one group; by its id among the conversations.
pub const GROUP: &str = "abcdefghijklmnopqrstuvwxyz";
pub const ME: &str = "me@fake.example";
const DEVICE: u64 = 7;
const TOKEN: [u8; 32] = [9; 32];

#[derive(Default)]
pub struct State {
    pub journal: Journal,
    pub faults: Faults,
    pub violations: Vec<String>,
    /// Bytes seen under a number, over all restores.
    pub seen: HashMap<u64, Bytes>,
    pub revoked: bool,
    pub connections: u64,
    /// What we say in the group waits for its home.
    pub home_is_away: bool,
    waiting: Vec<Message>,
    pub syncs: Vec<Bytes>,
    live: Vec<mpsc::UnboundedSender<ServerFrame>>,
    kill: Vec<mpsc::UnboundedSender<()>>,
}

#[derive(Clone)]
pub struct Node(Arc<Mutex<State>>, Arc<Mutex<Random>>);

impl Node {
    pub fn new(seed: u64, faults: Faults) -> Self {
        let state = State { faults, ..State::default() };
        Self(Arc::new(Mutex::new(state)), Arc::new(Mutex::new(Random::new(seed))))
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn chance(&self, per_mille: u64) -> bool {
        self.1.lock().unwrap().chance(per_mille)
    }

    /// Somebody says something to us.
    pub fn hear(&self, peer: &str, text: &str) -> u64 {
        let mut state = self.state();
        let talk = state.talk_with(peer);
        let record = Record::Said {
            id: state.new_id(),
            author: peer.to_owned(),
            content: startalk_client::content::text(text),
            device: 0,
            counter: 0,
            recalled: false,
        };
        state.append(talk, record)
    }

    /// The group, which we are in.
    pub fn group(&self) -> u64 {
        let mut state = self.state();
        let talk = state.talk_with(GROUP);
        state.journal.talks[talk].number
    }

    /// The group's home records everything that waited.
    pub fn home_records(&self) {
        let mut state = self.state();
        let talk = state.talk_with(GROUP);
        let number = state.journal.talks[talk].number;
        for waits in std::mem::take(&mut state.waiting) {
            let Message { id, author, content, device, counter, .. } = waits;
            let sequence = state.append(talk, Record::Said { id, author, content, device, counter, recalled: false });
            let message = state.journal.talks[talk].message(sequence).unwrap();
            state.push(Pushed { conversation: number, what: Some(What::Message(message)), record: 0 });
        }
    }

    /// The group's home refuses everything that waited.
    pub fn home_refuses(&self, code: &str) {
        let mut state = self.state();
        let talk = state.talk_with(GROUP);
        let number = state.journal.talks[talk].number;
        for waits in std::mem::take(&mut state.waiting) {
            let ended = pb::Ended { device: waits.device, counter: waits.counter, code: code.to_owned() };
            state.push(Pushed { conversation: number, what: Some(What::Ended(ended)), record: 0 });
        }
    }

    /// A sequence passes without a message.
    pub fn pass(&self, peer: &str) {
        let mut state = self.state();
        let talk = state.talk_with(peer);
        state.append(talk, Record::Other);
    }

    pub fn backup(&self) -> Journal {
        self.state().journal.clone()
    }

    /// Goes back in time: every connection ends, a new epoch begins.
    pub fn restore(&self, mut journal: Journal) {
        journal.epoch = self.state().journal.epoch + 1;
        self.restore_unnoticed(journal);
    }

    /// Nothing has told the node yet that it is an older copy.
    pub fn restore_unnoticed(&self, journal: Journal) {
        let mut state = self.state();
        state.journal = journal;
        for kill in state.kill.drain(..) {
            let _ = kill.send(());
        }
        state.live.clear();
    }

    /// Ends every connection.
    pub fn cut(&self) {
        let mut state = self.state();
        for kill in state.kill.drain(..) {
            let _ = kill.send(());
        }
        state.live.clear();
    }

    /// Texts in a conversation, in order.
    pub fn texts(&self, peer: &str) -> Vec<String> {
        let state = self.state();
        let talk = state.journal.talks.iter().find(|t| t.peer == peer);
        talk.into_iter()
            .flat_map(|t| t.between(1, t.head()))
            .map(|m| startalk_client::content::show(&m.content, startalk_client::Language::English).plain().to_owned())
            .collect()
    }

    pub fn dial(&self) -> Box<dyn Dial> {
        Box::new(FakeDial(self.clone()))
    }

    /// A session on this node.
    pub fn session(&self, store: &MemoryStore) -> (Session, Events) {
        self.session_with(Box::new(store.clone()))
    }

    pub fn session_with(&self, mut store: Box<dyn Store>) -> (Session, Events) {
        if store.account().is_none() {
            store.set_account(Some(&account())).unwrap();
        }
        Session::resume_with(options(), store, self.dial()).unwrap()
    }

    async fn serve(self, mut stream: DuplexStream) {
        let (push, mut pushes) = mpsc::unbounded_channel::<ServerFrame>();
        let (kill, mut killed) = mpsc::unbounded_channel::<()>();
        let epoch = {
            let mut state = self.state();
            state.kill.push(kill);
            state.journal.epoch
        };
        let (mut buffer, mut signed_in, mut held) = (BytesMut::new(), false, Vec::<ServerFrame>::new());
        loop {
            let mut out: Vec<ServerFrame> = Vec::new();
            tokio::select! {
                biased;
                _ = killed.recv() => return,
                read = stream.read_buf(&mut buffer) => if !read.is_ok_and(|n| n > 0) { return },
                Some(frame) = pushes.recv() => {
                    if self.chance(self.state().faults.repeat) {
                        out.push(frame.clone());
                    }
                    out.push(frame);
                }
                () = tokio::time::sleep(Duration::from_millis(3)), if !held.is_empty() => out.append(&mut held),
            }
            let mut outstanding = held.len();
            while let Some(bytes) = framing::take(&mut buffer, 1 << 20).unwrap() {
                let ClientFrame { id, frame } = framing::decode(bytes, "client frame").unwrap();
                let faults = self.state().faults;
                if self.state().journal.epoch != epoch {
                    return;
                }
                let is_command = matches!(
                    frame,
                    Some(
                        Ask::Send(_)
                            | Ask::Edit(_)
                            | Ask::Recall(_)
                            | Ask::ActInGroup(_)
                            | Ask::CreateGroup(_)
                            | Ask::JoinGroup(_)
                    )
                );
                if is_command && self.chance(faults.cut_before) {
                    return;
                }
                let answers =
                    self.state().answer(id, frame.unwrap(), &mut signed_in, &push, is_command && self.chance(faults.stopping));
                if is_command && self.chance(faults.cut_after) {
                    return;
                }
                outstanding += usize::from(is_command);
                if outstanding > 64 {
                    self.state().violations.push(format!("{outstanding} commands without an answer"));
                }
                for answer in answers {
                    if is_command && self.chance(faults.late) { held.insert(0, answer) } else { out.push(answer) }
                }
            }
            let mut bytes = BytesMut::new();
            out.iter().for_each(|frame| framing::put(&mut bytes, frame));
            if out.len() > 1 && self.chance(self.state().faults.cut_inside) {
                let part = bytes.len() / 2;
                let _ = stream.write_all(&bytes[..part]).await;
                return;
            }
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
        }
    }
}

impl State {
    fn new_id(&mut self) -> Bytes {
        self.journal.next_id += 1;
        // Ids differ between epochs: a restored node does not make the same ones again.
        let id = u128::from(self.journal.next_id) | u128::from(self.journal.epoch) << 64;
        Bytes::copy_from_slice(&id.to_be_bytes())
    }

    pub fn talk_with(&mut self, peer: &str) -> usize {
        if let Some(at) = self.journal.talks.iter().position(|t| t.peer == peer) {
            return at;
        }
        let number = self.journal.talks.len() as u64 + 1;
        self.journal.talks.push(Talk { number, peer: peer.to_owned(), records: Vec::new() });
        let info = self.journal.talks[self.journal.talks.len() - 1].overview();
        self.push(Pushed { conversation: number, what: Some(What::Info(info)), record: 0 });
        self.journal.talks.len() - 1
    }

    fn append(&mut self, talk: usize, record: Record) -> u64 {
        self.journal.talks[talk].records.push(record);
        let (number, sequence) = (self.journal.talks[talk].number, self.journal.talks[talk].head());
        self.journal.log.push(number);
        if let Some(message) = self.journal.talks[talk].message(sequence)
            && message.device != DEVICE
        {
            self.push(Pushed { conversation: number, what: Some(What::Message(message)), record: 0 });
        }
        if !self.faults.few_cursors {
            let cursor = self.cursor();
            self.tell(&ServerFrame { reply_to: 0, frame: Some(Answer::Cursor(pb::Cursor { cursor })) });
        }
        sequence
    }

    fn cursor(&self) -> Bytes {
        format!("{}:{}", self.journal.epoch, self.journal.log.len()).into_bytes().into()
    }

    fn push(&mut self, pushed: Pushed) {
        self.tell(&ServerFrame { reply_to: 0, frame: Some(Answer::Pushed(pushed)) });
    }

    fn tell(&mut self, frame: &ServerFrame) {
        self.live.retain(|l| l.send(frame.clone()).is_ok());
    }

    fn answer(
        &mut self,
        id: u64,
        asked: Ask,
        signed_in: &mut bool,
        push: &mpsc::UnboundedSender<ServerFrame>,
        stopping: bool,
    ) -> Vec<ServerFrame> {
        let one = |frame: Answer| vec![ServerFrame { reply_to: id, frame: Some(frame) }];
        let error = |code: &str| Answer::Error(pb::Error { code: code.to_owned(), ..pb::Error::default() });
        if !*signed_in && !matches!(asked, Ask::Hello(_) | Ask::Resume(_)) {
            self.violations.push("something before signing in".to_owned());
        }
        if stopping {
            return one(error("stopping"));
        }
        match asked {
            Ask::Hello(_) => one(Answer::Welcome(Welcome {
                version: 1,
                domain: "fake.example".to_owned(),
                outstanding_max: 64,
                ..Welcome::default()
            })),
            Ask::Resume(_) if self.revoked => one(error("token-revoked")),
            Ask::Resume(_) => {
                *signed_in = true;
                let counter = self.journal.executed.last_key_value().map_or(0, |(c, _)| *c);
                one(Answer::SignedIn(SignedIn { user: ME.to_owned(), device: DEVICE, counter, ..SignedIn::default() }))
            }
            Ask::Sync(sync) => {
                self.syncs.push(sync.cursor.clone());
                self.live.push(push.clone());
                self.sync(&sync.cursor).into_iter().flat_map(|p| one(Answer::SyncPage(p))).collect()
            }
            Ask::ActInGroup(act) => {
                let bytes = prost::Message::encode_to_vec(&act).into();
                let is_link = matches!(act.act, Some(pb::act_in_group::Act::MakeLink(_)));
                let answer = self.execute(act.counter, bytes, |state| {
                    let talk = state.talk_with(GROUP);
                    Some((talk, state.append(talk, Record::Other), Bytes::new()))
                });
                let link = format!("https://fake.example/group/{}", act.counter);
                let invitation = Answer::Invitation(pb::Invitation { link, ..pb::Invitation::default() });
                one(if is_link && matches!(answer, Answer::Sent(_)) { invitation } else { answer })
            }
            Ask::CreateGroup(create) => {
                let bytes = prost::Message::encode_to_vec(&create).into();
                one(self.execute(create.counter, bytes, |state| {
                    let talk = state.talk_with(GROUP);
                    Some((talk, state.append(talk, Record::Other), Bytes::new()))
                }))
            }
            Ask::Send(send) if self.home_is_away && send.conversation != 0 => {
                let (counter, content) = (send.counter, send.content.clone());
                let bytes = prost::Message::encode_to_vec(&send).into();
                one(self.execute(counter, bytes, |state| {
                    let (talk, id) = (state.talk_with(GROUP), state.new_id());
                    let author = ME.to_owned();
                    let waits = Message { id: id.clone(), author, content, device: DEVICE, counter, ..Message::default() };
                    state.waiting.push(waits);
                    Some((talk, 0, id))
                }))
            }
            Ask::Send(send) => {
                let counter = send.counter;
                let bytes = prost::Message::encode_to_vec(&send).into();
                one(self.execute(counter, bytes, |state| {
                    let talk = match (send.conversation, send.to.as_str()) {
                        (0, to) => state.talk_with(to),
                        (number, _) => state.journal.talks.iter().position(|t| t.number == number)?,
                    };
                    let known = state.journal.talks[talk]
                        .records
                        .iter()
                        .position(|r| matches!(r, Record::Said { id, .. } if *id == send.known_id));
                    if let Some(at) = known {
                        return Some((talk, at as u64 + 1, send.known_id));
                    }
                    let id = if send.known_id.is_empty() { state.new_id() } else { send.known_id };
                    let record = Record::Said {
                        id: id.clone(),
                        author: ME.to_owned(),
                        content: send.content,
                        device: DEVICE,
                        counter,
                        recalled: false,
                    };
                    Some((talk, state.append(talk, record), id))
                }))
            }
            Ask::Recall(recall) => {
                let bytes = prost::Message::encode_to_vec(&recall).into();
                one(self.execute(recall.counter, bytes, |state| {
                    let talk = state.journal.talks.iter().position(|t| t.number == recall.conversation)?;
                    let record = state.journal.talks[talk].records.get_mut(usize::try_from(recall.sequence).unwrap() - 1)?;
                    let Record::Said { id, recalled, .. } = record else { return None };
                    *recalled = true;
                    let id = id.clone();
                    Some((talk, state.append(talk, Record::Other), id))
                }))
            }
            Ask::Mark(mark) => {
                let marks = self.journal.marks.entry(mark.conversation).or_default();
                *marks = (marks.0.max(mark.delivered), marks.1.max(mark.read));
                one(Answer::Done(pb::Done {}))
            }
            Ask::History(history) => one(self.history(&history).map_or_else(|| error("no-such-conversation"), Answer::Page)),
            Ask::GetProfile(p) => one(Answer::Profile(pb::Profile { user: p.user, ..pb::Profile::default() })),
            _ => one(Answer::Done(pb::Done {})),
        }
    }

    fn execute(&mut self, counter: u64, bytes: Bytes, run: impl FnOnce(&mut Self) -> Option<(usize, u64, Bytes)>) -> Answer {
        let error = |code: &str| Answer::Error(pb::Error { code: code.to_owned(), ..pb::Error::default() });
        if self.seen.entry(counter).or_insert_with(|| bytes.clone()) != &bytes {
            self.violations.push(format!("number {counter} came with other bytes"));
        }
        if let Some((before, sent)) = self.journal.executed.get(&counter) {
            return if *before == bytes { Answer::Sent(sent.clone()) } else { error("conflict") };
        }
        let top = self.journal.executed.last_key_value().map_or(0, |(c, _)| *c);
        let floor = self.journal.executed.keys().rev().nth(255).copied().unwrap_or(0);
        if counter <= floor && top > 0 {
            self.violations.push(format!("number {counter} is too old: {top}"));
            return error("too-old");
        }
        let Some((talk, sequence, id)) = run(self) else { return error("no-such-message") };
        let sent = Sent { conversation: self.journal.talks[talk].number, sequence, id, time_ms: 1000 + sequence as i64 };
        self.journal.executed.insert(counter, (bytes, sent.clone()));
        Answer::Sent(sent)
    }

    fn history(&self, history: &pb::History) -> Option<Page> {
        let talk = self.journal.talks.iter().find(|t| t.number == history.conversation)?;
        let limit = u64::from(history.limit.clamp(1, 200));
        let to = if history.before == 0 { talk.head() } else { (history.before - 1).min(talk.head()) };
        let first = (history.before.max(1)).saturating_sub(limit).max(1).min(to.max(1));
        let first = if history.before == 0 { talk.head().saturating_sub(limit - 1).max(1) } else { first };
        Some(Page { conversation: talk.number, messages: talk.between(first, to), first, head: talk.head(), last: to })
    }

    fn sync(&self, cursor: &[u8]) -> Vec<SyncPage> {
        let parsed = std::str::from_utf8(cursor)
            .ok()
            .and_then(|c| c.split_once(':'))
            .map(|(e, p)| (e.parse().unwrap(), p.parse().unwrap()));
        let (after, went_back) = match parsed {
            None => (0_usize, false),
            Some((epoch, position)) if epoch == self.journal.epoch && position <= self.journal.log.len() => (position, false),
            Some::<(u64, usize)>(_) => (0, true),
        };
        let mut pages: Vec<SyncPage> = Vec::new();
        for talk in &self.journal.talks {
            let news = self.journal.log[after..].iter().filter(|c| **c == talk.number).count() as u64;
            if after > 0 && news == 0 && talk.peer != GROUP {
                continue;
            }
            let from = (talk.head() + 1).saturating_sub(news.clamp(0, 10));
            let messages = talk.between(from, talk.head());
            let waiting = if talk.peer == GROUP { self.waiting.clone() } else { Vec::new() };
            let page = ConversationPage { conversation: Some(talk.overview()), messages, waiting, ..ConversationPage::default() };
            pages.push(SyncPage { conversations: vec![page], went_back, ..SyncPage::default() });
        }
        pages.push(SyncPage { last: true, cursor: self.cursor(), went_back, ..SyncPage::default() });
        pages
    }
}

struct FakeDial(Node);

impl Dial for FakeDial {
    fn dial<'a>(
        &'a mut self,
        _known: Option<&'a startalk_client::store::KnownHome>,
        _now_ms: i64,
    ) -> Pin<Box<dyn Future<Output = Result<Dialled, DialError>> + Send + 'a>> {
        Box::pin(async move {
            let refuse = self.0.state().faults.refuse_dial;
            if self.0.chance(refuse) {
                return Err(DialError::Closed("nobody answers".to_owned()));
            }
            self.0.state().connections += 1;
            let (client, server) = tokio::io::duplex(4096);
            tokio::spawn(self.0.clone().serve(server));
            Ok(Dialled { stream: Box::new(client), home: None })
        })
    }
}

pub fn account() -> Account {
    Account { user: ME.to_owned(), device: DEVICE, token: TOKEN.to_vec(), counter: 0, administrator: false }
}

pub fn options() -> Options {
    Options {
        backoff: Backoff { first: Duration::from_millis(1), max: Duration::from_millis(8) },
        request_wait: Duration::from_secs(5),
        ..Options::new(Home::Server("fake.example:1".parse().unwrap()))
    }
}

/// Takes events until `done` says so, as long as some come.
pub async fn until(events: &mut Events, mut done: impl FnMut(&Event) -> bool) -> Vec<Event> {
    let mut all = Vec::new();
    loop {
        match tokio::time::timeout(Duration::from_secs(30), events.next()).await {
            Ok(Some(event)) => {
                let last = done(&event);
                all.push(event);
                if last {
                    return all;
                }
            }
            Ok(None) => return all,
            Err(_) => panic!("what was waited for did not happen; so far: {all:#?}"),
        }
    }
}
