//! What was committed, to everybody connected who may see it.
//!
//! Runs on the write loop's thread after each batch: it looks things up, encodes once, and puts shared bytes into
//! outboxes; it never waits. Order: answers of a batch come first, then its pushes, then cursors that cover it.
//! Invariant: `pushed` is a position up to which every live session's outbox has had everything.

use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use data_encoding::HEXLOWER;
use parking_lot::Mutex;
use startalk_domain::{
    Event, Recorded, contacts, conversations, directory,
    store::{Read, Store},
    sync,
};
use startalk_protocol::{
    Code, Error,
    pb::{
        client::{self as pb, pushed::What, server_frame::Frame},
        events,
    },
};

use crate::{convert, crowd::Batch, gateway::Inner, session::Session};

/// Names kept; beyond it all are let go.
const NAMES_MAX: usize = 20_000;
/// Conversations told of when a whole domain is blocked; the others learn it at the next sync.
const TOLD_OF_BLOCK_MAX: usize = 500;

/// `name@domain` by person, for the write loop's thread alone: it has seen every deletion before it asks.
#[derive(Default)]
pub(crate) struct Names(Mutex<HashMap<u64, Arc<str>>>);

impl Names {
    pub(crate) fn of(&self, read: &impl Read, person: u64) -> Arc<str> {
        let mut all = self.0.lock();
        if let Some(name) = all.get(&person) {
            return name.clone();
        }
        if all.len() >= NAMES_MAX {
            all.clear();
        }
        let name: Arc<str> = directory::user_id(read, person).map(|u| u.to_string()).unwrap_or_default().into();
        all.insert(person, name.clone());
        name
    }

    fn forget(&self, person: u64) {
        self.0.lock().remove(&person);
    }
}

impl Inner {
    /// See the module.
    pub(crate) fn fan_out(&self, records: &[Recorded]) {
        let mut batch = Batch::default();
        records.iter().for_each(|record| self.tell(record, &mut batch));
        if let Some(first) = records.first() {
            self.groups_otherwise(&batch, first.position);
        }
        if let Some(last) = records.last() {
            self.pushed.store(last.position, Ordering::Release);
        }
    }

    /// Cursors to whom something was pushed: the same sealed bytes for all of them.
    pub(crate) fn tell_cursors(&self) {
        let mut sessions = std::mem::take(&mut *self.dirty.lock());
        sessions.retain(|s| !s.gone.load(Ordering::Relaxed));
        // A session whose sync is not through keeps its mark: the cursor would cover pages that it does not have.
        let later = sessions.extract_if(.., |s| s.unfinished.load(Ordering::SeqCst) > 0);
        self.dirty.lock().extend(later);
        if sessions.is_empty() {
            return;
        }
        for session in &sessions {
            session.dirty.store(false, Ordering::Release);
        }
        // Read after the marks were taken off: what is pushed from here on marks the session again.
        let pushed = self.pushed.load(Ordering::Acquire);
        let reached = self.crowds.untold().map_or(pushed, |untold| pushed.min(untold.saturating_sub(1)));
        let Some(cursor) = self.cursor(reached) else { return };
        let frame = convert::frame(0, Frame::Cursor(pb::Cursor { cursor }));
        for session in sessions {
            session.push(&frame, self.config.limits.outbox_bytes);
        }
    }

    /// The sealed token of a position.
    pub(crate) fn cursor(&self, position: u64) -> Option<Bytes> {
        let cursor = sync::cursor_at(&*self.config.views.journal, position);
        let cursor = cursor.inspect_err(|_| tracing::error!(position, "no cursor can be made")).ok()?;
        Some(self.cursor_key.seal(&cursor, self.random()).into())
    }

    /// Something journaled, to one session.
    pub(crate) fn push(&self, session: &Arc<Session>, frame: &Bytes) {
        session.push(frame, self.config.limits.outbox_bytes);
        self.soil(session);
    }

    /// The session's cursor is behind.
    pub(crate) fn soil(&self, session: &Arc<Session>) {
        if session.live.load(Ordering::Acquire) && !session.dirty.swap(true, Ordering::AcqRel) {
            self.dirty.lock().push(session.clone());
        }
    }

    /// Something journaled, to all sessions of an account.
    pub(crate) fn push_to(&self, account: u64, frame: &Bytes) {
        self.registry.each(account, |session| self.push(session, frame));
    }

    pub(crate) fn store(&self) -> &Store {
        &self.config.views.store
    }

