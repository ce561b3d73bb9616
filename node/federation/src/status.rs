//! What is known of each peer, for `startalk peers`.
//!
//! Bounded; every refusal is logged once per cause and counted after that.

use startalk_protocol::{Code, DomainName, Error, error::Language};
use tracing::warn;

use crate::config::REFUSALS_MAX;

/// How things stand with a peer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// No link, and nothing to send.
    #[default]
    Idle,
    /// A link is open.
    Connected,
    /// Being looked for or connected to.
    Dialing,
    /// The last attempt failed.
    BackingOff {
        /// When it is tried again.
        next_attempt_ms: u64,
    },
    /// We refused it, or it refused us, for a reason that does not go away by itself; it is still tried.
    Refused {
        /// When it is tried again.
        next_attempt_ms: u64,
    },
    /// Silent for so long that it is tried now and then only, until it comes, or somebody writes or asks for it.
    Dormant {
        /// When it is tried again.
        next_attempt_ms: u64,
    },
    /// Silent for so long that what waited for it was given up.
    Dead {
        /// When it is tried again.
        next_attempt_ms: u64,
    },
    /// Its charter says that it is no more.
    Gone,
    /// An administrator decided not to talk to it.
    Denied,
}

/// Who opened the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// We did.
    Dialed,
    /// The peer did.
    Accepted,
}

/// What the link runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// QUIC.
    Quic,
    /// TLS on TCP.
    Tls,
}

/// What was refused, by us or by the peer, and how often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why; of several with one code the last.
    pub error: Error,
    /// The first time.
    pub first_ms: u64,
    /// The last time.
    pub last_ms: u64,
    /// How often.
    pub count: u64,
}

/// One peer, as `startalk peers` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its name; not proven if it has no number.
    pub domain: DomainName,
    /// Its number here; none for a domain that only claimed to be one.
    pub number: Option<u64>,
    /// How things stand.
    pub state: State,
    /// Who opened the link, while there is one.
    pub direction: Option<Direction>,
    /// What the link runs over, while there is one.
    pub transport: Option<Transport>,
    /// What proved its key at the first contact; empty before.
    pub proof: String,
    /// The last number in our outbox.
    pub outbox_head: u64,
    /// What the peer has of it.
    pub acked: u64,
    /// What it does not have yet.
    pub lag: u64,
    /// The last of its items that took effect here.
    pub inbox_sequence: u64,
    /// What went wrong last, and when.
    pub last_error: Option<(Error, u64)>,
    /// When it was last heard, since this process started.
    pub last_contact_ms: Option<u64>,
    /// What was refused, by cause.
    pub refusals: Vec<Refusal>,
    /// When two running copies of it were seen last, or we were told to be one of two.
    pub two_copies_ms: Option<u64>,
    /// When it was seen last that its history had been cut.
    pub went_back_ms: Option<u64>,
    /// Tried in vain since then; also from before this process started.
    pub silent_since_ms: Option<u64>,
    /// When it said last to have of ours what we do not, and the outbox to it began a new epoch.
    pub restarted_ms: Option<u64>,
    /// It sent more than a day's quota; its link is not read until then.
    pub over_quota_until_ms: Option<u64>,
}

/// What the process knows of one peer beyond the views.
#[derive(Debug, Default)]
pub(crate) struct Status {
    pub(crate) state: State,
    pub(crate) link: Option<(Direction, Transport)>,
    /// Acknowledged in this epoch.
    pub(crate) acked: ([u8; 16], u64),
    pub(crate) last_error: Option<(Error, u64)>,
    pub(crate) last_contact_ms: Option<u64>,
    pub(crate) refusals: Vec<Refusal>,
    pub(crate) two_copies_ms: Option<u64>,
    pub(crate) went_back_ms: Option<u64>,
    pub(crate) over_quota_until_ms: Option<u64>,
}

impl Status {
    /// Keeps what went wrong; what is a refusal is kept by cause too.
    pub(crate) fn failed(&mut self, domain: &DomainName, error: Error, now_ms: u64) {
        if error.code == Code::TwoCopies {
            self.two_copies_ms = Some(now_ms);
        }
        if is_refusal(error.code) {
            note(&mut self.refusals, domain, &error, now_ms);
        }
        self.last_error = Some((error, now_ms));
    }
}

/// Whether trying again soon is useless: somebody has to do something first.
pub(crate) fn is_refusal(code: Code) -> bool {
    matches!(
        code,
        Code::WrongKey
            | Code::BadSignature
            | Code::OlderRecord
            | Code::RootKeyChanged
            | Code::WrongDomain
            | Code::NotProven
            | Code::DomainDenied
            | Code::TwoCopies
            | Code::OutOfOrder
            | Code::Malformed
            | Code::TooLarge
            | Code::TooMany
            | Code::UnsupportedVersion
            | Code::Expired
            | Code::DomainGone
    )
}

/// Counts a refusal with its cause; a new cause is logged.
pub(crate) fn note(refusals: &mut Vec<Refusal>, domain: &DomainName, error: &Error, now_ms: u64) {
    if let Some(known) = refusals.iter_mut().find(|r| r.error.code == error.code) {
        known.count += 1;
        known.last_ms = now_ms;
        known.error = error.clone();
        return;
    }
    warn!(%domain, code = error.code.as_str(), "link refused: {}", error.words(Language::English));
    if refusals.len() >= REFUSALS_MAX {
        refusals.remove(0);
    }
    refusals.push(Refusal { error: error.clone(), first_ms: now_ms, last_ms: now_ms, count: 1 });
}

/// Adds what was refused earlier.
pub(crate) fn adopt(refusals: &mut Vec<Refusal>, earlier: Vec<Refusal>) {
    for old in earlier {
        if let Some(known) = refusals.iter_mut().find(|r| r.error.code == old.error.code) {
            (known.count, known.first_ms) = (known.count + old.count, known.first_ms.min(old.first_ms));
        } else if refusals.len() < REFUSALS_MAX {
            refusals.push(old);
        }
    }
}
