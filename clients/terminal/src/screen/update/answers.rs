//! Answers to what was asked.

use startalk_client::{
    ClientError, Code, DialError, Language, Outgoing, State, steps_in_words,
    wire_types::{Conversation, Invitation, Message},
};

use crate::screen::{
    app::{App, Dialog, Effect, Focus, Input, Mode},
    form::Step,
    group::Sheet,
    time::Moment,
    words::Word,
};

impl App {
    /// An answer came.
    pub(in crate::screen) fn on_answer(&mut self, input: Input) -> Vec<Effect> {
        match input {
            Input::Connected => {
                let words = self.word(Word::Entering).to_owned();
                if let Mode::Form(form) = &mut self.mode {
                    form.steps.push(Step::Doing(words));
                }
            }
            Input::Entered(result) => self.on_entered(result),
            Input::Running { user, conversations, outbox } => return self.on_running(user, conversations, outbox),
            Input::Accepted { local, result } => self.on_accepted(local, result),
            Input::Page { conversation, result } => {
                let chat = self.entry(conversation);
                chat.loading = false;
                match result {
                    Ok(page) => {
                        chat.page(page);
                        return self.nearer(conversation).into_iter().collect();
                    }
                    Err(e) => {
                        chat.wanted = None;
                        self.fault(&e);
                    }
                }
            }
            Input::Moved { local, name, up, done, waiting } => self.on_moved(local, &name, up, done, waiting),
            Input::Uploaded { local, conversation, result } => return self.on_uploaded(local, conversation, result),
            Input::FileSaved { local, result } => self.on_saved(local, result),
            Input::TransferEnded { local } => drop(self.transfers.remove(&local)),
            Input::Found(result) => return self.on_found(result),
            Input::Opened(Ok(info)) => {
                let conversation = info.conversation;
                self.entry(conversation).describe(info);
                return self.open_chat(conversation);
            }
            Input::Invited(Ok(invitation)) => {
                let until = Moment::of(invitation.not_after_ms, self.offset_seconds);
                let until = format!("{} {}", until.calendar(), until.clock());
                self.dialog = Some(Dialog::Text(self.with(Word::Invitation, &[&until, &invitation.link])));
            }
            Input::Members { asked, result: Ok(members) } => return self.on_members(members, asked),
            Input::Links { conversation, result: Ok(links) } => {
                if let Some(Dialog::Group(Sheet::Panel(panel))) = &mut self.dialog
                    && panel.conversation == conversation
                {
                    panel.links = links;
                }
            }
            Input::Pins(Ok(messages)) => {
                let pin = |m: &Message| format!("{}: {}", self.called(&m.author), self.plain(m).replace('\n', " "));
                let all: Vec<String> = messages.iter().map(pin).collect();
                let words = if all.is_empty() { self.word(Word::NoPins).to_owned() } else { all.join("\n") };
                self.dialog = Some(Dialog::Text(words));
            }
            Input::Readers(Ok(readers)) => {
                let names: Vec<String> = readers.users.iter().map(|u| self.called(u)).collect();
                let counts = [readers.count.to_string(), readers.of.to_string(), names.join(", ")];
                let words = self.with(Word::ReadBy, &[&counts[0], &counts[1], &counts[2]]);
                self.dialog = Some(Dialog::Text(words));
            }
            Input::Listed { list, result: Ok(entries) } => self.on_listed(list, &entries),
            Input::Listed { result: Err(e), .. } => self.fault(&e),
            Input::Invitations(Ok(invitations)) => self.invitations = invitations,
            // Of a group that one is not in any more there is nothing to be learnt.
            Input::Members { result: Err(ClientError::Refused(e)), .. }
            | Input::Links { result: Err(ClientError::Refused(e)), .. }
                if e.code == Code::NotMember => {}
            Input::Members { result: Err(e), .. } | Input::Links { result: Err(e), .. } => self.fault(&e),
            Input::Pins(Err(e)) | Input::Readers(Err(e)) | Input::Invitations(Err(e)) => self.fault(&e),
            Input::Opened(Err(e)) | Input::Invited(Err(e)) | Input::Done(Err(e)) => self.fault(&e),
            _ => {}
        }
        Vec::new()
    }

