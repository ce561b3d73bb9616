//! Text as it is compared: width, case, accents and the two ways to write Chinese folded away, each character for itself.
//!
//! Pure. Invariant: what is folded depends on the one character alone, so that any part of a text folds to the same part of
//! the folded text.

use std::{collections::HashMap, sync::LazyLock};

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Of each traditional character the simplified one. Several traditional ones may have the same; none has several here.
static SIMPLIFIED: LazyLock<HashMap<char, char>> = LazyLock::new(|| {
    let pairs = hanconv::RawDictionary::TSCharacters.iter();
    pairs.filter_map(|(from, to)| Some((one(from)?, one(to)?))).collect()
});

fn one(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// What a character is to a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Of a script without spaces: found by itself and with the next one.
    Gram,
    /// Part of a word.
    Word,
    /// A picture: a word by itself.
    Picture,
    /// Between words.
    Between,
}

/// The class of a folded character.
pub fn class(c: char) -> Class {
    match c {
        'a'..='z' | '0'..='9' => Class::Word,
        '\u{0}'..='\u{7f}' => Class::Between,
        // Han, kana, hangul, and what South-East Asia writes without spaces.
        '\u{2e80}'..='\u{2fd5}'
        | '\u{3005}'..='\u{3007}'
        | '\u{3021}'..='\u{3029}'
        | '\u{3041}'..='\u{3096}'
        | '\u{3099}'..='\u{309a}'
        | '\u{309d}'..='\u{30fa}'
        | '\u{30fc}'..='\u{30ff}'
        | '\u{3105}'..='\u{312f}'
        | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}'
        | '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}' => Class::Gram,
        '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}' => Class::Picture,
        c if c.is_alphanumeric() => Class::Word,
        _ => Class::Between,
    }
}

/// Gives each folded character of `c` to `take`.
fn fold_char(c: char, mut take: impl FnMut(char)) {
    if c.is_ascii() {
        return take(c.to_ascii_lowercase());
    }
    if ('\u{4e00}'..='\u{9fff}').contains(&c) || ('\u{ac00}'..='\u{d7a3}').contains(&c) {
        return take(SIMPLIFIED.get(&c).copied().unwrap_or(c));
    }
    for plain in c.to_lowercase().nfkd().flat_map(char::to_lowercase) {
        // The two marks of kana make other sounds; all others are left out.
        if !is_combining_mark(plain) || matches!(plain, '\u{3099}' | '\u{309a}') {
            take(SIMPLIFIED.get(&plain).copied().unwrap_or(plain));
        }
    }
}

/// The folded characters.
pub fn folded(text: &str) -> Vec<char> {
    let mut out = Vec::with_capacity(text.len() / 2);
    text.chars().for_each(|c| fold_char(c, |f| out.push(f)));
    out
}

/// The folded characters, each with the number of the character that it came from.
pub fn folded_with_places(text: &str) -> Vec<(char, u32)> {
    let mut out = Vec::with_capacity(text.len() / 2);
    for (at, c) in (0..).zip(text.chars()) {
        fold_char(c, |f| out.push((f, at)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fold(text: &str) -> String {
        folded(text).into_iter().collect()
    }

    #[test]
    fn width_case_accents_and_the_two_scripts_are_one() {
        assert_eq!(fold("ＡＢＣ　１２３"), "abc 123");
        assert_eq!(fold("Café"), fold("cafe\u{301}"));
        assert_eq!(fold("漢語後發髮"), "汉语后发发");
        assert_eq!(fold("ｶﾞ"), fold("ガ"));
        assert_eq!(fold("㍿"), "株式会社");
        assert_eq!(fold("İstanbul"), "istanbul");
        assert_eq!(fold("한국"), "한국");
    }
}
