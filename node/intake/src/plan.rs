//! What is to change: the people of a source against the accounts that there are. A pure function, for files and directories
//! alike; nothing is done by it.
//!
//! Invariants: nobody is deleted; who administers is never disabled for not being named; who is named in a row that has an
//! error is not missing.

use std::collections::{BTreeMap, BTreeSet};

use startalk_domain::accounts::{self, Arrival, Role, Source};
use startalk_protocol::{
    AccountName, Code, Error,
    sabotage::{self, Switch},
};

use crate::{Column, People, Present, RowError, Standing, Wanted, columns::bilingual, people::Change};

/// Of the people of a source, how many of a hundred may be missing without a word.
pub const ABSENT_PERCENT_MAX: usize = 20;

/// How the list is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode {
    /// It names everybody of its source: who is missing is disabled.
    pub everyone: bool,
    /// So many are meant to be disabled, although they are more than usual.
    pub disable: Option<usize>,
}

/// What happens to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A new account.
    Add,
    /// Something of an account is brought up to date.
    Change,
    /// Disabled: not named any more.
    Disable,
    /// Not named any more, and left alone because they administer.
    Keep,
}

/// One person to whom something happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Where they stand in the file; 0: not in it.
    pub row: u32,
    /// What happens.
    pub what: What,
    /// Their number; 0: a new one.
    pub account: u64,
    /// Before the @.
    pub name: AccountName,
    /// As others will see them.
    pub display_name: String,
    /// What becomes different.
    pub changes: Vec<Change>,
    /// For the domain; `None`: they are disabled, or left alone.
    pub arrival: Option<Arrival>,
}

/// Everything that would happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// In the order of the file, then those who are missing.
    pub steps: Vec<Step>,
    /// Rows that come to nothing.
    pub errors: Vec<RowError>,
    /// Columns that were not understood.
    pub ignored: Vec<String>,
    /// Rows that say what is so already.
    pub unchanged: usize,
    /// Why it cannot be carried out as a whole.
    pub refused: Option<Error>,
    /// Of all this, in hexadecimal.
    pub digest: String,
}

impl Plan {
    /// How many steps of a sort.
    pub fn count(&self, what: What) -> usize {
        self.steps.iter().filter(|s| s.what == what).count()
    }
}

struct Known<'a> {
    source: &'a Source,
    by_name: BTreeMap<&'a str, &'a Standing>,
    by_id: BTreeMap<&'a str, &'a Standing>,
    present: &'a Present,
}

/// Plans.
pub fn plan(people: &People, present: &Present, mode: Mode) -> Plan {
    let own = |s: &&Standing| s.external.as_ref().is_some_and(|(source, _)| source == present.source.as_str());
    let known = Known {
        source: &present.source,
        by_name: present.all.iter().map(|s| (s.name.as_str(), s)).collect(),
        by_id: present.all.iter().filter(own).filter_map(|s| s.external.as_ref().map(|(_, id)| (id.as_str(), s))).collect(),
        present,
    };
    let (mut steps, mut errors, mut unchanged) = (Vec::new(), people.errors.clone(), 0);
    let mut seen = BTreeSet::new();
    for wanted in &people.wanted {
        // Whatever becomes of the row, they are not missing.
        seen.extend(known.by_id.get(wanted.external_id.as_str()).map(|s| s.account));
        seen.extend(known.by_name.get(wanted.name.as_str()).map(|s| s.account));
        match known.step(wanted) {
            Ok(Some(step)) => steps.push(step),
            Ok(None) => unchanged += 1,
            Err((column, error)) => {
                let who = wanted.display_name.clone().unwrap_or_else(|| wanted.name.to_string());
                errors.push(RowError { row: wanted.row, column: Some(column), who, error });
            }
        }
    }
    errors.sort_by_key(|e| e.row);
    let mut refused = None;
    if mode.everyone || !people.gone.is_empty() {
        let people_of_it: Vec<&Standing> = present.all.iter().filter(own).filter(|s| !s.disabled).collect();
        let is_named = |s: &Standing| {
            let id = s.external.as_ref().map_or("", |(_, id)| id.as_str());
            seen.contains(&s.account) || people.named.contains(&s.name) || people.named.contains(id)
        };
        let is_gone = |s: &Standing| s.external.as_ref().is_some_and(|(_, id)| people.gone.contains(id));
        let is_missing = |s: &&&Standing| is_gone(s) || (mode.everyone && !is_named(s));
        let missing: Vec<Step> = people_of_it.iter().filter(is_missing).filter_map(|s| absent(s)).collect();
        let (count, of) = (missing.iter().filter(|s| s.what == What::Disable).count(), people_of_it.len());
        let many = count * 100 > of * ABSENT_PERCENT_MAX && !sabotage::is(Switch::ShortListsDisable);
        if many && mode.disable != Some(count) {
            let error = Error::new(Code::TooManyAbsent).with("count", count).with("of", of);
            refused = Some(error.with("percent", ABSENT_PERCENT_MAX));
        }
        steps.extend(missing);
    }
    let digest = digest(&present.source, mode.everyone, &steps, &errors);
    Plan { steps, errors, ignored: people.ignored.clone(), unchanged, refused, digest }
}

