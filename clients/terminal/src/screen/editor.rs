//! A text being written: a cursor between graphemes, lines, and how they lie on the screen.
//!
//! Pure. Invariant: the cursor stands on a grapheme boundary, also inside what only looks like one character.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Bytes of a text; the SDK and the node have their own limit, this one keeps a wrong paste from hurting.
const BYTES_MAX: usize = 64 * 1024;

/// A text and a cursor in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Editor {
    text: String,
    cursor: usize,
}

/// How a text lies on the screen.
#[derive(Debug, PartialEq, Eq)]
pub struct Laid {
    /// The rows.
    pub rows: Vec<String>,
    /// Row and column of the cursor.
    pub cursor: (usize, usize),
}

/// Columns of a grapheme.
pub fn width(grapheme: &str) -> usize {
    grapheme.width()
}

impl Editor {
    /// With this text, the cursor at its end.
    pub fn of(text: &str) -> Self {
        let mut editor = Self::default();
        editor.insert(text);
        editor
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// In one row of so many columns: what is seen around the cursor, and the cursor's column.
    pub fn window(&self, columns: usize) -> (String, usize) {
        let (before, after) = self.text.split_at(self.cursor);
        let (mut seen, mut used) = (Vec::new(), 0);
        // One column is left for the cursor behind the end.
        for grapheme in before.graphemes(true).rev().take_while(|g| *g != "\n") {
            if used + width(grapheme) >= columns {
                break;
            }
            used += width(grapheme);
            seen.push(grapheme);
        }
        seen.reverse();
        let (mut seen, at) = (seen.concat(), used);
        for grapheme in after.graphemes(true).take_while(|g| *g != "\n") {
            used += width(grapheme);
            if used > columns {
                break;
            }
            seen.push_str(grapheme);
        }
        (seen, at)
    }

    /// What stands before the cursor.
    pub fn up_to_cursor(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes the text and leaves nothing.
    pub fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Inserts at the cursor; control characters but line ends are left out, tabs become spaces.
    pub fn insert(&mut self, text: &str) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', "    ");
        let clean: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
        if self.text.len() + clean.len() <= BYTES_MAX {
            self.text.insert_str(self.cursor, &clean);
            self.cursor = self.boundary_at_or_after(self.cursor + clean.len());
        }
    }

    /// What was typed may join with what stands before it: the cursor stays on a boundary.
    fn boundary_at_or_after(&self, at: usize) -> usize {
        self.text.grapheme_indices(true).map(|(i, _)| i).find(|i| *i >= at).unwrap_or(self.text.len())
    }

    fn before(&self) -> usize {
        self.text.grapheme_indices(true).map(|(i, _)| i).take_while(|i| *i < self.cursor).last().unwrap_or(0)
    }

    fn after(&self) -> usize {
        self.boundary_at_or_after(self.cursor + 1)
    }

    /// Removes the grapheme before the cursor.
    pub fn backspace(&mut self) {
        let before = self.before();
        self.text.replace_range(before..self.cursor, "");
        self.cursor = before;
    }

    /// Removes the grapheme after the cursor.
    pub fn delete(&mut self) {
        let after = self.after();
        self.text.replace_range(self.cursor..after, "");
    }

    /// One grapheme to the left.
    pub fn left(&mut self) {
        self.cursor = self.before();
    }

    /// One grapheme to the right.
    pub fn right(&mut self) {
        self.cursor = self.after();
    }

    /// One word to the left.
    pub fn word_left(&mut self) {
        let words = self.text.unicode_word_indices().map(|(i, _)| i);
        self.cursor = words.take_while(|i| *i < self.cursor).last().unwrap_or(0);
    }

    /// One word to the right.
    pub fn word_right(&mut self) {
        let ends = self.text.unicode_word_indices().map(|(i, w)| i + w.len());
        self.cursor = ends.into_iter().find(|i| *i > self.cursor).unwrap_or(self.text.len());
    }

    /// To the beginning of the line.
    pub fn home(&mut self) {
        self.cursor = self.line_start();
    }

    /// To the end of the line.
    pub fn end(&mut self) {
        self.cursor = self.text[self.cursor..].find('\n').map_or(self.text.len(), |i| self.cursor + i);
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |i| i + 1)
    }

    /// Removes from the beginning of the line to the cursor.
    pub fn cut_line(&mut self) {
        let start = self.line_start();
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
    }

    /// Removes the word before the cursor.
    pub fn cut_word(&mut self) {
        let end = self.cursor;
        self.word_left();
        self.text.replace_range(self.cursor..end, "");
    }

    /// One row up in a field of this width; false if there is none.
    pub fn up(&mut self, columns: usize) -> bool {
        let (row, column) = self.lay(columns).cursor;
        row > 0 && self.go_to(row - 1, column, columns)
    }

