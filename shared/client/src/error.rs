//! Why something did not happen, in the SDK's own words; errors of the node are passed on as they came.
//!
//! Closed lists; every error has words in Chinese and English.

use std::{fmt, io};

use startalk_net::{ConnectError, NotFound, discovery::Step, http::HttpError};
use startalk_protocol::{Code, Error, error::Language};

/// What can go wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientError {
    /// The node says no.
    Refused(Error),
    /// There is no connection now; whether the node heard the request is not known.
    Offline,
    /// The session has ended: signed out, or closed.
    Ended,
    /// The folder could not be written; nothing was accepted.
    Store(String),
    /// The domain could not be reached.
    Dial(DialError),
    /// The other side does not speak as it should.
    Protocol(String),
    /// What was asked cannot be: says what was expected.
    Input(String),
    /// A file of this machine cannot be read or written.
    File {
        /// Which.
        path: String,
        /// What the system says.
        why: String,
    },
    /// What came is not the file that the message names, or what was sent is not what arrived.
    WrongBytes,
}

impl ClientError {
    /// For machines; never changes its meaning. A node's refusal has the code that it gave.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(e) => e.code.as_str(),
            Self::Offline => "offline",
            Self::Ended => "ended",
            Self::Store(_) => "store",
            Self::Dial(e) => e.code(),
            Self::Protocol(_) => "protocol",
            Self::Input(_) => "input",
            Self::File { .. } => "file",
            Self::WrongBytes => "wrong-bytes",
        }
    }

    /// The error as it travels, when it is the node's or has the same meaning.
    pub fn params(&self) -> std::collections::BTreeMap<String, String> {
        let one = |name: &str, value: String| std::iter::once((name.to_owned(), value)).collect();
        match self {
            Self::Refused(e) => e.params.clone(),
            Self::Dial(e) => one("why", e.words(Language::English)),
            Self::Store(why) | Self::Protocol(why) => one("why", why.clone()),
            Self::Input(expected) => one("expected", expected.clone()),
            Self::File { path, why } => [("path", path), ("why", why)].map(|(k, v)| (k.to_owned(), v.clone())).into(),
            Self::Offline | Self::Ended | Self::WrongBytes => std::collections::BTreeMap::new(),
        }
    }

    /// In words.
    pub fn words(&self, language: Language) -> String {
        let zh = language == Language::Chinese;
        match self {
            Self::Refused(e) => e.words(language),
            Self::Offline => if zh { "未连接。" } else { "Not connected." }.to_owned(),
            Self::Ended => if zh { "会话已结束。" } else { "The session has ended." }.to_owned(),
            Self::Store(why) => {
                if zh {
                    format!("无法写入数据目录：{why}")
                } else {
                    format!("The data folder cannot be written: {why}")
                }
            }
            Self::Dial(e) => e.words(language),
            Self::Protocol(why) => {
                if zh {
                    format!("对方的应答不合协议：{why}")
                } else {
                    format!("The other side breaks the protocol: {why}")
                }
            }
            Self::Input(expected) => {
                if zh {
                    format!("无法读懂：应为 {expected}")
                } else {
                    format!("Not understood: expected {expected}")
                }
            }
            Self::File { path, why } => {
                if zh {
                    format!("无法读写文件 {path}：{why}")
                } else {
                    format!("The file {path} cannot be used: {why}")
                }
            }
            Self::WrongBytes => if zh {
                "收到的内容与消息中的文件不符，已丢弃。"
            } else {
                "What came is not the file that the message names; it was thrown away."
            }
            .to_owned(),
        }
    }

    pub(crate) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        Self::File { path: path.display().to_string(), why: error.to_string() }
    }

    pub(crate) fn store(error: &io::Error) -> Self {
        Self::Store(error.to_string())
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(Language::English))
    }
}

impl std::error::Error for ClientError {}

impl From<Error> for ClientError {
    fn from(e: Error) -> Self {
        Self::Refused(e)
    }
}

impl From<Code> for ClientError {
    fn from(code: Code) -> Self {
        Self::Refused(code.into())
    }
}

impl From<DialError> for ClientError {
    fn from(e: DialError) -> Self {
        Self::Dial(e)
    }
}

/// Why there is no connection to the domain: which step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialError {
    /// No record of the domain was found: each step with its reason.
    NotFound(Vec<Step>),
    /// The record at the given address could not be fetched.
    Record {
        /// Where.
        at: String,
        /// Why.
        why: HttpError,
    },
    /// What the address serves is no record.
    Status {
        /// Where.
        at: String,
        /// The HTTP status.
        status: u16,
    },
    /// The record or its key is not acceptable.
    Refused(Error),
    /// The domain is known, but no address of it could be connected to with one of its keys.
    Connect(ConnectError),
    /// The connection opened and ended before anything was said.
    Closed(String),
}

impl DialError {
    /// For machines: which step.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "unknown-domain",
            Self::Record { .. } | Self::Status { .. } => "no-record",
            Self::Refused(e) => e.code.as_str(),
            Self::Connect(_) | Self::Closed(_) => "unreachable",
        }
    }

    /// In words.
    pub fn words(&self, language: Language) -> String {
        let zh = language == Language::Chinese;
        match self {
            Self::NotFound(steps) => {
                let steps = startalk_net::discovery::steps_in_words(steps, language);
                if zh { format!("找不到该域：{steps}") } else { format!("The domain was not found: {steps}") }
            }
            Self::Record { at, why } => {
                let why = why.words(language);
                if zh {
                    format!("无法从 {at} 取得域记录：{why}")
                } else {
                    format!("The domain's record could not be fetched from {at}: {why}")
                }
            }
            Self::Status { at, status } => {
                if zh {
                    format!("{at} 不提供域记录（HTTP {status}）")
                } else {
                    format!("{at} serves no domain record (HTTP {status})")
                }
            }
            Self::Refused(e) => e.words(language),
            Self::Connect(e) => {
                if zh {
                    format!("无法连接：{}", e.words(language))
                } else {
                    format!("No connection: {}", e.words(language))
                }
            }
            Self::Closed(why) => {
                if zh {
                    format!("连接中断：{why}")
                } else {
                    format!("The connection broke: {why}")
                }
            }
        }
    }

    /// What discovery tried, if that is where it failed.
    pub fn steps(&self) -> &[Step] {
        match self {
            Self::NotFound(steps) => steps,
            _ => &[],
        }
    }
}

impl From<NotFound> for DialError {
    fn from(e: NotFound) -> Self {
        Self::NotFound(e.steps)
    }
}
