//! Keys and answers about groups: the panel, prompts, rights, invitations, reactions, and calling members by name.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use startalk_client::{
    UserId,
    wire_types::{
        Admit, Ban, Destroy, GroupMember, Leave, MakeGroupLink, Members, Mute, Pin, React, SetRole, SetText, act_in_group::Act,
    },
};

use super::form_keys::edit;
use crate::screen::{
    app::{App, Dialog, Effect},
    editor::Editor,
    group::{Panel, Prompt, RightsSheet, Sheet, Tab, called, includes, is_above, name_of, without},
    words::Word,
};

/// A link made here is good for so long, in milliseconds: seven days.
const LINK_VALID_MS: i64 = 7 * 24 * 3600 * 1000;
/// Members of one group that are kept for the panel and for calling them.
const MEMBERS_SHOWN_MAX: usize = 2000;
/// Emoji that have a key of their own.
pub(in crate::screen) const QUICK: [&str; 6] = ["👍", "❤️", "😂", "🎉", "😮", "😢"];

impl App {
    /// A key while something about groups is in front.
    pub(super) fn sheet_key(&mut self, sheet: Sheet, key: KeyEvent) -> Vec<Effect> {
        match sheet {
            Sheet::Panel(panel) => self.panel_key(panel, key),
            Sheet::Prompt(prompt, editor) => self.prompt_key(prompt, editor, key),
            Sheet::Rights(sheet) => self.rights_key(sheet, key),
            Sheet::Sure(words, act) => {
                if key.code != KeyCode::Enter {
                    self.dialog = Some(Dialog::Group(Sheet::Sure(words, act)));
                    return Vec::new();
                }
                let (conversation, act) = *act;
                vec![self.act(conversation, act)]
            }
            Sheet::Invitations(at) => self.invitations_key(at, key),
            Sheet::Link(..) => Vec::new(),
        }
    }

    pub(super) fn act(&mut self, conversation: u64, act: Act) -> Effect {
        Effect::Act { local: self.local(), conversation, act: Box::new(act) }
    }

    fn prompt(&mut self, prompt: Prompt, text: &str) {
        self.dialog = Some(Dialog::Group(Sheet::Prompt(prompt, Editor::of(text))));
    }

    /// Letters in the list.
    pub(super) fn list_letter_of_groups(&mut self, letter: char) -> Vec<Effect> {
        match letter {
            'g' => self.prompt(Prompt::GroupName, ""),
            'l' => self.prompt(Prompt::JoinLink, ""),
            'v' => {
                self.dialog = Some(Dialog::Group(Sheet::Invitations(0)));
                return vec![Effect::Invitations];
            }
            _ => {}
        }
        Vec::new()
    }

    /// Keys in an open group. `None`: another's.
    pub(super) fn group_key(&mut self, key: KeyEvent) -> Option<Vec<Effect>> {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        let chat = self.chat()?;
        let conversation = chat.info.conversation;
        chat.info.group.as_ref()?;
        let newest = || {
            let mut all = chat.messages.iter().rev();
            all.find(|(_, m)| !m.recalled && startalk_client::content::system(&m.content).is_none()).map(|(s, _)| *s)
        };
        let target = chat.chosen.or_else(newest);
        let pinned = target.and_then(|s| chat.messages.get(&s)).is_some_and(|m| m.pinned);
        match key.code {
            KeyCode::Char('g') if control => Some(self.open_panel(conversation)),
            KeyCode::Char('l') if control => {
                if let Some(sequence) = target {
                    self.prompt(Prompt::React(conversation, sequence), "");
                }
                Some(Vec::new())
            }
            KeyCode::Char('k') if control => {
                let sequence = target?;
                Some(vec![self.act(conversation, Act::Pin(Pin { sequence, remove: pinned }))])
            }
            KeyCode::Char('f') if control => target.map(|sequence| vec![Effect::Readers { conversation, sequence }]),
            KeyCode::Tab if !self.candidates().is_empty() => {
                self.complete();
                Some(Vec::new())
            }
            _ => None,
        }
    }

