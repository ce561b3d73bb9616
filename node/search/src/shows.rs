//! Where in a text a search was found, and the part of a long text that shows it. Ranges count characters (Unicode scalar
//! values), never bytes. Pure.

use std::ops::Range;

use crate::{
    cut::Piece,
    fold::{Class, class, folded_with_places},
};

/// Places that are marked in one text.
const RANGES_MAX: usize = 32;
/// Characters shown of a message.
const SHOWN_CHARS: usize = 160;
/// Of them before the first place.
const BEFORE_CHARS: usize = 40;

/// Where the pieces are in the text, ascending and apart; `None` unless every piece is in it.
pub fn ranges(text: &str, pieces: &[Piece]) -> Option<Vec<Range<u32>>> {
    let chars = folded_with_places(text);
    let mut all: Vec<Range<u32>> = Vec::new();
    for piece in pieces {
        let (wanted, word): (Vec<char>, bool) = match piece {
            Piece::Run(run) => (run.clone(), false),
            Piece::Word(word) => (word.chars().collect(), true),
        };
        let before = all.len();
        for at in 0..chars.len() {
            let here = chars.len() - at >= wanted.len() && chars[at..].iter().zip(&wanted).all(|((c, _), w)| c == w);
            let begins = !word || at == 0 || class(chars[at - 1].0) != Class::Word;
            if here && begins && all.len() - before < RANGES_MAX {
                all.push(chars[at].1..chars[at + wanted.len() - 1].1 + 1);
            }
        }
        if all.len() == before {
            return None;
        }
    }
    all.sort_by_key(|r| (r.start, r.end));
    let mut out: Vec<Range<u32>> = Vec::new();
    for range in all {
        match out.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => out.push(range),
        }
    }
    Some(out)
}

/// A part of a text around the first place, with the places that are in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Excerpt {
    /// The part.
    pub text: String,
    /// Places in it.
    pub ranges: Vec<Range<u32>>,
    /// There is more before it.
    pub cut_before: bool,
    /// There is more after it.
    pub cut_after: bool,
}

/// The part of the text that shows its places.
pub fn excerpt(text: &str, ranges: &[Range<u32>]) -> Excerpt {
    let first = ranges.first().map_or(0, |r| r.start as usize);
    let count = text.chars().count();
    let from = if count <= SHOWN_CHARS { 0 } else { first.saturating_sub(BEFORE_CHARS).min(count - SHOWN_CHARS) };
    let to = (from + SHOWN_CHARS).min(count);
    let (low, high) = (u32::try_from(from).unwrap_or(u32::MAX), u32::try_from(to).unwrap_or(u32::MAX));
    let inside = ranges.iter().filter(|r| r.start < high && r.end > low);
    Excerpt {
        text: text.chars().skip(from).take(to - from).collect(),
        ranges: inside.map(|r| r.start.max(low) - low..r.end.min(high) - low).collect(),
        cut_before: from > 0,
        cut_after: to < count,
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one range is what is meant")]
mod tests {
    use super::*;
    use crate::cut::pieces;

    #[test]
    fn places_are_of_the_text_as_it_was_written() {
        let found = |text: &str, words: &str| ranges(text, &pieces(words, 8));
        assert_eq!(found("我們說漢語，ＡＢＣ", "汉语 abc"), Some(vec![3..5, 6..9]));
        assert_eq!(found("category cat concat", "cat"), Some(vec![0..3, 9..12]));
        assert_eq!(found("哈哈哈", "哈哈"), Some(vec![0..3]));
        assert_eq!(found("㍿です", "株式"), Some(vec![0..1]));
        assert_eq!(found("只有一半", "一半 没有"), None);
    }

    #[test]
    fn a_long_text_is_cut_around_the_first_place() {
        let text = format!("{}星语{}", "前".repeat(300), "后".repeat(300));
        let shown = excerpt(&text, &ranges(&text, &pieces("星语", 8)).unwrap());
        assert_eq!((shown.text.chars().count(), shown.ranges.clone()), (SHOWN_CHARS, vec![40..42]));
        assert!(shown.cut_before && shown.cut_after);
    }
}
