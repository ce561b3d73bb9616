//! Uploads by tus 1.0.0: offsets, cuts, ends, other people's, limits.

use std::time::UNIX_EPOCH;

use data_encoding::BASE64;
use startalk_domain::{Command, governance::NewPolicy};
use tokio::io::AsyncWriteExt as _;

use super::{Served, head, noise, patching};

/// Bytes that an upload gathers before they are written.
const CHUNK: usize = 128 * 1024;

#[tokio::test]
async fn an_upload_is_begun_brought_and_described_and_what_is_wrong_is_named() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let can = node.ask("OPTIONS", "/files/uploads", "", b"").await;
    assert_eq!((can.status, can.header("tus-version"), can.header("tus-resumable")), (204, "1.0.0", "1.0.0"));
    let mut able: Vec<&str> = can.header("tus-extension").split(',').collect();
    able.sort_unstable();
    assert_eq!(
        able,
        ["creation", "creation-with-upload", "expiration", "termination"],
        "no checksum: the hash is told at the end"
    );

    let bearer = alice.bearer();
    for (headers, status, code) in [
        ("", 400, "malformed"),
        ("Upload-Length: -5\r\n", 400, "malformed"),
        ("Upload-Length: five\r\n", 400, "malformed"),
        ("Upload-Length: 99999999999999999999999\r\n", 400, "malformed"),
        ("Upload-Defer-Length: 1\r\n", 400, "malformed"),
        ("Upload-Length: 5\r\nUpload-Metadata: filename ***\r\n", 400, "malformed"),
        ("Upload-Length: 5\r\nUpload-Metadata: purpose bm9uZQ==\r\n", 400, "bad-value"),
        ("Upload-Length: 5\r\nTus-Resumable: 0.2.2\r\n", 412, "unsupported-version"),
    ] {
        let answer = node.ask("POST", "/files/uploads", &format!("{bearer}{headers}"), b"").await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{headers:?}");
        assert_eq!(answer.header("tus-resumable"), "1.0.0", "{headers:?}");
        assert_eq!(answer.header("tus-version"), if status == 412 { "1.0.0" } else { "" }, "{headers:?}");
    }
    assert_eq!(node.staged(), 0, "what was refused leaves nothing");

    let bytes = noise(1, 1000);
    let said = format!(
        "{bearer}Upload-Length: 1000\r\nUpload-Metadata: filename {}\r\nTus-Resumable: 1.0.0\r\n",
        BASE64.encode("年报 \"2\".bin".as_bytes())
    );
    let begun = node.ask("POST", "/files/uploads", &said, b"").await;
    let place = begun.header("location").to_owned();
    assert!(begun.status == 201 && place.starts_with("/files/uploads/"), "{begun:?}");
    let until = httpdate::parse_http_date(begun.header("upload-expires")).unwrap().duration_since(UNIX_EPOCH).unwrap();
    assert_eq!(until.as_millis(), 1_800_000_000_000 + 24 * 3600 * 1000, "a day from now");

    for (headers, status) in [
        ("Upload-Offset: 0\r\n".to_owned(), 415),
        ("Upload-Offset: 0\r\nContent-Type: application/octet-stream\r\n".to_owned(), 415),
        ("Content-Type: application/offset+octet-stream\r\n".to_owned(), 400),
        ("Content-Type: application/offset+octet-stream\r\nUpload-Offset: x\r\n".to_owned(), 400),
        ("Content-Type: application/offset+octet-stream\r\nUpload-Offset: 0\r\nTus-Resumable: 2.0.0\r\n".to_owned(), 412),
    ] {
        let answer = node.ask("PATCH", &place, &format!("{bearer}{headers}"), &bytes).await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
    assert_eq!(node.offset(&alice, &place).await, 0, "what was refused wrote nothing");
    let first = node.patch(&alice, &place, 0, &bytes[..400]).await;
    assert_eq!((first.status, first.header("upload-offset"), first.header("tus-resumable")), (204, "400", "1.0.0"));
    for offset in [0, 399, 401, 1000] {
        let answer = node.patch(&alice, &place, offset, &bytes[400..]).await;
        assert_eq!((answer.status, answer.code().as_str()), (409, "wrong-offset"), "{offset}");
        assert_eq!(answer.json()["error"]["params"]["expected"], "400", "{offset}");
    }
    let stands = node.ask("HEAD", &place, &bearer, b"").await;
    assert_eq!((stands.status, stands.header("upload-offset"), stands.header("upload-length")), (200, "400", "1000"));
    assert_eq!((stands.header("cache-control"), stands.header("upload-expires")), ("no-store", begun.header("upload-expires")));
    assert_eq!(node.get(&place, &bearer).await.json()["state"], "receiving");
    let more = node.patch(&alice, &place, 400, &[&bytes[400..], b"!"].concat()).await;
    assert_eq!((more.status, more.code().as_str()), (413, "too-large"));
    assert_eq!(node.patch(&alice, &place, 400, &bytes[400..]).await.header("upload-offset"), "1000");
    let told = node.get(&place, &bearer).await.json();
    assert_eq!(told["state"], "ready", "{told}");
    assert_eq!(told["file"]["hash"], blake3::hash(&bytes).to_hex().as_str(), "{told}");
    assert_eq!((told["file"]["size"].as_u64(), told["file"]["name"].as_str()), (Some(1000), Some("年报 \"2\".bin")), "{told}");
    assert_eq!(node.patch(&alice, &place, 1000, b"").await.status, 409, "what is finished takes nothing more");

    let in_one = format!("{bearer}Upload-Length: 1000\r\nContent-Type: application/offset+octet-stream\r\n");
    let begun = node.ask("POST", "/files/uploads", &in_one, &bytes).await;
    assert_eq!((begun.status, begun.header("upload-offset")), (201, "1000"));
    assert_eq!(node.get(begun.header("location"), &bearer).await.json()["file"]["hash"], told["file"]["hash"]);
}

