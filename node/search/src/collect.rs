//! The newest hits, gathered with few questions about rights: what somebody may read of a conversation is asked when a hit of
//! it is about to be shown, and obeyed from then on while hits are gathered.
//!
//! Hits come in the order in which they were written, so that each is newer than all before it: asked at once, rights would
//! be asked for every conversation with a hit. Invariant: what may not be read leaves no trace in what is shown: no count, no
//! gap, no end of a page; so whoever takes hits from here asks [`Rights::may_read`] before anything else.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;
use startalk_domain::{Views, contacts, conversations};
use tantivy::{
    DocId, Score, SegmentOrdinal, SegmentReader,
    collector::{Collector, SegmentCollector},
    columnar::Column,
};

use crate::{find::Place, index::names};

/// What somebody may read, as domain says; asked once for each conversation with a hit.
pub struct Rights {
    views: Views,
    account: u64,
    own: HashSet<u64>,
    asked: Mutex<HashMap<u64, Arc<Option<conversations::Reader>>>>,
}

impl Rights {
    /// Of this account now.
    pub fn of(views: &Views, account: u64) -> Self {
        let own = contacts::conversations(&*views.store, account).into_iter().collect();
        Self { views: views.clone(), account, own, asked: Mutex::default() }
    }

    /// Conversations that the account has or had to do with.
    pub fn conversations(&self) -> &HashSet<u64> {
        &self.own
    }

    /// Whether a hit is theirs. What it says now may have been said when they were not in: then it is not, whatever it said
    /// before.
    pub fn may_read(&self, hit: &Hit) -> bool {
        allows(&self.in_conversation(hit.place.conversation), hit)
    }

    fn in_conversation(&self, conversation: u64) -> Readable {
        let mut asked = self.asked.lock();
        let reader = || Arc::new(conversations::reader(&self.views.store.snapshot(), conversation, self.account).ok());
        asked.entry(conversation).or_insert_with(reader).clone()
    }

    fn known(&self, conversation: u64) -> Option<Readable> {
        self.asked.lock().get(&conversation).cloned()
    }
}

/// What somebody may read of a conversation.
type Readable = Arc<Option<conversations::Reader>>;

fn allows(readable: &Readable, hit: &Hit) -> bool {
    let sequence = hit.place.sequence;
    (**readable).as_ref().is_some_and(|r| r.may_read(sequence) && r.may_read(sequence + hit.later))
}

/// A message with what is searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hit {
    /// Where.
    pub place: Place,
    /// How many sequences later it was said what it says now.
    pub later: u64,
}

/// Gathers the newest hits.
pub struct Newest {
    /// Who asks.
    pub rights: Arc<Rights>,
    /// How many at most.
    pub limit: usize,
    /// Only what comes after this in the order of hits.
    pub beyond: Option<Place>,
    /// Milliseconds since 1970, from and up to.
    pub time: (u64, u64),
    /// Rights are asked for every conversation with a hit: nothing comes out that may not be read.
    pub thorough: bool,
}

/// Of one segment.
pub struct NewestHere {
    rights: Arc<Rights>,
    limit: usize,
    beyond: Option<Place>,
    time: (u64, u64),
    thorough: bool,
    columns: [Column<u64>; 4],
    last: (u64, Option<Readable>),
    heap: BinaryHeap<Reverse<Hit>>,
}

impl Collector for Newest {
    type Fruit = Vec<Hit>;
    type Child = NewestHere;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<NewestHere> {
        let fast = segment.fast_fields();
        let columns =
            [fast.u64(names::TIME)?, fast.u64(names::CONVERSATION)?, fast.u64(names::SEQUENCE)?, fast.u64(names::LATER)?];
        Ok(NewestHere {
            rights: self.rights.clone(),
            limit: self.limit,
            beyond: self.beyond,
            time: self.time,
            thorough: self.thorough,
            columns,
            last: (0, None),
            heap: BinaryHeap::with_capacity(self.limit + 1),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, all: Vec<Vec<Hit>>) -> tantivy::Result<Vec<Hit>> {
        let mut all: Vec<Hit> = all.into_iter().flatten().collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.truncate(self.limit);
        Ok(all)
    }
}

impl SegmentCollector for NewestHere {
    type Fruit = Vec<Hit>;

    fn collect(&mut self, doc: DocId, _: Score) {
        let [time, conversation, sequence, later] = &self.columns;
        let (Some(time_ms), Some(conversation)) = (time.first(doc), conversation.first(doc)) else { return };
        if !(self.time.0..self.time.1).contains(&time_ms) || !self.rights.own.contains(&conversation) {
            return;
        }
        let Some(sequence) = sequence.first(doc) else { return };
        let place = Place { time_ms, conversation, sequence };
        let worse = self.heap.len() >= self.limit && self.heap.peek().is_some_and(|least| place < least.0.place);
        if worse || self.beyond.is_some_and(|beyond| place >= beyond) {
            return;
        }
        if self.last.0 != conversation {
            let readable =
                if self.thorough { Some(self.rights.in_conversation(conversation)) } else { self.rights.known(conversation) };
            self.last = (conversation, readable);
        }
        let hit = Hit { place, later: later.first(doc).unwrap_or(0) };
        if self.last.1.as_ref().is_none_or(|readable| allows(readable, &hit)) {
            self.heap.push(Reverse(hit));
            if self.heap.len() > self.limit {
                self.heap.pop();
            }
        }
    }

    fn harvest(self) -> Vec<Hit> {
        self.heap.into_iter().map(|r| r.0).collect()
    }
}

/// Gathers the subjects of names that are found, as far as they are the asker's to find.
pub struct Subjects {
    /// Whether this subject may be shown.
    pub allowed: Arc<dyn Fn(u64) -> bool + Send + Sync>,
    /// How many at most.
    pub limit: usize,
}

/// Of one segment.
pub struct SubjectsHere {
    allowed: Arc<dyn Fn(u64) -> bool + Send + Sync>,
    limit: usize,
    column: Column<u64>,
    out: Vec<u64>,
}

impl Collector for Subjects {
    type Fruit = Vec<u64>;
    type Child = SubjectsHere;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<SubjectsHere> {
        let column = segment.fast_fields().u64(names::SUBJECT)?;
        Ok(SubjectsHere { allowed: self.allowed.clone(), limit: self.limit, column, out: Vec::new() })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, all: Vec<Vec<u64>>) -> tantivy::Result<Vec<u64>> {
        let mut all: Vec<u64> = all.into_iter().flatten().collect();
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }
}

impl SegmentCollector for SubjectsHere {
    type Fruit = Vec<u64>;

    fn collect(&mut self, doc: DocId, _: Score) {
        let Some(subject) = self.column.first(doc) else { return };
        if self.out.len() < self.limit && (self.allowed)(subject) {
            self.out.push(subject);
        }
    }

    fn harvest(self) -> Vec<u64> {
        self.out
    }
}
