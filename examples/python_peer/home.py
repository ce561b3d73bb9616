"""Groups whose home is this domain (chapter 7): a log that grows by what its members and other domains submit.

Owns `state.all["homes"]`: of each group its log, the proofs in it, what each domain submitted last, its links, and the
roster that the log made. Small on purpose: people come in by link, talk, edit, recall, react and leave, with the rights that a
group begins with; its one person here owns it. What else somebody submits is refused.
"""

import secrets

import group as log
import roster
import trust
import wire
from conversation import check_content, text
from errors import Refused
from trust import check

REMEMBERED, RANGE_ENTRIES, RANGE_BYTES, PAGE = 256, 256, 393216, 256
KINDS = ("message", "edit", "recall", "react", "leave")


class Homes:
    def __init__(self, state):
        self.state, self.homes = state, state.all["homes"]
        self.news = set()  # groups whose log has grown

    # --- what our own person does; durable with the next commit

    def create(self, name, now_ms):
        create = {"home": self.state.all["domain"], "nonce": secrets.token_bytes(16), "rights": {}}
        submission = wire.write("SUBMISSION", {"author": 1, "create": create})
        group = log.group_id(submission)
        self.homes[group] = {"epoch": 1, "entries": [], "proofs": [], "domains": {}, "links": [], "time_ms": 0, **roster.new()}
        me = {"name": self.state.all["account"], "domain": self.state.all["domain"], "display_name": self.state.all["account"].title()}
        self._record(group, submission, self._salted(wire.write("PERSON", me)), now_ms, {"member": 1})
        self.act(group, {"set_text": {"text": 0}}, name.encode(), now_ms)
        return group

    def make_link(self, group, now_ms):
        secret = secrets.token_hex(16)
        sequence = self.act(group, {"make_link": {}}, trust.hash_of(secret.encode()), now_ms)
        self.homes[group]["links"].append({"sequence": sequence, "hash": trust.hash_of(secret.encode()).hex()})
        return f"https://{self.state.all['domain']}/group/{group}#{secret}"

    def say(self, group, words, now_ms):
        return self.act(group, {"message": {"id": self.state.next_id(now_ms)}}, text(words), now_ms)

    def act(self, group, action, body, now_ms):
        """The owner's act, which needs no judging. Its sequence."""
        submission = wire.write("SUBMISSION", {"author": 1, **action})
        return self._record(group, submission, self._salted(body), now_ms)

    def _salted(self, body):
        return b"" if body is None else secrets.token_bytes(16) + body

    # --- the log

    def _record(self, group, submission, written, now_ms, decided=None, origin="", proof=0):
        g = self.homes[group]
        entry = {
            "submission": submission, "decided": wire.write("DECIDED", decided or {}), "origin": origin, "proof": proof,
            "time_ms": max(self.state.time(now_ms), g["time_ms"]), "written": written or None, "erased": None,
        }  # fmt: skip
        own = log.submission_hash(group, submission, log.body_hash(entry))
        sequence, before = len(g["entries"]) + 1, set(self._domains(g))
        chain = log.chain_after(self._chain(g, sequence - 1), group, g["epoch"], sequence, entry, own)
        line = roster.apply(g, sequence, wire.read("SUBMISSION", submission), entry)
        kept = {k: v.hex() if isinstance(v, bytes) else v for k, v in entry.items()}
        g["entries"].append({**kept, "chain": chain.hex(), "hash": own.hex(), "kind": line["kind"], "target": line.get("target", 0)})
        g["time_ms"] = entry["time_ms"]
        for domain in set(self._domains(g)) ^ before:
            stretches = self._domain(g, domain)["stretches"]
            if domain in before:
                stretches[-1][1] = sequence
            else:
                stretches.append([sequence, 0])
        if line["kind"] == "recall":
            self._erase(g, line["target"])
        self.news.add(group)
        return sequence

    def _domains(self, g):
        return {m["domain"] for m in g["members"].values() if m["in"]} - {self.state.all["domain"]}

    def _domain(self, g, domain):
        """Of a domain: its stretches [came, went or 0], and its submissions, {number: [hash, code or ""]}, the last ones."""
        return g["domains"].setdefault(domain, {"stretches": [], "top": 0, "last": {}})

    def _chain(self, g, sequence):
        return bytes.fromhex(g["entries"][sequence - 1]["chain"]) if sequence else bytes(32)

    def _erase(self, g, target):
        """The words of a message, of its edits and reactions: their hashes stay."""
        for sequence, e in enumerate(g["entries"], 1):
            if target == (sequence if e["kind"] == "message" else e["target"]) and e["written"]:
                e["erased"] = log.body_hash({"written": bytes.fromhex(e["written"]), "erased": None}).hex()
                e["written"] = None

    # --- what other domains submit (§7.3)

    def submitted(self, user, item, said, now_ms, proof):
        """An item `group_submission`; `proof` is the batch's signature. Returns an event or None, or refuses."""
        account, domain = user.split("@")
        group = said["group"]
        g = self.homes.get(group)
        check(g is not None, "no-such-conversation")
        submission, written = wire.read("SUBMISSION", said["submission"]), said["written"]
        kind, action = roster.action_of(submission)
        good = submission["number"] and kind != "unknown" and len(said["submission"]) <= 65536
        check(good and (not written or (len(written) >= 16 and any(written[:16]))), "malformed", expected="a submission")
        own = log.submission_hash(group, said["submission"], log.body_hash({"written": written, "erased": None}))
        check(proof and own in proof["hashes"], "bad-signature", what="a submission")
        person = wire.read("PERSON", written[16:]) if kind == "join" else None
        check(self._speaks_for(g, submission, person, account, domain), "forbidden")
        known = self._domain(g, domain)
        if submission["number"] <= known["top"]:
            return self._again(known, submission["number"], own)
        try:
            decided = self._judge(g, submission, kind, action, person, said, now_ms)
            sequence = self._record(group, said["submission"], written, now_ms, decided, domain, self._proof(g, domain, proof))
            code = ""
        except Refused as refused:
            code = refused.code
        known["top"] = submission["number"]
        known["last"][str(submission["number"])] = [own.hex(), code]
        if len(known["last"]) > REMEMBERED:
            del known["last"][next(iter(known["last"]))]
        check(not code, code)
        line = roster.line_at(g, sequence) or {}
        return {"event": "group_submitted", "group": group, "sequence": sequence, "kind": kind, "from": user, "text": line.get("text", "")}

    def _speaks_for(self, g, submission, person, account, domain):
        named = g["members"].get(str(submission["author"])) if submission["author"] else person
        return named is not None and (named["name"], named["domain"]) == (account, domain)

    def _again(self, known, number, own):
        """It came before: nothing more is done, and what was refused is told again."""
        check(str(number) in known["last"], "too-old", counter=number)
        same, code = known["last"][str(number)]
        check(same == own.hex(), "conflict", counter=number)
        check(not code, code)

    def _judge(self, g, submission, kind, action, person, said, now_ms):
        """What the home decides beside yes; else refuses."""
        late = submission["not_after_ms"] and max(self.state.time(now_ms), g["time_ms"]) > submission["not_after_ms"]
        check(not late, "expired", what="what was submitted")
        body = said["written"][16:] if said["written"] else None
        author = submission["author"]
        if kind == "join":
            return self._joins(g, person, said["secret"])
        check(kind in KINDS, "not-allowed-here", what=kind)
        check(roster.is_in(g, author), "not-a-member")
        check((body is None) == (kind in ("recall", "leave")), "malformed", expected="what this act writes, or nothing")
        if kind in ("message", "edit"):
            check_content(body, text_only=False)
        if kind == "react":
            check(0 < len(body) <= 48, "bad-value", field="emoji")
        if kind in ("edit", "recall", "react"):
            message = roster.line_at(g, action["target"])
            check(message, "no-such-message")
            check(not message["recalled"], "recalled")
            check(kind == "react" or message["member_of"] == author, "forbidden")
        return {}

    def _joins(self, g, person, secret):
        check(trust.is_account(person["name"]) and trust.is_line(person["display_name"]), "malformed", expected="a person")
        user = (person["name"], person["domain"])
        number = next((n for n, m in g["members"].items() if (m["name"], m["domain"]) == user), None)
        check(number is None or not g["members"][number]["in"], "already-a-member")
        found = next((one for one in g["links"] if one["hash"] == trust.hash_of(secret).hex()), None)
        check(found, "group-link-invalid")
        return {"member": int(number) if number else len(g["members"]) + 1, "link": found["sequence"]}

    def _proof(self, g, domain, proof):
        """The place of a batch's signature among the group's proofs, from 1; there once, however many entries it proves."""
        kept = {"domain": domain, "link_key": proof["link_key"].hex(), "hashes": [x.hex() for x in proof["hashes"]], "signature": proof["signature"].hex()}
        if kept not in g["proofs"][-1:]:
            g["proofs"].append(kept)
        return len(g["proofs"])

    # --- what followers ask (§7.5)

    def answer(self, domain, what, now_ms):
        """Bytes, or a Refused. The time in a head is a promise: to be durable before it is told."""
        self.state.time(now_ms)
        try:
            ask = wire.read("GROUP_ASK", what)
            g = self.homes.get(ask["group"])
            check(g is not None and domain in g["domains"], "no-such-conversation")
            stretches = g["domains"][domain]["stretches"]
            if ask["begin"] is not None:
                said = {"beginning": self._beginning(domain, ask["group"], g, stretches, ask["begin"]["from_member"])}
            elif ask["follow"] is not None:
                said = {"range": self._range(ask["group"], g, stretches, ask["follow"]["after"])}
            else:
                check(ask["read_by"] is not None, "malformed", expected="a question about a group")
                said = {"readers": {"of": len(roster.members_in(g))}}
            return wire.write("GROUP_ANSWER", said)
        except Refused as refused:
            return refused

    def _head(self, group, g, sequence, time_ms):
        head = {"group": group, "home_epoch": g["epoch"], "sequence": sequence, "chain": self._chain(g, sequence), "time_ms": time_ms}
        key = self.state.key("link")
        signature = trust.sign(key, "startalk group head v1", log.head_bytes(head))
        return {**head, "link_key": trust.public(key), "signature": signature}

    def _time_at(self, g, sequence):
        return g["entries"][sequence - 1]["time_ms"] if sequence else 0

    def _entry(self, kept):
        as_bytes = {k: kept[k] and bytes.fromhex(kept[k]) for k in ("submission", "decided", "written", "erased")}
        return {**as_bytes, "decided": as_bytes["decided"] or b"", "origin": kept["origin"], "time_ms": kept["time_ms"]}

    def _beginning(self, domain, group, g, stretches, from_member):
        """Who was in at the base is what the log up to there makes of it; what they are called and may do is as it is now."""
        check(stretches and stretches[-1][1] == 0, "no-such-conversation")
        base, then = stretches[-1][0] - 1, roster.new()
        for sequence, kept in enumerate(g["entries"][:base], 1):
            roster.apply(then, sequence, wire.read("SUBMISSION", bytes.fromhex(kept["submission"])), self._entry(kept))
        numbers = {*roster.members_in(then), *(n for n, m in g["members"].items() if m["domain"] == domain)}
        numbers = sorted(int(n) for n in numbers if int(n) >= from_member)
        members = [{"member": n, **g["members"][str(n)]} for n in numbers[:PAGE]]
        return {
            "base": self._head(group, g, base, self._time_at(g, base)), "rights": {}, **g["texts"], "members": members,
            "next_member": numbers[PAGE] if len(numbers) > PAGE else 0,
        }  # fmt: skip

    def _range(self, group, g, stretches, after):
        last = len(g["entries"])
        stretch = next((s for s in stretches if s[0] - 1 <= after and (after <= s[1] or not s[1])), None)
        check(stretch and after <= last, "no-such-conversation")
        end, entries, proofs, size = stretch[1] or last, [], [], 0
        for kept in g["entries"][after : min(end, after + RANGE_ENTRIES)]:
            entry = self._entry(kept)
            if kept["proof"]:
                proof = g["proofs"][kept["proof"] - 1]
                proofs += [] if proof in proofs else [proof]
                entry["proof"] = proofs.index(proof) + 1
            entries.append(entry)
            size += len(entry["submission"]) + len(entry["written"] or b"")
            if size >= RANGE_BYTES:
                break
        at = after + len(entries)
        time_ms = max(self.state.all["time_ms"], g["time_ms"]) if at == last else self._time_at(g, at)
        in_bytes = lambda p: {**p, "hashes": [bytes.fromhex(x) for x in p["hashes"]], **{k: bytes.fromhex(p[k]) for k in ("link_key", "signature")}}  # noqa: E731
        charters = [bytes.fromhex(self.state.peer(d)["charter"]) for d in sorted({p["domain"] for p in proofs})]
        return {
            "from": self._head(group, g, after, self._time_at(g, after)), "entries": entries, "proofs": [in_bytes(p) for p in proofs],
            "charters": [c for c in charters if c], "at": self._head(group, g, at, time_ms), "end": end,
        }  # fmt: skip

    def hints(self, domain):
        """Notes for a follower: that logs have grown which it may have up to their ends."""
        for group in sorted(self.news):
            g = self.homes[group]
            last, stretches = len(g["entries"]), g["domains"].get(domain, {}).get("stretches", [])
            if any(first <= last and went in (0, last) for first, went in stretches):
                yield wire.write("GROUP_NOTE", {"group": group, "hint": {"sequence": last}})
        self.news.clear()
