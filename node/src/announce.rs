//! Keeping others up to date about where this domain is: the record is signed anew before it ends and announced to every
//! hub; link keys are replaced in time.

use std::time::Duration;

use startalk_net::{Discovery, HubUrl, hub::HubError};
use startalk_protocol::{Code, error::Language};

use crate::keys::Identity;

/// How often the record is signed anew: a quarter of what it promises.
pub const RENEW: Duration = Duration::from_secs(12 * 3600);
/// Hubs forget when they restart: they are told again this often.
const ANNOUNCE: Duration = Duration::from_secs(60);
/// After a failure, the first wait; it doubles up to [`ANNOUNCE`].
const RETRY_MIN: Duration = Duration::from_secs(1);

/// Announces to one hub for ever: each new record at once, and again every minute, for a hub that started anew has
/// nothing.
pub async fn announce(discovery: Discovery, hub: HubUrl, identity: Identity) {
    let mut record = identity.records();
    let mut wait = RETRY_MIN;
    let mut failing = false;
    loop {
        let bytes = record.borrow_and_update().clone();
        match discovery.hubs().announce(&hub, bytes).await {
            Ok(_) => {
                if failing {
                    tracing::info!(hub = hub.name(), "announced again");
                }
                (wait, failing) = (ANNOUNCE, false);
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(hub = hub.name(), error = %error.words(Language::English), "cannot announce");
                }
                if matches!(&error, HubError::Refused(e) if e.code == Code::OlderRecord) {
                    identity.wanted().notify_one(); // another copy of us was here
                }
                wait = if failing { (wait * 2).min(ANNOUNCE) } else { RETRY_MIN };
                failing = true;
            }
        }
        if let Ok(Err(_)) = tokio::time::timeout(wait, record.changed()).await {
            return; // the node is stopping
        }
    }
}
