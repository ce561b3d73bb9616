//! What is written with a slash about later: said at a time, reminded of, burning, opened.

use startalk_client::content;

use crate::screen::{
    app::{App, Effect},
    chat::covered,
    time::Moment,
    words::Word,
};

const MINUTE_MS: i64 = 60_000;

/// What a line with a slash asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Slash {
    /// Say this after so many minutes.
    Later(i64, String),
    /// Remind of the chosen message, or of this, after so many minutes.
    Remind(i64, String),
    /// Say this; it burns so many seconds after it was opened.
    Burn(u32, String),
    /// Open the chosen message, or the newest that burns.
    Open,
    /// How it is written.
    How(Word),
}

/// `None`: the line is none of these.
pub(super) fn slash(text: &str) -> Option<Slash> {
    let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let (number, words) = rest.trim_start().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
    let (number, words) = (number.parse::<u32>().ok().filter(|n| *n > 0), words.trim().to_owned());
    Some(match (command, number, words.is_empty()) {
        ("/open", _, _) if rest.trim().is_empty() => Slash::Open,
        ("/later", Some(minutes), false) => Slash::Later(i64::from(minutes) * MINUTE_MS, words),
        ("/remind", Some(minutes), _) => Slash::Remind(i64::from(minutes) * MINUTE_MS, words),
        ("/burn", Some(seconds), false) => Slash::Burn(seconds, words),
        ("/later", ..) => Slash::How(Word::LaterHow),
        ("/remind", ..) => Slash::How(Word::RemindHow),
        ("/burn", ..) => Slash::How(Word::BurnOnlyHere),
        _ => return None,
    })
}

impl App {
    /// Does what was asked for in the open conversation; what burns is said as other messages are.
    pub(super) fn on_slash(&mut self, slash: Slash) -> Vec<Effect> {
        let (me, at) = (self.me.clone(), |app: &Self, ms: i64| Moment::of(app.now_ms + ms, app.offset_seconds).clock());
        let Some(chat) = self.chat_mut() else { return Vec::new() };
        let conversation = chat.info.conversation;
        match slash {
            Slash::Later(after_ms, words) => {
                self.say(self.with(Word::ScheduledFor, &[&at(self, after_ms)]));
                vec![Effect::Later { conversation, content: content::text(&words), after_ms }]
            }
            Slash::Remind(after_ms, note) => {
                let newest = chat.messages.last_key_value().map_or(0, |(s, _)| *s);
                let sequence = chat.chosen.take().unwrap_or(if note.is_empty() { newest } else { 0 });
                let conversation = if sequence == 0 { 0 } else { conversation };
                self.say(self.with(Word::RemindedAt, &[&at(self, after_ms)]));
                vec![Effect::Remind { conversation, sequence, note, after_ms }]
            }
            Slash::Open => {
                let closed = |s: &u64| chat.messages.get(s).is_some_and(|m| covered(m, &me).is_some());
                let newest = chat.messages.iter().rev().find(|(_, m)| covered(m, &me).is_some()).map(|(s, _)| *s);
                match chat.chosen.filter(closed).or(newest) {
                    Some(sequence) => vec![Effect::OpenMessage { conversation, sequence }],
                    None => {
                        self.say(self.word(Word::NothingToOpen).to_owned());
                        Vec::new()
                    }
                }
            }
            Slash::How(word) => {
                self.say(self.word(word).to_owned());
                Vec::new()
            }
            Slash::Burn(..) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_slash_are_read() {
        assert_eq!(slash("/later 5 see you"), Some(Slash::Later(300_000, "see you".into())));
        assert_eq!(slash("/remind 5"), Some(Slash::Remind(300_000, String::new())));
        assert_eq!(slash("/burn 10 between us"), Some(Slash::Burn(10, "between us".into())));
        assert_eq!(slash("/open"), Some(Slash::Open));
        for (line, how) in [
            ("/later soon", Word::LaterHow),
            ("/later 5", Word::LaterHow),
            ("/remind 0", Word::RemindHow),
            ("/burn x y", Word::BurnOnlyHere),
        ] {
            assert_eq!(slash(line), Some(Slash::How(how)), "{line}");
        }
        for line in ["/open the door", "later 5 x", "/laterally 5 x", "hello"] {
            assert_eq!(slash(line), None, "{line}");
        }
    }
}
