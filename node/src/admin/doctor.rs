//! `startalk doctor`: looks at journal, views, keys, disk and reachability; says what is wrong and what to do.

use std::time::Duration;

use serde::Serialize;
use startalk_domain::{governance, notify, retention};
use startalk_identity::ldap::Directory;
use startalk_net::walk::{Passed, Went};
use startalk_protocol::{error::Language, trust::Charter};
use utoipa::ToSchema;

use super::{
    Backend, Outside, Progress,
    backup::{self, Verified},
};
use startalk_tether::Over;

use crate::{clock, folder, tether::Standing};

/// How long one endpoint may take to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A link key with less than this left should have been replaced.
const KEY_LEFT_MS_MIN: i64 = 14 * 24 * 3600 * 1000;
/// A certificate with less than this left, which could not be renewed, is in danger.
const CERTIFICATE_LEFT_MS_MIN: i64 = 7 * 24 * 3600 * 1000;
/// A backup older than this is said to be old.
const BACKUP_AGE_MS_MAX: u64 = 7 * 24 * 3600 * 1000;
/// A clock that is further behind the newest record is wrong, or was.
const CLOCK_BEHIND_MS_MAX: u64 = 3600 * 1000;

/// One thing that was looked at.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Finding {
    /// journal, views, keys, root key, push, certificate, disk, files, backup, clock, reachability, tether, outside or directory; of another domain name, record, address,
    /// quic, tls or browser.
    pub check: String,
    /// good, warning or bad.
    pub state: String,
    /// What was found and what to do.
    pub words: Both,
}

/// A text in both languages.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Both {
    pub en: String,
    pub zh: String,
}

#[derive(Clone, Copy)]
enum State {
    Good,
    Warning,
    Bad,
}

impl Finding {
    fn new(check: &str, state: State, en: impl Into<String>, zh: impl Into<String>) -> Self {
        let state = match state {
            State::Good => "good",
            State::Warning => "warning",
            State::Bad => "bad",
        };
        Self { check: check.into(), state: state.into(), words: Both { en: en.into(), zh: zh.into() } }
    }

    /// A step on the way to a domain.
    pub fn of(Passed { step, went, en, zh }: Passed) -> Self {
        let state = match went {
            Went::Good => State::Good,
            Went::Warning => State::Warning,
            Went::Bad => State::Bad,
        };
        Self::new(&step, state, en, zh)
    }
}

/// Looks at everything. Reads the whole journal: `progress` hears of it.
pub(super) fn examine(backend: &Backend, progress: &Progress) -> Vec<Finding> {
    let mut all = vec![journal(backend, progress), views(backend)];
    all.extend(glance(backend));
    all.extend(files(backend));
    all.extend((backend.endpoints)().iter().map(|e| endpoint(e)));
    all.extend((backend.tethers)().iter().map(tether));
    all.extend((backend.outside)().into_iter().flat_map(outside));
    all.extend(backend.directories.all().iter().map(|d| directory(backend, d)));
    all
}

/// What is seen at once.
pub(super) fn glance(backend: &Backend) -> Vec<Finding> {
    let mut all = vec![charter(backend), root_key(backend), pushes(backend), disk(backend), last_backup(backend)];
    all.extend((backend.certificate)().map(|standing| certificate(&standing)));
    all.extend(time(backend));
    all
}

