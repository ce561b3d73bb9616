//! What is to be sent, exactly once: each command under its number until it is answered, and the last 2,000 own
//! messages, to be offered again when a node was restored from a copy that lacks them.
//!
//! Pure but for the [`Store`] that is passed in. Owns the meaning of the records in `sent.log`. Invariants: a number is
//! never given twice; a command that was transmitted is transmitted again only with the same bytes; at most
//! `outstanding_max` are without an answer; what goes to one conversation goes in the order in which it was accepted.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
};

use bytes::Bytes;
use prost::Message;
use startalk_protocol::{
    Code, Error, MessageId, limits,
    pb::client::{
        ActInGroup, CreateGroup, DecideGroupInvitation, Edit, Invitation, JoinGroup, Recall, Send, Sent, client_frame::Frame,
    },
};

use crate::{
    event::{CommandKind, Event},
    store::{Answered, Forgotten, Queued, SentRecord, Store, record::What},
};

/// Own messages kept for offering again.
pub(crate) const RING_MESSAGES: usize = 2000;
/// Bytes of their contents.
const RING_BYTES: usize = 16 * 1024 * 1024;
/// A command is not transmitted when it is so far ahead of the oldest without an answer: the node remembers 256.
const AHEAD_MAX: u64 = 160;
/// Messages offered again that may overtake what is pending: more could push that out of what the node remembers.
const OVERTAKE_MAX: usize = 160;
/// How often an `internal` error is met with another attempt.
const INTERNAL_ATTEMPTS: u32 = 5;
/// Records in the log beyond what a rewrite would leave, before there is one.
const GARBAGE_MAX: usize = 8192;

/// A command that has no answer yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Its number.
    pub counter: u64,
    /// What it is.
    pub kind: CommandKind,
    /// Where to; 0 if only the person is known.
    pub conversation: u64,
    /// To whom; may be empty.
    pub to: String,
    /// What it says; empty for a recall.
    pub content: Bytes,
    /// Id of the message that it answers; may be empty.
    pub reply_to: Bytes,
    /// Sequence of the message that is edited or recalled.
    pub target: u64,
    /// In a group: sequence of the message that it answers; 0: none.
    pub reply_sequence: u64,
    /// This domain has it; the group's home has not recorded it yet.
    pub waiting: bool,
    /// When it was accepted, by this device's clock.
    pub time_ms: i64,
}

/// An own message that the node has confirmed.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    pub queued: Queued,
    pub conversation: u64,
    pub sequence: u64,
    pub id: Bytes,
    pub time_ms: i64,
}

#[derive(Default)]
pub(crate) struct Outbox {
    device: u64,
    next: u64,
    pending: BTreeMap<u64, Queued>,
    /// Not transmitted on this connection, in order.
    order: VecDeque<u64>,
    /// Transmitted on this connection and not answered, in order.
    outstanding: VecDeque<u64>,
    /// To be transmitted again at this time.
    delayed: BTreeMap<u64, i64>,
    attempts: BTreeMap<u64, u32>,
    ring: VecDeque<Said>,
    ring_bytes: usize,
    /// Records that may be lost: answers, which the node gives again.
    unwritten: Vec<Vec<u8>>,
    records: usize,
    outstanding_max: usize,
}

/// A kind's number in the log.
pub(crate) fn number_of(kind: CommandKind) -> u32 {
    match kind {
        CommandKind::Send => 1,
        CommandKind::Edit => 2,
        CommandKind::Recall => 3,
        CommandKind::CreateGroup => 4,
        CommandKind::Act => 5,
        CommandKind::JoinGroup => 6,
        CommandKind::DecideGroupInvitation => 7,
    }
}

pub(crate) fn kind_of(queued: &Queued) -> CommandKind {
    match queued.kind {
        2 => CommandKind::Edit,
        3 => CommandKind::Recall,
        4 => CommandKind::CreateGroup,
        5 => CommandKind::Act,
        6 => CommandKind::JoinGroup,
        7 => CommandKind::DecideGroupInvitation,
        _ => CommandKind::Send,
    }
}

fn encoded(what: What) -> Vec<u8> {
    SentRecord { what: Some(what) }.encode_to_vec()
}

