//! `startalk doctor --domain`: the way from a domain's name to its server, walked from this machine as a domain walks it that has
//! never heard of it. Needs no node and no data folder.

use std::net::SocketAddr;

use clap::Args;
use startalk_net::{Discovery, DiscoveryConfig, HubUrl, client_endpoint, walk};
use startalk_protocol::DomainName;

use crate::{admin::doctor::Finding, clock};

/// How to look.
#[derive(Args, Debug)]
pub struct Flags {
    /// With --domain: a hub to ask; may be repeated / 与 --domain 同用：要询问的枢纽，可重复
    #[arg(long, env = "STARTALK_HUBS", value_delimiter = ',', value_name = "URL")]
    hub: Vec<HubUrl>,
    /// With --domain: ask this name server; may be repeated / 与 --domain 同用：要询问的 DNS 服务器，可重复
    #[arg(long, env = "STARTALK_NAME_SERVERS", value_delimiter = ',', value_name = "ADDRESS:PORT")]
    name_server: Vec<SocketAddr>,
    /// With --domain: also to private addresses / 与 --domain 同用：允许内网地址
    #[arg(long, env = "STARTALK_ALLOW_PRIVATE_ADDRESSES")]
    allow_private_addresses: bool,
}

/// Every step, and what came of it.
///
/// # Errors
/// If there is no such name, or this machine gives no sockets.
#[tokio::main(flavor = "current_thread")]
pub async fn walk(domain: &str, by: &Flags) -> anyhow::Result<Vec<Finding>> {
    let domain: DomainName = domain.trim().parse()?;
    let config = DiscoveryConfig {
        hubs: by.hub.clone(),
        name_servers: (!by.name_server.is_empty()).then(|| by.name_server.clone()),
        allow_private_addresses: by.allow_private_addresses,
        ..DiscoveryConfig::default()
    };
    let discovery = Discovery::new(config).map_err(|reason| anyhow::anyhow!("DNS: {reason}"))?;
    let now_ms = clock::now_ms_signed();
    let (step, found) = walk::find(&discovery, &domain, now_ms).await;
    let mut all = vec![Finding::of(step)];
    if let Some((record, endpoints)) = found {
        let steps = walk::walk(&discovery, &client_endpoint()?, &record, &endpoints, now_ms).await;
        all.extend(steps.into_iter().map(Finding::of));
    }
    Ok(all)
}
