"""What a person does in groups, as lines of JSON on standard input: `{"do": "say", "group": …, "text": …}`.

Each is durable when it is answered: `{"event": "done", "do": …}`, or `not_done` with a `code`. The table is in README.md.
"""

import json
import sys
import threading

import roster
from errors import Refused
from trust import check


def read_lines(loop, take):
    """Calls `take(line)` in the loop for each line, from a thread that ends with the program;
    with nothing at the end of input."""

    def run():
        for line in sys.stdin:
            loop.call_soon_threadsafe(take, line)
        loop.call_soon_threadsafe(take, "")

    threading.Thread(target=run, daemon=True).start()


class Commands:
    def __init__(self, state, followed, homes):
        self.state, self.followed, self.homes = state, followed, homes

    def do(self, line, now_ms):
        """The answer, as an event."""
        command = json.loads(line)
        name = command.pop("do")
        try:
            done = getattr(self, "_do_" + name)(now_ms, **command)
        except Refused as refused:
            return {"event": "not_done", "do": name, "code": refused.code}
        self.state.commit()
        return {"event": "done", "do": name, **done}

    def _do_join(self, now_ms, link=None, group=None):
        """By a link, or, with the group's id, because of an invitation."""
        if link is None:
            return {"group": group, "number": self.followed.accept(group, now_ms)}
        group, number = self.followed.join_by_link(link, now_ms)
        return {"group": group, "number": number}

    def _do_say(self, now_ms, group, text):
        if group in self.homes.homes:
            return {"group": group, "sequence": self.homes.say(group, text, now_ms)}
        return {"group": group, "number": self.followed.say(group, text, now_ms)}

    def _do_edit(self, now_ms, group, target, text):
        return {"group": group, "number": self.followed.edit(group, target, text, now_ms)}

    def _do_recall(self, now_ms, group, target):
        return {"group": group, "number": self.followed.recall(group, target, now_ms)}

    def _do_leave(self, now_ms, group):
        return {"group": group, "number": self.followed.leave(group, now_ms)}

    def _do_create(self, now_ms, name):
        return {"group": self.homes.create(name, now_ms)}

    def _do_make_link(self, now_ms, group):
        check(group in self.homes.homes, "no-such-conversation")
        return {"group": group, "link": self.homes.make_link(group, now_ms)}

    def _do_show(self, now_ms, group):
        """A group as it is here."""
        g = self.followed.groups.get(group) or self.homes.homes.get(group)
        check(g is not None, "no-such-conversation")
        members = [roster.name_of(g, n) for n in sorted(roster.members_in(g), key=int)]
        shown = ("sequence", "author", "text", "edited", "recalled", "id")
        return {
            "group": group, "standing": g.get("standing", "home"), "waiting": len(g.get("waiting", [])), "members": members, **g["texts"],
            "replica": g.get("replica"), "lines": [{k: line[k] for k in shown} for line in g["lines"]],
        }  # fmt: skip
