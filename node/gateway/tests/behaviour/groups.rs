//! Groups of one domain: beginning one, talking in it, what members may do, and what nobody may read.

use bytes::Bytes;
use prost::Message as _;
use startalk_protocol::pb::{
    client::{self as pb, act_in_group::Act, client_frame::Frame as Asked, pushed::What, server_frame::Frame},
    content::{Content, content::Kind},
};

use crate::support::{Client, Node, code, content, text};

/// Accounts by these names, signed in and synced.
async fn people<const N: usize>(node: &Node, names: [&str; N]) -> [Client; N] {
    let mut all = Vec::new();
    for name in names {
        node.account(name);
        let mut client = node.client(name).await;
        client.sync(&Bytes::new()).await;
        all.push(client);
    }
    all.try_into().ok().unwrap()
}

async fn create(owner: &mut Client, name: &str, members: &[&str]) -> u64 {
    owner.counter += 1;
    let members = members.iter().map(|m| (*m).to_owned()).collect();
    let frame = pb::CreateGroup { counter: owner.counter, name: name.to_owned(), members };
    match owner.ask(Asked::CreateGroup(frame)).await {
        Ok(Frame::Sent(sent)) => sent.conversation,
        other => panic!("{other:?}"),
    }
}

async fn act(client: &mut Client, conversation: u64, act: Act) -> Result<pb::Sent, pb::Error> {
    client.counter += 1;
    let frame = pb::ActInGroup { conversation, counter: client.counter, act: Some(act) };
    match client.ask(Asked::ActInGroup(frame)).await? {
        Frame::Sent(sent) => Ok(sent),
        other => panic!("{other:?}"),
    }
}

async fn say(client: &mut Client, conversation: u64, words: &str) -> pb::Sent {
    try_say(client, conversation, words).await.unwrap()
}

async fn try_say(client: &mut Client, conversation: u64, words: &str) -> Result<pb::Sent, pb::Error> {
    client.counter += 1;
    let send = pb::Send { conversation, counter: client.counter, content: content(words), ..Default::default() };
    client.send_frame(send).await
}

/// The next pushed message with a text; lines of the system go by.
async fn hears(client: &mut Client) -> pb::Message {
    loop {
        let (_, message) = client.message().await;
        if !text(&message.content).is_empty() {
            return message;
        }
    }
}

fn line(content: &Bytes) -> String {
    match Content::decode(content.clone()).unwrap().kind {
        Some(Kind::System(system)) => system.code,
        _ => String::new(),
    }
}

/// The next line of the system with this code.
async fn hears_line(client: &mut Client, wanted: &str) -> pb::Message {
    client
        .expect(wanted, |frame| match frame {
            Frame::Pushed(pb::Pushed { what: Some(What::Message(m)), .. }) if line(&m.content) == wanted => Some(m.clone()),
            _ => None,
        })
        .await
}

/// The next description of a group that fits.
async fn info(client: &mut Client, what: &str, fits: impl Fn(&pb::Group) -> bool) -> pb::Conversation {
    client
        .expect(what, |frame| match frame {
            Frame::Pushed(pb::Pushed { what: Some(What::Info(c)), .. }) if c.group.as_ref().is_some_and(&fits) => Some(c.clone()),
            _ => None,
        })
        .await
}

async fn history(client: &mut Client, conversation: u64) -> Vec<pb::Message> {
    let ask = pb::History { conversation, limit: 200, ..Default::default() };
    match client.ask(Asked::History(ask)).await {
        Ok(Frame::Page(page)) => page.messages,
        other => panic!("{other:?}"),
    }
}

fn said(messages: &[pb::Message]) -> Vec<String> {
    messages.iter().map(|m| text(&m.content)).filter(|t| !t.is_empty()).collect()
}

