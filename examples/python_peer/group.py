"""A group's log as a follower sees it (chapter 7): ids, hashes, the chain, heads, and whether a range may be taken.

Not part of what `peer.py` does yet: it neither asks for ranges nor submits anything.
"""

import base64

import trust
import wire
from trust import check

NOTHING = bytes(24)


def group_id(submission):
    """Of the group that begins with these bytes."""
    return base64.b32encode(trust.hash_of(b"startalk group v1\0" + submission)).decode().lower()[:26]


def u32(number):
    return number.to_bytes(4, "big")


def body_hash(entry):
    if entry["erased"] is not None:
        check(len(entry["erased"]) == 24, "malformed", expected="a body's hash")
        return entry["erased"]
    check(entry["written"] is None or len(entry["written"]) >= 16, "malformed", expected="a salt before the body")
    return trust.hash_of(entry["written"])[:24] if entry["written"] else NOTHING


def submission_hash(group, submission, body):
    return trust.hash_of(b"startalk group submission v1\0" + group.encode() + u32(len(submission)) + submission + body)


def submissions_bytes(hashes):
    """What a domain signs of its submissions in a batch."""
    return u32(len(hashes)) + b"".join(hashes)


def head_bytes(head):
    check(len(head["chain"]) == 32, "malformed", expected="a chain")
    numbers = head["sequence"].to_bytes(8, "big"), head["time_ms"].to_bytes(8, "big", signed=True)
    return head["group"].encode() + u32(head["home_epoch"]) + numbers[0] + head["chain"] + numbers[1]


class TwoHistories(Exception):
    """The home signed two histories; both heads are the proof."""


class Replica:
    """Where our copy of the log stands. `pins` has the first root keys of the domains that we have met."""

    def __init__(self, group, home_charter, pins=None, epoch=1, sequence=0, chain=bytes(32)):
        self.group, self.home, self.pins = group, home_charter, pins or {}
        self.epoch, self.sequence, self.chain = epoch, sequence, chain

    def _signed(self, charter, key, context, data, signature, time_ms):
        """By a link key of the charter that is valid at that time, the difference of two clocks allowed."""
        found = next((k for k in charter["link_keys"] if k["key"] == key), None)
        times = (time_ms, time_ms - trust.CLOCKS_DIFFER, time_ms + trust.CLOCKS_DIFFER)
        check(found and any(trust.valid_at(found, t) for t in times), "wrong-key", domain=charter["domain"])
        trust.verify(key, context, data, signature, context)

    def take(self, data):
        """Checks a range, whole (§7.5), and takes it; the entries as messages, or refuses."""
        r = wire.read("RANGE", data)
        start, at = r["from"], r["at"]
        check(start and at, "malformed", expected="a range")
        for head in (start, at):
            check(head["group"] == self.group, "malformed", expected="a head of this group")
            self._signed(self.home, head["link_key"], "startalk group head v1", head_bytes(head), head["signature"], head["time_ms"])
            if (head["home_epoch"], head["sequence"]) == (self.epoch, self.sequence) and head["chain"] != self.chain:
                raise TwoHistories(head)
        check(start["sequence"] == self.sequence, "out-of-order", got=start["sequence"], expected=self.sequence)
        check(at["sequence"] == self.sequence + len(r["entries"]) and len(r["entries"]) <= 256, "malformed", expected="entries up to the head")
        charters = self._charters(r["charters"])
        chain, epoch, taken = self.chain, self.epoch, []
        for sequence, entry in enumerate(r["entries"], self.sequence + 1):
            submission = wire.read("SUBMISSION", entry["submission"])
            own = submission_hash(self.group, entry["submission"], body_hash(entry))
            origin = entry["origin"].encode()
            if origin:
                self._prove(r["proofs"], entry, own, submission, charters)
            if submission["join"] is not None and entry["written"]:
                person = wire.read("PERSON", entry["written"][16:])
                check(person["domain"] == (entry["origin"] or self.home["domain"]), "wrong-domain", domain=person["domain"])
            place = sequence.to_bytes(8, "big") + entry["time_ms"].to_bytes(8, "big", signed=True) + u32(len(origin)) + origin + own
            before = b"startalk group chain v1\0" + chain + self.group.encode() + u32(epoch)
            chain = trust.hash_of(before + place + u32(len(entry["decided"])) + entry["decided"])
            epoch += submission["new_epoch"] is not None
            taken.append((sequence, submission, entry))
        check((chain, epoch) == (at["chain"], at["home_epoch"]), "bad-signature", what="a group's log")
        self.chain, self.epoch, self.sequence = chain, epoch, at["sequence"]
        return taken

    def _charters(self, served):
        charters = [trust.verify_charter(c) for c in served]
        for c in charters:
            pinned = self.pins.get(c["domain"])
            check(pinned in (None, c["first_root_key"]), "root-key-changed", domain=c["domain"])
        return {c["domain"]: c for c in charters}

    def _prove(self, proofs, entry, own, submission, charters):
        """That the entry's domain submitted it, in time."""
        check(1 <= entry["proof"] <= len(proofs), "bad-signature", what="no proof")
        proof = proofs[entry["proof"] - 1]
        check(proof["domain"] == entry["origin"] and own in proof["hashes"], "bad-signature", what="a proof of something else")
        check(len(proof["hashes"]) <= 64 and all(len(h) == 32 for h in proof["hashes"]), "malformed", expected="hashes")
        check(entry["origin"] in charters, "not-proven", domain=entry["origin"])
        charter, context = charters[entry["origin"]], "startalk group submissions v1"
        self._signed(charter, proof["link_key"], context, submissions_bytes(proof["hashes"]), proof["signature"], entry["time_ms"])
        check(submission["not_after_ms"] == 0 or entry["time_ms"] <= submission["not_after_ms"], "expired", what="submission")
