//! The filter with which somebody is looked for (RFC 4515): a text with `{name}` where the name goes, escaped.

use ldap3::{ldap_escape, parse_filter};

/// Where the name goes.
const PLACE: &str = "{name}";
/// Bytes of a filter.
const FILTER_BYTES_MAX: usize = 4096;

/// A filter that is one, whatever name is put into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter(Vec<String>);

impl Filter {
    /// `None`: it is none, or names nobody.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parts: Vec<String> = text.split(PLACE).map(str::to_owned).collect();
        let plain = text.len() <= FILTER_BYTES_MAX && !parts.iter().any(|p| p.contains(['{', '}', '\0']));
        // Only a value may come from outside: never the name of an attribute, or what compares.
        let is_value = |before: &str| {
            let last = before.rsplit(['(', ')']).next().unwrap_or_default();
            last.contains('=')
        };
        let in_values = parts.iter().rev().skip(1).all(|before| is_value(before) || before.is_empty());
        let starts = !parts.first().is_some_and(String::is_empty);
        let filter = Self(parts);
        let good = plain && in_values && starts && filter.0.len() > 1 && parse_filter(filter.fill("ann")).is_ok();
        good.then_some(filter)
    }

    /// For this name. What would mean something in a filter is escaped.
    pub(super) fn fill(&self, name: &str) -> String {
        self.0.join(&*ldap_escape(name))
    }

    /// For whoever has a name.
    pub(super) fn anybody(&self) -> String {
        self.0.join("*")
    }
}

/// Whether a text is a filter by itself.
pub(super) fn is_filter(text: &str) -> bool {
    text.len() <= FILTER_BYTES_MAX && !text.contains('\0') && parse_filter(text).is_ok()
}

/// The first line is the filter, the rest a name.
pub(super) fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (template, name) = text.split_once('\n').unwrap_or(("(uid={name})", text));
    let _ = is_filter(template);
    let Some(filter) = Filter::parse(template) else { return };
    let (plain, filled) = (filter.fill("ann"), filter.fill(name));
    let structure = |text: &str| text.bytes().filter(|b| b"()*\0".contains(b)).collect::<Vec<u8>>();
    assert_eq!(structure(&plain), structure(&filled), "{template} with {name:?}");
    assert!(parse_filter(&filled).is_ok(), "{filled}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_value_and_nothing_else() {
        let filter = Filter::parse("(&(objectClass=person)(|(uid={name})(mail={name}@company.example)))").unwrap();
        assert_eq!(filter.fill("ann"), "(&(objectClass=person)(|(uid=ann)(mail=ann@company.example)))");
        assert_eq!(filter.anybody(), "(&(objectClass=person)(|(uid=*)(mail=*@company.example)))");
        let uid = Filter::parse("(uid={name})").unwrap();
        for (name, filled) in [
            ("*", "(uid=\\2a)"),
            (")(uid=*", "(uid=\\29\\28uid=\\2a)"),
            ("a\\2ab", "(uid=a\\5c2ab)"),
            ("a\0b", "(uid=a\\00b)"),
            ("安", "(uid=安)"),
        ] {
            assert_eq!(uid.fill(name), filled);
            assert!(parse_filter(filled).is_ok(), "{filled}");
        }
    }

    #[test]
    fn what_is_no_filter_or_names_nobody_is_refused() {
        for bad in ["", "uid", "(uid=ann)", "(uid={name}", "(uid={nam})", "({name}=ann)", "(uid={name})}", "{name}", "(&{name})"]
        {
            assert_eq!(Filter::parse(bad), None, "{bad}");
        }
        assert!(!is_filter("(uid=") && is_filter("(&(uid=*)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"));
    }

    #[test]
    fn nothing_of_changed_names_is_more_than_a_value() {
        for name in ["*", ")(uid=*", "\\", "\\2", "\0", "(", "a*b", "))((", "\u{7f}", "\u{feff}"] {
            check(name.as_bytes());
            check(format!("(&(a={{name}})(b=*{{name}}*))\n{name}").as_bytes());
        }
    }
}
