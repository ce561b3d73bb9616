//! What is told of an upload: the file and, of a picture, its copies. Written down when it is ready, and sent as JSON.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use startalk_domain::files::Here;

use crate::{Hash, store::hex};

/// A file as a message names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileShown {
    /// BLAKE3, hexadecimal.
    pub hash: String,
    /// In bytes.
    pub size: u64,
    /// As found in the bytes.
    #[serde(rename = "type")]
    pub media_type: String,
    /// As people see it.
    pub name: String,
}

/// A picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureShown {
    /// In pixels, as shown.
    pub width: u32,
    /// In pixels, as shown.
    pub height: u32,
    /// ThumbHash, base64.
    pub blur: String,
    /// `null`: the file is small enough.
    pub thumb: Option<FileShown>,
    /// `null`: the file is small enough, or it moves.
    pub reduced: Option<FileShown>,
}

/// What can be sent in a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// What opens in full.
    pub file: FileShown,
    /// If it is a picture, and copies were wanted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub picture: Option<PictureShown>,
}

impl Description {
    /// Of a file that the domain knows. Of its copies the domain knows hashes; their sizes are `look`ed up.
    pub(crate) fn of_here(here: &Here, name: &str, mut look: impl FnMut(&Hash) -> Option<Here>) -> Self {
        let file = |here: &Here, name: &str| FileShown {
            hash: hex(&here.hash),
            size: here.size,
            media_type: here.media_type.clone(),
            name: name.to_owned(),
        };
        let picture = here.picture.as_ref().map(|p| {
            let mut copy =
                |hash: &Option<Hash>| hash.as_ref().and_then(&mut look).map(|h| file(&h, &copy_name(name, &h.media_type)));
            PictureShown {
                width: p.width,
                height: p.height,
                blur: BASE64.encode(&p.blur),
                thumb: copy(&p.thumb),
                reduced: copy(&p.reduced),
            }
        });
        Self { file: file(here, name), picture }
    }
}

/// The name of a copy that has another type than the file.
pub fn copy_name(name: &str, media_type: &str) -> String {
    let ending = match media_type {
        "image/jpeg" => "jpg",
        "image/webp" => "webp",
        _ => "png",
    };
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    format!("{}.{ending}", if stem.is_empty() { "file" } else { stem })
}
