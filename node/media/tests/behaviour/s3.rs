//! The store in a bucket: against a server that speaks S3, over a socket.

use std::path::Path;

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use startalk_media::{Purpose, S3Config, StoreConfig};
use startalk_protocol::Code;

use crate::support::*;

/// A server with one bucket; its URL.
async fn serve(root: &Path) -> String {
    std::fs::create_dir_all(root.join("files")).unwrap();
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
    builder.set_auth(SimpleAuth::from_single("key", "secret"));
    let service = builder.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let service = service.clone();
            tokio::spawn(async move {
                let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await;
            });
        }
    });
    url
}

fn bucket(endpoint: String, secret: &str) -> StoreConfig {
    StoreConfig::S3(S3Config {
        endpoint,
        bucket: "files".into(),
        region: "us-east-1".into(),
        access_key: "key".into(),
        secret_key: secret.into(),
        prefix: "domains/a".into(),
    })
}

#[tokio::test]
async fn files_lie_in_the_bucket_and_come_back_in_ranges() {
    let root = tempfile::tempdir().unwrap();
    let place = Place { store: bucket(serve(root.path()).await, "secret"), ..Place::new() };
    let media = place.open();
    // In one request, and in three parts.
    for (seed, size) in [(1, 70_000), (2, 20_000_000)] {
        let bytes = Seeded(seed).bytes(size);
        let told = ready(&media, ALICE, &bytes, "a.bin", Purpose::File).await;
        assert!(read(&media, ALICE, &told.file.hash).await == bytes, "{size} bytes");
        let here = media.own(ALICE, hash_of(&told.file.hash)).await.unwrap();
        assert_eq!(part(&media, &here, 60_000..60_010).await.unwrap(), bytes[60_000..60_010]);
        assert!(part(&media, &here, 5..5).await.unwrap().is_empty());
        // Again: it is there already.
        ready(&media, BOB, &bytes, "a.bin", Purpose::File).await;
    }
    let in_bucket = || files_in(&root.path().join("files/domains/a/blobs")).len();
    assert_eq!(in_bucket(), 2);
    assert!(place.blobs().is_empty(), "nothing of them is on the local disk");
    let small = place.table.files.lock()[0].hash;
    place.table.forget(&small);
    media.collect().await.unwrap();
    assert_eq!(in_bucket(), 1);
    assert_eq!(media.sweep().await.unwrap().0, 0, "what is left is somebody's");
    place.table.files.lock().clear();
    assert_eq!(media.sweep().await.unwrap(), (1, 20_000_000));
    assert_eq!(in_bucket(), 0);
}

#[tokio::test]
async fn a_bucket_that_refuses_us_makes_an_upload_wait_and_not_fail() {
    let root = tempfile::tempdir().unwrap();
    let url = serve(root.path()).await;
    let mut place = Place { store: bucket(url.clone(), "wrong"), ..Place::new() };
    let media = place.open();
    let bytes = Seeded(1).bytes(1000);
    let upload = bring(&media, ALICE, &bytes, "a.bin", Purpose::File).await;
    let mut heard = upload.progress.subscribe();
    let is_over = |p: &startalk_media::Progress| matches!(p, startalk_media::Progress::Failed(_));
    assert_eq!(*heard.wait_for(is_over).await.unwrap(), startalk_media::Progress::Failed(Code::Internal.into()));
    drop(media);
    place.store = bucket(url, "secret");
    let media = place.open();
    assert!(matches!(became(&media, ALICE, &upload.id).await, startalk_media::Progress::Ready(_)));
}
