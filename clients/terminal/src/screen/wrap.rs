//! Texts in rows of a given width, broken at spaces where there are any and between wide characters.
//!
//! Pure. What comes from others passes through [`harmless`] first: no control character and no change of direction
//! reaches the terminal.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Without what would steer a terminal or turn its text around.
pub fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let text = text.replace('\t', "    ");
    text.chars().filter(|c| *c == '\n' || !(c.is_control() || turns(*c))).collect()
}

/// Columns of a text.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// The beginning of a text that fits, with `…` if something was cut.
pub fn cut(text: &str, max: usize) -> String {
    if columns(text) <= max {
        return text.to_owned();
    }
    let (mut out, mut used) = (String::new(), 0);
    for grapheme in text.graphemes(true) {
        let w = columns(grapheme);
        if used + w + 1 > max {
            break;
        }
        out.push_str(grapheme);
        used += w;
    }
    if max > 0 {
        out.push('…');
    }
    out
}

/// Cut, and filled with spaces to exactly so many columns.
pub fn fit(text: &str, exact: usize) -> String {
    let mut out = cut(text, exact);
    let used = columns(&out);
    out.extend(std::iter::repeat_n(' ', exact.saturating_sub(used)));
    out
}

/// Rows of at most so many columns.
pub fn wrap(text: &str, max: usize) -> Vec<String> {
    let max = max.max(2);
    text.split('\n').flat_map(|line| wrap_line(line, max)).collect()
}

fn wrap_line(line: &str, max: usize) -> Vec<String> {
    let (mut rows, mut row, mut used) = (Vec::new(), String::new(), 0);
    for word in line.split_word_bounds() {
        let w = columns(word);
        if used + w > max && used > 0 && w <= max {
            rows.push(std::mem::take(&mut row));
            used = 0;
            if word.chars().all(char::is_whitespace) {
                continue;
            }
        }
        if used + w <= max {
            row.push_str(word);
            used += w;
            continue;
        }
        for grapheme in word.graphemes(true) {
            let w = columns(grapheme);
            if used + w > max {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            row.push_str(grapheme);
            used += w;
        }
    }
    rows.push(row);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_never_exceed_the_width() {
        let texts = [
            "hello world, this is a text",
            "你好，世界！今天天气怎么样？",
            "mixed 中文 and English 混排",
            "averyveryverylongwordindeed",
            "👨‍👩‍👧‍👦 family 👍🏽",
            "",
        ];
        for text in texts {
            for max in 2..30 {
                let rows = wrap(text, max);
                assert!(rows.iter().all(|r| columns(r) <= max), "{text} {max} {rows:?}");
                let dense = |s: &str| s.chars().filter(|c| !c.is_whitespace()).collect::<String>();
                assert_eq!(dense(&rows.concat()), dense(text));
            }
        }
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
    }

    #[test]
    fn cut_and_fit_count_columns() {
        assert_eq!(cut("你好世界", 5), "你好…");
        assert_eq!(fit("你好世界", 6), "你好… ");
        assert_eq!(fit("ab", 4), "ab  ");
        assert_eq!(cut("abc", 0), "");
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(harmless("a\u{1b}[2Jb\u{202e}c\td\u{9b}1m\n"), "a[2Jbc    d1m\n");
    }
}