impl Outbox {
    /// From the store's records; `counter` is the highest that may have been used besides.
    pub fn load(store: &mut dyn Store, device: u64, counter: u64) -> io::Result<Self> {
        let mut outbox = Self { device, next: counter + 1, outstanding_max: limits::OUTSTANDING_MAX, ..Self::default() };
        for bytes in store.records()? {
            outbox.records += 1;
            match SentRecord::decode(&bytes[..]).ok().and_then(|r| r.what) {
                Some(What::Queued(queued)) => {
                    outbox.next = outbox.next.max(queued.counter + 1);
                    outbox.pending.insert(queued.counter, queued);
                }
                Some(What::Answered(answered)) => outbox.done(&answered),
                Some(What::Forgotten(Forgotten { counter })) => outbox.forget(counter),
                Some(What::Counted(counter)) => outbox.next = outbox.next.max(counter + 1),
                None => {}
            }
        }
        outbox.order = outbox.pending.keys().copied().collect();
        Ok(outbox)
    }

    /// Numbers up to `counter` are used, the node says.
    pub fn used(&mut self, counter: u64) {
        self.next = self.next.max(counter + 1);
    }

    pub fn set_outstanding_max(&mut self, max: usize) {
        self.outstanding_max = max.clamp(1, limits::OUTSTANDING_MAX);
    }

    /// Accepts a command: when this returns, it is in the store.
    pub fn accept(&mut self, store: &mut dyn Store, mut queued: Queued) -> io::Result<u64> {
        (queued.counter, queued.device) = (self.next, self.device);
        self.flush(store)?;
        store.append(&[encoded(What::Queued(queued.clone()))])?;
        self.records += 1;
        self.next += 1;
        self.order.push_back(queued.counter);
        self.pending.insert(queued.counter, queued.clone());
        Ok(queued.counter)
    }

    /// Commands without an answer.
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    pub fn pending(&self) -> impl Iterator<Item = &Queued> {
        self.pending.values()
    }

    pub fn get(&self, counter: u64) -> Option<&Queued> {
        self.pending.get(&counter)
    }

    /// The next command to transmit, if one may be.
    pub fn transmit(&mut self) -> Option<(u64, Frame)> {
        if self.outstanding.len() >= self.outstanding_max {
            return None;
        }
        let counter = *self.order.front()?;
        let queued = self.pending.get(&counter)?;
        let oldest = self.pending.first_key_value().map_or(counter, |(c, _)| *c);
        if queued.known_id.is_empty() && counter > oldest + AHEAD_MAX {
            return None;
        }
        self.order.pop_front();
        self.outstanding.push_back(counter);
        Some((counter, frame(queued)))
    }

    /// The connection is gone: what has no answer is transmitted again, in the same order.
    pub fn disconnected(&mut self) {
        self.delayed.clear();
        let mut order = std::mem::take(&mut self.outstanding);
        order.extend(self.order.iter().copied());
        // Delayed ones are in neither: they go where their number belongs.
        for counter in self.pending.keys() {
            if order.len() == self.pending.len() {
                break;
            }
            if !order.contains(counter) {
                let at = order.iter().position(|c| c > counter).unwrap_or(order.len());
                order.insert(at, *counter);
            }
        }
        self.order = order;
    }

    /// The node did it.
    pub fn answered(&mut self, counter: u64, sent: &Sent) -> Option<Event> {
        let queued = self.pending.get(&counter)?.clone();
        let answered = Answered {
            counter,
            conversation: sent.conversation,
            sequence: sent.sequence,
            id: sent.id.clone(),
            time_ms: sent.time_ms,
        };
        self.unwritten.push(encoded(What::Answered(answered.clone())));
        self.done(&answered);
        self.outstanding.retain(|c| *c != counter);
        self.order.retain(|c| *c != counter);
        Some(Event::Sent {
            counter,
            kind: kind_of(&queued),
            conversation: sent.conversation,
            sequence: sent.sequence,
            id: MessageId::from_slice(&sent.id).ok(),
            time_ms: sent.time_ms,
            again: !queued.known_id.is_empty(),
        })
    }

