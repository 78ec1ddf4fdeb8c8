"""What every part of an owned profile works with: the store, the engine, the driver and their companions.

A call that another process may have to repeat has a request id: what it gave is kept for a day, so that the next owner gives
the same again and does nothing twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...crypto.provider import CryptoProvider
from ...engine.engine import Engine
from ...engine.records import EVENT_LOG
from ...engine.security import Security
from ...engine.step import Step
from ...ids import ChatName, Instant, Rng, account_uuid
from ...seam import RecordKind, State
from ...store import Store
from ..alerts import Alerts
from ..api import Me
from ..checkpoints import Checkpoint
from ..devices import Devices
from ..driver import Driver, StepFunction
from ..effects import Effects
from ..files.cached import CachedFiles
from ..files.rcc16 import Ciphertexts
from ..files.reading import FileReadings
from ..files.sealed_transfers import Sealing
from ..files.transfers import Transfers
from ..identity import Identity
from ..network import Directory, Transport

if TYPE_CHECKING:
    from ..encryption_watch import EncryptionWatch
    from ..key_server import KeyServer
    from ..linked_devices import LinkedDevices


__all__ = ["LocalCore"]


_REQUESTS_KEPT_MS = 24 * 3600 * 1000
_FORGET_EVERY = 256  # requests: an owner that runs for months must not wait for its next start (SR-08)

_REQUEST = RecordKind[str]("client-request", str.encode, bytes.decode)
"""When and what a send with this request id gave: a caller whose owner died asks the next one again, and is not sent twice."""


class LocalCore:
    """The parts, made and not yet begun."""

    def __init__(
        self,
        identity: Identity,
        store: Store,
        engine: Engine,
        crypto: CryptoProvider,
        *,
        clock: Callable[[], Instant],
        rng: Rng,
        checkpoint: Checkpoint,
    ) -> None:
        self.identity = identity
        self.me = Me(
            identity.number,
            account_uuid(identity.account),
            identity.device,
            identity.name,
            identity.participant_private is not None,
        )
        self._store = store
        self._engine = engine
        self._clock = clock
        self._rng = rng
        self._checkpoint = checkpoint
        self._effects = Effects(engine, clock, checkpoint)
        self._driver = Driver(store, clock=clock, rng=rng, perform=self._effects.perform, checkpoint=checkpoint)
        self._requests = 0
        self._transport: Transport | None = None
        self._sms: Transport | None = None
        self._directory: Directory | None = None
        self.key_server: KeyServer | None = None
        self._watching: EncryptionWatch | None = None
        self._linked: LinkedDevices | None = None
        self._devices = Devices(identity, store, engine, self._driver, crypto, clock, rng)
        self._alerts = Alerts(self._driver, engine)
        ciphertexts = Ciphertexts(store.path.with_name("transfers"), crypto, rng)
        self._cache = CachedFiles(store, self._driver, clock)
        sealing = Sealing(ciphertexts, self._cache.files, crypto, rng)
        self._transfers = Transfers(store, self._driver, clock, ciphertexts, sealing, self._cache)
        self._readings = FileReadings(self._cache.files, crypto)

    async def submit(self, step: StepFunction[None]) -> None:
        """Run a step of the client's own, as the engine's are."""
        await self._driver.submit(step)

    def security(self, number: ChatName) -> Security:
        return self._engine.security(self._store, number, self._clock())

    async def _once(self, step: StepFunction[Any], request: str, *, heavy: bool = True) -> str:
        """Run a step whose value is text, or nothing; with a request id only the first time. One that encrypts for a
        whole group takes tens of milliseconds: it runs beside the event loop."""

        def once(state: State, now: Instant, rng: Rng) -> Step[str]:
            key = _REQUEST.key(request)
            if (known := state.get(key)) is not None:
                return Step(known.partition(" ")[2], {})
            done = step(state, now, rng)
            self._requests += 1
            forgotten = self._forget_requests(state, now, rng).writes if self._requests % _FORGET_EVERY == 0 else {}
            writes = {**forgotten, **done.writes, key: f"{now:015d} {done.value or ''}"}
            return dataclasses.replace(done, value=done.value or "", writes=writes)

        return await self._driver.submit(once if request else step, heavy=heavy) or ""

    def _forget_requests(self, state: State, now: Instant, rng: Rng) -> Step[None]:
        before = f"{now - _REQUESTS_KEPT_MS:015d}"
        return Step(None, {key: None for key in state.scan(_REQUEST) if (state.get(key) or "") < before})

    def _newest(self) -> int:
        log = self._store.get(EVENT_LOG)
        return log.next - 1 if log is not None else 0

    def __repr__(self) -> str:
        return f"LocalProfile({self.me.number}, device {self.me.device})"
