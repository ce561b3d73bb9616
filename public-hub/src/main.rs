//! The `startalk-hub` program: reads its settings, binds, says where it listens, serves until it is told to stop.
//!
//! When it is ready it prints `listening <url>` and `hub_url <url>` on standard output (with `--json` one line of JSON);
//! `hub_url` is what nodes and clients are configured with. Everything else goes to standard error.

use std::{
    io::Write as _,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context as _;
use clap::Parser as _;
use startalk_hub::{
    Hub,
    relay::Relay,
    serve,
    settings::{Args, Settings},
};
use startalk_net::{CertResolver, Discovery, HubUrl, Listen, Listeners, ServerTls, WebCertificate, bind_again, bind_tcp};

/// How often the files of the settings are looked at.
const LOOK_FOR_CHANGES: std::time::Duration = std::time::Duration::from_secs(30);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    if startalk_manual::answered::<Args>()? {
        return Ok(());
    }
    startalk_net::install_crypto();
    let filter = tracing_subscriber::EnvFilter::try_from_env("STARTALK_LOG").unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(false).init();
    let args = Args::parse();
    if args.make_certificate {
        return args.make_certificate(now_ms());
    }
    let settings = args.resolve(now_ms())?;
    let discovery = Discovery::new(settings.discovery.0.clone()).map_err(|e| anyhow::anyhow!("name servers: {e}"))?;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    let relay = Relay::new(&settings.names, settings.relay);
    let hub = Hub::new(discovery, Arc::new(now_ms), args.behind_proxy, relay.clone(), stopping.clone());
    let resolver = CertResolver::new(None, settings.https.as_ref().map(|(_, certificate)| certificate));
    let (doors, ready) = open(&settings, &resolver)?;
    // Before it is said that the hub is ready: who hears it may ask for a reload or a stop at once.
    let (asked, told) = (asked_to_reload()?, StopSignal::listen()?);
    ready.print(args.json)?;
    tokio::spawn(reload(args, relay, resolver, asked));
    tokio::spawn(async move {
        told.asked().await;
        tracing::info!("stopping");
        let _ = stop.send(true);
        // Kept until the end: its end would look like another stop.
        std::future::pending::<()>().await;
        drop(stop);
    });
    serve::serve(doors, hub, stopping).await;
    Ok(())
}

/// SIGHUP, where there is such a thing.
#[cfg(unix)]
fn asked_to_reload() -> std::io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
}

/// Reads the settings again when it is asked to, and when one of their files has changed; what is wrong is said, and all
/// stays as it was.
async fn reload(args: Args, relay: Relay, resolver: Arc<CertResolver>, mut asked: tokio::signal::unix::Signal) {
    let changed = || args.watched().iter().map(|f| std::fs::metadata(f).and_then(|m| m.modified()).ok()).collect::<Vec<_>>();
    let mut known = changed();
    loop {
        if tokio::time::timeout(LOOK_FOR_CHANGES, asked.recv()).await.is_err() && changed() == known {
            continue;
        }
        known = changed();
        match args.resolve(now_ms()) {
            Err(error) => tracing::error!("settings not read again, all stays as it was: {error:#}"),
            Ok(settings) => {
                relay.reconfigure(&settings.names, settings.relay);
                // One that was made at the start has no file, and is not made anew.
                if let Some((_, certificate)) = settings.https.filter(|_| certificate_has_a_file(&args)) {
                    resolver.replace_web(&certificate);
                }
                tracing::info!("settings read again");
            }
        }
    }
}

fn certificate_has_a_file(args: &Args) -> bool {
    args.watched().len() > usize::from(args.config.is_some())
}

/// What a hub with the same certificate knows again after a restart.
fn secret(certificate: &WebCertificate) -> [u8; 32] {
    let key = certificate.pem().map_or("", |(_, key)| key);
    blake3::derive_key("startalk hub", key.as_bytes())
}

/// Where it listens.
struct Ready {
    listening: Vec<String>,
    hub_url: String,
}

fn open(settings: &Settings, resolver: &Arc<CertResolver>) -> anyhow::Result<(Vec<serve::Door>, Ready)> {
    let (mut doors, mut listening, mut hub_url) = (Vec::new(), Vec::new(), None);
    if let Some((listen, certificate)) = &settings.https {
        let tls = ServerTls::of_hub(resolver).context("TLS")?;
        let mut quic = tls.quic().context("QUIC")?;
        let mut transport = startalk_tether::transport();
        transport.max_concurrent_bidi_streams(1_u32.into()); // a node opens one, to speak of its tether
        quic.transport_config(Arc::new(transport));
        let Listeners { tcp, quic, address, .. } = bind_again(*listen, Some(quic), &secret(certificate)).context("--listen")?;
        doors.push(serve::Door { listener: tcp, tls: Some(tls), quic: Some(quic) });
        let host = settings.name.clone().unwrap_or_else(|| shown(address.ip()));
        let url = format!("https://{}:{}", bracketed(&host), address.port());
        hub_url = Some(
            HubUrl::new(&url, settings.fingerprint.then(|| certificate.fingerprint()))
                .map_err(|e| anyhow::anyhow!("--name {host}: {e}"))?,
        );
        listening.push(url);
    }
    if let Some(http) = settings.http {
        let (listener, address) = bind_tcp(Listen::Address(http)).context("--http")?;
        doors.push(serve::Door { listener, tls: None, quic: None });
        let url = format!("http://{address}");
        if hub_url.is_none() {
            hub_url = Some(HubUrl::new(&url, None).map_err(|e| anyhow::anyhow!("--http {address}: {e}"))?);
        }
        listening.push(url);
    }
    let hub_url = hub_url.context("nowhere to listen")?.to_string();
    Ok((doors, Ready { listening, hub_url }))
}

impl Ready {
    fn print(&self, json: bool) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if json {
            let line =
                serde_json::json!({ "listening": self.listening.first(), "hub_url": self.hub_url, "pid": std::process::id() });
            writeln!(out, "{line}")?;
        } else {
            for url in &self.listening {
                writeln!(out, "listening {url}")?;
            }
            writeln!(out, "hub_url {}", self.hub_url)?;
        }
        out.flush().context("standard output")
    }
}

/// An address that this machine can use for itself, where "every address" was bound.
fn shown(ip: IpAddr) -> String {
    if ip.is_unspecified() { "127.0.0.1".to_owned() } else { ip.to_string() }
}

fn bracketed(host: &str) -> String {
    if host.parse::<SocketAddr>().is_err() && host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

/// A stop that is asked for, by the system's service or from the keyboard; heard from when this is made on.
struct StopSignal {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl StopSignal {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?,
        })
    }

    async fn asked(mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the program's edge: the one place where the hub reads the clock")]
fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
