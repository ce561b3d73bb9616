//! A person of the node under test: what it shows to its people is seen through the SDK, as any client sees it.
//!
//! Decides nothing by itself: requests stay requests until a case accepts them.

use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use bytes::Bytes;
use startalk_client::{
    Client, Event, JoinLink, Language, MemoryStore, Options, Session, UserId, content,
    wire_types::{Conversation, Message},
};
use startalk_e2e::until;

/// Everybody's.
const PASSWORD: &str = "correct horse battery staple";

/// A signed-in person.
pub struct Witness {
    /// Who.
    pub user: UserId,
    /// To act.
    pub session: Session,
    heard: Arc<Mutex<Vec<Event>>>,
}

impl Witness {
    /// Registers with a link.
    ///
    /// # Errors
    /// The step that failed.
    pub async fn register(link: &str, name: &str) -> anyhow::Result<Self> {
        let link: JoinLink = link.parse().context("the link")?;
        let mut options = Options::new(link.home());
        options.timeout = std::time::Duration::from_secs(30);
        let mut client = Client::connect(options, Box::new(MemoryStore::default())).await?;
        client.register(name, PASSWORD, name, &link.invitation, "conformance").await?;
        let (session, mut events) = client.start()?;
        let heard = Arc::<Mutex<Vec<Event>>>::default();
        let kept = heard.clone();
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                kept.lock().expect("nobody panics with it").push(event);
            }
        });
        let user = session.user().parse().context("the user's name")?;
        Ok(Self { user, session, heard })
    }

    /// Its name within the domain.
    pub fn name(&self) -> &str {
        self.user.name.as_str()
    }

    /// What was heard.
    ///
    /// # Panics
    /// If somebody panicked with it.
    pub fn heard<T>(&self, look: impl Fn(&Event) -> Option<T>) -> Vec<T> {
        self.heard.lock().expect("nobody panics with it").iter().filter_map(look).collect()
    }

    /// Waits until something was heard.
    ///
    /// # Errors
    /// If it is not.
    pub async fn hears<T>(&self, what: &str, look: impl Fn(&Event) -> Option<T>) -> anyhow::Result<T> {
        until(what, || std::future::ready((!self.heard(&look).is_empty(), 0))).await?;
        self.heard(&look).into_iter().next().context("just heard")
    }

    /// The conversation with somebody, as last heard.
    ///
    /// # Errors
    /// If the session is over.
    pub async fn conversation(&self, with: &str) -> anyhow::Result<Option<Conversation>> {
        let all = self.session.conversations().await?;
        Ok(all.into_iter().find(|c| c.peer.as_ref().is_some_and(|p| p.user == with)))
    }

    /// The conversation with somebody, as soon as it is told.
    ///
    /// # Errors
    /// If it is not.
    pub async fn conversation_told(&self, with: &str) -> anyhow::Result<Conversation> {
        until(&format!("a conversation with {with}"), || async { (self.conversation(with).await.is_ok_and(|c| c.is_some()), 0) })
            .await?;
        self.conversation(with).await?.context("just told")
    }

    /// Everything in the conversation with somebody, as the node has it; nothing where there is no conversation.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn messages(&self, with: &str) -> anyhow::Result<Vec<Message>> {
        match self.conversation(with).await? {
            None => Ok(Vec::new()),
            Some(c) => Ok(self.session.history(c.conversation, 0, 0, 200).await?.messages),
        }
    }

    /// The words of everything in the conversation with somebody.
    ///
    /// # Errors
    /// If the node does not tell.
    pub async fn words(&self, with: &str) -> anyhow::Result<Vec<String>> {
        Ok(self.messages(with).await?.iter().map(words).collect())
    }

    /// Waits until somebody's request is there, and accepts it. The number of the conversation.
    ///
    /// # Errors
    /// If there is none.
    pub async fn accepts(&self, with: &str) -> anyhow::Result<u64> {
        let conversation = self.conversation_told(with).await?.conversation;
        self.session.decide_request(conversation, true).await?;
        Ok(conversation)
    }

    /// Says something to somebody; returns when the node has taken it.
    ///
    /// # Errors
    /// If it does not.
    pub async fn says(&self, to: &str, words: &str) -> anyhow::Result<(u64, u64)> {
        let counter = self.session.send(to.parse::<UserId>()?, content::text(words), Bytes::new()).await?;
        let taken = |event: &Event| match event {
            Event::Sent { counter: c, conversation, sequence, .. } if *c == counter => Some(Ok((*conversation, *sequence))),
            Event::Failed { counter: c, error, .. } if *c == counter => Some(Err(error.clone())),
            _ => None,
        };
        Ok(self.hears("the node to take a message", taken).await??)
    }
}

/// What a message says.
pub fn words(message: &Message) -> String {
    content::show(&message.content, Language::English).plain().to_owned()
}
