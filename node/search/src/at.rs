//! The messages at some positions of the journal: what an edit, a recall or an erasure deletes from the index.
//!
//! A term for each position would be a term for each message, and terms are what indexing and merging cost. So positions that
//! lie near each other share one, and a column tells them apart. [`At`] is a query of tantivy; it is never scored.

use std::collections::BTreeMap;

use tantivy::{
    DocId, DocSet, Score, SegmentReader, TERMINATED, TantivyError, Term,
    query::{ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight},
    schema::IndexRecordOption,
};

use crate::index::{Fields, names};

/// Positions that share a term: 2 to the power of this.
const NEAR_BITS: u32 = 10;

/// The number of the term that a position shares.
pub fn near(position: u64) -> u64 {
    position >> NEAR_BITS
}

/// Documents that are, or have words, at one of these positions.
#[derive(Clone, Debug)]
pub struct At {
    /// By the term that they share, ascending.
    positions: BTreeMap<u64, Vec<u64>>,
    fields: Fields,
}

impl At {
    /// At any of `positions`, in whatever order.
    pub fn any(fields: &Fields, positions: &[u64]) -> Self {
        let mut by_term = BTreeMap::<u64, Vec<u64>>::new();
        positions.iter().for_each(|p| by_term.entry(near(*p)).or_default().push(*p));
        by_term.values_mut().for_each(|positions| positions.sort_unstable());
        Self { positions: by_term, fields: *fields }
    }

    fn documents(&self, segment: &SegmentReader) -> tantivy::Result<Vec<DocId>> {
        let (index, column) = (segment.inverted_index(self.fields.near)?, segment.fast_fields().u64(names::AT)?);
        let mut found = Vec::new();
        for (near, positions) in &self.positions {
            let term = Term::from_field_u64(self.fields.near, *near);
            let Some(mut postings) = index.read_postings(&term, IndexRecordOption::Basic)? else { continue };
            while postings.doc() != TERMINATED {
                if column.values_for_doc(postings.doc()).any(|at| positions.binary_search(&at).is_ok()) {
                    found.push(postings.doc());
                }
                postings.advance();
            }
        }
        // The words of one document may be at far positions, and it is asked for once.
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}

impl Query for At {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for At {
    fn scorer(&self, segment: &SegmentReader, score: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(Box::new(ConstScorer::new(Gathered { documents: self.documents(segment)?, next: 0 }, score)))
    }

    fn explain(&self, segment: &SegmentReader, document: DocId) -> tantivy::Result<Explanation> {
        if self.documents(segment)?.binary_search(&document).is_err() {
            return Err(TantivyError::InvalidArgument(format!("document {document} is at none of these positions")));
        }
        Ok(Explanation::new("At", 1.0))
    }
}

/// Documents in ascending order, given out one by one.
struct Gathered {
    documents: Vec<DocId>,
    next: usize,
}

impl DocSet for Gathered {
    fn advance(&mut self) -> DocId {
        self.next += 1;
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.documents.get(self.next).copied().unwrap_or(TERMINATED)
    }

    fn size_hint(&self) -> u32 {
        u32::try_from(self.documents.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use tantivy::{Index, IndexWriter, TantivyDocument, collector::Count, query::AllQuery};

    use super::*;
    use crate::index;

    /// Documents by the positions that they have words at.
    fn indexed(documents: &[&[u64]]) -> (Index, IndexWriter, Fields) {
        let (schema, fields) = index::schema();
        let index = Index::create_in_ram(schema);
        index::register(&index);
        let mut writer: IndexWriter = index.writer_with_num_threads(1, index::WRITER_BYTES).unwrap();
        for positions in documents {
            writer.add_document(document(&fields, positions)).unwrap();
        }
        writer.commit().unwrap();
        (index, writer, fields)
    }

    fn document(fields: &Fields, positions: &[u64]) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        fields.put_at(&mut document, positions);
        document
    }

    fn left(index: &Index) -> usize {
        index.reader().unwrap().searcher().search(&AllQuery, &Count).unwrap()
    }

    #[test]
    fn what_is_at_a_position_goes_and_its_neighbours_stay() {
        let (index, mut writer, fields) = indexed(&[&[5], &[6], &[7, 5_000], &[1023], &[1024], &[], &[9_000, 9_001]]);
        writer.delete_query(Box::new(At::any(&fields, &[5]))).unwrap();
        writer.commit().unwrap();
        assert_eq!(left(&index), 6);
        // One by words that were said later; one that is not there; both words of one; the last of one term, the first of the next.
        writer.delete_query(Box::new(At::any(&fields, &[9_001, 5_000, 4_999, 9_000, 1024]))).unwrap();
        writer.commit().unwrap();
        assert_eq!(left(&index), 3);
        writer.delete_query(Box::new(At::any(&fields, &[6, 1023]))).unwrap();
        writer.commit().unwrap();
        assert_eq!(left(&index), 1, "a name is at no position");
    }

    #[test]
    fn what_is_added_afterwards_stays() {
        let (index, mut writer, fields) = indexed(&[&[5]]);
        writer.delete_query(Box::new(At::any(&fields, &[5]))).unwrap();
        writer.add_document(document(&fields, &[5])).unwrap();
        writer.commit().unwrap();
        assert_eq!(left(&index), 1);
    }
}
