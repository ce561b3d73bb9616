//! Whatever bytes come: they are refused with words, or read within the limits.

mod support;

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use startalk_intake::{check, read, template};
use startalk_protocol::{Code, error::Language, limits};
use support::{rows, sheet, xlsx};

#[test]
fn a_spreadsheet_is_the_table_that_it_shows() {
    let cells = rows(&[&["外部编号", "帐号", "姓名"], &["10001", "zhang.san", "张三"], &[], &["10002.5", "li.si"]]);
    let table = read(&xlsx(&sheet(&cells))).unwrap();
    assert_eq!(table.head, ["外部编号", "帐号", "姓名"]);
    let all: Vec<(u32, Vec<&str>)> =
        table.rows.iter().map(|r| (r.number, r.cells.iter().map(String::as_str).collect())).collect();
    assert_eq!(all, [(2, vec!["10001", "zhang.san", "张三"]), (4, vec!["10002.5", "li.si"])]);
}

#[test]
fn what_unpacks_to_too_much_is_refused_before_it_is_read() {
    let bomb = xlsx(&sheet(&"<row/>".repeat(6 * 1024 * 1024)));
    assert!(bomb.len() < limits::INTAKE_BYTES_MAX, "it comes in as a small file: {}", bomb.len());
    assert_eq!(read(&bomb).unwrap_err().code, Code::TooLarge);
    // A cell far away costs nothing, and is refused.
    let far = sheet(r#"<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>"#);
    assert_eq!(read(&xlsx(&far)).unwrap_err().code, Code::TooMany);
    assert_eq!(read(&vec![b'a'; limits::INTAKE_BYTES_MAX + 1]).unwrap_err().code, Code::TooLarge);
    let long = format!("帐号\n{}", "x".repeat(limits::INTAKE_CELL_BYTES_MAX + 1));
    assert_eq!(read(long.as_bytes()).unwrap_err().code, Code::TooLarge);
    assert_eq!(read(&[b','; 200]).unwrap_err().code, Code::NotATable);
    assert_eq!(read("a,".repeat(limits::INTAKE_COLUMNS_MAX + 1).as_bytes()).unwrap_err().code, Code::TooMany);
    let rows = format!("帐号\n{}", "x\n".repeat(limits::INTAKE_ROWS_MAX + 1));
    assert_eq!(read(rows.as_bytes()).unwrap_err().code, Code::TooMany);
    let rows = format!("帐号\n{}", "x\n".repeat(limits::INTAKE_ROWS_MAX));
    assert_eq!(read(rows.as_bytes()).unwrap().rows.len(), limits::INTAKE_ROWS_MAX);
}

#[test]
fn no_bytes_break_the_reader() {
    let table: &[&[&str]] = &[&["id", "account", "name", "role", "groups"], &["1", "ann", "Ann", "admin", "a;b"], &["2", "bob"]];
    let corpus = [
        template(Language::Chinese).into_bytes(),
        template(Language::English).replace(',', ";").into_bytes(),
        encoding_rs::GB18030.encode(template(Language::Chinese).trim_start_matches('\u{feff}')).0.into_owned(),
        "\"a\"\"b\",\"c\nd\"\r\n1,\"".into(),
        xlsx(&sheet(&rows(table))),
        xlsx(&sheet(
            r#"<row><c t="s"><v>9</v></c><c t="b"><v>1</v></c><c t="e"><v>#N/A</v></c><c t="d"><v>2024-01-01</v></c></row>"#,
        )),
    ];
    corpus.iter().for_each(|bytes| check(bytes));
    let mut read_whole = 0;
    for seed in 0..3000u64 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut bytes = corpus[random.random_range(0..corpus.len())].clone();
        for _ in 0..random.random_range(1..6) {
            let at = random.random_range(0..bytes.len());
            match random.random_range(0..5) {
                0 => bytes[at] ^= 1 << random.random_range(0..8),
                1 => bytes.truncate(at.max(1)),
                2 => bytes[at] = *b",;\"\r\n\t\0=\xff".get(random.random_range(0..9usize)).unwrap(),
                3 => {
                    let part = bytes[at..bytes.len().min(at + 40)].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => drop(bytes.remove(at)),
            }
            if bytes.is_empty() {
                bytes.push(b'a');
            }
        }
        let result = std::panic::catch_unwind(|| check(&bytes));
        assert!(result.is_ok(), "seed {seed}");
        read_whole += usize::from(read(&bytes).is_ok());
    }
    assert!(read_whole > 500, "many are still tables: {read_whole}");
}
