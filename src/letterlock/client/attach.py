"""Getting at a profile: as its owner when nobody is, else through the owner (SR-06).

The lock decides, in the kernel. Whoever gets it opens the store and then serves the socket; whoever does
not get it connects, and tries both again while the owner is still opening or already closing.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

from ..errors import InputError, StoreError, StoreLocked
from ..keystore import Unlock
from ..store import OLD_COPY, ProfileLock, Store
from .driver import StepFunction
from .encryption import advertised
from .environment import Environment
from .identity import IDENTITY, Stage
from .joining import first_list
from .keeping import Keeping
from .local import LocalProfile
from .opening import engine_of, open_store, retiring
from .owner import OwnerSocket
from .profile import ProfilePaths
from .provisioned import PROVISIONED, Provisioned, effective
from .remote import ConnectionLost, RemoteProfile
from .settings import SETTINGS, Settings

__all__ = ["Access"]

_PATIENCE_SECONDS = 15.0  # for an owner that is opening (Argon2id) or closing (a last commit, a de-registration)
_PAUSE_SECONDS = 0.03


@dataclass(slots=True)
class Access:
    """One process's way to a profile: opens it, and opens it again when the owner has gone."""

    paths: ProfilePaths
    unlock: Unlock | None
    environment: Environment
    use_old_copy: bool = False
    profile: LocalProfile | RemoteProfile | None = field(default=None, init=False)
    _socket: OwnerSocket | None = field(default=None, init=False)
    _keeping: Keeping | None = field(default=None, init=False)
    _changing: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)

    async def open(self) -> None:
        """Become the owner, or reach the one there is.

        Raises WrongStoreKey, StoreRolledBack, StoreError; StoreLocked when the owner does not answer for long.
        """
        async with self._changing:
            if self.profile is None:
                self.profile = await self._attach()

    async def again(self, lost: RemoteProfile) -> None:
        """The owner behind `lost` has gone: find the next one, or be it."""
        async with self._changing:
            # Until there is a next one the lost one stays: calls to it come here and wait.
            if self.profile is lost:
                await lost.close()
                self.profile = await self._attach()

    async def close(self) -> None:
        """Give the profile back; another process that waits becomes the owner."""
        async with self._changing:
            profile, self.profile = self.profile, None
            if self._keeping is not None:
                await self._keeping.close()
                self._keeping = None
            if self._socket is not None:
                await self._socket.close()
                self._socket = None
            if profile is not None:
                await profile.close()

    async def _attach(self) -> LocalProfile | RemoteProfile:
        if not self.paths.exists():
            raise StoreError(
                f"there is no profile in {self.paths.folder}", code="store.missing", hint="letterlock setup"
            )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                lock = ProfileLock.acquire(self.paths.lock)
            except StoreLocked:
                try:
                    return await RemoteProfile.connect(self.paths.socket)
                except ConnectionLost:
                    if time.monotonic() > deadline:
                        raise StoreLocked(
                            "another process has this profile open and does not answer",
                            hint="wait for it, or end it",
                        ) from None
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            return await self._own(lock)

    async def _own(self, lock: ProfileLock) -> LocalProfile:
        # Given back in turn unless all of it works; to close again what its owner has closed does no harm.
        async with contextlib.AsyncExitStack() as taken:
            taken.callback(lock.release)
            if self.unlock is None:
                raise InputError(
                    "this profile needs its passphrase or key file",
                    code="input.unlock",
                    hint="give passphrase= or key_file=, or set LETTERLOCK_PASSPHRASE or LETTERLOCK_KEY_FILE",
                )
            store = await open_store(self.paths, self.unlock, self.environment, lock, use_old_copy=self.use_old_copy)
            taken.push_async_callback(asyncio.to_thread, store.close)
            profile = await self._start(store)
            taken.push_async_callback(profile.close)
            owner = OwnerSocket(profile, self.paths.socket)
            await owner.start()
            taken.pop_all()
        self._keeping = self._keep(store, profile)
        self._socket = owner
        return profile

    def _keep(self, store: Store, profile: LocalProfile) -> Keeping:
        """Ask the operator when it is time whether the configuration is still right."""
        environment, identity = self.environment, profile.identity

        async def use(settings: Settings, provisioned: Provisioned) -> None:
            now = effective(settings, provisioned)
            await profile.carry_with(
                lambda on_message: environment.transport(environment, now, identity, on_message),
                environment.content(environment, now),
            )

        keeping = Keeping(store, identity, environment, profile.submit, use, profile.provisioned)
        keeping.start()
        return keeping

    async def _start(self, store: Store) -> LocalProfile:
        environment = self.environment
        identity, settings = store.get(IDENTITY), store.get(SETTINGS)
        if identity is None or settings is None or identity.stage is Stage.UNCLAIMED:
            raise StoreError(
                "this profile is not set up completely", code="store.unclaimed", hint="run letterlock setup again"
            )
        settings = effective(settings, store.get(PROVISIONED))
        async with contextlib.AsyncExitStack() as begun:
            directory = environment.directory(environment, settings, identity)
            if directory is not None:
                begun.push_async_callback(directory.close)
            content = environment.content(environment, settings)
            if content is not None:
                begun.push_async_callback(content.close)
            engine, requests = engine_of(identity, environment, settings, store)
            if requests is not None:
                begun.push_async_callback(requests.close)
            first: list[StepFunction[None]] = []
            if identity.stage is Stage.PENDING:
                first.append(await first_list(identity, engine, directory, environment))
            if store.get(OLD_COPY):
                first.append(retiring(engine))
            profile = LocalProfile(
                identity,
                store,
                engine,
                environment.crypto,
                clock=environment.clock,
                rng=environment.rng,
                checkpoint=environment.checkpoint,
            )
            begun.push_async_callback(profile.close)
            await profile.start(
                lambda on_message: environment.transport(
                    environment, advertised(settings, engine, store, environment.clock()), identity, on_message
                ),
                directory,
                first,
                content,
                requests,
                lambda on_message, records: environment.sms(environment, settings, identity, on_message, records),
            )
            begun.pop_all()
        return profile
