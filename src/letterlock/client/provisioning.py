"""Setting a profile up with nothing but a number and the operator's address (RCC.14, SR-21).

The participant key comes first and is on disk before anybody hears of it; the operator's code is bound to it, and so
is the code for the directory that the document brings. Any step may be interrupted: run again, it goes on with what
still holds. A document that cannot be used leaves the profile as it was: keys, and nothing of the document.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

from ..codec.provisioning import ProvisioningDocument
from ..errors import InputError, ProvisioningError
from ..ids import Instant, Number
from ..keystore import Unlock
from ..store import Store
from ..transport.provisioning_config import Contact
from ..trust.requests import participant_key_hash
from .encryption import check_protocols
from .environment import Environment
from .identity import Identity
from .network import Provisioning
from .profile import ProfilePaths
from .provisioned import PROVISIONED, STATES, Provisioned, ProvisioningState, settings_of
from .settings import SETTINGS, Settings
from .setup import begun_identity, claimed, opened_for_setup

__all__ = ["check_time", "provision_profile"]

_SOONEST_MS = 3_600_000


async def provision_profile(
    paths: ProfilePaths,
    number: Number,
    unlock: Unlock,
    url: str,
    ca_file: str | None,
    code: str | Callable[[], Awaitable[str]],
    name: str,
    environment: Environment,
    protocols: tuple[str, ...] = ("signal",),
) -> None:
    """Make a profile, configure it from the operator's document, and claim its number.

    A `code` that is a function is awaited after the operator has been asked to send one; a text is the code that an
    earlier call asked for. Raises ProvisioningError (`provisioning.code`: wrong, call again with the right one;
    `provisioning.document`: refused, nothing taken), InputError, DirectoryError, TransportError.
    """
    async with opened_for_setup(paths, unlock, environment) as store:
        identity = await begun_identity(store, number, name, environment)
        settings, claim_code = await _configured(store, identity, url, ca_file, code, environment, protocols)
        check_protocols(settings)
        await claimed(store, identity, settings, claim_code, environment)


async def _configured(
    store: Store,
    identity: Identity,
    url: str,
    ca_file: str | None,
    code: str | Callable[[], Awaitable[str]],
    environment: Environment,
    protocols: tuple[str, ...],
) -> tuple[Settings, str]:
    """The settings, stored, and the code for the directory."""
    known = store.get(PROVISIONED)
    if known is None or known.url != url:
        known = Provisioned(url, ca_file, ProvisioningState.BEGUN)
    key_hash = participant_key_hash(identity.participant_spki)
    server = environment.provisioning(url, ca_file, dict(known.cookies))
    try:
        shown = identity.participant_spki if "rcc16" in protocols else b""
        document = await _document(store, server, identity.number, key_hash, known, code, shown)
    finally:
        await server.close()
    if document.version <= 0:
        state = STATES[document.version]
        raise ProvisioningError(_WORDS[state], code=f"provisioning.{state.value}", hint="ask your operator", status=403)
    old = store.get(SETTINGS)
    instance = old.instance if old is not None else str(uuid.UUID(bytes=environment.rng(16), version=4))
    source = Provisioned(
        url,
        ca_file,
        ProvisioningState.ACTIVE,
        document.version,
        document.token,
        check_time(document, environment.clock()),
    )
    settings = settings_of(document, identity.number, source, instance, protocols)
    services = document.services
    if services is None or not services.claim_code:
        raise ProvisioningError(
            "the operator gives no code for the directory",
            code="provisioning.no_claim_code",
            hint="the number may be claimed by this key already; ask your operator",
        )
    # Both at once: never a configuration of which nobody knows where it came from.
    await asyncio.to_thread(store.commit, (), {SETTINGS: settings, PROVISIONED: source}, store.generation)
    return settings, services.claim_code


async def _document(
    store: Store,
    server: Provisioning,
    number: Number,
    key_hash: bytes,
    known: Provisioned,
    code: str | Callable[[], Awaitable[str]],
    participant_spki: bytes,
) -> ProvisioningDocument:
    # A code that is here already belongs to the contact that was begun: a new one would make it void.
    if not isinstance(code, str) or not known.cookies:
        document = await server.contact(Contact(number, key_hash, 0, known.token, participant_spki=participant_spki))
        begun = Provisioned(known.url, known.ca_file, ProvisioningState.BEGUN, cookies=tuple(server.cookies.items()))
        if document is not None:
            return document
        await asyncio.to_thread(store.commit, (), {PROVISIONED: begun}, store.generation)
        if not isinstance(code, str):
            code = await code()
    digits = "".join(code.split())
    if not digits.isascii() or not digits.isdecimal() or len(digits) > 16:
        raise InputError("a code has digits only", code="input.code")
    document = await server.contact(Contact(number, key_hash, 0, code=digits, participant_spki=participant_spki))
    if document is None:
        raise ProvisioningError("the provisioning server does not go on", code="provisioning.refused", status=511)
    return document


def check_time(document: ProvisioningDocument, now: Instant) -> Instant:
    """When to ask again: before the validity ends, but never in a hurry, whatever the document says."""
    return now + max(_SOONEST_MS, document.validity_s * 1000)


_WORDS = {
    ProvisioningState.RESET: "the operator has no configuration for this number now",
    ProvisioningState.DORMANT: "the operator has put this number to rest",
    ProvisioningState.DISABLED: "the operator has disabled this number",
}
