//! A full disk refuses a batch before anything of it is written; the journal goes on when there is space again.

use crate::support::*;
use startalk_journal::fault::FaultDisk;
use startalk_journal::{AppendError, AppendJournal, Body, CreateError, Disk, Journal, ReadJournal};

/// Fills the disk, tries to append, gives space back in small steps, and goes on. `lie`: `free_bytes` promises too much.
fn refuses_and_goes_on(lie: bool) {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    disk.pretend_free(lie.then_some(u64::MAX));
    let mut drafts = Vec::new();
    let mut refused = 0;
    let mut capacity = disk.used_bytes();
    disk.set_capacity(Some(capacity));
    while drafts.len() < 120 {
        let draft = message(drafts.len() as u64, 150);
        let head = journal.head();
        let used = disk.used_bytes();
        match journal.append(std::slice::from_ref(&draft), &head) {
            Ok(_) => drafts.push(draft),
            Err(AppendError::DiskFull { needed, free }) => {
                assert!(lie || disk.used_bytes() <= used, "it asks before it writes");
                assert!(lie || needed > free, "{needed} needed, {free} free");
                assert_eq!(journal.head(), head);
                refused += 1;
                if refused % 7 == 0 {
                    let (opened, report) = open(&disk.copy());
                    assert_eq!((report.head, report.cut), (head, None), "nothing of the batch was written");
                    assert_same(&opened.reader(), &drafts, &never, "opened when full");
                }
                capacity += 400;
                disk.set_capacity(Some(capacity));
            }
            Err(other) => panic!("another error: {other}"),
        }
    }
    assert!(refused > 50, "{refused} refusals");
    assert!(!disk.list().expect("a listing").iter().any(|name| name.ends_with(".new")), "the space is given back");
    assert_same(&journal.reader(), &drafts, &never, "with space again");
    assert_sound(&open(&disk).0, &never, "opened");
}

#[test]
fn as_free_bytes_says() {
    refuses_and_goes_on(false);
}

#[test]
fn although_free_bytes_promised_more() {
    refuses_and_goes_on(true);
}

#[test]
fn erasing_and_opening_need_no_space() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    (0..100).for_each(|n| append(&mut journal, &[message(n, 150)]));
    disk.set_capacity(Some(0));
    journal.erase(&(1..=100).collect::<Vec<_>>()).expect("erasing on a full disk");
    drop(journal);
    let (mut journal, _) = open(&disk);
    assert_eq!(journal.reader().read(50).expect("a record").body, Body::Erased);
    let head = journal.head();
    let error = journal.append(&[message(100, 3000)], &head).expect_err("no space");
    assert!(matches!(error, AppendError::DiskFull { .. }), "{error}");
    journal.erase(&[1, 2]).expect("erasing on a full disk");
}

#[test]
fn a_journal_is_not_made_on_a_full_disk_and_made_later() {
    let disk = FaultDisk::new();
    for capacity in (0..400_000).step_by(20_000) {
        disk.set_capacity(Some(capacity));
        match Journal::create(disk.arc(), ID, SMALL) {
            Ok(mut journal) => {
                assert!(capacity > 100_000);
                disk.set_capacity(None);
                return append(&mut journal, &[message(1, 20)]);
            }
            Err(error) => assert!(matches!(error, CreateError::DiskFull), "{error}"),
        }
    }
    panic!("never made");
}
