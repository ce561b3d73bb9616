//! Files: uploads that survive cuts, downloads that are checked, over HTTP to the node that the session speaks with.
//! docs/client-protocol.md
//!
//! Nothing of a file is held in memory. A transfer goes on by itself after a cut, as long as its future is polled; dropping that
//! pauses it: an upload goes on later under its URL, a download from its `.part` file. Invariant: bytes go to and come from a node
//! that has shown a link key of the domain; a downloaded file has its name only when its BLAKE3 was seen to be right.

mod describe;
mod download;
mod http;
mod tries;
mod upload;

use std::{path::PathBuf, sync::Arc};

use startalk_protocol::pb::content::{File, Picture};

pub use self::{describe::check, download::Source};
use crate::{Account, Backoff, ClientError, Options, dial::DialHttp};

/// What an upload is for: what the node makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A picture to be kept as it is, with smaller copies beside it.
    Original,
    /// A picture of which only the reduced copy is kept, without metadata.
    Reduced,
    /// Anything; no copies are made.
    File,
    /// A voice message.
    Voice,
    /// A video.
    Video,
    /// A picture out of a video.
    Poster,
    /// A picture that is shown small, and may move.
    Sticker,
}

impl Purpose {
    /// Every purpose.
    pub const ALL: [Self; 7] = [Self::Original, Self::Reduced, Self::File, Self::Voice, Self::Video, Self::Poster, Self::Sticker];

    /// As it travels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Reduced => "reduced",
            Self::File => "file",
            Self::Voice => "voice",
            Self::Video => "video",
            Self::Poster => "poster",
            Self::Sticker => "sticker",
        }
    }

    /// From how it travels.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }

    /// Whether the file that the node describes has the bytes that were sent.
    fn keeps_bytes(self) -> bool {
        !matches!(self, Self::Reduced | Self::Poster)
    }

    /// Whether smaller copies are wanted of a picture.
    fn wants_copies(self) -> bool {
        matches!(self, Self::Original | Self::Reduced | Self::Poster | Self::Sticker)
    }
}

/// A file to be sent.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// Of this machine.
    pub path: PathBuf,
    /// What for.
    pub purpose: Purpose,
    /// As people see it.
    pub name: String,
    /// Of an upload that was begun before ([`Transfer::Begun`]), to go on with; good for a day.
    pub url: Option<String>,
}

/// What the node says of a file that it has: what goes into a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// What opens in full.
    pub file: File,
    /// If it is a picture, and copies were wanted: with the same file in it.
    pub picture: Option<Picture>,
}

/// How a transfer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The upload may be gone on with under this for a day, by whoever is signed in to the account.
    Begun {
        /// For [`NewUpload::url`].
        url: String,
    },
    /// So much is there.
    Moved {
        /// Bytes; less than before when some were lost in a cut.
        done: u64,
        /// Bytes of the whole.
        total: u64,
    },
    /// The node has everything and looks at it.
    Working,
    /// Something is in the way; the next attempt is in so many milliseconds.
    Waiting {
        /// From now.
        ms: u64,
        /// Why.
        error: ClientError,
    },
}

/// Who is told how a transfer goes.
pub type Tell<'a> = &'a mut (dyn FnMut(Transfer) + Send);

/// Uploads and downloads of one account. Cheap to clone.
#[derive(Clone)]
pub struct Transfers {
    http: Option<Arc<dyn DialHttp>>,
    backoff: Backoff,
    domain: String,
    device: u64,
    /// As it stands behind `Bearer`.
    token: Arc<str>,
}

impl std::fmt::Debug for Transfers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transfers(device {} at {})", self.device, self.domain)
    }
}

impl Transfers {
    pub(crate) fn new(http: Option<Arc<dyn DialHttp>>, options: &Options, account: &Account) -> Self {
        let domain = account.user.split_once('@').map_or("", |(_, domain)| domain).to_owned();
        let token = data_encoding::BASE64URL_NOPAD.encode(&account.token).into();
        Self { http, backoff: options.backoff, domain, device: account.device, token }
    }

    /// Uploads a file and returns what the node says of it, as it goes into a message. Goes on after cuts; gives up when nothing
    /// moved in many attempts. If the node has the file already, and the account may read it there, nothing is sent.
    ///
    /// # Errors
    /// The node's reason (`file-too-large`, `over-file-quota`, `not-a-picture` …); `file`: it cannot be read; `wrong-bytes`: it
    /// changed meanwhile; why the node cannot be reached.
    pub async fn upload(&self, new: &NewUpload, tell: Tell<'_>) -> Result<Description, ClientError> {
        upload::run(self, new, tell).await
    }

    /// Ends an upload that was begun and not finished, and has the node forget what arrived.
    ///
    /// # Errors
    /// The node's reason, or why it cannot be reached.
    pub async fn end_upload(&self, url: &str) -> Result<(), ClientError> {
        upload::end(self, url).await
    }

    /// Asks whether the node has a file that this account may read.
    ///
    /// # Errors
    /// The node's reason, or why it cannot be reached.
    pub async fn have(&self, hash: &[u8; 32], size: u64, name: &str) -> Result<Option<Description>, ClientError> {
        upload::have(self, hash, size, name).await
    }

    /// Downloads a file to a path, through a message that refers to it or as one's own. What arrives lies in `<path>.part` until
    /// it is whole and its BLAKE3 is right; then it takes the place of whatever was at the path. Goes on where an earlier download
    /// to that path ended.
    ///
    /// # Errors
    /// The node's reason (`no-such-file`, `file-away` …); `file`: the path cannot be written, or another download writes there;
    /// `wrong-bytes`: what came is another file, and was thrown away.
    pub async fn download(&self, from: Source, file: &File, to: &std::path::Path, tell: Tell<'_>) -> Result<(), ClientError> {
        download::run(self, from, file, to, tell).await
    }
}
