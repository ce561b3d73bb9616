//! What one person received from one other, counted: lost, doubled, out of order, and whether the texts are those that
//! were said.

use std::collections::{BTreeMap, BTreeSet};

/// The texts of one author by their numbers, in the order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Each once.
    pub texts: BTreeMap<u64, String>,
    /// Ids of the messages that carried them.
    pub ids: BTreeSet<Vec<u8>>,
    /// Texts that came again.
    pub doubled: Vec<u64>,
    /// Texts that came after a later one.
    pub out_of_order: Vec<u64>,
    /// Texts without a number.
    pub strange: Vec<String>,
    last: u64,
}

impl Tally {
    /// Takes what arrived.
    pub fn take(&mut self, id: &[u8], text: &str) {
        let Some(number) = number_of(text) else {
            self.strange.push(text.to_owned());
            return;
        };
        self.ids.insert(id.to_vec());
        if self.texts.insert(number, text.to_owned()).is_some() {
            self.doubled.push(number);
        } else if number < self.last {
            self.out_of_order.push(number);
        }
        self.last = self.last.max(number);
    }

    /// How many different texts arrived.
    pub fn count(&self) -> u64 {
        self.texts.len() as u64
    }

    /// Holds it against what was said: nothing lost, doubled, out of order or changed.
    ///
    /// # Panics
    /// Otherwise, with the counts.
    pub fn check(&self, who: &str, said: &[String]) {
        println!(
            "{who}: said {} received {} lost {} doubled {} out-of-order {}",
            said.len(),
            self.count(),
            self.lost(said).len(),
            self.doubled.len(),
            self.out_of_order.len()
        );
        let wrong = self.wrong(said);
        assert!(wrong.is_empty(), "{who}: {}", wrong.join("; "));
    }

    /// The same in words; nothing if all is well.
    pub fn wrong(&self, said: &[String]) -> Vec<String> {
        let lost = self.lost(said);
        let changed = hash(self.texts.values()) != hash(said.iter());
        let ids = self.ids.len();
        [
            (!lost.is_empty(), format!("lost {lost:?}")),
            (!self.doubled.is_empty(), format!("doubled {:?}", self.doubled)),
            (!self.out_of_order.is_empty(), format!("out of order {:?}", self.out_of_order)),
            (!self.strange.is_empty(), format!("nobody said {:?}", self.strange)),
            (ids != said.len(), format!("{ids} messages with ids, {} said", said.len())),
            (changed, "the texts are not those that were said (BLAKE3 of all)".to_owned()),
        ]
        .into_iter()
        .filter_map(|(is_so, words)| is_so.then_some(words))
        .collect()
    }

    fn lost<'a>(&self, said: &'a [String]) -> Vec<&'a str> {
        let is_lost = |s: &&String| number_of(s).is_none_or(|n| !self.texts.contains_key(&n));
        said.iter().filter(is_lost).map(|s| s.get(..40).unwrap_or(s)).collect()
    }
}

/// The number in `author 17: text`.
pub fn number_of(text: &str) -> Option<u64> {
    text.split([' ', ':']).nth(1)?.parse().ok()
}

/// BLAKE3 over texts, each with its length.
pub fn hash<'a>(texts: impl Iterator<Item = &'a String>) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(texts: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for (id, text) in texts.iter().enumerate() {
            tally.take(&[u8::try_from(id).unwrap()], text);
        }
        tally
    }

    #[test]
    fn it_counts() {
        let said: Vec<String> = (1..=3).map(|n| format!("a {n}: x")).collect();
        tally(&["a 1: x", "a 2: x", "a 3: x"]).check("all", &said);
        let bad = tally(&["a 1: x", "a 3: x", "a 2: x", "a 1: x", "what"]);
        assert_eq!((bad.count(), &bad.doubled[..], &bad.out_of_order[..], bad.strange.len()), (3, &[1][..], &[2][..], 1));
        for wrong in [&["a 1: x", "a 2: x"][..], &["a 1: x", "a 2: y", "a 3: x"]] {
            assert!(std::panic::catch_unwind(|| tally(wrong).check("wrong", &said)).is_err());
        }
    }
}
