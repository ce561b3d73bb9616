"""The link (chapter 3) without sockets: bytes in, events out; bytes to send from methods. Time is passed in."""

import re

import trust
import wire
from errors import Refused
from trust import check

FRAME_MAX, SMALL_FRAME_MAX, FIRST_FRAME_MAX, ITEM_MAX, BATCH_BYTES = 1048576, 262144, 32768, 196608, 262144
BATCH_MAX, WINDOW, REFUSALS_MAX = 64, 2048, 64
ASKED_MAX, ASK_BYTES, ANSWER_BYTES = 32, 65536, 1047552
# First bytes of the frames that may be large: batch, answer, note.
LARGE = (0x12, 0x4A, 0x52)
PING_AFTER, DEAD_AFTER, READY_WITHIN = 15, 45, 30
NOTHING = {"epoch": b"", "sequence": 0, "running": b""}


def running(before, item_hash):
    return trust.hash_of(before + item_hash)


def is_position(p):
    return len(p["epoch"]) == 16 and len(p["running"]) == 32 and (p["sequence"] > 0 or p["running"] == bytes(32))


def is_good(ephemeral, body):
    """Any other is dropped and closes nothing (§3.8)."""
    kinds = ephemeral["typing"] is not None or len(ephemeral["presence"] or "x" * 17) <= 16
    return len(body) <= 512 and trust.is_account(ephemeral["from"]) and trust.is_account(ephemeral["to"]) and kinds


def frame(**one):
    data = wire.write("FRAME", one)
    return len(data).to_bytes(4, "big") + data


def signed_bytes(sender, receiver, epoch, first_sequence, hashes):
    """What the signature of a batch covers (§3.5)."""
    names = b"".join(len(x).to_bytes(2, "big") + x.encode() for x in (sender, receiver))
    return names + epoch + first_sequence.to_bytes(8, "big") + len(hashes).to_bytes(4, "big") + b"".join(hashes)


def submissions_bytes(hashes):
    """What a domain signs of its group submissions in a batch (chapter 7 §3)."""
    return len(hashes).to_bytes(4, "big") + b"".join(hashes)


