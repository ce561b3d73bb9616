//! What is written with a slash about files and other kinds of message: sent, saved, stopped.
//!
//! Nothing here looks at the disk: whether a file exists is found out by whoever carries the effect out.

use startalk_client::{
    ClientError, UserId, content, files_of, size_words,
    wire_content::{Content, File, content::Kind},
};

use crate::screen::{
    app::{App, Effect, Moving, Trouble},
    chat::{Chat, Mine, covered},
    words::Word,
};

/// What a line with a slash asks for.
#[derive(Debug, PartialEq)]
pub(super) enum Order {
    /// Send these files; unchanged: none of them as a picture or a video.
    Send { paths: Vec<String>, caption: String, unchanged: bool },
    /// Save the files of the chosen message, or of the newest that has some, in this folder.
    Save(String),
    /// Stop every transfer.
    Cancel,
    /// Say this.
    Say(bytes::Bytes),
    /// Say the chosen message, or the newest, in the conversation of this name.
    Forward(String),
    /// How it is written.
    How(Word),
}

/// `None`: the line is none of these.
pub(super) fn order(text: &str) -> Option<Order> {
    let (command, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let rest = rest.trim();
    Some(match command {
        "/send" | "/file" => {
            let (files, caption) = match rest.split_once("-- ").filter(|(f, _)| f.is_empty() || f.ends_with(' ')) {
                Some((files, caption)) => (files, caption.trim()),
                None => (rest, ""),
            };
            match words(files) {
                Some(paths) if !paths.is_empty() => {
                    Order::Send { paths, caption: caption.to_owned(), unchanged: command == "/file" }
                }
                _ => Order::How(Word::SendHow),
            }
        }
        "/save" => match words(rest).as_deref() {
            Some([]) => Order::Save(String::new()),
            Some([folder]) => Order::Save(folder.clone()),
            _ => Order::How(Word::SaveHow),
        },
        "/cancel" if rest.is_empty() => Order::Cancel,
        "/shake" if rest.is_empty() => Order::Say(content::shake()),
        "/location" => {
            let mut parts = rest.splitn(3, char::is_whitespace);
            let mut degrees = || parts.next()?.trim_end_matches(',').parse::<f64>().ok();
            match (degrees(), degrees()) {
                (Some(latitude), Some(longitude)) => {
                    let place = content::location(latitude, longitude, parts.next().unwrap_or_default().trim(), "");
                    place.map_or(Order::How(Word::LocationHow), Order::Say)
                }
                _ => Order::How(Word::LocationHow),
            }
        }
        "/code" => match text["/code".len()..].split_once('\n') {
            Some((language, source)) if !source.trim().is_empty() && !language.trim().contains(char::is_whitespace) => {
                Order::Say(content::code(language.trim(), source.trim_end()))
            }
            _ => Order::How(Word::CodeHow),
        },
        "/forward" if rest.is_empty() => Order::How(Word::ForwardHow),
        "/forward" => Order::Forward(rest.to_owned()),
        "/contact" => match rest.parse::<UserId>() {
            Ok(user) => Order::Say(content::contact_card(&user, "")),
            Err(_) => Order::How(Word::ContactHow),
        },
        _ => return None,
    })
}

/// The files of a content that one wants to have: of pictures those that open in full, without their smaller copies.
fn files_to_save(content: &bytes::Bytes) -> Vec<File> {
    use prost::Message as _;
    let content = Content::decode(content.clone()).unwrap_or_default();
    match &content.kind {
        Some(Kind::Album(album)) => album.pictures.iter().filter_map(|p| p.file.clone()).collect(),
        _ => files_of(&content).first().map(|f| (*f).clone()).into_iter().collect(),
    }
}

/// Words, where quotes keep spaces together and a backslash keeps the next character; `None`: a quote is not closed.
fn words(text: &str) -> Option<Vec<String>> {
    let (mut all, mut word, mut begun, mut quote) = (Vec::new(), String::new(), false, None);
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, quote) {
            (c, Some(q)) if c == q => quote = None,
            ('"' | '\'', None) => (quote, begun) = (Some(c), true),
            ('\\', None | Some('"')) => {
                word.push(rest.next()?);
                begun = true;
            }
            (c, None) if c.is_whitespace() => {
                if std::mem::take(&mut begun) {
                    all.push(std::mem::take(&mut word));
                }
            }
            (c, _) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        all.push(word);
    }
    quote.is_none().then_some(all)
}

