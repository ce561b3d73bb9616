//! The way from a domain's name to its server, walked as another domain, a program and a browser walk it: every step with what
//! came of it, and what to do, in Chinese and English. For `startalk doctor`, and for hubs, which look from outside.
//!
//! Nothing is kept and nobody is signed in: each step is a connection that ends after its handshake, or one question.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use startalk_protocol::{
    DomainName,
    error::Language,
    limits::RECORD_BYTES_MAX,
    trust::{Endpoint, FINGERPRINT_TXT_PREFIX, Fingerprint, NAVIGATION_PATH, NavigationDocument, VerifiedRecord},
};
use tokio::task::JoinSet;

use crate::{
    ALPN_CLIENT, AddressGuard, Connect, ConnectError, Discovery, Verify, connect_quic, connect_tls,
    discovery::{Proof, shown, steps_in_words},
    http::{HttpError, HttpRequest, StatusCode},
    hub::address_under,
    reason::Reason,
};

/// Endpoints that are walked to; a record names one or two.
const ENDPOINTS_MAX: usize = 4;
/// A record that ends sooner than this should have been signed anew: nodes do so when a quarter of 48 hours is over.
const LEFT_MS_MIN: i64 = 12 * 3600 * 1000;
/// The JSON around a record in base64.
const DOCUMENT_BYTES_MAX: usize = 3 * RECORD_BYTES_MAX;

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Went {
    /// As it should.
    Good,
    /// It works, but worse than it could.
    Warning,
    /// Somebody cannot come this way.
    Bad,
}

/// One step, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passed {
    /// `name`, `record`, `address`, `quic`, `tls` or `browser`.
    pub step: String,
    /// How it went.
    pub went: Went,
    /// What was found and what to do, in English.
    pub en: String,
    /// The same in Chinese.
    pub zh: String,
}

impl Passed {
    fn new(step: &str, went: Went, en: impl Into<String>, zh: impl Into<String>) -> Self {
        Self { step: step.to_owned(), went, en: en.into(), zh: zh.into() }
    }

    /// In one language.
    pub fn words(&self, language: Language) -> &str {
        if language == Language::Chinese { &self.zh } else { &self.en }
    }
}

/// The first step: the domain's record, found as by a domain that has never heard of it, and where it may be reached.
pub async fn find(discovery: &Discovery, domain: &DomainName, now_ms: i64) -> (Passed, Option<(VerifiedRecord, Vec<Endpoint>)>) {
    match discovery.find(domain, now_ms).await {
        Ok(found) => {
            let in_both = [Language::English, Language::Chinese].map(|l| steps_in_words(&found.steps, l));
            (name(&found.record, found.proof, in_both), Some((found.record, found.endpoints)))
        }
        Err(not_found) => {
            let [en, zh] = [Language::English, Language::Chinese].map(|l| not_found.words(l));
            let step = Passed::new(
                "name",
                Went::Bad,
                format!(
                    "nobody finds {domain}: {en}. Is the node up, and is its name in DNS, or does it announce itself to this hub?"
                ),
                format!("找不到 {domain}：{zh}。请确认节点正在运行，且其域名已写入 DNS，或已向此枢纽登记"),
            );
            (step, None)
        }
    }
}

/// What is said of a record's name, by what proves it; and how it was found, in English and Chinese.
pub fn name(found: &VerifiedRecord, proof: Option<Proof>, [en, zh]: [String; 2]) -> Passed {
    let domain = found.domain();
    let text =
        format!("_startalk.{domain} TXT \"{FINGERPRINT_TXT_PREFIX}{}\"", Fingerprint::of_key(&found.charter().first_root_key()));
    match proof {
        Some(_) => Passed::new("name", Went::Good, format!("{domain} is found: {en}"), format!("能找到 {domain}：{zh}")),
        None => Passed::new(
            "name",
            Went::Bad,
            format!(
                "{domain} is found, but nothing proves that this record is its own, so no other domain talks to it: {en}. DNS with DNSSEC proves it by {text}; without DNSSEC, a certificate for https://{domain} does, by --acme"
            ),
            format!(
                "能找到 {domain}，但无法证明该记录属于它，因此其他域不会与它通信：{zh}。启用 DNSSEC 的 DNS 记录 {text} 可作证明；没有 DNSSEC 时，可用 --acme 取得 https://{domain} 的证书"
            ),
        ),
    }
}

