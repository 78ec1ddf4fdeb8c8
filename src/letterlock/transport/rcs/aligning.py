"""Making a group's conference look like the group, and trying until it does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from ...carriage import Conference, Outbound
from ...codec import group_data
from ...codec.group_data import GroupData, GroupTarget, encode_group_data
from ...errors import LetterlockError, TransportError
from ...ids import ConversationId, GroupId, Instant, Number, Rng, new_message_id
from .conference import ConferenceEnd
from .config import RcsConfig
from .content import wrap
from .dialogs import CallRefused
from .roster import Roster, participants
from .session import NotTaken

__all__ = ["Aligning", "ConferenceGone", "align"]

_log = logging.getLogger(__name__)


class ConferenceGone(TransportError):
    """The focus knows no such conference any more."""


class Aligning:
    """What one conference should be. `achieve` makes it so, `over` says whether to stop trying."""

    def __init__(
        self,
        achieve: Callable[[Conference, bool], Awaitable[None]],
        over: Callable[[], bool],
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        retry_s: tuple[float, float],
    ) -> None:
        self._achieve = achieve
        self._over = over
        self._spawn = spawn
        self._retry_s = retry_s
        self._wanted: tuple[Conference, bool] | None = None
        self._attempts: list[asyncio.Future[None]] = []
        self._connected = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether it is as it should be."""
        return self._wanted is None

    @property
    def leaving(self) -> bool:
        """Whether we want to be out of it."""
        return self._wanted is not None and self._wanted[1]

    def connected(self) -> None:
        """Try at once: something may be different now."""
        self._connected.set()

    async def want(self, conference: Conference, leave: bool) -> None:
        """Instead of whatever was wanted before. Raises what the first try comes to; trying goes on all the same."""
        self._wanted = (conference, leave)
        self._connected.set()
        attempt: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._attempts.append(attempt)
        if self._task is None or self._task.done():
            self._task = self._spawn(self._try())
        await attempt

    async def _try(self) -> None:
        """Until it is so, or something else is wanted."""
        failures = 0
        while self._wanted is not None and not self._over():
            wanted, attempts = self._wanted, self._attempts
            self._attempts = []
            error: TransportError | None = None
            try:
                await self._achieve(*wanted)
            except CallRefused as refused:
                error = TransportError(f"the conference was refused: {refused}", code="transport.refused")
            except TransportError as failed:
                error = failed
            except LetterlockError as failed:
                error = TransportError(f"the conference: {failed}", code=failed.code)
            for attempt in attempts:
                if not attempt.done():
                    attempt.set_result(None) if error is None else attempt.set_exception(error)
            if error is None:
                failures = 0
                if self._wanted is wanted:
                    self._wanted = None
                continue
            low, high = self._retry_s
            self._connected.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(high, low * 2.0 ** min(failures, 16))):
                    await self._connected.wait()
            failures += 1


async def align(
    group: GroupId,
    end: ConferenceEnd,
    roster: Roster,
    conference: Conference,
    config: RcsConfig,
    *,
    rng: Rng,
    clock: Callable[[], Instant],
) -> None:
    """Invite and remove until it has these members, and set its subject. Raises ConferenceGone, CallRefused, TransportError."""
    limits = config.conferences
    subject = conference.subject if limits.share_subject else ""
    view = await roster.whole(limits.roster_s)
    there = set(participants(view)) - {config.number}
    added = tuple(number for number in conference.members if number not in there)
    removed = tuple(sorted(there - set(conference.members)))
    for numbers, method in ((added, "INVITE"), (removed, "BYE")):
        if numbers:
            await _refer(end, numbers, method)
    if subject and (view.subject or "") != subject:
        change = encode_group_data(GroupData(GroupTarget.SUBJECT, subject))
        outbound = Outbound(
            config.number,
            new_message_id(rng),
            ConversationId(bytes(group)),
            group_data.MEDIA_TYPE,
            change,
            large=False,
        )
        body = wrap(outbound, clock(), (f"<{config.identity.encode()}>", f"<{end.focus}>"))
        with contextlib.suppress(NotTaken):
            await end.send(group_data.MEDIA_TYPE, body)


async def _refer(end: ConferenceEnd, numbers: tuple[Number, ...], method: str) -> None:
    status = await end.refer(numbers, method)
    if status in (404, 481):
        raise ConferenceGone("the conference is gone", code="transport.conference_gone")
    if status >= 400:
        # Its rule is not ours to bend: the difference is shown, and frames go to the signed members all the same.
        _log.info("the focus refused to change its members: %d", status)
        if status >= 500:
            raise TransportError(f"the focus answered {status}", code="transport.refused")
