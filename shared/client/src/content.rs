//! Contents from plain text, and plain text from contents.
//!
//! Pure. Unknown kinds show their fallback; nothing is ever dropped silently.

mod kinds;

use bytes::Bytes;
use prost::Message;
use startalk_protocol::{
    content::{kind_of, name_of_kind, words_of},
    error::Language,
    pb::content::{self as pb, Block, Content, Inline, Text, block, content::Kind},
};

pub use self::kinds::{
    LineShown, Quoted, TRANSCRIPT_LINES_MAX, album, attachment, contact_card, forwarded, lines_of, link_card, location,
    new_sticker, of, shake, transcript, video, voice,
};
use crate::lines;

/// A text of paragraphs, one per line; tabs are kept, other control characters left out.
pub fn text(plain: &str) -> Bytes {
    encoded(Content { fallback: String::new(), kind: Some(Kind::Text(text_of(plain))), ..Content::default() })
}

fn text_of(plain: &str) -> Text {
    let block = |line: &str| {
        let text: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let inlines = if text.is_empty() { Vec::new() } else { vec![Inline { text, ..Inline::default() }] };
        Block { inlines, ..Block::default() }
    };
    Text { blocks: plain.lines().map(block).collect() }
}

/// As [`text`], in which these words call somebody: each a word of the text such as `@Ann`, and whom it means,
/// `name@domain` or `@all`.
pub fn text_with_mentions(plain: &str, mentions: &[(String, String)]) -> Bytes {
    let inlines = |line: &str| {
        let line: String = line.chars().filter(|c| !c.is_control() || *c == '\t').collect();
        let (mut inlines, mut rest, mut plain) = (Vec::new(), line.as_str(), String::new());
        while let Some(next) = rest.chars().next() {
            let called = mentions.iter().filter(|(word, _)| !word.is_empty() && rest.starts_with(word.as_str()));
            match called.max_by_key(|(word, _)| word.len()) {
                Some((word, user)) => {
                    if !plain.is_empty() {
                        inlines.push(Inline { text: std::mem::take(&mut plain), ..Inline::default() });
                    }
                    inlines.push(Inline { text: word.clone(), mention: user.clone(), ..Inline::default() });
                    rest = &rest[word.len()..];
                }
                None => {
                    plain.push(next);
                    rest = &rest[next.len_utf8()..];
                }
            }
        }
        if !plain.is_empty() {
            inlines.push(Inline { text: plain, ..Inline::default() });
        }
        inlines
    };
    let blocks = plain.lines().map(|line| Block { inlines: inlines(line), ..Block::default() }).collect();
    encoded(Content { fallback: String::new(), kind: Some(Kind::Text(Text { blocks })), ..Content::default() })
}

/// Whom a text calls: `name@domain`, or `@all`.
pub fn mentions(bytes: &[u8]) -> Vec<String> {
    match Content::decode(bytes).ok().and_then(|c| c.kind) {
        Some(Kind::Text(text)) => {
            let all = text.blocks.into_iter().flat_map(|b| b.inlines).map(|i| i.mention);
            all.filter(|m| !m.is_empty()).collect()
        }
        _ => Vec::new(),
    }
}

/// Code and parameters of a line by the system.
pub fn system(bytes: &[u8]) -> Option<(String, std::collections::BTreeMap<String, String>)> {
    match Content::decode(bytes).ok()?.kind? {
        Kind::System(system) => Some((system.code, system.params.into_iter().collect())),
        _ => None,
    }
}

/// A piece of code; the language may be empty.
pub fn code(language: &str, source: &str) -> Bytes {
    let code = pb::Code { language: language.to_owned(), source: source.to_owned() };
    encoded(Content { fallback: source.chars().take(200).collect(), kind: Some(Kind::Code(code)), ..Content::default() })
}

/// The same content, which burns so many seconds after it was opened; 0: it stays.
pub fn burning(bytes: &Bytes, burn_s: u32) -> Bytes {
    match Content::decode(bytes.clone()) {
        Ok(content) if content.burn_s != burn_s => encoded(Content { burn_s, ..content }),
        _ => bytes.clone(),
    }
}

/// The seconds after which a message burns once it is opened; 0: it stays.
pub fn burn_s(bytes: &[u8]) -> u32 {
    Content::decode(bytes).map_or(0, |content| content.burn_s)
}

/// What a program shows of a sticker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StickerShown {
    /// Of its file.
    pub hash: Bytes,
    /// Its file's name.
    pub name: String,
    /// What it says, in characters.
    pub code: String,
    /// The pack that it is of; empty: somebody's own.
    pub pack: String,
}

/// Reads content.Sticker's bytes; of what cannot be read, nothing.
pub fn sticker(bytes: &[u8]) -> StickerShown {
    let pb::Sticker { file, code, pack, .. } = pb::Sticker::decode(bytes).unwrap_or_default();
    let file = file.unwrap_or_default();
    StickerShown { hash: file.hash, name: file.name, code, pack }
}

fn encoded(content: Content) -> Bytes {
    content.encode_to_vec().into()
}

/// A content, as a program may show it.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// Lines of text; quotes, lists and headings carry the usual signs.
    Text(String),
    /// A piece of code.
    Code {
        /// May be empty.
        language: String,
        /// As it was sent.
        source: String,
    },
    /// Any other kind known here: what it is, and its words: a caption, names of files, what stands on a card.
    Other {
        /// As `startalk_protocol::content::kind_of` calls it.
        kind: &'static str,
        /// In words: "[Picture] at the sea".
        words: String,
        /// All that it has.
        what: Box<Kind>,
    },
    /// A line by the system, in words.
    System(String),
    /// A kind that this version does not know: its fallback, or words that say so.
    Unknown(String),
    /// Nothing: erased or recalled.
    Nothing,
}

