//! A group's home and the replicas of other domains: one order, exactly-once submissions, waiting, leaving, going back.

mod harness;

use harness::town::{Gate, Person, Town, lines, said, standing};
use harness::{Node, deliver, follow, served, text, user};
use startalk_domain::{
    Answer, Command, Event, Recorded,
    conversations::{self},
    directory,
    groups::{self, GroupAct, GroupLink, GroupTended, Role},
    timeline,
};
use startalk_protocol::{Code, limits};

#[test]
fn two_domains_see_one_order_and_the_replica_begins_where_its_people_came_in() {
    let mut town = Town::new();
    let (alice, bob) = (town.alice.actor.account, town.bob.actor.account);
    assert_eq!(standing(&town.b, bob, town.group_b), "member");
    assert_eq!(lines(&town.b, bob, town.group_b), ["group-joined"]);
    town.a.ok(town.alice.say(town.group_a, "welcome"));
    let Answer::Sent { sequence: 0, id, .. } = town.b.ok(town.bob.say(town.group_b, "hello")) else { panic!("it waits") };
    let waiting = groups::waiting_messages(&town.b.store, &*town.b.journal, town.group_b, bob);
    assert_eq!((waiting.len(), waiting[0].id), (1, id));
    assert_eq!(town.exchange(), []);
    assert!(groups::waiting_messages(&town.b.store, &*town.b.journal, town.group_b, bob).is_empty());
    assert_eq!(said(&town.a, alice, town.group_a), ["before bob", "welcome", "hello"]);
    assert_eq!(said(&town.b, bob, town.group_b), ["welcome", "hello"]);
    let head = |n: &Node, c| (timeline::head(&n.store, c).sequence, groups::log(&n.store, c).chain);
    assert_eq!(head(&town.a, town.group_a), head(&town.b, town.group_b));
    let own = town.b.messages(bob, town.group_b).into_iter().find(|m| m.id == id).unwrap();
    assert_eq!((own.device, own.counter), (town.bob.actor.device, town.bob.counter));

    // Edits, reactions and recalls go both ways.
    let (of_bob, of_alice) = (own.sequence, own.sequence - 1);
    town.bob.counter += 1;
    let (actor, counter) = (town.bob.actor, town.bob.counter);
    town.b.ok(Command::Edit { actor, conversation: town.group_b, sequence: of_bob, counter, content: text("hi") });
    town.b.ok(town.bob.act(town.group_b, GroupAct::React { sequence: of_alice, emoji: "👋".into(), remove: false }));
    town.alice.counter += 1;
    let (actor, counter) = (town.alice.actor, town.alice.counter);
    town.exchange();
    town.a.ok(Command::Recall { actor, conversation: town.group_a, sequence: of_alice, counter });
    town.exchange();
    for (node, account, group) in [(&town.a, alice, town.group_a), (&town.b, bob, town.group_b)] {
        let single = |s| conversations::single(&node.store, &*node.journal, group, s).unwrap();
        assert_eq!(harness::plain(single(of_bob).content.as_ref().unwrap()), "hi");
        assert_eq!((single(of_alice).recalled, single(of_alice).reactions.len()), (true, 0));
        assert!(said(node, account, group).contains(&"(gone)".to_owned()));
    }
}

#[test]
fn what_the_homes_administration_does_is_seen_elsewhere_as_its_act() {
    let mut town = Town::new();
    let bob = town.bob.actor.account;
    let before = lines(&town.b, bob, town.group_b).len();
    let tend = |conversation, tended| Command::TendGroup { conversation, tended };
    let to_bob = || GroupTended::HandedOver(user("bob@b.example"));
    let owners = |node: &Node, conversation| {
        let (all, _) = groups::members_from(&node.store, conversation, 0, 100, |m| m.is_in() && m.role == Role::Owner);
        let owner = groups::group(&node.store, conversation).unwrap().owner;
        (all.iter().map(|m| m.member).collect::<Vec<_>>(), owner)
    };
    assert_eq!(town.b.refused(tend(town.group_b, to_bob())), "group-not-yours");
    assert_eq!(town.a.refused(tend(town.group_a, GroupTended::Removed(user("bob@b.example")))), "forbidden");
    town.a.ok(tend(town.group_a, to_bob()));
    assert_eq!(town.a.refused(tend(town.group_a, to_bob())), "bad-value", "who owns it already");
    town.a.ok(tend(town.group_a, GroupTended::Named("Bob's".into())));
    assert_eq!(town.exchange(), []);
    assert_eq!(lines(&town.b, bob, town.group_b)[before..], ["group-role-by-domain", "group-name-by-domain"]);
    let of_bob = groups::member_of(&town.b.store, town.group_b, bob).unwrap().member;
    for (node, conversation) in [(&town.a, town.group_a), (&town.b, town.group_b)] {
        assert_eq!(owners(node, conversation), (vec![of_bob], of_bob), "one owner, the same everywhere");
    }
    // And the owner's own acts are taken from elsewhere.
    town.b.ok(town.bob.act(town.group_b, GroupAct::Destroy));
    assert_eq!(town.exchange(), []);
    assert_eq!(town.a.refused(tend(town.group_a, GroupTended::Named("too late".into()))), "group-over");
}