/// All steps after the name: the record itself, and each of `endpoints` by QUIC, by TLS, and with a browser's eyes. Takes about
/// twice the discovery's timeout at most.
pub async fn walk(
    discovery: &Discovery,
    from: &quinn::Endpoint,
    found: &VerifiedRecord,
    endpoints: &[Endpoint],
    now_ms: i64,
) -> Vec<Passed> {
    let mut all = vec![record(found, now_ms)];
    if found.charter().gone() {
        return all;
    }
    if endpoints.is_empty() {
        all.push(Passed::new(
            "address",
            Went::Bad,
            "no address is known, so nobody can connect. Start the node with --public HOST:PORT, or with --via HUB where no port can be opened",
            "没有任何地址，因此无人可连接。请用 --public 主机:端口 启动节点；无法开放端口时用 --via 枢纽",
        ));
    }
    let mut walking = JoinSet::new();
    for (place, endpoint) in endpoints.iter().take(ENDPOINTS_MAX).enumerate() {
        let (discovery, from, found, endpoint) = (discovery.clone(), from.clone(), found.clone(), endpoint.clone());
        walking.spawn(async move { (place, to(&discovery, &from, &found, &endpoint, now_ms).await) });
    }
    let mut walked = walking.join_all().await;
    walked.sort_by_key(|(place, _)| *place);
    let alone = walked.iter().all(|(_, seen)| matches!(seen, Seen::Private(_)));
    for (_, seen) in walked {
        match seen {
            Seen::Private(at) => all.push(private(&at, alone)),
            Seen::Steps(steps) => all.extend(steps),
        }
    }
    all
}

fn record(found: &VerifiedRecord, now_ms: i64) -> Passed {
    if found.charter().gone() {
        let (en, zh) = ("the domain says that it is no more", "该域声明自己已不复存在");
        return Passed::new("record", Went::Bad, en, zh);
    }
    let left_ms = found.not_after_ms() - now_ms;
    let hours = left_ms / 3_600_000;
    if left_ms < LEFT_MS_MIN {
        return Passed::new(
            "record",
            Went::Warning,
            format!("its record ends in {hours} hours and was not signed anew: is the node up, and is its clock right?"),
            format!("域记录将在 {hours} 小时后失效，且未重新签名：节点是否在运行，时钟是否正确？"),
        );
    }
    let (en, zh) = (
        format!("its record is whole and signed, and good for {hours} more hours"),
        format!("域记录完整且已签名，还有 {hours} 小时有效"),
    );
    Passed::new("record", Went::Good, en, zh)
}

/// What was seen at one endpoint.
enum Seen {
    /// It leads into a private network.
    Private(String),
    Steps(Vec<Passed>),
}

