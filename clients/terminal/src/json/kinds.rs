//! Contents of every kind as JSON: the same object in what is told and in what is to be sent.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use startalk_client::{
    ClientError, Language,
    content::{self as contents, Shown},
    wire_content::{self as pb, Content, content::Kind},
};
use startalk_protocol::content::{files_of, words_of_text};

use super::shape::hex;

/// A file.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileShown {
    hash: String,
    size: u64,
    #[serde(rename = "type", default)]
    media_type: String,
    #[serde(default)]
    name: String,
}

/// A picture.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PictureShown {
    file: FileShown,
    #[serde(default)]
    width: u32,
    #[serde(default)]
    height: u32,
    #[serde(default)]
    blur: String,
    #[serde(default)]
    thumb: Option<FileShown>,
    #[serde(default)]
    reduced: Option<FileShown>,
}

/// A line of a transcript.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LineSaid {
    author: String,
    #[serde(default)]
    author_name: String,
    #[serde(default)]
    time_ms: i64,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    language: String,
    #[serde(default)]
    content: Option<Box<Said>>,
}

/// What is to be sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Said {
    Picture {
        pictures: Vec<PictureShown>,
        #[serde(default)]
        caption: String,
    },
    Voice {
        file: FileShown,
        #[serde(default)]
        duration_ms: u32,
        #[serde(default)]
        waveform: String,
    },
    Video {
        file: FileShown,
        #[serde(default)]
        duration_ms: u32,
        #[serde(default)]
        width: u32,
        #[serde(default)]
        height: u32,
        #[serde(default)]
        poster: Option<FileShown>,
        #[serde(default)]
        blur: String,
        #[serde(default)]
        caption: String,
    },
    File {
        file: FileShown,
        #[serde(default)]
        caption: String,
    },
    Sticker {
        file: FileShown,
        #[serde(default)]
        width: u32,
        #[serde(default)]
        height: u32,
        #[serde(default)]
        code: String,
        #[serde(default)]
        pack: String,
    },
    Location {
        latitude: f64,
        longitude: f64,
        #[serde(default)]
        name: String,
        #[serde(default)]
        address: String,
    },
    Contact {
        user: String,
        #[serde(default)]
        display_name: String,
    },
    Link {
        url: String,
        #[serde(default)]
        title: String,
        #[serde(default)]
        description: String,
        #[serde(default)]
        site: String,
        #[serde(default)]
        picture: Option<PictureShown>,
    },
    Transcript {
        #[serde(default)]
        title: String,
        lines: Vec<LineSaid>,
    },
    Shake {},
}

fn base64(text: &str) -> Result<bytes::Bytes, ClientError> {
    let bytes = data_encoding::BASE64.decode(text.as_bytes());
    bytes.map(Into::into).map_err(|_| ClientError::Input("base64".to_owned()))
}

