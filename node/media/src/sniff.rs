//! What a file is, by its bytes: never by its name, never by what somebody said.
//!
//! The signatures are the crate `infer`'s; here is what it leaves open: whether a container holds sound or moving pictures,
//! text that is none, and one name for each type. A wrong guess does no harm: what browsers may show by themselves is a
//! closed list ([`is_shown`]), and each of its types is drawn without running anything.

/// Bytes of the beginning, and of the end, that are looked at.
pub const HEAD_BYTES: usize = 64 * 1024;
/// What nobody knows.
pub const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file that begins and ends so; of a short one both are all of it.
pub fn media_type(head: &[u8], tail: &[u8]) -> &'static str {
    let head = &head[..head.len().min(HEAD_BYTES)];
    if head.starts_with(EBML) {
        return matroska(head);
    }
    let found = infer::get(head).map(|t| t.mime_type()).unwrap_or_default();
    match found {
        "video/mp4" | "audio/m4a" | "video/x-m4v" | "video/quicktime" => mp4(head, tail, found),
        "application/ogg" | "audio/ogg" | "video/ogg" | "audio/opus" => ogg(head),
        "audio/x-wav" => "audio/wav",
        "audio/x-flac" => "audio/flac",
        "application/x-executable" | "application/x-mach-binary" | "application/vnd.microsoft.portable-executable" => UNKNOWN,
        "" | "text/html" | "text/xml" | "text/x-shellscript" => text(head),
        other => other,
    }
}

/// Whether a browser may show or play this by itself; everything else is saved.
pub fn is_shown(media_type: &str) -> bool {
    matches!(
        media_type,
        "image/jpeg"
            | "image/png"
            | "image/gif"
            | "image/webp"
            | "image/avif"
            | "audio/mpeg"
            | "audio/mp4"
            | "audio/aac"
            | "audio/ogg"
            | "audio/wav"
            | "audio/flac"
            | "audio/webm"
            | "video/mp4"
            | "video/webm"
            | "video/ogg"
            | "text/plain"
    )
}

/// Whether the worker knows how to decode it.
pub fn is_raster(media_type: &str) -> bool {
    matches!(media_type, "image/jpeg" | "image/png" | "image/gif" | "image/webp")
}

fn contains(bytes: &[u8], what: &[u8]) -> bool {
    bytes.windows(what.len()).any(|w| w == what)
}

/// What Matroska and WebM begin with (RFC 8794).
const EBML: &[u8] = b"\x1a\x45\xdf\xa3";

/// Codecs of video tracks begin with `V_`, those of sound with `A_` (RFC 9559); the element's id 0x86 and a length stand before.
fn matroska(head: &[u8]) -> &'static str {
    let codec = |kind: u8| head.windows(4).any(|w| w[0] == 0x86 && w[1] & 0x80 != 0 && w[2] == kind && w[3] == b'_');
    let first = &head[..head.len().min(256)];
    match (contains(first, b"\x42\x82\x84webm"), codec(b'V'), codec(b'A')) {
        (true, false, true) => "audio/webm",
        (true, ..) => "video/webm",
        (false, false, true) => "audio/x-matroska",
        (false, ..) => "video/x-matroska",
    }
}

/// The handlers of its tracks (ISO 14496-12), which stand at the beginning or at the end.
fn mp4(head: &[u8], tail: &[u8], found: &'static str) -> &'static str {
    let handler = |what: &[u8; 4]| {
        let stands = |bytes: &[u8]| {
            let mut rest = bytes;
            while let Some(at) = rest.windows(4).position(|w| w == b"hdlr") {
                // Version and flags, and four bytes that are 0.
                if rest.get(at + 12..at + 16).is_some_and(|kind| kind == what) {
                    return true;
                }
                rest = &rest[at + 4..];
            }
            false
        };
        stands(head) || stands(tail)
    };
    match (handler(b"vide"), handler(b"soun")) {
        (false, true) => "audio/mp4",
        (false, false) if found == "audio/m4a" => "audio/mp4",
        _ if found == "video/quicktime" => "video/quicktime",
        _ => "video/mp4",
    }
}

fn ogg(head: &[u8]) -> &'static str {
    let first = &head[..head.len().min(4096)];
    if contains(first, b"\x80theora") { "video/ogg" } else { "audio/ogg" }
}

