//! Downloads: ranges and conditions, types that do no harm, names in headers, and how many at once.

use tokio::{io::AsyncWriteExt as _, net::TcpSocket};

use super::{Answer, Person, Served, WAIT, head, noise, read_head};

async fn get(node: &Served, person: &Person, path: &str, more: &str) -> Answer {
    node.get(path, &format!("{}{more}", person.bearer())).await
}

#[tokio::test]
async fn one_range_is_served_several_are_the_whole_and_what_is_beyond_is_416() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let bytes = noise(1, 700_000); // more than one chunk of what is read at once
    let hash = node.upload(&alice, "a.bin", &bytes).await;
    let own = alice.own(&hash, "a.bin");
    let size = bytes.len();
    let whole = get(&node, &alice, &own, "").await;
    assert_eq!((whole.status, whole.header("content-length")), (200, "700000"));
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("etag"), format!("\"{hash}\""));
    assert_eq!(whole.header("cache-control"), "private, no-cache");
    assert!(whole.body == bytes);
    for (range, from, to) in [
        ("bytes=0-0", 0, 1),
        ("bytes=262143-262144", 262_143, 262_145),
        ("bytes=300000-", 300_000, size),
        ("bytes=-7", size - 7, size),
        ("bytes=-9999999", 0, size),
        ("bytes=699999-99999999", 699_999, size),
    ] {
        let answer = get(&node, &alice, &own, &format!("Range: {range}\r\n")).await;
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {from}-{}/{size}", to - 1), "{range}");
        assert_eq!(answer.header("content-length"), (to - from).to_string(), "{range}");
        assert!(answer.body == bytes[from..to], "{range}");
    }
    for range in ["bytes=0-1,5-6", "bytes=5-2", "lines=1-2", "bytes=a-b"] {
        let answer = get(&node, &alice, &own, &format!("Range: {range}\r\n")).await;
        assert_eq!((answer.status, answer.body.len()), (200, size), "{range}");
    }
    for range in ["bytes=700000-", "bytes=700000-700001", "bytes=-0", "bytes=99999999999999999999-"] {
        let answer = get(&node, &alice, &own, &format!("Range: {range}\r\n")).await;
        assert_eq!((answer.status, answer.header("content-range")), (416, "bytes */700000"), "{range}");
        assert!(answer.body.is_empty(), "{range}");
    }
    let empty = node.upload(&alice, "empty", b"").await;
    let answer = get(&node, &alice, &alice.own(&empty, "empty"), "").await;
    assert_eq!((answer.status, answer.header("content-length")), (200, "0"));
}

#[tokio::test]
async fn conditions_are_of_the_hash_and_a_head_says_what_a_get_would() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let bytes = noise(2, 1000);
    let hash = node.upload(&alice, "a.bin", &bytes).await;
    let own = alice.own(&hash, "a.bin");
    let range = "Range: bytes=10-19\r\n";
    for (if_range, status) in [
        (format!("\"{hash}\""), 206),
        ("\"other\"".to_owned(), 200),
        (format!("W/\"{hash}\""), 200),
        ("Sat, 29 Oct 1994 19:43:31 GMT".to_owned(), 200),
    ] {
        let answer = get(&node, &alice, &own, &format!("{range}If-Range: {if_range}\r\n")).await;
        assert_eq!(answer.status, status, "{if_range}");
        let expected = if status == 206 { &bytes[10..20] } else { &bytes[..] };
        assert!(answer.body == expected, "{if_range}");
    }
    for (if_none_match, status) in [
        (format!("\"{hash}\""), 304),
        (format!("\"x\", W/\"{hash}\""), 304),
        ("*".to_owned(), 304),
        ("\"x\"".to_owned(), 200),
        (hash.clone(), 200),
    ] {
        let answer = get(&node, &alice, &own, &format!("If-None-Match: {if_none_match}\r\n")).await;
        assert_eq!(answer.status, status, "{if_none_match}");
        assert_eq!(answer.body.is_empty(), status == 304, "{if_none_match}");
        assert_eq!(answer.header("etag"), format!("\"{hash}\""), "{if_none_match}");
        assert_eq!(answer.header("cache-control"), "private, no-cache", "{if_none_match}");
    }
    for more in ["", range, "Range: bytes=1000-\r\n"] {
        let shown = format!("{}{more}", alice.bearer());
        let (read, told) = (node.get(&own, &shown).await, node.ask("HEAD", &own, &shown, b"").await);
        assert_eq!((told.status, told.body.len()), (read.status, 0), "{more}");
        let in_order = |a: &Answer| {
            let mut all: Vec<_> = a.headers.iter().filter(|(n, _)| n != "date").cloned().collect();
            all.sort_unstable();
            all
        };
        assert_eq!(in_order(&told), in_order(&read), "{more}");
    }
    // The right to read is asked for before the condition: an old tag gets no 304 from who may not read.
    let bob = node.person("bob").await;
    let answer = get(&node, &bob, &bob.own(&hash, "a.bin"), &format!("If-None-Match: \"{hash}\"\r\n")).await;
    assert_eq!(answer.status, 404);
    for method in ["POST", "PUT", "DELETE", "PATCH"] {
        assert_eq!(node.ask(method, &own, &alice.bearer(), b"").await.status, 405, "{method}");
    }
}

