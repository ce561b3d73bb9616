//! A table as it stands in a file, whatever the kind of the file: a head and rows of text with the numbers that people see.
//!
//! Owns the limits on what is read, and which of the readers is asked. Nothing in here knows what a column means.

use startalk_protocol::{Code, Error, limits};

use crate::{sheet, text};

/// A row with something in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// As a spreadsheet counts, from 1: the head has one too.
    pub number: u32,
    /// Trimmed; may be fewer than the head has.
    pub cells: Vec<String>,
}

/// A head and what stands below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What the columns are called.
    pub head: Vec<String>,
    /// In their order, without those that are empty.
    pub rows: Vec<Row>,
}

/// Every zip, and so every XLSX, begins so.
const ZIP: &[u8] = b"PK\x03\x04";

/// Reads CSV or XLSX; which it is, the bytes say.
///
/// # Errors
/// `not-a-table`, or which limit is passed.
pub fn read(bytes: &[u8]) -> Result<Table, Error> {
    if bytes.len() > limits::INTAKE_BYTES_MAX {
        let error = Error::new(Code::TooLarge).with("what", "the file");
        return Err(error.with("got", bytes.len()).with("max", limits::INTAKE_BYTES_MAX));
    }
    if bytes.starts_with(ZIP) { sheet::read(bytes) } else { text::read(bytes) }
}

/// What is not a table, in words of what was expected.
pub(crate) fn no_table(expected: impl std::fmt::Display) -> Error {
    Error::new(Code::NotATable).with("expected", expected)
}

/// Takes rows one by one, within the limits.
#[derive(Default)]
pub(crate) struct Rows {
    table: Table,
    has_head: bool,
}

impl Rows {
    /// One more; an empty one is left out.
    ///
    /// # Errors
    /// If it is too much.
    pub(crate) fn push(&mut self, number: u32, mut cells: Vec<String>) -> Result<(), Error> {
        let too_many = |what: &str, max: usize| Err(Error::new(Code::TooMany).with("what", what).with("max", max));
        for cell in &mut cells {
            if cell.len() > limits::INTAKE_CELL_BYTES_MAX {
                let error = Error::new(Code::TooLarge).with("what", format!("a cell of row {number}"));
                return Err(error.with("got", cell.len()).with("max", limits::INTAKE_CELL_BYTES_MAX));
            }
            let trimmed = cell.trim();
            if trimmed.len() < cell.len() {
                *cell = trimmed.to_owned();
            }
        }
        while cells.last().is_some_and(String::is_empty) {
            cells.pop();
        }
        if cells.is_empty() {
            return Ok(());
        }
        if cells.len() > limits::INTAKE_COLUMNS_MAX {
            return too_many("columns", limits::INTAKE_COLUMNS_MAX);
        }
        if !self.has_head {
            (self.table.head, self.has_head) = (cells, true);
            return Ok(());
        }
        if self.table.rows.len() >= limits::INTAKE_ROWS_MAX {
            return too_many("rows", limits::INTAKE_ROWS_MAX);
        }
        self.table.rows.push(Row { number, cells });
        Ok(())
    }

    /// All of them.
    ///
    /// # Errors
    /// `not-a-table` if there was not even a head.
    pub(crate) fn table(self) -> Result<Table, Error> {
        if self.has_head { Ok(self.table) } else { Err(no_table("a row with the names of the columns")) }
    }
}
