//! What the operator can ask of a domain: one implementation, for a running node (through the control socket) and for
//! a folder whose node is stopped.
//!
//! Owns no rule: rules are the domain's. Requests and answers are JSON.

pub mod backup;
pub mod control;
pub mod doctor;
pub mod links;
mod people;

use std::{path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use startalk_domain::{Answer, Command, Views, command::PeerRule, directory, governance};
use startalk_protocol::{Code, DomainName, Error};
use startalk_sequencer::Handle;

use crate::compaction;

/// One verb of the command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "kebab-case")]
#[allow(missing_docs)]
pub enum Request {
    UserAdd {
        name: String,
        display_name: String,
        administrator: bool,
    },
    UserList,
    UserDisable {
        name: String,
        disabled: bool,
    },
    UserDelete {
        name: String,
        erase_messages: bool,
    },
    UserResetPassword {
        name: String,
    },
    Invite {
        uses: u32,
        hours: u32,
        administrator: bool,
    },
    DomainRule {
        domain: String,
        rule: String,
        accept_new_key: bool,
    },
    Policy {
        registration: Option<String>,
        display_name: Option<String>,
        listed: Option<bool>,
        recall_seconds: Option<i64>,
        edit_seconds: Option<i64>,
    },
    Peers,
    KeysRotate,
    Backup {
        to: PathBuf,
    },
    Compact,
    Doctor,
    Status,
    Metrics,
}

/// Replaces the link key: now, or (false) only if it is time.
pub type Rotate = Arc<dyn Fn(bool) -> anyhow::Result<()> + Send + Sync>;
/// The state of links, as JSON; empty when the node is stopped.
pub type Peers = Arc<dyn Fn() -> Value + Send + Sync>;

/// How the node does, as Prometheus reads it; `None` when it is stopped.
pub type MetricsPage = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What verbs work on.
#[derive(Clone)]
pub struct Backend {
    /// Queries.
    pub views: Views,
    /// The journal, for copying and verifying it.
    pub reader: startalk_journal::Reader,
    /// Commands.
    pub handle: Handle,
    /// The domain.
    pub domain: DomainName,
    /// The data folder.
    pub folder: PathBuf,
    /// Where people open links.
    pub public_url: String,
    /// Makes a new link key.
    pub rotate: Rotate,
    /// Links' states.
    pub peers: Peers,
    /// How the node does.
    pub metrics: MetricsPage,
    /// What pushing has done; `None` when the node is stopped.
    pub pushes: Arc<dyn Fn() -> Option<startalk_push::Figures> + Send + Sync>,
    /// Endpoints that the record names, for `doctor`.
    pub endpoints: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Why the views had to be made anew just now, for `doctor` on a stopped node.
    pub rebuilt: Option<String>,
}

/// Hears (done, total) of long work.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

impl Backend {
    /// Sends a command and waits; not for async tasks.
    ///
    /// # Errors
    /// The command's.
    pub fn command(&self, command: Command) -> Result<Answer, Error> {
        submit(&self.handle, command)
    }
}

/// Sends a command and waits; not for async tasks.
///
/// # Errors
/// The command's.
pub fn submit(handle: &Handle, command: Command) -> Result<Answer, Error> {
    let (answer, result) = std::sync::mpsc::channel();
    handle.submit(command, move |r| {
        let _ = answer.send(r);
    });
    result.recv().map_err(|_| Error::new(Code::Stopping))?
}

/// Carries out a verb. Blocks: run it on a thread of its own.
///
/// # Errors
/// A protocol error, with words in both languages.
pub fn execute(backend: &Backend, request: Request, progress: &Progress) -> Result<Value, Error> {
    match request {
        Request::UserAdd { name, display_name, administrator } => people::add(backend, &name, display_name, administrator),
        Request::UserList => Ok(people::list(backend)),
        Request::UserDisable { name, disabled } => people::disable(backend, &name, disabled),
        Request::UserDelete { name, erase_messages } => people::delete(backend, &name, erase_messages, progress),
        Request::UserResetPassword { name } => people::reset_password(backend, &name),
        Request::Invite { uses, hours, administrator } => people::invite(backend, uses, hours, administrator),
        Request::DomainRule { domain, rule, accept_new_key } => domain_rule(backend, &domain, &rule, accept_new_key),
        Request::Policy { registration, display_name, listed, recall_seconds, edit_seconds } => {
            let registration = registration.map(|r| r.parse()).transpose()?;
            let (recall_window_ms, edit_window_ms) = (recall_seconds.map(|s| s * 1000), edit_seconds.map(|s| s * 1000));
            backend.command(Command::SetPolicy { registration, display_name, listed, recall_window_ms, edit_window_ms })?;
            Ok(policy(backend))
        }
        Request::Peers => Ok(peers(backend)),
        Request::KeysRotate => {
            (backend.rotate)(true).map_err(|e| failed(&e))?;
            Ok(json!({}))
        }
        Request::Backup { to } => backup::backup(backend, &to, progress).map_err(|e| failed(&e)),
        Request::Compact => compaction::compact(&backend.reader, progress).map_err(|e| failed(&e.into())),
        Request::Doctor => Ok(doctor::examine(backend, progress)),
        Request::Status => Ok(policy(backend)),
        Request::Metrics => (backend.metrics)().map(|page| json!({ "metrics": page })).ok_or_else(stopped),
    }
}

/// There is no node to ask.
pub fn stopped() -> Error {
    Error::new(Code::Unreachable).with("what", "startalk").with("why", "the node is stopped")
}

fn failed(error: &anyhow::Error) -> Error {
    Error::new(Code::Failed).with("why", format!("{error:#}"))
}

fn domain_rule(backend: &Backend, domain: &str, rule: &str, forget_key: bool) -> Result<Value, Error> {
    let bad = || Error::new(Code::BadValue).with("field", "domain").with("expected", "a domain name");
    let domain: DomainName = domain.parse().map_err(|_| bad())?;
    let rule = match rule {
        "allow" => PeerRule::Allow,
        "deny" => PeerRule::Deny,
        _ => PeerRule::Unset,
    };
    backend.command(Command::SetPeerRule { domain, rule, forget_key })?;
    Ok(json!({}))
}

fn policy(backend: &Backend) -> Value {
    let realm = governance::realm(&*backend.views.store);
    json!({
        "domain": backend.domain.as_str(), "registration": realm.registration.as_str(), "display_name": realm.display_name,
        "listed": realm.listed, "recall_seconds": realm.recall_window_ms / 1000, "edit_seconds": realm.edit_window_ms / 1000,
        "records": backend.views.journal.head().position, "epoch": realm.epoch, "url": backend.public_url,
    })
}

fn peers(backend: &Backend) -> Value {
    let store = &*backend.views.store;
    let known: Vec<Value> = directory::peers(store)
        .into_iter()
        .map(|(number, peer)| {
            let (out, inbox) = (startalk_domain::outbox::outbox(store, number), startalk_domain::outbox::inbox(store, number));
            json!({
                "domain": peer.domain, "rule": format!("{:?}", peer.state).to_lowercase(), "proof": peer.proof,
                "outbox": out.head(), "recorded_there": out.acked, "received": inbox.sequence,
            })
        })
        .collect();
    json!({ "peers": known, "links": (backend.peers)() })
}
