//! The session's rules without sockets and clocks: commands, frames and time in; frames, events and store writes out.
//!
//! Owns outbox, conversations, cursor and store. Invariants: nothing of the outbox is transmitted before the node has
//! said, in its first answer to the sync, whether it went back in time; the cursor kept in the store never runs ahead
//! of what the taker of events has handled.

use std::collections::{HashMap, VecDeque};

use bytes::{Bytes, BytesMut};
use startalk_protocol::{
    Code, Error, framing,
    pb::client::{
        ClientFrame, Conversation, Mark, MarksNow, Member, Message, Ping, Pushed, Sent, ServerFrame, Sync, SyncPage, Welcome,
        client_frame::Frame as Ask, pushed::What as PushedWhat, server_frame::Frame as Answer,
    },
};
use tokio::sync::oneshot;

use super::Item;
use crate::{
    Account, ClientError, Options,
    conversations::Book,
    event::{Event, State},
    outbox::{Outbox, Outgoing},
    session::went_back::GoneBack,
    store::{KnownHome, Queued, Store},
};

/// Accepted commands without an answer; past it, no more are accepted for the moment.
const QUEUED_MAX: usize = 4096;
/// Requests waiting for a connection.
const ASKS_MAX: usize = 256;
/// Marks are collected for so long.
const MARKS_MS: i64 = 100;
/// A gap left by a push is asked about after so long.
const GAP_MS: i64 = 200;
/// How far was heard is kept at most so often.
const CHECKPOINT_MS: i64 = 1000;
/// Pushes held back during a sync; past it they are told at once.
const EARLY_MAX: usize = 10_000;

type Reply<T> = oneshot::Sender<Result<T, ClientError>>;