/// What is wrong with the time, if anything is.
fn time(backend: &Backend) -> Option<Finding> {
    let now_ms = clock::now_ms();
    let ahead_ms = backend.views.journal.head().time_ms.saturating_sub(now_ms);
    if retention::doubted_since(&*backend.views.store, now_ms).is_some() {
        return Some(Finding::new(
            "clock",
            State::Warning,
            "the clock leapt ahead by more than a day; old messages are not erased before it has gone on for a day from there. Set it if it is wrong",
            "时钟向前跳了一天以上；在此后正常走满一天之前，不会清除过期消息。若时钟有误，请校正",
        ));
    }
    (ahead_ms > CLOCK_BEHIND_MS_MAX).then(|| {
        let days = ahead_ms / 86_400_000;
        Finding::new(
            "clock",
            State::Warning,
            format!("the clock is behind the newest record by {days} days: it was ahead before, or is wrong now. Messages of the meantime bear a time that is too late, and are kept until the clock has passed it"),
            format!("时钟比最新记录落后 {days} 天：此前曾超前，或现在有误。其间的消息所记时间偏晚，要到时钟走过该时间后才会按期清除"),
        )
    })
}

fn tether(standing: &Standing) -> Finding {
    let Standing { hub, over, names, address, why: [zh, en] } = standing;
    match over {
        Some(over) => {
            let (over_en, over_zh) = match over {
                Over::Quic => ("QUIC", "QUIC"),
                Over::Tls => ("TCP, as UDP does not get through", "TCP（UDP 不通）"),
            };
            let names = names.join(", ");
            Finding::new(
                "tether",
                State::Good,
                format!("reached through hub {hub} over {over_en}, which sees this node at {address} and forwards {names}"),
                format!("经由枢纽 {hub} 可达（{over_zh}），对方看到本节点位于 {address}，转发 {names}"),
            )
        }
        None if en.is_empty() => {
            Finding::new("tether", State::Warning, format!("on the way to hub {hub}"), format!("正在连接枢纽 {hub}"))
        }
        None => Finding::new(
            "tether",
            State::Bad,
            format!("not reached through hub {hub}: {en}. It is tried again; is its address right, and does it forward?"),
            format!("未能经由枢纽 {hub} 可达：{zh}。将继续重试；请确认其地址正确且提供转发"),
        ),
    }
}

/// What a hub sees of this node from outside.
fn outside((hub, seen): Outside) -> Vec<Finding> {
    let steps = match seen {
        Ok(steps) => steps,
        Err(error) => {
            let (en, zh) = (error.words(Language::English), error.words(Language::Chinese));
            return vec![Finding::new(
                "outside",
                State::Warning,
                format!("hub {hub} did not look at this node from outside: {en}"),
                format!("枢纽 {hub} 未能从外部查看本节点：{zh}"),
            )];
        }
    };
    let seen = |step: Passed| {
        let Finding { state, words, .. } = Finding::of(step);
        let words = Both { en: format!("seen from hub {hub}: {}", words.en), zh: format!("从枢纽 {hub} 看：{}", words.zh) };
        Finding { check: "outside".into(), state, words }
    };
    steps.into_iter().map(seen).collect()
}

fn last_backup(backend: &Backend) -> Finding {
    let Some(last) = backup::list(backend).into_iter().next() else {
        return Finding::new(
            "backup",
            State::Warning,
            "no backup was made yet; `startalk backup FOLDER` makes one while the node runs",
            "尚未做过备份；可在运行中用 `startalk backup 文件夹` 备份",
        );
    };
    let days = clock::now_ms().saturating_sub(last.time_ms) / 86_400_000;
    let (place, records) = (&last.place, last.records);
    if last.verified.is_none() {
        // After a restore its domain does not remember those that were made later.
        return Finding::new(
            "backup",
            State::Warning,
            format!("made {days} days ago in {place}, {records} records; `startalk backups --check` reads it again"),
            format!("{days} 天前备份于 {place}，{records} 条记录；可用 `startalk backups --check` 校验"),
        );
    }
    if last.verified == Some(false) {
        return Finding::new(
            "backup",
            State::Bad,
            format!("the last one, in {place}, could not be read again; make another"),
            format!("最近的备份（{place}）无法通过校验，请重新备份"),
        );
    }
    let (en, zh) = (
        format!("made {days} days ago in {place}, {records} records, read again and whole"),
        format!("{days} 天前备份于 {place}，{records} 条记录，已校验"),
    );
    let state = if days * 86_400_000 >= BACKUP_AGE_MS_MAX { State::Warning } else { State::Good };
    Finding::new("backup", state, en, zh)
}

