//! How the node does, as Prometheus reads it: written by hand, since gauges and a few histograms need no registry. Queues say what
//! is in them and where they end.
//!
//! Asked through the control socket only, which nobody but the folder's owner may open: a port of the loopback would be open to
//! everybody on the machine, and to the world behind a reverse proxy. Holds no names but those of domains.

mod histogram;
mod loop_figures;
mod page;
mod timed_disk;

use std::sync::Arc;

use startalk_certify::Certify;
use startalk_domain::{Views, governance, notify};
use startalk_federation::Federation;
use startalk_gateway::Gateway;
use startalk_media::Media;
use startalk_push::Push;
use startalk_search::Search;
use startalk_sequencer::{Handle, WAITING_MAX};

use crate::admin::links;

pub use histogram::Histogram;
pub use loop_figures::{LoopFigures, Round};
pub use timed_disk::TimedDisk;

use page::{Page, seconds, seconds_of_us};

/// Peers of which each is told; beyond it those with the longest queues.
const PEERS_MAX: usize = 1000;

/// What is looked at when somebody asks.
pub struct Metrics {
    /// Journal and epoch.
    pub views: Views,
    /// The queue before the write loop.
    pub handle: Handle,
    /// What it has done.
    pub written: Arc<LoopFigures>,
    /// How long the journal's disk took to sync, microseconds.
    pub syncs_us: Arc<Histogram>,
    /// How far the index is.
    pub search: Arc<Search>,
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
        self.writing(&mut page);
        self.clients(&mut page);
        self.searching(&mut page);
        self.pushes(&mut page);
        self.files(&mut page);
        self.certificate(&mut page);
        self.peers(&mut page);
        page.0
    }

    fn pushes(&self, page: &mut Page) {
        let figures = self.push.figures();
        page.one("push_devices", "Devices that a push service reaches.", notify::reached_devices(&*self.views.store));
        page.one("push_waiting", "Pushes that wait to be sent.", figures.waiting);
        page.one("push_waiting_limit", "Beyond so many waiting pushes further ones are dropped.", startalk_push::WAITING_MAX);
        page.one("push_failing_devices", "Devices for which the last attempt failed.", figures.failing);
        let all = [
            ("taken", figures.taken),
            ("later", figures.later),
            ("refused", figures.refused),
            ("gone", figures.gone),
            ("dropped", figures.dropped),
        ];
        page.counted("pushes_total", "Pushes since the start, by what became of them.", "became", all);
    }

    fn files(&self, page: &mut Page) {
        let figures = self.media.figures();
        page.one("uploads_receiving", "Uploads that are not whole yet.", figures.receiving);
        page.one("uploads_missing_bytes", "Bytes that those still lack.", figures.missing_bytes);
        page.one("pictures_waiting", "Pictures that wait for a worker, or have one.", figures.pictures_wanted);
        page.one("fetches_waiting", "Files of other domains that are being fetched, or wait for it.", figures.fetching);
        for (name, help, good, bad) in [
            ("uploads_total", "Uploads that were whole, by whether they became files.", figures.stored, figures.failed),
            ("pictures_total", "Pictures, by whether copies could be made.", figures.pictures, figures.not_pictures),
            ("fetches_total", "Files of other domains, by whether they came.", figures.fetched, figures.not_fetched),
        ] {
            page.counted(name, help, "became", [("done", good), ("failed", bad)]);
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

    fn writing(&self, page: &mut Page) {
        page.one("queue_commands", "Commands waiting for the write loop.", self.handle.waiting());
        page.one("queue_commands_limit", "Beyond so many waiting commands they are refused.", WAITING_MAX);
        let what = "Records in a batch, which is one sync of the disk.";
        page.histogram("batch_records", what, &self.written.records, |records| records.to_string());
        let what = "How long the disk took to make a batch durable.";
        page.histogram("sync_seconds", what, &self.syncs_us, seconds_of_us);
        let what = "From a command's arrival to its answer, at most: what came while the loop was busy counts from that round's beginning.";
        page.histogram("acknowledgement_seconds", what, &self.written.answered_us, seconds_of_us);
    }

    fn clients(&self, page: &mut Page) {
        let figures = self.gateway.figures();
        page.one("connections", "Clients' connections.", figures.connections());
        page.head("transport_connections", "gauge", "Clients' connections by what they run over.");
        for (transport, count) in &figures.by_transport {
            page.line("transport_connections", &[("transport", transport.as_str())], count);
        }
        page.one("outbox_bytes", "Bytes that wait for connections to take them, together.", figures.outbox_bytes);
        page.one("outbox_bytes_most", "Of those, what waits for one connection at most.", figures.outbox_bytes_most);
        page.one(
            "outbox_bytes_limit",
            "Beyond so many pushed bytes a connection ends as a slow reader.",
            figures.outbox_bytes_limit,
        );
        page.one("reads_waiting", "Pages and syncs that wait for their turn, or are being read.", figures.reads_waiting);
        let errors = figures.errors.iter().map(|(code, count)| (code.as_str(), *count));
        page.counted("errors_total", "Errors that clients were answered with, by code.", "code", errors);
    }

    fn searching(&self, page: &mut Page) {
        let (read_to, head) = self.search.progress();
        page.one("search_waiting_records", "Records of the journal that searches do not find yet.", head.saturating_sub(read_to));
    }

    fn peers(&self, page: &mut Page) {
        let mut all = self.federation.peers();
        // Who only claimed to be a domain is left out: anybody can make up names.
        all.retain(|p| p.number.is_some());
        page.head("peers", "gauge", "Domains by the state of the link with them.");
        for state in links::STATES {
            page.line("peers", &[("state", state)], all.iter().filter(|p| links::state(p).0 == *state).count());
        }
        if all.len() > PEERS_MAX {
            all.sort_by_key(|p| std::cmp::Reverse(p.lag));
            all.truncate(PEERS_MAX);
        }
        page.head("peer_state", "gauge", "1 for the state that the link is in.");
        for peer in &all {
            page.line("peer_state", &[("domain", peer.domain.as_str()), ("state", links::state(peer).0)], 1);
        }
        page.each("peer_waiting_items", "Items that the peer has not acknowledged.", &all, |p| Some(p.lag));
        page.each("peer_received_items", "Items of the peer's present epoch that took effect here.", &all, |p| {
            Some(p.inbox_sequence)
        });
        page.each("peer_next_attempt_seconds", "When it is tried again, as Unix time.", &all, |p| links::state(p).1.map(seconds));
        page.each("peer_last_contact_seconds", "When it was heard last since the start, as Unix time.", &all, |p| {
            p.last_contact_ms.map(seconds)
        });
        page.each("peer_silent_since_seconds", "Tried in vain since then, as Unix time.", &all, |p| {
            p.silent_since_ms.map(seconds)
        });
        page.head("peer_last_error_seconds", "gauge", "When something went wrong last, and what, as Unix time.");
        for peer in &all {
            if let Some((error, at_ms)) = &peer.last_error {
                let labels = [("domain", peer.domain.as_str()), ("code", error.code.as_str())];
                page.line("peer_last_error_seconds", &labels, seconds(*at_ms));
            }
        }
    }
}
