//! What the node says: answers, the pages of a sync, and what is pushed.
//!
//! Every frame becomes changes of outbox and conversations, and events. Invariant: what is pushed before a sync is
//! through is told after its pages.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    Code, Error,
    pb::client::{
        ActInGroup, Conversation, Ended, MarksNow, Member, Message, Pushed, Sent, ServerFrame, Sync, SyncPage, act_in_group,
        client_frame::Frame as Ask, pushed::What as PushedWhat, server_frame::Frame as Answer,
    },
};

use super::{
    engine::{Engine, Reply, Waiting},
    went_back::GoneBack,
};
use crate::{
    ClientError,
    conversations::Book,
    event::{CommandKind, Event},
    outbox::kind_of,
    store::Queued,
};

/// Pushes held back during a sync; past it they are told at once.
const EARLY_MAX: usize = 10_000;

impl Engine {
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
            (Some(Waiting::Command(counter)), answer @ (Answer::Invitation(_) | Answer::Done(_))) => {
                let invitation = if let Answer::Invitation(i) = answer { Some(i) } else { None };
                let event = self.outbox.answered_otherwise(counter, invitation);
                self.dirty = true;
                self.tell(event);
            }
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
                self.account_for();
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
            (Some(Waiting::Command(_) | Waiting::Sync), _) => {
                return Err(ClientError::Protocol("an answer of another kind".to_owned()));
            }
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

    pub(super) fn sent(&mut self, counter: u64, sent: &Sent) {
        let to = self.outbox.get(counter).map(|q| q.to.clone()).filter(|to| !to.is_empty());
        if let Some(to) = to
            && self.book.peer(sent.conversation).is_none()
        {
            let peer = Some(Member { user: to, ..Member::default() });
            let begun = Conversation { conversation: sent.conversation, peer, time_ms: sent.time_ms, ..Conversation::default() };
            let begun = self.book.set_overview(begun).clone();
            self.tell([Event::Conversation(begun)]);
        }
        if sent.sequence != 0 && self.outbox.get(counter).is_none_or(is_no_line) {
            self.book.note(sent.conversation, sent.sequence, sent.time_ms);
        }
        let event = self.outbox.answered(counter, sent);
        self.dirty = true;
        self.tell(event);
    }