impl App {
    /// Does what was asked for in the open conversation.
    pub(super) fn on_order(&mut self, order: Order) -> Vec<Effect> {
        let Some(conversation) = self.open else { return Vec::new() };
        match order {
            Order::Send { paths, caption, unchanged } => {
                let local = self.begin_transfer(&paths.join(" "), true);
                vec![Effect::Upload { local, conversation, paths, caption, unchanged }]
            }
            Order::Save(folder) => self.save(conversation, &folder),
            Order::Cancel if self.transfers.is_empty() => {
                self.say(self.word(Word::NothingMoves).to_owned());
                Vec::new()
            }
            Order::Cancel => {
                self.say(self.word(Word::TransfersStopped).to_owned());
                std::mem::take(&mut self.transfers).into_keys().map(|local| Effect::Stop { local }).collect()
            }
            Order::Forward(to) => self.forward(&to),
            Order::Say(content) => vec![self.say_in(conversation, content)],
            Order::How(word) => {
                self.say(self.word(word).to_owned());
                Vec::new()
            }
        }
    }

    fn save(&mut self, conversation: u64, folder: &str) -> Vec<Effect> {
        let me = self.me.clone();
        let Some(chat) = self.chat_mut() else { return Vec::new() };
        let files = |sequence: u64| {
            let message = chat.messages.get(&sequence).filter(|m| !m.recalled && covered(m, &me).is_none())?;
            Some((sequence, files_to_save(&message.content))).filter(|(_, files)| !files.is_empty())
        };
        let found = match chat.chosen {
            Some(sequence) => files(sequence),
            None => chat.messages.keys().rev().find_map(|s| files(*s)),
        };
        match found {
            Some((sequence, files)) => {
                let local = self.begin_transfer(&super::super::wrap::harmless(&files[0].name), false);
                vec![Effect::Download { local, conversation, sequence, files, folder: folder.to_owned() }]
            }
            None => {
                self.say(self.word(Word::NothingToSave).to_owned());
                Vec::new()
            }
        }
    }

    /// Says a message again elsewhere.
    fn forward(&mut self, to: &str) -> Vec<Effect> {
        let me = self.me.clone();
        let is_it = |c: &Chat| c.peer() == to || c.name() == to || c.peer().split_once('@').is_some_and(|(name, _)| name == to);
        let target = self.chats.values().find(|c| is_it(c)).map(|c| (c.info.conversation, c.name()));
        let Some(chat) = self.chat_mut() else { return Vec::new() };
        let message = chat.chosen.map_or_else(|| chat.messages.values().next_back(), |s| chat.messages.get(&s));
        let content =
            message.filter(|m| !m.recalled && covered(m, &me).is_none()).and_then(|m| content::forwarded(&m.content).ok());
        match (target, content) {
            (None, _) => self.say(self.with(Word::ForwardNobody, &[&super::super::wrap::harmless(to)])),
            (_, None) => self.say(self.word(Word::NotForwarded).to_owned()),
            (Some((conversation, name)), Some(content)) => {
                let effect = self.say_in(conversation, content);
                self.say(self.with(Word::ForwardedTo, &[&name]));
                return vec![effect];
            }
        }
        Vec::new()
    }

    /// From here on the transfer is shown and can be stopped.
    fn begin_transfer(&mut self, name: &str, up: bool) -> u64 {
        let local = self.local();
        let name = name.to_owned();
        let moving = Moving { name, up, done: 0, total: 0, from: 0, since_ms: self.now_ms, waiting: false };
        self.transfers.insert(local, moving);
        local
    }

    /// A file moved on; of a transfer that was stopped nothing is taken any more.
    pub(super) fn on_moved(&mut self, local: u64, name: &str, up: bool, done: Option<(u64, u64)>, waiting: bool) {
        let since_ms = self.now_ms;
        let Some(moving) = self.transfers.get_mut(&local) else { return };
        let Some((done, total)) = done else {
            moving.waiting = waiting;
            return;
        };
        let begins = moving.name != name || moving.total == 0 || moving.waiting || done < moving.done;
        let (from, since_ms) = if begins { (done, since_ms) } else { (moving.from, moving.since_ms) };
        *moving = Moving { name: name.to_owned(), up, done, total, from, since_ms, waiting };
    }

    /// Says something that was not written in the draft.
    pub(super) fn say_in(&mut self, conversation: u64, content: bytes::Bytes) -> Effect {
        let local = self.local();
        self.say_as(local, conversation, content, (bytes::Bytes::new(), 0))
    }

    /// Says something under this number, as an answer to an id, or in a group to a sequence.
    pub(super) fn say_as(&mut self, local: u64, conversation: u64, content: bytes::Bytes, reply: (bytes::Bytes, u64)) -> Effect {
        let ((reply_to, reply_sequence), time_ms) = (reply, self.now_ms);
        self.entry(conversation).mine.push(Mine {
            local,
            counter: None,
            content: content.clone(),
            reply_to: reply_to.clone(),
            reply_sequence,
            waiting: false,
            device: 0,
            time_ms,
            failed: None,
        });
        Effect::Send { local, conversation, content, reply_to, reply_sequence }
    }

