//! Whether somebody is told of a message: plain questions with plain answers, of values alone.
//!
//! Order of the reasons to be silent: the conversation's own setting, then that the account is not to be disturbed (by hand
//! or by its hours: that is decided in `availability`). What calls the account (by name, by @all, by one of its keywords)
//! breaks the first where only that is to be told, and the second where the account allows it; @all never breaks the second.

use prost::Message as _;
use startalk_protocol::{
    content::words_of,
    pb::content::{Content, content::Kind},
};
use unicode_normalization::UnicodeNormalization as _;

use super::Settings;
use crate::contacts::Hearing;

/// Whom a message calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Called {
    /// The account, by name.
    pub by_name: bool,
    /// Everybody.
    pub everybody: bool,
    /// It holds one of the account's keywords.
    pub keyword: bool,
}

/// What is known of a message and of the account at the moment.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// Milliseconds since 1970.
    pub now_ms: u64,
    /// How the account wants to hear of the conversation.
    pub hearing: Hearing,
    /// How it wants to be told at all.
    pub settings: &'a Settings,
    /// The account is not to be disturbed now.
    pub dnd: bool,
    /// Whom the message calls.
    pub called: Called,
    /// A first contact that waits for the account's decision.
    pub request: bool,
}

/// Why somebody is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// There is a message.
    Message,
    /// It calls them by name.
    Called,
    /// It calls everybody.
    Everybody,
    /// It holds a keyword of theirs.
    Keyword,
    /// A stranger writes for the first time.
    Request,
    /// Somebody of another domain invites into a group.
    Invitation,
    /// They wanted to be reminded.
    Reminder,
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// The conversation is muted, or only calls are told.
    Muted,
    /// The account is not to be disturbed now.
    NotNow,
}

/// Whether the account is told.
///
/// # Errors
/// Why it is not.
pub fn judge(moment: &Moment) -> Result<Because, Silence> {
    let Moment { now_ms, hearing, settings, dnd, called, request } = *moment;
    let calls = called.by_name || called.everybody || called.keyword;
    let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let only_calls = hearing.mentions_only;
    if (only_calls || hearing.muted_until_ms > now_ms) && !(only_calls && calls) {
        return Err(Silence::Muted);
    }
    let breaks_quiet = settings.quiet_calls && (called.by_name || called.keyword);
    if dnd && !breaks_quiet {
        return Err(Silence::NotNow);
    }
    Ok(match called {
        _ if request => Because::Request,
        Called { by_name: true, .. } => Because::Called,
        Called { keyword: true, .. } => Because::Keyword,
        Called { everybody: true, .. } => Because::Everybody,
        _ => Because::Message,
    })
}

/// Whom a content calls, for the account with this id. Of what cannot be read, nobody.
pub fn called(content: &[u8], user: &str, keywords: &[String]) -> Called {
    let Ok(content) = Content::decode(content) else { return Called::default() };
    let mentions = |who: &str| match &content.kind {
        Some(Kind::Text(text)) => text.blocks.iter().flat_map(|b| &b.inlines).any(|i| i.mention == who),
        _ => false,
    };
    Called { by_name: mentions(user), everybody: mentions("@all"), keyword: holds(&content, keywords) }
}

/// Whether the text holds one of the words, whatever its case and width. Words written with letters that need spaces
/// between them are found only as whole words: who waits for "art" does not want "party".
fn holds(content: &Content, keywords: &[String]) -> bool {
    if keywords.is_empty() {
        return false;
    }
    let text = folded(&words_of(content));
    keywords.iter().any(|word| {
        let word = folded(word);
        !word.is_empty() && text.match_indices(&word).any(|(at, _)| stands_alone(&text, at, &word))
    })
}

fn stands_alone(text: &str, at: usize, word: &str) -> bool {
    let joins = |a: Option<char>, b: Option<char>| a.is_some_and(is_spaced) && b.is_some_and(is_spaced);
    let (before, after) = (text[..at].chars().next_back(), text[at + word.len()..].chars().next());
    !joins(before, word.chars().next()) && !joins(word.chars().next_back(), after)
}

/// Letters and digits of scripts that put spaces between words.
fn is_spaced(c: char) -> bool {
    let unspaced = matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}');
    c.is_alphanumeric() && !unspaced
}

fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use startalk_protocol::pb::content::{Block, Inline, Text};

    use super::*;

    const NOON_MS: u64 = 1_800_014_400_000; // 2027-01-15 12:00 UTC

    fn content(inlines: &[(&str, &str)]) -> Vec<u8> {
        let inline = |(text, mention): &(&str, &str)| Inline {
            text: (*text).to_owned(),
            mention: (*mention).to_owned(),
            ..Inline::default()
        };
        let block = Block { inlines: inlines.iter().map(inline).collect(), ..Block::default() };
        Content { kind: Some(Kind::Text(Text { blocks: vec![block] })), ..Content::default() }.encode_to_vec()
    }

    fn moment(settings: &Settings, now_ms: u64, called: Called) -> Moment<'_> {
        Moment { now_ms, hearing: Hearing::default(), settings, dnd: false, called, request: false }
    }

    const BY_NAME: Called = Called { by_name: true, everybody: false, keyword: false };
    const KEYWORD: Called = Called { by_name: false, everybody: false, keyword: true };
    const EVERYBODY: Called = Called { by_name: false, everybody: true, keyword: false };
    const NOBODY: Called = Called { by_name: false, everybody: false, keyword: false };

    #[test]
    fn a_muted_conversation_is_silent_and_one_for_calls_tells_calls() {
        let settings = Settings::default();
        let muted = |until: u64, mentions_only, called| {
            let muted_until_ms = i64::try_from(until).unwrap();
            let hearing = Hearing { muted_until_ms, mentions_only, position: 1 };
            judge(&Moment { hearing, ..moment(&settings, NOON_MS, called) })
        };
        assert_eq!(muted(NOON_MS + 1, false, BY_NAME), Err(Silence::Muted));
        assert_eq!(muted(NOON_MS, false, NOBODY), Ok(Because::Message), "the time is over");
        assert_eq!(muted(NOON_MS + 1, true, NOBODY), Err(Silence::Muted));
        assert_eq!(muted(0, true, NOBODY), Err(Silence::Muted));
        for (called, because) in [(BY_NAME, Because::Called), (EVERYBODY, Because::Everybody), (KEYWORD, Because::Keyword)] {
            assert_eq!(muted(NOON_MS + 1, true, called), Ok(because));
        }
    }

    #[test]
    fn while_not_to_be_disturbed_only_what_calls_the_account_itself_may_come_through() {
        let (closed, open) = (Settings::default(), Settings { quiet_calls: true, ..Settings::default() });
        let busy = |settings, called| judge(&Moment { dnd: true, ..moment(settings, NOON_MS, called) });
        for called in [NOBODY, BY_NAME, KEYWORD, EVERYBODY] {
            assert_eq!(busy(&closed, called), Err(Silence::NotNow));
        }
        assert_eq!(busy(&open, BY_NAME), Ok(Because::Called));
        assert_eq!(busy(&open, KEYWORD), Ok(Because::Keyword));
        assert_eq!(busy(&open, EVERYBODY), Err(Silence::NotNow));
        assert_eq!(busy(&open, NOBODY), Err(Silence::NotNow));
    }

    #[test]
    fn keywords_are_found_whatever_case_and_width_and_only_as_words_where_there_are_spaces() {
        let says = |text: &str, word: &str| called(&content(&[(text, "")]), "a@a.example", &[word.to_owned()]).keyword;
        assert!(says("the Budget, again", "budget"));
        assert!(says("ＢＵＤＧＥＴ", "budget"));
        assert!(says("明天的预算会议", "预算"));
        assert!(says("预算2027", "预算"));
        assert!(!says("a party", "art"));
        assert!(says("art: yes", "ART"));
        assert!(says("party art", "art"), "the second place counts");
        assert!(!says("", "art"));
        assert!(says("两个词 here too", "词 here"));
    }

    #[test]
    fn who_is_called_is_read_from_mentions_and_never_from_words() {
        let mentions = content(&[("@Bob", "bob@a.example"), (" and ", ""), ("@all", "@all")]);
        assert_eq!(called(&mentions, "bob@a.example", &[]), Called { by_name: true, everybody: true, keyword: false });
        assert_eq!(called(&mentions, "eve@a.example", &[]), Called { by_name: false, everybody: true, keyword: false });
        assert_eq!(called(&content(&[("bob@a.example @all", "")]), "bob@a.example", &[]), Called::default());
        assert_eq!(called(b"\xff\xff", "bob@a.example", &["x".to_owned()]), Called::default());
    }
}
