"""A group's log in bytes (chapter 7): ids, hashes, the chain, heads, and whether a follower may take a range."""

import base64

import link
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
    check(not entry["written"] or len(entry["written"]) >= 16, "malformed", expected="a salt before the body")
    return trust.hash_of(entry["written"])[:24] if entry["written"] else NOTHING


def submission_hash(group, submission, body):
    return trust.hash_of(b"startalk group submission v1\0" + group.encode() + u32(len(submission)) + submission + body)


def chain_after(before, group, epoch, sequence, entry, submission):
    """`submission`: the hash of the entry's."""
    origin, decided = entry["origin"].encode(), entry["decided"]
    place = u32(epoch) + sequence.to_bytes(8, "big") + entry["time_ms"].to_bytes(8, "big", signed=True) + u32(len(origin)) + origin
    return trust.hash_of(b"startalk group chain v1\0" + before + group.encode() + place + submission + u32(len(decided)) + decided)


def head_bytes(head):
    check(len(head["chain"]) == 32, "malformed", expected="a chain")
    numbers = head["sequence"].to_bytes(8, "big"), head["time_ms"].to_bytes(8, "big", signed=True)
    return head["group"].encode() + u32(head["home_epoch"]) + numbers[0] + head["chain"] + numbers[1]


class TwoHistories(Exception):
    """The home signed two histories; both heads are the proof."""


class WentBack(Exception):
    """The home was restored from an older copy, and says so: the replica has entries that are in no log any more."""


class Replica:
    """Where our copy of the log stands. `known` has the charters of the domains that we have met; `not_before_ms` is the
    time of its last entry, or of a later head by which something was called failed."""

    def __init__(self, group, home_charter, known=None, epoch=1, sequence=0, chain=bytes(32), not_before_ms=0):
        self.group, self.home, self.known = group, home_charter, known or {}
        self.epoch, self.sequence, self.chain, self.not_before_ms = epoch, sequence, chain, not_before_ms

    def check_head(self, head):
        """Of this group and signed by its home. Head and replica may stand at one sequence: then they are of one history."""
        check(head and head["group"] == self.group, "malformed", expected="a head of this group")
        # The key of today signs what is served today, also of long ago; none signs what is later than its end.
        ended = head["time_ms"] - trust.CLOCKS_DIFFER
        key = next((k for k in self.home["link_keys"] if k["key"] == head["link_key"] and ended < k["not_after_ms"]), None)
        check(key, "wrong-key", what="head", domain=self.home["domain"])
        trust.verify(key["key"], "startalk group head v1", head_bytes(head), head["signature"], "head")
        if head["sequence"] == self.sequence and head["chain"] != self.chain:
            raise WentBack(head) if head["home_epoch"] > self.epoch else TwoHistories(head)

    def take(self, r):
        """Checks a range, whole (§7.5), and takes it; the entries as (sequence, submission, entry, its hash), or refuses."""
        start, at = r["from"], r["at"]
        self.check_head(start)
        self.check_head(at)
        if at["home_epoch"] > self.epoch and at["sequence"] < self.sequence:
            raise WentBack(at)
        check(start["sequence"] == self.sequence, "out-of-order", got=start["sequence"], expected=self.sequence)
        check(at["sequence"] == self.sequence + len(r["entries"]) and len(r["entries"]) <= 256, "malformed", expected="entries up to the head")
        charters = self._charters(r["charters"])
        chain, epoch, time_ms, taken = self.chain, self.epoch, self.not_before_ms, []
        for sequence, entry in enumerate(r["entries"], self.sequence + 1):
            submission = wire.read("SUBMISSION", entry["submission"])
            own = submission_hash(self.group, entry["submission"], body_hash(entry))
            check(entry["time_ms"] >= time_ms, "out-of-order", got=entry["time_ms"], expected=time_ms)
            time_ms = entry["time_ms"]
            if entry["origin"]:
                self._prove(r["proofs"], entry, own, submission, charters)
            wire.read("DECIDED", entry["decided"])
            if entry["written"] and any(submission[kind] is not None for kind in ("create", "add", "join")):
                person = wire.read("PERSON", entry["written"][16:])
                check(submission["join"] is None or person["domain"] == (entry["origin"] or self.home["domain"]), "wrong-domain", domain=person["domain"])
            chain = chain_after(chain, self.group, epoch, sequence, entry, own)
            epoch += submission["new_epoch"] is not None
            taken.append((sequence, submission, entry, own))
        check((chain, epoch) == (at["chain"], at["home_epoch"]), "bad-signature", what="a group's log")
        check(at["time_ms"] >= time_ms, "out-of-order", got=at["time_ms"], expected=time_ms)
        self.chain, self.epoch, self.sequence, self.not_before_ms = chain, epoch, at["sequence"], time_ms
        return taken

    def _charters(self, served):
        """By domain, those that we knew first: a served one may be of another time, and so have the key that we need."""
        charters = {domain: [charter] for domain, charter in self.known.items()}
        for charter in map(trust.verify_charter, served):
            known = self.known.get(charter["domain"], charter)
            check(known["first_root_key"] == charter["first_root_key"], "root-key-changed", domain=charter["domain"])
            charters.setdefault(charter["domain"], []).append(charter)
        return charters

    def _prove(self, proofs, entry, own, submission, charters):
        """That the entry's domain submitted it, in time."""
        check(1 <= entry["proof"] <= len(proofs), "bad-signature", what="no proof")
        proof = proofs[entry["proof"] - 1]
        check(proof["domain"] == entry["origin"] and own in proof["hashes"], "bad-signature", what="a proof of something else")
        check(len(proof["hashes"]) <= 64 and all(len(h) == 32 for h in proof["hashes"]), "malformed", expected="hashes")
        check(entry["origin"] in charters, "not-proven", domain=entry["origin"])
        signed, context = link.submissions_bytes(proof["hashes"]), "startalk group submissions v1"
        has_key = lambda charter: any(k["key"] == proof["link_key"] for k in charter["link_keys"])  # noqa: E731
        charter = next(filter(has_key, charters[entry["origin"]]), charters[entry["origin"]][0])
        found = next((k for k in charter["link_keys"] if k["key"] == proof["link_key"]), None)
        times = (entry["time_ms"] + difference for difference in (-trust.CLOCKS_DIFFER, 0, trust.CLOCKS_DIFFER))
        check(found and any(trust.valid_at(found, t) for t in times), "wrong-key", what="submission", domain=entry["origin"])
        trust.verify(found["key"], context, signed, proof["signature"], context)
        check(submission["not_after_ms"] == 0 or entry["time_ms"] <= submission["not_after_ms"], "expired", what="submission")
