//! What the node calls: begin, hand in what connects, say what was committed, ask how peers stand, stop.
//!
//! Cheap to clone. Nothing here blocks but [`Federation::stop`].

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use prost::Message as _;
use startalk_domain::{Event, Recorded, directory, groups, outbox};
use startalk_net::Accepted;
use startalk_protocol::{
    Code, DomainName, Error, limits,
    pb::{
        group::{Answer, Ask, ReadBy, answer, ask},
        link::Ephemeral,
    },
};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::{
    config::{FILES, FederationConfig, GROUPS, QUESTION_WAIT, REFUSED_LOOK_BACK},
    opening,
    shared::Shared,
    slot::{Question, Slot},
    status::{PeerStatus, State, Status},
};

/// How long [`Federation::stop`] waits for the links to say farewell.
const STOP_MAX: Duration = Duration::from_secs(15);

/// The links of this domain with all others.
#[derive(Clone)]
pub struct Federation(Arc<Shared>);

impl Federation {
    /// Begins; peers whose outbox has something unacknowledged are dialed. Must be called inside a tokio runtime.
    pub fn new(config: FederationConfig) -> Self {
        let shared = Arc::new(Shared::new(config));
        let views = &shared.config.views;
        // Refused shortly before the last end of the process, and perhaps never heard by the peer.
        if let Ok(refused) = outbox::refused_lately(&*views.store, &*views.journal, REFUSED_LOOK_BACK) {
            for (peer, sequence, code) in refused {
                let error = Error::from_wire(&code, BTreeMap::new());
                if let Some(slot) = shared.slot(peer) {
                    let epoch = outbox::inbox(&*views.store, peer).epoch;
                    slot.refused.lock().add(epoch, sequence, error);
                }
            }
        }
        for (number, _) in directory::peers(&*views.store) {
            let outbox = outbox::outbox(&*views.store, number);
            if outbox.head() > outbox.acked {
                shared.slot(number);
            }
            // What was said in shared groups while this node was away, or just before it went.
            for conversation in groups::shared_with(&*views.store, number) {
                if let Some(slot) = shared.slot(number) {
                    slot.group(conversation);
                }
            }
        }
        Self(shared)
    }

    /// Records were committed: wakes the peers that they go to. For the write loop's thread; does not block.
    pub fn committed(&self, records: &Arc<[Recorded]>) {
        for (peer, conversation) in groups::hints(&*self.0.config.views.store, records) {
            if let Some(slot) = self.0.slot(peer) {
                slot.group(conversation);
            }
        }
        let mut last = directory::HERE;
        for record in records.iter() {
            for out in record.event.link_outs() {
                if out.peer != last
                    && let Some(slot) = self.0.slot(out.peer)
                {
                    slot.items();
                    last = out.peer;
                }
            }
            match &record.event {
                // On its way to a home of which we may hear nothing yet.
                Event::GroupSubmitted(facts, _) => self.group_of_another(facts.conversation),
                Event::MarksMoved(facts, _) => facts.marks.iter().filter(|m| m.group).for_each(|m| self.marked(m.conversation)),
                // With whom we talk may be another question now.
                Event::PolicySet(..) => self.0.slots().iter().for_each(|slot| {
                    slot.changed();
                    slot.reconnect();
                }),
                Event::EpochBegan(..) => self.0.slots().iter().for_each(|slot| slot.changed()),
                Event::PeerPinned(facts, _) if facts.gone => {
                    if let Some(slot) = self.0.slot(facts.peer) {
                        slot.changed();
                    }
                }
                Event::PeerRuleSet(facts, _) => {
                    if let Some(slot) = self.0.slot(facts.peer) {
                        slot.changed();
                        // Somebody has decided: whatever failed before is tried again now.
                        slot.reconnect();
                    }
                }
                _ => {}
            }
        }
    }

