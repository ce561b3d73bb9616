//! Carrying commands out.
//!
//! What changes who one is, and what is to be sent, is carried out before the next line is read; the rest beside it.

use serde_json::{Value, json};
use startalk_client::{Client as Connection, ClientError, Home, JoinLink, Session, Target, content, wire_types::NotifySettings};

use super::{Answer, Client, Command, files, groups, kinds, later, own, search, shape};

impl Client<'_> {
    /// Goes on as the device in the folder, if there is one.
    pub async fn resume(&mut self) -> Result<(), ClientError> {
        let store = self.arguments.store()?;
        let Some(account) = store.account() else { return Ok(()) };
        let home = self.arguments.home_of(&account.user)?;
        let (session, events) = Session::resume(self.arguments.options(home), store)?;
        let resumed =
            json!({ "event": "resumed", "user": account.user, "device": account.device, "administrator": account.administrator });
        self.output.write(format!("{resumed}\n")).await.map_err(|_| ClientError::Ended)?;
        self.follow(session, events);
        Ok(())
    }

    /// Carries one command out, or begins to.
    pub async fn carry_out(&mut self, id: Value, command: Command) -> anyhow::Result<()> {
        match command {
            Command::SignIn { user, password, device_name } => {
                let answer = self.sign_in(&user, &password, &device_name).await;
                self.output.write(Answer::from(answer).line(&id)).await
            }
            Command::Register { user, password, display_name, link, invitation, device_name } => {
                let answer = self.register(&user, &password, &display_name, &link, invitation, &device_name).await;
                self.output.write(Answer::from(answer).line(&id)).await
            }
            Command::Recover { user, code, new_password, device_name } => {
                let answer = self.recover(&user, &code, &new_password, &device_name).await;
                self.output.write(Answer::from(answer).line(&id)).await
            }
            Command::Status {} => self.output.write(Answer::ok(self.status()).line(&id)).await,
            command => match self.session.clone() {
                None => {
                    self.output
                        .write(Answer::from(ClientError::Refused(startalk_client::Code::NotSignedIn.into())).line(&id))
                        .await
                }
                Some(session) => self.in_session(session, id, command).await,
            },
        }
    }

    fn status(&self) -> Value {
        let Some(session) = &self.session else { return json!({ "signed_in": false, "pending": 0, "synced": false }) };
        let status = session.status();
        let mut value = shape::state(&status.state);
        value["signed_in"] = (!status.ended).into();
        value["user"] = session.user().into();
        value["device"] = session.device().into();
        value["pending"] = status.pending.into();
        value["synced"] = status.synced.into();
        value["server"] = status.welcome.as_ref().map_or(Value::Null, |w| shape::welcome(w));
        value
    }

    async fn connect(&mut self, home: Home) -> Result<Connection, ClientError> {
        if self.session.as_ref().is_some_and(|s| !s.status().ended) {
            let error = startalk_client::Error::new(startalk_client::Code::NotAllowedHere).with("what", "signing in twice");
            return Err(error.into());
        }
        self.session = None;
        Connection::connect(self.arguments.options(home), self.arguments.store()?).await
    }

    async fn sign_in(&mut self, user: &str, password: &str, device_name: &str) -> Result<Value, ClientError> {
        let mut connection = self.connect(self.arguments.home_of(user)?).await?;
        connection.sign_in(user, password, device_name).await?;
        self.begin(connection, Vec::new())
    }

    async fn register(
        &mut self,
        user: &str,
        password: &str,
        display_name: &str,
        link: &str,
        invitation: String,
        device_name: &str,
    ) -> Result<Value, ClientError> {
        let (home, invitation) = if link.is_empty() {
            (self.arguments.home_of(user)?, invitation)
        } else {
            let link: JoinLink = link.parse()?;
            (self.arguments.home_of_link(&link), link.invitation)
        };
        let mut connection = self.connect(home).await?;
        let recovery = connection.register(user, password, display_name, &invitation, device_name).await?;
        self.begin(connection, recovery.codes)
    }

    async fn recover(&mut self, user: &str, code: &str, new_password: &str, device_name: &str) -> Result<Value, ClientError> {
        let mut connection = self.connect(self.arguments.home_of(user)?).await?;
        let recovery = connection.recover(user, code, new_password, device_name).await?;
        self.begin(connection, recovery.codes)
    }

    fn begin(&mut self, connection: Connection, recovery_codes: Vec<String>) -> Result<Value, ClientError> {
        let welcome = shape::welcome(connection.welcome());
        let administrator = connection.account().is_some_and(|a| a.administrator);
        let (session, events) = connection.start()?;
        let (user, device) = (session.user().to_owned(), session.device());
        self.follow(session, events);
        Ok(json!({
            "user": user,
            "device": device,
            "administrator": administrator,
            "recovery_codes": recovery_codes,
            "server": welcome,
        }))
    }

    async fn in_session(&mut self, session: Session, id: Value, command: Command) -> anyhow::Result<()> {
        match command {
            command @ (Command::Send { .. } | Command::Edit { .. } | Command::Recall { .. }) => {
                self.numbers.lock().await.in_flight = true;
                let (accepted, wait) = accept(&session, command).await;
                self.accepted(id, accepted, wait).await
            }
            Command::Upload { .. } | Command::Download { .. } => {
                self.transfers.begin(session, id, command, self.output.clone()).await
            }
            Command::StopTransfer { transfer, forget } => {
                let (output, transfers) = (self.output.clone(), self.transfers.clone());
                tokio::spawn(async move {
                    let answer = Answer::from(transfers.stop(&transfer, forget).await);
                    let _ = output.write(answer.line(&id)).await;
                });
                Ok(())
            }
            Command::Forward { ref to, conversation, wait, .. } | Command::ForwardMerged { ref to, conversation, wait, .. } => {
                // Fetched before anything is marked as under way: outcomes of others do not wait for it.
                match files::said_again(&session, &command).await {
                    Err(e) => self.output.write(Answer::from(e).line(&id)).await,
                    Ok(content) => {
                        self.numbers.lock().await.in_flight = true;
                        let accepted = match target(to, conversation, &session) {
                            Ok(target) => session.send(target, content, bytes::Bytes::new()).await,
                            Err(e) => Err(e),
                        };
                        self.accepted(id, accepted, wait).await
                    }
                }
            }
            command if command.is_numbered() => {
                self.numbers.lock().await.in_flight = true;
                match groups::accept(&session, command).await {
                    Ok((accepted, wait)) => self.accepted(id, accepted, wait).await,
                    Err(_) => self.accepted(id, Err(ClientError::Input("a command of a group".to_owned())), false).await,
                }
            }
            command => {
                let (output, asking) = (self.output.clone(), ask(session, command));
                tokio::spawn(async move {
                    let answer = Answer::from(asking.await);
                    let _ = output.write(answer.line(&id)).await;
                });
                Ok(())
            }
        }
    }

    /// Answers a command that was (or was not) accepted to be sent.
    async fn accepted(&self, id: Value, accepted: Result<u64, ClientError>, wait: bool) -> anyhow::Result<()> {
        // Under one lock with the events, so that the answer is written before what became of it.
        let mut numbers = self.numbers.lock().await;
        let line = match accepted {
            Err(e) => Answer::from(e).line(&id) + &numbers.accepted(None),
            Ok(counter) => {
                let answer = if wait { String::new() } else { Answer::ok(json!({ "counter": counter })).line(&id) };
                answer + &numbers.accepted(Some((counter, &id, wait)))
            }
        };
        self.output.write(line).await
    }
}

