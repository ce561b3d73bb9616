"""What is outside of a link: QUIC and its certificates (chapter 3 §1), and the hub's HTTP (chapter 4)."""

import asyncio
import datetime
import ssl
import urllib.request

from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, StreamDataReceived
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.x509.oid import NameOID

import link


class Stream(QuicConnectionProtocol):
    """The first bidirectional stream of a connection, as a queue of bytes; None is its end."""

    def __init__(self, *arguments, **named):
        super().__init__(*arguments, **named)
        self.came, self.id = asyncio.Queue(), None

    def quic_event_received(self, event):
        if isinstance(event, StreamDataReceived):
            self.came.put_nowait(event.data)
        if isinstance(event, ConnectionTerminated) or getattr(event, "end_stream", False):
            self.came.put_nowait(None)

    def write(self, data, end=False):
        if self.id is None:
            self.id = self._quic.get_next_available_stream_id()
        self._quic.send_stream_data(self.id, data, end_stream=end)
        self.transmit()

    async def farewell(self, error):
        """Why we close; the other has a second to take it (§3.1)."""
        self.write(link.frame(close={"error": error}), end=True)
        try:
            async with asyncio.timeout(1):
                while await self.came.get() is not None:
                    pass
        except TimeoutError:
            pass

    def peer_key(self):
        key = self._quic.tls._peer_certificate.public_key()
        return key.public_bytes_raw() if isinstance(key, Ed25519PublicKey) else b""


def connection(host, port, domain, link_key):
    """To be entered and left; a certificate means nothing but its key (§3.1)."""
    key = Ed25519PrivateKey.from_private_bytes(link_key)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "startalk")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(90))
    tls = QuicConfiguration(is_client=True, alpn_protocols=["startalk-link/1"], server_name=domain, verify_mode=ssl.CERT_NONE)
    tls.certificate, tls.private_key = certificate.sign(key, None), key
    return connect(host, port, configuration=tls, create_protocol=Stream)


def ask_hub(hub, path, body=None):
    """Status and body; a body is posted."""
    with urllib.request.urlopen(hub.rstrip("/") + path, data=body, timeout=10) as answer:
        return answer.status, answer.read(16385)
