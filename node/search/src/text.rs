//! What of a content is searched: its plain text, and what kind it is. Pure.

use prost::Message as _;
use startalk_protocol::pb::content::{Content, content::Kind};

/// Numbers of kinds in the index; a content may be of several.
pub const KINDS: &[(&str, u64)] = &[("text", 1), ("code", 2), ("link", 3), ("other", 4)];

/// A content as it is searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Searched {
    /// Inlines joined, a line for each block; the source of code; the fallback of a kind that is not known here. Ranges of
    /// hits are in this.
    pub text: String,
    /// Of [`KINDS`].
    pub kinds: Vec<u64>,
}

/// What is searched of these bytes; `None` of lines by the system and of what cannot be read.
pub fn of(content: &[u8]) -> Option<Searched> {
    let content = Content::decode(content).ok()?;
    Some(match content.kind {
        Some(Kind::Text(text)) => {
            let line = |b: &startalk_protocol::pb::content::Block| b.inlines.iter().map(|i| i.text.as_str()).collect::<String>();
            let lines: Vec<String> = text.blocks.iter().map(line).collect();
            let text_of_all = lines.join("\n");
            let linked = text.blocks.iter().flat_map(|b| &b.inlines).any(|i| !i.link.is_empty());
            let links = linked || text_of_all.contains("https://") || text_of_all.contains("http://");
            Searched { text: text_of_all, kinds: if links { vec![1, 3] } else { vec![1] } }
        }
        Some(Kind::Code(code)) => Searched { text: code.source, kinds: vec![2] },
        Some(Kind::System(_)) => return None,
        #[allow(unreachable_patterns)] // kinds that are added to the content later
        _ => Searched { text: content.fallback, kinds: vec![4] },
    })
}
