"""The primary's care for RCC.16 on the account's other devices: vouched for, brought into every conversation, taken out.

A device that was vouched for is added to the groups as soon as it has key packages; nobody tells when that is, so it is
tried again, later and later. One that is removed loses its leaf in every conversation, and the key distribution server
forgets it (SR-22). Both outlive the process: what is not done is in the records.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from ..codec.kds_signature import key_id
from ..engine.engine import Engine
from ..engine.step import Step
from ..errors import DecodeError, InputError, KdsError, LetterlockError, StoreError, TransportError
from ..ids import Instant, Rng
from ..seam import RecordKind, State
from .addresses import CONFERENCES
from .devices import Devices
from .driver import StepFunction
from .identity import Identity
from .key_server import KeyServer
from .linking import Linking, decode_asking, encode_answer, parts

__all__ = ["LinkedDevices"]

_log = logging.getLogger(__name__)

_WAITS_S = (2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0, 3600.0)


@dataclass(frozen=True, slots=True)
class _Linked:
    """`leaf` is the public key that was vouched for; `gone` while it is being taken out."""

    leaf: bytes
    gone: bool = False


def _encode(value: _Linked) -> bytes:
    return json.dumps({"form": 1, "leaf": value.leaf.hex(), "gone": value.gone}).encode()


def _decode(data: bytes) -> _Linked:
    try:
        value = json.loads(data)
        return _Linked(bytes.fromhex(value["leaf"]), bool(value["gone"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DecodeError("the record of a linked device is damaged", code="record.linked") from error


_LINKED = RecordKind[_Linked]("client-linked", _encode, _decode)
"""By the number of the device."""


class LinkedDevices:
    """Of one primary. `vouch` and `remove` are what a user does; the rest goes on by itself."""

    def __init__(
        self,
        identity: Identity,
        devices: Devices,
        requests: KeyServer,
        engine: Engine,
        state: State,
        submit: Callable[[StepFunction[None]], Awaitable[None]],
    ) -> None:
        self._identity, self._devices, self._requests = identity, devices, requests
        self._engine, self._state, self._submit = engine, state, submit
        self._task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def start(self) -> None:
        """Go on with what is not done."""
        self._task = asyncio.get_running_loop().create_task(self._keep(), name="letterlock-linked-devices")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def vouch(self, request: str) -> str:
        """The answer for a listed device that asked. Raises DecodeError, InputError, InvalidRcc16."""
        asking = decode_asking(parts(request)[1])
        entry = self._devices.current().device(asking.device)
        if entry is None:
            raise InputError("this device is not listed", code="device.link", hint="letterlock devices add")
        crypto = self._requests.crypto
        asking.check(entry.identity_key, self._identity.number, crypto)
        answer = self._requests.vouched_for(asking.request)
        key, linked = _LINKED.key(str(asking.device)), _Linked(asking.request.leaf_public)
        await self._submit(lambda state, now, rng: Step(None, {key: linked}))
        self._changed.set()
        conferences = {key.name.partition("/")[2]: self._state.get(key) or "" for key in self._state.scan(CONFERENCES)}
        return encode_answer(self._identity, Linking(answer, self._requests.account, conferences), crypto)

    async def remove(self, device: int) -> None:
        """It is off the account's list: nothing of it stays anywhere. What cannot be done now is done later."""
        key = _LINKED.key(str(device))
        linked = self._state.get(key)
        if linked is None:
            return
        gone = key_id(linked.leaf)

        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            return self._engine.remove_own_device(state, "rcc16", gone, now, rng, {key: replace(linked, gone=True)})

        await self._submit(step)
        self._changed.set()

    async def _keep(self) -> None:
        turn = 0
        while True:
            self._changed.clear()
            try:
                done = await self._work()
            except StoreError as error:
                _log.warning("linked devices: %s (%s)", error, error.code)
                done = False
            wait = None if done else _WAITS_S[min(turn, len(_WAITS_S) - 1)]
            turn = 0 if done else turn + 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()
                    turn = 0

    async def _work(self) -> bool:
        """Whether all is done."""
        done, there = True, 0
        for key in list(self._state.scan(_LINKED)):
            linked = self._state.get(key)
            if linked is None:
                continue
            if not linked.gone:
                there += 1
                continue
            try:
                await self._requests.withdraw(key_id(linked.leaf))
            except (KdsError, TransportError) as error:
                _log.info("a device is not withdrawn yet: %s (%s)", error, error.code)
                done = False
            else:
                await self._submit(lambda state, now, rng, key=key: Step(None, {key: None}))  # type: ignore[misc]
        if there and self._engine.lacks_own_devices(self._state, "rcc16", there + 1):
            done = False
            with contextlib.suppress(LetterlockError):
                await self._submit(
                    lambda state, now, rng: self._engine.add_own_devices(state, "rcc16", there + 1, now, rng)
                )
        return done
