//! Thousands of power cuts and kills, by seed: what was acknowledged is there, in order, unchanged; what follows it is a
//! whole batch that was being written, or nothing.

use crate::support::*;
use startalk_journal::fault::{FaultDisk, Faults, SplitMix64};
use startalk_journal::{AppendJournal, CreateError, Draft, Journal, OpenError};
use std::collections::BTreeSet;

/// What must be true of the disk.
#[derive(Default)]
struct Model {
    /// All that was ever appended and not found missing after a crash.
    drafts: Vec<Draft>,
    /// How many of them were acknowledged, or found by an opening.
    sure: usize,
    /// Where each batch ended.
    ends: BTreeSet<usize>,
    /// Positions that may be erased, and those that must be.
    ordered: BTreeSet<u64>,
    erased: BTreeSet<u64>,
}

impl Model {
    fn works_until_the_power_goes_off(&mut self, journal: &mut Journal, disk: &FaultDisk, random: &mut SplitMix64) {
        for _ in 0..random.below(14) {
            let head = journal.head();
            let settled = journal.reader().settled_segments();
            if settled > 0 && random.one_in(5) {
                // Now and then with erasures that arrive in the middle of it.
                let segment = 1 + random.below(settled);
                let late = 1 + random.below(self.sure as u64);
                self.ordered.insert(late);
                let reader = journal.reader();
                let mut erased = None;
                let rewritten = reader.rewrite(segment, 0, &mut |_, _| {
                    erased.get_or_insert_with(|| journal.erase(&[late]).is_ok());
                });
                if rewritten.is_err() || erased != Some(true) {
                    assert!(disk.is_off(), "only the power cut fails a rewriting: {rewritten:?}");
                    return;
                }
                self.erased.insert(late);
                continue;
            }
            if random.one_in(4) && self.sure > 0 {
                // Often near the head: the last batch is the one that may be torn.
                let near = if random.one_in(2) { self.sure as u64 } else { 4.min(self.sure as u64) };
                let positions: Vec<u64> = (0..1 + random.below(4)).map(|_| self.sure as u64 - random.below(near)).collect();
                self.ordered.extend(&positions);
                if journal.erase(&positions).is_err() {
                    assert!(disk.is_off(), "only the power cut fails an erasure");
                    return;
                }
                self.erased.extend(positions);
                continue;
            }
            let batch = random_batch(random, head.time_ms, head.position);
            self.drafts.extend(batch.iter().cloned());
            self.ends.insert(self.drafts.len());
            if journal.append(&batch, &head).is_err() {
                assert!(disk.is_off(), "only the power cut fails an append");
                return;
            }
            self.sure = self.drafts.len();
        }
    }

    fn is_kept_by(&mut self, journal: &Journal, what: &str) {
        let found = journal.head().position as usize;
        assert!(found >= self.sure, "{what}: {found} records of {} acknowledged", self.sure);
        assert!(found == self.sure || self.ends.contains(&found), "{what}: a part of a batch");
        self.drafts.truncate(found);
        self.ends.retain(|&end| end <= found);
        self.sure = found;
        let may = |position: u64| self.ordered.contains(&position);
        assert_same(&journal.reader(), &self.drafts, &may, what);
        let report = journal.verify(&may, &mut |_| {}).expect("a disk that reads");
        assert_eq!(report.damages, [], "{what}");
        let unfinished = report.erasures_unfinished.iter().find(|position| self.erased.contains(position));
        assert_eq!(unfinished, None, "{what}: an erasure that had returned");
    }
}

/// One life of a journal: again and again it works, loses its power or is killed, and is opened.
fn life(seed: u64) {
    let mut random = SplitMix64::new(seed);
    let mut disk = FaultDisk::new();
    let mut model = Model::default();
    for round in 0..6 {
        let what = format!("seed {seed}, round {round}");
        disk.set_faults(Faults { power_off: Some(1 + random.below(60)), ..Faults::default() });
        let journal = match Journal::open(disk.arc(), SMALL) {
            Ok((journal, _)) => Some(journal),
            Err(OpenError::NoJournal) => {
                assert_eq!(model.sure, 0, "{what}");
                match Journal::create(disk.arc(), ID, SMALL) {
                    Err(CreateError::AlreadyExists) => panic!("{what}: no journal, and yet one"),
                    created => created.ok(),
                }
            }
            Err(error) => {
                assert!(disk.is_off(), "{what}: {error}");
                None
            }
        };
        if let Some(mut journal) = journal {
            model.is_kept_by_unless_off(&journal, &disk, &what);
            model.works_until_the_power_goes_off(&mut journal, &disk, &mut random);
        }
        if random.one_in(4) {
            // What is only in the page cache becomes sure by the next opening on this disk, not by one on a copy.
            disk.restart();
            continue;
        }
        disk = disk.crash(random.next_u64());
        if let Ok((journal, _)) = Journal::open(disk.copy().arc(), SMALL) {
            model.is_kept_by(&journal, &what);
        } else {
            assert_eq!(model.sure, 0, "{what}: it does not open: {:?}", Journal::open(disk.copy().arc(), SMALL).err());
        }
    }
}

impl Model {
    fn is_kept_by_unless_off(&mut self, journal: &Journal, disk: &FaultDisk, what: &str) {
        if !disk.is_off() {
            self.is_kept_by(journal, what);
        }
    }
}

/// `JOURNAL_CRASH_SEEDS=100000` looks longer.
#[test]
fn power_cuts_lose_nothing_that_was_acknowledged() {
    let seeds = std::env::var("JOURNAL_CRASH_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1000);
    for seed in 0..seeds {
        life(seed);
    }
}
