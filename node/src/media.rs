//! Files, put together: where their bytes lie (`[files]` of the settings file), the domain that they ask, and the program again
//! as the process that decodes pictures.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use futures_util::StreamExt as _;
use serde::Deserialize;
use startalk_domain::{
    Answer, Command, Views,
    context::Random as _,
    files::{self, Here},
};
use startalk_federation::{Federation, ReadFile};
use startalk_media::{Domain, Fetch, Fetched, Later, Media, MediaConfig, S3Config, StoreConfig, WorkerProgram};
use startalk_net::{Names, Verify};
use startalk_outbound::{OutboundClient, OutboundConfig};
use startalk_protocol::{Code, Error, limits::LINK_FILE_BYTES_MAX};
use startalk_sequencer::{FREE_BYTES_MIN, Handle};
use tokio::sync::{Notify, oneshot};

use crate::{clock, config::Settings, folder::Folder, swap};

/// The hidden verb that is the worker.
pub const WORKER: &str = "media-worker";

/// Between two looks for files that nothing refers to, if nothing was erased.
const COLLECTED_EVERY: Duration = Duration::from_secs(3600);
/// Between two looks at least: each goes over all files.
const COLLECTED_AT_MOST: Duration = Duration::from_secs(60);
/// Both, in tests.
const FAST: Duration = Duration::from_millis(200);
/// Questions for stretches of one file that are out at once: half a mebibyte, so that a link that is far away is full.
const STRETCHES_AT_ONCE: usize = 4;
/// Until a picture's copies have to be made.
const WORKER_PATIENCE: Duration = Duration::from_secs(20);

/// `[files]` of the settings file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawFiles {
    s3: Option<RawS3>,
}

/// `[files.s3]`: a bucket instead of a folder.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawS3 {
    endpoint: String,
    bucket: String,
    region: Option<String>,
    access_key: String,
    secret_key: Option<String>,
    secret_key_file: Option<PathBuf>,
    prefix: String,
}

impl RawFiles {
    /// Reads the secret, and looks at the rest.
    ///
    /// # Errors
    /// What is wrong, named.
    pub fn resolve(self) -> anyhow::Result<StoreConfig> {
        let Some(s3) = self.s3 else { return Ok(StoreConfig::Disk) };
        let what = "[files] s3";
        if !["https://", "http://"].iter().any(|scheme| s3.endpoint.starts_with(scheme)) {
            bail!("{what}: endpoint: expected https://host[:port] / 应为 https://主机[:端口]");
        }
        for (field, value) in [("bucket", &s3.bucket), ("access_key", &s3.access_key)] {
            if value.is_empty() {
                bail!("{what}: {field}: is missing / 缺少");
            }
        }
        let secret_key = match (s3.secret_key, s3.secret_key_file) {
            (Some(secret), None) => secret,
            (None, Some(path)) => read_secret(&path).with_context(|| what.to_owned())?,
            _ => bail!("{what}: expected secret_key_file or secret_key, one of them / 应给出 secret_key_file 或 secret_key 之一"),
        };
        Ok(StoreConfig::S3(S3Config {
            endpoint: s3.endpoint.trim_end_matches('/').to_owned(),
            bucket: s3.bucket,
            region: s3.region.unwrap_or_else(|| "us-east-1".to_owned()),
            access_key: s3.access_key,
            secret_key,
            prefix: s3.prefix,
        }))
    }
}

fn read_secret(path: &Path) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text.trim().to_owned())
}

/// Opens the files of the domain; to be called in the runtime.
///
/// # Errors
/// The disk's, or what is wrong with the store's settings.
pub fn start(folder: &Folder, settings: &Settings, names: &Names, views: &Views, handle: &Handle) -> anyhow::Result<Media> {
    let outbound = OutboundClient::new(OutboundConfig {
        allow_private_addresses: settings.preview_allow_private_addresses,
        verify: Verify::Web { extra_roots: settings.preview_roots.clone() },
        names: names.clone(),
        ..OutboundConfig::default()
    });
    let handle = handle.clone();
    let submit = move |command: Command| -> startalk_media::Later<_> {
        let (reply, answer) = oneshot::channel();
        handle.submit(command, move |result| drop(reply.send(result)));
        Box::pin(async move { answer.await.unwrap_or_else(|_| Err(Code::Stopping.into())) })
    };
    let media = Media::start(MediaConfig {
        folder: folder.files(),
        store: settings.files.clone(),
        ledger: Arc::new(Domain { views: views.clone(), submit: Arc::new(submit) }),
        worker: worker()?,
        clock: Arc::new(clock::now_ms),
        random: Arc::new(|out: &mut [u8]| clock::System.fill(out)),
        outbound: Some(outbound),
        reserve_bytes: FREE_BYTES_MIN,
        // In a folder of its own a replaced domain has taken its files with it; in a bucket they lie among these.
        sweeps: matches!(settings.files, StoreConfig::Disk) || swap::list(folder.root()).is_empty(),
    });
    media.with_context(|| folder.files().display().to_string())
}