async fn members(client: &mut Client, conversation: u64, asked: bool) -> Result<pb::Members, pb::Error> {
    match client.ask(Asked::ListMembers(pb::ListMembers { conversation, asked, ..Default::default() })).await? {
        Frame::Members(members) => Ok(members),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_group_begins_and_everybody_hears_in_one_order() {
    let node = Node::start();
    let [mut ann, mut bob, mut carol] = people(&node, ["ann", "bob", "carol"]).await;
    let group = create(&mut ann, "Garden", &["bob", "carol@home.example"]).await;
    let seen = info(&mut bob, "the group", |g| g.name == "Garden").await;
    let described = seen.group.unwrap();
    assert_eq!((described.members, described.role.as_str(), described.standing.as_str()), (3, "member", "member"));
    assert_eq!(described.home, "home.example");
    let first = say(&mut ann, group, "hello").await;
    let second = say(&mut bob, group, "hi").await;
    assert_eq!(second.sequence, first.sequence + 1);
    for client in [&mut carol] {
        let (one, two) = (hears(client).await, hears(client).await);
        assert_eq!((one.sequence, two.sequence), (first.sequence, second.sequence));
        assert_eq!((one.author.as_str(), text(&two.content).as_str()), ("ann@home.example", "hi"));
        assert_eq!((one.device, one.counter), (0, 0), "where it came from is nobody else's business");
    }
    let mut tablet = node.client("ann").await;
    let pages = tablet.sync(&Bytes::new()).await;
    let page = &pages[0].conversations[0];
    assert_eq!(said(&page.messages), ["hello", "hi"]);
    assert_eq!(page.messages.iter().find(|m| text(&m.content) == "hello").unwrap().counter, 2);
    let all = members(&mut carol, group, false).await.unwrap();
    let names: Vec<&str> = all.members.iter().map(|m| m.user.as_str()).collect();
    assert_eq!(names, ["ann@home.example", "bob@home.example", "carol@home.example"]);
    assert_eq!((all.members[0].role.as_str(), all.count, all.next), ("owner", 3, 0));
    assert_eq!(all.members[1].display_name, "BOB");
}

#[tokio::test]
async fn the_same_act_again_is_one_act() {
    let node = Node::start();
    let [mut ann, mut bob, mut _carol] = people(&node, ["ann", "bob", "carol"]).await;
    let frame = pb::CreateGroup { counter: 1, name: "Once".into(), members: vec!["bob".into()] };
    let Ok(Frame::Sent(first)) = ann.ask(Asked::CreateGroup(frame.clone())).await else { panic!() };
    let mut again = node.resumed(&ann.me.token).await;
    let Ok(Frame::Sent(second)) = again.ask(Asked::CreateGroup(frame)).await else { panic!() };
    assert_eq!(first, second);
    let group = first.conversation;
    let add =
        |user: &str| Asked::ActInGroup(pb::ActInGroup { conversation: group, counter: 2, act: Some(Act::Add(user.into())) });
    let Ok(Frame::Sent(added)) = ann.ask(add("carol")).await else { panic!() };
    let Ok(Frame::Sent(repeated)) = again.ask(add("carol")).await else { panic!() };
    assert_eq!(added, repeated);
    assert_eq!(code(again.ask(add("bob")).await), "conflict");
    hears_line(&mut bob, "group-added").await;
    assert_eq!(members(&mut bob, group, false).await.unwrap().count, 3);
    let lines = history(&mut bob, group).await;
    assert_eq!(lines.iter().filter(|m| line(&m.content) == "group-added").count(), 2, "bob, and carol once");
    let link = |counter| {
        let act = Act::MakeLink(pb::MakeGroupLink { uses: 3, valid_ms: 1000 });
        Asked::ActInGroup(pb::ActInGroup { conversation: group, counter, act: Some(act) })
    };
    let Ok(Frame::Invitation(one)) = ann.ask(link(3)).await else { panic!() };
    node.advance(10);
    let Ok(Frame::Invitation(two)) = again.ask(link(3)).await else { panic!() };
    assert_eq!(one, two, "the same link, good for as long");
    let Ok(Frame::Invitation(other)) = ann.ask(link(4)).await else { panic!() };
    assert_ne!(one.link, other.link);
}

#[tokio::test]
async fn who_was_removed_reads_nothing_until_they_are_back() {
    let node = Node::start();
    let [mut ann, mut bob, mut carol] = people(&node, ["ann", "bob", "carol"]).await;
    let group = create(&mut ann, "Stretches", &["bob", "carol"]).await;
    say(&mut ann, group, "before").await;
    assert_eq!(text(&hears(&mut bob).await.content), "before");
    node.settled(); // the cursor covers what was heard
    let cursor = bob.sync(&Bytes::new()).await.pop().unwrap().cursor;
    act(&mut ann, group, Act::Remove("bob".into())).await.unwrap();
    let gone = info(&mut bob, "the removal", |g| g.standing == "removed").await;
    say(&mut ann, group, "between").await;
    hears(&mut carol).await;
    node.settled();
    bob.quiet().await;
    assert_eq!(said(&history(&mut bob, group).await), ["before"]);
    let beyond = pb::History { conversation: group, after: gone.head, limit: 50, ..Default::default() };
    let Ok(Frame::Page(page)) = bob.ask(Asked::History(beyond)).await else { panic!() };
    assert_eq!((page.messages.len(), page.head), (0, gone.head));
    for from in [Bytes::new(), cursor.clone()] {
        let mut phone = node.client("bob").await;
        let pages = phone.sync(&from).await;
        let page = pages.iter().flat_map(|p| &p.conversations).find(|c| c.conversation.as_ref().unwrap().conversation == group);
        let page = page.expect("the group is told, as one that is over");
        assert!(said(&page.messages).iter().all(|t| t == "before"), "{:?}", said(&page.messages));
        assert_eq!(page.conversation.as_ref().unwrap().group.as_ref().unwrap().standing, "removed");
    }
    assert_eq!(code(try_say(&mut bob, group, "still here?").await), "not-a-member");
    assert_eq!(code(members(&mut bob, group, false).await), "not-a-member");
    act(&mut ann, group, Act::Add("bob".into())).await.unwrap();
    info(&mut bob, "the return", |g| g.standing == "member").await;
    say(&mut ann, group, "after").await;
    assert_eq!(text(&hears(&mut bob).await.content), "after");
    assert_eq!(said(&history(&mut bob, group).await), ["before", "after"]);
    let mut phone = node.client("bob").await;
    let pages = phone.sync(&cursor).await;
    let told: Vec<String> = pages.iter().flat_map(|p| &p.conversations).flat_map(|c| said(&c.messages)).collect();
    assert_eq!(told, ["after"]);
    let page = pages.iter().flat_map(|p| &p.conversations).next().unwrap();
    let first = page.conversation.as_ref().unwrap().group.as_ref().unwrap().first;
    assert_eq!(history(&mut phone, group).await.first().unwrap().sequence, first, "history begins where it says");
}

#[tokio::test]
async fn somebody_who_comes_later_reads_from_there_on() {
    let node = Node::start();
    let [mut ann, mut bob, mut carol] = people(&node, ["ann", "bob", "carol"]).await;
    let group = create(&mut ann, "Later", &["bob"]).await;
    let early = say(&mut ann, group, "early").await;
    assert_eq!(
        code(carol.ask(Asked::History(pb::History { conversation: group, ..Default::default() })).await),
        "no-such-conversation"
    );
    act(&mut ann, group, Act::Add("carol".into())).await.unwrap();
    let seen = info(&mut carol, "the group", |g| g.standing == "member").await;
    let first = seen.group.unwrap().first;
    assert!(first > early.sequence);
    let lines = history(&mut carol, group).await;
    assert_eq!(lines[0].sequence, first);
    assert!(said(&lines).is_empty());
    let react = Act::React(pb::React { sequence: early.sequence, emoji: "👍".into(), remove: false });
    assert_eq!(code(act(&mut carol, group, react).await), "no-such-message");
    let edit = pb::Edit { conversation: group, sequence: early.sequence, counter: 99, content: content("earlier") };
    assert_eq!(code(ann.ask(Asked::Edit(edit)).await), "ok");
    assert_eq!(text(&bob.changed().await.content), "earlier");
    node.settled();
    let changed = |f: &pb::ServerFrame| matches!(&f.frame, Some(Frame::Pushed(p)) if matches!(p.what, Some(What::Changed(_))));
    assert!(!carol.pushed.iter().any(changed));
    carol.quiet().await;
}

#[tokio::test]
async fn reactions_pins_edits_and_recalls_reach_everybody() {
    let node = Node::start();
    let [mut ann, mut bob, mut carol] = people(&node, ["ann", "bob", "carol"]).await;
    let group = create(&mut ann, "Signs", &["bob", "carol"]).await;
    let sequence = say(&mut bob, group, "plan").await.sequence;
    let react = |remove| Act::React(pb::React { sequence, emoji: "👍".into(), remove });
    act(&mut ann, group, react(false)).await.unwrap();
    act(&mut carol, group, react(false)).await.unwrap();
    bob.changed().await;
    let seen = bob.changed().await;
    let reaction = &seen.reactions[0];
    assert_eq!((reaction.emoji.as_str(), reaction.count, reaction.mine), ("👍", 2, false));
    assert_eq!(reaction.users, ["ann@home.example", "carol@home.example"]);
    assert_eq!((seen.counter, seen.device), (1, bob.me.device), "own messages come back as own");
    carol.changed().await;
    assert!(carol.changed().await.reactions[0].mine);
    act(&mut carol, group, react(true)).await.unwrap();
    assert_eq!(bob.changed().await.reactions[0].count, 1);
    assert_eq!(code(act(&mut bob, group, Act::Pin(pb::Pin { sequence, remove: false })).await), "forbidden");
    act(&mut ann, group, Act::Pin(pb::Pin { sequence, remove: false })).await.unwrap();
    assert!(bob.changed().await.pinned);
    hears_line(&mut bob, "group-pinned").await;
    let Ok(Frame::Pins(pins)) = carol.ask(Asked::ListPins(pb::ListPins { conversation: group })).await else { panic!() };
    assert_eq!(said(&pins.messages), ["plan"]);
    let answer =
        pb::Send { conversation: group, counter: 9, content: content("yes"), reply_sequence: sequence, ..Default::default() };
    bob.counter = 9;
    bob.send_frame(answer).await.unwrap();
    loop {
        let heard = hears(&mut ann).await;
        if text(&heard.content) == "yes" {
            break assert_eq!(heard.reply_sequence, sequence);
        }
    }
    let edit = pb::Edit { conversation: group, sequence, counter: 10, content: content("plan B") };
    assert_eq!(code(bob.ask(Asked::Edit(edit.clone())).await), "ok");
    assert_eq!(code(ann.ask(Asked::Edit(pb::Edit { counter: 77, ..edit })).await), "forbidden");
    let seen = carol.expect("the edit", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(What::Changed(m)), .. }) if m.edited_ms != 0 => Some(m.clone()),
        _ => None,
    });
    assert_eq!(text(&seen.await.content), "plan B");
    ann.counter = 100;
    let recall = pb::Recall { conversation: group, sequence, counter: 100 };
    assert_eq!(code(ann.ask(Asked::Recall(recall)).await), "ok", "who stands above may take it back");
    let seen = carol.expect("the recall", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(What::Changed(m)), .. }) if m.recalled => Some(m.clone()),
        _ => None,
    });
    assert!(seen.await.content.is_empty());
    let Ok(Frame::Pins(pins)) = carol.ask(Asked::ListPins(pb::ListPins { conversation: group })).await else { panic!() };
    assert!(pins.messages.is_empty());
}

