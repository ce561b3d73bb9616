//! What the operator can ask of a domain: one implementation, for a running node (through the control socket) and for
//! a folder whose node is stopped.
//!
//! Owns no rule: rules are the domain's. Requests and answers are JSON.

mod audit;
pub mod backup;
pub mod control;
pub mod directories;
pub mod doctor;
mod domains;
mod groups;
pub mod http;
mod intake;
pub mod jobs;
pub mod links;
mod loss;
mod people;
mod policies;
mod restore;
mod storage;
mod tokens;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use startalk_domain::{
    Answer, Command, Views,
    accounts::Role,
    administration::{self, By},
    command::{PeerRule, Tended},
    directory,
    groups::GroupTended,
};
use startalk_net::{hub::HubError, walk::Passed};
use startalk_protocol::{Code, DomainName, Error, error::Language, limits};
use startalk_sequencer::Handle;
use tokio::sync::Notify;

use crate::{clock, compaction, tether};
pub use audit::Only;
pub use intake::LINK_DAYS;
pub use policies::PolicyChange;

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
    UserRole {
        name: String,
        role: String,
    },
    UserDevices {
        name: String,
    },
    UserUnlink {
        name: String,
        link: u64,
    },
    UserPasskeyRemove {
        name: String,
        passkey: u64,
    },
    UserWays {
        name: String,
    },
    UserSignOut {
        name: String,
        device: u64,
    },
    /// `file`: CSV or XLSX in base64, or nothing with a `directory`; without `link_days` it is only looked at.
    UserImport {
        file: String,
        #[serde(default)]
        directory: Option<String>,
        everyone: bool,
        disable: Option<usize>,
        link_days: Option<u32>,
        language: String,
    },
    UserLinks {
        days: u32,
        language: String,
    },
    UserLink {
        name: String,
        days: u32,
    },
    TokenAdd {
        name: String,
        scopes: Vec<String>,
        days: u32,
    },
    TokenList,
    TokenRevoke {
        token: u64,
    },
    Invitations,
    InvitationRevoke {
        invitation: u64,
    },
    Groups,
    Group {
        group: String,
    },
    /// `what`: hand-over, add, remove, name or destroy; `value`: whom, the name, or the reason.
    GroupTend {
        group: String,
        what: String,
        value: String,
    },
    Audit {
        before: u64,
        limit: usize,
        #[serde(default)]
        only: audit::Only,
    },
    Storage,
    Backups,
    Invite {
        uses: u32,
        hours: u32,
        administrator: bool,
        groups: Vec<String>,
    },
    DomainRule {
        domain: String,
        rule: String,
        accept_new_key: bool,
    },
    Policy(Box<PolicyChange>),
    Peers,
    KeysRotate,
    Backup {
        to: PathBuf,
    },
    /// A copy is read as bringing it back would. `backup`: a name in the node's folder for them, or a path.
    BackupCheck {
        backup: String,
    },
    /// What would be lost.
    Loss {
        backup: String,
    },
    /// `domain`: its name, as it was typed.
    Restore {
        backup: String,
        domain: String,
    },
    Replaced,
    ReplacedDelete {
        name: String,
    },
    Compact,
    Doctor,
    Status,
    Metrics,
}

/// Replaces the link key: now, or (false) only if it is time.
pub type Rotate = Arc<dyn Fn(bool) -> anyhow::Result<()> + Send + Sync>;
/// The state of links; empty when the node is stopped.
pub type Peers = Arc<dyn Fn() -> Vec<links::Link> + Send + Sync>;

/// How the node does, as Prometheus reads it; `None` when it is stopped.
pub type MetricsPage = Arc<dyn Fn() -> Option<String> + Send + Sync>;

/// What verbs work on.
#[derive(Clone)]
pub struct Backend {
    /// Who asks: every command is theirs.
    pub by: By,
    /// Work that goes on for who asks over HTTP.
    pub jobs: Arc<jobs::Jobs>,
    /// Where backups go that are asked for over HTTP.
    pub backups: PathBuf,
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
    /// Compares files that the domain holds with what lies in the store; `None` when the node is stopped. Not for async tasks.
    pub files: Arc<dyn Fn() -> Option<std::io::Result<startalk_media::Examined>> + Send + Sync>,
    /// How the certificate stands that the node asks for itself; `None` if it asks for none, or does not run.
    pub certificate: Arc<dyn Fn() -> Option<startalk_certify::Standing> + Send + Sync>,
    /// Endpoints that the record names, for `doctor`.
    pub endpoints: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    /// Through which hubs the node is reached.
    pub tethers: Arc<dyn Fn() -> Vec<tether::Standing> + Send + Sync>,
    /// Asks each hub what it sees of this node from outside; not for async tasks.
    pub outside: Arc<dyn Fn() -> Vec<Outside> + Send + Sync>,
    /// Stops the node and starts it again; `None` when it is stopped.
    pub restart: Option<Arc<Notify>>,
    /// Where the node listens; empty when it is stopped.
    pub listened: String,
    /// Directories of people.
    pub directories: directories::Directories,
    /// When an account was last connected, milliseconds since 1970; 0: not since this process began.
    pub seen: Arc<dyn Fn(u64) -> u64 + Send + Sync>,
    /// Why the views had to be made anew just now, for `doctor` on a stopped node.
    pub rebuilt: Option<String>,
}

