"""Our own device list: the primary adds and removes devices, renews the list, and sees to it that it is published.

A new list is adopted and put down as unpublished in one commit; only then does the directory get it. If
that fails, or the process dies, it is uploaded again: the upload is safe to repeat.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable, Sequence

from ..crypto.provider import CryptoProvider
from ..engine.engine import Engine
from ..engine.records import contact_key
from ..engine.step import Step
from ..errors import DirectoryError, StoreError, TransportError
from ..ids import DeviceId, Instant, Rng, device_id
from ..seam import State
from ..store import Store
from ..trust import (
    VerifiedDeviceList,
    add_device,
    decode_request,
    encode_offer,
    offer_for,
    remove_device,
    renew_list,
)
from .api import DeviceInfo
from .driver import Driver
from .identity import UNPUBLISHED_LIST, Identity
from .network import Directory

__all__ = ["Devices"]

_log = logging.getLogger(__name__)

_RENEW_MS = 15 * 86_400_000  # lists live for 30 days at most (SR-22); peers must meet the new one in time
_RETRY_SECONDS = (2.0, 10.0, 60.0, 600.0)
_DAY_SECONDS = 86_400.0


class Devices:
    """The device list of the account, as this device knows it."""

    def __init__(
        self,
        identity: Identity,
        store: Store,
        engine: Engine,
        driver: Driver,
        crypto: CryptoProvider,
        clock: Callable[[], Instant],
        rng: Rng,
    ) -> None:
        self._identity = identity
        self._store = store
        self._engine = engine
        self._driver = driver
        self._crypto = crypto
        self._clock = clock
        self._rng = rng
        self._directory: Directory | None = None
        self._task: asyncio.Task[None] | None = None
        self._changing = asyncio.Lock()
        self._unpublished = asyncio.Event()
        """A list could not be uploaded by whoever made it."""

    def connect(self, directory: Directory | None) -> None:
        self._directory = directory

    def current(self) -> VerifiedDeviceList:
        """Our list. Raises StoreError on a device that has not been listed yet."""
        contact = self._store.get(contact_key(self._identity.number))
        if contact is None:
            raise StoreError("this profile has no device list", code="store.no_list", hint="letterlock setup")
        return contact.list

    def listed(self) -> Sequence[DeviceInfo]:
        return [
            DeviceInfo(entry.device, entry.name, entry.added_at, entry.device == self._identity.device)
            for entry in self.current().devices
        ]

    def offer(self) -> str:
        """What a new device of ours needs to hear. Raises InputError when this is not the primary or the list is full."""
        self._identity.participant_key()
        return encode_offer(offer_for(self.current()))

    async def add(self, request: str) -> DeviceId:
        """List the device that answered our offer; returns when the directory has the new list.

        Raises DecodeError or DeviceListError when the request does not hold, InputError on a linked device,
        DirectoryError or TransportError when the list cannot be published now (it will be).
        """
        async with self._changing:
            current = self.current()
            entry = decode_request(request, current, self._crypto)
            new = add_device(current, entry, sign=self._sign, crypto=self._crypto, now=self._clock())
            await self._adopt(new)
        await self._publish(new.encoded)
        return entry.device

    async def remove(self, device: int) -> None:
        """Take a device off the list; peers stop encrypting for it. Raises as `add` does."""
        async with self._changing:
            new = remove_device(
                self.current(), device_id(device), sign=self._sign, crypto=self._crypto, now=self._clock()
            )
            await self._adopt(new)
        await self._publish(new.encoded)

    async def renew(self) -> None:
        """Make a new list when the old one expires soon, and publish what is not published, now and every day."""
        if self._identity.participant_private is None:
            return
        await self._renew_if_due()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name="letterlock-device-list")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _renew_if_due(self) -> None:
        async with self._changing:
            current = self.current()
            if current.expires - self._clock() < _RENEW_MS:
                await self._adopt(renew_list(current, sign=self._sign, crypto=self._crypto, now=self._clock()))

    async def _keep(self) -> None:
        while True:
            for attempt in range(1 << 30):
                unpublished = self._store.get(UNPUBLISHED_LIST)
                if unpublished is None or self._directory is None:
                    break
                try:
                    await self._upload(unpublished)
                except (DirectoryError, TransportError, StoreError) as error:
                    _log.warning("the device list could not be published: %s (%s)", error, error.code)
                    await asyncio.sleep(_RETRY_SECONDS[min(attempt, len(_RETRY_SECONDS) - 1)])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DAY_SECONDS):
                    await self._unpublished.wait()
            self._unpublished.clear()
            try:
                await self._renew_if_due()
            except StoreError as error:  # a disk that is full today must not end the renewals
                _log.warning("the device list could not be renewed: %s (%s)", error, error.code)

    async def _adopt(self, new: VerifiedDeviceList) -> None:
        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            adopted = self._engine.adopt_list(state, new.encoded, now, rng)
            return dataclasses.replace(adopted, writes={**adopted.writes, UNPUBLISHED_LIST: new.encoded})

        await self._driver.submit(step)

    async def _publish(self, encoded: bytes) -> None:
        try:
            await self._upload(encoded)
        except BaseException:  # cancelled or refused, it has not been published
            # Now, not at the next daily look: a device that was removed stays listed until then (SR-22).
            self._unpublished.set()
            raise

    async def _upload(self, encoded: bytes) -> None:
        if self._directory is None:
            return
        await self._directory.upload_list(encoded)

        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            # A newer one may have been made meanwhile.
            return Step(None, {UNPUBLISHED_LIST: None} if state.get(UNPUBLISHED_LIST) == encoded else {})

        await self._driver.submit(step)

    def _sign(self, text: bytes) -> bytes:
        return self._crypto.p256_sign(self._identity.participant_key().reveal(), text)
