//! Views are a function of the journal: rebuilt after any random history, with erasures and a cut in the middle, they
//! are the same as those that lived through it.

mod harness;

use std::collections::HashMap;

use bytes::Bytes;
use harness::{Node, Seeded, deliver, follow, text, user};
use prost::Message as _;
use startalk_domain::{
    Actor, Command,
    accounts::{self, Arrival, Source},
    availability::{AutoReply, Said, Schedule, Span},
    command::{MarkMove, Target},
    contacts::{Arrangement, FirstContact, Openness},
    conversations, directory,
    domain::LAYOUT,
    files::NewFile,
    governance::{NewPolicy, RetentionOf},
    groups::{self, Banned, GroupAct, Role, Text},
    kept::PlayedMove,
    later::{NewReminder, NewScheduled},
    notify::{NewSubscription, Settings, Unreached},
    replay,
    stickers::{self, StickerChange},
    store::{Store, checkpoint::Incoming},
    ways::{Identity, NewPasskey},
};
use startalk_journal::ReadJournal;
use startalk_protocol::{
    UserId,
    pb::content::{Content, File, Sticker},
};

fn digest(store: &Store, position: u64) -> u128 {
    store.flush(position, [0; 8], LAYOUT).unwrap();
    store.verify().unwrap();
    store.meta().digest
}

struct Person {
    actor: Actor,
    counter: u64,
    alive: bool,
}

/// Something about the other ways into an account.
fn way(random: &mut Seeded, account: u64, name: String, store: &Store) -> Option<Command> {
    Some(match random.below(5) {
        0 => {
            let subject = random.below(6).to_string();
            let identity = Identity { provider: "p".into(), issuer: "https://p.example".into(), subject, label: name };
            Command::LinkIdentity { account, identity }
        }
        1 => Command::UnlinkIdentity { account, link: random.below(4) },
        2 => Command::RemovePasskey { account, passkey: random.below(4) },
        3 => {
            let passkey = NewPasskey { credential_id: vec![random.below(9) as u8], credential: vec![1], name };
            Command::AddPasskey { account, passkey }
        }
        _ => Command::SuspectPasskey { account, passkey: startalk_domain::ways::ways(store, account).passkeys.first()?.passkey },
    })
}

