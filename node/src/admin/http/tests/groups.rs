//! What the administration of its home does to a group, over HTTP, and what its members see of it.

use startalk_protocol::{
    GroupId,
    pb::content::{Content, content::Kind},
};

use super::*;

impl Node {
    /// A group of these, begun by the first.
    fn group(&self, owner: Actor, name: &str, members: &[&str]) -> (u64, String) {
        let members = members.iter().map(|m| format!("{m}@a.example").parse().unwrap()).collect();
        let begun = self.ask(Command::CreateGroup { actor: owner, counter: 1, name: name.into(), members });
        let Answer::Sent { conversation, .. } = begun else { panic!("{begun:?}") };
        (conversation, startalk_domain::groups::group(&*self.backend.views.store, conversation).unwrap().id.clone())
    }

    /// The lines of a group, as its members see them: codes with their parameters.
    fn lines(&self, conversation: u64) -> Vec<(String, std::collections::BTreeMap<String, String>)> {
        let (store, journal) = (&*self.backend.views.store, &*self.backend.views.journal);
        let positions = startalk_domain::timeline::positions(store, conversation, 1, u64::from(u32::MAX));
        let seen = positions.into_iter().filter_map(|at| {
            let record = startalk_domain::Recorded::read(&journal.read(at).unwrap()).unwrap();
            startalk_domain::groups::from_record(store, journal, &record, None)
        });
        let line = |m: startalk_domain::conversations::Message| {
            let content = <Content as prost::Message>::decode(m.content.unwrap()).unwrap();
            let Some(Kind::System(line)) = content.kind else { panic!("{content:?}") };
            (line.code, line.params.into_iter().collect())
        };
        seen.map(line).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_group_is_looked_at_handed_over_and_ended() {
    let node = Node::new();
    let (_, root) = node.person("root1", Role::Administrator);
    let (alice, _) = node.person("alice", Role::Member);
    for name in ["bob", "carol", "dave"] {
        node.person(name, Role::Member);
    }
    let (conversation, id) = node.group(alice, "Team", &["bob", "carol"]);
    assert!(id.parse::<GroupId>().is_ok());
    let call = async |method: &str, path: &str, body: Option<Value>| {
        node.call(method, &format!("/groups/{id}{path}"), Some(&root), body.as_ref()).await
    };

    let (_, one) = call("GET", "", None).await;
    assert_eq!(
        (&one["kept_here"], &one["group"]["owner"], &one["group"]["members"]),
        (&json!(true), &json!("alice@a.example"), &json!(3))
    );
    assert!(one["created_ms"].as_u64() > Some(0) && one["last_ms"].as_u64() >= one["created_ms"].as_u64(), "{one}");
    let (_, first) = call("GET", "/members?limit=2", None).await;
    let (_, rest) = call("GET", &format!("/members?limit=2&cursor={}", first["next"]), None).await;
    let all = [first["items"].as_array().unwrap().clone(), rest["items"].as_array().unwrap().clone()].concat();
    let users: Vec<&str> = all.iter().map(|m| m["user"].as_str().unwrap()).collect();
    assert_eq!(users, ["alice@a.example", "bob@a.example", "carol@a.example"]);
    assert_eq!((&all[0]["role"], &rest["next"]), (&json!("owner"), &Value::Null));

    let before = node.lines(conversation).len();
    let refused = async |method: &str, path: &str, body: Option<Value>, code: &str| {
        let (status, told) = call(method, path, body).await;
        assert_eq!((status.is_client_error(), &told["code"]), (true, &json!(code)), "{method} {path}");
    };
    refused("DELETE", "/members/alice", None, "owner-stays").await;
    refused("DELETE", "/members/dave", None, "bad-value").await;
    refused("POST", "/members", Some(json!({ "name": "bob" })), "already-a-member").await;
    refused("POST", "/members", Some(json!({ "name": "x@b.example" })), "forbidden").await;
    refused("PATCH", "", Some(json!({ "owner": "dave" })), "bad-value").await;
    assert_eq!(node.lines(conversation).len(), before, "what was refused is nowhere");

    assert_eq!(call("PATCH", "", Some(json!({ "owner": "bob", "name": "Bob's" }))).await.1["group"]["owner"], "bob@a.example");
    assert_eq!(call("POST", "/members", Some(json!({ "name": "dave" }))).await.0.as_u16(), 204);
    assert_eq!(call("DELETE", "/members/alice", None).await.0.as_u16(), 204);
    assert_eq!(call("POST", "/destroy", Some(json!({ "reason": "the project is over" }))).await.0.as_u16(), 204);
    refused("POST", "/members", Some(json!({ "name": "alice" })), "group-over").await;

    let (_, members) = call("GET", "/members", None).await;
    let roles: Vec<_> =
        members["items"].as_array().unwrap().iter().map(|m| (m["user"].as_str().unwrap(), m["role"].as_str().unwrap())).collect();
    assert_eq!(roles, [("bob@a.example", "owner"), ("carol@a.example", "member"), ("dave@a.example", "member")]);
    let lines = node.lines(conversation)[before..].to_vec();
    let codes: Vec<&str> = lines.iter().map(|l| l.0.as_str()).collect();
    assert_eq!(
        codes,
        [
            "group-name-by-domain",
            "group-role-by-domain",
            "group-added-by-domain",
            "group-removed-by-domain",
            "group-notice-by-domain",
            "group-destroyed-by-domain"
        ]
    );
    assert!(lines.iter().all(|l| l.1["domain"] == "a.example"), "{lines:?}");
    assert_eq!((lines[3].1["who"].as_str(), lines[4].1["text"].as_str()), ("alice@a.example", "the project is over"));

    let (_, acts) = node.call("GET", "/audit?limit=5", Some(&root), None).await;
    let names: Vec<&str> = acts["items"].as_array().unwrap().iter().map(|a| a["act"].as_str().unwrap()).collect();
    assert_eq!(names, ["group-destroyed", "group-member-removed", "group-member-added", "group-handed-over", "group-named"]);
    assert_eq!((&acts["items"][1]["user"], &acts["items"][1]["changes"][0]["after"]), (&json!("alice@a.example"), &json!(id)));
}
