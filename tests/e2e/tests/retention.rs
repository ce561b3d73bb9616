//! Messages of long ago are erased by policy on a real disk: the node is killed (SIGKILL) in the middle of it, again and
//! again, and goes on from where it was; at the end none of the words is in any file, and what is younger is all there.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use startalk_e2e::{Node, Person, World, until};
use startalk_examples::processes;

/// In every old text, made by the program that fills the folder.
const MARK: &[u8] = b" of a story that goes on for a while";
/// Every fortieth bears the mark.
const MESSAGES: u64 = 12_000;

/// Where in the file these bytes are.
fn places_in(file: &Path, wanted: &[u8]) -> anyhow::Result<Vec<usize>> {
    let bytes = fs::read(file)?;
    // Most of a segment is zeros, and there are many spaces.
    let starts = bytes.iter().enumerate().filter(|(_, b)| **b == wanted[1]).map(|(at, _)| at.saturating_sub(1));
    Ok(starts.filter(|at| bytes[*at..].starts_with(wanted)).collect())
}

fn is_in(folder: &Path, wanted: &str) -> anyhow::Result<bool> {
    for entry in fs::read_dir(folder)? {
        if !places_in(&entry?.path(), wanted.as_bytes())?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The files with marks in them, and where.
fn marks(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Vec<usize>)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(marks(&entry.path())?);
        } else if entry.file_type()?.is_file() {
            found.push((entry.path(), places_in(&entry.path(), MARK)?));
        }
    }
    found.retain(|(_, places)| !places.is_empty());
    Ok(found)
}

fn is_there(file: &File, place: usize) -> anyhow::Result<bool> {
    let mut bytes = vec![0; MARK.len()];
    file.read_exact_at(&mut bytes, place as u64)?;
    Ok(bytes == MARK)
}

fn fill(world: &World, node: &Node, words: &[&str]) -> anyhow::Result<()> {
    let program = world.binaries.join("examples/populate");
    processes::build(&["--example", "populate"])?;
    let filled = Command::new(program).arg(&node.data).args(words).output()?;
    anyhow::ensure!(filled.status.success(), "populate {words:?}: {}", String::from_utf8_lossy(&filled.stderr));
    Ok(())
}

fn policy(node: &Node) -> anyhow::Result<()> {
    node.ask(&["policy", "--retention-days", "30"])?;
    let shown = node.ask(&["policy"])?;
    anyhow::ensure!(shown["retention_days"] == 30 && shown["retention_of"] == "all", "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_older_than_the_policy_says_goes_although_the_node_is_killed_meanwhile() -> anyhow::Result<()> {
    let world = World::new()?;
    let mut a = world.node("a")?;
    let root = Person::register(&a.first_link, "root").await?;
    let to = root.user.clone();
    root.close().await?;
    let added = a.ask(&["user", "add", "alice"])?;
    a.stop()?;
    fill(&world, &a, &["talk", "root", "alice", &MESSAGES.to_string()])?;
    fill(&world, &a, &["age", "60"])?;
    a.start()?;
    let alice = Person::sign_in(a.port, "alice", added["password"].as_str().unwrap_or_default()).await?;
    let young = "what is said today stays";
    alice.session.send(to, startalk_client::content::text(young), bytes::Bytes::new()).await?;
    let journal = a.data.join("journal");
    until("it to be recorded", || {
        let there = is_in(&journal, young).unwrap_or(false);
        std::future::ready((there, u64::from(there)))
    })
    .await?;
    alice.close().await?;

    let all: usize = marks(&journal)?.iter().map(|m| m.1.len()).sum();
    assert!(all >= 12 * usize::try_from(MESSAGES)? / 40, "they are there: {all}");
    let mut kills = 0;
    for round in 0..3 {
        let Some((path, places)) = marks(&journal)?.into_iter().next() else { break };
        let file = File::open(&path)?;
        match round {
            0 => policy(&a)?,
            _ => a.start()?,
        }
        until("the next of them to go", || {
            let there = is_there(&file, places[0]).unwrap_or(true);
            std::future::ready((!there, u64::from(there)))
        })
        .await?;
        a.kill()?;
        kills += u32::from(is_there(&file, places[places.len() - 1])?);
    }
    assert!(kills > 0, "it was never seen in the middle");
    println!("killed {kills} times in the middle");
    a.start()?;
    until("all of them to go", || {
        let left: usize = marks(&journal).map_or(1, |all| all.iter().map(|m| m.1.len()).sum());
        std::future::ready((left == 0, left as u64))
    })
    .await?;
    a.stop()?; // so that the search has written what it has heard
    assert!(marks(&a.data)?.is_empty(), "nor in the index of the search, or anywhere else");
    a.start()?;
    let found = a.ask(&["doctor"])?;
    let bad: Vec<_> = found["findings"].as_array().into_iter().flatten().filter(|f| f["state"] == "bad").collect();
    assert!(bad.is_empty(), "{bad:?}");
    assert!(is_in(&journal, young)?, "what is younger is there");
    a.stop()?;
    a.start()?;
    let acts = a.ask(&["audit"])?;
    assert!(acts["acts"].to_string().contains("retention_days"), "{acts}");
    a.stop()?;
    world.done();
    Ok(())
}
