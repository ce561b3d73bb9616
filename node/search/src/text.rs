//! What of a content is searched: its plain text, and what kind it is. Pure.

use prost::Message as _;
use startalk_protocol::{
    content::{kind_of, words_of},
    pb::content::{Content, content::Kind},
};

/// Numbers of kinds in the index; a content may be of several.
pub const KINDS: &[(&str, u64)] = &[
    ("text", 1),
    ("code", 2),
    ("link", 3),
    ("other", 4),
    ("picture", 5),
    ("video", 6),
    ("voice", 7),
    ("file", 8),
    ("sticker", 9),
    ("location", 10),
    ("contact", 11),
    ("transcript", 12),
];

/// A content as it is searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Its words: inlines joined, a line for each block; the source of code; captions and names of files; the fallback of a kind that
    /// is not known here. Ranges of hits are in this.
    pub text: String,
    /// Of [`KINDS`].
    pub kinds: Vec<u64>,
}

/// What is searched of these bytes; `None` of lines by the system, of what burns, and of what cannot be read.
pub fn of(content: &[u8]) -> Option<Searched> {
    let content = Content::decode(content).ok()?;
    let (kind, text) = (kind_of(&content), words_of(&content));
    // What burns would be seen unopened among the hits.
    if kind == "system" || content.burn_s != 0 {
        return None;
    }
    let mut kinds: Vec<u64> = KINDS.iter().filter(|k| k.0 == kind).map(|k| k.1).collect();
    if let Some(Kind::Text(said)) = &content.kind {
        let linked = said.blocks.iter().flat_map(|b| &b.inlines).any(|i| !i.link.is_empty());
        if linked || text.contains("https://") || text.contains("http://") {
            kinds.push(3);
        }
    }
    Some(Searched { text, kinds })
}

#[cfg(test)]
mod tests {
    use startalk_protocol::pb::content::{Code, Content};

    use super::*;

    #[test]
    fn what_burns_is_not_searched() {
        let code = Kind::Code(Code { source: "between us".into(), ..Code::default() });
        let content = Content { kind: Some(code), ..Content::default() };
        assert_eq!(of(&content.encode_to_vec()).unwrap().text, "between us");
        assert_eq!(of(&Content { burn_s: 10, ..content }.encode_to_vec()), None);
    }
}
