//! Contents of every kind that is more than text, and what may be said again of what others said.
//!
//! Pure. What a kind must keep to is judged by the node; here only what no node would take is refused, so that nothing is sent in
//! vain.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::{
    content::{kind_of, name_of_kind, words_of},
    error::Language,
    pb::content::{self as pb, Content, File, Picture, Text, content::Kind},
};

use super::{Shown, show_by, text_of};
use crate::ClientError;

/// Characters of what programs show that do not know the kind.
const FALLBACK_CHARS: usize = 300;
/// Messages that can be put together.
pub const TRANSCRIPT_LINES_MAX: usize = 100;
/// Transcripts in one another.
const TRANSCRIPT_DEPTH_MAX: usize = 3;
/// Bytes of a content.
const CONTENT_BYTES_MAX: usize = 128 * 1024;

/// A content of this kind.
pub fn of(kind: Kind) -> Bytes {
    let mut content = Content { kind: Some(kind), ..Content::default() };
    let named = kind_of(&content);
    let names = [Language::Chinese, Language::English].map(|language| name_of_kind(named, language));
    if !names[0].is_empty() {
        let words = words_of(&content).replace('\n', " ");
        content.fallback = format!("[{} {}] {words}", names[0], names[1]).trim_end().chars().take(FALLBACK_CHARS).collect();
    }
    content.encode_to_vec().into()
}

fn caption(plain: &str) -> Option<Text> {
    (!plain.trim().is_empty()).then(|| text_of(plain))
}

/// Pictures, as the node described them; the caption may be empty.
pub fn album(pictures: Vec<Picture>, words: &str) -> Bytes {
    of(Kind::Album(pb::Album { pictures, caption: caption(words) }))
}

/// Any file.
pub fn attachment(file: File, words: &str) -> Bytes {
    of(Kind::Attachment(pb::Attachment { file: Some(file), caption: caption(words) }))
}

/// A voice message; `waveform`: loudness from beginning to end, at most 128 values.
pub fn voice(file: File, duration_ms: u32, waveform: Bytes) -> Bytes {
    of(Kind::Voice(pb::Voice { file: Some(file), duration_ms, waveform }))
}

/// A video; what is not known of it may be left out.
pub fn video(about: pb::Video, words: &str) -> Bytes {
    of(Kind::Video(pb::Video { caption: caption(words), ..about }))
}

/// A picture that stands for a word.
pub fn new_sticker(about: pb::Sticker) -> Bytes {
    of(Kind::Sticker(about))
}

/// A place, in degrees of WGS 84.
///
/// # Errors
/// `input` if there is no such place.
pub fn location(latitude: f64, longitude: f64, name: &str, address: &str) -> Result<Bytes, ClientError> {
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return Err(ClientError::Input("a latitude of -90 to 90 and a longitude of -180 to 180 degrees".to_owned()));
    }
    let (name, address) = (name.to_owned(), address.to_owned());
    Ok(of(Kind::Location(pb::Location { latitude, longitude, name, address })))
}

/// Somebody's address, to be kept or written to.
pub fn contact_card(user: &startalk_protocol::UserId, display_name: &str) -> Bytes {
    of(Kind::ContactCard(pb::ContactCard { user: user.to_string(), display_name: display_name.to_owned() }))
}

/// What a page shows of itself.
pub fn link_card(card: pb::LinkCard) -> Bytes {
    of(Kind::LinkCard(card))
}

/// Makes the other person look.
pub fn shake() -> Bytes {
    of(Kind::Shake(pb::Shake {}))
}

/// A message that is put into a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    /// `name@domain`.
    pub author: String,
    /// As they are called; may be empty.
    pub author_name: String,
    /// When it was said.
    pub time_ms: i64,
    /// What it says.
    pub content: Bytes,
}

