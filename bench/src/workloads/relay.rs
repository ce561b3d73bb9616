//! Through a hub: what a hop costs beside the direct way in the same run, in messages and in bytes; and what a tether costs a
//! hub that does nothing else.
//!
//! Messages: one node, the same people, first connected to it directly, then through the hub. Bytes: TLS of this process with
//! itself, once over a socket, once through the hub, which forwards what it cannot read. Tethers: as many as are asked for, of
//! as many domains, in this process; on QUIC, and on TLS.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use startalk_net::{HubUrl, Names, ServerTls};
use startalk_protocol::error::Language;

use startalk_tether::{Config, Forwarded, Over, State, Timings, keep};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpListener,
    sync::{mpsc, watch},
    task::JoinSet,
    time::sleep,
};

use super::{Bench, setup};
use crate::{
    client::{self, Client, Server},
    clock::Watch,
    load::{self, Speed},
    proc,
    programs::Process,
    report::{Figure, Report},
    tethered::Home,
};

/// Tethers that come from one address: a hub takes 240 records a minute of each.
const PER_ADDRESS: usize = 200;
/// Tethers on TLS: all come from one address.
const ON_TLS_MAX: usize = 200;
/// Handshakes at once.
const AT_ONCE: usize = 64;
/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Bytes written at once where bytes are measured.
const PIECE: usize = 64 * 1024;
/// Messages a second for the times: two cores with node, hub and generator on them have nothing that waits then.
const UNHURRIED: f64 = 1_000.0;
/// A hub's usual limits are for homes that share it.
const LIMITS: &str = "[relay]\ntethers = 1000000\ntethers_per_address = 1000000\nmbit_per_second_per_domain = 1000000\n";

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report) -> Result<()> {
    let settings = bench.folder.path().join("relay.toml");
    std::fs::write(&settings, LIMITS)?;
    messages(bench, report, &settings).await?;
    bytes(bench, report, &settings).await?;
    tethers(bench, report, &settings, Over::Quic).await?;
    tethers(bench, report, &settings, Over::Tls).await
}

async fn messages(bench: &Bench, report: &mut Report, limits: &Path) -> Result<()> {
    let settings = &bench.settings;
    let hub = bench.programs.start_relay(limits, &bench.folder.path().join("relay.log"))?;
    let node = bench.open_node("relayed", &["--via", hub.said("hub_url")?])?;
    let direct = node.server()?;
    let through = direct.through(address(&hub)?, node.said("domain")?)?;
    reached(&through).await?;
    let pids = [node.pid(), hub.pid()];

    let peers = setup::pairs_at([direct.clone(), direct], [&node, &node], settings.pairs, 0).await?;
    let speed = Speed::Outstanding(settings.outstanding);
    let (peers, fast) = load::run(peers, speed, settings.length(), settings.patience, &pids).await?;
    report.run("relay, direct, as fast as answered", &fast);
    let rate = settings.rate.unwrap_or(UNHURRIED);
    let (peers, steady) = load::run(peers, Speed::PerSecond(rate), settings.length(), settings.patience, &pids).await?;
    report.run("relay, direct, given speed", &steady);
    drop(peers);

    let peers = setup::pairs_at([through.clone(), through], [&node, &node], settings.pairs, 2 * settings.pairs).await?;
    let (peers, fast_through) = load::run(peers, speed, settings.length(), settings.patience, &pids).await?;
    report.run("relay, through the hub, as fast as answered", &fast_through);
    let (peers, steady_through) = load::run(peers, Speed::PerSecond(rate), settings.length(), settings.patience, &pids).await?;
    report.run("relay, through the hub, given speed", &steady_through);
    drop(peers);
    node.stop()?;
    hub.stop()?;
    let hub_us = fast_through.cpu_us_of(1);
    let added = steady_through.delivered.p50 - steady.delivered.p50;
    report.line(format!(
        "  the hub: {hub_us:.1} µs CPU for each message; added at the given speed: {added:.2} ms of delivery in the middle"
    ));
    report.closing(format!(
        "relay direct_per_second={:.0} through_per_second={:.0} hub_cpu_us={hub_us:.1} direct_p50_ms={:.2} through_p50_ms={:.2} direct_p99_ms={:.2} through_p99_ms={:.2}",
        fast.per_second(),
        fast_through.per_second(),
        steady.delivered.p50,
        steady_through.delivered.p50,
        steady.delivered.p99,
        steady_through.delivered.p99,
    ));
    Ok(())
}