#[tokio::test]
async fn roles_mutes_and_rights_are_told_to_whom_they_concern() {
    let node = Node::start();
    let [mut ann, mut bob, mut carol] = people(&node, ["ann", "bob", "carol"]).await;
    let group = create(&mut ann, "Rights", &["bob", "carol"]).await;
    assert_eq!(code(act(&mut bob, group, Act::Remove("carol".into())).await), "forbidden");
    let role = |user: &str, role: &str| Act::SetRole(pb::SetRole { user: user.into(), role: role.into() });
    assert_eq!(code(act(&mut ann, group, role("bob", "king")).await), "bad-value");
    act(&mut ann, group, role("bob", "administrator")).await.unwrap();
    info(&mut bob, "the role", |g| g.role == "administrator").await;
    let mute = |until_ms| Act::Mute(pb::Mute { user: "carol".into(), until_ms });
    act(&mut bob, group, mute(i64::MAX / 2)).await.unwrap();
    info(&mut carol, "the mute", |g| g.muted_until_ms > 0).await;
    assert_eq!(code(try_say(&mut carol, group, "?").await), "muted");
    act(&mut bob, group, mute(0)).await.unwrap();
    say(&mut carol, group, "again").await;
    let text = |text: &str, value: &str| Act::SetText(pb::SetText { text: text.into(), value: value.into() });
    act(&mut bob, group, text("notice", "Water the roses")).await.unwrap();
    info(&mut carol, "the notice", |g| g.notice == "Water the roses").await;
    let rights = pb::GroupRights {
        post: "administrators".into(),
        add: "owner".into(),
        at_all: "members".into(),
        pin: "members".into(),
        texts: "members".into(),
        joining: "closed".into(),
    };
    act(&mut ann, group, Act::SetRights(rights.clone())).await.unwrap();
    let seen = info(&mut carol, "the rights", |g| g.rights.as_ref().unwrap().post == "administrators").await;
    assert_eq!(seen.group.unwrap().rights.unwrap(), rights);
    assert_eq!(code(try_say(&mut carol, group, "?").await), "muted");
    assert_eq!(code(act(&mut ann, group, Act::Leave(pb::Leave {})).await), "owner-stays");
    act(&mut ann, group, role("bob", "owner")).await.unwrap();
    info(&mut bob, "the group", |g| g.role == "owner").await;
    act(&mut ann, group, Act::Leave(pb::Leave {})).await.unwrap();
    info(&mut ann, "the end", |g| g.standing == "left").await;
    let seen = info(&mut carol, "one less", |g| g.members == 2).await;
    assert_eq!(seen.conversation, group);
    act(&mut bob, group, Act::Ban(pb::Ban { user: "carol".into(), lift: false })).await.unwrap();
    info(&mut carol, "the ban", |g| g.standing == "banned").await;
    assert_eq!(code(act(&mut bob, group, Act::Add("carol".into())).await), "banned-from-group");
    act(&mut bob, group, Act::Destroy(pb::Destroy {})).await.unwrap();
    info(&mut bob, "the end", |g| g.standing == "destroyed").await;
    assert_eq!(code(try_say(&mut bob, group, "?").await), "group-over");
}

