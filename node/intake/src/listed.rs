//! From a directory to people: each entry either says somebody whole, or an error says what is wrong with it.

use std::collections::BTreeMap;

use startalk_domain::accounts::check_external_id;
use startalk_protocol::{AccountName, Error, limits};
use unicode_normalization::UnicodeNormalization as _;

use crate::{
    Column, People, RowError, Wanted,
    columns::bilingual,
    people::{Wrong, bad_name, once},
};

/// An entry of a directory, as whoever asked it reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands, for errors.
    pub place: String,
    /// Who it is there, for ever; an error if it does not say.
    pub id: Result<String, Error>,
    /// What its account would be called; may be no name.
    pub name: String,
    /// Empty: left as it is.
    pub display_name: String,
    /// Names or ids of groups here.
    pub groups: Vec<String>,
    /// The directory keeps them out: they are missing, although they are named.
    pub gone: bool,
}

/// What the entries say, numbered as they come.
pub fn listed(entries: impl IntoIterator<Item = Entry>) -> People {
    let mut out = People::default();
    let (mut ids, mut names) = (BTreeMap::new(), BTreeMap::new());
    for (row, entry) in (1..).zip(entries) {
        if let (true, Ok(id)) = (entry.gone, &entry.id) {
            out.gone.insert(id.clone());
            continue;
        }
        let (name, id) = (entry.name.to_lowercase(), entry.id.clone().ok());
        let who = [&entry.display_name, &entry.name, &entry.place].into_iter().find(|t| !t.is_empty()).cloned();
        match wanted(row, entry).and_then(|w| once(&mut ids, &mut names, w)) {
            Ok(wanted) => out.wanted.push(wanted),
            Err((column, error)) => {
                out.named.extend([Some(name), id].into_iter().flatten().filter(|n| !n.is_empty()));
                out.errors.push(RowError { row, column: Some(column), who: who.unwrap_or_default(), error });
            }
        }
    }
    out
}

fn wanted(row: u32, entry: Entry) -> Result<Wanted, Wrong> {
    let external_id = entry.id.map_err(|e| (Column::ExternalId, e))?;
    check_external_id(&external_id).map_err(|e| (Column::ExternalId, e.with("field", bilingual(Column::ExternalId))))?;
    // An address as a name: what stands before the @.
    let name = entry.name.trim().split('@').next().unwrap_or_default().to_lowercase();
    let name: AccountName = name.parse().map_err(|_| (Column::Account, bad_name(&entry.name)))?;
    let display_name: String = entry.display_name.nfc().filter(|c| !c.is_control()).collect();
    let display_name = display_name.chars().take(limits::DISPLAY_NAME_CHARS_MAX).collect::<String>().trim().to_owned();
    let display_name = Some(display_name).filter(|n| !n.is_empty());
    Ok(Wanted { row, external_id, name, display_name, role: None, disabled: None, groups: entry.groups })
}
