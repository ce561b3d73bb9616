#!/usr/bin/env python3
"""Our node against examples/python_peer: a domain in another language, written from federation-spec alone.

Starts a hub and a node on loopback, registers Alice by the node's first link, and runs the Python domain against them:
messages each way, an edit, a recall, marks and profiles; ends the Python program with SIGKILL again and again in the
middle and starts it again; and counts at both ends: nothing lost, doubled or out of order. Then two Python domains take
part in a group of Alice's, and Alice in one whose home is a Python domain (python_groups.py). Makes a virtual environment
for the Python program in the build's folder if there is none, with pip, and says so.

    python3 tests/e2e/python_peer.py --binaries target/debug --messages 50

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
import time

from python_groups import garden, orchard
from stranger import Client, Failed, Server, count

HERE = os.path.dirname(os.path.abspath(__file__))
PEER = os.path.join(HERE, "..", "..", "examples", "python_peer")
SAYS = "python {n}: 你好, <b>{n}</b> & \"quoted\" 🙂"


def environment(folder):
    """The Python to run the peer with; what it needs is installed if it is not there."""
    python, wanted = os.path.join(folder, "bin", "python3"), os.path.join(PEER, "requirements.txt")
    stamp = os.path.join(folder, "requirements.txt")
    if not os.path.exists(stamp) or open(stamp).read() != open(wanted).read():
        print(f"installing what {os.path.relpath(wanted)} names into {folder}")
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted], check=True)
        shutil.copy(wanted, stamp)
    return python


class Peer:
    """The Python domain: a process that is killed and started again, and what it said in all its lives."""

    def __init__(self, command, log, patience):
        self.command, self.log, self.patience = command, log, patience
        self.news, self.lines, self.moved, self.process = threading.Condition(), [], time.monotonic(), None

    def start(self, *more):
        with open(self.log, "ab") as errors:
            pipe = subprocess.PIPE
            self.process = subprocess.Popen([*self.command, *more], stdin=pipe, stdout=pipe, stderr=errors, text=True, encoding="utf-8")
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()

    def _read(self, process):
        for line in process.stdout:
            with self.news:
                self.lines.append(json.loads(line))
                self.moved = time.monotonic()
                self.news.notify_all()

    def said(self, event):
        return [line for line in self.lines if line["event"] == event]

    def user(self):
        """The name of its one person; it says so when it has started."""
        self.until(lambda: self.said("domain"), "the Python peer to say who it is")
        return self.said("domain")[0]["user"]

    def tell(self, **command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def ask(self, **command):
        """A command about groups, and its answer; commands are answered in their order."""
        before = len(self.lines)
        answered = lambda: [x for x in self.lines[before:] if x["event"] in ("done", "not_done") and x["do"] == command["do"]]  # noqa: E731
        self.tell(**command)
        self.until(answered, f"an answer to {command['do']}")
        if answered()[0]["event"] == "not_done":
            raise Failed(f"the Python peer does not {command['do']}: {answered()[0]['code']}")
        return answered()[0]

    def lines_of(self, group):
        """What it was told that is said in a group, over all its lives."""
        return [x for x in self.said("group_line") if x["group"] == group and x["kind"] == "message"]

    def standing(self, group):
        told = [x["standing"] for x in self.said("group_line") if x["group"] == group]
        return told[-1] if told else None

    def messages(self):
        """How many are there: what it found when it started, and came since. It may be killed before it tells of one."""
        starts = [n for n, line in enumerate(self.lines) if line["event"] == "domain"]
        return self.lines[starts[-1]]["messages"] + sum(line["event"] == "message" for line in self.lines[starts[-1] :]) if starts else 0

    def until(self, holds, what):
        began = time.monotonic()
        with self.news:
            while not holds():
                if not self.news.wait(0.2) and time.monotonic() - max(self.moved, began) > self.patience:
                    raise Failed(f"waited for {what}: nothing has happened for {self.patience} s")
                if self.process.poll() not in (None, 0):
                    raise Failed(f"the Python peer ended with {self.process.poll()}")

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            self.reader.join()

    def end(self):
        """Its exit code, when it has ended by itself."""
        try:
            return self.process.wait(self.patience)
        except subprocess.TimeoutExpired:
            raise Failed("the Python peer does not end") from None

    def kept(self):
        """What its folder holds."""
        told = subprocess.run([*self.command, "--show"], capture_output=True, text=True, check=True).stdout
        lines = [json.loads(line) for line in told.splitlines()]
        return [x for x in lines if x["mine"]], [x for x in lines if not x["mine"]]


class Watcher(Client):
    """Alice, who also keeps what was changed and marked."""

    def __init__(self, *arguments):
        self.changed, self.marks, self.sent_lines, self.profiles = {}, [], [], []
        self.standing = {}  # of groups: their conversation, and how Alice stands in them
        super().__init__(*arguments)

    def _take(self, value):
        super()._take(value)
        kind = value.get("event")
        if kind == "changed":
            self.changed[value["message"]["id"]] = value["message"]
        elif kind == "conversation" and value["conversation"].get("group"):
            group = value["conversation"]["group"]
            self.standing[group["group"]] = value["conversation"]["conversation"], group["standing"]
        elif kind in ("marks", "sent", "profile"):
            {"marks": self.marks, "sent": self.sent_lines, "profile": self.profiles}[kind].append(value)


def run(options, folder, python):
    program = lambda name: os.path.join(os.path.abspath(options.binaries), name)
    path = lambda name: os.path.join(folder, name)
    servers, n = [], options.messages
    alice, peers = None, []
    try:
        hub = Server(program("startalk-hub"), ["--json", "--http", "127.0.0.1:0", "--allow-private-addresses"], path("hub.log"))
        servers.append(hub)
        hub_url = hub.start()["hub_url"]
        up = ["--json", "--data", path("node"), "up", "--listen", "127.0.0.1:0", "--hub", hub_url, "--allow-private-addresses"]
        node = Server(program("startalk"), up, path("node.log"))
        servers.append(node)
        node.start()
        alice = Watcher(program("startalk-terminal"), path("alice"), path("alice.log"), options.patience)
        alice_id = alice.ask("register", user="alice", link=node.told["first_link"], password="correct horse battery staple")["user"]
        print(f"node   {node.told['domain']}")

        command = [python, os.path.join(PEER, "peer.py"), "--data", path("python"), "--to", alice_id, "--hub", hub_url, "--text", SAYS, "--read"]
        peer = Peer(command, path("python.log"), options.patience)
        peers.append(peer)
        work = ["--send", str(n), "--edit", "2", "--recall", "3", "--pause", "20"]
        peer.start(*work, "--stay")
        alice.until(lambda: alice.requests, "the first contact")
        visitor = peer.user()
        print(f"peer   {visitor}")
        conversation = alice.requests[0]
        alice.ask("accept", conversation=conversation)

        # A third of the messages by Alice each time; between them the Python peer is killed, with some on the way.
        for life in range(3):
            for k in range(life * n // 3 + 1, (life + 1) * n // 3 + 1):
                alice.post("send", to=visitor, text=f"alice {k}: 回信\nsecond line")
            if life < 2:
                wanted = (life * n // 3) + n // 6
                peer.until(lambda: peer.messages() >= wanted and len(alice.received) >= wanted, f"{wanted} messages each way")
                there, here = len(alice.received), peer.messages()
                peer.kill()
                if life == 0:
                    shutil.copytree(path("python"), path("older"))
                print(f"killed with {there} of {n} messages at Alice and {here} of {n} at the peer")
                peer.start(*work, "--stay")
        alice.ask("wait_sent")
        alice.until(lambda: len({m["id"] for m in alice.received}) >= n, "the peer's messages at Alice")

        # Alice edits her fourth and recalls her fifth, and reads everything.
        numbers = [s["sequence"] for s in alice.sent_lines if s["command"] == "send"]
        alice.ask("edit", conversation=conversation, sequence=numbers[3], text="alice 4: changed", wait=True)
        alice.ask("recall", conversation=conversation, sequence=numbers[4], wait=True)
        alice.ask("mark", conversation=conversation, read=max(m["sequence"] for m in alice.received))
        peer.until(lambda: peer.said("edited") and peer.said("recalled"), "Alice's edit and recall at the peer")
        peer.until(lambda: any(m["read"] == n for m in peer.said("marks")), "Alice's mark of having read everything")
        alice.until(lambda: any(m["recalled"] for m in alice.changed.values()), "the peer's recall at Alice")
        alice.until(lambda: any(m["user"] == visitor and m["read"] >= numbers[-1] for m in alice.marks), "the peer's marks at Alice")

        # Started a last time without --stay, it has nothing left to do, and ends by itself.
        peer.kill()
        peer.start(*work, "--expect", str(n))
        # Its link takes some seconds, since the one that was killed may live; meanwhile others talk in a group of ours.
        groups = [Peer([*command, "--data", path(name), "--account", name, "--commands"], path(name + ".log"), options.patience) for name in ("gardener", "guest")]
        peers += groups
        for one in groups:
            one.start()
        in_garden, lost_there = garden(alice, alice_id, *groups, n // 2)
        print(f"garden   {in_garden} messages, in a group of ours")
        code = peer.end()
        mine, theirs = peer.kept()

        # The folder as it was at the first kill, put back: both sides find it out by themselves (chapter 3 §4). It hears
        # again what it no longer knows, and what it says again has no second effect.
        of_visitor = lambda: [m["id"] for m in alice.received if m["author"] == visitor]
        at_alice = of_visitor()
        older = Peer([*command, "--data", path("older")], path("older.log"), options.patience)
        peers.append(older)
        known = len(older.kept()[1])
        older.start("--stay")
        in_orchard, lost_here = orchard(alice, alice_id, groups[1], n // 2)
        print(f"orchard  {in_orchard} messages, in a group of the Python domain's")
        # Alice's edit and recall are the last of hers in the outbox but marks.
        older.until(lambda: older.messages() >= n and older.said("edited") and older.said("recalled"), "what the older copy did not know")
        older.kill()
        if not any("went-back" in json.dumps(line) for line in older.lines) or known >= n:
            raise Failed(f"the older copy knew {known} of {n} messages and nobody noticed that it went back")
        if older.kept()[1] != theirs or of_visitor() != at_alice:
            raise Failed("after the older copy was put back the two ends do not agree")
        print(f"put back a copy that knew {known} of Alice's {n}: it heard the rest, Alice nothing twice")

        # Another, that is told an address instead of asking the hub, and is written to first.
        second = Peer([*command, "--data", path("second"), "--hub", "", "--at", f"127.0.0.1:{node.told['port']}"], path("second.log"), options.patience)
        peers.append(second)
        second.start("--accept", "--expect", "3")
        second.until(lambda: second.said("ready"), "a link without a hub")
        for k in range(1, 4):
            alice.post("send", to=second.user(), text=f"second {k}")
        second_code = second.end()
        if [x["text"] for x in second.kept()[1]] != [f"second {k}" for k in range(1, 4)]:
            raise Failed("the second peer does not hold Alice's three messages in their order")
        page = alice.ask("history", conversation=conversation, limit=200)["messages"]

        for one in groups:
            one.process.stdin.close()
        codes = [code, second_code, alice.close(), *(one.end() for one in groups)]
        good, counted = judge(n, alice, visitor, alice_id, mine, theirs, page)
        counted = [sum(numbers) for numbers in zip(counted, lost_there, lost_here)]
        print("sent {} lost {} doubled {} out-of-order {}; of them in groups {}".format(2 * n + in_garden + in_orchard, *counted, in_garden + in_orchard))
        return good and codes == [0] * 5 and counted == [0, 0, 0]
    finally:
        for one in peers:
            one.kill()
        if alice is not None and alice.process.poll() is None:
            alice.process.kill()
            alice.process.wait()
        for server in servers:
            server.kill()


def judge(n, alice, visitor, alice_id, mine, theirs, page):
    """Counts at Alice's client and in her history, and in the peer's folder; says what is not as it should be. Returns
    whether all is, and (lost, doubled, out of order)."""
    said = [SAYS.replace("{n}", str(k)) for k in range(1, n + 1)]
    wrong = [f"Alice: {bad}" for bad in alice.failed + alice.trouble]
    lost, doubled, disorder, texts = count(alice.received, visitor, said)
    history = [m for m in page if m["author"] == visitor]
    expected = {1: said[1] + " (edited)", 2: ""}
    if [m["text"] for m in history] != [expected.get(k, text) for k, text in enumerate(said)]:
        wrong.append("Alice's history of the peer's messages is not what it said")
    if [m["recalled"] for m in history] != [k == 2 for k in range(n)] or not history[1]["edited_ms"]:
        wrong.append("in Alice's history not exactly the third is recalled and the second edited")
    if [m["id"] for m in history] != [m["id"] for m in mine] or texts != said:
        wrong.append("what Alice received is not what the peer sent")
    expected = {3: "alice 4: changed", 4: ""}
    if [x["text"] for x in theirs] != [expected.get(k, f"alice {k + 1}: 回信\nsecond line") for k in range(n)]:
        wrong.append(f"the peer does not hold Alice's {n} messages in their order, with one edited and one recalled")
    if [x["id"] for x in theirs] != [m["id"] for m in page if m["author"] == alice_id]:
        wrong.append("the ids at the peer are not those of Alice's history")
    if not any(p["profile"]["user"] == visitor and p["profile"]["display_name"] == "Visitor" for p in alice.profiles):
        wrong.append("Alice was not told the visitor's profile")
    if any(x["state"] not in ("sent", "recalled") for x in mine):
        wrong.append("something of the peer's was refused")
    for line in wrong:
        print(f"not expected: {line}")
    return not wrong, (lost, doubled, disorder)


def main():
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", default="target/debug", help="folder with startalk, startalk-hub and startalk-terminal")
    parser.add_argument("--venv", default="target/python_peer", help="folder of the virtual environment")
    parser.add_argument("--messages", type=int, default=50, help="messages each way, at most 90")
    parser.add_argument("--patience", type=float, default=150, help="seconds in which nothing happens before it is given up")
    options = parser.parse_args()
    python = environment(os.path.abspath(options.venv))
    subprocess.run([python, os.path.join(PEER, "check_vectors.py")], check=True)
    folder = tempfile.mkdtemp(prefix="startalk-python-peer-")
    good = False
    try:
        good = run(options, folder, python)
    except Failed as failed:
        print(f"python_peer: {failed}")
    if good:
        shutil.rmtree(folder)
    else:
        print(f"python_peer: the folders are kept in {folder}", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
