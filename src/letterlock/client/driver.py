"""The actor that owns a profile: steps in, one commit per round, then callers and effects (SR-06).

Every change of state is a *command*: a pure step of the engine with somebody who waits for its value.
One task takes what has queued up, runs the steps one after another on one overlay over the store, and
commits all of it in one transaction in a worker thread. Only when that is on disk are the callers told
and the effects performed. While one round is being written, the next one is already staged on top of
it; if the write fails, its callers get the error and the round above is staged again from the start.

A step that raises concerns its own caller only: nothing of it is in the overlay. The event loop never
waits for the disk, and the actor yields between steps, so that nothing else waits for it for long.
"""

from __future__ import annotations

import asyncio
import collections
import functools
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..engine.effects import Effect
from ..engine.step import Step
from ..errors import StoreError
from ..ids import Instant, Rng
from ..seam import State
from ..store import Prepared, Store
from .checkpoints import Checkpoint, no_checkpoint
from .overlay import Overlay

__all__ = ["Driver", "StepFunction"]

T = TypeVar("T")
StepFunction = Callable[[State, Instant, Rng], Step[T]]

_log = logging.getLogger(__name__)

_ROUND = 64  # commands that share a commit
_SLICE_SECONDS = 0.002  # the actor gives way to other tasks after this long


@dataclass(slots=True, eq=False)
class _Command(Generic[T]):
    step: StepFunction[T]
    done: asyncio.Future[T]
    heavy: bool
    alone: bool = False
    """Something in its round could not be encoded: try it in a round of its own, to find out whose fault it was."""
    outcome: Step[T] | None = None


@dataclass(slots=True, eq=False)
class _Round:
    overlay: Overlay
    commands: list[_Command[Any]] = field(default_factory=list)
    written: bool | None = None
    """None until it is decided; False when the write failed."""