fn act(node: &mut Node, random: &mut Seeded, people: &mut [Person]) {
    let who = random.below(people.len() as u64) as usize;
    people[who].counter += 1;
    let (actor, counter) = (people[who].actor, people[who].counter);
    let conversations = startalk_domain::contacts::conversations(&node.store, actor.account);
    let conversation = conversations.get(random.below(conversations.len().max(1) as u64) as usize).copied().unwrap_or(1);
    let sequence = random.below(30) + 1;
    let name = format!("p{}@{}", random.below(5), ["a.example", "b.example"][random.below(2) as usize]);
    let command = match random.below(54) {
        20..=22 => Command::Send {
            actor,
            to: Target::Conversation(conversation),
            counter,
            content: text("words"),
            reply_to: None,
            reply_sequence: random.below(3),
            known_id: None,
        },
        23 if random.below(8) == 0 => Command::CreateGroup { actor, counter, name: "group".into(), members: vec![user(&name)] },
        24..=27 => Command::ActInGroup { actor, conversation, counter, act: group_act(random, user(&name), sequence) },
        28 => match startalk_domain::groups::invitations(&node.store, actor.account).first() {
            Some(invited) => {
                let group = invited.group.parse().unwrap();
                Command::DecideGroupInvitation { actor, counter, group, accept: random.below(4) > 0 }
            }
            None => return,
        },
        29 => Command::SetConversation { account: actor.account, conversation, muted_until_ms: 7, mentions_only: true },
        30 => Command::PeerSilent { peer: 1, since_ms: node.now_ms },
        31 => Command::GiveUpPeer { peer: 1, from: 0 },
        32 => Command::PeerHeard { peer: 1 },
        33 => {
            let endpoint = format!("https://push.example/{}", random.below(3));
            let subscription = NewSubscription { endpoint, p256dh: vec![4; 65], auth: vec![7; 16] };
            Command::SubscribePush { account: actor.account, device: actor.device, subscription }
        }
        34 => {
            let (account, device) = (actor.account, actor.device);
            Command::UnsubscribePush { account, device, position: 0, why: Unreached::Gone }
        }
        35 => {
            let settings = Settings { hidden: random.below(2) == 0, keywords: vec![name], ..Settings::default() };
            Command::SetNotify { account: actor.account, settings }
        }
        36 => {
            let arrangement = Arrangement {
                pinned: Some(random.below(2) == 0),
                hidden: (random.below(2) == 0).then_some(true),
                unread: Some(random.below(2) == 0),
            };
            Command::ArrangeConversation { account: actor.account, conversation, arrangement }
        }
        37 => {
            let remark = ["", "Zhang", "小王"][random.below(3) as usize].to_owned();
            let starred = Some(random.below(2) == 0);
            Command::KeepPerson { account: actor.account, user: user(&name), remark: Some(remark), starred }
        }
        38 => {
            let first_contact = [FirstContact::Unsaid, FirstContact::Ask, FirstContact::Question][random.below(3) as usize];
            let (question, answer) = ("which words?".to_owned(), "words".to_owned());
            let openness = Openness { first_contact, question, answer, ..Openness::default() };
            Command::SetOpenness { account: actor.account, openness }
        }
        39 => {
            let state = ["", "dnd", "away"][random.below(3) as usize].to_owned();
            Command::SetAvailability { account: actor.account, said: Said { state, ..Said::default() } }
        }
        40 => {
            let span = Span { days: 127, from_min: 0, until_min: 720 };
            let schedule = Schedule { zone: "UTC".into(), spans: vec![span], position: 0 };
            Command::SetSchedule { account: actor.account, schedule }
        }
        41 => {
            let reply = AutoReply { text: name, when_dnd: true, when_away: true, when_scheduled: true, position: 0 };
            Command::SetAutoReply { account: actor.account, reply }
        }
        42 => {
            let retention_of = Some([RetentionOf::All, RetentionOf::Direct, RetentionOf::Groups][random.below(3) as usize]);
            Command::SetPolicy(NewPolicy { retention_days: Some(random.below(3) as u32), retention_of, ..NewPolicy::default() })
        }
        43 => {
            node.now_ms += 6 * 3_600_000;
            Command::Retain { clock_ms: node.now_ms - random.below(2) * 20 * 3_600_000 }
        }
        44..=49 => later(node, random, actor, conversation, user(&name)),
        50..=53 => Command::Send {
            actor,
            to: Target::User(user(&name)),
            counter,
            content: burning(),
            reply_to: None,
            reply_sequence: 0,
            known_id: None,
        },
        19 if sequence % 5 < 4 => {
            node.now_ms += random.below(100_000);
            match arrivals(node, actor.account, sequence) {
                Some(command) => command,
                None => return,
            }
        }
        19 => match way(random, actor.account, name, &node.store) {
            Some(command) => command,
            None => return,
        },
        0..=8 => Command::Send {
            actor,
            to: Target::User(user(&name)),
            counter,
            content: text("words"),
            reply_to: None,
            reply_sequence: 0,
            known_id: None,
        },
        9 => Command::Edit { actor, conversation, sequence, counter, content: text("other words") },
        10 => Command::Recall { actor, conversation, sequence, counter },
        11 => Command::MoveMarks {
            marks: vec![MarkMove { account: actor.account, conversation, delivered: sequence, read: sequence / 2 }],
        },
        12 => Command::SetProfile { account: actor.account, display_name: name, avatar: String::new(), signature: "s".into() },
        13 => Command::BlockUser { account: actor.account, user: user(&name), blocked: random.below(2) == 0 },
        14 => Command::DecideRequest { account: actor.account, conversation, accept: random.below(3) > 0 },
        15 => Command::SetRecoveryCodes { account: actor.account, hashes: vec![[3; 32]] },
        16 if random.below(2) == 0 => Command::BeginEpoch { epoch: 2, reason: "test".into() },
        16 => {
            node.now_ms += 6 * 3_600_000; // so that a day has a few
            let shown = startalk_domain::outbox::outbox(&node.store, 1).epoch;
            let total = startalk_domain::outbox::epochs(&node.store, 1)[0];
            let random_place = (random.below(3) > 0).then(|| random.below(total.before + total.count + 1));
            let restart = startalk_domain::outbox::restart_after(&node.store, &*node.journal, 1, random_place).unwrap();
            Command::RestartLink { peer: 1, shown, restart }
        }
        17 => Command::PeerRecorded { peer: 1, epoch: startalk_domain::outbox::outbox(&node.store, 1).epoch, sequence },
        18 if random.below(15) == 0 => {
            people[who].alive = false;
            Command::DeleteAccount { account: actor.account }
        }
        _ => {
            node.now_ms += random.below(100_000);
            return;
        }
    };
    let _ = node.run(command); // refusals are part of it
}