class Link:
    """One side of one link. `sent` and `received` are positions, `has(sequence)` gives the running hash of our outbox
    there or None, `judge(record bytes)` gives the peer's link keys or refuses."""

    def __init__(self, me, peer, record, instance, sent, received, has, judge, features=("groups",)):
        self.me, self.peer, self.sent, self.received, self.has, self.judge = me, peer, sent, received, has, judge
        self.features = features
        self.hello = frame(hello={
            "version_min": 1, "version_max": 1, "from": me, "to": peer, "record": record, "instance": instance,
            "features": list(features), "sent": sent, "received": received or NOTHING,
        })  # fmt: skip
        self.buffer, self.ready, self.keys = b"", False, []
        self.next_sequence = self.acked = 0  # of ours: to send next, acknowledged
        self.taken = self.told = 0  # of the peer's: taken, acknowledged by us
        self.peer_epoch = b""
        # With the feature `groups` on both sides: numbers of our questions without an answer, of the peer's, and all it used.
        self.groups, self.asked, self.last_ask, self.to_answer, self.used = False, set(), 0, set(), set()

    def receive(self, data):
        """Events: ("ready",), ("batch", first, entries, signed submissions), ("ack", sequence, refusals), ("ephemeral", …),
        ("ping", nonce), ("pong",), ("ask", id, what), ("answer", id, what or None, code of an error), ("note", what).
        Refuses with the code to close with; `went-back` with `who` = us or peer. ("closed", error): the peer closed."""
        self.buffer += data
        while True:
            if len(self.buffer) < 4:
                return
            length = int.from_bytes(self.buffer[:4], "big")
            small = len(self.buffer) > 4 and self.buffer[4] not in LARGE
            most = FIRST_FRAME_MAX if not self.ready else SMALL_FRAME_MAX if small else FRAME_MAX
            check(length <= most, "too-large", what="frame", got=length, max=most)
            if len(self.buffer) < 4 + length:
                return
            body, self.buffer = self.buffer[4 : 4 + length], self.buffer[4 + length :]
            yield from self._frame(body)

    def _frame(self, body):
        known = [number for number, _, _ in wire.fields(body)]
        check(len(known) == 1 and known[0] in wire.TABLES["FRAME"], "malformed", expected="a frame of one field")
        name, value = next((k, v) for k, v in wire.read("FRAME", body).items() if v is not None)
        if name == "close":
            error = value["error"] or {"code": "internal", "params": []}
            yield "closed", error["code"], {p["key"]: p["value"] for p in error["params"]}
        elif name == "hello":
            check(not self.ready, "malformed", expected="one hello")
            self._hello(value)
            yield ("ready",)
        else:
            check(self.ready, "malformed", expected="hello first")
            if name == "batch":
                yield from self._batch(value)
            elif name == "ack":
                yield self._ack(value)
            elif name in ("ask", "answer", "note"):
                yield getattr(self, "_" + name)(value)
            elif name != "ephemeral" or is_good(value, body):
                yield name, value

    def _hello(self, h):
        check(1 <= h["version_min"] <= h["version_max"], "malformed", expected="versions")
        check(h["version_min"] == 1, "unsupported-version", min=1, max=1)
        check(trust.is_domain(h["from"]) and trust.is_domain(h["to"]), "malformed", expected="domain")
        check(h["to"] == self.me and h["from"] == self.peer, "wrong-domain", domain=h["to"])
        check(h["record"], "malformed", expected="record")
        check(len(h["record"]) <= 16384, "too-large", what="record")
        check(len(h["features"]) <= 32, "too-many", what="features", max=32)
        check(all(re.fullmatch("[a-z0-9-]{1,32}", x) for x in h["features"]), "malformed", expected="feature")
        sent, received = h["sent"] or NOTHING, h["received"] or NOTHING
        check(len(h["instance"]) == 16 and is_position(sent) and (received == NOTHING or is_position(received)), "malformed", expected="position")
        # Of the feature `history`, which we do not have, only the form is looked at.
        known = h["known"] if "history" in h["features"] else []
        check(len(known) <= 96, "too-many", what="known positions", max=96)
        check(all(is_position(p) and p["sequence"] > 0 for p in known), "malformed", expected="known positions")
        self.keys = self.judge(h["record"])
        self.groups = "groups" in h["features"] and "groups" in self.features
        # Our own history first (§3.4).
        if received == NOTHING or received["epoch"] != self.sent["epoch"] or received["sequence"] == 0:
            self.next_sequence = 1
        elif self.has(received["sequence"]) == received["running"]:
            self.acked, self.next_sequence = received["sequence"], received["sequence"] + 1
        else:
            raise Refused("went-back", domain=self.me, head=self.sent["sequence"], cursor=received["sequence"])
        mine = self.received
        if mine and mine["epoch"] == sent["epoch"]:
            same = sent["sequence"] > mine["sequence"] or (sent["sequence"], sent["running"]) == (mine["sequence"], mine["running"])
            check(same, "went-back", domain=self.peer, head=sent["sequence"], cursor=mine["sequence"])
            self.taken = self.told = mine["sequence"]
        self.peer_epoch, self.ready = sent["epoch"], True

    def _batch(self, b):
        entries = b["entries"]
        check(len(entries) <= BATCH_MAX, "too-many", what="entries", max=BATCH_MAX)
        check(entries and b["first_sequence"] >= 1, "malformed", expected="entries")
        for e in entries:
            check(e["item"] if e["item"] is not None else len(e["withheld"] or b"") == 32, "malformed", expected="entry")
            check(len(e["item"] or b"") <= ITEM_MAX, "too-large", what="item", max=ITEM_MAX)
        check(len(b["link_key"]) == 32 and len(b["signature"]) == 64, "malformed", expected="key and signature")
        check(b["epoch"] == self.peer_epoch, "malformed", expected="epoch of the hello")
        check(b["link_key"] in self.keys, "wrong-key", what="batch", domain=self.peer)
        hashes = [e["withheld"] if e["item"] is None else trust.hash_of(e["item"]) for e in entries]
        data = signed_bytes(self.peer, self.me, b["epoch"], b["first_sequence"], hashes)
        trust.verify(b["link_key"], "startalk link batch v1", data, b["signature"], "batch")
        submissions = self._submissions(b)
        first, last = b["first_sequence"], b["first_sequence"] + len(entries) - 1
        if last <= self.taken:
            return  # A replay. Acks are cumulative: the next says it again.
        check(first == self.taken + 1, "out-of-order", got=first, expected=self.taken + 1)
        check(last - self.told <= WINDOW, "too-many", what="entries not acknowledged", max=WINDOW)
        self.taken = last
        yield "batch", first, [(e["item"], h) for e, h in zip(entries, hashes)], submissions

    def _submissions(self, b):
        """What the peer signed of the group submissions in a batch, as a `group.Proof` without its domain; None if nothing."""
        if b["submissions"] is None:
            return None
        hashes, signature = b["submissions"]["hashes"], b["submissions"]["signature"]
        check(len(hashes) <= BATCH_MAX, "too-many", what="submissions", max=BATCH_MAX)
        check(hashes and all(len(x) == 32 for x in hashes) and len(signature) == 64, "malformed", expected="hashes of submissions")
        trust.verify(b["link_key"], "startalk group submissions v1", submissions_bytes(hashes), signature, "submissions")
        return {"link_key": b["link_key"], "hashes": hashes, "signature": signature}

    def _ack(self, a):
        check(a["epoch"] == self.sent["epoch"], "malformed", expected="epoch of the hello")
        numbers = [r["sequence"] for r in a["refused"]]
        check(len(numbers) <= REFUSALS_MAX, "too-many", what="refusals", max=REFUSALS_MAX)
        good = numbers == sorted(set(numbers)) and all(1 <= n <= a["sequence"] for n in numbers) and all(r["error"] for r in a["refused"])
        check(good, "malformed", expected="refusals in order")
        check(a["sequence"] < self.next_sequence, "out-of-order", got=a["sequence"], expected=self.next_sequence)
        self.acked = max(self.acked, a["sequence"])
        return "ack", a["sequence"], [(r["sequence"], r["error"]["code"]) for r in a["refused"]]

    def _ask(self, a):
        check(self.groups and a["id"] and a["what"] and a["id"] not in self.used, "malformed", expected="a new question")
        check(len(a["what"]) <= ASK_BYTES, "too-large", what="ask", max=ASK_BYTES)
        check(len(self.to_answer) < ASKED_MAX, "too-many", what="questions", max=ASKED_MAX)
        self.used.add(a["id"])
        self.to_answer.add(a["id"])
        return "ask", a["id"], a["what"]

    def _answer(self, a):
        check(self.groups and a["id"] in self.asked and (a["what"] or a["error"]), "malformed", expected="an answer to a question")
        self.asked.remove(a["id"])
        return "answer", a["id"], a["what"], a["error"] and a["error"]["code"]

    def _note(self, n):
        check(self.groups and n["what"], "malformed", expected="a note")
        return "note", n["what"]

    def ask(self, what):
        """The number of a new question, and its frame; None while too many wait for an answer."""
        if not self.groups or len(self.asked) >= ASKED_MAX:
            return None
        self.last_ask += 1
        self.asked.add(self.last_ask)
        return self.last_ask, frame(ask={"id": self.last_ask, "what": what})

    def answer(self, number, what):
        """`what`: bytes, or a Refused."""
        self.to_answer.remove(number)
        said = {"error": what.message()} if isinstance(what, Refused) else {"what": what}
        return frame(answer={"id": number, **said})

    def batch(self, outbox, link_key):
        """The next batch of `outbox` as (item or None, hash, hash of its group submission or None), from number 1; None if nothing waits or the window is full."""
        first, entries, submissions, size = self.next_sequence, [], [], 0
        while first + len(entries) <= min(len(outbox), self.acked + WINDOW) and len(entries) < BATCH_MAX:
            item, item_hash, submission = outbox[first + len(entries) - 1]
            size += len(item or b"")
            if entries and size > BATCH_BYTES:
                break
            entries.append(({"withheld": item_hash} if item is None else {"item": item}, item_hash))
            submissions += [submission] if submission and item is not None else []
        if not entries:
            return None
        self.next_sequence += len(entries)
        data = signed_bytes(self.me, self.peer, self.sent["epoch"], first, [h for _, h in entries])
        signed = submissions and {"hashes": submissions, "signature": trust.sign(link_key, "startalk group submissions v1", submissions_bytes(submissions))}
        return frame(batch={
            "submissions": signed or None, "epoch": self.sent["epoch"], "first_sequence": first, "entries": [e for e, _ in entries],
            "link_key": trust.public(link_key), "signature": trust.sign(link_key, "startalk link batch v1", data),
        })  # fmt: skip

    def ack(self, sequence, refusals):
        """Only for what is durable. `refusals`: (sequence, Refused), ascending, at most 64."""
        self.told = max(self.told, sequence)
        refused = [{"sequence": n, "error": e.message()} for n, e in refusals]
        return frame(ack={"epoch": self.peer_epoch, "sequence": sequence, "refused": refused})
