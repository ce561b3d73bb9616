//! What was heard of each conversation: how far without a gap, what beyond, and what is to be asked for.
//!
//! Pure. A sequence without a message is normal (edits, recalls and marks take numbers too), so a gap is closed only by
//! asking history downwards until a page begins at or before it. Invariants: a message is told once per process; what
//! comes after a gap found by a sync is held back until the gap is closed, so each conversation is told in order.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    limits::PAGE_MESSAGES_MAX,
    pb::client::{Conversation, ConversationPage, History, MarksNow, Message, Page},
};

use crate::event::Event;

/// Sequences heard beyond a gap, per conversation; past it the gap is asked for at once.
const AHEAD_MAX: usize = 4096;

/// What the store keeps of it.
#[derive(Clone, PartialEq, prost::Message)]
struct Heard {
    #[prost(bytes = "bytes", tag = "1")]
    cursor: Bytes,
    #[prost(message, repeated, tag = "2")]
    conversations: Vec<Kept>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Kept {
    #[prost(message, optional, tag = "1")]
    overview: Option<Conversation>,
    #[prost(uint64, tag = "2")]
    covered: u64,
}

#[derive(Default)]
struct Entry {
    overview: Conversation,
    /// Everything up to here was told, or is known to be no message.
    covered: u64,
    /// Told beyond it.
    ahead: BTreeSet<u64>,
    fill: Option<Fill>,
    /// A push left a gap; it is asked about after a moment, as answers to own messages may close it.
    gap: bool,
    /// A sync told of it, or it began after one: what is below `covered` is known to have been told.
    synced: bool,
}

/// A gap being closed.
struct Fill {
    /// The end of the gap: everything up to here will be covered.
    to: u64,
    /// Ask below this next.
    before: u64,
    /// Until a page begins at or before this.
    from: u64,
    /// Newest page first.
    pages: Vec<Vec<Message>>,
    /// Told after the gap.
    held: Vec<Message>,
    /// Whether what comes after is held back meanwhile.
    holding: bool,
    asked: bool,
}

/// All conversations of the account.
#[derive(Default)]
pub(crate) struct Book {
    entries: HashMap<u64, Entry>,
    by_user: HashMap<String, u64>,
    by_group: HashMap<String, u64>,
    fill_max: u64,
    /// A whole sync was heard: a conversation that appears is a new one.
    complete: bool,
}

impl Book {
    pub fn new(fill_max: u64) -> Self {
        Self { fill_max: fill_max.max(1), ..Self::default() }
    }

    /// From what the store kept; also the cursor.
    pub fn load(fill_max: u64, heard: &[u8]) -> (Self, Bytes) {
        let mut book = Self::new(fill_max);
        let heard = Heard::decode(heard).unwrap_or_default();
        book.complete = !heard.cursor.is_empty();
        for Kept { overview, covered } in heard.conversations {
            let overview = overview.unwrap_or_default();
            let head = overview.head;
            let entry = book.entry(overview.conversation);
            (entry.covered, entry.gap) = (covered, covered < head);
            book.set_overview(overview);
        }
        (book, heard.cursor)
    }

    /// What the store keeps.
    pub fn save(&self, cursor: &Bytes) -> Vec<u8> {
        let kept = |e: &Entry| Kept { overview: Some(e.overview.clone()), covered: e.covered };
        Heard { cursor: cursor.clone(), conversations: self.entries.values().map(kept).collect() }.encode_to_vec()
    }

    pub fn conversations(&self) -> Vec<Conversation> {
        let mut all: Vec<Conversation> = self.entries.values().map(|e| e.overview.clone()).collect();
        all.sort_by_key(|c| (std::cmp::Reverse(c.time_ms), c.conversation));
        all
    }

    pub fn get(&self, conversation: u64) -> Option<&Conversation> {
        self.entries.get(&conversation).map(|e| &e.overview)
    }

    /// The person of a direct conversation.
    pub fn peer(&self, conversation: u64) -> Option<&str> {
        self.get(conversation)?.peer.as_ref().map(|p| p.user.as_str()).filter(|u| !u.is_empty())
    }

    pub fn with(&self, user: &str) -> Option<u64> {
        self.by_user.get(user).copied()
    }

    /// The group's id; empty for a conversation of two.
    pub fn group_id(&self, conversation: u64) -> &str {
        self.get(conversation).and_then(|c| c.group.as_ref()).map_or("", |g| g.group.as_str())
    }

