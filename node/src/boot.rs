//! Boot, as one readable way: folder, keys, journal and views, write loop, sockets, consumers; and back down again.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context as _, bail};
use startalk_certify::Certify;
use startalk_domain::context::Random as _;
use startalk_domain::{
    Command, Event, Recorded, Views, accounts,
    administration::By,
    governance::{self, NewPolicy},
};
use startalk_federation::{EphemeralIn, Federation, FederationConfig, Quota, Timings};
use startalk_gateway::{Gateway, GatewayConfig};
use startalk_journal::{Disk as _, FolderDisk, Reader};
use startalk_net::{
    AddressGuard, CertResolver, Discovery, DiscoveryConfig, Doorstep, HubUrl, Listen, Listeners, ServerTls, WebCertificate,
    bind_again, hub::address_under,
};
use startalk_protocol::{
    Code, DomainName, error::Language, pb::link::ephemeral::Kind, pb::trust::Endpoint, signing::Purpose, trust::SignInWay,
};
use startalk_search::Search;
use startalk_sequencer::{FREE_BYTES_MIN, Handle, Sequencer};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};

use crate::{
    acme,
    adapters::{Ephemera, web_client},
    admin::{self, Backend, Progress, Request, control, directories::Directories},
    again, allocator, announce,
    cli::progress_bar,
    clock,
    compaction::Compactor,
    config::Settings,
    folder::{Folder, write_file},
    keys::{FirstStart, Identity, Keys, Shows},
    listen::{Servers, endpoints_of},
    media,
    metrics::{Histogram, LoopFigures, Metrics},
    push,
    retention::Retention,
    sign_in::Ways,
    space::wait_for_space,
    store, swap,
    tether::Tethers,
    timers::Timers,
    told::{Told, url},
    trial::{self, Trials},
    words::say,
    writer::Writer,
    zones,
};

/// Hubs that are asked what they see from outside; each may take some ten seconds.
const HUBS_ASKED_MAX: usize = 3;

/// How long the first administrator's link is good: a day; a new one is made at each start until it was used.
const FIRST_LINK_HOURS: u32 = 24;

/// How long a node that starts again by itself still answers.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Starts a node and runs it until it is told to stop.
///
/// # Errors
/// What is wrong, and what to do.
pub fn up(data: &Path, settings: Settings, json_output: bool, language: Language) -> anyhow::Result<()> {
    logging();
    allocator::gives_back(language);
    let folder = Folder::create(data)?;
    let settings = where_it_was(settings, &folder);
    let (keys, first_start) = Keys::open(&folder)?;
    let name = settings.domain.clone().unwrap_or_else(|| DomainName::of_key(&keys.first_root));
    let bar = progress_bar(json_output);
    let begin = Some((&name, keys.first_root));
    let open = || store::open(&folder, begin, false, &mut |d, t| bar(d, t));
    let (mut sequencer, domain, opened) = wait_for_space(language, open)?;
    if settings.domain.is_some() && name != domain {
        bail!("{} holds the domain {domain}, not {name} / {} 中的域是 {domain}，不是 {name}", data.display(), data.display());
    }
    report(&opened, language);
    let Settings { registration, display_name, listed, .. } = &settings;
    let policy = Command::SetPolicy(NewPolicy {
        registration: *registration,
        display_name: display_name.clone(),
        listed: *listed,
        ..NewPolicy::default()
    });
    store::run(&mut sequencer, policy)?;
    if settings.trial {
        let realm = governance::realm(&*sequencer.views().store);
        store::run(&mut sequencer, Command::SetPolicy(trial::policy(&realm, settings.registration)))?;
    }
    let known = governance::realm(&*sequencer.views().store).charter.clone();
    let (charter, link_key, new) = keys.charter(&domain, &known, opened.restored && keys.has_root())?;
    if new {
        store::run(&mut sequencer, Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() })?;
    }
    if let Some(plan) = &folder.swapped {
        tracing::warn!(from = plan.from, records = plan.records, kept = %swap::replaced(data).join(&plan.name).display(), "{}", say(language, "a backup was brought back; the domain as it was is kept", "已恢复备份；原有的域数据已保留"));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(workers()).build()?;
    let node = Node {
        folder,
        keys,
        domain,
        sequencer,
        syncs_us: opened.syncs_us,
        opened_first: first_start,
        settings,
        json_output,
        language,
    };
    let ended = runtime.block_on(node.run((charter, link_key)))?;
    drop(runtime);
    match ended {
        Ended::Stopped => Ok(()),
        Ended::StartsAgain => Err(again::start(&[]).into()),
    }
}

