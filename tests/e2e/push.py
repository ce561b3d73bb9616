#!/usr/bin/env python3
"""Pushes, from a node's process to a push service on loopback (push_service.py) that checks and decrypts them by other
libraries than the node's: who is told of what, that a conversation has one notification, what a recall, a mark and a muted
conversation do, what becomes of a push service that is busy, wants less, or has forgotten a device, and that nothing is
lost when the node is killed.

    python3 tests/e2e/push.py --binaries target/debug --venv target/python_peer

Waiting is given up only when nothing at all has happened for --patience seconds.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading

from python_peer import environment
from stranger import Client, Failed, Server

HERE = os.path.dirname(os.path.abspath(__file__))
SECRET = "a very secret text 你好"
ALWAYS = 9_000_000_000_000_000


class Service:
    """push_service.py, and what it was sent."""

    def __init__(self, python, folder, log, patience):
        self.patience, self.news, self.pushes, self.made = patience, threading.Condition(), [], []
        pipe = subprocess.PIPE
        program = [python, os.path.join(HERE, "push_service.py"), folder]
        self.process = subprocess.Popen(program, stdin=pipe, stdout=pipe, stderr=open(log, "ab"), text=True)
        self.ca = json.loads(self.process.stdout.readline())["ca"]
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            told = json.loads(line)
            with self.news:
                if "push" in told:
                    self.pushes.append(told["push"])
                else:
                    self.made.append(told["subscription"])
                self.news.notify_all()

    def do(self, what, **fields):
        print(json.dumps({"do": what, **fields}), file=self.process.stdin, flush=True)

    def subscribe(self):
        before = len(self.made)
        self.do("subscribe")
        self.until(lambda: len(self.made) > before, "a subscription")
        return self.made[-1]

    def until(self, holds, what):
        with self.news:
            while not holds():
                if not self.news.wait(self.patience):
                    said = [(p["status"], p.get("plain"), p.get("wrong")) for p in self.pushes]
                    raise Failed(f"{what}: nothing came for {self.patience} s; so far {said}")

    def to(self, endpoint):
        """What was taken for a subscription, read."""
        return [json.loads(p["plain"]) for p in self.pushes if p["endpoint"] == endpoint and p["status"] == 201]

    def next(self, endpoint, count, what):
        self.until(lambda: len(self.to(endpoint)) >= count, what)
        return self.to(endpoint)[count - 1]


def same(what, found, expected):
    if found != expected:
        raise Failed(f"{what}: {found!r}, expected {expected!r}")


def run(options, folder):
    program = lambda name: os.path.join(options.binaries, name)
    log = os.path.join(folder, "log")
    service = Service(environment(options.venv), folder, log, options.patience)
    clients, endings = [], [service.process.kill]

    def person(name, link):
        client = Client(program("startalk-terminal"), os.path.join(folder, name), log, options.patience)
        clients.append(client)
        client.ask("register", link=link, user=name, password="correct horse battery staple", display_name=name.title())
        return client

    def node(port=0):
        arguments = ["--json", "--data", os.path.join(folder, "node"), "up", "--listen", f"127.0.0.1:{port}"]
        started = Server(program("startalk"), [*arguments, "--push-allow-private-addresses", "--push-roots", service.ca], log)
        endings.append(started.kill)
        return started, started.start()

    def verb(*words):
        command = [program("startalk"), "--json", "--data", os.path.join(folder, "node"), *words]
        return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)

    os.environ["STARTALK_TIMINGS"] = "fast"
    try:
        server, told = node()
        alice = person("alice", told["first_link"])
        people = [person(name, verb("invite")["link"]) for name in ("bob", "carol")]
        bob, carol = people
        where = "@" + told["domain"]
        say = lambda text, who=alice, to="bob" + where: who.ask("send", to=to, text=text, wait=True)

        phone = service.subscribe()
        bob.ask("subscribe_push", **phone)
        same("what bob's device knows", bob.ask("notify")["endpoint"], phone["endpoint"])

        first = say("hello 你好")
        push = service.next(phone["endpoint"], 1, "the first message")
        told_of = {key: push[key] for key in ("do", "account", "conversation", "sequence", "because", "from", "sender", "text", "badge", "unread", "kind")}
        same("what is told", told_of, {
            "do": "show", "account": "bob" + where, "conversation": str(first["conversation"]), "sequence": first["sequence"], "because": "message",
            "from": "alice" + where, "sender": "Alice", "text": "hello 你好", "badge": 1, "unread": 1, "kind": "text"})

        say("the second")
        push = service.next(phone["endpoint"], 2, "the second message")
        same("badge", (push["badge"], push["text"]), (2, "the second"))
        same("one for each conversation waits at the push service", [p["waiting"] for p in service.pushes][-1], 1)
        same("who writes is not told", len(service.pushes), 2)

        # Hidden: nothing of a person leaves the node, not even encrypted.
        bob.ask("set_notify", hidden=True)
        say(SECRET)
        push = service.next(phone["endpoint"], 3, "the hidden message")
        same("hidden", [key for key in ("from", "sender", "text", "kind", "group") if key in push], [])
        same("but the number", push["badge"], 3)
        bob.ask("set_notify")

        # A recall of what was told is told; it replaces what waits.
        gone = say("a mistake")
        service.next(phone["endpoint"], 4, "the message that will be taken back")
        alice.ask("recall", conversation=gone["conversation"], sequence=gone["sequence"], wait=True)
        push = service.next(phone["endpoint"], 5, "that it was taken back")
        same("withdrawn", (push["do"], push["sequence"], push["badge"]), ("withdraw", gone["sequence"], 3))

        # Muted: silent, but for what calls bob by a keyword where he wants that.
        same("nothing else", len(service.pushes), 5)
        bob.ask("set_conversation", conversation=first["conversation"], muted_until_ms=ALWAYS, mentions_only=True)
        bob.ask("set_notify", keywords=["budget"])
        say("not for him")
        say("the Budget is here")
        push = service.next(phone["endpoint"], 6, "a keyword")
        same("a keyword", (push["because"], push["text"]), ("keyword", "the Budget is here"))
        bob.ask("set_conversation", conversation=first["conversation"])
        bob.ask("set_notify", quiet=True, quiet_from_min=0, quiet_until_min=1439)
        say("at night")
        bob.ask("set_notify")

        # A push service that is busy says when to come again; one that wants less gets less.
        service.do("answer", endpoint=phone["endpoint"], status=429, headers={"Retry-After": "1"}, times=1)
        service.do("answer", endpoint=phone["endpoint"], status=503, times=1)
        service.do("answer", endpoint=phone["endpoint"], status=413, times=1)
        say("x" * 3000)
        push = service.next(phone["endpoint"], 7, "the message after all")
        same("it came without its text", ("text" in push, push["sender"]), (False, "Alice"))
        same("it was tried", [p["status"] for p in service.pushes][-4:], [429, 503, 413, 201])

        # Groups: those who are in, not the author.
        tablet = service.subscribe()
        carol.ask("subscribe_push", **tablet)
        group = bob.ask("create_group", name="Garden", members=["alice" + where, "carol" + where], wait=True)["conversation"]
        before = len(service.to(phone["endpoint"]))
        alice.ask("wait_synced")
        alice.ask("send", conversation=group, text="weeds", wait=True)
        pushes = [service.next(tablet["endpoint"], 1, "the group's message to carol"), service.next(phone["endpoint"], before + 1, "and to bob")]
        same("both", [(p["group"], p["sender"], p["text"], p["in_group"]) for p in pushes], [("Garden", "Alice", "weeds", True)] * 2)

        # Who does something at another device has a while to see it there: read meanwhile, it is not told.
        count = len(service.to(phone["endpoint"]))
        bob.ask("mark", conversation=group, read=0, delivered=0)
        bob.ask("typing", conversation=group, typing=True)
        seen = say("seen elsewhere")
        bob.ask("mark", conversation=seen["conversation"], read=seen["sequence"])
        say("to carol", to="carol" + where)
        service.next(tablet["endpoint"], 2, "carol's")

        # A device that its push service has forgotten is forgotten here.
        service.do("forget", endpoint=tablet["endpoint"])
        say("to nobody", to="carol" + where)
        service.until(lambda: service.pushes[-1]["status"] == 410, "the push service says gone")
        for _ in range(100):
            if carol.ask("notify")["endpoint"] == "":
                break
            threading.Event().wait(0.1)
        same("carol's device is not reached any more", carol.ask("notify")["endpoint"], "")

        # Killed while a push waits for who is active elsewhere: it is told after the start.
        bob.ask("typing", conversation=group, typing=False)
        bob.ask("typing", conversation=group, typing=True)
        say("in the last second")
        same("it waits", [p for p in service.to(phone["endpoint"]) if p.get("text") == "in the last second"], [])
        server.kill()
        server, told = node(told["port"])
        service.until(lambda: any(p.get("text") == "in the last second" for p in service.to(phone["endpoint"])), "a push after the start")
        same("seen elsewhere was not told", [p for p in service.to(phone["endpoint"])[count:] if p.get("text") == "seen elsewhere"], [])

        doctor = [finding for finding in verb("doctor")["findings"] if finding["check"] == "push"]
        same("doctor", [finding["state"] for finding in doctor], ["good"])
        same("what was wrong", [p["wrong"] for p in service.pushes if "wrong" in p], [])
        same("not told", [p for p in service.to(phone["endpoint"]) if p.get("text") in ("not for him", "at night", SECRET)], [])
        mode = os.stat(os.path.join(folder, "node", "keys", "vapid.key")).st_mode & 0o777
        same("who may read the key", oct(mode), "0o600")
        with open(log, errors="replace") as said:
            words = said.read()
        same("no secret in the log", [word for word in (SECRET, phone["auth"], phone["endpoint"]) if word in words], [])
        print(f"pushes {len(service.pushes)} taken {sum(p['status'] == 201 for p in service.pushes)} wrong 0")
    finally:
        for client in clients:
            client.close()
        for end in endings:
            end()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binaries", required=True)
    parser.add_argument("--venv", required=True)
    parser.add_argument("--patience", type=float, default=60)
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="startalk-push-")
    try:
        run(options, folder)
    except Failed as failed:
        print(failed, file=sys.stderr)
        options.keep = True
        sys.exit(1)
    finally:
        if options.keep:
            print(f"kept: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