class Driver:
    """Runs steps against a store. `perform` is called with each effect of a committed step, in order."""

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], Instant],
        rng: Rng,
        perform: Callable[[Effect], None],
        checkpoint: Checkpoint = no_checkpoint,
    ) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._perform = perform
        self._checkpoint = checkpoint
        self._queue: collections.deque[_Command[Any]] = collections.deque()
        self._writing: _Round | None = None
        self._running = False
        self._closing = False
        self._wake: asyncio.Future[None] | None = None
        self._told: asyncio.Future[None] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._failed: BaseException | None = None
        self._worker = ThreadPoolExecutor(1, "letterlock-store")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to work."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="letterlock-driver")

    async def submit(self, step: StepFunction[T], *, heavy: bool = False) -> T:
        """Run a step; returns its value once everything it wrote is on disk.

        `heavy` steps (making keys) run in the worker thread. Raises what the step raises, and StoreError
        when the commit fails (nothing happened then) or the profile has been closed. A caller that is
        cancelled does not take back a step that has begun.
        """
        if self._closing or self._failed is not None:
            raise StoreError("the profile is closed", code="client.closed") from self._failed
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._queue.append(_Command(step, done, heavy))
        self._rouse()
        return await done

    def next_change(self) -> asyncio.Future[None]:
        """A future that is done at the next commit that records an event, and cancelled by `close`.

        Take it before reading the events there are, then none is missed; shield it, it is shared.
        """
        if self._told is None:
            self._told = asyncio.get_running_loop().create_future()
        return self._told

    async def idle(self) -> None:
        """Wait until no command is queued or being written, or nothing works any more."""
        while self._failed is None and (self._queue or self._running or self._writing is not None):
            if self._idle is None:
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)

    async def close(self) -> None:
        """Finish what was submitted, then stop. The store stays open."""
        self._closing = True
        task, self._task = self._task, None
        try:
            if task is not None:
                self._rouse()
                await task
        finally:
            self._say_no_more()
            self._worker.shutdown()

    # --- the loop ----------------------------------------------------------------------------------------
    async def _run(self) -> None:
        try:
            while True:
                while not self._queue:
                    self._running = False
                    if self._writing is None:
                        self._say_idle()
                        if self._closing:
                            return
                    await self._sleep()
                self._running = True
                await self._round()
        except BaseException as error:
            # A bug of ours, or cancellation: whoever waits must hear of it.
            self._failed = error
            for command in (*self._queue, *(self._writing.commands if self._writing else ())):
                if not command.done.done():
                    command.done.set_exception(StoreError("the profile has stopped working", code="client.failed"))
            self._queue.clear()
            self._say_idle()
            self._say_no_more()
            raise

    async def _round(self) -> None:
        """Stage what is queued, wait for the write below to finish, start the own one."""
        below = self._writing
        this = _Round(Overlay(below.overlay if below else self._store))
        try:
            await self._stage(this, below)
            while below is not None and below.written is None:
                await self._sleep()
                await self._stage(this, below)
        except BaseException:  # it ends the actor, and `_run` tells the callers whose commands it finds in the queue
            self._queue.extendleft(reversed(this.commands))
            raise
        if below is not None and not below.written:
            # What this round stands on does not exist: stage its commands again.
            self._queue.extendleft(reversed(this.commands))
            return
        this.overlay.below = self._store
        if this.commands:
            self._write(this)

    async def _stage(self, this: _Round, below: _Round | None) -> None:
        """Run queued steps on the overlay, up to a round's worth."""
        began = time.perf_counter()
        while self._queue and len(this.commands) < _ROUND and (below is None or below.written is not False):
            if this.commands and (self._queue[0].alone or this.commands[0].alone):
                break
            command = self._queue.popleft()
            if command.done.cancelled():
                continue
            try:
                self._checkpoint("step.before")
                if command.heavy:
                    run = functools.partial(command.step, this.overlay, self._clock(), self._rng)
                    step = await asyncio.get_running_loop().run_in_executor(self._worker, run)
                    began = time.perf_counter()
                else:
                    step = command.step(this.overlay, self._clock(), self._rng)
            except Exception as error:  # whatever a step raises is its own caller's answer
                if not command.done.cancelled():
                    command.done.set_exception(error)
                continue
            except BaseException:  # the actor is being ended: whoever does that tells all that are left
                self._queue.appendleft(command)
                raise
            this.overlay.merge(step.writes)
            command.outcome = step
            this.commands.append(command)
            if time.perf_counter() - began > _SLICE_SECONDS:
                await asyncio.sleep(0)
                began = time.perf_counter()
        self._checkpoint("step.done")

    def _write(self, this: _Round) -> None:
        try:
            prepared = self._store.prepare((), this.overlay.writes, self._store.generation)
        except Exception as error:  # some step wrote what cannot be encoded; alone in a round, it shows which
            if len(this.commands) == 1:
                self._refuse(this, error)
                return
            for command in this.commands:
                command.alone = True
            self._queue.extendleft(reversed(this.commands))
            return
        self._writing = this
        written = asyncio.get_running_loop().run_in_executor(self._worker, self._store.write, prepared)
        written.add_done_callback(functools.partial(self._on_written, this, prepared))

    def _on_written(self, this: _Round, prepared: Prepared, written: asyncio.Future[None]) -> None:
        self._writing = None
        error = written.exception()
        this.written = error is None
        if error is not None:
            self._refuse(this, error)
        else:
            self._store.settle(prepared)
            self._finish(this)
        self._rouse()

    def _finish(self, this: _Round) -> None:
        """It is on disk: tell the callers, then act (SR-06)."""
        self._checkpoint("commit.done")
        told = False
        for command in this.commands:
            step = command.outcome
            if step is not None:
                told = told or bool(step.events)
                if not command.done.done():
                    command.done.set_result(step.value)
        self._checkpoint("caller.resolved")
        for command in this.commands:
            if command.outcome is not None:
                for effect in command.outcome.effects:
                    self._perform(effect)
        if told and self._told is not None:
            self._told.set_result(None)
            self._told = None

    @staticmethod
    def _refuse(this: _Round, error: BaseException) -> None:
        for command in this.commands:
            if not command.done.done():
                command.done.set_exception(error)

    # --- waiting -----------------------------------------------------------------------------------------
    async def _sleep(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        try:
            await self._wake
        finally:
            self._wake = None

    def _rouse(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _say_idle(self) -> None:
        if self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    def _say_no_more(self) -> None:
        if self._told is not None:
            self._told.cancel()
            self._told = None
