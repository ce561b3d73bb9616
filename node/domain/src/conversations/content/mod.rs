//! What a message may say: limits and shape of content, judged once for local clients and other domains alike; and what it
//! holds besides words.
//!
//! The bytes are kept exactly as sent, so that kinds unknown to this version survive. federation-spec/05-content-and-items.md

mod kinds;

use prost::Message;
use startalk_protocol::{
    Code, Error, UserId,
    content::words_of_text,
    limits::{self, BLOCK_LEVEL_MAX, BLOCKS_MAX, CONTENT_BYTES_MAX, INLINES_MAX, LINK_TEXT_BYTES_MAX, TEXT_BYTES_MAX},
    pb::content::{Block, Code as CodeBlock, Content, Inline, Text, content::Kind},
};

pub use kinds::{Holds, Referred, holds};

/// All marks that there are: bold, italic, strike, code.
const MARKS: u32 = 15;
/// Bytes of a fallback text or of a language's name.
const SHORT_BYTES_MAX: usize = 4096;

/// Whether only text is allowed, as before a first contact is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kinds {
    /// Every kind that people write.
    All,
    /// Text alone.
    TextOnly,
}

/// Judges the bytes of a content by a person, and says what it holds besides words.
///
/// # Errors
/// `too-large`, `malformed` or `bad-value`, saying what was expected.
pub(crate) fn check(bytes: &[u8], kinds: Kinds) -> Result<Holds, Error> {
    if bytes.len() > CONTENT_BYTES_MAX {
        return Err(too_large("content", bytes.len(), CONTENT_BYTES_MAX));
    }
    let content = Content::decode(bytes).map_err(|_| malformed())?;
    match (content.burn_s, kinds) {
        (0, _) | (1..=limits::BURN_S_MAX, Kinds::All) => {}
        (_, Kinds::All) => return Err(bad("burn_s", "at most seven days, in seconds")),
        (_, Kinds::TextOnly) => return Err(bad("burn_s", "0, until the other person accepts")),
    }
    let mut held = Holds::default();
    check_content(&content, kinds, 0, &mut held)?;
    Ok(held)
}

/// The same for a group, where nobody is made to look and nothing burns.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_in_group(bytes: &[u8]) -> Result<Holds, Error> {
    let held = check(bytes, Kinds::All)?;
    if held.kinds & holds::SHAKE != 0 {
        return Err(bad("content", "a shake between two people only"));
    }
    if burn_s(bytes) != 0 {
        return Err(bad("burn_s", "0 in a group: only between two people a message burns"));
    }
    Ok(held)
}

/// What a content holds, if it is one that may be said.
pub(crate) fn held(bytes: &[u8]) -> Holds {
    check(bytes, Kinds::All).unwrap_or_default()
}

fn check_content(content: &Content, kinds: Kinds, depth: usize, held: &mut Holds) -> Result<(), Error> {
    short(&content.fallback, "fallback", SHORT_BYTES_MAX)?;
    match (&content.kind, kinds) {
        (Some(Kind::Text(text)), _) => check_text(text, held),
        (Some(Kind::Code(code)), Kinds::All) => check_code(code),
        (Some(Kind::System(_)), _) => Err(bad("content", "a kind that people write")),
        (Some(kind), Kinds::All) => kinds::check(kind, depth, held),
        // A kind of a later version: its fallback is what is shown here.
        (None, Kinds::All) if !content.fallback.is_empty() => Ok(()),
        (None, Kinds::All) => Err(bad("content", "a kind known here, or a fallback text")),
        (_, Kinds::TextOnly) => Err(bad("content", "text, until the other person accepts")),
    }
}

/// The text of a content that is nothing but text: blocks on lines of their own.
pub(crate) fn text_of(bytes: &[u8]) -> Option<String> {
    let Ok(Content { kind: Some(Kind::Text(text)), .. }) = Content::decode(bytes) else { return None };
    Some(words_of_text(&text))
}

/// The seconds after which it burns once it is opened; 0: it stays. Of what cannot be read, nothing burns.
pub(crate) fn burn_s(bytes: &[u8]) -> u32 {
    Content::decode(bytes).map_or(0, |content| content.burn_s)
}

/// Whether a node said it in somebody's absence. Of what cannot be read, nobody says so.
pub(crate) fn is_automatic(bytes: &[u8]) -> bool {
    Content::decode(bytes).is_ok_and(|content| content.automatic)
}