#[tokio::test]
async fn a_link_lets_people_ask_and_an_administrator_admits_them() {
    let node = Node::start();
    let [mut ann, mut bob, mut carol, mut dave] = people(&node, ["ann", "bob", "carol", "dave"]).await;
    let group = create(&mut ann, "Door", &["bob"]).await;
    let rights = pb::GroupRights {
        post: "members".into(),
        add: "members".into(),
        at_all: "members".into(),
        pin: "members".into(),
        texts: "members".into(),
        joining: "approval".into(),
    };
    act(&mut ann, group, Act::SetRights(rights)).await.unwrap();
    ann.counter += 1;
    let make = Act::MakeLink(pb::MakeGroupLink { uses: 2, valid_ms: 60_000 });
    let frame = pb::ActInGroup { conversation: group, counter: ann.counter, act: Some(make) };
    let Ok(Frame::Invitation(made)) = ann.ask(Asked::ActInGroup(frame)).await else { panic!() };
    assert!(made.link.starts_with("https://home.example/group/"), "{}", made.link);
    let join = |counter, link: &str| Asked::JoinGroup(pb::JoinGroup { counter, link: link.into(), word: "it's me".into() });
    assert_eq!(code(carol.ask(join(1, "https://home.example/join/x")).await), "group-link-invalid");
    let wrong = format!("{}x", made.link);
    assert_eq!(code(carol.ask(join(2, &wrong)).await), "group-link-invalid");
    let Ok(Frame::Sent(asked)) = carol.ask(join(3, &made.link)).await else { panic!() };
    let Ok(Frame::Sent(again)) = carol.ask(join(3, &made.link)).await else { panic!() };
    assert_eq!((asked.conversation, &asked), (group, &again));
    info(&mut carol, "waiting", |g| g.standing == "asked").await;
    info(&mut ann, "somebody at the door", |g| g.asked == 1).await;
    assert_eq!(code(members(&mut bob, group, true).await), "forbidden");
    let waiting = members(&mut ann, group, true).await.unwrap();
    assert_eq!((waiting.members[0].user.as_str(), waiting.members[0].word.as_str()), ("carol@home.example", "it's me"));
    assert!(history(&mut carol, group).await.is_empty());
    say(&mut ann, group, "not for carol").await;
    let admit = |user: &str, refuse| Act::Admit(pb::Admit { user: user.into(), refuse });
    act(&mut ann, group, admit("carol", false)).await.unwrap();
    info(&mut carol, "in", |g| g.standing == "member").await;
    assert!(said(&history(&mut carol, group).await).is_empty());
    let Ok(Frame::Sent(_)) = dave.ask(join(1, &made.link)).await else { panic!() };
    act(&mut ann, group, admit("dave", true)).await.unwrap();
    info(&mut dave, "not in", |g| g.standing == "refused").await;
    let Ok(Frame::GroupLinks(links)) = ann.ask(Asked::ListGroupLinks(pb::ListGroupLinks { conversation: group })).await else {
        panic!()
    };
    assert_eq!((links.links[0].uses, links.links[0].used, links.links[0].maker.as_str()), (2, 2, "ann@home.example"));
    assert_eq!(code(dave.ask(join(2, &made.link)).await), "group-link-invalid", "used up");
    act(&mut ann, group, Act::RevokeLink(links.links[0].link)).await.unwrap();
    let Ok(Frame::GroupInvitations(none)) = dave.ask(Asked::ListGroupInvitations(pb::ListGroupInvitations {})).await else {
        panic!()
    };
    assert!(none.invitations.is_empty());
    let nothing = pb::DecideGroupInvitation { counter: 9, group: "a".repeat(26), accept: false };
    assert_eq!(code(dave.ask(Asked::DecideGroupInvitation(nothing)).await), "ok", "nothing is left to decline");
}