    fn sync_page(&mut self, page: SyncPage) {
        if page.went_back && self.gone_back.is_none() {
            self.went_back();
        }
        let mut events = Vec::new();
        for mut conversation in page.conversations {
            let waiting = std::mem::take(&mut conversation.waiting);
            let played = std::mem::take(&mut conversation.played);
            let number = conversation.conversation.as_ref().map_or(0, |c| c.conversation);
            self.book.synced(conversation, &mut events);
            self.still_waiting(number, waiting, &mut events);
            if !played.is_empty() {
                events.push(Event::Played { conversation: number, sequences: played });
            }
        }
        events.extend(page.me.map(Event::Profile));
        events.extend(page.own.map(Event::Own));
        events.extend(page.people.into_iter().map(Event::Person));
        events.extend((!page.stale.is_empty()).then_some(Event::Stale(page.stale)));
        self.tell(events);
        if page.last {
            self.account_for();
            if !page.cursor.is_empty() {
                self.cursor = page.cursor;
            }
            self.synced = true;
            self.dirty = true;
            if self.checkpoint == 0 {
                // At once: without a cursor, a process that is killed now would begin as a new device does, with the
                // newest messages alone, and never tell what came between.
                self.checkpoint_at = 0;
            }
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

    /// What waits for a group's home, as the node has it; what this device thought to wait and does not is to be found.
    fn still_waiting(&mut self, conversation: u64, waiting: Vec<Message>, events: &mut Vec<Event>) {
        let device = self.account.device;
        let gone = self.outbox.waiting().filter(|s| s.conversation == conversation).map(|s| s.queued.counter);
        let gone = gone.filter(|c| !waiting.iter().any(|m| m.device == device && m.counter == *c));
        self.unaccounted.extend(gone.map(|counter| (conversation, counter)));
        for message in waiting.iter().filter(|m| m.device == device) {
            self.unaccounted.retain(|(_, counter)| *counter != message.counter);
            self.outbox.waits_in(message.counter, conversation);
        }
        for message in waiting {
            let known = message.device == device
                && (self.outbox.get(message.counter).is_some()
                    || self.outbox.waiting().any(|s| s.queued.counter == message.counter));
            if !known {
                events.push(Event::Waiting { conversation, message });
            }
        }
    }

    /// What waited, does not any more, and is not among what was told, will not come.
    fn account_for(&mut self) {
        for (conversation, counter) in std::mem::take(&mut self.unaccounted) {
            if self.book.has_hole(conversation) {
                self.unaccounted.push((conversation, counter));
            } else {
                let error = Error::new(Code::Expired).with("what", "the message");
                let event = self.outbox.never_placed(counter, error, true);
                self.tell(event);
            }
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

    pub(super) fn went_back(&mut self) {
        self.book = Book::new(self.fill_gaps_max);
        self.cursor = Bytes::new();
        self.marks.clear();
        self.to_keep = None;
        self.gone_back = Some(GoneBack::default());
        self.tell([Event::WentBack]);
        self.unaccounted.clear();
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
                self.tell([Event::Presence { user: p.user, state: p.state, text: p.text, seen_ms: p.seen_ms }]);
                Ok(())
            }
            Answer::NavigationChanged(changed) => {
                self.navigation(changed.sequence);
                Ok(())
            }
            Answer::Kept(kept) => {
                self.kept(kept);
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
            Some(PushedWhat::Changed(message)) => {
                if pushed.record != 0 {
                    self.book.note(conversation, pushed.record, 0); // a number that is no message's
                }
                if message.burnt {
                    self.outbox.burnt(conversation, message.sequence);
                }
                events.push(Event::Changed { conversation, message });
            }
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
            Some(PushedWhat::Waiting(message)) => events.push(Event::Waiting { conversation, message }),
            Some(PushedWhat::Ended(ended)) => self.ended_there(conversation, &ended, &mut events),
            Some(PushedWhat::GroupInvitation(invitation)) => events.push(Event::GroupInvitation(invitation)),
            Some(PushedWhat::Person(kept)) => events.push(Event::Person(kept)),
            Some(PushedWhat::Own(own)) => events.push(Event::Own(own)),
            Some(PushedWhat::Scheduled(entry)) => events.push(Event::Scheduled(entry)),
            Some(PushedWhat::ScheduledEnded(ended)) => events.push(Event::ScheduledEnded(ended)),
            Some(PushedWhat::Reminder(reminder)) => events.push(Event::Reminder(reminder)),
            Some(PushedWhat::ReminderEnded(number)) => events.push(Event::ReminderEnded { number }),
            Some(PushedWhat::Saved(saved)) => events.push(Event::Saved(Box::new(saved))),
            Some(PushedWhat::SavedRemoved(number)) => events.push(Event::SavedRemoved { number }),
            Some(PushedWhat::Stickers(changed)) => events.push(Event::Stickers(changed)),
            Some(PushedWhat::Played(played)) => {
                events.push(Event::Played { conversation, sequences: played.sequences });
            }
            // Nothing of it is kept: who wants to know asks.
            Some(PushedWhat::Notify(_)) | None => {}
        }
        self.tell(events);
    }

    fn ended_there(&mut self, conversation: u64, ended: &Ended, events: &mut Vec<Event>) {
        let Ended { device, counter, .. } = *ended;
        let error = Error::new(ended.code.parse().unwrap_or(Code::Internal));
        let event = if device != self.account.device {
            Some(Event::Ended { conversation, device, counter, error })
        } else if self.outbox.get(counter).is_some() {
            self.outbox.fail(counter, error) // its answer was lost
        } else {
            let message = self.outbox.never_placed(counter, error.clone(), false);
            let (kind, to) = (CommandKind::Act, String::new());
            message.or(Some(Event::Failed { counter, kind, conversation, to, error, unconfirmed: false }))
        };
        events.extend(event);
    }
}

/// Whether what the command adds to the conversation is no line of the system, which is told by itself.
fn is_no_line(queued: &Queued) -> bool {
    match kind_of(queued) {
        CommandKind::Send | CommandKind::Edit | CommandKind::Recall => true,
        CommandKind::Act => {
            ActInGroup::decode(queued.command.clone()).is_ok_and(|a| matches!(a.act, Some(act_in_group::Act::React(_))))
        }
        CommandKind::CreateGroup | CommandKind::JoinGroup | CommandKind::DecideGroupInvitation => false,
    }
}