/// What a message said, to be said again: the same bytes, so that kinds of a later version survive it, but for what holds for the
/// first time alone: it calls nobody.
///
/// # Errors
/// `input` if it says nothing that can be said again: recalled, a line by the system, a shake, or something to be read once.
pub fn forwarded(content: &Bytes) -> Result<Bytes, ClientError> {
    let cannot = || ClientError::Input("a message that can be forwarded".to_owned());
    let mut read = Content::decode(content.clone()).map_err(|_| cannot())?;
    if content.is_empty() || read.burn_s != 0 || matches!(read.kind, Some(Kind::System(_) | Kind::Shake(_))) {
        return Err(cannot());
    }
    let mut changed = std::mem::take(&mut read.automatic);
    if let Some(Kind::Text(text)) = &mut read.kind {
        for inline in text.blocks.iter_mut().flat_map(|b| &mut b.inlines) {
            changed |= !std::mem::take(&mut inline.mention).is_empty();
        }
    }
    Ok(if changed { read.encode_to_vec().into() } else { content.clone() })
}

/// Messages as one.
///
/// # Errors
/// `input` if there are none, too many or too large ones, or one of them cannot be forwarded.
pub fn transcript(title: &str, messages: &[Quoted]) -> Result<Bytes, ClientError> {
    if messages.is_empty() || messages.len() > TRANSCRIPT_LINES_MAX {
        return Err(ClientError::Input(format!("1 to {TRANSCRIPT_LINES_MAX} messages")));
    }
    let line = |quoted: &Quoted| {
        let content = forwarded(&quoted.content)?;
        if depth(&content) >= TRANSCRIPT_DEPTH_MAX {
            return Err(ClientError::Input(format!("chat history at most {TRANSCRIPT_DEPTH_MAX} deep")));
        }
        let Quoted { author, author_name, time_ms, .. } = quoted.clone();
        Ok(pb::Line { author, author_name, time_ms, content })
    };
    let lines = messages.iter().map(line).collect::<Result<Vec<_>, _>>()?;
    let content = of(Kind::Transcript(pb::Transcript { title: title.to_owned(), lines }));
    if content.len() > CONTENT_BYTES_MAX {
        return Err(ClientError::Input(format!("messages of at most {} KiB together", CONTENT_BYTES_MAX / 1024)));
    }
    Ok(content)
}

/// How many transcripts stand in one another.
fn depth(content: &[u8]) -> usize {
    match Content::decode(content).ok().and_then(|c| c.kind) {
        Some(Kind::Transcript(t)) => 1 + t.lines.iter().map(|l| depth(&l.content)).max().unwrap_or(0),
        _ => 0,
    }
}

/// A forwarded message, as a program may show it.
#[derive(Clone, Debug, PartialEq)]
pub struct LineShown {
    /// `name@domain`, as whoever forwarded it says.
    pub author: String,
    /// As they were called; their id where that is not known.
    pub name: String,
    /// When it was said.
    pub time_ms: i64,
    /// What it says.
    pub shown: Shown,
}

