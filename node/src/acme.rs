//! Settings of certificates by themselves, and what `node/certify` is given: names, files, clock, and the way to the authority.

use std::{sync::Arc, time::Duration};

use anyhow::bail;
use startalk_certify::{Certify, CertifyConfig, LETS_ENCRYPT, Method, NAMES_MAX, Pace};
use startalk_net::{
    AddressGuard, CertResolver, Names, RootCertificate,
    http::{HttpClient, PlainHttp, Uri},
};
use startalk_protocol::{DomainName, trust::host_is_plausible};

use crate::{
    clock,
    config::{Raw, roots},
    folder::{Folder, write_file},
};

/// For one question to the authority.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Of an answer; a chain of certificates is the longest.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

/// Checked.
#[derive(Debug)]
pub struct Acme {
    directory: String,
    contact: Option<String>,
    names: Vec<String>,
    roots: Vec<RootCertificate>,
    method: Method,
}

/// From what was given; `None`: certificates are not asked for.
///
/// # Errors
/// The first wrong value, with what was expected.
pub fn resolve(raw: &Raw) -> anyhow::Result<Option<Acme>> {
    if !raw.acme.unwrap_or(false) {
        let given = raw.acme_directory.is_some() || !raw.acme_names.is_empty() || raw.acme_dns_hook.is_some();
        if given || raw.acme_contact.is_some() || raw.acme_roots.is_some() {
            bail!("--acme-… is given without --acme / 填写了 --acme-… 但未启用 --acme");
        }
        return Ok(None);
    }
    if raw.cert.is_some() || raw.key.is_some() {
        bail!("--acme and --cert exclude each other / --acme 与 --cert 不能同时使用");
    }
    let directory = raw.acme_directory.clone().unwrap_or_else(|| LETS_ENCRYPT.to_owned());
    if !directory.parse::<Uri>().is_ok_and(|url| url.scheme_str() == Some("https") && url.host().is_some()) {
        bail!("--acme-directory {directory}: expected https://… / 应为 https://…");
    }
    let mut names = Vec::new();
    for name in raw.domain.iter().chain(&raw.acme_names) {
        if name.parse::<std::net::IpAddr>().is_ok() || !host_is_plausible(name) || !name.contains('.') {
            bail!("--acme-name {name}: expected a host name such as chat.example.org / 应为主机名，如 chat.example.org");
        }
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    if names.len() > NAMES_MAX {
        bail!("--acme-name: at most {NAMES_MAX} names / 最多 {NAMES_MAX} 个主机名");
    }
    let contact = raw.acme_contact.clone();
    if contact.as_ref().is_some_and(|c| !c.contains('@') || c.contains(|c: char| c.is_whitespace() || c == ',' || c == '?')) {
        bail!("--acme-contact: expected one e-mail address / 应为一个邮箱地址");
    }
    let method = raw.acme_dns_hook.as_deref().map(|p| std::path::absolute(p).unwrap_or_else(|_| p.to_path_buf()));
    Ok(Some(Acme {
        directory,
        contact,
        names,
        roots: raw.acme_roots.as_deref().map(|path| roots("--acme-roots", path)).transpose()?.unwrap_or_default(),
        method: method.map_or(Method::TlsAlpn, Method::Dns),
    }))
}

/// What is kept, served from now on if it is good; [`Certify::run`] does the rest.
///
/// # Errors
/// If there is no name to ask for.
pub fn open(
    acme: &Acme,
    domain: &DomainName,
    folder: &Folder,
    resolver: &Arc<CertResolver>,
    dns: &Names,
) -> anyhow::Result<Certify> {
    let mut names = acme.names.clone();
    // A node that was told its name at its first start need not be told it again.
    if !domain.is_key_name() && !names.iter().any(|name| name == domain.as_str()) {
        names.insert(0, domain.to_string());
    }
    if names.is_empty() {
        bail!(
            "--acme: this domain has a key name; say with --acme-name under which host name browsers reach it / 本域使用密钥名；请用 --acme-name 指定浏览器访问它的主机名"
        );
    }
    let write = |path: &std::path::Path, bytes: &[u8]| write_file(path, bytes).map_err(std::io::Error::other);
    Ok(Certify::open(CertifyConfig {
        directory: acme.directory.clone(),
        contact: acme.contact.clone(),
        names,
        method: acme.method.clone(),
        folder: folder.keys(),
        write: Arc::new(write),
        resolver: resolver.clone(),
        http: HttpClient {
            names: dns.clone(),
            // Who runs the node has said where to ask; an authority of a company's own is inside.
            guard: AddressGuard::new(true),
            plain: PlainHttp::Never,
            timeout: TIMEOUT,
            answer_bytes_max: ANSWER_BYTES_MAX,
        },
        roots: acme.roots.clone(),
        now_ms: clock::now_ms_signed,
        random: || u64::from_le_bytes(clock::random()),
        pace: pace(),
    }))
}

/// As it is; with `STARTALK_TIMINGS=fast`, which is for tests, failures are tried again after a second.
fn pace() -> Pace {
    if std::env::var_os("STARTALK_TIMINGS").is_some_and(|t| t == "fast") { Pace::FAST } else { Pace::USUAL }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(change: impl FnOnce(&mut Raw)) -> Result<Option<Acme>, String> {
        let mut raw = Raw { acme: Some(true), domain: Some("chat.example".into()), ..Raw::default() };
        change(&mut raw);
        resolve(&raw).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_asked_for_is_the_domain_and_further_names() {
        let acme = resolved(|raw| raw.acme_names = vec!["im.example".into(), "chat.example".into()]).unwrap().unwrap();
        assert_eq!(acme.names, ["chat.example", "im.example"]);
        assert_eq!((acme.directory.as_str(), acme.method), (LETS_ENCRYPT, Method::TlsAlpn));
        let by_dns = resolved(|raw| raw.acme_dns_hook = Some("/usr/bin/hook".into())).unwrap().unwrap();
        assert_eq!(by_dns.method, Method::Dns("/usr/bin/hook".into()));
        assert!(resolved(|raw| raw.acme = None).unwrap().is_none());
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let refused = |named: &str, change: fn(&mut Raw)| {
            let error = resolved(change).unwrap_err();
            assert!(error.contains(named), "{error}");
        };
        refused("--acme-name 192.0.2.1", |raw| raw.acme_names = vec!["192.0.2.1".into()]);
        refused("--acme-name *.chat.example", |raw| raw.acme_names = vec!["*.chat.example".into()]);
        refused("--acme-name localhost", |raw| raw.acme_names = vec!["localhost".into()]);
        refused("at most 16", |raw| raw.acme_names = (0..17).map(|n| format!("a{n}.example")).collect());
        refused("--acme-directory http://", |raw| raw.acme_directory = Some("http://ca.example/dir".into()));
        refused("--acme-contact", |raw| raw.acme_contact = Some("a@b.example, c@d.example".into()));
        refused("--cert", |raw| (raw.cert, raw.key) = (Some("c".into()), Some("k".into())));
        refused("without --acme", |raw| (raw.acme, raw.acme_contact) = (None, Some("a@b.example".into())));
    }
}
