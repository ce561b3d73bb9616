//! One conversation on the screen: its messages without a hole, what of mine is on its way, and a draft.
//!
//! Pure. Invariant: from `low` upwards every message that there is, is here; what a gap cuts off below is dropped and
//! asked for again.

use std::collections::BTreeMap;

use startalk_client::{
    ClientError, CommandKind, Error, Language, Outgoing,
    content::{self, Shown, show_by},
    wire_types::{Conversation, GroupMember, Message, Page},
};

use super::editor::Editor;

/// Messages kept of one conversation; the oldest go first.
const MESSAGES_MAX: usize = 5000;

/// Something of mine that has no place in the conversation yet.
#[derive(Clone, Debug)]
pub struct Mine {
    /// Of this process.
    pub local: u64,
    /// Of the device, once it was accepted.
    pub counter: Option<u64>,
    /// As it was given to the SDK.
    pub content: bytes::Bytes,
    /// Id of the message that it answers.
    pub reply_to: bytes::Bytes,
    /// Sequence of the message that it answers, in a group; 0: none.
    pub reply_sequence: u64,
    /// Our node has it; the group's home has not recorded it yet.
    pub waiting: bool,
    /// The device that wrote it; 0: this one.
    pub device: u64,
    /// When it was written.
    pub time_ms: i64,
    /// Why it was not sent, and whether it may have been nevertheless.
    pub failed: Option<(ClientError, bool)>,
}

/// How far a message of mine has got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The node has it.
    Sent,
    /// A device of the other has it.
    Delivered,
    /// The other has seen it.
    Read,
    /// The other domain refused it.
    Refused(String),
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Chat {
    /// As the node describes it.
    pub info: Conversation,
    /// By sequence.
    pub messages: BTreeMap<u64, Message>,
    /// In the order of writing.
    pub mine: Vec<Mine>,
    /// Everything from here up is loaded; 0: nothing is.
    pub low: u64,
    /// An older page was asked for.
    pub loading: bool,
    /// The other is writing until then.
    pub typing_until_ms: i64,
    /// Who is.
    pub typing_user: String,
    /// Of a group, as far as was asked for.
    pub members: Vec<GroupMember>,
    /// Words of the draft that call somebody, and whom.
    pub calls: Vec<(String, String)>,
    /// What is being written.
    pub draft: Editor,
    /// The message that the draft answers: id and sequence.
    pub reply_to: Option<u64>,
    /// The message that the draft replaces.
    pub editing: Option<u64>,
    /// The message chosen for a command.
    pub chosen: Option<u64>,
    /// The bottom of what is shown: so many rows above the end of this message; `None`: the newest.
    pub anchor: Option<Anchor>,
    /// The message that one goes to, while what is before it is being fetched.
    pub wanted: Option<u64>,
    /// When we last told that we write.
    pub told_typing_ms: i64,
}

/// A place in the timeline that stays when something new comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// Of a message.
    pub sequence: u64,
    /// Rows above its end; negative while not yet settled by drawing.
    pub up: i64,
}

impl Chat {
    /// The other person's id.
    pub fn peer(&self) -> &str {
        self.info.peer.as_ref().map_or("", |p| p.user.as_str())
    }

    /// How the other is called.
    pub fn name(&self) -> String {
        if let Some(group) = &self.info.group {
            let named = if group.name.trim().is_empty() { &group.group } else { &group.name };
            return super::wrap::harmless(named.trim()).replace('\n', " ");
        }
        let peer = self.info.peer.as_ref();
        let shown = peer.map(|p| p.display_name.trim()).filter(|n| !n.is_empty());
        super::wrap::harmless(shown.unwrap_or_else(|| self.peer())).replace('\n', " ")
    }

    /// A newer description; what only grows does not go back.
    pub fn describe(&mut self, mut info: Conversation) {
        info.read = info.read.max(self.info.read);
        info.time_ms = info.time_ms.max(self.info.time_ms);
        info.head = info.head.max(self.info.head);
        if let (Some(new), Some(old)) = (&mut info.peer, &self.info.peer) {
            (new.delivered, new.read) = (new.delivered.max(old.delivered), new.read.max(old.read));
            if new.display_name.is_empty() {
                new.display_name.clone_from(&old.display_name);
            }
        }
        self.info = info;
    }

    /// What was said before this moment, and not edited since, is kept no longer; lines stay.
    pub fn let_go(&mut self, before_ms: i64) {
        for message in self.messages.values_mut() {
            let old = message.time_ms.max(message.edited_ms) < before_ms && !message.recalled;
            if old && content::system(&message.content).is_none() && !message.content.is_empty() {
                message.content = bytes::Bytes::new();
                message.reactions.clear();
                message.expired = true;
            }
        }
    }