    /// The number that a group has here.
    pub fn of_group(&self, id: &str) -> Option<u64> {
        self.by_group.get(id).copied()
    }

    /// Whether a stretch before what was told is still being asked for.
    pub fn has_hole(&self, conversation: u64) -> bool {
        self.entries.get(&conversation).is_some_and(|e| e.gap || e.fill.is_some())
    }

    fn entry(&mut self, conversation: u64) -> &mut Entry {
        let synced = self.complete;
        self.entries.entry(conversation).or_insert_with(|| Entry {
            overview: Conversation { conversation, ..Conversation::default() },
            synced,
            ..Entry::default()
        })
    }

    /// A conversation as the node describes it; what only grows does not go back.
    pub fn set_overview(&mut self, mut overview: Conversation) -> &Conversation {
        if let Some(peer) = &overview.peer {
            self.by_user.insert(peer.user.clone(), overview.conversation);
        }
        // Of a group whose home went back, the conversation in which it goes on is meant.
        if let Some(group) = overview.group.as_ref().filter(|g| g.standing != "renewed") {
            self.by_group.insert(group.group.clone(), overview.conversation);
        }
        let entry = self.entry(overview.conversation);
        if let Some(first) = overview.group.as_ref().map(|g| g.first).filter(|f| *f > entry.covered + 1) {
            entry.cover(first - 1); // what was said before one came is not to be had
        }
        overview.head = overview.head.max(entry.overview.head);
        overview.time_ms = overview.time_ms.max(entry.overview.time_ms);
        overview.read = overview.read.max(entry.overview.read);
        overview.delivered = overview.delivered.max(entry.overview.delivered);
        entry.overview = overview;
        entry.gap |= entry.synced && entry.covered < entry.overview.head && entry.fill.is_none();
        &entry.overview
    }

    /// Somebody is called otherwise now.
    pub fn renamed(&mut self, user: &str, display_name: &str) {
        let conversation = self.by_user.get(user).and_then(|c| self.entries.get_mut(c));
        if let Some(peer) = conversation.and_then(|e| e.overview.peer.as_mut()) {
            display_name.clone_into(&mut peer.display_name);
        }
    }

    pub fn marks(&mut self, conversation: u64, me: &str, marks: &MarksNow) {
        let overview = &mut self.entry(conversation).overview;
        if marks.user == me {
            overview.delivered = overview.delivered.max(marks.delivered);
            overview.read = overview.read.max(marks.read);
        } else if let Some(peer) = overview.peer.as_mut().filter(|p| p.user == marks.user) {
            peer.delivered = peer.delivered.max(marks.delivered);
            peer.read = peer.read.max(marks.read);
        }
    }

    /// The last page of a sync was heard.
    pub fn completed(&mut self) {
        self.complete = true;
    }

    /// A page of a sync.
    pub fn synced(&mut self, page: ConversationPage, events: &mut impl Extend<Event>) {
        let Some(overview) = page.conversation else { return };
        let (conversation, head) = (overview.conversation, overview.head);
        let overview = self.set_overview(overview).clone();
        events.extend([Event::Conversation(overview)]);
        let fill_max = self.fill_max;
        let entry = self.entry(conversation);
        if !std::mem::replace(&mut entry.synced, true) {
            let told = std::mem::take(&mut entry.ahead);
            entry.cover(head);
            let untold = page.messages.into_iter().filter(|m| !told.contains(&m.sequence));
            events.extend(untold.map(|message| Event::Message { conversation, message }));
        } else {
            let first = page.messages.first().map_or(head + 1, |m| m.sequence);
            // With fewer records than messages between, nothing can be missing.
            let complete = head.saturating_sub(entry.covered) <= page.messages.len() as u64;
            if !complete && first > entry.covered + 1 {
                // In the place of one from before: what it holds back was not told, and is asked for again.
                entry.begin_fill(conversation, first, head, fill_max, true, events);
            }
            for message in page.messages {
                entry.told(conversation, message, events);
            }
            if entry.fill.is_none() {
                entry.cover(head);
            }
        }
        events.extend(page.changed.into_iter().map(|message| Event::Changed { conversation, message }));
    }

