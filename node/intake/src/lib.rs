//! Accounts that come in from elsewhere: a table is read ([`read`]), its rows become people ([`people`]), as the entries of a
//! directory do ([`listed`]), and what is to change
//! is planned against the accounts that there are ([`plan`]).
//!
//! Owns no state, changes nothing, knows no clock and no socket; whoever carries a plan out gives each step to the domain as a
//! command. The plan knows nothing of files and directories: there is one for both.
//! Invariant: the same rows and the same accounts give the same plan, and the same digest.

mod columns;
mod listed;
mod people;
mod plan;
mod present;
mod sheet;
mod table;
mod template;
mod text;

pub use columns::Column;
pub use listed::{Entry, listed};
pub use people::{Change, People, RowError, Wanted, people};
pub use plan::{ABSENT_PERCENT_MAX, Mode, Plan, Step, What, plan};
pub use present::{GroupHere, Present, Standing, present};
pub use table::{Row, Table, read};
pub use template::{Link, day, links, template};

/// Whatever the bytes are, they are refused with words or read within the limits.
///
/// # Panics
/// If they are read beyond a limit.
pub fn check(bytes: &[u8]) {
    use startalk_protocol::limits;
    let Ok(table) = read(bytes) else { return };
    assert!(table.rows.len() <= limits::INTAKE_ROWS_MAX && table.head.len() <= limits::INTAKE_COLUMNS_MAX);
    for row in &table.rows {
        assert!(row.cells.len() <= limits::INTAKE_COLUMNS_MAX);
        assert!(row.cells.iter().all(|c| c.len() <= limits::INTAKE_CELL_BYTES_MAX));
    }
    if let Ok(people) = people(&table) {
        assert!(people.wanted.len() + people.errors.len() >= table.rows.len().min(1));
        let nobody = Present::default();
        let _ = plan(&people, &nobody, Mode::default());
    }
}
