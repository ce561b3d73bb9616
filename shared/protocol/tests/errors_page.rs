//! `federation-spec/06-errors.md` lists every code, in the order of the code, and says the same about trying again.

use startalk_protocol::Code;

#[test]
fn the_page_and_the_table_say_the_same() {
    let page = include_str!("../../../federation-spec/06-errors.md");
    let rows: Vec<(String, String)> = page
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.split('|').map(str::trim).collect();
            (cells[1].trim_matches('`').to_owned(), cells[4].to_owned())
        })
        .collect();
    let table: Vec<(String, String)> = Code::ALL
        .iter()
        .map(|code| (code.as_str().to_owned(), if code.retry_helps() { "yes" } else { "no" }.to_owned()))
        .collect();
    assert_eq!(rows, table);
}