    /// Something of ours waits for the home of this group.
    fn group_of_another(&self, conversation: u64) {
        let home = groups::group(&*self.0.config.views.store, conversation).map_or(directory::HERE, |g| g.home);
        if let Some(slot) = self.0.slot(home) {
            slot.group(conversation);
        }
    }

    fn marked(&self, conversation: u64) {
        let home = groups::group(&*self.0.config.views.store, conversation).map_or(directory::HERE, |g| g.home);
        if let Some(slot) = self.0.slot(home) {
            slot.group_marks(conversation);
        }
    }

    /// Who has read so far as this in a group whose home is elsewhere, as its home knows: member numbers, and of how many.
    ///
    /// # Errors
    /// `unreachable` if the home does not answer in time; the home's reason.
    pub async fn readers(&self, conversation: u64, sequence: u64) -> Result<(Vec<u64>, u64), Error> {
        let unknown = || Error::from(Code::NoSuchConversation);
        let group = groups::group(&*self.0.config.views.store, conversation).ok_or_else(unknown)?;
        let slot = self.0.slot(group.home).ok_or_else(unknown)?;
        let ask = Ask { group: group.id.clone(), ask: Some(ask::Ask::ReadBy(ReadBy { sequence })) };
        match asked(&slot, &ask, GROUPS).await? {
            Some(answer::Answer::Readers(readers)) => {
                let most = usize::try_from(limits::GROUP_READERS_MAX).expect("500");
                Ok((readers.readers.iter().take(most).map(|r| r.member).collect(), readers.of))
            }
            _ => Err(Error::new(Code::Malformed).with("expected", "who has read")),
        }
    }

    /// A stretch of a file of another domain, from this byte on: at most 128 KiB, fewer bytes only at its end. `question`: as the
    /// domain made it.
    ///
    /// # Errors
    /// `unreachable`; the peer's reason, above all `no-such-file`.
    pub async fn file_bytes(&self, peer: u64, question: &Ask, offset: u64) -> Result<Bytes, Error> {
        let slot = self.0.slot(peer).ok_or(Code::NoSuchFile)?;
        let mut question = question.clone();
        let Some(ask::Ask::File(range)) = &mut question.ask else { return Err(Code::Internal.into()) };
        (range.offset, range.length) = (offset, limits::LINK_FILE_BYTES_MAX as u32);
        match asked(&slot, &question, FILES).await? {
            Some(answer::Answer::File(file)) if file.bytes.len() <= limits::LINK_FILE_BYTES_MAX => Ok(file.bytes),
            _ => Err(Error::new(Code::Malformed).with("expected", "bytes of a file")),
        }
    }

    /// Takes in a link over QUIC. Returns when it was handed to its peer's task, or refused.
    pub async fn accept(&self, accepted: Accepted<quinn::Connection>) {
        opening::accept_quic(&self.0, accepted).await;
    }

    /// Takes in a link over TLS on TCP that comes from `address`, as [`accept`](Self::accept).
    pub async fn accept_tls<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(&self, accepted: Accepted<S>, address: IpAddr) {
        opening::accept_tls(&self.0, accepted, address).await;
    }

    /// Dials a peer now, whatever its backoff; also one with nothing to send.
    ///
    /// # Errors
    /// `unknown-domain` for a domain that this one never had anything to do with.
    pub fn reconnect(&self, domain: &DomainName) -> Result<(), Error> {
        let number = directory::peer_number(&*self.0.config.views.store, domain);
        let unknown = || Error::new(Code::UnknownDomain).with("domain", domain).with("steps", "nobody here has written to it");
        let slot = number.and_then(|number| self.0.slot(number)).ok_or_else(unknown)?;
        slot.reconnect();
        Ok(())
    }

    /// Sends typing or presence if there is a link; drops it otherwise.
    pub fn ephemeral(&self, to: &DomainName, ephemeral: Ephemeral) {
        if let Some(slot) = self.0.slot_of(to) {
            slot.ephemeral(ephemeral);
        }
    }

