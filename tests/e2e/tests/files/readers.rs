//! Who may read a file: by message, hash and copy; after leaving and after it was taken back; on both domains.

use std::io::Cursor;

use bytes::Bytes;
use image::{ImageFormat, Rgb, RgbImage};
use startalk_client::{
    content,
    files::{Purpose, Source},
    wire_types::{Leave, act_in_group::Act},
};
use startalk_e2e::{Person, World, until};
use startalk_protocol::pb::content::File;

use crate::people::{another, download, greet, is_refused, lie, noise, place, send, upload};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_its_readers_and_nobody_elses_and_goes_when_it_is_taken_back() -> anyhow::Result<()> {
    let world = World::new()?;
    let (a, b) = (world.node("a")?, world.node("b")?);
    let (alice, bob) = (Person::register(&a.first_link, "alice").await?, Person::register(&b.first_link, "bob").await?);
    let (eve, mallory) = (another(&a, "eve").await?, another(&b, "mallory").await?);
    let (ours, theirs) = greet(&alice, &bob).await?;
    let bytes = noise(1, 300_000);
    let file = send(&alice, ours, &world.folder.join("plan.pdf"), &bytes).await?;
    let (here, there) = (place(&alice, ours, &file).await?, place(&bob, theirs, &file).await?);
    let at_alice = Source::Message { conversation: ours, sequence: here };
    let at_bob = Source::Message { conversation: theirs, sequence: there };
    let to = world.folder.join("got");
    let hash: [u8; 32] = file.hash.as_ref().try_into()?;

    // Before anybody there has opened it, and after.
    is_refused(&mallory, at_bob, &file, &to).await;
    assert!(download(&bob, at_bob, &file, &to).await? == bytes);
    assert_eq!(lie(&b, "cache"), 1, "the other domain has a copy");
    for (person, from) in [(&mallory, at_bob), (&mallory, Source::Own), (&eve, at_alice), (&eve, Source::Own)] {
        is_refused(person, from, &file, &to).await;
        assert!(person.session.files().have(&hash, file.size, "x").await?.is_none(), "a hash gives nothing");
    }
    // Bob reads it through that message alone, and that message gives that file alone.
    is_refused(&bob, Source::Message { conversation: theirs, sequence: there - 1 }, &file, &to).await;
    is_refused(&bob, Source::Own, &file, &to).await;
    is_refused(&bob, at_bob, &File { hash: Bytes::from(vec![9; 32]), ..file.clone() }, &to).await;
    assert!(bob.session.files().have(&hash, file.size, "x").await?.is_some(), "he may read it anyway");
    // Alice reads it on all her devices.
    let phone = Person::sign_in(a.port, "alice", startalk_e2e::person::PASSWORD).await?;
    assert!(download(&phone, at_alice, &file, &to).await? == bytes);

    alice.session.recall(ours, here).await?;
    until("the recall to arrive", async || {
        let all = bob.history_of(theirs).await.unwrap_or_default();
        (all.iter().any(|m| m.sequence == there && m.recalled), all.len() as u64)
    })
    .await?;
    is_refused(&bob, at_bob, &file, &to).await;
    is_refused(&phone, at_alice, &file, &to).await;
    assert!(bob.session.files().have(&hash, file.size, "x").await?.is_none());
    until("the other domain to have no copy", async || (lie(&b, "cache") == 0, lie(&b, "cache") as u64)).await?;
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_left_a_group_reads_neither_its_pictures_nor_their_copies() -> anyhow::Result<()> {
    let world = World::new()?;
    let (a, b) = (world.node("a")?, world.node("b")?);
    let (alice, bob) = (Person::register(&a.first_link, "alice").await?, Person::register(&b.first_link, "bob").await?);
    let mallory = another(&b, "mallory").await?;
    greet(&alice, &bob).await?;
    greet(&bob, &mallory).await?;
    alice.session.create_group("garden", std::slice::from_ref(&bob.user)).await?;
    until("bob to be asked", async || {
        let asked = bob.session.group_invitations().await.unwrap_or_default();
        (!asked.is_empty(), 0)
    })
    .await?;
    let asked = bob.session.group_invitations().await?;
    bob.session.decide_group_invitation(&asked[0].group, true).await?;
    let group_of = async |person: &Person| -> anyhow::Result<u64> {
        let find = async || person.session.conversations().await.unwrap_or_default().into_iter().find(|c| c.group.is_some());
        until("the group", async || (find().await.is_some(), 0)).await?;
        Ok(find().await.map_or(0, |c| c.conversation))
    };
    let (ours, theirs) = (group_of(&alice).await?, group_of(&bob).await?);
    let path = world.folder.join("sea.jpg");
    let mut jpeg = Cursor::new(Vec::new());
    let photo = RgbImage::from_fn(1600, 1200, |x, y| Rgb([(x / 8) as u8, (y / 8) as u8, 90]));
    photo.write_to(&mut jpeg, ImageFormat::Jpeg)?;
    std::fs::write(&path, jpeg.into_inner())?;
    let picture = upload(&alice, &path, Purpose::Original).await?.picture.expect("a picture");
    let (full, thumb) = (picture.file.clone().expect("a file"), picture.thumb.clone().expect("a copy"));
    alice.session.send_in_group(ours, content::album(vec![picture], "the sea"), 0).await?;
    let (here, there) = (place(&alice, ours, &thumb).await?, place(&bob, theirs, &thumb).await?);
    let at_bob = Source::Message { conversation: theirs, sequence: there };
    let to = world.folder.join("got");
    for file in [&full, &thumb] {
        assert_eq!(blake3::hash(&download(&bob, at_bob, file, &to).await?).as_bytes()[..], file.hash[..]);
        is_refused(&mallory, at_bob, file, &to).await;
    }

    bob.session.act(theirs, Act::Leave(Leave {})).await?;
    until("bob to be out", async || {
        let all = bob.session.conversations().await.unwrap_or_default();
        let group = all.into_iter().find(|c| c.conversation == theirs).and_then(|c| c.group);
        (group.is_none_or(|g| g.standing == "left"), 0)
    })
    .await?;
    // What was said until then stays his to read; what comes after he left is not, nor by the hash.
    let after = send_in_group(&alice, ours, &world.folder.join("later.bin"), &noise(2, 5000)).await?;
    let later = place(&alice, ours, &after).await?;
    let hash: [u8; 32] = after.hash.as_ref().try_into()?;
    for sequence in [there, later, here] {
        is_refused(&bob, Source::Message { conversation: theirs, sequence }, &after, &to).await;
    }
    assert!(bob.session.files().have(&hash, after.size, "x").await?.is_none());
    world.done();
    Ok(())
}

async fn send_in_group(person: &Person, group: u64, path: &std::path::Path, bytes: &[u8]) -> anyhow::Result<File> {
    std::fs::write(path, bytes)?;
    let file = upload(person, path, Purpose::File).await?.file;
    person.session.send_in_group(group, content::attachment(file.clone(), ""), 0).await?;
    Ok(file)
}
