//! A backup is looked at, checked and brought back over HTTP.

use super::*;
use crate::{admin::jobs::Job, offline, swap};

impl Node {
    async fn follow(&self, begun: (StatusCode, Value)) -> Job {
        assert_eq!(begun.0.as_u16(), 202, "{}", begun.1);
        while self.backend.jobs.all().iter().any(|job| job.state == "running") {
            tokio::task::yield_now().await; // not by asking: how often that may be is limited
        }
        self.backend.jobs.one(begun.1["job"].as_u64().unwrap()).unwrap()
    }

    /// Closes everything, and opens the folder again, as the next start does.
    fn again(mut self, verb: crate::admin::Request) -> Value {
        self.writer.take().unwrap().stop().unwrap();
        let root = self.backend.folder.clone();
        let folder = std::mem::replace(&mut self._folder, tempfile::tempdir().unwrap());
        drop(self);
        let told = offline::run(&root, verb, &(Arc::new(|_, _| {}) as crate::admin::Progress)).unwrap();
        drop(folder);
        told
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_brought_back_over_http() {
    let node = Node::new();
    let (root_actor, root) = node.person("root1", Role::Administrator);
    let call = async |method: &str, path: &str, body: Option<Value>| node.call(method, path, Some(&root), body.as_ref()).await;
    assert_eq!(node.follow(call("POST", "/backups", None).await).await.state, "done");
    let (_, backups) = call("GET", "/backups", None).await;
    let name = backups[0]["name"].as_str().unwrap().to_owned();
    let records = backups[0]["records"].as_u64().unwrap();
    node.person("late", Role::Member);
    let late = node.backend.views.journal.head().position;

    let (_, loss) = call("GET", &format!("/backups/{name}/loss"), None).await;
    assert_eq!((loss["counted"].as_bool(), loss["lost"].as_u64()), (Some(true), Some(late - records)), "{loss}");
    assert_eq!((&loss["people"], &loss["devices"]), (&json!(["late@a.example"]), &json!(1)), "{loss}");
    assert_eq!(loss["this_device"], false);
    let (_, lates) = node.person("later", Role::Administrator);
    let (_, loss) = node.call("GET", &format!("/backups/{name}/loss"), Some(&lates), None).await;
    assert_eq!((&loss["this_device"], &loss["people_count"]), (&json!(true), &json!(2)));
    let before = node.backend.views.journal.head().position;
    let checked = node.follow(call("POST", &format!("/backups/{name}/check"), None).await).await;
    assert_eq!((checked.state.as_str(), checked.records), ("done", Some(records)));
    assert!(!node.backend.folder.join("checking").exists());

    for path in ["..", "%2e%2e%2fd", "nothing", "%2Fetc"] {
        let (status, _) = call("POST", &format!("/backups/{path}/restore"), Some(json!({ "domain": "a.example" }))).await;
        assert_eq!(status.as_u16(), 404, "{path}");
    }
    let restore = format!("/backups/{name}/restore");
    let (status, told) = call("POST", &restore, Some(json!({ "domain": "b.example" }))).await;
    assert_eq!((status.as_u16(), &told["code"]), (400, &json!("bad-value")));
    assert_eq!(node.backend.views.journal.head().position, before, "so far nothing was done");
    let job = node.follow(call("POST", &restore, Some(json!({ "domain": "a.example" }))).await).await;
    assert_eq!((job.state.as_str(), job.done), ("done", job.total), "{:?}", job.error);
    // The old domain knows who did it, to its end.
    let (_, acts) = call("GET", "/audit?limit=1", None).await;
    let act = &acts["items"][0];
    assert_eq!((&act["act"], &act["by_name"]), (&json!("restore-begun"), &json!("root1@a.example")));
    // Until the node has started again no other takes its place.
    let second = node.follow(call("POST", &restore, Some(json!({ "domain": "a.example" }))).await).await;
    assert_eq!(second.state, "failed");

    let kept = swap::replaced(&node.backend.folder);
    let told = node.again(crate::admin::Request::Audit { before: 0, limit: 2, only: Default::default() });
    let act = &told["acts"][0];
    assert_eq!((&act["act"], &act["by_name"]), (&json!("backup-restored"), &json!("root1@a.example")), "{told}");
    assert_eq!(act["by_number"], root_actor.account);
    let change = json!({ "field": "records", "before": (before).to_string(), "after": records.to_string() });
    assert_eq!(act["changes"], json!([change]));
    assert!(kept.read_dir().is_err(), "the folder is gone with its test");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_damaged_or_of_another_domain_is_not_brought_back() {
    let (node, other) = (Node::new(), Node::new());
    let (_, root) = node.person("root1", Role::Administrator);
    let (_, stranger) = other.person("root1", Role::Administrator);
    let call = async |method: &str, path: &str, body: Option<Value>| node.call(method, path, Some(&root), body.as_ref()).await;
    assert_eq!(node.follow(call("POST", "/backups", None).await).await.state, "done");
    assert_eq!(other.follow(other.call("POST", "/backups", Some(&stranger), None).await).await.state, "done");
    let backups = &node.backend.backups;
    let whole = backups.read_dir().unwrap().next().unwrap().unwrap().path();
    let copy = |from: &std::path::Path, name: &str| {
        for part in ["journal", "keys"] {
            std::fs::create_dir_all(backups.join(name).join(part)).unwrap();
            for file in from.join(part).read_dir().unwrap().map(Result::unwrap) {
                std::fs::copy(file.path(), backups.join(name).join(part).join(file.file_name())).unwrap();
            }
        }
        for file in ["FORMAT", "BACKUP"] {
            std::fs::copy(from.join(file), backups.join(name).join(file)).unwrap();
        }
    };
    copy(&whole, "damaged");
    copy(&other.backend.backups.read_dir().unwrap().next().unwrap().unwrap().path(), "foreign");
    let segment = backups
        .join("damaged/journal")
        .read_dir()
        .unwrap()
        .map(Result::unwrap)
        .find(|f| f.file_name().to_string_lossy().ends_with(".segment"));
    let segment = segment.unwrap().path();
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes.windows(5).position(|w| w == b"root1").unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let before = node.backend.views.journal.head().position;
    for (name, why) in [("damaged", "damaged"), ("foreign", "another domain")] {
        if name == "damaged" {
            let checked = node.follow(call("POST", "/backups/damaged/check", None).await).await;
            assert_eq!(checked.state, "failed");
            assert_eq!(std::fs::read(&segment).unwrap(), bytes, "checking changes nothing");
        }
        let asked = call("POST", &format!("/backups/{name}/restore"), Some(json!({ "domain": "a.example" }))).await;
        let job = node.follow(asked).await;
        let told = job.error.map(|e| e.params["why"].clone()).unwrap_or_default();
        assert!(job.state == "failed" && told.contains(why), "{name}: {told}");
        assert!(!swap::stage(&node.backend.folder).exists(), "nothing is left of it");
    }
    assert_eq!(node.backend.views.journal.head().position, before, "the domain is what it was");
    let (_, listed) = call("GET", "/replaced", None).await;
    assert_eq!(listed, json!({ "replaced": [], "failed": null }));
}
