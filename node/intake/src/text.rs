//! Tables as text: CSV as spreadsheets write it. UTF-8 with or without a mark, UTF-16 with one, or GB18030, which Excel in
//! China writes; commas, semicolons or tabs between the cells, whichever the first row has most of.

use std::borrow::Cow;

use csv::{ReaderBuilder, StringRecord, Trim};
use encoding_rs::{Encoding, GB18030};
use startalk_protocol::Error;

use crate::table::{Rows, Table, no_table};

/// What may stand between cells.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

pub(crate) fn read(bytes: &[u8]) -> Result<Table, Error> {
    let text = decoded(bytes)?;
    if text.contains('\0') {
        return Err(no_table("CSV or XLSX"));
    }
    let separator = separator(&text);
    let mut reader =
        ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).delimiter(separator).from_reader(text.as_bytes());
    let (mut rows, mut record, mut numbers) = (Rows::default(), StringRecord::new(), Numbers::new(&text, separator));
    while reader.read_record(&mut record).map_err(|e| no_table(format!("CSV ({e})")))? {
        rows.push(numbers.next().unwrap_or_default(), record.iter().map(str::to_owned).collect())?;
    }
    rows.table()
}

/// The numbers of the rows that have something in them: the reader leaves out empty lines, which a spreadsheet shows and
/// counts; and a row is several lines if a cell in quotes is.
struct Numbers<'a> {
    rest: std::iter::Peekable<std::str::Bytes<'a>>,
    separator: u8,
    row: u32,
}

impl<'a> Numbers<'a> {
    fn new(text: &'a str, separator: u8) -> Self {
        Self { rest: text.bytes().peekable(), separator, row: 0 }
    }
}

impl Iterator for Numbers<'_> {
    type Item = u32;
    fn next(&mut self) -> Option<u32> {
        let (mut is_empty, mut begins_cell, mut quoted) = (true, true, false);
        loop {
            let Some(b) = self.rest.next() else {
                self.row += 1;
                return (!is_empty).then_some(self.row);
            };
            if quoted {
                // A quote in a quoted cell is written twice.
                quoted = b != b'"' || self.rest.next_if_eq(&b'"').is_some();
                continue;
            }
            match b {
                b'\r' | b'\n' => {
                    if b == b'\r' {
                        self.rest.next_if_eq(&b'\n');
                    }
                    self.row += 1;
                    if !is_empty {
                        return Some(self.row);
                    }
                    begins_cell = true;
                    continue;
                }
                b'"' if begins_cell => quoted = true,
                _ => {}
            }
            begins_cell = b == self.separator;
            is_empty = false;
        }
    }
}

/// As text. Bytes that are neither say so; nothing is replaced silently.
fn decoded(bytes: &[u8]) -> Result<Cow<'_, str>, Error> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        let text = encoding.decode_without_bom_handling_and_without_replacement(&bytes[mark..]);
        return text.ok_or_else(|| no_table(format!("text in {}, as its first bytes say", encoding.name())));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Ok(Cow::Borrowed(text));
    }
    let text = GB18030.decode_without_bom_handling_and_without_replacement(bytes);
    text.ok_or_else(|| no_table("text in UTF-8 or GB18030, or XLSX"))
}

/// Of the first row, outside quotes.
fn separator(text: &str) -> u8 {
    let mut quoted = false;
    let head = text.trim_start().bytes().take_while(|b| {
        quoted ^= *b == b'"';
        quoted || (*b != b'\n' && *b != b'\r')
    });
    let (mut counts, mut quoted) = ([0usize; SEPARATORS.len()], false);
    for b in head {
        quoted ^= b == b'"';
        if let Some(at) = SEPARATORS.iter().position(|s| *s == b && !quoted) {
            counts[at] += 1;
        }
    }
    let most = (0..SEPARATORS.len()).rev().max_by_key(|at| counts[*at]).unwrap_or(0);
    SEPARATORS[most]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(bytes: &[u8]) -> Vec<(u32, Vec<String>)> {
        let table = read(bytes).unwrap();
        std::iter::once((0, table.head)).chain(table.rows.into_iter().map(|r| (r.number, r.cells))).collect()
    }

    #[test]
    fn every_way_in_which_spreadsheets_write_text_is_the_same_table() {
        let expected = vec![
            (0, vec!["账号".to_owned(), "姓名".to_owned(), "群".to_owned()]),
            (2, vec!["zhang.san".to_owned(), "张三, 先生".to_owned()]),
            (3, vec!["李".to_owned(), String::new(), "a\nb".to_owned()]),
        ];
        let plain = "账号,姓名,群\r\nzhang.san,\"张三, 先生\",\r\n李 , ,\"a\nb\"\r\n";
        assert_eq!(cells(plain.as_bytes()), expected);
        assert_eq!(cells(format!("\u{feff}{plain}").as_bytes()), expected);
        assert_eq!(cells(&GB18030.encode(plain).0), expected);
        let utf16: Vec<u8> = format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(cells(&utf16), expected);
        for other in [";", "\t"] {
            let text = plain.replace("张三, 先生", "#").replace(',', other).replace('#', "张三, 先生").replace('\r', "");
            assert_eq!(cells(text.as_bytes()), expected, "{other:?}");
        }
    }

    #[test]
    fn rows_are_numbered_as_a_spreadsheet_numbers_them() {
        for end in ["\n", "\r\n"] {
            let text = ["a,b", "", "1,2", "\"x", "y\",3", "", "", "4,5", ""].join(end);
            let numbers: Vec<u32> = read(text.as_bytes()).unwrap().rows.iter().map(|r| r.number).collect();
            assert_eq!(numbers, [3, 4, 7], "{end:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_refused_with_words() {
        for bytes in [&b"\xff\xff\xff\xff"[..], b"", b"\n\n  \n", b"a\0b,c", b"\xef\xbb\xbf\xff"] {
            let error = read(bytes).unwrap_err();
            assert_eq!(error.code, startalk_protocol::Code::NotATable, "{bytes:?}");
        }
    }
}
