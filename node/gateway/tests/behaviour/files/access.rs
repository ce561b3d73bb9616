//! Who gets anything: tokens, cookies, devices that are signed out, and pages of other servers.

use data_encoding::BASE64URL_NOPAD;
use startalk_domain::{Command, command::PeerRule};
use startalk_protocol::pb::client::{SignOut, client_frame::Frame as Asked};

use super::{Answer, Person, Served, bearer};

const TOLD: &[u8] = b"what was told in confidence";

/// The cookie as a browser sends it back.
async fn cookie(node: &Served, person: &Person) -> String {
    let answer = node.ask("POST", "/files/session", &person.bearer(), b"").await;
    assert_eq!((answer.status, answer.json()["device"].as_u64()), (200, Some(person.device)));
    let set = answer.header("set-cookie");
    let (pair, rules) = set.split_once("; ").unwrap();
    assert!(pair.starts_with(&format!("__Host-startalk-files-{}=", person.device)), "{set}");
    let mut rules: Vec<&str> = rules.split("; ").collect();
    rules.sort_unstable();
    assert_eq!(rules, ["HttpOnly", "Max-Age=43200", "Path=/", "SameSite=Strict", "Secure"], "{set}");
    let token = BASE64URL_NOPAD.encode(&person.token);
    assert!(!set.contains(&token), "who finds a cookie cannot sign in with it");
    format!("Cookie: other=1; {pair}\r\n")
}

fn refused(answer: &Answer, what: &str) {
    assert_eq!(answer.status, 401, "{what}: {answer:?}");
    assert_eq!(answer.header("www-authenticate"), "Bearer", "{what}");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    assert!(["not-signed-in", "token-revoked"].contains(&answer.code().as_str()), "{what}: {answer:?}");
    assert!(!answer.body.windows(8).any(|w| w == &TOLD[..8]), "{what}");
}

#[tokio::test]
async fn who_shows_no_token_or_a_wrong_one_gets_nothing() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let hash = node.upload(&alice, "a.txt", TOLD).await;
    let place = node.begin(&alice, "b", 10).await;
    let own = alice.own(&hash, "a.txt");
    let through = format!("/files/{}/1/1/{hash}/a.txt", alice.device);
    let token = BASE64URL_NOPAD.encode(&alice.token);
    let wrong = [
        String::new(),
        bearer(""),
        bearer("!!"),
        bearer(&token[..20]),
        bearer(&format!("{token}AAAA")),
        bearer(&BASE64URL_NOPAD.encode(&[7; 32])),
        format!("Authorization: Basic {token}\r\n"),
        format!("Authorization: {token}\r\n"),
        "Authorization: Bearer \u{ff}\r\n".to_owned(),
    ];
    for shown in &wrong {
        for (method, path) in [
            ("POST", "/files/session"),
            ("POST", "/files/uploads"),
            ("GET", &place),
            ("PATCH", &place),
            ("DELETE", &place),
            ("POST", "/files/have"),
            ("POST", "/files/preview"),
            ("GET", &own),
            ("GET", &through),
        ] {
            let more =
                format!("{shown}Upload-Length: 5\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n");
            let body = if path == "/files/have" {
                format!(r#"{{"hash":"{hash}","size":{},"name":"a"}}"#, TOLD.len())
            } else {
                String::new()
            };
            refused(&node.ask(method, path, &more, body.as_bytes()).await, &format!("{method} {path} with {shown:?}"));
        }
        for path in [&place, &own] {
            assert_eq!(node.ask("HEAD", path, shown, b"").await.status, 401, "{path} with {shown:?}");
        }
    }
    assert_eq!(node.get(&own, &bearer(&token)).await.body, TOLD);
    assert_eq!(
        node.get(&own, &format!("authorization: bearer {token}\r\n")).await.status,
        200,
        "RFC 9110: the scheme has no case"
    );
    assert_eq!(node.offset(&alice, &place).await, 0, "nobody wrote to it");
}

