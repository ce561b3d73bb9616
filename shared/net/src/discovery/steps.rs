//! What discovery tried, for people and for machines.
//!
//! Closed lists; every outcome has a code and words in Chinese and English, none is "failed".

use startalk_protocol::{DomainName, Error, error::Language, trust::Endpoint};

use super::proof::{Contradiction, Proof};
use crate::http::HttpError;

/// Who was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The place that the administrator wrote down.
    Configured(Endpoint),
    /// What else the administrator wrote down.
    Configuration,
    /// SRV `_startalk._udp.<domain>`.
    Dns,
    /// TXT `_startalk.<domain>`.
    DnsText,
    /// A place that SRV named.
    DnsEndpoint(Endpoint),
    /// `https://<domain>/.well-known/startalk/domain`.
    WellKnown,
    /// A hub, by host and port.
    Hub(String),
}

impl Source {
    fn words(&self, language: Language) -> String {
        let zh = language == Language::Chinese;
        match self {
            Self::Configured(e) => {
                if zh {
                    format!("配置的地址 {}", shown(e))
                } else {
                    format!("configured address {}", shown(e))
                }
            }
            Self::Configuration => if zh { "配置" } else { "configuration" }.to_owned(),
            Self::Dns => "DNS".to_owned(),
            Self::DnsText => "DNS TXT".to_owned(),
            Self::DnsEndpoint(e) => {
                if zh {
                    format!("DNS 所指的 {}", shown(e))
                } else {
                    format!("{} named by DNS", shown(e))
                }
            }
            Self::WellKnown => "well-known".to_owned(),
            Self::Hub(name) => {
                if zh {
                    format!("枢纽 {name}")
                } else {
                    format!("hub {name}")
                }
            }
        }
    }
}

/// `host:port`, as people write it.
pub fn shown(endpoint: &Endpoint) -> String {
    if endpoint.host.contains(':') {
        format!("[{}]:{}", endpoint.host, endpoint.port)
    } else {
        format!("{}:{}", endpoint.host, endpoint.port)
    }
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A record, and what proves it if anything does.
    Found(Option<Proof>),
    /// A key name is never asked of DNS.
    KeyName,
    /// There is no SRV record.
    NoSrv,
    /// DNS could not be asked or answered with a failure.
    DnsFailed(String),
    /// The hub knows no such domain.
    UnknownDomain,
    /// No answer.
    NoAnswer(HttpError),
    /// An answer that is no record.
    Status(u16),
    /// What came does not verify, or may not replace what is known.
    Refused(Error),
    /// A record, but of this domain.
    OtherDomain(DomainName),
    /// The record has another root key than stated there.
    Contradicted(Contradiction),
}

impl Outcome {
    /// For machines; never changes its meaning.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Found(_) => "found",
            Self::KeyName => "key-name",
            Self::NoSrv => "no-srv",
            Self::DnsFailed(_) => "dns-failed",
            Self::UnknownDomain => "unknown-domain",
            Self::NoAnswer(_) => "no-answer",
            Self::Status(_) => "http-status",
            Self::Refused(_) => "refused",
            Self::OtherDomain(_) => "other-domain",
            Self::Contradicted(_) => "contradicted",
        }
    }

    fn words(&self, language: Language) -> String {
        let zh = language == Language::Chinese;
        let fixed = |chinese: &str, english: &str| if zh { chinese.to_owned() } else { english.to_owned() };
        match self {
            Self::Found(None) => fixed("找到记录，但无证明", "found a record, without proof"),
            Self::Found(Some(proof)) => {
                let proof = proof.words(language);
                if zh { format!("找到记录（{proof}）") } else { format!("found a record ({proof})") }
            }
            Self::KeyName => fixed("密钥名不查询 DNS", "not asked for a key name"),
            Self::NoSrv => fixed("没有 SRV 记录", "no SRV record"),
            Self::DnsFailed(why) => {
                if zh {
                    format!("查询失败（{why}）")
                } else {
                    format!("the query failed ({why})")
                }
            }
            Self::UnknownDomain => fixed("不认识此域", "unknown domain"),
            // The address in front of the reason says nothing new where the source names it.
            Self::NoAnswer(HttpError::Connect(e)) if e.attempts.len() == 1 => {
                e.attempts.first().map(|a| a.reason.words(language)).unwrap_or_default()
            }
            Self::NoAnswer(e) => e.words(language),
            Self::Status(status) => format!("HTTP {status}"),
            Self::Refused(e) => e.words(language),
            Self::OtherDomain(domain) => {
                if zh {
                    format!("应答的是 {domain} 的记录")
                } else {
                    format!("answered with a record of {domain}")
                }
            }
            Self::Contradicted(Contradiction::Configured) => {
                fixed("根密钥与配置的指纹不符", "the root key is not the one configured")
            }
            Self::Contradicted(Contradiction::DnsText) => {
                fixed("根密钥与 DNS TXT 记录不符", "the root key is not the one in the DNS TXT record")
            }
            Self::Contradicted(Contradiction::WellKnown) => {
                fixed("根密钥与该域自己公布的不符", "the root key is not the one that the domain itself serves")
            }
        }
    }
}

/// One step of a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Who was asked.
    pub source: Source,
    /// What came of it.
    pub outcome: Outcome,
}

/// `DNS: no SRV record; well-known: connection refused; hub h1: unknown domain`.
pub fn steps_in_words(steps: &[Step], language: Language) -> String {
    let zh = language == Language::Chinese;
    if steps.is_empty() {
        return if zh { "无处可问" } else { "nobody to ask" }.to_owned();
    }
    let (colon, between) = if zh { ("：", "；") } else { (": ", "; ") };
    let one = |step: &Step| {
        let words = step.outcome.words(language);
        let words = words.strip_suffix(if zh { '。' } else { '.' }).unwrap_or(&words);
        format!("{}{colon}{words}", step.source.words(language))
    };
    steps.iter().map(one).collect::<Vec<_>>().join(between)
}
