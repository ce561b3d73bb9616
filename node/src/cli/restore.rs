//! A restore in place of a domain, on the command line: asked of the running node, and waited for until it runs again.

use std::{path::Path, thread, time::Duration};

use serde_json::Value;
use startalk_protocol::{Code, Error};

use crate::{
    admin::{Progress, Request, control},
    offline,
};

/// Between two looks at whether the node is there again.
const PAUSE: Duration = Duration::from_millis(500);
/// Looks: ten minutes of them.
const LOOKS: usize = 1200;

/// Brings a backup back in place of the domain in `data`, whether its node runs or not.
///
/// # Errors
/// The copy's faults; why it was given up; or that the node is not heard of any more.
pub fn replace(data: &Path, request: &Request, progress: &Progress) -> anyhow::Result<Value> {
    let Some(asked) = control::ask(data, request, progress) else {
        let answer = offline::run(data, request.clone(), progress)?;
        came_through(&answer, &offline::run(data, Request::Replaced, progress)?)?;
        return Ok(answer);
    };
    let answer = asked?;
    for _ in 0..LOOKS {
        thread::sleep(PAUSE);
        // While it stops it may cut us off, and while it starts there is nobody.
        if let Some(Ok(now)) = control::ask(data, &Request::Replaced, progress)
            && (is_in(&answer, &now) || !now["failed"].is_null())
        {
            came_through(&answer, &now)?;
            return Ok(answer);
        }
    }
    Err(Error::new(Code::Unreachable).with("what", "startalk").with("why", "the node has not started again").into())
}

fn is_in(answer: &Value, now: &Value) -> bool {
    now["replaced"].as_array().is_some_and(|all| all.iter().any(|r| r["name"] == answer["replaced"]))
}

fn came_through(answer: &Value, now: &Value) -> anyhow::Result<()> {
    if is_in(answer, now) {
        return Ok(());
    }
    let why = now["failed"]["why"].as_str().unwrap_or("?").to_owned();
    Err(Error::new(Code::Failed).with("why", why).into())
}
