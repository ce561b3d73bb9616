"""Contents that are more than words (§5.8): what is judged of each kind."""

import re

import trust
import wire
from trust import check

SIDE_MAX, DURATION_MS_MAX, FILES_MAX, DEPTH_MAX = 65535, 86_400_000, 200, 3
MEDIA_TYPE = re.compile(r"([a-z0-9!#$&^_.+-]{1,127}/[a-z0-9!#$&^_.+-]{1,127})?", re.ASCII)


def check_kind(content, depth, sizes, check_text, check_content):
    """Refuses what breaks the limits of its kind; `sizes`: of the files so far, by hash. False: it is of no kind known here."""

    def file(it):
        check(it and len(it["hash"]) == 32, "bad-value", field="hash")
        check(it["size"] <= 1 << 40, "too-large", what="file")
        check(MEDIA_TYPE.fullmatch(it["type"]), "bad-value", field="type")
        plain = trust.is_line(it["name"]) and not set(it["name"]) & set("/\\")
        check(plain and len(it["name"].encode()) <= 255, "bad-value", field="name")
        check(sizes.setdefault(it["hash"], it["size"]) == it["size"], "bad-value", field="size")
        check(len(sizes) <= FILES_MAX, "too-large", what="files")

    def seen(it):
        check(max(it["width"], it["height"]) <= SIDE_MAX, "bad-value", field="width")
        check(len(it.get("blur", b"")) <= 40, "too-large", what="blur")

    def picture(it):
        for one in [it["file"]] + [it[copy] for copy in ("thumb", "reduced") if it[copy]]:
            file(one)
        seen(it)

    def line(text, most, what):
        check(len(text.encode()) <= most, "too-large", what=what)
        check(all(c == "\n" or trust.is_line(c) for c in text), "bad-value", field=what)

    if it := content["album"]:
        check(1 <= len(it["pictures"]) <= 30, "bad-value", field="pictures")
        for one in it["pictures"]:
            picture(one)
    elif it := content["voice"]:
        file(it["file"])
        check(it["duration_ms"] <= DURATION_MS_MAX, "bad-value", field="duration_ms")
        check(len(it["waveform"]) <= 128, "too-large", what="waveform")
    elif it := content["video"]:
        file(it["file"])
        if it["poster"]:
            file(it["poster"])
        check(it["duration_ms"] <= DURATION_MS_MAX, "bad-value", field="duration_ms")
        seen(it)
    elif it := content["attachment"]:
        file(it["file"])
    elif it := content["sticker"]:
        file(it["file"])
        seen(it)
        line(it["code"], 64, "code")
        line(it["pack"], 64, "pack")
    elif it := content["location"]:
        there = -90 <= it["latitude"] <= 90 and -180 <= it["longitude"] <= 180  # not so of what is no number
        check(there, "bad-value", field="location")
        line(it["name"], 512, "name")
        line(it["address"], 512, "address")
    elif it := content["contact_card"]:
        account, _, domain = it["user"].partition("@")
        check(trust.is_account(account) and trust.is_domain(domain), "bad-value", field="user")
        check(len(it["display_name"]) <= 64 and trust.is_line(it["display_name"]), "bad-value", field="display_name")
    elif it := content["link_card"]:
        web = it["url"].startswith(("https:", "http:")) and len(it["url"].encode()) <= 2048 and trust.is_line(it["url"])
        check(web, "bad-value", field="url")
        for what, most in (("title", 512), ("description", 2048), ("site", 512)):
            line(it[what], most, what)
        if it["picture"]:
            picture(it["picture"])
    elif it := content["transcript"]:
        check(depth < DEPTH_MAX and 1 <= len(it["lines"]) <= 100, "bad-value", field="transcript")
        line(it["title"], 512, "title")
        for one in it["lines"]:
            account, _, domain = one["author"].partition("@")
            check(one["author"] == "" or trust.is_account(account) and trust.is_domain(domain), "bad-value", field="author")
            inner = wire.read("CONTENT", one["content"])
            check(inner["burn_s"] == 0, "bad-value", field="burn_s")
            check_content(inner, False, depth + 1, sizes)
    elif content["shake"] is None:
        return False
    if it and it.get("caption"):
        check_text(it["caption"])
    return True
