//! Which part of a file is asked for: `Range` of RFC 9110 §14, one range of bytes.
//!
//! Several ranges, other units and what cannot be read are as if nothing was asked for, as the RFC allows: the whole file.

use std::ops::Range;

/// What to answer with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// 200: all of it.
    Whole,
    /// 206: these bytes; not empty.
    Of(Range<u64>),
    /// 416: the file does not reach there.
    Beyond,
}

/// The part of a file of `size` bytes that a `Range` header asks for.
pub fn parse(header: &str, size: u64) -> Part {
    let Some((unit, set)) = header.split_once('=') else { return Part::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Part::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else { return Part::Whole };
    match (number(first), number(last)) {
        (Some(first), last) if last.is_some() || last_is_open(set) => {
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            match last {
                Some(last) if last < first => Part::Whole,
                _ if first >= size => Part::Beyond,
                _ => Part::Of(first..end),
            }
        }
        // The last so many bytes.
        (None, Some(suffix)) if first.is_empty() => {
            if suffix == 0 || size == 0 {
                return Part::Beyond;
            }
            Part::Of(size.saturating_sub(suffix)..size)
        }
        _ => Part::Whole,
    }
}

fn last_is_open(set: &str) -> bool {
    set.trim().ends_with('-')
}

/// Digits alone: `str::parse` would take a sign.
fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().unwrap_or(u64::MAX))
}

pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for size in [0, 1, 500, u64::MAX] {
        if let Part::Of(range) = parse(&text, size) {
            assert!(range.start < range.end && range.end <= size, "{text:?} of {size} gave {range:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_served_and_everything_else_is_the_whole_file() {
        for (header, part) in [
            ("bytes=0-0", Part::Of(0..1)),
            ("bytes=2-5", Part::Of(2..6)),
            ("bytes=5-", Part::Of(5..10)),
            ("bytes=5-99", Part::Of(5..10)),
            ("bytes=-3", Part::Of(7..10)),
            ("bytes=-99", Part::Of(0..10)),
            ("Bytes = 1-2", Part::Of(1..3)),
            ("bytes=10-", Part::Beyond),
            ("bytes=99999999999999999999-", Part::Beyond),
            ("bytes=-0", Part::Beyond),
            ("bytes=5-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=1-x", Part::Whole),
            ("bytes=x-1", Part::Whole),
            ("lines=1-2", Part::Whole),
            ("", Part::Whole),
        ] {
            assert_eq!(parse(header, 10), part, "{header:?}");
        }
        assert_eq!(parse("bytes=0-", 0), Part::Beyond);
    }
}
