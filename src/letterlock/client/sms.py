"""SMS at this client: what its transport keeps in the store, and changing the account of a profile."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack

from ..engine.step import Step
from ..errors import StoreError, StoreLocked
from ..ids import Instant, Rng
from ..keystore import Unlock
from ..seam import RecordKind, State
from ..store import ProfileLock, Store
from ..transport.sms.config import check
from ..transport.sms.memory import Changes
from .accounts import SmsAccount
from .driver import StepFunction
from .environment import Environment
from .identity import IDENTITY
from .opening import open_store
from .profile import ProfilePaths
from .settings import SETTINGS

__all__ = ["SMS", "SmsMemory", "set_sms_account"]

SMS = RecordKind[str]("client-sms", str.encode, bytes.decode)


class SmsMemory:
    """The transport's records, in the encrypted store; changes go through the driver, one commit each (SR-06)."""

    def __init__(self, store: Store, submit: Callable[[StepFunction[None]], Awaitable[None]]) -> None:
        self._store = store
        self._submit = submit

    def items(self) -> Iterable[tuple[str, str]]:
        return [(key.name.partition("/")[2], self._store.get(key) or "") for key in self._store.scan(SMS)]

    async def keep(self, changes: Changes) -> None:
        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            return Step(None, {SMS.key(*name.split("/")): text for name, text in changes.items()})

        await self._submit(step)


async def set_sms_account(
    paths: ProfilePaths, unlock: Unlock, account: SmsAccount | None, environment: Environment
) -> None:
    """Give a profile that nobody has open another account for SMS, or none. Raises InputError, StoreLocked."""
    async with AsyncExitStack() as opened:
        try:
            lock = ProfileLock.acquire(paths.lock)
        except StoreLocked:
            # The owner has its transport; it would have to be told, and nothing asks for that often enough.
            raise StoreLocked(
                "another process has this profile open",
                hint="end it (letterlock listen, perhaps), do this again, and start it anew",
            ) from None
        opened.callback(lock.release)
        store = await open_store(paths, unlock, environment, lock)
        opened.push_async_callback(asyncio.to_thread, store.close)
        settings, identity = store.get(SETTINGS), store.get(IDENTITY)
        if settings is None or identity is None:
            raise StoreError("this profile is not set up completely", code="store.unclaimed", hint="letterlock setup")
        if account is not None:
            check(account.config(identity.number))
        new = dataclasses.replace(settings, sms=account)
        await asyncio.to_thread(store.commit, (), {SETTINGS: new}, store.generation)
