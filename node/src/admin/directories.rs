//! The directories of the settings, for verbs: asked from threads that may wait.

use std::sync::Arc;

use startalk_identity::ldap::Directory;
use startalk_protocol::{Code, Error};
use tokio::runtime::Handle;

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
}
