//! Every address of the API, tried by everybody and by nobody.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::AtomicU64},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use serde_json::{Value, json};
use startalk_domain::{
    Actor, Answer, Command,
    accounts::Role,
    administration::{Area, By, Scopes},
    command::{Admission, NewDevice},
};
use startalk_gateway::secrets;
use startalk_sequencer::Handle;
use tower::ServiceExt as _;

use super::{Backend, description, router};
use crate::{folder::Folder, keys::Keys, store, writer::Writer};

mod groups;
mod imports;
mod restores;

struct Node {
    backend: Backend,
    writer: Option<Writer>,
    router: Router,
    _folder: tempfile::TempDir,
}

impl Node {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::create(&root.path().join("d")).unwrap();
        let (keys, _) = Keys::open(&folder).unwrap();
        let name = "a.example".parse().unwrap();
        let (sequencer, domain, _) = store::open(&folder, Some((&name, keys.first_root)), false, &mut |_, _| {}).unwrap();
        let (views, handle, reader) = (sequencer.views().clone(), Handle::new(), sequencer.reader());
        let writer = Writer::start(sequencer, handle.clone(), Arc::default(), Box::new(|_| {})).unwrap();
        let backend = Backend {
            directories: crate::admin::directories::Directories::default(),
            by: By::Operator,
            jobs: Arc::default(),
            backups: root.path().join("backups"),
            views,
            reader,
            handle,
            domain,
            folder: folder.root().to_path_buf(),
            public_url: "https://a.example".into(),
            rotate: Arc::new(|_| Ok(())),
            peers: Arc::new(Vec::new),
            metrics: Arc::new(|| None),
            pushes: Arc::new(|| None),
            files: Arc::new(|| None),
            certificate: Arc::new(|| None),
            endpoints: Arc::new(Vec::new),
            tethers: Arc::new(Vec::new),
            outside: Arc::new(Vec::new),
            restart: None,
            listened: String::new(),
            seen: Arc::new(|_| 0),
            rebuilt: None,
        };
        let router = router(backend.clone());
        Self { backend, writer: Some(writer), router, _folder: root }
    }

    fn ask(&self, command: Command) -> Answer {
        crate::admin::submit(&self.backend.handle, command).unwrap()
    }

    /// Somebody with a device, and its token.
    fn person(&self, name: &str, role: Role) -> (Actor, String) {
        let secret = *blake3::hash(name.as_bytes()).as_bytes();
        let answer = self.ask(Command::CreateAccount {
            name: name.parse().unwrap(),
            display_name: String::new(),
            password_hash: "h".into(),
            recovery_hashes: Vec::new(),
            admission: Admission::Operator { administrator: role == Role::Administrator },
            device: Some(NewDevice { name: "d".into(), token_hash: secrets::token_hash(&secret) }),
        });
        let Answer::Account { account, device: Some(device), .. } = answer else { panic!("{answer:?}") };
        if role == Role::Auditor {
            self.ask(Command::SetRole { account, role });
        }
        (Actor { account, device }, format!("std_{}", data_encoding::HEXLOWER.encode(&secret)))
    }

    fn token(&self, scopes: Scopes) -> String {
        let names: Vec<String> = scopes.names().into_iter().map(str::to_owned).collect();
        crate::admin::tokens::make(&self.backend, names.join(" "), &names, 1).unwrap().secret
    }

    async fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<&Value>) -> (StatusCode, Value) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = match body {
            Some(body) => {
                request = request.header("content-type", "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let answer = self.router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), 1 << 22).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            writer.stop().unwrap();
        }
    }
}

