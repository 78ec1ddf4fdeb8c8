"""Small files that must be whole or absent: written beside, synced, then put in place."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

__all__ = ["read_file", "replace_file", "write_new"]


def read_file(path: Path, limit: int) -> bytes:
    """At most `limit` bytes. Raises OSError."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, limit)
    finally:
        os.close(file)


def write_new(path: Path, data: bytes) -> None:
    """Create with mode 0600; the name appears only with the whole content. Raises FileExistsError, OSError."""
    temporary = _write_beside(path, data)
    try:
        os.link(temporary, path)  # unlike rename, refuses to replace
    finally:
        os.unlink(temporary)
    _sync_folder(path.parent)


def replace_file(path: Path, data: bytes) -> None:
    """Replace in one step; after a crash there is the old content or the new one. Raises OSError."""
    temporary = _write_beside(path, data)
    try:
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(OSError):  # there is none left when it was put in place
            os.unlink(temporary)
    _sync_folder(path.parent)


def _write_beside(path: Path, data: bytes) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(os.unlink, temporary)
        try:
            os.write(file, data)
            os.fsync(file)
        finally:
            os.close(file)
        unfinished.pop_all()
    return temporary


def _sync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
