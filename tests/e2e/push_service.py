#!/usr/bin/env python3
"""A push service on loopback: RFC 8030 over TLS, with a certificate authority of its own, and the user agent's half of
RFC 8291 beside it. Shares no line with the node: what is encrypted there is decrypted here by another library.

Subscriptions are made on standard input and told on standard output, one JSON object a line; what comes in is told too:

    {"do": "subscribe"}                          -> {"subscription": {"endpoint", "p256dh", "auth"}}
    {"do": "keep", "p256dh": …, "auth": …}       -> the same, for a user agent that has its own keys: not decrypted here
    {"do": "answer", "endpoint": …, "status": 429, "headers": {…}, "times": 1}
    {"do": "forget", "endpoint": …}              -> from now on 410

    {"push": {"endpoint", "status", "headers", "body" (base64url), "plain"?, "wrong"?: what RFC 8030, 8188, 8291 or 8292 forbids}}

The first line says {"port", "ca"}: the file of the authority's certificate. Needs the library `cryptography`.
"""

import base64
import datetime
import http.server
import ipaddress
import json
import os
import ssl
import struct
import sys
import threading
import time
import zlib

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

POINT = (serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
tell_lock = threading.Lock()


def tell(value):
    with tell_lock:
        print(json.dumps(value), flush=True)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(data):
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)


def hkdf(salt, secret, info, length):
    return HKDF(hashes.SHA256(), length, salt, info).derive(secret)


def opened(body, key, auth):
    """RFC 8291 §3, RFC 8188 §2: the plaintext of a push."""
    salt, size, id_length = body[:16], struct.unpack(">I", body[16:20])[0], body[20]
    sender, record = body[21:21 + id_length], body[21 + id_length:]
    if id_length != 65 or len(body) > 4096 or len(record) > size or size < 18:
        raise ValueError("not one record of aes128gcm with a point of P-256")
    secret = key.exchange(ec.ECDH(), point(sender))
    own = key.public_key().public_bytes(*POINT)
    material = hkdf(auth, secret, b"WebPush: info\0" + own + sender, 32)
    content_key = hkdf(salt, material, b"Content-Encoding: aes128gcm\0", 16)
    nonce = hkdf(salt, material, b"Content-Encoding: nonce\0", 12)
    plain = AESGCM(content_key).decrypt(nonce, record, None).rstrip(b"\0")
    if plain[-1:] != b"\2":
        raise ValueError("the last record's delimiter is missing")
    return plain[:-1]


def token_is_good(header, origin):
    """RFC 8292: who sends, for whom and until when."""
    scheme, _, parameters = header.partition(" ")
    fields = dict(part.strip().split("=", 1) for part in parameters.split(","))
    signed, _, signature = fields["t"].rpartition(".")
    head, claims = (json.loads(decode(part)) for part in signed.split("."))
    raw = decode(signature)
    der = utils.encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    point(decode(fields["k"])).verify(der, signed.encode(), ec.ECDSA(hashes.SHA256()))
    now = time.time()
    if scheme != "vapid" or head.get("alg") != "ES256" or claims["aud"] != origin:
        raise ValueError(f"a token for {claims.get('aud')}, expected one for {origin}")
    if not now < claims["exp"] <= now + 24 * 3600 or not claims["sub"].startswith(("https:", "mailto:")):
        raise ValueError("a token that is over, or good for too long, or says nobody to ask")


PAGE = """<!doctype html><title>Other</title><meta property="og:title" content="Stars over the sea 星空">
<meta property="og:site_name" content="Night Sky"><meta property="og:description" content="How to find the Plough."><meta property="og:image" content="stars.png">"""


