//! The web client's files over HTTP: what comes for which address, how long it may be kept, and what it may do.

use std::sync::Arc;

use bytes::Bytes;
use startalk_domain::governance::Registration;
use startalk_gateway::{WebClient, WebFile};

use crate::{
    support::Node,
    web::{Answer, OWN, ask_from, get, post},
};

const PAGE: &str = "<!doctype html><div id=\"app\"></div>";

fn file(path: &str, plain: &'static str) -> WebFile {
    WebFile { path: path.into(), plain: Bytes::from_static(plain.as_bytes()), ..WebFile::default() }
}

fn node() -> Node {
    let script = WebFile {
        gzip: Some(Bytes::from_static(b"as gzip")),
        brotli: Some(Bytes::from_static(b"as brotli")),
        ..file("assets/index-1a2b3c.js", "plain script")
    };
    let files = [
        file("index.html", PAGE),
        file("sw.js", "the service worker"),
        file("app.webmanifest", "{}"),
        file("icons/star.svg", "<svg/>"),
        file("assets/index-1a2b3c.css", "a style"),
        script,
    ];
    Node::with(|config| config.web = Some(Arc::new(WebClient::new(files).unwrap())))
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn every_view_of_the_client_is_the_page() {
    let node = node();
    for path in ["/", "/join", "/join/abcdef", "/group/abcdef", "/c/12", "/settings/devices", "/anything"] {
        let answer = get(&node, path, "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, PAGE), "{path}");
        assert_eq!(header(&answer, "content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(header(&answer, "cache-control"), Some("no-cache"));
    }
    for path in ["/favicon.ico", "/assets/gone-1.js", "/assets/gone", "/.well-known/other", "/v1/other", "/index.html", "/x.php"]
    {
        let answer = get(&node, path, "").await;
        assert_eq!(answer.status, 404, "{path}");
        assert_ne!(answer.body, PAGE);
    }
    let request = "DELETE /c/12 HTTP/1.1\r\nHost: home.example\r\nConnection: close\r\n\r\n";
    assert_eq!(ask_from(&node, [192, 0, 2, 7].into(), true, request).await.status, 404);
}

#[tokio::test]
async fn files_have_their_kinds_and_are_kept_as_long_as_they_hold() {
    let node = node();
    for (path, kind, caching) in [
        ("/assets/index-1a2b3c.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/assets/index-1a2b3c.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable"),
        ("/sw.js", "text/javascript; charset=utf-8", "no-cache"),
        ("/app.webmanifest", "application/manifest+json", "no-cache"),
        ("/icons/star.svg", "image/svg+xml", "no-cache"),
    ] {
        let answer = get(&node, path, "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(header(&answer, "content-type"), Some(kind), "{path}");
        assert_eq!(header(&answer, "cache-control"), Some(caching), "{path}");
        assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
        assert_eq!(header(&answer, "vary"), Some("accept-encoding"));
    }
}

#[tokio::test]
async fn each_browser_gets_the_coding_that_it_takes() {
    let node = node();
    let path = "/assets/index-1a2b3c.js";
    let mut tags = Vec::new();
    for (takes, coding, body) in [
        ("gzip, deflate, br", Some("br"), "as brotli"),
        ("gzip", Some("gzip"), "as gzip"),
        ("br;q=0, gzip", Some("gzip"), "as gzip"),
        ("identity", None, "plain script"),
    ] {
        let answer = get(&node, path, &format!("Accept-Encoding: {takes}\r\n")).await;
        assert_eq!((answer.body.as_str(), header(&answer, "content-encoding")), (body, coding), "{takes}");
        tags.push(header(&answer, "etag").unwrap().to_owned());
    }
    assert_ne!(tags[0], tags[1], "other bytes, other tags");
    let small = get(&node, "/sw.js", "Accept-Encoding: br, gzip\r\n").await;
    assert_eq!((small.body.as_str(), header(&small, "content-encoding")), ("the service worker", None));
}

#[tokio::test]
async fn what_a_browser_has_is_not_sent_again() {
    let node = node();
    for path in ["/", "/join/abc", "/sw.js", "/assets/index-1a2b3c.js"] {
        let br = "Accept-Encoding: br\r\n";
        let tag = header(&get(&node, path, br).await, "etag").unwrap().to_owned();
        for asked in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".into()] {
            let answer = get(&node, path, &format!("{br}If-None-Match: {asked}\r\n")).await;
            assert_eq!((answer.status, answer.body.as_str()), (304, ""), "{path} {asked}");
            assert_eq!(header(&answer, "etag"), Some(tag.as_str()));
            assert!(header(&answer, "cache-control").is_some() && header(&answer, "content-security-policy").is_some());
            assert_eq!(header(&answer, "content-encoding"), None);
        }
        assert_eq!(get(&node, path, &format!("{br}If-None-Match: \"other\"\r\n")).await.status, 200);
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let node = node();
    for path in ["/", "/join/abc", "/c/1", "/sw.js", "/assets/index-1a2b3c.js"] {
        let request = |method| {
            format!("{method} {path} HTTP/1.1\r\nHost: home.example\r\nAccept-Encoding: br\r\nConnection: close\r\n\r\n")
        };
        let whole = ask_from(&node, [192, 0, 2, 7].into(), true, &request("GET")).await;
        let head = ask_from(&node, [192, 0, 2, 7].into(), true, &request("HEAD")).await;
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
        for name in ["content-length", "content-type", "etag", "cache-control", "content-encoding"] {
            assert_eq!(header(&head, name), header(&whole, name), "{path} {name}");
        }
        assert_eq!(header(&whole, "content-length"), Some(whole.body.len().to_string().as_str()));
    }
}

#[tokio::test]
async fn the_client_runs_its_own_files_and_nothing_else() {
    let node = node();
    for path in ["/", "/join/abc", "/sw.js", "/assets/index-1a2b3c.js", "/assets/index-1a2b3c.css"] {
        let answer = get(&node, path, "").await;
        let policy = header(&answer, "content-security-policy").unwrap();
        for part in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "worker-src 'self'",
            "connect-src 'self' https: wss:",
            "require-trusted-types-for 'script'",
            "trusted-types svelte-trusted-html startalk-worker",
        ] {
            assert!(policy.split("; ").any(|p| p == part), "{path}: {part} in {policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http:"), "{policy}");
        assert_eq!(answer.head.matches("content-security-policy").count(), 1);
        assert_eq!(header(&answer, "cross-origin-opener-policy"), Some("same-origin"));
        assert_eq!(header(&answer, "cross-origin-resource-policy"), Some("same-origin"));
        assert_eq!(header(&answer, "referrer-policy"), Some("same-origin"));
        assert!(header(&answer, "permissions-policy").unwrap().contains("camera=()"));
    }
}

#[tokio::test]
async fn who_has_no_script_makes_an_account_all_the_same() {
    let node = node();
    let plain = get(&node, "/?plain", "").await;
    assert!(plain.body.contains("JavaScript") && !plain.body.contains("was built without"), "{}", plain.body);
    assert!(header(&plain, "content-security-policy").unwrap().starts_with("default-src 'none'; style-src 'self'; img-src"));
    let path = format!("/join/{}", node.invitation(1));
    assert_eq!(get(&node, &path, "").await.body, PAGE);
    assert!(get(&node, &format!("{path}?plain"), "").await.body.contains("Make your account"));
    assert!(get(&node, &format!("{path}?lang=zh"), "").await.body.contains("注册帐号"));
    let form = "name=alice&password=correct+horse&password_again=";
    assert_eq!(post(&node, &path, OWN, &format!("{form}other")).await.status, 422);
    let made = post(&node, &path, OWN, &format!("{form}correct+horse")).await;
    assert!(made.status == 200 && made.body.contains("alice@home.example"), "{}", made.body);
    node.registration(Registration::Closed);
    assert_eq!(get(&node, "/join?plain", "").await.status, 403);
}

#[tokio::test]
async fn who_has_no_script_is_told_so_at_every_address_of_the_client() {
    let node = node();
    for path in ["/group/abcdefghijklmnopqrstuvwxyz", "/c/12", "/settings/security"] {
        assert_eq!(get(&node, path, "").await.body, PAGE, "{path}");
        for (asked, words) in [("plain", "JavaScript"), ("plain=&lang=zh", "JavaScript"), ("lang=zh", "获取客户端")] {
            let answer = get(&node, &format!("{path}?{asked}"), "").await;
            assert_eq!(answer.status, 200, "{path}?{asked}");
            assert!(answer.body.contains(words) && answer.body != PAGE, "{path}?{asked}: {}", answer.body);
        }
    }
    assert_eq!(get(&node, "/assets/gone.js?plain", "").await.status, 404);
}

#[tokio::test]
async fn a_client_without_a_page_is_none() {
    assert!(WebClient::new([file("assets/x.js", "x")]).is_none());
    assert!(WebClient::new([]).is_none());
}
