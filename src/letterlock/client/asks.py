"""What every handle of the client asks: whoever has a profile, now and after its owner has changed."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Protocol, TypeVar

from ..engine.content import File
from ..engine.events import Recorded
from .api import ProfileApi
from .files.transfer import Transfer

__all__ = ["Asks"]

T = TypeVar("T")


class Asks(Protocol):
    """Whoever has a profile to ask; the client, which finds the next owner when one has gone."""

    async def ask(self, call: Callable[[ProfileApi], Awaitable[T]]) -> T: ...

    @property
    def profile(self) -> ProfileApi: ...

    def events(self, after: int | None = None) -> AsyncGenerator[Recorded, None]: ...

    async def cursor(self) -> int: ...

    async def download(self, pointer: File, to: str | os.PathLike[str]) -> Transfer: ...
