//! A node's disk fills up: new messages are refused by name, what comes from elsewhere waits there, and with space everything
//! goes on.

use startalk_e2e::until;

use crate::{ground::Ground, trouble::kill::more_arrive};

/// Free bytes: below the 256 MiB under which a node takes nothing new.
const FREE_BYTES: u64 = 252 << 20;
/// Messages that are refused.
const REFUSED: u64 = 3;
/// Messages from elsewhere meanwhile.
const MEANWHILE: u64 = 10;

pub(super) async fn happen(ground: &mut Ground) -> anyhow::Result<String> {
    let Some(disk) = &ground.disk else {
        return Ok(format!("SKIPPED, no small disk can be made here: {}", ground.no_disk));
    };
    let bob = &ground.voices.across[1];
    // Only alice goes on; what bob says now is looked at one by one.
    let silence = bob.silence().await;
    until("what bob said to be acknowledged", || std::future::ready((bob.unanswered() == 0, bob.unanswered()))).await?;
    disk.fill(FREE_BYTES)?;
    for _ in 0..REFUSED {
        says_until(ground, &Err("disk-full".to_owned())).await?;
    }
    let bystander = &ground.voices.bystander_across;
    bystander.from.say_many(&bystander.to.user, MEANWHILE).await?;
    until("what is said to bob to be acknowledged", || std::future::ready((bystander.unanswered() == 0, bystander.unanswered())))
        .await?;
    disk.clear()?;
    says_until(ground, &Ok(())).await?;
    until("what waited", || std::future::ready((bystander.under_way() == 0, bystander.arrived()))).await?;
    drop(silence);
    more_arrive(&ground.voices.across, 1).await?;
    Ok(format!("{REFUSED} messages at node b refused by name; {MEANWHILE} from node a waited, and arrived when there was space"))
}

/// bob says something until the node answers like that; it looks at the free space once a second.
async fn says_until(ground: &Ground, expected: &Result<(), String>) -> anyhow::Result<()> {
    let bob = &ground.voices.across[1];
    until(&format!("{expected:?} as an answer"), || async {
        let outcome = bob.from.try_to_say(&bob.to.user).await;
        (outcome.is_ok_and(|outcome| outcome == *expected), bob.from.said_count())
    })
    .await
}
