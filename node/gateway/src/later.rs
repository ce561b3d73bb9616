//! What happens later: scheduled messages, reminders, and opening what burns. Frames to commands, and how it is now.

use std::sync::Arc;

use prost::Message;
use startalk_domain::{
    Actor, Answer, Command,
    command::Target,
    conversations,
    later::{self, NewReminder, NewScheduled, Reminder, Scheduled, Written},
};
use startalk_protocol::{
    Code, Error, limits,
    pb::{
        client::{self as pb, pushed::What, server_frame::Frame},
        events,
    },
};

use crate::{
    conversation::{bad, done, message_id, sent},
    convert,
    gateway::Inner,
    session::Session,
};

impl Inner {
    /// Has something said at a time.
    pub(crate) fn schedule_message(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::ScheduleMessage) {
        let pb::ScheduleMessage { conversation, to, content, reply_to, reply_sequence, at_ms, key } = request;
        let new = (|| {
            Ok(NewScheduled {
                to: self.target(conversation, &to)?,
                content,
                reply_to: message_id(&reply_to, "reply_to")?,
                reply_sequence,
                at_ms: time(at_ms),
                key: key.as_ref().try_into().map_err(|_| bad("key", "16 bytes"))?,
            })
        })();
        match new {
            Ok(new) => self.scheduled_becomes(session, me, id, Command::Schedule { account: me.account, new }),
            Err(error) => session.answered(id, Err(error)),
        }
    }

    /// Another time, or other words.
    pub(crate) fn change_scheduled(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::ChangeScheduled) {
        let pb::ChangeScheduled { number, at_ms, content } = request;
        let command = Command::ChangeScheduled { account: me.account, number, at_ms: at_ms.map(time), content };
        self.scheduled_becomes(session, me, id, command);
    }

    fn scheduled_becomes(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, command: Command) {
        let (gateway, to) = (self.clone(), session.clone());
        self.config.handle.submit(command, move |result| {
            let entry = |answer| {
                let Answer::Number(number) = answer else { return Err(Code::Internal.into()) };
                // It may have been said since, or taken away: then its number is all there is to tell.
                Ok(Frame::Scheduled(
                    gateway.scheduled(me.account, number).unwrap_or(pb::Scheduled { number, ..pb::Scheduled::default() }),
                ))
            };
            to.answered(id, result.and_then(entry));
        });
    }

    /// It is not said.
    pub(crate) fn cancel_scheduled(&self, session: &Arc<Session>, me: Actor, id: u64, number: u64) {
        self.submit(session, id, Command::CancelScheduled { account: me.account, number }, done);
    }

    /// It is said now.
    pub(crate) fn send_scheduled(&self, session: &Arc<Session>, me: Actor, id: u64, number: u64) {
        self.submit(session, id, Command::SendScheduled { account: me.account, number }, sent);
    }

    /// What waits to be said.
    pub(crate) fn list_scheduled(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, after: u64) {
        self.read(session, id, move |gateway| {
            let all = later::scheduled(&*gateway.config.views.store, me.account);
            let entries = all.entries.iter().filter(|e| e.number > after).map(|e| gateway.scheduled_entry(e));
            let (scheduled, more) = page(entries);
            let next = scheduled.last().filter(|_| more).map_or(0, |e| e.number);
            Ok(Frame::ScheduledList(pb::ScheduledList { scheduled, next }))
        });
    }

    fn scheduled(&self, account: u64, number: u64) -> Option<pb::Scheduled> {
        let all = later::scheduled(self.store(), account);
        all.entries.iter().find(|e| e.number == number).map(|e| self.scheduled_entry(e))
    }

    fn scheduled_entry(&self, entry: &Scheduled) -> pb::Scheduled {
        let Written { to, content } = later::written(&*self.config.views.journal, entry).unwrap_or_default();
        pb::Scheduled {
            number: entry.number,
            conversation: entry.conversation,
            to,
            content,
            reply_to: entry.reply_to.clone().into(),
            reply_sequence: entry.reply_sequence,
            at_ms: convert::signed(entry.at_ms),
            failed: entry.failed.clone(),
        }
    }