#[tokio::test]
async fn a_device_reads_under_its_own_number_and_what_its_account_may_read() {
    let node = Served::start().await;
    let (alice, bob) = (node.person("alice").await, node.person("bob").await);
    let hash = node.upload(&alice, "a.txt", TOLD).await;
    refused(&node.get(&alice.own(&hash, "a.txt"), &bob.bearer()).await, "another's device");
    let other = "0".repeat(64);
    let paths = [
        bob.own(&hash, "a.txt"),
        bob.own(&other, "a.txt"),
        bob.own("xyz", "a.txt"),
        format!("/files/{}/1/1/{hash}/a.txt", bob.device),
        format!("/files/{}/{}/x/{hash}/a.txt", bob.device, u64::MAX),
        format!("/files/{}/own/{hash}", bob.device),
    ];
    let mut bodies = Vec::new();
    for path in paths {
        let answer = node.get(&path, &bob.bearer()).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "no-such-file"), "{path}");
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "whether it is there cannot be told from the answer");
    let have = |hash: &str, size: usize| format!(r#"{{"hash":"{hash}","size":{size},"name":"a.txt"}}"#).into_bytes();
    let asks = async |who: &Person, body: Vec<u8>| node.ask("POST", "/files/have", &who.bearer(), &body).await;
    assert_eq!(asks(&bob, have(&hash, TOLD.len())).await.status, 404);
    assert_eq!(asks(&alice, have(&hash, TOLD.len() + 1)).await.status, 404, "the size is another");
    assert_eq!(asks(&alice, have(&hash, TOLD.len())).await.json()["file"]["hash"], hash.as_str());
    assert_eq!(asks(&alice, b"{}".to_vec()).await.status, 400);
}

#[tokio::test]
async fn a_cookie_reads_for_its_device_on_our_own_pages_for_half_a_day_and_does_nothing_else() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let phone = node.device(alice.account, "alice").await;
    let hash = node.upload(&alice, "a.txt", TOLD).await;
    let place = node.begin(&alice, "b", 10).await;
    let cookie = cookie(&node, &alice).await;
    let own = alice.own(&hash, "a.txt");
    assert_eq!(node.get(&own, &cookie).await.body, TOLD);
    assert_eq!(node.get(&own, &format!("{cookie}Sec-Fetch-Site: same-origin\r\n")).await.status, 200);
    assert_eq!(node.ask("HEAD", &own, &cookie, b"").await.status, 200);

    refused(&node.get(&phone.own(&hash, "a.txt"), &cookie).await, "another device");
    let renamed = cookie.replace(&format!("files-{}=", alice.device), &format!("files-{}=", phone.device));
    assert_ne!(renamed, cookie);
    refused(&node.get(&phone.own(&hash, "a.txt"), &renamed).await, "renamed for another device");
    for site in ["cross-site", "same-site"] {
        refused(&node.get(&own, &format!("{cookie}Sec-Fetch-Site: {site}\r\n")).await, site);
    }
    refused(&node.get(&own, &format!("{cookie}Origin: https://other.example\r\n")).await, "another server's page");
    let more = format!("{cookie}Upload-Length: 5\r\nUpload-Offset: 0\r\nContent-Type: application/offset+octet-stream\r\n");
    for (method, path) in [
        ("POST", "/files/session"),
        ("POST", "/files/uploads"),
        ("POST", "/files/have"),
        ("GET", &place),
        ("PATCH", &place),
        ("DELETE", &place),
    ] {
        refused(&node.ask(method, path, &more, b"").await, method);
    }
    refused(&node.get(&own, &cookie.replace("=", "=A")).await, "changed");

    node.advance(12 * 3600 * 1000 - 1);
    assert_eq!(node.get(&own, &cookie).await.status, 200);
    node.advance(1);
    refused(&node.get(&own, &cookie).await, "after half a day");
}

#[tokio::test]
async fn a_device_that_is_revoked_or_signed_out_is_refused_from_the_next_request_on() {
    let node = Served::start().await;
    let mut alice = node.person("alice").await;
    let phone = node.device(alice.account, "alice").await;
    let hash = node.upload(&alice, "a.txt", TOLD).await;
    let place = node.begin(&phone, "b", 10).await;
    let (mine, other) = (cookie(&node, &alice).await, cookie(&node, &phone).await);
    let theirs = phone.own(&hash, "a.txt");
    assert_eq!(node.get(&theirs, &other).await.status, 200);

    node.node.ask(Command::RevokeDevice { account: phone.account, device: phone.device });
    for shown in [&other, &phone.bearer()] {
        let answer = node.get(&theirs, shown).await;
        refused(&answer, "revoked");
        assert_eq!(answer.code(), "token-revoked");
    }
    refused(&node.patch(&phone, &place, 0, b"0123456789").await, "revoked");
    assert_eq!(node.get(&alice.own(&hash, "a.txt"), &mine).await.body, TOLD, "the other device is as it was");

    alice.client.ask(Asked::SignOut(SignOut {})).await.unwrap();
    for shown in [&mine, &alice.bearer()] {
        refused(&node.get(&alice.own(&hash, "a.txt"), shown).await, "signed out");
    }
}