    /// Members whom the word before the cursor may call: the word that calls them, and who they are.
    pub fn candidates(&self) -> Vec<(String, String)> {
        let Some(chat) = self.chat() else { return Vec::new() };
        let Some(group) = &chat.info.group else { return Vec::new() };
        let Some(word) = called(chat.draft.up_to_cursor()) else { return Vec::new() };
        let word = word.to_lowercase();
        let fits =
            |m: &&GroupMember| m.user != self.me && (name_of(m).to_lowercase().starts_with(&word) || m.user.starts_with(&word));
        let call = |name: &str| format!("@{}", name.replace([' ', '\n'], "_"));
        let mut all: Vec<(String, String)> =
            chat.members.iter().filter(fits).take(5).map(|m| (call(name_of(m)), m.user.clone())).collect();
        let everybody = self.word(Word::Everybody);
        let may = group.rights.as_ref().is_some_and(|r| includes(&r.at_all, &group.role));
        if may && (everybody.starts_with(&word) || "all".starts_with(&word)) {
            all.push((format!("@{everybody}"), "@all".to_owned()));
        }
        all
    }

    fn complete(&mut self) {
        let Some(first) = self.candidates().into_iter().next() else { return };
        let Some(chat) = self.chat_mut() else { return };
        let typed = called(chat.draft.up_to_cursor())
            .map_or(0, |w| unicode_segmentation::UnicodeSegmentation::graphemes(w, true).count());
        (0..=typed).for_each(|_| chat.draft.backspace());
        chat.draft.insert(&format!("{} ", first.0));
        chat.calls.push(first);
    }

    fn open_panel(&mut self, conversation: u64) -> Vec<Effect> {
        self.dialog = Some(Dialog::Group(Sheet::Panel(Panel { conversation, ..Panel::default() })));
        vec![Effect::Members { conversation, asked: false, from: 0 }]
    }

    fn panel_key(&mut self, mut panel: Panel, key: KeyEvent) -> Vec<Effect> {
        let conversation = panel.conversation;
        let Some(chat) = self.chats.get(&conversation) else { return Vec::new() };
        let Some(group) = chat.info.group.clone() else { return Vec::new() };
        let silent = chat.info.muted_until_ms > self.now_ms;
        let rows = match panel.tab {
            Tab::Members => chat.members.len(),
            Tab::Asked => panel.asked.len(),
            Tab::Links => panel.links.len(),
        };
        let chosen = match panel.tab {
            Tab::Members => chat.members.get(panel.at).cloned(),
            Tab::Asked => panel.asked.get(panel.at).cloned(),
            Tab::Links => None,
        };
        let link = panel.links.get(panel.at).filter(|_| panel.tab == Tab::Links).map(|l| l.link);
        let user = chosen.as_ref().map(|m| m.user.clone());
        let mut effects = Vec::new();
        match (key.code, panel.tab) {
            (KeyCode::Up | KeyCode::Char('k'), _) => panel.at = panel.at.saturating_sub(1),
            (KeyCode::Down | KeyCode::Char('j'), _) => panel.at = (panel.at + 1).min(rows.saturating_sub(1)),
            (KeyCode::Tab, _) => {
                let next = match panel.tab {
                    Tab::Members if is_above(&group.role) => Tab::Asked,
                    Tab::Members | Tab::Asked => Tab::Links,
                    Tab::Links => Tab::Members,
                };
                (panel.tab, panel.at) = (next, 0);
                effects.push(match next {
                    Tab::Members => Effect::Members { conversation, asked: false, from: 0 },
                    Tab::Asked => Effect::Members { conversation, asked: true, from: 0 },
                    Tab::Links => Effect::Links { conversation },
                });
            }
            (KeyCode::Char(letter), Tab::Asked) if matches!(letter, 'y' | 'x') => {
                if let Some(user) = user {
                    panel.asked.retain(|m| m.user != user);
                    panel.at = 0;
                    effects.push(self.act(conversation, Act::Admit(Admit { user, refuse: letter == 'x' })));
                }
            }
            (KeyCode::Char('x'), Tab::Links) => {
                if let Some(link) = link {
                    panel.links.retain(|l| l.link != link);
                    panel.at = 0;
                    effects.push(self.act(conversation, Act::RevokeLink(link)));
                }
            }
            (KeyCode::Char('l'), _) => {
                let wanted = MakeGroupLink { uses: 0, valid_ms: LINK_VALID_MS };
                effects.push(self.act(conversation, Act::MakeLink(wanted)));
            }
            (KeyCode::Char('p'), _) => return vec![Effect::Pins { conversation }],
            (KeyCode::Char('s'), _) => effects.push(Effect::SetConversation {
                conversation,
                muted_until_ms: if silent { 0 } else { i64::MAX },
                mentions_only: !silent,
            }),
            (KeyCode::Char('a'), _) => return self.prompted(Prompt::Add(conversation), ""),
            (KeyCode::Char('n'), _) => return self.prompted(Prompt::Text(conversation, "name"), &group.name),
            (KeyCode::Char('t'), _) => return self.prompted(Prompt::Text(conversation, "notice"), &group.notice),
            (KeyCode::Char('d'), _) => return self.prompted(Prompt::Text(conversation, "description"), &group.description),
            (KeyCode::Char('g'), _) => {
                let rights = group.rights.unwrap_or_default();
                self.dialog = Some(Dialog::Group(Sheet::Rights(RightsSheet { conversation, rights, at: 0 })));
                return effects;
            }
            (KeyCode::Char('e'), _) => {
                let words = self.with(Word::SureLeave, &[&group.name]);
                return self.sure(words, conversation, Act::Leave(Leave {}));
            }
            (KeyCode::Char('D'), _) => {
                let words = self.with(Word::SureDestroy, &[&group.name]);
                return self.sure(words, conversation, Act::Destroy(Destroy {}));
            }
            (KeyCode::Char(letter), Tab::Members) => {
                if let (Some(member), Some(user)) = (chosen, user) {
                    return self.about_member(panel, letter, &member, user);
                }
            }
            _ => {}
        }
        self.dialog = Some(Dialog::Group(Sheet::Panel(panel)));
        effects
    }

