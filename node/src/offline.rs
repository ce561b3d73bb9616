//! Verbs on a folder whose node is stopped: the same verbs, with a write loop of their own for a moment.

use std::{path::Path, sync::Arc};

use serde_json::Value;
use startalk_domain::{Command, administration::By, governance};
use startalk_sequencer::Handle;

use crate::{
    admin::{self, Backend, Progress, Request},
    folder::Folder,
    keys::Keys,
    store, swap,
    writer::Writer,
};

/// Carries a verb out on a folder whose node is stopped.
///
/// # Errors
/// The verb's, or what keeps the folder from being opened.
pub fn run(data: &Path, request: Request, progress: &Progress) -> anyhow::Result<Value> {
    let folder = Folder::open(data)?;
    let (keys, _) = Keys::open(&folder)?;
    let bar = progress.clone();
    if matches!(request, Request::Doctor) {
        // The views are compared with their digest, whatever the last stop said of them.
        folder.take_clean_mark()?;
    }
    let (sequencer, domain, opened) = store::open(&folder, None, false, &mut |d, t| bar(d, t))?;
    let (views, handle) = (sequencer.views().clone(), Handle::new());
    let root = folder.root().to_path_buf();
    let rotate = {
        let (views, handle, domain) = (views.clone(), handle.clone(), domain.clone());
        move |_: bool| -> anyhow::Result<()> {
            let known = governance::realm(&*views.store).charter.clone();
            let (charter, _, _) = keys.charter(&domain, &known, true)?;
            admin::submit(&handle, Command::SetOwnCharter { charter: charter.bytes().clone(), sequence: charter.sequence() })?;
            Ok(())
        }
    };
    let backend = Backend {
        by: By::Operator,
        jobs: Arc::default(),
        backups: root.join("backups"),
        public_url: folder.public_url().unwrap_or_else(|| format!("https://{domain}")),
        views,
        reader: sequencer.reader(),
        handle: handle.clone(),
        domain,
        folder: root,
        rotate: Arc::new(rotate),
        peers: Arc::new(Vec::new),
        metrics: Arc::new(|| None),
        pushes: Arc::new(|| None),
        files: Arc::new(|| None),
        certificate: Arc::new(|| None),
        endpoints: Arc::new(Vec::new),
        tethers: Arc::new(Vec::new),
        outside: Arc::new(Vec::new),
        restart: None,
        listened: String::new(),
        directories: admin::directories::Directories::default(),
        seen: Arc::new(|_| 0),
        rebuilt: opened.rebuilt,
    };
    let writer = Writer::start(sequencer, handle, Arc::default(), Box::new(|_| {}))?;
    let result = admin::execute(&backend, request, progress);
    writer.stop()?;
    folder.mark_clean()?;
    drop(backend);
    swap::finish(folder.root())?;
    Ok(result?)
}

/// Makes the views again from the journal.
///
/// # Errors
/// What keeps the folder from being opened.
pub fn rebuild(data: &Path, progress: &Progress) -> anyhow::Result<u64> {
    let folder = Folder::open(data)?;
    let bar = progress.clone();
    let (sequencer, _, _) = store::open(&folder, None, true, &mut |d, t| bar(d, t))?;
    let records = sequencer.head().position;
    sequencer.close()?;
    folder.mark_clean()?;
    Ok(records)
}
