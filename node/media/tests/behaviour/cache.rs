//! Copies of other domains' files: fetched once, believed never, kept within limits.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use bytes::Bytes;
use parking_lot::Mutex;
use startalk_domain::files::Here;
use startalk_media::{Fetch, Fetched, Later, Media};
use startalk_protocol::{Code, Error};

use crate::support::*;

/// Another domain, that does as it likes.
#[derive(Default)]
struct Elsewhere {
    bytes: Mutex<std::collections::HashMap<u64, Vec<u8>>>,
    asked: AtomicUsize,
    /// Where the last question began.
    from: AtomicU64,
    /// It gives so many bytes and then no more.
    cut_after: Mutex<Option<usize>>,
    /// It waits until this is let go.
    gate: tokio::sync::Mutex<()>,
}

struct By(Arc<Elsewhere>);

impl Fetch for By {
    fn fetch(&self, file: &Here, offset: u64) -> Later<Result<Fetched, Error>> {
        let (there, number) = (self.0.clone(), file.file);
        Box::pin(async move {
            there.asked.fetch_add(1, Ordering::SeqCst);
            there.from.store(offset, Ordering::SeqCst);
            drop(there.gate.lock().await);
            let all = there.bytes.lock().get(&number).cloned().ok_or(Code::FileAway)?;
            let mut rest = all[usize::try_from(offset).unwrap().min(all.len())..].to_vec();
            let cut = *there.cut_after.lock();
            if let Some(at) = cut {
                rest.truncate(at);
            }
            let mut chunks: Vec<Result<Bytes, Error>> = rest.chunks(10_000).map(|c| Ok(Bytes::copy_from_slice(c))).collect();
            if cut.is_some() {
                chunks.push(Err(Code::FileAway.into()));
            }
            let fetched: Fetched = Box::pin(futures_util::stream::iter(chunks));
            Ok(fetched)
        })
    }
}

fn with_elsewhere(place: &Place) -> (Media, Arc<Elsewhere>) {
    let there = Arc::new(Elsewhere::default());
    let media = place.open();
    media.fetches_by(Arc::new(By(there.clone())));
    (media, there)
}

/// A file that another domain keeps.
fn theirs(place: &Place, there: &Elsewhere, seed: u64, size: usize) -> (Here, Vec<u8>) {
    let bytes = Seeded(seed).bytes(size);
    let here = place.table.of_others(&bytes, 5);
    there.bytes.lock().insert(here.file, bytes.clone());
    (here, bytes)
}

fn code(result: Result<Vec<u8>, Error>) -> Code {
    result.unwrap_err().code
}

#[tokio::test]
async fn a_file_is_fetched_when_it_is_opened_and_then_it_is_here() {
    let place = Place::new();
    let (media, there) = with_elsewhere(&place);
    let (here, bytes) = theirs(&place, &there, 1, 345_678);
    assert_eq!(part(&media, &here, 0..345_678).await.unwrap(), bytes);
    assert_eq!(part(&media, &here, 100_000..100_010).await.unwrap(), bytes[100_000..100_010]);
    assert_eq!(there.asked.load(Ordering::SeqCst), 1);
    assert!(place.blobs().is_empty(), "copies are not among the domain's own");
}

