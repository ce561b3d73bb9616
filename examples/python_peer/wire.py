"""Protocol buffers by hand: the messages of federation-spec/proto as tables, a reader and a writer.

A message is a dict. Fields that are absent have their default when read; of a message or a member of a oneof that is None.
"""

import struct

from errors import Refused

ERROR = {1: ("code", "string"), 2: ("params", ["PARAM"])}
TABLES = {
    # trust.proto
    "LINK_KEY": {1: ("key", "bytes"), 2: ("not_before_ms", "signed"), 3: ("not_after_ms", "signed")},
    "SUCCESSION": {n: (name, "bytes") for n, name in enumerate(("from", "to", "signature", "recovery", "commitment"), 1)},
    "CHARTER": {
        1: ("domain", "string"), 2: ("root_key", "bytes"), 3: ("line", ["SUCCESSION"]), 4: ("link_keys", ["LINK_KEY"]),
        5: ("recovery_hash", "bytes"), 6: ("sequence", "int"), 7: ("gone", "int"), 8: ("recovery_commitment", "bytes"),
    },
    "SIGNED_CHARTER": {1: ("charter", "bytes"), 2: ("signature", "bytes")},
    "ENDPOINT": {1: ("host", "string"), 2: ("port", "int")},
    "RECORD": {
        1: ("charter", "bytes"), 2: ("endpoints", ["ENDPOINT"]), 3: ("sequence", "int"), 4: ("not_after_ms", "signed"),
        5: ("display_name", "string"), 6: ("description", "string"), 7: ("listed", "int"), 8: ("registration", "string"),
        450: ("navigation", "NAVIGATION"),
    },
    "NAVIGATION": {
        1: ("features", ["string"]), 2: ("file_bytes_max", "int"), 3: ("message_bytes_max", "int"), 4: ("group_members_max", "int"),
        5: ("colour", "string"), 6: ("icon_hash", "bytes"), 7: ("trial", "TRIAL"),
    },
    "TRIAL": {1: ("account_days", "int")},
    "SIGNED_RECORD": {1: ("record", "bytes"), 2: ("link_key", "bytes"), 3: ("signature", "bytes")},
    # link.proto: frames
    "PARAM": {1: ("key", "string"), 2: ("value", "string")},
    "ERROR": ERROR,
    "POSITION": {1: ("epoch", "bytes"), 2: ("sequence", "int"), 3: ("running", "bytes")},
    "HELLO": {
        1: ("version_min", "int"), 2: ("version_max", "int"), 3: ("from", "string"), 4: ("to", "string"), 5: ("record", "bytes"),
        6: ("instance", "bytes"), 7: ("features", ["string"]), 8: ("sent", "POSITION"), 9: ("received", "POSITION"),
        10: ("known", ["POSITION"]),
    },
    "ENTRY": {1: ("item", "bytes", "entry"), 2: ("withheld", "bytes", "entry")},
    "BATCH": {
        1: ("epoch", "bytes"), 2: ("first_sequence", "int"), 3: ("entries", ["ENTRY"]), 4: ("link_key", "bytes"), 5: ("signature", "bytes"),
        6: ("submissions", "SUBMISSIONS"),
    },
    "SUBMISSIONS": {1: ("hashes", ["bytes"]), 2: ("signature", "bytes")},
    "REFUSED": {1: ("sequence", "int"), 2: ("error", "ERROR")},
    "ACK": {1: ("epoch", "bytes"), 2: ("sequence", "int"), 3: ("refused", ["REFUSED"])},
    "EPHEMERAL": {
        1: ("from", "string"), 2: ("to", "string"),
        3: ("typing", "int", "kind"), 4: ("presence", "string", "kind"), 5: ("presence_wanted", "int", "kind"),
    },
    "NONCE": {1: ("nonce", "int")},
    "CLOSE": {1: ("error", "ERROR")},
    "FRAME": {
        1: ("hello", "HELLO", "frame"), 2: ("batch", "BATCH", "frame"), 3: ("ack", "ACK", "frame"), 4: ("ephemeral", "EPHEMERAL", "frame"),
        5: ("ping", "NONCE", "frame"), 6: ("pong", "NONCE", "frame"), 7: ("close", "CLOSE", "frame"),
        8: ("ask", "ASK", "frame"), 9: ("answer", "ANSWER", "frame"), 10: ("note", "NOTE", "frame"),
    },
    "ASK": {1: ("id", "int"), 2: ("what", "bytes")},
    "ANSWER": {1: ("id", "int"), 2: ("what", "bytes", "answer"), 3: ("error", "ERROR", "answer")},
    "NOTE": {1: ("what", "bytes")},
    # link.proto: items
    "ITEM": {
        1: ("salt", "bytes"), 2: ("from", "string"), 3: ("to", "string"), 4: ("time_ms", "signed"),
        5: ("message", "MESSAGE", "kind"), 6: ("edit", "EDIT", "kind"), 7: ("recall", "RECALL", "kind"),
        8: ("marks", "MARKS", "kind"), 9: ("profile", "PROFILE", "kind"), 10: ("account_gone", "EMPTY", "kind"),
        11: ("group_submission", "GROUP_SUBMISSION", "kind"), 12: ("group_invite", "GROUP_INVITE", "kind"),
    },
    "MESSAGE": {1: ("id", "bytes"), 2: ("content", "bytes"), 3: ("reply_to", "bytes")},
    "EDIT": {1: ("id", "bytes"), 2: ("content", "bytes")},
    "RECALL": {1: ("id", "bytes")},
    "MARKS": {1: ("delivered", "bytes"), 2: ("read", "bytes")},
    "PROFILE": {1: ("revision", "int"), 2: ("display_name", "string"), 3: ("avatar", "string"), 4: ("signature", "string")},
    "EMPTY": {},
    "GROUP_SUBMISSION": {1: ("group", "string"), 2: ("submission", "bytes"), 3: ("written", "bytes"), 4: ("secret", "bytes")},
    "GROUP_INVITE": {1: ("group", "string"), 2: ("name", "string"), 3: ("inviter", "string")},
    # content.proto
    "CONTENT": {
        1: ("fallback", "string"), 2: ("text", "TEXT", "kind"), 3: ("code", "CODE", "kind"), 4: ("system", "SYSTEM", "kind"),
        5: ("album", "ALBUM", "kind"), 6: ("voice", "VOICE", "kind"), 7: ("video", "VIDEO", "kind"),
        8: ("attachment", "ATTACHMENT", "kind"), 9: ("sticker", "STICKER", "kind"), 10: ("location", "LOCATION", "kind"),
        11: ("contact_card", "CONTACT_CARD", "kind"), 12: ("link_card", "LINK_CARD", "kind"),
        13: ("transcript", "TRANSCRIPT", "kind"), 14: ("shake", "EMPTY", "kind"), 440: ("burn_s", "int"),
    },
    "FILE": {1: ("hash", "bytes"), 2: ("size", "int"), 3: ("type", "string"), 4: ("name", "string")},
    "ALBUM": {1: ("pictures", ["PICTURE"]), 2: ("caption", "TEXT")},
    "PICTURE": {
        1: ("file", "FILE"), 2: ("width", "int"), 3: ("height", "int"), 4: ("blur", "bytes"), 5: ("thumb", "FILE"), 6: ("reduced", "FILE"),
    },
    "VOICE": {1: ("file", "FILE"), 2: ("duration_ms", "int"), 3: ("waveform", "bytes")},
    "VIDEO": {
        1: ("file", "FILE"), 2: ("duration_ms", "int"), 3: ("width", "int"), 4: ("height", "int"), 5: ("poster", "FILE"),
        6: ("blur", "bytes"), 7: ("caption", "TEXT"),
    },
    "ATTACHMENT": {1: ("file", "FILE"), 2: ("caption", "TEXT")},
    "STICKER": {1: ("file", "FILE"), 2: ("width", "int"), 3: ("height", "int"), 4: ("code", "string"), 5: ("pack", "string")},
    "LOCATION": {1: ("latitude", "double"), 2: ("longitude", "double"), 3: ("name", "string"), 4: ("address", "string")},
    "CONTACT_CARD": {1: ("user", "string"), 2: ("display_name", "string")},
    "LINK_CARD": {
        1: ("url", "string"), 2: ("title", "string"), 3: ("description", "string"), 4: ("site", "string"), 5: ("picture", "PICTURE"),
    },
    "TRANSCRIPT": {1: ("title", "string"), 2: ("lines", ["LINE"])},
    "LINE": {1: ("author", "string"), 2: ("author_name", "string"), 3: ("time_ms", "signed"), 4: ("content", "bytes")},
    "TEXT": {1: ("blocks", ["BLOCK"])},
    "BLOCK": {1: ("kind", "int"), 2: ("inlines", ["INLINE"]), 3: ("level", "int")},
    "INLINE": {1: ("text", "string"), 2: ("marks", "int"), 3: ("link", "string"), 4: ("mention", "string")},
    "CODE": {1: ("language", "string"), 2: ("source", "string")},
    "SYSTEM": ERROR,
    # group.proto: what somebody does
    "SUBMISSION": {
        1: ("number", "int"), 2: ("not_after_ms", "signed"), 3: ("author", "int"),
        10: ("create", "CREATE", "action"), 11: ("message", "GROUP_MESSAGE", "action"), 12: ("edit", "TARGET", "action"),
        13: ("recall", "TARGET", "action"), 14: ("react", "TARGET_OR_NOT", "action"), 15: ("pin", "TARGET_OR_NOT", "action"),
        16: ("add", "EMPTY", "action"), 17: ("join", "EMPTY", "action"), 18: ("admit", "TARGET_OR_NOT", "action"),
        19: ("leave", "EMPTY", "action"), 20: ("remove", "TARGET", "action"), 21: ("ban", "TARGET_OR_NOT", "action"),
        22: ("set_role", "SET_ROLE", "action"), 23: ("mute", "MUTE", "action"), 24: ("set_text", "SET_TEXT", "action"),
        25: ("set_rights", "SET_RIGHTS", "action"), 26: ("make_link", "MAKE_LINK", "action"), 27: ("revoke_link", "TARGET", "action"),
        28: ("destroy", "EMPTY", "action"), 29: ("new_epoch", "EMPTY", "action"),
    },
    "CREATE": {1: ("home", "string"), 2: ("nonce", "bytes"), 3: ("rights", "RIGHTS")},
    "GROUP_MESSAGE": {1: ("id", "bytes"), 2: ("reply_to", "int"), 3: ("at_all", "int")},
    # The messages whose first field is a sequence or a member, and whose second takes it back, lifts or refuses.
    "TARGET": {1: ("target", "int")},
    "TARGET_OR_NOT": {1: ("target", "int"), 2: ("remove", "int")},
    "SET_ROLE": {1: ("member", "int"), 2: ("role", "int")},
    "MUTE": {1: ("member", "int"), 2: ("until_ms", "signed")},
    "SET_TEXT": {1: ("text", "int")},
    "SET_RIGHTS": {1: ("rights", "RIGHTS")},
    "RIGHTS": {n: (name, "int") for n, name in enumerate(("post", "add", "at_all", "pin", "texts", "joining"), 1)},
    "MAKE_LINK": {1: ("uses", "int"), 2: ("not_after_ms", "signed")},
    "DECIDED": {1: ("member", "int"), 2: ("asked", "int"), 3: ("invited", "int"), 4: ("link", "int")},
    "PERSON": {1: ("name", "string"), 2: ("domain", "string"), 3: ("display_name", "string"), 4: ("word", "string")},
    "GROUP_ENTRY": {
        1: ("submission", "bytes"), 2: ("decided", "bytes"), 3: ("origin", "string"), 4: ("time_ms", "signed"),
        5: ("written", "bytes", "body"), 6: ("erased", "bytes", "body"), 7: ("proof", "int"),
    },
    "PROOF": {1: ("domain", "string"), 2: ("link_key", "bytes"), 3: ("hashes", ["bytes"]), 4: ("signature", "bytes")},
    "HEAD": {
        1: ("group", "string"), 2: ("home_epoch", "int"), 3: ("sequence", "int"), 4: ("chain", "bytes"), 5: ("time_ms", "signed"),
        6: ("link_key", "bytes"), 7: ("signature", "bytes"),
    },
    "RANGE": {
        1: ("from", "HEAD"), 2: ("entries", ["GROUP_ENTRY"]), 3: ("proofs", ["PROOF"]), 4: ("charters", ["bytes"]), 5: ("at", "HEAD"),
        6: ("end", "int"),
    },
    # group.proto: questions, answers, notes
    "GROUP_ASK": {
        1: ("group", "string"), 2: ("follow", "FOLLOW", "ask"), 3: ("begin", "BEGIN", "ask"), 4: ("read_by", "READ_BY", "ask"),
    },
    "FOLLOW": {1: ("after", "int"), 2: ("waits_for_ms", "signed")},
    "BEGIN": {1: ("from_member", "int")},
    "READ_BY": {1: ("sequence", "int")},
    "GROUP_ANSWER": {1: ("range", "RANGE", "answer"), 2: ("beginning", "BEGINNING", "answer"), 3: ("readers", "READERS", "answer")},
    "BEGINNING": {
        1: ("base", "HEAD"), 2: ("rights", "RIGHTS"), 3: ("name", "string"), 4: ("notice", "string"), 5: ("description", "string"),
        6: ("avatar", "string"), 7: ("members", ["MEMBER"]), 8: ("next_member", "int"), 9: ("pins", ["int"]),
    },
    "MEMBER": {
        1: ("member", "int"), 2: ("name", "string"), 3: ("domain", "string"), 4: ("display_name", "string"), 5: ("role", "int"),
        6: ("muted_until_ms", "signed"), 7: ("changed", "int"),
    },
    "READERS": {1: ("count", "int"), 2: ("of", "int"), 3: ("readers", ["READER"])},
    "READER": {1: ("member", "int"), 2: ("read", "int")},
    "GROUP_NOTE": {1: ("group", "string"), 2: ("hint", "HINT", "note"), 3: ("range", "RANGE", "note"), 4: ("marks", "GROUP_MARKS", "note")},
    "GROUP_MARKS": {1: ("readers", ["READER"])},
    "HINT": {1: ("sequence", "int")},
}
DEFAULTS = {"int": 0, "signed": 0, "double": 0.0, "bytes": b"", "string": ""}