/// Has the session accept a command; also whether its answer is what became of it.
async fn accept(session: &Session, command: Command) -> (Result<u64, ClientError>, bool) {
    match command {
        Command::Send { to, conversation, text, code, language, reply_to, reply_sequence, mentions, content, burn_s, wait } => {
            let accepted = async {
                let content = match (text, mentions.is_empty()) {
                    (Some(text), false) if code.is_none() && content.is_none() => {
                        content::text_with_mentions(&text, &mentions.into_iter().collect::<Vec<_>>())
                    }
                    (text, _) => content_of(text, code, &language, content)?,
                };
                let content = content::burning(&content, burn_s);
                let reply_to = unhex(&reply_to)?;
                if reply_sequence != 0 {
                    return match (to.is_empty(), conversation, reply_to.is_empty()) {
                        (true, 1.., true) => session.send_in_group(conversation, content, reply_sequence).await,
                        _ => Err(ClientError::Input("`reply_sequence` with `conversation` alone".to_owned())),
                    };
                }
                session.send(target(&to, conversation, session)?, content, reply_to).await
            };
            (accepted.await, wait)
        }
        Command::Edit { conversation, sequence, text, code, language, content, burn_s, wait } => {
            match content_of(text, code, &language, content) {
                Ok(content) => (session.edit(conversation, sequence, content::burning(&content, burn_s)).await, wait),
                Err(e) => (Err(e), wait),
            }
        }
        Command::Recall { conversation, sequence, wait } => (session.recall(conversation, sequence).await, wait),
        _ => (Err(ClientError::Input("send, edit or recall".to_owned())), false),
    }
}

