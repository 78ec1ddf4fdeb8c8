"""The focus's MSRP connections (`msrp_wire`): listeners that devices come to, and connections that we make.

With a certificate it speaks TLS, whose fingerprint stands in each session description (RFC 4975 section 14.4); without
one, and for peers that offer nothing better, in the clear on this machine only (SR-19).

"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
from dataclasses import dataclass

from ...codec.addresses import is_loopback
from ...codec.msrp import MsrpUri
from ...errors import InputError
from ...ids import Rng
from ...msrp import SessionTable
from ...sip.msrp_media import Fingerprint
from .msrp_wire import Handler, MsrpSettings, Wire

__all__ = ["MsrpPort", "MsrpTls"]


@dataclass(frozen=True, slots=True)
class MsrpTls:
    """A server context and the fingerprint of its certificate."""

    context: ssl.SSLContext
    fingerprint: Fingerprint

    @classmethod
    def of_files(cls, certificate: str, key: str) -> MsrpTls:
        """From PEM files. Raises OSError, ssl.SSLError when they cannot be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(certificate, key)
        with open(certificate, encoding="ascii") as file:
            text = file.read()
        start, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
        der = ssl.PEM_cert_to_DER_cert(text[text.index(start) : text.index(end) + len(end)])
        return cls(context, Fingerprint("sha-256", hashlib.sha256(der).digest()))


class MsrpPort:
    """`await listen()`, then `address` says where; `await close()`. Raises InputError for what would be readable on the way."""

    def __init__(
        self, host: str, port: int, settings: MsrpSettings, handler: Handler, rng: Rng, tls: MsrpTls | None
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.sessions = SessionTable()
        self._plain = tls is None or is_loopback(host)
        if self._plain and not is_loopback(host):
            raise InputError(
                f"the focus takes no messages on {host} without TLS", code="focus.tls", hint="give it a certificate"
            )
        self._plain_port = 0
        self._settings = settings
        self._handler = handler
        self._rng = rng
        self._servers: list[asyncio.Server] = []
        self._wires: set[Wire] = set()
        # One for all: what is read is taken at once. Its size bounds how much one peer has done in one step.
        self._buffer = bytearray(settings.read_bytes)

    async def listen(self) -> None:
        """Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        if self.tls is not None:
            server = await loop.create_server(
                self._make, self.host, self.port, ssl=self.tls.context, backlog=1024, ssl_handshake_timeout=10
            )
            self._servers.append(server)
            self.port = server.sockets[0].getsockname()[1]
        if self._plain:
            server = await loop.create_server(self._make, self.host, 0 if self.tls else self.port, backlog=1024)
            self._servers.append(server)
            self._plain_port = server.sockets[0].getsockname()[1]
            self.port = self.port if self.tls else self._plain_port

    def local(self, session: str, secure: bool | None) -> MsrpUri | None:
        """The address of a session of ours, with TLS or without. None: with it, but on this machine, where a peer that
        listens has no certificate. Gives None when we cannot at all."""
        secure = not self._plain if secure is None else secure
        if (self.tls is None) if secure else not self._plain:
            return None
        host = f"[{self.host}]" if ":" in self.host else self.host
        return MsrpUri("msrps" if secure else "msrp", host, self.port if secure else self._plain_port, session)

    async def connect(self, host: str, port: int, peer: tuple[Fingerprint, ...] | None) -> Wire:
        """A connection of ours to a device or relay that listens; with `peer` by TLS, proven by one of these fingerprints.

        Raises OSError, TimeoutError.
        """
        loop = asyncio.get_running_loop()
        context = None
        if peer is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # the fingerprint in the description is the proof
        async with asyncio.timeout(self._settings.connect_s):
            transport, wire = await loop.create_connection(self._make, host, port, ssl=context)
        if peer is not None:
            der = transport.get_extra_info("ssl_object").getpeercert(binary_form=True)
            proof = hashlib.sha256(der or b"").digest()
            if not any(each.hash_name == "sha-256" and hmac.compare_digest(each.value, proof) for each in peer):
                transport.abort()
                raise OSError("the certificate has another fingerprint than the session description")
        return wire

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        gone = [wire.close() for wire in list(self._wires)]
        if gone:
            await asyncio.wait(gone, timeout=2)
        for server in self._servers:
            await server.wait_closed()
        self._servers.clear()

    def _make(self) -> Wire:
        return Wire(
            self._settings, self.sessions, self._handler, self._rng, self._admit, self._wires.discard, self._buffer
        )

    def _admit(self, wire: Wire) -> bool:
        if len(self._wires) >= self._settings.max_connections:
            return False
        self._wires.add(wire)
        return True
