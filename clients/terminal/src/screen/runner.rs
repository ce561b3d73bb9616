//! Carrying out what the state asks for: requests to the session, each answer an input.
//!
//! What is to be sent goes through one queue; the rest runs side by side.

use std::{collections::HashMap, path::Path};

use startalk_client::{
    ClientError, Events, Session, new_key,
    wire_types::{Message, Reminder, Saved, ScheduleMessage, Scheduled, SetReminder},
};
use tokio::{sync::mpsc, task::AbortHandle};

use super::{
    app::{Effect, Input, List, Listed},
    now_ms, transfer, way_in,
};
use crate::arguments::Arguments;

/// Answers waiting to be shown.
const INPUTS_MAX: usize = 256;
/// An invitation made here is good for so long, in milliseconds: a day.
const INVITATION_VALID_MS: i64 = 24 * 3600 * 1000;
/// Messages of a page.
const PAGE: u32 = 60;

/// A session runs.
pub(super) struct Started {
    pub session: Session,
    pub events: Events,
    pub running: Input,
}

pub(super) struct Runner {
    arguments: Arguments,
    inputs: mpsc::Sender<Input>,
    started: mpsc::Sender<Started>,
    session: Option<Session>,
    outbox: Option<mpsc::UnboundedSender<Effect>>,
    /// By number; those that ended are let go of when the next begins.
    transfers: HashMap<u64, AbortHandle>,
}

impl Runner {
    pub fn new(arguments: Arguments) -> (Self, mpsc::Receiver<Input>, mpsc::Receiver<Started>) {
        let (inputs, taken) = mpsc::channel(INPUTS_MAX);
        let (started, begun) = mpsc::channel(1);
        (Self { arguments, inputs, started, session: None, outbox: None, transfers: HashMap::new() }, taken, begun)
    }

    /// Goes on as the device in the folder.
    pub fn resume(&mut self, folder: &Path) {
        let (arguments, folder, inputs, started) =
            (self.arguments.clone(), folder.to_owned(), self.inputs.clone(), self.started.clone());
        tokio::spawn(async move {
            match way_in::resume(&arguments, &folder) {
                Ok((session, events)) => begin(session, events, &started).await,
                Err(e) => drop(inputs.send(Input::Entered(Err(e))).await),
            }
        });
    }

    /// What is to be sent goes to this session from now on.
    pub fn follow(&mut self, session: Session) {
        let (outbox, mut queue) = mpsc::unbounded_channel();
        let (sending, inputs) = (session.clone(), self.inputs.clone());
        tokio::spawn(async move {
            while let Some(effect) = queue.recv().await {
                send(&sending, &inputs, effect).await;
            }
        });
        (self.session, self.outbox) = (Some(session), Some(outbox));
    }

    pub async fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Quit => {}
            Effect::Enter(filled) => {
                self.end_session().await;
                let (arguments, inputs, started) = (self.arguments.clone(), self.inputs.clone(), self.started.clone());
                tokio::spawn(async move {
                    match way_in::enter(arguments, *filled, &inputs).await {
                        Ok((session, events, codes)) => {
                            let _ = inputs.send(Input::Entered(Ok(codes))).await;
                            begin(session, events, &started).await;
                        }
                        Err(e) => drop(inputs.send(Input::Entered(Err(e))).await),
                    }
                });
            }
            Effect::Send { .. }
            | Effect::Edit { .. }
            | Effect::Recall { .. }
            | Effect::Act { .. }
            | Effect::CreateGroup { .. }
            | Effect::JoinGroup { .. }
            | Effect::DecideInvitation { .. } => {
                if let Some(outbox) = &self.outbox {
                    let _ = outbox.send(effect);
                }
            }
            Effect::Upload { local, conversation, paths, caption, unchanged } => {
                if let Some(session) = self.session.clone() {
                    let what = (paths, caption, unchanged);
                    self.begin_transfer(local, transfer::upload(session, self.inputs.clone(), local, conversation, what));
                }
            }
            Effect::Download { local, conversation, sequence, files, folder } => {
                if let Some(session) = self.session.clone() {
                    let from = (conversation, sequence);
                    self.begin_transfer(local, transfer::download(session, self.inputs.clone(), local, from, files, folder));
                }
            }
            Effect::Stop { local } => {
                if let Some(task) = self.transfers.remove(&local) {
                    task.abort();
                }
            }
            effect => {
                if let Some(session) = self.session.clone() {
                    let inputs = self.inputs.clone();
                    tokio::spawn(async move {
                        if let Some(answer) = ask(&session, effect).await {
                            let _ = inputs.send(answer).await;
                        }
                    });
                }
            }
        }
    }

    fn begin_transfer(&mut self, local: u64, transfer: impl Future<Output = ()> + Send + 'static) {
        self.transfers.retain(|_, task| !task.is_finished());
        self.transfers.insert(local, tokio::spawn(transfer).abort_handle());
    }

    async fn end_session(&mut self) {
        self.transfers.drain().for_each(|(_, task)| task.abort());
        self.outbox = None;
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// Ends the session; what was accepted stays in the folder.
    pub async fn close(mut self) {
        self.end_session().await;
    }
}

async fn begin(session: Session, events: Events, started: &mpsc::Sender<Started>) {
    let conversations = session.conversations().await.unwrap_or_default();
    let outbox = session.outbox().await.unwrap_or_default();
    let running = Input::Running { user: session.user().to_owned(), conversations, outbox };
    let _ = started.send(Started { session, events, running }).await;
}

