//! Pushing, put together: the domain's key for push services, the guarded client, and the consumer with its place.
//!
//! The key lies in `keys/vapid.key` (0600), made at the first start. Browsers bind their subscriptions to it: without it all
//! devices would have to subscribe anew, so backups have it.

use std::sync::Arc;

use startalk_domain::{Command, Views, context::Random as _};
use startalk_gateway::Gateway;
use startalk_net::{Names, Verify};
use startalk_outbound::{OutboundClient, OutboundConfig};
use startalk_push::{Push, PushConfig, Timings, VapidKey};
use startalk_sequencer::Handle;

use crate::{
    clock,
    config::Settings,
    folder::{Folder, write_file},
    zones,
};

/// The domain's key for push services, made if there is none. `contact`: a URL of ours, which they are told.
///
/// # Errors
/// The disk's, or that the file is no key.
pub fn key(folder: &Folder, contact: &str) -> anyhow::Result<VapidKey> {
    let path = folder.keys().join("vapid.key");
    if !path.exists() {
        write_file(&path, &VapidKey::generate()?)?;
    }
    VapidKey::from_pkcs8(&std::fs::read(&path)?, contact).map_err(|e| anyhow::anyhow!("{}: {e}", path.display()))
}

/// Starts the consumer; to be called in the runtime.
pub fn start(
    folder: &Folder,
    settings: &Settings,
    names: &Names,
    views: &Views,
    handle: &Handle,
    gateway: &Gateway,
    key: VapidKey,
) -> Arc<Push> {
    let outbound = OutboundClient::new(OutboundConfig {
        allow_private_addresses: settings.push_allow_private_addresses,
        verify: Verify::Web { extra_roots: settings.push_roots.clone() },
        names: names.clone(),
        ..OutboundConfig::default()
    });
    let (handle, gateway) = (handle.clone(), gateway.clone());
    Push::start(PushConfig {
        views: views.clone(),
        submit: Arc::new(move |command: Command| {
            handle.submit(command, |result| {
                if let Err(error) = result {
                    tracing::warn!(code = error.code.as_str(), "what pushes found out could not be recorded");
                }
            });
        }),
        outbound,
        key: Arc::new(key),
        is_active: Arc::new(move |account| gateway.is_active(account)),
        cursor: folder.root().join("push.cursor"),
        clock: Arc::new(clock::now_ms),
        zones: zones::offset_min,
        steady: Arc::new(clock::steady_ms),
        random: Arc::new(|out: &mut [u8]| clock::System.fill(out)),
        timings: timings(),
    })
}

/// As they are; with `STARTALK_TIMINGS=fast`, which is for tests, what failed is tried again after a moment.
fn timings() -> Timings {
    let usual = Timings::default();
    if std::env::var_os("STARTALK_TIMINGS").is_none_or(|t| t != "fast") {
        return usual;
    }
    Timings { gap: 50, backoff_first: 200, backoff_most: 5_000, ..usual }
}