    fn about_member(&mut self, panel: Panel, letter: char, member: &GroupMember, user: String) -> Vec<Effect> {
        let (conversation, name) = (panel.conversation, name_of(member).to_owned());
        let muted = member.muted_until_ms > self.now_ms;
        let role = |role: &str| Act::SetRole(SetRole { user: user.clone(), role: role.to_owned() });
        match letter {
            'r' => {
                let act = role(if member.role == "administrator" { "member" } else { "administrator" });
                self.dialog = Some(Dialog::Group(Sheet::Panel(panel)));
                vec![self.act(conversation, act)]
            }
            'm' if muted => {
                self.dialog = Some(Dialog::Group(Sheet::Panel(panel)));
                vec![self.act(conversation, Act::Mute(Mute { user, until_ms: 0 }))]
            }
            'm' => self.prompted(Prompt::Mute(conversation, user), "60"),
            'o' => {
                let act = role("owner");
                self.sure(self.with(Word::SureOwner, &[&name]), conversation, act)
            }
            'x' => self.sure(self.with(Word::SureRemove, &[&name]), conversation, Act::Remove(user)),
            'b' => self.sure(self.with(Word::SureBan, &[&name]), conversation, Act::Ban(Ban { user, lift: false })),
            _ => {
                self.dialog = Some(Dialog::Group(Sheet::Panel(panel)));
                Vec::new()
            }
        }
    }

    fn prompted(&mut self, prompt: Prompt, text: &str) -> Vec<Effect> {
        self.prompt(prompt, text);
        Vec::new()
    }

    fn sure(&mut self, words: String, conversation: u64, act: Act) -> Vec<Effect> {
        self.dialog = Some(Dialog::Group(Sheet::Sure(words, Box::new((conversation, act)))));
        Vec::new()
    }

    fn rights_key(&mut self, mut sheet: RightsSheet, key: KeyEvent) -> Vec<Effect> {
        match key.code {
            KeyCode::Up => sheet.at = sheet.at.saturating_sub(1),
            KeyCode::Down => sheet.at = (sheet.at + 1).min(RightsSheet::ROWS - 1),
            KeyCode::Left => sheet.turn(false),
            KeyCode::Right | KeyCode::Char(' ') => sheet.turn(true),
            KeyCode::Enter => return vec![self.act(sheet.conversation, Act::SetRights(sheet.rights))],
            _ => {}
        }
        self.dialog = Some(Dialog::Group(Sheet::Rights(sheet)));
        Vec::new()
    }

    fn invitations_key(&mut self, at: usize, key: KeyEvent) -> Vec<Effect> {
        let last = self.invitations.len().saturating_sub(1);
        let (mut at, mut effects) = (at.min(last), Vec::new());
        match key.code {
            KeyCode::Up => at = at.saturating_sub(1),
            KeyCode::Down => at = (at + 1).min(last),
            KeyCode::Char(letter) if matches!(letter, 'y' | 'x') => {
                if let Some(group) = self.invitations.get(at).map(|i| i.group.clone()) {
                    without(&mut self.invitations, &group);
                    effects.push(Effect::DecideInvitation { local: self.local(), group, accept: letter == 'y' });
                }
            }
            _ => {}
        }
        if effects.is_empty() || !self.invitations.is_empty() {
            self.dialog = Some(Dialog::Group(Sheet::Invitations(at)));
        }
        effects
    }