/// What the handle asks.
pub(crate) enum Command {
    Accept { queued: Queued, reply: Reply<u64> },
    Ask { frame: Ask, reply: Reply<Answer> },
    Mark { conversation: u64, delivered: u64, read: u64 },
    Hint(Ask),
    Conversations(oneshot::Sender<Vec<Conversation>>),
    Outbox(oneshot::Sender<Vec<Outgoing>>),
    /// Answered when the status says what was done before.
    Barrier(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// What an answer is for.
pub(super) enum Waiting {
    Command(u64),
    Ask { frame: Ask, reply: Reply<Answer> },
    Sync,
    Fill(u64),
    Check(u64),
    Mark(Mark),
}

struct Deferred {
    until_ms: i64,
    frame: Ask,
    reply: Reply<Answer>,
}

/// While there is a connection.
struct Link {
    next_id: u64,
    waiting: HashMap<u64, Waiting>,
    /// The outbox may flow.
    ready: bool,
    /// Pushed before the sync was through: told after its pages, or they would be taken for gaps.
    early: Vec<Pushed>,
}

pub(crate) struct Engine {
    mark_delivered: bool,
    request_wait_ms: i64,
    fill_gaps_max: u64,
    pub(super) store: Box<dyn Store>,
    account: Account,
    pub(super) outbox: Outbox,
    pub(super) book: Book,
    cursor: Bytes,
    link: Option<Link>,
    out: BytesMut,
    events: VecDeque<Item>,
    asks: VecDeque<Deferred>,
    marks: HashMap<u64, (u64, u64)>,
    marks_since: Option<i64>,
    gaps_since: Option<i64>,
    pub(super) gone_back: Option<GoneBack>,
    synced: bool,
    /// Something was heard since the last checkpoint.
    dirty: bool,
    checkpoint_at: i64,
    checkpoint: u64,
    /// Waits until the taker of events has handled it.
    to_keep: Option<(u64, Vec<u8>)>,
    /// The session is over.
    ended: bool,
}

impl Engine {
    pub fn new(options: &Options, store: Box<dyn Store>, account: Account, outbox: Outbox, new_device: bool) -> Self {
        let (book, cursor) = Book::load(options.fill_gaps_max, &store.heard().unwrap_or_default());
        let millis = |d: std::time::Duration| i64::try_from(d.as_millis()).unwrap_or(i64::MAX);
        let mut engine = Self {
            mark_delivered: options.mark_delivered,
            request_wait_ms: millis(options.request_wait),
            fill_gaps_max: options.fill_gaps_max,
            store,
            account,
            outbox,
            book,
            cursor,
            link: None,
            out: BytesMut::new(),
            events: VecDeque::new(),
            asks: VecDeque::new(),
            marks: HashMap::new(),
            marks_since: None,
            gaps_since: None,
            gone_back: None,
            synced: false,
            dirty: false,
            checkpoint_at: 0,
            checkpoint: 0,
            to_keep: None,
            ended: false,
        };
        if new_device {
            // What an earlier device of this account left may have been done under its number: nobody can know.
            let left: Vec<u64> = engine.outbox.pending().map(|q| q.counter).collect();
            for counter in left {
                let event = engine.outbox.fail(counter, Code::TokenRevoked.into());
                engine.tell(event);
            }
        }
        engine
    }

    pub fn pending(&self) -> usize {
        self.outbox.len()
    }

    pub fn synced(&self) -> bool {
        self.synced
    }

    pub fn ended(&self) -> bool {
        self.ended
    }

    pub fn account(&self) -> &Account {
        &self.account
    }

    pub fn home(&self) -> Option<KnownHome> {
        self.store.home()
    }

    pub fn keep_home(&mut self, home: &KnownHome) {
        if let Err(e) = self.store.set_home(home) {
            tracing::warn!("what is known of the domain could not be kept: {e}");
        }
    }

    pub fn told_state(&mut self, state: State) {
        self.tell([Event::State(state)]);
    }

    pub fn accepts(&self) -> bool {
        self.outbox.len() < QUEUED_MAX
    }

    /// Bytes to write.
    pub fn out(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    pub fn next_event(&mut self) -> Option<Item> {
        self.events.pop_front()
    }

    pub fn untold(&mut self, item: Item) {
        self.events.push_front(item);
    }

    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    pub(super) fn tell(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            if let Event::Message { conversation, message } = &event
                && message.device == self.account.device
                && self.outbox.get(message.counter).is_some()
            {
                // What became of it is told by itself; its answer was lost, or is on its way.
                let Message { sequence, id, time_ms, counter, .. } = message.clone();
                self.sent(counter, &Sent { conversation: *conversation, sequence, id, time_ms });
                continue;
            }
            if let Event::Message { conversation, message } = &event
                && self.mark_delivered
                && message.author != self.account.user
                && !self.book.get(*conversation).is_some_and(|c| c.request || c.delivered >= message.sequence)
            {
                let mark = self.marks.entry(*conversation).or_default();
                mark.0 = mark.0.max(message.sequence);
            }
            self.events.push_back(Item::Event(event));
        }
    }

    /// A connection on which this device is signed in.
    pub fn connected(&mut self, next_id: u64, welcome: &Welcome, counter: u64) {
        self.outbox.used(counter);
        if welcome.outstanding_max > 0 {
            self.outbox.set_outstanding_max(welcome.outstanding_max as usize);
        }
        self.out.clear();
        self.synced = false;
        self.link = Some(Link { next_id, waiting: HashMap::new(), ready: false, early: Vec::new() });
        self.ask(Ask::Sync(Sync { cursor: self.cursor.clone() }), Waiting::Sync);
        for Deferred { frame, reply, .. } in std::mem::take(&mut self.asks) {
            self.ask(frame.clone(), Waiting::Ask { frame, reply });
        }
    }

    /// The connection is gone.
    pub fn disconnected(&mut self, now_ms: i64) {
        self.outbox.disconnected();
        self.book.disconnected();
        self.synced = false;
        if let Some(gone_back) = &mut self.gone_back {
            *gone_back = GoneBack::default();
        }
        for waiting in self.link.take().into_iter().flat_map(|l| l.waiting.into_values()) {
            match waiting {
                Waiting::Ask { frame, reply } if harmless(&frame) => self.defer(frame, reply, now_ms),
                Waiting::Ask { reply, .. } => drop(reply.send(Err(ClientError::Offline))),
                Waiting::Mark(mark) => self.mark(mark.conversation, mark.delivered, mark.read),
                _ => {}
            }
        }
    }

    /// The session is over; everything that waits hears so.
    pub fn end(&mut self, event: Option<Event>) {
        self.ended = true;
        self.tell(event);
        for waiting in self.link.take().into_iter().flat_map(|l| l.waiting.into_values()) {
            if let Waiting::Ask { reply, .. } = waiting {
                drop(reply.send(Err(ClientError::Ended)));
            }
        }
        self.asks.clear();
    }

    pub fn command(&mut self, command: Command, now_ms: i64) {
        match command {
            Command::Accept { queued, reply } => drop(reply.send(self.accept(queued, now_ms))),
            Command::Ask { frame, reply } if self.link.is_some() => self.ask(frame.clone(), Waiting::Ask { frame, reply }),
            Command::Ask { frame, reply } => self.defer(frame, reply, now_ms),
            Command::Mark { conversation, delivered, read } => self.mark(conversation, delivered, read),
            Command::Hint(frame) => self.put(frame),
            Command::Conversations(reply) => drop(reply.send(self.book.conversations())),
            Command::Outbox(reply) => drop(reply.send(self.outbox.pending().map(Outgoing::from).collect())),
            Command::Barrier(reply) | Command::Close(reply) => drop(reply.send(())),
        }
    }

    pub(super) fn accept(&mut self, mut queued: Queued, now_ms: i64) -> Result<u64, ClientError> {
        if queued.to.is_empty() {
            self.book.peer(queued.conversation).unwrap_or_default().clone_into(&mut queued.to);
        } else if queued.conversation == 0 {
            queued.conversation = self.book.with(&queued.to).unwrap_or(0);
        }
        queued.time_ms = now_ms;
        self.dirty = true;
        self.outbox.accept(&mut *self.store, queued).map_err(|e| ClientError::store(&e))
    }

    fn mark(&mut self, conversation: u64, delivered: u64, read: u64) {
        let mark = self.marks.entry(conversation).or_default();
        *mark = (mark.0.max(delivered).max(read), mark.1.max(read));
    }

    fn defer(&mut self, frame: Ask, reply: Reply<Answer>, now_ms: i64) {
        if self.asks.len() >= ASKS_MAX {
            drop(reply.send(Err(ClientError::Offline)));
        } else {
            self.asks.push_back(Deferred { until_ms: now_ms + self.request_wait_ms, frame, reply });
        }
    }

    /// Asks the node.
    pub(super) fn ask(&mut self, frame: Ask, waiting: Waiting) {
        let Some(link) = &mut self.link else { return };
        let id = link.next_id;
        link.next_id += 1;
        link.waiting.insert(id, waiting);
        framing::put(&mut self.out, &ClientFrame { id, frame: Some(frame) });
    }

    /// Tells the node something whose answer nobody waits for.
    fn put(&mut self, frame: Ask) {
        let Some(link) = &mut self.link else { return };
        let id = link.next_id;
        link.next_id += 1;
        framing::put(&mut self.out, &ClientFrame { id, frame: Some(frame) });
    }

    pub fn ping(&mut self) {
        self.put(Ask::Ping(Ping {}));
    }

    /// Puts in `out` what may be transmitted now.
    pub fn transmit(&mut self) {
        while self.link.as_ref().is_some_and(|l| l.ready)
            && let Some((counter, frame)) = self.outbox.transmit()
        {
            self.ask(frame, Waiting::Command(counter));
        }
    }

    /// A frame came.
    ///
    /// # Errors
    /// Why the connection ends.
    pub fn frame(&mut self, frame: ServerFrame, now_ms: i64) -> Result<(), ClientError> {
        let Some(answer) = frame.frame else { return Ok(()) };
        if frame.reply_to == 0 {
            return self.pushed(answer);
        }
        let Some(link) = &mut self.link else { return Ok(()) };
        // A sync has several answers.
        if let (Answer::SyncPage(page), Some(Waiting::Sync)) = (&answer, link.waiting.get(&frame.reply_to))
            && !page.last
        {
            let Answer::SyncPage(page) = answer else { return Ok(()) };
            self.sync_page(page);
            return Ok(());
        }
        match (link.waiting.remove(&frame.reply_to), answer) {
            (Some(Waiting::Command(counter)), Answer::Sent(sent)) => self.sent(counter, &sent),
            (Some(Waiting::Command(counter)), Answer::Error(e)) => {
                let event = self.outbox.refused(counter, e.into(), now_ms);
                self.tell(event);
            }
            (Some(Waiting::Sync), Answer::SyncPage(page)) => self.sync_page(page),
            (Some(Waiting::Sync), Answer::Error(e)) => self.sync_refused(e.into())?,
            (Some(Waiting::Fill(conversation)), answer) => {
                let page = if let Answer::Page(page) = answer { Some(page) } else { None };
                let mut events = Vec::new();
                self.book.filled(conversation, page, &mut events);
                self.tell(events);
                self.dirty = true;
            }
            (Some(Waiting::Check(check)), answer) => {
                self.checked(check, if let Answer::Page(page) = answer { Some(page) } else { None }, now_ms);
            }
            (Some(Waiting::Mark(mark)), Answer::Error(e)) => {
                if Error::from(e).code.retry_helps() {
                    self.mark(mark.conversation, mark.delivered, mark.read);
                }
            }
            (Some(Waiting::Ask { reply, .. }), Answer::Error(e)) => drop(reply.send(Err(ClientError::Refused(e.into())))),
            (Some(Waiting::Ask { frame, reply }), answer) => self.answered(&frame, answer, reply),
            (Some(Waiting::Command(_) | Waiting::Sync), _) => return Err(ClientError::Protocol("an answer of another kind".to_owned())),
            (Some(Waiting::Mark(mark)), _) => {
                let marks = MarksNow { user: self.account.user.clone(), delivered: mark.delivered, read: mark.read };
                self.book.marks(mark.conversation, &self.account.user, &marks);
                self.dirty = true;
            }
            (None, _) => {}
        }
        Ok(())
    }

    fn answered(&mut self, asked: &Ask, answer: Answer, reply: Reply<Answer>) {
        if let Answer::Conversation(conversation) = &answer {
            self.book.set_overview(conversation.clone());
        }
        let over = matches!(asked, Ask::SignOut(_) | Ask::DeleteAccount(_));
        drop(reply.send(Ok(answer)));
        if over {
            self.forget_account();
            self.end(Some(Event::SignedOut(None)));
        }
    }

    fn forget_account(&mut self) {
        if let Err(e) = self.store.set_account(None) {
            tracing::warn!("the account could not be removed from the store: {e}");
        }
    }

    fn sent(&mut self, counter: u64, sent: &Sent) {
        let to = self.outbox.get(counter).map(|q| q.to.clone()).filter(|to| !to.is_empty());
        if let Some(to) = to
            && self.book.peer(sent.conversation).is_none()
        {
            let peer = Some(Member { user: to, ..Member::default() });
            let begun = Conversation { conversation: sent.conversation, peer, time_ms: sent.time_ms, ..Conversation::default() };
            let begun = self.book.set_overview(begun).clone();
            self.tell([Event::Conversation(begun)]);
        }
        self.book.note(sent.conversation, sent.sequence, sent.time_ms);
        let event = self.outbox.answered(counter, sent);
        self.dirty = true;
        self.tell(event);
    }

    fn sync_page(&mut self, page: SyncPage) {
        if page.went_back && self.gone_back.is_none() {
            self.went_back();
        }
        let mut events = Vec::new();
        for conversation in page.conversations {
            self.book.synced(conversation, &mut events);
        }
        events.extend(page.me.map(Event::Profile));
        self.tell(events);
        if page.last {
            if !page.cursor.is_empty() {
                self.cursor = page.cursor;
            }
            self.synced = true;
            self.dirty = true;
            self.book.completed();
            let early = self.link.as_mut().map(|l| std::mem::take(&mut l.early)).unwrap_or_default();
            early.into_iter().for_each(|pushed| self.happened(pushed));
            self.tell([Event::SyncDone]);
            if self.gone_back.is_some() {
                self.begin_checks();
            }
        }
        if self.gone_back.is_none() {
            self.ready();
        }
    }

    pub(super) fn ready(&mut self) {
        if let Some(link) = &mut self.link {
            link.ready = true;
        }
    }

    fn sync_refused(&mut self, error: Error) -> Result<(), ClientError> {
        // A cursor that the node cannot read is one of another journal.
        if matches!(error.code, Code::WentBack | Code::Malformed | Code::TooOld) && !self.cursor.is_empty() {
            self.went_back();
            self.ask(Ask::Sync(Sync::default()), Waiting::Sync);
            return Ok(());
        }
        Err(ClientError::Refused(error))
    }

    fn went_back(&mut self) {
        self.book = Book::new(self.fill_gaps_max);
        self.cursor = Bytes::new();
        self.marks.clear();
        self.to_keep = None;
        self.gone_back = Some(GoneBack::default());
        self.tell([Event::WentBack]);
        self.fail_what_means_numbers();
    }

    fn pushed(&mut self, answer: Answer) -> Result<(), ClientError> {
        self.dirty = true;
        match answer {
            Answer::Pushed(Pushed { what: Some(PushedWhat::DeviceRevoked(d)), .. }) if d.device == self.account.device => {
                Err(ClientError::Refused(Code::TokenRevoked.into()))
            }
            Answer::Pushed(pushed) => {
                match &mut self.link {
                    Some(link) if !self.synced && link.early.len() < EARLY_MAX => link.early.push(pushed),
                    _ => self.happened(pushed),
                }
                Ok(())
            }
            Answer::Cursor(cursor) => {
                self.cursor = cursor.cursor;
                Ok(())
            }
            Answer::TypingNow(t) => {
                self.tell([Event::Typing { conversation: t.conversation, user: t.user, typing: t.typing }]);
                Ok(())
            }
            Answer::Presence(p) => {
                self.tell([Event::Presence { user: p.user, state: p.state }]);
                Ok(())
            }
            Answer::Close(close) => Err(ClientError::Refused(close.error.unwrap_or_default().into())),
            Answer::SyncPage(page) => {
                self.sync_page(page);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn happened(&mut self, pushed: Pushed) {
        let (conversation, mut events) = (pushed.conversation, Vec::new());
        match pushed.what {
            Some(PushedWhat::Message(message)) => self.book.pushed(conversation, message, &mut events),
            Some(PushedWhat::Changed(message)) => events.push(Event::Changed { conversation, message }),
            Some(PushedWhat::Marks(marks)) => {
                self.book.marks(conversation, &self.account.user, &marks);
                events.push(Event::Marks { conversation, user: marks.user, delivered: marks.delivered, read: marks.read });
            }
            Some(PushedWhat::Info(mut info)) => {
                if info.conversation == 0 {
                    info.conversation = conversation;
                }
                events.push(Event::Conversation(self.book.set_overview(info).clone()));
            }
            Some(PushedWhat::Profile(profile)) => {
                self.book.renamed(&profile.user, &profile.display_name);
                events.push(Event::Profile(profile));
            }
            Some(PushedWhat::DeviceRevoked(d)) => events.push(Event::DeviceRevoked { device: d.device }),
            None => {}
        }
        self.tell(events);
    }

    /// Time has come to do what waits. Returns when it comes next.
    pub fn tick(&mut self, now_ms: i64, handled: u64) -> Option<i64> {
        let mut next: Vec<Option<i64>> = vec![self.outbox.due(now_ms)];
        while self.asks.front().is_some_and(|a| a.until_ms <= now_ms) {
            if let Some(late) = self.asks.pop_front() {
                drop(late.reply.send(Err(ClientError::Offline)));
            }
        }
        next.push(self.asks.front().map(|a| a.until_ms));
        if self.link.is_some() {
            if due(&mut self.marks_since, !self.marks.is_empty(), MARKS_MS, now_ms, &mut next) {
                for (conversation, (delivered, read)) in std::mem::take(&mut self.marks) {
                    let mark = Mark { conversation, delivered, read };
                    self.ask(Ask::Mark(mark), Waiting::Mark(mark));
                }
            }
            if due(&mut self.gaps_since, self.synced && self.book.has_gaps(), GAP_MS, now_ms, &mut next) {
                self.ask_about_gaps();
            }
        }
        if let Some((number, heard)) = &self.to_keep
            && handled >= *number
        {
            if let Err(e) = self.store.set_heard(heard) {
                tracing::warn!("how far was heard could not be kept: {e}");
            }
            self.to_keep = None;
        }
        if self.dirty || self.to_keep.is_some() {
            if now_ms >= self.checkpoint_at {
                self.make_checkpoint(now_ms);
            }
            next.push(Some(self.checkpoint_at));
        }
        next.into_iter().flatten().min()
    }

    fn ask_about_gaps(&mut self) {
        let mut events = Vec::new();
        for history in self.book.questions(&mut events) {
            let conversation = history.conversation;
            self.ask(Ask::History(history), Waiting::Fill(conversation));
        }
        self.tell(events);
    }

    fn make_checkpoint(&mut self, now_ms: i64) {
        self.checkpoint_at = now_ms + CHECKPOINT_MS;
        if let Err(e) = self.store.sync() {
            tracing::warn!("the store could not be synced: {e}");
        }
        // While what was lost is not offered again, a process that ends must find the old cursor, and see it too.
        if self.dirty && self.to_keep.is_none() && self.gone_back.is_none() && self.synced {
            self.dirty = false;
            self.checkpoint += 1;
            self.to_keep = Some((self.checkpoint, self.book.save(&self.cursor)));
            self.events.push_back(Item::Checkpoint(self.checkpoint));
        }
    }

    /// Writes what may be written late.
    pub fn flush(&mut self) {
        if let Err(e) = self.outbox.flush(&mut *self.store) {
            tracing::warn!("answers could not be kept: {e}");
        }
    }

    /// Nothing more will be taken: what was handled by then counts as heard.
    pub fn finish(&mut self, handled: u64) {
        self.flush();
        if let Some((number, heard)) = &self.to_keep
            && handled >= *number
        {
            let _ = self.store.set_heard(heard);
        }
        let _ = self.store.sync();
    }
}

/// Whether what began to wait has waited long enough.
fn due(since: &mut Option<i64>, waits: bool, wait_ms: i64, now_ms: i64, next: &mut Vec<Option<i64>>) -> bool {
    if !waits {
        *since = None;
        return false;
    }
    let at = *since.get_or_insert(now_ms) + wait_ms;
    if now_ms >= at {
        *since = None;
        return true;
    }
    next.push(Some(at));
    false
}

/// Whether asking again does no harm when it is not known whether it was heard.
fn harmless(frame: &Ask) -> bool {
    !matches!(frame, Ask::ChangePassword(_) | Ask::NewRecoveryCodes(_) | Ask::MakeInvitation(_) | Ask::DeleteAccount(_) | Ask::SignOut(_))
}
