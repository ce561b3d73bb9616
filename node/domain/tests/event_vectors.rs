//! Every kind and version of event ever released has its bytes in `federation-spec/vectors/events`; they are read for
//! ever, and what is written today is what lies there. docs/adding-an-event.md
//!
//! `STARTALK_WRITE_VECTORS=1` writes the files that are missing; one that is there is never changed.

mod harness;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Once,
};

use bytes::Bytes;
use harness::{List, text};
use prost::Message as _;
use startalk_domain::{
    Event, Recorded,
    event::{EventError, Raw, Salted},
    replay,
    store::Store,
};
use startalk_journal::{Body, Header, Record};
use startalk_protocol::pb::events as pb;

/// A group's id.
const GROUP: &str = "abcdefghijklmnopqrstuvwxyz";
const TIME_MS: u64 = 1_800_000_000_000;
/// The conversation that all samples are in.
const CONVERSATION: u64 = 2;

fn salted<B>(value: B) -> Option<Salted<B>> {
    Some(Salted { salt: [0xab; 16], value })
}

fn bytes(byte: u8, len: usize) -> Bytes {
    vec![byte; len].into()
}

fn link_in(sequence: u64) -> Option<pb::LinkIn> {
    Some(pb::LinkIn { peer: 1, epoch: bytes(0xe1, 16), sequence, running: bytes(0x11, 32) })
}

/// A message in a group, as its author's domain submits it.
fn submission() -> Bytes {
    use startalk_protocol::pb::group::{Message, Submission, submission::Action};
    let message = Message { id: bytes(24, 16), reply_to: 3, at_all: true };
    let submission = Submission { number: 1, not_after_ms: 1_800_000_060_000, author: 2, action: Some(Action::Message(message)) };
    submission.encode_to_vec().into()
}

fn link_out(sequence: u64) -> pb::LinkOut {
    pb::LinkOut { peer: 1, sequence, item_hash: bytes(0x22, 32), running: bytes(0x33, 32) }
}

