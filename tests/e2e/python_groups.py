"""Groups over the line between our node and examples/python_peer; part of python_peer.py, which starts everything.

`garden` is a group of Alice's on our node, in which two Python domains take part, one of them cut off again and again;
`orchard` is one whose home is a Python domain, in which Alice takes part. What everybody holds in the end is compared.
"""

from stranger import Failed


def words(author, number):
    return f"{author} {number}: 花 <i>{number}</i> 🌱"


def join(alice, peer, talk, how):
    """A Python domain comes in, and is told among the members."""
    group = peer.ask(do="join", **how)["group"]
    peer.until(lambda: peer.standing(group) == "in", "coming into the group")
    user = peer.user()
    expect(user in members(alice, talk), f"{user} is in and not among the members")
    return group, user


def expect(holds, otherwise):
    if not holds:
        raise Failed(otherwise)


def members(alice, talk, **more):
    return [m["user"] for m in alice.ask("members", conversation=talk, **more)["members"]]


def texts(alice, talk):
    """What a conversation says, as a peer shows a group: without lines by the system."""
    page = alice.ask("history", conversation=talk, limit=200)["messages"]
    said = [m for m in page if m["kind"] in ("text", "nothing")]
    return [{"sequence": m["sequence"], "author": m["author"], "text": m["text"], "edited": m["edited_ms"] > 0, "recalled": m["recalled"], "id": m["id"]} for m in said]


def agree(what, ours, theirs):
    """The same messages, in the same places; what differs first is said."""
    for n, (one, other) in enumerate(zip(ours, theirs), 1):
        if one != other:
            raise Failed(f"{what}: message {n} of ours is {one}, of theirs {other}")
    if len(ours) != len(theirs):
        raise Failed(f"{what}: {len(ours)} messages of ours, {len(theirs)} of theirs")


def once(lines, author, said):
    """Of the texts that an author said: (lost, doubled, out of order)."""
    numbers = [said.index(x["text"]) for x in lines if x["author"] == author and x["text"] in said]
    return len(said) - len(set(numbers)), len(numbers) - len(set(numbers)), sum(a > b for a, b in zip(numbers, numbers[1:]))