    /// A message that was pushed.
    pub fn pushed(&mut self, conversation: u64, message: Message, events: &mut impl Extend<Event>) {
        let entry = self.entry(conversation);
        entry.overview.head = entry.overview.head.max(message.sequence);
        entry.overview.time_ms = entry.overview.time_ms.max(message.time_ms);
        entry.told(conversation, message, events);
    }

    /// A sequence that needs no telling: an own message, told by its answer.
    pub fn note(&mut self, conversation: u64, sequence: u64, time_ms: i64) {
        let entry = self.entry(conversation);
        entry.overview.head = entry.overview.head.max(sequence);
        entry.overview.time_ms = entry.overview.time_ms.max(time_ms);
        entry.saw(sequence);
    }

    /// Whether there are gaps that nobody has asked about.
    pub fn has_gaps(&self) -> bool {
        self.entries.values().any(|e| e.gap || e.fill.as_ref().is_some_and(|f| !f.asked))
    }

    /// What to ask history for now.
    pub fn questions(&mut self, events: &mut impl Extend<Event>) -> Vec<History> {
        let (mut questions, fill_max) = (Vec::new(), self.fill_max);
        for (conversation, entry) in &mut self.entries {
            if std::mem::take(&mut entry.gap) && entry.fill.is_none() {
                let to = entry.overview.head.max(entry.ahead.last().copied().unwrap_or(0));
                if entry.covered < to {
                    entry.begin_fill(*conversation, to + 1, to, fill_max, false, events);
                }
            }
            if let Some(fill) = entry.fill.as_mut().filter(|f| !f.asked) {
                fill.asked = true;
                let limit = u32::try_from(fill.before - fill.from).unwrap_or(u32::MAX).clamp(1, PAGE_MESSAGES_MAX as u32);
                questions.push(History { conversation: *conversation, before: fill.before, after: 0, limit });
            }
        }
        questions
    }

    /// An answer to one of the questions; `None`: there is none to be had.
    pub fn filled(&mut self, conversation: u64, page: Option<Page>, events: &mut impl Extend<Event>) {
        let Some(entry) = self.entries.get_mut(&conversation) else { return };
        let Some(fill) = entry.fill.as_mut() else { return };
        fill.asked = false;
        if let Some(page) = page {
            let before = fill.before;
            fill.before = page.first.min(before - 1);
            fill.pages.push(page.messages.into_iter().filter(|m| m.sequence < before && m.sequence >= fill.from).collect());
            if fill.before > fill.from {
                return;
            }
        }
        let Some(fill) = entry.fill.take() else { return };
        for message in fill.pages.into_iter().rev().flatten() {
            entry.told(conversation, message, events);
        }
        for message in fill.held {
            entry.told(conversation, message, events);
        }
        entry.cover(fill.to);
    }

    /// Questions that were asked will not be answered.
    pub fn disconnected(&mut self) {
        for entry in self.entries.values_mut() {
            if let Some(fill) = &mut entry.fill {
                fill.asked = false;
            }
        }
    }
}

impl Entry {
    fn saw(&mut self, sequence: u64) -> bool {
        if sequence <= self.covered || !self.ahead.insert(sequence) {
            return false;
        }
        while self.ahead.first() == Some(&(self.covered + 1)) {
            self.ahead.pop_first();
            self.covered += 1;
        }
        if !self.ahead.is_empty() {
            self.gap = true;
        }
        if self.ahead.len() > AHEAD_MAX {
            self.covered = self.ahead.pop_first().unwrap_or(self.covered);
        }
        true
    }

    fn cover(&mut self, to: u64) {
        self.covered = self.covered.max(to);
        self.ahead = self.ahead.split_off(&(self.covered + 1));
        while self.ahead.first() == Some(&(self.covered + 1)) {
            self.ahead.pop_first();
            self.covered += 1;
        }
        self.gap = !self.ahead.is_empty();
    }

    fn told(&mut self, conversation: u64, message: Message, events: &mut impl Extend<Event>) {
        if let Some(fill) = self.fill.as_mut().filter(|f| f.holding) {
            if message.sequence > self.covered && !self.ahead.contains(&message.sequence) {
                fill.held.push(message);
            }
        } else if self.saw(message.sequence) {
            events.extend([Event::Message { conversation, message }]);
        }
    }

