"""The transfers of a profile: each is a record, and while it runs a task that the record can begin again (SR-06).

What a transfer needs to go on is committed before the first byte moves. A program that ends in the middle, killed or
not, leaves a record that says "running"; whoever opens the profile next finds it as interrupted, and resumes it when
somebody asks. A file for an encrypted chat is sealed before its bytes move, and what is fetched from one is opened
before it ends, if the user wants a plain copy (sealed_transfers.py; rcc16.py for RCC.16); what moves between is
ciphertext.

So many move at once and no more, and fewer of one server, so that one that is slow does not stop the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from ...codec.file_names import safe_file_name
from ...codec.ft_http import RemoteFile, given_media_type
from ...engine.content import FileFormat
from ...engine.events import TransferChanged
from ...engine.step import Step, Turn
from ...errors import InputError, LetterlockError
from ...files.pointer import FilePointer
from ...ids import Instant, Rng
from ...rcc16.files import ciphertext_length
from ...rcc16.wire.file_info import FileMetadata
from ...seam import State
from ...store import Store
from ...transport.content.config import DownloadState, UploadState
from ...transport.content.files import file_error
from ..driver import Driver
from .cached import CachedFiles
from .moving import Content, Moving, StageProgress
from .rcc16 import MAX_FILE, Ciphertexts, Encrypted
from .records import TRANSFER, TransferInfo, TransferStage, TransferState
from .sealed_transfers import SealedTransfer, Sealing, blob_of

__all__ = ["Content", "Transfers"]

_log = logging.getLogger(__name__)

_AT_ONCE = 6
_OF_ONE_SERVER = 4
_KEPT = 200  # records of transfers that are over (SR-08)
_STEPS = 10  # events of one transfer on its way
_SAY_GOODBYE_SECONDS = 10.0


class Transfers:
    """Those of one profile that this process owns. All calls but `listed` and `one` may be made twice."""

    def __init__(
        self,
        store: Store,
        driver: Driver,
        clock: Callable[[], Instant],
        ciphertexts: Ciphertexts,
        sealing: Sealing,
        cache: CachedFiles,
    ) -> None:
        self._store, self._driver, self._clock = store, driver, clock
        self._ciphertexts, self._sealing, self._cache = ciphertexts, sealing, cache
        self._moving = Moving(ciphertexts, sealing, cache, self.one, self._kept)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._notes: set[asyncio.Task[None]] = set()
        self._done: dict[str, tuple[TransferStage, int]] = {}
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._servers: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    async def start(self, content: Content | None) -> None:
        """Say what to work with; what was running when the last owner ended is interrupted from now on."""
        self._moving.content = content
        await self._driver.submit(_interrupt)
        kept = [info.id for info in await self.listed() if info.state is not TransferState.DONE]
        await asyncio.to_thread(self._ciphertexts.keep_only, kept)
        await self._cache.start()

    async def work_with(self, content: Content | None) -> None:
        """Change the server: what runs is paused, for the user to decide."""
        for transfer in list(self._tasks):
            await self.pause(transfer)
        old, self._moving.content = self._moving.content, content
        if old is not None:
            await old.close()

    async def close(self) -> None:
        """Stop what runs; it can be resumed. The driver must still work."""
        tasks = [*self._tasks.values(), *self._notes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        content, self._moving.content = self._moving.content, None
        if content is not None:
            await content.close()

    # --- the calls ---------------------------------------------------------------------------------------------
    async def upload(
        self,
        transfer: str,
        path: str,
        name: str,
        content_type: str,
        thumbnail: str | None,
        thumbnail_type: str,
        form: FileFormat,
        described: bool,
    ) -> TransferInfo:
        """Begin to upload a file, or its ciphertext. Raises InputError when it cannot be read, or for a type that is none.

        `described` False: of a sealed file nothing is said but its name and type.
        """
        if (known := self._store.get(TRANSFER.key(transfer))) is not None:
            return known
        content_type = given_media_type(content_type) if content_type else ""
        size, modified_ns = await asyncio.to_thread(_looked_at, path)
        if form is FileFormat.SEALED:
            sealed = SealedTransfer(path, name, content_type, None, thumbnail or "", described)
            begun = self._sealing.begun(transfer, size, name)
            first = TransferInfo(
                transfer, TransferState.RUNNING, self._clock(), begun, sealed=sealed, stage=TransferStage.SEALING
            )
            return await self._begin(first)
        content_type = content_type or "application/octet-stream"
        if form is FileFormat.RCC16:
            seal = self._ciphertexts.seal
            encrypted, task = await asyncio.to_thread(
                seal, transfer, path, name, content_type, thumbnail, thumbnail_type
            )
            return await self._begin(
                TransferInfo(transfer, TransferState.RUNNING, self._clock(), task, encrypted=encrypted)
            )
        task = UploadState(transfer, path, size, modified_ns, name, content_type, thumbnail, thumbnail_type)
        return await self._begin(TransferInfo(transfer, TransferState.RUNNING, self._clock(), task))

    async def download(
        self,
        transfer: str,
        file: RemoteFile,
        size: int | None,
        to: str,
        sha256: bytes | None,
        sealed: FileMetadata | None,
    ) -> TransferInfo:
        """Begin to fetch a file to a path, or into a folder under a safe form of its name (SR-14)."""
        if (known := self._store.get(TRANSFER.key(transfer))) is not None:
            return known
        if sealed is not None:
            return await self._fetch_sealed(transfer, file, to, sealed)
        target = await asyncio.to_thread(_target, to, file.name)
        part = target.with_name(f".{target.name[:80]}.{transfer[:12]}.part")
        task = DownloadState(file.url, str(target), str(part), size, sha256)
        return await self._begin(TransferInfo(transfer, TransferState.RUNNING, self._clock(), task))

    async def _fetch_sealed(self, transfer: str, file: RemoteFile, to: str, sealed: FileMetadata) -> TransferInfo:
        """Only the ciphertext is fetched; the file gets its place when it was verified."""
        if file.size > ciphertext_length(MAX_FILE):
            raise InputError(
                f"an encrypted file of {file.size} bytes is more than this device takes", code="transfer.too_large"
            )
        target = await asyncio.to_thread(_target, to, sealed.name)
        await asyncio.to_thread(self._ciphertexts.prepare)
        place, part = (str(self._ciphertexts.path(transfer, kind)) for kind in ("sealed", "part"))
        task = DownloadState(file.url, place, part, file.size)
        encrypted = Encrypted(str(target), sealed)
        return await self._begin(
            TransferInfo(transfer, TransferState.RUNNING, self._clock(), task, encrypted=encrypted)
        )

    async def download_sealed(self, transfer: str, pointer: FilePointer, to: str, thumbnail: bool) -> TransferInfo:
        """Begin to fetch a sealed file into the cache and, if `to` is not empty, open it to a path or into a folder, under
        a safe form of its name (SR-14)."""
        if (known := self._store.get(TRANSFER.key(transfer))) is not None:
            return known
        at = blob_of(pointer, thumbnail)
        if not to and at.seal.layout.sealed_size > self._sealing.cache.budget:
            raise InputError(
                "this file is larger than the cache may be",
                code="input.cache",
                hint="name a place for it, or give the cache more room: letterlock cache budget BYTES",
            )
        name = "thumbnail.jpg" if thumbnail else pointer.name
        target = str(await asyncio.to_thread(_target, to, name)) if to else ""
        await asyncio.to_thread(self._ciphertexts.prepare)
        sealed = SealedTransfer(target, name, pointer.content_type, pointer, thumbnail=thumbnail)
        task = self._sealing.fetching(transfer, at)
        return await self._begin(TransferInfo(transfer, TransferState.RUNNING, self._clock(), task, sealed=sealed))

    async def read_range(self, url: str, start: int, count: int, size: int) -> bytes:
        """A range of a file, for a reader."""
        return await self._moving.server().read(url, start, count, size)

    async def listed(self) -> Sequence[TransferInfo]:
        """All of them, oldest first."""
        found = [self._store.get(key) for key in self._store.scan(TRANSFER)]
        return sorted((self._now(info) for info in found if info is not None), key=lambda info: info.created)

    async def one(self, transfer: str) -> TransferInfo:
        """Raises InputError for one that is not there."""
        found = self._store.get(TRANSFER.key(transfer))
        if found is None:
            raise InputError("there is no such transfer", code="input.transfer")
        return self._now(found)

    async def pause(self, transfer: str) -> TransferInfo:
        """Stop it until it is resumed."""
        await self._stop(transfer)
        info = await self.one(transfer)
        return info if info.state is not TransferState.RUNNING else await self._say(info, TransferState.PAUSED)

    async def resume(self, transfer: str) -> TransferInfo:
        """Go on, after a pause, an interruption or a failure."""
        info = await self.one(transfer)
        if info.state is TransferState.DONE or transfer in self._tasks:
            return info
        return await self._begin(dataclasses.replace(info, reason="", message="", hint=""))

    async def cancel(self, transfer: str) -> None:
        """Stop it and forget it, here and at the server."""
        await self._stop(transfer)
        found = self._store.get(TRANSFER.key(transfer))
        if found is None:
            return

        def step(state: State, now: Instant, rng: Rng) -> Step[None]:
            turn = Turn(state, now, rng)
            turn.staged.delete(TRANSFER.key(transfer))
            if found.state is not TransferState.DONE:
                turn.tell(_event(dataclasses.replace(found, state=TransferState.CANCELLED)))
            return turn.finish(None)

        await self._driver.submit(step)
        await asyncio.to_thread(self._ciphertexts.forget, transfer)
        if found.state is TransferState.DONE:
            return
        if isinstance(found.task, DownloadState):
            part = Path(found.task.part)
            if found.encrypted is not None:
                part = self._ciphertexts.part(transfer, found.encrypted)
            elif found.sealed is not None and found.sealed.path:
                part = self._sealing.part(transfer, found.sealed)
            with contextlib.suppress(OSError):
                await asyncio.to_thread(part.unlink, missing_ok=True)
        elif (content := self._moving.content) is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SAY_GOODBYE_SECONDS):
                    await content.drop(found.task.tid)

    # --- one transfer ------------------------------------------------------------------------------------------
    async def _begin(self, info: TransferInfo) -> TransferInfo:
        task = info.task
        # In the store it has begun from now on: the server may hear of it at any time.
        kept = dataclasses.replace(task, begun=True) if isinstance(task, UploadState) else task
        running = await self._say(dataclasses.replace(info, task=kept), TransferState.RUNNING)
        if info.id not in self._tasks:
            self._done[info.id] = (info.stage, info.done)
            work = asyncio.get_running_loop().create_task(self._run(info), name="letterlock-transfer")
            self._tasks[info.id] = work
            work.add_done_callback(lambda done: self._ended(info.id, done))
        return running

    async def _run(self, info: TransferInfo) -> None:
        try:
            try:
                async with self._places_of(_server(info)), self._places:
                    ended = await self._moving.move(info, self._progress(info.id))
            except LetterlockError as error:
                _log.info("transfer: %s (%s)", error, error.code)
                ended = dataclasses.replace(
                    await self.one(info.id),
                    state=TransferState.FAILED,
                    reason=error.code,
                    message=str(error),
                    hint=error.hint,
                )
            await self._say(ended, ended.state)
            if ended.state is TransferState.DONE and ended.upload and ended.sealed is not None:
                await asyncio.to_thread(self._sealing.keep, info.id, ended.sealed)
                if ended.sealed.pointer is not None:
                    await self._cache.note(ended.sealed.pointer)
            if ended.state is TransferState.DONE and (ended.encrypted is not None or ended.sealed is not None):
                await asyncio.to_thread(self._ciphertexts.forget, info.id)
        except LetterlockError as error:
            _log.warning("the end of a transfer was not recorded: %s (%s)", error, error.code)

    def _places_of(self, server: str) -> asyncio.Semaphore:
        """Those of one server, as long as anybody has one or waits for one."""
        places = self._servers.get(server)
        if places is None:
            places = self._servers[server] = asyncio.Semaphore(_OF_ONE_SERVER)
        return places

    def _progress(self, transfer: str) -> StageProgress:
        at, told = TransferStage.MOVING, -1

        def progress(stage: TransferStage, done: int, total: int | None) -> None:
            nonlocal at, told
            self._done[transfer] = (stage, done)
            step = done * _STEPS // total if total else 0
            if stage is not at:
                at, told = stage, -1
            if step > told:
                if told >= 0 and step < _STEPS:
                    note = asyncio.get_running_loop().create_task(self._note(transfer))
                    self._notes.add(note)
                    note.add_done_callback(self._notes.discard)
                told = step

        return progress

    async def _note(self, transfer: str) -> None:
        def step(stored: State, now: Instant, rng: Rng) -> Step[None]:
            turn = Turn(stored, now, rng)
            # Looked up here and not before: what the move itself puts down meanwhile, a key above all, must stay.
            info = turn.staged.get(TRANSFER.key(transfer))
            if info is not None and info.state is TransferState.RUNNING:
                turn.staged.put(TRANSFER.key(transfer), moved := self._now(info))
                turn.tell(_event(moved))
            return turn.finish(None)

        try:
            await self._driver.submit(step)
        except LetterlockError as error:
            _log.info("progress of a transfer was not recorded: %s (%s)", error, error.code)

    async def _say(self, info: TransferInfo, state: TransferState, *, tell: bool = True) -> TransferInfo:
        """Record where a transfer stands, and an event about it."""
        new = dataclasses.replace(info, state=state)

        def step(stored: State, now: Instant, rng: Rng) -> Step[None]:
            turn = Turn(stored, now, rng)
            turn.staged.put(TRANSFER.key(info.id), new)
            if tell:
                turn.tell(_event(new))
            return turn.finish(None)

        await self._driver.submit(step)
        return new

    async def _kept(self, info: TransferInfo) -> None:
        """On the disk, without an event: what the rest of the move stands on."""
        await self._say(info, TransferState.RUNNING, tell=False)

    async def _stop(self, transfer: str) -> None:
        task = self._tasks.get(transfer)
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _ended(self, transfer: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(transfer, None)
        self._done.pop(transfer, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a transfer failed", exc_info=error)  # ours; it is found as interrupted at the next start

    def _now(self, info: TransferInfo) -> TransferInfo:
        """With the bytes that have moved since the record was written."""
        if info.state is not TransferState.RUNNING:
            return info
        stage, done = self._done.get(info.id, (info.stage, info.done))
        return dataclasses.replace(info, stage=stage, done=done)


def _interrupt(state: State, now: Instant, rng: Rng) -> Step[None]:
    """What nobody runs any more, and the oldest of what is over."""
    turn = Turn(state, now, rng)
    over = []
    for key in state.scan(TRANSFER):
        info = state.get(key)
        if info is None:
            continue
        if info.state is TransferState.RUNNING:
            interrupted = dataclasses.replace(info, state=TransferState.INTERRUPTED)
            turn.staged.put(key, interrupted)
            turn.tell(_event(interrupted))
        elif info.state is TransferState.DONE:
            over.append((info.created, key.name, key))
    for _, _, key in sorted(over)[:-_KEPT]:
        turn.staged.delete(key)
    return turn.finish(None)


def _server(info: TransferInfo) -> str:
    """Whose places a transfer takes."""
    if isinstance(info.task, UploadState):
        return ""
    with contextlib.suppress(ValueError):  # an address that is none is refused when it is fetched
        return urlsplit(info.task.url).netloc.lower()
    return ""


def _event(info: TransferInfo) -> TransferChanged:
    return TransferChanged(info.id, info.upload, info.state.value, info.done, info.size, info.reason, info.stage.value)


def _looked_at(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
        if not Path(path).is_file():
            raise InputError(
                f"{path} is no file", code="transfer.file", hint="name a file; a folder goes as an archive"
            )
        if not os.access(path, os.R_OK):
            raise InputError(f"{path} cannot be read", code="transfer.file", hint="check its permissions")
    except OSError as error:
        raise file_error(path, error) from error
    return found.st_size, found.st_mtime_ns


def _target(to: str, name: str) -> Path:
    path = Path(to)
    if path.is_dir():
        return path / safe_file_name(name)
    if path.exists():
        raise InputError(f"{path} is there already", code="transfer.exists", hint="name another file, or a folder")
    if not path.parent.is_dir():
        raise InputError(
            f"there is no folder {path.parent}", code="transfer.file", hint="make it, or name one that is there"
        )
    return path
