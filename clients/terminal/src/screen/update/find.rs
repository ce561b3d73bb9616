//! Keys and answers while one searches, and the way to a message that was found.

use crossterm::event::{KeyCode, KeyEvent};
use startalk_client::{ClientError, UserId, wire_types::Found};

use super::form_keys::edit;
use crate::screen::{
    app::{App, Dialog, Effect},
    chat::Anchor,
    find::{Find, Row},
    words::Word,
};

/// Messages of one conversation that are fetched on the way to one that was found.
const FETCHED_MAX: usize = 4500;
/// Rows that a page key goes.
const PAGE: isize = 8;

impl App {
    /// Begins to search: everywhere, or in one conversation.
    pub(super) fn find(&mut self, words: &str, inside: Option<u64>) -> Vec<Effect> {
        let find = Find::of(words, inside);
        self.finding(find)
    }

    /// Shows the panel, and asks what it wants to know.
    pub(super) fn finding(&mut self, mut find: Find) -> Vec<Effect> {
        let asked = find.ask(self.offset_seconds);
        self.dialog = Some(Dialog::Find(Box::new(find)));
        asked.map(|s| Effect::Search(Box::new(s))).into_iter().collect()
    }

    pub(super) fn find_key(&mut self, mut find: Find, key: KeyEvent) -> Vec<Effect> {
        find.opens = false;
        let more = match key.code {
            KeyCode::Enter if find.is_busy() => {
                find.opens = true;
                false
            }
            KeyCode::Enter => return self.found(&find),
            KeyCode::Tab => {
                find.turn(false);
                false
            }
            KeyCode::BackTab => {
                find.turn(true);
                false
            }
            KeyCode::F(4) => {
                find.toggle(self.open);
                false
            }
            KeyCode::Up => find.choose(-1),
            KeyCode::Down => find.choose(1),
            KeyCode::PageUp => find.choose(-PAGE),
            KeyCode::PageDown => find.choose(PAGE),
            _ => {
                edit(&mut find.words, key);
                false
            }
        };
        let next = if more { find.ask_more() } else { None };
        let mut effects = self.finding(find);
        effects.extend(next.map(|s| Effect::Search(Box::new(s))));
        effects
    }

    /// An answer; what was typed meanwhile is asked now.
    pub(super) fn on_found(&mut self, result: Result<Found, ClientError>) -> Vec<Effect> {
        let words = result.map_err(|e| e.words(self.language));
        match self.dialog.take() {
            Some(Dialog::Find(mut find)) => {
                find.answer(words);
                let (opens, effects) = (find.opens, self.finding((*find).clone()));
                if opens && effects.is_empty() {
                    self.dialog = None;
                    return self.found(&find);
                }
                effects
            }
            other => {
                self.dialog = other;
                Vec::new()
            }
        }
    }

    /// Opens what is chosen.
    fn found(&mut self, find: &Find) -> Vec<Effect> {
        let rows = find.rows();
        match rows.get(find.at) {
            Some(Row::Person(person)) if self.chats.contains_key(&person.conversation) => self.open_chat(person.conversation),
            Some(Row::Person(person)) => person.user.parse::<UserId>().map(Effect::Open).into_iter().collect(),
            Some(Row::Group(group)) => self.open_chat(group.conversation),
            Some(Row::Message(message)) => self.go_to(message.conversation, message.sequence),
            None => {
                self.dialog = Some(Dialog::Find(Box::new(find.clone())));
                Vec::new()
            }
        }
    }

    /// Opens a conversation at a message.
    pub(super) fn go_to(&mut self, conversation: u64, sequence: u64) -> Vec<Effect> {
        let mut effects = self.open_chat(conversation);
        if let Some(chat) = self.chats.get_mut(&conversation) {
            chat.wanted = Some(sequence);
        }
        effects.extend(self.nearer(conversation));
        effects
    }

    /// One step towards the message that is wanted: it is here, or the page before what is here is asked for.
    pub(super) fn nearer(&mut self, conversation: u64) -> Option<Effect> {
        let rows = i64::try_from(self.layout.timeline_rows / 2).unwrap_or(0);
        let chat = self.chats.get_mut(&conversation)?;
        let wanted = chat.wanted?;
        if chat.low != 0 && chat.low <= wanted {
            chat.wanted = None;
            if chat.messages.contains_key(&wanted) {
                chat.chosen = Some(wanted);
                chat.anchor = Some(Anchor { sequence: wanted, up: -rows });
            }
            return None;
        }
        if chat.loading {
            return None;
        }
        if chat.messages.len() > FETCHED_MAX {
            chat.wanted = None;
            self.say(self.word(Word::FoundTooFar).to_owned());
            return None;
        }
        chat.loading = true;
        Some(Effect::History { conversation, before: chat.low })
    }
}
