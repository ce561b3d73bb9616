//! Uploads that are cut, restarted, taken over, refused; and what becomes of the same bytes twice.

use std::{fs, io::Write as _, sync::atomic::Ordering};

use bytes::Bytes;
use startalk_media::{Progress, Purpose};
use startalk_protocol::{Code, Error};

use crate::support::*;

#[tokio::test]
async fn what_was_cut_at_random_goes_on_where_it_stands_and_the_bytes_match() {
    for seed in 0..12 {
        let mut random = Seeded(seed);
        let place = Place::opened_again();
        let mut media = place.open();
        let bytes = {
            let n = 1 + random.below(900_000);
            random.bytes(n)
        };
        let id = media.begin(new(ALICE, &bytes, "a.bin", Purpose::File)).await.unwrap().id.clone();
        loop {
            let at = media.upload(ALICE, &id).unwrap().offset();
            if at == bytes.len() as u64 {
                break;
            }
            let mut receiving = media.receive(ALICE, &id, at).await.unwrap();
            let mut rest = Bytes::copy_from_slice(&bytes[usize::try_from(at).unwrap()..]);
            for _ in 0..random.below(8) + 1 {
                let piece = rest.split_to(rest.len().min(random.below(150_000)));
                receiving.write(piece).await.unwrap();
            }
            match random.below(3) {
                // Nobody was answered: what is lost is sent again.
                0 => drop(receiving),
                1 => {
                    let acknowledged = receiving.end().await.unwrap();
                    assert_eq!(media.upload(ALICE, &id).unwrap().offset(), acknowledged, "seed {seed}");
                }
                _ => {
                    let acknowledged = receiving.end().await.unwrap();
                    if acknowledged == bytes.len() as u64 {
                        continue; // this process is finishing it, and would go on beside the next one
                    }
                    drop(media);
                    media = place.open();
                    assert_eq!(media.upload(ALICE, &id).unwrap().offset(), acknowledged, "seed {seed}, after a restart");
                }
            }
        }
        let Progress::Ready(description) = became(&media, ALICE, &id).await else { panic!("seed {seed}") };
        assert_eq!(description.file.hash, blake3::hash(&bytes).to_hex().as_str(), "seed {seed}");
        assert_eq!(read(&media, ALICE, &description.file.hash).await, bytes, "seed {seed}");
        assert!(place.staged().iter().all(|p| p.extension().is_some_and(|e| e == "json")), "nothing staged is left");
    }
}

#[tokio::test]
async fn after_a_loss_of_power_only_what_was_synced_is_believed() {
    let place = Place::opened_again();
    let bytes = Seeded(3).bytes(300_000);
    let media = place.open();
    let upload = media.begin(new(ALICE, &bytes, "a", Purpose::File)).await.unwrap();
    let mut receiving = media.receive(ALICE, &upload.id, 0).await.unwrap();
    receiving.write(Bytes::copy_from_slice(&bytes[..200_000])).await.unwrap();
    assert_eq!(receiving.end().await.unwrap(), 200_000);
    drop(media);
    // Bytes that nobody had synced, of which a file system may have made zeros.
    let part = place.staged().into_iter().find(|p| p.extension().is_some_and(|e| e == "part")).unwrap();
    fs::OpenOptions::new().append(true).open(&part).unwrap().write_all(&[0; 50_000]).unwrap();
    let told = part.with_extension("json");
    let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(&told).unwrap()).unwrap();
    meta["boot"] = "another start of the machine".into();
    fs::write(&told, meta.to_string()).unwrap();
    let media = place.open();
    assert_eq!(media.upload(ALICE, &upload.id).unwrap().offset(), 200_000);
    let mut receiving = media.receive(ALICE, &upload.id, 200_000).await.unwrap();
    receiving.write(Bytes::copy_from_slice(&bytes[200_000..])).await.unwrap();
    receiving.end().await.unwrap();
    let Progress::Ready(description) = became(&media, ALICE, &upload.id).await else { panic!() };
    assert_eq!(read(&media, ALICE, &description.file.hash).await, bytes);
}

#[tokio::test]
async fn the_same_bytes_by_two_people_lie_there_once_and_are_answered_alike() {
    let place = Place::new();
    let media = place.open();
    let bytes = Seeded(1).bytes(70_000);
    let first = ready(&media, ALICE, &bytes, "mine.bin", Purpose::File).await;
    let second = ready(&media, BOB, &bytes, "mine.bin", Purpose::File).await;
    assert_eq!(first, second);
    assert_eq!(place.blobs().len(), 1);
    assert_eq!(read(&media, BOB, &second.file.hash).await, bytes);
}

#[tokio::test]
async fn a_description_is_still_told_after_a_restart_and_ends_with_its_day() {
    let place = Place::new();
    let media = place.open();
    let upload = bring(&media, ALICE, b"hello", "../x/hello.txt", Purpose::File).await;
    let Progress::Ready(told) = became(&media, ALICE, &upload.id).await else { panic!() };
    assert_eq!(told.file.media_type, "text/plain");
    drop(media);
    let media = place.open();
    assert_eq!(became(&media, ALICE, &upload.id).await, Progress::Ready(told));
    assert_eq!(media.progress(BOB, &upload.id).await.err().map(|e| e.code), Some(Code::UploadGone), "it is nobody else's");
    drop(media);
    place.clock.fetch_add(24 * 3600 * 1000, Ordering::Relaxed);
    let media = place.open();
    assert_eq!(media.upload(ALICE, &upload.id).err().map(|e| e.code), Some(Code::UploadGone));
    assert!(place.staged().is_empty());
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let place = Place::new();
    let media = place.open();
    let told = ready(&media, ALICE, b"", "empty", Purpose::File).await;
    assert_eq!((told.file.size, told.file.media_type.as_str()), (0, "application/octet-stream"));
    assert!(read(&media, ALICE, &told.file.hash).await.is_empty());
}

