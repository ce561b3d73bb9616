//! What every program says of a content: the name of its kind, and its words.
//!
//! Pure. A kind that is not known here is "other", and its fallback is its words. federation-spec/05-content-and-items.md

use crate::{
    error::Language,
    pb::content::{Content, File, Text, content::Kind},
};

/// The name of the kind, for machines: "text", "code", "system", "picture", "voice", "video", "file", "sticker", "location",
/// "contact", "link", "transcript", "shake"; "other" for kinds that are not known here.
pub fn kind_of(content: &Content) -> &'static str {
    match content.kind {
        Some(Kind::Text(_)) => "text",
        Some(Kind::Code(_)) => "code",
        Some(Kind::System(_)) => "system",
        Some(Kind::Album(_)) => "picture",
        Some(Kind::Voice(_)) => "voice",
        Some(Kind::Video(_)) => "video",
        Some(Kind::Attachment(_)) => "file",
        Some(Kind::Sticker(_)) => "sticker",
        Some(Kind::Location(_)) => "location",
        Some(Kind::ContactCard(_)) => "contact",
        Some(Kind::LinkCard(_)) => "link",
        Some(Kind::Transcript(_)) => "transcript",
        Some(Kind::Shake(_)) => "shake",
        None => "other",
    }
}

/// The name of a kind, for people: what stands where the thing itself cannot. Empty for text and system lines.
pub fn name_of_kind(kind: &str, language: Language) -> &'static str {
    let (en, zh) = match kind {
        "code" => ("Code", "代码"),
        "picture" => ("Picture", "图片"),
        "voice" => ("Voice message", "语音"),
        "video" => ("Video", "视频"),
        "file" => ("File", "文件"),
        "sticker" => ("Sticker", "表情"),
        "location" => ("Location", "位置"),
        "contact" => ("Contact", "名片"),
        "link" => ("Link", "链接"),
        "transcript" => ("Chat history", "聊天记录"),
        "shake" => ("Shake", "窗口抖动"),
        "text" | "system" => ("", ""),
        _ => ("Message", "消息"),
    };
    match language {
        Language::English => en,
        Language::Chinese => zh,
    }
}

/// What a content says in words, without marks: its text, a caption and names of files, what stands on a card. Empty for system
/// lines, whose words are made where they are shown.
pub fn words_of(content: &Content) -> String {
    let name = |file: &Option<File>| file.as_ref().map(|f| f.name.clone()).unwrap_or_default();
    let caption = |text: &Option<Text>| text.as_ref().map(words_of_text).unwrap_or_default();
    let parts = match &content.kind {
        Some(Kind::Text(text)) => return words_of_text(text),
        Some(Kind::Code(code)) => return code.source.clone(),
        Some(Kind::System(_) | Kind::Voice(_) | Kind::Shake(_)) => return String::new(),
        Some(Kind::Album(album)) => {
            let mut parts = vec![caption(&album.caption)];
            parts.extend(album.pictures.iter().map(|p| name(&p.file)));
            parts
        }
        Some(Kind::Video(video)) => vec![caption(&video.caption), name(&video.file)],
        Some(Kind::Attachment(attachment)) => vec![name(&attachment.file), caption(&attachment.caption)],
        Some(Kind::Sticker(sticker)) => vec![sticker.code.clone()],
        Some(Kind::Location(place)) => vec![place.name.clone(), place.address.clone()],
        Some(Kind::ContactCard(card)) => vec![card.display_name.clone(), card.user.clone()],
        Some(Kind::LinkCard(card)) => vec![card.title.clone(), card.description.clone(), card.site.clone(), card.url.clone()],
        Some(Kind::Transcript(transcript)) => {
            let mut parts = vec![transcript.title.clone()];
            parts.extend(transcript.lines.iter().map(words_of_line));
            parts
        }
        None => return content.fallback.clone(),
    };
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Blocks on lines of their own.
pub fn words_of_text(text: &Text) -> String {
    let block = |b: &crate::pb::content::Block| b.inlines.iter().map(|i| i.text.as_str()).collect::<String>();
    text.blocks.iter().map(block).collect::<Vec<_>>().join("\n")
}

/// One forwarded message: a transcript in it by its title alone, so that nothing that is deep inside is read.
fn words_of_line(line: &crate::pb::content::Line) -> String {
    use prost::Message as _;
    let said = match Content::decode(line.content.as_ref()) {
        Ok(Content { kind: Some(Kind::Transcript(inner)), .. }) => inner.title,
        Ok(content) => words_of(&content),
        Err(_) => String::new(),
    };
    if line.author_name.is_empty() { said } else { format!("{}: {said}", line.author_name) }
}

/// The files that a content names itself, those that a program may offer to open, in their order; not their smaller copies, and not
/// those of forwarded messages in it.
pub fn files_of(content: &Content) -> Vec<&File> {
    match &content.kind {
        Some(Kind::Album(album)) => album.pictures.iter().filter_map(|p| p.file.as_ref()).collect(),
        Some(Kind::Voice(voice)) => voice.file.iter().collect(),
        Some(Kind::Video(video)) => video.file.iter().collect(),
        Some(Kind::Attachment(attachment)) => attachment.file.iter().collect(),
        Some(Kind::Sticker(sticker)) => sticker.file.iter().collect(),
        _ => Vec::new(),
    }
}

/// How many bytes, as people read it: "12 B", "3.4 KiB", "200 MiB".
pub fn size_words(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let (mut value, mut unit) = (bytes as f64 / 1024.0, 0);
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    if value < 10.0 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::content::{Album, Block, Inline, Picture};

    #[test]
    fn words_are_captions_and_names() {
        let text = |words: &str| {
            let inline = Inline { text: words.to_owned(), ..Inline::default() };
            Text { blocks: vec![Block { inlines: vec![inline], ..Block::default() }] }
        };
        let picture =
            |name: &str| Picture { file: Some(File { name: name.to_owned(), ..File::default() }), ..Picture::default() };
        let album = Album { pictures: vec![picture("a.png"), picture("b.png")], caption: Some(text("海边")) };
        let content = Content { kind: Some(Kind::Album(album)), ..Content::default() };
        assert_eq!(words_of(&content), "海边\na.png\nb.png");
        assert_eq!(files_of(&content).len(), 2);
        assert_eq!(name_of_kind(kind_of(&content), Language::Chinese), "图片");
    }

    #[test]
    fn sizes_are_read_easily() {
        let words: Vec<_> = [0, 1023, 1024, 3500, 200 * 1024 * 1024, 5 << 40].map(size_words).into();
        assert_eq!(words, ["0 B", "1023 B", "1.0 KiB", "3.4 KiB", "200 MiB", "5.0 TiB"]);
    }
}
