//! Getting in: which folder, and from the filled-in form to a session.
//!
//! One folder per account; the one used last is remembered beside them.

use std::path::{Path, PathBuf};

use startalk_client::{Client, ClientError, Events, JoinLink, Server, Session};
use tokio::sync::mpsc;

use super::{
    app::Input,
    base_folder,
    form::{Filled, Way},
};
use crate::arguments::{self, Arguments};

/// The file that names the account used last.
const LAST: &str = "last";
/// The file in a folder that says whose it is.
const ACCOUNT: &str = "account.json";

/// The account to go on with, if this machine has one: user and folder.
pub(super) fn known(arguments: &Arguments) -> Option<(String, PathBuf)> {
    let folder = match (&arguments.data, &arguments.who) {
        (Some(folder), _) => folder.clone(),
        (None, Some(who)) if who.parse::<JoinLink>().is_ok() => return None,
        (None, Some(who)) => folder_of(arguments, who).filter(|f| f.join(ACCOUNT).exists()).or_else(|| folder_with(who))?,
        (None, None) => folder_of(arguments, std::fs::read_to_string(base_folder()?.join(LAST)).ok()?.trim())?,
    };
    if !folder.join(ACCOUNT).exists() {
        return None;
    }
    let account = arguments::open(&folder).ok()?.account()?;
    let wanted = arguments.who.as_deref().is_none_or(|who| who.eq_ignore_ascii_case(&account.user) || !who.contains('@'));
    wanted.then_some((account.user, folder))
}

/// The folder whose account this is, when it was named after the place where one registered.
fn folder_with(user: &str) -> Option<PathBuf> {
    let is_of = |folder: &PathBuf| {
        let account = std::fs::read(folder.join(ACCOUNT)).ok()?;
        let account: serde_json::Value = serde_json::from_slice(&account).ok()?;
        account["user"].as_str().map(|u| u.eq_ignore_ascii_case(user))
    };
    let folders = std::fs::read_dir(base_folder()?).ok()?.filter_map(|e| Some(e.ok()?.path()));
    folders.into_iter().find(|f| is_of(f) == Some(true))
}

/// The folder of an account.
fn folder_of(arguments: &Arguments, user: &str) -> Option<PathBuf> {
    if let Some(folder) = &arguments.data {
        return Some(folder.clone());
    }
    let good = |c: char| c.is_ascii_alphanumeric() || "@._-".contains(c);
    let name: String = user.to_ascii_lowercase().chars().map(|c| if good(c) { c } else { '_' }).collect();
    let name = name.trim_start_matches('.');
    if name.is_empty() { None } else { Some(base_folder()?.join(name)) }
}

/// Goes on as the device in the folder.
pub(super) fn resume(arguments: &Arguments, folder: &Path) -> Result<(Session, Events), ClientError> {
    let store = arguments::open(folder)?;
    let account = store.account().ok_or(ClientError::Ended)?;
    let home = arguments.home_of(&account.user)?;
    Session::resume(arguments.options(home), store)
}

/// Signs in, registers or recovers; tells on the way how far it is.
pub(super) async fn enter(
    mut arguments: Arguments,
    filled: Filled,
    inputs: &mpsc::Sender<Input>,
) -> Result<(Session, Events, Vec<String>), ClientError> {
    if !filled.server.is_empty() {
        arguments.server = vec![filled.server.parse::<Server>()?];
    }
    let link = if filled.invitation.is_empty() { None } else { Some(filled.invitation.parse::<JoinLink>()?) };
    let home = match &link {
        Some(link) => arguments.home_of_link(link),
        None => arguments.home_of(&filled.user)?,
    };
    // Where the domain is not known yet, the folder is named after the place.
    let place = link.as_ref().map_or_else(|| filled.server.clone(), |l| l.server.to_string());
    let user = if filled.user.contains('@') { filled.user.clone() } else { format!("{}@{place}", filled.user) };
    let folder =
        folder_of(&arguments, &user).ok_or_else(|| ClientError::Store("no folder for data; give one with --data".to_owned()))?;
    let mut client = Client::connect(arguments.options(home), arguments::open(&folder)?).await?;
    let _ = inputs.send(Input::Connected).await;
    let device = device_name();
    let codes = match filled.way {
        Way::SignIn => {
            client.sign_in(&filled.user, &filled.password, &device).await?;
            Vec::new()
        }
        Way::Register => {
            let invitation = link.map(|l| l.invitation).unwrap_or_default();
            client.register(&filled.user, &filled.password, &filled.display_name, &invitation, &device).await?.codes
        }
        Way::Recover => client.recover(&filled.user, &filled.code, &filled.password, &device).await?.codes,
    };
    let (session, events) = client.start()?;
    remember(&arguments, &user);
    Ok((session, events, codes))
}

fn device_name() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok().or_else(|| std::env::var("HOSTNAME").ok());
    let host = host.map(|h| h.trim().to_owned()).filter(|h| !h.is_empty());
    host.map_or_else(|| "terminal".to_owned(), |h| format!("terminal on {h}").chars().take(60).collect())
}

fn remember(arguments: &Arguments, user: &str) {
    if arguments.data.is_none()
        && let Some(base) = base_folder()
    {
        // Only a convenience: without it, the name is typed again.
        let _ = std::fs::write(base.join(LAST), user);
    }
}
