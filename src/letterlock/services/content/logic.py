"""What the content server decides, as functions of tables, request, time and randomness.

Nothing here touches a socket, a clock or a file. A refusal is a `ContentError` with the HTTP status and the code that
the caller sees. An upload belongs to one account and one `tid`; its bytes are named by random blobs, and downloads by
random tokens that nobody can guess, so that an address is the right to fetch (SR-15, SR-17).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from ...codec.ft_http import media_type
from ...errors import ContentError
from ...ids import Instant, Rng
from .blobs import Blob, Found, Standing
from .limits import ContentLimits
from .ranges import ContentRange
from .tables import Kept, Tables, Upload

__all__ = ["Library", "full", "too_large"]

_TID = re.compile(r"[0-9A-Za-z._~-]{1,64}", re.ASCII)
_TOKEN = re.compile(r"[0-9a-f]{32,64}", re.ASCII)


class Library:
    """The content server's rules over its tables."""

    def __init__(self, limits: ContentLimits) -> None:
        self._limits = limits

    # --- uploads ---------------------------------------------------------------------------------
    def begin(
        self,
        tables: Tables,
        account: str,
        tid: str | None,
        length: int | None,
        free: int | None,
        now: Instant,
        rng: Rng,
    ) -> tuple[Upload, Sequence[Blob]]:
        """A new upload, and the blobs of the one that it replaces. `length` is that of the whole body, if it was said.

        Without a `tid` it cannot be resumed. One that is unfinished is begun again; one that is complete stays: its
        address may have been sent to somebody.
        """
        if tid is not None and not _TID.fullmatch(tid):
            raise ContentError("a tid is 1 to 64 letters, digits or dashes", code="content.tid", status=400)
        dropped: Sequence[Blob] = ()
        known = tables.of_account(account, tid) if tid is not None else None
        if known is not None:
            if known.complete and known.expires > now:
                raise ContentError(
                    "this upload is complete",
                    code="content.complete",
                    hint="ask for it: GET ?tid=...&get_download_info",
                    status=409,
                )
            dropped = known.blobs
        # Refused or not is decided before the old one goes: a refusal keeps what was written before it, and bytes on the
        # disk that no row names count in no budget (SR-17).
        replaced = 0 if known is None else known.reserved
        usage = tables.usage(account)
        if usage.unfinished - (known is not None and not known.complete) >= self._limits.account_uploads:
            raise ContentError(
                "too many unfinished uploads",
                code="content.uploads",
                hint="finish or drop some of them",
                status=429,
            )
        if usage.files - (known is not None and known.complete) >= self._limits.account_files:
            raise _over_budget("too many files")
        upload = Upload(
            id=rng(16).hex(),
            account=account,
            tid=tid or f"~{rng(16).hex()}",
            expires=now + self._limits.upload_lifetime_ms,
            reserved=0,
            complete=False,
            received=0,
            total=None,
            name="",
            content_type="application/octet-stream",
            blob=rng(16).hex(),
            token=rng(32).hex(),
            sha256=None,
            thumbnail_size=0,
            thumbnail_type="application/octet-stream",
            thumbnail_blob=rng(16).hex(),
            thumbnail_token=rng(32).hex(),
            thumbnail_sha256=None,
            state="",
            holder=rng(8).hex(),
        )
        room = min(length or self._limits.checkpoint_bytes, self._most)
        upload = self._reserve(tables, upload, room, free, replaced=replaced)
        if known is not None:
            tables.delete(known.id)
        tables.put(upload)
        return upload, dropped

    @property
    def _most(self) -> int:
        """That one upload may take."""
        return self._limits.max_file + self._limits.max_thumbnail

    def describe(self, tables: Tables, upload: Upload, name: str, kind: str, total: int | None) -> Upload:
        """Put down what the head of the file's part claims; all of it stays data (SR-14)."""
        if total is not None and total > self._limits.max_file:
            raise too_large(self._limits.max_file)
        name = "".join(c for c in name if c.isprintable())[: self._limits.max_name]
        return self._put(tables, upload, name=name, content_type=media_type(kind), total=total)

    def thumbnail(self, tables: Tables, upload: Upload, size: int, kind: str, sha256: bytes) -> Upload:
        """The thumbnail is on the disk."""
        return self._put(tables, upload, thumbnail_size=size, thumbnail_type=media_type(kind), thumbnail_sha256=sha256)

    def checkpoint(
        self, tables: Tables, upload: Upload, standing: Standing, size: int, free: int | None, now: Instant
    ) -> Upload:
        """`size` bytes of the file have come, those of `standing` are durable, and more is coming: reserve room for it."""
        needed = min(size + upload.thumbnail_size + self._limits.checkpoint_bytes, self._most)
        self._still_theirs(tables, upload)
        more = self._reserve(tables, upload, max(upload.reserved, needed), free)
        return self._stands(tables, more, standing, now)

    def suspend(self, tables: Tables, upload: Upload, standing: Standing, now: Instant) -> Upload:
        """The connection has gone; what is durable waits to be resumed, and no more than that is reserved."""
        upload = dataclasses.replace(upload, reserved=standing.received + upload.thumbnail_size)
        return self._stands(tables, upload, standing, now)

    def finish(self, tables: Tables, upload: Upload, size: int, sha256: bytes, now: Instant) -> Upload:
        """All of it is durable: from now on it is a file."""
        if upload.total is not None and upload.total != size:
            raise ContentError(
                f"the file has {size} bytes and was announced with {upload.total}", code="content.size", status=400
            )
        return self._put(
            tables,
            upload,
            received=size,
            total=size,
            reserved=size + upload.thumbnail_size,
            complete=True,
            sha256=sha256,
            state="",
            expires=now + self._limits.file_lifetime_ms,
        )

    # --- resuming --------------------------------------------------------------------------------
    def find(self, tables: Tables, account: str, tid: str, now: Instant) -> Upload:
        """An upload of this account, whatever its state. Raises ContentError 404."""
        found = tables.of_account(account, tid)
        if found is None or found.expires <= now:
            raise _unknown()
        return found

    def tid_of(self, tables: Tables, account: str, upload: str) -> str:
        """Whose rest a PUT brings. Raises ContentError 404, also for another account's upload."""
        found = tables.upload(upload)
        if found is None or found.account != account:
            raise _unknown()
        return found.tid

    def resume(
        self,
        tables: Tables,
        account: str,
        upload: str,
        brings: ContentRange,
        free: int | None,
        now: Instant,
        rng: Rng,
    ) -> Upload:
        """Go on with an upload with what a request brings, which may begin before what we have."""
        found = tables.upload(upload)
        # One answer for another's upload and for none.
        if found is None or found.account != account or found.expires <= now:
            raise _unknown()
        if brings.total > self._limits.max_file:
            raise too_large(self._limits.max_file)
        if found.complete:
            raise ContentError("this upload is complete", code="content.complete", status=409)
        if brings.span.start > found.received or (found.total is not None and found.total != brings.total):
            raise ContentError(
                f"this upload goes on at byte {found.received}",
                code="content.range",
                hint="ask where: GET ?tid=...&get_upload_info",
                status=409,
            )
        whole = self._reserve(tables, found, max(found.reserved, brings.total + found.thumbnail_size), free)
        return self._held(tables, whole, rng, total=brings.total)

    def settle(self, tables: Tables, upload: Upload, rng: Rng) -> Upload | None:
        """An upload of which every byte came, and whose server ended before it was a file: it can become one now."""
        if upload.complete or not upload.total or upload.received < upload.total:
            return None
        return self._held(tables, upload, rng)

    def drop(self, tables: Tables, upload: Upload) -> Sequence[Blob]:
        """Forget an upload; the blobs to delete."""
        tables.delete(upload.id)
        return upload.blobs

    def abandon(self, tables: Tables, upload: Upload, state: str) -> Sequence[Blob]:
        """Forget what one connection wrote, by its store's note as of now, unless another one goes on with it."""
        found = tables.upload(upload.id)
        if found is not None and found.holder != upload.holder:
            return ()
        return self.drop(tables, dataclasses.replace(upload, state=state))

    # --- downloads -------------------------------------------------------------------------------
    def file(self, tables: Tables, token: str, now: Instant) -> Kept:
        """The file behind an address."""
        kept = tables.kept(token) if _TOKEN.fullmatch(token) else None
        if kept is None or kept.expires <= now:
            raise ContentError("there is no such file, or not any more", code="content.unknown", status=404)
        return kept

    # --- retention -------------------------------------------------------------------------------
    def purge(self, tables: Tables, now: Instant, most: int) -> Sequence[Blob]:
        """Forget what has expired, so many uploads at once; the blobs to delete."""
        gone: list[Blob] = []
        for upload in tables.expired(now, most):
            tables.delete(upload.id)
            gone += upload.blobs
        return gone

    def orphans(self, tables: Tables, found: Sequence[Found]) -> Sequence[Found]:
        """What of a store's belongs to no upload any more: left by a server that was killed between two steps."""
        owners = {each.blob: tables.whole(each.blob) for each in found}
        return [each for each in found if (whole := owners[each.blob]) is None or (whole and each.temporary)]

    # --- the budget ------------------------------------------------------------------------------
    def _reserve(self, tables: Tables, upload: Upload, needed: int, free: int | None, *, replaced: int = 0) -> Upload:
        """Room for `needed` bytes of this upload in its account's budget, in all, and on the disk.

        `replaced` is what the upload has reserved that goes for it.
        """
        more = needed - upload.reserved
        if more > 0:
            if tables.usage(upload.account).reserved - replaced + more > self._limits.account_bytes:
                raise _over_budget("this account's files take all of its room")
            if tables.total() - replaced + more > self._limits.total_bytes or (
                free is not None and free - (needed - upload.received) < self._limits.min_free_bytes
            ):
                raise full()
        return dataclasses.replace(upload, reserved=needed)

    def _still_theirs(self, tables: Tables, upload: Upload) -> None:
        found = tables.upload(upload.id)
        if found is None:
            # Dropped or expired in the meantime: it does not come back by itself.
            raise _unknown()
        if found.holder != upload.holder:
            raise ContentError("another connection goes on with this upload", code="content.taken", status=409)

    def _stands(self, tables: Tables, upload: Upload, standing: Standing, now: Instant) -> Upload:
        expires = now + self._limits.upload_lifetime_ms
        return self._put(tables, upload, received=standing.received, state=standing.state, expires=expires)

    def _held(self, tables: Tables, upload: Upload, rng: Rng, **changes: object) -> Upload:
        """Whoever wrote before writes no more: the later of two wins."""
        new: Upload = dataclasses.replace(upload, holder=rng(8).hex(), **changes)  # type: ignore[arg-type]
        tables.put(new)
        return new

    def _put(self, tables: Tables, upload: Upload, **changes: object) -> Upload:
        self._still_theirs(tables, upload)
        new: Upload = dataclasses.replace(upload, **changes)  # type: ignore[arg-type]
        tables.put(new)
        return new


def too_large(limit: int) -> ContentError:
    return ContentError(f"files have at most {limit} bytes here", code="content.too_large", status=413)


def full() -> ContentError:
    """The disk, or what the operator gives of it, is full."""
    return ContentError("the content server has no room left", code="content.full", hint="try again later", status=507)


def _over_budget(reason: str) -> ContentError:
    return ContentError(reason, code="content.budget", hint="wait until older files expire, or drop some", status=507)


def _unknown() -> ContentError:
    return ContentError("there is no such upload, or not any more", code="content.unknown", status=404)
