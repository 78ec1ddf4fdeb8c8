"""The public API: `async with Client.open(profile) as me`."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from types import TracebackType
from typing import TypeVar

from .. import ids
from ..carriage import Medium
from ..codec.ft_http import FileDocument, RemoteFile
from ..codec.push_subscription import Subscription
from ..engine.content import File
from ..engine.events import Recorded, TransferChanged
from ..engine.limits import EngineLimits
from ..errors import InputError, StoreError
from ..files.pointer import FilePointer
from .api import CertificateInfo, DeviceInfo, GroupInfo, Me, ProfileApi, SmsInfo
from .attach import Access
from .bot_chat import BotChat
from .chat import Chat
from .environment import Environment
from .files.cached import CacheInfo
from .files.reader import FileReader
from .files.transfer import TotalProgress, Transfer, absolute, total_of
from .group import Group, with_keys
from .histories import Histories
from .joining import ask_for_link, join_profile, link_profile
from .profile import ProfilePaths, unlock_with
from .provisioning import provision_profile
from .remote import ConnectionLost, RemoteProfile
from .settings import ContentAccount, GatewayAccount, KdsAccount, Settings, SipAccount, SmsAccount, spoken
from .setup import create_profile
from .sms import set_sms_account

__all__ = ["Client"]

T = TypeVar("T")


class Client(Histories):
    """One device's profile, opened. `Client.open` makes it; use it as an async context manager.

    The first process that opens a profile owns it; others on the same profile work through that one, and one of
    them takes over when it ends. Nothing of the API differs.
    """

    def __init__(self, access: Access) -> None:
        self._access = access

    @classmethod
    def open(
        cls,
        profile: str | os.PathLike[str],
        *,
        passphrase: str | None = None,
        key_file: str | os.PathLike[str] | None = None,
        use_old_copy: bool = False,
        environment: Environment | None = None,
    ) -> Client:
        """Open a profile by name (`ana`) or path.

        What unlocks it is given here or in LETTERLOCK_PASSPHRASE or LETTERLOCK_KEY_FILE; a process that works
        through the owner needs neither, until it has to take over. `use_old_copy` takes a restored old copy of the
        store into use: all sessions are begun anew, and contacts may have to send again (SR-06).

        Entering raises StoreError when there is no such profile, WrongStoreKey, or StoreRolledBack.
        """
        environment = environment or Environment()
        return cls(
            Access(
                ProfilePaths.of(profile, environment.state),
                unlock_with(passphrase, key_file),
                environment,
                use_old_copy,
            )
        )

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

    async def __aenter__(self) -> Client:
        await self._access.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give the profile back. What is on its way is asked for again by whoever opens it next."""
        await self._access.close()

    # --- who -----------------------------------------------------------------------------------------------
    @property
    def me(self) -> Me:
        """Number, account and device of this profile."""
        return self.profile.me

    @property
    def number(self) -> ids.Number:
        return self.profile.me.number

    @property
    def owner(self) -> bool:
        """Whether this process owns the profile at the moment."""
        return not isinstance(self._access.profile, RemoteProfile)

    # --- chats ---------------------------------------------------------------------------------------------
    async def chat(self, number: str) -> Chat:
        """The conversation with a number; its keys are looked up if they are not known. Raises InputError for a bad number."""
        checked = ids.number(number)
        await self.ask(lambda profile: profile.open_chat(checked))
        return Chat(checked, self)

    async def chats(self) -> Sequence[Chat]:
        """All conversations with one number that there are; those of groups are `groups`, of chatbots `bots`."""
        states = await self.ask(lambda profile: profile.chats())
        return [Chat(ids.Number(state.number), self) for state in states if state.number.startswith("+")]

    async def bot(self, address: str) -> BotChat:
        """The conversation with a chatbot, by its address: `sip:shop@bots.example.com`. Raises InputError for a bad one."""
        checked = ids.bot_address(address)
        await self.ask(lambda profile: profile.open_chat(checked))
        return BotChat(checked, self)

    async def bots(self) -> Sequence[BotChat]:
        """All conversations with chatbots that there are."""
        states = await self.ask(lambda profile: profile.chats())
        return [BotChat(bot, self) for state in states if (bot := ids.bot_of(state.number)) is not None]

    async def conversation(self, name: str) -> Chat | Group | BotChat:
        """The chat with a number or a chatbot, or the group with this name. Raises InputError."""
        checked = ids.chat_name(name)
        if (bot := ids.bot_of(checked)) is not None:
            return await self.bot(bot)
        return await (self.chat(checked) if ids.group_of(checked) is None else self.group(checked))

    # --- groups --------------------------------------------------------------------------------------------
    async def create_group(
        self, numbers: Sequence[str], subject: str = "", *, protocol: str = "", patience: float = 10.0
    ) -> Group:
        """A new encrypted group of ourselves and these numbers; any member may add more.

        Without a `protocol` it is `signal` if everybody has that on every device, else `rcc16`, whose group is set up
        at the carrier's focus: what is sent before that is done waits.

        Waits up to `patience` seconds for keys that are being looked up. Raises NotEncrypted when somebody has none:
        there are no unencrypted groups, so it carries no options. Raises InputError for a bad number or subject.
        """
        checked = [ids.number(number) for number in numbers]
        request = uuid.uuid4().hex
        name = await with_keys(
            self, checked, patience, lambda profile: profile.create_group(checked, subject, request, protocol)
        )
        return Group(name, self)

    async def group(self, name: str) -> Group:
        """A group by its name: 32 hexadecimal digits, as events and `groups` give it. Raises InputError for one that
        this profile does not know."""
        checked = ids.chat_name(name)
        if ids.group_of(checked) is None:
            raise InputError(
                f"not the name of a group: {name[:40]!r}", code="input.group", hint="letterlock group list"
            )
        group = ids.GroupName(checked)
        await self.ask(lambda profile: profile.group(group))
        return Group(group, self)

    async def groups(self) -> Sequence[GroupInfo]:
        """All groups that we are in or have been in."""
        return await self.ask(lambda profile: profile.groups())

    # --- events --------------------------------------------------------------------------------------------
    async def events(self, after: int | None = None) -> AsyncGenerator[Recorded, None]:
        """Every event behind the cursor `after`, oldest first, then those to come; None: only those to come.

        Events are kept in the store: none is lost because nobody listened, and each consumer has its own cursor
        (`Recorded.cursor`). The iteration ends when the client is closed.
        """
        cursor = await self.cursor() if after is None else after
        while (profile := self._access.profile) is not None:
            try:
                async with contextlib.aclosing(profile.events(cursor)) as events:
                    async for recorded in events:
                        yield recorded
                        cursor = recorded.cursor
                return
            except ConnectionLost:
                if not isinstance(profile, RemoteProfile):
                    raise
                await self._access.again(profile)

    async def cursor(self) -> int:
        """The cursor of the newest event; 0 when there is none."""
        return await self.ask(lambda profile: profile.cursor())

    async def recall(self, consumer: str) -> int | None:
        """The cursor that a consumer has kept under its name, None if none."""
        return await self.ask(lambda profile: profile.recall(consumer))

    async def keep(self, consumer: str, cursor: int) -> None:
        """Keep a consumer's cursor in the profile: it has dealt with everything up to there."""
        await self.ask(lambda profile: profile.keep(consumer, cursor))

    # --- being woken ---------------------------------------------------------------------------------------
    async def set_push(self, push: Subscription | None) -> None:
        """Have this device woken there when something comes while it is away; None: not any more. With a gateway only
        (docs/gateway.md). Apps say it at every start: addresses change.

        Raises InputError without a gateway, TransportError with the reason of the gateway or its push service.
        """
        await self.ask(lambda profile: profile.set_push(push))

    # --- devices -------------------------------------------------------------------------------------------
    async def devices(self) -> Sequence[DeviceInfo]:
        """The devices of this account."""
        return await self.ask(lambda profile: profile.devices())

    async def device_offer(self) -> str:
        """A string for the new device (`Client.join`). On the primary only; raises InputError elsewhere."""
        return await self.ask(lambda profile: profile.device_offer())

    async def add_device(self, request: str) -> int:
        """List the device that made this request, and publish the list; its id.

        Raises DecodeError for a string that was not copied whole, DeviceListError when its keys did not agree.
        """
        return await self.ask(lambda profile: profile.add_device(request))

    async def vouch_for_device(self, request: str) -> str:
        """Vouch for the RCC.16 key of a listed device that made this request; the answer is for its `link` (primary only).

        It is then brought into the groups of this number. Raises DecodeError, InputError, InvalidRcc16.
        """
        return await self.ask(lambda profile: profile.vouch_for_device(request))

    async def remove_device(self, device: int) -> None:
        """Take a device off the list; contacts stop encrypting for it."""
        await self.ask(lambda profile: profile.remove_device(device))

    async def certificate(self) -> CertificateInfo | None:
        """What this device has at the key distribution server; None for a profile that does not speak RCC.16."""
        return await self.ask(lambda profile: profile.certificate())

    async def sms(self) -> SmsInfo | None:
        """The account for SMS; None for a profile without one."""
        return await self.ask(lambda profile: profile.sms())

    # --- files ---------------------------------------------------------------------------------------------
    async def upload(
        self,
        path: str | os.PathLike[str],
        *,
        name: str = "file",
        content_type: str = "application/octet-stream",
        thumbnail: str | os.PathLike[str] | None = None,
        thumbnail_type: str = "image/jpeg",
    ) -> Transfer:
        """Begin to upload a file to the content server; it survives a crash and lost connections.

        The server, and whoever gets the address, can read what is uploaded: these are opaque bytes, sent as they are,
        with `name` and `content_type` beside them. For an encrypted chat use `Conversation.upload`, which encrypts.
        Raises InputError when the file cannot be read.
        """
        transfer, source = str(uuid.uuid4()), absolute(path)
        picture = None if thumbnail is None else absolute(thumbnail)
        return Transfer(
            await self.ask(
                lambda profile: profile.upload(transfer, source, name, content_type, picture, thumbnail_type)
            ),
            self,
        )

    async def download(
        self,
        pointer: File | FileDocument | RemoteFile | str,
        to: str | os.PathLike[str] | None = None,
        *,
        sha256: bytes | None = None,
        thumbnail: bool = False,
    ) -> Transfer:
        """Begin to fetch a file: to a path where nothing is yet, or into a folder, under a safe form of its name.

        It appears there when it is whole and has the announced size and digest, `sha256` included, if given; an
        encrypted one, the `File` of a message, when all of it was verified and decrypted (SR-15). A sealed file is
        kept in the cache, too, and without `to` only there: `open_file` reads it. `thumbnail` fetches that of a `File`
        instead. An address in a private network is refused unless it is the configured
        content server's (SR-14). A text as `pointer` is an address of which nothing else is known. Raises InputError.
        """
        if isinstance(pointer, File) and pointer.pointer is not None:
            return await self._download_sealed(pointer.pointer, "" if to is None else absolute(to), thumbnail)
        if to is None:
            raise InputError(
                "only sealed files are kept in the cache", code="input.transfer", hint="name a place for it"
            )
        known, sealed = not isinstance(pointer, str), None
        if isinstance(pointer, File):
            sealed = pointer.sealed_thumbnail if thumbnail else pointer.sealed
            found = pointer.thumbnail if thumbnail else pointer.file
            if found is None:
                raise InputError("this file has no thumbnail", code="input.thumbnail")
            pointer = found
        if isinstance(pointer, FileDocument):
            pointer = pointer.file
        file = RemoteFile(0, "application/octet-stream", pointer) if isinstance(pointer, str) else pointer
        transfer, target = str(uuid.uuid4()), absolute(to)
        size = file.size if known else None
        return Transfer(
            await self.ask(lambda profile: profile.download(transfer, file, size, target, sha256, sealed)), self
        )

    async def _download_sealed(self, pointer: FilePointer, to: str, thumbnail: bool) -> Transfer:
        transfer = str(uuid.uuid4())
        return Transfer(await self.ask(lambda profile: profile.download_sealed(transfer, pointer, to, thumbnail)), self)

    async def open_file(self, file: File, *, thumbnail: bool = False) -> FileReader:
        """Read a sealed file, or its thumbnail, in any order without a plain copy of it.

        What is not here yet is fetched as it is asked for, into the cache. Nothing is returned but what was verified
        (SR-15). Raises InputError for a file of another kind; `download` fetches these.
        """
        if file.pointer is None:
            raise InputError(
                "only sealed files are read piece by piece", code="input.file", hint="download it, and read that"
            )
        return FileReader(file.pointer, thumbnail, self)

    async def cache(self) -> CacheInfo:
        """How much lies sealed in the cache, and of what."""
        return await self.ask(lambda profile: profile.cache())

    async def prune_cache(self, to: int = 0) -> int:
        """Delete what was used longest ago until at most `to` bytes are left; how many went. What is in use stays."""
        return await self.ask(lambda profile: profile.prune_cache(to))

    async def set_cache_budget(self, budget: int) -> None:
        """How many bytes the cache may take from now on; what is above goes. Raises InputError."""
        await self.ask(lambda profile: profile.set_cache_budget(budget))

    async def transfers(self) -> Sequence[Transfer]:
        """All transfers, oldest first; those that a crash interrupted can be resumed."""
        return [Transfer(info, self) for info in await self.ask(lambda profile: profile.transfers())]

    # --- what there is ---------------------------------------------------------------------------------------
    async def carried(self, medium: Medium = Medium.RCS) -> bool:
        """Whether a carrier is set up for this and may be used, by the operator's word. Without one, what is sent waits."""
        return await self.ask(lambda profile: profile.carried(medium.label))

    @property
    def limits(self) -> EngineLimits:
        """The bounds of what can be sent and kept."""
        return self._access.environment.engine_limits

    async def total_progress(self) -> AsyncGenerator[TotalProgress, None]:
        """How far all transfers are that run, now and at each change of one, until none runs any more."""
        cursor = await self.cursor()
        yield (total := total_of(await self.ask(lambda profile: profile.transfers())))
        if not total.running:
            return
        async with contextlib.aclosing(self.events(cursor)) as events:
            async for recorded in events:
                if isinstance(recorded.event, TransferChanged):
                    yield (total := total_of(await self.ask(lambda profile: profile.transfers())))
                    if not total.running:
                        return

    # --- for programs that end soon ------------------------------------------------------------------------
    async def settled(self) -> None:
        """Wait until the network has answered everything that is under way now."""
        await self.ask(lambda profile: profile.settled())

    # --- inside --------------------------------------------------------------------------------------------
    @property
    def profile(self) -> ProfileApi:
        """What the calls go to. Raises StoreError when the client is not open."""
        if self._access.profile is None:
            raise StoreError("the profile is not open", code="client.closed", hint="async with Client.open(...) as me")
        return self._access.profile

    async def ask(self, call: Callable[[ProfileApi], Awaitable[T]]) -> T:
        """Call the profile; if its owner goes away meanwhile, call the next one. Every call may be repeated."""
        while True:
            profile = self.profile
            try:
                return await call(profile)
            except ConnectionLost:
                if not isinstance(profile, RemoteProfile):
                    raise
                await self._access.again(profile)

    def __repr__(self) -> str:
        return f"Client({self._access.paths.folder})"


def _nothing_unlocks() -> InputError:
    return InputError(
        "a profile needs a passphrase or a key file",
        code="input.unlock",
        hint="give passphrase= or key_file=, or set LETTERLOCK_PASSPHRASE or LETTERLOCK_KEY_FILE",
    )
