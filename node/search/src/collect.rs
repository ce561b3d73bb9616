//! The newest hits that the asker may read: rights are looked at while hits are gathered, before any is counted or kept.
//!
//! Invariant: what may not be read leaves no trace in what comes out: no count, no gap, no end of a page.

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

    fn in_conversation(&self, conversation: u64) -> Arc<Option<conversations::Reader>> {
        let mut asked = self.asked.lock();
        let reader = || Arc::new(conversations::reader(&*self.views.store, conversation, self.account).ok());
        asked.entry(conversation).or_insert_with(reader).clone()
    }
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
}

/// Of one segment.
pub struct NewestHere {
    rights: Arc<Rights>,
    limit: usize,
    beyond: Option<Place>,
    time: (u64, u64),
    columns: [Column<u64>; 4],
    last: (u64, Arc<Option<conversations::Reader>>),
    heap: BinaryHeap<Reverse<Place>>,
}

impl Collector for Newest {
    type Fruit = Vec<Place>;
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
            columns,
            last: (0, Arc::new(None)),
            heap: BinaryHeap::with_capacity(self.limit + 1),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, all: Vec<Vec<Place>>) -> tantivy::Result<Vec<Place>> {
        let mut all: Vec<Place> = all.into_iter().flatten().collect();
        all.sort_unstable_by(|a, b| b.cmp(a));
        all.truncate(self.limit);
        Ok(all)
    }
}

impl SegmentCollector for NewestHere {
    type Fruit = Vec<Place>;

    fn collect(&mut self, doc: DocId, _: Score) {
        let [time, conversation, sequence, later] = &self.columns;
        let (Some(time_ms), Some(conversation)) = (time.first(doc), conversation.first(doc)) else { return };
        if !(self.time.0..self.time.1).contains(&time_ms) || !self.rights.own.contains(&conversation) {
            return;
        }
        let Some(sequence) = sequence.first(doc) else { return };
        let place = Place { time_ms, conversation, sequence };
        let worse = self.heap.len() >= self.limit && self.heap.peek().is_some_and(|least| place < least.0);
        if worse || self.beyond.is_some_and(|beyond| place >= beyond) {
            return;
        }
        if self.last.0 != conversation {
            self.last = (conversation, self.rights.in_conversation(conversation));
        }
        let Some(reader) = &*self.last.1 else { return };
        // What it says now may have been said when the reader was not in: that is not theirs, whatever it said before.
        if reader.may_read(sequence) && reader.may_read(sequence + later.first(doc).unwrap_or(0)) {
            self.heap.push(Reverse(place));
            if self.heap.len() > self.limit {
                self.heap.pop();
            }
        }
    }

    fn harvest(self) -> Vec<Place> {
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
