"""What a group's log makes of it (chapter 7 §6): who is in, what it is called, what was said.

The same for a follower, who believes its home's judgement, and for a home, which judges first. Everything is JSON. Rights,
mutes, bans and pins are passed over: their entries are lines like others, and change nothing here.
"""

import wire
from conversation import words
from errors import Refused

TEXTS = ("name", "notice", "description", "avatar")
MEMBER, ADMINISTRATOR, OWNER = range(3)


def new():
    return {"members": {}, "texts": dict.fromkeys(TEXTS, ""), "lines": [], "over": False}


def action_of(submission):
    """Name and message of the action; the name is "unknown" for one that this program does not know (§7.2)."""
    named = {k: v for k, v in submission.items() if k not in ("number", "not_after_ms", "author") and v is not None}
    return next(iter(named.items()), ("unknown", {}))


def body_of(entry):
    """What was written; None where there is nothing, or nothing any more."""
    return entry["written"][16:] if entry["written"] else None


def said(body):
    """In words; nothing where it is no content, which is its home's fault and stops nothing."""
    try:
        return words(body) if body else ""
    except Refused:
        return ""


def line_at(group, sequence):
    return next((x for x in group["lines"] if x["sequence"] == sequence and x["kind"] == "message"), None)


def name_of(group, number):
    member = group["members"].get(str(number))
    return f"{member['name']}@{member['domain']}" if member and member["name"] else f"member {number}"


def is_in(group, number):
    return group["members"].get(str(number), {}).get("in", False)


def members_in(group, domain=None):
    return [n for n, m in group["members"].items() if m["in"] and domain in (None, m["domain"])]


def apply(group, sequence, submission, entry):
    """One entry, in its place. Returns what it said or did, as a line: {sequence, kind, author, …}; `member` and
    `who` are whom it is about, where they come or go."""
    kind, action = action_of(submission)
    body, decided = body_of(entry), wire.read("DECIDED", entry["decided"])
    author = submission["author"]
    line = {"sequence": sequence, "kind": kind, "author": name_of(group, author)}
    if kind in ("create", "join") or (kind == "add" and not decided["invited"]):
        line["member"] = decided["member"]
        _comes(group, sequence, decided["member"], body, entry, kind, decided["asked"])
    elif kind == "admit":
        line["member"] = action["target"]
        _change(group, sequence, action["target"], **{"in": not action["remove"]})
    elif kind in ("leave", "remove") or (kind == "ban" and action["target"] and not action["remove"]):
        line["member"] = author if kind == "leave" else action["target"]
        _change(group, sequence, line["member"], **{"in": False, "role": MEMBER})
    elif kind == "set_role":
        if action["role"] == OWNER:
            _change(group, sequence, author, role=ADMINISTRATOR)
        _change(group, sequence, action["member"], role=action["role"])
    elif kind == "set_text" and action["text"] < len(TEXTS) and body is not None:
        group["texts"][TEXTS[action["text"]]] = line["text"] = body.decode(errors="replace")
    elif kind == "destroy":
        group["over"] = True
    elif kind == "message":
        line.update(id=action["id"].hex(), member_of=author, text=said(body), edited=False, recalled=not body)
        group["lines"].append(line)
    elif kind in ("edit", "recall"):
        _change_line(group, line, kind, action["target"], body)
    elif kind == "react":
        line.update(target=action["target"], emoji=(body or b"").decode(errors="replace"))
    if "member" in line:
        line["who"] = name_of(group, line["member"])
    return line


def _comes(group, sequence, number, body, entry, kind, asked):
    person = wire.read("PERSON", body) if body else {"name": "", "domain": entry["origin"], "display_name": ""}
    known = {k: person[k] for k in ("name", "domain", "display_name")}
    _change(group, sequence, number, **known, **{"in": not asked, "role": OWNER if kind == "create" else MEMBER})


def _change(group, sequence, number, **what):
    """A beginning tells of members as they are now: what is older than `changed` changes only who is in."""
    none = {"name": "", "domain": "", "display_name": "", "role": MEMBER, "in": False, "changed": 0}
    member = group["members"].setdefault(str(number), none)
    member["in"] = what.get("in", member["in"])
    if sequence > member["changed"]:
        member.update(what, changed=sequence)


def _change_line(group, line, kind, target, body):
    """A recall takes the words with it, those of edits too."""
    line["target"] = target
    message = line_at(group, target)
    if message is None or message["recalled"]:
        return
    if kind == "recall":
        message.update(text="", recalled=True)
    elif body:
        message.update(text=said(body), edited=True)
        line["text"] = message["text"]
