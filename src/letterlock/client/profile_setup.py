"""The part of a client that needs none: making a profile, and changing one that nobody has open."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence

from .. import ids
from ..errors import InputError
from .accounts import ContentAccount, GatewayAccount, KdsAccount, SipAccount, SmsAccount
from .environment import Environment
from .joining import ask_for_link, join_profile, link_profile
from .profile import ProfilePaths, unlock_with
from .provisioning import provision_profile
from .settings import Settings, spoken
from .setup import create_profile
from .sms import set_sms_account

__all__ = ["ProfileSetup"]


class ProfileSetup:
    """Mixed into `Client`."""

    @classmethod
    async def create(
        cls,
        profile: str | os.PathLike[str],
        number: str,
        *,
        directory: str,
        code: str | Callable[[], Awaitable[str]],
        sip: SipAccount | None = None,
        content: ContentAccount | None = None,
        kds: KdsAccount | Callable[[bytes], Awaitable[KdsAccount]] | None = None,
        sms: SmsAccount | None = None,
        gateway: GatewayAccount | None = None,
        protocols: Sequence[str] = ("signal",),
        name: str = "",
        directory_ca: str | None = None,
        passphrase: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        environment: Environment | None = None,
    ) -> None:
        """Set up a new profile as the primary device of `number` and claim the number at the directory (SR-21).

        `code` is the operator's one-time code, or a function that is awaited after the operator was asked to send
        one. `protocols` are those that the profile speaks: `signal`, and `rcc16`, which needs a key distribution server
        (`kds`): the account there, or a function that is awaited with the participant key (DER) once it is made, because
        the operator vouches for that key. With `sms`, SMS is offered where a message cannot be encrypted (docs/sms.md).
        With a `gateway` that service speaks with the carrier for us (docs/gateway.md), and `sip` is not used.
        `name` is what the owner calls this device. A key file must exist (`letterlock.keystore.KeyFile.create`).
        Safe to call again after any failure. Raises InputError, DirectoryError, TransportError.
        """
        environment = environment or Environment()
        paths, unlock = ProfilePaths.of(profile, environment.state), unlock_with(passphrase, key_file)
        if unlock is None:
            raise _nothing_unlocks()
        account = None if callable(kds) else kds
        settings = Settings.new(
            directory, sip, environment.rng, directory_ca, content, account, spoken(protocols), gateway, sms=sms
        )
        vouch = kds if callable(kds) else None
        await create_profile(paths, ids.number(number), unlock, settings, code, name, environment, vouch)

    @classmethod
    async def provision(
        cls,
        profile: str | os.PathLike[str],
        number: str,
        *,
        url: str,
        code: str | Callable[[], Awaitable[str]],
        name: str = "",
        ca: str | None = None,
        protocols: Sequence[str] = ("signal",),
        passphrase: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        environment: Environment | None = None,
    ) -> None:
        """Set up a new profile with what the operator's provisioning server at `url` says, and claim the number (SR-21).

        `code` is a function that is awaited after the operator was asked to send one to the owner of the number, or
        the code itself when an earlier call has asked. `ca` is a file with the authority of the operator's servers, if
        it is their own. Safe to call again after any failure; a document that is refused leaves nothing of itself.
        Raises ProvisioningError, InputError, DirectoryError, TransportError.
        """
        environment = environment or Environment()
        paths, unlock = ProfilePaths.of(profile, environment.state), unlock_with(passphrase, key_file)
        if unlock is None:
            raise _nothing_unlocks()
        await provision_profile(paths, ids.number(number), unlock, url, ca, code, name, environment, spoken(protocols))

    @classmethod
    async def join(
        cls,
        profile: str | os.PathLike[str],
        offer: str,
        *,
        directory: str,
        sip: SipAccount | None = None,
        content: ContentAccount | None = None,
        sms: SmsAccount | None = None,
        gateway: GatewayAccount | None = None,
        protocols: Sequence[str] = ("signal",),
        name: str = "",
        directory_ca: str | None = None,
        passphrase: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        environment: Environment | None = None,
    ) -> str:
        """Set up a new profile as another device of the account that made `offer` (`device_offer` there).

        With `rcc16` among the `protocols` the request is for `vouch_for_device`, too, and its answer for `link`.
        Returns the request to carry to the primary (`add_device`); until that has been done, opening the profile
        raises InputError `device.pending`.
        """
        environment = environment or Environment()
        paths, unlock = ProfilePaths.of(profile, environment.state), unlock_with(passphrase, key_file)
        if unlock is None:
            raise _nothing_unlocks()
        settings = Settings.new(
            directory, sip, environment.rng, directory_ca, content, None, spoken(protocols), gateway, sms=sms
        )
        return await join_profile(paths, offer, unlock, settings, name, environment)

    @classmethod
    async def link_request(
        cls,
        profile: str | os.PathLike[str],
        *,
        passphrase: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        environment: Environment | None = None,
    ) -> str:
        """On a linked device with RCC.16, whose profile is not open: what the primary's `vouch_for_device` takes.

        Needed again when the primary's word ends (ninety days). Raises InputError, StoreLocked.
        """
        environment = environment or Environment()
        paths, unlock = ProfilePaths.of(profile, environment.state), unlock_with(passphrase, key_file)
        if unlock is None:
            raise _nothing_unlocks()
        return await ask_for_link(paths, unlock, environment)

    @classmethod
    async def link(
        cls,
        profile: str | os.PathLike[str],
        answer: str,
        *,
        kds_ca: str | None = None,
        passphrase: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        environment: Environment | None = None,
    ) -> None:
        """On a linked device, whose profile is not open: take the primary's answer; RCC.16 works from the next opening on.

        Raises DecodeError, InputError or InvalidRcc16 for an answer that is not for this device, StoreLocked.
        """
        environment = environment or Environment()
        paths, unlock = ProfilePaths.of(profile, environment.state), unlock_with(passphrase, key_file)
        if unlock is None:
            raise _nothing_unlocks()
        await link_profile(paths, answer, unlock, kds_ca, environment)

    @classmethod
    async def set_sms(
        cls,
        profile: str | os.PathLike[str],
        account: SmsAccount | None,
        *,
        passphrase: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        environment: Environment | None = None,
    ) -> None:
        """Give a profile that is not open another account for SMS, or none; it counts from the next opening on.

        Chats that go by SMS by their user's choice wait for a new choice without one. Raises InputError, StoreLocked.
        """
        environment = environment or Environment()
        paths, unlock = ProfilePaths.of(profile, environment.state), unlock_with(passphrase, key_file)
        if unlock is None:
            raise _nothing_unlocks()
        await set_sms_account(paths, unlock, account, environment)


def _nothing_unlocks() -> InputError:
    return InputError(
        "a profile needs a passphrase or a key file",
        code="input.unlock",
        hint="give passphrase= or key_file=, or set LETTERLOCK_PASSPHRASE or LETTERLOCK_KEY_FILE",
    )
