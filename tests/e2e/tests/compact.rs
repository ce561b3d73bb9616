//! What people had erased is in no file of the data folder any more, nor in the blocks of files whose place a rewritten one
//! has taken: with a real node, killed (SIGKILL) while it gives the space back.

use std::{
    fs::{self, File},
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use bytes::Bytes;
use startalk_client::content;
use startalk_e2e::{Person, World, until};

/// In every text that is erased.
const MARK: &str = "the words that nobody may find";
/// Bytes of a text: few messages fill a segment of 64 MiB.
const TEXT_BYTES: usize = 60_000;
/// One segment and more.
const TEXTS: usize = 1300;

fn holds_mark(bytes: &[u8]) -> bool {
    let first = MARK.as_bytes()[0];
    let mut starts = bytes.iter().enumerate().filter(|(_, b)| **b == first).map(|(at, _)| at);
    starts.any(|at| bytes[at..].starts_with(MARK.as_bytes()))
}

/// Files below the folder that hold what was erased.
fn marked(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(marked(&entry.path())?);
        } else if entry.file_type()?.is_file() && holds_mark(&fs::read(entry.path())?) {
            found.push(entry.path().display().to_string());
        }
    }
    Ok(found)
}

fn names(folder: &Path) -> anyhow::Result<Vec<String>> {
    let all: std::io::Result<Vec<_>> = fs::read_dir(folder)?.collect();
    Ok(all?.into_iter().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
}

fn bytes_in(folder: &Path) -> anyhow::Result<u64> {
    let all: anyhow::Result<Vec<u64>> = names(folder)?.iter().map(|n| Ok(fs::metadata(folder.join(n))?.len())).collect();
    Ok(all?.iter().sum())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_erased_is_nowhere_after_a_kill_in_the_middle_of_giving_its_space_back() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut a = world.node("a")?;
    let root = Person::register(&a.first_link, "root").await?;
    let added = a.ask(&["user", "add", "alice"])?;
    let alice = Person::sign_in(a.port, "alice", added["password"].as_str().unwrap_or_default()).await?;
    root.say_many(&alice.user, 3).await?;
    let words = format!("{MARK} {}", "x".repeat(TEXT_BYTES));
    for _ in 0..TEXTS {
        alice.session.send(root.user.clone(), content::text(&words), Bytes::new()).await?;
        until("some of it to be sent", || {
            let pending = alice.session.status().pending;
            std::future::ready((pending < 64, pending as u64))
        })
        .await?;
    }
    until("all to be sent", || {
        let pending = alice.session.status().pending;
        std::future::ready((pending == 0, pending as u64))
    })
    .await?;
    let journal = a.data.join("journal");
    assert!(!marked(&journal)?.is_empty(), "it was there");
    let segments: Vec<String> = names(&journal)?.into_iter().filter(|n| n.ends_with(".segment")).collect();
    assert!(segments.len() > 1, "{segments:?}");
    alice.close().await?;
    a.ask(&["user", "delete", "alice", "--erase-messages"])?;
    let before = bytes_in(&journal)?;
    // By these the blocks can be looked at when they have no name any more.
    let old: Vec<File> = segments.iter().map(|n| File::open(journal.join(n))).collect::<Result<_, _>>()?;

    let mut compacting = Command::new(&a.program)
        .args(["--json", "--data"])
        .arg(&a.data)
        .arg("compact")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    // Killed when a rewritten segment is taking the place of the old one, if we are quick enough to see it.
    let mut in_the_middle = false;
    while !in_the_middle && compacting.try_wait()?.is_none() {
        in_the_middle = names(&journal)?.iter().any(|n| n.ends_with(".old"));
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
    a.kill()?;
    let _ = compacting.wait()?;
    println!("killed {}", if in_the_middle { "in the middle" } else { "after it had come to its end" });
    a.start()?;
    assert!(names(&journal)?.iter().all(|n| !n.ends_with(".old") && !n.ends_with(".new")), "{:?}", names(&journal)?);
    let rest = a.ask(&["compact"])?;
    assert!(in_the_middle || rest["segments_rewritten"] == 0, "{rest}");
    assert_eq!(a.ask(&["compact"])?["segments_rewritten"], 0, "nothing is left to give back");
    assert!(before - bytes_in(&journal)? > 50 << 20, "the first segment was nothing but erased");

    assert_eq!(marked(&a.data)?, Vec::<String>::new());
    for (name, mut file) in segments.iter().zip(old) {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        assert!(!holds_mark(&bytes), "blocks of {name}");
    }
    // The node is whole, and goes on.
    let found = a.ask(&["doctor"])?;
    let bad: Vec<_> = found["findings"].as_array().into_iter().flatten().filter(|f| f["state"] == "bad").collect();
    assert!(bad.is_empty(), "{bad:?}");
    a.stop()?;
    a.start()?;
    let carol = a.ask(&["user", "add", "carol"])?;
    let carol = Person::sign_in(a.port, "carol", carol["password"].as_str().unwrap_or_default()).await?;
    carol.say_many(&root.user, 3).await?;
    root.hears_all_of(&carol).await?;
    world.done();
    Ok(())
}