async fn send(session: &Session, inputs: &mpsc::Sender<Input>, effect: Effect) {
    let (local, result) = match effect {
        Effect::Send { local, conversation, content, reply_to, reply_sequence } if reply_to.is_empty() => {
            (local, session.send_in_group(conversation, content, reply_sequence).await)
        }
        Effect::Send { local, conversation, content, reply_to, .. } => {
            (local, session.send(conversation, content, reply_to).await)
        }
        Effect::Act { local, conversation, act } => (local, session.act(conversation, *act).await),
        Effect::CreateGroup { local, name, members } => (local, session.create_group(&name, &members).await),
        Effect::JoinGroup { local, link, word } => (local, session.join_group(&link, &word).await),
        Effect::DecideInvitation { local, group, accept } => (local, session.decide_group_invitation(&group, accept).await),
        Effect::Edit { local, conversation, sequence, content } => (local, session.edit(conversation, sequence, content).await),
        Effect::Recall { local, conversation, sequence } => (local, session.recall(conversation, sequence).await),
        _ => return,
    };
    let _ = inputs.send(Input::Accepted { local, result }).await;
}

async fn ask(session: &Session, effect: Effect) -> Option<Input> {
    match effect {
        Effect::Mark { conversation, read } => drop(session.mark(conversation, 0, read).await),
        Effect::Typing { conversation, typing } => drop(session.typing(conversation, typing).await),
        Effect::History { conversation, before } => {
            let result = session.history(conversation, before, 0, PAGE).await;
            return Some(Input::Page { conversation, result });
        }
        Effect::Members { conversation, asked, from } => {
            return Some(Input::Members { asked, result: session.members(conversation, from, 0, asked).await });
        }
        Effect::Links { conversation } => {
            return Some(Input::Links { conversation, result: session.group_links(conversation).await });
        }
        Effect::Pins { conversation } => return Some(Input::Pins(session.pins(conversation).await)),
        Effect::Readers { conversation, sequence } => {
            return Some(Input::Readers(session.readers(conversation, sequence).await));
        }
        Effect::Search(question) => return Some(Input::Found(session.search(*question).await)),
        Effect::Invitations => return Some(Input::Invitations(session.group_invitations().await)),
        Effect::SetConversation { conversation, muted_until_ms, mentions_only } => {
            return Some(Input::Done(session.set_conversation(conversation, muted_until_ms, mentions_only).await));
        }
        Effect::Later { conversation, content, after_ms } => {
            let at_ms = now_ms().saturating_add(after_ms);
            let message = ScheduleMessage { conversation, content, at_ms, key: new_key(), ..ScheduleMessage::default() };
            return Some(Input::Done(session.schedule_message(message).await.map(drop)));
        }
        Effect::Remind { conversation, sequence, note, after_ms } => {
            let at_ms = now_ms().saturating_add(after_ms);
            let reminder = SetReminder { number: 0, conversation, sequence, at_ms, note };
            return Some(Input::Done(session.set_reminder(reminder).await.map(drop)));
        }
        Effect::List { list, conversation } => {
            return Some(Input::Listed { list, result: listed(session, list, conversation).await });
        }
        Effect::Drop { list, number } => {
            let done = match list {
                List::Scheduled => session.cancel_scheduled(number).await,
                List::Reminders => session.end_reminder(number).await,
                List::Saved => session.remove_saved(number).await,
                List::Files => Ok(()),
            };
            return Some(match done {
                Ok(()) => Input::Listed { list, result: listed(session, list, 0).await },
                failed => Input::Done(failed),
            });
        }
        Effect::Keep { conversation, sequence, note } => {
            return Some(Input::Done(session.save_message(conversation, sequence, &note).await.map(drop)));
        }
        Effect::OpenMessage { conversation, sequence } => {
            return Some(Input::Done(session.open_message(conversation, sequence).await));
        }
        Effect::Open(user) => return Some(Input::Opened(session.open_conversation(&user).await)),
        Effect::Decide { conversation, accept } => return Some(Input::Done(session.decide_request(conversation, accept).await)),
        Effect::Block { user, blocked } => return Some(Input::Done(session.block(&user, blocked).await)),
        Effect::Invite => return Some(Input::Invited(session.make_invitation(1, INVITATION_VALID_MS, &[]).await)),
        Effect::SignOut => return Some(Input::Done(session.sign_out().await)),
        _ => {}
    }
    None
}

/// The first page of a list: of what is saved and of files the newest.
async fn listed(session: &Session, list: List, conversation: u64) -> Result<Vec<Listed>, ClientError> {
    let said = |message: Option<Message>| message.map(|m| (m.content, m.author)).unwrap_or_default();
    Ok(match list {
        List::Scheduled => {
            let entry = |s: Scheduled| Listed {
                number: s.number,
                at_ms: s.at_ms,
                content: s.content,
                failed: s.failed,
                ..Listed::default()
            };
            session.scheduled(0).await?.scheduled.into_iter().map(entry).collect()
        }
        List::Reminders => {
            let entry = |r: Reminder| {
                let (content, author) = said(r.message);
                Listed { number: r.number, at_ms: r.at_ms, content, author, note: r.note, ..Listed::default() }
            };
            session.reminders(0).await?.reminders.into_iter().map(entry).collect()
        }
        List::Saved => {
            let entry = |s: Saved| {
                let (content, author) = said(s.message);
                Listed { number: s.number, at_ms: s.saved_ms, content, author, note: s.note, state: s.state, ..Listed::default() }
            };
            session.saved(0, 0).await?.saved.into_iter().map(entry).collect()
        }
        List::Files => {
            let all = 1 | 2 | 4 | 8; // pictures, videos, voice, files
            let entry = |m: Message| Listed {
                number: m.sequence,
                at_ms: m.time_ms,
                content: m.content,
                author: m.author,
                ..Listed::default()
            };
            session.list_files(conversation, all, 0, 0).await?.messages.into_iter().map(entry).collect()
        }
    })
}
