//! The directories of the settings, for verbs: asked from threads that may wait; and where people are imported from.

use std::sync::Arc;

use serde::Serialize;
use startalk_domain::accounts::Source;
use startalk_identity::ldap::{Directory, Listed};
use startalk_intake::{Entry, People, listed};
use startalk_protocol::{Code, Error};
use tokio::runtime::Handle;
use utoipa::ToSchema;

/// Where people are imported from.
pub enum Origin {
    /// CSV or XLSX.
    File(Vec<u8>),
    /// The id of a directory.
    Directory(String),
}

/// A directory to import from.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DirectoryShown {
    pub id: String,
    pub display_name: String,
}

/// All of them, in the order of the settings; none while the node is stopped, for they are in its settings file.
#[derive(Clone, Default)]
pub struct Directories {
    all: Vec<Arc<Directory>>,
    runtime: Option<Handle>,
}

impl Directories {
    /// `runtime`: where they are asked.
    pub fn new(all: &[Arc<Directory>], runtime: Handle) -> Self {
        Self { all: all.to_vec(), runtime: Some(runtime) }
    }

    /// Each of them.
    pub fn all(&self) -> &[Arc<Directory>] {
        &self.all
    }

    /// Waits for an answer; not for async tasks.
    ///
    /// # Errors
    /// The question's.
    pub fn wait<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.runtime.as_ref().ok_or(Code::NoSuchThing)?.block_on(question)
    }

    /// For choosing one.
    pub fn shown(&self) -> Vec<DirectoryShown> {
        let shown = |d: &Arc<Directory>| DirectoryShown { id: d.id().into(), display_name: d.display_name().into() };
        self.all.iter().map(shown).collect()
    }

    /// Everybody of one, and what source they are of; not for async tasks.
    ///
    /// # Errors
    /// `no-such-directory`, or why it cannot be asked.
    pub fn people(&self, id: &str) -> Result<(Source, People), Error> {
        let known = self.all.iter().find(|d| d.id() == id);
        let directory = known.ok_or_else(|| Error::new(Code::NoSuchDirectory).with("directory", id))?;
        let source = directory.source().parse()?;
        let all = self.wait(directory.list())?;
        Ok((source, listed(all.into_iter().map(entry))))
    }
}

fn entry(listed: Listed) -> Entry {
    let unread =
        |e: startalk_identity::ldap::Unread| Error::new(Code::BadValue).with("field", e.attribute).with("expected", e.expected);
    Entry {
        place: listed.dn,
        id: listed.error.map_or(Ok(listed.id), |e| Err(unread(e))),
        name: listed.name,
        display_name: listed.display_name,
        groups: listed.groups,
        gone: listed.gone,
    }
}
