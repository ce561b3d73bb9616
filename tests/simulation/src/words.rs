//! What people say in a simulation: texts by which each message is known again, wherever it is found.
//!
//! Owns the form `m<number>`, with ` e<number>` after an edit. Never says anything else.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::pb::content::{Block, Code, Content, Inline, Text, content::Kind};

/// What a home that lies says in the name of others; the number of no message.
pub const FORGED: u64 = 0;
/// What a home that lies says under a head that it did not sign; the number of no message.
pub const UNSIGNED: u64 = u64::MAX;
/// What a home that lies says in the name of its own people, to one follower; the number of no message.
pub const MADE_UP: u64 = u64::MAX - 1;

/// The text of a message, of its `edit`th edit if that is not 0, about `filler` bytes longer.
pub fn text(message: u64, edit: u64, filler: usize) -> String {
    let edit = if edit == 0 { String::new() } else { format!(" e{edit}") };
    format!("m{message}{edit} {}", "x".repeat(filler))
}

/// As content; not of the kind text if `code`.
pub fn content(words: &str, code: bool) -> Bytes {
    let kind = if code {
        Kind::Code(Code { language: "text".into(), source: words.into() })
    } else {
        let inline = Inline { text: words.into(), ..Inline::default() };
        Kind::Text(Text { blocks: vec![Block { inlines: vec![inline], ..Block::default() }] })
    };
    Content { fallback: String::new(), kind: Some(kind), ..Content::default() }.encode_to_vec().into()
}

/// Back.
pub fn words(content: &[u8]) -> String {
    match Content::decode(content).expect("what was sent is content").kind {
        Some(Kind::Text(text)) => text.blocks.iter().flat_map(|b| &b.inlines).map(|i| i.text.as_str()).collect(),
        Some(Kind::Code(code)) => code.source,
        other => panic!("nobody said {other:?}"),
    }
}

/// Which message this is, if somebody said it: not a line of the system.
pub fn said(content: &[u8]) -> Option<u64> {
    let is_said = matches!(Content::decode(content).ok()?.kind?, Kind::Text(_) | Kind::Code(_));
    is_said.then(|| message_of(&words(content)))
}

/// Which message this is.
pub fn message_of(words: &str) -> u64 {
    let number = words.strip_prefix('m').and_then(|rest| rest.split(' ').next());
    number.and_then(|n| n.parse().ok()).unwrap_or_else(|| panic!("nobody said {words:?}"))
}