/// One of each kind, in an order in which they could happen; no field is left at its default where it need not be.
#[rustfmt::skip]
fn samples() -> Vec<Event> {
    let mark = pb::Mark { conversation: CONVERSATION, person: 1, delivered: 2, read: 1, group: false };
    vec![
        Event::DomainBegan(pb::DomainBegan { domain: "a.example".into(), root_key: bytes(1, 32), link_epoch: bytes(2, 16) }, None),
        Event::EpochBegan(pb::EpochBegan { epoch: 2, link_epoch: bytes(3, 16), reason: "restored".into(), peers: 0 }, None),
        Event::Erased(pb::Erased { positions: vec![5, 300], reason: "recalled".into() }, None),
        Event::OwnCharterSigned(pb::OwnCharterSigned { charter: bytes(4, 40), sequence: 7 }, None),
        Event::PolicySet(pb::PolicySet { registration: "open".into(), recall_window_ms: 120_000, edit_window_ms: 172_800_000, display_name: "星语 A".into(), listed: true, ..pb::PolicySet::default() }, None),
        Event::PeerMet(pb::PeerMet { peer: 1, domain: "b.example".into() }, None),
        Event::PeerPinned(pb::PeerPinned { peer: 1, charter: bytes(5, 40), first_root_key: bytes(6, 32), root_key: bytes(7, 32), recovery_hash: bytes(8, 32), charter_sequence: 3, record_sequence: TIME_MS, proof: "dnssec".into(), gone: false }, None),
        Event::PeerRuleSet(pb::PeerRuleSet { peer: 1, rule: "allow".into(), forget_key: true }, None),
        Event::LinkItemClosed(pb::LinkItemClosed { r#in: link_in(1), code: "malformed".into() }, None),
        Event::LinkAcked(pb::LinkAcked { peer: 1, epoch: bytes(3, 16), sequence: 1 }, None),
        Event::LinkRestarted(pb::LinkRestarted { peer: 1, epoch: bytes(9, 16), resent: 1, running: bytes(10, 32), peers_word: false }, None),
        Event::PeerEpochBegan(pb::PeerEpochBegan { peer: 1, epoch: bytes(11, 16) }, None),
        Event::PeerSilent(pb::PeerSilent { peer: 1, since_ms: 1_799_000_000_000, given_up: true }, None),
        Event::PeerHeard(pb::PeerHeard { peer: 1 }, None),
        Event::AccountCreated(pb::AccountCreated { account: 1, stream: 1, administrator: true, invitation: 1 }, salted(pb::AccountCreatedBody { name: "alice".into(), display_name: "Alice 爱丽丝".into() })),
        Event::SecretSet(pb::SecretSet { account: 1, what: "password".into(), replaces: 4 }, salted(pb::SecretSetBody { hashes: vec![Bytes::from_static(b"$argon2id$v=19$")] })),
        Event::ProfileSet(pb::ProfileSet { person: 1, revision: 2, replaces: 6, r#in: link_in(2), out: vec![link_out(1)] }, salted(pb::ProfileSetBody { display_name: "Alice".into(), avatar: "avatar:1".into(), signature: "hello".into() })),
        Event::DeviceAdded(pb::DeviceAdded { account: 1, device: 1 }, salted(pb::DeviceAddedBody { name: "terminal".into(), token_hash: bytes(12, 32) })),
        Event::DeviceRevoked(pb::DeviceRevoked { account: 1, device: 1 }, None),
        Event::AccountDisabled(pb::AccountDisabled { account: 1, disabled: true, ..Default::default() }, None),
        Event::InvitationMade(pb::InvitationMade { invitation: 1, uses: 3, not_after_ms: 1_800_000_060_000, administrator: true, maker: 1, groups: vec![] }, salted(pb::InvitationMadeBody { token_hash: bytes(13, 32) })),
        Event::RecoveryCodeUsed(pb::RecoveryCodeUsed { account: 1, index: 2 }, None),
        Event::PersonMet(pb::PersonMet { person: 2, peer: 1 }, salted(pb::PersonMetBody { name: "bob".into() })),
        Event::DirectOpened(pb::DirectOpened { conversation: CONVERSATION, a: 1, b: 2, peer: 1, request: true }, None),
        Event::RequestDecided(pb::RequestDecided { conversation: CONVERSATION, account: 1, accepted: true }, None),
        Event::MessageAdded(pb::MessageAdded { id: bytes(14, 16), author: 1, device: 1, counter: 5, reply_to: bytes(15, 16), sent_ms: 1_799_999_999_000, r#in: link_in(3), out: Some(link_out(2)), ..pb::MessageAdded::default() }, salted(Raw(text("a message 一条消息")))),
        Event::MessageEdited(pb::MessageEdited { target: 1, author: 1, device: 1, counter: 6, r#in: link_in(4), out: Some(link_out(3)), ..pb::MessageEdited::default() }, salted(Raw(text("other words")))),
        Event::MessageRecalled(pb::MessageRecalled { target: 1, author: 1, device: 1, counter: 7, r#in: link_in(5), out: Some(link_out(4)) }, None),
        Event::MarksMoved(pb::MarksMoved { marks: vec![mark], r#in: link_in(6) }, None),
        Event::MarksSent(pb::MarksSent { mark: Some(mark), out: Some(link_out(5)), delivered: bytes(16, 16), read: bytes(17, 16) }, None),
        Event::BlockSet(pb::BlockSet { account: 1, person: 2, peer: 1, blocked: true }, None),
        Event::ItemRefused(pb::ItemRefused { peer: 1, target: 1, code: "blocked".into() }, None),
        Event::ProfileSent(pb::ProfileSent { person: 1, out: Some(link_out(6)), revision: 2 }, salted(pb::ProfileSetBody { display_name: "Alice".into(), avatar: "avatar:1".into(), signature: "hello".into() })),
        Event::PersonGone(pb::PersonGone { person: 2, r#in: link_in(7) }, None),
        Event::AccountDeleted(pb::AccountDeleted { account: 1, out: vec![link_out(7)], homes: vec![] }, salted(pb::AccountDeletedBody { name: "alice".into() })),
        Event::AccountEnding(pb::AccountEnding { account: 1 }, None),
        Event::TimeTold(pb::TimeTold {}, None),
        Event::GroupBegan(pb::GroupBegan { conversation: 9, group: GROUP.into(), home: 1 }, None),
        Event::GroupRecorded(pb::GroupRecorded { submission: submission(), decided: bytes(0x08, 0), origin: 1, origin_domain: "b.example".into(), time_ms: 1_799_999_999_000, person: 2, peer: 1, device: 1, counter: 8, submitted_at: 7, proof: 6, r#in: link_in(7), head: bytes(0x0a, 0), ..pb::GroupRecorded::default() }, salted(Raw(text("to all 致大家")))),
        Event::GroupMembersLearned(pb::GroupMembersLearned { conversation: 9, members: vec![pb::LearnedMember { member: 3, person: 2, peer: 1, role: 2, muted_until_ms: 5, changed: 4, outside: true }], last: true }, None),
        Event::GroupSubmitted(pb::GroupSubmitted { conversation: 9, submission: submission(), account: 1, device: 1, counter: 9, out: Some(link_out(6)), ..pb::GroupSubmitted::default() }, salted(pb::GroupSubmittedBody { written: text("on its way"), secret: Bytes::from_static(b"secret") })),
        Event::GroupSubmissionEnded(pb::GroupSubmissionEnded { conversation: 9, number: 1, code: "muted".into(), account: 1, device: 1, counter: 9, home_time_ms: 5 }, None),
        Event::GroupProven(pb::GroupProven { peer: 1, link_key: bytes(18, 32), hashes: vec![bytes(19, 32)], signature: bytes(20, 64) }, None),
        Event::GroupInvited(pb::GroupInvited { account: 1, group: GROUP.into(), home: 1, r#in: link_in(8) }, salted(pb::GroupInvitedBody { name: "群".into(), inviter: "bob@b.example".into() })),
        Event::GroupInvitationDecided(pb::GroupInvitationDecided { account: 1, group: GROUP.into(), accepted: true }, None),
        Event::GroupReplicaBegan(pb::GroupReplicaBegan { conversation: 9, base: 40, head: bytes(0x0a, 0), rights: bytes(0x08, 0), pins: vec![41], more: true }, salted(pb::GroupReplicaBeganBody { name: "群".into(), notice: "n".into(), description: "d".into(), avatar: "a".into() })),
        Event::GroupSubmissionRefused(pb::GroupSubmissionRefused { conversation: 9, peer: 1, number: 2, hash: bytes(21, 32), code: "muted".into(), r#in: link_in(9) }, None),
        Event::GroupLeaving(pb::GroupLeaving { conversation: 9, account: 1 }, None),
        Event::ConversationSet(pb::ConversationSet { account: 1, conversation: 9, muted_until_ms: 6, mentions_only: true }, None),
        Event::GroupEquivocated(pb::GroupEquivocated { conversation: 9, ours: bytes(22, 8), theirs: bytes(23, 8) }, None),
        Event::GroupForked(pb::GroupForked { conversation: 9, renewed: 10, head: bytes(0x0a, 0) }, None),
        Event::GroupApplicantTold(pb::GroupApplicantTold { conversation: 9, account: 1, number: 3, member: 4, refused: true }, None),
        Event::GroupInviteSent(pb::GroupInviteSent { conversation: 9, out: Some(link_out(7)) }, salted(pb::GroupInviteSentBody { to: "bob".into(), name: "群".into(), inviter: "alice@a.example".into() })),
        Event::IdentityLinked(pb::IdentityLinked { account: 1, link: 1, provider: "company".into() }, salted(pb::IdentityLinkedBody { issuer: "https://login.example".into(), subject: "00u1".into(), label: "ann@company.example".into() })),
        Event::IdentityUnlinked(pb::IdentityUnlinked { account: 1, link: 1 }, None),
        Event::PasskeyAdded(pb::PasskeyAdded { account: 1, passkey: 2 }, salted(pb::PasskeyAddedBody { credential_id: bytes(7, 32), credential: Bytes::from_static(b"{}"), name: "phone".into() })),
        Event::PasskeyRemoved(pb::PasskeyRemoved { account: 1, passkey: 2 }, None),
        Event::PasskeyUsed(pb::PasskeyUsed { account: 1, passkey: 2, counter: 9, suspect: true }, None),
        Event::PushSubscribed(pb::PushSubscribed { account: 1, device: 2, replaces: 3 }, salted(pb::PushSubscribedBody { endpoint: "https://push.example/a".into(), p256dh: bytes(4, 65), auth: bytes(25, 16) })),
        Event::PushUnsubscribed(pb::PushUnsubscribed { account: 1, device: 2, why: "gone".into() }, None),
        Event::NotifySet(pb::NotifySet { account: 1, replaces: 3, hidden: true, quiet: true, quiet_from_min: 1320, quiet_until_min: 420, offset_min: 480, quiet_calls: true }, salted(pb::NotifySetBody { keywords: vec!["预算".into()] })),
        Event::ConversationArranged(pb::ConversationArranged { account: 1, conversation: 9, pinned: true, hidden_until: 12, unread: true }, None),
        Event::PersonKept(pb::PersonKept { account: 1, person: 2, starred: true, replaces: 3 }, salted(pb::PersonKeptBody { remark: "楼下的小王".into() })),
        Event::AvailabilitySet(pb::AvailabilitySet { account: 1, state: "dnd".into(), until_ms: 1_800_000_060_000, replaces: 3 }, salted(pb::AvailabilitySetBody { text: "in a meeting".into() })),
        Event::ScheduleSet(pb::ScheduleSet { account: 1, replaces: 3 }, salted(pb::ScheduleSetBody { zone: "Asia/Shanghai".into(), spans: vec![pb::ScheduleSpan { days: 31, from_min: 1320, until_min: 420 }] })),
        Event::AutoReplySet(pb::AutoReplySet { account: 1, when: 5, replaces: 3 }, salted(pb::AutoReplySetBody { text: "back on Monday".into() })),
        Event::AutoReplied(pb::AutoReplied { account: 1, person: 2, conversation: CONVERSATION }, None),
        Event::OpennessSet(pb::OpennessSet { account: 1, replaces: 3, first_contact: "question".into(), presence: "domain".into(), last_seen: "nobody".into() }, salted(pb::OpennessSetBody { question: "Who sent you?".into(), answer: "Carol".into() })),
        Event::ExternalIdSet(pb::ExternalIdSet { account: 1, source: "file".into() }, salted(pb::ExternalIdSetBody { external_id: "E-0042".into() })),
        Event::SignInLinkMade(pb::SignInLinkMade { account: 1, not_after_ms: 1_800_000_060_000 }, salted(pb::SignInLinkMadeBody { token_hash: bytes(26, 32) })),
        Event::RoleSet(pb::RoleSet { account: 1, role: "auditor".into() }, None),
        Event::InvitationRevoked(pb::InvitationRevoked { invitation: 1 }, None),
        Event::TokenMade(pb::TokenMade { token: 1, maker: 1, scopes: 3, not_after_ms: 1_800_000_060_000 }, salted(pb::TokenMadeBody { name: "dashboard".into(), token_hash: bytes(25, 32) })),
        Event::TokenRevoked(pb::TokenRevoked { token: 1 }, None),
        Event::BackupMade(pb::BackupMade { records: 50, bytes: 70_000, verified: true }, salted(pb::BackupMadeBody { place: "/backups/1".into() })),
        Event::Administered(pb::Administered { by: "account".into(), number: 1, device: 1, act: "role-set".into(), account: 1, peer: 1, item: 1, changes: vec![pb::Changed { field: "role".into(), before: "member".into(), after: "auditor".into() }] }, None),
        Event::RetentionMoved(pb::RetentionMoved { through: 90, direct: true, groups: true, before_ms: TIME_MS, held: vec![pb::HeldBack { position: 60, peer: 1, conversation: 3 }], released: vec![40, 41], quiet: vec![pb::Quiet { conversation: 3, sequence: 7 }], done: true }, None),
        Event::ClockSeen(pb::ClockSeen { clock_ms: TIME_MS }, None),
        Event::TrialNoticed(pb::TrialNoticed { account: 1, ends_ms: TIME_MS, last: true }, None),
        Event::FilesMet(pb::FilesMet { first: 1, origin: 1, sizes: vec![5, 6] }, salted(pb::FilesMetBody { files: vec![pb::MetFile { hash: bytes(41, 32), media_type: "image/png".into(), width: 4, height: 3, blur: bytes(42, 20), thumb: bytes(43, 32), reduced: bytes(44, 32) }, pb::MetFile { hash: bytes(43, 32), media_type: "image/webp".into(), ..pb::MetFile::default() }] })),
        Event::FilesHeld(pb::FilesHeld { account: 1, files: vec![1, 2] }, None),
        Event::FilesReleased(pb::FilesReleased { account: 1, files: vec![2] }, None),
        Event::FilesForgotten(pb::FilesForgotten { files: vec![2] }, None),
        Event::FilesGone(pb::FilesGone { files: vec![2] }, None),
        Event::MessageScheduled(pb::MessageScheduled { account: 1, number: 2, at_ms: TIME_MS + 60_000, conversation: 3, reply_to: bytes(41, 16), reply_sequence: 4, key: bytes(42, 16), replaces: 5, files: vec![1] }, salted(pb::MessageScheduledBody { to: "bob@b.example".into(), content: bytes(43, 20) })),
        Event::ScheduledEnded(pb::ScheduledEnded { account: 1, number: 2, said: true, conversation: 3, sequence: 4 }, None),
        Event::ScheduledFailed(pb::ScheduledFailed { account: 1, number: 2, code: "blocked".into() }, None),
        Event::ReminderSet(pb::ReminderSet { account: 1, number: 2, at_ms: TIME_MS + 60_000, conversation: 3, sequence: 4, replaces: 5 }, salted(pb::ReminderSetBody { note: "call 小王".into() })),
        Event::ReminderMoved(pb::ReminderMoved { account: 1, number: 2, due: true }, None),
        Event::MessageOpened(pb::MessageOpened { target: 4, reader: 2, burn_at_ms: TIME_MS + 10_000, r#in: link_in(20), out: Some(link_out(21)) }, None),
        Event::MessageBurnt(pb::MessageBurnt { target: 4, burn_at_ms: TIME_MS + 10_000 }, None),
        Event::SavedSet(pb::SavedSet { account: 1, number: 2, conversation: 3, sequence: 4, replaces: 5, removed: true }, salted(pb::SavedSetBody { note: "soup".into() })),
        Event::StickersSet(pb::StickersSet { account: 1, number: 2, removed: vec![1], order: vec![2, 3], files: vec![1] }, salted(pb::StickersSetBody { sticker: bytes(44, 40) })),
        Event::PlayedMarked(pb::PlayedMarked { played: vec![pb::Played { account: 1, conversation: 3, sequences: vec![4, 300] }] }, None),
    ]
}

/// Where the files are, after those that are missing were written, if that was asked for.
fn folder() -> PathBuf {
    static WRITTEN: Once = Once::new();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../federation-spec/vectors/events");
    WRITTEN.call_once(|| {
        if std::env::var_os("STARTALK_WRITE_VECTORS").is_some() {
            fs::create_dir_all(&folder).unwrap();
            samples().iter().for_each(|event| write_if_missing(&folder, event));
        }
    });
    folder
}

fn write_if_missing(folder: &Path, event: &Event) {
    let (name, draft) = (event.name(), recorded(1, event.clone()).draft());
    let path = folder.join(format!("{}-{}.hex", draft.kind, draft.version));
    if !path.exists() {
        let body = draft.body.as_ref().map_or_else(String::new, |b| format!("body {}\n", hex(b)));
        fs::write(&path, format!("# {name}, version {}\nfacts {}\n{body}", draft.version, hex(&draft.facts))).unwrap();
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    assert!(text.len().is_multiple_of(2), "{text}");
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// Facts and body of a file: lines `facts <hex>` and, if there is one, `body <hex>`; `#` begins a remark.
fn read(text: &str) -> (Bytes, Option<Bytes>) {
    let (mut facts, mut body) = (None, None);
    for line in text.lines().filter(|l| !l.starts_with('#') && !l.is_empty()) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("facts", hex) => facts = Some(unhex(hex).into()),
            ("body", hex) => body = Some(unhex(hex).into()),
            other => panic!("{other:?}"),
        }
    }
    (facts.expect("a line of facts"), body)
}

/// All files: (kind, version) → facts and body.
fn files() -> BTreeMap<(u16, u8), (Bytes, Option<Bytes>)> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(folder()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        let (kind, version) = name.strip_suffix(".hex").and_then(|n| n.split_once('-')).unwrap_or_else(|| panic!("{name}"));
        all.insert((kind.parse().unwrap(), version.parse().unwrap()), read(&fs::read_to_string(entry.path()).unwrap()));
    }
    all
}

fn record(position: u64, kind: u16, version: u8, numbered: bool, facts: Bytes, body: Body) -> Record {
    let header = Header {
        position,
        batch: position,
        remaining_in_batch: 0,
        epoch: 1,
        time_ms: TIME_MS,
        kind,
        version,
        conversation: CONVERSATION,
        sequence: if numbered { position } else { 0 },
        previous: position - 1,
        facts_hash: [0; 24],
        body_hash: [0; 24],
        chain_tag: position.to_le_bytes(),
        facts_len: u32::try_from(facts.len()).unwrap(),
        body_len: 0,
    };
    Record { header, facts, body }
}

fn recorded(position: u64, event: Event) -> Recorded {
    let sequence = if event.is_numbered() { position } else { 0 };
    Recorded {
        position,
        time_ms: TIME_MS,
        conversation: CONVERSATION,
        sequence,
        previous: position - 1,
        event,
        body_hash: [0; 24],
    }
}

#[test]
fn what_is_written_today_is_what_lies_there() {
    let mut kinds: Vec<(u16, &str)> = Vec::new();
    for event in samples() {
        let (kind, name) = (event.kind(), event.name());
        kinds.push((kind, name));
        let draft = recorded(1, event.clone()).draft();
        let path = folder().join(format!("{kind}-{}.hex", draft.version));
        let text =
            fs::read_to_string(&path).unwrap_or_else(|e| panic!("{name}: {}: {e}; see docs/adding-an-event.md", path.display()));
        let (facts, body) = read(&text);
        assert_eq!(hex(&facts), hex(&draft.facts), "facts of {name}");
        assert_eq!(body.as_deref().map(hex), draft.body.as_deref().map(hex), "body of {name}");
        let stored = record(1, kind, draft.version, event.is_numbered(), facts, body.map_or(Body::None, Body::Present));
        assert_eq!(Recorded::read(&stored).unwrap().event, event, "{name} read back");
    }
    kinds.sort_unstable();
    let mut all = Event::KINDS.to_vec();
    all.sort_unstable();
    assert_eq!(kinds, all, "one sample of every kind");
}

/// Every file, in the order of [`samples`] (earlier versions of a kind first), with bodies or with all of them erased.
fn journal(erased: bool) -> List {
    let mut files: Vec<_> = files().into_iter().collect();
    let order: Vec<u16> = samples().iter().map(Event::kind).collect();
    files.sort_by_key(|((kind, version), _)| (order.iter().position(|k| k == kind), *version));
    let list = List::default();
    for (position, ((kind, version), (facts, body))) in (1..).zip(files) {
        let body = match body {
            None => Body::None,
            Some(_) if erased => Body::Erased,
            Some(bytes) => Body::Present(bytes),
        };
        let mut stored = record(position, kind, version, true, facts, body);
        if !Recorded::read(&stored).unwrap_or_else(|e| panic!("{kind}-{version}: {e}")).event.is_numbered() {
            stored.header.sequence = 0;
        }
        list.0.lock().unwrap().push(stored);
    }
    list
}

#[test]
fn every_file_is_read_and_applied_with_its_body_and_without() {
    for erased in [false, true] {
        let journal = journal(erased);
        let count = journal.0.lock().unwrap().len() as u64;
        assert!(count >= Event::KINDS.len() as u64);
        let store = Store::temporary().unwrap();
        replay(&store, &journal, |_, _| {}).unwrap();
        assert_eq!(store.meta().position, count);
        store.verify().unwrap();
        assert!(!store.is_damaged());
    }
}

#[test]
fn a_later_version_or_kind_stops_and_is_named() {
    let later = record(9, 51, 200, true, Bytes::new(), Body::None);
    assert_eq!(Recorded::read(&later), Err(EventError::Unknown { position: 9, kind: 51, version: 200 }));
    let unknown = record(9, 60_000, 1, true, Bytes::new(), Body::None);
    assert_eq!(Recorded::read(&unknown), Err(EventError::Unknown { position: 9, kind: 60_000, version: 1 }));
    let torn = record(9, 51, 1, true, Bytes::from_static(&[0x0a, 0xff]), Body::None);
    assert!(matches!(Recorded::read(&torn), Err(EventError::Facts { position: 9, kind: 51, .. })));
}
