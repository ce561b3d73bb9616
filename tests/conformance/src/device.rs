//! A client that speaks docs/client-protocol.md frame by frame, for what the SDK has no word for.
//!
//! Asks one thing at a time; what is pushed meanwhile is kept.

use anyhow::{Context as _, bail};
use bytes::{Bytes, BytesMut};
use startalk_client::JoinLink;
use startalk_hostile::connection::{Io, PATIENCE, tls};
use startalk_protocol::{
    framing,
    limits::CLIENT_FRAME_BYTES_MAX,
    pb::client::{
        self as pb, ClientFrame, Conversation, Message, ServerFrame, client_frame::Frame as Ask, server_frame::Frame as Answer,
    },
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{Ground, run::Skipped};

/// Registering; at a node of our own the operator adds them, as nobody may register dozens in a minute.
fn enter(g: &Ground, name: String) -> anyhow::Result<Ask> {
    let device_name = "conformance".to_owned();
    if let Some(own) = &g.own {
        let added = own.node.ask(&["user", "add", &name])?;
        let password = added["password"].as_str().context("a password")?.to_owned();
        return Ok(Ask::SignIn(pb::SignIn { name, password, device_name }));
    }
    let link: JoinLink = g.invitation.as_deref().context("a link that lets people in")?.parse().context("the link")?;
    let (password, invitation) = ("correct horse battery staple".to_owned(), link.invitation);
    Ok(Ask::Register(pb::Register { name, password, device_name, display_name: String::new(), invitation }))
}

/// A signed-in device of somebody new.
pub struct Device {
    /// `name@domain`.
    pub user: String,
    stream: Box<dyn Io>,
    buffer: BytesMut,
    next: u64,
    counter: u64,
}

impl Device {
    /// Of somebody new, whose name nobody has.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn new(g: &Ground) -> anyhow::Result<Self> {
        let stream = tls(&g.address, &g.domain, None, b"startalk/1").await?;
        let (stream, buffer) = (Box::new(stream), BytesMut::new());
        let mut device = Self { user: String::new(), stream, buffer, next: 0, counter: 0 };
        let hello = pb::Hello { version_min: 1, version_max: 1, client: "conformance".to_owned(), language: "en".to_owned() };
        device.done(Ask::Hello(hello)).await?;
        let name = format!("d{:016x}", u64::from_be_bytes(startalk_hostile::mallory::random()));
        match device.done(enter(g, name)?).await? {
            Answer::SignedIn(signed_in) => device.user = signed_in.user,
            other => bail!("expected to be signed in, heard {other:?}"),
        }
        Ok(device)
    }

    /// The name within the domain.
    pub fn name(&self) -> &str {
        self.user.split('@').next().unwrap_or_default()
    }

    /// The next number of a command.
    pub fn number(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    /// Asks, and hears the answer, which may be an error.
    ///
    /// # Errors
    /// If there is none.
    pub async fn ask(&mut self, frame: Ask) -> anyhow::Result<Answer> {
        self.next += 1;
        let id = self.next;
        let bytes = framing::encode(&ClientFrame { id, frame: Some(frame) });
        self.stream.write_all(&bytes).await?;
        self.stream.flush().await?;
        self.answer(id).await
    }

    /// Asks for what must be done.
    ///
    /// # Errors
    /// If it is not.
    pub async fn done(&mut self, frame: Ask) -> anyhow::Result<Answer> {
        match self.ask(frame).await? {
            Answer::Error(error) if error.code == "not-allowed-here" && error.params.is_empty() => {
                Err(Skipped("the node does not do that for its clients".to_owned()).into())
            }
            Answer::Error(error) => bail!("the node answers {error:?}"),
            answer => Ok(answer),
        }
    }

    async fn answer(&mut self, id: u64) -> anyhow::Result<Answer> {
        loop {
            if let Some(frame) = framing::take(&mut self.buffer, CLIENT_FRAME_BYTES_MAX)? {
                let ServerFrame { reply_to, frame } = framing::decode(frame, "frame")?;
                match frame.context("an empty frame")? {
                    Answer::Close(close) => bail!("the node closed with {close:?}"),
                    frame if reply_to == id => return Ok(frame),
                    _ => continue,
                }
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
            if read.context("the node does not answer")?? == 0 {
                bail!("the node closed the connection");
            }
        }
    }

    /// All conversations, as they are now.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn conversations(&mut self) -> anyhow::Result<Vec<Conversation>> {
        let mut page = self.done(Ask::Sync(pb::Sync { cursor: Bytes::new() })).await?;
        let mut all = Vec::new();
        loop {
            let Answer::SyncPage(pb::SyncPage { conversations, last, .. }) = page else { bail!("expected a page of a sync") };
            all.extend(conversations.into_iter().filter_map(|c| c.conversation));
            if last {
                return Ok(all);
            }
            page = self.answer(self.next).await?;
        }
    }

    /// The conversation that is this group.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn group(&mut self, id: &str) -> anyhow::Result<Option<Conversation>> {
        Ok(self.conversations().await?.into_iter().find(|c| c.group.as_ref().is_some_and(|g| g.group == id)))
    }

    /// The newest messages of a conversation.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn history(&mut self, conversation: u64) -> anyhow::Result<Vec<Message>> {
        match self.done(Ask::History(pb::History { conversation, before: 0, after: 0, limit: 200 })).await? {
            Answer::Page(page) => Ok(page.messages),
            other => bail!("expected a page, heard {other:?}"),
        }
    }

    /// What they say.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn words(&mut self, conversation: u64) -> anyhow::Result<Vec<String>> {
        let all = self.history(conversation).await?;
        Ok(all.iter().filter(|m| m.id.len() == 16).map(crate::witness::words).collect())
    }
}
