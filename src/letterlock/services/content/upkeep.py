"""Retention: what has expired goes with its bytes, and bytes that no row names go by themselves (SR-17)."""

from __future__ import annotations

import asyncio
import logging

from ...errors import LetterlockError
from .intake import Desk

__all__ = ["Upkeep"]

_log = logging.getLogger("letterlock.content")
_PAGE = 200
_SWEEP_EVERY_S = 86_400.0


class Upkeep:
    """Purges and sweeps, the latter beside the work: a bucket takes a while to list."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._sweeping = asyncio.create_task(self._sweep_for_ever())

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait((self._sweeping,))
            self._sweeping = None

    async def purge(self) -> None:
        """Rows first, then their bytes: what is killed in between, the sweep finishes. A file gives its room back with its
        row, so once."""
        desk = self._desk
        while gone := await desk.writer.run(lambda tables: desk.library.purge(tables, desk.now(), _PAGE)):
            await desk.forget(gone)

    async def sweep(self) -> None:
        """Delete what the store holds and no row names."""
        desk = self._desk
        async for page in desk.blobs.found():
            orphans = await desk.writer.run(lambda tables, page=page: desk.library.orphans(tables, page))  # type: ignore[misc]
            if orphans:
                await desk.blobs.discard(orphans)

    async def _sweep_for_ever(self) -> None:
        while True:
            try:
                await self.sweep()
            except LetterlockError as error:
                _log.error("cannot sweep the store: %s", error)
            await asyncio.sleep(_SWEEP_EVERY_S)