    fn prompt_key(&mut self, prompt: Prompt, mut editor: Editor, key: KeyEvent) -> Vec<Effect> {
        if let (Prompt::React(conversation, sequence), KeyCode::Char(digit)) = (&prompt, key.code)
            && editor.is_empty()
            && let Some(emoji) = digit.to_digit(10).and_then(|d| QUICK.get((d as usize).checked_sub(1)?))
        {
            return vec![self.react(*conversation, *sequence, emoji)];
        }
        if key.code != KeyCode::Enter {
            edit(&mut editor, key);
            self.dialog = Some(Dialog::Group(Sheet::Prompt(prompt, editor)));
            return Vec::new();
        }
        let text = editor.text().trim().to_owned();
        if text.is_empty() && !matches!(prompt, Prompt::JoinWord(_) | Prompt::Text(..)) {
            return Vec::new();
        }
        match prompt {
            Prompt::GroupName => self.prompted(Prompt::GroupMembers(text), ""),
            Prompt::GroupMembers(name) => match self.users(&text) {
                Some(members) => vec![Effect::CreateGroup { local: self.local(), name, members }],
                None => {
                    self.say(self.word(Word::NotAUser).to_owned());
                    self.prompted(Prompt::GroupMembers(name), &text)
                }
            },
            Prompt::JoinLink => self.prompted(Prompt::JoinWord(text), ""),
            Prompt::JoinWord(link) => vec![Effect::JoinGroup { local: self.local(), link, word: text }],
            Prompt::Add(conversation) => match self.users(&text) {
                Some(users) => users.into_iter().map(|u| self.act(conversation, Act::Add(u.to_string()))).collect(),
                None => {
                    self.say(self.word(Word::NotAUser).to_owned());
                    self.prompted(Prompt::Add(conversation), &text)
                }
            },
            Prompt::Text(conversation, which) => {
                vec![self.act(conversation, Act::SetText(SetText { text: which.to_owned(), value: text }))]
            }
            Prompt::Mute(conversation, user) => {
                let minutes = text.parse::<i64>().unwrap_or(60).clamp(1, 60 * 24 * 365);
                let until_ms = self.now_ms.saturating_add(minutes * 60_000);
                vec![self.act(conversation, Act::Mute(Mute { user, until_ms }))]
            }
            Prompt::React(conversation, sequence) => vec![self.react(conversation, sequence, &text)],
        }
    }

    /// Chooses an emoji, or takes it back if it was chosen.
    fn react(&mut self, conversation: u64, sequence: u64, emoji: &str) -> Effect {
        let message = self.chats.get(&conversation).and_then(|c| c.messages.get(&sequence));
        let remove = message.is_some_and(|m| m.reactions.iter().any(|r| r.mine && r.emoji == emoji));
        self.act(conversation, Act::React(React { sequence, emoji: emoji.to_owned(), remove }))
    }

    /// People named one after another; of the own domain where none is said.
    fn users(&self, text: &str) -> Option<Vec<UserId>> {
        let own = self.me.split_once('@').map_or("", |(_, domain)| domain);
        let whole = |t: &str| if t.contains('@') { t.to_owned() } else { format!("{t}@{own}") };
        let parts = text.split([',', '，', '、', ' ', ';']).map(str::trim).filter(|t| !t.is_empty());
        parts.map(|t| whole(t).parse().ok()).collect()
    }

    /// A page of members.
    pub(super) fn on_members(&mut self, members: Members, asked: bool) -> Vec<Effect> {
        let conversation = members.conversation;
        for member in members.members.iter().filter(|m| !m.display_name.is_empty()) {
            self.names.insert(member.user.clone(), member.display_name.clone());
        }
        if !asked {
            let next = members.next;
            let from = members.members.first().map_or(0, |m| m.member);
            let known = &mut self.entry(conversation).members;
            known.retain(|m| from > 1 && m.member < from);
            known.extend(members.members);
            // All of a group of ordinary size; of a larger one, the first.
            if next != 0 && known.len() < MEMBERS_SHOWN_MAX {
                return vec![Effect::Members { conversation, asked, from: next }];
            }
        } else if let Some(Dialog::Group(Sheet::Panel(panel))) = &mut self.dialog
            && panel.conversation == conversation
        {
            panel.asked = members.members;
        }
        Vec::new()
    }
}