    /// A message that was told, or one of mine that was confirmed.
    pub fn add(&mut self, message: Message) {
        if self.low == 0 {
            self.low = message.sequence;
        }
        self.info.head = self.info.head.max(message.sequence);
        self.info.time_ms = self.info.time_ms.max(message.time_ms);
        if message.sequence >= self.low {
            self.messages.insert(message.sequence, message);
        }
        while self.messages.len() > MESSAGES_MAX && self.anchor.is_none() {
            self.messages.pop_first();
            self.low = self.messages.first_key_value().map_or(0, |(s, _)| *s);
        }
    }

    /// A message as it is now.
    pub fn change(&mut self, message: Message) {
        if let Some(old) = self.messages.get_mut(&message.sequence) {
            *old = message;
        }
    }

    /// A page of the past, or of the newest.
    pub fn page(&mut self, page: Page) {
        self.loading = false;
        let joins = self.low == 0 || page.last + 1 >= self.low;
        if joins {
            self.low = if self.low == 0 { page.first.max(1) } else { self.low.min(page.first.max(1)) };
            for message in page.messages {
                self.messages.entry(message.sequence).or_insert(message);
            }
        }
        self.info.head = self.info.head.max(page.head);
    }

    /// Messages below were not told.
    pub fn gap(&mut self, before: u64) {
        self.messages = self.messages.split_off(&before);
        self.low = before;
    }

    /// Messages of others that were not seen; capped where not all are here.
    pub fn unread(&self, me: &str) -> u64 {
        // What was said in a group before one came is not there to be read.
        let first = self.info.group.as_ref().map_or(0, |g| g.first);
        let read = self.info.read.max(first.saturating_sub(1));
        if self.low != 0 && self.low <= read + 1 {
            let counts = |m: &Message| m.author != me && !m.recalled && content::system(&m.content).is_none();
            return self.messages.range(read + 1..).filter(|(_, m)| counts(m)).count() as u64;
        }
        let loaded = self.messages.range(read + 1..).filter(|(_, m)| m.author == me).count() as u64;
        self.info.head.saturating_sub(read + loaded)
    }

    /// How far a message of mine has got.
    pub fn progress(&self, message: &Message) -> Progress {
        let (delivered, read) = self.info.peer.as_ref().map_or((0, 0), |p| (p.delivered, p.read));
        if !message.refused.is_empty() {
            Progress::Refused(message.refused.clone())
        } else if read >= message.sequence {
            Progress::Read
        } else if delivered >= message.sequence {
            Progress::Delivered
        } else {
            Progress::Sent
        }
    }

    /// The newest line, for the list.
    pub fn preview(&self, language: Language) -> Option<(bool, String)> {
        if let Some(mine) = self.mine.last() {
            return Some((true, plain(&mine.content, language)));
        }
        let (_, message) = self.messages.last_key_value()?;
        Some((false, if message.recalled { String::new() } else { plain(&message.content, language) }))
    }

    /// The newest message of mine that can be changed, at or before the chosen one.
    pub fn last_of(&self, me: &str) -> Option<u64> {
        self.messages
            .iter()
            .rev()
            .find(|(_, m)| m.author == me && !m.recalled && content::system(&m.content).is_none())
            .map(|(s, _)| *s)
    }

    /// One of mine was accepted, by number.
    pub fn accepted(&mut self, local: u64, counter: u64) {
        if let Some(mine) = self.mine.iter_mut().find(|m| m.local == local) {
            mine.counter = Some(counter);
        }
    }

    /// One of mine was confirmed: it takes its place.
    pub fn confirmed(&mut self, counter: u64, sequence: u64, id: bytes::Bytes, time_ms: i64, me: &str) -> bool {
        let Some(at) = self.mine.iter().position(|m| m.counter == Some(counter) && m.device == 0) else { return false };
        if sequence == 0 {
            self.mine[at].waiting = true;
            return true;
        }
        let Mine { content, reply_to, reply_sequence, .. } = self.mine.remove(at);
        let author = me.to_owned();
        self.add(Message { sequence, id, author, time_ms, content, reply_to, reply_sequence, counter, ..Message::default() });
        true
    }