pub(super) fn content_of(
    text: Option<String>,
    code: Option<String>,
    language: &str,
    said: Option<Box<kinds::Said>>,
) -> Result<bytes::Bytes, ClientError> {
    match (text, code, said) {
        (Some(text), None, None) => Ok(content::text(&text)),
        (None, Some(code), None) => Ok(content::code(language, &code)),
        (None, None, Some(said)) => said.content(),
        _ => Err(ClientError::Input("one of `text`, `code` and `content`".to_owned())),
    }
}

/// Where a message is to go.
fn target(to: &str, conversation: u64, session: &Session) -> Result<Target, ClientError> {
    match (to.is_empty(), conversation) {
        (false, 0) => Ok(Target::User(user_of(to, session)?)),
        (true, 1..) => Ok(Target::Conversation(conversation)),
        _ => Err(ClientError::Input("either `to` or `conversation`".to_owned())),
    }
}

/// A user's id; of the own domain if it names none.
pub(super) fn user_of(text: &str, session: &Session) -> Result<startalk_client::UserId, ClientError> {
    let domain = session.user().split_once('@').map_or("", |(_, domain)| domain);
    let whole = if text.contains('@') { text.to_owned() } else { format!("{text}@{domain}") };
    whole.parse().map_err(|_| ClientError::Input("name@domain".to_owned()))
}

pub(super) fn unhex(text: &str) -> Result<bytes::Bytes, ClientError> {
    let bad = || ClientError::Input("a message's id of 32 hex digits".to_owned());
    match text.len() {
        0 => Ok(bytes::Bytes::new()),
        32 if text.is_ascii() => {
            let byte = |i: usize| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|_| bad());
            (0..16).map(byte).collect::<Result<Vec<u8>, _>>().map(Into::into)
        }
        _ => Err(bad()),
    }
}