#[test]
fn whoever_waits_to_be_admitted_elsewhere_is_told_so_and_what_became_of_it() {
    let mut gate = Gate::new();
    let (mut bob, mut carol) = (Person::at(&mut gate.b, "bob"), Person::at(&mut gate.b, "carol"));
    gate.ask(&mut bob);
    gate.ask(&mut carol);
    assert_eq!(gate.standing(&bob), "joining", "the home has not been heard");
    gate.look();
    assert_eq!((gate.standing(&bob), gate.standing(&carol)), ("asked", "asked"));
    let written = gate.b.journal.0.lock().unwrap().len();
    gate.look();
    assert_eq!(gate.b.journal.0.lock().unwrap().len(), written, "what is known is not written again");
    assert_eq!(gate.b.refused(bob.join(&gate.link)), "already-a-member");

    gate.admit("bob", true);
    gate.look();
    assert_eq!((gate.standing(&bob), gate.standing(&carol)), ("refused", "asked"));
    let told = |r: &Recorded| matches!(&r.event, Event::GroupSubmissionEnded(f, _) if f.code == "not-admitted" && f.device == bob.actor.device);
    let ended = gate.b.journal.0.lock().unwrap().iter().any(|r| told(&Recorded::read(r).unwrap()));
    assert!(ended, "the device that asked is told");
    // Who was refused may ask again, and is not told of the first time.
    gate.b.ok(bob.join(&gate.link));
    gate.look();
    assert_eq!(gate.standing(&bob), "joining");
    deliver(&gate.b, &mut gate.a);
    gate.look();
    assert_eq!(gate.standing(&bob), "asked");
    gate.admit("carol", false);
    gate.look();
    assert_eq!((gate.standing(&bob), gate.standing(&carol)), ("asked", "member"));
    gate.b.ok(carol.say(gate.group_b(), "here"));
    // From now on the replica says it.
    gate.admit("bob", true);
    gate.look();
    assert_eq!(gate.standing(&bob), "refused");
    gate.ask(&mut bob);
    gate.look();
    assert_eq!(gate.standing(&bob), "asked");
    gate.admit("bob", false);
    gate.look();
    assert_eq!(gate.standing(&bob), "member");
    let waits = groups::waiting(&gate.b.store, gate.group_b());
    assert_eq!(waits.iter().filter(|w| w.joins).count(), 0, "{waits:?}");
}

#[test]
fn who_was_refused_while_their_domain_was_away_is_told_when_its_replica_begins() {
    let mut gate = Gate::new();
    let (mut bob, mut carol) = (Person::at(&mut gate.b, "bob"), Person::at(&mut gate.b, "carol"));
    let mut dave = Person::at(&mut gate.b, "dave");
    for person in [&mut bob, &mut carol, &mut dave] {
        gate.ask(person);
    }
    gate.admit("bob", true);
    gate.admit("carol", false);
    gate.look();
    let now = [gate.standing(&bob), gate.standing(&carol), gate.standing(&dave)];
    assert_eq!(now, ["refused", "member", "asked"]);
    // Carol goes and comes again: nothing of hers waits any more.
    gate.b.ok(carol.act(gate.group_b(), GroupAct::Leave));
    deliver(&gate.b, &mut gate.a);
    gate.look();
    assert_eq!(gate.standing(&carol), "left");
    gate.ask(&mut carol);
    gate.look();
    assert_eq!(gate.standing(&carol), "asked");
}