    /// The node did what has no place in a conversation: it made a link, or nothing was left to be done.
    pub fn answered_otherwise(&mut self, counter: u64, invitation: Option<Invitation>) -> Option<Event> {
        let conversation = self.pending.get(&counter)?.conversation;
        let event = self.answered(counter, &Sent { conversation, ..Sent::default() })?;
        Some(invitation.map_or(event, |invitation| Event::GroupLink { counter, conversation, invitation }))
    }

    /// An own message that waited for the group's home has its place.
    pub fn placed(&mut self, counter: u64, sent: &Sent) -> Option<Event> {
        let device = self.device;
        let waits = |s: &&mut Said| s.sequence == 0 && s.queued.counter == counter && s.queued.device == device;
        let said = self.ring.iter_mut().rev().find(waits)?;
        (said.conversation, said.sequence, said.time_ms) = (sent.conversation, sent.sequence, sent.time_ms);
        let Sent { conversation, sequence, id, time_ms } = sent.clone();
        self.unwritten.push(encoded(What::Answered(Answered { counter, conversation, sequence, id, time_ms })));
        Some(Event::Sent {
            counter,
            kind: CommandKind::Send,
            conversation,
            sequence,
            id: MessageId::from_slice(&sent.id).ok(),
            time_ms,
            again: false,
        })
    }

    /// An own message that waited for the group's home will never be recorded.
    pub fn never_placed(&mut self, counter: u64, error: Error, unconfirmed: bool) -> Option<Event> {
        let waits = |s: &Said| s.sequence == 0 && s.queued.counter == counter && s.queued.device == self.device;
        let conversation = self.ring.iter().find(|s| waits(s))?.conversation;
        self.unwritten.push(encoded(What::Forgotten(Forgotten { counter })));
        self.forget(counter);
        Some(Event::Failed { counter, kind: CommandKind::Send, conversation, to: String::new(), error, unconfirmed })
    }

    /// Own messages that wait for a group's home, oldest first.
    pub fn waiting(&self) -> impl Iterator<Item = &Said> {
        self.ring.iter().filter(|s| s.sequence == 0 && s.queued.device == self.device)
    }

    /// Own messages that were recorded before this are kept no longer.
    pub fn let_go(&mut self, before_ms: i64) {
        let old = |s: &&Said| s.sequence != 0 && s.time_ms < before_ms && s.queued.device == self.device;
        let counters: Vec<u64> = self.ring.iter().filter(old).map(|s| s.queued.counter).collect();
        for counter in counters {
            self.unwritten.push(encoded(What::Forgotten(Forgotten { counter })));
            self.forget(counter);
        }
    }

    /// An own message has burnt: it is not offered again after a restore either.
    pub fn burnt(&mut self, conversation: u64, sequence: u64) {
        let device = self.device;
        let is_it = |s: &&Said| (s.conversation, s.sequence, s.queued.device) == (conversation, sequence, device);
        if let Some(counter) = self.ring.iter().find(is_it).map(|s| s.queued.counter) {
            self.unwritten.push(encoded(What::Forgotten(Forgotten { counter })));
            self.forget(counter);
        }
    }

    /// What waits for a group's home waits in this conversation now: the group goes on there.
    pub fn waits_in(&mut self, counter: u64, conversation: u64) {
        let device = self.device;
        let waits = |s: &&mut Said| s.sequence == 0 && s.queued.counter == counter && s.queued.device == device;
        if let Some(said) = self.ring.iter_mut().find(waits) {
            said.conversation = conversation;
        }
    }

    /// After a node was restored, a group has this number.
    pub fn renumber(&mut self, counter: u64, conversation: u64) {
        if let Some(queued) = self.pending.get_mut(&counter) {
            queued.conversation = conversation;
        }
    }

    /// The node refused it: for good, or it is tried again later.
    pub fn refused(&mut self, counter: u64, error: Error, now_ms: i64) -> Option<Event> {
        self.outstanding.retain(|c| *c != counter);
        if !self.pending.contains_key(&counter) {
            return None;
        }
        let again_in_ms = match error.code {
            Code::Stopping | Code::SlowReader | Code::IdleTimeout | Code::WentBack | Code::NotSignedIn => Some(1000),
            Code::SlowDown => {
                Some(error.params.get("seconds").and_then(|s| s.parse::<i64>().ok()).unwrap_or(1).clamp(1, 3600) * 1000)
            }
            Code::Internal => {
                let attempts = self.attempts.entry(counter).or_default();
                *attempts += 1;
                (*attempts < INTERNAL_ATTEMPTS).then_some(500 << *attempts)
            }
            _ => None,
        };
        match again_in_ms {
            Some(ms) => {
                self.delayed.insert(counter, now_ms + ms);
                None
            }
            None => self.fail(counter, error),
        }
    }

