#!/usr/bin/env python3
"""A stranger's test: two domains and a hub, with nothing but the three programs and docs/json-client.md.

Starts a hub and two nodes on loopback, registers a person on each by the node's first link, has them send messages to
each other, ends one node with SIGKILL in the middle and starts it again, and counts at the receiving clients. The
standard library of Python 3 only; knows no file, library or protocol of the project.

    python3 tests/e2e/stranger.py --binaries target/debug --messages 150

The last line is `sent N delivered N lost 0 doubled 0 out-of-order 0`; the exit code is 0 only if it reads like that and
both SHA-256 agree. Waiting is given up only when nothing at all has happened for --patience seconds.
"""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time


class Failed(Exception):
    """Something did not happen; said in one line."""


class Server:
    """A hub or a node: a process that says in one line of JSON where it listens."""

    def __init__(self, program, arguments, log):
        self.program, self.arguments, self.log = program, arguments, log
        self.process, self.told = None, None

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.program, *self.arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log)
        line = self.process.stdout.readline()
        try:
            self.told = json.loads(line)
        except ValueError:
            self.process.kill()
            with open(self.log, errors="replace") as log:
                raise Failed(f"{self.program} did not get ready: {line!r}\n{log.read()}") from None
        return self.told

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()


class Client:
    """`startalk-terminal --json`: commands in, answers and events out."""

    def __init__(self, program, folder, log, patience):
        self.patience, self.last_id, self.answers, self.news = patience, 0, {}, threading.Condition()
        self.received, self.sent, self.failed, self.trouble, self.requests = [], 0, [], [], []
        self.moved = time.monotonic()
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(
                [program, "--json", "--data", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
                text=True, encoding="utf-8",
            )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            value = json.loads(line)
            with self.news:
                self.moved = time.monotonic()
                self._take(value)
                self.news.notify_all()

    def _take(self, value):
        if "event" not in value:
            self.answers[value["id"]] = value
        elif value["event"] == "message":
            self.received.append(value["message"])
        elif value["event"] == "sent":
            self.sent += 1
        elif value["event"] == "failed" or (value["event"] == "changed" and value["message"]["refused"]):
            self.failed.append(value)
        elif value["event"] in ("gap", "went_back", "signed_out"):
            self.trouble.append(value)
        elif value["event"] == "conversation" and value["conversation"]["request"]:
            self.requests.append(value["conversation"]["conversation"])

    def post(self, command, **fields):
        with self.news:
            self.last_id += 1
            number = self.last_id
        self.process.stdin.write(json.dumps({"id": number, "command": command, **fields}) + "\n")
        self.process.stdin.flush()
        return number

    def ask(self, command, **fields):
        number = self.post(command, **fields)
        self.until(lambda: number in self.answers, f"an answer to {command}")
        answer = self.answers.pop(number)
        if "error" in answer:
            raise Failed(f"{command}: {answer['error']['words_en']}")
        return answer["ok"]

    def until(self, holds, what):
        began = time.monotonic()
        with self.news:
            while not holds():
                if not self.news.wait(1) and time.monotonic() - max(self.moved, began) > self.patience:
                    raise Failed(f"waited for {what}: nothing has happened for {self.patience} s")

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


def text_of(author, number):
    """Different every time, in two scripts, over several lines now and then."""
    text = f"{author} {number}: {'天地玄黄，宇宙洪荒。' * (number % 4)}{'lorem ipsum ' * (number % 7)}🙂 \"quoted\" \\ <b>&amp;</b>"
    return text + "\n\nthird line, 第三行" if number % 5 == 0 else text


def sha256(texts):
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()


def count(received, author, said):
    """Lost, doubled and out of order among what was received of one author; and the texts by number."""
    texts, doubled, out_of_order, last = {}, 0, 0, 0
    for message in received:
        if message["author"] != author:
            continue
        number = int(message["text"].split(":")[0].split(" ")[1])
        if number in texts:
            doubled += 1
        elif number < last:
            out_of_order += 1
        texts[number] = message["text"]
        last = max(last, number)
    return len(said) - len(texts), doubled, out_of_order, [texts[n] for n in sorted(texts)]


def run(options, folder):
    program = lambda name: os.path.join(os.path.abspath(options.binaries), name)
    path = lambda name: os.path.join(folder, name)
    servers, clients = [], []

    def node(name, hub_url, port=0):
        arguments = ["--json", "--data", path(name), "up", "--listen", f"127.0.0.1:{port}", "--hub", hub_url, "--allow-private-addresses"]
        servers.append(Server(program("startalk"), arguments, path(name + ".log")))
        servers[-1].start()
        return servers[-1]

    def person(name, link):
        clients.append(Client(program("startalk-terminal"), path(name), path(name + ".log"), options.patience))
        me = clients[-1].ask("register", user=name, link=link, password="correct horse battery staple")
        print(f"client  pid {clients[-1].process.pid:6}  {me['user']}")
        return clients[-1], me["user"]

    try:
        hub = Server(program("startalk-hub"), ["--json", "--http", "127.0.0.1:0", "--allow-private-addresses"], path("hub.log"))
        servers.append(hub)
        hub_url = hub.start()["hub_url"]
        a, b = node("a", hub_url), node("b", hub_url)
        print(f"hub     pid {hub.process.pid:6}  {hub_url}")
        print(f"node a  pid {a.process.pid:6}  {a.told['domain']}")
        print(f"node b  pid {b.process.pid:6}  {b.told['domain']}")
        alice, alice_id = person("alice", a.told["first_link"])
        bob, bob_id = person("bob", b.told["first_link"])

        from_alice = [text_of("alice", n) for n in range(1, options.messages + 1)]
        from_bob = [text_of("bob", n) for n in range(1, options.messages + 1)]
        # A first contact from another domain waits until it is accepted.
        alice.post("send", to=bob_id, text=from_alice[0])
        bob.until(lambda: bob.requests, "the first contact; are hub and nodes up?")
        bob.ask("accept", conversation=bob.requests[0])
        for n in range(options.messages):
            if n > 0:
                alice.post("send", to=bob_id, text=from_alice[n])
            bob.post("send", to=alice_id, text=from_bob[n])

        bob.until(lambda: len(alice.received) + len(bob.received) >= options.messages, "half of the messages")
        old = b.process.pid
        b.kill()
        there = len(alice.received) + len(bob.received)
        b.arguments[b.arguments.index("--listen") + 1] = f"127.0.0.1:{b.told['port']}"
        b.start()
        print(f"node b  killed (pid {old}) with {there} of {2 * options.messages} messages delivered, started again: pid {b.process.pid}")

        alice.ask("wait_sent")
        bob.ask("wait_sent")
        problem = None
        try:
            alice.until(lambda: len(alice.received) >= options.messages, "bob's messages at alice")
            bob.until(lambda: len(bob.received) >= options.messages, "alice's messages at bob")
        except Failed as failed:
            problem = failed
        codes = [client.close() for client in clients]

        lost_a, doubled_a, order_a, at_alice = count(alice.received, bob_id, from_bob)
        lost_b, doubled_b, order_b, at_bob = count(bob.received, alice_id, from_alice)
        sent_hash, received_hash = sha256(from_alice + from_bob), sha256(at_bob + at_alice)
        print(f"SHA-256 of all texts sent      {sent_hash}")
        print(f"SHA-256 of all texts received  {received_hash}")
        for bad in [problem, *alice.failed, *alice.trouble, *bob.failed, *bob.trouble]:
            if bad is not None:
                print(f"not expected: {bad}")
        sent, lost, doubled, order = 2 * options.messages, lost_a + lost_b, doubled_a + doubled_b, order_a + order_b
        good = (lost, doubled, order, sent_hash) == (0, 0, 0, received_hash) and problem is None
        good = good and alice.sent == bob.sent == options.messages and codes == [0, 0]
        good = good and not (alice.failed or alice.trouble or bob.failed or bob.trouble)
        print(f"sent {sent} delivered {sent - lost} lost {lost} doubled {doubled} out-of-order {order}")
        return good
    finally:
        for client in clients:
            if client.process.poll() is None:
                client.process.kill()
                client.process.wait()
        for server in servers:
            server.kill()


def main():
    sys.stdout.reconfigure(line_buffering=True)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binaries", default="target/debug", help="folder with startalk, startalk-hub and startalk-terminal")
    parser.add_argument("--messages", type=int, default=150, help="messages each way")
    parser.add_argument("--patience", type=float, default=150, help="seconds in which nothing happens before it is given up")
    parser.add_argument("--keep", action="store_true", help="keep the folders")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="startalk-stranger-")
    good = False
    try:
        good = run(options, folder)
    except Failed as failed:
        print(f"stranger: {failed}")
    if good and not options.keep:
        shutil.rmtree(folder)
    else:
        print(f"stranger: the folders are kept in {folder}", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