    /// All peers, by name; after them those that only claimed to be somebody.
    pub fn peers(&self) -> Vec<PeerStatus> {
        let store = &*self.0.config.views.store;
        let mut all: Vec<PeerStatus> = directory::peers(store)
            .into_iter()
            .filter_map(|(number, peer)| Some(self.peer(number, peer.domain.parse().ok()?, &peer)))
            .collect();
        all.sort_by(|a, b| a.domain.as_str().cmp(b.domain.as_str()));
        all.extend(self.0.strangers().into_iter().map(|(domain, refusals)| {
            let last = refusals.iter().max_by_key(|r| r.last_ms).map(|r| (r.error.clone(), r.last_ms));
            let status = Status { state: State::Idle, last_error: last, refusals, ..Status::default() };
            shown(domain, None, String::new(), &status, 0, 0, 0)
        }));
        all
    }

    fn peer(&self, number: u64, domain: DomainName, peer: &directory::Peer) -> PeerStatus {
        let store = &*self.0.config.views.store;
        let outbox = outbox::outbox(store, number);
        let inbox = outbox::inbox(store, number).sequence;
        let denied = directory::is_denied(store, &domain);
        let mut status = match self.0.slot_of(&domain) {
            Some(slot) => {
                let status = slot.status.lock();
                let acked = if status.acked.0 == outbox.epoch { status.acked.1 } else { outbox.acked };
                shown(domain, Some(number), peer.proof.clone(), &status, outbox.head(), acked, inbox)
            }
            None => shown(domain, Some(number), peer.proof.clone(), &Status::default(), outbox.head(), outbox.acked, inbox),
        };
        status.restarted_ms = outbox::restarts(store, number).last().copied();
        status.silent_since_ms = (peer.silent_since_ms != 0).then_some(peer.silent_since_ms);
        if peer.gone_at != 0 {
            status.state = State::Gone;
        }
        if denied {
            status.state = State::Denied;
        }
        status
    }

    /// Ends all links, tells peers why, and writes what they acknowledged. The sequencer must still be running.
    pub async fn stop(&self) {
        let tasks = self.0.stop();
        let all = async {
            for task in tasks {
                // A task that panicked has nothing more to do.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(STOP_MAX, all).await.is_err() {
            tracing::warn!("not every link could be ended in time");
        }
    }
}

/// Asks, and waits for the answer.
async fn asked(slot: &Slot, ask: &Ask, feature: &'static str) -> Result<Option<answer::Answer>, Error> {
    let (reply, answer) = tokio::sync::oneshot::channel();
    slot.ask(Question { what: ask.encode_to_vec().into(), feature, reply });
    let late = |why: &str| crate::shared::unreachable(&slot.domain, why);
    let answer = tokio::time::timeout(QUESTION_WAIT, answer).await.map_err(|_| late("no answer"))?;
    let answer = answer.map_err(|_| late("the link ended"))??;
    Ok(Answer::decode(answer).ok().and_then(|a| a.answer))
}

fn shown(
    domain: DomainName,
    number: Option<u64>,
    proof: String,
    status: &Status,
    head: u64,
    acked: u64,
    inbox: u64,
) -> PeerStatus {
    PeerStatus {
        domain,
        number,
        state: status.state,
        direction: status.link.map(|(direction, _)| direction),
        transport: status.link.map(|(_, transport)| transport),
        proof,
        outbox_head: head,
        acked,
        lag: head.saturating_sub(acked),
        inbox_sequence: inbox,
        last_error: status.last_error.clone(),
        last_contact_ms: status.last_contact_ms,
        refusals: status.refusals.clone(),
        two_copies_ms: status.two_copies_ms,
        went_back_ms: status.went_back_ms,
        restarted_ms: None,
        silent_since_ms: None,
        over_quota_until_ms: status.over_quota_until_ms,
    }
}
