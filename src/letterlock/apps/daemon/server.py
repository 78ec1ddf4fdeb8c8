"""One daemon: a profile that is open, a port of loopback, a unix socket, and the token that programs use.

`async with Daemon(client, folder) as daemon:`; the client is the caller's, who opens and closes it. Whatever ends the
daemon, streams of events end first, then requests, then the socket and the token go.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket as sockets
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from ...client import Client
from ...errors import StoreLocked, TransportError
from ...ids import Rng
from ...store import ProfileLock
from ..verbs.context import Context
from .connections import Bounds
from .events import EventStreams
from .guard import Rules
from .http import Edge, application
from .listening import listen_address
from .media import Media, SessionMedia
from .rpc import answer
from .serving import Serving, serve
from .sessions import Session, Sessions
from .settings import DaemonSettings
from .sources import Sources
from .unix import already_running, bound, socket_path
from .uploads import Uploads

__all__ = ["Daemon"]


class Daemon:
    """`folder` is the profile's: the token lies there, and what is uploaded waits there. `listen` is `127.0.0.1:PORT`."""

    def __init__(
        self,
        client: Client,
        folder: Path,
        *,
        listen: str = "127.0.0.1:0",
        socket: Path | None = None,
        settings: DaemonSettings | None = None,
        rng: Rng = os.urandom,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder, self._settings, self._now = folder, settings or DaemonSettings(), now
        self._host, self.port = listen_address(listen)
        self.socket = socket or socket_path(folder)
        self.token_file = folder / "daemon.token"
        """What programs send as `Authorization: Bearer`; for this user alone, and gone when the daemon is."""
        # The same whenever this profile's daemon starts, so that browsers do not collect its cookies.
        instance = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
        given = self._settings
        self._sessions = Sessions(
            instance,
            rng=rng,
            login_s=given.login_s,
            session_s=given.session_s,
            most_sessions=given.sessions,
            most_logins=given.logins,
        )
        self._events = EventStreams(client, given, lambda session: self._sessions.alive(session, now()))
        self._sources = Sources(client, folder)
        self._media = Media(self._sources, given, rng)
        self._sessions.ended = self._logged_out
        self._uploads = Uploads(client, folder, given, self._events.tell, rng)
        self._edge = Edge(
            self._sessions, given, self._events, self._media, self._uploads, self._rpc, lambda: self.url, now
        )
        self._client = client
        self._lock: ProfileLock | None = None
        self._serving: list[Serving] = []

    @property
    def url(self) -> str:
        """Where the page is, for who is logged in."""
        return f"http://{self._literal}:{self.port}"

    @property
    def unsent(self) -> int:
        """How many files of pages were not sent: while it runs those of one that was killed before, after `close` its own."""
        return self._uploads.unsent

    def login_url(self) -> str:
        """An address that logs a browser in, once, within two minutes."""
        return f"{self.url}/login?t={self._sessions.offer(self._now())}"

    async def start(self) -> None:
        """Listen. Raises InputError when a daemon runs already, TransportError when the port is taken, StoreError."""
        try:
            self._lock = ProfileLock.acquire(self._folder / "daemon.lock")
        except StoreLocked:
            raise already_running() from None
        listener: sockets.socket | None = None
        try:
            # What a daemon left that was killed goes before anybody can put something new beside it.
            await self._sources.start()
            await self._uploads.start()
            listener = await bound(self.socket)
            await self._listen_tcp()
            await self._serve(Rules(frozenset(), frozenset(), self._bodies), listener)
            self._write_token()
        except BaseException:  # cancelled, too: whoever did not come up leaves no socket and no lock
            if listener is not None:
                listener.close()
            await self.close()
            raise

    async def close(self) -> None:
        """Let nobody in any more, end the streams, finish what was asked."""
        for serving in self._serving:
            serving.refuse()
        self._events.close()
        for serving in self._serving:
            await serving.end()
        self._sessions.end_all()
        await self._uploads.close()
        await self._media.close()
        if self._lock is None:
            return  # another one runs: these are its files
        for path in (self.socket, self.token_file, self._folder / "login.html"):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        self._serving = []
        self._lock.release()
        self._lock = None

    async def __aenter__(self) -> Daemon:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # --- inside --------------------------------------------------------------------------------------------
    @property
    def _literal(self) -> str:
        return f"[{self._host}]" if ":" in self._host else self._host

    @property
    def _bodies(self) -> dict[str, int]:
        return {"/api/v1/rpc": self._settings.rpc_bytes, "/api/v1/files": self._settings.upload_bytes}

    async def _listen_tcp(self) -> None:
        # The port is known when it is taken, and nobody is answered before the rules know it.
        family = sockets.AF_INET6 if ":" in self._host else sockets.AF_INET
        listener = sockets.socket(family, sockets.SOCK_STREAM)
        try:
            if os.name == "posix":
                listener.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            listener.bind((self._host, self.port))
        except OSError as error:
            listener.close()
            raise TransportError(
                f"cannot listen on {self._literal}:{self.port}: {(error.strerror or str(error)).lower()}",
                code="transport.listen",
                hint="another program has the port; port 0 takes a free one",
            ) from error
        self.port = listener.getsockname()[1]
        names = [f"{name}:{self.port}" for name in {self._literal, "localhost"}]
        origins = frozenset(f"http://{name}" for name in names)
        rules = Rules(frozenset(names), origins, self._bodies, self._settings.frames)
        await self._serve(rules, listener)

    async def _serve(self, rules: Rules, listener: sockets.socket) -> None:
        given = self._settings
        bounds = Bounds(given.connections, given.guests, given.strangers, given.stranger_s)
        self._serving.append(await serve(application(self._edge, rules), listener, bounds))

    def _write_token(self) -> None:
        """A new one each time, in a file that nobody else can read at any moment."""
        part = self.token_file.with_suffix(".part")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(self._sessions.bearer() + "\n")
        os.replace(part, self.token_file)

    def _logged_out(self, session: Session) -> None:
        self._events.end(session)
        self._media.end(session)

    async def _rpc(self, session: Session, body: bytes, locale: str) -> bytes | None:
        # A page may name no place on this machine's disk; programs of this user may (SR-16).
        media = SessionMedia(self._media, session)
        outgoing, paths = self._uploads.outgoing, not session.browser
        context = Context(self._client, media=media, outgoing=outgoing, paths=paths, locale=locale)
        return await answer(context, body)
