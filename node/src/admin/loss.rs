//! What is lost when a backup is brought back, counted before anybody decides: what the journal has after it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::Serialize;
use startalk_domain::{Actor, Event, Recorded, administration::By, directory};
use startalk_journal::ReadJournal as _;
use startalk_protocol::Error;
use utoipa::ToSchema;

use super::{Backend, failed, restore, storage};
use crate::{store::Reach, swap};

/// Records that are looked at; of what follows them only the number is known.
const LOOKED_AT_MAX: u64 = 200_000;
/// Names that are told.
const NAMES_MAX: usize = 50;
/// Records, and bytes of them, read at once.
const PIECE: (usize, usize) = (4096, 4 << 20);

/// What would be lost, and what comes again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Loss {
    /// Records of the copy; null: it does not say.
    pub records: Option<u64>,
    /// The domain went on from this copy, and what follows it is counted. Otherwise the numbers are 0, and everything that is not in
    /// the copy is lost.
    pub counted: bool,
    /// Records after it.
    pub lost: u64,
    /// Time of the first of them, milliseconds since 1970; null: there are none.
    pub since_ms: Option<u64>,
    /// More records than are looked at: the numbers from here on are of the first of them.
    pub at_least: bool,
    /// Messages of people here. Their devices offer them again.
    pub messages_here: u64,
    /// Messages from elsewhere. Their domains send them again.
    pub messages_elsewhere: u64,
    /// Groups that began here.
    pub groups: u64,
    /// Accounts that were made, by name, as far as they are known and fit.
    pub people: Vec<String>,
    /// All of them.
    pub people_count: u64,
    /// Devices that signed in: they have to do it again.
    pub devices: u64,
    /// The device that asks is one of them.
    pub this_device: bool,
    /// Accounts that were deleted, and come back.
    pub deleted: u64,
    /// Recalled or edited texts and other contents that were erased, and come back.
    pub erased: u64,
    /// Domains that were written to or heard from, as far as they fit.
    pub domains: Vec<String>,
    /// What the restore needs on the disk, and what is free.
    pub needed_bytes: u64,
    pub free_bytes: u64,
}

/// Counts what would be lost.
///
/// # Errors
/// If the journal cannot be read.
pub fn of(backend: &Backend, source: &Path) -> Result<Loss, Error> {
    let needed_bytes = restore::needed_bytes(storage::bytes_in(&source.join("journal")));
    let mut loss = Loss { needed_bytes, free_bytes: storage::free(&backend.folder), ..Loss::default() };
    let reach = fs::read_to_string(source.join("BACKUP")).ok().and_then(|text| text.parse::<Reach>().ok());
    let Some(reach) = reach else {
        loss.records = swap::list(&backend.folder).iter().find(|p| source.ends_with(&p.name)).map(|p| p.replaced_records);
        return Ok(loss);
    };
    loss.records = Some(reach.position);
    let journal = &backend.reader;
    let head = journal.head().position;
    loss.counted = reach.is_of(journal);
    if !loss.counted {
        return Ok(loss);
    }
    loss.lost = head - reach.position;
    let end = head.min(reach.position + LOOKED_AT_MAX);
    loss.at_least = end < head;
    let (mut at, mut counted) = (reach.position, Counted::default());
    while at < end {
        let records = journal.read_from(at + 1, PIECE.0, PIECE.1).map_err(|e| failed(&e.into()))?;
        let Some(last) = records.last() else { break };
        at = last.header.position;
        for record in records.iter().take_while(|r| r.header.position <= end) {
            let recorded = Recorded::read(record).map_err(|e| failed(&e.into()))?;
            loss.since_ms.get_or_insert(recorded.time_ms);
            counted.take(&mut loss, backend.by, &recorded);
        }
    }
    let store = &*backend.views.store;
    loss.people_count = counted.people.len() as u64;
    loss.people =
        counted.people.iter().filter_map(|n| directory::user_id(store, *n)).map(|u| u.to_string()).take(NAMES_MAX).collect();
    let mut busiest: Vec<(u64, u64)> = counted.domains.into_iter().collect();
    busiest.sort_by_key(|(_, items)| std::cmp::Reverse(*items));
    let names = busiest.iter().filter_map(|(peer, _)| directory::domain_of(store, *peer));
    loss.domains = names.map(|d| d.to_string()).take(NAMES_MAX).collect();
    Ok(loss)
}

#[derive(Default)]
struct Counted {
    people: BTreeSet<u64>,
    /// Items, by domain.
    domains: BTreeMap<u64, u64>,
}

impl Counted {
    fn take(&mut self, loss: &mut Loss, by: By, record: &Recorded) {
        let from = record.event.link_in().map(|link| link.peer);
        for peer in record.event.link_outs().iter().map(|out| out.peer).chain(from) {
            *self.domains.entry(peer).or_default() += 1;
        }
        match &record.event {
            Event::MessageAdded(..) if from.is_some() => loss.messages_elsewhere += 1,
            Event::MessageAdded(..) => loss.messages_here += 1,
            Event::GroupRecorded(facts, _) if from.is_some() || facts.origin != directory::HERE => loss.messages_elsewhere += 1,
            Event::GroupRecorded(..) => loss.messages_here += 1,
            Event::GroupBegan(facts, _) if facts.home == directory::HERE => loss.groups += 1,
            Event::AccountCreated(facts, _) => drop(self.people.insert(facts.account)),
            Event::AccountDeleted(facts, _) => loss.deleted += u64::from(!self.people.remove(&facts.account)),
            Event::DeviceAdded(facts, _) => {
                loss.devices += 1;
                loss.this_device |= by == By::Account(Actor { account: facts.account, device: facts.device });
            }
            Event::Erased(facts, _) => {
                // Bodies of records that are lost themselves do not come back.
                let kept = loss.records.unwrap_or(0);
                loss.erased += facts.positions.iter().filter(|p| **p <= kept).count() as u64;
            }
            _ => {}
        }
    }
}
