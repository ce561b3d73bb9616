//! The numeric kinds of the original Startalk (`msgType`), and what each is here: an import loses nothing, and says what it could
//! not show.
//!
//! Pure data. Kinds without a counterpart keep their number and their text: they become a content that shows its fallback.

/// What a kind of the original is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Becomes {
    /// Content of this kind, by its name in [`crate::content::kind_of`].
    Content(&'static str),
    /// Content of another area that this program does not have yet, by its name in the list of features.
    Later(&'static str),
    /// What was done to another message: the message itself carries it here.
    Change(&'static str),
    /// A content that shows its text only.
    Fallback,
    /// Nothing: made by a program for its own screen.
    Dropped,
}
use Becomes::{Change, Content, Dropped, Fallback, Later};

/// (number, its name there, what it is here), ascending by number.
pub const KINDS: &[(i64, &str, Becomes)] = &[
    (-11, "product note", Fallback),
    (-2, "consult revoked", Change("recall")),
    (-1, "revoked", Change("recall")),
    (1, "text", Content("text")),
    (2, "voice", Content("voice")),
    (3, "photo", Content("picture")),
    (4, "big photo", Content("picture")),
    (5, "file", Content("file")),
    (6, "topic", Fallback),
    (7, "rich text", Content("text")),
    (8, "action rich text", Later("app card")),
    (9, "reply", Content("text")),
    (10, "shake", Content("shake")),
    (11, "note", Fallback),
    (12, "group @", Content("text")),
    (13, "markdown", Content("text")),
    (14, "extended text", Content("text")),
    (15, "group notice", Content("system")),
    (16, "location", Content("location")),
    (20, "audio call", Later("call record")),
    (21, "video call", Later("call record")),
    (30, "sticker", Content("sticker")),
    (32, "small video", Content("video")),
    (47, "robot answer", Later("app card")),
    (64, "source code", Content("code")),
    (101, "time divider", Dropped),
    (128, "burn after reading", Change("burn_s of the message inside")),
    (256, "card", Content("contact")),
    (257, "meeting reminder", Fallback),
    (258, "moment mention", Fallback),
    (259, "medal", Fallback),
    (404, "encrypted", Later("encrypted")),
    (511, "activity", Fallback),
    (512, "red packet", Later("red packet")),
    (513, "split bill", Later("split bill")),
    (666, "link card", Content("link")),
    (888, "product", Content("link")),
    (1001, "session transferred to customer", Later("customer service")),
    (1002, "session transferred to agent", Later("customer service")),
    (1003, "transfer told to customer", Later("customer service")),
    (1004, "transfer told to agent", Later("customer service")),
    (1024, "red packet opened", Later("red packet")),
    (1025, "split bill paid", Later("split bill")),
    (2001, "consultation", Later("customer service")),
    (2002, "consultation result", Later("customer service")),
    (2003, "order to grab", Later("customer service")),
    (2004, "order grabbed", Later("customer service")),
    (2005, "crowdsourcing", Fallback),
    (3001, "tour guide", Fallback),
    (4096, "product link", Content("link")),
    (5001, "meeting", Later("meeting")),
    (8192, "live location", Content("location")),
    (10_000, "merged record", Content("transcript")),
    (10_081, "transferred session", Later("customer service")),
    (10_082, "customised", Fallback),
    (65_501, "live broadcast", Fallback),
    (65_505, "video call record", Later("call record")),
    (65_506, "audio call record", Later("call record")),
    (65_534, "group video", Later("call record")),
    (65_535, "old video", Later("call record")),
    (65_536, "list of questions", Later("app card")),
    (65_537, "turn to human", Later("customer service")),
    (65_538, "list of questions, second form", Later("app card")),
    (65_550, "flight reminder", Fallback),
    (65_551, "service card", Fallback),
    (131_072, "old audio", Later("call record")),
    (134_217_728, "notice", Content("system")),
    (268_435_456, "system", Content("system")),
    (268_435_457, "system, second form", Content("system")),
];

/// What a number is here; a number that the original never had shows its text.
pub fn becomes(number: i64) -> Becomes {
    KINDS.binary_search_by_key(&number, |k| k.0).map_or(Fallback, |at| KINDS[at].2)
}

/// The number under which the original knew a kind of content; `None`: it had none.
pub fn number_of(kind: &str) -> Option<i64> {
    let usual = [("picture", 3), ("link", 666), ("location", 16), ("system", 268_435_456)];
    let is_it = |becomes: Becomes| matches!(becomes, Content(word) if word == kind);
    let first = || KINDS.iter().find(|k| is_it(k.2)).map(|k| k.0);
    usual.iter().find(|u| u.0 == kind).map(|u| u.1).or_else(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_order_and_go_both_ways() {
        assert!(KINDS.is_sorted_by(|a, b| a.0 < b.0), "ascending, each once");
        for kind in
            ["text", "voice", "picture", "file", "shake", "location", "sticker", "video", "code", "contact", "link", "transcript"]
        {
            let number = number_of(kind).unwrap();
            assert_eq!(becomes(number), Content(kind), "{number}");
        }
        assert_eq!((number_of("other"), becomes(77)), (None, Fallback));
    }

    #[test]
    fn every_number_that_was_promised_is_there() {
        let promised = [1, 2, 3, 5, 12, 16, 30, 32, 64, 128, 256, 512, 513, 666, 1024, 1025, 8192, 10_000];
        assert!(promised.iter().all(|n| KINDS.iter().any(|k| k.0 == *n)));
    }
}
