//! What is no batch is refused with a reason before anything is written, and leaves the journal as it was.

use crate::support::*;
use startalk_journal::fault::FaultDisk;
use startalk_journal::limits::{BATCH_BYTES_MAX, BATCH_RECORDS_MAX, BODY_BYTES_MAX, FACTS_BYTES_MAX};
use startalk_journal::{AppendError, AppendJournal, CreateError, Draft, DraftFault, Head, Journal, OpenError, Options};

fn refused(batch: &[Draft]) -> AppendError {
    let disk = FaultDisk::new();
    let mut journal = Journal::create(disk.arc(), ID, Options::default()).expect("an empty disk");
    append(&mut journal, &[message(100, 20)]);
    let head = journal.head();
    let counts = disk.counts();
    let error = journal.append(batch, &head).expect_err("no good batch");
    assert_eq!(disk.counts().changes, counts.changes, "nothing is written: {error}");
    append(&mut journal, &[message(101, 20)]);
    assert_eq!(journal.head().position, 2);
    assert_sound(&journal, &never, "after a refusal");
    error
}

fn draft_fault(draft: Draft) -> DraftFault {
    match refused(&[message(101, 20), draft]) {
        AppendError::Draft { index: 1, fault } => fault,
        other => panic!("another refusal: {other}"),
    }
}

#[test]
fn a_head_that_moved() {
    let mut journal = create(&FaultDisk::new());
    let old = journal.head();
    append(&mut journal, &[message(1, 20)]);
    let now = journal.head();
    let others = [
        old,
        Head { chain: [0; 32], ..now },
        Head { journal_id: [0; 16], ..now },
        Head { epoch: 2, ..now },
        Head { batch: 2, ..now },
        Head { time_ms: now.time_ms + 1, ..now },
    ];
    for expected in others {
        match journal.append(&[message(2, 20)], &expected) {
            Err(AppendError::HeadMoved { expected: e, actual }) => assert_eq!((*e, *actual), (expected, now)),
            other => panic!("{other:?}"),
        }
    }
    append(&mut journal, &[message(2, 20)]);
}

#[test]
fn a_time_that_went_back() {
    let error = refused(&[message(101, 20), message(103, 20), message(102, 20)]);
    assert!(matches!(error, AppendError::TimeWentBack { index: 2, .. }), "{error}");
    let error = refused(&[message(99, 20)]);
    assert!(matches!(error, AppendError::TimeWentBack { index: 0, .. }), "{error}");
    let mut journal = create(&FaultDisk::new());
    append(&mut journal, &[message(5, 20), message(5, 20)]);
    append(&mut journal, &[message(5, 20)]);
    assert_eq!(journal.head().position, 3, "equal is fine");
}

#[test]
fn facts_and_bodies_beyond_their_limits() {
    let long_facts = Draft { facts: vec![1; FACTS_BYTES_MAX + 1], ..message(101, 20) };
    let fault = draft_fault(long_facts);
    assert_eq!(fault, DraftFault::FactsTooLong { found: FACTS_BYTES_MAX + 1, max: FACTS_BYTES_MAX });
    let fault = draft_fault(message(101, BODY_BYTES_MAX + 1));
    assert_eq!(fault, DraftFault::BodyTooLong { found: BODY_BYTES_MAX + 1, max: BODY_BYTES_MAX });
}

#[test]
fn bodies_without_salt() {
    let with_body = |body: Vec<u8>| Draft { body: Some(body), ..message(101, 20) };
    assert_eq!(draft_fault(with_body(Vec::new())), DraftFault::NoSalt);
    assert_eq!(draft_fault(with_body(vec![1; 15])), DraftFault::NoSalt);
    let mut zeros_and_text = vec![0; 16];
    zeros_and_text.extend_from_slice(b"text");
    assert_eq!(draft_fault(with_body(zeros_and_text)), DraftFault::NoSalt);
}

#[test]
fn a_previous_record_that_is_not_before() {
    for previous in [3, 4, u64::MAX] {
        let fault = draft_fault(Draft { previous, ..message(101, 20) });
        assert_eq!(fault, DraftFault::Previous { previous });
    }
}

#[test]
fn batches_that_are_empty_or_too_large() {
    assert!(matches!(refused(&[]), AppendError::EmptyBatch));
    let many = vec![Draft { facts: Vec::new(), body: None, ..message(101, 0) }; BATCH_RECORDS_MAX + 1];
    assert!(matches!(refused(&many), AppendError::BatchTooLarge { .. }));
    let large = vec![message(101, BODY_BYTES_MAX); BATCH_BYTES_MAX / BODY_BYTES_MAX];
    assert!(matches!(refused(&large), AppendError::BatchTooLarge { .. }));
}

#[test]
fn a_batch_at_its_limits_is_taken() {
    let disk = FaultDisk::new();
    let mut journal = Journal::create(disk.arc(), ID, Options::default()).expect("an empty disk");
    append(&mut journal, &vec![Draft { facts: Vec::new(), body: None, ..message(1, 0) }; BATCH_RECORDS_MAX]);
    let full = Draft { facts: vec![1; FACTS_BYTES_MAX], ..message(2, BODY_BYTES_MAX) };
    append(&mut journal, &vec![full.clone(); 7]);
    let (journal, report) = Journal::open(disk.arc(), Options::default()).expect("a journal in order");
    assert_eq!((report.records, report.cut), (BATCH_RECORDS_MAX as u64 + 7, None));
    assert_sound(&journal, &never, "at the limits");
    use startalk_journal::ReadJournal;
    let run = journal.reader().read_from(1, 10_000, usize::MAX).expect("a run");
    assert_eq!(run.len(), BATCH_RECORDS_MAX, "no more than the limit, whatever is asked for");
}

#[test]
fn a_batch_larger_than_a_segment_is_refused_before_a_segment_is_sealed_for_it() {
    let disk = FaultDisk::new();
    let mut journal = create(&disk);
    append(&mut journal, &[message(1, 20)]);
    let head = journal.head();
    let changes = disk.counts().changes;
    let error = journal.append(&[message(2, 8000), message(3, 200)], &head).expect_err("more than a segment");
    assert!(matches!(error, AppendError::BatchTooLarge { .. }), "{error}");
    assert_eq!(disk.counts().changes, changes);
    append(&mut journal, &[message(2, 20)]);
}

#[test]
fn a_journal_over_a_journal_and_a_journal_that_is_not_there() {
    let disk = FaultDisk::new();
    assert!(matches!(Journal::open(disk.arc(), SMALL), Err(OpenError::NoJournal)));
    drop(create(&disk));
    assert!(matches!(Journal::create(disk.arc(), ID, SMALL), Err(CreateError::AlreadyExists)));
    for (segment_bytes, extent_bytes) in [(1024, 512), (u32::MAX, 4096), (16_384, 0), (16_384, 16_385)] {
        let options = Options { segment_bytes, extent_bytes };
        assert!(matches!(Journal::open(disk.arc(), options), Err(OpenError::Options(_))));
        assert!(matches!(Journal::create(disk.arc(), ID, options), Err(CreateError::Options(_))));
    }
}
