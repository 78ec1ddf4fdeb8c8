"""A profile that another process owns, as a whole."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from .carriage import RemoteCarriage
from .devices import RemoteDevices
from .encryption import RemoteEncryption
from .events import RemoteEvents
from .files import RemoteFiles
from .groups import RemoteGroups
from .history import RemoteHistory
from .line import connect
from .trust import RemoteTrust

__all__ = ["RemoteProfile"]


class RemoteProfile(
    RemoteHistory,
    RemoteTrust,
    RemoteGroups,
    RemoteEncryption,
    RemoteCarriage,
    RemoteDevices,
    RemoteFiles,
    RemoteEvents,
):
    """The same calls as those of `LocalProfile`."""

    shared = True

    @classmethod
    async def connect(cls, path: Path) -> RemoteProfile:
        """Raises ConnectionLost when nobody answers there, StoreError when the owner speaks another version."""
        reader, writer = await connect(path)
        profile = cls(path, reader, writer)
        async with contextlib.AsyncExitStack() as begun:
            begun.push_async_callback(profile.close)
            profile._tasks.append(asyncio.get_running_loop().create_task(profile._read()))
            profile.me = await profile._call("me")
            profile._tasks.append(asyncio.get_running_loop().create_task(profile._follow(await profile.cursor())))
            begun.pop_all()
        return profile

    async def settled(self) -> None:
        await self._call("settled")
        await self.chats()