#[tokio::test]
async fn marks_stay_with_their_account_and_readers_are_told_who_asks() {
    let node = Node::start();
    let [mut ann, mut bob, mut carol] = people(&node, ["ann", "bob", "carol"]).await;
    let group = create(&mut ann, "Marks", &["bob", "carol"]).await;
    let sequence = say(&mut ann, group, "read me").await.sequence;
    hears(&mut bob).await;
    let mut tablet = node.client("bob").await;
    tablet.sync(&Bytes::new()).await;
    let mark = pb::Mark { conversation: group, delivered: 0, read: 9999 };
    assert_eq!(code(bob.ask(Asked::Mark(mark)).await), "ok");
    let marks = tablet.expect("own marks", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(What::Marks(m)), .. }) => Some(m.clone()),
        _ => None,
    });
    assert_eq!(marks.await.read, sequence, "not beyond the end");
    let ask = pb::GetReaders { conversation: group, sequence };
    loop {
        let Ok(Frame::Readers(readers)) = ann.ask(Asked::GetReaders(ask)).await else { panic!() };
        if readers.count == 1 {
            break assert_eq!((readers.of, readers.users), (3, vec!["bob@home.example".to_owned()]));
        }
        tokio::task::yield_now().await; // marks are journaled within a moment
    }
    let is_mark = |f: &pb::ServerFrame| matches!(&f.frame, Some(Frame::Pushed(p)) if matches!(p.what, Some(What::Marks(_))));
    node.settled();
    ann.quiet().await;
    assert!(!ann.pushed.iter().chain(&carol.pushed).any(is_mark));
    let typing = pb::Typing { conversation: group, typing: true };
    assert_eq!(code(bob.ask(Asked::Typing(typing)).await), "ok");
    let who = carol.expect("typing", |f| if let Frame::TypingNow(t) = f { Some(t.user.clone()) } else { None }).await;
    assert_eq!(who, "bob@home.example");
    let set = pb::SetConversation { conversation: group, muted_until_ms: i64::MAX, mentions_only: true };
    assert_eq!(code(bob.ask(Asked::SetConversation(set)).await), "ok");
    let set = tablet.expect("the setting", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(What::Info(c)), .. }) if c.mentions_only => Some(c.muted_until_ms),
        _ => None,
    });
    assert_eq!(set.await, i64::MAX);
}