#[test]
fn who_comes_in_by_a_link_when_their_domain_has_its_replica_already_is_known_there() {
    let mut town = Town::new();
    let mut carol = Person::at(&mut town.b, "carol");
    let secret_hash = *blake3::hash(b"come in").as_bytes();
    town.a.ok(town.alice.act(town.group_a, GroupAct::MakeLink { secret_hash, uses: 0, not_after_ms: 0 }));
    town.exchange();
    let link = GroupLink { home: "a.example".parse().unwrap(), group: town.id.parse().unwrap(), secret: "come in".into() };
    town.b.ok(carol.join(&link));
    assert_eq!(standing(&town.b, carol.actor.account, town.group_b), "joining");
    assert_eq!(town.exchange(), []);
    assert_eq!(standing(&town.b, carol.actor.account, town.group_b), "member");
    town.b.ok(carol.say(town.group_b, "here I am"));
    // Whom somebody here brings in is known here too, wherever they are from.
    town.a.person("dave");
    town.b.ok(town.bob.act(town.group_b, GroupAct::Add(user("dave@a.example"))));
    assert_eq!(town.exchange(), []);
    let (members, _) = groups::members_from(&town.b.store, town.group_b, 0, usize::MAX, groups::Member::is_in);
    assert_eq!(members.len(), 4);
    assert!(members.iter().all(|m| m.person != 0), "{members:?}");
    assert_eq!(said(&town.a, town.alice.actor.account, town.group_a), ["before bob", "here I am"]);
}

#[test]
fn what_is_submitted_again_is_recorded_once_and_other_words_under_its_number_never() {
    let mut town = Town::new();
    town.b.ok(town.bob.say(town.group_b, "once"));
    town.exchange();
    let head = timeline::head(&town.a.store, town.group_a).sequence;
    // b forgets what a has of its outbox, as after a restore, and sends all again in a new epoch.
    town.b.ok(Command::BeginEpoch { epoch: 2, reason: "restored".into() });
    assert_eq!(town.exchange(), []);
    assert_eq!(timeline::head(&town.a.store, town.group_a).sequence, head);
    town.b.ok(town.bob.say(town.group_b, "twice"));
    assert_eq!(town.exchange(), []);
    assert_eq!(said(&town.a, town.alice.actor.account, town.group_a), ["before bob", "once", "twice"]);
}

#[test]
fn the_home_decides_and_a_refusal_is_told() {
    let mut town = Town::new();
    town.a.ok(town.alice.act(town.group_a, GroupAct::Mute { user: user("bob@b.example"), until_ms: i64::MAX }));
    // b does not know yet.
    town.b.ok(town.bob.say(town.group_b, "hm"));
    let refused = deliver(&town.b, &mut town.a);
    assert_eq!(refused.iter().map(|r| r.1).collect::<Vec<_>>(), ["muted"]);
    let out = startalk_domain::outbox::outbox(&town.b.store, 1);
    town.b.ok(Command::PeerRefused { peer: 1, epoch: out.epoch, sequence: refused[0].0, code: "muted".into() });
    assert!(groups::waiting(&town.b.store, town.group_b).is_empty());
    follow(&town.a, &mut town.b, &town.id);
    assert_eq!(town.b.refused(town.bob.say(town.group_b, "hm")), "muted");
}

#[test]
fn failed_is_said_when_it_is_certain_and_not_before() {
    let mut town = Town::new();
    town.b.ok(town.bob.say(town.group_b, "late"));
    // The home hears nothing for a day; its people talk.
    town.a.now_ms += 23 * 3600 * 1000;
    town.a.ok(town.alice.say(town.group_a, "still in time"));
    follow(&town.a, &mut town.b, &town.id);
    assert_eq!(groups::waiting(&town.b.store, town.group_b).len(), 1);
    town.a.now_ms += 2 * 3600 * 1000;
    town.a.ok(Command::TellTime);
    follow(&town.a, &mut town.b, &town.id);
    assert!(groups::waiting(&town.b.store, town.group_b).is_empty());
    assert!(town.b.events().contains(&"GroupSubmissionEnded"));
    let refused = deliver(&town.b, &mut town.a);
    assert_eq!(refused.iter().map(|r| r.1).collect::<Vec<_>>(), ["expired"], "and the home never takes it any more");
    // A home that recorded it after all, with an earlier time than it has sworn to, is not believed.
    town.a.ok(town.alice.say(town.group_a, "later"));
    let after = timeline::head(&town.b.store, town.group_b).sequence;
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
    let mut earlier = served(&town.a, at_home, &town.id, after);
    earlier.entries[0].time_ms -= 24 * 3600 * 1000;
    let give = Command::FollowGroup { peer: 1, group: town.id.clone(), range: Box::new(earlier) };
    assert_eq!(town.b.run(give).unwrap_err().code, Code::Malformed);
}