#[tokio::test]
async fn who_asks_at_once_shares_one_fetch() {
    let place = Place::new();
    let (media, there) = with_elsewhere(&place);
    let (here, bytes) = theirs(&place, &there, 1, 50_000);
    let closed = there.gate.lock().await;
    let asking: Vec<_> = (0..10)
        .map(|_| {
            let (media, here) = (media.clone(), here.clone());
            tokio::spawn(async move { part(&media, &here, 0..50_000).await.unwrap() })
        })
        .collect();
    while there.asked.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    drop(closed);
    for asked in asking {
        assert_eq!(asked.await.unwrap(), bytes);
    }
    assert_eq!(there.asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_cut_fetch_goes_on_where_it_ended_also_after_a_restart() {
    let place = Place::new();
    let (media, there) = with_elsewhere(&place);
    let (here, bytes) = theirs(&place, &there, 1, 400_000);
    *there.cut_after.lock() = Some(150_000);
    assert_eq!(code(part(&media, &here, 0..400_000).await), Code::FileAway);
    drop(media);
    let media = place.open();
    media.fetches_by(Arc::new(By(there.clone())));
    *there.cut_after.lock() = None;
    assert_eq!(part(&media, &here, 0..400_000).await.unwrap(), bytes);
    assert_eq!(there.from.load(Ordering::SeqCst), 150_000);
}

#[tokio::test]
async fn other_bytes_than_the_message_says_are_served_to_nobody_and_do_not_stay() {
    let place = Place::new();
    let (media, there) = with_elsewhere(&place);
    let (here, bytes) = theirs(&place, &there, 1, 200_000);
    let mut wrong = bytes.clone();
    wrong[123_456] ^= 1;
    for lie in [wrong, bytes[..199_999].to_vec(), [&bytes[..], b"more"].concat(), Vec::new()] {
        there.bytes.lock().insert(here.file, lie);
        assert_eq!(code(part(&media, &here, 0..10).await), Code::FileAway);
    }
    there.bytes.lock().insert(here.file, bytes.clone());
    assert_eq!(part(&media, &here, 0..200_000).await.unwrap(), bytes);
}

#[tokio::test]
async fn what_is_larger_than_the_cache_is_refused_unless_it_was_sent_on() {
    let place = Place::new();
    place.table.limits.lock().cache_bytes_max = 100_000;
    let (media, there) = with_elsewhere(&place);
    let (here, bytes) = theirs(&place, &there, 1, 100_001);
    assert_eq!(code(part(&media, &here, 0..1).await), Code::FileTooLarge);
    assert_eq!(there.asked.load(Ordering::SeqCst), 0, "the other domain is not asked");
    place.table.pinned.lock().push(here.file);
    assert_eq!(part(&media, &here, 0..100_001).await.unwrap(), bytes);
}

#[tokio::test]
async fn what_was_used_least_lately_makes_room_and_what_was_sent_on_stays() {
    const HOUR: u64 = 3_600_001;
    let place = Place::new();
    place.table.limits.lock().cache_bytes_max = 250_000;
    let (media, there) = with_elsewhere(&place);
    let files: Vec<_> = (1..=5).map(|seed| theirs(&place, &there, seed, 100_000).0).collect();
    place.table.pinned.lock().push(files[0].file);
    let open = async |n: usize| {
        place.clock.fetch_add(HOUR, Ordering::Relaxed);
        part(&media, &files[n], 0..1).await.unwrap();
    };
    for n in [0, 1, 2, 1, 3] {
        open(n).await;
    }
    let cached = |n: usize| place.folder().join("cache").join(files[n].file.to_string()).exists();
    assert_eq!([0, 1, 2, 3].map(cached), [true, true, false, true], "2 was opened least lately, 0 was sent on");
    place.clock.fetch_add(31 * 24 * HOUR, Ordering::Relaxed);
    open(4).await;
    assert_eq!([0, 1, 3, 4].map(cached), [true, false, false, true], "a month is too long");
}

#[tokio::test]
async fn a_copy_of_what_the_domain_has_forgotten_goes() {
    let place = Place::new();
    let (media, there) = with_elsewhere(&place);
    let (here, _) = theirs(&place, &there, 1, 1000);
    part(&media, &here, 0..1).await.unwrap();
    place.table.forget(&here.hash);
    media.collect().await.unwrap();
    assert!(files_in(&place.folder().join("cache")).is_empty());
}

#[tokio::test]
async fn without_links_nothing_of_another_domain_can_be_had() {
    let place = Place::new();
    let media = place.open();
    let here = place.table.of_others(b"theirs", 5);
    assert_eq!(code(part(&media, &here, 0..1).await), Code::FileAway);
}
