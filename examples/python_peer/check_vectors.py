#!/usr/bin/env python3
"""Runs the vectors of federation-spec: `python3 check_vectors.py ../../federation-spec/vectors`."""

import json
import os
import sys

import group
import link
import trust
import wire
from conversation import Conversations
from errors import Refused
from state import State

FOLDER = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), "../../federation-spec/vectors")
counts = {"held": 0, "failed": 0}
h = bytes.fromhex


def load(name):
    with open(os.path.join(FOLDER, name)) as file:
        return json.load(file)


def expect(about, wanted, do):
    """`wanted`: the code of a refusal, or None."""
    try:
        do()
        got = None
    except Refused as refused:
        got = refused.code
    counts["held" if got == wanted else "failed"] += 1
    if got != wanted:
        print(f"{about}: expected {wanted}, got {got}")


def same(about, a, b):
    expect(about, None, lambda: trust.check(a == b, f"{a!r} is not {b!r}"))


def names():
    for case in load("trust/valid/names.json"):
        text = case["canonical"]
        if case["kind"] == "root-key":
            same(text, trust.key_name(h(case["text"])), text)
        else:
            account, _, domain = text.rpartition("@")
            same(text, trust.is_domain(domain) and (case["kind"] == "domain" or trust.is_account(account)), True)
    for case in load("trust/invalid/names.json"):
        account, _, domain = case["text"].rpartition("@")
        good = trust.is_domain(domain) and (case["kind"] == "domain" or trust.is_account(account))
        same(case["text"], good, False)


def trusted():
    for folder in ("valid", "invalid"):
        for c in load(f"trust/{folder}/signatures.json"):
            args = (h(c["key"]), c["context"], h(c["bytes"]), h(c["signature"]), "vector")
            expect(c["about"], None if folder == "valid" else "bad-signature", lambda: trust.verify(*args))
        for c in load(f"trust/{folder}/charters.json"):
            expect(c["about"], c.get("error"), lambda: trust.verify_charter(h(c["bytes"])))
        for c in load(f"trust/{folder}/records.json"):
            expect(c["about"], c.get("error"), lambda: trust.verify_record(h(c["bytes"]), c["now_ms"]))
        for c in load(f"trust/{folder}/pins.json"):
            expect(c["about"], c.get("error"), lambda: trust.follow(c["pinned"], trust.verify_record(h(c["record"]), c["now_ms"])))


def links():
    before = bytes(32)
    for step in load("link/running.json")["steps"]:
        before = link.running(before, trust.hash_of(h(step["item"])))
        same(f"running {step['sequence']}", before.hex(), step["running"])
    hellos, batches = load("link/hello.json")["cases"], load("link/batch.json")
    for c in hellos:
        position = lambda p: p and {"epoch": h(p["epoch"]), "sequence": p["sequence"], "running": h(p["running"])}  # noqa: E731
        mine = wire.read("FRAME", h(c["stream"])[4:])["hello"]
        same(c["name"], (mine["from"], mine["to"], mine["features"], mine["sent"]), (c["from"], c["to"], c["features"], position(c["sent"])))
        same(c["name"], mine["received"] if mine["received"]["epoch"] else None, position(c["received"]))
    for c in batches["cases"]:
        batch = wire.read("FRAME", h(c["stream"])[4:])["batch"]
        hashes = [e["withheld"] if e["item"] is None else trust.hash_of(e["item"]) for e in batch["entries"]]
        signed = link.signed_bytes("a.example", "b.example", batch["epoch"], batch["first_sequence"], hashes)
        same(c["name"], signed.hex(), c["signed"])
        same(c["name"], trust.sign(h(batches["seed"]), batches["context"], signed).hex(), c["signature"])
    for c in load("link/frames.json")["cases"]:
        same(c["name"], link.frame(**wire.read("FRAME", h(c["stream"])[4:])).hex(), c["stream"])
    for c in load("link/invalid.json")["cases"]:
        expect(c["name"], c["code"], lambda: read_all(c, hellos, batches))


    for c in load("link/tolerated.json")["cases"]:
        expect(c["name"], None, lambda: same(c["name"], read_all(c, hellos, batches), c["takes"]))


def read_all(case, hellos, batches):
    """Sequences of the items that the case's stream brings."""
    sent = {"epoch": b"b" * 16, "sequence": 0, "running": bytes(32)}
    judge = lambda record: [h(batches["link_key"])]  # noqa: E731
    b = link.Link("b.example", "a.example", b"record", bytes(16), sent, None, lambda sequence: None, judge)
    before = hellos[0]["stream"] + batches["cases"][1]["stream"] if case["state"] == "ready" else ""
    list(b.receive(h(before)))
    return [e[1] + n for e in b.receive(h(case["stream"])) if e[0] == "batch" for n in range(len(e[2]))]


class Memory(State):
    """A state that is nowhere but here: b.example with the account bob."""

    def __init__(self):
        self.all = {"domain": "b.example", "account": "bob", "time_ms": 0, "last_id": "", "profile_revision": 1, "peers": {}, "people": {}}

    def commit(self):
        pass


