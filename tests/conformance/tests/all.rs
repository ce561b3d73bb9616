//! All cases against a node of our own.

use std::sync::Arc;

use startalk_conformance::{
    Ground, cases,
    run::{self, Outcome},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_node_holds_to_the_specification() {
    let ground = Arc::new(Ground::own().await.expect("a node and a hub"));
    let all = run::run(ground.clone(), cases::all()).await;
    let own = ground.own_node();
    println!("{}", run::table(&all));
    let said = own.node.said();
    assert!(!said.contains("panicked"), "{said}");
    // A node of our own has everything that a case can need: nothing may be skipped.
    let not_ok: Vec<_> = all.iter().filter(|(_, outcome)| *outcome != Outcome::Ok).map(|(case, o)| (case.name, o)).collect();
    assert!(not_ok.is_empty(), "{not_ok:#?}");
}
