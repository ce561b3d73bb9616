//! Keys in the list and in the open conversation.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use startalk_client::content;

use super::{
    attach::{Order, order},
    form_keys::edit,
    later::{Slash, slash},
    listed::wanted,
};
use crate::screen::{
    app::{App, Dialog, Effect, Focus},
    chat::{Anchor, Mine, plain},
    editor::Editor,
    group::is_above,
    words::Word,
};

/// That one writes is told again after so long.
const TYPING_EVERY_MS: i64 = 3000;

impl App {
    pub(super) fn list_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let page = isize::try_from(self.layout.list_rows.max(2) / 2).unwrap_or(1);
        match key.code {
            KeyCode::Up => self.choose(-1),
            KeyCode::Down => self.choose(1),
            KeyCode::PageUp => self.choose(-page),
            KeyCode::PageDown => self.choose(page),
            KeyCode::Home => self.choose(isize::MIN / 2),
            KeyCode::End => self.choose(isize::MAX / 2),
            KeyCode::Enter | KeyCode::Right | KeyCode::Tab => return self.enter(),
            KeyCode::Esc => self.filter = None,
            KeyCode::Char('o') if control => self.dialog = Some(Dialog::SignOut),
            KeyCode::Char('y' | 'x' | 'b') if control => return self.about_chosen(key),
            _ => match &mut self.filter {
                Some(filter) => {
                    edit(filter, key);
                    self.chosen = self.list().first().copied();
                }
                None => return self.list_letter(key),
            },
        }
        Vec::new()
    }

    fn list_letter(&mut self, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Char('k') => self.choose(-1),
            KeyCode::Char('j') => self.choose(1),
            KeyCode::Char('n') => self.dialog = Some(Dialog::NewConversation(Editor::default())),
            KeyCode::Char('/') => self.filter = Some(Editor::default()),
            KeyCode::Char('?') => self.dialog = Some(Dialog::Help),
            KeyCode::Char('f') => return self.find("", None),
            KeyCode::Char('i') => return vec![Effect::Invite],
            KeyCode::Char(letter @ ('g' | 'l' | 'v')) => return self.list_letter_of_groups(letter),
            _ => {}
        }
        Vec::new()
    }

    fn choose(&mut self, by: isize) {
        let list = self.list();
        let Some(last) = list.len().checked_sub(1) else { return };
        let at = self.chosen.and_then(|c| list.iter().position(|n| *n == c));
        let at = at.map_or(0, |at| at.saturating_add_signed(by).min(last));
        self.chosen = list.get(at).copied();
    }

    fn enter(&mut self) -> Vec<Effect> {
        let list = self.list();
        let chosen = self.chosen.filter(|c| list.contains(c)).or(list.first().copied());
        chosen.map(|c| self.open_chat(c)).unwrap_or_default()
    }

    /// Accepting, refusing, blocking: in the list and in the conversation.
    fn about_chosen(&mut self, key: KeyEvent) -> Vec<Effect> {
        let which = if self.focus == Focus::Chat { self.open } else { self.chosen };
        let Some(chat) = which.and_then(|c| self.chats.get_mut(&c)) else { return Vec::new() };
        let (conversation, user) = (chat.info.conversation, chat.peer().to_owned());
        match key.code {
            KeyCode::Char('y') if chat.info.request => vec![Effect::Decide { conversation, accept: true }],
            KeyCode::Char('x') if chat.info.request => vec![Effect::Decide { conversation, accept: false }],
            KeyCode::Char('b') if chat.info.blocked => vec![Effect::Block { user, blocked: false }],
            KeyCode::Char('b') if !user.is_empty() => {
                self.dialog = Some(Dialog::Block(user));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn chat_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let (control, alt) = (key.modifiers.contains(KeyModifiers::CONTROL), key.modifiers.contains(KeyModifiers::ALT));
        if let Some(effects) = self.group_key(key) {
            return effects;
        }
        let (columns, rows) = (self.layout.composer_columns, self.layout.timeline_rows as i64);
        let Some(chat) = self.chat_mut() else { return Vec::new() };
        match key.code {
            KeyCode::Esc => self.escape(),
            KeyCode::Tab => self.focus = Focus::List,
            KeyCode::Enter if alt || key.modifiers.contains(KeyModifiers::SHIFT) => chat.draft.insert("\n"),
            KeyCode::Char('j') if control => chat.draft.insert("\n"),
            KeyCode::Enter => return self.send(),
            KeyCode::PageUp => return self.scroll(rows.max(2) - 1),
            KeyCode::PageDown => return self.scroll(1 - rows.max(2)),
            KeyCode::End if control || chat.draft.is_empty() => chat.anchor = None,
            KeyCode::Char('p') if control => self.choose_message(true),
            KeyCode::Char('n') if control => self.choose_message(false),
            KeyCode::Char('r') if control => self.reply(),
            KeyCode::Char('e') if control => self.edit_message(),
            KeyCode::Char('d') if control => self.recall(),
            KeyCode::Char('t') if control => return self.retry(),
            KeyCode::Char('o') if control => self.dialog = Some(Dialog::SignOut),
            KeyCode::Char('y' | 'x' | 'b') if control => return self.about_chosen(key),
            KeyCode::Up if chat.draft.is_empty() && chat.editing.is_none() => self.edit_message(),
            KeyCode::Up => drop(chat.draft.up(columns)),
            KeyCode::Down => drop(chat.draft.down(columns)),
            _ => {
                if edit(&mut chat.draft, key) {
                    return self.wrote();
                }
            }
        }
        Vec::new()
    }

    fn escape(&mut self) {
        let Some(chat) = self.chat_mut() else { return };
        if chat.editing.take().is_some() {
            chat.draft.take();
        } else if chat.reply_to.take().is_none() && chat.chosen.take().is_none() {
            self.focus = Focus::List;
        }
    }

    /// Tells now and then that one writes.
    fn wrote(&mut self) -> Vec<Effect> {
        let now_ms = self.now_ms;
        let Some(chat) = self.chat_mut() else { return Vec::new() };
        let typing = !chat.draft.is_empty();
        if chat.info.request || typing && now_ms - chat.told_typing_ms < TYPING_EVERY_MS || !typing && chat.told_typing_ms == 0 {
            return Vec::new();
        }
        chat.told_typing_ms = if typing { now_ms } else { 0 };
        vec![Effect::Typing { conversation: chat.info.conversation, typing }]
    }

    fn send(&mut self) -> Vec<Effect> {
        let local = self.local();
        let Some(chat) = self.chat_mut() else { return Vec::new() };
        let conversation = chat.info.conversation;
        let text = chat.draft.text().trim_end().to_owned();
        if text.trim().is_empty() {
            return Vec::new();
        }
        chat.draft.take();
        chat.told_typing_ms = 0;
        if let Some(words) = text.strip_prefix("/find").filter(|w| w.is_empty() || w.starts_with(char::is_whitespace)) {
            let mut effects = vec![Effect::Typing { conversation, typing: false }];
            effects.extend(self.find(words.trim(), None));
            return effects;
        }
        let editing = chat.editing.is_some();
        if let Some(wanted) = wanted(&text).filter(|_| !editing) {
            let mut effects = vec![Effect::Typing { conversation, typing: false }];
            effects.extend(self.on_wanted(wanted));
            return effects;
        }
        if let Some(order) = order(&text).filter(|_| !editing) {
            if matches!(order, Order::How(_)) {
                chat.draft = Editor::of(&text); // to be put right
            }
            let mut effects = vec![Effect::Typing { conversation, typing: false }];
            effects.extend(self.on_order(order));
            return effects;
        }
        let (text, burn_s) = match slash(&text).filter(|_| !editing) {
            None => (text, 0),
            Some(Slash::Burn(burn_s, words)) if chat.info.group.is_none() => (words, burn_s),
            Some(Slash::Burn(..)) => return self.on_slash(Slash::How(Word::BurnOnlyHere)),
            Some(slash) => return self.on_slash(slash),
        };
        let burn_s = chat.editing.and_then(|s| chat.messages.get(&s)).map_or(burn_s, |m| content::burn_s(&m.content));
        let content = content::burning(&content_of(&text, &std::mem::take(&mut chat.calls)), burn_s);
        if let Some(sequence) = chat.editing.take() {
            return vec![Effect::Edit { local, conversation, sequence, content }];
        }
        let answered = chat.reply_to.take().and_then(|s| chat.messages.get(&s));
        let (reply_to, reply_sequence) = match answered {
            Some(message) if chat.info.group.is_some() => (bytes::Bytes::new(), message.sequence),
            Some(message) => (message.id.clone(), 0),
            None => (bytes::Bytes::new(), 0),
        };
        (chat.anchor, chat.chosen) = (None, None);
        vec![self.say_as(local, conversation, content, (reply_to, reply_sequence))]
    }

    /// Sends again what failed.
    fn retry(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        let next = self.next_local;
        let Some(chat) = self.chat_mut() else { return effects };
        let conversation = chat.info.conversation;
        for (i, mine) in chat.mine.iter_mut().filter(|m| m.failed.is_some()).enumerate() {
            (mine.local, mine.counter, mine.failed) = (next + 1 + i as u64, None, None);
            let Mine { local, content, reply_to, reply_sequence, .. } = mine.clone();
            effects.push(Effect::Send { local, conversation, content, reply_to, reply_sequence });
        }
        self.next_local += effects.len() as u64;
        effects
    }

    fn scroll(&mut self, up: i64) -> Vec<Effect> {
        let at_top = self.layout.at_top;
        let Some(chat) = self.chat_mut() else { return Vec::new() };
        let newest = chat.messages.last_key_value().map_or(0, |(s, _)| *s);
        if up > 0 && at_top {
            if chat.low > 1 && !chat.loading {
                chat.loading = true;
                return vec![Effect::History { conversation: chat.info.conversation, before: chat.low }];
            }
            return Vec::new();
        }
        if chat.anchor.is_none() && up < 0 || newest == 0 {
            return Vec::new();
        }
        let anchor = chat.anchor.get_or_insert(Anchor { sequence: newest, up: 0 });
        anchor.up += up;
        Vec::new()
    }

    fn choose_message(&mut self, up: bool) {
        let Some(chat) = self.chat_mut() else { return };
        let next = match (chat.chosen, up) {
            (None, true) => chat.messages.last_key_value().map(|(s, _)| *s),
            (None, false) => None,
            (Some(at), true) => chat.messages.range(..at).next_back().map(|(s, _)| *s).or(Some(at)),
            (Some(at), false) => chat.messages.range(at + 1..).next().map(|(s, _)| *s),
        };
        chat.chosen = next;
        chat.anchor = next.map(|sequence| Anchor { sequence, up: 0 });
    }

    fn reply(&mut self) {
        let me = self.me.clone();
        let Some(chat) = self.chat_mut() else { return };
        let last_of_other =
            chat.messages.iter().rev().find(|(_, m)| m.author != me && !m.recalled && !m.expired).map(|(s, _)| *s);
        chat.reply_to = chat.chosen.or(last_of_other).or(chat.messages.last_key_value().map(|(s, _)| *s));
        (chat.chosen, chat.editing) = (None, None);
    }

    fn edit_message(&mut self) {
        let (me, language) = (self.me.clone(), self.language);
        let Some(chat) = self.chat_mut() else { return };
        let mine = |s: &u64| chat.messages.get(s).is_some_and(|m| m.author == me && !m.recalled && !m.expired);
        match chat.chosen.filter(mine).or(chat.last_of(&me)) {
            Some(sequence) => {
                let text = chat.messages.get(&sequence).map(|m| editable(&m.content, language)).unwrap_or_default();
                chat.draft = Editor::of(&text);
                (chat.editing, chat.reply_to) = (Some(sequence), None);
            }
            None => self.say(self.word(Word::NothingToEdit).to_owned()),
        }
    }

    fn recall(&mut self) {
        let me = self.me.clone();
        let Some(chat) = self.chat_mut() else { return };
        let above = chat.info.group.as_ref().is_some_and(|g| is_above(&g.role));
        let mine = |s: &u64| chat.messages.get(s).is_some_and(|m| (m.author == me || above) && !m.recalled && !m.expired);
        let conversation = chat.info.conversation;
        match chat.chosen.filter(mine).or(chat.last_of(&me)) {
            Some(sequence) => self.dialog = Some(Dialog::Recall { conversation, sequence }),
            None => self.say(self.word(Word::NothingToRecall).to_owned()),
        }
    }
}

/// Text, or code if it stands between lines of three backticks.
fn content_of(text: &str, calls: &[(String, String)]) -> bytes::Bytes {
    let fenced = text.strip_prefix("```").and_then(|t| t.strip_suffix("```")).and_then(|t| t.split_once('\n'));
    match fenced {
        Some((language, source)) if !source.trim().is_empty() && !language.contains('`') => {
            content::code(language.trim(), source.strip_suffix('\n').unwrap_or(source))
        }
        _ => content::text_with_mentions(text, calls),
    }
}

/// A content as it is written to be edited.
fn editable(bytes: &[u8], language: startalk_client::Language) -> String {
    match content::show(bytes, language) {
        content::Shown::Code { language, source } => format!("```{language}\n{source}\n```"),
        _ => plain(bytes, language),
    }
}
