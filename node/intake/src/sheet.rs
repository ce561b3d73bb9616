//! Tables as XLSX: the first sheet that is shown, cell by cell.
//!
//! A zip says what it likes about its size, and a sheet about where its cells are. So everything in it is unpacked once and
//! counted before it is read, and cells are taken one by one: a range in memory is as large as the distance between the first
//! and the last of them.

use std::{
    io::{Cursor, Read as _},
    panic::{AssertUnwindSafe, catch_unwind},
};

use calamine::{DataRef, Reader as _, SheetType, SheetVisible, Xlsx};
use startalk_protocol::{Code, Error, limits};
use zip::ZipArchive;

use crate::table::{Rows, Table, no_table};

/// Files in an XLSX; a plain one has ten.
const FILES_MAX: usize = 1_000;
/// Rows that a spreadsheet can have.
const ROW_MAX: u32 = 1_048_576;

pub(crate) fn read(bytes: &[u8]) -> Result<Table, Error> {
    fits(bytes)?;
    // The reader was written for files that spreadsheets wrote; what others wrote must not end the thread.
    catch_unwind(AssertUnwindSafe(|| cells(bytes))).unwrap_or_else(|_| Err(no_table("XLSX as spreadsheets write it")))
}

/// Unpacks everything and keeps nothing.
fn fits(bytes: &[u8]) -> Result<(), Error> {
    let broken = |e: &dyn std::fmt::Display| no_table(format!("XLSX ({e})"));
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|e| broken(&e))?;
    let too_large = || Error::new(Code::TooLarge).with("what", "what is packed in the file").with("got", "…");
    let too_large = || too_large().with("max", limits::INTAKE_UNPACKED_BYTES_MAX);
    if archive.len() > FILES_MAX {
        return Err(too_large());
    }
    let mut left = limits::INTAKE_UNPACKED_BYTES_MAX;
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(|e| broken(&e))?;
        let read = std::io::copy(&mut file.take(left + 1), &mut std::io::sink()).map_err(|e| broken(&e))?;
        left = left.checked_sub(read).ok_or_else(too_large)?;
    }
    Ok(())
}

fn cells(bytes: &[u8]) -> Result<Table, Error> {
    let broken = |e: &dyn std::fmt::Display| no_table(format!("XLSX ({e})"));
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| broken(&e))?;
    let shown = |s: &&calamine::Sheet| s.typ == SheetType::WorkSheet && s.visible == SheetVisible::Visible;
    let sheet = book.sheets_metadata().iter().find(shown).map(|s| s.name.clone());
    let sheet = sheet.ok_or_else(|| no_table("an XLSX with a sheet"))?;
    let mut reader = book.worksheet_cells_reader(&sheet).map_err(|e| broken(&e))?;
    let (mut rows, mut number, mut row): (_, u32, Vec<String>) = (Rows::default(), 0, Vec::new());
    while let Some(cell) = reader.next_cell().map_err(|e| broken(&e))? {
        let (at, column) = cell.get_position();
        let text = shown_text(cell.get_value());
        if text.is_empty() {
            continue;
        }
        if at >= ROW_MAX || column as usize >= limits::INTAKE_COLUMNS_MAX {
            return Err(Error::new(Code::TooMany).with("what", "columns").with("max", limits::INTAKE_COLUMNS_MAX));
        }
        if at + 1 != number {
            rows.push(number, std::mem::take(&mut row))?;
            if at + 1 < number {
                return Err(no_table("rows in their order"));
            }
            number = at + 1;
        }
        let column = column as usize;
        if row.len() <= column {
            row.resize(column + 1, String::new());
        }
        row[column] = text;
    }
    rows.push(number, row)?;
    rows.table()
}

/// As a person wrote it: a number that has no fraction has no point, so that an id that looks like one stays what it is.
fn shown_text(value: &DataRef<'_>) -> String {
    match value {
        DataRef::String(text) => text.clone(),
        DataRef::SharedString(text) => (*text).to_owned(),
        DataRef::Int(n) => n.to_string(),
        #[expect(clippy::cast_possible_truncation, reason = "compared with what it came from")]
        DataRef::Float(n) if *n == (*n as i64) as f64 && n.abs() < 9e15 => (*n as i64).to_string(),
        DataRef::Float(n) => n.to_string(),
        DataRef::Bool(b) => b.to_string(),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => text.clone(),
        DataRef::DateTime(when) => when.as_f64().to_string(),
        DataRef::Error(_) | DataRef::Empty => String::new(),
    }
}
