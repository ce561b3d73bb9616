//! The bytes on the disk are for ever: fixed drafts give exactly the committed vectors, the vectors are read as those
//! drafts, and the page that describes them shows the same bytes.

use crate::support::*;
use startalk_journal::fault::FaultDisk;
use startalk_journal::{Body, Draft, FORMAT_VERSION, Journal, OpenError, Options, ReadJournal};

const VECTOR_ID: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const OPTIONS: Options = Options { segment_bytes: 8192, extent_bytes: 1024 };

fn drafts() -> [Draft; 3] {
    let first = Draft {
        kind: 1,
        version: 1,
        time_ms: 1_790_000_000_000,
        conversation: 300,
        sequence: 1,
        previous: 0,
        facts: b"facts".to_vec(),
        body: Some([&[0xab; 16][..], b"hello"].concat()),
    };
    let second = Draft { kind: 500, sequence: 2, previous: 1, facts: Vec::new(), body: None, ..first.clone() };
    let third = Draft { kind: 2, time_ms: 1_790_000_000_001, sequence: 3, previous: 1, ..first.clone() };
    [first, second, third]
}

/// The segment with those drafts, sealed: batch 1 of two records, batch 2 of one in the next epoch.
fn sealed_segment() -> Vec<u8> {
    let disk = FaultDisk::new();
    let mut journal = Journal::create(disk.arc(), VECTOR_ID, OPTIONS).expect("created");
    let [first, second, third] = drafts();
    append(&mut journal, &[first, second]);
    journal.begin_epoch();
    append(&mut journal, &[third]);
    append(&mut journal, &[Draft { time_ms: 1_790_000_000_001, ..message(0, 3800) }]);
    disk.file(FIRST).expect("a sealed segment")
}

fn parse_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.lines().filter(|line| !line.starts_with('#')).flat_map(str::bytes).collect();
    let digits: Vec<u32> = digits.iter().filter_map(|&digit| char::from(digit).to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    bytes.chunks(32).map(line).collect::<Vec<_>>().join("\n")
}

const HEADER: &str = include_str!("../vectors/segment-header.hex");
const RECORD_BYTES: &str = include_str!("../vectors/records.hex");
const SEAL: &str = include_str!("../vectors/seal.hex");
const REWRITTEN: &str = include_str!("../vectors/rewritten-segment.hex");
const LIST: &str = include_str!("../vectors/erasing-list.hex");

/// The sealed segment as the vectors have it.
fn sealed_vector() -> Vec<u8> {
    let mut file = parse_hex(HEADER);
    file.resize(RECORDS, 0);
    file.extend(parse_hex(RECORD_BYTES));
    file.extend(parse_hex(SEAL));
    file
}

#[test]
fn the_same_drafts_give_the_same_bytes_for_ever() {
    let file = sealed_segment();
    let records_end = file.len() - 128 - 3 * 4;
    let parts = [(HEADER, &file[..104]), (RECORD_BYTES, &file[RECORDS..records_end]), (SEAL, &file[records_end..])];
    for (vector, found) in parts {
        assert!(parse_hex(vector) == found, "the vector begins\n{vector}\nand the bytes are\n{}", hex(found));
    }
    assert!(file == sealed_vector(), "zeros between header and records");
}

#[test]
fn the_vectors_are_read_as_those_drafts() {
    let disk = FaultDisk::new();
    disk.put(FIRST, &sealed_vector());
    let (journal, report) = Journal::open(disk.arc(), OPTIONS).expect("version 1");
    assert_eq!((report.head.journal_id, report.head.epoch, report.cut), (VECTOR_ID, 2, None));
    assert_same(&journal.reader(), &drafts(), &never, "the vectors");
    assert_sound(&journal, &never, "the vectors");

    // Unsealed, with zeros behind the records.
    let mut file = sealed_vector();
    file.truncate(RECORDS + parse_hex(RECORD_BYTES).len());
    file.resize(8000, 0);
    disk.put(FIRST, &file);
    let (journal, report) = Journal::open(disk.arc(), OPTIONS).expect("version 1");
    assert_eq!((report.cut, report.seal_undone), (None, false));
    assert_same(&journal.reader(), &drafts(), &never, "the vectors, unsealed");
}

/// The sealed segment with the bodies of positions 1 and 3 erased, and rewritten: what follows the header's block.
#[test]
fn a_rewritten_segment_has_the_bytes_of_its_vector() {
    let disk = FaultDisk::new();
    disk.put(FIRST, &sealed_vector());
    let (mut journal, _) = Journal::open(disk.arc(), OPTIONS).expect("version 1");
    append(&mut journal, &[Draft { time_ms: 1_790_000_000_001, ..message(0, 20) }]);
    journal.erase(&[1, 3]).expect("a good disk");
    journal.reader().rewrite(1, 0, &mut |_, _| {}).expect("a good disk");
    let file = disk.file(FIRST).expect("the segment");
    let found = [&file[..104], &file[RECORDS..]].concat();
    assert!(parse_hex(REWRITTEN) == found, "the vector is\n{REWRITTEN}\nand the bytes are\n{}", hex(&found));
    assert!(file[104..RECORDS].iter().all(|&byte| byte == 0));

    // And read: as those drafts without the two bodies.
    let disk = FaultDisk::new();
    let vector = parse_hex(REWRITTEN);
    let mut file = vector[..104].to_vec();
    file.resize(RECORDS, 0);
    file.extend_from_slice(&vector[104..]);
    disk.put(FIRST, &file);
    let (journal, report) = Journal::open(disk.arc(), OPTIONS).expect("version 2");
    assert_eq!((report.records, report.cut), (3, None));
    let gone = |position: u64| position != 2;
    assert_same(&journal.reader(), &drafts(), &gone, "the vector");
    assert_sound(&journal, &gone, "the vector");
    assert_eq!(journal.reader().read(1).expect("a record").body, Body::Erased);
}

