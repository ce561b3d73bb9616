//! A domain for trying on real sockets: whoever likes comes in, but not many from one place; everybody hears when their account
//! ends; and what they have can be taken along, whole and signed.

use std::{io::Write as _, process::Stdio};

use anyhow::{Context as _, bail};
use data_encoding::HEXLOWER;
use startalk_client::{Client, ClientError, Code, Home, Options, Session, Store as _, content, store::FileStore};
use startalk_e2e::{Node, Person, World, until};
use startalk_protocol::{
    signing::{PublicKey, Purpose},
    trust::DomainRecord,
};

const DAY_MS: i64 = 24 * 3600 * 1000;

/// Makes an account without an invitation; its device is kept in the world's folder.
async fn come_in(world: &World, node: &Node, name: &str) -> Result<Session, ClientError> {
    let server = format!("127.0.0.1:{}", node.port).parse()?;
    let store = FileStore::open(&world.folder.join(name)).map_err(|e| ClientError::Input(e.to_string()))?;
    let mut client = Client::connect(Options::new(Home::Server(server)), Box::new(store)).await?;
    client.register(name, "correct horse battery staple", name, "", "e2e").await?;
    let (session, mut events) = client.start()?;
    tokio::spawn(async move { while events.next().await.is_some() {} });
    Ok(session)
}

/// The account's archive, asked for with a device's token, which is not shown on the command line.
fn archive(node: &Node, token: &[u8]) -> anyhow::Result<String> {
    let url = format!("https://127.0.0.1:{}/files/export", node.port);
    let mut curl = std::process::Command::new("curl")
        .args(["-sS", "--fail-with-body", "--insecure", "--max-time", "30", "--config", "-", &url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let token = data_encoding::BASE64URL_NOPAD.encode(token);
    write!(curl.stdin.take().context("stdin")?, "header = \"Authorization: Bearer {token}\"")?;
    let out = curl.wait_with_output()?;
    let text = String::from_utf8(out.stdout)?;
    if out.status.success() { Ok(text) } else { bail!("{text}") }
}

/// Reads an archive as docs/account-export.md has it: the lines before the last one, if chain and signature are right.
fn verified(archive: &str, domain: &str, now_ms: i64) -> anyhow::Result<Vec<serde_json::Value>> {
    let (mut chain, mut lines, mut end) = ([0_u8; 32], Vec::new(), None);
    for line in archive.lines() {
        anyhow::ensure!(end.is_none(), "a line after the end");
        let value: serde_json::Value = serde_json::from_str(line)?;
        if value["kind"] == "end" {
            end = Some(value);
            continue;
        }
        chain = *blake3::hash(&[&chain[..], line.as_bytes()].concat()).as_bytes();
        lines.push(value);
    }
    let end = end.context("an end")?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    anyhow::ensure!(end["lines"] == lines.len() && text(&end["root"]) == HEXLOWER.encode(&chain), "the chain");
    let record = data_encoding::BASE64.decode(text(&lines[0]["record"]).as_bytes())?;
    let record = DomainRecord::decode_signed(&record, now_ms)?;
    let bytes = |value: &serde_json::Value| HEXLOWER.decode(text(value).as_bytes());
    let key: [u8; 32] = bytes(&end["link_key"])?.try_into().ok().context("32 bytes")?;
    anyhow::ensure!(record.domain().as_str() == domain && record.charter().link_key_valid(&key, now_ms), "whose key");
    let key = PublicKey::from_bytes(&key).context("a key")?;
    anyhow::ensure!(key.verify(Purpose::AccountExport, &chain, &bytes(&end["signature"])?), "the signature");
    Ok(lines)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_tries_hears_when_it_ends_and_takes_along_what_they_have() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut a = world.unstarted("a", &["--hub", &world.hub_url, "--allow-private-addresses", "--trial"]);
    a.start()?;
    let root = Person::register(&a.first_link, "root").await?;
    let policy = a.ask(&["policy"])?;
    anyhow::ensure!(policy["registration"] == "open" && policy["trial_days"] == 30, "{policy}");
    anyhow::ensure!(policy["messages_per_day"] == 2000 && policy["groups_per_account"] == 10, "{policy}");

    let alice = come_in(&world, &a, "alice").await?;
    let bob = come_in(&world, &a, "bob").await?;
    come_in(&world, &a, "carol").await?;
    match come_in(&world, &a, "dave").await {
        Err(ClientError::Refused(e)) if e.code == Code::SlowDown => {
            let seconds: u64 = e.params["seconds"].parse()?;
            anyhow::ensure!((1..=60).contains(&seconds), "{seconds}");
        }
        other => bail!("a fourth account at once: {:?}", other.map(|s| s.user().to_owned())),
    }
    let navigation = alice.navigation().await?;
    anyhow::ensure!(navigation.navigation().trial.is_some_and(|t| t.account_days == 30), "{navigation:?}");
    // `not_after_ms` is a day ahead of now, about: enough to tell that the account ends in thirty.
    let ends_ms = alice.own().await?.ends_ms;
    let days = (ends_ms - i64::try_from(navigation.sequence())?) / DAY_MS;
    anyhow::ensure!((29..=30).contains(&days), "{days} days");
    anyhow::ensure!(root.session.own().await?.ends_ms == 0, "who administers stays");

    let to: startalk_client::UserId = bob.user().parse()?;
    for n in 0..300 {
        alice.send(to.clone(), content::text(&format!("第 {n} 条")), bytes::Bytes::new()).await?;
    }
    alice.drained().await;
    alice.block(&root.user.to_string(), true).await?;
    alice.close().await;
    // The session's task lets go of the folder a moment after it has said that it is over.
    let folder = world.folder.join("alice");
    until("the device's folder to be free", async || (FileStore::open(&folder).is_ok(), 0)).await?;
    let token = FileStore::open(&folder)?.account().context("an account")?.token;
    let taken = archive(&a, &token)?;
    let now_ms = i64::try_from(navigation.sequence())?;
    let lines = verified(&taken, &to.domain.to_string(), now_ms)?;
    let count = |kind: &str| lines.iter().filter(|l| l["kind"] == kind).count();
    anyhow::ensure!((count("message"), count("conversation"), count("blocked")) == (300, 1, 1), "{:?}", lines.first());
    let order: Vec<u64> = lines.iter().filter(|l| l["kind"] == "message").filter_map(|l| l["sequence"].as_u64()).collect();
    anyhow::ensure!(order == (1..=300).collect::<Vec<_>>(), "{order:?}");
    // Whoever changes a line, or leaves one out, is found out.
    anyhow::ensure!(
        verified(
            &taken.replacen("\"starred\":false", "\"starred\":true", 1).replacen("\"author\":\"alice", "\"author\":\"bobby", 1),
            &to.domain.to_string(),
            now_ms
        )
        .is_err()
    );
    let without: Vec<&str> = taken.lines().enumerate().filter(|(n, _)| *n != 7).map(|(_, l)| l).collect();
    anyhow::ensure!(verified(&without.join("\n"), &to.domain.to_string(), now_ms).is_err());
    let refused = archive(&a, &[7; 32]).expect_err("nobody's token").to_string();
    anyhow::ensure!(refused.contains("token-revoked"), "{refused}");
    root.close().await?;
    world.done();
    Ok(())
}
