//! Files that are given out: a template to fill in, and the list of links for the people who are to come.

use startalk_protocol::error::Language;

use crate::Column;

/// Spreadsheets take text for UTF-8 only with it.
const MARK: &str = "\u{feff}";

/// One person's way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// name@domain.
    pub user: String,
    /// Shown to others.
    pub display_name: String,
    /// Opens once.
    pub link: String,
    /// Until when, as people read it.
    pub until: String,
}

/// An empty list of people with two lines that show how it is meant.
pub fn template(language: Language) -> String {
    let heads = Column::ALL.iter().map(|c| c.name(language).to_owned());
    let samples = match language {
        Language::Chinese => [["10001", "zhang.san", "张三", "成员", "否", ""], ["10002", "li.si", "李四", "管理员", "否", ""]],
        Language::English => {
            [["10001", "ann.lee", "Ann Lee", "member", "no", ""], ["10002", "bob", "Bob", "administrator", "no", ""]]
        }
    };
    csv(std::iter::once(heads.collect()).chain(samples.map(|s| s.map(str::to_owned).to_vec())))
}

/// The links of people, for who hands them out.
pub fn links(all: &[Link], language: Language) -> String {
    let heads = match language {
        Language::Chinese => ["姓名", "帐号", "登录链接", "有效期至"],
        Language::English => ["name", "account", "sign-in link", "valid until"],
    };
    let row = |l: &Link| vec![l.display_name.clone(), l.user.clone(), l.link.clone(), l.until.clone()];
    csv(std::iter::once(heads.map(str::to_owned).to_vec()).chain(all.iter().map(row)))
}

/// A day of universal time, `2027-01-31`, from milliseconds since 1970. Days are counted from a March, so that leap days come
/// last (Howard Hinnant, "chrono-compatible low-level date algorithms").
pub fn day(ms: i64) -> String {
    let days = ms.div_euclid(86_400_000) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    format!("{:04}-{month:02}-{of_month:02}", year + era * 400 + i64::from(month <= 2))
}

fn csv(rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::from(MARK.as_bytes()));
    for row in rows {
        writer.write_record(row.iter().map(|cell| harmless(cell))).expect("memory takes it");
    }
    String::from_utf8(writer.into_inner().expect("memory takes it")).expect("made of text")
}

/// A name that a spreadsheet would compute is shown to it as text.
fn harmless(cell: &str) -> String {
    let computes = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    if computes { format!("'{cell}") } else { cell.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mode, Present, people, plan, read};

    #[test]
    fn a_template_can_be_brought_in_as_it_is() {
        for language in [Language::Chinese, Language::English] {
            let people = people(&read(template(language).as_bytes()).unwrap()).unwrap();
            assert_eq!((people.wanted.len(), people.errors.len(), people.ignored.len()), (2, 0, 0));
            assert_eq!(plan(&people, &Present::default(), Mode::default()).steps.len(), 2);
        }
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, expected) in
            [(0, "1970-01-01"), (951_782_400, "2000-02-29"), (1_798_761_599, "2026-12-31"), (4_107_542_400, "2100-03-01")]
        {
            assert_eq!(day(seconds * 1000), expected);
        }
    }

    #[test]
    fn no_name_is_computed_by_a_spreadsheet() {
        let evil =
            Link { display_name: "=HYPERLINK(\"x\")".into(), user: "@a".into(), link: "https://a/".into(), until: "-1".into() };
        let text = links(&[evil], Language::English);
        assert!(text.ends_with("\"'=HYPERLINK(\"\"x\"\")\",'@a,https://a/,'-1\r\n"), "{text}");
    }
}
