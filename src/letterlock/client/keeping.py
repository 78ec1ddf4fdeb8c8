"""Later contacts with the operator: is the configuration still right, and may it be used (RCC.14)?

Asked when the validity ends, with the token. A new configuration is taken whole and used at once; one that cannot be
used changes nothing and is told. Where the server wants a code again nobody asks a second time by himself: each
time, the owner of the number would get a message.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Awaitable, Callable

from ..codec.provisioning import ProvisioningDocument
from ..engine.events import ProvisioningChanged
from ..engine.step import Step, Turn
from ..errors import InputError, ProvisioningError, StoreError, TransportError
from ..ids import Instant, Rng
from ..seam import State
from ..store import Store
from ..transport.provisioning_config import Contact
from ..trust.requests import participant_key_hash
from .driver import StepFunction
from .environment import Environment
from .identity import Identity
from .provisioned import PROVISIONED, STATES, Provisioned, ProvisioningState, key_server_of, settings_of
from .provisioning import check_time
from .settings import SETTINGS, Settings

__all__ = ["Keeping"]

_log = logging.getLogger(__name__)

_RETRY_MS = 3_600_000
_LONGEST_SLEEP_S = 3600.0


class Keeping:
    """Asks when it is time, as long as the profile is open. `use` is awaited with settings to work with from now on, `contacted` is
    called after each contact that changed anything."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        environment: Environment,
        submit: Callable[[StepFunction[None]], Awaitable[None]],
        use: Callable[[Settings, Provisioned], Awaitable[None]],
        contacted: Callable[[], None],
    ) -> None:
        self._store, self._identity, self._environment = store, identity, environment
        self._submit, self._use, self._contacted = submit, use, contacted
        self._task: asyncio.Task[None] | None = None
        self._not_before: Instant = 0

    def start(self) -> None:
        """Begin to keep watch; there is nothing to do for a profile that was set up by hand."""
        if self._store.get(PROVISIONED) is not None:
            self._task = asyncio.get_running_loop().create_task(self._keep(), name="letterlock-provisioning")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _keep(self) -> None:
        while (known := self._store.get(PROVISIONED)) is not None and known.check_at:
            now = self._environment.clock()
            left = max(known.check_at, self._not_before) - now
            if left > 0:
                # The wall clock may be set, or the machine sleep: look again.
                await asyncio.sleep(min(left / 1000, _LONGEST_SLEEP_S))
                continue
            try:
                await self.ask(known)
            except (ProvisioningError, TransportError, InputError) as error:
                _log.info("provisioning: %s (%s)", error, error.code)
                self._not_before = now + _RETRY_MS
            except StoreError as error:
                _log.warning("provisioning was not recorded: %s (%s)", error, error.code)
                self._not_before = now + _RETRY_MS

    async def ask(self, known: Provisioned) -> None:
        """One contact, and what follows from it. Raises ProvisioningError, TransportError, StoreError."""
        settings = self._store.get(SETTINGS)
        if settings is None:
            return
        server = self._environment.provisioning(known.url, known.ca_file, dict(known.cookies))
        try:
            # After a reset nothing is left of the configuration, so all of it is asked for.
            version = 0 if known.state is ProvisioningState.RESET else known.version
            key_hash = participant_key_hash(self._identity.participant_spki)
            document = await server.contact(
                Contact(self._identity.number, key_hash, version, known.token, participant_spki=self._shown(settings))
            )
        finally:
            await server.close()
        if document is None:
            await self._take(dataclasses.replace(known, state=ProvisioningState.UNKNOWN, check_at=0), None, known)
            return
        new = dataclasses.replace(
            known, token=document.token or known.token, check_at=check_time(document, self._environment.clock())
        )
        if document.version <= 0:
            state = STATES[document.version]
            new = dataclasses.replace(
                new, state=state, check_at=0 if state is ProvisioningState.DISABLED else new.check_at
            )
            # Dormant is a rest: the configuration stays for when it ends.
            gone = state is not ProvisioningState.DORMANT
            await self._take(
                new, dataclasses.replace(settings, sip=None, content=None, gateway=None) if gone else None, known
            )
            return
        new = dataclasses.replace(new, state=ProvisioningState.ACTIVE, version=document.version)
        if document.ims is None:
            if document.version != known.version:
                raise ProvisioningError("a new version without a configuration", code="provisioning.document")
            # Our key's proof runs out before the configuration does.
            await self._take(new, _with_proof(settings, document, new), known)
            return
        try:
            configured = settings_of(document, self._identity.number, new, settings.instance, settings.protocols)
        except ProvisioningError as error:
            await self._submit(_told("refused", document.version, error.code))
            raise
        # Which directory speaks for our number is no business of a later document: contacts know this one.
        # Nor is an account for SMS, which the user has from somebody else.
        kept = dataclasses.replace(
            configured, directory=settings.directory, directory_ca=settings.directory_ca, sms=settings.sms
        )
        await self._take(new, kept, known)

    def _shown(self, settings: Settings) -> bytes:
        return self._identity.participant_spki if "rcc16" in settings.protocols else b""

    async def _take(self, new: Provisioned, settings: Settings | None, known: Provisioned) -> None:
        """Commit both at once, tell if anything changed, and work with it."""
        changed = (new.state, new.version) != (known.state, known.version)

        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            turn = Turn(state, now, rng)
            turn.staged.put(PROVISIONED, new)
            if settings is not None:
                turn.staged.put(SETTINGS, settings)
            if changed:
                turn.tell(ProvisioningChanged(new.state.value, new.version))
            return turn.finish(None)

        await self._submit(step)
        current = self._store.get(SETTINGS)
        if changed and current is not None:
            await self._use(current, new)
        self._contacted()


def _with_proof(settings: Settings, document: ProvisioningDocument, source: Provisioned) -> Settings | None:
    """The same settings with the operator's new word about our key, if there is one that can be used."""
    try:
        kds = key_server_of(document, source) if settings.kds is not None else None
    except InputError as error:
        _log.warning("the operator's key distribution server is not used: %s", error)
        return None
    return None if kds is None else dataclasses.replace(settings, kds=kds)


def _told(state: str, version: int, reason: str) -> StepFunction[None]:
    def step(stored: State, now: Instant, rng: Rng) -> Step[None]:
        turn = Turn(stored, now, rng)
        turn.tell(ProvisioningChanged(state, version, reason))
        return turn.finish(None)

    return step
