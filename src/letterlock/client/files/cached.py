"""The cache of sealed files as its owner sees it: how much lies there, of what, and how much may.

The blobs and their order are files (cache.py); what they are called stands in the encrypted store, because a name
is content. A note of what is not there any more is forgotten when the profile is opened.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...engine.step import Step
from ...errors import DecodeError, InputError
from ...files.pointer import FilePointer, RemoteSeal
from ...ids import Instant, Rng
from ...seam import Key, RecordKind, State
from ...store import Store
from ..driver import Driver
from .cache import DEFAULT_BUDGET, FileCache

__all__ = ["CacheInfo", "CachedFile", "CachedFiles", "cache_from_json", "cache_to_json"]

_MOST_BUDGET = 1 << 50
_AT_ONCE = 64
"""Notes that are looked up in one go."""

_Note = tuple[str, str, bool]


@dataclass(frozen=True, slots=True)
class CachedFile:
    """One sealed file. `name` and `content_type` are its sender's words, empty where nobody knows them any more.

    `size` is what it takes here. `whole` False: somebody reads it while it comes. `thumbnail`: it is the small picture of
    the file with this name.
    """

    digest: str
    size: int
    used: Instant
    name: str = ""
    content_type: str = ""
    whole: bool = True
    in_use: bool = False
    thumbnail: bool = False


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """The cache, what was used longest ago first."""

    used: int
    budget: int
    files: tuple[CachedFile, ...]


class CachedFiles:
    """Those of one profile."""

    def __init__(self, store: Store, driver: Driver, clock: Callable[[], Instant]) -> None:
        self._store, self._driver = store, driver
        self.files = FileCache(store.path.with_name("files"), DEFAULT_BUDGET, clock)
        self._noted: set[bytes] = set()

    async def start(self) -> None:
        """Begin with what the last owner left."""
        self.files.budget = self._store.get(_BUDGET) or DEFAULT_BUDGET
        await asyncio.to_thread(self.files.prepare)
        here = {each.digest for each in self.files.contents()}
        notes = {key: bytes.fromhex(key.name.partition("/")[2]) for key in self._store.scan(_NOTE)}
        # Not all that is here: of a blob whose process was killed before its note, the next fetch writes one.
        self._noted = here.intersection(notes.values())
        stale = [key for key, digest in notes.items() if digest not in here]
        if stale:
            await self._driver.submit(lambda state, now, rng: Step(None, dict.fromkeys(stale)))

    async def note(self, pointer: FilePointer) -> None:
        """What the blobs of this pointer are, if they are here."""
        new = {}
        for at, kind, small in ((pointer.at, pointer.content_type, False), *_thumbnail(pointer)):
            digest = at.seal.sha256
            if digest not in self._noted and self.files.has(digest):
                self._noted.add(digest)
                new[_NOTE.key(digest.hex())] = (pointer.name, kind, small)

        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            return Step(None, new)

        if new:
            await self._driver.submit(step)

    async def info(self) -> CacheInfo:
        found = []
        for at, each in enumerate(self.files.contents()):
            if at % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)  # thumbnails are many, and others have work, too
            digest = each.digest.hex()
            name, content_type, thumbnail = self._store.get(_NOTE.key(digest)) or ("", "", False)
            found.append(
                CachedFile(digest, each.size, each.used, name, content_type, each.whole, each.in_use, thumbnail)
            )
        return CacheInfo(self.files.used, self.files.budget, tuple(found))

    async def prune(self, to: int) -> int:
        if to < 0:
            raise InputError("a number of bytes is not negative", code="input.cache")
        return await asyncio.to_thread(self.files.prune, to)

    async def set_budget(self, budget: int) -> None:
        if not 0 < budget <= _MOST_BUDGET:
            raise InputError("the budget of the cache is a number of bytes", code="input.cache")
        await self._driver.submit(lambda state, now, rng: Step(None, {_BUDGET: budget}))
        self.files.budget = budget
        await asyncio.to_thread(self.files.prune, budget)


def cache_to_json(info: CacheInfo) -> Any:
    return dataclasses.asdict(info)


def cache_from_json(value: Any) -> CacheInfo:
    return CacheInfo(value["used"], value["budget"], tuple(CachedFile(**each) for each in value["files"]))


def _thumbnail(pointer: FilePointer) -> tuple[tuple[RemoteSeal, str, bool], ...]:
    return () if pointer.thumbnail is None else ((pointer.thumbnail.at, "image/jpeg", True),)


def _decode(data: bytes) -> _Note:
    try:
        name, content_type, *thumbnail = json.loads(data)  # a note of an older version does not say the last
    except (ValueError, TypeError) as error:
        raise DecodeError("the note of a cached file is damaged", code="record.cache") from error
    return str(name), str(content_type), thumbnail == [True]


_NOTE = RecordKind[_Note]("client-cached-file", lambda note: json.dumps(note).encode(), _decode)
_BUDGET = Key(
    RecordKind[int]("client-cache", lambda n: n.to_bytes(8, "big"), lambda data: int.from_bytes(data, "big")),
    "client-cache/budget",
)