/// From wherever it is asked: the command line says whole paths.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

/// Why a node stopped.
enum Ended {
    Stopped,
    StartsAgain,
}

/// After a restore: where the node listened before, as far as the settings leave it open.
fn where_it_was(settings: Settings, folder: &Folder) -> Settings {
    let Some(listened) = folder.swapped.as_ref().and_then(|plan| plan.listened.parse::<std::net::SocketAddr>().ok()) else {
        return settings;
    };
    let again = |place: &Listen| match place {
        Listen::Port(port) if *port == 0 || *port == listened.port() => Some(Listen::Port(listened.port())),
        Listen::Address(at) if at.ip() == listened.ip() && (at.port() == 0 || at.port() == listened.port()) => {
            Some(Listen::Address(listened))
        }
        _ => None,
    };
    let first = settings.listen.iter().find_map(again);
    Settings { listen: first.into_iter().chain(settings.listen).collect(), ..settings }
}

/// As they are; with `STARTALK_TIMINGS=fast`, which is for tests that would otherwise wait for minutes, links that were
/// refused are tried again after a second, and QUIC after five.
fn timings() -> Timings {
    let usual = Timings::default();
    if std::env::var_os("STARTALK_TIMINGS").is_none_or(|t| t != "fast") {
        return usual;
    }
    tracing::warn!("STARTALK_TIMINGS=fast is for tests: refused links are tried again too soon for a good neighbour");
    let second = Duration::from_secs(1);
    Timings { quic_again: 5 * second, refused_first: second, backoff_most: 2 * second, two_copies: 4 * second, ..usual }
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |n| n.get().min(8))
}

