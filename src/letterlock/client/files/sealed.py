"""From file to sealed file and back, streaming: memory is the same for a megabyte and for a terabyte (SR-15).

A sealed file is written once, under a key that sealed nothing else; what uploads it sends what was written, however
often it goes on (SR-06). A plain file is written under a hidden name and takes its own when all of it has verified.
No link is followed to what is written or was sealed, and nobody else may read it. Any range of a sealed file can be
read by itself, also while the rest of it is still elsewhere.

SHA-256 of the sealed file takes five times as long as AES-GCM (1.9 and 12 GB/s where this was measured), so it runs in
a thread beside. Everything here blocks: callers use a thread, and `cancelled` to end it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ...crypto.provider import CryptoProvider
from ...errors import InputError
from ...files.layout import CHUNK, HEADER, TAG, Layout
from ...files.opener import Opener, check_digest, check_sealed_size
from ...files.seal import Seal
from ...files.sealer import Sealer
from ...ids import Rng
from ...transport.content.files import Target, file_error

__all__ = ["Cancelled", "Progress", "ReadAt", "SealedReader", "open_file", "reading", "seal_file"]

Progress = Callable[[int, int], None]
"""Called with the bytes of the plain file that are done, and all of them."""

Cancelled = Callable[[], bool]
"""Asked once a megabyte: whether to stop. `threading.Event.is_set` is one."""

ReadAt = Callable[[int, int], bytes]
"""(offset, length) to bytes of a sealed file; it may fetch them. Fewer than asked for means that there are no more."""

_BATCH: Final = 16
"""Chunks at a time: a megabyte."""


def _nothing(done: int, size: int) -> None:
    pass


def _never() -> bool:
    return False


def seal_file(
    source: str | Path,
    target: str | Path,
    *,
    crypto: CryptoProvider,
    rng: Rng,
    on_progress: Progress = _nothing,
    cancelled: Cancelled = _never,
) -> Seal:
    """Seal `source` under a fresh key as `target`, which appears whole and on the disk, in the place of what was there.

    No other call may seal to the same `target` at the same time.
    Raises InputError when the source cannot be read, is no file, or changes meanwhile; when the disk is full, or when
    `cancelled` says so. Nothing stays behind then but what was there before.
    """
    part = Path(f"{target}.part")
    with _file_errors(source), contextlib.ExitStack() as stack:
        # A pipe would keep us waiting for its other end.
        plain = stack.enter_context(_opened(source, os.O_RDONLY | os.O_NONBLOCK))
        before = _looks(plain, source)
        sealer = Sealer(before[0], crypto=crypto, rng=rng)
        with _file_errors(target), _new(part) as sealed:
            sha256 = _seal(sealer, plain, sealed, on_progress, cancelled)
            # The size counts as well: what was added behind the end is not in what was sealed.
            if sha256 is None or _looks(plain, source) != before:
                raise InputError(f"{source} changed while it was read", code="transfer.changed", hint="try again")
            os.fsync(sealed)
            os.replace(part, target)
            _sync_folder(Path(target).parent)
    return sealer.finish(sha256)


def open_file(
    sealed: str | Path,
    target: str | Path,
    seal: Seal,
    *,
    part: str | Path,
    crypto: CryptoProvider,
    on_progress: Progress = _nothing,
    cancelled: Cancelled = _never,
) -> str:
    """Open a sealed file as `target`, or the next name that is free; which it was. Nothing is overwritten.

    `part` is a name in the same folder that no other call uses: what is unfinished lies there, and is gone when this
    returns; after a kill the next call with this name clears it. If `target` is there and is this very file already, as
    after a program that ended at the last moment, it is left as it is.
    Raises InvalidFile when anything does not verify; InputError as `seal_file` does.
    """
    with reading(sealed, seal, crypto=crypto) as reader:
        if not os.path.lexists(part) and _is_the_same(Path(target), reader, cancelled):
            return str(target)
        with _file_errors(part), contextlib.suppress(FileNotFoundError):
            os.unlink(part)
        out = Target(str(part), 0, fresh=True)
        try:
            with _Digest() as digest:
                for piece, done in reader.batches(digest.update):
                    if cancelled():
                        raise _stopped()
                    out.write(piece)
                    on_progress(done, seal.size)
                check_digest(seal, digest.value())
            return out.finish(str(target))
        finally:
            out.discard()
            out.close()


@contextlib.contextmanager
def reading(path: str | Path, seal: Seal, *, crypto: CryptoProvider) -> Iterator[SealedReader]:
    """A sealed file on this disk, for any range. Raises InvalidFile when it has not the size of its seal."""
    with contextlib.ExitStack() as stack:
        with _file_errors(path):
            descriptor = stack.enter_context(_opened(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK))
        size, _ = _looks(descriptor, path)
        check_sealed_size(seal, size)

        def read_at(at: int, count: int) -> bytes:
            with _file_errors(path):
                return os.pread(descriptor, count, at)

        yield SealedReader(read_at, seal, crypto=crypto)


class SealedReader:
    """Any range of a sealed file: only the chunks that hold it are read, and verified before anything is returned.

    Safe to share between threads where `read_at` is.
    """

    __slots__ = ("_crypto", "_opener", "_read_at", "layout", "seal")

    def __init__(self, read_at: ReadAt, seal: Seal, *, crypto: CryptoProvider) -> None:
        self._read_at, self.seal, self._crypto = read_at, seal, crypto
        self.layout = Layout(seal.size)
        self._opener: Opener | None = None

    def read(self, start: int, length: int) -> bytes:
        """`length` bytes from `start`, fewer at the end of the file. Raises InvalidFile; what `read_at` raises."""
        if start < 0 or length < 0:
            raise InputError("a range begins in the file and is not negative", code="input.range")
        stop = min(start + length, self.seal.size)
        return b"".join(self.stream(start, stop)) if start < stop else b""

    def stream(self, start: int, stop: int) -> Iterator[bytes]:
        """The same range in pieces of at most a megabyte, each verified when it comes."""
        chunks = self.layout.chunks_of(start, stop)
        out = memoryview(bytearray(min(len(chunks), _BATCH) * CHUNK))
        for first in range(chunks.start, chunks.stop, _BATCH):
            last = min(first + _BATCH, chunks.stop)
            filled = self._open(first, last, self._sealed(first, last), out)
            at = first * CHUNK
            yield bytes(out[max(start - at, 0) : min(stop - at, filled)])

    def batches(self, digest: Callable[[bytes], None]) -> Iterator[tuple[memoryview, int]]:
        """All of the file, the chunks without content as well: pieces that hold until the next, and how far it is.

        `digest` is given all of the sealed file, in its order. Raises InvalidFile.
        """
        digest(self._header())
        out = memoryview(bytearray(min(self.layout.chunks, _BATCH) * CHUNK))
        done = 0
        for first in range(0, self.layout.chunks, _BATCH):
            last = min(first + _BATCH, self.layout.chunks)
            sealed = self._sealed(first, last)
            digest(sealed)
            filled = self._open(first, last, sealed, out)
            done += filled
            yield out[:filled], done

    def _header(self) -> bytes:
        return self._read_at(0, HEADER)

    def _sealed(self, first: int, last: int) -> bytes:
        """The chunks from `first` up to `last` as they are stored; fewer bytes if it was cut."""
        begin = self.layout.sealed_at(first)
        return self._read_at(begin, self.layout.sealed_at(last) - begin)

    def _open(self, first: int, last: int, sealed: bytes, out: memoryview) -> int:
        """Verify these chunks and put their content side by side; how much it is. Raises InvalidFile."""
        if self._opener is None:
            self._opener = Opener(self.seal, self._header(), crypto=self._crypto)
        view, filled, at = memoryview(sealed), 0, 0
        for index in range(first, last):
            length = self.layout.padded_in(index) + TAG
            filled += self._opener.open_into(index, view[at : at + length], out[at - (index - first) * TAG :])
            at += length
        return filled


class _Digest:
    """SHA-256 in a thread of its own, one piece behind: a piece must hold until the next one is given."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="letterlock-sha256")
        self._running: Future[None] | None = None

    def __enter__(self) -> _Digest:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def update(self, piece: bytes | memoryview) -> None:
        self._wait()
        self._running = self._thread.submit(self._hash.update, piece)

    def value(self) -> bytes:
        self._wait()
        return self._hash.digest()

    def _wait(self) -> None:
        if self._running is not None:
            self._running.result()


