//! Ways in and out: hello, registering, signing in, resuming, recovering, devices, the end of an account.

use bytes::Bytes;
use startalk_domain::{Command, governance::Registration};
use startalk_gateway::{Limits, secrets};
use startalk_net::Rate;
use startalk_protocol::pb::client::{self as pb, client_frame::Frame as Asked, server_frame::Frame};

use crate::support::{DOMAIN, Node, PASSWORD, code, quick_limits};

#[tokio::test]
async fn hello_comes_first_and_agrees_on_a_version() {
    let node = Node::start();
    node.registration(Registration::Open);
    let mut client = node.connect();
    let welcome = client.hello().await;
    assert_eq!((welcome.version, welcome.domain.as_str(), welcome.registration.as_str()), (1, DOMAIN, "open"));
    assert_eq!(code(client.ask(Asked::ListDevices(pb::ListDevices {})).await), "not-signed-in");
    assert_eq!(code(client.ask(Asked::Ping(pb::Ping {})).await), "ok");

    let mut early = node.connect();
    assert_eq!(code(early.ask(Asked::Ping(pb::Ping {})).await), "malformed");
    assert_eq!(early.closed().await, "malformed");

    let mut later = node.connect();
    let hello = pb::Hello { version_min: 2, version_max: 5, ..Default::default() };
    let error = later.ask(Asked::Hello(hello)).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.params["max"].as_str()), ("unsupported-version", "1"));
    assert_eq!(later.closed().await, "unsupported-version");
}

#[tokio::test]
async fn an_invitation_makes_one_account() {
    let node = Node::start();
    let secret = node.invitation(1);
    let mut alice = node.greeted().await;
    assert_eq!(code(alice.register("alice", "").await), "invitation-needed");
    assert_eq!(code(alice.register("alice", "nonsense").await), "invitation-invalid");
    assert_eq!(code(alice.register("a lice", &secret).await), "bad-name");
    alice.register("Alice", &format!("https://home.example/join/{secret}")).await.unwrap();
    assert_eq!(alice.me.user, "alice@home.example");
    assert_eq!((alice.me.token.len(), alice.me.recovery_codes.len(), alice.me.counter), (32, 8, 0));
    assert_eq!(code(alice.sign_in("alice", PASSWORD).await), "not-allowed-here");
    let mut bob = node.greeted().await;
    assert_eq!(code(bob.register("bob", &secret).await), "invitation-invalid");
    node.registration(Registration::Open);
    assert_eq!(code(bob.register("alice", "").await), "name-taken");
    bob.register("bob", "").await.unwrap();
}

#[tokio::test]
async fn a_link_tells_what_it_gives() {
    let limits = Limits { registrations_per_address: Rate::new(20, 60), ..quick_limits() };
    let node = Node::with(|config| config.limits = limits);
    let maker = node.account("alice");
    let secret = secrets::invitation([77; 20]);
    let token_hash = secrets::invitation_hash(&secret);
    node.ask(Command::MakeInvitation { maker, token_hash, uses: 2, valid_ms: 3_600_000, administrator: false, groups: vec![] });
    let by_operator = secrets::invitation([78; 20]);
    let token_hash = secrets::invitation_hash(&by_operator);
    node.ask(Command::MakeInvitation { maker: 0, token_hash, uses: 1, valid_ms: 3_600_000, administrator: true, groups: vec![] });
    let mut client = node.greeted().await;
    let look = |invitation: &str| Asked::LookAtInvitation(pb::LookAtInvitation { invitation: invitation.to_owned() });
    let Ok(Frame::InvitationShown(shown)) = client.ask(look(&format!("https://home.example/join/{secret}"))).await else {
        panic!("expected what it gives");
    };
    assert_eq!((shown.inviter.as_str(), shown.inviter_name.as_str(), shown.uses), ("alice@home.example", "ALICE", 2));
    assert!(!shown.administrator && shown.not_after_ms > 0);
    let Ok(Frame::InvitationShown(shown)) = client.ask(look(&by_operator)).await else { panic!("expected what it gives") };
    assert!(shown.administrator && shown.inviter.is_empty() && shown.inviter_name.is_empty());
    client.register("bob", &by_operator).await.unwrap();
    let mut guesser = node.greeted().await;
    assert_eq!(guesser.ask(look(&by_operator)).await.unwrap_err().code, "invitation-invalid");
    let mut refused = async |mut tries: u32| {
        while guesser.ask(look("a guess")).await.unwrap_err().code == "invitation-invalid" && tries > 0 {
            tries -= 1;
        }
        tries
    };
    assert!(refused(100).await > 0, "guesses are not counted");
}