/// The lines of a transcript.
pub fn lines_of(transcript: &pb::Transcript, language: Language) -> Vec<LineShown> {
    let line = |line: &pb::Line| LineShown {
        author: line.author.clone(),
        name: if line.author_name.is_empty() { line.author.clone() } else { line.author_name.clone() },
        time_ms: line.time_ms,
        shown: show_by(&line.content, language, &line.author, &str::to_owned),
    };
    transcript.lines.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use startalk_protocol::content::files_of;

    use super::*;
    use crate::content::{show, text, text_with_mentions};

    fn file(name: &str) -> File {
        File { hash: vec![7; 32].into(), size: 3_500, r#type: "image/png".to_owned(), name: name.to_owned() }
    }

    fn shown(content: &Bytes) -> (&'static str, String, Kind) {
        match show(content, Language::English) {
            Shown::Other { kind, words, what } => (kind, words, *what),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_kind_is_shown_with_all_that_it_has() {
        let picture = Picture { file: Some(file("a.png")), width: 3, height: 2, ..Picture::default() };
        let (kind, words, Kind::Album(album)) = shown(&album(vec![picture.clone()], "海边\n二")) else { panic!() };
        assert_eq!((kind, words.as_str()), ("picture", "[Picture] 海边\n二\na.png"));
        assert_eq!(album.pictures, [picture]);
        let (kind, words, _) = shown(&attachment(file("b.pdf"), ""));
        assert_eq!((kind, words.as_str()), ("file", "[File] b.pdf"));
        let (kind, _, Kind::Voice(voice)) = shown(&voice(file("v.ogg"), 4200, vec![1, 255].into())) else { panic!() };
        assert_eq!((kind, voice.duration_ms, &voice.waveform[..]), ("voice", 4200, &[1, 255][..]));
        let about = pb::Video { file: Some(file("c.mp4")), duration_ms: 9, ..pb::Video::default() };
        assert_eq!(shown(&video(about, "look")).1, "[Video] look\nc.mp4");
        let about = pb::Sticker { file: Some(file("s.webp")), code: ":wave:".to_owned(), ..pb::Sticker::default() };
        assert_eq!(shown(&new_sticker(about)).1, "[Sticker] :wave:");
        let (kind, _, Kind::Location(place)) = shown(&location(31.2, 121.5, "外滩", "").unwrap()) else { panic!() };
        assert_eq!((kind, place.latitude, place.longitude), ("location", 31.2, 121.5));
        assert!(location(91.0, 0.0, "", "").is_err() && location(0.0, f64::NAN, "", "").is_err());
        let card = contact_card(&"bob@b.example".parse().unwrap(), "Bob");
        assert_eq!(shown(&card).1, "[Contact] Bob\nbob@b.example");
        let page = pb::LinkCard { url: "https://a.example/".to_owned(), title: "A".to_owned(), ..pb::LinkCard::default() };
        assert_eq!(shown(&link_card(page)).1, "[Link] A\nhttps://a.example/");
        assert_eq!(shown(&shake()).1, "[Shake]");
        let decoded = Content::decode(attachment(file("b.pdf"), "x")).unwrap();
        assert_eq!((decoded.fallback.as_str(), files_of(&decoded).len()), ("[文件 File] b.pdf x", 1));
    }

    #[test]
    fn what_is_forwarded_is_the_same_but_calls_nobody() {
        let plain = text("hi");
        assert_eq!(forwarded(&plain).unwrap(), plain);
        let calls = text_with_mentions("@all now", &[("@all".to_owned(), "@all".to_owned())]);
        let again = forwarded(&calls).unwrap();
        assert!(crate::content::mentions(&again).is_empty());
        assert_eq!(show(&again, Language::English), Shown::Text("@all now".to_owned()));
        // A kind of a later version: field 200 of the content, and its fallback.
        let later = Bytes::from_static(b"\x0a\x06a poll\xc2\x0c\x01x");
        assert_eq!(forwarded(&later).unwrap(), later);
        let burning = Content { burn_s: 5, ..Content::decode(plain).unwrap() }.encode_to_vec();
        let line = of(Kind::System(pb::System { code: "group-left".to_owned(), ..pb::System::default() }));
        for cannot in [Bytes::new(), shake(), burning.into(), line] {
            assert_eq!(forwarded(&cannot).unwrap_err().code(), "input");
        }
    }

    #[test]
    fn messages_become_one_and_not_too_deep() {
        let quoted =
            |content: Bytes| Quoted { author: "ann@a.example".to_owned(), author_name: "Ann".to_owned(), time_ms: 5, content };
        let one = transcript("一", &[quoted(text("hi")), quoted(attachment(file("b.pdf"), ""))]).unwrap();
        let (kind, words, Kind::Transcript(said)) = shown(&one) else { panic!() };
        assert_eq!((kind, words.as_str()), ("transcript", "[Chat history] 一\nAnn: hi\nAnn: b.pdf"));
        let lines = lines_of(&said, Language::Chinese);
        assert_eq!((lines[0].name.as_str(), &lines[0].shown), ("Ann", &Shown::Text("hi".to_owned())));
        assert_eq!(lines[1].shown.plain(), "[文件] b.pdf");
        let two = transcript("二", &[quoted(one)]).unwrap();
        let three = transcript("三", &[quoted(two)]).unwrap();
        assert!(transcript("四", &[quoted(three)]).is_err());
        assert!(transcript("", &[]).is_err() && transcript("", &vec![quoted(text("x")); 101]).is_err());
        assert!(transcript("", &vec![quoted(text(&"x".repeat(60_000))); 3]).is_err());
    }
}
