//! How the node does, as Prometheus reads it: written by hand, since a few gauges need no registry.
//!
//! Asked through the control socket only, which nobody but the folder's owner may open: a port of the loopback would be open to
//! everybody on the machine, and to the world behind a reverse proxy. Holds no names but those of domains.

use std::{
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use startalk_certify::Certify;
use startalk_domain::{Views, governance, notify};
use startalk_federation::{Federation, PeerStatus};
use startalk_gateway::Gateway;
use startalk_media::Media;
use startalk_push::Push;
use startalk_sequencer::Handle;

use crate::admin::links;

/// Upper bounds of the batch sizes that are told apart, in records.
const BATCH_BOUNDS: [u64; 7] = [1, 4, 16, 64, 256, 1024, 4096];
/// Peers of which each is told; beyond it those with the longest queues.
const PEERS_MAX: usize = 1000;

/// What the write loop has done since the process started.
#[derive(Debug, Default)]
pub struct Batches {
    /// Of at most so many records; the last: of more.
    sizes: [AtomicU64; BATCH_BOUNDS.len() + 1],
    records: AtomicU64,
}

impl Batches {
    /// A batch was committed; for the write loop's thread.
    pub fn committed(&self, records: usize) {
        let records = records as u64;
        let bucket = BATCH_BOUNDS.iter().position(|bound| records <= *bound).unwrap_or(BATCH_BOUNDS.len());
        self.sizes[bucket].fetch_add(1, Relaxed);
        self.records.fetch_add(records, Relaxed);
    }
}

/// What is looked at when somebody asks.
pub struct Metrics {
    /// Journal and epoch.
    pub views: Views,
    /// The queue before the write loop.
    pub handle: Handle,
    /// What it has done.
    pub batches: Arc<Batches>,
    /// Clients.
    pub gateway: Gateway,
    /// Links.
    pub federation: Federation,
    /// Pushes.
    pub push: Arc<Push>,
    /// Files.
    pub media: Media,
    /// The certificate for browsers, if the node asks for it itself.
    pub certify: Option<Certify>,
}

impl Metrics {
    /// The page.
    pub fn page(&self) -> String {
        let mut page = Page::default();
        let head = self.views.journal.head();
        page.one("journal_position", "Last durable record.", head.position);
        page.one(
            "epoch",
            "Epochs of the domain: one more each time that it went back.",
            governance::realm(&*self.views.store).epoch,
        );
        page.one("queue_commands", "Commands waiting for the write loop.", self.handle.waiting());
        page.one("connections", "Clients' connections.", self.gateway.connections());
        self.batches(&mut page);
        self.pushes(&mut page);
        self.files(&mut page);
        self.certificate(&mut page);
        page.peers(self.federation.peers());
        page.0
    }

    fn pushes(&self, page: &mut Page) {
        let figures = self.push.figures();
        page.one("push_devices", "Devices that a push service reaches.", notify::reached_devices(&*self.views.store));
        page.one("push_waiting", "Pushes that wait to be sent.", figures.waiting);
        page.one("push_failing_devices", "Devices for which the last attempt failed.", figures.failing);
        page.head("pushes_total", "counter", "Pushes since the start, by what became of them.");
        let all = [
            ("taken", figures.taken),
            ("later", figures.later),
            ("refused", figures.refused),
            ("gone", figures.gone),
            ("dropped", figures.dropped),
        ];
        for (became, count) in all {
            page.line("pushes_total", &[("became", became)], count);
        }
    }

    fn files(&self, page: &mut Page) {
        let figures = self.media.figures();
        page.one("uploads_receiving", "Uploads that are not whole yet.", figures.receiving);
        page.one("uploads_missing_bytes", "Bytes that those still lack.", figures.missing_bytes);
        for (name, help, good, bad) in [
            ("uploads_total", "Uploads that were whole, by whether they became files.", figures.stored, figures.failed),
            ("pictures_total", "Pictures, by whether copies could be made.", figures.pictures, figures.not_pictures),
            ("fetches_total", "Files of other domains, by whether they came.", figures.fetched, figures.not_fetched),
        ] {
            page.head(name, "counter", help);
            page.line(name, &[("became", "done")], good);
            page.line(name, &[("became", "failed")], bad);
        }
    }

    fn certificate(&self, page: &mut Page) {
        let Some(standing) = self.certify.as_ref().map(Certify::standing) else { return };
        let seconds = |ms: i64| seconds(u64::try_from(ms).unwrap_or(0));
        if let Some(not_after) = standing.not_after_ms {
            page.one("certificate_expires_seconds", "When the authority's certificate ends, as Unix time.", seconds(not_after));
        }
        page.one("certificate_failures", "Failures in a row to get a certificate, up to now.", standing.failures);
        page.one("certificate_next_attempt_seconds", "When a certificate is asked for, as Unix time.", seconds(standing.next_ms));
    }

    fn batches(&self, page: &mut Page) {
        page.head("batch_records", "histogram", "Records in a batch, which is one sync of the disk.");
        let mut count = 0;
        for (bound, size) in BATCH_BOUNDS.iter().map(u64::to_string).chain(["+Inf".to_owned()]).zip(&self.batches.sizes) {
            count += size.load(Relaxed);
            page.line("batch_records_bucket", &[("le", &bound)], count);
        }
        page.line("batch_records_sum", &[], self.batches.records.load(Relaxed));
        page.line("batch_records_count", &[], count);
    }
}

/// Lines of the text format, version 0.0.4.
#[derive(Default)]
struct Page(String);

impl Page {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP startalk_{name} {help}\n# TYPE startalk_{name} {kind}");
    }

    fn line(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let label = |(name, value): &(&str, &str)| {
            let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            format!("{name}=\"{value}\"")
        };
        let labels = labels.iter().map(label).collect::<Vec<_>>().join(",");
        let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
        let _ = writeln!(self.0, "startalk_{name}{labels} {value}");
    }

    fn one(&mut self, name: &str, help: &str, value: impl std::fmt::Display) {
        self.head(name, "gauge", help);
        self.line(name, &[], value);
    }

    /// One line for each peer that has such a value.
    fn each<V: std::fmt::Display>(
        &mut self,
        name: &str,
        help: &str,
        peers: &[PeerStatus],
        value: impl Fn(&PeerStatus) -> Option<V>,
    ) {
        self.head(name, "gauge", help);
        for peer in peers {
            if let Some(value) = value(peer) {
                self.line(name, &[("domain", peer.domain.as_str())], value);
            }
        }
    }

    fn peers(&mut self, mut all: Vec<PeerStatus>) {
        // Who only claimed to be a domain is left out: anybody can make up names.
        all.retain(|p| p.number.is_some());
        self.head("peers", "gauge", "Domains by the state of the link with them.");
        for state in links::STATES {
            self.line("peers", &[("state", state)], all.iter().filter(|p| links::state(p).0 == *state).count());
        }
        if all.len() > PEERS_MAX {
            all.sort_by_key(|p| std::cmp::Reverse(p.lag));
            all.truncate(PEERS_MAX);
        }
        self.head("peer_state", "gauge", "1 for the state that the link is in.");
        for peer in &all {
            self.line("peer_state", &[("domain", peer.domain.as_str()), ("state", links::state(peer).0)], 1);
        }
        self.each("peer_waiting_items", "Items that the peer has not acknowledged.", &all, |p| Some(p.lag));
        self.each("peer_received_items", "Items of the peer's present epoch that took effect here.", &all, |p| {
            Some(p.inbox_sequence)
        });
        self.each("peer_next_attempt_seconds", "When it is tried again, as Unix time.", &all, |p| links::state(p).1.map(seconds));
        self.each("peer_last_contact_seconds", "When it was heard last since the start, as Unix time.", &all, |p| {
            p.last_contact_ms.map(seconds)
        });
        self.each("peer_silent_since_seconds", "Tried in vain since then, as Unix time.", &all, |p| {
            p.silent_since_ms.map(seconds)
        });
        self.head("peer_last_error_seconds", "gauge", "When something went wrong last, and what, as Unix time.");
        for peer in &all {
            if let Some((error, at_ms)) = &peer.last_error {
                let labels = [("domain", peer.domain.as_str()), ("code", error.code.as_str())];
                self.line("peer_last_error_seconds", &labels, seconds(*at_ms));
            }
        }
    }
}

/// Whole milliseconds as decimal seconds.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_counts_in_its_size_and_a_label_cannot_break_out() {
        let batches = Batches::default();
        [1, 2, 64, 65, 9000].into_iter().for_each(|records| batches.committed(records));
        let sizes: Vec<u64> = batches.sizes.iter().map(|n| n.load(Relaxed)).collect();
        assert_eq!(sizes, [1, 1, 0, 1, 1, 0, 0, 1]);
        let mut page = Page::default();
        page.line("x", &[("domain", "a\"b\\c\nd"), ("y", "z")], seconds(1_234_005));
        assert_eq!(page.0, "startalk_x{domain=\"a\\\"b\\\\c\\nd\",y=\"z\"} 1234.005\n");
    }
}
