//! The folder: processes that are killed, files that are torn, and two processes at once.

use std::{fs, path::Path};

use startalk_client::{Event, FileStore, Store, Target, content};

use crate::fake::{Faults, Node, Random, account, until};

const BOB: &str = "bob@fake.example";

fn open(folder: &Path) -> FileStore {
    FileStore::open(folder).unwrap()
}

#[test]
fn records_survive_and_a_torn_end_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let record = |i: u8| vec![i; 10 + usize::from(i)];
    {
        let mut store = open(folder.path());
        store.set_account(Some(&account())).unwrap();
        assert!(store.records().unwrap().is_empty());
        store.append(&[record(1), record(2)]).unwrap();
        store.append(&[record(3)]).unwrap();
    }
    let whole = fs::read(folder.path().join("sent.log")).unwrap();
    let mut lengths = Vec::new();
    for cut in 0..=whole.len() {
        fs::write(folder.path().join("sent.log"), &whole[..cut]).unwrap();
        let mut store = open(folder.path());
        let records = store.records().unwrap();
        lengths.push(records.len());
        store.append(&[record(9)]).unwrap();
        drop(store);
        let again = open(folder.path()).records().unwrap();
        assert_eq!(again, [records, vec![record(9)]].concat(), "cut at {cut}");
    }
    assert_eq!((lengths[0], *lengths.last().unwrap()), (0, 3));
    assert!(lengths.is_sorted());
}

#[test]
fn a_changed_byte_ends_the_log_and_never_changes_a_record() {
    let folder = tempfile::tempdir().unwrap();
    {
        let mut store = open(folder.path());
        store.records().unwrap();
        store.append(&[vec![1; 30], vec![2; 30]]).unwrap();
    }
    let whole = fs::read(folder.path().join("sent.log")).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        fs::write(folder.path().join("sent.log"), bytes).unwrap();
        let records = open(folder.path()).records().unwrap();
        assert!(records.is_empty() || records == [vec![1; 30]], "byte {at}");
    }
}

#[test]
fn two_processes_cannot_have_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let _first = open(folder.path());
    assert_eq!(FileStore::open(folder.path()).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[cfg(unix)]
#[test]
fn the_token_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).set_account(Some(&account())).unwrap();
    let mode = fs::metadata(folder.path().join("account.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// The folder is copied at any moment, as kill -9 would leave it, and a new process goes on with the copy: everything
/// that had been accepted is sent, and nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_process_loses_and_doubles_nothing() {
    for seed in 0..12 {
        let node = Node::new(seed, Faults { cut_after: 20, cut_before: 20, late: 100, ..Faults::default() });
        let mut random = Random::new(seed + 77);
        let mut folder = tempfile::tempdir().unwrap();
        let mut accepted = Vec::new();
        for life in 0..5 {
            let (session, mut events) = node.session_with(Box::new(open(folder.path())));
            let taking = tokio::spawn(async move { while events.next().await.is_some() {} });
            for i in 0..random.below(150) {
                let text = format!("{life}-{i}");
                session.send(Target::User(BOB.parse().unwrap()), content::text(&text), bytes::Bytes::new()).await.unwrap();
                accepted.push(text);
                if random.chance(50) {
                    tokio::task::yield_now().await;
                }
            }
            let left = killed(folder.path(), &mut random);
            // The old process is gone: what it would still say is not heard by anybody.
            node.cut();
            session.close().await;
            taking.await.unwrap();
            folder = left;
        }
        let (session, mut events) = node.session_with(Box::new(open(folder.path())));
        until(&mut events, |e| *e == Event::SyncDone).await;
        session.drained().await;
        assert_eq!(node.texts(BOB), accepted, "seed {seed}");
        assert_eq!(node.state().violations, Vec::<String>::new(), "seed {seed}");
        session.close().await;
    }
}

/// The folder as it is at this moment, with a torn write behind it sometimes.
fn killed(folder: &Path, random: &mut Random) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "new") {
            fs::copy(&path, copy.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    if random.chance(500) {
        let log = copy.path().join("sent.log");
        let mut bytes = fs::read(&log).unwrap();
        bytes.extend_from_slice(&[0, 0, 0, 50, 1, 2, 3]);
        fs::write(&log, bytes).unwrap();
    }
    copy
}