#[tokio::test]
async fn two_hundred_connected_members_hear_one_message_once() {
    const MEMBERS: usize = 200;
    let node = Node::with(|config| config.limits.sign_ins_per_address = startalk_net::Rate::new(1000, 1));
    let [mut ann] = people(&node, ["ann"]).await;
    let names: Vec<String> = (0..MEMBERS).map(|n| format!("m{n}")).collect();
    let mut all = Vec::new();
    for name in &names {
        node.account(name);
        let mut client = node.client(name).await;
        client.sync(&Bytes::new()).await;
        all.push(client);
    }
    let group = create(&mut ann, "Many", &names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let sent = say(&mut ann, group, "to all").await;
    for client in &mut all {
        let heard = hears(client).await;
        assert_eq!((heard.sequence, text(&heard.content).as_str()), (sent.sequence, "to all"));
    }
    // Everybody hears that the group is complete, at the latest at the next tick.
    for client in &mut all {
        info(client, "the whole group", |g| g.members == MEMBERS as u64 + 1).await;
    }
    // Two hundred lines to two hundred people would be forty thousand pushes.
    let lines = |c: &Client| {
        let is_line = |f: &&pb::ServerFrame| matches!(&f.frame, Some(Frame::Pushed(pb::Pushed { what: Some(What::Message(m)), .. })) if line(&m.content) == "group-added");
        c.pushed.iter().filter(is_line).count()
    };
    assert!(all.iter().all(|c| lines(c) <= 100));
    let page = history(&mut all[0], group).await;
    assert_eq!(page.iter().filter(|m| line(&m.content) == "group-added").count(), 199, "all are in history: its newest 200");
    // What is told late is covered by no cursor before it: a device that goes away in between hears it when it comes back.
    let first = &mut all[0];
    first.pushed.clear();
    let text = pb::SetText { text: "notice".into(), value: "for all".into() };
    act(&mut ann, group, Act::SetText(text)).await.unwrap();
    let mut before = None;
    loop {
        let frame = first.read().await.unwrap();
        match frame.frame {
            Some(Frame::Cursor(cursor)) => before = Some(cursor.cursor),
            Some(Frame::Pushed(pb::Pushed { what: Some(What::Info(c)), .. }))
                if c.group.as_ref().unwrap().notice == "for all" =>
            {
                break;
            }
            _ => {}
        }
    }
    let after = first.expect("a cursor", |f| if let Frame::Cursor(c) = f { Some(c.cursor.clone()) } else { None }).await;
    let mut phone = node.resumed(&first.me.token).await;
    for (cursor, expected) in before.map(|c| (c, 1)).into_iter().chain([(after, 0)]) {
        let told: usize = phone.sync(&cursor).await.iter().map(|p| p.conversations.len()).sum();
        assert_eq!(told, expected);
    }
    node.settled();
    let again = |f: &pb::ServerFrame| matches!(&f.frame, Some(Frame::Pushed(pb::Pushed { what: Some(What::Message(m)), .. })) if m.sequence == sent.sequence);
    assert!(!all.iter().any(|c| c.pushed.iter().any(again)));
}

#[tokio::test]
async fn a_sync_that_was_cut_goes_on_from_its_cursor() {
    let node = Node::start();
    let [mut ann, mut bob] = people(&node, ["ann", "bob"]).await;
    let before = bob.sync(&Bytes::new()).await.pop().unwrap().cursor;
    // More than one page of conversations.
    let mut groups = Vec::new();
    for n in 0..60 {
        let group = create(&mut ann, &format!("g{n}"), &["bob"]).await;
        say(&mut ann, group, &format!("in {n}")).await;
        groups.push(group);
    }
    node.settled();
    let mut phone = node.resumed(&bob.me.token).await;
    let id = phone.write(Asked::Sync(pb::Sync { cursor: before.clone() })).await;
    let Frame::SyncPage(first) = phone.answer(id).await.unwrap() else { panic!() };
    assert!(!first.last && first.cursor.is_empty(), "a page in the middle gives no cursor");
    drop(phone);
    let mut phone = node.resumed(&bob.me.token).await;
    let pages = phone.sync(&before).await;
    assert!(pages.len() > 1);
    let mut told: Vec<u64> =
        pages.iter().flat_map(|p| &p.conversations).map(|c| c.conversation.as_ref().unwrap().conversation).collect();
    told.sort_unstable();
    assert_eq!(told, groups);
    let texts = pages.iter().flat_map(|p| &p.conversations).flat_map(|c| said(&c.messages)).count();
    assert_eq!(texts, 60);
    let cursor = pages.last().unwrap().cursor.clone();
    let pages = phone.sync(&cursor).await;
    assert!(pages.iter().all(|p| p.conversations.is_empty()), "everything was heard");
}
