//! What somebody typed: words, and filters such as `from:zhang in:"our team" before:2026-02-01 kind:code`.
//!
//! Foreign bytes: limits on everything, and what is no filter is words. Pure.
//!
//! Invariant: nothing here can fail; a date that is none is an error in words, said by [`parse`].

use startalk_protocol::{Code, Error};

/// Bytes of a search at most.
pub const BYTES_MAX: usize = 512;
/// Names in one kind of filter.
const NAMES_MAX: usize = 4;
const DAY_MS: i64 = 86_400_000;

/// A search, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// What has to be in the text.
    pub words: String,
    /// Written by one of these.
    pub from: Vec<String>,
    /// In one of these conversations.
    pub inside: Vec<String>,
    /// `text`, `code` or `link`; empty: any.
    pub kind: String,
    /// Not earlier, milliseconds since 1970.
    pub after_ms: Option<i64>,
    /// Earlier.
    pub before_ms: Option<i64>,
}

/// Takes apart what was typed. Dates are days where the offset from UTC is this many minutes.
///
/// # Errors
/// `too-large`, or `bad-value` with what was expected.
pub fn parse(typed: &str, utc_offset_min: i32) -> Result<Typed, Error> {
    if typed.len() > BYTES_MAX {
        return Err(Error::new(Code::TooLarge).with("what", "query").with("got", typed.len()).with("max", BYTES_MAX));
    }
    let mut out = Typed::default();
    for part in parts(typed) {
        let split = part.split_once([':', '：']).filter(|(_, value)| !value.is_empty());
        let (filter, value) = split.map_or(("", part.as_str()), |(f, v)| (f, v));
        let day = |value: &str| {
            let expected = "a date such as 2026-01-31";
            let bad = || Error::new(Code::BadValue).with("field", filter).with("expected", expected);
            let offset = i64::from(utc_offset_min.clamp(-1440, 1440)) * 60_000;
            Ok::<i64, Error>(days(value).ok_or_else(bad)? * DAY_MS - offset)
        };
        match filter.to_ascii_lowercase().as_str() {
            "from" | "来自" | "來自" if out.from.len() < NAMES_MAX => out.from.push(value.to_owned()),
            "in" | "在" if out.inside.len() < NAMES_MAX => out.inside.push(value.to_owned()),
            "kind" | "类型" | "類型" => out.kind = value.to_ascii_lowercase(),
            "before" | "早于" | "早於" => out.before_ms = Some(day(value)?),
            "after" | "晚于" | "晚於" => out.after_ms = Some(day(value)? + DAY_MS),
            "on" | "日期" => {
                let begin = day(value)?;
                (out.after_ms, out.before_ms) = (Some(begin), Some(begin + DAY_MS));
            }
            _ => {
                if !out.words.is_empty() {
                    out.words.push(' ');
                }
                out.words.push_str(&part);
            }
        }
    }
    Ok(out)
}

/// For fuzzing and mutation tests: takes foreign bytes for a search. Must never panic, whatever the bytes.
pub fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(typed) = parse(&text, i32::from_le_bytes(*bytes.first_chunk().unwrap_or(&[0; 4]))) {
        let pieces = crate::cut::pieces(&typed.words, 16);
        crate::shows::ranges(&text, &pieces);
        crate::names::terms(&text);
        typed.from.iter().for_each(|name| {
            crate::names::read_as(&text, name);
        });
    }
    let _ = crate::find::Place::read(bytes);
    crate::text::of(bytes);
}

/// Parts between spaces; quotes keep spaces together, also behind a colon.
fn parts(typed: &str) -> Vec<String> {
    let (mut out, mut part, mut quoted) = (Vec::new(), String::new(), false);
    for c in typed.chars() {
        match c {
            '"' | '“' | '”' => quoted = !quoted,
            c if c.is_whitespace() && !quoted => out.push(std::mem::take(&mut part)),
            c => part.push(c),
        }
    }
    out.push(part);
    out.retain(|p| !p.is_empty());
    out
}

/// Days since 1970 of `YYYY-MM-DD`, in the calendar that people use.
fn days(date: &str) -> Option<i64> {
    let mut numbers = date.split(['-', '/', '.']).map(|n| n.parse::<i64>().ok().filter(|_| n.len() <= 4));
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let lengths = [31, 28 + i64::from(leap), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month - 1).ok().filter(|m| *m < 12)?;
    if numbers.next().is_some() || !(1970..=9999).contains(&year) || !(1..=lengths[index]).contains(&day) {
        return None;
    }
    let before = year - 1;
    let leaps = |y: i64| y / 4 - y / 100 + y / 400;
    Some((year - 1970) * 365 + leaps(before) - leaps(1969) + lengths[..index].iter().sum::<i64>() + day - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_taken_out_and_the_rest_is_words() {
        let typed = parse("from:zhangsan 来自:李四 in:\"our team\" hello  你好 kind:Code http://x on:", 0).unwrap();
        assert_eq!(typed.from, ["zhangsan", "李四"]);
        assert_eq!(typed.inside, ["our team"]);
        assert_eq!((typed.words.as_str(), typed.kind.as_str()), ("hello 你好 http://x on:", "code"));
        let typed = parse("before:2026-03-01 after:1970-01-01", 480).unwrap();
        assert_eq!(typed.before_ms, Some(1_772_323_200_000 - 8 * 3_600_000));
        assert_eq!(typed.after_ms, Some(DAY_MS - 8 * 3_600_000));
        assert_eq!(parse("before:2026-02-30", 0).unwrap_err().code, Code::BadValue);
        assert_eq!(parse(&"x".repeat(BYTES_MAX + 1), 0).unwrap_err().code, Code::TooLarge);
        assert_eq!(days("2000-03-01"), Some(11_017));
        assert_eq!(days("2100-02-29"), None);
    }
}
