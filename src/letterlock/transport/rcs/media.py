"""The MSRP end of one account: what we offer and answer, and the connections that come of it.

Three ways to be reached (RCC.07, RFC 4976, RFC 6135): through a relay that the carrier names, at an address of our own,
or not at all, when we make every connection. Each session has an id that cannot be guessed, and on a relay a path of
its own. A peer's address is connected to only where strangers may send us, and without TLS only on this machine (SR-14,
SR-19).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from dataclasses import dataclass, replace

from ...codec.addresses import is_loopback, is_public
from ...codec.msrp import MsrpUri, Path
from ...errors import InputError, ProtocolError, TransportError
from ...ids import Rng
from ...msrp import MessageStarted, Session, SessionTable, new_session_id
from ...sip.digest import DigestClient
from ...sip.msrp_media import Agreement, Fingerprint, MsrpMedia, Setup, answering_setup
from ..msrp.bodies import MsrpRefusal, Sink
from ..msrp.connection import MsrpConnection
from ..msrp.listener import MsrpListener
from ..msrp.settings import MsrpFailure, MsrpSettings
from ..msrp.tls import ClientTls, by_fingerprint, by_name, certificate_fingerprint
from ..msrp.tls import Fingerprint as TrustedFingerprint
from .config import RcsConfig, tls_context

__all__ = ["LocalEnd", "Media", "MediaSession"]

_DISCARD_PORT = 9  # RFC 6135 section 4.2.2: of a side that cannot be connected to
_MARGIN_S = 60.0  # a relay's path is given up this long before it expires


class MediaSession:
    """Who is told what happens in one session. Subclass it."""

    def message_started(self, started: MessageStarted) -> Sink:
        """Where an arriving message goes. Raises MsrpRefusal."""
        raise MsrpRefusal(415, "nothing is expected here")

    def failed(self, reason: str) -> None:
        """The session cannot be used any more."""


@dataclass(slots=True, eq=False)
class LocalEnd:
    """Our side of one session: `media` is what stands in the description, `bound` done when the peer can be reached.

    `usable_until`: the loop's time to which the path is good.
    """

    media: MsrpMedia
    session: str
    owner: MediaSession
    bound: asyncio.Future[MsrpConnection]
    use_path: Path = ()
    relay: MsrpConnection | None = None
    connection: MsrpConnection | None = None
    usable_until: float | None = None


class Media:
    """`open` it before the first session and `close` it behind the last."""

    def __init__(
        self,
        config: RcsConfig,
        accept_types: tuple[str, ...],
        accept_wrapped_types: tuple[str, ...],
        rng: Rng,
        settings: MsrpSettings | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._config = config
        self._tls = tls
        self._accept_types = accept_types
        self._accept_wrapped_types = accept_wrapped_types
        self._rng = rng
        self._settings = settings or MsrpSettings()
        self._table = SessionTable()
        self._ends: dict[str, LocalEnd] = {}
        self._listener: MsrpListener | None = None
        self._fingerprints: tuple[Fingerprint, ...] = ()
        self._relay: MsrpConnection | None = None
        self._relay_lock = asyncio.Lock()
        self._direct: set[MsrpConnection] = set()

    async def open(self) -> None:
        """Listen, when that is configured. Raises OSError."""
        sessions = self._config.sessions
        if self._listener is not None or sessions.msrp_relay is not None:
            return
        if sessions.msrp_listen is not None:
            host, port = sessions.msrp_listen
        elif sessions.msrp_loopback and is_loopback(self._config.server):
            host, port = "127.0.0.1", 0
        else:
            return
        context = None
        if sessions.msrp_certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(*sessions.msrp_certificate)
            self._fingerprints = (_fingerprint_of(sessions.msrp_certificate[0]),)
        elif not is_loopback(host) and not self._config.insecure_lab:
            raise InputError("MSRP without TLS beyond this machine", code="rcs.plaintext", hint="msrp_certificate")
        self._listener = await MsrpListener.open(host, port, context, self._settings, self._table, self, self._rng)

    async def close(self) -> None:
        """End all connections."""
        connections = [*self._direct, *([self._relay] if self._relay is not None else [])]
        await asyncio.gather(*(connection.finish() for connection in connections))
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    # --- our side ------------------------------------------------------------------------------------------
    async def local_end(
        self, owner: MediaSession, host: str, offered: MsrpMedia | None, *, max_message: int
    ) -> LocalEnd:
        """Our side of a new session, as an offer or as the answer to `offered`. `host` is our address towards the carrier,
        `max_message` what is taken over the session.

        Raises ProtocolError (`sip.media.setup`, `sip.media.tls`) for an offer that cannot be answered, TransportError
        when the relay cannot be reached or refuses.
        """
        config = self._config.sessions
        session = new_session_id(self._rng)
        if config.msrp_relay is not None:
            return await self._relayed(owner, host, session, offered, max_message)
        reachable = self._listener is not None
        setup = Setup.ACTPASS if reachable else Setup.ACTIVE
        if offered is not None:
            setup = answering_setup(offered.setup, reachable=reachable)
        own_tls = bool(self._fingerprints) if reachable else self._config.tls
        secure = own_tls if offered is None else offered.secure
        if setup is not Setup.ACTIVE and secure is not own_tls:
            raise ProtocolError("one side has TLS and the other has not", code="sip.media.tls")
        if not secure and not self._plain_permitted:
            raise ProtocolError("MSRP without TLS", code="sip.media.tls")
        port = _DISCARD_PORT
        if setup is not Setup.ACTIVE and self._listener is not None:
            host, port = self._listener.address
        uri = MsrpUri("msrps" if secure else "msrp", _bracketed(host), port, session)
        fingerprints = self._fingerprints if secure else ()
        return self._added(
            LocalEnd(self._described((uri,), host, port, setup, fingerprints, max_message), session, owner, _future())
        )

    async def join(self, end: LocalEnd, agreed: Agreement, carrier: str) -> None:
        """Bring the session up as agreed. `carrier` is the host that we are registered with, which may be connected to.

        Raises TransportError: nobody came, nobody was there, or it may not be connected to.
        """
        to_path = (*end.use_path, *agreed.peer.path)
        session = self._table.session(end.session)
        if session is None:
            raise TransportError("the session is over", code="msrp.session")
        config = self._config.sessions
        chunk = config.chunk if len(to_path) == 1 else config.relayed_chunk
        self._table.replace(replace(session, to_path=to_path, chunk=chunk))
        if end.relay is not None:
            if agreed.active:
                await end.relay.open_session(end.session)
            else:
                await asyncio.shield(end.bound)
            end.connection = end.relay
        elif agreed.active:
            connection = await self._connect(agreed, carrier)
            self._direct.add(connection)
            connection.closed.add_done_callback(lambda _: self._direct.discard(connection))
            end.connection = connection
            await connection.open_session(end.session)
        else:
            end.connection = await asyncio.shield(end.bound)

    def release(self, end: LocalEnd) -> None:
        """The session is over. A connection that carried nothing else is closed."""
        self._ends.pop(end.session, None)
        self._table.remove(end.session)
        connection = end.connection or end.relay
        if end.bound.done() and end.bound.exception() is None:
            connection = connection or end.bound.result()
        else:
            _fail(end, "the session is over", 0)  # whoever waits for the peer waits in vain
        if connection is not None:
            connection.release_session(end.session)
            if connection is not self._relay and not connection.sessions:
                connection.close()

    # --- what connections tell -----------------------------------------------------------------------------
    def session_bound(self, connection: MsrpConnection, session: str) -> None:
        end = self._ends.get(session)
        if end is not None and not end.bound.done():
            end.bound.set_result(connection)

    def session_failed(self, connection: MsrpConnection, session: str, status: int, reason: str) -> None:
        end = self._ends.get(session)
        if end is None:
            return
        _fail(end, reason, status)
        end.owner.failed(reason)

    def message_started(self, connection: MsrpConnection, started: MessageStarted) -> Sink:
        end = self._ends.get(started.session)
        if end is None:
            raise MsrpRefusal(403, "the session is over")
        return end.owner.message_started(started)

    # --- relay ---------------------------------------------------------------------------------------------
    async def _relayed(
        self, owner: MediaSession, host: str, session: str, offered: MsrpMedia | None, max_message: int
    ) -> LocalEnd:
        """RFC 4976 section 5.1; in a description, RFC 6714 sections 4.2 and 4.3."""
        assert self._config.sessions.msrp_relay is not None
        relay = MsrpUri.parse(self._config.sessions.msrp_relay)
        connection = await self._relay_connection(relay)
        local = MsrpUri(relay.scheme, _bracketed(host), connection.local[1], session)
        digest = DigestClient(self._config.username, self._config.password, self._rng)
        granted = await connection.authorize(relay.encode(), local.encode(), digest)
        path = (*reversed(granted.use_path), local)
        edge = path[0]
        setup = Setup.ACTPASS if offered is None else answering_setup(offered.setup, reachable=True)
        media = self._described(path, edge.host.strip("[]"), edge.port or _DISCARD_PORT, setup, (), max_message)
        if offered is not None and len(offered.path) > 1:
            media = replace(media, cema=False)  # section 4.3: "Both MSRP endpoints are using relays"
        end = LocalEnd(media, session, owner, _future(), granted.use_path, connection)
        if granted.expires_ms is not None:
            end.usable_until = asyncio.get_running_loop().time() + granted.expires_ms / 1000 - _MARGIN_S
        self._added(end)
        connection.attach_session(session)
        return end

    async def _relay_connection(self, relay: MsrpUri) -> MsrpConnection:
        """The one to our relay, which all sessions share."""
        async with self._relay_lock:
            if self._relay is not None and not self._relay.closed.done():
                return self._relay
            host = relay.host.strip("[]")
            tls = None
            if relay.secure:
                tls = by_name(self._tls or tls_context(self._config), self._config.tls_name or host)
            elif not is_loopback(host) and not self._config.insecure_lab:
                raise TransportError("MSRP without TLS beyond this machine", code="rcs.plaintext")
            self._relay = await MsrpConnection.connect(
                host, relay.port or 2855, tls, self._settings, self._table, self, self._rng
            )
            return self._relay

    # --- direct ----------------------------------------------------------------------------------------------
    async def _connect(self, agreed: Agreement, carrier: str) -> MsrpConnection:
        peer = agreed.peer
        hop = peer.path[0]
        address = await self._permitted_address(agreed.address, agreed.port, carrier)
        tls: ClientTls | None = None
        if hop.secure:
            trusted = [f for f in map(_trusted, peer.fingerprints) if f is not None]
            host = hop.host.strip("[]")
            tls = by_fingerprint(trusted[0], host) if trusted else by_name(self._tls or tls_context(self._config), host)
        elif not is_loopback(address) and not self._config.insecure_lab:
            raise TransportError("MSRP without TLS beyond this machine", code="rcs.plaintext")
        return await MsrpConnection.connect(address, agreed.port, tls, self._settings, self._table, self, self._rng)

    async def _permitted_address(self, host: str, port: int, carrier: str) -> str:
        """An address of `host` that strangers may send us to. The name is resolved once, here (SR-14)."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise TransportError(f"no address of {host}: {error}", code="transport.connect") from error
        addresses = [str(entry[4][0]) for entry in found]
        for address in addresses:
            if self._is_permitted(address, host, carrier):
                return address
        raise TransportError(f"{host} is inside a private network", code="transport.forbidden_address")

    def _is_permitted(self, address: str, host: str, carrier: str) -> bool:
        config = self._config
        if is_public(address) or config.insecure_lab or address == carrier or host in config.sessions.msrp_hosts:
            return True
        # A whole lab on one machine: its carrier is here, so are its phones.
        return is_loopback(address) and is_loopback(config.server)

    @property
    def _plain_permitted(self) -> bool:
        return self._config.insecure_lab or is_loopback(self._config.server)

    def _described(
        self, path: Path, host: str, port: int, setup: Setup, fingerprints: tuple[Fingerprint, ...], max_message: int
    ) -> MsrpMedia:
        return MsrpMedia(
            path,
            host,
            port,
            self._accept_types,
            self._accept_wrapped_types,
            max_size=max_message,
            setup=setup,
            cema=True,
            fingerprints=fingerprints,
        )

    def _added(self, end: LocalEnd) -> LocalEnd:
        """Expect its peer from now on: who connects may do so before our side has read the answer."""
        self._ends[end.session] = end
        config = self._config.sessions
        local = end.media.path[-1]
        largest = end.media.max_size or config.max_message
        self._table.add(Session(local, (local,), self._accept_types, largest, config.chunk))
        return end


def _future() -> asyncio.Future[MsrpConnection]:
    return asyncio.get_running_loop().create_future()


def _fail(end: LocalEnd, reason: str, status: int) -> None:
    if not end.bound.done():
        end.bound.set_exception(MsrpFailure(reason, status))
        end.bound.exception()  # nobody has to ask


def _fingerprint_of(certificate: str) -> Fingerprint:
    with open(certificate, encoding="ascii") as file:
        der = ssl.PEM_cert_to_DER_cert(file.read())
    made = certificate_fingerprint(der)
    return Fingerprint(made.algorithm, made.digest)


def _trusted(fingerprint: Fingerprint) -> TrustedFingerprint | None:
    """None for one that proves nothing: MD5, SHA-1, or a wrong length."""
    try:
        return TrustedFingerprint(fingerprint.hash_name, fingerprint.value)
    except InputError:
        return None


def _bracketed(host: str) -> str:
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:
        return host