/// Until somebody gets through: the node has to find the hub first.
async fn reached(through: &Server) -> Result<()> {
    let watch = Watch::start();
    loop {
        match Client::connect(through, 0).await {
            Ok(_) => return Ok(()),
            Err(error) if watch.elapsed() > Duration::from_secs(20) => return Err(error.context("nobody is tethered")),
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

fn address(hub: &Process) -> Result<SocketAddr> {
    let at = hub.said("hub_url")?.parse::<HubUrl>()?.endpoint();
    Ok(SocketAddr::new(at.host.parse()?, u16::try_from(at.port)?))
}

/// How many bytes a second go one way over one connection.
async fn bytes(bench: &Bench, report: &mut Report, limits: &Path) -> Result<()> {
    let hub = bench.programs.start_relay(limits, &bench.folder.path().join("relay-bytes.log"))?;
    let at: HubUrl = hub.said("hub_url")?.parse()?;
    let home = Home::new(0)?;
    let server = Server::new(address(&hub)?, home.link_key())?;
    let (taken, mut forwarded) = mpsc::unbounded_channel();
    let (state, mut seen) = watch::channel(State::Trying);
    let serve = Arc::new(move |f: Forwarded| drop(taken.send(f.stream)));
    tokio::spawn(keep(config(&home, &at, startalk_net::client_endpoint()?, serve, Timings::default())?, state));
    seen.wait_for(|s| matches!(s, State::Up { .. })).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let direct = Server::new(listener.local_addr()?, home.link_key())?.through(listener.local_addr()?, home.domain.as_str())?;
    let through = server.through(address(&hub)?, home.domain.as_str())?;
    let (mut direct_mb, mut through_mb, mut hub_cpu) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..bench.settings.rounds {
        let tls = home.tls()?;
        let sink = async { drained(&tls, listener.accept().await?.0).await };
        direct_mb.push(poured(&direct, bench.settings.file_bytes, sink).await?);
        let before = proc::cpu(hub.pid())?;
        let sink = async { drained(&tls, forwarded.recv().await.context("the tether ended")?).await };
        through_mb.push(poured(&through, bench.settings.file_bytes, sink).await?);
        hub_cpu.push((proc::cpu(hub.pid())? - before).as_secs_f64() / (bench.settings.file_bytes as f64 / 1e9));
    }
    hub.stop()?;
    let (direct_mb, through_mb, hub_cpu) = (median(direct_mb), median(through_mb), median(hub_cpu));
    report.line(format!(
        "relay, bytes: {direct_mb:.0} MB/s directly, {through_mb:.0} MB/s through the hub, which takes {hub_cpu:.2} s of CPU for a GB"
    ));
    report.put("relay, bytes", json!({ "direct_mb_per_second": direct_mb, "through_mb_per_second": through_mb, "hub_cpu_s_per_gb": hub_cpu, "bytes": bench.settings.file_bytes, "rounds": bench.settings.rounds }));
    report.closing(format!("relay-bytes direct_mb_s={direct_mb:.0} through_mb_s={through_mb:.0} hub_cpu_s_per_gb={hub_cpu:.2}"));
    Ok(())
}

/// MB a second, until the last byte was read at the other end.
async fn poured(server: &Server, count: u64, sink: impl Future<Output = Result<u64>>) -> Result<f64> {
    let pour = async {
        let mut stream = client::connect_tls(server, 0, server.tls()).await?;
        let piece = vec![7; PIECE];
        let mut left = count;
        let watch = Watch::start();
        while left > 0 {
            let now = left.min(PIECE as u64);
            stream.write_all(&piece[..usize::try_from(now)?]).await?;
            left -= now;
        }
        stream.shutdown().await?;
        anyhow::Ok(watch)
    };
    let (watch, read) = tokio::try_join!(pour, sink)?;
    ensure!(read == count, "{read} of {count} bytes came");
    Ok(count as f64 / 1e6 / watch.elapsed().as_secs_f64())
}

async fn drained(tls: &ServerTls, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<u64> {
    let accepted = tls.accept(stream).await.map_err(|reason| anyhow::anyhow!(reason.words(Language::English)))?;
    let (mut stream, mut buffer, mut read) = (accepted.stream, vec![0; PIECE], 0);
    loop {
        match stream.read(&mut buffer).await? {
            0 => return Ok(read),
            n => read += n as u64,
        }
    }
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or_default()
}

fn config(
    home: &Home,
    hub: &HubUrl,
    endpoint: quinn::Endpoint,
    serve: Arc<dyn Fn(Forwarded) + Send + Sync>,
    timings: Timings,
) -> Result<Config> {
    let certificate = home.certificate.clone();
    Ok(Config {
        hub: hub.clone(),
        names: Names::system(),
        endpoint,
        extra_roots: Vec::new(),
        certificate: Arc::new(move || certificate.clone()),
        records: home.records(),
        serve,
        random: Arc::new(|| 0),
        timings,
    })
}

/// Memory of a hub by the tethers that it keeps.
async fn tethers(bench: &Bench, report: &mut Report, limits: &Path, over: Over) -> Result<()> {
    let (name, count) = match over {
        Over::Quic => ("QUIC", bench.settings.connections),
        Over::Tls => ("TLS", bench.settings.connections.min(ON_TLS_MAX)),
    };
    let hub = bench.programs.start_relay(limits, &bench.folder.path().join(format!("relay-{name}.log")))?;
    let at: HubUrl = hub.said("hub_url")?.parse()?;
    sleep(Duration::from_secs_f64(bench.settings.idle_seconds)).await;
    let before = proc::memory(hub.pid())?;
    let watch = Watch::start();
    let (mut kept, mut coming) = (JoinSet::new(), JoinSet::new());
    let mut endpoint = None;
    for number in 0..count {
        if number % PER_ADDRESS == 0 {
            let [_, _, c, d] = u32::try_from(number / PER_ADDRESS + 1)?.to_be_bytes();
            let new = quinn::Endpoint::client(SocketAddr::from(([127, 1, c, d], 0)))?;
            if over == Over::Tls {
                new.close(0_u32.into(), b""); // QUIC fails at once
            }
            endpoint = Some(new);
        }
        let (state, mut seen) = watch::channel(State::Trying);
        let home = Home::new(number)?;
        let config = config(&home, &at, endpoint.clone().context("an endpoint")?, Arc::new(|_| {}), Timings::default())?;
        kept.spawn(async move {
            keep(config, state).await;
            drop(home); // its record is announced as long as it is there
        });
        coming.spawn(async move { seen.wait_for(|s| matches!(s, State::Up { .. })).await.map(|_| ()) });
        if coming.len() >= AT_ONCE {
            coming.join_next().await;
        }
    }
    let all = async { while coming.join_next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, all).await.context("not all were tethered in time")?;
    let seconds = watch.elapsed().as_secs_f64();
    let cpu_before = proc::cpu(hub.pid())?;
    sleep(Duration::from_secs_f64(bench.settings.idle_seconds)).await;
    let idle_ms = (proc::cpu(hub.pid())? - cpu_before).as_secs_f64() * 1000.0 / bench.settings.idle_seconds;
    let with = proc::memory(hub.pid())?;
    let each_kb = with.rss.saturating_sub(before.rss) as f64 / 1024.0 / count.max(1) as f64;
    report.line(format!(
        "relay, {count} tethers over {name}: {each_kb:.1} kB each at the hub, {:.0} a second; {idle_ms:.1} ms CPU a second with all of them idle",
        count as f64 / seconds
    ));
    report.put(&format!("relay, tethers over {name}"), json!({ "tethers": count, "kb_each": each_kb, "seconds": seconds, "idle_cpu_ms_per_second": idle_ms, "hub_rss": with.rss }));
    let what = if over == Over::Quic { "an idle tether over QUIC, at the hub" } else { "an idle tether over TLS, at the hub" };
    report.figure(Figure::at_most(what, each_kb, 64.0, "kB"));
    report.closing(format!("tether-{} kb={each_kb:.1} count={count}", name.to_lowercase()));
    drop(kept);
    hub.stop()
}
