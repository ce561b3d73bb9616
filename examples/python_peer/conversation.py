"""What items say and what becomes of each (chapter 5): conversations of one account with persons of other domains."""

import re
import secrets
import unicodedata

import kinds
import link
import trust
import wire
from errors import Refused
from trust import check

CLOSED = None
BURN_S_MAX = 7 * 24 * 3600


def text(words):
    """Content: a paragraph for each line."""
    return wire.write("CONTENT", {"text": {"blocks": [{"inlines": [{"text": line}]} for line in words.split("\n")]}})


def words(content):
    """What a program of lines shows of a content."""
    c = wire.read("CONTENT", content)
    if c["text"]:
        return "\n".join("".join(i["text"] for i in b["inlines"]) for b in c["text"]["blocks"])
    return c["code"]["source"] if c["code"] else c["fallback"]


def check_content(data, text_only):
    """§5.8."""
    check(len(data) <= 131072, "too-large", what="content", max=131072)
    c = wire.read("CONTENT", data)
    check(c["burn_s"] <= (0 if text_only else BURN_S_MAX), "bad-value", field="burn_s")
    check_read(c, text_only, 0, {})


def check_read(c, text_only, depth, sizes):
    check(len(c["fallback"].encode()) <= 4096, "too-large", what="fallback", max=4096)
    if c["text"]:
        return check_text(c["text"])
    check(not text_only, "bad-value", field="content", expected="text")
    if kinds.check_kind(c, depth, sizes, check_text, check_read):
        return None
    if c["code"]:
        check(len(c["code"]["language"].encode()) <= 4096 and len(c["code"]["source"].encode()) <= 65536, "too-large", what="code")
        return check(c["code"]["source"], "bad-value", field="source")
    check(not c["system"] and c["fallback"], "bad-value", field="content")


def check_text(value):
    inlines = [i for block in value["blocks"] for i in block["inlines"]]
    size = sum(len(i["text"].encode()) for i in inlines)
    check(len(value["blocks"]) <= 2000 and len(inlines) <= 10000 and size <= 65536, "too-large", what="text")
    check(size > 0, "bad-value", field="text")
    check(all(block["level"] <= 7 for block in value["blocks"]), "bad-value", field="level")
    for i in inlines:
        check(not any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in i["text"]), "bad-value", field="text")
        check(i["marks"] <= 15, "bad-value", field="marks")
        uri = i["link"] == "" or i["link"].startswith(("https:", "http:", "mailto:"))
        uri = uri and len(i["link"].encode()) <= 2048 and not any(unicodedata.category(c) == "Cc" for c in i["link"])
        check(uri, "bad-value", field="link")
        account, _, domain = i["mention"].partition("@")
        check(i["mention"] in ("", "@all") or (trust.is_account(account) and trust.is_domain(domain)), "bad-value", field="mention")