    /// One record.
    fn tell(&self, record: &Recorded, batch: &mut Batch) {
        match &record.event {
            Event::MessageAdded(facts, body) => self.added(record, facts, body.as_ref().map(|b| &b.value.0)),
            Event::MessageEdited(facts, _) => self.changed(record, facts.target),
            Event::MessageRecalled(facts, _) => self.changed(record, facts.target),
            Event::MessageOpened(facts, _) => self.changed(record, facts.target),
            Event::MessageBurnt(facts, _) => self.changed(record, facts.target),
            Event::MessageScheduled(facts, _) => self.scheduled_changed(facts.account, facts.number),
            Event::ScheduledFailed(facts, _) => self.scheduled_changed(facts.account, facts.number),
            Event::ScheduledEnded(facts, _) => self.scheduled_ended(facts),
            Event::ReminderSet(facts, _) => self.reminder_changed(facts.account, facts.number),
            Event::ReminderMoved(facts, _) => self.reminder_changed(facts.account, facts.number),
            Event::SavedSet(facts, _) => self.saved_set(facts),
            Event::StickersSet(..) => self.stickers_set(record),
            Event::PlayedMarked(facts, _) => self.played_marked(facts),
            Event::ItemRefused(facts, _) => self.changed(record, facts.target),
            Event::MarksMoved(facts, _) => facts.marks.iter().for_each(|m| self.marked(m)),
            Event::MarksSent(facts, _) => facts.mark.iter().for_each(|m| self.marked(m)),
            Event::DirectOpened(facts, _) => {
                self.info(facts.a, facts.conversation);
                if facts.peer == directory::HERE && facts.b != facts.a {
                    self.info(facts.b, facts.conversation);
                }
            }
            Event::GroupRecorded(facts, _) => self.group_recorded(record, facts, batch),
            Event::GroupSubmitted(facts, _) => self.group_submitted(record, facts),
            Event::GroupSubmissionEnded(facts, _) => self.group_submission_ended(facts),
            Event::GroupInvited(facts, _) => self.group_invited(facts),
            Event::GroupApplicantTold(facts, _) => self.info(facts.account, facts.conversation),
            Event::GroupLeaving(facts, _) => self.info(facts.account, facts.conversation),
            Event::GroupReplicaBegan(events::GroupReplicaBegan { conversation, .. }, _)
            | Event::GroupForked(events::GroupForked { conversation, .. }, _)
            | Event::GroupEquivocated(events::GroupEquivocated { conversation, .. }, _) => batch.is_otherwise(*conversation),
            Event::ConversationSet(facts, _) => self.info(facts.account, facts.conversation),
            Event::ConversationArranged(facts, _) => self.info(facts.account, facts.conversation),
            Event::PersonKept(facts, _) => self.person_kept(facts.account, facts.person),
            Event::AvailabilitySet(events::AvailabilitySet { account, .. }, _)
            | Event::ScheduleSet(events::ScheduleSet { account, .. }, _)
            | Event::AutoReplySet(events::AutoReplySet { account, .. }, _)
            | Event::OpennessSet(events::OpennessSet { account, .. }, _) => self.own_changed(*account),
            Event::TrialNoticed(facts, _) => self.own_changed(facts.account),
            Event::PolicySet(..) => self.kept(),
            Event::RetentionMoved(facts, _) if facts.done => self.kept(),
            Event::NotifySet(facts, _) => self.notify_changed(facts.account),
            Event::PushSubscribed(facts, _) => self.notify_changed(facts.account),
            Event::PushUnsubscribed(facts, _) => self.notify_changed(facts.account),
            Event::RequestDecided(facts, _) => self.decided(facts),
            Event::BlockSet(facts, _) => self.blocked(facts),
            Event::ProfileSet(facts, _) => self.profile(facts.person),
            Event::PersonGone(facts, _) => self.gone(facts.person),
            Event::DeviceRevoked(facts, _) => self.revoked(facts),
            Event::AccountDisabled(facts, _) if facts.disabled => self.close(facts.account, &self.disabled()),
            Event::AccountEnding(facts, _) => self.close(facts.account, &Code::TokenRevoked.into()),
            Event::AccountDeleted(facts, _) => {
                self.close(facts.account, &Code::TokenRevoked.into());
                self.gone(facts.account);
            }
            _ => {}
        }
    }

    /// To everybody: for how long messages are kept, and what is gone.
    fn kept(&self) {
        let frame = convert::frame(0, Frame::Kept(convert::kept(self.store())));
        self.registry.all(|session| session.push(&frame, self.config.limits.outbox_bytes));
    }

    fn added(&self, record: &Recorded, facts: &events::MessageAdded, content: Option<&Bytes>) {
        let Some(direct) = conversations::direct(self.store(), record.conversation) else { return };
        let author = self.names.of(self.store(), facts.author);
        let encode = |device: u64, counter: u64| {
            let message = pb::Message {
                sequence: record.sequence,
                id: facts.id.clone(),
                author: author.to_string(),
                time_ms: convert::signed(record.time_ms),
                sent_ms: facts.sent_ms,
                content: content.cloned().unwrap_or_default(),
                reply_to: facts.reply_to.clone(),
                device,
                counter,
                ..pb::Message::default()
            };
            convert::pushed(record.conversation, What::Message(message))
        };
        for account in direct.local_members() {
            let own = account == facts.author;
            let mut frame = None;
            self.registry.each(account, |session| {
                if own && session.identity().is_some_and(|i| i.actor.device == facts.device) {
                    return self.soil(session); // it has its answer
                }
                let frame = frame.get_or_insert_with(|| if own { encode(facts.device, facts.counter) } else { encode(0, 0) });
                let id = || HEXLOWER.encode(&facts.id);
                tracing::trace!(id = %id(), conversation = record.conversation, session = session.number, "message: pushed");
                self.push(session, frame);
            });
        }
    }

