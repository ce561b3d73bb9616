//! Copies of pictures: 12 megapixels as a phone writes them, by the node's worker, one after the other and as fast as it can.

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::json;
use tokio::task::JoinSet;

use super::{
    Bench,
    files::{Holder, ORIGINAL, median},
};
use crate::{
    clock::Watch,
    http::{Brought, Version},
    programs::Process,
    report::{Report, mb},
    watched::Watched,
};

const SIDES: [u32; 2] = [4000, 3000];
/// Uploads at once: twice as many as a node has workers.
const AT_ONCE: usize = 4;

/// Runs it.
pub async fn run(bench: &Bench, report: &mut Report, node: &Process) -> Result<()> {
    let count = bench.settings.pictures;
    let photo: Bytes = bench.programs.photo(SIDES, &bench.folder.path().join("photo.jpg"))?.into();
    let watched = Watched::start(node.pid());
    let mut alone = Vec::new();
    let mut holder = Holder::open(node, 0, Version::One).await?;
    for number in 0..count.min(5) {
        alone.push(made(&mut holder, another(&photo, number)).await?);
    }
    let watch = Watch::start();
    let mut tasks = JoinSet::new();
    for line in 0..AT_ONCE {
        let (mut holder, photo) = (Holder::open(node, line, Version::One).await?, photo.clone());
        tasks.spawn(async move {
            for number in (line..count).step_by(AT_ONCE) {
                made(&mut holder, another(&photo, 1000 + number)).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    let seconds = watch.elapsed().as_secs_f64();
    let (each, one, peak) = (count as f64 / seconds, median(&mut alone), watched.peak());
    report.line(format!(
        "pictures: {count} of {}×{}, {:.1} MB each: {each:.1} a second with two copies each; alone {:.0} ms from the first byte to the description",
        SIDES[0],
        SIDES[1],
        mb(photo.len() as u64),
        one * 1000.0
    ));
    report.line(format!(
        "  at most {:.0} MB resident in the node, {:.0} in its workers, {:.0} in one of them",
        mb(peak.own),
        mb(peak.children),
        mb(peak.child)
    ));
    report.put(
        "pictures",
        json!({
            "count": count, "bytes": photo.len(), "per_second": each, "alone_ms": one * 1000.0,
            "node_rss_peak": peak.own, "workers_rss_peak": peak.children, "worker_rss_peak": peak.child,
        }),
    );
    Ok(())
}

/// The same picture as another file: with a comment.
fn another(photo: &Bytes, number: usize) -> Bytes {
    let mut out = photo[..2].to_vec();
    out.extend_from_slice(&[0xff, 0xfe, 0, 10]);
    out.extend_from_slice(&(number as u64).to_be_bytes());
    out.extend_from_slice(&photo[2..]);
    out.into()
}

/// Seconds from the first byte until it is described.
async fn made(holder: &mut Holder, photo: Bytes) -> Result<f64> {
    let watch = Watch::start();
    let place = holder.begin(photo.len() as u64, ORIGINAL).await?;
    let described = holder.bring(&place, Brought::whole(photo)).await?;
    let seconds = watch.elapsed().as_secs_f64();
    let picture = described.get("picture").with_context(|| format!("no copies: {described}"))?;
    ensure!(picture["thumb"].is_object() && picture["reduced"].is_object(), "two copies, not {picture}");
    Ok(seconds)
}
