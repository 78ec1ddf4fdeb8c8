"""Groups of a profile that another process owns."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.content import File
from ...ids import GroupName, Number
from ..api import ChatState, GroupInfo
from .line import RemoteLine

__all__ = ["RemoteGroups"]


class RemoteGroups(RemoteLine):
    """Mixed into `RemoteProfile`."""

    async def create_group(self, numbers: Sequence[Number], subject: str, request: str, protocol: str) -> GroupName:
        name = GroupName(
            await self._call("create_group", numbers=numbers, subject=subject, request=request, protocol=protocol)
        )
        await self.group(name)
        return name

    async def group(self, group: GroupName) -> GroupInfo:
        info: GroupInfo = await self._call("group", group=group)
        self._learn(ChatState(info.group, info.security, info.cursor))
        return info

    async def groups(self) -> Sequence[GroupInfo]:
        groups: list[GroupInfo] = await self._call("groups")
        for info in groups:
            self._learn(ChatState(info.group, info.security, info.cursor))
        return groups

    async def add_members(self, group: GroupName, numbers: Sequence[Number], request: str) -> None:
        await self._call("add_members", group=group, numbers=numbers, request=request)

    async def remove_member(self, group: GroupName, number: Number, request: str) -> None:
        await self._call("remove_member", group=group, number=number, request=request)

    async def leave_group(self, group: GroupName, request: str) -> None:
        await self._call("leave_group", group=group, request=request)

    async def set_subject(self, group: GroupName, subject: str, request: str) -> None:
        await self._call("set_subject", group=group, subject=subject, request=request)

    async def set_icon(self, group: GroupName, digest: bytes, url: str, request: str) -> None:
        await self._call("set_icon", group=group, digest=digest, url=url, request=request)

    async def set_sealed_icon(self, group: GroupName, file: File, request: str) -> None:
        await self._call("set_sealed_icon", group=group, file=file, request=request)

    async def icon(self, group: GroupName) -> File | None:
        file: File | None = await self._call("icon", group=group)
        return file