/// One address: as the description names it, as it is asked for (`#` becomes a new number), the body, its area, and
/// whether it changes something.
type Row = (&'static str, &'static str, &'static str, Option<Value>, Option<Area>, bool);

/// The status that somebody is answered with: 200 stands for whatever is no refusal.
type Expected = Box<dyn Fn(Option<Area>, bool) -> u16>;

fn table() -> Vec<Row> {
    let (people, domains, policies, node) = (Some(Area::People), Some(Area::Domains), Some(Area::Policies), Some(Area::Node));
    vec![
        ("get", "/me", "/me", None, None, false),
        ("get", "/overview", "/overview", None, node, false),
        ("get", "/people", "/people?search=b&limit=2", None, people, false),
        ("post", "/people", "/people", Some(json!({ "name": "new#", "display_name": "新" })), people, true),
        ("get", "/people/{name}", "/people/bob", None, people, false),
        ("patch", "/people/{name}", "/people/bob", Some(json!({ "disabled": true })), people, true),
        ("delete", "/people/{name}", "/people/nobody#", None, people, true),
        ("post", "/people/{name}/password", "/people/bob/password", None, people, true),
        ("delete", "/people/{name}/devices/{device}", "/people/bob/devices/77", None, people, true),
        ("delete", "/people/{name}/identities/{link}", "/people/bob/identities/77", None, people, true),
        ("delete", "/people/{name}/passkeys/{passkey}", "/people/bob/passkeys/77", None, people, true),
        ("post", "/people/{name}/link", "/people/bob/link?days=3", None, people, true),
        ("post", "/imports/plan", "/imports/plan?everyone=true", Some(json!("account")), people, false),
        ("post", "/imports", "/imports?digest=00", Some(json!("account")), people, true),
        ("post", "/imports/links", "/imports/links", None, people, true),
        ("get", "/imports/{job}", "/imports/9999", None, people, false),
        ("get", "/imports/{job}/links", "/imports/9999/links", None, people, true),
        ("get", "/imports/directories", "/imports/directories", None, people, false),
        ("get", "/imports/template", "/imports/template?language=zh", None, people, false),
        ("get", "/invitations", "/invitations", None, people, false),
        ("post", "/invitations", "/invitations", Some(json!({ "uses": 2, "hours": 5 })), people, true),
        ("delete", "/invitations/{invitation}", "/invitations/9999", None, people, true),
        ("get", "/groups", "/groups", None, node, false),
        ("get", "/groups/{group}", "/groups/none", None, node, false),
        ("patch", "/groups/{group}", "/groups/none", Some(json!({ "name": "a" })), node, true),
        ("get", "/groups/{group}/members", "/groups/none/members", None, node, false),
        ("post", "/groups/{group}/members", "/groups/none/members", Some(json!({ "name": "bob" })), node, true),
        ("delete", "/groups/{group}/members/{name}", "/groups/none/members/bob", None, node, true),
        ("post", "/groups/{group}/destroy", "/groups/none/destroy", Some(json!({ "reason": "" })), node, true),
        ("get", "/domains", "/domains", None, domains, false),
        ("get", "/domains/{domain}", "/domains/b.example", None, domains, false),
        ("put", "/domains/{domain}/rule", "/domains/b.example/rule", Some(json!({ "rule": "denied" })), domains, true),
        ("get", "/policies", "/policies", None, policies, false),
        ("patch", "/policies", "/policies", Some(json!({ "registration": "closed" })), policies, true),
        ("get", "/policies/retention", "/policies/retention?days=30&of=groups", None, policies, false),
        ("get", "/storage", "/storage", None, node, false),
        ("post", "/storage/compact", "/storage/compact", None, node, true),
        ("get", "/backups", "/backups", None, node, false),
        ("post", "/backups", "/backups", None, node, true),
        ("get", "/backups/{backup}/loss", "/backups/none/loss", None, node, false),
        ("post", "/backups/{backup}/check", "/backups/none/check", None, node, true),
        ("post", "/backups/{backup}/restore", "/backups/none/restore", Some(json!({ "domain": "a.example" })), node, true),
        ("get", "/replaced", "/replaced", None, node, false),
        ("delete", "/replaced/{name}", "/replaced/none", None, node, true),
        ("post", "/checks", "/checks", None, node, true),
        ("get", "/jobs", "/jobs", None, node, false),
        ("get", "/jobs/{job}", "/jobs/9999", None, node, false),
        ("post", "/keys/rotate", "/keys/rotate", None, node, true),
        ("get", "/audit", "/audit", None, node, false),
        ("get", "/tokens", "/tokens", None, node, false),
        ("post", "/tokens", "/tokens", Some(json!({ "name": "t", "scopes": ["read"], "days": 1 })), node, true),
        ("delete", "/tokens/{token}", "/tokens/9999", None, node, true),
    ]
}

/// What the description lists.
fn described() -> BTreeSet<(String, String)> {
    let all: Value = serde_json::from_str(&description()).unwrap();
    let paths = all["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, verbs)| verbs.as_object().unwrap().keys().map(move |v| (v.clone(), path.clone()))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_address_by_everybody_and_by_nobody() {
    let listed: BTreeSet<_> = table().into_iter().map(|(verb, path, ..)| (verb.to_owned(), path.to_owned())).collect();
    assert_eq!(listed, described(), "the table has every address of the description, and no other");

    let node = Node::new();
    let (_, root) = node.person("root1", Role::Administrator);
    let (_, auditor) = node.person("audrey", Role::Auditor);
    let (_, member) = node.person("carol", Role::Member);
    node.person("bob", Role::Member);
    let (gone, revoked) = node.person("gone", Role::Administrator);
    node.ask(Command::RevokeDevice { account: gone.account, device: gone.device });
    let garbage = format!("sta_{}", "ab".repeat(32));
    let tokens = [Scopes::READ, Scopes::PEOPLE, Scopes::DOMAINS, Scopes::POLICIES, Scopes::ALL].map(|s| (s, node.token(s)));
    let mut callers: Vec<(String, Option<String>, Expected)> = vec![
        ("nobody".into(), None, Box::new(|_, _| 401)),
        ("garbage".into(), Some(garbage), Box::new(|_, _| 401)),
        ("a token's letters".into(), Some("std_zz".into()), Box::new(|_, _| 401)),
        ("a device signed out".into(), Some(revoked), Box::new(|_, _| 401)),
        ("member".into(), Some(member), Box::new(|_, _| 403)),
        ("auditor".into(), Some(auditor), Box::new(|_, changes| if changes { 403 } else { 200 })),
        ("administrator".into(), Some(root), Box::new(|_, _| 200)),
    ];
    for (scope, token) in tokens {
        let may = move |area: Option<Area>, changes: bool| {
            let own = match area {
                None => true,
                Some(Area::People) => scope == Scopes::PEOPLE,
                Some(Area::Domains) => scope == Scopes::DOMAINS,
                Some(Area::Policies) => scope == Scopes::POLICIES,
                Some(Area::Node) => false,
            };
            if own || scope == Scopes::ALL || (scope == Scopes::READ && !changes) { 200 } else { 403 }
        };
        callers.push((format!("token for {:?}", scope.names()), Some(token), Box::new(may)));
    }
    // Nobody is counted twice: the limit on failures has its own test.
    let fresh = || Node {
        router: router(node.backend.clone()),
        backend: node.backend.clone(),
        writer: None,
        _folder: tempfile::tempdir().unwrap(),
    };
    let number = AtomicU64::new(0);
    for (who, token, expected) in &callers {
        let mut api = fresh();
        for (at, (verb, _, path, body, area, changes)) in table().into_iter().enumerate() {
            if at % 20 == 19 {
                api = fresh();
            }
            let n = number.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let put = |text: &str| text.replace('#', &n.to_string());
            let body = body.map(|b| serde_json::from_str::<Value>(&put(&b.to_string())).unwrap());
            let before = node.backend.views.journal.head().position;
            let (status, told) = api.call(&verb.to_uppercase(), &put(path), token.as_deref(), body.as_ref()).await;
            match expected(area, changes) {
                200 => assert!(!matches!(status.as_u16(), 401 | 403 | 429 | 500..), "{who}: {verb} {path}: {status} {told}"),
                refused => {
                    assert_eq!(status.as_u16(), refused, "{who}: {verb} {path}: {told}");
                    let code = if refused == 401 { "not-signed-in" } else { "forbidden" };
                    assert_eq!(told, json!({ "code": code, "params": {} }), "{who}: {verb} {path}");
                    assert_eq!(node.backend.views.journal.head().position, before, "{who}: {verb} {path} changed nothing");
                }
            }
        }
        // What was begun records that it is done: not while somebody else is looked at.
        while node.backend.jobs.all().iter().any(|job| job.state == "running") {
            tokio::task::yield_now().await;
        }
        // What is not there is told to nobody.
        let (status, _) = fresh().call("GET", "/nothing", token.as_deref(), None).await;
        let refused = expected(None, false);
        assert_eq!(status.as_u16(), if refused == 200 { 404 } else { refused }, "{who}");
    }
    assert!(callers.len() > 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrators_day() {
    let node = Node::new();
    let (root_actor, root) = node.person("root1", Role::Administrator);
    let call = async |method: &str, path: &str, body: Option<Value>| node.call(method, path, Some(&root), body.as_ref()).await;
    let (status, made) = call("POST", "/people", Some(json!({ "name": "alice", "display_name": "爱丽丝" }))).await;
    assert_eq!((status.as_u16(), &made["user"]), (201, &json!("alice@a.example")));
    assert!(made["password"].as_str().unwrap().len() > 20);
    let (status, told) = call("POST", "/people", Some(json!({ "name": "alice" }))).await;
    assert_eq!((status.as_u16(), &told["code"]), (409, &json!("name-taken")));
    let (status, told) = call("PATCH", "/people/alice", Some(json!({ "role": "auditor" }))).await;
    assert_eq!((status.as_u16(), &told["person"]["role"]), (200, &json!("auditor")));
    let (status, told) = call("PATCH", "/people/root1", Some(json!({ "disabled": true }))).await;
    assert_eq!((status.as_u16(), &told["code"]), (409, &json!("last-administrator")));
    let (_, found) = call("GET", "/people?search=%E7%88%B1", None).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    let (_, told) = call("PATCH", "/policies", Some(json!({ "password_chars_min": 40, "federation": "allowed" }))).await;
    assert_eq!((&told["password_chars_min"], &told["federation"]), (&json!(40), &json!("allowed")));
    let (_, told) = call("POST", "/people/alice/password", None).await;
    assert!(told["password"].as_str().unwrap().len() >= 40, "the domain's own policy holds for its own passwords");
    let keeping = json!({ "retention_days": 30, "retention_of": "direct" });
    let (_, told) = call("PATCH", "/policies", Some(keeping)).await;
    assert_eq!((&told["retention_days"], &told["retention_of"]), (&json!(30), &json!("direct")));
    let (_, told) = call("GET", "/policies/retention?days=1", None).await;
    assert_eq!(told, json!({ "messages": 0, "more": false }));
    let (status, _) = call("PUT", "/domains/b.example/rule", Some(json!({ "rule": "denied" }))).await;
    assert_eq!(status.as_u16(), 200);

    // A backup: begun, followed, whole.
    let (status, mut job) = call("POST", "/backups", None).await;
    assert_eq!(status.as_u16(), 202);
    while node.backend.jobs.all().iter().any(|job| job.state == "running") {
        tokio::task::yield_now().await; // not by asking: how often that may be is limited
    }
    job = call("GET", &format!("/jobs/{}", job["job"]), None).await.1;
    assert_eq!(job["state"], "done", "{job}");
    let (_, backups) = call("GET", "/backups", None).await;
    assert_eq!(backups[0]["verified"], true);
    assert!(backups[0]["bytes"].as_u64() > Some(1000) && backups[0]["records"].as_u64() > Some(10), "{backups}");

    // Every act is in the record, with who and whom, page by page.
    let (mut acts, mut cursor) = (Vec::new(), json!(0));
    while !cursor.is_null() {
        let (_, page) = call("GET", &format!("/audit?limit=3&cursor={cursor}"), None).await;
        acts.extend(page["items"].as_array().unwrap().clone());
        cursor = page["next"].clone();
    }
    let names: Vec<&str> = acts.iter().map(|a| a["act"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "backup-made",
            "domain-rule-set",
            "policy-set",
            "password-reset",
            "policy-set",
            "role-set",
            "account-added",
            "account-added"
        ]
    );
    assert!(acts[..7].iter().all(|a| a["by_name"] == "root1@a.example" && a["by_number"] == root_actor.account), "{acts:?}");
    assert_eq!((&acts[1]["domain"], &acts[5]["user"]), (&json!("b.example"), &json!("alice@a.example")));

    // And only those that are wanted.
    for (only, expected) in [
        ("act=role-set", vec!["role-set"]),
        ("whom=alice", vec!["password-reset", "role-set", "account-added"]),
        ("whom=b.example", vec!["domain-rule-set"]),
        ("by=operator", vec!["account-added"]),
        ("by=root1&act=policy-set", vec!["policy-set", "policy-set"]),
        ("by=token", vec![]),
        ("to_ms=5", vec![]),
        ("from_ms=99999999999999", vec![]),
    ] {
        let (_, page) = call("GET", &format!("/audit?{only}"), None).await;
        let names: Vec<&str> = page["items"].as_array().unwrap().iter().map(|a| a["act"].as_str().unwrap()).collect();
        assert_eq!((names, &page["next"]), (expected, &Value::Null), "{only}");
    }
    let (_, first) = call("GET", "/audit?whom=alice&limit=2", None).await;
    let (_, rest) = call("GET", &format!("/audit?whom=alice&limit=2&cursor={}", first["next"]), None).await;
    assert_eq!((first["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (2, 1));
    let (status, told) = call("GET", "/audit?whom=nobody", None).await;
    assert_eq!((status.as_u16(), &told["code"]), (404, &json!("no-such-user")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_refused_in_our_own_form() {
    let node = Node::new();
    let (_, root) = node.person("root1", Role::Administrator);
    let long = "x".repeat(20_000);
    for (method, path, body, status) in [
        ("POST", "/people", "{", 400),
        ("POST", "/people", "{}", 400),
        ("POST", "/people", r#"{"name":"a","more":1}"#, 400),
        ("POST", "/people", r#"{"name":"No Name"}"#, 400),
        ("GET", "/people?limit=0", "", 400),
        ("GET", "/people?limit=201", "", 400),
        ("GET", "/people?cursor=-1", "", 400),
        ("GET", "/people?other=1", "", 400),
        ("DELETE", "/tokens/x", "", 400),
        ("POST", "/invitations", r#"{"uses":0,"hours":1}"#, 400),
        ("POST", "/invitations", r#"{"uses":1,"hours":4000000000}"#, 400),
        ("PATCH", "/policies", r#"{"recall_seconds":9223372036854775807}"#, 400),
        ("PATCH", "/policies", r#"{"federation":"sometimes"}"#, 400),
        ("PATCH", "/policies", r#"{"retention_days":40000}"#, 400),
        ("PATCH", "/policies", r#"{"retention_days":-1}"#, 400),
        ("PATCH", "/policies", r#"{"retention_of":"some"}"#, 400),
        ("PATCH", "/policies", r#"{"messages_per_day":18446744073709551615}"#, 400),
        ("GET", "/policies/retention?days=x", "", 400),
        ("GET", "/policies/retention?days=1&of=some", "", 400),
        ("PUT", "/people", "", 405),
        ("GET", "/people/bob/", "", 404),
    ] {
        let request = Request::builder().method(method).uri(path).header("authorization", format!("Bearer {root}"));
        let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
        let answer = node.router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{method} {path} {body}");
        let bytes = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        let told: Value = serde_json::from_slice(&bytes).unwrap();
        assert!(told["code"].is_string() && told["params"].is_object(), "{method} {path}: {told}");
    }
    let (status, _) = node.call("GET", &format!("/people?search={}", &long[..200]), Some(&root), None).await;
    assert_eq!(status.as_u16(), 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_guesses_tokens_has_to_wait() {
    let node = Node::new();
    let mut seen = Vec::new();
    for _ in 0..40 {
        seen.push(node.call("GET", "/me", Some("sta_00"), None).await.0.as_u16());
    }
    assert_eq!(seen[0], 401);
    assert_eq!(seen.last(), Some(&429));
}
