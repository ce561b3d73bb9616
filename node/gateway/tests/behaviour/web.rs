//! Pages and headers, asked for in plain HTTP/1.1 as a proxy on this machine would.

use std::net::IpAddr;

use bytes::Bytes;
use startalk_domain::governance::Registration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Node, code};

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

pub async fn ask_from(node: &Node, from: IpAddr, tls: bool, request: &str) -> Answer {
    let (mut ours, theirs) = tokio::io::duplex(64 * 1024);
    let gateway = node.gateway.clone();
    tokio::spawn(async move { gateway.serve_http(theirs, from, tls).await });
    ours.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    ours.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

pub async fn get(node: &Node, path: &str, headers: &str) -> Answer {
    let request = format!("GET {path} HTTP/1.1\r\nHost: home.example\r\nConnection: close\r\n{headers}\r\n");
    ask_from(node, [192, 0, 2, 7].into(), true, &request).await
}

pub async fn post(node: &Node, path: &str, headers: &str, form: &str) -> Answer {
    let length = form.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: home.example\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {length}\r\n{headers}\r\n{form}"
    );
    ask_from(node, [192, 0, 2, 7].into(), true, &request).await
}

pub const OWN: &str = "Origin: https://home.example\r\n";

#[tokio::test]
async fn an_invitation_becomes_an_account_in_a_browser() {
    let node = Node::start();
    let path = format!("/join/{}", node.invitation(1));
    let english = get(&node, &path, "Accept-Language: en\r\n").await;
    assert_eq!(english.status, 200);
    assert!(english.body.contains("<html lang=\"en\">") && english.body.contains("Make your account"), "{}", english.body);
    let chinese = get(&node, &path, "Accept-Language: zh-CN,zh;q=0.9,en;q=0.8\r\n").await;
    assert!(chinese.body.contains("<html lang=\"zh\">") && chinese.body.contains("注册帐号"), "{}", chinese.body);
    assert!(get(&node, &format!("{path}?lang=zh"), "Accept-Language: en\r\n").await.body.contains("注册帐号"));

    let form = "name=alice&display_name=Alice+%3Cb%3E&password=correct+horse&password_again=";
    let differ = post(&node, &path, OWN, &format!("{form}other")).await;
    assert_eq!(differ.status, 422);
    assert!(differ.body.contains("not the same") && differ.body.contains("value=\"Alice &lt;b&gt;\""), "{}", differ.body);
    assert!(!differ.body.contains("correct horse"), "a password is never sent back");
    let short = post(&node, &path, OWN, "name=alice&password=short&password_again=short").await;
    assert!(short.status == 422 && short.body.contains("too short"), "{}", short.body);
    let bad = post(&node, &format!("{path}?lang=zh"), OWN, "name=a+b&password=correct+horse&password_again=correct+horse").await;
    assert!(bad.status == 422 && bad.body.contains("不能用作名字") && bad.body.contains("aria-invalid"), "{}", bad.body);

    let made = post(&node, &path, OWN, &format!("{form}correct+horse")).await;
    assert_eq!(made.status, 200);
    assert!(
        made.body.contains("alice@home.example") && made.body.contains("startalk-terminal alice@home.example"),
        "{}",
        made.body
    );
    assert_eq!(made.body.matches("<li><code>").count(), 8);
    assert!(made.head.contains("cache-control: no-store"));
    node.greeted().await.sign_in("alice", "correct horse").await.unwrap();
    let recovery = made.body.split("<li><code>").nth(1).unwrap()[..14].to_owned();
    assert_eq!(recovery.matches('-').count(), 2);

    let used = get(&node, &path, "").await;
    assert_eq!(used.status, 404);
    assert!(used.body.contains("was used"), "{}", used.body);
    assert_eq!(post(&node, &path, OWN, &format!("{form}correct+horse")).await.status, 404);
}

#[tokio::test]
async fn forms_come_from_our_own_pages_and_are_small() {
    let node = Node::start();
    node.registration(Registration::Open);
    let form = "name=bob&password=correct+horse&password_again=correct+horse";
    for foreign in [
        "Origin: https://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        let answer = post(&node, "/join", foreign, form).await;
        assert_eq!(answer.status, 403, "{foreign}");
    }
    assert_eq!(post(&node, "/join", OWN, &format!("{form}&x={}", "y".repeat(20_000))).await.status, 413);
    assert_eq!(post(&node, "/join", "Sec-Fetch-Site: same-origin\r\n", form).await.status, 200);
    node.registration(Registration::Closed);
    assert_eq!(get(&node, "/join", "").await.status, 403);
    assert_eq!(post(&node, "/join", OWN, form).await.status, 403);
}

