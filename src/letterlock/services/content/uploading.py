"""Receiving an upload: the form of the POST, the rest of the file by PUT, and who may write when two do.

Of two requests for one upload the later wins: the client has lost the earlier connection before we noticed, so that
one is cut and what it brought is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from ...codec.form_data import FormDataReader, FormLimits, PartBegun, PartData, PartEnded, boundary_of
from ...errors import ContentError, LetterlockError, LimitExceeded
from .blobs import Blob, Standing
from .intake import Desk, Intake
from .ranges import content_range
from .tables import Upload

__all__ = ["Uploads"]

_MAX_TID = 64
_DOOMED = ("content.full", "content.budget", "content.too_large", "content.size", "content.unknown", "content.lost")
"""What trying again with the same bytes would only repeat, and what nobody waits for: nothing of it is kept."""
_TAKEN = "content.taken"
"""Another connection goes on with it: what is there is not ours to keep or to delete."""


class Uploads:
    """All uploads that are under way."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._held: dict[tuple[str, str], _Hold] = {}

    async def close(self) -> None:
        """Cut what is under way; what came is on the disk when this returns."""
        for hold in list(self._held.values()):
            hold.cut()
        for hold in list(self._held.values()):
            await hold.done.wait()

    @contextlib.asynccontextmanager
    async def alone(self, account: str, tid: str, request: web.Request) -> AsyncIterator[None]:
        """Work on an upload that nobody else writes."""
        key = (account, tid)
        while (other := self._held.get(key)) is not None:
            other.cut()
            await other.done.wait()
        mine = self._held[key] = _Hold(request)
        try:
            yield
        finally:
            del self._held[key]
            mine.done.set()

    # --- POST ------------------------------------------------------------------------------------
    async def form(self, request: web.Request, account: str) -> Upload:
        """A form with `tid`, `Thumbnail` and `File`, of which only the last must be there."""
        limits = self._desk.limits
        room = limits.max_file + limits.max_thumbnail + limits.max_parts * limits.max_part_head
        if (request.content_length or 0) > room:
            raise ContentError(f"files have at most {limits.max_file} bytes", code="content.too_large", status=413)
        form = _Form(
            FormDataReader(
                boundary_of(request.headers.get("Content-Type", "")),
                FormLimits(limits.max_parts, limits.max_part_head),
            ),
            pieces(request, self._desk),
            limits.max_thumbnail,
        )
        tid: str | None = None
        while (part := await form.next_part()) is not None:
            if part.name == "tid":
                tid = (await form.small(_MAX_TID)).decode("latin-1").strip()
            elif part.name.lower() in ("thumbnail", "file"):
                break
        if part is None:
            raise ContentError("a form without a file", code="content.form", status=400)
        if tid is None:
            return await self._store_form(form, part, request, account, None)
        async with self.alone(account, tid, request):
            return await self._store_form(form, part, request, account, tid)

    async def _store_form(
        self, form: _Form, part: PartBegun, request: web.Request, account: str, tid: str | None
    ) -> Upload:
        desk = self._desk
        free = await desk.blobs.free()
        upload, replaced = await desk.writer.run(
            lambda tables: desk.library.begin(tables, account, tid, request.content_length, free, desk.now(), desk.rng)
        )
        await desk.forget(replaced)
        try:
            blob = await desk.blobs.create(upload.blob)
        except LetterlockError:
            # Nothing can come of it: it does not count as unfinished until its row expires.
            await desk.writer.run(lambda tables: desk.library.abandon(tables, upload, ""))
            raise
        async with self._writing(Intake(desk, upload, blob, 0), resumable=tid is not None) as intake:
            found: PartBegun | None = part
            while found is not None and found.name.lower() != "file":
                if found.name.lower() == "thumbnail":
                    await self._thumbnail(intake, await form.small(desk.limits.max_thumbnail), found.content_type)
                found = await form.next_part()
            if found is None:
                raise ContentError("a form without a file", code="content.form", status=400)
            head, described = found, intake.upload
            intake.upload = await desk.writer.run(
                lambda tables: desk.library.describe(tables, described, head.filename, head.content_type, head.length)
            )
            async for piece in form.data():
                await intake.take(piece)
            return await intake.finish()

    async def _thumbnail(self, intake: Intake, data: bytes, kind: str) -> None:
        desk, upload = self._desk, intake.upload
        await desk.blobs.delete((Blob(upload.thumbnail_blob),))
        blob = await desk.blobs.create(upload.thumbnail_blob)
        try:
            await blob.write((data,))
            sha256 = await blob.finish()
        finally:
            await blob.close()
        intake.upload = await desk.writer.run(
            lambda tables: desk.library.thumbnail(tables, upload, len(data), kind, sha256)
        )

    # --- PUT -------------------------------------------------------------------------------------
    async def rest(self, request: web.Request, account: str, name: str) -> Upload:
        """What a Content-Range says, of an upload that has begun; a file again if that was all of it."""
        desk = self._desk
        brings = content_range(request.headers.get("Content-Range"))
        expected = brings.span.stop - brings.span.start
        if request.content_length is not None and request.content_length != expected:
            raise ContentError("Content-Length and Content-Range differ", code="content.range", status=400)
        tid = await desk.writer.run(lambda tables: desk.library.tid_of(tables, account, name))
        async with self.alone(account, tid, request):
            free = await desk.blobs.free()
            upload = await desk.writer.run(
                lambda tables: desk.library.resume(tables, account, name, brings, free, desk.now(), desk.rng)
            )
            async with self._writing(await self._again(upload, brings.span.start), resumable=True) as intake:
                async for piece in pieces(request, desk):
                    expected -= len(piece)
                    if expected < 0:
                        raise ContentError("more than the Content-Range said", code="content.size", status=400)
                    await intake.take(piece)
                if expected:
                    raise _cut()
                if brings.span.stop == brings.total:
                    return await intake.finish()
                await intake.suspend()
        return await desk.writer.run(lambda tables: desk.library.find(tables, account, tid, desk.now()))

    async def settled(self, upload: Upload) -> Upload:
        """This upload, made a file if only the last step to that was missed; nobody else writes it."""
        desk = self._desk
        held = await desk.writer.run(lambda tables: desk.library.settle(tables, upload, desk.rng))
        if held is None:
            return upload
        async with self._writing(await self._again(held, held.received), resumable=True) as intake:
            return await intake.finish()

    async def _again(self, upload: Upload, start: int) -> Intake:
        """Go on with an upload, with what begins at `start`."""
        desk = self._desk
        try:
            blob = await desk.blobs.resume(upload.blob, Standing(upload.received, upload.state))
        except ContentError as error:
            if error.code in _DOOMED:
                await desk.forget(
                    await desk.writer.run(lambda tables: desk.library.abandon(tables, upload, upload.state))
                )
            raise
        return Intake(self._desk, upload, blob, blob.size - start)

    # --- whatever happens ------------------------------------------------------------------------
    @contextlib.asynccontextmanager
    async def _writing(self, intake: Intake, *, resumable: bool) -> AsyncIterator[Intake]:
        """Keep or forget what came when something goes wrong, also when this server stops."""
        try:
            yield intake
        except BaseException as error:  # cancelled or refused: what is on the disk is put down however it ends
            code = getattr(error, "code", "")
            if code != _TAKEN:
                keep = resumable and code not in _DOOMED
                with contextlib.suppress(LetterlockError):  # what went wrong first is what counts
                    await asyncio.shield(intake.suspend() if keep else intake.abandon())
            raise
        finally:
            await asyncio.shield(intake.close())


