//! What the operator is told when the node is up: where it listens, the recovery key once, the first administrator's link
//! with its QR code. As words, or as one line of JSON for programs.

use std::{io::Write as _, net::SocketAddr};

use serde_json::json;
use startalk_net::WebCertificate;
use startalk_protocol::{DomainName, error::Language, pb::trust::Endpoint};

use crate::{
    keys::{FirstStart, Identity},
    words::say,
};

/// What the operator is told when the node is up.
pub struct Told<'a> {
    pub domain: &'a DomainName,
    pub address: SocketAddr,
    pub port: u16,
    pub public_url: &'a str,
    pub first_link: Option<String>,
    pub first_start: Option<FirstStart>,
    pub self_made: Option<&'a WebCertificate>,
    pub identity: &'a Identity,
}

impl Told<'_> {
    /// Prints it: in words, or as one line of JSON.
    pub fn print(&self, json_output: bool, language: Language) {
        let recovery = self.first_start.as_ref().map(|f| &f.recovery_key);
        let secret = self.first_link.as_deref().and_then(|l| l.rsplit('/').next());
        let local_link = secret.map(|s| format!("http://127.0.0.1:{}/join/{s}", self.port));
        if json_output {
            let told = json!({
                "domain": self.domain.as_str(), "listening": self.address.to_string(), "port": self.port,
                "url": self.public_url, "first_link": local_link, "recovery_key": recovery, "pid": std::process::id(),
                "link_key": hex(&self.identity.link_key().public()),
            });
            // Whoever heard it at the first start may listen no more when the node starts again by itself.
            let _ = writeln!(std::io::stdout(), "{told}");
            return;
        }
        let t = |en: &'static str, zh: &'static str| say(language, en, zh);
        println!("{} {}", t("Domain:", "域："), self.domain.shown());
        println!("{} {} (TCP, UDP) — {}", t("Listening:", "监听："), self.address, self.public_url);
        if let Some(web) = self.self_made {
            println!(
                "{}",
                t(
                    "The certificate is self-made: browsers will warn. Compare this BLAKE3 fingerprint, or give one of your own with --cert and --key:",
                    "证书为自签：浏览器会警告。请核对以下 BLAKE3 指纹，或用 --cert 与 --key 提供自己的证书：",
                )
            );
            println!("  {}", hex(&web.fingerprint()));
        }
        if let Some(recovery) = recovery {
            println!(
                "\n{}\n\n  {recovery}\n",
                t(
                    "RECOVERY KEY, shown this once. Write it on paper: if keys/root.key is lost or stolen, only this key can\nprove that a new one is yours. Without it the domain's name is lost with the root key.",
                    "恢复密钥，仅显示这一次。请抄在纸上：若 keys/root.key 丢失或被盗，只有它能证明新密钥属于你。\n没有它，根密钥一旦丢失，域名也随之丢失。",
                )
            );
        }
        if let (Some(link), Some(local)) = (&self.first_link, &local_link) {
            println!(
                "{}\n  {local}\n  {link}\n",
                t(
                    "Make the first administrator with this one-time link (on this machine, or from elsewhere), good for 24 hours;\n`startalk-terminal <link>` takes it too:",
                    "用这个一次性链接创建首位管理员（本机或其他设备），24 小时内有效；`startalk-terminal <链接>` 也可使用：",
                )
            );
            println!("{}", qr(link));
        }
    }
}

/// A QR code of half blocks: two rows of modules to a line.
fn qr(text: &str) -> String {
    use qrcode::{QrCode, render::unicode::Dense1x2};
    QrCode::new(text.as_bytes()).map_or_else(|_| String::new(), |code| code.render::<Dense1x2>().build())
}

/// `scheme://host[:port]` of an endpoint.
pub fn url(scheme: &str, endpoint: &Endpoint) -> String {
    let host = if endpoint.host.contains(':') { format!("[{}]", endpoint.host) } else { endpoint.host.clone() };
    let port = if endpoint.port == 443 { String::new() } else { format!(":{}", endpoint.port) };
    format!("{scheme}://{host}{port}")
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