    /// One row down in a field of this width; false if there is none.
    pub fn down(&mut self, columns: usize) -> bool {
        let laid = self.lay(columns);
        let (row, column) = laid.cursor;
        row + 1 < laid.rows.len() && self.go_to(row + 1, column, columns)
    }

    fn go_to(&mut self, row: usize, column: usize, columns: usize) -> bool {
        let mut best = None;
        walk(&self.text, columns, |at, r, c| {
            if r == row && c <= column {
                best = Some(at);
            }
        });
        self.cursor = best.unwrap_or(self.cursor);
        true
    }

    /// Rows of at most so many columns, broken anywhere between graphemes.
    pub fn lay(&self, columns: usize) -> Laid {
        let mut laid = Laid { rows: vec![String::new()], cursor: (0, 0) };
        let mut last: Option<(usize, usize)> = None;
        walk(&self.text, columns, |at, row, column| {
            if let Some((start, row)) = last {
                put(&mut laid.rows, row, &self.text[start..at]);
            }
            if at == self.cursor {
                laid.cursor = (row, column);
            }
            last = Some((at, row));
        });
        if let Some((start, row)) = last {
            put(&mut laid.rows, row, &self.text[start..]);
        }
        laid.rows.resize(laid.rows.len().max(laid.cursor.0 + 1), String::new());
        laid
    }
}

fn put(rows: &mut Vec<String>, row: usize, grapheme: &str) {
    rows.resize(rows.len().max(row + 1), String::new());
    if grapheme != "\n" {
        rows[row].push_str(grapheme);
    }
}

/// Calls `at` with each place between graphemes: byte, row, column.
fn walk(text: &str, columns: usize, mut at: impl FnMut(usize, usize, usize)) {
    let columns = columns.max(2);
    let (mut row, mut column) = (0, 0);
    for (i, grapheme) in text.grapheme_indices(true) {
        let w = if grapheme == "\n" { 0 } else { width(grapheme) };
        if column + w > columns {
            (row, column) = (row + 1, 0);
        }
        at(i, row, column);
        if grapheme == "\n" {
            (row, column) = (row + 1, 0);
        } else {
            column += w;
        }
    }
    if column >= columns {
        (row, column) = (row + 1, 0);
    }
    at(text.len(), row, column);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_moves_by_what_looks_like_a_character() {
        let mut editor = Editor::of("a👨‍👩‍👧‍👦é中");
        editor.left();
        editor.backspace();
        assert_eq!(editor.text(), "a👨‍👩‍👧‍👦中");
        editor.backspace();
        assert_eq!(editor.text(), "a中");
        editor.delete();
        assert_eq!(editor.text(), "a");
        editor.right();
        editor.right();
        editor.insert("e");
        editor.insert("\u{301}");
        editor.backspace();
        assert_eq!(editor.text(), "a");
    }

    #[test]
    fn wide_characters_take_two_columns_and_are_not_cut() {
        let laid = Editor::of("你好世界ab").lay(5);
        assert_eq!(laid.rows, ["你好", "世界a", "b"]);
        assert_eq!(laid.cursor, (2, 1));
        let mut editor = Editor::of("你好世界ab");
        assert!(editor.up(5) && editor.up(5));
        assert_eq!(editor.lay(5).cursor, (0, 0));
        assert!(!editor.up(5));
        assert!(editor.down(5) && editor.down(5) && !editor.down(5));
    }

    #[test]
    fn a_full_row_leaves_the_cursor_on_the_next() {
        let laid = Editor::of("abcd").lay(4);
        assert_eq!((laid.rows, laid.cursor), (vec!["abcd".to_owned(), String::new()], (1, 0)));
        let laid = Editor::of("ab\n").lay(4);
        assert_eq!((laid.rows, laid.cursor), (vec!["ab".to_owned(), String::new()], (1, 0)));
        assert_eq!(Editor::default().lay(4), Laid { rows: vec![String::new()], cursor: (0, 0) });
    }

    #[test]
    fn a_window_of_one_row_follows_the_cursor() {
        let mut editor = Editor::of("https://例子.example/很长的链接");
        assert_eq!(editor.window(7), ("的链接".to_owned(), 6));
        assert_eq!(editor.window(100).1, 31);
        editor.home();
        assert_eq!(editor.window(10), ("https://例".to_owned(), 0));
    }

    #[test]
    fn lines_words_and_pastes() {
        let mut editor = Editor::of("one two\r\nthree\tfour\u{1b}[31m");
        assert_eq!(editor.text(), "one two\nthree    four[31m");
        editor.home();
        editor.insert("> ");
        editor.end();
        editor.cut_word();
        assert_eq!(editor.text(), "one two\n> three    four[");
        editor.cut_line();
        assert_eq!(editor.text(), "one two\n");
        editor.word_left();
        editor.insert("x");
        assert_eq!(editor.text(), "one xtwo\n");
    }
}