    fn begin_fill(
        &mut self,
        conversation: u64,
        before: u64,
        to: u64,
        fill_max: u64,
        holding: bool,
        events: &mut impl Extend<Event>,
    ) {
        let from = (self.covered + 1).max(before.saturating_sub(fill_max));
        if from > self.covered + 1 {
            events.extend([Event::Gap { conversation, after: self.covered, before: from }]);
            self.cover(from - 1);
        }
        self.fill = Some(Fill { to, before, from, pages: Vec::new(), held: Vec::new(), holding, asked: false });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(sequence: u64) -> Message {
        Message { sequence, ..Message::default() }
    }

    fn sequences(events: &[Event]) -> Vec<u64> {
        events.iter().filter_map(|e| if let Event::Message { message, .. } = e { Some(message.sequence) } else { None }).collect()
    }

    fn page(head: u64, messages: &[u64]) -> ConversationPage {
        let conversation = Conversation { conversation: 1, head, ..Conversation::default() };
        ConversationPage {
            conversation: Some(conversation),
            messages: messages.iter().map(|s| message(*s)).collect(),
            ..ConversationPage::default()
        }
    }

    #[test]
    fn repeated_pushes_are_told_once() {
        let (mut book, mut events) = (Book::new(100), Vec::new());
        book.synced(page(3, &[1, 2, 3]), &mut events);
        for sequence in [2, 4, 4, 3, 5] {
            book.pushed(1, message(sequence), &mut events);
        }
        assert_eq!(sequences(&events), [1, 2, 3, 4, 5]);
        assert!(!book.has_gaps());
    }

    #[test]
    fn a_gap_found_by_a_sync_is_filled_in_order() {
        let (mut book, mut events) = (Book::new(1000), Vec::new());
        book.synced(page(1, &[1]), &mut events);
        book.synced(page(500, &[499, 500]), &mut events);
        book.pushed(1, message(501), &mut events);
        assert_eq!(sequences(&events), [1], "held back");
        let mut asked = Vec::new();
        loop {
            let questions = book.questions(&mut events);
            let Some(q) = questions.first() else { break };
            let first = q.before.saturating_sub(u64::from(q.limit)).max(1);
            asked.push((first, q.before));
            // Only every third sequence is a message.
            let messages = (first..q.before).filter(|s| s % 3 == 0).map(message).collect();
            book.filled(1, Some(Page { conversation: 1, messages, first, head: 501, ..Page::default() }), &mut events);
        }
        assert_eq!(asked, [(299, 499), (99, 299), (2, 99)]);
        let expected: Vec<u64> = std::iter::once(1).chain((2..499).filter(|s| s % 3 == 0)).chain([499, 500, 501]).collect();
        assert_eq!(sequences(&events), expected);
        assert!(!book.has_gaps());
    }

    #[test]
    fn too_large_a_gap_is_named() {
        let (mut book, mut events) = (Book::new(50), Vec::new());
        book.synced(page(1, &[1]), &mut events);
        book.synced(page(500, &[499, 500]), &mut events);
        assert!(events.contains(&Event::Gap { conversation: 1, after: 1, before: 449 }));
        assert_eq!(book.questions(&mut events).first().map(|q| (q.before, q.limit)), Some((499, 50)));
    }

    #[test]
    fn a_pushed_jump_is_asked_about_but_holds_nothing_back() {
        let (mut book, mut events) = (Book::new(50), Vec::new());
        book.synced(page(1, &[1]), &mut events);
        book.pushed(1, message(3), &mut events);
        assert!(book.has_gaps());
        book.note(1, 2, 0);
        assert!(book.questions(&mut events).is_empty(), "an own message closed it");
        book.pushed(1, message(5), &mut events);
        assert_eq!(book.questions(&mut events).len(), 1);
        book.disconnected();
        assert_eq!(book.questions(&mut events).len(), 1, "asked again on the next connection");
        book.filled(1, Some(Page { conversation: 1, messages: vec![], first: 4, head: 5, ..Page::default() }), &mut events);
        assert_eq!(sequences(&events), [1, 3, 5]);
        assert!(!book.has_gaps());
    }

    #[test]
    fn what_was_heard_survives() {
        let (mut book, mut events) = (Book::new(50), Vec::new());
        book.synced(page(7, &[7]), &mut events);
        let (mut again, cursor) = Book::load(50, &book.save(&Bytes::from_static(b"c")));
        assert_eq!(&cursor[..], b"c");
        again.pushed(1, message(7), &mut events);
        again.pushed(1, message(8), &mut events);
        assert_eq!(sequences(&events), [7, 8]);
    }
}