async fn to(discovery: &Discovery, from: &quinn::Endpoint, found: &VerifiedRecord, endpoint: &Endpoint, now_ms: i64) -> Seen {
    let domain = found.domain();
    let keys: BTreeSet<[u8; 32]> = found.charter().link_keys().iter().filter(|k| k.valid(now_ms)).map(|k| k.key).collect();
    let guard = discovery.guard(domain);
    let what = Connect {
        endpoints: std::slice::from_ref(endpoint),
        server_name: domain.as_str(),
        verify: Verify::Pinned(keys),
        alpn: &[ALPN_CLIENT],
        certificate: None,
        guard,
        names: discovery.names(),
        timeout: discovery.timeout(),
    };
    let host = document(discovery, endpoint, Verify::AnyCertificate, guard);
    let (quic, tls, host) = tokio::join!(connect_quic(from, &what), connect_tls(&what), host);
    let at = shown(endpoint);
    if let Err(error) = &tls
        && !error.attempts.is_empty()
        && error.attempts.iter().all(|a| a.reason == Reason::PrivateAddress)
    {
        return Seen::Private(at);
    }
    if let Ok(quic) = &quic {
        quic.connection.close(0u8.into(), b"seen");
    }
    // Who answers by the host's own name is another than by the domain's: a hub, which forwards.
    let forwarded = tls.is_ok() && matches!(&host, Ok(said) if said.as_deref() != Some(domain.as_str()));
    let is_there = quic.is_ok() || tls.is_ok();
    let quic = match quic.err() {
        Some(_) if forwarded => Passed::new(
            "quic",
            Went::Good,
            format!("{at} is a hub's, which forwards over TLS; QUIC goes directly, where there is a way"),
            format!("{at} 是枢纽的地址，经由 TLS 转发；能直连时才使用 QUIC"),
        ),
        error => links("quic", "QUIC", &at, is_there, error),
    };
    let browser = match for_browsers(found, endpoint, forwarded) {
        Some(address) => {
            let got = document(discovery, &address, discovery.verify_web(), guard).await;
            seen_by_browsers(domain, &address, got)
        }
        None => Passed::new(
            "browser",
            Went::Warning,
            format!("browsers do not get through {at}: a hub without a host name has no names for them. Programs and domains do"),
            format!("浏览器无法经由 {at}：没有主机名的枢纽不能为浏览器提供地址。程序和其他域不受影响"),
        ),
    };
    Seen::Steps(vec![quic, links("tls", "TLS", &at, is_there, tls.err()), browser])
}

/// Where browsers go: to the endpoint; through a hub by the domain's own name, or by the name that its key has under the hub's.
fn for_browsers(found: &VerifiedRecord, endpoint: &Endpoint, forwarded: bool) -> Option<Endpoint> {
    let domain = found.domain();
    if !forwarded {
        return Some(endpoint.clone());
    }
    if !domain.is_key_name() {
        return Some(Endpoint { host: domain.as_str().to_owned(), port: endpoint.port });
    }
    address_under(endpoint, &found.charter().first_root_key())
}

/// One that leads into the private network of its node, which others have; `alone`: there is no other.
fn private(at: &str, alone: bool) -> Passed {
    if alone {
        return Passed::new(
            "address",
            Went::Bad,
            format!(
                "{at} leads only within its own network, and nothing else is known: nobody outside can connect. Start the node with --public HOST:PORT, or with --via HUB where no port can be opened"
            ),
            format!(
                "{at} 只在其自身网络内可达，且没有其他地址：外面无人能连接。请用 --public 主机:端口 启动节点；无法开放端口时用 --via 枢纽"
            ),
        );
    }
    Passed::new("address", Went::Good, format!("{at} is for those in its own network"), format!("{at} 供同一网络内的人使用"))
}