#[test]
fn a_replica_goes_on_however_much_has_failed_meanwhile() {
    let mut town = Town::new();
    for n in 0..limits::GROUP_WAITING_MAX {
        town.b.ok(town.bob.say(town.group_b, &format!("late {n}")));
    }
    assert_eq!(town.b.refused(town.bob.say(town.group_b, "one too many")), "too-many");
    town.a.now_ms += 25 * 3600 * 1000;
    town.a.ok(town.alice.say(town.group_a, "is anybody there?"));
    // Entries and endings are more than one command may write: what is left ends with the next look.
    for _ in 0..2 {
        follow(&town.a, &mut town.b, &town.id);
    }
    assert!(groups::waiting(&town.b.store, town.group_b).is_empty());
    assert_eq!(said(&town.b, town.bob.actor.account, town.group_b), ["is anybody there?"]);
}

#[test]
fn leaving_works_at_once_and_the_replica_goes_on_where_somebody_comes_in_again() {
    let mut town = Town::new();
    let bob = town.bob.actor.account;
    town.b.ok(town.bob.act(town.group_b, GroupAct::Leave));
    assert_eq!(standing(&town.b, bob, town.group_b), "leaving");
    assert_eq!(town.b.refused(town.bob.say(town.group_b, "psst")), "not-a-member");
    town.exchange();
    assert_eq!(standing(&town.b, bob, town.group_b), "left");
    for n in 0..100 {
        town.a.ok(town.alice.say(town.group_a, &format!("not for b {n}")));
    }
    let at_home = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
    let views = startalk_domain::Views { store: town.a.store.clone(), journal: town.a.journal.clone() };
    let left = timeline::head(&town.b.store, town.group_b).sequence;
    assert_eq!(groups::range(&views, at_home, &town.id, left + 1).unwrap_err().code, Code::NoSuchConversation);
    assert!(groups::range(&views, at_home, &town.id, left).unwrap().entries.is_empty());
    town.a.ok(town.alice.act(town.group_a, GroupAct::Add(user("bob@b.example"))));
    deliver(&town.a, &mut town.b);
    town.b.ok(town.bob.accept(&town.id));
    town.exchange();
    town.a.ok(town.alice.say(town.group_a, "back again"));
    town.exchange();
    assert_eq!(said(&town.b, bob, town.group_b), ["back again"]);
    assert_eq!(standing(&town.b, bob, town.group_b), "member");
}

#[test]
fn a_home_that_went_back_and_its_followers_go_on_and_what_it_lost_stays_readable() {
    for knows in [true, false] {
        let mut town = Town::new();
        town.b.ok(town.bob.say(town.group_b, "kept"));
        town.exchange();
        let copy = startalk_journal::ReadJournal::head(&*town.a.journal).position;
        town.a.ok(town.alice.say(town.group_a, "lost at home"));
        town.b.ok(town.bob.say(town.group_b, "lost at home too"));
        town.exchange();
        let bob = town.bob.actor.account;
        let everything = ["kept", "lost at home", "lost at home too"];
        assert_eq!(said(&town.b, bob, town.group_b), everything);

        town.a = town.a.restored_to(copy);
        if knows {
            town.a.ok(Command::BeginEpoch { epoch: 2, reason: "restored".into() });
        } else {
            let peer = startalk_domain::directory::peer_number(&town.a.store, &town.b.name).unwrap();
            let after = timeline::head(&town.b.store, town.group_b).sequence;
            town.a.ok(Command::GroupBehind { peer, group: town.id.clone(), after });
            town.a.ok(Command::GroupBehind { peer, group: town.id.clone(), after });
        }
        town.alice.counter += 10;
        town.a.ok(town.alice.say(town.group_a, "after"));
        follow(&town.a, &mut town.b, &town.id);
        let renewed = groups::by_id(&town.b.store, &town.id.parse().unwrap()).unwrap();
        assert_ne!(renewed, town.group_b);
        follow(&town.a, &mut town.b, &town.id);
        assert_eq!(said(&town.b, bob, town.group_b), everything, "nothing that bob had is gone");
        assert_eq!(standing(&town.b, bob, town.group_b), "renewed");
        assert_eq!(said(&town.b, bob, renewed), ["kept", "after"]);
        assert_eq!(town.b.refused(town.bob.say(town.group_b, "hm")), "not-allowed-here");
        town.b.ok(town.bob.say(renewed, "hello again"));
        let items = startalk_domain::outbox::outbox(&town.b.store, 1);
        assert!(items.head() > 0);
        let events = town.a.events();
        assert_eq!(events.iter().filter(|e| **e == "GroupEquivocated").count(), 0);

        // Who is deleted leaves where the group goes on, once; of what was lost nobody would ever hear.
        let waits = |node: &Node, group| groups::waiting(&node.store, group).len();
        let before = waits(&town.b, renewed);
        town.b.ok(Command::DeleteAccount { account: bob });
        assert_eq!((waits(&town.b, town.group_b), waits(&town.b, renewed)), (0, before + 1));
    }
}

