//! Every kind of content but text and code: its form, and the files that it refers to.

use prost::Message;
use startalk_protocol::{
    Error, UserId, limits,
    pb::content::{
        Album, ContactCard, Content, File, Line, LinkCard, Location, Picture, Sticker, Text, Transcript, Video, Voice,
        content::Kind,
    },
};

use super::{bad, check_text, link_is_plain, short, too_large};
use crate::directory::is_harmless;

/// Bits of what a message holds, as its facts say it.
pub mod holds {
    /// Pictures.
    pub const PICTURE: u32 = 1;
    /// Videos.
    pub const VIDEO: u32 = 2;
    /// Voice.
    pub const VOICE: u32 = 4;
    /// Other files.
    pub const FILE: u32 = 8;
    /// Links: in its text, or a card.
    pub const LINK: u32 = 16;
    /// It makes the other person look.
    pub const SHAKE: u32 = 32;
    /// Everything that stands in the list of a conversation's files.
    pub const LISTED: u32 = PICTURE | VIDEO | VOICE | FILE | LINK;
}

/// A file, as a message refers to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referred {
    /// BLAKE3 of its bytes.
    pub hash: [u8; 32],
    /// Bytes.
    pub size: u64,
    /// Its media type, as the author's domain says.
    pub media_type: String,
}

/// What a content holds besides words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// A sum of [`holds`].
    pub kinds: u32,
    /// Each once, in the order in which they are named first.
    pub files: Vec<Referred>,
}

