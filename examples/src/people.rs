//! A person who registers by a link and then sends and hears.

use anyhow::Context as _;
use startalk_client::{Client, Events, JoinLink, MemoryStore, Options, Session};

/// Registers `name` with a one-time link.
///
/// # Errors
/// The step that failed.
pub async fn register(link: &str, name: &str) -> anyhow::Result<(Session, Events)> {
    let link: JoinLink = link.parse().context("the link")?;
    let mut options = Options::new(link.home());
    options.backoff.max = std::time::Duration::from_secs(2); // a restarted node is back soon
    let mut client = Client::connect(options, Box::new(MemoryStore::default())).await?;
    client.register(name, "correct horse battery staple", name, &link.invitation, "example").await?;
    Ok(client.start()?)
}
