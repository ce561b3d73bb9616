//! What is deleted, and what is not although it looks like it.

use std::fs;

use startalk_media::Purpose;

use crate::support::*;

#[tokio::test]
async fn bytes_of_forgotten_files_go_unless_somebody_put_them_there_again() {
    let place = Place::new();
    let media = place.open();
    let (one, two) = (Seeded(1).bytes(5000), Seeded(2).bytes(5000));
    let first = ready(&media, ALICE, &one, "one", Purpose::File).await;
    let second = ready(&media, ALICE, &two, "two", Purpose::File).await;
    place.table.forget(&hash_of(&first.file.hash));
    place.table.forget(&hash_of(&second.file.hash));
    // The same bytes again, by somebody who knows nothing of the first.
    ready(&media, BOB, &two, "two", Purpose::File).await;
    // What runs from the start on may have been faster: how many this call deletes says nothing.
    media.collect().await.unwrap();
    assert!(place.table.forgotten.lock().is_empty(), "the domain was told");
    assert_eq!(place.blobs().len(), 1);
    assert_eq!(read(&media, BOB, &second.file.hash).await, two);
}

#[tokio::test]
async fn what_lies_in_the_store_and_is_nobodys_is_swept_at_the_start() {
    let place = Place::new();
    let media = place.open();
    let kept = ready(&media, ALICE, b"kept", "a", Purpose::File).await;
    let shelf = place.folder().join("blobs/00");
    fs::create_dir_all(&shelf).unwrap();
    fs::write(shelf.join("00".repeat(32)), b"nobody's").unwrap();
    fs::write(shelf.join("notes"), b"no blob").unwrap();
    assert_eq!(media.sweep().await.unwrap(), (1, 8));
    assert_eq!(read(&media, ALICE, &kept.file.hash).await, b"kept");
    assert!(shelf.join("notes").exists(), "what is no blob is not ours to delete");
}

#[tokio::test]
async fn a_sweep_during_uploads_deletes_nothing_that_is_being_put_there() {
    let place = Place::new();
    let media = place.open();
    let sweeping = media.clone();
    let sweeper = tokio::spawn(async move {
        for _ in 0..20 {
            assert_eq!(sweeping.sweep().await.unwrap().0, 0, "all that is there is somebody's");
        }
    });
    for n in 0..40_u64 {
        let bytes = Seeded(n).bytes(3000);
        let told = ready(&media, ALICE, &bytes, "a", Purpose::File).await;
        assert_eq!(read(&media, ALICE, &told.file.hash).await, bytes);
    }
    sweeper.await.unwrap();
}