#[tokio::test]
async fn what_came_before_a_cut_is_there_and_the_rest_goes_on_from_it() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let bytes = noise(2, 500_000);
    let place = node.begin(&alice, "a.bin", bytes.len()).await;
    let mut at = 0;
    for cut in [150_001, 150_002, 499_999] {
        let mut stream = node.connect().await;
        stream.write_all(head("PATCH", &place, &patching(&alice, at), bytes.len() - at).as_bytes()).await.unwrap();
        stream.write_all(&bytes[at..cut]).await.unwrap();
        drop(stream);
        node.stands_at(&alice, &place, cut).await;
        at = cut;
    }
    assert_eq!(node.patch(&alice, &place, at, &bytes[at..]).await.status, 204);
    let told = node.get(&place, &alice.bearer()).await.json();
    assert_eq!(told["file"]["hash"], blake3::hash(&bytes).to_hex().as_str(), "{told}");
    let hash = told["file"]["hash"].as_str().unwrap();
    assert!(node.get(&alice.own(hash, "a.bin"), &alice.bearer()).await.body == bytes);
}

#[tokio::test]
async fn a_newer_request_takes_over_from_one_that_stands_still() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let bytes = noise(3, 3 * CHUNK);
    let place = node.begin(&alice, "a.bin", bytes.len()).await;
    let mut stale = node.connect().await;
    stale.write_all(head("PATCH", &place, &patching(&alice, 0), bytes.len()).as_bytes()).await.unwrap();
    stale.write_all(&bytes[..CHUNK]).await.unwrap();
    node.stands_at(&alice, &place, CHUNK).await;
    assert_eq!(node.patch(&alice, &place, CHUNK, &bytes[CHUNK..]).await.status, 204);
    let (answer, _) = super::read_head(&mut stale).await;
    assert_eq!(answer.status, 423, "the older one hears that it was overtaken");
    assert_eq!(node.get(&place, &alice.bearer()).await.json()["file"]["hash"], blake3::hash(&bytes).to_hex().as_str());
}

#[tokio::test]
async fn an_upload_that_is_ended_is_gone_and_leaves_nothing() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let place = node.begin(&alice, "a.bin", 1000).await;
    assert_eq!(node.patch(&alice, &place, 0, &[1; 500]).await.status, 204);
    assert_eq!(node.staged(), 2);
    assert_eq!(node.ask("DELETE", &place, &alice.bearer(), b"").await.status, 204);
    assert_eq!(node.staged(), 0);
    for method in ["HEAD", "GET", "PATCH", "DELETE"] {
        let answer = node.ask(method, &place, &patching(&alice, 500), b"").await;
        assert_eq!(answer.status, 404, "{method}");
        assert!(method == "HEAD" || answer.code() == "upload-gone", "{method}");
    }
}

