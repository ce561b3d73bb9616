//! Groups by nothing but lines of JSON: three people of one domain, every command that concerns groups, a client that is
//! killed with acts on their way, and somebody who is removed and comes back.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use startalk_e2e::{World, person::PASSWORD};
use startalk_examples::processes;

/// Nothing at all for so long is a failure; what fails is what did not come, not when.
const PATIENCE: Duration = Duration::from_secs(90);

/// `startalk-terminal --json`.
struct Client {
    process: Child,
    input: ChildStdin,
    lines: Receiver<Value>,
    /// Events that nobody has looked for yet.
    events: VecDeque<Value>,
    last: u64,
}

impl Client {
    fn start(world: &World, name: &str) -> anyhow::Result<Self> {
        let mut command = Command::new(world.binaries.join("startalk-terminal"));
        command.arg("--json").arg("--data").arg(world.folder.join(name));
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = (process.stdin.take().context("input")?, process.stdout.take().context("output")?);
        let (tell, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if tell.send(serde_json::from_str(&line).unwrap_or(Value::String(line))).is_err() {
                    return;
                }
            }
        });
        Ok(Self { process, input, lines, events: VecDeque::new(), last: 0 })
    }

    fn post(&mut self, command: &str, mut fields: Value) -> anyhow::Result<u64> {
        self.last += 1;
        fields["id"] = self.last.into();
        fields["command"] = command.into();
        writeln!(self.input, "{fields}")?;
        Ok(self.last)
    }

    /// The answer: what is ok, or the error's code.
    fn try_ask(&mut self, command: &str, fields: Value) -> anyhow::Result<Result<Value, String>> {
        let id = self.post(command, fields)?;
        loop {
            let line = self.lines.recv_timeout(PATIENCE).with_context(|| format!("an answer to {command}"))?;
            if line.get("event").is_some() {
                self.events.push_back(line);
            } else if line["id"] == id {
                let code = line["error"]["code"].as_str().map(str::to_owned);
                return Ok(code.map_or_else(|| Ok(line["ok"].clone()), Err));
            }
        }
    }

    fn ask(&mut self, command: &str, fields: Value) -> anyhow::Result<Value> {
        self.try_ask(command, fields)?.map_err(|code| anyhow::anyhow!("{command}: {code}"))
    }

    /// Does it, and waits for what becomes of it.
    fn act(&mut self, command: &str, mut fields: Value) -> anyhow::Result<Value> {
        fields["wait"] = true.into();
        self.ask(command, fields)
    }

    /// The next event that fits.
    fn event(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        if let Some(at) = self.events.iter().position(&fits) {
            return self.events.remove(at).context("just found");
        }
        loop {
            let line = self.lines.recv_timeout(PATIENCE).with_context(|| what.to_owned())?;
            if line.get("event").is_some() {
                if fits(&line) {
                    return Ok(line);
                }
                self.events.push_back(line);
            }
        }
    }

    fn hears(&mut self, text: &str) -> anyhow::Result<Value> {
        self.event(text, |e| e["event"] == "message" && e["message"]["text"] == text)
    }

    /// The group as it is told next that fits.
    fn group(&mut self, what: &str, fits: impl Fn(&Value) -> bool) -> anyhow::Result<u64> {
        let told = self.event(what, |e| e["event"] == "conversation" && fits(&e["conversation"]["group"]))?;
        told["conversation"]["conversation"].as_u64().context("a number")
    }

    fn kill(mut self) -> anyhow::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn everything_about_groups_can_be_done_in_lines_of_json() -> anyhow::Result<()> {
    let world = World::new()?;
    processes::build(&["--bin", "startalk-terminal"])?;
    let node = world.node("a")?;
    let links = [
        node.first_link.clone(),
        node.ask(&["invite"])?["link"].as_str().context("link")?.to_owned(),
        node.ask(&["invite"])?["link"].as_str().context("link")?.to_owned(),
    ];
    let mut people = Vec::new();
    for (name, link) in ["ann", "bob", "carol"].iter().zip(&links) {
        let mut client = Client::start(&world, name)?;
        client.ask("register", json!({ "user": name, "password": PASSWORD, "display_name": name, "link": link }))?;
        client.event("the sync", |e| e["event"] == "sync_done")?;
        people.push(client);
    }
    let [mut ann, mut bob, mut carol] = people.try_into().ok().context("three")?;

    let made = ann.act("create_group", json!({ "name": "花园", "members": ["bob"] }))?;
    let group = made["conversation"].as_u64().context("a number")?;
    assert_eq!(bob.group("the group", |g| g["name"] == "花园")?, group);
    let sent = ann.act("send", json!({ "conversation": group, "text": "hi @bob", "mentions": { "@bob": bob_of(&mut bob)? } }))?;
    let heard = bob.hears("hi @bob")?;
    assert_eq!(heard["message"]["mentions"][0], bob_of(&mut bob)?);
    let sequence = sent["sequence"].as_u64().context("a number")?;
    bob.act("send", json!({ "conversation": group, "text": "yes", "reply_sequence": sequence }))?;
    assert_eq!(ann.hears("yes")?["message"]["reply_sequence"], sequence);

    bob.act("react", json!({ "conversation": group, "sequence": sequence, "emoji": "🎉" }))?;
    let changed = ann.event("the reaction", |e| e["event"] == "changed" && e["message"]["reactions"][0]["count"] == 1)?;
    assert_eq!(changed["message"]["reactions"][0]["emoji"], "🎉");
    ann.act("pin", json!({ "conversation": group, "sequence": sequence }))?;
    assert_eq!(bob.ask("pins", json!({ "conversation": group }))?["messages"][0]["text"], "hi @bob");
    ann.act("set_group_text", json!({ "conversation": group, "text": "notice", "value": "浇水" }))?;
    bob.group("the notice", |g| g["notice"] == "浇水")?;
    let line = bob.event("its line", |e| e["event"] == "message" && e["message"]["system"]["code"] == "group-notice")?;
    assert!(line["message"]["text_zh"].as_str().is_some_and(|t| t.contains("浇水")), "{line}");

    let rights = json!({
        "conversation": group, "post": "members", "add": "administrators", "at_all": "members", "pin": "members",
        "texts": "members", "joining": "approval",
    });
    ann.act("set_group_rights", rights)?;
    let link = ann.act("make_group_link", json!({ "conversation": group, "uses": 2 }))?["link"].clone();
    let asked = carol.act("join_group", json!({ "link": link, "word": "please" }))?;
    assert_eq!(asked["conversation"], group);
    ann.group("somebody at the door", |g| g["asked"] == 1)?;
    let waiting = ann.ask("members", json!({ "conversation": group, "asked": true }))?;
    assert_eq!(waiting["members"][0]["word"], "please");
    ann.act("admit", json!({ "conversation": group, "user": "carol" }))?;
    carol.group("in", |g| g["standing"] == "member")?;
    ann.act("set_role", json!({ "conversation": group, "user": "carol", "role": "administrator" }))?;
    carol.group("the role", |g| g["role"] == "administrator")?;
    ann.act("mute_member", json!({ "conversation": group, "user": "bob", "until_ms": 4_000_000_000_000_i64 }))?;
    let refused = bob.try_ask("send", json!({ "conversation": group, "text": "?", "wait": true }))?;
    assert_eq!(refused, Err("muted".to_owned()));
    ann.act("mute_member", json!({ "conversation": group, "user": "bob" }))?;
    let all = ann.ask("group_links", json!({ "conversation": group }))?;
    assert_eq!((&all["links"][0]["used"], &all["links"][0]["uses"]), (&json!(1), &json!(2)));
    ann.act("revoke_group_link", json!({ "conversation": group, "link": all["links"][0]["link"] }))?;

    // Killed with acts on their way: each is done once.
    for n in 0..20 {
        ann.ask("send", json!({ "conversation": group, "text": format!("n{n}") }))?;
        ann.ask("set_group_text", json!({ "conversation": group, "text": "name", "value": format!("花园 {n}") }))?;
    }
    ann.kill()?;
    let mut ann = Client::start(&world, "ann")?;
    ann.ask("wait_sent", json!({}))?;
    for n in 0..20 {
        assert!(carol.hears(&format!("n{n}"))?["message"]["sequence"].as_u64().is_some());
    }
    let page = ann.ask("history", json!({ "conversation": group, "limit": 200 }))?;
    let messages = page["messages"].as_array().context("messages")?;
    let texts: Vec<&str> = messages.iter().filter_map(|m| m["text"].as_str()).filter(|t| t.starts_with('n')).collect();
    assert_eq!(texts, (0..20).map(|n| format!("n{n}")).collect::<Vec<_>>());
    let names = messages.iter().filter(|m| m["system"]["code"] == "group-name").count();
    assert_eq!(names, 21, "the first name, and twenty others once each");

    ann.act("remove_member", json!({ "conversation": group, "user": "bob" }))?;
    bob.group("the removal", |g| g["standing"] == "removed")?;
    ann.act("send", json!({ "conversation": group, "text": "between" }))?;
    carol.hears("between")?;
    ann.act("add_member", json!({ "conversation": group, "user": "bob" }))?;
    bob.group("the return", |g| g["standing"] == "member")?;
    let after = ann.act("send", json!({ "conversation": group, "text": "after" }))?;
    bob.hears("after")?;
    let page = bob.ask("history", json!({ "conversation": group, "limit": 200 }))?;
    assert!(!page.to_string().contains("between"), "{page}");
    bob.ask("mark", json!({ "conversation": group, "read": after["sequence"] }))?;
    loop {
        let readers = ann.ask("readers", json!({ "conversation": group, "sequence": after["sequence"] }))?;
        if readers["count"] == 1 {
            assert_eq!(readers["of"], 3);
            break;
        }
    }
    bob.ask(
        "set_conversation",
        json!({ "conversation": group, "muted_until_ms": 5_000_000_000_000_i64, "mentions_only": true }),
    )?;
    bob.event("the setting", |e| e["event"] == "conversation" && e["conversation"]["mentions_only"] == true)?;
    assert_eq!(bob.ask("group_invitations", json!({}))?["invitations"], json!([]));
    bob.act("leave_group", json!({ "conversation": group }))?;
    ann.act("ban_from_group", json!({ "conversation": group, "user": "carol" }))?;
    carol.group("the ban", |g| g["standing"] == "banned")?;
    ann.act("destroy_group", json!({ "conversation": group }))?;
    ann.group("the end", |g| g["standing"] == "destroyed")?;
    if ann.try_ask("decide_group_invitation", json!({ "group": "a".repeat(26), "accept": true, "wait": true }))?.is_ok() {
        bail!("an invitation that there is none of was followed");
    }
    world.done();
    Ok(())
}

/// Bob's whole name.
fn bob_of(bob: &mut Client) -> anyhow::Result<Value> {
    Ok(bob.ask("status", json!({}))?["user"].clone())
}
