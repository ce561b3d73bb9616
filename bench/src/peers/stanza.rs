//! Where a stanza of XMPP ends (RFC 6120 §4), and the little that a load reads in one. What the generator spends is taken from
//! the same cores as what it measures, so nothing is parsed that is not looked at. Servers' streams only: they escape `<` and
//! `>` in attributes and send neither comments nor CDATA.

use anyhow::{Result, ensure};

/// Bytes of a stanza at most.
const STANZA_BYTES_MAX: usize = 1 << 20;

/// Bytes of the first whole stanza of the input, with the white space before it; `None` if there is none. The head of a stream
/// (`<?xml …?>`, `<stream:stream …>`) and its end (`</stream:stream>`) count as stanzas of their own.
pub fn whole(input: &[u8]) -> Result<Option<usize>> {
    let (mut at, mut depth) = (0, 0_u32);
    while let Some(open) = find(input, at, b'<') {
        let Some(close) = find(input, open, b'>') else { break };
        at = close + 1;
        let tag = &input[open + 1..close];
        if tag.starts_with(b"/") {
            depth = depth.saturating_sub(1);
        } else if !(tag.starts_with(b"?") || tag.ends_with(b"/") || tag.starts_with(b"stream:stream")) {
            depth += 1;
        }
        if depth == 0 {
            return Ok(Some(at));
        }
    }
    ensure!(input.len() < STANZA_BYTES_MAX, "a stanza of more than {STANZA_BYTES_MAX} bytes");
    Ok(None)
}

fn find(input: &[u8], from: usize, byte: u8) -> Option<usize> {
    input[from..].iter().position(|b| *b == byte).map(|at| from + at)
}

/// Whether the stanza's name is this one.
pub fn is(stanza: &[u8], name: &str) -> bool {
    let trimmed = stanza.trim_ascii_start();
    trimmed
        .strip_prefix(b"<")
        .and_then(|s| s.strip_prefix(name.as_bytes()))
        .is_some_and(|rest| matches!(rest.first(), Some(b' ' | b'>' | b'/' | b'\n' | b'\t')))
}

/// The value of the first attribute of this name.
pub fn attribute<'a>(stanza: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(stanza).ok()?;
    text.match_indices(name).find_map(|(at, _)| {
        let before = text[..at].chars().next_back()?;
        let rest = text[at + name.len()..].strip_prefix('=')?;
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
        before.is_ascii_whitespace().then(|| rest[1..].split(quote).next()).flatten()
    })
}

/// What is in the first `<body>`.
pub fn body(stanza: &[u8]) -> Option<&[u8]> {
    let begin = position(stanza, b"<body>")? + b"<body>".len();
    let length = find(stanza, begin, b'<')? - begin;
    Some(&stanza[begin..begin + length])
}

/// Where one text is in another.
pub fn position(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|w| w == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stanzas_end_where_their_first_element_does() {
        let stream = "<?xml version='1.0'?><stream:stream id='1' xmlns='jabber:client'><stream:features><a/><b>x</b></stream:features>\n\
                      <message from='a'><body>hi</body></message><r xmlns='urn:xmpp:sm:3'/></stream:stream>";
        let (mut rest, mut stanzas) = (stream.as_bytes(), Vec::new());
        while let Some(bytes) = whole(rest).unwrap() {
            let (stanza, more) = rest.split_at(bytes);
            stanzas.push(std::str::from_utf8(stanza).unwrap());
            rest = more;
        }
        assert_eq!(stanzas.len(), 6, "{stanzas:?}");
        assert!(
            is(stanzas[2].as_bytes(), "stream:features")
                && is(stanzas[3].as_bytes(), "message")
                && is(stanzas[4].as_bytes(), "r")
        );
        assert!(!is(stanzas[3].as_bytes(), "mess") && !is(stanzas[3].as_bytes(), "r"));
        assert_eq!(body(stanzas[3].as_bytes()), Some(&b"hi"[..]));
        // However it is cut, it is found when the rest has come.
        for cut in 0..stanzas[3].len() {
            assert_eq!(whole(&stanzas[3].as_bytes()[..cut]).unwrap(), None, "{cut}");
        }
    }

    #[test]
    fn attributes_are_read_by_their_whole_name() {
        let a = br#"<a xmlns='urn:xmpp:sm:3' oh="1" h="25"/>"#;
        assert_eq!((attribute(a, "h"), attribute(a, "oh"), attribute(a, "x")), (Some("25"), Some("1"), None));
        assert_eq!(attribute(b"<a h=", "h"), None);
    }

    #[test]
    fn what_never_ends_is_refused() {
        assert!(whole(&vec![b'x'; STANZA_BYTES_MAX]).is_err());
        assert!(whole(b"").unwrap().is_none());
    }
}
