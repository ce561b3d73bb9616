//! Spreadsheets as small as they can be, made for tests.

use std::io::{Cursor, Write as _};

use zip::{ZipWriter, write::SimpleFileOptions};

const TYPES: &str = r#"<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/></Types>"#;
const RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>"#;
const BOOK: &str = r#"<?xml version="1.0"?><workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="Notes" sheetId="1" state="hidden" r:id="rId1"/><sheet name="People" sheetId="2" r:id="rId2"/></sheets></workbook>"#;
const BOOK_RELS: &str = r#"<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet2.xml"/></Relationships>"#;

/// A sheet's XML with these cells, and whatever else.
pub fn sheet(cells: &str) -> String {
    format!(
        r#"<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{cells}</sheetData></worksheet>"#
    )
}

/// Rows of a sheet; what looks like a number is one.
pub fn rows(table: &[&[&str]]) -> String {
    let cell = |row: usize, at: usize, text: &str| {
        let column = char::from(b'A' + u8::try_from(at).unwrap());
        match text.parse::<f64>() {
            Ok(_) => format!(r#"<c r="{column}{row}"><v>{text}</v></c>"#),
            Err(_) => format!(r#"<c r="{column}{row}" t="inlineStr"><is><t>{text}</t></is></c>"#),
        }
    };
    let row = |(n, cells): (usize, &&[&str])| {
        let all: String = cells.iter().enumerate().filter(|(_, t)| !t.is_empty()).map(|(at, t)| cell(n + 1, at, t)).collect();
        format!(r#"<row r="{}">{all}</row>"#, n + 1)
    };
    table.iter().enumerate().map(row).collect()
}

/// An XLSX whose shown sheet has this XML.
pub fn xlsx(sheet_xml: &str) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, text) in [
        ("[Content_Types].xml", TYPES),
        ("_rels/.rels", RELS),
        ("xl/workbook.xml", BOOK),
        ("xl/_rels/workbook.xml.rels", BOOK_RELS),
        ("xl/worksheets/sheet1.xml", &sheet("")),
        ("xl/worksheets/sheet2.xml", sheet_xml),
    ] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}
