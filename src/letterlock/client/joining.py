"""A second device of an account: it answers the primary's offer, and starts once the primary has listed it."""

from __future__ import annotations

import asyncio
import dataclasses

from ..engine.engine import Engine
from ..errors import DeviceListError, DirectoryError, InputError
from ..keystore import Unlock
from ..store import Store
from ..trust import decode_offer, encode_request, verify_list
from .addresses import CONFERENCES, UNVISITED
from .driver import StepFunction
from .encryption import enrolment_of
from .environment import Environment
from .identity import IDENTITY, Identity, Stage, linked_identity
from .network import Directory
from .opening import adopting
from .profile import ProfilePaths
from .settings import SETTINGS, Settings
from .setup import admitted, opened_for_setup

__all__ = ["ask_for_link", "first_list", "join_profile", "link_profile"]


async def join_profile(
    paths: ProfilePaths, offer: str, unlock: Unlock, settings: Settings, name: str, environment: Environment
) -> str:
    """Make the profile of a second device; returns the request to carry to the primary (`add_device`).

    Called again with the same offer it returns the same keys' request. Raises DecodeError for a bad offer,
    InputError when the profile is set up already.
    """
    crypto = environment.crypto
    decoded = decode_offer(offer, crypto)
    async with opened_for_setup(paths, unlock, environment) as store:
        identity = store.get(IDENTITY)
        if identity is not None and identity.stage is not Stage.PENDING:
            raise InputError("this profile is set up already", code="input.profile_exists")
        if identity is None or (identity.participant_spki, identity.device) != (
            decoded.participant_spki,
            decoded.device,
        ):
            identity = linked_identity(decoded, name, crypto, environment.rng)
        await asyncio.to_thread(store.commit, (), {IDENTITY: identity, SETTINGS: settings}, store.generation)
        await admitted(settings, identity.number)
        request = encode_request(identity.entry(crypto, environment.rng, settings.protocols))
        if "rcc16" not in settings.protocols:
            return request
        from .linking import joined

        return joined(request, await _asking(store, identity, environment))


async def ask_for_link(paths: ProfilePaths, unlock: Unlock, environment: Environment) -> str:
    """The request of a linked device that the primary vouch for its RCC.16 key, once more: its word ends after a time.

    Raises InputError on the primary, and for a profile without RCC.16.
    """
    async with opened_for_setup(paths, unlock, environment) as store:
        return await _asking(store, _linked(store), environment)


async def link_profile(
    paths: ProfilePaths, answer: str, unlock: Unlock, kds_ca: str | None, environment: Environment
) -> None:
    """Take the primary's answer. Raises DecodeError, InputError, InvalidRcc16; then nothing has changed."""
    from .linking import decode_answer

    async with opened_for_setup(paths, unlock, environment) as store:
        identity, settings = _linked(store), store.get(SETTINGS)
        assert settings is not None
        said = decode_answer(answer, identity, environment.crypto)
        enrolment = enrolment_of(identity, environment)
        writes = enrolment.adopt_link(store, said.answer, identity.participant_spki, environment.clock())
        new = dataclasses.replace(settings, kds=dataclasses.replace(said.account, ca_file=kds_ca))
        known = {CONFERENCES.key(name): address for name, address in said.conferences.items()}
        await asyncio.to_thread(store.commit, (), {**known, **writes, SETTINGS: new, UNVISITED: True}, store.generation)


def _linked(store: Store) -> Identity:
    identity, settings = store.get(IDENTITY), store.get(SETTINGS)
    if identity is None or settings is None or identity.participant_private is not None:
        raise InputError("this is no linked device", code="device.link", hint="the primary device needs nobody's word")
    if "rcc16" not in settings.protocols:
        raise InputError("this device does not speak rcc16", code="input.protocol")
    return identity


async def _asking(store: Store, identity: Identity, environment: Environment) -> str:
    from ..rcc16.enrolment.records import LEAF
    from .linking import encode_asking

    enrolment = enrolment_of(identity, environment)
    if store.get(LEAF) is None:
        made = enrolment.upkeep(store, environment.clock(), environment.rng)
        await asyncio.to_thread(store.commit, (), made.writes, store.generation)
    request = enrolment.link_request(store, identity.participant_spki)
    return encode_asking(identity, request, environment.crypto, environment.rng)


async def first_list(
    identity: Identity, engine: Engine, directory: Directory | None, environment: Environment
) -> StepFunction[None]:
    """The step that takes up the list on which the primary has put this device.

    The participant key came with the offer, carried by the owner, so a list of another key is refused (SR-04).
    Raises InputError when the device is not listed yet.
    """
    crypto = environment.crypto
    not_listed = InputError(
        "the primary device has not added this one yet",
        code="device.pending",
        hint="carry the request to it: letterlock devices add",
    )
    if directory is None:
        raise not_listed
    try:
        lists = await directory.lists(identity.number, 0)
    except DirectoryError as error:
        # An unlisted device may not ask; that is the same answer.
        raise not_listed from error
    if not lists:
        raise not_listed
    verified = verify_list(lists[-1], crypto, environment.clock())
    if verified.account != identity.account or verified.number != identity.number:
        raise DeviceListError(
            "the directory shows another account's list for this number",
            code="device_list.other_account",
            hint="the number may have been claimed anew, or the directory lies",
        )
    entry = verified.device(identity.device)
    if entry is None or entry.identity_key != identity.key_pair(crypto).public:
        raise not_listed
    return adopting(engine, identity, verified.encoded)
