//! What its people send: items, good ones and whatever is asked for.

use std::sync::Mutex;

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    MessageId,
    pb::{
        content::{Block, Code, Content, Inline, Text, content::Kind as ContentKind},
        link::{self as pb, item::Kind},
    },
};

use crate::mallory::{now_ms, random};

/// An item of a person there to one of the node's.
pub fn item(from: &str, to: &str, kind: Kind) -> pb::Item {
    pb::Item {
        salt: random::<16>().to_vec().into(),
        from: from.to_owned(),
        to: to.to_owned(),
        time_ms: now_ms(),
        kind: Some(kind),
    }
}

/// The bytes of an item.
pub fn bytes(item: &pb::Item) -> Bytes {
    item.encode_to_vec().into()
}

/// A text message with an id that this number makes different from others of the same millisecond.
pub fn message(number: u8, from: &str, to: &str, words: &str) -> Bytes {
    let id = MessageId::new(now_ms().unsigned_abs(), 0, [number; 8]);
    message_of(from, to, id, text(words))
}

/// A text message with an id of its own that is higher than those made before.
pub fn says(from: &str, to: &str, words: &str) -> Bytes {
    message_of(from, to, new_id(), text(words))
}

/// A message with this id and content.
pub fn message_of(from: &str, to: &str, id: MessageId, content: Bytes) -> Bytes {
    let message = pb::Message { id: id.0.to_vec().into(), content, reply_to: Bytes::new() };
    bytes(&item(from, to, Kind::Message(message)))
}

/// An edit.
pub fn edits(from: &str, to: &str, id: MessageId, content: Bytes) -> Bytes {
    bytes(&item(from, to, Kind::Edit(pb::Edit { id: id.0.to_vec().into(), content })))
}

/// A recall.
pub fn recalls(from: &str, to: &str, id: MessageId) -> Bytes {
    bytes(&item(from, to, Kind::Recall(pb::Recall { id: id.0.to_vec().into() })))
}

/// Marks.
pub fn marks(from: &str, to: &str, delivered: Bytes, read: Bytes) -> Bytes {
    bytes(&item(from, to, Kind::Marks(pb::Marks { delivered, read })))
}

/// A profile.
pub fn profile(from: &str, revision: u64, display_name: &str) -> Bytes {
    let profile = pb::Profile { revision, display_name: display_name.to_owned(), ..pb::Profile::default() };
    bytes(&item(from, "", Kind::Profile(profile)))
}

/// That an account is gone.
pub fn gone(from: &str) -> Bytes {
    bytes(&item(from, "", Kind::AccountGone(pb::AccountGone {})))
}

/// An id that grows with every call.
///
/// # Panics
/// Never: nothing panics while it is made.
pub fn new_id() -> MessageId {
    static LAST: Mutex<u64> = Mutex::new(0);
    // Milliseconds and a count below them: ids made in one millisecond still grow.
    let mut last = LAST.lock().expect("nothing panics here");
    *last = (now_ms().unsigned_abs() << 12).max(*last + 1);
    MessageId::new(*last >> 12, u16::try_from(*last & 0xfff).unwrap_or(0), random())
}

/// A content of one paragraph.
pub fn text(words: &str) -> Bytes {
    let inlines = vec![Inline { text: words.to_owned(), ..Inline::default() }];
    text_of(vec![Block { inlines, ..Block::default() }])
}

/// A content of these blocks.
pub fn text_of(blocks: Vec<Block>) -> Bytes {
    Content { kind: Some(ContentKind::Text(Text { blocks })), ..Content::default() }.encode_to_vec().into()
}

/// A piece of code.
pub fn code(source: &str) -> Bytes {
    let kind = Some(ContentKind::Code(Code { language: "rust".to_owned(), source: source.to_owned() }));
    Content { fallback: "code".to_owned(), kind, ..Content::default() }.encode_to_vec().into()
}

/// A varint field that no version knows, to be put behind any message.
pub fn unknown_field() -> Vec<u8> {
    vec![0xf8, 0x3e, 7] // field 1007, varint
}
