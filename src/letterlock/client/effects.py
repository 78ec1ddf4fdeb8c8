"""Performs what committed steps ask for, and brings the answers back as new commands.

Each effect is a task of its own; nothing here decides anything. A thing that is under way is not begun a
second time (a retry of a frame whose first attempt the transport still holds); the engine asks again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Hashable
from typing import Any

from ..carriage import Medium, NetworkResult
from ..engine.effects import (
    Effect,
    FetchLists,
    FetchMaterial,
    MakeConference,
    PerformRequest,
    PublishMaterial,
    SendReceipts,
    SyncConference,
    Transmit,
    WakeAt,
)
from ..engine.engine import Engine
from ..errors import DirectoryError, RemoteError, StoreError, TransportError
from ..ids import GroupId, Instant
from .checkpoints import Checkpoint
from .clock_watch import ClockWatch
from .driver import Driver
from .network import Conferences, Directory, KeptConferences, Requests, Transport

__all__ = ["Effects"]

_log = logging.getLogger(__name__)

_TRANSMIT_SECONDS = 90.0  # longer than a transport's own patience; this only ends what would hang for ever
_RETRY_MS = 30_000  # after a timer that failed
_MAKE_AGAIN_SECONDS = 5.0
_MAX_SLEEP_SECONDS = 60.0  # the wall clock may be set, or the machine sleep; look again


class Effects:
    """The hands of one driver."""

    def __init__(self, engine: Engine, clock: Any, checkpoint: Checkpoint) -> None:
        self._engine = engine
        self._clock = clock
        self._checkpoint = checkpoint
        self._driver: Driver | None = None
        self._transport: Transport | None = None
        self._sms: Transport | None = None
        self._directory: Directory | None = None
        self._requests: Requests | None = None
        self._under_way: dict[Hashable, asyncio.Task[None]] = {}
        self._conferences: dict[GroupId, SyncConference] = {}
        self._wake_at: Instant | None = None
        self._due = False
        self._alarm: asyncio.TimerHandle | None = None
        self._watch = ClockWatch(clock)
        self._closed = False

    def serve_requests(self, requests: Requests | None) -> None:
        """Who asks the key distribution server; before the first effect, and None where there is none."""
        self._requests = requests

    def connect(self, driver: Driver, transport: Transport | None, directory: Directory | None) -> None:
        """Say what to work with; before the first effect."""
        self._driver, self._transport, self._directory = driver, transport, directory

    def carry_sms(self, transport: Transport | None) -> None:
        """What carries the messages that are to go by SMS; without one they wait, and go no other way (SR-01)."""
        self._sms = transport

    def perform(self, effect: Effect) -> None:
        """Begin to perform one effect of a committed step."""
        if self._closed:
            return  # `Engine.start` asks again, in whoever opens the profile next
        match effect:
            case Transmit(row=""):
                self._begin(effect, self._transmit(effect))
            case Transmit(row=row):
                self._begin(("row", row), self._transmit(effect))
            case FetchLists(number=number):
                self._begin(("lists", number), self._fetch_lists(effect))
            case FetchMaterial(needed=needed):
                self._begin(("material", needed), self._fetch_material(effect))
            case PublishMaterial(protocol=protocol):
                self._begin(("publish", protocol), self._publish(effect))
            case SyncConference(conference=conference):
                # The newest one counts: should an older one still be under way, it is followed by this.
                self._conferences[conference.group] = effect
                self._begin(("conference", conference.group), self._sync_conference(conference.group))
            case MakeConference(conference=conference):
                self._begin(("make", conference.group), self._make_conference(effect))
            case PerformRequest(protocol=protocol, request=request):
                self._begin(("request", protocol, request.request), self._perform_request(effect))
            case SendReceipts(owed=owed):
                # Each is for messages of its own: never the same as one that is under way.
                self._begin(object(), self._record(lambda s, now, rng: self._engine.send_receipts(s, owed, now, rng)))
            case WakeAt(at=at):
                self._set_alarm(at)

    def note(self, step: Any) -> None:
        """Record something that the transport has told."""
        if not self._closed:
            self._begin(object(), self._record(step))

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        return bool(self._under_way)

    async def settled(self) -> None:
        """Wait for what is under way now."""
        if self._under_way:
            await asyncio.wait(set(self._under_way.values()))

    async def close(self) -> None:
        """Begin nothing more and stop what is under way: all of it is asked for again at the next start."""
        self._closed = True
        if self._alarm is not None:
            self._alarm.cancel()
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- the effects ---------------------------------------------------------------------------------------
    async def _transmit(self, effect: Transmit) -> None:
        self._checkpoint("transmit.before")
        transport = self._sms if effect.outbound.medium is Medium.SMS else self._transport
        if transport is None:
            result = NetworkResult(False, reason="offline")
        else:
            try:
                async with asyncio.timeout(_TRANSMIT_SECONDS):
                    result = await transport.send(effect.outbound)
            except TimeoutError:
                result = NetworkResult(False, reason="timeout")
            except (TransportError, RemoteError) as error:
                result = NetworkResult(False, reason=error.code)
        self._checkpoint("transmit.after")
        if effect.row:
            await self._tell(lambda s, now, rng: self._engine.on_network(s, effect.row, result, now, rng))

    async def _fetch_lists(self, effect: FetchLists) -> None:
        lists = None
        self._checkpoint("fetch.before")
        if self._directory is not None:
            try:
                lists = tuple(await self._directory.lists(effect.number, effect.since_serial))
            except (DirectoryError, TransportError) as error:
                _log.info("device lists: %s (%s)", error, error.code)
        self._checkpoint("fetch.after")
        await self._tell(lambda s, now, rng: self._engine.on_lists(s, effect.number, lists, now, rng))

    async def _fetch_material(self, effect: FetchMaterial) -> None:
        material = None
        needed = effect.needed
        self._checkpoint("fetch.before")
        if self._directory is not None:
            try:
                material = await self._directory.bundle(needed.number, needed.account, needed.device)
            except (DirectoryError, TransportError) as error:
                _log.info("key material: %s (%s)", error, error.code)
        self._checkpoint("fetch.after")
        await self._tell(lambda s, now, rng: self._engine.on_material(s, needed, material, now, rng))

    async def _publish(self, effect: PublishMaterial) -> None:
        if self._directory is None:
            return
        self._checkpoint("publish.before")
        try:
            counts = await self._directory.upload_prekeys(effect.publish.payload)
        except (DirectoryError, TransportError) as error:
            _log.info("publishing keys: %s (%s)", error, error.code)
            return  # the engine asks again by its timer
        self._checkpoint("publish.after")
        await self._tell(
            lambda s, now, rng: self._engine.on_published(s, effect.protocol, effect.publish, counts.lowest, now, rng)
        )

    async def _sync_conference(self, group: GroupId) -> None:
        while (effect := self._conferences.pop(group, None)) is not None:
            if not isinstance(self._transport, Conferences):
                return  # the group's frames go directly to its members
            try:
                await self._transport.sync_conference(effect.conference, effect.leave)
            except (TransportError, RemoteError) as error:
                _log.info("conference: %s (%s)", error, error.code)

    async def _make_conference(self, effect: MakeConference) -> None:
        if not isinstance(self._transport, KeptConferences):
            return
        try:
            await self._transport.make_conference(effect.conference)
        except (TransportError, RemoteError) as error:
            # What is sent there is sent again, and the conference is asked for with it.
            _log.info("conference: %s (%s)", error, error.code)
            if not self._closed:
                asyncio.get_running_loop().call_later(_MAKE_AGAIN_SECONDS, self.perform, effect)

    async def _perform_request(self, effect: PerformRequest) -> None:
        if self._requests is not None:
            self._checkpoint("request.before")
            step = await self._requests.perform(effect.protocol, effect.request)
            self._checkpoint("request.after")
            await self._tell(step, heavy=True)
            self._requests.answered()

    async def _record(self, step: Any) -> None:
        await self._tell(step)

    # --- time ----------------------------------------------------------------------------------------------
    def _set_alarm(self, at: Instant) -> None:
        self._look_at_clock()
        if self._wake_at is not None and self._wake_at <= at and self._alarm is not None:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._wake_at = at
        delay = min(max(0.0, (at - self._clock()) / 1000), _MAX_SLEEP_SECONDS)
        self._alarm = asyncio.get_running_loop().call_later(delay, self._on_alarm)

    def _on_alarm(self) -> None:
        self._alarm = None
        at, self._wake_at = self._wake_at, None
        if at is None or self._closed:
            return
        if at > self._clock():
            self._set_alarm(at)
            return
        # It may be due again while its step is being written, and whatever was to wake us later is forgotten by then.
        self._due = True
        self._begin("timer", self._run_due())

    async def _run_due(self) -> None:
        while self._due and not self._closed:
            self._due = False
            await self._run_timers(self._engine.on_timer)

    def _look_at_clock(self) -> None:
        if self._watch.was_set_back():
            self._begin(("clock", object()), self._run_timers(self._engine.clock_set_back))

    async def _run_timers(self, step: Any) -> None:
        done = False
        try:
            done = await self._tell(step, heavy=True)
        finally:
            # Only a step that was committed says when to wake up next: without this a full disk would end all retries.
            if not done and not self._closed:
                self._set_alarm(self._clock() + _RETRY_MS)

    # --- tasks ---------------------------------------------------------------------------------------------
    def _begin(self, name: Hashable, work: Coroutine[Any, Any, None]) -> None:
        before = self._under_way.get(name)
        if before is not None and not before.done():
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._under_way[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: Hashable, task: asyncio.Task[None]) -> None:
        if self._under_way.get(name) is task:
            del self._under_way[name]
        if not task.cancelled() and (error := task.exception()) is not None:
            # Nobody awaits it; the record stays pending and is tried again.
            _log.error("an effect failed", exc_info=error)

    async def _tell(self, step: Any, *, heavy: bool = False) -> bool:
        """Record an answer; whether that is done."""
        assert self._driver is not None, "connected before the first effect"
        try:
            await self._driver.submit(step, heavy=heavy)
            return True
        except StoreError as error:
            _log.warning("an answer was not recorded: %s (%s)", error, error.code)
            return False