    /// Gives a command up.
    pub fn fail(&mut self, counter: u64, error: Error) -> Option<Event> {
        let queued = self.pending.get(&counter)?.clone();
        self.unwritten.push(encoded(What::Forgotten(Forgotten { counter })));
        self.forget(counter);
        self.outstanding.retain(|c| *c != counter);
        self.order.retain(|c| *c != counter);
        let unconfirmed = matches!(error.code, Code::TooOld | Code::Internal | Code::TokenRevoked | Code::WentBack);
        Some(Event::Failed {
            counter,
            kind: kind_of(&queued),
            conversation: queued.conversation,
            to: queued.to,
            error,
            unconfirmed,
        })
    }

    /// Puts what waited long enough back in line. Returns when the next is due.
    pub fn due(&mut self, now_ms: i64) -> Option<i64> {
        let due: Vec<u64> = self.delayed.iter().filter(|(_, at)| **at <= now_ms).map(|(c, _)| *c).collect();
        for counter in due.into_iter().rev() {
            self.delayed.remove(&counter);
            self.order.push_front(counter);
        }
        self.delayed.values().min().copied()
    }

    /// The highest number of this device under which the node has confirmed a message that it had when it was asked last.
    pub fn confirmed(&self) -> u64 {
        self.ring.iter().filter(|s| s.queued.device == self.device).map(|s| s.queued.counter).max().unwrap_or(0)
    }

    /// Own messages that the node has confirmed, oldest first; those without a content were recalled.
    pub fn ring(&self) -> &VecDeque<Said> {
        &self.ring
    }

    /// Offers these again (by their old numbers) under new numbers, with the ids that they had.
    pub fn offer_again(&mut self, store: &mut dyn Store, counters: &[u64]) -> io::Result<()> {
        let (mut records, mut queued) = (Vec::new(), Vec::new());
        for said in self.ring.iter().filter(|s| counters.contains(&s.queued.counter)) {
            let (counter, known_id) = (self.next + queued.len() as u64, said.id.clone());
            let again = Queued { counter, known_id, device: self.device, ..said.queued.clone() };
            records.push(encoded(What::Queued(again.clone())));
            queued.push(again);
        }
        records.extend(counters.iter().map(|counter| encoded(What::Forgotten(Forgotten { counter: *counter }))));
        self.flush(store)?;
        store.append(&records)?;
        self.records += records.len();
        self.ring.retain(|s| !counters.contains(&s.queued.counter));
        self.next += queued.len() as u64;
        let numbers: Vec<u64> = queued.iter().map(|q| q.counter).collect();
        self.pending.extend(queued.into_iter().map(|q| (q.counter, q)));
        if numbers.len() <= OVERTAKE_MAX {
            // Said earlier, so sent earlier.
            numbers.into_iter().rev().for_each(|c| self.order.push_front(c));
        } else {
            self.order.extend(numbers);
        }
        Ok(())
    }

    /// Writes what may be written late.
    pub fn flush(&mut self, store: &mut dyn Store) -> io::Result<()> {
        if self.unwritten.is_empty() {
            return Ok(());
        }
        store.append(&self.unwritten)?;
        self.records += self.unwritten.len();
        self.unwritten.clear();
        if self.records > 2 * self.ring.len() + self.pending.len() + GARBAGE_MAX { self.rewrite(store) } else { Ok(()) }
    }

    fn rewrite(&mut self, store: &mut dyn Store) -> io::Result<()> {
        let mut records = vec![encoded(What::Counted(self.next - 1))];
        for said in &self.ring {
            let counter = said.queued.counter;
            records.push(encoded(What::Queued(said.queued.clone())));
            let answered = Answered {
                counter,
                conversation: said.conversation,
                sequence: said.sequence,
                id: said.id.clone(),
                time_ms: said.time_ms,
            };
            records.push(encoded(What::Answered(answered)));
        }
        records.extend(self.pending.values().map(|q| encoded(What::Queued(q.clone()))));
        store.rewrite(&records)?;
        self.records = records.len();
        Ok(())
    }

