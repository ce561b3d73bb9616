//! By what the name of a person or a group is found: its words and characters, its pinyin and its initials, from any
//! syllable on. Pure.

use pinyin::ToPinyinMulti as _;
use tantivy::tokenizer::TokenStream as _;

use crate::{
    cut::Tokens,
    fold::{Class, class, folded},
};

/// Ways to read one character that are looked at.
const READINGS_MAX: usize = 4;
/// Ways to read the rest of a name that are looked at.
const COMBINATIONS_MAX: usize = 16;
/// Characters of a name that are read aloud.
const READ_CHARS_MAX: usize = 16;

/// All terms of a name, each once.
pub fn terms(name: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut tokens = Tokens::of(name);
    while tokens.advance() {
        out.push(tokens.token().text.clone());
    }
    let chars = folded(name);
    for run in chars.split(|c| class(*c) != Class::Gram) {
        let readings: Vec<Vec<String>> = run.iter().take(READ_CHARS_MAX).map(|c| readings(*c)).collect();
        for from in 0..readings.len() {
            let (mut whole, mut initials) = (vec![String::new()], vec![String::new()]);
            for options in readings[from..].iter().take_while(|o| !o.is_empty()) {
                whole = combined(&whole, options.iter().map(String::as_str));
                initials = combined(&initials, options.iter().map(|o| &o[..1]));
            }
            out.extend(whole.into_iter().chain(initials).filter(|t| !t.is_empty()));
        }
    }
    out.sort_unstable();
    out.dedup();
    out
}

fn combined<'a>(before: &[String], options: impl Iterator<Item = &'a str> + Clone) -> Vec<String> {
    let mut out: Vec<String> = before.iter().flat_map(|b| options.clone().map(move |o| format!("{b}{o}"))).collect();
    out.sort_unstable();
    out.dedup();
    out.truncate(COMBINATIONS_MAX);
    out
}

/// How a character is read, in plain letters; `ü` as `v` and as `u`.
fn readings(c: char) -> Vec<String> {
    let mut buffer = [0; 4];
    let text: &str = c.encode_utf8(&mut buffer);
    let Some(Some(all)) = text.to_pinyin_multi().next() else { return Vec::new() };
    let mut out: Vec<String> = Vec::new();
    for reading in all {
        let plain = reading.plain();
        for way in [plain.replace('ü', "v"), plain.replace('ü', "u")] {
            if way.is_ascii() && !way.is_empty() && !out.contains(&way) {
                out.push(way);
            }
        }
    }
    out.truncate(READINGS_MAX);
    out
}

/// The characters (first, and how many) of a name that this beginning of pinyin or initials stands for.
pub fn read_as(name: &str, word: &str) -> Option<(u32, u32)> {
    let chars = crate::fold::folded_with_places(name);
    let all: Vec<Vec<String>> = chars.iter().take(64).map(|(c, _)| readings(*c)).collect();
    (0..all.len()).find_map(|from| {
        let used = spoken(&all[from..], word, true).or_else(|| spoken(&all[from..], word, false))?;
        let (first, last) = (chars[from].1, chars[from + used - 1].1);
        Some((first, last - first + 1))
    })
}

/// How many characters it takes to say `rest`.
fn spoken(all: &[Vec<String>], rest: &str, whole: bool) -> Option<usize> {
    if rest.is_empty() {
        return Some(0);
    }
    let (options, after) = all.split_first()?;
    options.iter().find_map(|option| {
        let option = if whole { option.as_str() } else { &option[..1] };
        if option.starts_with(rest) {
            return Some(1);
        }
        spoken(after, rest.strip_prefix(option)?, whole).map(|n| n + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_found_by_pinyin_initials_and_from_any_syllable_on() {
        let all = terms("张三 Sales");
        for term in ["张三", "三", "zhangsan", "san", "zs", "sales"] {
            assert!(all.iter().any(|t| t == term), "{term}: {all:?}");
        }
        assert!(terms("吕布").iter().any(|t| t == "lvbu"));
        assert!(terms("重庆").iter().any(|t| t == "chongqing"));
        assert_eq!(read_as("小张三", "zhangs"), Some((1, 2)));
        assert_eq!(read_as("小张三", "zs"), Some((1, 2)));
        assert_eq!(read_as("小张三", "q"), None);
    }
}
