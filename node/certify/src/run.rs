//! The loop: what is kept is served, and asked for anew when it is time. What anybody sees of it is [`Standing`].

use std::{sync::Arc, time::Duration};

use parking_lot::Mutex;
use startalk_net::WebCertificate;

use crate::{
    CertifyConfig,
    authority::{self, Issued},
    failure::{Failure, Words},
    kept::{Kept, Note},
    schedule::{Validity, next_after_start, retry_in_ms},
    wire::Wire,
};

/// The clock is looked at at least so often: it may have been set, and machines sleep.
const LOOK: Duration = Duration::from_secs(60);

/// What is kept of an authority's "later" is believed so long, in case the clock was wrong then.
const LATEST_MS: i64 = 7 * 24 * 3600 * 1000;

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Who is asked.
    pub directory: String,
    /// What for.
    pub names: Vec<String>,
    /// Until when the certificate that is served is valid; `None`: there is none of an authority yet.
    pub not_after_ms: Option<i64>,
    /// When it was tried last.
    pub tried_ms: Option<i64>,
    /// Failures in a row, up to now.
    pub failures: u32,
    /// Why the last one failed.
    pub trouble: Option<Words>,
    /// When it is tried (again).
    pub next_ms: i64,
    /// It is being tried now.
    pub trying: bool,
}

/// Asks for certificates and serves them. Cheap to clone.
#[derive(Clone)]
pub struct Certify {
    config: Arc<CertifyConfig>,
    kept: Arc<Kept>,
    state: Arc<Mutex<State>>,
}

struct State {
    note: Note,
    /// Of the certificate that is served.
    validity: Option<Validity>,
    next_ms: i64,
    trying: bool,
}

impl Certify {
    /// With what is kept: a certificate that is still good is served from now on.
    pub fn open(config: CertifyConfig) -> Self {
        let (now, kept) = ((config.now_ms)(), Kept::new(&config));
        let note = kept.note();
        let mut validity = None;
        let mut fitting = false;
        if let Some(certificate) = kept.certificate()
            && let Ok(says) = certificate.says()
            && says.not_after_ms > now
        {
            config.resolver.replace_web(&certificate);
            validity = Some(Validity { not_before_ms: says.not_before_ms, not_after_ms: says.not_after_ms });
            fitting = note.certificate_of == config.directory && config.names.iter().all(|name| says.names.contains(name));
        }
        let due = validity.filter(|_| fitting).map_or(now, |v| v.renew_at_ms((config.random)()));
        let next_ms = match (note.failures, note.tried_ms, note.next_ms) {
            (1.., Some(tried), Some(next)) if note.directory == config.directory => {
                // A try that is said to have been after now was made by a clock that was wrong.
                let tried = tried.min(now);
                due.max(next_after_start(config.pace, tried, next, note.told).min(now.saturating_add(LATEST_MS)))
            }
            _ => due,
        };
        let state = State { note, validity, next_ms, trying: false };
        Self { config: Arc::new(config), kept: Arc::new(kept), state: Arc::new(Mutex::new(state)) }
    }

    /// Whether a certificate of an authority is served.
    pub fn has_certificate(&self) -> bool {
        self.state.lock().validity.is_some()
    }

    /// How it stands.
    pub fn standing(&self) -> Standing {
        let state = self.state.lock();
        Standing {
            directory: self.config.directory.clone(),
            names: self.config.names.clone(),
            not_after_ms: state.validity.map(|v| v.not_after_ms),
            tried_ms: state.note.tried_ms,
            failures: state.note.failures,
            trouble: state.note.trouble.clone(),
            next_ms: state.next_ms,
            trying: state.trying,
        }
    }

    /// Asks whenever it is time; never ends.
    pub async fn run(self) {
        loop {
            let wait = self.state.lock().next_ms.saturating_sub((self.config.now_ms)());
            if wait > 0 {
                tokio::time::sleep(Duration::from_millis(wait.unsigned_abs()).min(LOOK)).await;
                continue;
            }
            self.attempt().await;
        }
    }

    /// Asks once.
    pub(crate) async fn attempt(&self) {
        let config = &self.config;
        self.state.lock().trying = true;
        let wire = Wire { http: config.http.clone(), roots: config.roots.clone(), now_ms: config.now_ms, later: Arc::default() };
        let result = authority::obtain(config, &self.kept, &wire).await.and_then(|issued| self.take(&issued));
        let (now, random) = ((config.now_ms)(), (config.random)());
        let note = {
            let mut state = self.state.lock();
            state.trying = false;
            state.note.tried_ms = Some(now);
            match result {
                Ok(validity) => {
                    state.validity = Some(validity);
                    state.next_ms = validity.renew_at_ms(random);
                    let of = config.directory.clone();
                    state.note = Note { certificate_of: of.clone(), directory: of, tried_ms: Some(now), ..Note::default() };
                    tracing::info!(names = config.names.join(" "), "a new certificate is served");
                }
                Err(failure) => {
                    let words = failure.words(&config.method);
                    tracing::warn!(names = config.names.join(" "), "no new certificate: {}", words.en);
                    let pressing = state.validity.is_none_or(|v| v.is_pressing(now));
                    state.note.failures = state.note.failures.saturating_add(1);
                    let wait = retry_in_ms(config.pace, state.note.failures, pressing, random);
                    let own = now.saturating_add(i64::try_from(wait).unwrap_or(i64::MAX));
                    let told = *wire.later.lock();
                    state.next_ms = told.map_or(own, |until| until.max(own));
                    let next = state.next_ms;
                    state.note.told = told.is_some_and(|until| until >= own);
                    state.note.next_ms = Some(next);
                    state.note.trouble = Some(words);
                    state.note.directory.clone_from(&config.directory);
                }
            }
            state.note.clone()
        };
        if let Err(failure) = self.kept.keep_note(&note) {
            tracing::warn!("{}", failure.words(&config.method).en);
        }
    }

    /// What came is looked at, kept, and served.
    fn take(&self, issued: &Issued) -> Result<Validity, Failure> {
        let unusable = |e: startalk_net::CertificateError| Failure::Unusable(e.to_string());
        let certificate = WebCertificate::from_pem(&issued.chain, &issued.key).map_err(unusable)?;
        let says = certificate.says().map_err(unusable)?;
        if let Some(name) = self.config.names.iter().find(|name| !says.names.contains(name)) {
            return Err(Failure::Unusable(format!("the certificate is not for {name}")));
        }
        let validity = Validity { not_before_ms: says.not_before_ms, not_after_ms: says.not_after_ms };
        self.kept.keep_certificate(&issued.chain, &issued.key)?;
        self.config.resolver.replace_web(&certificate);
        // It is served all the same: others may have the right time. But it must not be asked for again and again.
        if validity.renew_at_ms(0) <= (self.config.now_ms)() {
            self.state.lock().validity = Some(validity);
            return Err(Failure::Clock);
        }
        Ok(validity)
    }
}