def picture(width, height):
    """A PNG of one colour that is another in each row."""
    rows = b"".join(b"\0" + bytes([30, 40 + y // 2, 120]) * width for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Service:
    def __init__(self):
        self.lock, self.known, self.answers, self.next = threading.Lock(), {}, {}, 0
        # By endpoint and topic: what waits for a user agent that is away; a later one replaces it.
        self.waiting = {}

    def subscribe(self, port, p256dh=None, auth=None):
        key = None if p256dh else ec.generate_private_key(ec.SECP256R1())
        public, secret = (decode(p256dh), decode(auth)) if p256dh else (key.public_key().public_bytes(*POINT), os.urandom(16))
        with self.lock:
            self.next += 1
            path = f"/push/{self.next}-{encode(os.urandom(8))}"
            self.known[path] = (key, secret)
        return {"endpoint": f"https://127.0.0.1:{port}{path}", "p256dh": encode(public), "auth": encode(secret)}

    def judge(self, path, headers, body, origin):
        """The answer's status, its headers, and what is told of the push."""
        told = {"headers": {name.lower(): value for name, value in headers.items()}, "body": encode(body)}
        with self.lock:
            if path not in self.known:
                return 410, {}, told
            key, auth = self.known[path]
            planned = self.answers.get(path, [])
            if planned:
                status, more = planned.pop(0)
                return status, more, told
        try:
            token_is_good(headers.get("Authorization", ""), origin)
        except (KeyError, ValueError, InvalidSignature) as error:
            return 403, {}, told | {"wrong": f"RFC 8292: {error!r}"}
        topic, urgency = headers.get("Topic", ""), headers.get("Urgency", "normal")
        allowed = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
        if not headers.get("TTL", "").isdigit() or headers.get("Content-Encoding") != "aes128gcm":
            return 400, {}, told | {"wrong": "RFC 8030: no TTL, or another encoding"}
        if len(topic) > 32 or not set(topic) <= allowed or urgency not in ("very-low", "low", "normal", "high"):
            return 400, {}, told | {"wrong": "RFC 8030: topic or urgency"}
        if len(body) > 4096:
            return 413, {}, told
        if key is not None:
            try:
                told["plain"] = opened(body, key, auth).decode()
            except Exception as error:  # whatever it is, the sender is at fault
                return 400, {}, told | {"wrong": f"RFC 8291: {error!r}"}
        with self.lock:
            told["replaced"] = bool(topic) and (path, topic) in self.waiting
            self.waiting[path, topic] = told.get("plain")
            told["waiting"] = sum(1 for where, _ in self.waiting if where == path)
        return 201, {"Location": f"{origin}/message/{encode(os.urandom(8))}", "TTL": headers["TTL"]}, told


def handler(service, origin):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            status, headers, told = service.judge(self.path, self.headers, body, origin)
            self.send_response(status)
            for name, value in (headers | {"Content-Length": "0"}).items():
                self.send_header(name, value)
            self.end_headers()
            tell({"push": {"endpoint": origin + self.path, "status": status, **told}})

        def do_GET(self):
            # A page and its picture, for cards of links.
            pages = {"/stars": ("text/html; charset=utf-8", PAGE.encode()), "/stars.png": ("image/png", picture(320, 200))}
            media_type, body = pages.get(self.path, ("text/plain", b""))
            self.send_response(200 if self.path in pages else 404)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            tell({"page": origin + self.path})

        def log_message(self, *_):
            pass

    return Handler


def certificates(folder):
    """An authority, and a certificate of it for 127.0.0.1: files in PEM."""
    now = datetime.datetime.now(datetime.timezone.utc)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]) for name in ("push authority", "push service")]
    made = []
    for key, name, authority in zip(keys, names, (True, False)):
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(names[0]).public_key(key.public_key())
        builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(hours=1))
        builder = builder.not_valid_after(now + datetime.timedelta(days=1))
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        if not authority:
            address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
            builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
        made.append(builder.sign(keys[0], hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    secret = keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths = [os.path.join(folder, name) for name in ("push-ca.pem", "push.pem")]
    for path, content in zip(paths, (made[0], made[1] + secret)):
        with open(path, "wb") as file:
            file.write(content)
    return paths


def main():
    authority, own = certificates(sys.argv[1])
    service = Service()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    port = server.server_address[1]
    server.RequestHandlerClass = handler(service, f"https://127.0.0.1:{port}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    tell({"port": port, "ca": authority})
    for line in sys.stdin:
        asked = json.loads(line)
        path = asked.get("endpoint", "").removeprefix(f"https://127.0.0.1:{port}")
        if asked["do"] == "subscribe":
            tell({"subscription": service.subscribe(port)})
        elif asked["do"] == "keep":
            tell({"subscription": service.subscribe(port, asked["p256dh"], asked["auth"])})
        elif asked["do"] == "answer":
            with service.lock:
                plan = service.answers.setdefault(path, [])
                plan.extend([(asked["status"], asked.get("headers", {}))] * asked.get("times", 1))
        elif asked["do"] == "forget":
            with service.lock:
                service.known.pop(path, None)


if __name__ == "__main__":
    main()
