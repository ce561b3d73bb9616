//! What a device has not heard, in pages, each made when the one before has gone out; then it hears what happens.
//!
//! Owns the syncs under way. A session is registered for pushes before the views are looked at, so that nothing falls
//! between: some things come twice, and devices tell them by conversation and sequence. Invariant: the cursor at the end
//! covers nothing that was neither in the pages nor pushed before, and no other cursor is told before the last page.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{
    Actor, Command,
    sync::{self, CONVERSATIONS_PER_PAGE, Standing},
};
use startalk_protocol::{
    Code, Error,
    pb::client::{self as pb, server_frame::Frame},
};

use crate::{convert, gateway::Inner, own, session::Session};

/// Bytes of conversations in one page, about; one conversation's newest messages may be as large.
const PAGE_BYTES: usize = 128 * 1024;

/// A sync under way.
pub(crate) struct SyncState {
    /// The command.
    id: u64,
    account: u64,
    /// The position that the device had heard.
    after: u64,
    went_back: bool,
    /// What the account keeps about people, as far as it changed; before the conversations, which show it.
    people: VecDeque<pb::PersonKept>,
    /// Conversations not looked at yet.
    left: VecDeque<u64>,
    /// Looked at, and not fitting the page before.
    held: VecDeque<pb::ConversationPage>,
    /// The position that all pages together reach.
    reaches: u64,
    first: bool,
}

impl Inner {
    /// Begins a sync; its pages come one by one.
    pub(crate) fn sync(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, cursor: Bytes) {
        if session.syncing.swap(true, Ordering::SeqCst) {
            return session.answered(id, Err(Error::new(Code::TooMany).with("what", "syncs").with("max", 1)));
        }
        session.unfinished.fetch_add(1, Ordering::SeqCst);
        let (gateway, session) = (self.clone(), session.clone());
        self.when_reading(session.clone(), move || {
            gateway.begin_sync(&session, Box::new(SyncState::new(id, me.account)), &cursor)
        });
    }

    fn begin_sync(&self, session: &Arc<Session>, mut state: Box<SyncState>, cursor: &[u8]) {
        let views = &self.config.views;
        (state.after, state.went_back) = match self.standing(cursor) {
            Ok(None) => (0, false),
            Ok(Some(Standing::GoesOn(position))) => (position, false),
            Ok(Some(Standing::WentBack)) => (0, true),
            Err(error) => return cannot_sync(session, state.id, error),
        };
        session.live.store(true, Ordering::SeqCst);
        // Everything up to here is in the views; what comes after is pushed to the session from now on.
        state.reaches = self.pushed.load(Ordering::SeqCst);
        let people = sync::changed_persons(&views.store, state.account, state.after);
        state.people = people.into_iter().filter_map(|k| own::person_kept(&*views.store, k)).collect();
        state.left = sync::changed_conversations(&views.store, state.account, state.after).into();
        if state.after != 0 {
            let blocks = sync::blocks_changed(&views.store, &*views.journal, state.account, state.after);
            let more: Vec<u64> = blocks.into_iter().filter(|c| !state.left.contains(c)).collect();
            state.left.extend(more);
        }
        self.make_page(session, state);
    }

    /// `None`: the device has heard nothing yet. A cursor that this node did not make, or not with this secret, is
    /// treated as one of a future that is gone.
    fn standing(&self, cursor: &[u8]) -> Result<Option<Standing>, Error> {
        if cursor.is_empty() {
            return Ok(None);
        }
        let Ok(cursor) = self.cursor_key.open(cursor) else { return Ok(Some(Standing::WentBack)) };
        let views = &self.config.views;
        if let Some(epoch) = sync::proves_going_back(&*views.store, &*views.journal, &cursor)? {
            // Numbers may have been given twice already; from here on they are told apart.
            tracing::warn!(
                epoch,
                position = cursor.position,
                "a device's cursor shows that this node went back in time; a new epoch begins"
            );
            let (reply, begun) = std::sync::mpsc::channel();
            let command = Command::BeginEpoch { epoch, reason: "a device's cursor is of a future that is gone".to_owned() };
            self.config.handle.submit(command, move |result| {
                let _ = reply.send(result.is_ok());
            });
            if begun.recv() != Ok(true) {
                tracing::error!("a new epoch could not be begun");
            }
        }
        sync::standing(&*views.journal, &cursor).map(Some)
    }

    /// The page before has gone out: makes the next one.
    pub(crate) fn continue_sync(self: &Arc<Self>, session: &Arc<Session>) {
        let (gateway, session) = (self.clone(), session.clone());
        self.when_reading(session.clone(), move || {
            let state = session.sync.lock().take();
            if let Some(state) = state {
                gateway.make_page(&session, state);
            }
        });
    }

