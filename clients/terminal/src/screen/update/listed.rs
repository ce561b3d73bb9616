//! Lists of the account, asked for with a slash: what is said later, what one is reminded of, what one has kept, and what the open
//! conversation holds besides words. Shown as lines; an entry is taken away by its number.

use startalk_client::content;

use crate::screen::{
    app::{App, Dialog, Effect, List, Listed},
    chat::{covered, plain},
    time::Moment,
    words::Word,
    wrap::{cut, harmless},
};

/// Entries that are shown at most.
const SHOWN_MAX: usize = 40;
/// Columns of what an entry says.
const SAID_COLUMNS: usize = 48;
/// Columns of a name.
const NAME_COLUMNS: usize = 16;

/// What a line with a slash asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Show it.
    Show(List),
    /// Take this entry away.
    Drop(List, u64),
    /// Keep the chosen message, or the newest, with this note.
    Keep(String),
    /// How it is written.
    How,
}

/// `None`: the line is none of these.
pub(super) fn wanted(text: &str) -> Option<Wanted> {
    let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let list = match command {
        "/keep" => return Some(Wanted::Keep(rest.trim().to_owned())),
        "/scheduled" => List::Scheduled,
        "/reminders" => List::Reminders,
        "/saved" => List::Saved,
        "/files" => List::Files,
        _ => return None,
    };
    Some(match rest.split_whitespace().collect::<Vec<_>>()[..] {
        [] => Wanted::Show(list),
        ["drop", number] if list != List::Files => {
            number.trim_start_matches('#').parse().map_or(Wanted::How, |number| Wanted::Drop(list, number))
        }
        _ => Wanted::How,
    })
}

impl App {
    pub(super) fn on_wanted(&mut self, wanted: Wanted) -> Vec<Effect> {
        let me = self.me.clone();
        let Some(chat) = self.chat_mut() else { return Vec::new() };
        let conversation = chat.info.conversation;
        match wanted {
            Wanted::Show(list) => vec![Effect::List { list, conversation }],
            Wanted::Drop(list, number) => vec![Effect::Drop { list, number }],
            Wanted::Keep(note) => {
                let newest = chat.messages.iter().rev().find(|(_, m)| !m.recalled && covered(m, &me).is_none()).map(|(s, _)| *s);
                let Some(sequence) = chat.chosen.take().or(newest) else { return Vec::new() };
                self.say(self.word(Word::KeptAmongSaved).to_owned());
                vec![Effect::Keep { conversation, sequence, note }]
            }
            Wanted::How => {
                self.say(self.word(Word::ListsHow).to_owned());
                Vec::new()
            }
        }
    }

    /// What was asked for is here.
    pub(super) fn on_listed(&mut self, list: List, entries: &[Listed]) {
        let title = match list {
            List::Scheduled => Word::ListScheduled,
            List::Reminders => Word::ListReminders,
            List::Saved => Word::ListSaved,
            List::Files => Word::ListFiles,
        };
        let line = |e: &Listed| {
            let at = Moment::of(e.at_ms, self.offset_seconds);
            let burn_s = content::burn_s(&e.content);
            let said = match burn_s {
                _ if e.content.is_empty() => e.state.clone(),
                // A list is no way to read what nobody has opened.
                1.. if e.author != self.me && !e.author.is_empty() => self.with(Word::BurnsMark, &[&burn_s.to_string()]),
                _ => plain(&e.content, self.language),
            };
            let name = if e.author == self.me { self.word(Word::You).to_owned() } else { self.name_of(&e.author) };
            let author = if e.author.is_empty() { String::new() } else { format!("{}: ", cut(&name, NAME_COLUMNS)) };
            let note = if e.note.is_empty() { String::new() } else { format!(" ({})", harmless(&e.note)) };
            let failed = if e.failed.is_empty() { String::new() } else { format!(" ⚠ {}", harmless(&e.failed)) };
            let words = cut(&format!("{author}{}{note}", said.replace('\n', " ")), SAID_COLUMNS);
            let number = if list == List::Files { String::new() } else { format!("#{} ", e.number) };
            format!("{number}{} {} {words}{failed}", at.calendar(), at.clock())
        };
        let mut lines = vec![self.word(title).to_owned(), String::new()];
        lines.extend(entries.iter().take(SHOWN_MAX).map(line));
        if entries.len() > SHOWN_MAX {
            lines.push(self.with(Word::MoreListed, &[&(entries.len() - SHOWN_MAX).to_string()]));
        }
        if entries.is_empty() {
            lines.push(self.word(Word::NothingListed).to_owned());
        }
        lines.push(String::new());
        self.dialog = Some(Dialog::Text(lines.join("\n")));
    }
}

#[cfg(test)]
mod tests {
    use startalk_client::Language;

    use super::super::tests::{NOON, open_bob, running};
    use super::*;
    use crate::screen::app::Input;

    #[test]
    fn lines_about_lists_are_read() {
        assert_eq!(wanted("/scheduled"), Some(Wanted::Show(List::Scheduled)));
        assert_eq!(wanted("/reminders drop #3"), Some(Wanted::Drop(List::Reminders, 3)));
        assert_eq!(wanted("/saved drop 12"), Some(Wanted::Drop(List::Saved, 12)));
        assert_eq!(wanted("/files"), Some(Wanted::Show(List::Files)));
        assert_eq!(wanted("/keep for the trip"), Some(Wanted::Keep("for the trip".into())));
        for line in ["/saved drop", "/saved drop x", "/files drop 1", "/scheduled now"] {
            assert_eq!(wanted(line), Some(Wanted::How), "{line}");
        }
        assert_eq!(wanted("/filesystem"), None);
    }

    #[test]
    fn what_was_asked_for_stands_in_lines_with_its_numbers() {
        let mut app = running(Language::English);
        open_bob(&mut app);
        let entry = |number, text: &str, failed: &str| Listed {
            number,
            at_ms: NOON,
            content: content::text(text),
            failed: failed.to_owned(),
            ..Listed::default()
        };
        let entries = vec![entry(3, "see you\nthere", ""), entry(7, "too late", "forbidden")];
        app.update(Input::Listed { list: List::Scheduled, result: Ok(entries) }, NOON);
        let Some(Dialog::Text(shown)) = &app.dialog else { panic!("{:?}", app.dialog) };
        let lines: Vec<&str> = shown.lines().filter(|l| l.starts_with('#')).collect();
        assert!(lines[0].starts_with("#3 ") && lines[0].ends_with(" see you there"), "{shown}");
        assert!(lines[1].ends_with("too late ⚠ forbidden"), "{shown}");
        let burning = content::burning(&content::text("between us"), 30);
        let burning = Listed { content: burning, author: "bob@b.example".into(), ..Listed::default() };
        app.update(Input::Listed { list: List::Saved, result: Ok(vec![burning; SHOWN_MAX + 2]) }, NOON);
        let Some(Dialog::Text(shown)) = &app.dialog else { panic!("{:?}", app.dialog) };
        assert!(!shown.contains("between us") && shown.contains("2 more"), "{shown}");
        app.update(Input::Listed { list: List::Saved, result: Ok(Vec::new()) }, NOON);
        assert!(matches!(&app.dialog, Some(Dialog::Text(shown)) if shown.contains("Nothing")));
    }
}
