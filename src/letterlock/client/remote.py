"""A profile that another process owns, over its socket; the same methods as `local.py`."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

from ..codec.ft_http import RemoteFile
from ..codec.push_subscription import Subscription
from ..engine.content import File, FileFormat, Sendable
from ..engine.events import Recorded, SecurityChanged, event_from_json
from ..engine.policy import PlainOption
from ..engine.security import Security
from ..engine.view import MessageView
from ..errors import DecodeError, InputError, LimitExceeded, StoreError
from ..files.pointer import FilePointer
from ..ids import ChatName, GroupName, MessageId, Number, Peer, group_of, peer_name
from ..rcc16.wire.file_info import FileMetadata
from ..trust import SecurityCode
from .api import (
    MOST_MESSAGES,
    CertificateInfo,
    ChatState,
    Delivered,
    DeviceInfo,
    EncryptionInfo,
    GroupInfo,
    Me,
    SmsInfo,
)
from .files.cached import CacheInfo
from .files.records import TransferInfo
from .peer import same_user
from .remote_history import RemoteHistory
from .wire import MAX_LINE, MAX_REQUEST, METHODS, VERSION, decode_error, decode_line, encode_line

__all__ = ["ConnectionLost", "RemoteProfile"]


class ConnectionLost(StoreError):
    """The process that owned the profile has gone; whoever calls tries to become the owner, or finds the next one."""

    code = "client.owner_gone"


class RemoteProfile(RemoteHistory):
    """One connection to the owner."""

    shared = True

    def __init__(self, path: Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._path = path
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._states: dict[ChatName, ChatState] = {}
        self._lost = False
        self._tasks: list[asyncio.Task[None]] = []
        self.me: Me

    @classmethod
    async def connect(cls, path: Path) -> RemoteProfile:
        """Raises ConnectionLost when nobody answers there, StoreError when the owner speaks another version."""
        reader, writer = await _connect(path)
        profile = cls(path, reader, writer)
        async with contextlib.AsyncExitStack() as begun:
            begun.push_async_callback(profile.close)
            profile._tasks.append(asyncio.get_running_loop().create_task(profile._read()))
            profile.me = await profile._call("me")
            profile._tasks.append(asyncio.get_running_loop().create_task(profile._follow(await profile.cursor())))
            begun.pop_all()
        return profile

    # --- the methods ---------------------------------------------------------------------------------------
    def security(self, number: ChatName) -> Security:
        state = self._states.get(number)
        return Security.CHECKING if state is None else state.security

    async def open_chat(self, number: Peer) -> ChatState:
        state: ChatState = await self._call("open_chat", number=number)
        self._learn(state)
        return state

    async def chats(self) -> Sequence[ChatState]:
        states: list[ChatState] = await self._call("chats")
        for state in states:
            self._learn(state)
        return states

    def _learn(self, state: ChatState) -> None:
        # Answers and events come over different connections, so either may be the older one.
        known = self._states.get(state.number)
        if known is None or known.cursor <= state.cursor:
            self._states[state.number] = state

    async def send(
        self,
        number: ChatName,
        content: Sendable,
        allow: PlainOption | None,
        wait: bool,
        request: str,
        message_id: str = "",
        only_encrypted: bool = False,
        keep: bool = False,
    ) -> MessageId:
        sent: MessageId = await self._call(
            "send",
            number=number,
            content=content,
            allow=allow,
            wait=wait,
            request=request,
            message_id=message_id,
            only_encrypted=only_encrypted,
            keep=keep,
        )
        if group_of(number) is None and (allow is not None or not self.security(number).encrypted):
            await self.open_chat(peer_name(number))
        return sent

    async def capabilities(self, number: Number, fresh: bool) -> tuple[str, ...] | None:
        features: tuple[str, ...] | None = await self._call("capabilities", number=number, fresh=fresh)
        return features

    async def set_push(self, push: Subscription | None) -> None:
        await self._call("set_push", push=push)

    async def options(self, number: ChatName) -> Sequence[PlainOption]:
        options: list[PlainOption] = await self._call("options", number=number)
        return options

    async def keep_waiting(self, number: ChatName) -> None:
        await self._call("keep_waiting", number=number)

    async def release(self, number: Number, allow: PlainOption) -> int:
        released = int(await self._call("release", number=number, allow=allow))
        await self.open_chat(number)
        return released

    async def typing(self, number: Number, active: bool) -> None:
        await self._call("typing", number=number, active=active)

    async def mark_displayed(self, number: ChatName, message_id: MessageId) -> None:
        await self._call("mark_displayed", number=number, message_id=message_id)

    async def messages(self, number: ChatName, limit: int, before: str) -> Sequence[MessageView]:
        try:
            messages: list[MessageView] = await self._call("messages", number=number, limit=limit, before=before)
            return messages
        except LimitExceeded as error:
            if error.code != "owner.too_large" or limit <= 1:
                raise
        # What others have sent is too long for one line: the newer half and the older one.
        limit = min(limit, MOST_MESSAGES)
        half = (limit + 1) // 2
        newer = await self.messages(number, half, before)
        older = await self.messages(number, limit - half, newer[0].order) if len(newer) == half else ()
        return [*older, *newer]

    async def find(self, number: ChatName, message_id: MessageId) -> Sequence[MessageView]:
        found: list[MessageView] = await self._call("find", number=number, message_id=message_id)
        return found

    async def carried(self, medium: str) -> bool:
        return bool(await self._call("carried", medium=medium))

    async def security_code(self, number: Number) -> SecurityCode:
        code: SecurityCode = await self._call("security_code", number=number)
        return code

    async def verify(self, number: Number, scanned: bytes | None, last_group: str | None) -> None:
        await self._call("verify", number=number, scanned=scanned, last_group=last_group)
        await self.open_chat(number)

    async def accept_keys(self, number: Number) -> None:
        await self._call("accept_keys", number=number)
        await self.open_chat(number)

    async def create_group(self, numbers: Sequence[Number], subject: str, request: str, protocol: str) -> GroupName:
        name = GroupName(
            await self._call("create_group", numbers=numbers, subject=subject, request=request, protocol=protocol)
        )
        await self.group(name)
        return name

    async def set_sealed_icon(self, group: GroupName, file: File, request: str) -> None:
        await self._call("set_sealed_icon", group=group, file=file, request=request)

    async def icon(self, group: GroupName) -> File | None:
        file: File | None = await self._call("icon", group=group)
        return file

    async def encryption(self, number: ChatName) -> EncryptionInfo:
        info: EncryptionInfo = await self._call("encryption", number=number)
        return info

    async def end_encryption(self, number: ChatName) -> None:
        await self._call("end_encryption", number=number)

    async def revive_encryption(self, number: ChatName) -> None:
        await self._call("revive_encryption", number=number)

    async def retry_encryption(self, number: ChatName) -> None:
        await self._call("retry_encryption", number=number)

    async def certificate(self) -> CertificateInfo | None:
        info: CertificateInfo | None = await self._call("certificate")
        return info

    async def sms(self) -> SmsInfo | None:
        info: SmsInfo | None = await self._call("sms")
        return info

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

    async def delivered(self, message_id: MessageId) -> Delivered:
        counts: Delivered = await self._call("delivered", message_id=message_id)
        return counts

    async def devices(self) -> Sequence[DeviceInfo]:
        devices: list[DeviceInfo] = await self._call("devices")
        return devices

    async def device_offer(self) -> str:
        return str(await self._call("device_offer"))

    async def add_device(self, request: str) -> int:
        return int(await self._call("add_device", request=request))

    async def vouch_for_device(self, request: str) -> str:
        return str(await self._call("vouch_for_device", request=request))

    async def remove_device(self, device: int) -> None:
        await self._call("remove_device", device=device)

    async def file_format(self, number: ChatName, wait: bool = False) -> FileFormat:
        form: FileFormat = await self._call("file_format", number=number, wait=wait)
        return form

    async def upload(
        self,
        transfer: str,
        path: str,
        name: str,
        content_type: str,
        thumbnail: str | None,
        thumbnail_type: str,
        form: FileFormat = FileFormat.PLAIN,
        described: bool = True,
    ) -> TransferInfo:
        info: TransferInfo = await self._call(
            "upload",
            transfer=transfer,
            path=path,
            name=name,
            content_type=content_type,
            thumbnail=thumbnail,
            thumbnail_type=thumbnail_type,
            form=form,
            described=described,
        )
        return info

    async def download(
        self,
        transfer: str,
        file: RemoteFile,
        size: int | None,
        to: str,
        sha256: bytes | None,
        sealed: FileMetadata | None = None,
    ) -> TransferInfo:
        info: TransferInfo = await self._call(
            "download", transfer=transfer, file=file, size=size, to=to, sha256=sha256, sealed=sealed
        )
        return info

    async def download_sealed(self, transfer: str, pointer: FilePointer, to: str, thumbnail: bool) -> TransferInfo:
        info: TransferInfo = await self._call(
            "download_sealed", transfer=transfer, pointer=pointer, to=to, thumbnail=thumbnail
        )
        return info

    async def read_file(self, reader: str, pointer: FilePointer, thumbnail: bool, offset: int, length: int) -> bytes:
        data: bytes = await self._call(
            "read_file", reader=reader, pointer=pointer, thumbnail=thumbnail, offset=offset, length=length
        )
        return data

    async def close_file(self, reader: str) -> None:
        await self._call("close_file", reader=reader)

    async def cache(self) -> CacheInfo:
        info: CacheInfo = await self._call("cache")
        return info

    async def prune_cache(self, to: int) -> int:
        return int(await self._call("prune_cache", to=to))

    async def set_cache_budget(self, budget: int) -> None:
        await self._call("set_cache_budget", budget=budget)

    async def transfers(self) -> Sequence[TransferInfo]:
        infos: list[TransferInfo] = await self._call("transfers")
        return infos

    async def transfer(self, transfer: str) -> TransferInfo:
        info: TransferInfo = await self._call("transfer", transfer=transfer)
        return info

    async def pause_transfer(self, transfer: str) -> TransferInfo:
        info: TransferInfo = await self._call("pause_transfer", transfer=transfer)
        return info

    async def resume_transfer(self, transfer: str) -> TransferInfo:
        info: TransferInfo = await self._call("resume_transfer", transfer=transfer)
        return info

    async def cancel_transfer(self, transfer: str) -> None:
        await self._call("cancel_transfer", transfer=transfer)

    async def cursor(self) -> int:
        return int(await self._call("cursor"))

    async def recall(self, consumer: str) -> int | None:
        cursor: int | None = await self._call("recall", consumer=consumer)
        return cursor

    async def keep(self, consumer: str, cursor: int) -> None:
        await self._call("keep", consumer=consumer, cursor=cursor)

    async def settled(self) -> None:
        await self._call("settled")
        await self.chats()

    async def events(self, after: int) -> AsyncGenerator[Recorded, None]:
        """As `LocalProfile.events`. Raises ConnectionLost when the owner goes.

        Each stream has a connection of its own: one that nobody reads for a while holds up nothing else.
        """
        reader, writer = await _connect(self._path)
        try:
            writer.write(encode_line({"id": 1, "method": "events", "params": {"after": after}}))
            while (line := await _line(reader)) is not None:
                if "error" in line:
                    raise decode_error(line["error"])
                value = line["event"]
                yield Recorded(int(value["cursor"]), int(value["at"]), event_from_json(value))
            raise _lost()
        finally:
            writer.close()

    async def close(self) -> None:
        self._lose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    # --- the line --------------------------------------------------------------------------------------------
    async def _call(self, method: str, **params: Any) -> Any:
        codec = METHODS[method]
        request = next(self._ids)
        answer = asyncio.get_running_loop().create_future()
        self._answers[request] = answer
        coded = {
            name: codec.params[name][0](value) if name in codec.params else value for name, value in params.items()
        }
        try:
            await self._send({"id": request, "method": method, "params": coded})
            return codec.from_json(await answer)
        finally:
            self._answers.pop(request, None)

    async def _send(self, value: dict[str, Any]) -> None:
        if self._lost:
            raise _lost()
        line = encode_line(value)
        if len(line) > MAX_REQUEST:
            # The owner would hang up, and whoever asks again with every next one would never end.
            raise InputError("too much for one request", code="input.request_size")
        try:
            self._writer.write(line)
            await self._writer.drain()
        except OSError as error:
            self._lose()
            raise _lost() from error

    async def _read(self) -> None:
        try:
            while (line := await _line(self._reader)) is not None:
                request = line.get("id")
                answer = self._answers.get(request) if isinstance(request, int) else None
                if answer is None or answer.done():
                    continue
                if "error" in line:
                    answer.set_exception(decode_error(line["error"]))
                else:
                    answer.set_result(line.get("result"))
        except DecodeError:
            pass
        finally:
            self._lose()

    def _lose(self) -> None:
        self._lost = True
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(_lost())

    async def _follow(self, after: int) -> None:
        """Keep what `security` shows up to date."""
        with contextlib.suppress(StoreError):
            async for recorded in self.events(after):
                if isinstance(recorded.event, SecurityChanged):
                    self._learn(ChatState(recorded.event.chat, Security(recorded.event.state), recorded.cursor))

    def __repr__(self) -> str:
        return "RemoteProfile()"


async def _connect(path: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=MAX_LINE)
    except OSError as error:
        raise ConnectionLost("the owner of the profile does not answer") from error
    with contextlib.ExitStack() as unknown:
        unknown.callback(writer.close)
        if not same_user(writer):
            # SR-16: what is sent here is what people write. A socket that another user put in its place is no owner.
            raise ConnectionLost("another user answers in place of the owner of the profile")
        greeting = await _line(reader)
        if greeting is None:
            raise ConnectionLost("the owner of the profile hung up")
        if greeting.get("letterlock") != VERSION:
            raise StoreError(
                "the process that owns this profile is of another version",
                code="owner.version",
                hint="end it and start it again",
            )
        unknown.pop_all()
    return reader, writer


async def _line(reader: asyncio.StreamReader) -> dict[str, Any] | None:
    """The next line, None at the end."""
    try:
        line = await reader.readline()
    except (OSError, ValueError):
        return None
    return decode_line(line) if line.endswith(b"\n") else None


def _lost() -> ConnectionLost:
    return ConnectionLost("the process that owned the profile has ended")
