//! Uploads: tus 1.0.0, and a question before it whether the node has the file already.
//!
//! The file is read once for its hash and once to be sent. Invariant: what the node says of it is believed only if its hash is
//! that of the bytes here, where the node keeps them as they are.

use std::{path::Path, sync::atomic::Ordering};

use bytes::BytesMut;
use data_encoding::{BASE64, HEXLOWER};
use futures_util::stream::try_unfold;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::{
    Method, Response, StatusCode,
    body::{Frame, Incoming},
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION},
};
use tokio::{
    fs,
    io::{AsyncReadExt as _, AsyncSeekExt as _},
};

use super::{
    Description, NewUpload, Tell, Transfer, Transfers,
    describe::{self, Described},
    http::{self, Body, Door, Trouble, counter, good, json, number, watched},
    tries::Tries,
};
use crate::ClientError;

/// From this size on it is asked first whether the node has the file.
const ASKED_FROM: u64 = 1024 * 1024;
/// Bytes read at once.
const CHUNK: usize = 64 * 1024;
const UPLOADS: &str = "/files/uploads";
const RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const LENGTH: HeaderName = HeaderName::from_static("upload-length");
const OFFSET: HeaderName = HeaderName::from_static("upload-offset");
const METADATA: HeaderName = HeaderName::from_static("upload-metadata");

/// A file of this machine, as it was when it was looked at.
struct Measured {
    size: u64,
    hash: [u8; 32],
}

struct Upload<'a> {
    door: Door<'a>,
    new: &'a NewUpload,
    here: Measured,
    url: Option<String>,
    asks: bool,
    done: u64,
}

pub(super) async fn run(transfers: &Transfers, new: &NewUpload, tell: Tell<'_>) -> Result<Description, ClientError> {
    let here = measured(&new.path).await?;
    let url = new.url.as_deref().map(path_of).transpose()?;
    let asks = url.is_none() && here.size > ASKED_FROM && new.purpose.keeps_bytes();
    let mut upload = Upload { door: Door::new(transfers), new, here, url, asks, done: 0 };
    let mut tries = Tries::new(transfers.backoff);
    loop {
        match upload.attempt(tell).await {
            Ok(described) if upload.is_it(&described) => return Ok(described),
            Ok(_) => return Err(ClientError::WrongBytes),
            Err(trouble) => {
                upload.door.close();
                tries.got_to(upload.done);
                tries.wait(trouble, tell).await?;
            }
        }
    }
}

pub(super) async fn end(transfers: &Transfers, url: &str) -> Result<(), ClientError> {
    let mut door = Door::new(transfers);
    let answer = door.ask_shortly(Method::DELETE, &path_of(url)?, &[version()]).await.map_err(Trouble::error)?;
    match good(answer).await {
        Ok(_) => Ok(()),
        Err(refused) if refused.status == StatusCode::NOT_FOUND => Ok(()),
        Err(refused) => Err(Trouble::from(refused).error()),
    }
}

pub(super) async fn have(
    transfers: &Transfers,
    hash: &[u8; 32],
    size: u64,
    name: &str,
) -> Result<Option<Description>, ClientError> {
    is_there(&mut Door::new(transfers), hash, size, name).await.map_err(Trouble::error)
}

async fn is_there(door: &mut Door<'_>, hash: &[u8; 32], size: u64, name: &str) -> Result<Option<Description>, Trouble> {
    let question = serde_json::json!({ "hash": HEXLOWER.encode(hash), "size": size, "name": name }).to_string();
    let headers = [(CONTENT_TYPE, "application/json".to_owned())];
    let asking = door.ask(Method::POST, "/files/have", &headers, http::whole(question.into_bytes()));
    let answer = watched(asking, &counter(), &mut |_| {}).await?;
    match good(answer).await {
        Ok(answer) => match describe::read(&json(answer).await?).map_err(Trouble::Again)? {
            Described::Ready(described) if described.file.hash[..] == hash[..] && described.file.size == size => {
                Ok(Some(*described))
            }
            _ => Err(Trouble::protocol("expected the file that was asked for")),
        },
        Err(refused) if refused.status == StatusCode::NOT_FOUND => Ok(None),
        Err(refused) => Err(refused.into()),
    }
}

