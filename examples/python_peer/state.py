"""What must survive being killed: one JSON document, written beside itself and renamed, so that it is the old or the new.

Every commit writes the whole; that is right for a program of this size and for no larger one.
"""

import json
import os
import secrets
import uuid

import link
import trust


class State:
    def __init__(self, folder, account, now_ms):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        self.path = os.path.join(folder, "state.json")
        if os.path.exists(self.path):
            with open(self.path) as file:
                self.all = json.load(file)
            return
        root, recovery, link_key = (secrets.token_bytes(32) for _ in range(3))
        charter = trust.make_charter(root, recovery, trust.public(link_key), now_ms, 1)
        self.all = {
            "domain": trust.key_name(trust.public(root)), "account": account, "root": root.hex(), "recovery": recovery.hex(),
            "link": link_key.hex(), "charter": charter.hex(), "record_sequence": 0, "time_ms": 0, "last_id": "", "said": 0,
            "profile_revision": 1, "peers": {}, "people": {}, "groups": {}, "homes": {},
        }  # fmt: skip
        self.commit()

    def commit(self):
        """Durable when it returns."""
        beside = self.path + ".new"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(self.all, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(beside, self.path)
        folder = os.open(os.path.dirname(self.path), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

    def key(self, name):
        return bytes.fromhex(self.all[name])

    def record(self, now_ms):
        """A new signed record; its sequence is durable before anybody sees it."""
        self.all["record_sequence"] = max(now_ms, self.all["record_sequence"] + 1)
        self.commit()
        return trust.make_record(self.key("charter"), self.key("link"), self.all["record_sequence"], now_ms)

    def time(self, now_ms):
        """The time of this domain, which never goes back (§5.9)."""
        self.all["time_ms"] = max(now_ms, self.all["time_ms"])
        return self.all["time_ms"]

    def next_id(self, now_ms):
        """A UUID of version 7 above all before it (§5.2)."""
        last = int(self.all["last_id"] or "0", 16)
        ms, count = last >> 80, last >> 64 & 0xFFF
        ms, count = (now_ms, 0) if now_ms > ms else (ms, count + 1) if count < 0xFFF else (ms + 1, 0)
        new = uuid.UUID(int=ms << 80 | 7 << 76 | count << 64 | 2 << 62 | secrets.randbits(62))
        self.all["last_id"] = new.hex
        return new.bytes

    # --- one peer: the outbox to it, how far it came, and how far we came with its own (§3.4)

    def peer(self, domain):
        """`outbox`: {item, hash, running, id, submission} in the order of their numbers, from 1; `item` is None when it was erased."""
        new = {"pin": None, "charter": "", "epoch": secrets.token_hex(16), "outbox": [], "acked": 0, "cursor": None, "refusals": []}
        return self.all["peers"].setdefault(domain, new)

    def put(self, domain, item, message_id=b"", submission=""):
        """Into the outbox; durable with the next commit. `submission`: the hash of the group submission in it, as text."""
        outbox = self.peer(domain)["outbox"]
        before = bytes.fromhex(outbox[-1]["running"]) if outbox else bytes(32)
        item_hash = trust.hash_of(item)
        entry = {"item": item.hex(), "hash": item_hash.hex(), "running": link.running(before, item_hash).hex(), "id": message_id.hex()}
        outbox.append({**entry, "submission": submission})

    def erase(self, domain, message_id):
        """What people wrote in items about this message; the hashes stay."""
        for entry in self.peer(domain)["outbox"]:
            if entry["id"] == message_id.hex():
                entry["item"] = None

    def new_epoch(self, domain):
        """Our history to this peer was cut: what it may lack goes again, from 1 (§3.4)."""
        peer = self.peer(domain)
        left = peer["outbox"][peer["acked"] :]
        peer.update(epoch=secrets.token_hex(16), outbox=[], acked=0)
        for entry in left:
            if entry["item"] is not None:
                self.put(domain, bytes.fromhex(entry["item"]), bytes.fromhex(entry["id"]), entry["submission"])
        self.commit()

    def running_at(self, domain, sequence):
        outbox = self.peer(domain)["outbox"]
        return bytes.fromhex(outbox[sequence - 1]["running"]) if 1 <= sequence <= len(outbox) else None

    def sent(self, domain):
        peer = self.peer(domain)
        last = len(peer["outbox"])
        return {"epoch": bytes.fromhex(peer["epoch"]), "sequence": last, "running": self.running_at(domain, last) or bytes(32)}

    def received(self, domain):
        cursor = self.peer(domain)["cursor"]
        return cursor and {"epoch": bytes.fromhex(cursor[0]), "sequence": cursor[1], "running": bytes.fromhex(cursor[2])}
