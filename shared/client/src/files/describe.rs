//! What the node says of an upload, as JSON, and what goes into a message of it.

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use serde::Deserialize;
use startalk_protocol::{
    Error,
    pb::content::{File, Picture},
};

use super::{Description, http::ToldError};
use crate::ClientError;

/// How an upload stands.
#[derive(Debug, PartialEq)]
pub(super) enum Described {
    Receiving,
    Working,
    Ready(Box<Description>),
    Failed(Error),
}

#[derive(Deserialize)]
struct Told {
    state: String,
    error: Option<ToldError>,
    file: Option<ToldFile>,
    picture: Option<ToldPicture>,
}

#[derive(Deserialize)]
struct ToldFile {
    hash: String,
    size: u64,
    #[serde(rename = "type", default)]
    media_type: String,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct ToldPicture {
    width: u32,
    height: u32,
    #[serde(default)]
    blur: String,
    thumb: Option<ToldFile>,
    reduced: Option<ToldFile>,
}

fn broken(expected: &str) -> ClientError {
    ClientError::Protocol(format!("expected a description with {expected}"))
}

impl ToldFile {
    fn file(self) -> Result<File, ClientError> {
        let hash = HEXLOWER_PERMISSIVE.decode(self.hash.as_bytes()).ok().filter(|h| h.len() == 32);
        let hash = hash.ok_or_else(|| broken("a hash of 64 hexadecimal digits"))?;
        Ok(File { hash: hash.into(), size: self.size, r#type: self.media_type, name: self.name })
    }
}

impl ToldPicture {
    fn picture(self, file: &File) -> Result<Picture, ClientError> {
        Ok(Picture {
            file: Some(file.clone()),
            width: self.width,
            height: self.height,
            blur: BASE64.decode(self.blur.as_bytes()).map_err(|_| broken("a blur in base64"))?.into(),
            thumb: self.thumb.map(ToldFile::file).transpose()?,
            reduced: self.reduced.map(ToldFile::file).transpose()?,
        })
    }
}

/// Reads what the node says.
pub(super) fn read(bytes: &[u8]) -> Result<Described, ClientError> {
    let told: Told = serde_json::from_slice(bytes).map_err(|e| ClientError::Protocol(format!("expected a description: {e}")))?;
    match told.state.as_str() {
        "receiving" => Ok(Described::Receiving),
        "working" => Ok(Described::Working),
        "failed" => {
            let ToldError { code, params } = told.error.ok_or_else(|| broken("the error"))?;
            Ok(Described::Failed(Error::from_wire(&code, params)))
        }
        "ready" => {
            let file = told.file.ok_or_else(|| broken("a file"))?.file()?;
            let picture = told.picture.map(|p| p.picture(&file)).transpose()?;
            Ok(Described::Ready(Box::new(Description { file, picture })))
        }
        _ => Err(broken("a state that is known")),
    }
}

/// For tests that give it what a foreign node might say: whatever it is, it is read or refused.
pub fn check(bytes: &[u8]) {
    if let Ok(Described::Ready(description)) = read(bytes) {
        assert_eq!(description.file.hash.len(), 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const READY: &str = r#"{"state":"ready","offset":5,"file":{"hash":"HASH","size":5,"type":"image/png","name":"a.png"},
        "picture":{"width":3,"height":2,"blur":"AQI=","thumb":null,"reduced":{"hash":"HASH","size":4,"type":"image/webp","name":"a.webp"}}}"#;

    fn ready() -> String {
        READY.replace("HASH", &"0a".repeat(32))
    }

    #[test]
    fn a_description_becomes_what_goes_into_a_message() {
        let Ok(Described::Ready(described)) = read(ready().as_bytes()) else { panic!() };
        let picture = described.picture.unwrap();
        assert_eq!((picture.width, picture.height, &picture.blur[..]), (3, 2, &[1, 2][..]));
        assert_eq!(picture.file.as_ref(), Some(&described.file));
        assert!(picture.thumb.is_none());
        assert_eq!(picture.reduced.unwrap().r#type, "image/webp");
        assert_eq!((described.file.hash[0], described.file.size, described.file.name.as_str()), (10, 5, "a.png"));
        let failed = br#"{"state":"failed","error":{"code":"too-large"}}"#;
        assert!(matches!(read(failed), Ok(Described::Failed(e)) if e.code.as_str() == "too-large"));
    }

    #[test]
    fn what_is_none_is_refused_and_nothing_breaks() {
        for wrong in [
            "",
            "null",
            "{}",
            r#"{"state":"ready"}"#,
            r#"{"state":"ready","file":{"hash":"0a","size":1}}"#,
            r#"{"state":"ready","file":{"hash":5,"size":1}}"#,
            r#"{"state":"soon"}"#,
            r#"{"state":"failed"}"#,
        ] {
            assert!(matches!(read(wrong.as_bytes()), Err(ClientError::Protocol(_))), "{wrong}");
        }
        let (good, mut seed) = (ready().into_bytes(), 7_u64);
        for _ in 0..5000 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let at = usize::try_from(seed >> 33).unwrap() % bytes.len();
                bytes[at] = seed.to_le_bytes()[2];
            }
            check(&bytes);
        }
    }
}