#[tokio::test]
async fn a_page_of_another_server_shows_a_token_and_reads_what_tus_says_but_no_cookie_is_its() {
    let node = Served::start().await;
    let alice = node.person("alice").await;
    let hash = node.upload(&alice, "a.txt", TOLD).await;
    let own = alice.own(&hash, "a.txt");
    let origin = "Origin: https://other.example\r\n";
    let asked =
        "Access-Control-Request-Method: PATCH\r\nAccess-Control-Request-Headers: authorization,upload-offset,tus-resumable\r\n";
    for path in ["/files/uploads", "/files/uploads/abc", &own, "/files/have"] {
        let answer = node.ask("OPTIONS", path, &format!("{origin}{asked}"), b"").await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "https://other.example", "{path}");
        let has = |name: &str, words: &[&str]| {
            let said: Vec<&str> = answer.header(name).split(", ").collect();
            words.iter().for_each(|w| assert!(said.contains(w), "{path}: {w} in {name}: {said:?}"));
        };
        has("access-control-allow-methods", &["GET", "HEAD", "POST", "PATCH", "DELETE"]);
        has(
            "access-control-allow-headers",
            &["authorization", "content-type", "range", "tus-resumable", "upload-length", "upload-metadata", "upload-offset"],
        );
    }
    let begun = node.ask("POST", "/files/uploads", &format!("{origin}{}Upload-Length: 5\r\n", alice.bearer()), b"").await;
    let read = node.get(&own, &format!("{origin}{}Range: bytes=0-3\r\n", alice.bearer())).await;
    let no = node.get(&own, origin).await;
    assert_eq!((begun.status, read.status, no.status), (201, 206, 401));
    for answer in [&begun, &read, &no] {
        assert_eq!(answer.header("access-control-allow-origin"), "https://other.example");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "cookies are not theirs");
        assert!(answer.headers.iter().any(|(n, v)| n == "vary" && v.eq_ignore_ascii_case("origin")), "{answer:?}");
        let shown: Vec<&str> = answer.header("access-control-expose-headers").split(", ").collect();
        for name in [
            "location",
            "etag",
            "content-range",
            "retry-after",
            "tus-resumable",
            "upload-offset",
            "upload-length",
            "upload-expires",
        ] {
            assert!(shown.contains(&name), "{name} in {shown:?}");
        }
    }

    let (domain, rule) = ("evil.example".parse().unwrap(), PeerRule::Deny);
    node.node.ask(Command::SetPeerRule { domain, rule, forget_key: false });
    for origin in ["https://evil.example", "https://evil.example:8443", "http://other.example", "null"] {
        for (method, more) in [("OPTIONS", asked.to_owned()), ("GET", alice.bearer())] {
            let answer = node.ask(method, &own, &format!("Origin: {origin}\r\n{more}"), b"").await;
            assert_eq!(answer.status, 403, "{method} by {origin}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{method} by {origin}");
        }
    }
    let answer = node.get(&own, &format!("Origin: https://home.example\r\n{}", alice.bearer())).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, ""), "our own pages need no leave");
}

#[tokio::test]
async fn a_node_without_files_says_so_to_who_is_signed_in() {
    let node = crate::support::Node::start();
    node.account("alice");
    let client = node.client("alice").await;
    let shown = bearer(&BASE64URL_NOPAD.encode(&client.me.token));
    let answer = crate::web::post(&node, "/files/uploads", &format!("{shown}Upload-Length: 5\r\n"), "").await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("not-allowed-here"), "{}", answer.body);
    assert_eq!(crate::web::post(&node, "/files/uploads", "", "").await.status, 401);
}