fn version() -> (HeaderName, String) {
    (RESUMABLE, "1.0.0".to_owned())
}

/// The path of an upload's address. Only of uploads: it is asked with the device's token.
fn path_of(url: &str) -> Result<String, ClientError> {
    let bad = || ClientError::Input("the URL of an upload".to_owned());
    let path = url.find(UPLOADS).map(|at| &url[at..]).ok_or_else(bad)?;
    let id = path.strip_prefix(UPLOADS).and_then(|p| p.strip_prefix('/')).unwrap_or_default();
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || !id.chars().all(plain) { Err(bad()) } else { Ok(path.to_owned()) }
}

async fn measured(path: &Path) -> Result<Measured, ClientError> {
    let failed = |e: &std::io::Error| ClientError::file(path, e);
    let mut file = fs::File::open(path).await.map_err(|e| failed(&e))?;
    let about = file.metadata().await.map_err(|e| failed(&e))?;
    if !about.is_file() {
        return Err(ClientError::Input(format!("a file, not {}", path.display())));
    }
    let (mut hasher, mut size, mut chunk) = (blake3::Hasher::new(), 0, vec![0; CHUNK]);
    loop {
        let read = file.read(&mut chunk).await.map_err(|e| failed(&e))?;
        if read == 0 {
            return Ok(Measured { size, hash: *hasher.finalize().as_bytes() });
        }
        hasher.update(&chunk[..read]);
        size += read as u64;
    }
}

