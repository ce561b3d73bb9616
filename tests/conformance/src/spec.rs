//! Which sentence of the specification is held to by which case.
//!
//! A sentence ends in its tag: `[C:link.gap]`, several with spaces between; `[C:none why]` where no case from outside can
//! tell. Any sentence or row of a table may have a tag; one with a MUST has to.

use std::{collections::BTreeMap, path::PathBuf};

/// A tag, and what it stands behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// File and the line on which its paragraph begins.
    pub place: String,
    /// Its text, without tags.
    pub text: String,
    /// Its tags; empty if it has none.
    pub tags: Vec<String>,
    /// Why there is no case.
    pub none: Option<String>,
}

impl Sentence {
    /// Whether it says MUST.
    pub fn binds(&self) -> bool {
        self.text.split(|c: char| !c.is_ascii_alphabetic()).any(|word| word == "MUST")
    }
}

/// All sentences of the chapters, in order.
///
/// # Panics
/// If the specification is not there.
pub fn sentences() -> Vec<Sentence> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../federation-spec"));
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the specification")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|e| e == "md"))
        .collect();
    files.sort();
    files
        .iter()
        .flat_map(|path| {
            let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            of_chapter(&name, &std::fs::read_to_string(path).expect("a chapter"))
        })
        .collect()
}

/// Tags, each with how many sentences have it.
pub fn tags(sentences: &[Sentence]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for tag in sentences.iter().flat_map(|s| &s.tags) {
        *all.entry(tag.clone()).or_default() += 1;
    }
    all
}

/// The sentences of one chapter: paragraphs, items of lists and rows of tables, cut at full stops.
pub fn of_chapter(name: &str, text: &str) -> Vec<Sentence> {
    let mut blocks: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(text.lines()) {
        let trimmed = line.trim();
        let begins =
            trimmed.starts_with(['*', '|', '#', '-']) || trimmed.split_once(". ").is_some_and(|(n, _)| n.parse::<u32>().is_ok());
        if trimmed.is_empty() {
            open = false;
            continue;
        }
        match blocks.last_mut() {
            Some((_, block)) if open && !begins => {
                block.push(' ');
                block.push_str(trimmed);
            }
            _ => blocks.push((number, trimmed.to_owned())),
        }
        open = true;
    }
    blocks.iter().flat_map(|(line, block)| of_block(&format!("{name}:{line}"), block)).collect()
}

fn of_block(place: &str, block: &str) -> Vec<Sentence> {
    let mut out: Vec<Sentence> = Vec::new();
    let mut begin = 0;
    let bytes = block.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        // A full stop ends a sentence before a space and a capital, a quotation or a tag.
        let stop = bytes[at] == b'.' && bytes.get(at + 1).is_none_or(|b| *b == b' ' || *b == b')');
        let mut end = at + 1;
        if stop {
            // The tag behind a full stop belongs to the sentence before it.
            while let Some(rest) = block[end..].trim_start().strip_prefix("[C:") {
                let tag_ends = rest.find(']').map_or(block.len(), |n| block.len() - rest.len() + n + 1);
                end = tag_ends;
            }
            let next = block[end..].trim_start().chars().next();
            if next.is_none_or(|c| c.is_uppercase() || "*`§(".contains(c)) || end > at + 1 {
                out.push(sentence(place, &block[begin..end]));
                begin = end;
            }
        }
        at = end;
    }
    if !block[begin..].trim().is_empty() {
        out.push(sentence(place, &block[begin..]));
    }
    out
}

fn sentence(place: &str, with_tags: &str) -> Sentence {
    let (mut text, mut tags, mut none) = (String::new(), Vec::new(), None);
    let mut rest = with_tags;
    while let Some((before, after)) = rest.split_once("[C:") {
        text.push_str(before);
        let (inside, behind) = after.split_once(']').unwrap_or((after, ""));
        match inside.strip_prefix("none ") {
            Some(why) => none = Some(why.to_owned()),
            None => tags.extend(inside.split(' ').map(str::to_owned)),
        }
        rest = behind;
    }
    text.push_str(rest);
    Sentence { place: place.to_owned(), text: text.trim().to_owned(), tags, none }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_cut_with_their_tags() {
        let text = "# Head\n\nA MUST b (see RFC 1. 2). [C:a.b]\nThe second one\nMUST NOT end early. Third.\n\n\
                    * an item MUST be [C:c]\n* another (MUST) [C:none it is a joke]\n\n| `x` | row MUST [C:d e] |\n";
        let all = of_chapter("x.md", text);
        let seen: Vec<(bool, String, bool)> = all.iter().map(|s| (s.binds(), s.tags.join(" "), s.none.is_some())).collect();
        let expected = [
            (false, "", false),
            (true, "a.b", false),
            (true, "", false),
            (false, "", false),
            (true, "c", false),
            (true, "", true),
            (true, "d e", false),
        ];
        let expected: Vec<_> = expected.into_iter().map(|(b, t, n)| (b, t.to_owned(), n)).collect();
        assert_eq!(seen, expected, "{all:#?}");
        assert_eq!(all[2].place, "x.md:3");
    }
}
