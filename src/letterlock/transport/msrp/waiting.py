"""Who waits at a connection for what: a message for its report, a session for its binding, a path of the relay."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ...msrp import (
    Event,
    RelayGranted,
    RelayRefused,
    SendCompleted,
    SendFailed,
    SendProgressed,
    SessionBound,
    SessionFailed,
)
from .settings import MsrpFailure

__all__ = ["Waiting"]


class Waiting:
    """Of one connection. Make a future before its event can come; who gives up says so."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._sends: dict[int, tuple[asyncio.Future[bool], Callable[[int], None] | None]] = {}
        self._openings: dict[str, asyncio.Future[None]] = {}
        self._grants: dict[int, asyncio.Future[RelayGranted]] = {}

    def sent(self, number: int, on_progress: Callable[[int], None] | None) -> asyncio.Future[bool]:
        """Whether the far end has reported success for this message; it fails with MsrpFailure."""
        outcome: asyncio.Future[bool] = self._loop.create_future()
        self._sends[number] = (outcome, on_progress)
        return outcome

    def give_up_sending(self, number: int) -> None:
        self._sends.pop(number, None)

    def opened(self, session: str) -> asyncio.Future[None]:
        """When the session is bound here; it fails with MsrpFailure."""
        waiter = self._openings[session] = self._loop.create_future()
        return waiter

    def give_up_opening(self, session: str) -> None:
        self._openings.pop(session, None)

    def granted(self, authorization: int) -> asyncio.Future[RelayGranted]:
        """The path that the relay gives; it fails with MsrpFailure."""
        waiter = self._grants[authorization] = self._loop.create_future()
        return waiter

    def on(self, event: Event) -> None:
        """Tell who waits for this; nobody may."""
        match event:
            case SendCompleted():
                sent = self._sends.pop(event.message, None)
                if sent is not None and not sent[0].done():
                    sent[0].set_result(event.reported)
            case SendFailed():
                sent = self._sends.pop(event.message, None)
                if sent is not None:
                    _fail(sent[0], event.reason, event.status)
            case SendProgressed():
                sent = self._sends.get(event.message)
                if sent is not None and sent[1] is not None:
                    sent[1](event.reported)
            case SessionBound():
                opening = self._openings.get(event.session)
                if opening is not None and not opening.done():
                    opening.set_result(None)
            case SessionFailed():
                opening = self._openings.get(event.session)
                if opening is not None:
                    _fail(opening, event.reason, event.status)
            case RelayGranted():
                granted = self._grants.pop(event.authorization, None)
                if granted is not None and not granted.done():
                    granted.set_result(event)
            case RelayRefused():
                granted = self._grants.pop(event.authorization, None)
                if granted is not None:
                    _fail(granted, event.reason, event.status)


def _fail(
    waiter: asyncio.Future[bool] | asyncio.Future[None] | asyncio.Future[RelayGranted], reason: str, status: int
) -> None:
    if not waiter.done():
        waiter.set_exception(MsrpFailure(reason, status))