impl Upload<'_> {
    /// Whether what the node has is what is here.
    fn is_it(&self, described: &Description) -> bool {
        let file = &described.file;
        !self.new.purpose.keeps_bytes() || file.hash[..] == self.here.hash[..] && file.size == self.here.size
    }

    async fn attempt(&mut self, tell: Tell<'_>) -> Result<Description, Trouble> {
        if self.asks {
            let found = is_there(&mut self.door, &self.here.hash, self.here.size, &self.new.name).await?;
            self.asks = false;
            let enough =
                |d: &Description| !self.new.purpose.wants_copies() || d.picture.is_some() || !d.file.r#type.starts_with("image/");
            if let Some(described) = found.filter(enough) {
                tell(Transfer::Moved { done: self.here.size, total: self.here.size });
                return Ok(described);
            }
        }
        let mut offset = match self.stands_at().await? {
            Some(offset) => offset,
            None => {
                let url = self.begin().await?;
                tell(Transfer::Begun { url: url.clone() });
                self.url = Some(url);
                0
            }
        };
        self.moved(offset, tell);
        if offset < self.here.size {
            offset = self.send_from(offset, tell).await?;
            self.moved(offset, tell);
        }
        loop {
            match self.description().await? {
                Described::Ready(described) => return Ok(*described),
                Described::Failed(error) => return Err(Trouble::Over(ClientError::Refused(error))),
                Described::Working => tell(Transfer::Working),
                Described::Receiving => return Err(Trouble::protocol("expected that all bytes had arrived")),
            }
        }
    }

    fn moved(&mut self, done: u64, tell: Tell<'_>) {
        self.done = done;
        tell(Transfer::Moved { done, total: self.here.size });
    }

    /// Where an upload that was begun stands; `None`: it is to be begun.
    async fn stands_at(&mut self) -> Result<Option<u64>, Trouble> {
        let Some(url) = self.url.clone() else { return Ok(None) };
        let answer = self.door.ask_shortly(Method::HEAD, &url, &[version()]).await?;
        if matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            self.url = None;
            return Ok(None);
        }
        let answer = good(answer).await?;
        let (offset, length) = (number(answer.headers(), &OFFSET), number(answer.headers(), &LENGTH));
        match (offset, length) {
            (Some(offset), Some(length)) if offset <= length && length == self.here.size => Ok(Some(offset)),
            // Another file was begun under it.
            (Some(_), Some(_)) => {
                self.url = None;
                Ok(None)
            }
            _ => Err(Trouble::protocol("expected Upload-Offset and Upload-Length")),
        }
    }

    async fn begin(&mut self) -> Result<String, Trouble> {
        let said = |text: &str| BASE64.encode(text.as_bytes());
        let metadata = format!("filename {},purpose {}", said(&self.new.name), said(self.new.purpose.as_str()));
        let headers = [version(), (LENGTH, self.here.size.to_string()), (METADATA, metadata)];
        let answer = good(self.door.ask_shortly(Method::POST, UPLOADS, &headers).await?).await?;
        let place = answer.headers().get(LOCATION).and_then(|v| v.to_str().ok()).map(path_of);
        place.and_then(Result::ok).ok_or_else(|| Trouble::protocol("expected the place of an upload"))
    }

    async fn send_from(&mut self, offset: u64, tell: Tell<'_>) -> Result<u64, Trouble> {
        let (count, total, url) = (counter(), self.here.size, self.url.clone().unwrap_or_default());
        let body = self.body(offset, &count).await.map_err(Trouble::Over)?;
        let headers = [
            version(),
            (OFFSET, offset.to_string()),
            (CONTENT_TYPE, "application/offset+octet-stream".to_owned()),
            (CONTENT_LENGTH, (total - offset).to_string()),
        ];
        let sending = self.door.ask(Method::PATCH, &url, &headers, body);
        let sent = watched(sending, &count, &mut |n| tell(Transfer::Moved { done: offset + n, total })).await;
        let answer: Response<Incoming> = sent?;
        if matches!(answer.status(), StatusCode::NOT_FOUND | StatusCode::GONE) {
            self.url = None;
            return Err(Trouble::protocol("the upload is gone"));
        }
        let answer = good(answer).await?;
        number(answer.headers(), &OFFSET).ok_or_else(|| Trouble::protocol("expected Upload-Offset"))
    }

    /// The rest of the file, as it was measured.
    async fn body(&self, offset: u64, count: &std::sync::Arc<std::sync::atomic::AtomicU64>) -> Result<Body, ClientError> {
        let failed = |e: &std::io::Error| ClientError::file(&self.new.path, e);
        let mut file = fs::File::open(&self.new.path).await.map_err(|e| failed(&e))?;
        if file.metadata().await.map_err(|e| failed(&e))?.len() != self.here.size {
            return Err(ClientError::Input("a file that stays as it is while it is sent".to_owned()));
        }
        file.seek(std::io::SeekFrom::Start(offset)).await.map_err(|e| failed(&e))?;
        let (file, count) = (file.take(self.here.size - offset), count.clone());
        let chunks = try_unfold(file, move |mut file| {
            let count = count.clone();
            async move {
                let mut chunk = BytesMut::with_capacity(CHUNK);
                let read = file.read_buf(&mut chunk).await?;
                count.fetch_add(read as u64, Ordering::Relaxed);
                Ok::<_, std::io::Error>((read > 0).then(|| (Frame::data(chunk.freeze()), file)))
            }
        });
        Ok(StreamBody::new(chunks).boxed_unsync())
    }

    async fn description(&mut self) -> Result<Described, Trouble> {
        let url = self.url.clone().unwrap_or_default();
        let answer = self.door.ask_shortly(Method::GET, &url, &[]).await?;
        describe::read(&json(good(answer).await?).await?).map_err(Trouble::Again)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_goes_to_uploads_alone() {
        for url in ["/files/uploads/ab-C_9", "https://any.example/files/uploads/ab-C_9"] {
            assert_eq!(path_of(url).unwrap(), "/files/uploads/ab-C_9");
        }
        for url in ["", "/files/uploads", "/files/uploads/", "/files/uploads/../1", "/files/uploads/a b", "/files/uploads/a?x=1"]
        {
            assert!(path_of(url).is_err(), "{url}");
        }
    }
}