#[tokio::test]
async fn every_answer_is_strict() {
    let node = Node::with(|config| config.record = std::sync::Arc::new(|| Bytes::from_static(b"a signed record")));
    for path in [
        "/",
        "/join",
        "/join/x",
        "/style.css",
        "/icon.svg",
        "/health",
        "/ready",
        "/healthz",
        "/nothing",
        "/.well-known/startalk/domain",
        "/v1/ws",
    ] {
        let answer = get(&node, path, "").await;
        for header in [
            "content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: same-origin",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: ",
            "permissions-policy: camera=()",
            "cache-control: ",
        ] {
            assert!(answer.head.contains(header), "{path}: {header} in\n{}", answer.head);
        }
        assert!(!answer.body.contains("<script") && !answer.body.contains("style="), "{path}");
    }
    let record = get(&node, "/.well-known/startalk/domain", "").await;
    assert_eq!((record.status, record.body.as_str()), (200, "a signed record"));
    assert!(record.head.contains("access-control-allow-origin: *") && record.head.contains("resource-policy: cross-origin"));
    assert!(!get(&node, "/healthz", "Origin: https://other.example\r\n").await.head.contains("access-control"));
    assert_eq!(get(&node, "/healthz", "").await.body, "ok\n");
    assert_eq!(get(&node, "/nothing", "").await.status, 404);
    assert_eq!(get(&node, "/v1/ws", "").await.status, 426);
    let home = get(&node, "/?lang=zh", "").await;
    assert!(
        home.body.contains("星语") && home.body.contains("邀请链接") && home.body.contains("startalk-terminal name@home.example"),
        "{}",
        home.body
    );
    assert!(home.body.contains("不含网页客户端"), "a node without the web client says so\n{}", home.body);
}

#[tokio::test]
async fn a_node_that_takes_nothing_says_that_it_is_not_ready_and_why() {
    let full = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let is_full = full.clone();
    let node = Node::with(move |config| {
        config.ready = std::sync::Arc::new(move || {
            if is_full.load(std::sync::atomic::Ordering::Relaxed) {
                Err(startalk_protocol::Code::DiskFull.into())
            } else {
                Ok(())
            }
        });
    });
    let ready = get(&node, "/ready", "").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "{\"ready\":true}"));
    full.store(true, std::sync::atomic::Ordering::Relaxed);
    let ready = get(&node, "/ready", "").await;
    assert_eq!((ready.status, ready.body.contains("\"code\":\"disk-full\"")), (503, true), "{}", ready.body);
    node.handle.close();
    let ready = get(&node, "/ready", "").await;
    assert_eq!((ready.status, ready.body.contains("\"code\":\"stopping\"")), (503, true), "{}", ready.body);
    assert_eq!(get(&node, "/health", "").await.status, 200, "it lives all the same");
}

#[tokio::test]
async fn without_tls_only_loopback_is_served() {
    let node = Node::start();
    let request = "GET /join/abc?lang=zh HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let answer = ask_from(&node, [192, 0, 2, 7].into(), false, request).await;
    assert_eq!(answer.status, 308);
    assert!(answer.head.contains("location: https://home.example/join/abc?lang=zh"), "{}", answer.head);
    assert_eq!(ask_from(&node, [127, 0, 0, 1].into(), false, request).await.status, 404);
    assert_eq!(ask_from(&node, "::ffff:127.0.0.1".parse().unwrap(), false, request).await.status, 404);
}

#[tokio::test]
async fn registrations_in_a_browser_are_counted_too() {
    let node = Node::with(|config| config.limits.registrations_per_address = startalk_net::Rate::new(2, 60));
    node.registration(Registration::Open);
    let form = |name: &str| format!("name={name}&password=correct+horse&password_again=correct+horse");
    for name in ["a1", "a2"] {
        assert_eq!(post(&node, "/join", OWN, &form(name)).await.status, 200);
    }
    let slow = post(&node, "/join", OWN, &form("a3")).await;
    assert!(slow.status == 429 && slow.body.contains("60 seconds"), "{}", slow.body);
    let mut client = node.connect_from([192, 0, 2, 7].into(), 4096);
    client.hello().await;
    assert_eq!(code(client.register("a3", "").await), "slow-down");
}