class _Hold:
    """One request that works on an upload."""

    def __init__(self, request: web.Request) -> None:
        self._request = request
        self.done = asyncio.Event()

    def cut(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


class _Form:
    """The parts of a form, one after another."""

    def __init__(self, reader: FormDataReader, body: AsyncIterator[bytes], max_skipped: int) -> None:
        self._reader = reader
        self._body = body
        self._events: list[PartBegun | PartData | PartEnded] = []
        self._max_skipped = max_skipped

    async def next_part(self) -> PartBegun | None:
        """The next part, behind what was not read of the one before; None behind the last."""
        skipped = 0
        while (event := await self._next()) is not None:
            if isinstance(event, PartBegun):
                return event
            if isinstance(event, PartData):
                skipped += len(event.data)
                if skipped > self._max_skipped:
                    raise LimitExceeded("a part that nobody asked for is too long", code="content.form")
        return None

    async def data(self) -> AsyncIterator[bytes]:
        """The bytes of the part that has begun. Raises ContentError when it is not whole."""
        while isinstance(event := await self._next(), PartData):
            yield event.data
        if event is None:
            raise _cut()

    async def small(self, limit: int) -> bytes:
        found = bytearray()
        async for piece in self.data():
            found += piece
            if len(found) > limit:
                raise ContentError(f"a part of more than {limit} bytes", code="content.too_large", status=413)
        return bytes(found)

    async def _next(self) -> PartBegun | PartData | PartEnded | None:
        while not self._events:
            try:
                piece = await anext(self._body)
            except StopAsyncIteration:
                return None
            self._events = self._reader.feed(piece)[::-1]
        return self._events.pop()


async def pieces(request: web.Request, desk: Desk) -> AsyncIterator[bytes]:
    """The body as it comes. Raises ContentError when it is cut, or slower than the limits permit (SR-17).

    Only the time that the client keeps us waiting counts, not that of our disk.
    """
    loop = asyncio.get_running_loop()
    grace, rate = desk.limits.body_grace_s, desk.limits.body_bytes_per_s
    waited, got = 0.0, 0
    while True:
        began = loop.time()
        try:
            async with asyncio.timeout(min(grace, max(0.0, grace + got / rate - waited))):
                piece = await request.content.readany()
        except TimeoutError as error:
            raise ContentError("the body did not come in time", code="content.slow", status=408) from error
        except (web.RequestPayloadError, ConnectionError) as error:
            raise _cut() from error
        if not piece:
            return
        waited += loop.time() - began
        got += len(piece)
        yield piece


def _cut() -> ContentError:
    return ContentError("the body did not come whole", code="content.cut", status=400)
