//! People: made and signed in before a load begins.

use std::future::Future;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::client::{Client, Server};

/// Registrations at once: the node computes two password hashes at a time.
const AT_ONCE: usize = 4;

/// Name of an author.
pub fn name(number: usize) -> String {
    format!("u{number:04}")
}

/// Does `each` for all numbers, some at once; results in order.
pub async fn for_each<T, F>(numbers: impl IntoIterator<Item = usize>, each: impl Fn(usize) -> F) -> Result<Vec<T>>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut numbers = numbers.into_iter();
    let (mut tasks, mut done) = (JoinSet::new(), Vec::new());
    loop {
        while tasks.len() < AT_ONCE
            && let Some(number) = numbers.next()
        {
            let one = each(number);
            tasks.spawn(async move { (number, one.await) });
        }
        let Some(joined) = tasks.join_next().await else { break };
        let (number, result) = joined?;
        done.push((number, result.with_context(|| format!("client {number}"))?));
    }
    done.sort_by_key(|(number, _)| *number);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

/// Somebody new, signed in and up to date; with the device's token.
pub async fn register(server: Server, number: usize) -> Result<(Client, Bytes)> {
    let mut client = Client::connect(&server, number).await?;
    client.hello("bench").await?;
    let token = client.register(&name(number)).await?;
    client.sync().await?;
    Ok((client, token))
}
