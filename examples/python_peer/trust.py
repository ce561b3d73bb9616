"""Who a domain is (chapter 2): names, keys, signatures, the charter, the record, pins."""

import base64
import ipaddress
import re
import unicodedata

from blake3 import blake3
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

import wire
from errors import Refused

DAY = 24 * 3600 * 1000
CLOCKS_DIFFER = 300_000
LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def hash_of(data):
    return blake3(data).digest()


# --- names (§2.1, §2.2)


def is_labels(text, at_least):
    labels = text.split(".")
    return len(text) <= 253 and len(labels) >= at_least and all(LABEL.fullmatch(x) for x in labels) and not labels[-1].isdigit()


def is_domain(text):
    if text.endswith(".alt"):
        return re.fullmatch(r"[a-z2-7]{26}\.startalk\.alt", text) is not None
    return text.isascii() and is_labels(text, 2) and all(is_ace(x) for x in text.split(".") if x.startswith("xn--"))


def is_ace(label):
    """Whether it decodes and encodes to itself. Not all of UTS 46, whose tables the standard library does not have."""
    try:
        shown = label[4:].encode().decode("punycode")
    except UnicodeError:
        return False
    return not shown.isascii() and shown.isprintable() and unicodedata.is_normalized("NFKC", shown) and "xn--" + shown.encode("punycode").decode() == label


def is_account(text):
    return re.fullmatch(r"[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?", text) is not None


def is_host(text):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text.isascii() and is_labels(text, 1) and text.split(".")[-1] != "alt"
    return "%" not in text and not address.is_unspecified and not address.is_multicast and text != "255.255.255.255"


def turns_text(character):
    return character in "\u061c\u200e\u200f" or "\u202a" <= character <= "\u202e" or "\u2066" <= character <= "\u2069"


def is_line(text):
    """Without control characters, line separators, and what changes the direction of text."""
    return not any(unicodedata.category(c) in ("Cc", "Zl", "Zp") or turns_text(c) for c in text)


def letters(key):
    return base64.b32encode(hash_of(key)).decode().lower()[:26]


def key_name(first_root_key):
    return letters(first_root_key) + ".startalk.alt"


# --- signatures (§2.3)

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
_Y8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD83D3D706A17C7
SMALL_ORDER_Y = {0, 1, P - 1, _Y8, P - _Y8}


def public(seed):
    return Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()


def sign(seed, context, data):
    return Ed25519PrivateKey.from_private_bytes(seed).sign(context.encode() + b"\0" + data)


def _y(point):
    return int.from_bytes(point, "little") % 2**255 % P


