"""Keeps watch over what RCC.16 rests on while a profile is open: the trust anchors, and whether we can be encrypted to.

A certificate is renewed once in a month, and an authority may be revoked on any day: the list of trust anchors is looked
at once a day, and at once when the operator names a newer one (rcc16.md 1.7, SR-22). What fails is tried again, later
and later, and changes nothing. Feature tags appear when there is a certificate with key packages, and go with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from ..engine.engine import Engine
from ..engine.step import Step
from ..errors import StoreError
from ..ids import Instant, Rng
from ..rcc16.credentials.anchors import TrustAnchors
from ..rcc16.enrolment.records import ANCHORS
from ..seam import Key, RecordKind, State
from .driver import StepFunction

__all__ = ["LOOKED", "AnchorList", "EncryptionWatch"]

_log = logging.getLogger(__name__)

_DAY_MS = 86_400_000
_RETRY_MS, _LONGEST_RETRY_MS = 60_000, 3_600_000
_LOOK_EVERY_S = 60.0
"""The wall clock may be set, or the machine sleep; and a certificate ends without anybody saying so."""

LOOKED = Key(
    RecordKind[int]("client", lambda n: n.to_bytes(8, "big"), lambda data: int.from_bytes(data, "big")),
    "client/anchors-looked-at",
)


class AnchorList(Protocol):
    """Where the list is; `KeyServer` is one."""

    @property
    def named_generation(self) -> int: ...

    async def look_for_anchors(self) -> TrustAnchors | None: ...


class EncryptionWatch:
    """Of one profile. `advertise` is called when it may have changed what can be done here."""

    def __init__(
        self,
        listed: AnchorList,
        engine: Engine,
        state: State,
        clock: Callable[[], Instant],
        submit: Callable[[StepFunction[None]], Awaitable[None]],
        advertise: Callable[[], None],
    ) -> None:
        self._listed, self._engine, self._state, self._clock = listed, engine, state, clock
        self._submit, self._advertise = submit, advertise
        self._task: asyncio.Task[None] | None = None
        self._told = asyncio.Event()
        self._failures = 0
        self._failed_at: Instant = 0

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="letterlock-encryption")

    def look_again(self) -> None:
        """Something has come that may matter here."""
        self._told.set()

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def due(self, now: Instant) -> bool:
        """Whether the list is to be looked at now. Before the first certificate it comes with that."""
        entries = self._state.get(ANCHORS)
        if entries is None:
            return False
        since = now - self._failed_at
        if self._failures and 0 <= since < min(_RETRY_MS << min(self._failures - 1, 10), _LONGEST_RETRY_MS):
            return False
        if self._listed.named_generation > TrustAnchors.of(entries).generation:
            return True
        return not 0 <= now - (self._state.get(LOOKED) or 0) < _DAY_MS

    async def look(self) -> None:
        """Fetch the list and take it, whatever it says of those that we talk to."""
        found = await self._listed.look_for_anchors()
        if found is None:
            self._failures, self._failed_at = self._failures + 1, self._clock()
            return
        self._failures = 0
        entries, engine = found.entries(), self._engine

        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            if state.get(ANCHORS) == entries:
                return Step(None, {LOOKED: now})
            taken = engine.on_anchors(state, "rcc16", entries, now, rng)
            return dataclasses.replace(taken, writes={**taken.writes, LOOKED: now})

        await self._submit(step)

    async def _keep(self) -> None:
        while True:
            self._told.clear()
            try:
                self._advertise()
                if self.due(self._clock()):
                    await self.look()
                    self._advertise()
            except StoreError as error:
                _log.warning("the trust anchors were not recorded: %s (%s)", error, error.code)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._told.wait()
