//! Why a connection failed: every address with its reason, in Chinese and English.
//!
//! Closed list; no step of a connection ends in "it did not work".

use std::{fmt, io, net::SocketAddr};

use startalk_protocol::error::Language;

/// Why one attempt failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Nobody listens there.
    Refused,
    /// No answer in time.
    TimedOut,
    /// No route, or the network is down.
    NoRoute,
    /// The peer closed before the handshake was done.
    Closed,
    /// The address lies inside a private network, and a stranger named it.
    PrivateAddress,
    /// The host name has no address.
    NoAddress,
    /// DNS could not be asked, or answered with a failure.
    Dns(String),
    /// The peer has another key than the expected one.
    WrongKey,
    /// No common protocol: the peer speaks TLS, but not this.
    NoProtocol,
    /// The certificate or the handshake is not acceptable.
    Tls(String),
    /// Plain HTTP was asked for where it is not allowed.
    PlainHttp,
    /// Not a URL, host or port that can be connected to.
    BadAddress,
    /// Something else.
    Other(String),
}

impl Reason {
    /// In words.
    pub fn words(&self, language: Language) -> String {
        let zh = language == Language::Chinese;
        let fixed = |chinese: &str, english: &str| if zh { chinese.to_owned() } else { english.to_owned() };
        match self {
            Self::Refused => fixed("连接被拒绝", "connection refused"),
            Self::TimedOut => fixed("超时无应答", "no answer in time"),
            Self::NoRoute => fixed("网络不可达", "no route"),
            Self::Closed => fixed("对方关闭了连接", "closed by the other side"),
            Self::PrivateAddress => fixed("内网地址，不允许连接", "a private address, not allowed"),
            Self::NoAddress => fixed("主机名没有地址", "the host name has no address"),
            Self::Dns(why) => {
                if zh {
                    format!("DNS 查询失败（{why}）")
                } else {
                    format!("DNS failed ({why})")
                }
            }
            Self::WrongKey => fixed("对方的密钥不是预期的密钥", "the other side has another key than expected"),
            Self::NoProtocol => fixed("对方不支持此协议", "the other side does not speak this protocol"),
            Self::Tls(why) => {
                if zh {
                    format!("TLS 失败（{why}）")
                } else {
                    format!("TLS failed ({why})")
                }
            }
            Self::PlainHttp => fixed("此处不允许未加密的 HTTP", "plain HTTP is not allowed here"),
            Self::BadAddress => fixed("地址无法使用", "not a usable address"),
            Self::Other(why) => why.clone(),
        }
    }

    pub(crate) fn of_io(error: &io::Error) -> Self {
        if let Some(tls) = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
            return Self::of_tls(tls);
        }
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::Refused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable | io::ErrorKind::AddrNotAvailable => Self::NoRoute,
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Other(error.to_string()),
        }
    }

    pub(crate) fn of_tls(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure) => Self::WrongKey,
            rustls::Error::AlertReceived(rustls::AlertDescription::NoApplicationProtocol) => Self::NoProtocol,
            other => Self::Tls(other.to_string()),
        }
    }

    pub(crate) fn of_quic(error: &quinn::ConnectionError) -> Self {
        let alert = |description: rustls::AlertDescription| quinn::TransportErrorCode::crypto(description.into());
        match error {
            quinn::ConnectionError::TimedOut => Self::TimedOut,
            quinn::ConnectionError::TransportError(e) if e.code == alert(rustls::AlertDescription::AccessDenied) => {
                Self::WrongKey
            }
            quinn::ConnectionError::ConnectionClosed(e)
                if e.error_code == alert(rustls::AlertDescription::NoApplicationProtocol) =>
            {
                Self::NoProtocol
            }
            quinn::ConnectionError::ConnectionClosed(e) if e.error_code == quinn::TransportErrorCode::CONNECTION_REFUSED => {
                Self::Refused
            }
            quinn::ConnectionError::ApplicationClosed(_) | quinn::ConnectionError::Reset => Self::Closed,
            other => Self::Other(other.to_string()),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(Language::English))
    }
}

/// One attempt that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What was tried: an address with its port, or a host name that led to none.
    pub what: String,
    /// Why it failed.
    pub reason: Reason,
}

impl Attempt {
    pub(crate) fn at(address: SocketAddr, reason: Reason) -> Self {
        Self { what: address.to_string(), reason }
    }
}

/// No address could be connected to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConnectError {
    /// Every attempt, in order of failing. Empty if there was nothing to try.
    pub attempts: Vec<Attempt>,
}

impl ConnectError {
    pub(crate) fn of(what: impl Into<String>, reason: Reason) -> Self {
        Self { attempts: vec![Attempt { what: what.into(), reason }] }
    }

    /// In words: `[::1]:443: connection refused; 192.0.2.1:443: no answer in time`.
    pub fn words(&self, language: Language) -> String {
        if self.attempts.is_empty() {
            return if language == Language::Chinese { "没有可用的地址" } else { "no address to try" }.to_owned();
        }
        let (colon, between) = if language == Language::Chinese { ("：", "；") } else { (": ", "; ") };
        let words: Vec<String> = self.attempts.iter().map(|a| format!("{}{colon}{}", a.what, a.reason.words(language))).collect();
        words.join(between)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words(Language::English))
    }
}