    /// A message as it is now.
    fn changed(&self, record: &Recorded, sequence: u64) {
        let conversation = record.conversation;
        let Some(direct) = conversations::direct(self.store(), conversation) else { return };
        if !direct.local_members().any(|account| self.registry.has(account)) {
            return;
        }
        let views = &self.config.views;
        let Some(message) = conversations::single(&views.store, &*views.journal, conversation, sequence) else { return };
        for account in direct.local_members().filter(|a| self.registry.has(*a)) {
            let message = convert::message(message.clone(), account);
            self.push_to(account, &convert::changed(conversation, record.sequence, message));
        }
    }

    fn marked(&self, mark: &events::Mark) {
        if mark.group {
            return self.group_marked(mark);
        }
        let Some(direct) = conversations::direct(self.store(), mark.conversation) else { return };
        if !direct.local_members().any(|account| self.registry.has(account)) {
            return;
        }
        let user = self.names.of(self.store(), mark.person).to_string();
        let marks = pb::MarksNow { user, delivered: mark.delivered, read: mark.read };
        let frame = convert::pushed(mark.conversation, What::Marks(marks));
        direct.told_of_marks(mark.person).for_each(|account| self.push_to(account, &frame));
    }

    fn decided(&self, facts: &events::RequestDecided) {
        self.info(facts.account, facts.conversation);
        // A neighbour who was let in may know from now on that they were read; one who was not is told nothing.
        if let Some(direct) = conversations::direct(self.store(), facts.conversation)
            && facts.accepted
            && direct.peer == directory::HERE
            && direct.b != direct.a
        {
            self.info(direct.b, facts.conversation);
        }
    }

    /// A conversation as one of its members sees it now.
    pub(crate) fn info(&self, account: u64, conversation: u64) {
        if !self.registry.has(account) {
            return;
        }
        let Ok(view) = sync::view(&self.store().snapshot(), account, conversation) else { return };
        let info = convert::conversation(self.store(), account, &view);
        self.push_to(account, &convert::pushed(conversation, What::Info(info)));
    }

    fn blocked(&self, facts: &events::BlockSet) {
        if !self.registry.has(facts.account) {
            return;
        }
        if facts.person != 0 {
            if let Some(conversation) = conversations::between(self.store(), facts.account, facts.person) {
                self.info(facts.account, conversation);
            }
            return;
        }
        let of_peer = |c: &u64| conversations::direct(self.store(), *c).is_some_and(|d| d.peer == facts.peer);
        let all = contacts::conversations(self.store(), facts.account);
        all.into_iter().rev().filter(of_peer).take(TOLD_OF_BLOCK_MAX).for_each(|c| self.info(facts.account, c));
    }

    /// Accounts here who have a conversation with this person, and where.
    fn partners(&self, person: u64) -> impl Iterator<Item = (u64, u64)> {
        contacts::conversations(self.store(), person).into_iter().filter_map(move |conversation| {
            let direct = conversations::direct(self.store(), conversation)?;
            let other = direct.other(person);
            let connected = other != person && direct.local_members().any(|m| m == other) && self.registry.has(other);
            connected.then_some((other, conversation))
        })
    }

    fn profile(&self, person: u64) {
        let frame = convert::pushed(0, What::Profile(convert::profile(self.store(), person)));
        self.push_to(person, &frame);
        self.partners(person).for_each(|(account, _)| self.push_to(account, &frame));
    }

    fn gone(&self, person: u64) {
        self.names.forget(person);
        self.partners(person).for_each(|(account, conversation)| self.info(account, conversation));
    }

    fn revoked(&self, facts: &events::DeviceRevoked) {
        let frame = convert::pushed(0, What::DeviceRevoked(pb::DeviceRevoked { device: facts.device }));
        self.registry.each(facts.account, |session| {
            if session.identity().is_some_and(|i| i.actor.device == facts.device) {
                session.outbox.close(Code::TokenRevoked.into());
            } else {
                self.push(session, &frame);
            }
        });
    }

    /// Ends all sessions of an account, but one that ends itself.
    fn close(&self, account: u64, error: &Error) {
        self.registry.each(account, |session| {
            if !session.ending.load(Ordering::SeqCst) {
                session.outbox.close(error.clone());
            }
        });
    }
}
