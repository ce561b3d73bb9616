//! Somebody who looks at a conversation, page by page, from the newest to the oldest.

use anyhow::{Context as _, Result};
use bytes::Bytes;

use super::system::{Running, address, back_on_xmpp};
use crate::{
    client::{self, Server},
    peers::{DOMAIN, xmpp},
    workloads::setup,
};

/// Messages of a page that somebody looks at.
pub const SCREEN: usize = 50;

/// Signed in; the next page is older than the last.
pub enum Reader {
    /// On a node.
    Ours { client: Box<client::Client>, conversation: u64, before: u64 },
    /// On an XMPP server with an archive.
    Xmpp { client: Box<xmpp::Client>, with: String, before: Option<String> },
}

/// Where readers sign in.
#[derive(Clone)]
pub struct Place {
    server: Server,
    is_ours: bool,
}

impl Place {
    /// At this server.
    pub fn of(running: &Running) -> Result<Self> {
        Ok(Self { server: running.server()?, is_ours: matches!(running, Running::Startalk(..)) })
    }

    /// Person `number`, who reads what they and number `partner` wrote to each other: on a node, their only conversation.
    pub async fn reader(&self, number: usize, partner: usize) -> Result<Reader> {
        if !self.is_ours {
            let client = Box::new(back_on_xmpp(&self.server, number).await?);
            return Ok(Reader::Xmpp { client, with: address(partner, DOMAIN), before: None });
        }
        let mut client = Box::new(setup::resume(&self.server, number).await?);
        let pages = client.sync_from(Bytes::new()).await?;
        let conversation = pages.into_iter().flat_map(|p| p.conversations).find_map(|c| c.conversation);
        let conversation = conversation.context("a conversation with what was written")?.conversation;
        Ok(Reader::Ours { client, conversation, before: 0 })
    }

    /// A device of person `number` comes back: it is signed in and has what it missed.
    pub async fn come_back(&self, number: usize) -> Result<()> {
        if self.is_ours {
            setup::resume_and_sync(self.server.clone(), number).await.map(drop)
        } else {
            back_on_xmpp(&self.server, number).await.map(drop)
        }
    }
}

impl Reader {
    /// The next page is the newest.
    pub fn begin_again(&mut self) {
        match self {
            Self::Ours { before, .. } => *before = 0,
            Self::Xmpp { before, .. } => *before = None,
        }
    }

    /// How many messages the next page has. There must be one.
    pub async fn page(&mut self) -> Result<u64> {
        match self {
            Self::Ours { client, conversation, before } => {
                let page = client.history(*conversation, *before, 0, u32::try_from(SCREEN)?).await?;
                *before = page.messages.first().context("there is more in the conversation")?.sequence;
                Ok(page.messages.len() as u64)
            }
            Self::Xmpp { client, with, before } => {
                let page = client.page(with, None, before.as_deref(), SCREEN).await?;
                *before = Some(page.ends.context("there is more in the archive")?.0);
                Ok(page.bodies.len() as u64)
            }
        }
    }
}