/// What a hub, by host and port, has seen of this node from outside; or why it has not looked.
pub type Outside = (String, Result<Vec<Passed>, HubError>);

/// Hears (done, total) of long work.
pub type Progress = Arc<dyn Fn(u64, u64) + Send + Sync>;

impl Backend {
    /// Sends an administrative command, as an act of who asks, and waits; not for async tasks.
    ///
    /// # Errors
    /// The command's.
    pub fn command(&self, command: Command) -> Result<Answer, Error> {
        submit(&self.handle, Command::Administer { by: self.by, command: Box::new(command) })
    }

    /// The same for somebody else.
    #[must_use]
    pub fn by(&self, by: By) -> Self {
        Self { by, ..self.clone() }
    }
}

/// Some of a list, and where the next of it begin.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The cursor of the next page; null: there is none. A page may be short, or empty, and have a next one all the same.
    pub next: Option<u64>,
}

/// What `shows` makes of a list, from the cursor (an index) on.
fn page_of<A, T>(all: &[A], cursor: u64, limit: usize, shows: impl Fn(&A) -> Option<T>) -> Page<T> {
    let mut at = usize::try_from(cursor).unwrap_or(usize::MAX).min(all.len());
    let end = all.len().min(at.saturating_add(limits::ADMIN_SCAN_MAX));
    let mut items = Vec::new();
    while at < end && items.len() < limit {
        items.extend(shows(&all[at]));
        at += 1;
    }
    Page { items, next: (at < all.len()).then_some(at as u64) }
}

/// The name@domain of an account; `None` for 0 and for who is gone.
fn user(backend: &Backend, account: u64) -> Option<String> {
    directory::user_id(&*backend.views.store, account).map(|u| u.to_string())
}

