"""A key file: 32 random bytes that unlock a profile, unprotected but for the file's mode.

Only for a user who names the path (SR-11): nothing here chooses one, and the profile does not remember it.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError, StoreError, WrongStoreKey
from ..ids import Rng
from .files import read_file, write_new

__all__ = ["KeyFile"]

_HEAD = "letterlock key file v1; whoever reads it can open the profile\n"


@dataclass(frozen=True, slots=True)
class KeyFile:
    """Unlock with the file at `path`."""

    path: Path

    def create(self, rng: Rng) -> None:
        """Write a new one, mode 0600. Raises InputError when the file exists: it may be another profile's only key."""
        try:
            write_new(self.path, (_HEAD + rng(32).hex() + "\n").encode())
        except FileExistsError:
            raise InputError(
                f"{self.path} exists already", code="input.key_file", hint="name a file that does not exist yet"
            ) from None
        except OSError as error:
            raise StoreError(f"the key file cannot be written: {error.strerror}", code="keystore.io") from error

    def secret(self) -> bytes:
        """The 32 bytes. Raises WrongStoreKey when it is not a key file, StoreError when it cannot be read or others can."""
        try:
            mode = os.stat(self.path).st_mode
            text = read_file(self.path, 4096).decode("ascii", "replace")
        except OSError as error:
            raise StoreError(
                f"the key file cannot be read: {error.strerror}", code="keystore.io", hint=f"check {self.path}"
            ) from error
        if stat.S_IMODE(mode) & 0o077:
            raise StoreError(
                "the key file can be read by other users", code="keystore.mode", hint=f"chmod 600 {self.path}"
            )
        lines = text.splitlines()
        try:
            secret = bytes.fromhex(lines[1]) if len(lines) == 2 and lines[0] + "\n" == _HEAD else b""
        except ValueError:
            secret = b""
        if len(secret) != 32:
            raise WrongStoreKey("this is not a key file", hint=f"check {self.path}")
        return secret
