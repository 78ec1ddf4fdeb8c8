"""Opening a profile's store, making its engine, and the steps that come before any other."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import TYPE_CHECKING

from ..engine.engine import Engine
from ..engine.step import Step
from ..ids import Instant, Rng
from ..keystore import Keystore, Unlock
from ..seam import State
from ..store import OLD_COPY, ProfileLock, Store
from .accounts import KdsAccount
from .driver import StepFunction
from .encryption import device_protocols, rcc16_protocol
from .environment import Environment
from .identity import IDENTITY, Identity, Stage
from .profile import ProfilePaths
from .settings import SETTINGS, Settings

if TYPE_CHECKING:
    from .key_server import KeyServer

__all__ = ["adopting", "engine_of", "open_store", "retiring"]


async def open_store(
    paths: ProfilePaths,
    unlock: Unlock,
    environment: Environment,
    lock: ProfileLock,
    *,
    use_old_copy: bool = False,
) -> Store:
    """Unwrap the key and open the store, both off the event loop (Argon2id takes long by design).

    It does not return before the thread has ended, cancelled or not: a caller that gave the lock back earlier would
    have two owners open the store (SR-06).
    """

    def work() -> Store:
        key = Keystore(paths.key, environment.crypto, environment.rng).unwrap(unlock)
        return Store.open(
            paths.store,
            key,
            witness_folder=paths.state,
            lock=lock,
            use_old_copy=use_old_copy,
            checkpoint=environment.checkpoint,
        )

    opening = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        while not opening.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait((opening,))
        if opening.exception() is None:
            opening.result().close()
        raise


def engine_of(
    identity: Identity, environment: Environment, settings: Settings, state: State
) -> tuple[Engine, KeyServer | None]:
    """The engine of this device with the protocols that it speaks, and who asks the key distribution server for it."""
    rcc16 = rcc16_protocol(identity, environment, settings)
    engine = Engine(
        identity.party,
        environment.crypto,
        device_protocols(identity, environment, settings),
        keeping=() if rcc16 is None else (rcc16,),
        limits=environment.engine_limits,
        privacy=environment.privacy,
        sign=lambda text, rng: environment.crypto.xeddsa_sign(identity.identity_private.reveal(), text, rng),
        sms=settings.sms is not None,
    )
    kds = environment.key_distribution(environment, settings) if rcc16 is not None else None
    if rcc16 is None or kds is None or settings.kds is None:
        return engine, None
    from .key_server import KeyServer

    opened_with = settings.kds

    def account() -> KdsAccount:
        """By the operator's last word."""
        now = state.get(SETTINGS)
        return opened_with if now is None or now.kds is None else now.kds

    return engine, KeyServer(
        kds, account, rcc16, engine=engine, state=state, crypto=environment.crypto, clock=environment.clock
    )


def adopting(engine: Engine, identity: Identity, signed: bytes) -> StepFunction[None]:
    """The step that makes a profile active with its own list, in one commit."""

    def step(state: State, now: Instant, rng: Rng) -> Step[None]:
        adopted = engine.adopt_list(state, signed, now, rng)
        active = dataclasses.replace(identity, stage=Stage.ACTIVE)
        return dataclasses.replace(adopted, writes={**adopted.writes, IDENTITY: active})

    return step


def retiring(engine: Engine) -> StepFunction[None]:
    """SR-06: before anything is encrypted in an old copy, every session in it is retired, in the commit that unmarks it."""

    def step(state: State, now: Instant, rng: Rng) -> Step[None]:
        retired = engine.rolled_back(state, now, rng)
        return dataclasses.replace(retired, writes={**retired.writes, OLD_COPY: None})

    return step
