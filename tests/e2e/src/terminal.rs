//! The terminal client as a program (`startalk-terminal --json`): commands in, answers and events out. For people who are
//! somewhere else than the test.

use std::{
    collections::HashMap,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::{Arc, Condvar, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use crate::{seed::from_environment, wait::PATIENCE};

/// A device of a person. Killed when dropped.
pub struct Terminal {
    child: Child,
    input: ChildStdin,
    shared: Arc<(Mutex<Heard>, Condvar)>,
    last: u64,
    /// `name@domain`.
    pub user: String,
}

/// What it has said so far.
#[derive(Debug, Default)]
pub struct Heard {
    answers: HashMap<u64, Value>,
    /// Messages of others, and one's own from elsewhere.
    pub messages: Vec<Value>,
    /// Conversations that wait to be accepted.
    pub requests: Vec<u64>,
    /// Own messages that the node has acknowledged.
    pub sent: u64,
    /// What should not be: failed messages, gaps.
    pub trouble: Vec<Value>,
    /// Every other event.
    pub events: Vec<Value>,
    ended: bool,
}

impl Terminal {
    /// Starts it and registers with a link.
    ///
    /// # Errors
    /// The step that failed.
    pub fn register(command: Command, folder: &Path, name: &str, link: &str) -> anyhow::Result<Self> {
        let mut terminal = Self::start(command, folder)?;
        let done = terminal.ask("register", json!({ "user": name, "link": link, "password": crate::person::PASSWORD }))?;
        done["user"].as_str().context("user")?.clone_into(&mut terminal.user);
        Ok(terminal)
    }

    fn start(mut command: Command, folder: &Path) -> anyhow::Result<Self> {
        let errors = std::fs::OpenOptions::new().create(true).append(true).open(folder.with_extension("log"))?;
        command.args(["--json", "--data"]).arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(errors);
        let mut child = command.spawn()?;
        let (input, output) = (child.stdin.take().context("input")?, child.stdout.take().context("output")?);
        let shared: Arc<(Mutex<Heard>, Condvar)> = Arc::default();
        let told = shared.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let Ok(value) = serde_json::from_str::<Value>(&line) {
                    told.0.lock().unwrap_or_else(PoisonError::into_inner).take(value);
                    told.1.notify_all();
                }
            }
            told.0.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
            told.1.notify_all();
        });
        Ok(Self { child, input, shared, last: 0, user: String::new() })
    }

    /// Says a command; its number.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn post(&mut self, command: &str, fields: Value) -> anyhow::Result<u64> {
        self.last += 1;
        let mut all = json!({ "id": self.last, "command": command });
        if let (Some(all), Value::Object(fields)) = (all.as_object_mut(), fields) {
            all.extend(fields);
        }
        writeln!(self.input, "{all}")?;
        self.input.flush()?;
        Ok(self.last)
    }

    /// Says a command, and waits for its answer.
    ///
    /// # Errors
    /// What the program or the node says.
    pub fn ask(&mut self, command: &str, fields: Value) -> anyhow::Result<Value> {
        let number = self.post(command, fields)?;
        let mut answer = self.until(&format!("an answer to {command}"), |h| h.answers.remove(&number))?;
        if let Some(error) = answer.get("error") {
            bail!("{}: {command}: {error}", self.user);
        }
        Ok(answer["ok"].take())
    }

    /// Waits until something is there; given up when nothing at all was said for long.
    ///
    /// # Errors
    /// What it waited for.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut(&mut Heard) -> Option<T>) -> anyhow::Result<T> {
        let patience = from_environment("STARTALK_E2E_PATIENCE", PATIENCE);
        let (mutex, news) = &*self.shared;
        let mut heard = mutex.lock().unwrap_or_else(PoisonError::into_inner);
        let mut quiet = 0;
        loop {
            if let Some(found) = look(&mut heard) {
                return Ok(found);
            }
            if heard.ended {
                bail!("{}: the program ended; waited for {what}", self.user);
            }
            let (next, wait) = news.wait_timeout(heard, Duration::from_secs(1)).unwrap_or_else(PoisonError::into_inner);
            heard = next;
            quiet = if wait.timed_out() { quiet + 1 } else { 0 };
            if quiet > patience {
                bail!("{}: waited for {what}: nothing was said for {patience} s; last: {:?}", self.user, heard.events.last());
            }
        }
    }

    /// Waits until at least so many messages of one author have come; all of them are numbered from 1 in order, each once.
    ///
    /// # Errors
    /// If they do not come, or otherwise.
    pub fn hears(&self, author: &str, count: usize) -> anyhow::Result<()> {
        let texts = self.until(&format!("{count} messages of {author}"), |h| {
            let of: Vec<String> = h.messages.iter().filter(|m| m["author"] == author).map(|m| m["text"].to_string()).collect();
            (of.len() >= count).then_some(of)
        })?;
        let expected: Vec<String> = (1..=texts.len()).map(|n| Value::from(text(n)).to_string()).collect();
        if texts != expected {
            bail!("{} of {author}: {} messages, not numbered in order: {texts:?}", self.user, texts.len());
        }
        Ok(())
    }

    /// Says the texts `from..=to`.
    ///
    /// # Errors
    /// If the program is gone.
    pub fn says(&mut self, to: &str, numbers: std::ops::RangeInclusive<usize>) -> anyhow::Result<()> {
        for number in numbers {
            self.post("send", json!({ "to": to, "text": text(number) }))?;
        }
        Ok(())
    }

    /// Accepts the first contact that waits, or will.
    ///
    /// # Errors
    /// If none comes.
    pub fn accepts(&mut self) -> anyhow::Result<()> {
        let conversation = self.until("a first contact", |h| h.requests.pop())?;
        self.ask("accept", json!({ "conversation": conversation }))?;
        Ok(())
    }

    /// What should not have been: nothing, if all is well.
    pub fn trouble(&self) -> Vec<Value> {
        self.shared.0.lock().unwrap_or_else(PoisonError::into_inner).trouble.clone()
    }
}

/// The text with this number: none is in any binary, so that finding it anywhere means that it was read there.
fn text(number: usize) -> String {
    format!("{number} {}", *MARKER)
}

/// Different in every run.
pub static MARKER: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| format!("marker-{:032x}", rand::random::<u128>()));

impl Heard {
    fn take(&mut self, value: Value) {
        match value["event"].as_str() {
            None => drop(self.answers.insert(value["id"].as_u64().unwrap_or(0), value)),
            Some("message") => {
                let mut message = value["message"].clone();
                message["conversation"] = value["conversation"].clone();
                self.messages.push(message);
            }
            Some("sent") => self.sent += 1,
            Some("failed" | "gap" | "went_back" | "signed_out") => self.trouble.push(value),
            Some("conversation") => {
                let conversation = &value["conversation"];
                if conversation["request"] == true {
                    self.requests.extend(conversation["conversation"].as_u64());
                }
                self.events.push(value);
            }
            Some(_) => self.events.push(value),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