/// Of a way that domains and programs take.
fn links(step: &str, way: &str, at: &str, is_there: bool, error: Option<ConnectError>) -> Passed {
    let Some(error) = error else {
        return Passed::new(
            step,
            Went::Good,
            format!("{at} answers over {way} and shows the domain's key"),
            format!("{at} 通过 {way} 应答，并出示了该域的密钥"),
        );
    };
    let (en, zh) = (error.words(Language::English), error.words(Language::Chinese));
    let has = |reason: &Reason| error.attempts.iter().any(|a| a.reason == *reason);
    if has(&Reason::WrongKey) {
        return Passed::new(
            step,
            Went::Bad,
            format!(
                "{at} answers over {way} with another key: {en}. Another server listens there, or a proxy ends TLS, which it must pass on as it is"
            ),
            format!("{at} 通过 {way} 应答，但出示的是别的密钥：{zh}。该处是另一台服务器，或有代理终结了 TLS（应原样转发）"),
        );
    }
    if is_there {
        let (more_en, more_zh) = if step == "quic" {
            (
                "UDP does not get through; connections take TCP, which is slower on bad networks. Open or forward the UDP port, too",
                "UDP 不通；连接改走 TCP，网络差时较慢。请一并开放或转发该 UDP 端口",
            )
        } else {
            (
                "TCP does not get through; who has no UDP cannot come, and no browser can. Open or forward the TCP port, too",
                "TCP 不通；没有 UDP 的一方和浏览器都无法连接。请一并开放或转发该 TCP 端口",
            )
        };
        let went = if step == "quic" { Went::Warning } else { Went::Bad };
        return Passed::new(
            step,
            went,
            format!("not over {way} at {at}: {en}. {more_en}"),
            format!("{at} 的 {way} 不通：{zh}。{more_zh}"),
        );
    }
    Passed::new(
        step,
        Went::Bad,
        format!(
            "{at} does not answer over {way}: {en}. Check the router's forwarding and the firewall, or go through a hub with --via"
        ),
        format!("{at} 的 {way} 没有应答：{zh}。请检查路由器的端口转发与防火墙，或用 --via 经由枢纽"),
    )
}

/// Which domain answers by HTTPS at this address, if what answers is one.
async fn document(
    discovery: &Discovery,
    address: &Endpoint,
    verify: Verify,
    guard: AddressGuard,
) -> Result<Option<String>, HttpError> {
    let url = format!("https://{}{NAVIGATION_PATH}", shown(address)).parse().map_err(|_| HttpError::BadUrl)?;
    let answer = discovery.http(guard, DOCUMENT_BYTES_MAX).send(HttpRequest { verify, ..HttpRequest::get(url) }).await?;
    let document = (answer.status == StatusCode::OK).then(|| serde_json::from_slice::<NavigationDocument>(&answer.body).ok());
    Ok(document.flatten().map(|d| d.domain))
}

fn seen_by_browsers(domain: &DomainName, address: &Endpoint, got: Result<Option<String>, HttpError>) -> Passed {
    let at = format!("https://{}", shown(address));
    match got {
        Ok(Some(other)) if other == domain.as_str() => Passed::new(
            "browser",
            Went::Good,
            format!("browsers open {at} without a warning"),
            format!("浏览器可正常打开 {at}，没有警告"),
        ),
        Ok(Some(other)) => {
            Passed::new("browser", Went::Bad, format!("{at} is of another domain, {other}"), format!("{at} 属于另一个域 {other}"))
        }
        Ok(None) => Passed::new(
            "browser",
            Went::Bad,
            format!(
                "what answers browsers at {at} is no domain of Startalk: another web server, or a hub that does not forward this name"
            ),
            format!("浏览器在 {at} 遇到的不是星语的域：可能是别的网站，或枢纽没有转发这个名称"),
        ),
        Err(HttpError::Connect(error))
            if error.attempts.iter().any(|a| matches!(a.reason, Reason::Tls(_) | Reason::WrongKey)) =>
        {
            let (en, zh) = (error.words(Language::English), error.words(Language::Chinese));
            Passed::new(
                "browser",
                Went::Warning,
                format!(
                    "browsers warn at {at}: {en}. Programs and domains do not mind. A certificate for a host name comes by --acme, or from --cert and --key"
                ),
                format!(
                    "浏览器打开 {at} 时会警告：{zh}。程序和其他域不受影响。可用 --acme 自动申请主机名的证书，或用 --cert 与 --key 指定"
                ),
            )
        }
        Err(error) => {
            let (en, zh) = (error.words(Language::English), error.words(Language::Chinese));
            Passed::new("browser", Went::Bad, format!("browsers do not get {at}: {en}"), format!("浏览器无法打开 {at}：{zh}"))
        }
    }
}
