//! From rows to people: each row either says somebody whole, or an error says what is wrong with it and where.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use startalk_domain::accounts::{Role, check_external_id};
use startalk_protocol::{AccountName, Code, Error, limits};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    Column, Row, Table,
    columns::{Columns, bilingual},
};

/// Somebody as a source describes them; what is `None` is left as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where it stands, for people; 0: in no file.
    pub row: u32,
    /// What they are called at the source, for ever.
    pub external_id: String,
    /// Before the @.
    pub name: AccountName,
    /// Shown to others.
    pub display_name: Option<String>,
    /// What they may.
    pub role: Option<Role>,
    /// Whether they are kept out.
    pub disabled: Option<bool>,
    /// Names or ids of groups that they are to be in.
    pub groups: Vec<String>,
}

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// Which.
    pub row: u32,
    /// Where in it, if it is one cell's.
    pub column: Option<Column>,
    /// Who it is about, as far as the row says.
    pub who: String,
    /// With words in both languages.
    pub error: Error,
}

/// Everybody whom a source names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// Whole.
    pub wanted: Vec<Wanted>,
    /// Rows that are not.
    pub errors: Vec<RowError>,
    /// Columns that are not understood.
    pub ignored: Vec<String>,
    /// Ids and names in rows with errors: who is named in one is not missing.
    pub named: BTreeSet<String>,
    /// Ids of those who are kept out where they come from: missing, whether the list names everybody or not.
    pub gone: BTreeSet<String>,
}

/// What may stand between groups in one cell.
const BETWEEN: [char; 8] = [';', '；', ',', '，', '、', '|', '\n', '\r'];

/// What the rows say.
///
/// # Errors
/// `not-a-table` if the head lacks what is needed.
pub fn people(table: &Table) -> Result<People, Error> {
    let columns = Columns::of(&table.head)?;
    let mut out = People { ignored: columns.ignored.clone(), ..People::default() };
    let (mut ids, mut names) = (BTreeMap::new(), BTreeMap::new());
    for row in &table.rows {
        match wanted(&columns, row).and_then(|w| once(&mut ids, &mut names, w)) {
            Ok(wanted) => out.wanted.push(wanted),
            Err((column, error)) => {
                let name = columns.cell(row, Column::Account).to_owned();
                let [id, shown] = [Column::ExternalId, Column::DisplayName].map(|c| columns.cell(row, c).to_owned());
                let who = [&shown, &name, &id].into_iter().find(|t| !t.is_empty()).cloned().unwrap_or_default();
                out.named.extend([id, name.to_lowercase()].into_iter().filter(|t| !t.is_empty()));
                out.errors.push(RowError { row: row.number, column: Some(column), who, error });
            }
        }
    }
    Ok(out)
}

pub(crate) type Wrong = (Column, Error);

fn wanted(columns: &Columns, row: &Row) -> Result<Wanted, Wrong> {
    let cell = |column: Column| columns.cell(row, column);
    let needed = |column: Column| {
        let text = cell(column);
        if text.is_empty() { Err((column, Error::new(Code::Missing).with("field", bilingual(column)))) } else { Ok(text) }
    };
    let name = needed(Column::Account)?.to_lowercase();
    let name: AccountName = name.parse().map_err(|_| (Column::Account, bad_name(&name)))?;
    // Without such a column the name is the id: it cannot change either.
    let has_ids = columns.has(Column::ExternalId);
    let external_id = if has_ids { needed(Column::ExternalId)?.to_owned() } else { name.to_string() };
    check_external_id(&external_id).map_err(|e| (Column::ExternalId, e.with("field", bilingual(Column::ExternalId))))?;
    let display_name: String = cell(Column::DisplayName).nfc().collect();
    if display_name.chars().count() > limits::DISPLAY_NAME_CHARS_MAX || display_name.chars().any(char::is_control) {
        let max = limits::DISPLAY_NAME_CHARS_MAX;
        return Err(bad_value(Column::DisplayName, &format!("≤ {max} 字/characters")));
    }
    let role = match cell(Column::Role).to_lowercase().as_str() {
        "" => None,
        "member" | "user" | "成员" | "普通成员" | "用户" => Some(Role::Member),
        "auditor" | "审计员" | "审计" => Some(Role::Auditor),
        "administrator" | "admin" | "管理员" => Some(Role::Administrator),
        _ => return Err(bad_value(Column::Role, "成员/member, 审计员/auditor, 管理员/administrator")),
    };
    let disabled = match cell(Column::Disabled).to_lowercase().as_str() {
        "" => None,
        "yes" | "y" | "true" | "1" | "是" | "停用" | "已停用" | "禁用" | "已禁用" | "disabled" => Some(true),
        "no" | "n" | "false" | "0" | "否" | "启用" | "正常" | "active" => Some(false),
        _ => return Err(bad_value(Column::Disabled, "是/yes, 否/no")),
    };
    let mut groups: Vec<String> =
        cell(Column::Groups).split(BETWEEN).map(str::trim).filter(|g| !g.is_empty()).map(str::to_owned).collect();
    groups.dedup();
    if groups.len() > limits::GROUPS_TO_JOIN_MAX {
        let max = limits::GROUPS_TO_JOIN_MAX;
        return Err((Column::Groups, Error::new(Code::TooMany).with("what", bilingual(Column::Groups)).with("max", max)));
    }
    let display_name = Some(display_name).filter(|n| !n.is_empty());
    Ok(Wanted { row: row.number, external_id, name, display_name, role, disabled, groups })
}

pub(crate) fn bad_name(name: &str) -> Error {
    Error::new(Code::BadName).with("name", name.chars().take(64).collect::<String>())
}

fn bad_value(column: Column, expected: &str) -> Wrong {
    (column, Error::new(Code::BadValue).with("field", bilingual(column)).with("expected", expected))
}

/// Refuses what an earlier row has: of two who are one, nobody knows which is right, and the first is at least whole.
pub(crate) fn once(ids: &mut BTreeMap<String, u32>, names: &mut BTreeMap<String, u32>, new: Wanted) -> Result<Wanted, Wrong> {
    let twice = |column: Column, value: &str, row: &u32| {
        let error = Error::new(Code::GivenTwice).with("field", bilingual(column)).with("value", value).with("row", row);
        Err((column, error))
    };
    if let Some(row) = names.get(new.name.as_str()) {
        return twice(Column::Account, new.name.as_str(), row);
    }
    if let Some(row) = ids.get(&new.external_id) {
        return twice(Column::ExternalId, &new.external_id, row);
    }
    ids.insert(new.external_id.clone(), new.row);
    names.insert(new.name.to_string(), new.row);
    Ok(new)
}

/// A change of one value, for people to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which.
    pub column: Column,
    /// What it is now; empty: nothing.
    pub before: String,
    /// What it is to be.
    pub after: String,
}
