//! A domain for trying: what `--trial` sets where nothing else was said, and the thread that tells people that their accounts
//! end, and ends them.
//!
//! On a thread of its own, as with retention: one small step after another. Whom to tell and whom to end is the domain's.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::{self, JoinHandle},
    time::Duration,
};

use startalk_domain::{
    Answer, Command,
    governance::{NewPolicy, Realm},
};
use startalk_protocol::trust::Registration;
use startalk_sequencer::Handle;

use crate::{admin::submit, clock};

/// Days for which an account is good, unless the policy says something else.
const DAYS: u32 = 30;
/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(10 * 60);
/// Between two steps, so that others come in between.
const BREATH: Duration = Duration::from_millis(10);
/// What is said a week and a day before, in both languages: the domain does not know which one somebody reads.
const WORDS: [&str; 2] = [
    "这是试用域，您的帐号将在一周后到期并被删除。请尽快导出要保留的内容。\nThis domain is for trying: your account ends in a week and is then deleted. Export what you want to keep.",
    "您的试用帐号将在一天后到期并被删除。请立即导出要保留的内容。\nYour trial account ends in a day and is then deleted. Export what you want to keep now.",
];

/// What a domain for trying has, where its administrator has not said otherwise.
pub fn policy(realm: &Realm, registration: Option<Registration>) -> NewPolicy {
    if realm.trial_days > 0 {
        return NewPolicy::default(); // it is one already, and its administrator may have said something else since
    }
    let unless_set = |value: u64, usual: u64| (value == 0).then_some(usual);
    const MIB: u64 = 1024 * 1024;
    NewPolicy {
        registration: Some(registration.unwrap_or(Registration::Open)),
        trial_days: Some(DAYS),
        accounts_max: unless_set(realm.quotas.accounts, 10_000),
        messages_per_day: unless_set(realm.quotas.messages_per_day, 2_000),
        bytes_per_day: unless_set(realm.quotas.bytes_per_day, 16 * MIB),
        groups_per_account: unless_set(realm.quotas.groups_per_account, 10),
        file_bytes_max: Some(realm.files.file_bytes_max.min(20 * MIB)),
        files_bytes_per_account: Some(match realm.files.bytes_per_account {
            0 => 200 * MIB,
            set => set.min(200 * MIB),
        }),
        ..NewPolicy::default()
    }
}

/// The thread; ends when it is dropped, after the step that it is in.
pub struct Trials {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Trials {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(handle: Handle) -> std::io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let goes_on = move |time| stopped.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
        let thread = thread::Builder::new()
            .name("trials".into())
            .spawn(move || while look(&handle, &goes_on) && goes_on(LOOK_EVERY) {})?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Trials {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Until everybody was looked at; whether to go on after that.
fn look(handle: &Handle, goes_on: &impl Fn(Duration) -> bool) -> bool {
    let mut from = 0;
    loop {
        let words = WORDS.map(str::to_owned);
        match submit(handle, Command::LookAtTrials { clock_ms: clock::now_ms(), from, words }) {
            Ok(Answer::More { from: next, .. }) => from = next,
            Ok(_) => return true,
            Err(error) => {
                tracing::debug!("trial accounts wait: {error}");
                return true;
            }
        }
        if !goes_on(BREATH) {
            return false;
        }
    }
}