    fn done(&mut self, answered: &Answered) {
        self.attempts.remove(&answered.counter);
        self.delayed.remove(&answered.counter);
        let Some(queued) = self.pending.remove(&answered.counter) else {
            // Answered before, while the group's home had not recorded it.
            let waits = |s: &&mut Said| s.sequence == 0 && s.queued.counter == answered.counter;
            if let Some(said) = self.ring.iter_mut().rev().find(waits) {
                (said.sequence, said.time_ms) = (answered.sequence, answered.time_ms);
            }
            return;
        };
        match kind_of(&queued) {
            CommandKind::Send => {
                self.ring_bytes += queued.content.len();
                let Answered { conversation, sequence, id, time_ms, .. } = answered.clone();
                self.ring.push_back(Said { queued, conversation, sequence, id, time_ms });
            }
            CommandKind::Edit => self.change(queued.conversation, queued.target, queued.content),
            CommandKind::Recall => self.change(queued.conversation, queued.target, Bytes::new()),
            CommandKind::CreateGroup | CommandKind::Act | CommandKind::JoinGroup | CommandKind::DecideGroupInvitation => {}
        }
        while self.ring.len() > RING_MESSAGES || self.ring_bytes > RING_BYTES {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.queued.content.len();
        }
    }

    fn change(&mut self, conversation: u64, sequence: u64, content: Bytes) {
        if let Some(said) = self.ring.iter_mut().rev().find(|s| s.conversation == conversation && s.sequence == sequence) {
            self.ring_bytes = self.ring_bytes + content.len() - said.queued.content.len();
            said.queued.content = content;
        }
    }

    fn forget(&mut self, counter: u64) {
        self.pending.remove(&counter);
        self.delayed.remove(&counter);
        self.attempts.remove(&counter);
        if let Some(at) = self.ring.iter().position(|s| s.queued.counter == counter)
            && let Some(said) = self.ring.remove(at)
        {
            self.ring_bytes -= said.queued.content.len();
        }
    }
}

fn frame(queued: &Queued) -> Frame {
    let Queued { counter, conversation, to, content, reply_to, known_id, target, reply_sequence, command, .. } = queued.clone();
    match kind_of(queued) {
        // By person where the person is known: a number may mean another conversation after a node was restored.
        CommandKind::Send if !to.is_empty() => {
            Frame::Send(Send { conversation: 0, to, counter, content, reply_to, known_id, reply_sequence })
        }
        CommandKind::Send => Frame::Send(Send { conversation, to, counter, content, reply_to, known_id, reply_sequence }),
        CommandKind::Edit => Frame::Edit(Edit { conversation, sequence: target, counter, content }),
        CommandKind::Recall => Frame::Recall(Recall { conversation, sequence: target, counter }),
        // Written by ourselves: what cannot be read any more is empty, and the node says what it expected.
        CommandKind::CreateGroup => {
            Frame::CreateGroup(CreateGroup { counter, ..CreateGroup::decode(command).unwrap_or_default() })
        }
        CommandKind::Act => {
            Frame::ActInGroup(ActInGroup { counter, conversation, ..ActInGroup::decode(command).unwrap_or_default() })
        }
        CommandKind::JoinGroup => Frame::JoinGroup(JoinGroup { counter, ..JoinGroup::decode(command).unwrap_or_default() }),
        CommandKind::DecideGroupInvitation => Frame::DecideGroupInvitation(DecideGroupInvitation {
            counter,
            ..DecideGroupInvitation::decode(command).unwrap_or_default()
        }),
    }
}

impl From<&Queued> for Outgoing {
    fn from(queued: &Queued) -> Self {
        let kind = kind_of(queued);
        let Queued { counter, conversation, to, content, reply_to, target, time_ms, reply_sequence, .. } = queued.clone();
        Self { counter, kind, conversation, to, content, reply_to, target, time_ms, reply_sequence, waiting: false }
    }
}