impl Holds {
    fn file(&mut self, file: Option<&File>, field: &str) -> Result<(), Error> {
        let file = file.ok_or_else(|| bad(field, "a file"))?;
        let hash: [u8; 32] = file.hash.as_ref().try_into().map_err(|_| bad("hash", "32 bytes"))?;
        if file.size > limits::FILE_BYTES_LIMIT {
            return Err(too_large("file", usize::try_from(file.size).unwrap_or(usize::MAX), limits::FILE_BYTES_LIMIT as usize));
        }
        if !is_media_type(&file.r#type) {
            return Err(bad("type", "a media type, such as image/png"));
        }
        let plain = |c: char| is_harmless(c) && c != '/' && c != '\\';
        if file.name.len() > limits::FILE_NAME_BYTES_MAX || !file.name.chars().all(plain) {
            return Err(bad("name", "a file's name of at most 255 bytes, without a path"));
        }
        match self.files.iter().find(|f| f.hash == hash) {
            Some(known) if known.size != file.size => return Err(bad("size", "one size for one hash")),
            Some(_) => {}
            None if self.files.len() >= limits::FILES_PER_MESSAGE_MAX => {
                return Err(too_large("files", self.files.len() + 1, limits::FILES_PER_MESSAGE_MAX));
            }
            None => self.files.push(Referred { hash, size: file.size, media_type: file.r#type.clone() }),
        }
        Ok(())
    }

    fn picture(&mut self, picture: &Picture) -> Result<(), Error> {
        self.file(picture.file.as_ref(), "picture")?;
        for copy in [&picture.thumb, &picture.reduced].into_iter().flatten() {
            self.file(Some(copy), "picture")?;
        }
        check_pixels(picture.width, picture.height)?;
        check_blur(&picture.blur)
    }
}

/// Judges one of the kinds of this module and adds what it holds.
pub(super) fn check(kind: &Kind, depth: usize, held: &mut Holds) -> Result<(), Error> {
    match kind {
        Kind::Album(album) => check_album(album, held),
        Kind::Voice(voice) => check_voice(voice, held),
        Kind::Video(video) => check_video(video, held),
        Kind::Attachment(attachment) => {
            held.kinds |= holds::FILE;
            held.file(attachment.file.as_ref(), "file")?;
            check_caption(attachment.caption.as_ref(), held)
        }
        Kind::Sticker(sticker) => check_sticker(sticker, held),
        Kind::Location(location) => check_location(location),
        Kind::ContactCard(card) => check_contact(card),
        Kind::LinkCard(card) => check_link_card(card, held),
        Kind::Transcript(transcript) => check_transcript(transcript, depth, held),
        Kind::Shake(_) => {
            held.kinds |= holds::SHAKE;
            Ok(())
        }
        Kind::Text(_) | Kind::Code(_) | Kind::System(_) => Err(bad("content", "a kind that people write")),
    }
}

fn check_album(album: &Album, held: &mut Holds) -> Result<(), Error> {
    if album.pictures.is_empty() || album.pictures.len() > limits::ALBUM_PICTURES_MAX {
        return Err(bad("pictures", &format!("1 to {}", limits::ALBUM_PICTURES_MAX)));
    }
    held.kinds |= holds::PICTURE;
    album.pictures.iter().try_for_each(|p| held.picture(p))?;
    check_caption(album.caption.as_ref(), held)
}

fn check_voice(voice: &Voice, held: &mut Holds) -> Result<(), Error> {
    held.kinds |= holds::VOICE;
    held.file(voice.file.as_ref(), "voice")?;
    check_duration(voice.duration_ms)?;
    if voice.waveform.len() > limits::WAVEFORM_BYTES_MAX {
        return Err(too_large("waveform", voice.waveform.len(), limits::WAVEFORM_BYTES_MAX));
    }
    Ok(())
}

fn check_video(video: &Video, held: &mut Holds) -> Result<(), Error> {
    held.kinds |= holds::VIDEO;
    held.file(video.file.as_ref(), "video")?;
    if let Some(poster) = &video.poster {
        held.file(Some(poster), "poster")?;
    }
    check_duration(video.duration_ms)?;
    check_pixels(video.width, video.height)?;
    check_blur(&video.blur)?;
    check_caption(video.caption.as_ref(), held)
}

fn check_sticker(sticker: &Sticker, held: &mut Holds) -> Result<(), Error> {
    held.file(sticker.file.as_ref(), "sticker")?;
    check_pixels(sticker.width, sticker.height)?;
    plain(&sticker.code, limits::STICKER_WORD_BYTES_MAX, "code")?;
    plain(&sticker.pack, limits::STICKER_WORD_BYTES_MAX, "pack")
}

fn check_location(location: &Location) -> Result<(), Error> {
    let is_there = (-90.0..=90.0).contains(&location.latitude) && (-180.0..=180.0).contains(&location.longitude);
    if !is_there {
        return Err(bad("location", "degrees: -90 to 90 north, -180 to 180 east"));
    }
    plain(&location.name, limits::CARD_LINE_BYTES_MAX, "name")?;
    plain(&location.address, limits::CARD_LINE_BYTES_MAX, "address")
}

fn check_contact(card: &ContactCard) -> Result<(), Error> {
    if !card.user.parse::<UserId>().is_ok_and(|u| u.to_string() == card.user) {
        return Err(bad("user", "name@domain in its one form"));
    }
    crate::directory::check_display_name(&card.display_name, "display_name")
}

fn check_link_card(card: &LinkCard, held: &mut Holds) -> Result<(), Error> {
    held.kinds |= holds::LINK;
    let is_web = card.url.starts_with("https:") || card.url.starts_with("http:");
    if !is_web || !link_is_plain(&card.url) {
        return Err(bad("url", "https: or http:, at most 2048 bytes"));
    }
    plain(&card.title, limits::CARD_LINE_BYTES_MAX, "title")?;
    plain(&card.description, limits::CARD_TEXT_BYTES_MAX, "description")?;
    plain(&card.site, limits::CARD_LINE_BYTES_MAX, "site")?;
    card.picture.as_ref().map_or(Ok(()), |picture| held.picture(picture))
}

fn check_transcript(transcript: &Transcript, depth: usize, held: &mut Holds) -> Result<(), Error> {
    if depth >= limits::TRANSCRIPT_DEPTH_MAX {
        return Err(bad("transcript", &format!("at most {} in each other", limits::TRANSCRIPT_DEPTH_MAX)));
    }
    if transcript.lines.is_empty() || transcript.lines.len() > limits::TRANSCRIPT_LINES_MAX {
        return Err(bad("lines", &format!("1 to {}", limits::TRANSCRIPT_LINES_MAX)));
    }
    plain(&transcript.title, limits::CARD_LINE_BYTES_MAX, "title")?;
    // What its lines hold does not stand in the conversation's list of files: they are somebody's of elsewhere.
    let mut inside = Holds { kinds: 0, files: std::mem::take(&mut held.files) };
    let judged = transcript.lines.iter().try_for_each(|line| check_line(line, depth + 1, &mut inside));
    held.files = inside.files;
    judged
}

fn check_line(line: &Line, depth: usize, held: &mut Holds) -> Result<(), Error> {
    if !line.author.is_empty() && !line.author.parse::<UserId>().is_ok_and(|u| u.to_string() == line.author) {
        return Err(bad("author", "name@domain in its one form"));
    }
    crate::directory::check_display_name(&line.author_name, "author_name")?;
    let content = Content::decode(line.content.as_ref()).map_err(|_| super::malformed())?;
    if content.burn_s != 0 {
        return Err(bad("burn_s", "0 in what is forwarded"));
    }
    super::check_content(&content, super::Kinds::All, depth, held)
}

fn check_caption(caption: Option<&Text>, held: &mut Holds) -> Result<(), Error> {
    caption.map_or(Ok(()), |text| check_text(text, held))
}

fn check_duration(duration_ms: u32) -> Result<(), Error> {
    let is_short = duration_ms <= limits::DURATION_MS_MAX;
    if is_short { Ok(()) } else { Err(bad("duration_ms", "at most a day")) }
}

fn check_pixels(width: u32, height: u32) -> Result<(), Error> {
    let is_there = |side| side <= limits::PICTURE_SIDE_MAX;
    let fits = is_there(width) && is_there(height);
    if fits { Ok(()) } else { Err(bad("width", &format!("at most {} pixels a side", limits::PICTURE_SIDE_MAX))) }
}

fn check_blur(blur: &[u8]) -> Result<(), Error> {
    if blur.len() <= limits::BLUR_BYTES_MAX { Ok(()) } else { Err(too_large("blur", blur.len(), limits::BLUR_BYTES_MAX)) }
}

fn plain(text: &str, max: usize, field: &str) -> Result<(), Error> {
    short(text, field, max)?;
    if text.chars().all(|c| c == '\n' || is_harmless(c)) { Ok(()) } else { Err(bad(field, "plain text")) }
}

/// RFC 6838, in small letters, without parameters; empty: unknown.
fn is_media_type(text: &str) -> bool {
    let name = |part: &str| {
        let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$&-^_.+".contains(&b);
        !part.is_empty() && part.len() <= limits::MEDIA_TYPE_BYTES_MAX / 2 && part.bytes().all(good)
    };
    text.is_empty() || text.split_once('/').is_some_and(|(kind, subtype)| name(kind) && name(subtype))
}
