"""Groups whose home is another domain (chapter 7): joining, submitting, asking, what becomes of what waits.

Owns `state.all["groups"]`: of each group its home, our standing, where the replica stands, what waits, and the roster that
the log made. One account of this domain takes part.
"""

import re
import secrets

import group as log
import roster
import trust
import wire
from conversation import text
from errors import Refused
from trust import check

DAY = 24 * 3600 * 1000
LINK = re.compile(r"https://([^/]+)/group/([a-z2-7]{26})#([A-Za-z0-9]{1,128})")
INVITED_MAX = 100


class Followed:
    def __init__(self, state):
        self.state, self.groups = state, state.all["groups"]
        self.invitations = state.all.setdefault("invitations", {})
        # While a link lasts: which groups are to be asked for, which question is out, the pages of a beginning so far.
        self.wanted, self.out, self.pages = set(), {}, {}

    # --- what we do; durable with the next commit

    def join(self, home, group, secret, now_ms):
        """By a link's secret, or, with none, because we were invited."""
        known = self.groups.get(group, {"number": 0})
        check(known.get("standing") not in ("joining", "in", "leaving"), "already-a-member")
        self.invitations.pop(group, None)
        self.groups[group] = {"home": home, "standing": "joining", "member": 0, "number": known["number"], "replica": None, "waiting": [], **roster.new()}
        me = {"name": self.state.all["account"], "domain": self.state.all["domain"], "display_name": self.state.all["account"].title()}
        return self._submit(group, now_ms, {"join": {}}, wire.write("PERSON", me), secret)

    def join_by_link(self, words, now_ms):
        found = LINK.fullmatch(words)
        check(found and trust.is_domain(found[1]), "group-link-invalid")
        return found[2], self.join(found[1], found[2], found[3].encode(), now_ms)

    def accept(self, group, now_ms):
        check(group in self.invitations, "no-such-conversation")
        return self.join(self.invitations[group]["home"], group, b"", now_ms)

    def say(self, group, words, now_ms):
        return self._act(group, now_ms, {"message": {"id": self.state.next_id(now_ms)}}, text(words))

    def edit(self, group, target, words, now_ms):
        return self._act(group, now_ms, {"edit": {"target": target}}, text(words))

    def recall(self, group, target, now_ms):
        return self._act(group, now_ms, {"recall": {"target": target}}, None)

    def leave(self, group, now_ms):
        number = self._act(group, now_ms, {"leave": {}}, None)
        self.groups[group]["standing"] = "leaving"
        return number

    def _act(self, group, now_ms, action, body):
        check(self.groups.get(group, {}).get("standing") == "in", "not-a-member")
        return self._submit(group, now_ms, action, body)

    def _submit(self, group, now_ms, action, body, secret=b""):
        """Returns its number, which no submission of this domain had before, also if this folder is an older copy."""
        g = self.groups[group]
        g["number"] = max(g["number"] + 1, now_ms * 65536)
        kind = next(iter(action))
        not_after = 0 if kind in ("join", "leave") else self.state.time(now_ms) + DAY
        submission = wire.write("SUBMISSION", {"number": g["number"], "not_after_ms": not_after, "author": g["member"], **action})
        written = b"" if body is None else secrets.token_bytes(16) + body
        own = log.submission_hash(group, submission, log.body_hash({"written": written, "erased": None}))
        said = {"group": group, "submission": submission, "written": written, "secret": secret}
        item = {"from": self.state.all["account"], "time_ms": self.state.time(now_ms), "group_submission": said}
        self.state.put(g["home"], wire.write("ITEM", item), submission=own.hex())
        g["waiting"].append({"number": g["number"], "hash": own.hex(), "not_after_ms": not_after, "kind": kind})
        return g["number"]

    # --- what the home says in items

    def invited(self, user, item, invite, now_ms):
        """An item `group_invite`; `user` is the group's id at its home. Returns an event, or None: closed without a word."""
        group, home = invite["group"], user.split("@")[1]
        check(re.fullmatch("[a-z2-7]{26}", group) and item["from"] == group, "malformed", expected="a group")
        blocked = self.state.all.get("blocked", [])
        is_in = self.groups.get(group, {}).get("standing") in ("joining", "in", "leaving")
        waits = sum(i["home"] == home for i in self.invitations.values())
        if item["to"] != self.state.all["account"] or is_in or invite["inviter"] in blocked or "@" + home in blocked:
            return None
        if group not in self.invitations and (waits >= 20 or len(self.invitations) >= INVITED_MAX):
            return None
        self.invitations[group] = {"home": home, "name": invite["name"], "inviter": invite["inviter"]}
        return {"event": "group_invited", "group": group, **self.invitations[group]}

    def acked(self, domain, sequence, refusals):
        """What the home refused waits no more; what it took is asked for."""
        refused = {self.state.peer(domain)["outbox"][n - 1]["submission"]: code for n, code in refusals}
        events = []
        for group, g in self._of(domain):
            for one in [w for w in g["waiting"] if w["hash"] in refused]:
                g["waiting"].remove(one)
                self._ended(g, one)
                events.append({"event": "group_refused", "group": group, "number": one["number"], "kind": one["kind"], "code": refused[one["hash"]]})
            if g["waiting"]:
                self.wanted.add(group)
        return events

    def _ended(self, g, one):
        if one["kind"] in ("join", "leave"):
            g["standing"] = "refused" if one["kind"] == "join" else "in"

    def _of(self, domain):
        return [(group, g) for group, g in self.groups.items() if g["home"] == domain]

    # --- questions and answers

    def ready(self, domain):
        """A new link: whatever was asked is gone with the old one, and notes may have been lost."""
        self.out, self.pages = {}, {}
        self.wanted = {group for group, g in self._of(domain) if g["standing"] in ("joining", "in", "leaving", "asked")}

    def look(self, domain):
        """Now and then: a note may have been lost, and what waits may have failed."""
        self.wanted |= {group for group, g in self._of(domain) if g["waiting"] and g["replica"]}

    def questions(self, domain):
        """What is to be asked now, one question for each group at a time, as (group, bytes)."""
        for group in sorted(self.wanted - set(self.out.values())):
            g = self.groups[group]
            if g["home"] != domain:
                continue
            self.wanted.discard(group)
            if g["replica"] is None:
                page = self.pages.get(group, {}).get("next_member", 0)
                yield group, wire.write("GROUP_ASK", {"group": group, "begin": {"from_member": page}})
            else:
                waits = max([w["not_after_ms"] for w in g["waiting"]], default=0)
                yield group, wire.write("GROUP_ASK", {"group": group, "follow": {"after": g["replica"]["sequence"], "waits_for_ms": waits}})

    def asked(self, number, group):
        self.out[number] = group

    def answered(self, number, what, error):
        """Returns events. A home that has nothing for us yet tells us when it does."""
        group = self.out.pop(number)
        if error:
            return [{"event": "group_not_served", "group": group, "code": error}]
        return self._unless_refused(group, lambda: self._answered(group, what))

    def _unless_refused(self, group, do):
        """What is wrong about one group is no matter of the link, and of no other group."""
        try:
            return do()
        except Refused as refused:
            return [{"event": "range_refused", "group": group, "code": refused.code, "params": refused.params}]

    def _answered(self, group, what):
        answer = wire.read("GROUP_ANSWER", what)
        g = self.groups[group]
        if answer["beginning"] and g["replica"] is None:
            return self._begin(group, g, answer["beginning"])
        return self._take(group, g, answer["range"]) if answer["range"] and g["replica"] else []

    def noted(self, domain, what):
        return self._unless_refused(None, lambda: self._noted(domain, wire.read("GROUP_NOTE", what)))

    def _noted(self, domain, note):
        group = note["group"]
        g = self.groups.get(group)
        if g is None or g["home"] != domain or g["standing"] in ("left", "removed", "refused"):
            return []
        stands = g["replica"]["sequence"] if g["replica"] else -1
        if note["range"] and note["range"]["from"] and note["range"]["from"]["sequence"] == stands:
            return self._take(group, g, note["range"])
        at = (note["range"] or {}).get("at") or note["hint"]
        if at and at["sequence"] > stands:
            self.wanted.add(group)
        return []

    # --- the replica

    def _replica(self, group, g):
        home = trust.verify_charter(bytes.fromhex(self.state.peer(g["home"])["charter"]))
        known = {d: trust.verify_charter(bytes.fromhex(p["charter"])) for d, p in self.state.all["peers"].items() if p["charter"]}
        known[self.state.all["domain"]] = trust.verify_charter(self.state.key("charter"))
        at = g["replica"] and {**g["replica"], "chain": bytes.fromhex(g["replica"]["chain"])}
        return log.Replica(group, home, known, **(at or {}))

    def _begin(self, group, g, beginning):
        """Page after page; the replica begins with the last."""
        page = self.pages.setdefault(group, {"members": []})
        head = beginning["base"]
        self._replica(group, g).check_head(head)
        page["members"] += beginning["members"]
        page["next_member"] = beginning["next_member"]
        self.wanted.add(group)
        if beginning["next_member"]:
            return []
        for m in page["members"]:
            member = {k: m[k] for k in ("name", "domain", "display_name", "role", "changed")}
            # Our own people are in by what the log says; they are told here for their numbers.
            g["members"][str(m["member"])] = {**member, "in": m["domain"] != self.state.all["domain"]}
            if (m["name"], m["domain"]) == (self.state.all["account"], self.state.all["domain"]):
                g["member"] = m["member"]
        g["texts"] = {name: beginning[name] for name in roster.TEXTS}
        g["replica"] = {"epoch": head["home_epoch"], "sequence": head["sequence"], "chain": head["chain"].hex(), "not_before_ms": 0}
        del self.pages[group]
        self.state.commit()
        return [{"event": "group_begun", "group": group, "base": head["sequence"], "name": g["texts"]["name"]}]

    def _take(self, group, g, served):
        replica = self._replica(group, g)
        try:
            taken = replica.take(served)
        except log.TwoHistories as two:
            g["proof"] = wire.write("HEAD", two.args[0]).hex()
            g["standing"] = "suspect"
            self.state.commit()
            return [{"event": "two_histories", "group": group, "home": g["home"]}]
        except log.WentBack:
            # What the home lost stays readable; the replica begins anew.
            g.update(replica=None, lost=g["lines"], **roster.new())
            self.wanted.add(group)
            self.state.commit()
            return [{"event": "group_went_back", "group": group, "kept": len(g["lost"])}]
        except Refused:
            if not served["from"] or served["from"]["sequence"] >= replica.sequence:
                raise
            # A note was faster than this answer: the rest is asked for again.
            self.wanted |= {group} if served["at"]["sequence"] > replica.sequence else set()
            return []
        events = [event for one in taken for event in self._entry(group, g, *one)]
        at = served["at"]
        if at["sequence"] < served["end"]:
            self.wanted.add(group)
        else:
            events += self._failed(group, g, replica, at["time_ms"])
        g["replica"] = {"epoch": replica.epoch, "sequence": replica.sequence, "chain": replica.chain.hex(), "not_before_ms": replica.not_before_ms}
        self.state.commit()
        return events

    def _entry(self, group, g, sequence, submission, entry, own):
        """One entry, checked: what it changes of the group, of what waits, and of our standing; as an event."""
        line = roster.apply(g, sequence, submission, entry)
        ours = entry["origin"] == self.state.all["domain"] and next((w for w in g["waiting"] if w["hash"] == own.hex()), None)
        if ours:
            g["waiting"].remove(ours)
        if ours and line["kind"] == "join":
            g["member"] = wire.read("DECIDED", entry["decided"])["member"]
        self._stand(g, line)
        if line["kind"] == "message":
            g["lines"][-1]["hash"] = own.hex()
        elif line["kind"] == "recall":
            self._erase(g, line["target"])
        yield {"event": "group_line", "group": group, "number": ours["number"] if ours else None, "standing": g["standing"], **line}

    def _stand(self, g, line):
        """What an entry about us makes of our standing."""
        number, before = g["member"], g["standing"]
        if not number or line.get("member") != number:
            return
        if roster.is_in(g, number):
            g["standing"] = "in" if before in ("joining", "asked") else before
            # Who had to be admitted came in by that, and their `join` is before anything that we may have.
            g["waiting"] = [w for w in g["waiting"] if w["kind"] != "join"]
        else:
            g["standing"] = {"join": "asked", "admit": "refused", "leave": "left"}.get(line["kind"], "removed")

    def _erase(self, g, target):
        """What was said, where it is still in our outbox: it goes as its hash from now on."""
        message = roster.line_at(g, target)
        for entry in self.state.peer(g["home"])["outbox"] if message else []:
            if entry["submission"] == message["hash"]:
                entry["item"] = None

    def _failed(self, group, g, replica, time_ms):
        """What waits and can be recorded no more: the log ends here, and no later entry is earlier than this head."""
        failed = [w for w in g["waiting"] if 0 < w["not_after_ms"] < time_ms]
        for one in failed:
            g["waiting"].remove(one)
            replica.not_before_ms = max(replica.not_before_ms, time_ms)
            yield {"event": "group_failed", "group": group, "number": one["number"], "code": "expired"}
