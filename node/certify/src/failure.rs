//! Why there is no new certificate, in words for the operator: what went wrong, and what to look at. What an authority or a
//! hook says is quoted, cut, and never holds a key.

use serde::{Deserialize, Serialize};

use crate::Method;

/// Of what others say, so many characters are quoted.
const QUOTED_MAX: usize = 400;

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Words {
    /// English.
    pub en: String,
    /// Chinese.
    pub zh: String,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// No answer, or none that is ACME.
    Unreachable(Words),
    /// It was asked too often.
    Limited(String),
    /// Any other refusal.
    Refused(String),
    /// It could not convince itself that this name is ours.
    NotProven { name: String, said: String },
    /// It does not offer the way that was chosen.
    NotOffered { name: String },
    /// The DNS hook failed.
    Hook(Words),
    /// It took too long.
    Slow,
    /// What came is not what was asked for.
    Unusable(String),
    /// The certificate is not valid now, by our clock.
    Clock,
    /// It could not be kept.
    Disk(String),
}

impl Failure {
    pub(crate) fn words(&self, method: &Method) -> Words {
        let (en, zh) = match self {
            Self::Unreachable(why) => (
                format!(
                    "the authority cannot be asked: {}. Look at --acme-directory, --acme-roots, and whether this machine may go out by HTTPS",
                    cut(&why.en)
                ),
                format!(
                    "无法访问证书机构：{}。请检查 --acme-directory、--acme-roots，以及本机能否以 HTTPS 访问外网",
                    cut(&why.zh)
                ),
            ),
            Self::Limited(said) => (
                format!(
                    "the authority has been asked too often for now, and says: {}. Many nodes below one registered domain share its limit",
                    cut(said)
                ),
                format!("证书机构限制了签发频率：{}。同一注册域名下的众多节点共用一个限额", cut(said)),
            ),
            Self::Refused(said) => (format!("the authority refuses: {}", cut(said)), format!("证书机构拒绝签发：{}", cut(said))),
            Self::NotProven { name, said } => match method {
                Method::TlsAlpn => (
                    format!(
                        "the authority could not see that {name} is this node: {}. Port 443 of {name} must lead to this node's port, or to the hub that forwards to it, with no TLS proxy before it; where port 443 cannot be reached, use --acme-dns-hook",
                        cut(said)
                    ),
                    format!(
                        "证书机构无法确认 {name} 就是本节点：{}。{name} 的 443 端口必须通到本节点的端口或为其转发的枢纽，前面不能有 TLS 代理；443 端口不可达时，请使用 --acme-dns-hook",
                        cut(said)
                    ),
                ),
                Method::Dns(_) => (
                    format!(
                        "the authority did not find the record of {name} in DNS: {}. The hook must end only when every name server has the record",
                        cut(said)
                    ),
                    format!(
                        "证书机构未在 DNS 中找到 {name} 的记录：{}。钩子程序应在所有域名服务器都有该记录之后再结束",
                        cut(said)
                    ),
                ),
            },
            Self::NotOffered { name } => (
                format!("the authority does not offer this way of proving {name}; with --acme-dns-hook it is proven by DNS"),
                format!("证书机构不支持以此方式验证 {name}；可用 --acme-dns-hook 通过 DNS 验证"),
            ),
            Self::Hook(why) => (format!("the DNS hook failed: {}", cut(&why.en)), format!("DNS 钩子程序失败：{}", cut(&why.zh))),
            Self::Slow => ("the authority did not come to an end in time".to_owned(), "证书机构未能及时完成".to_owned()),
            Self::Unusable(why) => (
                format!("what the authority answered cannot be used: {}", cut(why)),
                format!("证书机构的应答无法使用：{}", cut(why)),
            ),
            Self::Clock => (
                "the certificate that came is not valid now, by this machine's clock; set the clock".to_owned(),
                "按本机时钟，收到的证书此刻无效；请校正时钟".to_owned(),
            ),
            Self::Disk(why) => (format!("the certificate could not be kept: {why}"), format!("无法保存证书：{why}")),
        };
        Words { en, zh }
    }
}

/// One line of at most [`QUOTED_MAX`] characters.
pub(crate) fn cut(said: &str) -> String {
    let line: String = said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(QUOTED_MAX).collect();
    line.trim().trim_end_matches(['.', '。']).to_owned()
}