fn absent(standing: &Standing) -> Option<Step> {
    let what = if standing.role == Role::Member { What::Disable } else { What::Keep };
    let change = Change { column: Column::Disabled, before: truth(false), after: truth(true) };
    let changes = if what == What::Disable { vec![change] } else { Vec::new() };
    let name = standing.name.parse().ok()?;
    let display_name = standing.display_name.clone();
    Some(Step { row: 0, what, account: standing.account, name, display_name, changes, arrival: None })
}

/// In no language.
fn truth(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

impl Known<'_> {
    /// The account that a row is about; `None`: a new one.
    fn whose(&self, wanted: &Wanted) -> Result<Option<&Standing>, (Column, Error)> {
        let taken = || (Column::Account, Error::new(Code::NameTaken).with("name", &wanted.name));
        if let Some(known) = self.by_id.get(wanted.external_id.as_str()) {
            if known.name == wanted.name.as_str() {
                return Ok(Some(known));
            }
            let error = Error::new(Code::NameStays).with("id", &wanted.external_id).with("name", &known.name);
            return Err((Column::Account, error));
        }
        let Some(named) = self.by_name.get(wanted.name.as_str()) else {
            let kept = accounts::is_reserved(&wanted.name) && wanted.role != Some(Role::Administrator);
            return if kept { Err(taken()) } else { Ok(None) };
        };
        match &named.external {
            None if accounts::may_become(self.source, named.role) => Ok(Some(named)),
            None => Err(taken()),
            Some((source, _)) if source == self.source.as_str() => Err(taken()),
            Some((source, _)) => {
                let error = Error::new(Code::OfAnotherSource).with("name", &wanted.name).with("source", source);
                Err((Column::Account, error))
            }
        }
    }

    fn step(&self, wanted: &Wanted) -> Result<Option<Step>, (Column, Error)> {
        let known = self.whose(wanted)?;
        let was = known.cloned().unwrap_or_default();
        let groups = self.groups(wanted, was.account)?;
        // Who was disabled for being missing is enabled by not being missing, unless the file says otherwise.
        let disabled = wanted.disabled.or(was.absent.then_some(false));
        let mut changes = Vec::new();
        let mut differs = |column: Column, before: &str, after: &str| {
            if before != after {
                changes.push(Change { column, before: before.to_owned(), after: after.to_owned() });
            }
        };
        differs(Column::ExternalId, was.external.as_ref().map_or("", |(_, id)| id), &wanted.external_id);
        differs(Column::DisplayName, &was.display_name, wanted.display_name.as_deref().unwrap_or(&was.display_name));
        if let Some(role) = wanted.role.filter(|r| *r != was.role) {
            differs(Column::Role, known.map_or("", |k| k.role.as_str()), role.as_str());
        }
        if let Some(disabled) = disabled.filter(|d| *d != was.disabled) {
            differs(Column::Disabled, &known.map_or_else(String::new, |k| truth(k.disabled)), &truth(disabled));
        }
        for (name, _) in &groups {
            differs(Column::Groups, "", name);
        }
        if known.is_some() && changes.is_empty() {
            return Ok(None);
        }
        let power = was.role != Role::Member || wanted.role.is_some_and(|r| r != Role::Member);
        if power && !self.present.may_power {
            return Err((Column::Role, Code::Forbidden.into()));
        }
        let arrival = Arrival {
            maker: 0,
            source: self.source.clone(),
            external_id: wanted.external_id.clone(),
            name: wanted.name.clone(),
            display_name: wanted.display_name.clone(),
            role: wanted.role,
            disabled,
            groups: groups.into_iter().map(|(_, conversation)| conversation).collect(),
        };
        Ok(Some(Step {
            row: wanted.row,
            what: if known.is_some() { What::Change } else { What::Add },
            account: was.account,
            name: wanted.name.clone(),
            display_name: wanted.display_name.clone().unwrap_or(was.display_name),
            changes,
            arrival: Some(arrival),
        }))
    }

    /// Groups that they are not in yet, by what the row calls them.
    fn groups(&self, wanted: &Wanted, account: u64) -> Result<Vec<(String, u64)>, (Column, Error)> {
        let mut out = Vec::new();
        for name in &wanted.groups {
            let all = self.present.groups.get(name).map(Vec::as_slice).unwrap_or_default();
            let [group] = all else { return Err((Column::Groups, Error::new(Code::NoSuchGroup).with("group", name))) };
            if account != 0 && group.members.contains(&account) {
                continue;
            }
            if !group.open {
                return Err((Column::Groups, Error::new(Code::GroupNotYours).with("group", name)));
            }
            out.push((name.clone(), group.conversation));
        }
        if !out.is_empty() && wanted.disabled == Some(true) {
            let expected = "否/no";
            let error = Error::new(Code::BadValue).with("field", bilingual(Column::Disabled)).with("expected", expected);
            return Err((Column::Disabled, error)); // who is kept out is in no group
        }
        Ok(out)
    }
}

fn digest(source: &Source, everyone: bool, steps: &[Step], errors: &[RowError]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut put = |text: &str| {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    };
    put(source.as_str());
    put(&truth(everyone));
    for step in steps {
        put(&format!("{:?} {} {}", step.what, step.row, step.account));
        put(step.name.as_str());
        put(step.arrival.as_ref().map_or("", |a| &a.external_id));
        for change in &step.changes {
            put(change.column.code());
            put(&change.before);
            put(&change.after);
        }
        put("");
    }
    for error in errors {
        put(&format!("{} {}", error.row, error.error.code.as_str()));
    }
    hasher.finalize().to_hex().to_string()
}