    /// Something was uploaded, and is said now; or could not be.
    pub(super) fn on_uploaded(&mut self, local: u64, conversation: u64, result: Result<bytes::Bytes, Trouble>) -> Vec<Effect> {
        if !self.transfers.contains_key(&local) {
            return Vec::new(); // stopped meanwhile
        }
        match result {
            Ok(content) => vec![self.say_in(conversation, content)],
            Err(trouble) => {
                self.transfers.remove(&local);
                self.say(self.trouble(&trouble));
                Vec::new()
            }
        }
    }

    /// A file was saved, or not.
    pub(super) fn on_saved(&mut self, local: u64, result: Result<String, Trouble>) {
        if result.is_err() {
            self.transfers.remove(&local);
        }
        match result {
            Ok(path) => self.say(self.with(Word::SavedAs, &[&super::super::wrap::harmless(&path)])),
            Err(trouble) => self.say(self.trouble(&trouble)),
        }
    }

    fn trouble(&self, trouble: &Trouble) -> String {
        match trouble {
            Trouble::Missing(path) => self.with(Word::NoSuchFile, &[path]),
            Trouble::Folder(path) => self.with(Word::IsFolder, &[path]),
            Trouble::Other(path, error @ ClientError::Refused(_)) => format!("{path}: {}", error.words(self.language)),
            Trouble::Other(path, error) => self.with(Word::NotMoved, &[path, &error.words(self.language)]),
        }
    }

    /// How the transfers go, in a line; `None`: there are none.
    pub(in crate::screen) fn moving_words(&self) -> Option<String> {
        let one = |m: &Moving| {
            let (done, total) = (m.done.min(m.total), m.total.max(1));
            let cells = usize::try_from(done * 10 / total).unwrap_or(0).min(10);
            let bar = format!("{}{}", "█".repeat(cells), "░".repeat(10 - cells));
            let arrow = if m.up { "↑" } else { "↓" };
            let sizes = format!("{}/{}", size_words(done), size_words(m.total));
            let words = format!("{arrow} {} {bar} {sizes}", super::super::wrap::cut(&m.name, 20));
            if m.waiting {
                return format!("{words} {}", self.word(Word::TransferWaits));
            }
            let (moved, ms) = (m.done.saturating_sub(m.from), u64::try_from(self.now_ms - m.since_ms).unwrap_or(0));
            match (moved * 1000).checked_div(ms).filter(|speed| *speed > 0 && ms >= 1000) {
                Some(speed) => {
                    let left = (m.total.saturating_sub(done) / speed).to_string();
                    format!("{words} {}", self.with(Word::TransferSpeed, &[&size_words(speed), &left]))
                }
                None => words,
            }
        };
        let all: Vec<String> = self.transfers.values().map(one).collect();
        (!all.is_empty()).then(|| all.join(" · "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_about_files_are_read() {
        let send = |paths: &[&str], caption: &str, unchanged| {
            let paths = paths.iter().map(|p| (*p).to_owned()).collect();
            Some(Order::Send { paths, caption: caption.to_owned(), unchanged })
        };
        assert_eq!(order("/send a.png b.pdf -- the sea"), send(&["a.png", "b.pdf"], "the sea", false));
        assert_eq!(order(r#"/file "my file.txt" c\ d 'e "f'"#), send(&["my file.txt", "c d", "e \"f"], "", true));
        assert_eq!(order("/save"), Some(Order::Save(String::new())));
        assert_eq!(order("/save ~/Downloads"), Some(Order::Save("~/Downloads".into())));
        assert_eq!(order("/shake"), Some(Order::Say(content::shake())));
        let place = content::location(31.2, 121.5, "the tower", "").unwrap();
        assert_eq!(order("/location 31.2, 121.5 the tower"), Some(Order::Say(place)));
        assert_eq!(order("/code rust\nfn main() {}\n"), Some(Order::Say(content::code("rust", "fn main() {}"))));
        assert_eq!(order("/code\n x"), Some(Order::Say(content::code("", " x"))));
        assert_eq!(order("/forward Bob B"), Some(Order::Forward("Bob B".into())));
        for (line, how) in [
            ("/send", Word::SendHow),
            ("/send -- words", Word::SendHow),
            ("/send \"open", Word::SendHow),
            ("/save a b", Word::SaveHow),
            ("/location 91 0", Word::LocationHow),
            ("/location here", Word::LocationHow),
            ("/contact bob", Word::ContactHow),
            ("/code rust", Word::CodeHow),
            ("/code two words\nx", Word::CodeHow),
            ("/forward", Word::ForwardHow),
        ] {
            assert_eq!(order(line), Some(Order::How(how)), "{line}");
        }
        for line in ["/sender x", "send x", "/shake it", "/cancel all of it"] {
            assert_eq!(order(line), None, "{line}");
        }
    }
}
