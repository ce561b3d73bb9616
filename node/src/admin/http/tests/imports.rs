//! People from a file: looked at, carried out once, done again without harm, and let in by their links.

use axum::{
    body::{Body, to_bytes},
    http::{Request, StatusCode},
};
use serde_json::{Value, json};
use startalk_domain::{
    Command,
    accounts::{self, Role, Source},
    command::{NewDevice, PasswordBy},
    groups,
};
use startalk_gateway::secrets;
use tower::ServiceExt as _;

use super::Node;

impl Node {
    async fn send_file(&self, path: &str, token: &str, file: &str) -> (StatusCode, Value) {
        let request = Request::builder().method("POST").uri(path).header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/octet-stream").body(Body::from(file.to_owned())).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), 1 << 22).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Looks, agrees, and waits for the end.
    async fn import(&self, token: &str, file: &str, mode: &str) -> Value {
        let (status, plan) = self.send_file(&format!("/imports/plan?{mode}"), token, file).await;
        assert_eq!(status.as_u16(), 200, "{plan}");
        let digest = plan["digest"].as_str().unwrap();
        let (status, job) = self.send_file(&format!("/imports?{mode}&digest={digest}"), token, file).await;
        assert_eq!(status.as_u16(), 202, "{job}");
        self.end_of(token, &job).await
    }

    async fn end_of(&self, token: &str, job: &Value) -> Value {
        while self.backend.jobs.all().iter().any(|job| job.state == "running") {
            tokio::task::yield_now().await;
        }
        let (status, now) = self.call("GET", &format!("/imports/{}", job["job"]), Some(token), None).await;
        assert_eq!(status.as_u16(), 200, "{now}");
        now
    }

    fn awaited(&self) -> usize {
        let store = &*self.backend.views.store;
        accounts::list(store).into_iter().filter(|n| accounts::account(store, *n).is_some_and(|a| a.is_awaited())).count()
    }
}

/// So many people, of whom each seventh has a fault.
fn list(people: usize) -> String {
    let row = |n: usize| match n % 7 {
        3 => format!("{n},bad name {n},Somebody\n"),
        _ => format!("{n},p{n},人 {n}\n"),
    };
    format!("\u{feff}外部编号,帐号,姓名\n{}", (1..=people).map(row).collect::<String>())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_comes_in_with_a_link_for_each_and_twice_is_once() {
    let node = Node::new();
    let (_, root) = node.person("root1", Role::Administrator);
    let (_, auditor) = node.person("audrey", Role::Auditor);
    let head = |node: &Node| node.backend.views.journal.head().position;
    let before = head(&node);
    let (_, plan) = node.send_file("/imports/plan", &root, &list(21)).await;
    assert_eq!((&plan["added"], plan["errors"].as_array().unwrap().len()), (&json!(18), 3));
    let error = &plan["errors"][0];
    assert_eq!((&error["row"], &error["column"], &error["error"]["code"]), (&json!(4), &json!("account"), &json!("bad-name")));
    assert!(error["zh"].as_str().unwrap().contains("bad name 3") && error["en"].as_str().unwrap().contains("bad name 3"));
    assert_eq!(head(&node), before, "looking changes nothing");

    // What is agreed to is what was looked at, and nothing else.
    let (status, told) = node.send_file("/imports?digest=0", &root, &list(21)).await;
    assert_eq!((status.as_u16(), &told["code"]), (409, &json!("plan-changed")));
    let path = format!("/imports?digest={}", plan["digest"].as_str().unwrap());
    node.person("p5", Role::Member);
    let (status, told) = node.send_file(&path, &root, &list(21)).await;
    assert_eq!((status.as_u16(), &told["code"]), (409, &json!("plan-changed")), "somebody of that name came since");

    let done = node.import(&root, &list(21), "").await;
    assert_eq!((&done["job"]["state"], &done["job"]["done"], &done["links"]), (&json!("done"), &json!(18), &json!(17)), "{done}");
    assert_eq!((node.awaited(), &done["errors"]), (17, &json!([])));
    let links_path = format!("/imports/{}/links?language=zh", done["job"]["job"]);
    assert_eq!(node.call("GET", &links_path, Some(&auditor), None).await.0.as_u16(), 403, "links are not for reading alone");
    let (_, links) = node.call("GET", &links_path, Some(&root), None).await;
    assert_eq!((links["items"].as_array().unwrap().len(), links["csv"].as_str().unwrap().lines().count()), (17, 18));
    assert!(links["csv"].as_str().unwrap().starts_with("\u{feff}姓名,帐号,登录链接"));
    let (_, jobs) = node.call("GET", "/jobs", Some(&auditor), None).await;
    assert!(!jobs.to_string().contains("welcome"), "no link in the list of jobs");

    // The link opens once.
    let link = links["items"][0]["link"].as_str().unwrap();
    let (name, secret) = link.strip_prefix("https://a.example/welcome#").unwrap().split_once('/').unwrap();
    let account = accounts::by_name(&*node.backend.views.store, &name.parse().unwrap()).unwrap().account;
    let by =
        PasswordBy::Link { hash: secrets::sign_in_hash(secret), device: NewDevice { name: "d".into(), token_hash: [1; 32] } };
    node.ask(Command::SetPassword { account, password_hash: "own".into(), by: by.clone() });
    let again = Command::SetPassword { account, password_hash: "thief".into(), by };
    assert!(crate::admin::submit(&node.backend.handle, again).is_err());

    // Again: nothing is left to do, and nothing is written.
    let before = head(&node);
    let again = node.import(&root, &list(21), "").await;
    assert_eq!((&again["job"]["total"], head(&node)), (&json!(0), before));
    let (status, _) = node.call("GET", &links_path, Some(&root), None).await;
    assert_eq!(status.as_u16(), 404, "links are kept until the next of its sort");
    // New links for those who never came.
    let (_, job) = node.call("POST", "/imports/links", Some(&root), None).await;
    assert_eq!(node.end_of(&root, &job).await["links"], json!(16));
    // Each row was one act.
    let (_, acts) = node.call("GET", "/audit?limit=200", Some(&root), None).await;
    let count = |act: &str| acts["items"].as_array().unwrap().iter().filter(|a| a["act"] == act).count();
    assert_eq!((count("account-updated"), count("sign-in-link-made")), (1, 17 + 16));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_died_half_way_goes_on_with_the_rest() {
    let node = Node::new();
    let (_, root) = node.person("root1", Role::Administrator);
    let first: String = list(20).lines().take(8).map(|l| format!("{l}\n")).collect();
    node.import(&root, &first, "").await; // as far as it came
    let (_, plan) = node.send_file("/imports/plan", &root, &list(20)).await;
    assert_eq!((&plan["added"], &plan["unchanged"]), (&json!(11), &json!(6)));
    let done = node.import(&root, &list(20), "").await;
    assert_eq!((&done["links"], node.awaited()), (&json!(11), 17));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_than_a_fifth_is_disabled_only_by_its_number() {
    let node = Node::new();
    let (_, root) = node.person("root1", Role::Administrator);
    let all = |n: usize| format!("id,account\n{}", (1..=n).map(|n| format!("{n},p{n}\n")).collect::<String>());
    node.import(&root, &all(10), "").await;
    let (_, plan) = node.send_file("/imports/plan?everyone=true", &root, &all(7)).await;
    assert_eq!((&plan["refused"]["code"], &plan["disabled"]), (&json!("too-many-absent"), &json!(3)));
    let digest = plan["digest"].as_str().unwrap();
    let (status, told) = node.send_file(&format!("/imports?everyone=true&digest={digest}"), &root, &all(7)).await;
    assert_eq!((status.as_u16(), &told["code"]), (409, &json!("too-many-absent")));
    node.import(&root, &all(7), "everyone=true&disable=3").await;
    let state = |id: &str| accounts::by_external_id(&*node.backend.views.store, &Source::file(), id).unwrap();
    assert_eq!((state("8").absent, state("10").disabled, state("7").disabled), (true, true, false));
    node.import(&root, &all(10), "everyone=true").await;
    assert_eq!((state("8").absent, state("8").disabled), (false, false), "who is named again is let in again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_names_groups_that_its_maker_may_fill() {
    let node = Node::new();
    let (actor, root) = node.person("root1", Role::Administrator);
    let (bob, _) = node.person("bob", Role::Member);
    let group = |actor, name: &str| {
        let command = Command::CreateGroup { actor, counter: 1, name: name.into(), members: vec![] };
        let startalk_domain::Answer::Sent { conversation, .. } = node.ask(command) else { panic!() };
        (conversation, groups::group(&*node.backend.views.store, conversation).unwrap().id.clone())
    };
    let ((family, family_id), (_, closed_id)) = (group(actor, "家人"), group(bob, "Bob's"));
    let (_, all) = node.call("GET", "/groups", Some(&root), None).await;
    let may: Vec<&Value> = all["items"].as_array().unwrap().iter().map(|g| &g["may_add"]).collect();
    assert_eq!(may, [&json!(true), &json!(false)]);
    let wanted = |groups: Value| json!({ "uses": 3, "hours": 1, "groups": groups });
    for (groups, code) in [(json!([closed_id]), "group-not-yours"), (json!(["x"]), "no-such-group")] {
        let (status, told) = node.call("POST", "/invitations", Some(&root), Some(&wanted(groups))).await;
        assert_eq!((status.as_u16(), &told["code"]), (400, &json!(code)));
    }
    let (status, made) = node.call("POST", "/invitations", Some(&root), Some(&wanted(json!([family_id])))).await;
    assert_eq!(status.as_u16(), 201, "{made}");
    let (_, all) = node.call("GET", "/invitations", Some(&root), None).await;
    assert_eq!(all["items"][0]["groups"], json!(["家人"]));
    // A row of a file may name it, too.
    let file = "id,account,groups\n1,ann,家人\n2,eve,Bob's\n";
    let done = node.import(&root, file, "").await;
    assert_eq!(done["links"], json!(1));
    let ann = accounts::by_external_id(&*node.backend.views.store, &Source::file(), "1").unwrap();
    assert!(groups::is_member(&*node.backend.views.store, family, ann.account));
}