#[tokio::test]
async fn passwords_and_tokens_open_sessions() {
    let node = Node::start();
    node.account("alice");
    let mut client = node.greeted().await;
    assert_eq!(code(client.sign_in("alice", "wrong password").await), "wrong-credentials");
    assert_eq!(code(client.sign_in("nobody", "wrong password").await), "wrong-credentials");
    assert_eq!(code(client.sign_in("§§", "wrong password").await), "wrong-credentials");
    assert_eq!(code(client.sign_in("alice@elsewhere.example", PASSWORD).await), "wrong-domain");
    client.sign_in("ALICE@home.example", PASSWORD).await.unwrap();
    let token = client.me.token.clone();
    let again = node.resumed(&token).await;
    assert_eq!((again.me.device, again.me.token.len()), (client.me.device, 0));
    let mut stranger = node.greeted().await;
    assert_eq!(code(stranger.resume(&Bytes::from(vec![0; 32])).await), "token-revoked");
    assert_eq!(code(stranger.resume(&Bytes::new()).await), "token-revoked");
}

#[tokio::test]
async fn frames_may_be_sent_ahead_of_answers() {
    let node = Node::start();
    node.account("alice");
    let mut client = node.connect();
    client.write(Asked::Hello(pb::Hello { version_min: 1, version_max: 1, ..Default::default() })).await;
    let request = pb::SignIn { name: "alice".into(), password: PASSWORD.into(), device_name: String::new() };
    client.write(Asked::SignIn(request)).await;
    client.write(Asked::ListDevices(pb::ListDevices {})).await;
    assert!(matches!(client.answer(1).await, Ok(Frame::Welcome(_))));
    assert!(matches!(client.answer(2).await, Ok(Frame::SignedIn(_))));
    assert!(matches!(client.answer(3).await, Ok(Frame::Devices(d)) if d.devices.len() == 1 && d.devices[0].this));
}

#[tokio::test]
async fn a_revoked_device_is_out_at_once_and_for_good() {
    let node = Node::start();
    node.account("alice");
    let (mut phone, mut laptop) = (node.client("alice").await, node.client("alice").await);
    phone.sync(&Bytes::new()).await;
    laptop.sync(&Bytes::new()).await;
    let device = laptop.me.device;
    assert_eq!(code(phone.ask(Asked::RevokeDevice(pb::RevokeDevice { device })).await), "ok");
    assert_eq!(laptop.closed().await, "token-revoked");
    let told = phone.expect("the revocation", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(pb::pushed::What::DeviceRevoked(d)), .. }) => Some(d.device),
        _ => None,
    });
    assert_eq!(told.await, device);
    assert_eq!(code(node.greeted().await.resume(&laptop.me.token).await), "token-revoked");
    assert_eq!(code(phone.ask(Asked::RevokeDevice(pb::RevokeDevice { device })).await), "no-such-device");
    assert_eq!(code(phone.ask(Asked::SignOut(pb::SignOut {})).await), "ok");
    assert_eq!(phone.closed().await, "token-revoked");
}

#[tokio::test]
async fn a_recovery_code_works_once_and_signs_everything_else_out() {
    let node = Node::start();
    node.account("alice");
    let mut old = node.client("alice").await;
    let recover = |code: &str| {
        Asked::Recover(pb::Recover {
            name: "alice".into(),
            code: code.into(),
            new_password: "a new password".into(),
            device_name: "new".into(),
        })
    };
    let mut client = node.greeted().await;
    assert_eq!(code(client.ask(recover("bbbb-bbbb-bbbb")).await), "wrong-credentials");
    assert!(matches!(client.ask(recover("AAAA AAAA AAAA")).await, Ok(Frame::SignedIn(me)) if me.token.len() == 32));
    assert_eq!(old.closed().await, "token-revoked");
    assert_eq!(code(node.greeted().await.ask(recover("aaaa-aaaa-aaaa")).await), "wrong-credentials");
    assert_eq!(code(node.greeted().await.sign_in("alice", PASSWORD).await), "wrong-credentials");
    node.greeted().await.sign_in("alice", "a new password").await.unwrap();

    let codes = client.ask(Asked::NewRecoveryCodes(pb::NewRecoveryCodes { password: "a new password".into() })).await;
    let Ok(Frame::RecoveryCodes(codes)) = codes else { panic!("{codes:?}") };
    assert_eq!(code(node.greeted().await.ask(recover(&codes.codes[3])).await), "ok");
}

#[tokio::test]
async fn an_office_comes_in_by_sign_in_links_on_one_morning_and_each_link_opens_once() {
    let node = Node::start();
    let recover = |name: &str, code: &str| {
        let (name, code) = (name.to_owned(), code.to_owned());
        Asked::Recover(pb::Recover { name, code, new_password: "a new password".into(), device_name: "new".into() })
    };
    // More than one address may try to recover: who has a link has not guessed it.
    for n in 0..14u8 {
        let (name, secret) = (format!("p{n}"), secrets::invitation([n; 20]));
        let account = node.account(&name);
        node.ask(Command::MakeSignInLink { account, token_hash: secrets::sign_in_hash(&secret), valid_ms: 60_000 });
        let came = node.greeted().await.ask(recover(&name, &secret.to_uppercase())).await;
        assert!(matches!(came, Ok(Frame::SignedIn(me)) if me.token.len() == 32 && me.recovery_codes.len() == 8), "{name}");
        if n == 0 {
            assert_eq!(code(node.greeted().await.ask(recover(&name, &secret)).await), "wrong-credentials", "used");
        }
    }
    // Guesses are counted as they ever were.
    let mut codes = Vec::new();
    for _ in 0..10 {
        codes.push(code(node.greeted().await.ask(recover("nobody", "b")).await));
    }
    assert!(codes.contains(&"slow-down".to_owned()), "{codes:?}");
}