async fn ask(session: Session, command: Command) -> Result<Value, ClientError> {
    if let Some(answer) = own::carry_out(&session, &command).await {
        return answer;
    }
    if let Some(answer) = later::carry_out(&session, &command).await {
        return answer;
    }
    let done = |()| json!({});
    let list = |name: &str, values: Vec<Value>| json!({ name: values });
    match command {
        Command::SignOut {} => session.sign_out().await.map(done),
        Command::Mark { conversation, delivered, read } => session.mark(conversation, delivered, read).await.map(done),
        Command::History { conversation, before, after, limit } => {
            session.history(conversation, before, after, limit).await.map(|p| shape::page(&p))
        }
        Command::Conversations {} => {
            session.conversations().await.map(|all| list("conversations", all.iter().map(shape::conversation).collect()))
        }
        Command::Requests {} => session
            .conversations()
            .await
            .map(|all| list("requests", all.iter().filter(|c| c.request).map(shape::conversation).collect())),
        Command::Accept { conversation } => session.decide_request(conversation, true).await.map(done),
        Command::Refuse { conversation } => session.decide_request(conversation, false).await.map(done),
        Command::OpenConversation { user } => {
            let user = user_of(&user, &session)?;
            session.open_conversation(&user).await.map(|c| shape::conversation(&c))
        }
        Command::Block { user } => session.block(&user, true).await.map(done),
        Command::Unblock { user } => session.block(&user, false).await.map(done),
        Command::Blocked {} => session.blocked().await.map(|users| json!({ "users": users })),
        Command::Devices {} => session.devices().await.map(|all| list("devices", all.iter().map(shape::device).collect())),
        Command::RevokeDevice { device } => session.revoke_device(device).await.map(done),
        Command::ChangePassword { old_password, new_password } => {
            session.change_password(&old_password, &new_password).await.map(done)
        }
        Command::NewRecoveryCodes { password } => {
            session.new_recovery_codes(&password).await.map(|codes| json!({ "recovery_codes": codes }))
        }
        Command::Profile { user } => {
            let user = if user.is_empty() { session.user().to_owned() } else { user };
            session.profile(&user).await.map(|p| shape::profile(&p))
        }
        Command::SetProfile { display_name, avatar, signature } => {
            session.set_profile(&display_name, &avatar, &signature).await.map(done)
        }
        Command::MakeInvitation { uses, valid_ms, groups } => session
            .make_invitation(uses, valid_ms, &groups)
            .await
            .map(|i| json!({ "link": i.link, "not_after_ms": i.not_after_ms, "uses": i.uses })),
        Command::DeleteAccount { password, erase_messages } => session.delete_account(&password, erase_messages).await.map(done),
        Command::Typing { conversation, typing } => session.typing(conversation, typing).await.map(done),
        Command::SetPresence { state } => session.set_presence(&state).await.map(done),
        Command::Outbox {} => session.outbox().await.map(|all| list("outbox", all.iter().map(shape::outgoing).collect())),
        Command::GroupInvitations {} => {
            session.group_invitations().await.map(|all| list("invitations", all.iter().map(shape::group_invitation).collect()))
        }
        Command::Members { conversation, from, limit, asked } => {
            session.members(conversation, from, limit, asked).await.map(|m| shape::members(&m))
        }
        Command::Pins { conversation } => {
            session.pins(conversation).await.map(|all| list("messages", all.iter().map(shape::message).collect()))
        }
        Command::GroupLinks { conversation } => {
            session.group_links(conversation).await.map(|all| list("links", all.iter().map(shape::group_link).collect()))
        }
        Command::Readers { conversation, sequence } => {
            session.readers(conversation, sequence).await.map(|r| json!({ "count": r.count, "of": r.of, "users": r.users }))
        }
        Command::Search(question) => session.search(question).await.map(|f| search::found(&f)),
        Command::SetConversation { conversation, muted_until_ms, mentions_only } => {
            session.set_conversation(conversation, muted_until_ms, mentions_only).await.map(done)
        }
        Command::SubscribePush { endpoint, p256dh, auth } => {
            let bytes = |text: &str| {
                let text = text.trim_end_matches('=').as_bytes();
                data_encoding::BASE64URL_NOPAD.decode(text).map_err(|_| ClientError::Input("keys in base64url".to_owned()))
            };
            let (p256dh, auth) = (bytes(&p256dh)?, bytes(&auth)?);
            session.subscribe_push(&endpoint, p256dh.into(), auth.into()).await.map(done)
        }
        Command::UnsubscribePush {} => session.unsubscribe_push().await.map(done),
        Command::Notify {} => session.notify().await.map(|n| shape::notify(&n)),
        Command::SetNotify { hidden, quiet, quiet_from_min, quiet_until_min, offset_min, quiet_calls, keywords } => {
            let settings = NotifySettings { hidden, quiet, quiet_from_min, quiet_until_min, offset_min, quiet_calls, keywords };
            session.set_notify(settings).await.map(done)
        }
        Command::ListFiles { conversation, kinds, before, limit } => {
            let list = session.list_files(conversation, files::kinds_asked(&kinds)?, before, limit).await?;
            let messages: Vec<Value> = list.messages.iter().map(shape::message).collect();
            Ok(json!({ "conversation": list.conversation, "messages": messages, "whole": list.whole }))
        }
        Command::Storage {} => {
            session.storage().await.map(|s| json!({ "files": s.files, "bytes": s.bytes, "bytes_max": s.bytes_max }))
        }
        Command::WaitSynced {} => {
            session.synced().await;
            Ok(json!({}))
        }
        Command::WaitSent {} => {
            session.drained().await;
            Ok(json!({ "pending": session.status().pending }))
        }
        _ => Err(ClientError::Input("a command of a session".to_owned())),
    }
}
