//! Keys and pastes while the form, the recovery codes or a dialog is shown; and in every text.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use startalk_client::{Language, UserId};

use crate::screen::{
    app::{App, Dialog, Effect, Focus, Mode},
    editor::Editor,
    form::{Form, Step},
    group::Sheet,
    words::Word,
};

/// A key in a text. False if it is not for a text.
pub(super) fn edit(editor: &mut Editor, key: KeyEvent) -> bool {
    let (control, alt) = (key.modifiers.contains(KeyModifiers::CONTROL), key.modifiers.contains(KeyModifiers::ALT));
    match key.code {
        KeyCode::Char('u') if control => editor.cut_line(),
        KeyCode::Char('w') if control => editor.cut_word(),
        KeyCode::Char('a') if control => editor.home(),
        KeyCode::Char(c) if !control && !alt => editor.insert(c.encode_utf8(&mut [0; 4])),
        KeyCode::Backspace if alt || control => editor.cut_word(),
        KeyCode::Backspace => editor.backspace(),
        KeyCode::Delete => editor.delete(),
        KeyCode::Left if control || alt => editor.word_left(),
        KeyCode::Right if control || alt => editor.word_right(),
        KeyCode::Left => editor.left(),
        KeyCode::Right => editor.right(),
        KeyCode::Home => editor.home(),
        KeyCode::End => editor.end(),
        _ => return false,
    }
    true
}

impl App {
    /// A key.
    pub(in crate::screen) fn on_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'q') if control => return vec![Effect::Quit],
            KeyCode::F(3) => {
                self.language = if self.language == Language::Chinese { Language::English } else { Language::Chinese };
                return Vec::new();
            }
            KeyCode::F(4) if matches!(self.mode, Mode::Chats) && self.dialog.is_none() => {
                let inside = self.open.filter(|_| self.focus == Focus::Chat);
                return self.find("", inside);
            }
            KeyCode::F(1) if matches!(self.mode, Mode::Chats) => {
                self.dialog = Some(Dialog::Help);
                return Vec::new();
            }
            _ => {}
        }
        match &mut self.mode {
            Mode::Form(_) => self.form_key(key),
            Mode::Codes(_) => {
                if key.code == KeyCode::Enter {
                    self.mode = Mode::Chats;
                }
                Vec::new()
            }
            Mode::Chats if self.dialog.is_some() => self.dialog_key(key),
            Mode::Chats if self.focus == Focus::Chat && self.open.is_some() => self.chat_key(key),
            Mode::Chats => self.list_key(key),
        }
    }

    /// A pasted text.
    pub(in crate::screen) fn on_paste(&mut self, text: &str) -> Vec<Effect> {
        let one_line = || text.trim().replace(['\r', '\n'], " ");
        match (&mut self.mode, &mut self.dialog) {
            (Mode::Form(form), _) if !form.busy => form.current().insert(&one_line()),
            (Mode::Chats, Some(Dialog::NewConversation(editor) | Dialog::Group(Sheet::Prompt(_, editor)))) => {
                editor.insert(&one_line());
            }
            (Mode::Chats, Some(Dialog::Find(_))) => {
                if let Some(Dialog::Find(mut find)) = self.dialog.take() {
                    find.words.insert(&one_line());
                    return self.finding(*find);
                }
            }
            (Mode::Chats, None) if self.focus == Focus::Chat => {
                if let Some(chat) = self.chat_mut() {
                    chat.draft.insert(text);
                }
            }
            (Mode::Chats, None) => {
                if let Some(filter) = &mut self.filter {
                    filter.insert(&one_line());
                }
            }
            _ => {}
        }
        Vec::new()
    }

    fn form_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let language = self.language;
        let Mode::Form(form) = &mut self.mode else { return Vec::new() };
        if form.busy {
            return Vec::new();
        }
        match key.code {
            KeyCode::F(2) => form.turn(),
            KeyCode::Tab | KeyCode::Down => form.go(1),
            KeyCode::BackTab | KeyCode::Up => form.go(-1),
            KeyCode::Enter => return submit(form, language),
            _ => drop(edit(form.current(), key)),
        }
        Vec::new()
    }

    fn dialog_key(&mut self, key: KeyEvent) -> Vec<Effect> {
        let Some(dialog) = &mut self.dialog else { return Vec::new() };
        if key.code == KeyCode::Esc {
            self.dialog = None;
            return Vec::new();
        }
        if let Dialog::Group(_) = dialog {
            return match self.dialog.take() {
                Some(Dialog::Group(sheet)) => self.sheet_key(sheet, key),
                _ => Vec::new(),
            };
        }
        if let Dialog::Find(_) = dialog {
            return match self.dialog.take() {
                Some(Dialog::Find(find)) => self.find_key(*find, key),
                _ => Vec::new(),
            };
        }
        if key.code != KeyCode::Enter {
            if let Dialog::NewConversation(editor) = dialog {
                edit(editor, key);
            }
            return Vec::new();
        }
        match self.dialog.take() {
            None | Some(Dialog::Help | Dialog::Text(_) | Dialog::Group(_) | Dialog::Find(_)) => Vec::new(),
            Some(Dialog::NewConversation(editor)) => self.begin(editor),
            Some(Dialog::Recall { conversation, sequence }) => {
                let local = self.local();
                vec![Effect::Recall { local, conversation, sequence }]
            }
            Some(Dialog::Block(user)) => vec![Effect::Block { user, blocked: true }],
            Some(Dialog::SignOut) => vec![Effect::SignOut],
        }
    }

    fn begin(&mut self, editor: Editor) -> Vec<Effect> {
        let typed = editor.text().trim();
        let own = self.me.split_once('@').map_or("", |(_, domain)| domain);
        let whole = if typed.contains('@') { typed.to_owned() } else { format!("{typed}@{own}") };
        if let Ok(user) = whole.parse::<UserId>() {
            return match self.chats.values().find(|c| c.peer() == user.to_string()).map(|c| c.info.conversation) {
                Some(conversation) => self.open_chat(conversation),
                None => vec![Effect::Open(user)],
            };
        }
        self.say(self.word(Word::NotAUser).to_owned());
        self.dialog = Some(Dialog::NewConversation(editor));
        Vec::new()
    }
}

fn submit(form: &mut Form, language: Language) -> Vec<Effect> {
    if let Some(missing) = form.missing() {
        form.at = missing;
        return Vec::new();
    }
    let filled = form.filled();
    let server = filled.server.clone();
    let place = [filled.invitation.as_str(), &server, filled.user.split_once('@').map_or("", |(_, d)| d)];
    let place = place.into_iter().find(|p| !p.is_empty()).unwrap_or("…");
    form.steps = vec![Step::Doing(Word::FindingDomain.with(language, &[place]))];
    form.busy = true;
    vec![Effect::Enter(Box::new(filled))]
}