/// What is said in somebody's absence: a paragraph for each line.
pub(crate) fn automatic(text: &str) -> Content {
    let inline = |line: &str| Inline { text: line.to_owned(), ..Inline::default() };
    let blocks = text.lines().map(|line| Block { inlines: vec![inline(line)], ..Block::default() }).collect();
    Content { kind: Some(Kind::Text(Text { blocks })), automatic: true, ..Content::default() }
}

/// Whether the content calls everybody. Of what cannot be read, nobody is called.
pub(crate) fn calls_everybody(bytes: &[u8]) -> bool {
    let Ok(Content { kind: Some(Kind::Text(text)), .. }) = Content::decode(bytes) else { return false };
    text.blocks.iter().flat_map(|b| &b.inlines).any(|i| i.mention == "@all")
}

fn check_text(text: &Text, held: &mut Holds) -> Result<(), Error> {
    if text.blocks.len() > BLOCKS_MAX {
        return Err(too_large("blocks", text.blocks.len(), BLOCKS_MAX));
    }
    let inlines: usize = text.blocks.iter().map(|b| b.inlines.len()).sum();
    if inlines > INLINES_MAX {
        return Err(too_large("inlines", inlines, INLINES_MAX));
    }
    let bytes: usize = text.blocks.iter().flat_map(|b| &b.inlines).map(|i| i.text.len()).sum();
    if bytes > TEXT_BYTES_MAX {
        return Err(too_large("text", bytes, TEXT_BYTES_MAX));
    }
    if bytes == 0 {
        return Err(bad("text", "at least one character"));
    }
    let linked = |i: &Inline| !i.link.is_empty() || i.text.contains("https://") || i.text.contains("http://");
    if text.blocks.iter().flat_map(|b| &b.inlines).any(linked) {
        held.kinds |= holds::LINK;
    }
    text.blocks.iter().try_for_each(check_block)
}

fn check_block(block: &Block) -> Result<(), Error> {
    if block.level > BLOCK_LEVEL_MAX {
        return Err(bad("level", "0 to 7"));
    }
    block.inlines.iter().try_for_each(check_inline)
}

fn check_inline(inline: &Inline) -> Result<(), Error> {
    if inline.text.chars().any(|c| c.is_control() && c != '\n' && c != '\t') {
        return Err(bad("text", "no control characters"));
    }
    if inline.marks & !MARKS != 0 {
        return Err(bad("marks", "a sum of 1, 2, 4 and 8"));
    }
    let scheme = ["https:", "http:", "mailto:"].iter().any(|s| inline.link.starts_with(s));
    let may_stand = inline.link.is_empty() || (scheme && link_is_plain(&inline.link));
    if !may_stand {
        return Err(bad("link", "https:, http: or mailto:, at most 2048 bytes"));
    }
    let user = || inline.mention.parse::<UserId>().is_ok_and(|u| u.to_string() == inline.mention);
    let someone = inline.mention.is_empty() || inline.mention == "@all" || user();
    if someone { Ok(()) } else { Err(bad("mention", "name@domain in its one form, or @all")) }
}

fn link_is_plain(link: &str) -> bool {
    link.len() <= LINK_TEXT_BYTES_MAX && !link.chars().any(char::is_control)
}

fn check_code(code: &CodeBlock) -> Result<(), Error> {
    short(&code.language, "language", SHORT_BYTES_MAX)?;
    match code.source.len() {
        0 => Err(bad("source", "at least one character")),
        bytes if bytes > TEXT_BYTES_MAX => Err(too_large("source", bytes, TEXT_BYTES_MAX)),
        _ => Ok(()),
    }
}

fn short(text: &str, field: &str, max: usize) -> Result<(), Error> {
    if text.len() > max { Err(too_large(field, text.len(), max)) } else { Ok(()) }
}

fn malformed() -> Error {
    Error::new(Code::Malformed).with("expected", "a content")
}

fn too_large(what: &str, got: usize, max: usize) -> Error {
    Error::new(Code::TooLarge).with("what", what).with("got", got).with("max", max)
}

fn bad(field: &str, expected: &str) -> Error {
    Error::new(Code::BadValue).with("field", field).with("expected", expected)
}