WIRE_TYPES = {"int": 0, "signed": 0, "double": 1}


def write(name, message):
    """Fields in the order of their numbers; defaults are left out."""
    out = bytearray()
    for number, (field, kind, *oneof) in TABLES[name].items():
        value = message.get(field)
        for one in value or [] if isinstance(kind, list) else [value]:
            plain = kind[0] if isinstance(kind, list) else kind
            if one is None or (one == DEFAULTS.get(plain) and not oneof and not isinstance(kind, list)):
                continue
            if plain in ("int", "signed"):
                out += _varint(number << 3) + _varint(int(one))
                continue
            if plain == "double":
                out += _varint(number << 3 | 1) + struct.pack("<d", one)
                continue
            data = one.encode() if plain == "string" else one if plain == "bytes" else write(plain, one)
            out += _varint(number << 3 | 2) + _varint(len(data)) + data
    return bytes(out)


def read(name, data):
    """Refuses with `malformed` what is no message of this name."""
    table, message, raw = TABLES[name], {}, {}
    for field, kind, *oneof in table.values():
        message[field] = [] if isinstance(kind, list) else None if oneof else DEFAULTS.get(kind)
    for number, wire_type, value in fields(data):
        if number not in table:
            continue
        field, kind, *oneof = table[number]
        plain = kind[0] if isinstance(kind, list) else kind
        if plain == "int" and isinstance(kind, list) and wire_type == 2:
            message[field] = message[field] + list(_packed(value))
            continue
        if wire_type != WIRE_TYPES.get(plain, 2):
            raise Refused("malformed", expected=name.lower())
        if plain == "string":
            try:
                value = value.decode()
            except UnicodeDecodeError:
                raise Refused("malformed", expected="UTF-8") from None
        elif plain == "double":
            (value,) = struct.unpack("<d", value)
        elif plain == "signed":
            value -= (value >> 63) << 64
        elif plain in TABLES:
            # One that comes twice is the two joined.
            raw[number] = value if isinstance(kind, list) or message[field] is None else raw[number] + value
            value = read(plain, raw[number])
        for other, _, *group in table.values():
            if oneof and group == oneof:
                message[other] = None
        message[field] = message[field] + [value] if isinstance(kind, list) else value
    return message


def fields(data):
    """(number, wire type, value) of each field."""
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        number, wire_type = tag >> 3, tag & 7
        if wire_type == 0:
            value, at = _read_varint(data, at)
        elif wire_type in (1, 2, 5):
            length, at = _read_varint(data, at) if wire_type == 2 else ({1: 8, 5: 4}[wire_type], at)
            value, at = data[at : at + length], at + length
        if number == 0 or wire_type not in (0, 1, 2, 5) or at > len(data):
            raise Refused("malformed", expected="protobuf")
        yield number, wire_type, value


def _packed(data):
    """A list of numbers that stands in one field."""
    at = 0
    while at < len(data):
        value, at = _read_varint(data, at)
        yield value


def _varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def _read_varint(data, at):
    value = 0
    for n in range(10):
        if at + n >= len(data):
            break
        value |= (data[at + n] & 127) << 7 * n
        if data[at + n] < 128:
            return value & (1 << 64) - 1, at + n + 1
    raise Refused("malformed", expected="varint")
