//! A case: a name, the sentences of the specification that it is about, what it needs, and what it does.

use std::{future::Future, pin::Pin, sync::Arc};

use crate::Ground;

/// What a case needs beside an address that answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// Somebody with an account at the node.
    Person,
    /// A hub that the node asks.
    Hub,
    /// Both.
    PersonAndHub,
    /// Our own node as a process, with its command line; the text says what for.
    Own(&'static str),
}

type Outcome = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// One case.
pub struct Case {
    /// Unique.
    pub name: &'static str,
    /// Tags of sentences of the specification.
    pub tags: &'static [&'static str],
    /// What it needs.
    pub needs: Needs,
    /// Nothing else may run at the time.
    pub alone: bool,
    /// Fails with what was expected and what came.
    pub run: Box<dyn Fn(Arc<Ground>) -> Outcome + Send + Sync>,
}

/// A case that needs nothing.
pub fn case<F, Fut>(name: &'static str, tags: &'static [&'static str], run: F) -> Case
where
    F: Fn(Arc<Ground>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    Case { name, tags, needs: Needs::Nothing, alone: false, run: Box::new(move |ground| Box::pin(run(ground))) }
}

impl Case {
    /// The same, with needs.
    #[must_use]
    pub fn needs(mut self, needs: Needs) -> Self {
        self.needs = needs;
        self
    }

    /// The same, alone.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }
}