    /// A link into a group, to be copied or photographed.
    pub(super) fn show_link(&mut self, invitation: &Invitation) {
        let until = match invitation.not_after_ms {
            0 => self.word(Word::ForEver).to_owned(),
            ms => {
                let until = Moment::of(ms, self.offset_seconds);
                format!("{} {}", until.calendar(), until.clock())
            }
        };
        let words = self.with(Word::GroupLinkText, &[&until, &invitation.link]);
        let picture = qrcode::QrCode::with_error_correction_level(invitation.link.as_bytes(), qrcode::EcLevel::L);
        let picture = picture.map(|code| code.render::<qrcode::render::unicode::Dense1x2>().quiet_zone(true).build());
        let rows = picture.map(|p| p.lines().map(str::to_owned).collect()).unwrap_or_default();
        self.dialog = Some(Dialog::Group(Sheet::Link(words, rows)));
    }

    fn fault(&mut self, error: &ClientError) {
        self.say(error.words(self.language));
    }

    fn on_entered(&mut self, result: Result<Vec<String>, ClientError>) {
        let language = self.language;
        match result {
            Ok(codes) if codes.is_empty() => self.mode = Mode::Chats,
            Ok(codes) => self.mode = Mode::Codes(codes),
            Err(e) => {
                if let Mode::Form(form) = &mut self.mode {
                    form.busy = false;
                    form.steps.push(Step::Failed(reasons(&e, language)));
                }
            }
        }
    }

    fn on_running(&mut self, user: String, conversations: Vec<Conversation>, outbox: Vec<Outgoing>) -> Vec<Effect> {
        self.me = user;
        self.state = State::Connecting;
        if !matches!(self.mode, Mode::Codes(_)) {
            self.mode = Mode::Chats;
        }
        self.focus = Focus::List;
        for info in conversations {
            self.entry(info.conversation).describe(info);
        }
        for outgoing in outbox {
            let by_peer =
                self.chats.values().find(|c| !outgoing.to.is_empty() && c.peer() == outgoing.to).map(|c| c.info.conversation);
            if let Some(conversation) = by_peer.or(Some(outgoing.conversation).filter(|c| *c != 0)) {
                let local = self.local();
                self.entry(conversation).left(outgoing, local);
            }
        }
        Vec::new()
    }

    fn on_accepted(&mut self, local: u64, result: Result<u64, ClientError>) {
        match result {
            Ok(counter) => {
                let mine = self.chats.values_mut().find(|c| c.mine.iter().any(|m| m.local == local));
                match mine {
                    Some(chat) => chat.accepted(local, counter),
                    None => drop(self.changes.insert(counter, local)),
                }
                if let Some(event) = self.early.remove(&counter) {
                    self.on_outcome(event);
                }
            }
            Err(e) => {
                let mine = self.chats.values_mut().flat_map(|c| c.mine.iter_mut()).find(|m| m.local == local);
                match mine {
                    Some(mine) => mine.failed = Some((e, false)),
                    None => self.fault(&e),
                }
            }
        }
    }
}

/// Why one did not get in: each step of discovery in a line of its own.
fn reasons(error: &ClientError, language: Language) -> Vec<String> {
    match error {
        ClientError::Dial(dial @ DialError::NotFound(steps)) if !steps.is_empty() => {
            let title = dial.words(language);
            let title = title.split([':', '：']).next().unwrap_or_default().to_owned();
            let steps = steps.iter().map(|s| format!("  · {}", steps_in_words(std::slice::from_ref(s), language)));
            std::iter::once(title).chain(steps).collect()
        }
        other => vec![other.words(language)],
    }
}