/// Text is UTF-8 without what no text has; a character may be cut at the end.
fn text(head: &[u8]) -> &'static str {
    if head.is_empty() {
        return UNKNOWN;
    }
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(e) if head.len() == HEAD_BYTES && e.error_len().is_none() => {
            std::str::from_utf8(&head[..e.valid_up_to()]).expect("valid up to there")
        }
        Err(_) => return UNKNOWN,
    };
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}')) {
        return UNKNOWN;
    }
    let begin: String =
        text.trim_start_matches('\u{feff}').trim_start().chars().take(1024).collect::<String>().to_ascii_lowercase();
    if begin.starts_with('<') {
        if begin.contains("<svg") {
            return "image/svg+xml";
        }
        if ["<!doctype html", "<html", "<head", "<body", "<script", "<iframe", "<!--"].iter().any(|tag| begin.starts_with(tag)) {
            return "text/html";
        }
        if begin.starts_with("<?xml") {
            return "text/xml";
        }
    }
    "text/plain"
}

pub(crate) fn check(bytes: &[u8]) {
    let found = media_type(bytes, bytes);
    assert!(found.len() < 128 && found.contains('/') && found.is_ascii(), "{found:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8]) -> &'static str {
        media_type(bytes, bytes)
    }

    fn webm(codecs: &[&str]) -> Vec<u8> {
        let mut out = b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm\x42\x87\x81\x04".to_vec();
        for codec in codecs {
            out.push(0x86);
            out.push(0x80 | codec.len() as u8);
            out.extend_from_slice(codec.as_bytes());
        }
        out.resize(200, 0);
        out
    }

    fn mp4_with(brand: &[u8; 4], handlers: &[&[u8; 4]]) -> Vec<u8> {
        let mut out = b"\0\0\0\x18ftyp".to_vec();
        out.extend_from_slice(brand);
        out.extend_from_slice(b"\0\0\x02\0isomiso2");
        for handler in handlers {
            out.extend_from_slice(b"\0\0\0\x21hdlr\0\0\0\0\0\0\0\0");
            out.extend_from_slice(*handler);
            out.extend_from_slice(&[0; 13]);
        }
        out
    }

    #[test]
    fn sound_and_moving_pictures_are_told_apart() {
        assert_eq!(of(&webm(&["A_OPUS"])), "audio/webm");
        assert_eq!(of(&webm(&["V_VP9", "A_OPUS"])), "video/webm");
        assert_eq!(of(&webm(&[])), "video/webm");
        assert_eq!(of(&mp4_with(b"isom", &[b"soun"])), "audio/mp4");
        assert_eq!(of(&mp4_with(b"isom", &[b"vide", b"soun"])), "video/mp4");
        assert_eq!(of(&mp4_with(b"M4A ", &[])), "audio/mp4");
        assert_eq!(of(b"OggS\0\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x13OpusHead"), "audio/ogg");
        assert_eq!(of(b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0"), "audio/wav");
        assert_eq!(of(b"fLaC\0\0\0\x22\0\0\0\0"), "audio/flac");
        assert_eq!(of(b"ID3\x03\0\0\0\0\0\0\0\0"), "audio/mpeg");
    }

    #[test]
    fn text_is_text_and_what_would_run_is_named_so_that_it_is_not_shown() {
        assert_eq!(of("你好\n".as_bytes()), "text/plain");
        assert_eq!(of(b"<!DOCTYPE html><script>alert(1)</script>"), "text/html");
        assert_eq!(of(b"\xef\xbb\xbf  <svg xmlns='http://www.w3.org/2000/svg' onload='x()'/>"), "image/svg+xml");
        assert_eq!(of(b"<?xml version='1.0'?><svg onload='x()'/>"), "image/svg+xml");
        assert_eq!(of(b"\x7fELF\x02\x01\x01\0\0\0"), UNKNOWN);
        assert_eq!(of(b"a\0b"), UNKNOWN);
        assert_eq!(of(b""), UNKNOWN);
        for active in ["text/html", "image/svg+xml", "text/xml", "application/xhtml+xml", "application/pdf", UNKNOWN] {
            assert!(!is_shown(active), "{active}");
        }
    }

    #[test]
    fn a_character_cut_at_the_end_of_what_is_looked_at_is_still_text() {
        let long = "文".repeat(HEAD_BYTES);
        assert_eq!(of(long.as_bytes()), "text/plain");
        assert_eq!(of(&long.as_bytes()[..10]), UNKNOWN);
    }
}
