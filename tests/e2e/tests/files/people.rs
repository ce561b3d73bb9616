//! What people do with files in these tests.

use std::path::Path;

use bytes::Bytes;
use startalk_client::{
    ClientError, content,
    files::{Description, NewUpload, Purpose, Source},
};
use startalk_e2e::{Node, Person, until};
use startalk_protocol::{Code, pb::content::File};

/// Bytes that no compression shortens, the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut out = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut out);
    out
}

/// The two have a conversation that both accepted; its number at each.
pub async fn greet(alice: &Person, bob: &Person) -> anyhow::Result<(u64, u64)> {
    alice.session.send(bob.user.clone(), content::text("hello"), Bytes::new()).await?;
    until("bob to hear alice", async || {
        let all = bob.session.conversations().await.unwrap_or_default();
        (all.iter().any(|c| !c.request), all.len() as u64)
    })
    .await?;
    bob.session.send(alice.user.clone(), content::text("hi"), Bytes::new()).await?;
    until("alice to hear bob", async || (alice.arrived() > 0, 0)).await?;
    Ok((alice.conversation(&bob.user).await?, bob.conversation(&alice.user).await?))
}

pub async fn upload(person: &Person, path: &Path, purpose: Purpose) -> Result<Description, ClientError> {
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let new = NewUpload { path: path.to_owned(), purpose, name, url: None };
    person.session.files().upload(&new, &mut |_| {}).await
}

/// Writes bytes to a path and sends them as a file into a conversation.
pub async fn send(person: &Person, conversation: u64, path: &Path, bytes: &[u8]) -> anyhow::Result<File> {
    std::fs::write(path, bytes)?;
    let file = upload(person, path, Purpose::File).await?.file;
    person.session.send(conversation, content::attachment(file.clone(), ""), Bytes::new()).await?;
    Ok(file)
}

/// The number of the message that refers to it, once it is there.
pub async fn place(person: &Person, conversation: u64, file: &File) -> anyhow::Result<u64> {
    let refers = |content: &[u8]| content.windows(32).any(|w| w == &file.hash[..]);
    let find = async || {
        let all = person.history_of(conversation).await.unwrap_or_default();
        all.iter().find(|m| refers(&m.content)).map_or(0, |m| m.sequence)
    };
    until("the message with the file", async || {
        let sequence = find().await;
        (sequence != 0, sequence)
    })
    .await?;
    Ok(find().await)
}

pub async fn download(person: &Person, from: Source, file: &File, to: &Path) -> Result<Vec<u8>, ClientError> {
    person.session.files().download(from, file, to, &mut |_| {}).await?;
    let bytes = std::fs::read(to).expect("it is there when it is whole");
    std::fs::remove_file(to).expect("only this test writes there");
    Ok(bytes)
}

pub fn code(error: &ClientError) -> Option<Code> {
    if let ClientError::Refused(error) = error { Some(error.code) } else { None }
}

/// The node gives nothing, and does not say why.
pub async fn is_refused(person: &Person, from: Source, file: &File, to: &Path) {
    let error = download(person, from, file, to).await.expect_err("nothing is given");
    assert_eq!(code(&error), Some(Code::NoSuchFile), "{error}");
    assert!(!to.exists());
}

/// Files in a folder below `files/` of a node: `blobs`, `cache` or `uploads`.
pub fn lie(node: &Node, folder: &str) -> usize {
    fn count(path: &Path) -> usize {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|e| if e.path().is_dir() { count(&e.path()) } else { 1 }).sum()
    }
    count(&node.data.join("files").join(folder))
}

/// Somebody who is not the first of a domain.
pub async fn another(node: &Node, name: &str) -> anyhow::Result<Person> {
    let added = node.ask(&["user", "add", name])?;
    Ok(Person::sign_in(node.port, name, added["password"].as_str().unwrap_or_default()).await?)
}
