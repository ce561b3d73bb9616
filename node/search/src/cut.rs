//! Text cut into what is indexed, and a search cut the same way.
//!
//! Characters of scripts without spaces are taken two by two, the last of a run alone: a run of two or more is found
//! as the phrase of its pairs, one alone as the beginning of a pair. Words of other scripts are taken whole, and found by
//! their beginnings. Pure.

use startalk_protocol::sabotage::{self, Switch};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

use crate::fold::{Class, class, folded};

/// Characters of a word that are looked at; what is longer is no word of anybody.
const WORD_CHARS_MAX: usize = 40;

/// A part of a search: all of it has to be in a text, side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Characters that follow each other.
    Run(Vec<char>),
    /// The beginning of a word.
    Word(String),
}

/// The pieces of a search, at most `max` of them.
pub fn pieces(words: &str, max: usize) -> Vec<Piece> {
    let chars = folded(words);
    let (mut out, mut at) = (Vec::new(), 0);
    while at < chars.len() && out.len() < max {
        let kind = class(chars[at]);
        let length = chars[at..].iter().take_while(|c| class(**c) == kind).count();
        let run = &chars[at..at + length];
        match kind {
            Class::Gram => out.push(Piece::Run(run.to_vec())),
            Class::Word => out.push(Piece::Word(run.iter().take(WORD_CHARS_MAX).collect())),
            Class::Picture => out.extend(run.iter().map(|c| Piece::Word(c.to_string()))),
            Class::Between => {}
        }
        at += length;
    }
    out.truncate(max);
    out.dedup();
    out
}

/// Cuts text for the index.
#[derive(Clone, Default)]
pub struct Cutter;

/// The tokens of one text.
pub struct Tokens {
    chars: Vec<char>,
    at: usize,
    token: Token,
}

impl Tokens {
    /// Of this text.
    pub fn of(text: &str) -> Self {
        Self { chars: folded(text), at: 0, token: Token::default() }
    }
}

impl Tokenizer for Cutter {
    type TokenStream<'a> = Tokens;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Tokens {
        Tokens::of(text)
    }
}

impl TokenStream for Tokens {
    fn advance(&mut self) -> bool {
        let rest = &self.chars[self.at..];
        let between = rest.iter().take_while(|c| class(**c) == Class::Between).count();
        let rest = &rest[between..];
        let Some(first) = rest.first() else { return false };
        self.token.text.clear();
        let used = match class(*first) {
            Class::Gram => {
                self.token.text.push(*first);
                let next = rest.get(1).filter(|c| class(**c) == Class::Gram);
                self.token.text.extend(next);
                if next.is_some() && sabotage::is(Switch::PairsApart) { 2 } else { 1 }
            }
            Class::Word => {
                let length = rest.iter().take_while(|c| class(**c) == Class::Word).count();
                self.token.text.extend(&rest[..length.min(WORD_CHARS_MAX)]);
                length
            }
            Class::Picture | Class::Between => {
                self.token.text.push(*first);
                1
            }
        };
        self.at += between + used;
        self.token.position = self.token.position.wrapping_add(1);
        true
    }

    fn token(&self) -> &Token {
        &self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_and_the_last_one_alone_and_words() {
        let mut tokens = Tokens::of("星語 Startalk，好！");
        let mut out = Vec::new();
        while tokens.advance() {
            out.push((tokens.token().position, tokens.token().text.clone()));
        }
        let expected = [(0, "星语"), (1, "语"), (2, "startalk"), (3, "好")];
        assert_eq!(out, expected.map(|(p, t)| (p, t.to_owned())));
        let run = |s: &str| Piece::Run(s.chars().collect());
        assert_eq!(pieces("星語Start", 8), [run("星语"), Piece::Word("start".into())]);
        assert_eq!(pieces(" ，", 8), []);
    }
}
