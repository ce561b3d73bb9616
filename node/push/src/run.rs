//! The consumer's one task: reads what happened, has what is due sent, keeps its place.
//!
//! Reading (the journal, views, unread counts) is done off the runtime's threads. Invariant: the place kept is never
//! beyond a message that waits and was never tried.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parking_lot::Mutex;
use startalk_domain::{
    Command, feed,
    notify::{self, Because, Heard, Unreached},
};
use tokio::{
    sync::{Notify, watch},
    task::{self, JoinSet},
};

use crate::{
    AT_ONCE_MAX, PushConfig,
    cursor::Cursor,
    deliver::{Answered, Message, deliver},
    figures::Figures,
    payload::{Payload, padded},
    queue::{Became, Job, Queue, Target, What},
    vapid,
};

/// Records read at once, and their bytes, about.
const RECORDS_AT_ONCE: usize = 1024;
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
/// The task looks around this often even if nothing wakes it.
const IDLE: Duration = Duration::from_secs(1);
/// After the journal could not be read, in milliseconds.
const AFTER_ERROR: u64 = 10_000;
/// How long a push service keeps a message for a device that is off, in seconds: three days. Later it is no news.
const TTL_S: u32 = 3 * 24 * 3600;
/// Unread messages that are told apart.
const UNREAD_MAX: u64 = 100;

/// What was heard in one reading, with positions; and up to where it reaches.
type Reading = Result<(Vec<(u64, Heard)>, u64), String>;

/// A job that came back: what became of it, and what to count.
struct Back {
    job: Job,
    host: String,
    answered: Option<Answered>,
    position: u64,
}

