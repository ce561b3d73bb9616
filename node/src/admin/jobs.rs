//! Work that takes its time, for who asks over HTTP: begun, looked at, and over. One of a sort at a time; in memory only.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use parking_lot::Mutex;
use serde::Serialize;
use startalk_protocol::{Code, Error};
use utoipa::ToSchema;

use super::{Progress, doctor::Finding, http::ErrorBody, intake::Done};
use crate::clock;

/// Jobs that are remembered.
const JOBS_KEPT: usize = 50;

/// The job that goes on only when no other does.
pub const RESTORE: &str = "restore";

/// What a job is at.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Job {
    /// Of this process, from 1.
    pub job: u64,
    /// backup, backup-check, check, compact, erase, import or restore.
    pub kind: String,
    /// running, done or failed.
    pub state: String,
    /// Of `total`, in whatever it counts by.
    pub done: u64,
    pub total: u64,
    /// Milliseconds since 1970.
    pub began_ms: u64,
    /// 0: it goes on.
    pub ended_ms: u64,
    /// Why it failed.
    pub error: Option<ErrorBody>,
    /// What a check found.
    pub findings: Vec<Finding>,
    /// Bytes that compacting gave back.
    pub bytes_won: Option<u64>,
    /// Records of a backup that was checked.
    pub records: Option<u64>,
    /// What an import leaves behind; asked for by itself, with a right of its own.
    #[serde(skip)]
    #[schema(ignore)]
    pub intake: Option<Arc<Done>>,
}

/// What a job came to.
#[derive(Default)]
pub struct Outcome {
    pub findings: Vec<Finding>,
    pub bytes_won: Option<u64>,
    pub records: Option<u64>,
    pub intake: Option<Arc<Done>>,
}

/// The jobs of this process.
#[derive(Default)]
pub struct Jobs {
    last: AtomicU64,
    all: Mutex<VecDeque<Job>>,
}

impl Jobs {
    /// Begins a job.
    ///
    /// # Errors
    /// `busy` if one of the sort goes on.
    pub fn begin(
        self: &Arc<Self>,
        kind: &str,
        work: impl FnOnce(&Progress) -> Result<Outcome, Error> + Send + 'static,
    ) -> Result<Job, Error> {
        let job = {
            let mut all = self.all.lock();
            // What takes the domain's place waits for nobody, and nobody is cut off by it.
            let alone = |kind: &str| kind == RESTORE;
            if all.iter().any(|j| j.state == "running" && (j.kind == kind || alone(kind) || alone(&j.kind))) {
                return Err(Code::Busy.into());
            }
            // What lets people in is not kept longer than it is needed: until the next of its sort.
            all.iter_mut().filter(|j| j.kind == kind).for_each(|j| j.intake = None);
            let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
            let (kind, state) = (kind.to_owned(), "running".to_owned());
            let job = Job { job: number, kind, state, began_ms: clock::now_ms(), ..Job::default() };
            if all.len() >= JOBS_KEPT
                && let Some(old) = all.iter().position(|j| j.state != "running")
            {
                all.remove(old);
            }
            all.push_back(job.clone());
            job
        };
        let (jobs, number) = (self.clone(), job.job);
        let run = move || {
            let hears = jobs.clone();
            let progress: Progress = Arc::new(move |done, total| hears.change(number, |j| (j.done, j.total) = (done, total)));
            // Whatever happens, it does not seem to go on for ever.
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&progress)));
            let outcome = outcome.unwrap_or_else(|_| Err(Code::Internal.into()));
            jobs.change(number, |job| {
                job.ended_ms = clock::now_ms();
                match outcome {
                    Ok(Outcome { findings, bytes_won, records, intake }) => {
                        job.state = "done".into();
                        (job.findings, job.bytes_won, job.records, job.intake) = (findings, bytes_won, records, intake);
                    }
                    Err(error) => {
                        job.state = "failed".into();
                        job.error = Some(error.into());
                    }
                }
            });
        };
        if thread::Builder::new().name(format!("job-{number}")).spawn(run).is_err() {
            self.change(number, |j| (j.state, j.error) = ("failed".into(), Some(Error::from(Code::Internal).into())));
        }
        Ok(job)
    }

    fn change(&self, number: u64, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.all.lock().iter_mut().find(|j| j.job == number) {
            change(job);
        }
    }

    /// The newest first.
    pub fn all(&self) -> Vec<Job> {
        self.all.lock().iter().rev().cloned().collect()
    }

    /// One of them.
    ///
    /// # Errors
    /// `no-such-thing`.
    pub fn one(&self, number: u64) -> Result<Job, Error> {
        self.all.lock().iter().find(|j| j.job == number).cloned().ok_or_else(|| Code::NoSuchThing.into())
    }
}
