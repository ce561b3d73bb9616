//! The screen: the terminal, the clock and the session around the pure `App`.
//!
//! Owns the terminal while it runs, and gives it back however the program ends. Invariant: what is to be sent goes to
//! the session in the order in which it was written.

mod app;
mod chat;
mod draw;
mod editor;
mod find;
mod form;
mod group;
mod kinds;
mod runner;
mod time;
mod transfer;
mod update;
mod way_in;
mod words;
mod wrap;

use std::{path::PathBuf, time::Duration};

use anyhow::Context as _;
use crossterm::{
    event::{DisableBracketedPaste, EnableBracketedPaste, Event as TerminalEvent, EventStream, KeyEventKind},
    execute,
};
use futures_util::StreamExt as _;
use startalk_client::{Event, Events};
use tokio::sync::mpsc;

use self::{
    app::{App, Input},
    form::Form,
    runner::{Runner, Started},
};
use crate::arguments::Arguments;

/// Events of the session taken before the screen is drawn again.
const EVENTS_AT_ONCE: usize = 256;
/// The clock of what changes by itself.
const TICK: Duration = Duration::from_millis(500);

/// Runs until the user ends it.
///
/// # Errors
/// If there is no terminal, or the folder cannot be used.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let server = arguments.server.first().map(ToString::to_string).unwrap_or_default();
    if arguments.data.is_some() {
        drop(arguments.store()?); // in use by another process? Better said now than behind a form
    }
    let known = way_in::known(arguments);
    let who = arguments.who.clone().or_else(|| known.as_ref().map(|(user, _)| user.clone())).unwrap_or_default();
    let app = App::new(arguments.language(), time::offset_seconds(), Form::new(&who, &server));
    let (mut runner, inputs, started) = Runner::new(arguments.clone());
    if let Some((_, folder)) = known {
        runner.resume(&folder);
    }
    let mut terminal = ratatui::try_init().context("the terminal cannot be used; for programs there is --json")?;
    let _ = execute!(std::io::stdout(), EnableBracketedPaste);
    let done = turn(&mut terminal, app, &mut runner, inputs, started).await;
    let _ = execute!(std::io::stdout(), DisableBracketedPaste);
    ratatui::restore();
    runner.close().await;
    done
}

async fn turn(
    terminal: &mut ratatui::DefaultTerminal,
    mut app: App,
    runner: &mut Runner,
    mut inputs: mpsc::Receiver<Input>,
    mut started: mpsc::Receiver<Started>,
) -> anyhow::Result<()> {
    let mut keys = EventStream::new();
    let mut tick = tokio::time::interval(TICK);
    let mut events: Option<Events> = None;
    let mut batch: Vec<Event> = Vec::new();
    app.update(Input::Tick, now_ms());
    loop {
        terminal.draw(|frame| draw::draw(frame, &mut app))?;
        let mut happened: Vec<Input> = Vec::new();
        tokio::select! {
            key = keys.next() => match key {
                Some(Ok(TerminalEvent::Key(key))) if key.kind != KeyEventKind::Release => happened.push(Input::Key(key)),
                Some(Ok(TerminalEvent::Paste(text))) => happened.push(Input::Paste(text)),
                Some(Ok(_)) => {}
                Some(Err(e)) => return Err(e).context("the terminal"),
                None => return Ok(()),
            },
            Some(input) = inputs.recv() => {
                happened.push(input);
                while let Ok(input) = inputs.try_recv() {
                    happened.push(input);
                }
            }
            Some(Started { session, events: new, running }) = started.recv() => {
                runner.follow(session);
                events = Some(new);
                happened.push(running);
            }
            more = async { match &mut events { Some(events) => events.next_batch(&mut batch, EVENTS_AT_ONCE).await, None => std::future::pending().await } } => {
                happened.extend(batch.drain(..).map(|e| Input::Event(Box::new(e))));
                if !more {
                    events = None;
                }
            }
            _ = tick.tick() => happened.push(Input::Tick),
        }
        for input in happened {
            for effect in app.update(input, now_ms()) {
                if effect == app::Effect::Quit {
                    return Ok(());
                }
                runner.carry_out(effect).await;
            }
        }
    }
}

/// The folder of all accounts, where none is given.
fn base_folder() -> Option<PathBuf> {
    let data = std::env::var_os("XDG_DATA_HOME").filter(|d| !d.is_empty()).map(PathBuf::from);
    let data = data.or_else(|| std::env::home_dir().map(|h| h.join(".local/share")))?;
    Some(data.join("startalk-terminal"))
}

#[expect(clippy::disallowed_methods, reason = "the edge: the screen's clock; the state has time passed in")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
