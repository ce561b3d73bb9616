//! What is said: a hundred bytes of text that carry author, number and time, so that the receiver can tell a lost,
//! doubled, changed or misplaced message, and how long it took, without being told anything else.

use prost::Message as _;
use startalk_protocol::pb::content::{Block, Content, Inline, Text, content::Kind};

/// Bytes of text in one message.
pub const TEXT_BYTES: usize = 100;

const SENTENCES: [&str; 6] = [
    "今天晚上八点在老地方见，记得把那本书带来，路上注意安全，到了给我打个电话吧。",
    "The minutes of the meeting are in the folder; please look at the third point before noon.",
    "妈妈说周末家里包饺子，你要是有空就早点回来帮忙，弟弟也想听你讲旅行的事情。",
    "Could you check whether the parcel has arrived? The neighbour said that somebody rang twice.",
    "版本已经合并，测试全部通过，明天上午发布；如果发现问题请在群里说一声，谢谢大家。",
    "Thanks! I will be there a little later, the train is delayed again, start without me please.",
];

/// All that one author says, one message at a time.
pub struct Script {
    content: Vec<u8>,
    number_at: usize,
    micros_at: usize,
}

/// Before the number: `[`, the author, a space.
const AUTHOR_BYTES: usize = 7;
const NUMBER_DIGITS: usize = 8;
const MICROS_DIGITS: usize = 10;

impl Script {
    /// Of the author with this number: the bytes of `content.Content`.
    pub fn new(author: usize) -> Self {
        let text = text(author);
        let inline = Inline { text: text.clone(), ..Inline::default() };
        let blocks = vec![Block { inlines: vec![inline], ..Block::default() }];
        let content =
            Content { fallback: String::new(), kind: Some(Kind::Text(Text { blocks })), ..Content::default() }.encode_to_vec();
        let at = content.windows(text.len()).position(|w| w == text.as_bytes()).expect("the text is in its content");
        Self::with(content, at)
    }

    /// The same text by itself, for protocols that have no content of another form; no character of it needs to be escaped
    /// in XML.
    pub fn plain(author: usize) -> Self {
        Self::with(text(author).into_bytes(), 0)
    }

    fn with(content: Vec<u8>, text_at: usize) -> Self {
        let number_at = text_at + AUTHOR_BYTES;
        Self { content, number_at, micros_at: number_at + NUMBER_DIGITS + 1 }
    }

    /// The message with this number, written at this time: its bytes.
    pub fn say(&mut self, number: u64, micros: u64) -> &[u8] {
        put(&mut self.content[self.number_at..][..NUMBER_DIGITS], number);
        put(&mut self.content[self.micros_at..][..MICROS_DIGITS], micros);
        &self.content
    }

    /// Bytes of every message.
    pub fn content_bytes(&self) -> usize {
        self.content.len()
    }

    /// Number and time of a message of this author; `None` if it is none.
    pub fn recognise(&self, content: &[u8]) -> Option<(u64, u64)> {
        let digits_end = self.micros_at + MICROS_DIGITS;
        let own = content.len() == self.content.len()
            && content[..self.number_at] == self.content[..self.number_at]
            && content[digits_end..] == self.content[digits_end..];
        if !own {
            return None;
        }
        Some((get(&content[self.number_at..][..NUMBER_DIGITS])?, get(&content[self.micros_at..][..MICROS_DIGITS])?))
    }
}

fn text(author: usize) -> String {
    let mut text = format!("[{author:05} 00000000 0000000000] ");
    for c in SENTENCES[author % SENTENCES.len()].chars() {
        if text.len() + c.len_utf8() <= TEXT_BYTES {
            text.push(c);
        }
    }
    while text.len() < TEXT_BYTES {
        text.push('.');
    }
    text
}

fn put(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10) as u8;
        value /= 10;
    }
}

fn get(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |n, d| d.is_ascii_digit().then(|| n * 10 + u64::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_recognised_as_its_authors_and_as_nothing_else() {
        for author in 0..SENTENCES.len() {
            let (mut script, reader, other) = (Script::new(author), Script::new(author), Script::new(author + SENTENCES.len()));
            let said = script.say(12_345_678, 9_876_543_210).to_vec();
            assert_eq!(reader.recognise(&said), Some((12_345_678, 9_876_543_210)));
            assert_eq!(other.recognise(&said), None);
            let Some(Kind::Text(text)) = Content::decode(&said[..]).unwrap().kind else { panic!() };
            assert_eq!(text.blocks[0].inlines[0].text.len(), TEXT_BYTES);
            assert_eq!(Script::plain(author).content_bytes(), TEXT_BYTES);
            assert_eq!(Script::plain(author).recognise(Script::plain(author).say(7, 8)), Some((7, 8)));
            assert_eq!(Script::plain(author).recognise(&said), None);
            let mut changed = said.clone();
            *changed.last_mut().unwrap() ^= 1;
            assert_eq!(reader.recognise(&changed), None);
        }
    }
}