fn journal(backend: &Backend, progress: &Progress) -> Finding {
    match backup::verify(&backend.reader, progress) {
        Ok(Verified { records, damage, reclaimable }) if damage.is_empty() && reclaimable > 0 => Finding::new(
            "journal",
            State::Good,
            format!(
                "{records} records, every one whole and in its place; `startalk compact` would give {} MB of erased bodies back",
                reclaimable.div_ceil(1_000_000)
            ),
            format!(
                "{records} 条记录，全部完整且次序正确；`startalk compact` 可收回已抹去正文的 {} MB",
                reclaimable.div_ceil(1_000_000)
            ),
        ),
        Ok(Verified { records, damage, .. }) if damage.is_empty() => Finding::new(
            "journal",
            State::Good,
            format!("{records} records, every one whole and in its place"),
            format!("{records} 条记录，全部完整且次序正确"),
        ),
        Ok(Verified { damage, .. }) => Finding::new(
            "journal",
            State::Bad,
            format!("damaged in {} places: {}. Stop the node and restore the last good backup.", damage.len(), damage.join("; ")),
            format!("有 {} 处损坏：{}。请停止节点并恢复最近的完好备份。", damage.len(), damage.join("；")),
        ),
        Err(e) => Finding::new(
            "journal",
            State::Bad,
            format!("cannot be read: {e:#}. Stop the node and restore the last good backup."),
            format!("无法读取：{e:#}。请停止节点并恢复最近的完好备份。"),
        ),
    }
}

fn views(backend: &Backend) -> Finding {
    let store = &backend.views.store;
    // A flush may fall between reading the tree and its digest: then look again.
    let mut result = store.verify();
    for _ in 0..3 {
        if result.is_ok() {
            break;
        }
        result = store.verify();
    }
    let sound = result.is_ok() && !store.is_damaged();
    if !sound && let Err(e) = folder::doubt_views(&backend.folder) {
        tracing::warn!("{e}");
    }
    if let (true, Some(why)) = (sound, &backend.rebuilt) {
        return Finding::new(
            "views",
            State::Warning,
            format!("{why}; they were made anew from the journal just now"),
            format!("{why}；刚刚已由日志重建"),
        );
    }
    match result {
        Ok(entries) if !store.is_damaged() => Finding::new(
            "views",
            State::Good,
            format!("{entries} entries match their digest"),
            format!("{entries} 个条目与摘要一致"),
        ),
        Ok(_) => {
            Finding::new("views", State::Bad, "a damaged value was met; restart to rebuild them", "遇到损坏的值；请重启以重建")
        }
        Err(e) => Finding::new("views", State::Bad, format!("{e}; restart to rebuild them"), format!("{e}；请重启以重建")),
    }
}

fn charter(backend: &Backend) -> Finding {
    let realm = governance::realm(&*backend.views.store);
    let Ok(charter) = Charter::decode_signed(&realm.charter) else {
        return Finding::new(
            "keys",
            State::Bad,
            "no valid charter; restart with keys/root.key in place",
            "没有有效的章程；请在 keys/root.key 就位后重启",
        );
    };
    let left = charter.link_keys().iter().map(|k| k.not_after_ms).max().unwrap_or(0) - clock::now_ms_signed();
    let days = left / 86_400_000;
    if left < KEY_LEFT_MS_MIN {
        Finding::new(
            "keys",
            State::Bad,
            format!("the link key ends in {days} days; put keys/root.key in place and run `startalk keys rotate`"),
            format!("链路密钥将在 {days} 天后到期；请放回 keys/root.key 并运行 `startalk keys rotate`"),
        )
    } else {
        Finding::new(
            "keys",
            State::Good,
            format!("the link key is valid for {days} more days"),
            format!("链路密钥还有 {days} 天有效"),
        )
    }
}

