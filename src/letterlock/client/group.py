"""One group, as the user of the library sees it."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from .. import ids
from ..engine.security import Security
from ..errors import InputError, NotEncrypted
from ..ids import GroupName, Number
from ..rcc16.metadata import Slot
from .api import Delivered, GroupInfo, ProfileApi
from .asks import Asks
from .conversation import Conversation
from .files.transfer import Transfer

__all__ = ["Group", "with_keys"]

T = TypeVar("T")

_LOOK_AGAIN_SECONDS = 0.05
_MAX_PICTURE = 256 << 10


class Group(Conversation):
    """The conversation of a group. Get it from `Client.create_group`, `Client.group` or `Client.groups`.

    Its members and its subject are what the members have signed; the carrier cannot change them (SR-04). Any member
    adds people and changes the subject. A member can be removed by those who were in the group before it.
    """

    __slots__ = ("group",)

    def __init__(self, group: GroupName, asks: Asks) -> None:
        super().__init__(group, asks)
        self.group = group

    async def info(self) -> GroupInfo:
        """Subject, icon and members as they are now. Keys of members that are not known yet are looked up."""
        return await self._asks.ask(lambda profile: profile.group(self.group))

    async def add(self, *numbers: str, patience: float = 10.0) -> None:
        """Add people, after waiting up to `patience` seconds for keys that are being looked up.

        Raises NotEncrypted when one has none: nobody is silently left out, and nothing is ever sent here unencrypted. A
        member whose keys have changed is added again with the new ones.
        """
        checked = [ids.number(number) for number in numbers]
        request = uuid.uuid4().hex
        await with_keys(
            self._asks, checked, patience, lambda profile: profile.add_members(self.group, checked, request)
        )

    async def remove(self, number: str) -> None:
        """Remove somebody who came after us. Raises InputError `input.group_remove` for those who came before."""
        checked = ids.number(number)
        await self._change(lambda profile, request: profile.remove_member(self.group, checked, request))

    async def leave(self) -> None:
        """Leave: nothing can be sent here until somebody adds us again; what there is stays readable."""
        await self._change(lambda profile, request: profile.leave_group(self.group, request))

    async def set_subject(self, subject: str) -> None:
        """Call the group so, for everybody. Raises InputError for a subject that is too long or not printable."""
        await self._change(lambda profile, request: profile.set_subject(self.group, subject, request))

    async def set_icon(self, digest: bytes, url: str) -> None:
        """Give the group a picture: the SHA-256 of its bytes and where they lie; an empty `url` takes it away. In a group
        by RCC.16 it can only be taken away so: use `set_picture`."""
        await self._change(lambda profile, request: profile.set_icon(self.group, digest, url, request))

    async def set_picture(self, path: str | os.PathLike[str], content_type: str = "image/jpeg") -> None:
        """Encrypt a picture, upload it, and give it to a group by RCC.16, whose members alone have its key.

        Raises InputError (`input.group_icon`) for a group of the other kind, and for an empty picture or one of more than
        256 KiB; and what made the upload fail.
        """
        size = await asyncio.to_thread(os.path.getsize, path)
        if (await self.info()).protocol != "rcc16" or not 0 < size <= _MAX_PICTURE:
            raise InputError(
                "a picture has up to 256 KiB, and groups that go by sessions have none with a key",
                code="input.group_icon",
            )
        transfer = await self.upload(path, name=Slot.ICON.value, content_type=content_type)
        file = await transfer.file()
        await self._change(lambda profile, request: profile.set_sealed_icon(self.group, file, request))

    async def fetch_picture(self, to: str | os.PathLike[str]) -> Transfer:
        """Begin to fetch the picture of a group by RCC.16, as `Client.download` does. Raises InputError without one."""
        file = await self._asks.ask(lambda profile: profile.icon(self.group))
        if file is None:
            raise InputError("this group has no encrypted picture", code="input.group_icon")
        return await self._asks.download(file, to)

    async def delivered(self, message_id: str) -> Delivered:
        """Of a message from this device: how many members have it and have seen it, and of how many."""
        checked = ids.message_id(message_id)
        return await self._asks.ask(lambda profile: profile.delivered(checked))

    async def _change(self, call: Callable[[ProfileApi, str], Awaitable[None]]) -> None:
        # Should the owner die before it answers, the next one knows by this name whether it was done.
        request = uuid.uuid4().hex
        await self._asks.ask(lambda profile: call(profile, request))


async def with_keys(
    asks: Asks, numbers: Sequence[Number], patience: float, call: Callable[[ProfileApi], Awaitable[T]]
) -> T:
    """Do something for which the keys of these numbers must be known, as soon as they are."""
    for number in numbers:
        if number != asks.profile.me.number:
            await asks.ask(lambda profile, number=number: profile.open_chat(number))  # type: ignore[misc]
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while True:
        try:
            return await asks.ask(call)
        except NotEncrypted as error:
            if error.reason != Security.CHECKING.value or loop.time() >= until:
                raise
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)