#[tokio::test]
async fn passwords_are_changed_with_the_old_one() {
    let node = Node::start();
    node.account("alice");
    let mut alice = node.client("alice").await;
    let change =
        |old: &str, new: &str| Asked::ChangePassword(pb::ChangePassword { old_password: old.into(), new_password: new.into() });
    assert_eq!(code(alice.ask(change("wrong", "another one")).await), "wrong-credentials");
    assert_eq!(code(alice.ask(change(PASSWORD, "short")).await), "bad-password");
    assert_eq!(code(alice.ask(change(PASSWORD, "another one")).await), "ok");
    node.greeted().await.sign_in("alice", "another one").await.unwrap();
}

#[tokio::test]
async fn disabled_accounts_are_out() {
    let node = Node::start();
    let account = node.account("alice");
    let mut alice = node.client("alice").await;
    node.ask(Command::SetDisabled { account, disabled: true });
    assert_eq!(alice.closed().await, "account-disabled");
    assert_eq!(code(node.greeted().await.sign_in("alice", PASSWORD).await), "account-disabled");
    assert_eq!(code(node.greeted().await.sign_in("alice", "wrong password").await), "wrong-credentials");
    assert_eq!(code(node.greeted().await.resume(&alice.me.token).await), "token-revoked");
}

#[tokio::test]
async fn attempts_are_counted() {
    let limits = Limits { sign_ins_per_account: Rate::new(3, 60), registrations_per_address: Rate::new(1, 60), ..quick_limits() };
    let node = Node::with(|config| config.limits = limits);
    node.registration(Registration::Open);
    node.account("alice");
    let mut client = node.greeted().await;
    for _ in 0..3 {
        assert_eq!(code(client.sign_in("alice", "wrong password").await), "wrong-credentials");
    }
    let error = client.sign_in("alice", PASSWORD).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.params["seconds"].as_str()), ("slow-down", "60"));
    node.advance(60_000);
    client.sign_in("alice", PASSWORD).await.unwrap();
    node.greeted().await.register("bob", "").await.unwrap();
    assert_eq!(code(node.greeted().await.register("carol", "").await), "slow-down");
}

#[tokio::test]
async fn an_account_goes_with_what_it_wrote() {
    let node = Node::start();
    node.account("alice");
    node.account("bob");
    let (mut alice, mut bob) = (node.client("alice").await, node.client("bob").await);
    bob.sync(&Bytes::new()).await;
    let sent = alice.send("bob", "forget me").await.unwrap();
    bob.message().await;
    let delete = |password: &str| Asked::DeleteAccount(pb::DeleteAccount { password: password.into(), erase_messages: true });
    assert_eq!(code(alice.ask(delete("wrong password")).await), "wrong-credentials");
    assert_eq!(code(alice.ask(delete(PASSWORD)).await), "ok");
    assert_eq!(alice.closed().await, "token-revoked");
    let gone = bob.expect("that she is gone", |f| match f {
        Frame::Pushed(pb::Pushed { what: Some(pb::pushed::What::Info(info)), .. }) => info.peer.clone().filter(|p| p.gone),
        _ => None,
    });
    assert_eq!(gone.await.user, "");
    loop {
        let page = bob.ask(Asked::History(pb::History { conversation: sent.conversation, ..Default::default() })).await;
        let Ok(Frame::Page(page)) = page else { panic!("{page:?}") };
        assert_eq!((page.messages.len(), page.messages[0].author.as_str()), (1, ""));
        if page.messages[0].content.is_empty() {
            break; // the write loop overwrites the body right after its answer
        }
    }
}

#[tokio::test]
async fn invitations_are_links() {
    let node = Node::start();
    node.account("alice");
    let mut alice = node.client("alice").await;
    let made = alice.ask(Asked::MakeInvitation(pb::MakeInvitation { uses: 1, valid_ms: 60_000, groups: vec![] })).await;
    let Ok(Frame::Invitation(invitation)) = made else { panic!("{made:?}") };
    assert!(invitation.link.starts_with("https://home.example/join/"), "{}", invitation.link);
    node.greeted().await.register("bob", &invitation.link).await.unwrap();
    assert_eq!(
        code(alice.ask(Asked::MakeInvitation(pb::MakeInvitation { uses: 1, valid_ms: 0, groups: vec![] })).await),
        "bad-value"
    );
    node.advance(61_000);
    let made = alice.ask(Asked::MakeInvitation(pb::MakeInvitation { uses: 1, valid_ms: 60_000, groups: vec![] })).await;
    let Ok(Frame::Invitation(invitation)) = made else { panic!("{made:?}") };
    node.advance(61_000);
    assert_eq!(code(node.greeted().await.register("carol", &invitation.link).await), "invitation-invalid");
}