/// Until it is told to stop.
pub async fn run(config: PushConfig, wake: Arc<Notify>, mut stopped: watch::Receiver<bool>, figures: Arc<Mutex<Figures>>) {
    let config = Arc::new(config);
    let (mut cursor, mut position) = Cursor::open(&config.cursor, &config.views);
    let mut queue = Queue::new(config.timings);
    let mut out: JoinSet<Back> = JoinSet::new();
    let mut flying: HashMap<task::Id, Job> = HashMap::new();
    // When the journal is read again, by the steady clock.
    let mut read_from_ms = 0;
    while !*stopped.borrow() {
        let is_behind =
            |position: u64, read_from_ms: u64| feed::head(&config.views) > position && read_from_ms <= (config.steady)();
        if is_behind(position, read_from_ms) {
            match read(&config, position).await {
                Ok((heard, reached)) => {
                    heard.into_iter().for_each(|(at, heard)| hear(&config, &mut queue, at, heard));
                    position = reached;
                }
                Err(error) => {
                    tracing::error!(position, error, "pushes wait: the journal could not be read");
                    read_from_ms = (config.steady)() + AFTER_ERROR;
                }
            }
        }
        let now_ms = (config.steady)();
        for job in queue.take(now_ms, AT_ONCE_MAX - out.len()) {
            flying.insert(out.spawn(send(config.clone(), job.clone())).id(), job);
        }
        keep(&config, &mut cursor, &queue, position, false);
        show(&figures, &queue);
        let behind = is_behind(position, read_from_ms);
        let due = queue
            .deadline()
            .filter(|_| out.len() < AT_ONCE_MAX)
            .map_or(IDLE, |at| Duration::from_millis(at.saturating_sub(now_ms)));
        let pause = if behind { Duration::ZERO } else { due.min(IDLE).max(Duration::from_millis(1)) };
        tokio::select! {
            biased;
            _ = stopped.changed() => {}
            Some(back) = out.join_next_with_id() => match back {
                Ok((id, back)) => {
                    flying.remove(&id);
                    came_back(&config, &mut queue, &figures, back);
                }
                // Its device waits for it: without an answer nothing would be sent there again.
                Err(error) => if let Some(job) = flying.remove(&error.id()) {
                    tracing::error!(%error, "sending a push panicked");
                    queue.became(job, Became::Later(0), (config.steady)());
                }
            },
            () = wake.notified(), if !behind => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
    keep(&config, &mut cursor, &queue, position, true);
}

/// What happened after `position`.
async fn read(config: &Arc<PushConfig>, position: u64) -> Reading {
    // The head first: who subscribes after it was read hears what comes after it.
    let head = feed::head(&config.views);
    if notify::reached_devices(&*config.views.store) == 0 {
        return Ok((Vec::new(), head));
    }
    let config = config.clone();
    let job = tokio::task::spawn_blocking(move || {
        let records = feed::after(&config.views, position, RECORDS_AT_ONCE, BYTES_AT_ONCE).map_err(|e| e.to_string())?;
        let reached = records.last().map_or(position, |r| r.position);
        let heard = records.iter().flat_map(|r| notify::heard(&*config.views.store, r).into_iter().map(|h| (r.position, h)));
        Ok((heard.collect(), reached))
    });
    job.await.unwrap_or_else(|panic| Err(panic.to_string()))
}

fn hear(config: &PushConfig, queue: &mut Queue, position: u64, heard: Heard) {
    let now_ms = (config.steady)();
    match heard {
        Heard::Said { conversation, sequence, accounts } => {
            for account in accounts {
                let wait = if (config.is_active)(account) { config.timings.active_wait } else { 0 };
                for target in targets(config, account) {
                    queue.said(target, conversation, sequence, now_ms + wait, position);
                }
            }
        }
        Heard::Recalled { conversation, sequence, accounts } => {
            for account in accounts {
                let read = notify::read_up_to(&*config.views.store, account, conversation);
                if read < sequence {
                    targets(config, account)
                        .into_iter()
                        .for_each(|target| queue.recalled(target, conversation, sequence, now_ms, position));
                }
            }
        }
        Heard::Read { account, conversation, sequence } => queue.read(account, conversation, sequence),
        // Whoever is there has been told by the connection.
        Heard::Reminded { account, number } if !(config.is_active)(account) => {
            for target in targets(config, account) {
                queue.said(target, notify::reminder_place(number), position, now_ms, position);
            }
        }
        Heard::Reminded { .. } => {}
        Heard::Otherwise { account, device } => queue.forget(account, device),
    }
}

fn targets(config: &PushConfig, account: u64) -> Vec<Target> {
    let all = notify::subscriptions(&*config.views.store, account);
    all.iter().map(|s| Target { account, device: s.device }).collect()
}

/// Sends what a job is for, as everything stands now.
async fn send(config: Arc<PushConfig>, job: Job) -> Back {
    let mut back = Back { job, host: String::new(), answered: None, position: 0 };
    let Some(to) = notify::subscription(&*config.views.store, back.job.target.account, back.job.target.device) else {
        return back;
    };
    back.position = to.position;
    back.host = vapid::origin(&to.endpoint).trim_start_matches("https://").to_owned();
    for small in [false, true] {
        let (made, job) = (config.clone(), back.job.clone());
        let Ok(Some(message)) = tokio::task::spawn_blocking(move || compose(&made, &job, small)).await else { break };
        let mut salt = [0; 16];
        (config.random)(&mut salt);
        let answered = deliver(&config.outbound, &config.key, &to, &message, salt, (config.clock)()).await;
        let again = answered == Answered::TooLarge && !small;
        back.answered = Some(answered);
        if !again {
            break;
        }
    }
    back
}

/// The message of a job; `None` if there is nothing to tell any more.
fn compose(config: &PushConfig, job: &Job, small: bool) -> Option<Message> {
    let (store, journal) = (&*config.views.store, &*config.views.journal);
    let (account, conversation) = (job.target.account, job.conversation);
    let now_ms = (config.clock)();
    let user = startalk_domain::directory::user_id(store, account)?.to_string();
    let (payload, urgency) = match &job.what {
        What::Show(sequences) => {
            let notice = sequences
                .iter()
                .rev()
                .find_map(|s| notify::notice(store, journal, account, conversation, *s, (now_ms, config.zones)))?;
            let urgency = if notice.is_group && notice.because == Because::Message { "normal" } else { "high" };
            (Payload::show(&user, notice.conversation, notice, small), urgency)
        }
        What::Withdraw(sequence) => {
            let badge = notify::unread(store, journal, account, now_ms, UNREAD_MAX);
            (Payload::withdraw(&user, conversation, *sequence, badge), "normal")
        }
    };
    let plain = payload.bytes();
    let padded = if small { plain.len() } else { padded(plain.len()) };
    Some(Message { padded, plain, topic: config.key.topic(account, conversation), ttl_s: TTL_S, urgency })
}

fn came_back(config: &PushConfig, queue: &mut Queue, figures: &Mutex<Figures>, back: Back) {
    let Back { job, host, answered, position } = back;
    let mut figures = figures.lock();
    let Target { account, device } = job.target;
    let ended = |why| (config.submit)(Command::UnsubscribePush { account, device, position, why });
    let became = match answered {
        None => Became::Done,
        Some(Answered::Taken) => {
            figures.taken += 1;
            figures.trouble.remove(&host);
            Became::Done
        }
        Some(Answered::Later(at_least, why)) => {
            tracing::debug!(host, why, "a push is tried again later");
            figures.later += 1;
            figures.trouble(&host, why);
            Became::Later(at_least)
        }
        Some(Answered::TooLarge) => {
            figures.refused += 1;
            figures.trouble(&host, "status 413".to_owned());
            Became::Dropped
        }
        Some(Answered::Refused(code)) => {
            tracing::warn!(host, code, "a push service refused a push");
            figures.refused += 1;
            figures.trouble(&host, format!("status {code}"));
            Became::Dropped
        }
        Some(Answered::Gone) => {
            figures.gone += 1;
            ended(Unreached::Gone);
            Became::Gone
        }
        Some(Answered::Unusable) => {
            figures.gone += 1;
            ended(Unreached::Unusable);
            Became::Gone
        }
    };
    drop(figures);
    queue.became(job, became, (config.steady)());
}

fn keep(config: &PushConfig, cursor: &mut Cursor, queue: &Queue, position: u64, at_once: bool) {
    let now_ms = (config.steady)();
    if !at_once && !cursor.is_due(now_ms) {
        return;
    }
    let safe = queue.oldest().map_or(position, |oldest| position.min(oldest.saturating_sub(1)));
    if let Err(error) = cursor.keep(&config.views, safe, now_ms) {
        tracing::warn!(%error, "the place of pushes could not be written");
    }
}

fn show(figures: &Mutex<Figures>, queue: &Queue) {
    let mut figures = figures.lock();
    (figures.waiting, figures.failing, figures.dropped) = (queue.waiting(), queue.failing(), queue.dropped());
}