def garden(alice, alice_id, gardener, guest, n):
    """A group of ours. Returns how many messages, and of them the lost, the doubled and those out of order."""
    talk = alice.ask("create_group", name="花园", wait=True)["conversation"]
    link = alice.ask("make_group_link", conversation=talk, wait=True)["link"]
    alice.ask("send", conversation=talk, text="before anybody came", wait=True)
    group, user = join(alice, gardener, talk, {"link": link})
    rights = {"post": "members", "add": "members", "at_all": "administrators", "pin": "administrators", "texts": "administrators"}
    alice.ask("set_group_rights", conversation=talk, joining="approval", **rights, wait=True)
    guest_user = guest.user()
    guest.ask(do="join", link=link)
    guest.until(lambda: guest.said("acknowledged"), "the guest's wish recorded")
    expect(members(alice, talk, asked=True) == [guest_user], "the guest is not the one who waits to be admitted")
    alice.ask("admit", conversation=talk, user=guest_user, wait=True)
    guest.until(lambda: guest.standing(group) == "in", "the guest admitted")

    for k in range(1, n + 1):
        # Cut with a batch on its way, cut with its ack on its way, killed.
        if k in (n // 4, n // 2):
            gardener.tell(do="cut", when="sent" if k == n // 4 else "answered")
        gardener.ask(do="say", group=group, text=words("gardener", k))
        alice.post("send", conversation=talk, text=words("alice", k))
        if k % 4 == 0:
            guest.ask(do="say", group=group, text=words("guest", k))
        if k == 3 * n // 4:
            gardener.kill()
            gardener.start()
    alice.ask("wait_sent")
    total = 2 * n + n // 4
    last = {words("gardener", n), words("alice", n), words("guest", n - n % 4)}
    gardener.until(lambda: last <= {x["text"] for x in gardener.lines_of(group)}, "everybody's last message at the gardener")
    cuts = [x["why"] for x in gardener.said("down") if x["why"].startswith("cut as asked")]
    expect(len(cuts) == 2, f"the gardener was cut off {len(cuts)} times, not twice")

    def held():
        alice_has, there = texts(alice, talk)[1:], gardener.ask(do="show", group=group)["lines"]
        agree("the garden at Alice and at the gardener", alice_has, there)
        return there

    lines = held()
    of = lambda author: [x for x in lines if x["author"] == author]  # noqa: E731
    counted = [once(lines, who, [words(name, k) for k in range(1, n + 1)]) for who, name in ((user, "gardener"), (alice_id, "alice"))]
    counted.append(once(lines, guest_user, [words("guest", k) for k in range(4, n + 1, 4)]))

    # Its own to change, others' not; and theirs are changed for it.
    gardener.ask(do="edit", group=group, target=of(user)[1]["sequence"], text="gardener 2: changed")
    gardener.ask(do="recall", group=group, target=of(user)[2]["sequence"])
    foreign = gardener.ask(do="recall", group=group, target=of(alice_id)[0]["sequence"])["number"]
    alice.ask("edit", conversation=talk, sequence=of(alice_id)[3]["sequence"], text="alice 4: changed", wait=True)
    alice.ask("recall", conversation=talk, sequence=of(alice_id)[4]["sequence"], wait=True)
    gardener.until(lambda: any(x["number"] == foreign for x in gardener.said("group_refused")), "the refusal of what is not its own to recall")
    changed = lambda: [x["kind"] for x in gardener.lines if x["event"] == "group_line" and x["kind"] in ("edit", "recall")]  # noqa: E731
    gardener.until(lambda: len(changed()) >= 4, "two edits and two recalls at the gardener")
    lines = held()
    as_it_is = [(x["edited"], x["recalled"]) for x in of(user)[:3]]
    expect(as_it_is == [(False, False), (True, False), (False, True)], "in the garden not exactly the gardener's second is edited and its third recalled")
    code = next(x["code"] for x in gardener.said("group_refused") if x["number"] == foreign)
    expect(code == "forbidden", f"to recall another's message is {code}, not forbidden")

    # It leaves, hears nothing more, is invited, and comes back to what was said since.
    gardener.ask(do="leave", group=group)
    gardener.until(lambda: gardener.standing(group) == "left", "having left")
    expect(user not in members(alice, talk), "the gardener has left and is among the members")
    alice.ask("send", conversation=talk, text="while the gardener was away", wait=True)
    guest.until(lambda: len(guest.lines_of(group)) >= 1 and guest.lines_of(group)[-1]["text"].startswith("while"), "what is said without the gardener")
    alice.ask("add_member", conversation=talk, user=user, wait=True)
    gardener.until(lambda: gardener.said("group_invited"), "an invitation")
    join(alice, gardener, talk, {"group": group})
    gardener.ask(do="say", group=group, text="back again")
    guest.until(lambda: guest.lines_of(group)[-1]["text"] == "back again", "the gardener's word at the guest")
    gardener.until(lambda: gardener.lines_of(group)[-1]["text"] == "back again", "the gardener's word at the gardener")
    holds = [x["text"] for x in gardener.ask(do="show", group=group)["lines"]]
    expect(holds == ["back again"], "who was away from the garden holds something of that time")
    at_guest = guest.ask(do="show", group=group)["lines"]
    agree("the garden at Alice and at the guest", [x for x in texts(alice, talk) if x["sequence"] >= at_guest[0]["sequence"]], at_guest)
    expect(any(x["author"] == user for x in at_guest), "the guest holds nothing of the gardener's, a domain that it never met")
    return total, [sum(numbers) for numbers in zip(*counted)]


def orchard(alice, alice_id, peer, n):
    """A group whose home is the Python domain. Returns as `garden` does."""
    group = peer.ask(do="create", name="果园")["group"]
    owner = peer.user()
    link = peer.ask(do="make_link", group=group)["link"]
    peer.ask(do="say", group=group, text="before anybody came")
    alice.ask("join_group", link=link, wait=True)
    alice.until(lambda: alice.standing.get(group, (0, ""))[1] == "member", "Alice in the orchard")
    talk = alice.standing[group][0]
    for k in range(1, n + 1):
        alice.post("send", conversation=talk, text=words("alice", k))
        peer.ask(do="say", group=group, text=words("owner", k))
        if k == n // 3:
            peer.tell(do="cut", when="heard")
        if k == 2 * n // 3:
            peer.kill()
            peer.start()
    peer.until(lambda: words("alice", n) in [x["text"] for x in peer.said("group_submitted")], "Alice's last message at its home")
    alice.until(lambda: len([m for m in alice.received if m["author"] == owner]) >= n, "the owner's messages at Alice")
    placed = lambda: {x["counter"] for x in alice.sent_lines if (x["command"], x["conversation"]) == ("send", talk) and x["sequence"] > 0}  # noqa: E731
    alice.until(lambda: len(placed()) >= n, "Alice's messages at Alice, in their places")

    def held():
        there = peer.ask(do="show", group=group)["lines"]
        agree("the orchard at Alice and at its home", texts(alice, talk), there[1:])
        return there

    lines = held()
    mine = [x for x in lines if x["author"] == alice_id]
    alice.ask("edit", conversation=talk, sequence=mine[1]["sequence"], text="alice 2: changed", wait=True)
    alice.ask("recall", conversation=talk, sequence=mine[2]["sequence"], wait=True)
    now = lambda n: alice.changed.get(mine[n]["id"], {"edited_ms": 0, "recalled": False})  # noqa: E731
    alice.until(lambda: now(1)["edited_ms"] and now(2)["recalled"], "Alice's edit and recall at Alice")
    counted = [once(lines, who, [words(name, k) for k in range(1, n + 1)]) for who, name in ((owner, "owner"), (alice_id, "alice"))]
    held()
    alice.ask("leave_group", conversation=talk, wait=True)
    peer.until(lambda: any(x["kind"] == "leave" for x in peer.said("group_submitted")), "Alice out of the orchard")
    expect(peer.ask(do="show", group=group)["members"] == [owner], "Alice has left the orchard and is still in it")
    return 2 * n, [sum(numbers) for numbers in zip(*counted)]

