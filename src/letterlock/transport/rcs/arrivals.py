"""What arrives over a registered connection: read it, hand it up, and only then acknowledge it (SR-06).

Until the 200 the network keeps a message and brings it again, so nothing is lost between the socket and the disk.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ...carriage import Inbound
from ...codec.sip import NameAddr, Request, Uri
from ...errors import DecodeError, LetterlockError, LimitExceeded
from ...ids import Instant
from ...sip.options import ALLOW, response_headers
from ...sip.transaction import TransactionKey
from .capabilities import Capabilities
from .config import MAX_BODY, RcsConfig
from .content import ACCEPTED_TYPES, unwrap
from .dialogs import Dialogs
from .replies import Contributions
from .sip_connection import SipConnection

__all__ = ["Arrivals"]

_log = logging.getLogger(__name__)


class Arrivals:
    """Answers requests. `on_message` is awaited for each message, as `RcsTransport` says."""

    def __init__(
        self,
        config: RcsConfig,
        on_message: Callable[[Inbound], Awaitable[None]],
        dialogs: Dialogs,
        capabilities: Capabilities,
        clock: Callable[[], Instant],
        contributions: Contributions,
    ) -> None:
        self._config = config
        self._dialogs = dialogs
        self._capabilities = capabilities
        self._on_message = on_message
        self._clock = clock
        self._contributions = contributions
        self._under_way: set[asyncio.Task[None]] = set()

    def announce(self, config: RcsConfig) -> None:
        """Our feature tags are those of this configuration."""
        self._config = config

    def take(self, connection: SipConnection, key: TransactionKey, request: Request, contact: Uri) -> None:
        """A request has come to `contact`; it is answered over the same connection, a message in its own time."""
        if request.method == "MESSAGE":
            task = asyncio.get_running_loop().create_task(self._take_message(connection, key, request))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        elif request.method == "OPTIONS" and not _in_dialog(request):
            self._capabilities.learn(request)
            connection.respond(key, 200, headers=response_headers(contact, self._config.features))
        elif request.method == "INVITE" and not self._config.sessions.offered and not _in_dialog(request):
            connection.respond(key, 488)
        elif not self._dialogs.take(connection, key, request):
            connection.respond(key, 405, headers=(("Allow", ALLOW),))

    async def finish(self, seconds: float) -> None:
        """Let what has arrived be acknowledged, for so long at most."""
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=seconds)

    def cancel(self) -> tuple[asyncio.Task[None], ...]:
        """Give up what is under way; the network is told that it was not taken. Returns what is left to wait for."""
        for task in self._under_way:
            task.cancel()
        return tuple(self._under_way)

    async def _take_message(self, connection: SipConnection, key: TransactionKey, request: Request) -> None:
        """Read, hand up, and only then acknowledge."""
        try:
            inbound = unwrap(
                request,
                self._config.number,
                self._clock(),
                max_body=MAX_BODY,
                trust_from=self._config.trust_from,
            )
        except LimitExceeded as error:
            connection.respond(key, 413, f"Too Large ({error.code})")
            return
        except DecodeError as error:
            if error.code == "mime.content_encoding":
                connection.respond(key, 415, headers=(("Accept-Encoding", "deflate, gzip"),))
            elif error.code == "rcs.content_type":
                connection.respond(key, 415, headers=(("Accept", ", ".join(ACCEPTED_TYPES)),))
            else:
                connection.respond(key, 400, f"Bad Message ({error.code})")
            return
        self._contributions.note(inbound.sender, inbound.message_id, request.headers.get("Contribution-ID"))
        try:
            await self._on_message(inbound)
        except asyncio.CancelledError:
            connection.respond(key, 500)
            raise
        except Exception as error:  # not committed, whatever went wrong: the network must keep it and try again (SR-06)
            _log.error("an arriving message could not be taken: %s", _name(error))
            connection.respond(key, 500)
        else:
            connection.respond(key, 200)


def _in_dialog(request: Request) -> bool:
    return NameAddr.parse(request.headers.get("To") or "").tag is not None  # readable, or it had not come so far


def _name(error: Exception) -> str:
    # No more than that: the text of an error that is not ours may quote the message.
    return error.code if isinstance(error, LetterlockError) else type(error).__name__
