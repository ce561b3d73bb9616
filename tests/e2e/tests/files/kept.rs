//! What a node keeps of files: the same bytes once, within limits and quotas, in backups, and after a rebuild from the journal.

use startalk_client::files::{NewUpload, Purpose, Source, Transfer};
use startalk_e2e::{Person, SmallDisk, World, until};
use startalk_protocol::Code;

use crate::people::{another, code, download, greet, lie, noise, place, send, upload};

/// Above which a client asks whether the node has a file before it sends it.
const MIB: usize = 1 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_bytes_of_two_people_lie_once_and_neither_can_tell() -> anyhow::Result<()> {
    let world = World::new()?;
    let a = world.node("a")?;
    let alice = Person::register(&a.first_link, "alice").await?;
    let bob = another(&a, "bob").await?;
    let path = world.folder.join("same.bin");
    let bytes = noise(3, 2 * MIB);
    std::fs::write(&path, &bytes)?;
    let first = upload(&alice, &path, Purpose::File).await?;
    assert!(bob.session.files().have(blake3::hash(&bytes).as_bytes(), 2 << 20, "x").await?.is_none(), "not his to read");
    let sent = async |person: &Person| -> anyhow::Result<bool> {
        let mut begun = false;
        let new = NewUpload { path: path.clone(), purpose: Purpose::File, name: "mine.bin".into(), url: None };
        let told = person.session.files().upload(&new, &mut |how| begun |= matches!(how, Transfer::Begun { .. })).await?;
        assert_eq!((&told.file.hash, told.file.name.as_str()), (&first.file.hash, "mine.bin"));
        Ok(begun)
    };
    assert!(sent(&bob).await?, "he uploads all of it");
    assert!(!sent(&alice).await?, "she has it there already");
    assert_eq!(lie(&a, "blobs"), 1);
    for person in [&alice, &bob] {
        assert_eq!(person.session.storage().await?.bytes, 2 << 20, "it counts for each");
    }
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_refused_before_a_byte_of_it_goes() -> anyhow::Result<()> {
    let world = World::new()?;
    let a = world.node("a")?;
    let alice = Person::register(&a.first_link, "alice").await?;
    let path = world.folder.join("some.bin");
    a.ask(&["policy", "--file-bytes-max", "3000000", "--files-bytes-per-account", "5000000"])?;
    let try_one = async |seed, size| {
        std::fs::write(&path, noise(seed, size)).expect("space for a test");
        upload(&alice, &path, Purpose::File).await
    };
    let error = try_one(1, 3_000_001).await.expect_err("too large");
    assert_eq!(code(&error), Some(Code::FileTooLarge), "{error}");
    try_one(2, 3_000_000).await?;
    let error = try_one(3, 2_000_001).await.expect_err("over quota");
    assert_eq!(code(&error), Some(Code::OverFileQuota), "{error}");
    try_one(4, 2_000_000).await?;
    assert_eq!((lie(&a, "blobs"), alice.session.storage().await?.bytes), (2, 5_000_000));
    world.done();
    Ok(())
}

/// 12 MB above what a node leaves free for its journal.
const DISK_BYTES: u64 = 320 << 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fills_up_refuses_uploads_by_name_and_keeps_nothing_half() -> anyhow::Result<()> {
    let world = World::new()?;
    let disk = match SmallDisk::new(&world.folder.join("small"), DISK_BYTES) {
        Ok(disk) => disk,
        Err(why) => {
            println!("skipped: no small disk can be made here: {why}");
            world.done();
            return Ok(());
        }
    };
    let mut a = world.unstarted("a", &["--hub", &world.hub_url, "--allow-private-addresses"]);
    a.data = disk.path.join("a");
    a.start()?;
    let alice = Person::register(&a.first_link, "alice").await?;
    let path = world.folder.join("some.bin");
    std::fs::write(&path, noise(1, 4 * MIB))?;
    let first = upload(&alice, &path, Purpose::File).await?;
    let before = (lie(&a, "blobs"), lie(&a, "uploads"));

    // More than there is room for is refused at once, and so is anything when there is none.
    std::fs::write(&path, noise(2, 100 * MIB))?;
    let error = upload(&alice, &path, Purpose::File).await.expect_err("no room for it");
    assert_eq!(code(&error), Some(Code::DiskFull), "{error}");
    disk.fill((256 << 20) - (1 << 20))?;
    std::fs::write(&path, noise(3, MIB / 2))?;
    let error = upload(&alice, &path, Purpose::File).await.expect_err("no room at all");
    assert_eq!(code(&error), Some(Code::DiskFull), "{error}");
    assert_eq!((lie(&a, "blobs"), lie(&a, "uploads")), before, "nothing half stored");
    let to = world.folder.join("got");
    assert!(download(&alice, Source::Own, &first.file, &to).await? == noise(1, 4 * MIB), "reading goes on");
    disk.clear()?;
    upload(&alice, &path, Purpose::File).await?;
    assert_eq!(lie(&a, "blobs"), before.0 + 1);
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_domains_have_their_files_after_they_were_rebuilt_from_the_journal() -> anyhow::Result<()> {
    let world = World::new()?;
    let (mut a, mut b) = (world.node("a")?, world.node("b")?);
    let (alice, bob) = (Person::register(&a.first_link, "alice").await?, Person::register(&b.first_link, "bob").await?);
    let (ours, theirs) = greet(&alice, &bob).await?;
    let (kept, taken) = (noise(5, 100_000), noise(6, 100_000));
    let file = send(&alice, ours, &world.folder.join("kept.bin"), &kept).await?;
    let gone = send(&alice, ours, &world.folder.join("taken.bin"), &taken).await?;
    let at = async |person: &Person, conversation| -> anyhow::Result<_> {
        let sequence = place(person, conversation, &file).await?;
        Ok(Source::Message { conversation, sequence })
    };
    let (at_alice, at_bob) = (at(&alice, ours).await?, at(&bob, theirs).await?);
    let there = place(&bob, theirs, &gone).await?;
    let to = world.folder.join("got");
    assert!(download(&bob, Source::Message { conversation: theirs, sequence: there }, &gone, &to).await? == taken);
    alice.session.recall(ours, place(&alice, ours, &gone).await?).await?;
    until("the recall to arrive", async || {
        let all = bob.history_of(theirs).await.unwrap_or_default();
        (all.iter().any(|m| m.sequence == there && m.recalled), 0)
    })
    .await?;
    for node in [&mut a, &mut b] {
        node.stop()?;
        node.ask(&["rebuild"])?;
        node.start()?;
    }
    until("both to be there again", async || (alice.session.status().synced && bob.session.status().synced, 0)).await?;
    // Bob's domain has never opened it: it is fetched by what its journal says.
    assert!(download(&bob, at_bob, &file, &to).await? == kept);
    assert!(download(&alice, at_alice, &file, &to).await? == kept);
    let refused = download(&bob, Source::Message { conversation: theirs, sequence: there }, &gone, &to).await;
    assert_eq!(refused.as_ref().err().and_then(code), Some(Code::NoSuchFile));
    world.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_has_the_files_and_a_restore_brings_them_back() -> anyhow::Result<()> {
    let world = World::new()?;
    let (mut a, b) = (world.node("a")?, world.node("b")?);
    let (alice, bob) = (Person::register(&a.first_link, "alice").await?, Person::register(&b.first_link, "bob").await?);
    let (ours, _) = greet(&alice, &bob).await?;
    let bytes = noise(5, 100_000);
    let file = send(&alice, ours, &world.folder.join("kept.bin"), &bytes).await?;
    let here = place(&alice, ours, &file).await?;
    let copy = world.folder.join("copy");
    let copied = copy.display().to_string();
    a.ask(&["backup", &copied])?;
    assert!(
        a.ask(&["doctor"])?["findings"]
            .as_array()
            .is_some_and(|all| all.iter().any(|f| f["check"] == "files" && f["state"] == "good"))
    );
    a.ask(&["backups", "--check", &copied])?;
    let name = blake3::hash(&bytes).to_hex().to_string();
    let (ours_lies, its_copy) =
        (a.data.join("files/blobs").join(&name[..2]).join(&name), copy.join("files/blobs").join(&name[..2]).join(&name));
    // Written to another file, for the copy is a second name of the domain's own.
    let mut rotten = std::fs::read(&its_copy)?;
    rotten[5000] ^= 1;
    std::fs::remove_file(&its_copy)?;
    std::fs::write(&its_copy, &rotten)?;
    assert!(a.refusal(&["backups", "--check", &copied])?.contains(&name), "the damaged file is named");
    std::fs::remove_file(&its_copy)?;
    std::fs::hard_link(&ours_lies, &its_copy)?;
    a.stop()?;
    std::fs::rename(&a.data, world.folder.join("lost"))?;
    let restored = a.verb(&["restore", &copied])?;
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    std::fs::remove_dir_all(world.folder.join("lost"))?;
    a.start()?;
    until("alice to be there again", async || (alice.session.status().synced, 0)).await?;
    let from = Source::Message { conversation: ours, sequence: here };
    assert!(download(&alice, from, &file, &world.folder.join("got")).await? == bytes);
    // A file that is lost is told of.
    std::fs::remove_file(&ours_lies)?;
    let found = a.ask(&["doctor"])?;
    let about =
        found["findings"].as_array().and_then(|all| all.iter().find(|f| f["check"] == "files")).cloned().unwrap_or_default();
    assert!(about["state"] == "bad" && about["words"]["en"].as_str().is_some_and(|t| t.contains(&name)), "{about}");
    world.done();
    Ok(())
}
