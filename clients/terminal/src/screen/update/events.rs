//! What the session tells.

use startalk_client::{CommandKind, Event, State, content, wire_types::Conversation};

use crate::screen::{
    app::{App, Effect, Mode},
    chat::Chat,
    form::Form,
    time::Moment,
    words::Word,
};

/// How long somebody is shown as writing after they last said so.
const TYPING_MS: i64 = 6000;
/// Outcomes kept until their numbers are known.
const EARLY_MAX: usize = 1000;
/// Conversations whose newest message is fetched for the list.
const PREVIEWS_MAX: usize = 30;

impl App {
    pub(super) fn entry(&mut self, conversation: u64) -> &mut Chat {
        let chat = self.chats.entry(conversation).or_default();
        chat.info.conversation = conversation;
        chat
    }

    /// The session told something.
    pub(in crate::screen) fn on_event(&mut self, event: Event) -> Vec<Effect> {
        match event {
            Event::State(state) => self.on_state(state),
            Event::Message { conversation, message } => {
                let chat = self.entry(conversation);
                chat.typing_until_ms = 0;
                chat.waited(message.device, message.counter);
                let is_line = content::system(&message.content).is_some();
                chat.add(message);
                if is_line && self.open == Some(conversation) {
                    return vec![Effect::Members { conversation, asked: false, from: 0 }]; // who is in may be otherwise
                }
            }
            Event::Changed { conversation, message } => self.entry(conversation).change(message),
            Event::Marks { conversation, user, delivered, read } => {
                let mine = user == self.me;
                let info = &mut self.entry(conversation).info;
                if mine {
                    info.read = info.read.max(read);
                } else if let Some(peer) = info.peer.as_mut().filter(|p| p.user == user) {
                    (peer.delivered, peer.read) = (peer.delivered.max(delivered), peer.read.max(read));
                }
            }
            Event::Conversation(info) => self.describe(info),
            Event::Gap { conversation, before, .. } => self.entry(conversation).gap(before),
            Event::Profile(profile) => {
                self.names.insert(profile.user.clone(), profile.display_name.clone());
                let named = self.chats.values_mut().filter_map(|c| c.info.peer.as_mut()).filter(|p| p.user == profile.user);
                named.for_each(|p| p.display_name.clone_from(&profile.display_name));
            }
            Event::Typing { conversation, typing, user } => {
                let until = if typing { self.now_ms + TYPING_MS } else { 0 };
                let chat = self.entry(conversation);
                (chat.typing_until_ms, chat.typing_user) = (until, user);
            }
            Event::Presence { user, state, .. } => drop(self.presence.insert(user, state)),
            Event::Kept(kept) => {
                for chat in self.chats.values_mut() {
                    let is_group = chat.info.group.is_some();
                    chat.let_go(if is_group { kept.groups_before_ms } else { kept.direct_before_ms });
                }
            }
            Event::SyncDone => {
                self.synced = true;
                let mut effects = self.fetch_previews();
                effects.push(Effect::Invitations);
                return effects;
            }
            Event::Waiting { conversation, message } => {
                let local = self.local();
                self.entry(conversation).waits(message, local);
            }
            Event::Ended { conversation, device, counter, error } => {
                self.entry(conversation).waited(device, counter);
                self.say(error.words(self.language));
            }
            Event::GroupInvitation(invitation) => {
                self.say(self.with(Word::InvitesYou, &[&invitation.inviter, &invitation.name, &invitation.home]));
                crate::screen::group::without(&mut self.invitations, &invitation.group);
                self.invitations.push(invitation);
            }
            Event::GroupLink { ref invitation, .. } => {
                self.show_link(invitation);
                self.on_outcome(event);
            }
            Event::WentBack => self.on_went_back(),
            // The screen shows people as they call themselves, and has no settings of its own.
            Event::DeviceRevoked { .. } | Event::Person(_) | Event::Navigation { .. } => {}
            Event::Own(own) => {
                if own.ends_ms > 0 && own.ends_ms != self.ends_ms {
                    let ends = Moment::of(own.ends_ms, self.offset_seconds);
                    let when = format!("{} {}", ends.calendar(), ends.clock());
                    self.say(self.with(Word::TrialEnds, &[&when]));
                }
                self.ends_ms = own.ends_ms;
            }
            Event::Scheduled(entry) if !entry.failed.is_empty() => {
                let words = entry
                    .failed
                    .parse()
                    .map_or(entry.failed, |code: startalk_client::Code| startalk_client::Error::new(code).words(self.language));
                self.say(self.with(Word::ScheduledFailed, &[&words]));
            }
            Event::Reminder(reminder) if reminder.due => {
                let about = reminder.message.as_ref().map(|m| self.plain(m)).unwrap_or_default();
                let words = if reminder.note.is_empty() { about } else { reminder.note };
                self.say(self.with(Word::ReminderDue, &[&super::super::wrap::harmless(&words)]));
            }
            Event::Scheduled(_)
            | Event::ScheduledEnded(_)
            | Event::Reminder(_)
            | Event::ReminderEnded { .. }
            | Event::Saved(_)
            | Event::SavedRemoved { .. }
            | Event::Stickers(_)
            | Event::Played { .. }
            | Event::Stale(_) => {}
            sent @ (Event::Sent { .. } | Event::Failed { .. }) => self.on_outcome(sent),
            Event::SignedOut(error) => self.on_signed_out(error.map(|e| e.words(self.language))),
        }
        Vec::new()
    }

