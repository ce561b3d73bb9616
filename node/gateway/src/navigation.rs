//! What clients are told of the domain: its part of the signed record, the record when they ask, and that it is another one.
//!
//! Signs nothing: the node hands in the record as it is signed now.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use startalk_domain::governance::Realm;
use startalk_protocol::{
    limits,
    pb::client::{self as pb, server_frame::Frame},
    trust::{DomainRecord, Navigation, Trial},
};
use tokio::sync::watch;

use crate::{
    Gateway,
    convert::{self, FEATURES},
    gateway::Inner,
    web,
};

/// What the record says to clients, by the domain's policies and what this program can do.
pub fn navigation(realm: &Realm) -> Navigation {
    Navigation {
        features: FEATURES.iter().map(|f| (*f).to_owned()).collect(),
        file_bytes_max: realm.files.file_bytes_max,
        message_bytes_max: limits::CONTENT_BYTES_MAX as u64,
        group_members_max: limits::GROUP_MEMBERS_MAX,
        colour: realm.colour.clone(),
        icon_hash: Bytes::copy_from_slice(blake3::hash(web::ICON.as_bytes()).as_bytes()),
        trial: (realm.trial_days > 0).then_some(Trial { account_days: realm.trial_days }),
    }
}

impl Gateway {
    /// Tells everybody connected of each new record, until none comes any more.
    pub async fn tell_of_records(self, mut records: watch::Receiver<Bytes>) {
        while records.changed().await.is_ok() {
            let record = records.borrow_and_update().clone();
            self.0.told_record(&record);
        }
    }
}

impl Inner {
    fn told_record(self: &Arc<Self>, record: &Bytes) {
        let Ok(record) = DomainRecord::decode_signed(record, convert::signed(self.now_ms())) else {
            tracing::error!("a record of this domain's own does not verify");
            return;
        };
        let sequence = record.sequence();
        self.record_sequence.store(sequence, Ordering::Release);
        let frame = convert::frame(0, Frame::NavigationChanged(pb::NavigationChanged { sequence }));
        self.registry.all(|session| session.push(&frame, self.config.limits.outbox_bytes));
    }

    /// The sequence of the record as it is signed now; 0: none is signed yet.
    pub(crate) fn navigation_sequence(&self) -> u64 {
        match self.record_sequence.load(Ordering::Acquire) {
            0 => {
                let record = (self.config.record)();
                let read = DomainRecord::decode_signed(&record, convert::signed(self.now_ms()));
                read.map_or(0, |record| {
                    // Never back: another task may have told a later one.
                    self.record_sequence.fetch_max(record.sequence(), Ordering::AcqRel).max(record.sequence())
                })
            }
            known => known,
        }
    }

    /// The record as it is signed now.
    pub(crate) fn navigation(&self) -> Frame {
        Frame::Navigation(pb::Navigation { record: (self.config.record)() })
    }
}
