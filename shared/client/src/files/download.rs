//! Downloads: into a `.part` file, from where the last attempt ended, and to its own name only when the hash is right.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;
use http_body_util::BodyExt as _;
use hyper::{
    HeaderMap, Method, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_RANGE, IF_RANGE, RANGE},
};
use startalk_protocol::pb::content::File;
use tokio::{
    fs,
    io::{AsyncReadExt as _, AsyncSeekExt as _, AsyncWriteExt as _},
    time::{Instant, timeout},
};

use super::{
    Tell, Transfer, Transfers,
    http::{Door, STILL, Trouble, good},
    tries::Tries,
};
use crate::ClientError;

/// Bytes read at once of what is here already.
const CHUNK: usize = 64 * 1024;
/// How often it is told how far it is, in milliseconds.
const TOLD_EVERY_MS: u128 = 100;

/// By what right a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A message refers to it.
    Message {
        /// Where.
        conversation: u64,
        /// Which.
        sequence: u64,
    },
    /// One holds it: an upload that was not sent yet, a sticker.
    Own,
}

/// The `.part` file, and what is in it.
struct Part {
    path: PathBuf,
    file: fs::File,
    hasher: blake3::Hasher,
    done: u64,
}

pub(super) async fn run(
    transfers: &Transfers,
    from: Source,
    wanted: &File,
    to: &Path,
    tell: Tell<'_>,
) -> Result<(), ClientError> {
    if wanted.hash.len() != 32 {
        return Err(ClientError::Input("a file with a hash of 32 bytes".to_owned()));
    }
    let address = address(transfers.device, from, wanted);
    let mut part = Part::open(to, wanted.size).await?;
    let (mut door, mut tries) = (Door::new(transfers), Tries::new(transfers.backoff));
    tell(Transfer::Moved { done: part.done, total: wanted.size });
    while part.done < wanted.size {
        if let Err(trouble) = attempt(&mut door, &address, wanted, &mut part, tell).await {
            door.close();
            if matches!(trouble, Trouble::Over(ClientError::WrongBytes)) {
                let _ = fs::remove_file(&part.path).await;
            }
            tries.got_to(part.done);
            tries.wait(trouble, tell).await?;
        }
    }
    part.finish(wanted, to).await?;
    tell(Transfer::Moved { done: wanted.size, total: wanted.size });
    Ok(())
}

fn address(device: u64, from: Source, wanted: &File) -> String {
    let (hash, name) = (HEXLOWER.encode(&wanted.hash), encoded(&wanted.name));
    match from {
        Source::Message { conversation, sequence } => format!("/files/{device}/{conversation}/{sequence}/{hash}/{name}"),
        Source::Own => format!("/files/{device}/own/{hash}/{name}"),
    }
}