    fn on_state(&mut self, state: State) {
        if let State::RetryIn { ms, .. } = &state {
            self.retry_at_ms = self.now_ms.saturating_add(i64::try_from(*ms).unwrap_or(i64::MAX));
            self.synced = false;
        }
        self.state = state;
    }

    /// The newest messages of the conversations on top of the list.
    fn fetch_previews(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for conversation in self.list().into_iter().take(PREVIEWS_MAX) {
            let chat = self.entry(conversation);
            if chat.low == 0 && chat.info.head > 0 && !chat.loading {
                chat.loading = true;
                effects.push(Effect::History { conversation, before: 0 });
            }
        }
        effects
    }

    /// Numbers mean other conversations now. What is being written is kept with its person.
    fn on_went_back(&mut self) {
        self.say(self.word(Word::WentBackNotice).to_owned());
        for chat in std::mem::take(&mut self.chats).into_values() {
            let unsaid = !chat.draft.is_empty() || !chat.mine.is_empty();
            if unsaid && chat.info.group.is_none() {
                self.kept.insert(chat.peer().to_owned(), (chat.draft, chat.mine));
            }
        }
        self.open = None;
        self.chosen = None;
        self.focus = crate::screen::app::Focus::List;
        self.dialog = None;
    }

    fn describe(&mut self, info: Conversation) {
        if let Some(peer) = info.peer.as_ref().filter(|p| !p.display_name.is_empty()) {
            self.names.insert(peer.user.clone(), peer.display_name.clone());
        }
        let kept = info.peer.as_ref().and_then(|p| self.kept.remove(&p.user));
        let chat = self.entry(info.conversation);
        chat.describe(info);
        if let Some((draft, mut mine)) = kept {
            chat.draft = draft;
            mine.append(&mut chat.mine);
            chat.mine = mine;
        }
    }

    /// Asks again for what changed beneath the screen.
    pub(in crate::screen) fn refresh(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        for conversation in std::mem::take(&mut self.stale) {
            let open = self.open == Some(conversation);
            let chat = self.entry(conversation);
            chat.messages.clear();
            (chat.low, chat.anchor, chat.chosen, chat.loading) = (0, None, None, open);
            effects.extend(open.then_some(Effect::History { conversation, before: 0 }));
        }
        effects
    }

    fn on_signed_out(&mut self, why: Option<String>) {
        let mut form = Form::new(&self.me, &self.server);
        if let Some(why) = why {
            form.steps.push(crate::screen::form::Step::Failed(vec![self.with(Word::SignedOutBecause, &[&why])]));
        }
        self.mode = Mode::Form(Box::new(form));
        self.chats.clear();
        self.transfers.clear();
        (self.open, self.chosen, self.dialog, self.synced) = (None, None, None, false);
    }

    /// What became of something of mine.
    pub(super) fn on_outcome(&mut self, event: Event) {
        let me = self.me.clone();
        if let Event::Sent { again: true, conversation, .. } = &event {
            // It stands among the messages of a node that had lost it.
            self.stale.insert(*conversation);
            return;
        }
        let (counter, known) = match &event {
            Event::Sent { counter, kind: CommandKind::Send, conversation, sequence, id, time_ms, .. } => {
                let id = id.map(|id| bytes::Bytes::copy_from_slice(&id.0)).unwrap_or_default();
                // It was written to a person whose conversation has another number, or had none.
                self.gather(*counter, *conversation);
                (*counter, self.entry(*conversation).confirmed(*counter, *sequence, id, *time_ms, &me))
            }
            Event::Sent { counter, kind, conversation, .. } => {
                let known = self.changes.remove(counter).is_some();
                if known && matches!(kind, CommandKind::CreateGroup | CommandKind::JoinGroup) && *conversation != 0 {
                    self.entry(*conversation);
                    self.chosen = Some(*conversation);
                }
                (*counter, known)
            }
            Event::GroupLink { counter, .. } => (*counter, self.changes.remove(counter).is_some()),
            Event::Failed { counter, kind: CommandKind::Send, error, unconfirmed, .. } => {
                (*counter, self.chats.values_mut().any(|c| c.failed(*counter, error.clone(), *unconfirmed)))
            }
            Event::Failed { counter, error, .. } => {
                let known = self.changes.remove(counter).is_some();
                if known {
                    self.say(error.words(self.language));
                }
                (*counter, known)
            }
            _ => return,
        };
        if !known && self.early.len() < EARLY_MAX {
            self.early.insert(counter, event);
        }
    }

    fn gather(&mut self, counter: u64, conversation: u64) {
        let elsewhere = self.chats.values_mut().filter(|c| c.info.conversation != conversation);
        let found = elsewhere.into_iter().find_map(|c| {
            let at = c.mine.iter().position(|m| m.counter == Some(counter))?;
            Some(c.mine.remove(at))
        });
        self.entry(conversation).mine.extend(found);
    }
}