class Conversations:
    """`accept`: first contacts are accepted as they come. `read`: what comes is read at once."""

    def __init__(self, state, accept=False, read=False):
        self.state, self.accept, self.read = state, accept, read
        self.people, self.me = state.all["people"], state.all["account"]
        # What takes items of further kinds, as (user, item, what it says, now_ms); and what the peer signed beside the batch.
        self.others, self.proof = {}, None

    # --- what we say; durable with the next commit

    def _put(self, user, now_ms, message_id=b"", **kind):
        account, domain = user.split("@")
        salt = b"" if "recall" in kind or "marks" in kind else secrets.token_bytes(16)
        item = {"salt": salt, "from": self.me, "to": "" if "profile" in kind else account, "time_ms": self.state.time(now_ms), **kind}
        self.state.put(domain, wire.write("ITEM", item), message_id)

    def _person(self, user, state):
        new = {"state": state, "lines": [], "profile": None, "delivered": "", "read": "", "marked": "", "last_id": "", "exceptions": 0}
        return self.people.setdefault(user, new)

    def send(self, user, said, now_ms):
        """Who writes in a conversation has accepted it. The profile follows the first message (§5.7)."""
        person = self._person(user, "accepted")
        person["state"], first = "accepted", not any(line["mine"] for line in person["lines"])
        new, content = self.state.next_id(now_ms), text(said)
        person["lines"].append({"id": new.hex(), "mine": True, "content": content.hex(), "state": "sent", "edited": False})
        self._put(user, now_ms, new, message={"id": new, "content": content})
        if first:
            self._put(user, now_ms, profile={"revision": self.state.all["profile_revision"], "display_name": self.me.title()})

    def edit(self, user, number, said, now_ms):
        line = self._mine(user, number)
        line.update(content=text(said).hex(), edited=True)
        message_id = bytes.fromhex(line["id"])
        self._put(user, now_ms, message_id, edit={"id": message_id, "content": text(said)})

    def recall(self, user, number, now_ms):
        line = self._mine(user, number)
        line.update(content="", state="recalled")
        message_id = bytes.fromhex(line["id"])
        self.state.erase(user.split("@")[1], message_id)
        self._put(user, now_ms, message_id, recall={"id": message_id})

    def mark(self, now_ms):
        """Sends how far we have got, where that changed; never in a request (§5.3)."""
        for user, person in self.people.items():
            theirs = [line["id"] for line in person["lines"] if not line["mine"]]
            if person["state"] == "accepted" and theirs and theirs[-1] != person["marked"]:
                person["marked"] = theirs[-1]
                last = bytes.fromhex(theirs[-1])
                self._put(user, now_ms, marks={"delivered": last, "read": last if self.read else b""})

    def _mine(self, user, number):
        return [line for line in self.people[user]["lines"] if line["mine"]][number - 1]

    # --- what others say

    def take(self, domain, first, entries, proof, now_ms):
        """A batch: effects, refusals and cursor in one commit. Returns events, and the refusals to tell."""
        self.proof = proof
        peer, epoch = self.state.peer(domain), self.epoch
        cursor = self.state.received(domain)
        before = cursor["running"] if cursor and cursor["epoch"] == epoch else bytes(32)
        events, refusals = [], []
        for sequence, (item, item_hash) in enumerate(entries, first):
            before = link.running(before, item_hash)
            try:
                event = CLOSED if item is None else self._item(domain, item, now_ms)
                if event is not CLOSED:
                    events.append(event)
            except Refused as refused:
                refusals.append((sequence, refused))
                events.append({"event": "refused_theirs", "sequence": sequence, "code": refused.code})
        peer["cursor"] = [epoch.hex(), sequence, before.hex()]
        peer["refusals"] += [[n, r.code] for n, r in refusals]
        self.state.commit()
        return events, refusals

    def _item(self, domain, data, now_ms):
        """Returns an event, or CLOSED; refuses."""
        item = wire.read("ITEM", data)
        check(trust.is_account(item["from"]), "bad-name", name=item["from"])
        kinds = {k: getattr(self, "_take_" + k) for k in ("message", "edit", "recall", "marks", "profile", "account_gone")} | self.others
        kind = next((k for k in kinds if item[k] is not None), None)
        check(kind, "malformed", expected="a known kind")
        return kinds[kind](item["from"] + "@" + domain, item, item[kind], now_ms)

    def _take_message(self, user, item, message, now_ms):
        person = self.people.get(user)
        accepted = person is not None and person["state"] == "accepted" and item["to"] == self.me
        check(len(message["id"]) == 16, "malformed", expected="id")
        check_content(message["content"], text_only=not accepted)
        check(len(message["reply_to"]) in (0, 16), "malformed", expected="reply_to")
        if item["to"] != self.me:
            return CLOSED
        check(not (accepted and self._blocks(user)), "blocked", user=f"{self.me}@{self.state.all['domain']}")
        if self._blocks(user) or (not accepted and not self._may_ask(user, person)):
            return CLOSED
        person = self._person(user, "accepted" if self.accept else "request")
        message_id = message["id"].hex()
        if message_id < person["last_id"]:
            check(person["exceptions"] < 64, "bad-value", field="id")
        if any(line["id"] == message_id and not line["mine"] for line in person["lines"]):
            return CLOSED
        person["exceptions"] += message_id < person["last_id"]
        person["last_id"] = max(message_id, person["last_id"])
        person["lines"].append({"id": message_id, "mine": False, "content": message["content"].hex(), "state": "there", "edited": False})
        return {"event": "message", "from": user, "id": message_id, "text": words(message["content"]), "request": person["state"] == "request"}

    def _blocks(self, user):
        blocked = self.state.all.get("blocked", [])
        return user in blocked or "@" + user.split("@")[1] in blocked

    def _may_ask(self, user, person):
        if person is not None:
            return person["state"] == "request" and len(person["lines"]) < 20
        domain = user.split("@")[1]
        return sum(p["state"] == "request" and u.endswith("@" + domain) for u, p in self.people.items()) < 20

    def _theirs(self, user, item, message_id):
        check(len(message_id) == 16, "malformed", expected="id")
        lines = self.people.get(user, {"lines": []})["lines"] if item["to"] == self.me else []
        return next((x for x in lines if not x["mine"] and x["id"] == message_id.hex() and x["state"] != "recalled"), None)

    def _take_edit(self, user, item, edit, now_ms):
        line = self._theirs(user, item, edit["id"])
        if line is None or self._blocks(user):
            return CLOSED
        check_content(edit["content"], text_only=self.people[user]["state"] == "request")
        line.update(content=edit["content"].hex(), edited=True)
        return {"event": "edited", "from": user, "id": line["id"], "text": words(edit["content"])}

    def _take_recall(self, user, item, recall, now_ms):
        line = self._theirs(user, item, recall["id"])
        if line is None:
            return CLOSED
        line.update(content="", state="recalled")
        return {"event": "recalled", "from": user, "id": line["id"]}

    def _take_marks(self, user, item, marks, now_ms):
        check(len(marks["delivered"]) in (0, 16) and len(marks["read"]) in (0, 16), "malformed", expected="id")
        person = self.people.get(user)
        if person is None or item["to"] != self.me:
            return CLOSED
        mine = [line["id"] for line in person["lines"] if line["mine"]]
        place = lambda mark: mine.index(mark) if mark in mine else -1  # noqa: E731
        grown = False
        # What is read is delivered too.
        for name, new in (("delivered", marks["delivered"]), ("delivered", marks["read"]), ("read", marks["read"])):
            if place(new.hex()) > place(person[name]):
                person[name], grown = new.hex(), True
        number = {name: place(person[name]) + 1 for name in ("delivered", "read")}
        return {"event": "marks", "from": user, **number} if grown else CLOSED

    def _take_profile(self, user, item, profile, now_ms):
        person = self.people.get(user)
        if person is None:
            return CLOSED
        name, avatar, signature = profile["display_name"], profile["avatar"], profile["signature"]
        good = len(name) <= 64 and unicodedata.is_normalized("NFC", name) and len(avatar.encode()) <= 256 and len(signature.encode()) <= 512
        good = good and not any(unicodedata.category(c) == "Cc" or trust.turns_text(c) for c in name + avatar + signature)
        check(good, "bad-value", field="profile")
        if person["profile"] and profile["revision"] <= person["profile"]["revision"]:
            return CLOSED
        person["profile"] = profile
        return {"event": "profile", "of": user, **profile}

    def _take_account_gone(self, user, item, gone, now_ms):
        person = self.people.get(user)
        if person is None:
            return CLOSED
        person["profile"] = None
        return {"event": "account_gone", "of": user}

    # --- what they did with ours

    def acked(self, domain, sequence, refusals):
        peer, events = self.state.peer(domain), []
        for number, code in refusals:
            entry = peer["outbox"][number - 1]
            for person in self.people.values():
                for n, line in enumerate((x for x in person["lines"] if x["mine"]), 1):
                    if line["id"] == entry["id"] and line["state"] != code:
                        line["state"] = code
                        events.append({"event": "refused", "message": n, "code": code})
        if sequence > peer["acked"]:
            peer["acked"] = sequence
            events.append({"event": "acknowledged", "up_to": sequence})
        self.state.commit()
        return events