#[test]
fn who_is_deleted_leaves_groups_elsewhere_too_and_is_named_until_their_homes_know() {
    let mut town = Town::new();
    let bob = town.bob.actor.account;
    town.b.ok(town.bob.say(town.group_b, "my last words"));
    town.b.ok(Command::DeleteAccount { account: bob });
    assert_eq!(deliver(&town.b, &mut town.a), []);
    let at_home = groups::members_from(&town.a.store, town.group_a, 0, usize::MAX, groups::Member::is_in).0;
    assert_eq!(at_home.len(), 1, "{at_home:?}");
    assert_eq!(said(&town.a, town.alice.actor.account, town.group_a), ["before bob", "my last words"]);
    follow(&town.a, &mut town.b, &town.id);
    // Then the name goes here, too.
    let named = |node: &Node| {
        let journal = node.journal.0.lock().unwrap();
        let named = |r: &Recorded| matches!(&r.event, Event::AccountDeleted(_, Some(body)) if body.value.name == "bob");
        journal.iter().filter(|r| named(&Recorded::read(r).unwrap())).count()
    };
    assert_eq!(named(&town.b), 1);
    let peer = directory::peer_number(&town.b.store, &"a.example".parse().unwrap()).unwrap();
    let outbox = startalk_domain::outbox::outbox(&town.b.store, peer);
    town.b.ok(Command::PeerRecorded { peer, epoch: outbox.epoch, sequence: outbox.head() });
    assert_eq!(named(&town.b), 0);
}

#[test]
fn what_was_signed_with_a_key_that_no_charter_lists_any_more_is_still_proven() {
    let mut town = Town::new();
    let mut c = Node::new("c.example");
    c.meet(&town.a);
    town.a.meet(&c);
    let mut carol = Person::at(&mut c, "carol");
    town.a.ok(town.alice.act(town.group_a, GroupAct::Add(user("carol@c.example"))));
    assert_eq!(deliver(&town.a, &mut c), []);
    c.ok(carol.accept(&town.id));
    deliver(&c, &mut town.a);
    follow(&town.a, &mut c, &town.id);
    let group_c = groups::by_id(&c.store, &town.id.parse().unwrap()).unwrap();

    let copy = startalk_journal::ReadJournal::head(&*town.b.journal).position;
    town.b.ok(town.bob.say(town.group_b, "with the first key"));
    deliver(&town.b, &mut town.a);
    for words in ["with the second key", "with the third key"] {
        town.b.rotate();
        town.a.meet(&town.b);
        town.b.ok(town.bob.say(town.group_b, words));
        deliver(&town.b, &mut town.a);
    }
    // Carol's domain never met Bob's, and was away all the time.
    follow(&town.a, &mut c, &town.id);
    let said_by_bob = ["with the first key", "with the second key", "with the third key"];
    assert_eq!(said(&c, carol.actor.account, group_c), said_by_bob);

    // Bob's own domain takes its own words from the home, and lists none of the keys of old either.
    town.b = town.b.restored_to(copy);
    follow(&town.a, &mut town.b, &town.id);
    assert_eq!(said(&town.b, town.bob.actor.account, town.group_b), said_by_bob);
}