#[tokio::test]
async fn bytes_go_where_the_client_says_that_they_go_or_nowhere() {
    let place = Place::new();
    let media = place.open();
    let upload = media.begin(new(ALICE, &[0; 100], "a", Purpose::File)).await.unwrap();
    let code = |r: Result<_, Error>| r.map(drop).unwrap_err().code;
    assert_eq!(code(media.receive(ALICE, &upload.id, 1).await.map(drop)), Code::WrongOffset);
    assert_eq!(code(media.receive(BOB, &upload.id, 0).await.map(drop)), Code::UploadGone);
    let mut receiving = media.receive(ALICE, &upload.id, 0).await.unwrap();
    receiving.write(Bytes::from_static(&[1; 60])).await.unwrap();
    assert_eq!(code(receiving.write(Bytes::from_static(&[1; 41])).await), Code::TooLarge);
    assert_eq!(receiving.end().await.unwrap(), 60);
    assert_eq!(media.progress(ALICE, &upload.id).await.unwrap().1, Progress::Receiving);
    media.terminate(ALICE, &upload.id).await.unwrap();
    assert_eq!(code(media.receive(ALICE, &upload.id, 60).await.map(drop)), Code::UploadGone);
    assert!(place.staged().is_empty());
}

#[tokio::test]
async fn a_newer_request_takes_the_turn_over() {
    let place = Place::new();
    let media = place.open();
    let upload = media.begin(new(ALICE, &[7; 100], "a", Purpose::File)).await.unwrap();
    let mut first = media.receive(ALICE, &upload.id, 0).await.unwrap();
    first.write(Bytes::from_static(&[7; 10])).await.unwrap();
    let (second, id) = (media.clone(), upload.id.clone());
    let second = tokio::spawn(async move { second.receive(ALICE, &id, 10).await.map(drop) });
    first.superseded().await;
    assert_eq!(first.end().await.unwrap(), 10);
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_domain_that_stops_meanwhile_does_not_lose_what_was_uploaded() {
    let place = Place::opened_again();
    let media = place.open();
    place.table.refuses.lock().push(Code::Stopping.into());
    let bytes = Seeded(9).bytes(10_000);
    let upload = bring(&media, ALICE, &bytes, "a", Purpose::File).await;
    let mut heard = upload.progress.subscribe();
    let failed = heard.wait_for(|p| !matches!(p, Progress::Working | Progress::Receiving)).await.unwrap().clone();
    assert_eq!(failed, Progress::Failed(Code::Stopping.into()));
    drop(media);
    let media = place.open();
    let Progress::Ready(told) = became(&media, ALICE, &upload.id).await else { panic!() };
    assert_eq!(read(&media, ALICE, &told.file.hash).await, bytes);
    // What is refused for good stays refused.
    place.table.refuses.lock().push(Code::OverFileQuota.into());
    let upload = bring(&media, ALICE, b"other", "a", Purpose::File).await;
    for _ in 0..2 {
        assert_eq!(became(&media, ALICE, &upload.id).await, Progress::Failed(Code::OverFileQuota.into()));
    }
}

#[tokio::test]
async fn uploads_are_limited_in_number_size_and_by_the_disk_and_leave_nothing() {
    let mut place = Place::new();
    place.table.limits.lock().file_bytes_max = 1000;
    let media = place.open();
    let begin = |size: u64| {
        let media = media.clone();
        async move { media.begin(startalk_media::NewUpload { account: ALICE, size, name: "a".into(), purpose: Purpose::File }).await }
    };
    assert_eq!(begin(1001).await.err().map(|e| e.code), Some(Code::FileTooLarge));
    for _ in 0..64 {
        begin(10).await.unwrap();
    }
    assert_eq!(begin(10).await.err().map(|e| e.code), Some(Code::TooMany));
    assert!(media.begin(new(BOB, b"1", "b", Purpose::File)).await.is_ok(), "others have their own");
    assert_eq!(place.staged().len(), 2 * 65);
    drop(media);
    place = Place { reserve_bytes: u64::MAX / 2, ..Place::new() };
    let media = place.open();
    assert_eq!(media.begin(new(ALICE, b"1", "a", Purpose::File)).await.err().map(|e| e.code), Some(Code::DiskFull));
    assert!(place.staged().is_empty() && place.blobs().is_empty());
}

#[tokio::test]
async fn folders_and_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let media = place.open();
    ready(&media, ALICE, b"hello", "a", Purpose::File).await;
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for folder in ["", "blobs", "uploads", "cache"] {
        assert_eq!(mode(&place.folder().join(folder)), 0o700, "{folder}");
    }
    for file in place.blobs().iter().chain(&place.staged()) {
        assert_eq!(mode(file), 0o600, "{}", file.display());
    }
}