#[tokio::test]
async fn what_could_run_is_saved_without_a_type_and_nothing_is_guessed() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let unknown = "application/octet-stream";
    let png = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89".as_slice(), &[0; 50]].concat();
    for (name, bytes, kind, place) in [
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec(), unknown, "attachment"),
        ("a.html", b"<!doctype html><script>alert(1)</script>".to_vec(), unknown, "attachment"),
        ("a.png", b"<html><body onload=alert(1)>".to_vec(), unknown, "attachment"),
        ("a.xml", b"<?xml version='1.0'?><x xmlns='http://www.w3.org/1999/xhtml'/>".to_vec(), unknown, "attachment"),
        ("a.pdf", b"%PDF-1.7\n1 0 obj<</OpenAction 2 0 R>>endobj".to_vec(), unknown, "attachment"),
        ("a.exe", b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0".to_vec(), unknown, "attachment"),
        ("a.zip", b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(), unknown, "attachment"),
        ("a.js", noise(1, 100), unknown, "attachment"),
        // By what is in it, not by what it is called.
        ("a.html", png, "image/png", "inline"),
        ("a.html", b"plain words\n".to_vec(), "text/plain; charset=utf-8", "inline"),
    ] {
        let hash = node.upload(&alice, name, &bytes).await;
        for query in ["", "?download", "?x=1&download=1"] {
            let answer = get(&node, &alice, &format!("{}{query}", alice.own(&hash, name)), "").await;
            assert_eq!(answer.status, 200, "{name}");
            assert_eq!(answer.header("content-type"), kind, "{name} of {kind}");
            let expected = if query.is_empty() { place } else { "attachment" };
            assert!(answer.header("content-disposition").starts_with(&format!("{expected}; ")), "{name}{query}: {answer:?}");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{name}");
            assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{name}");
            let policy = answer.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none';") && policy.ends_with("; sandbox"), "{name}: {policy}");
            assert!(!policy.contains("script") && !policy.contains("allow-"), "{name}: {policy}");
        }
        let policies = get(&node, &alice, &alice.own(&hash, name), "").await;
        assert_eq!(policies.headers.iter().filter(|(n, _)| n == "content-security-policy").count(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_name_stays_in_its_header_whatever_is_in_it() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let hash = node.upload(&alice, "a.bin", &noise(3, 100)).await;
    let long = format!("{}.pdf", "%E5%B9%B4".repeat(200));
    for (in_path, plain, coded) in [
        ("a%22%3B%20filename%3Dx.html%22.bin", "a__ filename_x.html_.bin", "a%22%3B%20filename%3Dx.html%22.bin"),
        ("a%0D%0ASet-Cookie%3A%20x%3D1.bin", "aSet-Cookie_ x_1.bin", "aSet-Cookie%3A%20x%3D1.bin"),
        ("%E5%B9%B4%E6%8A%A5%20%E2%91%A1.bin", "__ _.bin", "%E5%B9%B4%E6%8A%A5%20%E2%91%A1.bin"),
        ("photo%E2%80%AEgnp.exe", "photognp.exe", "photognp.exe"),
        ("..%2F..%2Fetc%2Fpasswd", "passwd", "passwd"),
        ("..%5C..%5Cboot.ini", "boot.ini", "boot.ini"),
        ("%2E%2E", "file", "file"),
        ("%00%1F", "file", "file"),
        ("100%25%20%27ok%27%2A.bin", "100_ _ok__.bin", "100%25%20%27ok%27%2A.bin"),
        (&long, &format!("{}.pdf", "_".repeat(83)), &format!("{}.pdf", "%E5%B9%B4".repeat(83))),
    ] {
        let answer = get(&node, &alice, &alice.own(&hash, in_path), "").await;
        assert_eq!(answer.status, 200, "{in_path}");
        assert_eq!(
            answer.header("content-disposition"),
            format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{coded}"),
            "{in_path}"
        );
        assert_eq!(answer.header("set-cookie"), "", "{in_path}");
    }
    assert_eq!(get(&node, &alice, &alice.own(&hash, "%FF%FE"), "").await.status, 400, "not UTF-8");
}

#[tokio::test]
async fn an_account_has_so_many_downloads_at_once_and_a_place_is_free_when_one_ends() {
    let node = Served::start().await;
    let (alice, bob) = (node.person("alice").await, node.person("bob").await);
    // More than lies between the node and somebody who does not read.
    let bytes = noise(4, 24 << 20);
    let hash = node.upload(&alice, "a.bin", &bytes).await;
    let small = node.upload(&bob, "b.bin", b"b").await;
    let own = alice.own(&hash, "a.bin");
    let mut open = Vec::new();
    for number in 0..64 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut stream = socket.connect(node.address).await.unwrap();
        stream.write_all(head("GET", &own, &alice.bearer(), 0).as_bytes()).await.unwrap();
        let (answer, _) = read_head(&mut stream).await;
        assert_eq!(answer.status, 200, "download {number}");
        open.push(stream);
    }
    let refused = get(&node, &alice, &own, "").await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "too-many"));
    assert_ne!(refused.header("retry-after"), "");
    assert_eq!(node.ask("HEAD", &own, &alice.bearer(), b"").await.status, 200, "what brings no bytes takes no place");
    assert_eq!(get(&node, &bob, &bob.own(&small, "b.bin"), "").await.body, b"b", "others have their own");
    drop(open.pop());
    let free = async {
        while get(&node, &alice, &own, "Range: bytes=0-0\r\n").await.status != 206 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(WAIT, free).await.expect("the place of who left is free");
}