#[tokio::test]
async fn an_upload_is_its_accounts_alone_on_all_its_devices() {
    let node = Served::start().await;
    let (alice, bob) = (node.person("alice").await, node.person("bob").await);
    let phone = node.device(alice.account, "alice").await;
    let place = node.begin(&alice, "a.bin", 10).await;
    for method in ["HEAD", "GET", "PATCH", "DELETE"] {
        let (other, none) = (
            node.ask(method, &place, &patching(&bob, 0), b"0123456789").await,
            node.ask(method, "/files/uploads/00000000000000000000000000000000", &patching(&bob, 0), b"0123456789").await,
        );
        assert_eq!((other.status, &other.body), (404, &none.body), "{method}: as if it was not there");
    }
    assert_eq!(node.offset(&phone, &place).await, 0);
    assert_eq!(node.patch(&phone, &place, 0, b"0123456789").await.status, 204);
}

#[tokio::test]
async fn what_is_too_much_is_refused_before_it_comes() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let policy = NewPolicy { file_bytes_max: Some(1 << 20), files_bytes_per_account: Some(3000), ..NewPolicy::default() };
    node.node.ask(Command::SetPolicy(policy));
    let begin = async |size: u64| {
        let said = format!("{}Upload-Length: {size}\r\n", alice.bearer());
        node.ask("POST", "/files/uploads", &said, b"").await
    };
    let large = begin((1 << 20) + 1).await;
    assert_eq!((large.status, large.code().as_str()), (413, "file-too-large"));
    node.upload(&alice, "a.bin", &noise(5, 2000)).await;
    let over = begin(2000).await;
    assert_eq!((over.status, over.code().as_str()), (413, "over-file-quota"));
    assert_eq!(begin(1000).await.status, 201);
}

#[tokio::test]
async fn an_account_brings_so_many_uploads_at_once_and_others_are_not_held_up() {
    let node = Served::start().await;
    let (alice, bob) = (node.person("alice").await, node.person("bob").await);
    let bytes = noise(6, 2 * CHUNK);
    let mut open = Vec::new();
    for _ in 0..8 {
        let place = node.begin(&alice, "a.bin", bytes.len()).await;
        let mut stream = node.connect().await;
        stream.write_all(head("PATCH", &place, &patching(&alice, 0), bytes.len()).as_bytes()).await.unwrap();
        stream.write_all(&bytes[..CHUNK]).await.unwrap();
        node.stands_at(&alice, &place, CHUNK).await;
        open.push((place, stream));
    }
    let place = node.begin(&alice, "a.bin", 10).await;
    let refused = node.patch(&alice, &place, 0, b"0123456789").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "too-many"));
    assert_ne!(refused.header("retry-after"), "");
    node.upload(&bob, "b.bin", b"b").await;
    let (first, mut stream) = open.pop().unwrap();
    stream.write_all(&bytes[CHUNK..]).await.unwrap();
    assert_eq!(super::read(&mut stream).await.status, 204, "{first}");
    assert_eq!(node.patch(&alice, &place, 0, b"0123456789").await.status, 204, "a place is free");
}

#[tokio::test]
async fn uploads_begun_and_questions_are_counted_for_each_account() {
    let node = Served::start().await;
    let (alice, bob) = (node.person("alice").await, node.person("bob").await);
    for _ in 0..64 {
        node.begin(&alice, "a.bin", 10).await;
    }
    let said = |who: &super::Person| format!("{}Upload-Length: 10\r\n", who.bearer());
    let refused = node.ask("POST", "/files/uploads", &said(&alice), b"").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "too-many"));
    assert_eq!(node.ask("POST", "/files/uploads", &said(&bob), b"").await.status, 201);
    let question = format!(r#"{{"hash":"{}","size":1,"name":"a"}}"#, "0".repeat(64));
    for number in 0..100 {
        let answer = node.ask("POST", "/files/have", &alice.bearer(), question.as_bytes()).await;
        assert_eq!(answer.status, 404, "question {number}");
    }
    let refused = node.ask("POST", "/files/have", &alice.bearer(), question.as_bytes()).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "slow-down"));
    assert_ne!(refused.header("retry-after"), "");
    assert_eq!(node.ask("POST", "/files/have", &bob.bearer(), question.as_bytes()).await.status, 404);
    node.advance(500);
    assert_eq!(node.ask("POST", "/files/have", &alice.bearer(), question.as_bytes()).await.status, 404);
}
