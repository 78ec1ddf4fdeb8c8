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
from ..codec.push_subscription import Subscription
from ..engine.events import Recorded
from ..engine.limits import EngineLimits
from ..errors import InputError, StoreError
from .api import GroupInfo, Me, ProfileApi, SmsInfo
from .attach import Access
from .bot_chat import BotChat
from .chat import Chat
from .device_calls import DeviceCalls
from .environment import Environment
from .file_calls import FileCalls
from .group import Group, with_keys
from .histories import Histories
from .profile import ProfilePaths, unlock_with
from .profile_setup import ProfileSetup
from .remote import ConnectionLost, RemoteProfile

__all__ = ["Client"]

T = TypeVar("T")


class Client(ProfileSetup, Histories, FileCalls, DeviceCalls):
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

    async def sms(self) -> SmsInfo | None:
        """The account for SMS; None for a profile without one."""
        return await self.ask(lambda profile: profile.sms())

    # --- what there is ---------------------------------------------------------------------------------------
    async def carried(self, medium: Medium = Medium.RCS) -> bool:
        """Whether a carrier is set up for this and may be used, by the operator's word. Without one, what is sent waits."""
        return await self.ask(lambda profile: profile.carried(medium.label))

    @property
    def limits(self) -> EngineLimits:
        """The bounds of what can be sent and kept."""
        return self._access.environment.engine_limits

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