/// A text that burns a minute after it was opened.
fn burning() -> bytes::Bytes {
    let content = Content::decode(text("words")).unwrap();
    Content { burn_s: 60, ..content }.encode_to_vec().into()
}

/// Something about later, or kept for oneself.
fn later(node: &mut Node, random: &mut Seeded, actor: Actor, conversation: u64, to: UserId) -> Command {
    let head = startalk_domain::timeline::head(&*node.store, conversation).sequence;
    let (account, number, sequence) = (actor.account, random.below(6) + 1, random.below(head.max(1)) + 1);
    let at_ms = node.now_ms + random.below(400_000);
    let to = if random.below(2) == 0 { Target::User(to) } else { Target::Conversation(conversation) };
    match random.below(18) {
        0 => {
            let content = if random.below(3) == 0 { burning() } else { text("later") };
            let key = [random.below(200) as u8; 16];
            Command::Schedule { account, new: NewScheduled { to, content, reply_to: None, reply_sequence: 0, at_ms, key } }
        }
        1 => Command::ChangeScheduled { account, number, at_ms: Some(at_ms), content: None },
        2 => Command::CancelScheduled { account, number },
        3 => Command::SendScheduled { account, number },
        4 => {
            let number = if random.below(2) == 0 { 0 } else { number };
            Command::SetReminder { account, new: NewReminder { number, conversation, sequence, at_ms, note: "call".into() } }
        }
        5 => Command::EndReminder { account, number },
        6 | 7 => Command::SaveMessage { account, conversation, sequence, note: number.to_string() },
        8 => Command::RemoveSaved { account, number },
        9 | 14 => {
            let hash = [number as u8 % 2; 32];
            if random.below(2) == 0 {
                let file = NewFile { hash, size: 9, media_type: "image/png".into(), picture: None };
                return Command::HoldFiles { account, files: vec![file] };
            }
            let hash = Bytes::copy_from_slice(&hash);
            let file = File { hash, size: 9, r#type: "image/png".into(), name: "a".into() };
            let sticker = Sticker { file: Some(file), ..Sticker::default() }.encode_to_vec();
            Command::ChangeStickers { account, change: StickerChange::Own(sticker.into()) }
        }
        10 if random.below(2) == 0 => Command::ChangeStickers { account, change: StickerChange::Remove(number) },
        10 => {
            let mut order: Vec<u64> = stickers::stickers(&*node.store, account).entries.iter().map(|s| s.number).collect();
            order.reverse();
            Command::ChangeStickers { account, change: StickerChange::Order(order) }
        }
        11 => Command::MarkPlayed { played: vec![PlayedMove { account, conversation, sequences: vec![sequence, number] }] },
        12 | 13 => {
            let burns = |s: &u64| {
                let message = conversations::single_for(&node.store, &*node.journal, account, conversation, *s);
                let content = message.filter(|m| m.author != account && m.burn_at_ms == 0).and_then(|m| m.content);
                content.is_some_and(|c| Content::decode(c).unwrap().burn_s != 0)
            };
            let sequence = (1..=head).rev().take(20).find(burns).unwrap_or(sequence);
            Command::OpenMessage { account, conversation, sequence, clock_ms: node.now_ms }
        }
        _ => Command::WorkDue { clock_ms: node.now_ms },
    }
}

/// Somebody comes from a file, is not in it any more, or is given a link.
fn arrivals(node: &Node, maker: u64, sequence: u64) -> Option<Command> {
    let source = Source::file();
    let n = sequence % 7;
    Some(match sequence % 5 {
        0 => Command::MakeSignInLink { account: maker, token_hash: [(sequence % 3) as u8; 32], valid_ms: 900_000 },
        1 => Command::SetAbsent { account: accounts::by_external_id(&*node.store, &source, "id4")?.account, source },
        _ => Command::Arrive(Box::new(Arrival {
            maker,
            source,
            external_id: format!("id{n}"),
            name: format!("q{n}").parse().unwrap(),
            display_name: (n > 2).then(|| format!("name {sequence}")),
            role: None,
            disabled: n.is_multiple_of(2).then_some(false),
            groups: vec![],
        })),
    })
}

fn group_act(random: &mut Seeded, user: startalk_protocol::UserId, sequence: u64) -> GroupAct {
    match random.below(14) {
        0..=2 => GroupAct::Add(user),
        3 => GroupAct::Leave,
        4 => GroupAct::Remove(user),
        5 => GroupAct::Ban { who: Banned::User(user), lift: random.below(2) == 0 },
        6 => GroupAct::SetRole { user, role: [Role::Member, Role::Administrator, Role::Owner][random.below(3) as usize] },
        7 => GroupAct::Mute { user, until_ms: [0, i64::MAX][random.below(2) as usize] },
        8 => GroupAct::SetText { text: [Text::Name, Text::Notice][random.below(2) as usize], value: format!("t{sequence}") },
        9 => GroupAct::MakeLink { secret_hash: [5; 32], uses: 2, not_after_ms: 0 },
        10 => GroupAct::RevokeLink(sequence),
        11 if random.below(10) == 0 => GroupAct::Destroy,
        12 => GroupAct::Pin { sequence, remove: random.below(3) == 0 },
        _ => GroupAct::React { sequence, emoji: ["👍", "🎉"][random.below(2) as usize].into(), remove: random.below(3) == 0 },
    }
}

/// Both take what the other, as home, has for them.
fn follow_all(home: &Node, follower: &mut Node) {
    let Some(peer) = directory::peer_number(&follower.store, &home.name) else { return };
    for conversation in groups::followed_of(&follower.store, peer).iter() {
        let group = groups::group(&follower.store, *conversation).unwrap();
        if group.home == peer {
            follow(home, follower, &group.id);
        }
    }
}

#[test]
fn rebuilt_views_are_live_views() {
    let (mut replicated, mut replied, mut erased) = (0, 0, 0);
    let mut happened: HashMap<&str, u32> = HashMap::new();
    for seed in 0..24 {
        let mut random = Seeded(seed);
        let (mut a, mut b) = (Node::new("a.example"), Node::new("b.example"));
        a.meet(&b);
        b.meet(&a);
        let mut people: Vec<Vec<Person>> = Vec::new();
        for node in [&mut a, &mut b] {
            people.push((0..5).map(|n| Person { actor: node.person(&format!("p{n}")), counter: 0, alive: true }).collect());
        }
        let mut checkpoints: [Option<Vec<u8>>; 2] = [None, None];
        let mut places = Seeded(1000 + seed);
        let at = [places.below(600), places.below(600)];
        for step in 0..600 {
            for (index, node) in [&a, &b].into_iter().enumerate() {
                if at[index] == step {
                    let mut bytes = Vec::new();
                    digest(&node.store, node.journal.head().position);
                    node.store.write_checkpoint(&mut bytes).unwrap();
                    checkpoints[index] = Some(bytes);
                }
            }
            let (node, people) = if random.below(2) == 0 { (&mut a, &mut people[0]) } else { (&mut b, &mut people[1]) };
            act(node, &mut random, people);
            if step % 50 == 49 {
                deliver(&a, &mut b);
                deliver(&b, &mut a);
                follow_all(&a, &mut b);
                follow_all(&b, &mut a);
            }
        }
        for (node, checkpoint) in [&a, &b].into_iter().zip(checkpoints) {
            let head = node.journal.head().position;
            let live = digest(&node.store, head);
            let rebuilt = Store::temporary().unwrap();
            replay(&rebuilt, &*node.journal, |_, _| {}).unwrap();
            assert_eq!(digest(&rebuilt, head), live, "seed {seed}, {}", node.name);
            let checkpoint = checkpoint.expect("one was made");
            let from_checkpoint = Store::temporary().unwrap();
            let position = Incoming::open(&checkpoint[..]).unwrap().load(&from_checkpoint).unwrap().position;
            let applied = replay(&from_checkpoint, &*node.journal, |_, _| {}).unwrap();
            assert_eq!(applied, head - position, "seed {seed}: only what follows it");
            assert_eq!(digest(&from_checkpoint, head), live, "seed {seed}, {}, from {position}", node.name);
            for _ in 0..10 {
                let mut damaged = checkpoint.clone();
                let place = places.below(damaged.len() as u64) as usize;
                if places.below(2) == 0 {
                    damaged.truncate(place);
                } else {
                    damaged[place] ^= 1 << places.below(8);
                }
                let store = Store::temporary().unwrap();
                let loaded = Incoming::open(&damaged[..]).and_then(|incoming| incoming.load(&store));
                assert!(loaded.is_err(), "seed {seed}: damaged at {place}");
                assert_eq!(store.meta().position, 0, "seed {seed}: it does not claim to reach anywhere");
            }
        }
        for name in a.events().into_iter().chain(b.events()) {
            *happened.entry(name).or_default() += 1;
        }
        erased += a.events().iter().chain(&b.events()).filter(|e| **e == "RetentionMoved").count();
        replied += a.events().iter().chain(&b.events()).filter(|e| **e == "AutoReplied").count();
        replicated += a.events().iter().chain(&b.events()).filter(|e| **e == "GroupReplicaBegan").count();
    }
    for name in ["ScheduledFailed", "ReminderMoved", "MessageBurnt", "SavedSet", "StickersSet", "PlayedMarked"] {
        assert!(happened.get(name).is_some_and(|times| *times > 3), "{name} was part of it: {happened:?}");
    }
    assert!(erased > 20, "much was kept no longer: {erased}");
    assert!(replied > 20, "people were answered for: {replied}");
    assert!(replicated > 5, "groups over both domains were part of it: {replicated}");
}

#[test]
fn a_tree_that_was_flushed_in_the_middle_is_brought_up_to_date() {
    let mut node = Node::new("a.example");
    let mut people: Vec<Person> =
        (0..5).map(|n| Person { actor: node.person(&format!("p{n}")), counter: 0, alive: true }).collect();
    let mut random = Seeded(9);
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..4 {
        for _ in 0..100 {
            act(&mut node, &mut random, &mut people);
        }
        // Each time a new process: the folder is behind, and catches up.
        let store = Store::open(folder.path()).unwrap();
        store.verify().unwrap();
        replay(&store, &*node.journal, |_, _| {}).unwrap();
        store.sync().unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    let head = node.journal.head().position;
    assert_eq!(store.meta().position, head);
    assert_eq!(store.verify().map(|_| store.meta().digest).unwrap(), digest(&node.store, head));
}
