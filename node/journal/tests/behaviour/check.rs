//! The parsers over bytes from anywhere: good files, cut files, and thousands of seeded mutations of them.

use crate::support::*;
use startalk_journal::fault::{FaultDisk, SplitMix64};
use startalk_journal::{Journal, check};

/// Files of small journals: active, sealed, with erased bodies, an erasing list; and odds and ends.
fn corpus() -> Vec<Vec<u8>> {
    let mut files = vec![Vec::new(), vec![0; 100], vec![0xf7; 6000], vec![0xff; 6000], vec![0x80; 6000]];
    for (count, body_len) in [(1, 20), (6, 60), (20, 300)] {
        let disk = FaultDisk::new();
        let mut journal = Journal::create(disk.arc(), [0; 16], SMALL).expect("created");
        (0..count).for_each(|n| append(&mut journal, &[message(2 * n, body_len), message(2 * n + 1, 16)]));
        journal.erase(&[1]).expect("erasing");
        files.push(disk.file(FIRST).expect("a segment"));
        files.push(disk.file("erasing").expect("the list"));
    }
    let sealed = files[files.len() - 2].clone();
    files.push(sealed[sealed.len() - 400..].to_vec());
    files.push(sealed[RECORDS..RECORDS + 600].to_vec());
    files
}

#[test]
fn good_files_and_their_beginnings() {
    for file in corpus() {
        check(&file);
        for cut in (0..file.len()).step_by(997) {
            check(&file[..cut]);
        }
    }
}

#[test]
fn mutations() {
    let corpus = corpus();
    for seed in 0..6000 {
        let mut random = SplitMix64::new(seed);
        let mut file = corpus[random.below(corpus.len() as u64) as usize].clone();
        file.truncate(RECORDS + 2500);
        for _ in 0..1 + random.below(6) {
            if file.is_empty() {
                file = random.bytes(64);
            }
            // Half of the changes among the records or at the end, where most of the meaning is.
            let from = if random.one_in(2) { RECORDS.min(file.len() - 1) } else { 0 };
            let at = from + random.below((file.len() - from) as u64) as usize;
            match random.below(6) {
                0 => file[at] ^= 1 << random.below(8),
                1 => file[at] = [0, 1, 0x7f, 0x80, 0xf7, 0xff][random.below(6) as usize],
                2 => file.truncate(at),
                3 => {
                    let piece = file[at..file.len().min(at + 40)].to_vec();
                    let to = random.below(file.len() as u64) as usize;
                    file.splice(to..to, piece);
                }
                4 => drop(file.drain(at..file.len().min(at + 1 + random.below(30) as usize))),
                _ => {
                    let noise = random.bytes(8);
                    file.splice(at..at, noise);
                }
            }
        }
        check(&file);
    }
}

#[test]
fn a_mutated_file_is_opened_or_refused_but_never_a_panic() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    (0..40).for_each(|n| append(&mut journal, &[message(n, 200)]));
    drop(journal);
    for seed in 0..1500 {
        let mut random = SplitMix64::new(seed);
        let copy = disk.copy();
        let names = startalk_journal::Disk::list(&copy).expect("a listing");
        let name = &names[random.below(names.len() as u64) as usize];
        let mut file = copy.file(name).expect("a file");
        for _ in 0..1 + random.below(3) {
            let at = random.below(file.len() as u64) as usize;
            if random.one_in(5) { file.truncate(at.max(1)) } else { file[at] = random.next_u64() as u8 }
        }
        copy.put(name, &file);
        if let Ok((journal, _)) = Journal::open(copy.arc(), SMALL) {
            let _ = journal.verify(&never, &mut |_| {});
        }
    }
}
