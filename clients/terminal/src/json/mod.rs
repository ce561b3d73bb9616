//! Lines of JSON: one command per line in, one answer or event per line out. docs/json-client.md
//!
//! Owns standard input and output in this mode. Commands are carried out in the order in which they come; answers may
//! come in another order, each with its command's id. Invariant: an event counts as handled only when it was written.

mod account;
mod answer;
mod command;
mod files;
mod groups;
mod kinds;
mod later;
mod output;
mod own;
mod search;
mod shape;

use std::{collections::HashMap, sync::Arc, time::Duration};

use anyhow::Context as _;
use serde_json::{Value, json};
use startalk_client::{Event, Events, Session};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    sync::{Mutex, mpsc},
};

use self::{answer::Answer, command::Command, output::Output};
use crate::arguments::Arguments;

/// Events written at once.
const EVENTS_AT_ONCE: usize = 512;
/// Bytes of one line of input: the largest text, escaped.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Ids of commands that were accepted under a number and have no outcome yet.
#[derive(Default)]
struct Numbers {
    /// Whether the command waits for the outcome as its answer.
    ids: HashMap<u64, (Value, bool)>,
    /// A command is being accepted, and its number is not known here yet.
    in_flight: bool,
    /// Outcomes that may be its; they follow its answer.
    held: Vec<Event>,
}

/// Everything that commands need.
struct Client<'a> {
    arguments: &'a Arguments,
    output: Output,
    session: Option<Session>,
    numbers: Arc<Mutex<Numbers>>,
    transfers: files::Running,
    /// Tells when events of a session came to an end.
    ended: mpsc::Sender<()>,
}

/// Runs until the end of input or `quit`.
///
/// # Errors
/// If standard input or output is broken, or the folder cannot be used.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let (output, writer) = Output::start();
    let (ended, mut over) = mpsc::channel(1);
    let mut client =
        Client { arguments, output, session: None, numbers: Arc::default(), transfers: files::Running::default(), ended };
    client.resume().await.map_err(anyhow::Error::from)?;
    let mut wait = !arguments.no_wait;
    let mut input = BufReader::with_capacity(64 * 1024, tokio::io::stdin());
    let mut line = Vec::new();
    loop {
        let read = tokio::select! {
            read = input.read_until(b'\n', &mut line) => read.context("standard input")?,
            Some(()) = over.recv() => {
                client.session = None;
                continue;
            }
        };
        if read == 0 {
            break;
        }
        // What was read stays in the line when something else happens meanwhile; now it is whole.
        let whole = std::mem::take(&mut line);
        if whole.len() > LINE_BYTES_MAX {
            let error = Answer::input("a line of at most 1 MiB");
            client.output.write(error.line(&Value::Null)).await?;
            continue;
        }
        if whole.trim_ascii().is_empty() {
            continue;
        }
        match command::parse(&whole) {
            Err((id, answer)) => client.output.write(answer.line(&id)).await?,
            Ok((id, Command::Quit { wait: asked })) => {
                wait = asked.unwrap_or(wait);
                client.output.write(Answer::done().line(&id)).await?;
                break;
            }
            Ok((id, command)) => client.carry_out(id, command).await?,
        }
    }
    client.finish(wait).await;
    drop(client.output);
    drop(client.numbers);
    tokio::time::timeout(Duration::from_secs(5), writer).await.ok();
    Ok(())
}

impl Client<'_> {
    /// Events of a session go out from here on.
    fn follow(&mut self, session: Session, events: Events) {
        let (output, numbers, ended) = (self.output.clone(), self.numbers.clone(), self.ended.clone());
        tokio::spawn(async move {
            let signed_out = pass_on(events, &output, &numbers).await;
            if signed_out {
                let _ = ended.send(()).await;
            }
        });
        self.session = Some(session);
    }

    async fn finish(&mut self, wait: bool) {
        let Some(session) = self.session.take() else { return };
        if wait {
            while !self.transfers.is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            session.drained().await;
            // What became of the last ones is on its way to standard output.
            let numbers = self.numbers.clone();
            let told = async {
                while !numbers.lock().await.ids.is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(Duration::from_secs(2), told).await.ok();
        }
        session.close().await;
    }
}

/// Writes events until there are no more. True if the session ended by itself.
async fn pass_on(mut events: Events, output: &Output, numbers: &Mutex<Numbers>) -> bool {
    let (mut batch, mut signed_out) = (Vec::new(), false);
    while events.next_batch(&mut batch, EVENTS_AT_ONCE).await {
        let mut text = String::new();
        let mut numbers = numbers.lock().await;
        for event in batch.drain(..) {
            signed_out |= matches!(event, Event::SignedOut(_));
            numbers.tell(event, &mut text);
        }
        drop(numbers);
        if output.written(text).await.is_err() {
            return false;
        }
    }
    signed_out
}

impl Numbers {
    /// Adds the lines of an event.
    fn tell(&mut self, event: Event, text: &mut String) {
        let (Event::Sent { counter, .. } | Event::Failed { counter, .. } | Event::GroupLink { counter, .. }) = &event else {
            return push(text, &shape::event(&event, None));
        };
        match self.ids.remove(counter) {
            Some((id, waits)) => {
                push(text, &shape::event(&event, Some(&id)));
                if waits {
                    push(text, &outcome(&event, &id));
                }
            }
            None if self.in_flight => self.held.push(event),
            None => push(text, &shape::event(&event, None)),
        }
    }

    /// A command was accepted under a number, or not at all. Returns the lines of what was held for that.
    fn accepted(&mut self, accepted: Option<(u64, &Value, bool)>) -> String {
        if let Some((counter, id, waits)) = accepted {
            self.ids.insert(counter, (id.clone(), waits));
        }
        self.in_flight = false;
        let mut text = String::new();
        for event in std::mem::take(&mut self.held) {
            self.tell(event, &mut text);
        }
        text
    }
}

/// The answer of a command that waited for what became of it.
fn outcome(event: &Event, id: &Value) -> Value {
    match event {
        Event::Failed { error, .. } => json!({ "id": id, "error": shape::wire_error(error) }),
        event => {
            let mut ok = shape::event(event, None);
            if let Some(fields) = ok.as_object_mut() {
                fields.remove("event");
                fields.remove("command_id");
            }
            json!({ "id": id, "ok": ok })
        }
    }
}

fn push(text: &mut String, line: &Value) {
    text.push_str(&line.to_string());
    text.push('\n');
}