impl Shown {
    /// As plain text.
    pub fn plain(&self) -> &str {
        match self {
            Self::Text(text) | Self::System(text) | Self::Unknown(text) => text,
            Self::Code { source, .. } => source,
            Self::Other { words, .. } => words,
            Self::Nothing => "",
        }
    }

    /// The name of the kind, for machines.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "text",
            Self::Code { .. } => "code",
            Self::Other { kind, .. } => kind,
            Self::System(_) => "system",
            Self::Unknown(_) => "unknown",
            Self::Nothing => "nothing",
        }
    }
}

/// Reads a content's bytes.
pub fn show(bytes: &[u8], language: Language) -> Shown {
    show_by(bytes, language, "", &str::to_owned)
}

/// As [`show`], of a message by `author`; `name` says how a person is called.
pub fn show_by(bytes: &[u8], language: Language, author: &str, name: &dyn Fn(&str) -> String) -> Shown {
    if bytes.is_empty() {
        return Shown::Nothing;
    }
    let unknown = |fallback: &str| {
        let words = match (fallback, language) {
            ("", Language::Chinese) => "[此版本无法显示的内容]",
            ("", Language::English) => "[content that this version cannot show]",
            (fallback, _) => fallback,
        };
        Shown::Unknown(words.to_owned())
    };
    match Content::decode(bytes) {
        Err(_) => unknown(""),
        Ok(Content { fallback, kind, .. }) => match kind {
            Some(Kind::Text(text)) => Shown::Text(lines(&text).join("\n")),
            Some(Kind::Code(code)) => Shown::Code { language: code.language, source: code.source },
            Some(Kind::System(system)) if fallback.is_empty() => Shown::System(system_words(system, language, author, name)),
            Some(Kind::System(_)) => Shown::System(fallback),
            None => unknown(&fallback),
            Some(kind) => {
                let content = Content { kind: Some(kind.clone()), ..Content::default() };
                let (named, said) = (kind_of(&content), words_of(&content));
                let words = format!("[{}] {said}", name_of_kind(named, language)).trim_end().to_owned();
                Shown::Other { kind: named, words, what: Box::new(kind) }
            }
        },
    }
}

fn lines(text: &Text) -> Vec<String> {
    let mut number = 0;
    text.blocks
        .iter()
        .map(|block| {
            let words: String = block.inlines.iter().map(inline).collect();
            let kind = block::Kind::try_from(block.kind).unwrap_or(block::Kind::Paragraph);
            number = if kind == block::Kind::Numbered { number + 1 } else { 0 };
            let indent = "  ".repeat(block.level.min(7) as usize);
            match kind {
                block::Kind::Paragraph => words,
                block::Kind::Quote => format!("{indent}> {words}"),
                block::Kind::Bullet => format!("{indent}• {words}"),
                block::Kind::Numbered => format!("{indent}{number}. {words}"),
                block::Kind::Heading => format!("# {words}"),
            }
        })
        .collect()
}

fn inline(inline: &Inline) -> String {
    if inline.link.is_empty() || inline.link == inline.text {
        inline.text.clone()
    } else {
        format!("{} <{}>", inline.text, inline.link)
    }
}

fn system_words(system: pb::System, language: Language, author: &str, name: &dyn Fn(&str) -> String) -> String {
    let system_params = system.params.clone().into_iter().collect();
    if let Some(words) = lines::words(&system.code, &system_params, language, author, name) {
        return words;
    }
    let params: Vec<String> = system.params.iter().map(|(k, v)| format!("{k}={v}")).collect();
    if params.is_empty() { system.code.clone() } else { format!("{} ({})", system.code, params.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_comes_back_line_by_line() {
        for plain in ["hello", "你好，世界 👋🏽", "a\n\nb\tc", "  spaces  "] {
            assert_eq!(show(&text(plain), Language::English), Shown::Text(plain.to_owned()));
        }
        assert_eq!(show(&text("bell\u{7}"), Language::English).plain(), "bell");
    }

    #[test]
    fn mentions_stand_in_their_places() {
        let called = |word: &str, user: &str| (word.to_owned(), user.to_owned());
        let all = [called("@安", "an@a.example"), called("@安娜", "anna@a.example"), called("@all", "@all")];
        let bytes = text_with_mentions("@安娜 和 @安: 看\n@all!", &all);
        assert_eq!(show(&bytes, Language::English), Shown::Text("@安娜 和 @安: 看\n@all!".to_owned()));
        assert_eq!(mentions(&bytes), ["anna@a.example", "an@a.example", "@all"]);
        assert_eq!(text_with_mentions("plain\n\ntext", &[]), text("plain\n\ntext"));
    }

    #[test]
    fn unknown_kinds_show_their_fallback() {
        let content = Content { fallback: "a poll".to_owned(), kind: None, ..Content::default() };
        assert_eq!(show(&content.encode_to_vec(), Language::English), Shown::Unknown("a poll".to_owned()));
        assert!(matches!(show(&[0xff], Language::Chinese), Shown::Unknown(words) if words.contains("无法")));
    }

    #[test]
    fn code_keeps_every_byte() {
        let source = "fn main() {\n\tprintln!(\"星\");\n}\n";
        assert_eq!(
            show(&code("rust", source), Language::English),
            Shown::Code { language: "rust".into(), source: source.into() }
        );
    }
}
