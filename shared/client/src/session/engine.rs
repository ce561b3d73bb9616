//! The session's rules without sockets and clocks: commands, frames and time in; frames, events and store writes out.
//!
//! Owns outbox, conversations, cursor and store. Invariants: nothing of the outbox is transmitted before the node has
//! said, in its first answer to the sync, whether it went back in time; the cursor kept in the store never runs ahead
//! of what the taker of events has handled.

use std::collections::{HashMap, VecDeque};

use bytes::{Bytes, BytesMut};
use startalk_protocol::{
    Code, framing,
    pb::client::{
        ClientFrame, Conversation, Kept, Mark, Message, Ping, Pushed, Sent, Sync, Welcome, client_frame::Frame as Ask,
        server_frame::Frame as Answer,
    },
};
use tokio::sync::oneshot;

use super::Item;
use crate::{
    Account, ClientError, Options,
    conversations::Book,
    event::{CommandKind, Event, State},
    outbox::{Outbox, Outgoing, kind_of},
    session::went_back::GoneBack,
    store::{KnownHome, Queued, Store},
};

/// Accepted commands without an answer; past it, no more are accepted for the moment.
const QUEUED_MAX: usize = 4096;
/// Requests waiting for a connection.
const ASKS_MAX: usize = 256;

pub(super) type Reply<T> = oneshot::Sender<Result<T, ClientError>>;

/// What the handle asks.
pub(crate) enum Command {
    Accept {
        queued: Queued,
        reply: Reply<u64>,
    },
    Ask {
        frame: Ask,
        reply: Reply<Answer>,
    },
    Mark {
        conversation: u64,
        delivered: u64,
        read: u64,
    },
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

pub(super) struct Deferred {
    pub(super) until_ms: i64,
    frame: Ask,
    pub(super) reply: Reply<Answer>,
}

/// While there is a connection.
pub(super) struct Link {
    pub(super) next_id: u64,
    pub(super) waiting: HashMap<u64, Waiting>,
    /// The outbox may flow.
    pub(super) ready: bool,
    /// Pushed before the sync was through: told after its pages, or they would be taken for gaps.
    pub(super) early: Vec<Pushed>,
}

pub(crate) struct Engine {
    pub(super) mark_delivered: bool,
    pub(super) request_wait_ms: i64,
    pub(super) fill_gaps_max: u64,
    pub(super) store: Box<dyn Store>,
    pub(super) account: Account,
    pub(super) outbox: Outbox,
    pub(super) book: Book,
    pub(super) cursor: Bytes,
    pub(super) link: Option<Link>,
    pub(super) out: BytesMut,
    pub(super) events: VecDeque<Item>,
    pub(super) asks: VecDeque<Deferred>,
    pub(super) marks: HashMap<u64, (u64, u64)>,
    pub(super) marks_since: Option<i64>,
    /// Own messages that waited for a group's home and do not any more: recorded, or lost.
    pub(super) unaccounted: Vec<(u64, u64)>,
    pub(super) gaps_since: Option<i64>,
    pub(super) gone_back: Option<GoneBack>,
    pub(super) synced: bool,
    /// Something was heard since the last checkpoint.
    pub(super) dirty: bool,
    pub(super) checkpoint_at: i64,
    pub(super) checkpoint: u64,
    /// Waits until the taker of events has handled it.
    pub(super) to_keep: Option<(u64, Vec<u8>)>,
    /// Of the domain's record that was told of last.
    pub(super) navigation_sequence: u64,
    /// The session is over.
    pub(super) ended: bool,
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
            unaccounted: Vec::new(),
            gaps_since: None,
            gone_back: None,
            synced: false,
            dirty: false,
            checkpoint_at: 0,
            checkpoint: 0,
            to_keep: None,
            navigation_sequence: 0,
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
                let is_line = self.outbox.get(counter).is_some_and(|q| kind_of(q) != CommandKind::Send);
                self.sent(counter, &Sent { conversation: *conversation, sequence, id, time_ms });
                if !is_line {
                    continue; // a line of the system is told besides
                }
            }
            if let Event::Message { conversation, message } = &event
                && message.device == self.account.device
            {
                let Message { sequence, id, time_ms, counter, .. } = message.clone();
                let sent = Sent { conversation: *conversation, sequence, id, time_ms };
                if let Some(placed) = self.outbox.placed(counter, &sent) {
                    self.events.push_back(Item::Event(placed));
                    continue;
                }
            }
            if let Event::Message { conversation, message } = &event
                && self.mark_delivered
                && message.author != self.account.user
                // In groups nobody is told what was delivered.
                && !self.book.get(*conversation).is_some_and(|c| c.request || c.group.is_some() || c.delivered >= message.sequence)
            {
                let mark = self.marks.entry(*conversation).or_default();
                mark.0 = mark.0.max(message.sequence);
            }
            self.events.push_back(Item::Event(event));
        }
    }

    /// What the node keeps no longer is not offered to it again.
    pub(super) fn kept(&mut self, kept: Kept) {
        // Of what kind a conversation is is not known here: what is gone in both kinds is gone.
        self.outbox.let_go(kept.direct_before_ms.min(kept.groups_before_ms));
        self.events.push_back(Item::Event(Event::Kept(kept)));
    }

    /// Tells of a record once, and of an older one never: two nodes of a domain may say both.
    pub(super) fn navigation(&mut self, sequence: u64) {
        if sequence > self.navigation_sequence {
            self.navigation_sequence = sequence;
            self.tell([Event::Navigation { sequence }]);
        }
    }

    /// A connection on which this device is signed in.
    pub fn connected(&mut self, next_id: u64, welcome: &Welcome, counter: u64) {
        if counter < self.outbox.confirmed() && self.gone_back.is_none() {
            // The node has forgotten what it confirmed. Our cursor need not show it: it may be older than the copy that
            // the node was restored from.
            self.went_back();
        }
        self.outbox.used(counter);
        if welcome.outstanding_max > 0 {
            self.outbox.set_outstanding_max(welcome.outstanding_max as usize);
        }
        if let Some(kept) = welcome.kept {
            self.kept(kept);
        }
        self.navigation(welcome.navigation_sequence);
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
            Command::Outbox(reply) => {
                let waiting = self.outbox.waiting().map(|s| Outgoing { waiting: true, ..Outgoing::from(&s.queued) });
                drop(reply.send(waiting.chain(self.outbox.pending().map(Outgoing::from)).collect()));
            }
            Command::Barrier(reply) | Command::Close(reply) => drop(reply.send(())),
        }
    }

    pub(super) fn accept(&mut self, mut queued: Queued, now_ms: i64) -> Result<u64, ClientError> {
        if queued.to.is_empty() {
            self.book.peer(queued.conversation).unwrap_or_default().clone_into(&mut queued.to);
        } else if queued.conversation == 0 {
            queued.conversation = self.book.with(&queued.to).unwrap_or(0);
        }
        if kind_of(&queued) == CommandKind::Send {
            self.book.group_id(queued.conversation).clone_into(&mut queued.group);
        }
        queued.time_ms = now_ms;
        self.dirty = true;
        self.outbox.accept(&mut *self.store, queued).map_err(|e| ClientError::store(&e))
    }

    pub(super) fn mark(&mut self, conversation: u64, delivered: u64, read: u64) {
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

/// Whether asking again does no harm when it is not known whether it was heard.
fn harmless(frame: &Ask) -> bool {
    !matches!(
        frame,
        Ask::ChangePassword(_) | Ask::NewRecoveryCodes(_) | Ask::MakeInvitation(_) | Ask::DeleteAccount(_) | Ask::SignOut(_)
    )
}
