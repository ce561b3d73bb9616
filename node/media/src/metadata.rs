//! What an upload says of itself: `Upload-Metadata` of tus 1.0.0, a list of keys with values in base64.
//!
//! Keys that are not known are left out; a value that cannot be read is an error. A name is made fit to be shown: no path, no
//! control characters, nothing that turns the direction of text.

use data_encoding::BASE64;
use startalk_protocol::{Code, Error};

/// Bytes of the whole header.
pub const METADATA_BYTES_MAX: usize = 4096;
/// Bytes of a name, as file systems take them.
pub const NAME_BYTES_MAX: usize = 255;
/// What a file without a usable name is called.
const NAMELESS: &str = "file";

/// What a file is uploaded for: says which copies are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// A picture that is kept as it is, with copies beside it.
    Original,
    /// A picture of which only the reduced copy is kept.
    Reduced,
    /// Anything; no copies are made, even of a picture.
    File,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// A picture out of a video: like [`Purpose::Reduced`].
    Poster,
    /// A picture that is shown small, and may move: like [`Purpose::Original`], but it has to be a picture.
    Sticker,
}

impl Purpose {
    /// Whether copies are made if it is a picture.
    pub fn wants_copies(self) -> bool {
        matches!(self, Self::Original | Self::Reduced | Self::Poster | Self::Sticker)
    }

    /// Whether what is not a picture is refused.
    pub fn needs_picture(self) -> bool {
        matches!(self, Self::Reduced | Self::Poster | Self::Sticker)
    }

    /// Whether the reduced copy takes the place of what was uploaded.
    pub fn keeps_reduced(self) -> bool {
        matches!(self, Self::Reduced | Self::Poster)
    }

    /// As it is said.
    fn word(self) -> String {
        serde_json::to_value(self).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        serde_json::from_value(serde_json::Value::String(text.to_owned())).ok()
    }
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Fit to be shown.
    pub name: String,
    /// [`Purpose::File`] if nothing was said.
    pub purpose: Purpose,
}

/// Reads the header; an empty one says nothing.
///
/// # Errors
/// `malformed` or `bad-value`.
pub fn parse(header: &str) -> Result<Metadata, Error> {
    let malformed = || Error::new(Code::Malformed).with("expected", "Upload-Metadata as pairs of a key and base64");
    if header.len() > METADATA_BYTES_MAX {
        return Err(Error::new(Code::TooLarge)
            .with("what", "Upload-Metadata")
            .with("got", header.len())
            .with("max", METADATA_BYTES_MAX));
    }
    let mut found = Metadata { name: NAMELESS.to_owned(), purpose: Purpose::File };
    for pair in header.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        if !matches!(key, "filename" | "purpose") {
            continue;
        }
        let value = BASE64.decode(value.trim().as_bytes()).ok().and_then(|v| String::from_utf8(v).ok()).ok_or_else(malformed)?;
        if key == "filename" {
            found.name = clean_name(&value);
        } else {
            let expected = "original, reduced, file, voice, video, poster or sticker";
            found.purpose = Purpose::parse(&value)
                .ok_or_else(|| Error::new(Code::BadValue).with("field", "purpose").with("expected", expected))?;
        }
    }
    Ok(found)
}

/// What an upload is, said again as its beginning said it.
pub fn header(name: &str, purpose: Purpose) -> String {
    format!("filename {},purpose {}", BASE64.encode(name.as_bytes()), BASE64.encode(purpose.word().as_bytes()))
}

/// A name that can be shown and saved: the last part of a path, without what nobody can see, at most
/// [`NAME_BYTES_MAX`] bytes, of which the ending is kept.
pub fn clean_name(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let seen: String = last.chars().filter(|c| !c.is_control() && !is_hidden(*c)).collect();
    let seen = seen.trim().trim_start_matches('.').trim_start();
    if seen.is_empty() {
        return NAMELESS.to_owned();
    }
    if seen.len() <= NAME_BYTES_MAX {
        return seen.to_owned();
    }
    let ending = seen
        .rsplit_once('.')
        .map(|(_, e)| e)
        .filter(|e| !e.is_empty() && e.len() <= 16)
        .map_or(String::new(), |e| format!(".{e}"));
    let mut end = NAME_BYTES_MAX - ending.len();
    while !seen.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{ending}", &seen[..end])
}

/// Marks of direction, joiners that only hide, and what is no character.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(found) = parse(&text) {
        assert!(!found.name.is_empty() && found.name.len() <= NAME_BYTES_MAX, "{:?}", found.name);
    }
    let name = clean_name(&text);
    assert!(!name.contains(['/', '\\', '\r', '\n', '\0']) && name.len() <= NAME_BYTES_MAX, "{name:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_upload_says_is_read_and_what_is_not_known_left_out() {
        let header = format!(
            "filename {}, relativePath eA==,purpose {},is_confidential",
            BASE64.encode("猫.jpg".as_bytes()),
            BASE64.encode(b"reduced")
        );
        assert_eq!(parse(&header).unwrap(), Metadata { name: "猫.jpg".into(), purpose: Purpose::Reduced });
        assert_eq!(
            super::header("猫.jpg", Purpose::Reduced),
            header.replace(" relativePath eA==,", "").replace(",is_confidential", "")
        );
        assert_eq!(parse("").unwrap(), Metadata { name: "file".into(), purpose: Purpose::File });
        assert_eq!(parse("filename !!").unwrap_err().code, Code::Malformed);
        assert_eq!(parse("filename /w==").unwrap_err().code, Code::Malformed);
        assert_eq!(parse(&format!("purpose {}", BASE64.encode(b"all"))).unwrap_err().code, Code::BadValue);
        assert_eq!(parse(&"x".repeat(METADATA_BYTES_MAX + 1)).unwrap_err().code, Code::TooLarge);
    }

    #[test]
    fn a_name_is_no_path_and_hides_nothing() {
        for (given, shown) in [
            ("../../etc/passwd", "passwd"),
            ("C:\\Users\\a.txt", "a.txt"),
            ("a\u{202e}gpj.exe", "agpj.exe"),
            ("a\r\nSet-Cookie: x", "aSet-Cookie: x"),
            ("...", "file"),
            ("  ", "file"),
            (".htaccess", "htaccess"),
            ("年度报告 v2.pdf", "年度报告 v2.pdf"),
        ] {
            assert_eq!(clean_name(given), shown, "{given:?}");
        }
        let long = clean_name(&format!("{}.pdf", "文".repeat(200)));
        assert!(long.len() <= NAME_BYTES_MAX && long.ends_with("文.pdf"), "{long}");
    }
}
