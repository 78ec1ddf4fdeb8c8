"""Groups of the profile that this process owns."""

from __future__ import annotations

from collections.abc import Sequence

from ...engine.content import File
from ...engine.records import CHAT
from ...ids import GroupName, Number, chat_name, group_of
from ..api import GroupInfo, GroupMember
from .core import LocalCore

__all__ = ["LocalGroups"]


class LocalGroups(LocalCore):
    """Mixed into `LocalProfile`."""

    async def create_group(self, numbers: Sequence[Number], subject: str, request: str, protocol: str) -> GroupName:
        engine = self._engine
        made = await self._once(
            lambda s, now, rng: engine.create_group(s, numbers, subject, now, rng, protocol=protocol), request
        )
        return GroupName(made)

    async def group(self, group: GroupName) -> GroupInfo:
        await self._driver.submit(lambda s, now, rng: self._engine.open_group(s, group, now, rng))
        return self._group(group)

    async def groups(self) -> Sequence[GroupInfo]:
        names = [chat_name(key.name.partition("/")[2]) for key in self._store.scan(CHAT)]
        return [self._group(GroupName(name)) for name in names if group_of(name) is not None]

    def _group(self, name: GroupName) -> GroupInfo:
        now, group = self._clock(), self._engine.group(self._store, name)
        members = tuple(
            GroupMember(each.number, each.account, each.state, each.current, each.me, each.removable)
            for each in self._engine.members(self._store, name, now)
        )
        security = self.security(name)
        return GroupInfo(
            name,
            group.subject,
            members,
            group.joined,
            security,
            self._newest(),
            group.icon,
            group.icon_digest,
            self._engine.conversation(self._store, name)[0] or "signal",
        )

    async def add_members(self, group: GroupName, numbers: Sequence[Number], request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.add_members(s, group, numbers, now, rng), request)

    async def remove_member(self, group: GroupName, number: Number, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.remove_member(s, group, number, now, rng), request)

    async def leave_group(self, group: GroupName, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.leave_group(s, group, now, rng), request)

    async def set_subject(self, group: GroupName, subject: str, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.set_subject(s, group, subject, now, rng), request)

    async def set_icon(self, group: GroupName, digest: bytes, url: str, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.set_icon(s, group, digest, url, now, rng), request)

    async def set_sealed_icon(self, group: GroupName, file: File, request: str) -> None:
        await self._once(lambda s, now, rng: self._engine.set_sealed_icon(s, group, file, now, rng), request)

    async def icon(self, group: GroupName) -> File | None:
        return self._engine.icon(self._store, group)
