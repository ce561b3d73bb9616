//! DNS: where a domain says it is (SRV), and which root key it says it has (TXT). federation-spec/04 §2
//!
//! The two are asked differently. Addresses are hints and are asked plainly: many home routers strip DNSSEC, and a
//! validating resolver behind one finds nothing at all. The text is asked both plainly and validated; what does not
//! validate counts as unsigned, which can contradict and never prove.

use std::{net::SocketAddr, sync::Arc};

pub use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::{
    TokioResolver,
    net::{NetError, runtime::TokioRuntimeProvider},
    proto::{dnssec::Proof as DnsProof, rr::RData},
};
use startalk_protocol::{
    DomainName,
    trust::{Endpoint, FINGERPRINT_TXT_PREFIX, host_is_plausible},
};

use super::{proof::RootText, steps::Outcome};
use crate::names::{config_of, options};

/// SRV and TXT records looked at; more are ignored.
const RECORDS_MAX: usize = 16;

pub(super) struct Dns {
    plain: Result<TokioResolver, String>,
    validating: Result<TokioResolver, String>,
}

impl Dns {
    pub(super) fn new(servers: Option<&[SocketAddr]>, anchors: Option<Arc<TrustAnchors>>) -> Self {
        let make = |validate: bool| {
            let mut builder = match servers {
                Some(servers) => TokioResolver::builder_with_config(config_of(servers), TokioRuntimeProvider::default()),
                None => TokioResolver::builder_tokio().map_err(|e| e.to_string())?,
            };
            *builder.options_mut() = options();
            builder.options_mut().validate = validate;
            if let (true, Some(anchors)) = (validate, &anchors) {
                builder = builder.with_trust_anchor(anchors.clone());
            }
            builder.build().map_err(|e| e.to_string())
        };
        Self { plain: make(false), validating: make(true) }
    }

    /// Where SRV says that the domain is, best first.
    pub(super) async fn srv(&self, domain: &DomainName) -> Result<Vec<Endpoint>, Outcome> {
        let resolver = self.plain.as_ref().map_err(|e| Outcome::DnsFailed(e.clone()))?;
        let found = match resolver.srv_lookup(format!("_startalk._udp.{domain}.")).await {
            Ok(found) => found,
            Err(e) if absent(&e) => return Err(Outcome::NoSrv),
            Err(e) => return Err(Outcome::DnsFailed(e.to_string())),
        };
        let mut records: Vec<(u16, u16, Endpoint)> = Vec::new();
        for answer in found.answers().iter().take(RECORDS_MAX) {
            let RData::SRV(srv) = &answer.data else { continue };
            let host = srv.target.to_ascii().trim_end_matches('.').to_ascii_lowercase();
            // RFC 2782: the target "." says that the service is not there.
            if host_is_plausible(&host) && srv.port != 0 {
                records.push((srv.priority, u16::MAX - srv.weight, Endpoint { host, port: u32::from(srv.port) }));
            }
        }
        if records.is_empty() {
            return Err(Outcome::NoSrv);
        }
        // By priority, then the heavier first. RFC 2782 would draw by weight; a link is one long connection, and the
        // others are tried when the first fails.
        records.sort_by_key(|(priority, lightness, _)| (*priority, *lightness));
        Ok(records.into_iter().map(|(_, _, endpoint)| endpoint).collect())
    }

    /// Which root keys the text record names, and whether DNSSEC secures it.
    pub(super) async fn root_text(&self, domain: &DomainName) -> Result<RootText, Outcome> {
        let (secure, plain) = tokio::join!(values(&self.validating, domain), values(&self.plain, domain));
        if let Ok((values, true)) = secure {
            return Ok(RootText::Secure(values));
        }
        match plain {
            Ok((values, _)) if values.is_empty() => Ok(RootText::Absent),
            Ok((values, _)) => Ok(RootText::Unsigned(values)),
            Err(e) => Err(Outcome::DnsFailed(e)),
        }
    }
}

/// The values, and whether there are any and every one is secure.
async fn values(resolver: &Result<TokioResolver, String>, domain: &DomainName) -> Result<(Vec<String>, bool), String> {
    let resolver = resolver.as_ref().map_err(Clone::clone)?;
    let found = match resolver.txt_lookup(format!("_startalk.{domain}.")).await {
        Ok(found) => found,
        Err(e) if absent(&e) => return Ok((Vec::new(), false)),
        Err(e) => return Err(e.to_string()),
    };
    let (mut values, mut secure) = (Vec::new(), true);
    for answer in found.answers() {
        match &answer.data {
            RData::TXT(txt) => {
                let text = txt.txt_data.concat();
                let Some(value) = std::str::from_utf8(&text).ok().and_then(|t| t.trim().strip_prefix(FINGERPRINT_TXT_PREFIX))
                else {
                    continue;
                };
                if values.len() < RECORDS_MAX {
                    values.push(value.trim().to_owned());
                    secure &= answer.proof == DnsProof::Secure;
                }
            }
            // A name that leads to the text must be as secure as the text.
            RData::CNAME(_) => secure &= answer.proof == DnsProof::Secure,
            _ => {}
        }
    }
    let secure = secure && !values.is_empty();
    Ok((values, secure))
}

fn absent(error: &NetError) -> bool {
    error.is_no_records_found() || error.is_nx_domain()
}