/// Bytes of files for other domains. Federation begins before there are files: until then there are none.
pub fn reader(media: &Arc<OnceLock<Media>>) -> ReadFile {
    let media = media.clone();
    Arc::new(move |here, offset, length| {
        let media = media.get().cloned();
        Box::pin(async move {
            let media = media.ok_or(Code::Stopping)?;
            let end = here.size.min(offset.saturating_add(length as u64));
            let mut chunks = media.open(&here, offset.min(end)..end).await?;
            let mut bytes = BytesMut::with_capacity(length);
            while let Some(chunk) = chunks.next().await {
                bytes.extend_from_slice(&chunk.map_err(|_| Code::Internal)?);
            }
            Ok(bytes.freeze())
        })
    })
}

/// Fetches files of other domains over their links.
pub struct OverLinks {
    pub federation: Federation,
    pub views: Views,
}

impl Fetch for OverLinks {
    fn fetch(&self, file: &Here, offset: u64) -> Later<Result<Fetched, Error>> {
        let (federation, views, number, size) = (self.federation.clone(), self.views.clone(), file.file, file.size);
        Box::pin(async move {
            let asked = tokio::task::spawn_blocking(move || files::question(&views, number)).await;
            let (peer, ask) = asked.map_err(|_| Code::Internal)?.ok_or(Code::NoSuchFile)?;
            let starts = (offset..size).step_by(LINK_FILE_BYTES_MAX);
            let stretch = move |start| {
                let (federation, ask) = (federation.clone(), ask.clone());
                async move {
                    let bytes = federation.file_bytes(peer, &ask, start).await?;
                    let expected = (size - start).min(LINK_FILE_BYTES_MAX as u64);
                    // Fewer bytes would put those that follow in a wrong place.
                    if bytes.len() as u64 == expected { Ok(bytes) } else { Err(Code::NoSuchFile.into()) }
                }
            };
            let stretches = futures_util::stream::iter(starts).map(stretch).buffered(STRETCHES_AT_ONCE);
            Ok(Box::pin(stretches) as Fetched)
        })
    }
}

/// Looks which files nothing refers to any more: now and then, and soon after something was erased. Ends with the runtime.
pub fn collects(handle: &Handle, erased: Arc<Notify>) {
    let handle = handle.clone();
    let (every, between) = if is_fast() { (FAST, FAST) } else { (COLLECTED_EVERY, COLLECTED_AT_MOST) };
    tokio::spawn(async move {
        loop {
            let mut from = Some(0);
            while let Some(after) = from {
                let (reply, answer) = oneshot::channel();
                handle.submit(Command::CollectFiles { from: after }, move |result| drop(reply.send(result)));
                from = match answer.await {
                    Ok(Ok(Answer::More { from, .. })) => Some(from),
                    Ok(Ok(_)) => None,
                    Ok(Err(error)) => {
                        tracing::debug!("files cannot be looked through now: {error}");
                        None
                    }
                    Err(_) => return,
                };
            }
            tokio::time::sleep(between).await;
            let _ = tokio::time::timeout(every, erased.notified()).await;
        }
    });
}

/// `STARTALK_TIMINGS=fast` is for tests.
fn is_fast() -> bool {
    std::env::var_os("STARTALK_TIMINGS").is_some_and(|timings| timings == "fast")
}

/// This program, by its file that is open already: one that was replaced meanwhile would speak another version.
fn worker() -> anyhow::Result<WorkerProgram> {
    let own = PathBuf::from("/proc/self/exe");
    let program = if own.exists() { own } else { std::env::current_exe()? };
    Ok(WorkerProgram { program, args: vec![WORKER.to_owned()], patience: WORKER_PATIENCE })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> anyhow::Result<StoreConfig> {
        toml::from_str::<RawFiles>(text)?.resolve()
    }

    #[test]
    fn a_bucket_is_named_whole_and_its_secret_shown_to_nobody() {
        assert!(matches!(read("").unwrap(), StoreConfig::Disk));
        let whole = r#"s3 = { endpoint = "https://s3.example/", bucket = "b", access_key = "k", secret_key = "hidden" }"#;
        let store = read(whole).unwrap();
        let StoreConfig::S3(s3) = &store else { panic!("{store:?}") };
        assert_eq!((s3.endpoint.as_str(), s3.region.as_str()), ("https://s3.example", "us-east-1"));
        assert!(!format!("{store:?}").contains("hidden"));
        for (text, part) in [
            (r#"s3 = { endpoint = "s3.example", bucket = "b", access_key = "k", secret_key = "s" }"#, "endpoint"),
            (r#"s3 = { endpoint = "https://x", access_key = "k", secret_key = "s" }"#, "bucket"),
            (r#"s3 = { endpoint = "https://x", bucket = "b", access_key = "k" }"#, "secret_key_file"),
            (r#"s3 = { endpoint = "https://x", buckit = "b" }"#, "buckit"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }
}