    /// Does what reads much, off the connections' tasks, a few at a time over all sessions.
    fn when_reading(self: &Arc<Self>, session: Arc<Session>, work: impl FnOnce() + Send + 'static) {
        let gateway = self.clone();
        tokio::spawn(async move {
            let account = session.identity().map_or(0, |identity| identity.actor.account);
            if let Some(place) = gateway.reading.place(account).await {
                let done = tokio::task::spawn_blocking(move || {
                    work();
                    drop(place);
                });
                if done.await.is_err() {
                    // It panicked, a bug: the device resumes, and syncs from the cursor it has.
                    session.outbox.close(Code::Internal.into());
                }
            }
        });
    }

    fn make_page(&self, session: &Arc<Session>, mut state: Box<SyncState>) {
        let Some(identity) = session.identity() else { return };
        let store = &*self.config.views.store;
        let mut page = pb::SyncPage { went_back: state.went_back, ..pb::SyncPage::default() };
        if std::mem::take(&mut state.first) {
            page.me = Some(convert::profile(store, state.account));
            page.own = Some(self.own(state.account));
            page.stale = sync::changed_lists(store, state.account, state.after).into_iter().map(str::to_owned).collect();
        }
        let mut bytes = 0;
        while bytes < PAGE_BYTES
            && let Some(kept) = state.people.pop_front()
        {
            bytes += kept.encoded_len();
            page.people.push(kept);
        }
        while state.people.is_empty() {
            let next = match self.next_conversation(&mut state) {
                Ok(Some(next)) => next,
                Ok(None) => break,
                // Without it the device would take for heard what it has not heard.
                Err(error) => return cannot_sync(session, state.id, error),
            };
            let size = next.encoded_len();
            let begun = !page.conversations.is_empty() || !page.people.is_empty();
            if begun && (bytes + size > PAGE_BYTES || page.conversations.len() >= CONVERSATIONS_PER_PAGE) {
                state.held.push_front(next);
                break;
            }
            bytes += size;
            page.conversations.push(next);
        }
        if !state.held.is_empty() || !state.left.is_empty() || !state.people.is_empty() {
            let id = state.id;
            *session.sync.lock() = Some(state);
            if session.gone.load(Ordering::SeqCst) {
                *session.sync.lock() = None;
            }
            return session.outbox.page(convert::frame(id, Frame::SyncPage(page)));
        }
        // Before the answer, for the device may ask again as soon as it has it.
        session.syncing.store(false, Ordering::SeqCst);
        match self.cursor(state.reaches) {
            Some(cursor) => {
                (page.last, page.cursor) = (true, cursor);
                self.came(identity);
                session.answer(state.id, Frame::SyncPage(page));
                session.unfinished.fetch_sub(1, Ordering::SeqCst);
                self.who_is_there(session, identity);
            }
            None => cannot_sync(session, state.id, Code::Internal.into()),
        }
    }

    /// The next conversation, or a piece of one that changed much.
    fn next_conversation(&self, state: &mut SyncState) -> Result<Option<pb::ConversationPage>, Error> {
        if let Some(held) = state.held.pop_front() {
            return Ok(Some(held));
        }
        let views = &self.config.views;
        loop {
            let Some(number) = state.left.pop_front() else { return Ok(None) };
            let synced = match sync::conversation(&views.store, &*views.journal, state.account, number, state.after) {
                Ok(synced) => synced,
                Err(error) if error.code == Code::Internal => return Err(error),
                Err(_) => continue, // no longer theirs to read
            };
            let info = convert::conversation(&*views.store, state.account, &synced.view);
            let messages = synced.messages.into_iter().map(|m| convert::message(m, state.account)).collect();
            let waiting = synced.waiting.into_iter().map(|m| convert::message(m, state.account)).collect();
            let (changed, played) = (Vec::new(), synced.played);
            let mut piece = pb::ConversationPage { conversation: Some(info.clone()), messages, changed, waiting, played };
            let mut bytes = piece.encoded_len();
            for message in synced.changed {
                let message = convert::message(message, state.account);
                let size = message.encoded_len();
                if bytes + size > PAGE_BYTES {
                    let next = pb::ConversationPage { conversation: Some(info.clone()), ..pb::ConversationPage::default() };
                    state.held.push_back(std::mem::replace(&mut piece, next));
                    bytes = 0;
                }
                bytes += size;
                piece.changed.push(message);
            }
            state.held.push_back(piece);
            return Ok(state.held.pop_front());
        }
    }
}

/// The journal cannot be read now: the device asks again.
fn cannot_sync(session: &Session, id: u64, error: Error) {
    session.syncing.store(false, Ordering::SeqCst);
    session.answered(id, Err(error));
    session.unfinished.fetch_sub(1, Ordering::SeqCst);
}

impl SyncState {
    fn new(id: u64, account: u64) -> Self {
        let (left, held, people) = (VecDeque::new(), VecDeque::new(), VecDeque::new());
        Self { id, account, after: 0, went_back: false, people, left, held, reaches: 0, first: true }
    }
}
