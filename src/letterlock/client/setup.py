"""Setting a profile up: keys first, on disk; then the number is claimed with the operator's code (SR-21).

Every part may be interrupted and done again: the code is bound to the participant key, so the keys that
were made stay the profile's, and claiming twice is safe.
"""

from __future__ import annotations

import asyncio
import dataclasses
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from ..engine.engine import Engine
from ..errors import InputError
from ..ids import Number
from ..keystore import Keystore, Unlock
from ..store import ProfileLock, Store
from ..trust import create_list
from .accounts import KdsAccount
from .encryption import check_protocols
from .environment import Environment
from .identity import IDENTITY, Identity, Stage, primary_identity
from .local import LocalProfile
from .opening import adopting, engine_of, open_store
from .profile import ProfilePaths
from .settings import SETTINGS, Settings

if TYPE_CHECKING:
    from .key_server import KeyServer

__all__ = ["admitted", "begun_identity", "claimed", "create_profile", "opened_for_setup", "publish_keys"]


async def create_profile(
    paths: ProfilePaths,
    number: Number,
    unlock: Unlock,
    settings: Settings,
    code: str | Callable[[], Awaitable[str]],
    name: str,
    environment: Environment,
    vouch: Callable[[bytes], Awaitable[KdsAccount]] | None = None,
) -> None:
    """Make a profile and claim its number.

    `vouch` is awaited with the participant key and gives the account at the key distribution server.

    A `code` that is a function is awaited after the operator has been asked to send one. Raises InputError when
    the profile is set up already or belongs to another number, DirectoryError when the code is refused (call
    again with the right one), TransportError when the directory cannot be reached.
    """
    if vouch is None:
        check_protocols(settings)
    async with opened_for_setup(paths, unlock, environment) as store:
        identity = await begun_identity(store, number, name, environment)
        if vouch is not None:
            settings = dataclasses.replace(settings, kds=await vouch(identity.participant_spki))
            check_protocols(settings)
        await asyncio.to_thread(store.commit, (), {SETTINGS: settings}, store.generation)
        await admitted(settings, identity.number)
        await claimed(store, identity, settings, code, environment)


async def admitted(settings: Settings, number: Number) -> None:
    """Have the gateway admit this device, if there is one: a password that is wrong is heard of here and now. The gateway
    registers a device with the carrier from its first link on. Raises GatewayError, TransportError."""
    if settings.gateway is None:
        return
    from ..transport.gateway.config import GatewaySettings
    from ..transport.gateway.connection import GatewayHttp

    account = settings.gateway
    tls = ssl.create_default_context(cafile=account.ca_file) if account.ca_file else None
    http = GatewayHttp(account.config(number, settings.instance), GatewaySettings(), tls)
    try:
        await http.enrol()
    finally:
        await http.close()


async def begun_identity(store: Store, number: Number, name: str, environment: Environment) -> Identity:
    """The keys of a profile that is being set up, on disk before anybody hears of them.

    A key that was claimed and lost would need a reset. Raises InputError when the profile is set up already or was
    begun for another number.
    """
    identity = store.get(IDENTITY)
    if identity is None:
        identity = primary_identity(number, name, environment.crypto, environment.rng)
    elif identity.stage is not Stage.UNCLAIMED:
        raise InputError("this profile is set up already", code="input.profile_exists")
    elif identity.number != number:
        raise InputError(
            f"this profile was begun for {identity.number}",
            code="input.profile_exists",
            hint="name another profile",
        )
    await asyncio.to_thread(store.commit, (), {IDENTITY: identity}, store.generation)
    return identity


async def claimed(
    store: Store,
    identity: Identity,
    settings: Settings,
    code: str | Callable[[], Awaitable[str]],
    environment: Environment,
) -> None:
    """Claim the number at the directory and publish the first keys; then the profile can be opened."""
    directory = environment.directory(environment, settings, identity)
    if directory is None:
        raise InputError("a number is claimed at a directory; name one", code="input.directory")
    try:
        if not isinstance(code, str):
            await directory.begin_claim(identity.number, identity.participant_spki)
            code = await code()
        crypto, key, now = environment.crypto, identity.participant_key(), environment.clock()
        signed = create_list(
            number=identity.number,
            participant_spki=identity.participant_spki,
            primary=identity.entry(crypto, environment.rng, settings.protocols),
            sign=lambda text: crypto.p256_sign(key.reveal(), text),
            crypto=crypto,
            now=now,
        ).encoded
        await directory.claim(code, signed)
    finally:
        await directory.close()
    engine, requests = engine_of(identity, environment, settings, store)
    step = adopting(engine, identity, signed)(store, environment.clock(), environment.rng)
    await asyncio.to_thread(store.commit, (), step.writes, store.generation)
    await publish_keys(
        dataclasses.replace(identity, stage=Stage.ACTIVE), store, engine, settings, environment, requests
    )


async def publish_keys(
    identity: Identity,
    store: Store,
    engine: Engine,
    settings: Settings,
    environment: Environment,
    requests: KeyServer | None = None,
) -> None:
    """Let the engine make and upload its first keys, so that others can write before this profile is opened: pre-keys,
    and with RCC.16 a certificate and key packages."""
    profile = LocalProfile(
        identity,
        store,
        engine,
        environment.crypto,
        clock=environment.clock,
        rng=environment.rng,
        checkpoint=environment.checkpoint,
    )
    try:
        await profile.start(None, environment.directory(environment, settings, identity), requests=requests)
        await profile.settled()
    finally:
        await profile.close()


@asynccontextmanager
async def opened_for_setup(paths: ProfilePaths, unlock: Unlock, environment: Environment) -> AsyncIterator[Store]:
    """The store of a profile that is being set up; made when there is none."""
    paths.make()
    async with AsyncExitStack() as opened:
        lock = ProfileLock.acquire(paths.lock)
        opened.callback(lock.release)
        keystore = Keystore(paths.key, environment.crypto, environment.rng)
        if not keystore.exists():
            await asyncio.to_thread(keystore.create, unlock, environment.argon2)
        store = await open_store(paths, unlock, environment, lock)
        opened.push_async_callback(asyncio.to_thread, store.close)
        yield store
