"""One file on its way, as the user of the library sees it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from ...codec.ft_http import FileDocument
from ...engine.content import File
from ...engine.events import Recorded, TransferChanged
from ...errors import ContentError, InputError, LetterlockError, TransportError
from ..api import ProfileApi
from .rcc16 import file_of
from .records import TransferInfo, TransferState
from .sealed_transfers import file_of_pointer

__all__ = ["TotalProgress", "Transfer", "absolute", "failure_of", "total_of"]

T = TypeVar("T")


class Asks(Protocol):
    """The client."""

    async def ask(self, call: Callable[[ProfileApi], Awaitable[T]]) -> T: ...

    def events(self, after: int | None = None) -> AsyncGenerator[Recorded, None]: ...

    async def cursor(self) -> int: ...


@dataclass(frozen=True, slots=True)
class TotalProgress:
    """All transfers that run: how many, and their bytes. Of one whose size nobody knows yet, what has moved counts."""

    running: int
    done: int
    size: int


def total_of(infos: Iterable[TransferInfo]) -> TotalProgress:
    running = [info for info in infos if info.state is TransferState.RUNNING]
    size = sum(max(info.done, info.size or 0) for info in running)
    return TotalProgress(len(running), sum(info.done for info in running), size)


class Transfer:
    """A transfer of this profile. It goes on without this object; `client.transfers()` gives it again."""

    __slots__ = ("_asks", "info")

    def __init__(self, info: TransferInfo, asks: Asks) -> None:
        self.info = info
        """How it stood when it was last looked at."""
        self._asks = asks

    @property
    def id(self) -> str:
        return self.info.id

    async def refresh(self) -> TransferInfo:
        """How it stands now. Raises InputError when it was cancelled."""
        self.info = await self._asks.ask(lambda profile: profile.transfer(self.id))
        return self.info

    async def progress(self) -> AsyncGenerator[TransferInfo, None]:
        """How it stands, now and at each tenth of the way, until nothing more happens by itself."""
        cursor = await self._asks.cursor()
        yield await self.refresh()
        if self.info.state.over:
            return
        async with contextlib.aclosing(self._asks.events(cursor)) as events:
            async for recorded in events:
                event = recorded.event
                if isinstance(event, TransferChanged) and event.transfer == self.id:
                    if event.state == TransferState.CANCELLED.value:
                        return
                    yield await self.refresh()
                    if self.info.state.over:
                        return

    async def wait(self) -> TransferInfo:
        """Wait until it is done, or paused. Raises, with the reason as its code, what made it fail.

        That is a ContentError, a TransportError, or an InputError for what is wrong at this end. What has failed can
        be tried again: `resume`.
        """
        async with contextlib.aclosing(self.progress()) as steps:
            async for _ in steps:
                pass
        if self.info.state is TransferState.FAILED:
            raise failure_of(self.info)
        return self.info

    async def document(self) -> FileDocument:
        """Wait for the end of an upload; what its receiver needs. Raises ContentError, also when it was paused."""
        info = await self.wait()
        if info.document is None:
            raise ContentError("the upload is not complete", code="transfer.unfinished", hint="resume it")
        return info.document

    async def file(self) -> File:
        """Wait for the end of an upload; what to send: `Conversation.send_file`. Raises as `document` does."""
        document = await self.document()
        if self.info.sealed is not None:
            return file_of_pointer(self.info.sealed)
        if self.info.encrypted is not None:
            return file_of(document, self.info.encrypted)
        return File(document.file, document.thumbnail, render=document.render, playing_seconds=document.playing_seconds)

    async def pause(self) -> None:
        """Stop until `resume`, in this program or a later one."""
        self.info = await self._asks.ask(lambda profile: profile.pause_transfer(self.id))

    async def resume(self) -> None:
        """Go on after a pause, an interruption or a failure, where it ended."""
        self.info = await self._asks.ask(lambda profile: profile.resume_transfer(self.id))

    async def cancel(self) -> None:
        """Stop for good; what came so far is deleted, here and at the server."""
        await self._asks.ask(lambda profile: profile.cancel_transfer(self.id))

    def __repr__(self) -> str:
        return f"Transfer({self.id}, {self.info.state.value})"


def absolute(path: str | os.PathLike[str]) -> str:
    """As the owner of the profile finds it, whose working directory is another one."""
    return str(Path(path).expanduser().absolute())


def failure_of(info: TransferInfo) -> LetterlockError:
    """What made a transfer fail, as an error."""
    kinds: dict[str, type[LetterlockError]] = {
        "input": InputError,
        "transfer": InputError,
        "transport": TransportError,
    }
    kind = kinds.get(info.reason.partition(".")[0], ContentError)
    return kind(info.message, code=info.reason, hint=info.hint)