/// The account that who asks brings people into groups as; the rules take the same one.
fn filler(backend: &Backend) -> Option<u64> {
    match backend.by {
        By::Operator => None,
        By::Account(actor) => Some(actor.account),
        By::Token(token) => {
            administration::valid(&*backend.views.store, token, clock::now_ms()).map(|t| t.maker).filter(|maker| *maker != 0)
        }
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
    let done = |()| json!({});
    match request {
        Request::UserAdd { name, display_name, administrator } => {
            let role = if administrator { Role::Administrator } else { Role::Member };
            people::add(backend, &name, display_name, role).map(value)
        }
        Request::UserList => Ok(json!({ "users": people::all(backend) })),
        Request::UserDisable { name, disabled } => people::disable(backend, &name, disabled).map(done),
        Request::UserDelete { name, erase_messages } => {
            let erase = people::delete(backend, &name)?;
            if erase_messages { erase(progress).map(done) } else { Ok(json!({})) }
        }
        Request::UserResetPassword { name } => people::reset_password(backend, &name).map(|p| json!({ "password": p.password })),
        Request::UserRole { name, role } => people::set_role(backend, &name, role.parse()?).map(done),
        Request::UserDevices { name } => people::one(backend, &name).map(|p| json!({ "devices": p.devices })),
        Request::UserUnlink { name, link } => people::unlink(backend, &name, link).map(done),
        Request::UserPasskeyRemove { name, passkey } => people::remove_passkey(backend, &name, passkey).map(done),
        Request::UserWays { name } => people::one(backend, &name)
            .map(|p| json!({ "ways": { "password": p.has_password, "seen_ms": p.seen_ms }, "identities": p.identities, "passkeys": p.passkeys })),
        Request::UserSignOut { name, device } => people::sign_out(backend, &name, device).map(done),
        Request::UserImport { file, directory, everyone, disable, link_days, language } => {
            let malformed = || Error::new(Code::Malformed).with("expected", "a file in base64");
            let bytes = data_encoding::BASE64.decode(file.as_bytes()).map_err(|_| malformed())?;
            let mode = startalk_intake::Mode { everyone, disable };
            let origin = directory.map_or(directories::Origin::File(bytes), directories::Origin::Directory);
            intake::at_once(backend, &origin, mode, link_days, Language::of(&language), progress)
        }
        Request::UserLinks { days, language } => intake::links_at_once(backend, days, Language::of(&language), progress),
        Request::UserLink { name, days } => people::sign_in_link(backend, &name, days).map(value),
        Request::Invite { uses, hours, administrator, groups } => {
            people::invite(backend, uses, hours, administrator, &groups).map(value)
        }
        Request::Invitations => {
            Ok(json!({ "invitations": every(|cursor| Ok(people::invitations(backend, cursor, limits::ADMIN_PAGE_MAX)))? }))
        }
        Request::InvitationRevoke { invitation } => people::revoke_invitation(backend, invitation).map(done),
        Request::DomainRule { domain, rule, accept_new_key } => {
            domains::set_rule(backend, &domain, peer_rule(&rule), accept_new_key).map(done)
        }
        Request::Policy(change) => policies::change(backend, *change).map(value),
        Request::Peers => Ok(json!({ "peers": domains::all(backend), "links": (backend.peers)() })),
        Request::Groups => {
            Ok(json!({ "groups": every(|cursor| Ok(groups::page(backend, "", cursor, limits::ADMIN_PAGE_MAX)))? }))
        }
        Request::Group { group } => {
            let members = every(|cursor| groups::members(backend, &group, cursor, limits::ADMIN_PAGE_MAX))?;
            Ok(json!({ "one_group": groups::one(backend, &group)?, "members": members }))
        }
        Request::GroupTend { group, what, value } => {
            let user = || groups::user(backend, &value);
            let tended = match what.as_str() {
                "hand-over" => GroupTended::HandedOver(user()?),
                "add" => GroupTended::Added(user()?),
                "remove" => GroupTended::Removed(user()?),
                "name" => GroupTended::Named(value.clone()),
                _ => GroupTended::Destroyed { reason: value.clone() },
            };
            groups::tend(backend, &group, tended).map(done)
        }
        Request::TokenAdd { name, scopes, days } => tokens::make(backend, name, &scopes, days).map(value),
        Request::TokenList => Ok(json!({ "tokens": tokens::list(backend) })),
        Request::TokenRevoke { token } => tokens::revoke(backend, token).map(done),
        Request::Audit { before, limit, only } => {
            audit::page(backend, before, limit.min(limits::ADMIN_PAGE_MAX), &only).map(|p| json!({ "acts": p.items, "next": p.next }))
        }
        Request::Storage => Ok(value(storage::measure(backend))),
        Request::Backups => Ok(json!({ "backups": backup::list(backend) })),
        Request::KeysRotate => rotate(backend).map(done),
        Request::Backup { to } => {
            let records = backup::backup(backend, &to, progress).map_err(|e| failed(&e))?;
            Ok(json!({ "records": records, "to": to }))
        }
        Request::BackupCheck { backup } => {
            let records = backup::check(backend, &copy_at(backend, &backup)?, progress).map_err(|e| failed(&e))?;
            Ok(json!({ "records": records, "checked": backup }))
        }
        Request::Loss { backup } => loss::of(backend, &copy_at(backend, &backup)?).map(|loss| json!({ "loss": loss })),
        Request::Restore { backup, domain } => {
            let plan = restore::restore(backend, &copy_at(backend, &backup)?, &domain, progress)?;
            Ok(json!({ "restored": plan.records, "replaced": plan.name, "starts_again": backend.restart.is_some() }))
        }
        Request::Replaced => Ok(value(restore::list(backend))),
        Request::ReplacedDelete { name } => restore::delete(backend, &name).map(done),
        Request::Compact => compact(backend, progress),
        Request::Doctor => Ok(json!({ "findings": doctor::examine(backend, progress) })),
        Request::Status => Ok(value(policies::show(backend))),
        Request::Metrics => (backend.metrics)().map(|page| json!({ "metrics": page })).ok_or_else(stopped),
    }
}

fn value(shown: impl Serialize) -> Value {
    serde_json::to_value(shown).expect("maps with text as keys")
}

/// Every page of a list, for the command line.
fn every<T>(page: impl Fn(u64) -> Result<Page<T>, Error>) -> Result<Vec<T>, Error> {
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        let page = page(cursor)?;
        all.extend(page.items);
        match page.next {
            Some(next) => cursor = next,
            None => return Ok(all),
        }
    }
}

fn peer_rule(rule: &str) -> PeerRule {
    match rule {
        "allow" => PeerRule::Allow,
        "deny" => PeerRule::Deny,
        _ => PeerRule::Unset,
    }
}

/// A copy that the operator named: by its name, or by an absolute path.
fn copy_at(backend: &Backend, backup: &str) -> Result<PathBuf, Error> {
    let path = Path::new(backup);
    if !path.is_absolute() {
        return restore::named(backend, backup);
    }
    if crate::folder::Folder::exists(path) { Ok(path.to_path_buf()) } else { Err(Code::NoSuchThing.into()) }
}

fn rotate(backend: &Backend) -> Result<(), Error> {
    (backend.rotate)(true).map_err(|e| failed(&e))?;
    backend.command(Command::Tend(Tended::KeysReplaced)).map(drop)
}

/// Gives back the space of erased bodies; how much that was.
fn compact(backend: &Backend, progress: &Progress) -> Result<Value, Error> {
    let done = compaction::compact(&backend.reader, progress).map_err(|e| failed(&e.into()))?;
    backend.command(Command::Tend(Tended::Compacted))?;
    Ok(done)
}

/// There is no node to ask.
pub fn stopped() -> Error {
    Error::new(Code::Unreachable).with("what", "startalk").with("why", "the node is stopped")
}

fn failed(error: &anyhow::Error) -> Error {
    Error::new(Code::Failed).with("why", format!("{error:#}"))
}
