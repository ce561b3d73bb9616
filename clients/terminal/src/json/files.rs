//! Uploads, downloads and lists of files, as commands; and forwarding.
//!
//! A transfer runs beside everything else, under the id of its command; it is told how it goes, and can be stopped.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Value, json};
use startalk_client::{
    ClientError, Session,
    content::{forwarded, transcript},
    files::{NewUpload, Purpose, Source, Transfer},
    wire_content::{Content, File},
};
use startalk_protocol::content::files_of;
use tokio::sync::{mpsc, oneshot};

use super::{Answer, Command, kinds, output::Output, shape};

/// Transfers that go on, by the id of their command.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<String, oneshot::Sender<Stop>>>>);

/// That a transfer is to stop, and whom to tell when it has.
struct Stop {
    forget: bool,
    stopped: oneshot::Sender<Result<(), ClientError>>,
}

impl Running {
    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<String, oneshot::Sender<Stop>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether none goes on.
    pub fn is_empty(&self) -> bool {
        self.map().is_empty()
    }

    /// Begins a transfer. What is told of it, and its answer, go to `output`.
    pub async fn begin(&self, session: Session, id: Value, command: Command, output: Output) -> anyhow::Result<()> {
        let (key, running) = (id.to_string(), self.clone());
        let (stop, stopping) = oneshot::channel();
        let taken = {
            let mut map = self.map();
            let taken = map.contains_key(&key);
            if !taken {
                map.insert(key.clone(), stop);
            }
            taken
        };
        if taken {
            return output.write(Answer::input("an id that no other transfer has").line(&id)).await;
        }
        tokio::spawn(async move {
            let answer = carry_out(&session, &id, command, &output, stopping).await;
            let _ = output.write(Answer::from(answer).line(&id)).await;
            running.map().remove(&key);
        });
        Ok(())
    }

    /// Stops one; it can be gone on with, but for an upload that is to be forgotten.
    pub async fn stop(&self, transfer: &Value, forget: bool) -> Result<Value, ClientError> {
        let none = || ClientError::Input("the id of a transfer that goes on".to_owned());
        let stop = self.map().remove(&transfer.to_string()).ok_or_else(none)?;
        let (stopped, answer) = oneshot::channel();
        stop.send(Stop { forget, stopped }).map_err(|_| none())?;
        answer.await.map_err(|_| none())?.map(|()| json!({}))
    }
}

/// A transfer from its beginning to its end.
async fn carry_out(
    session: &Session,
    id: &Value,
    command: Command,
    output: &Output,
    mut stopping: oneshot::Receiver<Stop>,
) -> Result<Value, ClientError> {
    let (told, mut telling) = mpsc::unbounded_channel();
    let (mut url, mut state) = (None, Told::default());
    let mut tell = move |transfer: Transfer| drop(told.send(transfer));
    let mut doing = Box::pin(run(session, command, &mut tell));
    let done = loop {
        tokio::select! {
            biased;
            Some(transfer) = telling.recv() => {
                if let Transfer::Begun { url: begun } = &transfer {
                    url = Some(begun.clone());
                }
                state.tell(id, &transfer, output).await;
            }
            done = &mut doing => break Ok(done),
            Ok(stop) = &mut stopping => break Err(stop),
        }
    };
    drop(doing);
    while let Ok(transfer) = telling.try_recv() {
        state.tell(id, &transfer, output).await;
    }
    match done {
        Ok(done) => done,
        Err(Stop { forget, stopped }) => {
            let ended = match &url {
                Some(url) if forget => session.files().end_upload(url).await,
                _ => Ok(()),
            };
            let _ = stopped.send(ended);
            Ok(json!({ "stopped": true, "url": url }))
        }
    }
}

/// What was told last: the same is not told twice.
#[derive(Default)]
struct Told(Option<Transfer>);

impl Told {
    async fn tell(&mut self, id: &Value, transfer: &Transfer, output: &Output) {
        if self.0.as_ref() == Some(transfer) {
            return;
        }
        let mut value = match transfer {
            Transfer::Begun { url } => json!({ "state": "begun", "url": url }),
            Transfer::Moved { done, total } => json!({ "state": "moved", "done": done, "total": total }),
            Transfer::Working => json!({ "state": "working" }),
            Transfer::Waiting { ms, error } => json!({ "state": "waiting", "retry_in_ms": ms, "error": shape::error(error) }),
        };
        value["event"] = "transfer".into();
        value["command_id"] = id.clone();
        let _ = output.write(format!("{value}\n")).await;
        self.0 = Some(transfer.clone());
    }
}

async fn run(session: &Session, command: Command, tell: &mut (dyn FnMut(Transfer) + Send)) -> Result<Value, ClientError> {
    match command {
        Command::Upload { path, purpose, name, url } => {
            let purpose = Purpose::parse(&purpose)
                .ok_or_else(|| ClientError::Input(format!("a purpose of {}", Purpose::ALL.map(Purpose::as_str).join(", "))))?;
            let path = PathBuf::from(path);
            let own = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
            let name = if name.is_empty() { own } else { name };
            let url = (!url.is_empty()).then_some(url);
            let described = session.files().upload(&NewUpload { path, purpose, name, url }, tell).await?;
            Ok(kinds::description(&described))
        }
        Command::Download { conversation, sequence, file, index, path } => {
            let file = match file {
                Some(file) => file.file()?,
                None => nth(session, conversation, sequence, index).await?,
            };
            let from = if conversation == 0 { Source::Own } else { Source::Message { conversation, sequence } };
            session.files().download(from, &file, Path::new(&path), tell).await?;
            Ok(json!({ "path": path, "hash": shape::hex(&file.hash), "size": file.size }))
        }
        _ => Err(ClientError::Input("a transfer".to_owned())),
    }
}

/// One of the files of a message.
async fn nth(session: &Session, conversation: u64, sequence: u64, index: usize) -> Result<File, ClientError> {
    use prost::Message as _;
    let message = session.message(conversation, sequence).await?;
    let content = Content::decode(message.content).unwrap_or_default();
    let found = files_of(&content).get(index).map(|f| (*f).clone());
    found.ok_or_else(|| ClientError::Input("the index of a file of the message".to_owned()))
}

/// What a command that forwards is to say.
pub(super) async fn said_again(session: &Session, command: &Command) -> Result<bytes::Bytes, ClientError> {
    match command {
        Command::Forward { from, sequence, .. } => forwarded(&session.message(*from, *sequence).await?.content),
        Command::ForwardMerged { from, sequences, title, .. } => transcript(title, &session.quoted(*from, sequences).await?),
        _ => Err(ClientError::Input("what is to be forwarded".to_owned())),
    }
}

/// The sum by which kinds are asked for.
pub(super) fn kinds_asked(names: &[String]) -> Result<u32, ClientError> {
    let one = |name: &String| match name.as_str() {
        "picture" => Ok(1),
        "video" => Ok(2),
        "voice" => Ok(4),
        "file" => Ok(8),
        "link" => Ok(16),
        _ => Err(ClientError::Input("kinds of picture, video, voice, file, link".to_owned())),
    };
    if names.is_empty() { Ok(31) } else { names.iter().map(one).try_fold(0, |sum, kind| Ok(sum | kind?)) }
}
