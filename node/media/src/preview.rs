//! Cards of links: what a page says of itself, with its picture, made when somebody is about to send the link.
//! FEATURES.md §5.4
//!
//! The node looks at the page, once, before the message is sent; the card then travels in the message, so that nobody who reads it
//! tells the page's server that they do. The picture is a file of the account that asked, like one that it uploaded.
//! Off by policy: asking makes this server open an address that a person chose.

use bytes::Bytes;
use serde::Serialize;
use startalk_outbound::{OutboundError, page::Page};
use startalk_protocol::{Code, Error};

use crate::{Description, FileShown, Media, NewUpload, PictureShown, Progress, Purpose, metadata};

/// What a page says of itself. An empty title: it says nothing, is none, or cannot be had; no card is made of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Card {
    /// As it was asked for: a page cannot put another address under its card.
    pub url: String,
    /// Plain text, one line.
    pub title: String,
    /// Plain text.
    pub description: String,
    /// The site's name, or its host.
    pub site: String,
    /// The picture's reduced copy; the account holds it.
    pub file: Option<FileShown>,
    /// Its measures and copies.
    pub picture: Option<PictureShown>,
}

impl Media {
    /// Looks at a page for this account.
    ///
    /// # Errors
    /// `not-allowed-here`: previews are off; `malformed`: this is no address of a page.
    pub async fn preview(&self, account: u64, url: &str) -> Result<Card, Error> {
        let is_on = self.ask(|ledger| Ok(ledger.makes_previews())).await?;
        let off = || Error::new(Code::NotAllowedHere).with("what", "link previews");
        let outbound = self.0.outbound.as_ref().filter(|_| is_on).ok_or_else(off)?;
        let page = match outbound.page(url).await {
            Ok(page) => page,
            Err(OutboundError::BadUrl) => return Err(Error::new(Code::Malformed).with("expected", "https://…")),
            Err(error) => {
                tracing::debug!(%error, "a page cannot be looked at");
                Page::default()
            }
        };
        let pictured = if page.title.is_empty() || page.picture.is_empty() { None } else { self.pictured(account, &page).await };
        let (file, picture) = pictured.map_or((None, None), |made| (Some(made.file), made.picture));
        Ok(Card { url: url.to_owned(), title: page.title, description: page.description, site: page.site, file, picture })
    }

    /// The page's picture, as the account's file; a card does without one that cannot be had.
    async fn pictured(&self, account: u64, page: &Page) -> Option<Description> {
        let outbound = self.0.outbound.as_ref()?;
        let bytes = outbound.picture(&page.picture).await.ok().filter(|bytes| !bytes.is_empty())?;
        let path = page.picture.split(['?', '#']).next().unwrap_or_default();
        let name = metadata::clean_name(path.rsplit('/').next().unwrap_or_default());
        self.bring(account, name, Purpose::Reduced, bytes)
            .await
            .inspect_err(|error| tracing::debug!(%error, "a page's picture is not shown"))
            .ok()
    }

    /// Takes bytes that the node has already, as if the account had uploaded them.
    async fn bring(&self, account: u64, name: String, purpose: Purpose, bytes: Bytes) -> Result<Description, Error> {
        let upload = self.begin(NewUpload { account, size: bytes.len() as u64, name, purpose }).await?;
        let received = async {
            let mut receiving = self.receive(account, &upload.id, 0).await?;
            receiving.write(bytes).await?;
            receiving.end().await?;
            match self.progress(account, &upload.id).await?.1 {
                Progress::Ready(description) => Ok(*description),
                Progress::Failed(error) => Err(error),
                Progress::Receiving | Progress::Working => Err(Code::Busy.into()),
            }
        };
        let received = received.await;
        // Nobody asks for this upload again; what it became stays the account's.
        let _ = self.terminate(account, &upload.id).await;
        received
    }
}