def is_point(key):
    """32 bytes that decode to a point of the curve: x² = (y² − 1) / (d y² + 1) has a solution."""
    if len(key) != 32:
        return False
    y = _y(key)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    return pow(square, (P - 1) // 2, P) in (0, 1)


def verify(key, context, data, signature, what):
    """Strictly: OpenSSL insists on a canonical S and the cofactorless equation, and knows nothing of small orders."""
    try:
        if len(signature) != 64 or not is_point(key) or _y(key) in SMALL_ORDER_Y or _y(signature[:32]) in SMALL_ORDER_Y:
            raise InvalidSignature
        Ed25519PublicKey.from_public_bytes(key).verify(signature, context.encode() + b"\0" + data)
    except InvalidSignature:
        raise Refused("bad-signature", what=what) from None


# --- what we sign


def make_charter(root, recovery, link_key, not_before_ms, sequence):
    """Of a domain without a DNS name: SignedCharter, as bytes."""
    domain, recovery_hash = key_name(public(root)), hash_of(public(recovery))
    charter = wire.write("CHARTER", {
        "domain": domain, "root_key": public(root), "recovery_hash": recovery_hash, "sequence": sequence,
        "link_keys": [{"key": link_key, "not_before_ms": not_before_ms, "not_after_ms": not_before_ms + 90 * DAY}],
        "recovery_commitment": sign(root, "startalk succession v1", b"\2" + recovery_hash + domain.encode()),
    })  # fmt: skip
    return wire.write("SIGNED_CHARTER", {"charter": charter, "signature": sign(root, "startalk charter v1", charter)})


def make_record(charter, link, sequence, now_ms):
    """Without endpoints: this domain dials and is not dialed."""
    record = wire.write("RECORD", {
        "charter": charter, "sequence": sequence, "not_after_ms": now_ms + 2 * DAY, "display_name": "A peer in Python",
        "registration": "closed",
    })  # fmt: skip
    return wire.write("SIGNED_RECORD", {"record": record, "link_key": public(link), "signature": sign(link, "startalk record v1", record)})


# --- what others signed


def check(holds, code, **params):
    if not holds:
        raise Refused(code, **params)


def valid_at(link_key, time_ms):
    return link_key["not_before_ms"] - CLOCKS_DIFFER <= time_ms < link_key["not_after_ms"]


def verify_charter(data):
    """The charter (§2.4), and its `first_root_key`."""
    check(len(data) <= 16384, "too-large", what="charter")
    signed = wire.read("SIGNED_CHARTER", data)
    charter = wire.read("CHARTER", signed["charter"])
    domain, root, line, link_keys = (charter[x] for x in ("domain", "root_key", "line", "link_keys"))
    check(is_domain(domain) and is_point(root) and len(charter["recovery_hash"]) == 32, "malformed", expected="charter")
    check(all(is_point(k["key"]) for k in link_keys), "malformed", expected="link key")
    check(all(is_point(s["from"]) and is_point(s["to"]) for s in line), "malformed", expected="step")
    verify(root, "startalk charter v1", signed["charter"], signed["signature"], "charter")
    commitment = b"\2" + charter["recovery_hash"] + domain.encode()
    verify(root, "startalk succession v1", commitment, charter["recovery_commitment"], "recovery commitment")
    _verify_line(line, root, domain)
    check(len(link_keys) <= 8, "too-many", what="link keys", max=8)
    keys = [k["key"] for k in link_keys]
    check(len(set(keys)) == len(keys) and root not in keys, "bad-value", field="link_keys")
    check(all(0 < k["not_after_ms"] - k["not_before_ms"] <= 90 * DAY for k in link_keys), "bad-value", field="link_keys")
    at_once = lambda t: sum(k["not_before_ms"] <= t < k["not_after_ms"] for k in link_keys)  # noqa: E731
    check(all(at_once(k["not_before_ms"]) <= 2 for k in link_keys), "bad-value", field="link_keys")
    charter["first_root_key"] = line[0]["from"] if line else root
    check(not domain.endswith(".alt") or domain == key_name(charter["first_root_key"]), "wrong-key", domain=domain)
    return charter


def _verify_line(line, root, domain):
    """The line of succession (§2.5)."""
    check(len(line) <= 32, "too-many", what="steps", max=32)
    if not line:
        return
    keys = [line[0]["from"]] + [step["to"] for step in line]
    check([step["from"] for step in line] == keys[:-1] and keys[-1] == root, "wrong-key", what="line of succession", domain=domain)
    check(len(set(keys)) == len(keys), "malformed", expected="a line without repetition")
    for step in line:
        check(bool(step["recovery"]) == bool(step["commitment"]), "malformed" if step["commitment"] else "bad-signature", what="commitment")
        if step["recovery"]:
            commitment = b"\2" + hash_of(step["recovery"]) + domain.encode()
            verify(step["from"], "startalk succession v1", commitment, step["commitment"], "commitment")
        signer = step["recovery"] or step["from"]
        verify(signer, "startalk succession v1", b"\1" + step["from"] + step["to"] + domain.encode(), step["signature"], "step")


def verify_record(data, now_ms):
    """The record (§2.6), with its charter decoded; `signed_charter` is its bytes."""
    check(len(data) <= 16384, "too-large", what="record")
    signed = wire.read("SIGNED_RECORD", data)
    record = wire.read("RECORD", signed["record"])
    record["signed_charter"], record["charter"] = record["charter"], verify_charter(record["charter"])
    charter = record["charter"]
    key = next((k for k in charter["link_keys"] if k["key"] == signed["link_key"]), None)
    check(key is not None, "wrong-key", what="record", domain=charter["domain"])
    check(valid_at(key, now_ms), "expired", what="link key")
    verify(signed["link_key"], "startalk record v1", signed["record"], signed["signature"], "record")
    check(record["not_after_ms"] > now_ms, "expired", what="record")
    check(record["not_after_ms"] <= now_ms + 2 * DAY + CLOCKS_DIFFER, "bad-value", field="not_after_ms")
    check(len(record["endpoints"]) <= 16, "too-many", what="endpoints", max=16)
    check(all(is_host(e["host"]) and 1 <= e["port"] <= 65535 for e in record["endpoints"]), "malformed", expected="endpoint")
    check(len(record["description"].encode()) <= 512, "too-large", what="description", max=512)
    words = len(record["display_name"]) <= 64 and is_line(record["display_name"]) and is_line(record["description"])
    check(words and record["registration"] in ("closed", "invitation", "open"), "malformed", expected="words of a record")
    if record["navigation"]:
        verify_navigation(record["navigation"])
    return record


def verify_navigation(told):
    """What clients are told (chapter 4)."""
    check(len(told["features"]) <= 64, "too-many", what="features", max=64)
    is_word = re.compile("[!-~]{1,32}").fullmatch
    check(all(is_word(feature) for feature in told["features"]), "malformed", expected="features")
    check(re.fullmatch("(#[0-9a-f]{6})?", told["colour"]), "malformed", expected="colour")
    check(len(told["icon_hash"]) in (0, 32), "malformed", expected="icon hash")
    check(told["trial"] is None or 1 <= told["trial"]["account_days"] <= 36600, "malformed", expected="trial")


def follow(pin, record):
    """What is pinned after this record (§2.7); `pin` is None for a domain that was proven just now."""
    charter = record["charter"]
    domain, root = charter["domain"], charter["root_key"].hex()
    if pin:
        check(charter["first_root_key"].hex() == pin["first_root_key"], "root-key-changed", domain=domain)
        if root != pin["root_key"]:
            step = next((s for s in charter["line"] if s["from"].hex() == pin["root_key"]), None)
            check(step is not None and charter["sequence"] != pin["charter_sequence"], "root-key-changed", domain=domain)
            recovered = not step["recovery"] or hash_of(step["recovery"]).hex() == pin["recovery_hash"]
            check(recovered, "root-key-changed", domain=domain)
        older = charter["sequence"] < pin["charter_sequence"] or record["sequence"] < pin["record_sequence"]
        check(not older, "older-record", domain=domain)
    return {
        "first_root_key": charter["first_root_key"].hex(), "root_key": root, "recovery_hash": charter["recovery_hash"].hex(),
        "charter_sequence": charter["sequence"], "record_sequence": record["sequence"],
    }  # fmt: skip