impl FileShown {
    fn of(file: &pb::File) -> Self {
        Self { hash: hex(&file.hash), size: file.size, media_type: file.r#type.clone(), name: file.name.clone() }
    }

    /// As the wire has it.
    pub fn file(&self) -> Result<pb::File, ClientError> {
        let hash = data_encoding::HEXLOWER_PERMISSIVE.decode(self.hash.as_bytes()).ok().filter(|h| h.len() == 32);
        let hash = hash.ok_or_else(|| ClientError::Input("a hash of 64 hexadecimal digits".to_owned()))?;
        Ok(pb::File { hash: hash.into(), size: self.size, r#type: self.media_type.clone(), name: self.name.clone() })
    }
}

impl PictureShown {
    fn of(p: &pb::Picture) -> Self {
        Self {
            file: FileShown::of(&p.file.clone().unwrap_or_default()),
            width: p.width,
            height: p.height,
            blur: data_encoding::BASE64.encode(&p.blur),
            thumb: p.thumb.as_ref().map(FileShown::of),
            reduced: p.reduced.as_ref().map(FileShown::of),
        }
    }

    fn picture(&self) -> Result<pb::Picture, ClientError> {
        let copy = |file: &Option<FileShown>| file.as_ref().map(FileShown::file).transpose();
        Ok(pb::Picture {
            file: Some(self.file.file()?),
            width: self.width,
            height: self.height,
            blur: base64(&self.blur)?,
            thumb: copy(&self.thumb)?,
            reduced: copy(&self.reduced)?,
        })
    }
}

impl LineSaid {
    fn quoted(&self) -> Result<contents::Quoted, ClientError> {
        let content = match (&self.text, &self.code, &self.content) {
            (Some(text), None, None) => contents::text(text),
            (None, Some(code), None) => contents::code(&self.language, code),
            (None, None, Some(said)) => said.content()?,
            _ => return Err(ClientError::Input("a line with one of `text`, `code` and `content`".to_owned())),
        };
        Ok(contents::Quoted {
            author: self.author.clone(),
            author_name: self.author_name.clone(),
            time_ms: self.time_ms,
            content,
        })
    }
}

impl Said {
    /// As the wire has it.
    pub fn content(&self) -> Result<bytes::Bytes, ClientError> {
        Ok(match self {
            Self::Picture { pictures, caption } => {
                contents::album(pictures.iter().map(PictureShown::picture).collect::<Result<_, _>>()?, caption)
            }
            Self::Voice { file, duration_ms, waveform } => contents::voice(file.file()?, *duration_ms, base64(waveform)?),
            Self::Video { file, duration_ms, width, height, poster, blur, caption } => {
                let (poster, blur) = (poster.as_ref().map(FileShown::file).transpose()?, base64(blur)?);
                let (file, caption_text) = (Some(file.file()?), None);
                let (duration_ms, width, height) = (*duration_ms, *width, *height);
                let about = pb::Video { file, duration_ms, width, height, poster, blur, caption: caption_text };
                contents::video(about, caption)
            }
            Self::File { file, caption } => contents::attachment(file.file()?, caption),
            Self::Sticker { file, width, height, code, pack } => contents::new_sticker(pb::Sticker {
                file: Some(file.file()?),
                width: *width,
                height: *height,
                code: code.clone(),
                pack: pack.clone(),
            }),
            Self::Location { latitude, longitude, name, address } => contents::location(*latitude, *longitude, name, address)?,
            Self::Contact { user, display_name } => {
                let user = user.parse().map_err(|_| ClientError::Input("name@domain".to_owned()))?;
                contents::contact_card(&user, display_name)
            }
            Self::Link { url, title, description, site, picture } => contents::link_card(pb::LinkCard {
                url: url.clone(),
                title: title.clone(),
                description: description.clone(),
                site: site.clone(),
                picture: picture.as_ref().map(PictureShown::picture).transpose()?,
            }),
            Self::Transcript { title, lines } => {
                let quoted = lines.iter().map(LineSaid::quoted).collect::<Result<Vec<_>, _>>()?;
                contents::transcript(title, &quoted)?
            }
            Self::Shake {} => contents::shake(),
        })
    }
}

fn file(file: &Option<pb::File>) -> Value {
    json!(file.as_ref().map(FileShown::of))
}

fn caption(text: &Option<pb::Text>) -> String {
    text.as_ref().map(words_of_text).unwrap_or_default()
}

/// What [`Said`] reads, of a content that was told; null for what is told by `text` and `code`.
pub(super) fn content(kind: &Kind) -> Value {
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    match kind {
        Kind::Text(_) | Kind::Code(_) | Kind::System(_) => Value::Null,
        Kind::Album(album) => json!({
            "kind": "picture",
            "pictures": album.pictures.iter().map(PictureShown::of).collect::<Vec<_>>(),
            "caption": caption(&album.caption),
        }),
        Kind::Voice(v) => json!({
            "kind": "voice",
            "file": file(&v.file),
            "duration_ms": v.duration_ms,
            "waveform": base64(&v.waveform),
        }),
        Kind::Video(v) => json!({
            "kind": "video",
            "file": file(&v.file),
            "duration_ms": v.duration_ms,
            "width": v.width,
            "height": v.height,
            "poster": file(&v.poster),
            "blur": base64(&v.blur),
            "caption": caption(&v.caption),
        }),
        Kind::Attachment(a) => json!({ "kind": "file", "file": file(&a.file), "caption": caption(&a.caption) }),
        Kind::Sticker(s) => json!({
            "kind": "sticker",
            "file": file(&s.file),
            "width": s.width,
            "height": s.height,
            "code": s.code,
            "pack": s.pack,
        }),
        Kind::Location(l) => json!({
            "kind": "location",
            "latitude": l.latitude,
            "longitude": l.longitude,
            "name": l.name,
            "address": l.address,
        }),
        Kind::ContactCard(c) => json!({ "kind": "contact", "user": c.user, "display_name": c.display_name }),
        Kind::LinkCard(l) => json!({
            "kind": "link",
            "url": l.url,
            "title": l.title,
            "description": l.description,
            "site": l.site,
            "picture": l.picture.as_ref().map(PictureShown::of),
        }),
        Kind::Transcript(t) => {
            let lines: Vec<Value> =
                t.lines.iter().zip(contents::lines_of(t, Language::English)).map(|(l, s)| line(l, &s.shown)).collect();
            json!({ "kind": "transcript", "title": t.title, "lines": lines })
        }
        Kind::Shake(_) => json!({ "kind": "shake" }),
    }
}

fn line(line: &pb::Line, shown: &Shown) -> Value {
    let mut value = json!({ "author": line.author, "author_name": line.author_name, "time_ms": line.time_ms });
    match shown {
        Shown::Code { language, source } => {
            value["code"] = source.as_str().into();
            value["language"] = language.as_str().into();
        }
        Shown::Other { what, .. } => value["content"] = content(what),
        shown => value["text"] = shown.plain().into(),
    }
    value
}

/// What the node says of an upload: what [`Said`] takes.
pub(super) fn description(d: &startalk_client::files::Description) -> Value {
    json!({ "file": FileShown::of(&d.file), "picture": d.picture.as_ref().map(PictureShown::of) })
}

/// The files that a content names itself, in order.
pub(super) fn files(kind: &Kind) -> Vec<FileShown> {
    files_of(&Content { kind: Some(kind.clone()), ..Content::default() }).into_iter().map(FileShown::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use startalk_client::content::show;

    /// What is told can be sent again as it stands.
    #[test]
    fn every_kind_comes_back_as_it_was_written() {
        let file = json!({ "hash": "0a".repeat(32), "size": 5, "type": "image/png", "name": "图.png" });
        let picture = json!({ "file": file, "width": 3, "height": 2, "blur": "AQI=", "thumb": file, "reduced": null });
        let line = |content: Value| json!({ "author": "ann@a.example", "author_name": "Ann", "time_ms": 7, "content": content });
        let location = json!({ "kind": "location", "latitude": 31.25, "longitude": -121.5, "name": "外滩", "address": "" });
        let text = json!({ "author": "ann@a.example", "author_name": "", "time_ms": 8, "text": "hi" });
        let code = json!({ "author": "ann@a.example", "author_name": "", "time_ms": 8, "code": "x = 1", "language": "py" });
        let all = [
            json!({ "kind": "picture", "pictures": [picture, picture], "caption": "海边" }),
            json!({ "kind": "voice", "file": file, "duration_ms": 4200, "waveform": "AP8=" }),
            json!({ "kind": "video", "file": file, "duration_ms": 1, "width": 6, "height": 4, "poster": file, "blur": "", "caption": "" }),
            json!({ "kind": "file", "file": file, "caption": "a\nb" }),
            json!({ "kind": "sticker", "file": file, "width": 1, "height": 2, "code": ":wave:", "pack": "cats" }),
            location.clone(),
            json!({ "kind": "contact", "user": "bob@b.example", "display_name": "Bob" }),
            json!({ "kind": "link", "url": "https://a.example/", "title": "A", "description": "d", "site": "s", "picture": picture }),
            json!({ "kind": "transcript", "title": "t", "lines": [line(location), text, code] }),
            json!({ "kind": "shake" }),
        ];
        for said in all {
            let read: Said = serde_json::from_value(said.clone()).unwrap_or_else(|e| panic!("{said}: {e}"));
            let Shown::Other { what, kind, .. } = show(&read.content().unwrap(), Language::English) else { panic!("{said}") };
            assert_eq!(content(&what), said);
            assert_eq!(said["kind"], kind);
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for wrong in [
            json!({ "kind": "poll" }),
            json!({ "kind": "file" }),
            json!({ "kind": "location", "latitude": 1.0, "longitude": 1.0, "nmae": "x" }),
        ] {
            assert!(serde_json::from_value::<Said>(wrong.clone()).is_err(), "{wrong}");
        }
        for wrong in [
            json!({ "kind": "file", "file": { "hash": "0a", "size": 1 } }),
            json!({ "kind": "location", "latitude": 100.0, "longitude": 1.0 }),
            json!({ "kind": "contact", "user": "bob" }),
            json!({ "kind": "transcript", "lines": [] }),
            json!({ "kind": "transcript", "lines": [{ "author": "a@b.example" }] }),
        ] {
            let said: Said = serde_json::from_value(wrong.clone()).unwrap_or_else(|e| panic!("{wrong}: {e}"));
            assert_eq!(said.content().unwrap_err().code(), "input", "{wrong}");
        }
    }
}