fn root_key(backend: &Backend) -> Finding {
    if backend.folder.join("keys/root.key").exists() {
        Finding::new(
            "root key",
            State::Warning,
            "keys/root.key lies on this machine. `startalk keys export` prints it, so that it can be kept elsewhere and removed here; it is needed again within 60 days",
            "keys/root.key 在本机上。`startalk keys export` 可打印它，以便另行保管并从本机移走；60 天内会再次用到",
        )
    } else {
        Finding::new("root key", State::Good, "kept offline", "离线保管")
    }
}

fn pushes(backend: &Backend) -> Finding {
    let devices = notify::reached_devices(&*backend.views.store);
    if !backend.folder.join("keys/vapid.key").exists() {
        return Finding::new(
            "push",
            if devices == 0 { State::Good } else { State::Bad },
            format!(
                "keys/vapid.key is not there; the next start makes one, and {devices} devices have to turn notifications on again"
            ),
            format!("没有 keys/vapid.key；下次启动时会生成，{devices} 台设备需要重新开启通知"),
        );
    }
    let figures = (backend.pushes)().unwrap_or_default();
    if figures.trouble.is_empty() {
        let (en, zh) = (
            format!("{devices} devices are reached by push services; {} pushes taken since the start", figures.taken),
            format!("{devices} 台设备可由推送服务送达；启动以来已送出 {} 条推送", figures.taken),
        );
        return Finding::new("push", State::Good, en, zh);
    }
    let hosts: Vec<String> = figures.trouble.iter().map(|(host, why)| format!("{host}: {why}")).collect();
    Finding::new(
        "push",
        State::Warning,
        format!("push services that did not take the last push, which is tried again: {}", hosts.join("; ")),
        format!("未接受最近一次推送的推送服务（将重试）：{}", hosts.join("；")),
    )
}

/// Of the certificate that the node asks for itself: how long it is good, and how the last try went.
fn certificate(standing: &startalk_certify::Standing) -> Finding {
    let now_ms = clock::now_ms_signed();
    let next = moment(standing.next_ms);
    let left_ms = standing.not_after_ms.map(|until| until - now_ms).filter(|left| *left > 0);
    let (mut en, mut zh) = match (standing.not_after_ms, left_ms) {
        (Some(until), Some(_)) => (
            format!("for {}, good until {}", standing.names.join(", "), moment(until)),
            format!("用于 {}，有效期至 {}", standing.names.join("、"), moment(until)),
        ),
        (Some(until), None) => {
            (format!("ended on {}; browsers warn", moment(until)), format!("已于 {} 过期，浏览器会告警", moment(until)))
        }
        (None, _) => (
            format!("none yet for {}; the self-made one is shown meanwhile", standing.names.join(", ")),
            format!("尚无 {} 的证书；暂用自制证书", standing.names.join("、")),
        ),
    };
    let Some(trouble) = &standing.trouble else {
        let state = if left_ms.is_some() { State::Good } else { State::Warning };
        let (more_en, more_zh) = if standing.trying {
            (format!("; {} is being asked", standing.directory), format!("；正在向 {} 申请", standing.directory))
        } else {
            (format!("; {} is asked on {next}", standing.directory), format!("；将于 {next} 向 {} 申请", standing.directory))
        };
        en.push_str(&more_en);
        zh.push_str(&more_zh);
        return Finding::new("certificate", state, en, zh);
    };
    let tried = standing.tried_ms.map_or_else(String::new, moment);
    en.push_str(&format!(". Asked on {tried}, in vain {} times: {}. Tried again on {next}", standing.failures, trouble.en));
    zh.push_str(&format!("。{tried} 的申请未成功（已连续 {} 次）：{}。将于 {next} 重试", standing.failures, trouble.zh));
    let urgent = left_ms.is_none_or(|left| left < CERTIFICATE_LEFT_MS_MIN);
    Finding::new("certificate", if urgent { State::Bad } else { State::Warning }, en, zh)
}

