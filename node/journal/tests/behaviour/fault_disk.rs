//! The fault disk is only worth something if everything it may do happens, and nothing that was synced suffers.

use startalk_journal::Disk;
use startalk_journal::fault::{FaultDisk, Faults};
use std::collections::BTreeSet;

/// A synced file of 2,000 bytes of `a`, with an unsynced write of 1,500 bytes of `b` over its end and beyond.
fn half_synced() -> FaultDisk {
    let disk = FaultDisk::new();
    let file = disk.create("file").expect("created");
    file.write_at(0, &[b'a'; 2000]).expect("written");
    file.sync_data().expect("synced");
    disk.sync_dir().expect("synced");
    file.write_at(1000, &[b'b'; 1500]).expect("written");
    disk
}

#[test]
fn what_was_synced_survives_and_what_was_not_fares_in_every_way() {
    let disk = half_synced();
    let (mut kept, mut lost, mut torn) = (0, 0, BTreeSet::new());
    for seed in 0..400 {
        let content = disk.crash(seed).file("file").expect("its name was synced");
        assert!(content.len() >= 2000 && content[..1000] == [b'a'; 1000], "seed {seed}");
        match content[1000..].iter().filter(|&&byte| byte == b'b').count() {
            0 => lost += 1,
            1500 => kept += 1,
            some => drop(torn.insert(some)),
        }
    }
    assert!(kept > 40 && lost > 40 && torn.len() > 40, "{kept} kept, {lost} lost, {} ways torn", torn.len());
    assert_eq!(disk.crash(7).file("file"), disk.crash(7).file("file"), "a seed is a seed");
}

#[test]
fn a_name_that_was_not_synced_may_vanish() {
    let disk = FaultDisk::new();
    disk.create("old").expect("created").sync_all().expect("synced");
    disk.sync_dir().expect("synced");
    disk.rename("old", "new").expect("renamed");
    disk.create("other").expect("created");
    let seen: BTreeSet<_> = (0..100).map(|seed| disk.crash(seed).list().expect("listed")).collect();
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let all = [names(&["old"]), names(&["new"]), names(&["old", "other"]), names(&["new", "other"])];
    assert_eq!(seen, BTreeSet::from(all), "a rename is whole, a creation is there or not");
}

#[test]
fn a_failed_sync_may_drop_what_is_still_readable() {
    for (drop_dirty, survives) in [(true, false), (false, true)] {
        let disk = half_synced();
        disk.set_faults(Faults { fail_sync: Some(1), drop_dirty, ..Faults::default() });
        let file = disk.open("file").expect("opened");
        file.sync_data().expect_err("this one fails");
        file.sync_data().expect("the next finds nothing dirty, or writes it");
        assert_eq!(disk.file("file").expect("a file").len(), 2500, "readable all the same");
        assert_eq!(disk.crash(1).file("file").expect("a file").len() == 2500, survives);
    }
}

#[test]
fn after_the_power_is_off_nothing_works_until_the_restart() {
    let disk = half_synced();
    disk.set_faults(Faults { power_off: Some(2), ..Faults::default() });
    let file = disk.open("file").expect("opened");
    file.write_at(0, b"x").expect("the first change");
    file.sync_all().expect_err("the second change");
    assert!(disk.is_off());
    file.read_at(0, &mut [0]).expect_err("off");
    disk.list().expect_err("off");
    disk.restart();
    assert_eq!(disk.list().expect("on again"), ["file"]);
}

#[test]
fn a_full_disk_takes_what_fits_and_overwriting_needs_no_space() {
    let disk = half_synced();
    disk.set_capacity(Some(2600));
    assert_eq!(disk.free_bytes().expect("asked"), 100);
    let file = disk.open("file").expect("opened");
    let error = file.write_at(2400, &[b'c'; 300]).expect_err("too much");
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    assert_eq!(file.size().expect("asked"), 2600);
    file.write_at(0, &[b'd'; 2600]).expect("no more than before");
    disk.pretend_free(Some(1 << 40));
    assert_eq!(disk.free_bytes().expect("asked"), 1 << 40);
}