    /// One of mine was refused.
    pub fn failed(&mut self, counter: u64, error: Error, unconfirmed: bool) -> bool {
        let Some(mine) = self.mine.iter_mut().find(|m| m.counter == Some(counter) && m.device == 0) else { return false };
        mine.waiting = false;
        mine.failed = Some((ClientError::Refused(error), unconfirmed));
        true
    }

    /// Another device of mine wrote it, and the group's home has not recorded it.
    pub fn waits(&mut self, message: Message, local: u64) {
        let Message { device, counter, content, reply_sequence, time_ms, .. } = message;
        let known = |m: &Mine| m.counter == Some(counter) && m.device == device;
        if !self.mine.iter().any(known) {
            let (counter, reply_to) = (Some(counter), bytes::Bytes::new());
            self.mine.push(Mine {
                local,
                counter,
                content,
                reply_to,
                reply_sequence,
                waiting: true,
                device,
                time_ms,
                failed: None,
            });
        }
    }

    /// What another device of mine wrote has its place, or will never have one.
    pub fn waited(&mut self, device: u64, counter: u64) {
        if device != 0 {
            self.mine.retain(|m| !(m.device == device && m.counter == Some(counter)));
        }
    }

    /// What an earlier process left to be sent.
    pub fn left(&mut self, outgoing: Outgoing, local: u64) {
        if outgoing.kind == CommandKind::Send && !self.mine.iter().any(|m| m.counter == Some(outgoing.counter)) {
            let Outgoing { counter, content, reply_to, time_ms, reply_sequence, waiting, .. } = outgoing;
            let counter = Some(counter);
            self.mine.push(Mine { local, counter, content, reply_to, reply_sequence, waiting, device: 0, time_ms, failed: None });
        }
    }
}

/// A content as one piece of text.
pub fn plain(content: &[u8], language: Language) -> String {
    plain_by(content, language, "", &str::to_owned)
}

/// The seconds after which a message of somebody else burns, if it was not opened yet: until then its words are not shown.
pub fn covered(message: &Message, me: &str) -> Option<u32> {
    let burn_s = content::burn_s(&message.content);
    (burn_s != 0 && message.burn_at_ms == 0 && message.author != me).then_some(burn_s)
}

/// The same, of a message by `author`, where `name` says how people are called.
pub fn plain_by(content: &[u8], language: Language, author: &str, name: &dyn Fn(&str) -> String) -> String {
    let text = match show_by(content, language, author, name) {
        Shown::Code { source, .. } => format!("`{source}`"),
        shown => shown.plain().to_owned(),
    };
    super::wrap::harmless(&text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use startalk_client::wire_types::Member;

    fn message(sequence: u64, author: &str) -> Message {
        Message { sequence, author: author.to_owned(), ..Message::default() }
    }

    #[test]
    fn pages_join_and_gaps_cut_off() {
        let mut chat = Chat::default();
        chat.add(message(10, "bob"));
        let page = |first: u64, last: u64| Page {
            first,
            last,
            head: 12,
            messages: (first..=last).map(|s| message(s, "bob")).collect(),
            ..Page::default()
        };
        chat.page(page(5, 9));
        assert_eq!((chat.low, chat.messages.len()), (5, 6));
        chat.page(page(1, 2));
        assert_eq!(chat.low, 5, "a page that does not join is not taken");
        chat.gap(100);
        assert_eq!((chat.low, chat.messages.len()), (100, 0));
    }

    #[test]
    fn unread_are_messages_of_others_after_the_mark() {
        let mut chat = Chat::default();
        for (sequence, author) in [(1, "bob"), (2, "me"), (3, "bob"), (5, "bob")] {
            chat.add(message(sequence, author));
        }
        assert_eq!(chat.unread("me"), 3);
        chat.info.read = 3;
        assert_eq!(chat.unread("me"), 1);
    }

    #[test]
    fn mine_takes_its_place_when_confirmed() {
        let mut chat = Chat::default();
        chat.mine.push(Mine {
            local: 1,
            counter: None,
            content: startalk_client::content::text("x"),
            reply_to: bytes::Bytes::new(),
            reply_sequence: 0,
            waiting: false,
            device: 0,
            time_ms: 1,
            failed: None,
        });
        chat.accepted(1, 7);
        assert!(chat.confirmed(7, 4, bytes::Bytes::new(), 9, "me"));
        assert!(chat.mine.is_empty() && chat.messages.contains_key(&4));
        assert_eq!(chat.progress(&chat.messages[&4]), Progress::Sent);
        chat.info.peer = Some(Member { delivered: 4, read: 3, ..Member::default() });
        assert_eq!(chat.progress(&chat.messages[&4]), Progress::Delivered);
    }
}