/// To the minute.
fn moment(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn disk(backend: &Backend) -> Finding {
    let free = super::storage::free(&backend.folder);
    let megabytes = free / 1_000_000;
    if free < startalk_sequencer::FREE_BYTES_MIN {
        Finding::new(
            "disk",
            State::Bad,
            format!("{megabytes} MB free: nothing new is taken below 268 MB. Make space."),
            format!("剩余 {megabytes} MB：低于 268 MB 时不再接收新内容，请腾出空间。"),
        )
    } else {
        Finding::new("disk", State::Good, format!("{megabytes} MB free"), format!("剩余 {megabytes} MB"))
    }
}

/// Whether what people have sent lies where it should; nothing is said of it while the node is stopped.
fn files(backend: &Backend) -> Option<Finding> {
    let finding = match (backend.files)()? {
        Err(error) => Finding::new(
            "files",
            State::Bad,
            format!("the store of files cannot be looked through: {error}. Files cannot be opened or sent until it can"),
            format!("无法查看文件存储：{error}。在恢复之前，文件无法打开或发送"),
        ),
        Ok(found) if found.missing == 0 => Finding::new(
            "files",
            State::Good,
            format!("{} files with {} MB, all in their place", found.files, found.bytes.div_ceil(1_000_000)),
            format!("{} 个文件，共 {} MB，全部在位", found.files, found.bytes.div_ceil(1_000_000)),
        ),
        Ok(found) => {
            let names: Vec<String> = found.named.iter().map(|hash| blake3::Hash::from(*hash).to_hex().to_string()).collect();
            let (of, names) = (found.files, names.join(", "));
            Finding::new(
                "files",
                State::Bad,
                format!(
                    "{} of {of} files are missing or have another size, among them {names}. Bring files/blobs back from a backup: files that are there stay",
                    found.missing
                ),
                format!(
                    "{of} 个文件中有 {} 个缺失或大小不符，其中有 {names}。请从备份中恢复 files/blobs：已有的文件不受影响",
                    found.missing
                ),
            )
        }
    };
    Some(finding)
}

fn directory(backend: &Backend, directory: &Directory) -> Finding {
    let name = format!("{} ({})", directory.display_name(), directory.id());
    match backend.directories.wait(directory.probe()) {
        Ok(()) => Finding::new(
            "directory",
            State::Good,
            format!("{name} answers, and takes who this node is"),
            format!("{name} 有响应，并接受本节点的身份"),
        ),
        Err(error) => {
            let why = error.params.get("why").cloned().unwrap_or_default();
            Finding::new(
                "directory",
                State::Bad,
                format!(
                    "{name} cannot be asked: {why}. Its people cannot sign in; look at its [[ldap]] table in the settings file"
                ),
                format!("{name} 无法查询：{why}。其中的人无法登录；请检查设置文件中的 [[ldap]]"),
            )
        }
    }
}

fn endpoint(address: &str) -> Finding {
    use std::net::{TcpStream, ToSocketAddrs as _};
    let connected = address.to_socket_addrs().map_err(|e| e.to_string()).and_then(|mut all| {
        let first = all.next().ok_or("no address")?;
        TcpStream::connect_timeout(&first, CONNECT_TIMEOUT).map_err(|e| e.to_string())
    });
    match connected {
        Ok(_) => Finding::new("reachability", State::Good, format!("{address} answers"), format!("{address} 有响应")),
        Err(e) => Finding::new(
            "reachability",
            State::Bad,
            format!("{address}, which our record names, does not answer: {e}. Check --public, the router and the firewall"),
            format!("记录中的 {address} 没有响应：{e}。请检查 --public、路由器和防火墙"),
        ),
    }
}
