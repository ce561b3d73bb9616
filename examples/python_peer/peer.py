#!/usr/bin/env python3
"""A tiny Startalk domain of one account that talks to one person of another domain. See README.md.

This file has the command line, clocks and pauses, and brings link, conversations and groups together.
"""

import argparse
import asyncio
import json
import random
import secrets
import sys
import time

import commands
import link
import transport
import trust
from conversation import Conversations, words
from errors import Refused
from follow import Followed
from home import Homes
from state import State

INSTANCE = secrets.token_bytes(16)


def now_ms():
    return time.time_ns() // 1_000_000


def say(event, **fields):
    print(json.dumps({"event": event, **fields}, ensure_ascii=False), flush=True)


class Peer:
    def __init__(self, options):
        self.options = options
        self.state = State(options.data, options.account, now_ms())
        self.me, self.user = self.state.all["domain"], options.to
        self.domain = options.to.split("@")[1]
        self.talk = Conversations(self.state, options.accept, options.read)
        self.followed, self.homes = Followed(self.state), Homes(self.state)
        self.talk.others["group_invite"] = self.followed.invited
        self.talk.others["group_submission"] = lambda *said: self.homes.submitted(*said, self.talk.proof)
        self.commands, self.lines, self.cut = commands.Commands(self.state, self.followed, self.homes), asyncio.Queue(), None
        self.linked = False  # since the last pause
        self.actions = [("send", n) for n in range(1, options.send + 1)]
        self.actions += [("edit", n) for n in options.edit] + [("recall", n) for n in options.recall]

    # --- who and where the other is

    def judge(self, data, tls_key=None):
        """A record of the other domain: verified, proven or following its pin, which moves on. Its link keys valid now."""
        record = trust.verify_record(data, now_ms())
        charter, peer = record["charter"], self.state.peer(self.domain)
        trust.check(charter["domain"] == self.domain, "wrong-domain", domain=charter["domain"])
        keys = [k["key"] for k in charter["link_keys"] if trust.valid_at(k, now_ms())]
        trust.check(tls_key is None or tls_key in keys, "wrong-key", what="TLS", domain=self.domain)
        if peer["pin"] is None:
            line = [charter["root_key"]] + [step["from"] for step in charter["line"]]
            configured = self.options.root.lower() in [f for k in line for f in (trust.letters(k), trust.hash_of(k).hex())]
            by_name = self.domain.endswith(".alt") and not self.options.root
            trust.check(configured or by_name, "not-proven", domain=self.domain)
        peer["pin"] = trust.follow(peer["pin"], record)
        peer["charter"] = record["signed_charter"].hex()
        self.state.commit()
        return keys, record["endpoints"]

    def announce(self):
        """With each attempt to dial; a hub that is away stops nobody whose place is known."""
        if not self.options.hub:
            return
        try:
            status, _ = transport.ask_hub(self.options.hub, "/v1/announce", self.state.record(now_ms()))
            say("announced", domain=self.me, status=status)
        except OSError as failed:
            say("not_announced", why=str(failed))

    def places(self):
        if self.options.at:
            host, _, port = self.options.at.rpartition(":")
            return [(host, int(port))]
        _, record = transport.ask_hub(self.options.hub, "/v1/domains/" + self.domain)
        return [(e["host"], e["port"]) for e in self.judge(record)[1]]

    # --- one link

    async def dial(self):
        """Tries the places in turn; returns when everything is done, raises when the link ends otherwise."""
        for host, port in self.places():
            try:
                context = transport.connection(host, port, self.domain, self.state.key("link"))
                stream = await asyncio.wait_for(context.__aenter__(), 10)
            except (OSError, asyncio.TimeoutError) as failed:
                say("unreachable", host=host, port=port, why=repr(failed))
                continue
            try:
                return await self.talk_over(stream)
            finally:
                await context.__aexit__(None, None, None)
        raise ConnectionError("no place answered")

    async def talk_over(self, stream):
        judge = lambda data: self.judge(data, stream.peer_key())[0]  # noqa: E731
        sent, received = self.state.sent(self.domain), self.state.received(self.domain)
        has = lambda sequence: self.state.running_at(self.domain, sequence)  # noqa: E731
        over = link.Link(self.me, self.domain, self.state.record(now_ms()), INSTANCE, sent, received, has, judge)
        stream.write(over.hello)
        try:
            return await self._run(stream, over)
        except Refused as refused:
            say("closing", code=refused.code, params=refused.params)
            if refused.code == "went-back" and refused.params["domain"] == self.me:
                self.state.new_epoch(self.domain)
            await stream.farewell(refused.message())
            raise ConnectionError(refused.code) from None

    async def _run(self, stream, over):
        clock = asyncio.get_running_loop().time
        began = heard = said = pinged = acted = marked = looked = clock()
        tick = min(0.2, max(self.options.pause / 1000, 0.005))
        while True:
            try:
                data = await asyncio.wait_for(stream.came.get(), tick)
            except asyncio.TimeoutError:
                data = b""
            if data is None:
                raise ConnectionError("the connection ended")
            now, heard = clock(), clock() if data else heard
            self._cut_here("heard", data and over.ready)
            self._cut_here("answered", data and over.ready and over.acked < over.next_sequence - 1)
            for event in over.receive(data):
                answer = self._on(over, *event)
                if answer:
                    stream.write(answer)
                    said = clock()
            if not over.ready:
                trust.check(now - began < link.READY_WITHIN, "idle-timeout")
                continue
            trust.check(now - heard < link.DEAD_AFTER, "idle-timeout")
            if max(now - heard, now - said) >= link.PING_AFTER and now - pinged >= link.PING_AFTER:
                stream.write(link.frame(ping={"nonce": 1}))
                said = pinged = now
            while not self.lines.empty():
                self._obey(self.lines.get_nowait())
            if (now - acted) * 1000 >= self.options.pause:
                acted = now
                self._act()
            if now - looked >= 5:
                looked = now
                self.followed.look(self.domain)
            if now - marked >= 1:
                marked = now
                self.talk.mark(now_ms())
                self.state.commit()
            while batch := over.batch(self._outbox(), self.state.key("link")):
                stream.write(batch)
                said = now
                self._cut_here("sent", True)
            for frame in self._about_groups(over):
                stream.write(frame)
                said = now
            if self._finished():
                return await stream.farewell({"code": "stopping"})

    def _on(self, over, name, *values):
        """One event of the link; returns what is to be written."""
        if name == "ready":
            self.talk.epoch, self.linked = over.peer_epoch, True
            say("ready", domain=self.domain)
            self.followed.ready(self.domain)
            self.homes.news = set(self.homes.homes)
            # What the peer has by its hello is acknowledged, though the ack was lost with the last link.
            self._tell(self.talk.acked(self.domain, over.acked, []))
            first = max(over.taken - 2047, 1)
            again = [(n, Refused(code)) for n, code in self.state.peer(self.domain)["refusals"] if n >= first][-link.REFUSALS_MAX :]
            return over.ack(over.taken, again) if again else None
        if name == "batch":
            events, refusals = self.talk.take(self.domain, *values, now_ms())
            self._tell(events)
            return over.ack(over.taken, refusals)
        if name == "ack":
            self._tell(self.followed.acked(self.domain, *values) + self.talk.acked(self.domain, *values))
        if name == "ping":
            return link.frame(pong=values[0])
        if name == "ephemeral":
            say("ephemeral", **{k: v for k, v in values[0].items() if v is not None})
        if name == "ask":
            answer = self.homes.answer(self.domain, values[1], now_ms())
            self.state.commit()
            return over.answer(values[0], answer)
        if name == "answer":
            self._tell(self.followed.answered(*values))
        if name == "note":
            self._tell(self.followed.noted(self.domain, *values))
        if name == "closed":
            raise ConnectionError(f"the peer closed: {values}")

    def _tell(self, events):
        for event in events:
            say(**event)

    def _about_groups(self, over):
        """Frames: questions to the homes of groups, and news to the followers of ours."""
        if not over.groups:
            return
        for group, what in self.followed.questions(self.domain):
            asked = over.ask(what)
            if asked is None:
                return self.followed.wanted.add(group)
            self.followed.asked(asked[0], group)
            yield asked[1]
        for note in self.homes.hints(self.domain):
            yield link.frame(note={"what": note})

    def _obey(self, line):
        """A command of standard input. `cut` is none of a person: it ends the connection in the middle, without a word."""
        if not line:
            self.options.stay = False
        elif json.loads(line)["do"] == "cut":
            self.cut = json.loads(line)["when"]
        else:
            say(**self.commands.do(line, now_ms()))

    def _cut_here(self, when, holds):
        """`sent`: the next batch is out, nothing came back. `answered`: what comes while one is out is thrown away unread.
        `heard`: what comes next is."""
        if holds and self.cut == when:
            self.cut = None
            raise ConnectionError(f"cut as asked: {when}")

    def _outbox(self):
        outbox = self.state.peer(self.domain)["outbox"]
        return [(e["item"] and bytes.fromhex(e["item"]), bytes.fromhex(e["hash"]), bytes.fromhex(e["submission"])) for e in outbox]

    def _act(self):
        """The next thing of the command line: in the outbox, and no more to be done, in one commit."""
        done = self.state.all["said"]
        if done >= len(self.actions):
            return
        verb, number = self.actions[done]
        words_of = self.options.text.replace("{n}", str(number))
        if verb == "send":
            self.talk.send(self.user, words_of, now_ms())
        elif verb == "edit":
            self.talk.edit(self.user, number, words_of + " (edited)", now_ms())
        else:
            self.talk.recall(self.user, number, now_ms())
        self.state.all["said"] = done + 1
        self.state.commit()

    def _lines(self, mine):
        return [x for x in self.state.all["people"].get(self.user, {"lines": []})["lines"] if x["mine"] == mine]

    def _finished(self):
        peer = self.state.peer(self.domain)
        sent = self.state.all["said"] >= len(self.actions) and peer["acked"] == len(peer["outbox"])
        return not self.options.stay and sent and len(self._lines(mine=False)) >= self.options.expect

    async def run(self):
        """Links one after the other, with growing pauses, which begin anew when there was a link (§3.10)."""
        say("domain", domain=self.me, user=f"{self.state.all['account']}@{self.me}", messages=len(self._lines(mine=False)))
        pause = 0.5
        if self.options.commands:
            self.options.stay = True
            commands.read_lines(asyncio.get_running_loop(), self.lines.put_nowait)
        while True:
            try:
                self.announce()
                await self.dial()
                return
            except (OSError, Refused) as down:
                pause, self.linked = 0.5 if self.linked else min(pause * 2, 60), False
                say("down", why=str(down), again_in_s=round(pause, 1))
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))

    def show(self):
        for mine in (True, False):
            for n, x in enumerate(self._lines(mine), 1):
                content = words(bytes.fromhex(x["content"])) if x["content"] else ""
                say("line", mine=mine, number=n, id=x["id"], text=content, state=x["state"], edited=x["edited"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="folder for state.json: keys, outbox, cursor, conversations")
    parser.add_argument("--to", required=True, metavar="NAME@DOMAIN", help="the person to talk to")
    parser.add_argument("--hub", default="", help="where to announce, and to ask for the other domain")
    parser.add_argument("--at", default="", metavar="HOST:PORT", help="where the other domain is, instead of asking the hub")
    parser.add_argument("--root", default="", help="fingerprint of a root key of the other domain; not needed for key names")
    parser.add_argument("--account", default="visitor", help="name of our account, the first time")
    parser.add_argument("--send", type=int, default=0, metavar="N", help="send N messages in all, over all starts")
    parser.add_argument("--text", default="hello {n}", help="what they say")
    parser.add_argument("--edit", type=int, action="append", default=[], metavar="K", help="then edit the K-th of them")
    parser.add_argument("--recall", type=int, action="append", default=[], metavar="K", help="then recall the K-th of them")
    parser.add_argument("--pause", type=int, default=0, metavar="MS", help="between two of these")
    parser.add_argument("--expect", type=int, default=0, metavar="M", help="end when M messages are here and ours are acknowledged")
    parser.add_argument("--stay", action="store_true", help="do not end by itself")
    parser.add_argument("--accept", action="store_true", help="accept first contacts as they come")
    parser.add_argument("--read", action="store_true", help="mark as read what comes")
    parser.add_argument("--commands", action="store_true", help="take part in groups, by commands on standard input")
    parser.add_argument("--show", action="store_true", help="only print what the folder holds")
    options = parser.parse_args()
    peer = Peer(options)
    if options.show:
        return peer.show()
    asyncio.run(peer.run())


if __name__ == "__main__":
    sys.exit(main())
