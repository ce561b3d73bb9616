//! Runs cases, several at a time, and shows what became of them.

use std::{sync::Arc, time::Duration};

use tokio::{sync::Semaphore, task::JoinSet};

use crate::{Case, Ground};

/// Cases at a time: most of them wait.
const AT_ONCE: usize = 24;
/// After so long a case is given up: it waits for something that does not come.
const GIVEN_UP: Duration = Duration::from_secs(300);

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it must be.
    Ok,
    /// Not, and why.
    Failed(String),
    /// Not tried, and why.
    Skipped(String),
}

/// As an error: the case cannot be tried here, and why.
#[derive(Debug)]
pub struct Skipped(pub String);

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Runs all, those that must be alone at the end, and returns them in order.
///
/// # Panics
/// If a case panics.
pub async fn run(ground: Arc<Ground>, cases: Vec<Case>) -> Vec<(Case, Outcome)> {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let (mut running, mut done) = (JoinSet::new(), Vec::new());
    let (alone, together): (Vec<_>, Vec<_>) = cases.into_iter().enumerate().partition(|(_, case)| case.alone);
    for (at, case) in together {
        let (ground, places) = (ground.clone(), places.clone());
        running.spawn(async move {
            let _place = places.acquire_owned().await;
            one(&ground, at, case).await
        });
    }
    while let Some(ended) = running.join_next().await {
        done.push(ended.expect("a case fails by an error"));
    }
    for (at, case) in alone {
        done.push(one(&ground, at, case).await);
    }
    done.sort_by_key(|(at, ..)| *at);
    done.into_iter().map(|(_, case, outcome)| (case, outcome)).collect()
}

async fn one(ground: &Arc<Ground>, at: usize, case: Case) -> (usize, Case, Outcome) {
    if let Some(why) = ground.lacks(case.needs) {
        return (at, case, Outcome::Skipped(why));
    }
    let outcome = match tokio::time::timeout(GIVEN_UP, (case.run)(ground.clone())).await {
        Ok(Ok(())) => Outcome::Ok,
        Ok(Err(error)) => match error.downcast_ref::<Skipped>() {
            Some(Skipped(why)) => Outcome::Skipped(why.clone()),
            None => Outcome::Failed(format!("{error:#}")),
        },
        Err(_) => Outcome::Failed("it waits for something that does not come".to_owned()),
    };
    (at, case, outcome)
}

/// As a table, with the count on its last line.
pub fn table(all: &[(Case, Outcome)]) -> String {
    let width = all.iter().map(|(case, _)| case.name.len()).max().unwrap_or(0);
    let tags = all.iter().map(|(case, _)| case.tags.join(" ").len()).max().unwrap_or(0);
    let (mut out, mut passed, mut failed) = (String::new(), 0, 0);
    for (case, outcome) in all {
        let words = match outcome {
            Outcome::Ok => {
                passed += 1;
                "ok".to_owned()
            }
            Outcome::Failed(why) => {
                failed += 1;
                format!("FAILED {why}")
            }
            Outcome::Skipped(why) => format!("skipped {why}"),
        };
        out.push_str(&format!("{:width$}  {:tags$}  {words}\n", case.name, case.tags.join(" ")));
    }
    out.push_str(&format!("{passed} passed, {failed} failed"));
    out
}