def became(talk, now_ms, item):
    """What becomes of an item: `effect`, `closed`, or the code with which it is refused."""
    try:
        event = None if item is None else talk._item("a.example", item, now_ms)
    except Refused as refused:
        return refused.code
    return "effect" if event else "closed"


def bob_does(talk, step):
    if step["bob"] == "writes":
        person = talk._person("alice@a.example", "accepted")
        person["state"] = "accepted"
        person["lines"].append({"id": step["id"], "mine": True, "content": "", "state": "sent", "edited": False})
    elif step["bob"] == "blocks alice":
        talk.state.all["blocked"] = ["alice@a.example"]
    elif step["bob"] == "deletes the account":
        talk.me = None
    else:
        talk.people["alice@a.example"]["state"] = {"accepts": "accepted", "turns down": "turned down"}[step["bob"]]


def items():
    vectors = load("items/items.json")
    for case in vectors["cases"]:
        talk = Conversations(Memory())
        for n, step in enumerate(case["steps"], 1):
            if "bob" in step:
                bob_does(talk, step)
            else:
                item = None if step["item"] is None else h(step["item"])
                same(f"{case['name']}, step {n}", became(talk, vectors["now_ms"], item), step["becomes"])
    for case in load("items/content.json")["cases"]:
        content = b"".join(h(part["hex"]) * part["times"] for part in case["content"])
        for place in ("accepted", "request"):
            talk = Conversations(Memory())
            if place == "accepted":
                bob_does(talk, {"bob": "writes", "id": "00" * 16})
            message = {"from": "alice", "to": "bob", "message": {"id": bytes(15) + b"\1", "content": content}}
            same(f"{case['name']}, {place}", became(talk, vectors["now_ms"], wire.write("ITEM", message)), case[place])


def groups():
    """A log, and that it is not taken with anything in it changed."""
    v = load("groups/log.json")
    same("group", group.group_id(h(v["entries"][0]["submission"])), v["group"])
    for e in v["entries"]:
        body = group.body_hash({"written": h(e["written"]) or None, "erased": None})
        same(f"body {e['sequence']}", body.hex(), e["body_hash"])
        same(f"submission {e['sequence']}", group.submission_hash(v["group"], h(e["submission"]), body).hex(), e["submission_hash"])
    for head in v["heads"]:
        same("head", group.head_bytes(wire.read("HEAD", h(head["head"]))).hex(), head["signed"])
    hashes = [h(e["submission_hash"]) for e in v["entries"] if e["origin"]]
    same("submissions", link.submissions_bytes(hashes).hex(), v["submissions"]["signed"])
    replica = lambda **at: group.Replica(v["group"], trust.verify_charter(h(v["home_charter"])), **at)  # noqa: E731
    whole = replica()
    same("the range", [n for n, *_ in whole.take(wire.read("RANGE", h(v["range"])))], [e["sequence"] for e in v["entries"]])
    same("the chain", whole.chain.hex(), v["entries"][-1]["chain"])
    for n in range(len(v["entries"])):
        for field, value in (("submission", b""), ("decided", b"\x08\x09"), ("origin", "other.example"), ("time_ms", 1), ("written", b"x" * 20)):
            changed = wire.read("RANGE", h(v["range"]))
            changed["entries"][n][field] = value
            if field == "written":
                changed["entries"][n]["erased"] = None
            same(f"entry {n + 1} with another {field}", taken(replica(), wire.write("RANGE", changed)), False)
    for name, change in (
        ("an entry left out", lambda r: r["entries"].pop(2)),
        ("two entries exchanged", lambda r: r["entries"].insert(0, r["entries"].pop())),
        ("no proof", lambda r: r["proofs"].clear()),
        ("no charter", lambda r: r["charters"].clear()),
        ("another head", lambda r: r["at"].update(sequence=7)),
        ("a proof by the home", lambda r: r["proofs"][0].update(link_key=r["at"]["link_key"])),
    ):
        changed = wire.read("RANGE", h(v["range"]))
        change(changed)
        same(name, taken(replica(), wire.write("RANGE", changed)), False)
    same("two histories", taken(replica(chain=b"x" * 32), h(v["range"])), "two histories")
    same("another root key than the pinned", taken(replica(known={"away.example": {"first_root_key": bytes(32), "link_keys": []}}), h(v["range"])), False)
    same("times that go back", taken(replica(not_before_ms=1900000000000), h(v["range"])), False)
    same("a home that went back", taken(replica(chain=b"x" * 32, epoch=0), h(v["range"])), "went back")


def taken(replica, data):
    try:
        replica.take(wire.read("RANGE", data))
    except group.TwoHistories:
        return "two histories"
    except group.WentBack:
        return "went back"
    except Refused:
        return False
    return True


names()
trusted()
links()
items()
groups()
print(f"{counts['held']} hold, {counts['failed']} do not")
sys.exit(counts["failed"] > 0)
