//! What the columns of a file mean: by their names, in Chinese or English, as people write them.

use serde::Serialize;
use startalk_protocol::{Error, error::Language};

use crate::table::no_table;

macro_rules! columns {
    ($($name:ident $code:literal en $en:literal zh $zh:literal or [$($other:literal),*];)*) => {
        /// A column that is understood.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(missing_docs)]
        pub enum Column { $($name,)* }

        impl Column {
            /// Every one, in the order of the template.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// For programs.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// As the template calls it.
            pub fn name(self, language: Language) -> &'static str {
                match (self, language) { $((Self::$name, Language::English) => $en, (Self::$name, Language::Chinese) => $zh,)* }
            }

            fn of(head: &str) -> Option<Self> {
                $(if [$code, $en, $zh, $($other),*].iter().any(|name| folded(name) == head) { return Some(Self::$name); })*
                None
            }
        }
    };
}

columns! {
    ExternalId "external_id" en "external id" zh "外部编号" or ["id", "编号", "工号", "学号", "employee id", "employee number", "staff id"];
    Account "account" en "account" zh "帐号" or ["账号", "账户", "帐户", "用户名", "登录名", "user", "username", "user name", "login"];
    DisplayName "display_name" en "name" zh "姓名" or ["名字", "名称", "显示名", "昵称", "display name", "full name"];
    Role "role" en "role" zh "角色" or ["权限"];
    Disabled "disabled" en "disabled" zh "停用" or ["禁用", "已停用", "已禁用"];
    Groups "groups" en "groups" zh "群" or ["group", "群组", "群聊", "加入群"];
}

/// Case, spaces, dashes and what a star or a remark in brackets adds do not count.
fn folded(head: &str) -> String {
    let head = head.split(['(', '（']).next().unwrap_or_default();
    head.chars().filter(|c| !c.is_whitespace() && !"-_*＊:：".contains(*c)).flat_map(char::to_lowercase).collect()
}

/// Which column is where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Columns {
    places: Vec<Option<Column>>,
    /// Heads that are not understood.
    pub(crate) ignored: Vec<String>,
}

impl Columns {
    /// # Errors
    /// `not-a-table` if a column is there twice, or the accounts' names are not there.
    pub(crate) fn of(head: &[String]) -> Result<Self, Error> {
        let mut all = Self::default();
        for name in head {
            let column = Column::of(&folded(name));
            if let Some(column) = column
                && all.has(column)
            {
                return Err(no_table(format!("one column {}", bilingual(column))));
            }
            if column.is_none() && !name.is_empty() {
                all.ignored.push(name.clone());
            }
            all.places.push(column);
        }
        if all.has(Column::Account) { Ok(all) } else { Err(no_table(format!("a column {}", bilingual(Column::Account)))) }
    }

    pub(crate) fn has(&self, column: Column) -> bool {
        self.places.contains(&Some(column))
    }

    /// What a row has in a column; empty if it is not there.
    pub(crate) fn cell<'a>(&self, row: &'a crate::Row, column: Column) -> &'a str {
        let at = self.places.iter().position(|c| *c == Some(column));
        at.and_then(|at| row.cells.get(at)).map_or("", String::as_str)
    }
}

/// For errors, whose parameters are in no language.
pub(crate) fn bilingual(column: Column) -> String {
    format!("{}/{}", column.name(Language::Chinese), column.name(Language::English))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_understood_as_people_write_them() {
        let head = ["工号", "帐号*", "姓名 (Name)", "部门", "", "Groups:", "Display-Name"].map(str::to_owned);
        assert!(Columns::of(&head).is_err(), "the shown name is there twice");
        let all = Columns::of(&head[..6]).unwrap();
        assert_eq!(all.ignored, ["部门"]);
        assert!([Column::ExternalId, Column::Account, Column::DisplayName, Column::Groups].iter().all(|c| all.has(*c)));
        assert!(Columns::of(&["姓名".to_owned()]).is_err(), "without accounts");
        // "name" is the shown name, and "account" what stands before the @; each name means one column.
        let mut names: Vec<(String, Column)> = Vec::new();
        for column in Column::ALL {
            for language in [Language::Chinese, Language::English] {
                assert_eq!(Column::of(&folded(column.name(language))), Some(*column));
                names.push((folded(column.name(language)), *column));
            }
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), 2 * Column::ALL.len());
    }
}
