//! Search by real programs: what is said is found, what is taken back is not, and neither kill -9 in the middle of indexing
//! nor a deleted index loses or doubles a hit.

use std::{collections::BTreeSet, sync::Arc};

use anyhow::Context as _;
use startalk_client::{Target, content, wire_types::Search};
use startalk_e2e::{Node, Person, World, until};

const MESSAGES: u64 = 400;
/// Kills of the node, each somewhere in the middle of building.
const KILLS: u64 = 4;

/// Numbers of all messages found, over all pages; `None` while the index is being built.
async fn found(person: &Person, query: &str) -> anyhow::Result<Option<Vec<(u64, u64)>>> {
    let (mut all, mut next) = (Vec::new(), bytes::Bytes::new());
    loop {
        let question = Search { query: query.to_owned(), messages: true, limit: 50, next, ..Search::default() };
        let page = person.session.search(question).await?;
        if page.building {
            return Ok(None);
        }
        all.extend(page.messages.iter().map(|m| (m.conversation, m.sequence)));
        next = page.next;
        if next.is_empty() {
            return Ok(Some(all));
        }
    }
}

async fn finds(person: &Person, query: &str, count: usize) -> anyhow::Result<Vec<(u64, u64)>> {
    let seen = std::sync::Mutex::new(Vec::new());
    until(&format!("{count} hits of {query}"), || {
        let seen = &seen;
        async move {
            let all = found(person, query).await.ok().flatten().unwrap_or_default();
            let length = all.len();
            *seen.lock().expect("no panic") = all;
            (length == count, length as u64)
        }
    })
    .await?;
    let last = seen.into_inner()?;
    let apart: BTreeSet<_> = last.iter().collect();
    assert_eq!(apart.len(), last.len(), "no hit comes twice");
    Ok(last)
}

async fn say(person: &Person, to: &Person, words: &str) -> anyhow::Result<()> {
    person.session.send(Target::User(to.user.clone()), content::text(words), bytes::Bytes::new()).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_or_doubled_by_kills_in_the_middle_of_indexing() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut node = world.node("a")?;
    let link = |node: &Node| anyhow::Ok(node.ask(&["invite"])?["link"].as_str().context("link")?.to_owned());
    let ann = Arc::new(Person::register(&node.first_link, "ann").await?);
    let bob = Person::register(&link(&node)?, "bob").await?;
    let carol = Person::register(&link(&node)?, "carol").await?;
    let mut said = 0;
    for round in 0..KILLS {
        for n in 0..MESSAGES / KILLS {
            say(&ann, &bob, &format!("今晚吃火鍋 第{round}輪 no{n}x")).await?;
            said += 1;
        }
        // Somewhere between the first message and the last commit.
        node.kill()?;
        if round % 2 == 1 {
            std::fs::remove_dir_all(node.data.join("search"))?;
        }
        node.start()?;
    }
    ann.session.drained().await;
    let count = usize::try_from(said)?;
    let hits = finds(&ann, "吃火锅", count).await?;
    assert_eq!(finds(&bob, "今晚吃火鍋", count).await?, hits, "both read the same");
    assert_eq!(found(&carol, "火锅").await?, Some(Vec::new()), "nobody else finds anything");
    assert_eq!(finds(&bob, "from:ann no7x", usize::try_from(KILLS)?).await?.len(), 4);
    let (conversation, sequence) = hits[0];
    ann.session.recall(conversation, sequence).await?;
    finds(&bob, "火锅", count - 1).await?;

    let people = ann.session.search(Search { query: "car".to_owned(), people: true, ..Search::default() }).await?.people;
    assert_eq!(people.iter().map(|p| p.user.clone()).collect::<Vec<_>>(), [carol.user.to_string()]);
    world.done();
    Ok(())
}
