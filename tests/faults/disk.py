"""A disk that can be filled: a file system of a few megabytes in memory, where the tests may mount one."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["Disk"]


class Disk:
    """`folder` is on it. `fill` leaves no byte, `free` gives all of it back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    @classmethod
    @contextlib.contextmanager
    def mounted(cls, folder: Path, megabytes: int = 16) -> Iterator[Disk]:
        """Skips the test where nothing may be mounted."""
        folder.mkdir()
        made = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], capture_output=True, check=False
        )
        if made.returncode != 0:
            pytest.skip("mounting a small file system needs the rights of root")
        try:
            yield cls(folder)
        finally:
            # Lazily: SQLite's files may be open for another moment.
            subprocess.run(["umount", "-l", str(folder)], check=True)

    def fill(self) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    file.write(os.urandom(size))
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    size //= 2

    def free(self) -> None:
        self._ballast.unlink()