/// A name as it stands in an address (RFC 3986).
fn encoded(name: &str) -> String {
    use std::fmt::Write as _;
    if name.is_empty() || name == "." || name == ".." {
        return "file".to_owned();
    }
    name.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

async fn attempt(door: &mut Door<'_>, address: &str, wanted: &File, part: &mut Part, tell: Tell<'_>) -> Result<(), Trouble> {
    let tag = format!("\"{}\"", HEXLOWER.encode(&wanted.hash));
    let headers = match part.done {
        0 => Vec::new(),
        done => vec![(RANGE, format!("bytes={done}-")), (IF_RANGE, tag)],
    };
    let answer = good(door.ask_shortly(Method::GET, address, &headers).await?).await?;
    let from = begins_at(answer.status(), answer.headers()).ok_or_else(|| Trouble::protocol("expected Content-Range"))?;
    if from != part.done {
        if from != 0 {
            return Err(Trouble::protocol("expected the range that was asked for"));
        }
        part.start_over().await.map_err(Trouble::Over)?;
    }
    take(answer, wanted, part, tell).await
}

/// The first byte that an answer brings.
fn begins_at(status: StatusCode, headers: &HeaderMap) -> Option<u64> {
    if status != StatusCode::PARTIAL_CONTENT {
        return Some(0);
    }
    let range = headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?;
    range.split_once('-')?.0.parse().ok()
}

async fn take(answer: Response<Incoming>, wanted: &File, part: &mut Part, tell: Tell<'_>) -> Result<(), Trouble> {
    let (mut body, mut told) = (answer.into_body(), Instant::now());
    let taken = loop {
        let frame = match timeout(STILL, body.frame()).await {
            Err(_) => break Err(Trouble::broken("nothing moved for a minute")),
            Ok(None) => break Ok(()),
            Ok(Some(Err(e))) => break Err(Trouble::broken(e)),
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(bytes) = frame.into_data() else { continue };
        if part.done + bytes.len() as u64 > wanted.size {
            break Err(Trouble::Over(ClientError::WrongBytes));
        }
        part.add(&bytes).await.map_err(Trouble::Over)?;
        if told.elapsed().as_millis() >= TOLD_EVERY_MS {
            told = Instant::now();
            tell(Transfer::Moved { done: part.done, total: wanted.size });
        }
    };
    part.file.flush().await.map_err(|e| Trouble::Over(ClientError::file(&part.path, &e)))?;
    tell(Transfer::Moved { done: part.done, total: wanted.size });
    match taken {
        Ok(()) if part.done < wanted.size => Err(Trouble::broken("the file broke off")),
        taken => taken,
    }
}

impl Part {
    /// Opens it, and looks at what is in it.
    async fn open(to: &Path, size: u64) -> Result<Self, ClientError> {
        let mut path = OsString::from(to);
        path.push(".part");
        let path = PathBuf::from(path);
        let failed = |e: &std::io::Error| ClientError::file(&path, e);
        let opened = fs::OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path).await;
        let file = opened.map_err(|e| failed(&e))?.into_std().await;
        // One download writes there at a time.
        file.try_lock().map_err(|e| failed(&e.into()))?;
        let mut file = fs::File::from_std(file);
        let (mut hasher, mut done, mut chunk) = (blake3::Hasher::new(), 0, vec![0; CHUNK]);
        loop {
            let read = file.read(&mut chunk).await.map_err(|e| failed(&e))?;
            if read == 0 {
                break;
            }
            hasher.update(&chunk[..read]);
            done += read as u64;
        }
        let mut part = Self { path, file, hasher, done };
        if part.done > size {
            part.start_over().await?;
        }
        Ok(part)
    }

    async fn start_over(&mut self) -> Result<(), ClientError> {
        let done = async {
            self.file.set_len(0).await?;
            self.file.rewind().await
        };
        done.await.map_err(|e| ClientError::file(&self.path, &e))?;
        (self.hasher, self.done) = (blake3::Hasher::new(), 0);
        Ok(())
    }

    async fn add(&mut self, bytes: &[u8]) -> Result<(), ClientError> {
        self.file.write_all(bytes).await.map_err(|e| ClientError::file(&self.path, &e))?;
        self.hasher.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    /// Gives it its name, if it is the file.
    async fn finish(mut self, wanted: &File, to: &Path) -> Result<(), ClientError> {
        if self.hasher.finalize().as_bytes()[..] != wanted.hash[..] {
            let _ = fs::remove_file(&self.path).await;
            return Err(ClientError::WrongBytes);
        }
        let done = async {
            self.file.flush().await?;
            self.file.sync_all().await?;
            fs::rename(&self.path, to).await
        };
        done.await.map_err(|e| ClientError::file(to, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_hold_any_name() {
        let file = |name: &str| File { hash: vec![0xab; 32].into(), name: name.to_owned(), ..File::default() };
        let from = Source::Message { conversation: 3, sequence: 9 };
        let hash = "ab".repeat(32);
        assert_eq!(address(7, from, &file("图 a?.png")), format!("/files/7/3/9/{hash}/%E5%9B%BE%20a%3F.png"));
        assert_eq!(address(7, Source::Own, &file("..")), format!("/files/7/own/{hash}/file"));
    }
}