def _seal(sealer: Sealer, plain: int, sealed: int, on_progress: Progress, cancelled: Cancelled) -> bytes | None:
    """Read, seal, digest and write, a batch at a time; the digest. None when the file was shorter than it looked."""
    size, done = sealer.layout.size, 0
    batch = min(sealer.layout.chunks, _BATCH)
    content = memoryview(bytearray(batch * CHUNK))
    # One is digested while the other is filled.
    buffers = [memoryview(bytearray(batch * (CHUNK + TAG))) for _ in range(2)]
    with _Digest() as digest:
        digest.update(sealer.header)
        _write(sealed, memoryview(sealer.header))
        while sealer.next_content is not None:
            if cancelled():
                raise _stopped()
            if not _read(plain, content[: size - done]):
                return None
            at = filled = 0
            for _ in range(batch):
                if (count := sealer.next_content) is None:
                    break
                filled += sealer.seal_into(content[at : at + count], buffers[0][filled:])
                at += count
            done += at
            digest.update(buffers[0][:filled])
            _write(sealed, buffers[0][:filled])
            buffers.reverse()
            on_progress(done, size)
        return digest.value()


def _is_the_same(path: Path, reader: SealedReader, cancelled: Cancelled) -> bool:
    """Whether this file is there with this content. It is read no further than it is the same."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file, _Digest() as digest:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_size != reader.seal.size:
            return False
        for piece, _ in reader.batches(digest.update):
            if cancelled():
                raise _stopped()
            with _file_errors(path):
                same = file.read(len(piece)) == piece
            if not same:
                return False
        check_digest(reader.seal, digest.value())
        return True


# --- files ---------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def _file_errors(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise file_error(str(path), error) from error


@contextlib.contextmanager
def _opened(path: str | Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CLOEXEC, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _new(part: Path) -> Iterator[int]:
    """A file that was not there before; if it has not got another name by the end, it goes."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(part)
    try:
        with _opened(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW) as descriptor:
            yield descriptor
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)


def _looks(descriptor: int, path: str | Path) -> tuple[int, int]:
    """Size and time of the last change. Raises InputError for what is not a file."""
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path} is not a file", code="transfer.file")
    return found.st_size, found.st_mtime_ns


def _read(descriptor: int, into: memoryview) -> bool:
    """Fill it; whether there was enough."""
    while into:
        count = os.readv(descriptor, [into])
        if not count:
            return False
        into = into[count:]
    return True


def _write(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _sync_folder(folder: Path) -> None:
    with _opened(folder, os.O_RDONLY | os.O_DIRECTORY) as descriptor:
        os.fsync(descriptor)


def _stopped() -> InputError:
    return InputError("stopped", code="transfer.cancelled")