    /// Sets a reminder.
    pub(crate) fn set_reminder(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, request: pb::SetReminder) {
        let pb::SetReminder { number, conversation, sequence, at_ms, note } = request;
        let new = NewReminder { number, conversation, sequence, at_ms: time(at_ms), note };
        let (gateway, to) = (self.clone(), session.clone());
        self.config.handle.submit(Command::SetReminder { account: me.account, new }, move |result| {
            let entry = |answer| {
                let Answer::Number(number) = answer else { return Err(Error::from(Code::Internal)) };
                Ok(Frame::Reminder(gateway.reminder(me.account, number).ok_or(Code::Internal)?))
            };
            to.answered(id, result.and_then(entry));
        });
    }

    /// It is done with.
    pub(crate) fn end_reminder(&self, session: &Arc<Session>, me: Actor, id: u64, number: u64) {
        self.submit(session, id, Command::EndReminder { account: me.account, number }, done);
    }

    /// What the account wants to be reminded of.
    pub(crate) fn list_reminders(self: &Arc<Self>, session: &Arc<Session>, me: Actor, id: u64, after: u64) {
        self.read(session, id, move |gateway| {
            let all = later::reminders(&*gateway.config.views.store, me.account);
            let entries = all.entries.iter().filter(|r| r.number > after).map(|r| gateway.reminds(me.account, r));
            let (reminders, more) = page(entries);
            let next = reminders.last().filter(|_| more).map_or(0, |r| r.number);
            Ok(Frame::Reminders(pb::Reminders { reminders, next }))
        });
    }

    fn reminder(&self, account: u64, number: u64) -> Option<pb::Reminder> {
        let all = later::reminders(self.store(), account);
        all.entries.iter().find(|r| r.number == number).map(|r| self.reminds(account, r))
    }

    fn reminds(&self, account: u64, reminder: &Reminder) -> pb::Reminder {
        let views = &self.config.views;
        let message = (reminder.conversation != 0)
            .then(|| {
                let (conversation, sequence) = (reminder.conversation, reminder.sequence);
                conversations::single_for(&views.store, &*views.journal, account, conversation, sequence)
            })
            .flatten();
        pb::Reminder {
            number: reminder.number,
            conversation: reminder.conversation,
            sequence: reminder.sequence,
            at_ms: convert::signed(reminder.at_ms),
            note: later::note(&*views.journal, reminder),
            due: reminder.due_at != 0,
            message: message.map(|m| convert::message(m, account)),
        }
    }

    /// The person has opened a message that burns.
    pub(crate) fn open_message(&self, session: &Arc<Session>, me: Actor, id: u64, request: &pb::OpenMessage) {
        let pb::OpenMessage { conversation, sequence } = *request;
        let command = Command::OpenMessage { account: me.account, conversation, sequence, clock_ms: self.now_ms() };
        self.submit(session, id, command, done);
    }

    /// Tells the account's sessions what is under this number now.
    pub(crate) fn scheduled_changed(&self, account: u64, number: u64) {
        if self.registry.has(account)
            && let Some(entry) = self.scheduled(account, number)
        {
            self.push_to(account, &convert::pushed(0, What::Scheduled(entry)));
        }
    }

    pub(crate) fn scheduled_ended(&self, f: &events::ScheduledEnded) {
        let ended = pb::ScheduledEnded { number: f.number, said: f.said, conversation: f.conversation, sequence: f.sequence };
        self.push_to(f.account, &convert::pushed(0, What::ScheduledEnded(ended)));
    }

    pub(crate) fn reminder_changed(&self, account: u64, number: u64) {
        if !self.registry.has(account) {
            return;
        }
        let what = self.reminder(account, number).map_or(What::ReminderEnded(number), What::Reminder);
        self.push_to(account, &convert::pushed(0, what));
    }

    /// Where something is said: a conversation, or a person.
    pub(crate) fn target(&self, conversation: u64, to: &str) -> Result<Target, Error> {
        match (conversation, to) {
            (0, "") => Err(bad("conversation", "a conversation, or the person written to")),
            (number, "") => Ok(Target::Conversation(number)),
            (0, user) => Ok(Target::User(self.user(user)?)),
            _ => Err(bad("to", "a conversation or a person, not both")),
        }
    }
}

/// As many as fit into one answer, and whether there are more.
pub(crate) fn page<T: Message>(entries: impl Iterator<Item = T>) -> (Vec<T>, bool) {
    let (mut all, mut bytes) = (Vec::new(), 0);
    for entry in entries {
        bytes += entry.encoded_len();
        if bytes > limits::PAGE_BYTES_MAX && !all.is_empty() {
            return (all, true);
        }
        all.push(entry);
    }
    (all, false)
}

/// What is before 1970 is no time.
fn time(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}
