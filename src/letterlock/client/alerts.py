"""What the directory wants this device to hear, told as events: its number was claimed anew (SR-21), its keys run out (SR-13).

The directory's word is enough for an alarm and for nothing else. A device of an account that was replaced can
ask nothing but this, so it cannot find out by looking itself up.
"""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Sequence

from ..engine.engine import Engine
from ..engine.events import NumberReset
from ..engine.step import Step, Turn
from ..errors import DirectoryError, StoreError, TransportError
from ..ids import Instant, Rng
from ..seam import Key, Publish, RecordKind, State
from .driver import Driver
from .network import Directory, DirectoryAlert

__all__ = ["Alerts"]

_log = logging.getLogger(__name__)

_PAUSE_SECONDS = 3600.0
_RETRY_SECONDS = 60.0

_TOLD = Key(
    RecordKind[int]("client", lambda at: at.to_bytes(8, "big"), lambda data: int.from_bytes(data, "big")),
    "client/alerts-told",
)
"""The time of the newest alert that was told."""


class Alerts:
    """Asks at the start and then every hour."""

    def __init__(self, driver: Driver, engine: Engine) -> None:
        self._driver = driver
        self._engine = engine
        self._task: asyncio.Task[None] | None = None

    def start(self, directory: Directory) -> None:
        self._task = asyncio.get_running_loop().create_task(self._keep(directory), name="letterlock-alerts")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self, directory: Directory) -> None:
        while True:
            pause = _PAUSE_SECONDS
            try:
                if alerts := await directory.alerts():
                    await self._driver.submit(functools.partial(_refill, self._engine, alerts), heavy=True)
                    await self._driver.submit(functools.partial(_tell, alerts))
            except (DirectoryError, TransportError) as error:
                _log.info("alerts: %s (%s)", error, error.code)
                pause = _RETRY_SECONDS
            except StoreError as error:
                _log.warning("alerts were not recorded: %s (%s)", error, error.code)
            await asyncio.sleep(pause)


def _new(alerts: Sequence[DirectoryAlert], state: State) -> list[DirectoryAlert]:
    told = state.get(_TOLD) or 0
    return [alert for alert in alerts if alert.at > told]


def _refill(engine: Engine, alerts: Sequence[DirectoryAlert], state: State, now: Instant, rng: Rng) -> Step[None]:
    """SR-13: drained means that the directory holds none: the engine says so, and makes and uploads new ones."""
    if not any(alert.kind == "prekeys_drained" for alert in _new(alerts, state)):
        return Step(None, {})
    return engine.on_published(state, "signal", Publish(b""), 0, now, rng)


def _tell(alerts: Sequence[DirectoryAlert], state: State, now: Instant, rng: Rng) -> Step[None]:
    turn = Turn(state, now, rng)
    new = _new(alerts, state)
    for alert in new:
        if alert.kind == "replaced":
            turn.tell(NumberReset(account=""))
    if new:
        turn.staged.put(_TOLD, max(alert.at for alert in new))
    return turn.finish(None)