#[test]
fn an_erasing_list_has_the_bytes_of_its_vector() {
    let disk = FaultDisk::new();
    disk.put(FIRST, &sealed_vector());
    let (mut journal, _) = Journal::open(disk.arc(), OPTIONS).expect("version 1");
    append(&mut journal, &[Draft { time_ms: 1_790_000_000_001, ..message(0, 20) }]);
    disk.set_faults(startalk_journal::fault::Faults { fail_sync: Some(2), ..Default::default() });
    journal.erase(&[1, 3]).expect_err("before the list is cleared");
    let file = disk.file("erasing").expect("the list");
    let slot = file.len() / 2;
    let found = &file[slot..slot + 80];
    assert!(parse_hex(LIST) == found, "the vector is\n{LIST}\nand the bytes are\n{}", hex(found));
    assert!(file[..slot].iter().chain(&file[slot + 80..]).all(|&byte| byte == 0));

    let disk = FaultDisk::new();
    disk.put(FIRST, &sealed_vector());
    let mut list = parse_hex(LIST);
    list.resize(2 * slot, 0);
    disk.put("erasing", &list);
    let (journal, report) = Journal::open(disk.arc(), OPTIONS).expect("version 1");
    assert_eq!(report.erasures_repeated, 2);
    assert_eq!(journal.reader().read(1).expect("a record").body, Body::Erased);
}

#[test]
fn the_page_about_the_format_shows_the_same_bytes() {
    let page = include_str!("../../../../docs/journal-format.md");
    let shown: String = page.split_whitespace().collect();
    for vector in [HEADER, RECORD_BYTES, SEAL, LIST] {
        let bytes = parse_hex(vector);
        let whole: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert!(shown.contains(&whole), "docs/journal-format.md does not show\n{}", hex(&bytes));
    }
}

#[test]
fn a_file_of_a_newer_version_is_refused_by_name() {
    let newer = |version: u32| {
        let mut file = sealed_vector();
        file[8..12].copy_from_slice(&version.to_le_bytes());
        let crc = crc32c::crc32c(&file[..12]);
        file[12..16].copy_from_slice(&crc.to_le_bytes());
        // What follows may be anything in a newer version.
        file[16..300].fill(0x55);
        file
    };
    for version in [FORMAT_VERSION + 1, 77, u32::MAX] {
        let disk = FaultDisk::new();
        disk.put(FIRST, &newer(version));
        let before = disk.file(FIRST);
        let error = Journal::open(disk.arc(), OPTIONS).err().expect("a newer version");
        assert!(
            matches!(error, OpenError::NewerFormat { segment: 1, found, known: FORMAT_VERSION } if found == version),
            "{error}"
        );
        let words = error.to_string();
        assert!(words.contains(&version.to_string()) && words.contains(&format!("up to {FORMAT_VERSION}")), "{words}");
        assert_eq!(disk.file(FIRST), before, "it is not touched");
        let tiny = FaultDisk::new();
        tiny.put(FIRST, &newer(version)[..16]);
        assert!(matches!(Journal::open(tiny.arc(), OPTIONS), Err(OpenError::NewerFormat { .. })));
    }
    // A newer build went on behind our segment, and left an erasing list that we might understand: nothing is touched.
    let disk = FaultDisk::new();
    disk.put(FIRST, &sealed_vector());
    disk.put("0000000000000002.segment", &newer(FORMAT_VERSION + 1));
    let mut list = vec![0; 106_496];
    list.extend(parse_hex(LIST));
    disk.put("erasing", &list);
    let error = Journal::open(disk.arc(), OPTIONS).err().expect("a newer version");
    assert!(matches!(error, OpenError::NewerFormat { segment: 2, found: 3, known: FORMAT_VERSION }), "{error}");
    assert_eq!((disk.file(FIRST), disk.counts().changes), (Some(sealed_vector()), 0));

    let disk = FaultDisk::new();
    disk.put(FIRST, &newer(0));
    assert!(matches!(Journal::open(disk.arc(), OPTIONS), Err(OpenError::Damaged { .. })));
    let mut file = newer(FORMAT_VERSION + 1);
    file[8] ^= 8;
    disk.put(FIRST, &file);
    let error = Journal::open(disk.arc(), OPTIONS).err().expect("a damaged version");
    assert!(matches!(error, OpenError::Damaged { .. }), "a flipped bit is not a newer version: {error}");
}