fn logging() {
    use tracing_subscriber::{EnvFilter, fmt::format::FmtSpan};
    let filter = EnvFilter::try_from_env("STARTALK_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    // Who asks for spans hears how long each took.
    let said = tracing_subscriber::fmt().with_env_filter(filter).with_span_events(FmtSpan::CLOSE);
    said.with_writer(std::io::stderr).with_ansi(false).init();
}

fn report(opened: &store::Opened, language: Language) {
    if let Some(cut) = &opened.cut {
        let words = say(
            language,
            "the last batch was torn and nobody was told of it; it was cut",
            "最后一批写入不完整且未曾确认，已切除",
        );
        tracing::warn!(position = cut.position, "{words}");
    }
    for why in &opened.skipped {
        tracing::warn!("{}: {why}", say(language, "a checkpoint of the views was not used", "未使用某个视图检查点"));
    }
    match (&opened.rebuilt, opened.checkpoint) {
        (Some(why), Some(position)) => {
            let words = say(
                language,
                "the views were made anew from a checkpoint and the journal after it",
                "视图已由检查点及其后的日志重建",
            );
            tracing::warn!(position, "{words}: {why}");
        }
        (Some(why), None) => {
            tracing::warn!("{}: {why}", say(language, "the views were made anew from the journal", "视图已由日志重建"));
        }
        (None, _) => {}
    }
}

struct Node {
    folder: Folder,
    keys: Keys,
    domain: DomainName,
    sequencer: Sequencer<startalk_journal::Journal>,
    syncs_us: Arc<Histogram>,
    opened_first: Option<FirstStart>,
    settings: Settings,
    json_output: bool,
    language: Language,
}

impl Node {
    async fn run(
        self,
        keys: (startalk_protocol::trust::VerifiedCharter, startalk_protocol::signing::SecretKey),
    ) -> anyhow::Result<Ended> {
        let Self { folder, keys: key_files, domain, sequencer, syncs_us, opened_first, settings, json_output, language } = self;
        let views = sequencer.views().clone();
        let reader = sequencer.reader();
        let compactor = Compactor::start(reader.clone())?;
        let search = Search::start(views.clone(), folder.search())?;
        let handle = Handle::new();

        let link_certificate = startalk_net::LinkCertificate::new(&keys.1)?;
        let resolver = CertResolver::new(Some(&link_certificate), None);
        let tls = ServerTls::new(&resolver, true)?;
        let listeners = listen(&settings, &tls, &key_files.cursor_secret, language)?;
        let direct = if settings.public.is_empty() { endpoints_of(listeners.address) } else { settings.public.clone() };
        let first_root = keys.0.first_root_key();
        let addresses: Vec<Endpoint> =
            settings.via.iter().filter_map(|hub| address_under(&hub.endpoint(), &first_root)).collect();
        let (web, self_made) = web_certificate(&folder, &settings, &domain, &[&direct[..], &addresses].concat())?;
        // Direct first: whoever gets through there leaves the hub alone.
        let endpoints: Vec<Endpoint> = direct.iter().cloned().chain(settings.via.iter().map(HubUrl::endpoint)).collect();
        let for_people = match (settings.public.first(), settings.via.first()) {
            (None, Some(hub)) if !domain.is_key_name() => Some(Endpoint { host: domain.to_string(), port: hub.endpoint().port }),
            (None, Some(_)) => addresses.first().cloned(),
            _ => None,
        };
        resolver.replace_web(&web);
        let discovery = Discovery::new(DiscoveryConfig {
            peers: settings.peers.iter().cloned().collect::<BTreeMap<_, _>>(),
            name_servers: (!settings.name_servers.is_empty()).then(|| settings.name_servers.clone()),
            hubs: settings.hubs.clone(),
            allow_private_addresses: settings.allow_private_addresses,
            ..DiscoveryConfig::default()
        })
        .map_err(|reason| anyhow::anyhow!("DNS: {}", reason.words(language)))?;
        // In place of the self-made one, from the moment that there is one.
        let open = |acme| acme::open(acme, &domain, &folder, &resolver, discovery.names());
        let certify = settings.acme.as_ref().map(open).transpose()?;
        let self_made = self_made && !certify.as_ref().is_some_and(Certify::has_certificate);
        let public_url = for_people.as_ref().or(endpoints.first()).map_or_else(String::new, |e| url("https", e));
        let called = governance::realm(&*views.store).display_name.clone();
        let ways = Ways::new(&settings.providers, &settings.directories, discovery.names(), &domain, &public_url, &called)?;
        let identity = Identity::new(keys.0, keys.1, &shows(&views, &endpoints, &ways.told))?;

        let gateway_slot: Arc<OnceLock<Gateway>> = Arc::default();
        let files = Arc::default();
        let federation = {
            let gateway = gateway_slot.clone();
            let on_ephemeral = move |e: EphemeralIn| {
                let Some(gateway) = gateway.get() else { return };
                match &e.kind {
                    Kind::Typing(on) => gateway.remote_typing(&e.from, &e.to, *on),
                    Kind::Presence(state) => gateway.remote_presence(&e.from, &e.to, state),
                    Kind::PresenceWanted(_) => {}
                }
            };
            Federation::new(FederationConfig {
                domain: domain.clone(),
                views: views.clone(),
                handle: handle.clone(),
                identity: Arc::new(identity.clone()),
                instance: clock::random(),
                names: discovery.names().clone(),
                guard: AddressGuard::new(settings.allow_private_addresses),
                discovery: discovery.clone(),
                endpoint: listeners.quic.clone(),
                clock: Arc::new(clock::now_ms),
                steady: Arc::new(clock::steady_ms),
                random: Arc::new(|out: &mut [u8]| clock::System.fill(out)),
                timings: timings(),
                quota: Quota::default(),
                on_ephemeral: Arc::new(on_ephemeral),
                read_file: media::reader(&files),
                on_went_back: Arc::new(
                    |domain: &DomainName| tracing::warn!(%domain, "a peer says to have of us what this node does not know: either this node is an older copy of itself, or the peer lies; what it may lack is sent to it again"),
                ),
            })
        };
        let media = media::start(&folder, &settings, discovery.names(), &views, &handle)?;
        media.fetches_by(Arc::new(media::OverLinks { federation: federation.clone(), views: views.clone() }));
        let _ = files.set(media.clone()); // set once
        let erased: Arc<Notify> = Arc::default();
        media::collects(&handle, erased.clone());
        let push_key = push::key(&folder, &public_url)?;
        let gateway = {
            let identity = identity.clone();
            let mut config =
                GatewayConfig::new(domain.clone(), views.clone(), handle.clone(), key_files.cursor_secret, public_url.clone());
            config.remote = Arc::new(Ephemera(federation.clone()));
            let homes = federation.clone();
            config.remote_readers = Some(Arc::new(move |group, sequence| {
                let homes = homes.clone();
                Box::pin(async move { homes.readers(group.conversation, sequence).await.ok() })
            }));
            config.web = web_client();
            config.zones = zones::offset_min;
            config.push_key = push_key.public().into();
            config.search = Some(search.clone());
            config.media = Some(media.clone());
            config.providers = ways.providers.clone();
            config.directories.clone_from(&settings.directories);
            config.passkeys = ways.passkeys.clone();
            let signer = identity.clone();
            config.sign_export = Some(Arc::new(move |root| {
                let key = signer.link_key();
                (key.public(), key.sign(Purpose::AccountExport, root))
            }));
            let disk = FolderDisk::new(folder.journal())?;
            config.ready = Arc::new(move || match disk.free_bytes() {
                Ok(free) if free < FREE_BYTES_MIN => Err(Code::DiskFull.into()),
                _ => Ok(()),
            });
            config.record = Arc::new(move || identity.record().bytes().clone());
            Gateway::new(config)
        };
        let _ = gateway_slot.set(gateway.clone());
        tokio::spawn(gateway.clone().tell_of_records(identity.records()));

        let push = push::start(&folder, &settings, discovery.names(), &views, &handle, &gateway, push_key);
        let renew = identity.wanted();
        let written = Arc::new(LoopFigures::default());
        let retention = Retention::start(handle.clone())?;
        let timers = Timers::start(handle.clone(), views.clone())?;
        let trials = Trials::start(handle.clone())?;
        let writer = {
            let look_for_old = retention.looker();
            let timed = timers.committed();
            let (gateway, federation, renew) = (gateway.clone(), federation.clone(), renew.clone());
            let push = push.clone();
            let (search, media) = (search.clone(), media.clone());
            Writer::start(
                sequencer,
                handle.clone(),
                written.clone(),
                Box::new(move |records: &Arc<[Recorded]>| {
                    gateway.committed(records);
                    federation.committed(records);
                    push.committed();
                    timed(records);
                    if let Some(last) = records.last() {
                        search.committed(last.position);
                    }
                    if records.iter().any(|r| matches!(r.event, Event::Erased(..))) {
                        erased.notify_one();
                    }
                    if records.iter().any(|r| matches!(r.event, Event::FilesForgotten(..))) {
                        media.wake();
                    }
                    if records.iter().any(|r| matches!(r.event, Event::PolicySet(..) | Event::OwnCharterSigned(..))) {
                        renew.notify_one();
                    }
                    if records.iter().any(|r| matches!(r.event, Event::PolicySet(..))) {
                        look_for_old();
                    }
                }),
            )?
        };
        let backups = settings.backups.as_deref();
        let mut backend = backend(
            &folder,
            &views,
            reader,
            &handle,
            &domain,
            &public_url,
            &identity,
            &federation,
            &endpoints,
            &ways.told,
            &resolver,
            backups,
        );
        let media_seen = media.clone();
        let (gateway_seen, links_seen) = (gateway.clone(), federation.clone());
        let seen = Metrics {
            views: views.clone(),
            handle: handle.clone(),
            written,
            syncs_us,
            search: search.clone(),
            gateway: gateway_seen,
            federation: links_seen,
            push: push.clone(),
            media: media_seen.clone(),
            certify: certify.clone(),
        };
        let restart = Arc::new(Notify::new());
        backend.restart = Some(restart.clone());
        let present = gateway.clone();
        backend.seen = Arc::new(move |account| present.seen_ms(account));
        backend.listened = listeners.address.to_string();
        let certificate = certify.clone();
        backend.certificate = Arc::new(move || certificate.as_ref().map(Certify::standing));
        let pushed = push.clone();
        backend.pushes = Arc::new(move || Some(pushed.figures()));
        backend.directories = Directories::new(&settings.directories, tokio::runtime::Handle::current());
        let runtime = tokio::runtime::Handle::current();
        backend.files = Arc::new(move || Some(runtime.block_on(media_seen.examine())));
        backend.metrics = Arc::new(move || Some(seen.page()));
        let tethers_slot: Arc<OnceLock<Tethers>> = Arc::default();
        let tethers = tethers_slot.clone();
        backend.tethers = Arc::new(move || tethers.get().map(Tethers::standing).unwrap_or_default());
        let (runtime, looking, me, shown) =
            (tokio::runtime::Handle::current(), discovery.clone(), domain.clone(), identity.records());
        let asked: Vec<HubUrl> = settings.hubs.iter().take(HUBS_ASKED_MAX).cloned().collect();
        backend.outside = Arc::new(move || {
            let seen = async |hub: &HubUrl| {
                // By what is so now: after a restart a hub may still have the record of before, and what it sees by that says nothing.
                let now = shown.borrow().clone();
                if looking.hubs().lookup(hub, &me).await?.is_none_or(|known| known != now) {
                    looking.hubs().announce(hub, now).await?;
                }
                looking.hubs().check(hub, &me).await
            };
            let ask = |hub: &HubUrl| (hub.name().to_owned(), runtime.block_on(seen(hub)));
            asked.iter().map(ask).collect()
        });
        tokio::spawn(allocator::looks_again());
        control::serve(folder.root(), backend.clone()).context("control.sock")?;
        gateway.serve_below(admin::http::BASE, admin::http::router(backend.clone()));

        let servers = Servers { gateway: gateway.clone(), federation: federation.clone(), tls, door: Doorstep::default() };
        let Listeners { tcp, quic, port, address } = listeners;
        tokio::spawn(servers.clone().accept_tcp(tcp));
        let tethers = Tethers::start(&settings.via, discovery.names(), &quic, &identity, &servers);
        let _ = tethers_slot.set(tethers); // set once
        tokio::spawn(servers.accept_quic(quic.clone()));
        if let Some(certify) = certify {
            tokio::spawn(certify.run());
        }
        for hub in settings.hubs.iter().cloned() {
            tokio::spawn(announce::announce(discovery.clone(), hub, identity.clone()));
        }
        tokio::spawn(renew_record(
            identity.clone(),
            views.clone(),
            endpoints.clone(),
            ways.told.clone(),
            renew,
            backend.rotate.clone(),
        ));
        // Missed by invitations that are made while the node is stopped, and by nothing else.
        if let Err(e) = folder.keep_public_url(&public_url) {
            tracing::warn!("{e}");
        }

        let first_link = first_link(&backend, &views).await?;
        let told = Told {
            domain: &domain,
            address,
            port,
            public_url: &public_url,
            first_link,
            first_start: opened_first,
            self_made: self_made.then_some(&web),
            identity: &identity,
        };
        // Before anybody is told that the node is up: who hears it may stop it at once, and has a right to a clean stop.
        let mut stop = StopSignal::listen()?;
        told.print(json_output, language);

        let starts_again = tokio::select! {
            () = stop.asked() => false,
            () = restart.notified() => true,
        };
        if starts_again {
            // Whoever asked for it hears that it begins.
            tokio::time::sleep(LAST_WORDS).await;
        }
        tracing::info!("{}", say(language, "stopping", "正在停止"));
        gateway.stop().await;
        federation.stop().await;
        push.stop().await;
        quic.close(0_u32.into(), b"stopping");
        tokio::task::spawn_blocking(move || {
            drop(retention);
            drop(timers);
            drop(trials);
            drop(compactor);
            search.stop();
            writer.stop()
        })
        .await??;
        let _ = std::fs::remove_file(crate::folder::control_socket(folder.root()));
        folder.mark_clean()?;
        let stopped_meanwhile = starts_again && tokio::time::timeout(Duration::ZERO, stop.asked()).await.is_ok();
        Ok(if starts_again && !stopped_meanwhile { Ended::StartsAgain } else { Ended::Stopped })
    }
}

fn listen(settings: &Settings, tls: &ServerTls, secret: &[u8; 32], language: Language) -> anyhow::Result<Listeners> {
    let mut last = None;
    for place in &settings.listen {
        match bind_again(*place, Some(tls.quic()?), secret) {
            Ok(listeners) => return Ok(listeners),
            Err(e) => last = Some(e),
        }
    }
    let error = last.map_or_else(String::new, |e| e.to_string());
    bail!(
        "{}: {error}",
        say(language, "cannot listen; choose another place with --listen", "无法监听；请用 --listen 指定其他端口")
    )
}

/// The given certificate; or one of our own, kept so that those who trust it need not do so again.
fn web_certificate(
    folder: &Folder,
    settings: &Settings,
    domain: &DomainName,
    endpoints: &[Endpoint],
) -> anyhow::Result<(WebCertificate, bool)> {
    if let Some((chain, key)) = &settings.certificate {
        return Ok((WebCertificate::from_pem(chain, key)?, false));
    }
    let path = folder.keys().join("web.pem");
    if let Ok(pem) = std::fs::read_to_string(&path)
        && let Ok(kept) = WebCertificate::from_pem(&pem, &pem)
    {
        return Ok((kept, true));
    }
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if !domain.is_key_name() {
        names.push(domain.to_string());
    }
    for endpoint in endpoints {
        if !names.contains(&endpoint.host) {
            names.push(endpoint.host.clone());
        }
    }
    let made = WebCertificate::self_made(names, clock::now_ms_signed())?;
    if let Some((chain, key)) = made.pem() {
        write_file(&path, format!("{chain}{key}").as_bytes())?;
    }
    Ok((made, true))
}

fn shows(views: &Views, endpoints: &[Endpoint], sign_in: &Arc<[SignInWay]>) -> Shows {
    let realm = governance::realm(&*views.store);
    Shows {
        endpoints: endpoints.to_vec(),
        display_name: realm.display_name.clone(),
        listed: realm.listed,
        registration: realm.registration,
        sign_in: sign_in.clone(),
        description: realm.description.clone(),
        navigation: startalk_gateway::navigation(&realm),
    }
}

/// Signs the record anew before it ends and when what it says has changed; replaces the link key in time.
async fn renew_record(
    identity: Identity,
    views: Views,
    endpoints: Vec<Endpoint>,
    sign_in: Arc<[SignInWay]>,
    changed: Arc<Notify>,
    replace_key: admin::Rotate,
) {
    loop {
        if tokio::time::timeout(announce::RENEW, changed.notified()).await.is_err() {
            let replace_key = replace_key.clone();
            if let Ok(Err(error)) = tokio::task::spawn_blocking(move || replace_key(false)).await {
                tracing::error!(%error, "the link key could not be replaced; `startalk doctor` says how long it is good");
            }
        }
        if let Err(error) = identity.renew(None, &shows(&views, &endpoints, &sign_in)) {
            tracing::error!(%error, "the record could not be signed anew");
        }
        tokio::time::sleep(Duration::from_secs(1)).await; // at most one a second, however often policies change
    }
}

#[expect(clippy::too_many_arguments, reason = "everything that verbs may look at, gathered once")]
fn backend(
    folder: &Folder,
    views: &Views,
    reader: Reader,
    handle: &Handle,
    domain: &DomainName,
    public_url: &str,
    identity: &Identity,
    federation: &Federation,
    endpoints: &[Endpoint],
    sign_in: &Arc<[SignInWay]>,
    resolver: &Arc<CertResolver>,
    backups: Option<&Path>,
) -> Backend {
    let rotate = {
        let (root, views, handle, domain) = (folder.root().to_path_buf(), views.clone(), handle.clone(), domain.clone());
        let (identity, endpoints, resolver) = (identity.clone(), endpoints.to_vec(), resolver.clone());
        let sign_in = sign_in.clone();
        move |now: bool| -> anyhow::Result<()> {
            let keys = Keys::reopen(&root)?;
            let known = governance::realm(&*views.store).charter.clone();
            let (charter, link, new) = keys.charter(&domain, &known, now)?;
            if !new {
                return Ok(());
            }
            admin::submit(&handle, Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() })?;
            identity.renew(Some((charter, link)), &shows(&views, &endpoints, &sign_in))?;
            resolver.replace_link(&identity.certificate());
            Ok(())
        }
    };
    let peers = {
        let federation = federation.clone();
        move || federation.peers().iter().map(crate::admin::links::Link::of).collect()
    };
    let addresses: Vec<String> = endpoints
        .iter()
        .map(|e| if e.host.contains(':') { format!("[{}]:{}", e.host, e.port) } else { format!("{}:{}", e.host, e.port) })
        .collect();
    Backend {
        by: By::Operator,
        jobs: Arc::default(),
        backups: backups.map_or_else(|| absolute(folder.root().join("backups")), Path::to_path_buf),
        views: views.clone(),
        reader,
        handle: handle.clone(),
        domain: domain.clone(),
        folder: folder.root().to_path_buf(),
        public_url: public_url.to_owned(),
        rotate: Arc::new(rotate),
        peers: Arc::new(peers),
        metrics: Arc::new(|| None),
        pushes: Arc::new(|| None),
        files: Arc::new(|| None),
        certificate: Arc::new(|| None),
        endpoints: Arc::new(move || addresses.clone()),
        tethers: Arc::new(Vec::new),
        outside: Arc::new(Vec::new),
        restart: None,
        listened: String::new(),
        directories: Directories::default(),
        seen: Arc::new(|_| 0),
        rebuilt: None,
    }
}

/// A link for the first administrator, as long as there is none.
async fn first_link(backend: &Backend, views: &Views) -> anyhow::Result<Option<String>> {
    if accounts::has_administrator(&*views.store) {
        return Ok(None);
    }
    let backend = backend.clone();
    let request = Request::Invite { uses: 1, hours: FIRST_LINK_HOURS, administrator: true, groups: Vec::new() };
    let quiet: Progress = Arc::new(|_, _| {});
    let made = tokio::task::spawn_blocking(move || admin::execute(&backend, request, &quiet)).await??;
    Ok(made["link"].as_str().map(str::to_owned))
}

/// A stop that is asked for, by the system's service or from the keyboard; heard from when this is made on.
struct StopSignal {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignal {
    fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
